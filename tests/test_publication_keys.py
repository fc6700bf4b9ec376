"""Keys and signers: published vectors, OpenSSL as the other side, and all that is refused."""

from __future__ import annotations

import base64
import copy
import hashlib
import logging
import os
import pickle
import shutil
import stat
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from index.publication import keyring, keys
from index.publication.commands import CommandSigner
from index.publication.keys import ED25519, ML_DSA_44, DemoSigner, PemSigner, PublicKey, create_pem
from index.publication.mldsa import Deterministic
from methodology.errors import ConfigError

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
        "b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
        "1d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
        "c6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
"""Secret key, public key, message and signature of RFC 8032, 7.1, tests 1 to 3."""

OPENSSL = shutil.which("openssl")


def pem_file(path: Path, seed: bytes) -> Path:
    body = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(body)
    path.chmod(0o600)
    return path


# Published vectors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "public", "message", "signature"), RFC_8032, ids=["test_1", "test_2", "test_3"]
)
def test_ed25519_is_that_of_rfc_8032(
    tmp_path: Path, secret: str, public: str, message: str, signature: str
) -> None:
    path = pem_file(tmp_path / "key.pem", bytes.fromhex(secret))
    signer = PemSigner(path, name="vector", purpose="fixing")
    assert signer.public.raw.hex() == public
    assert signer.sign(bytes.fromhex(message)).hex() == signature
    assert signer.public.verify(bytes.fromhex(message), bytes.fromhex(signature))
    assert not signer.public.verify(bytes.fromhex(message) + b"\x00", bytes.fromhex(signature))


def test_deterministic_ml_dsa_44_is_that_of_the_accumulated_vectors() -> None:
    """C2SP/CCTV, ML-DSA/accumulated: a hundred seeds, all keys and signatures in one hash."""
    seeds, found = hashlib.shake_128().digest(3200), hashlib.shake_128()
    for at in range(0, 3200, 32):
        signer = Deterministic(seeds[at : at + 32])
        found.update(signer.public + signer.sign(b""))
    assert found.hexdigest(32) == "d51148e1f9f4fa1a723a6cf42e25f2a99eb5c1b378b3d2dbbd561b1203beeae4"


@pytest.mark.skipif(OPENSSL is None, reason="no openssl command here")
def test_stock_openssl_verifies_a_signature_and_refuses_a_changed_file(tmp_path: Path) -> None:
    signer = DemoSigner("fixing")
    (tmp_path / "key.pem").write_bytes(signer.public.pem())
    (tmp_path / "r1.json").write_bytes(b'{"value":"4.1875"}')
    (tmp_path / "r1.json.sig").write_bytes(signer.sign(b'{"value":"4.1875"}'))
    line = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in r1.json -sigfile r1.json.sig"
    told = subprocess.run(line.split(), cwd=tmp_path, capture_output=True, check=False)
    assert (told.returncode, told.stdout) == (0, b"Signature Verified Successfully\n")
    (tmp_path / "r1.json").write_bytes(b'{"value":"4.1876"}')
    assert subprocess.run(line.split(), cwd=tmp_path, capture_output=True, check=False).returncode


# Public keys --------------------------------------------------------------------------------------


def test_a_key_is_named_after_its_purpose_and_the_hash_of_its_bytes() -> None:
    raw = bytes.fromhex(RFC_8032[0][1])
    key = PublicKey("example.org/fixing", "fixing", ED25519, raw)
    assert key.id == "fixing-" + hashlib.sha256(raw).hexdigest()[:16]
    assert key.id == "fixing-21fe31dfa154a261"  # printf … | xxd -r -p | sha256sum


@pytest.mark.parametrize("algorithm", [ED25519, ML_DSA_44])
def test_a_public_key_survives_its_pem(algorithm: str) -> None:
    key = DemoSigner("log", algorithm).public
    assert PublicKey.from_pem(key.pem(), name=key.name, purpose="log") == key
    assert base64.b64decode(key.base64()) == key.raw


def test_a_wrong_signature_is_an_answer_and_no_accident() -> None:
    signer = DemoSigner("fixing")
    right = signer.sign(b"x")
    for wrong in (b"", right[:-1], right + b"\x00", bytes(64), b"\xff" * 64, right[::-1]):
        assert not signer.public.verify(b"x", wrong)
    post_quantum = DemoSigner("log", ML_DSA_44)
    assert post_quantum.public.verify(b"x", post_quantum.sign(b"x"))
    assert not post_quantum.public.verify(b"x", right)
    assert not post_quantum.public.verify(b"x", bytes(2420))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": ""}, "key name"),
        ({"name": "two words"}, "key name"),
        ({"name": "a+b"}, "key name"),
        ({"name": "line\nbreak"}, "key name"),
        ({"name": "no\u00a0break"}, "key name"),
        ({"name": "x" * 256}, "key name"),
        ({"purpose": "fixings"}, "purpose"),
        ({"algorithm": "rsa"}, "algorithm"),
        ({"raw": bytes(31)}, "32 bytes, not 31"),
    ],
)
def test_a_key_that_cannot_stand_in_a_note_is_refused(change: dict[str, object], word: str) -> None:
    key = PublicKey("name", "log", ED25519, bytes(32))
    with pytest.raises(ConfigError, match=word):
        replace(key, **change)  # type: ignore[arg-type]


def test_a_pem_of_another_algorithm_is_refused_by_name() -> None:
    public = rsa.generate_private_key(65537, 1024).public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(ConfigError, match="RSAPublicKey is not in use here"):
        PublicKey.from_pem(pem, name="n", purpose="log")
    with pytest.raises(ConfigError, match="not a public key in PEM"):
        PublicKey.from_pem(b"-----BEGIN NONSENSE", name="n", purpose="log")


# Private keys in files ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o666])
def test_a_private_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = pem_file(tmp_path / "key.pem", bytes(32))
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o} lets others read a private key; chmod"):
        PemSigner(path, name="n", purpose="fixing")


def test_a_new_key_is_its_owners_alone_whatever_the_umask_and_never_overwrites(
    tmp_path: Path,
) -> None:
    before = os.umask(0)
    try:
        create_pem(tmp_path / "key.pem")
        create_pem(tmp_path / "pq.pem", ML_DSA_44)
    finally:
        os.umask(before)
    path = tmp_path / "key.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        create_pem(path)
    assert path.read_bytes() == first
    (tmp_path / "link.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(ConfigError, match="never overwritten"):
        create_pem(tmp_path / "link.pem")
    assert not (tmp_path / "elsewhere.pem").exists()
    signer = PemSigner(tmp_path / "pq.pem", name="n", purpose="log")
    assert signer.public.algorithm == ML_DSA_44
    assert signer.public.verify(b"m", signer.sign(b"m"))


def test_a_file_that_holds_no_usable_key_is_refused_without_its_content(tmp_path: Path) -> None:
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
    encrypted = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"pass"),
    )
    other = rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    bodies = {
        b"": "not a private key",
        b"-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n"
        % secret.encode(): "not a p",
        encrypted: "is encrypted",
        other: "RSAPrivateKey is not in use",
    }
    path = tmp_path / "key.pem"
    for body, word in bodies.items():
        path.write_bytes(body)
        path.chmod(0o600)
        with pytest.raises(ConfigError, match=word) as caught:
            PemSigner(path, name="n", purpose="fixing")
        assert secret not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ConfigError, match="spotfix keys create"):
        PemSigner(tmp_path / "none.pem", name="n", purpose="fixing")


def test_no_text_copy_or_pickle_shows_a_private_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seed = hashlib.sha256(b"a key for this test").digest()
    signer = PemSigner(pem_file(tmp_path / "k.pem", seed), name="n", purpose="fixing")
    forms = [seed.hex(), base64.b64encode(seed).decode(), repr(seed), str(list(seed))]
    ring = replace(keyring.demo(), fixing=signer)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("%s %r %s", signer, signer, ring)
    shown = [repr(signer), str(signer), f"{signer}", repr(ring), caplog.text]
    for one in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a private key") as caught:
            one(signer)
        shown.append("".join(traceback.format_exception(caught.value)))
    assert signer.public.id in shown[0]
    assert not [form for form in forms for text in shown if form in text]


# The key everyone knows ---------------------------------------------------------------------------


def test_anyone_can_derive_the_demonstration_key() -> None:
    seed = hashlib.sha256(
        b"spotfix demonstration key, known to everyone: " + b"fixing" + b"ed25519"
    ).digest()
    private = Ed25519PrivateKey.from_private_bytes(seed)
    signer = DemoSigner("fixing")
    assert signer.public.raw == private.public_key().public_bytes_raw()
    assert signer.sign(b"record") == private.sign(b"record")
    assert keys.is_demo(signer.public)
    assert not keys.is_demo(PublicKey("n", "fixing", ED25519, bytes.fromhex(RFC_8032[0][1])))


def test_both_demonstration_signatures_are_the_same_bytes_every_time() -> None:
    for algorithm in (ED25519, ML_DSA_44):
        one, other = DemoSigner("log", algorithm), DemoSigner("log", algorithm)
        assert one.sign(b"message") == other.sign(b"message")
        assert one.public.verify(b"message", one.sign(b"message"))


# Signers that are programs ------------------------------------------------------------------------

PROGRAM = """
import sys, time, os, subprocess
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
how = sys.argv[1]
message = sys.stdin.buffer.read() if how != "deaf" else b""
private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
out = sys.stdout.buffer
if how in ("right", "deaf"):
    out.write(private.sign(message))
elif how == "wrong":
    out.write(private.sign(message + b"?"))
elif how == "short":
    out.write(private.sign(message)[:-1])
elif how == "text":
    print("signature: " + private.sign(message).hex())
elif how == "endless":
    while True:
        out.write(b"x" * 65536)
elif how == "hangs":
    time.sleep(60)
elif how == "child-hangs":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
elif how == "fails":
    sys.stderr.write("PIN 1234 refused")
    sys.exit(7)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("signer") / "signer.py"
    path.write_text(PROGRAM, "utf-8")
    return path


def by_program(program: Path, how: str, seconds: float = 20.0) -> CommandSigner:
    raw = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
    public = PublicKey.from_raw(raw, name="n", purpose="fixing")
    return CommandSigner(public, [sys.executable, str(program), how], seconds)


def test_a_program_signs(program: Path) -> None:
    signer = by_program(program, "right")
    message = b"m" * 300_000  # more than a pipe holds
    assert signer.public.verify(message, signer.sign(message))


@pytest.mark.parametrize(
    ("how", "seconds", "told"),
    [
        ("wrong", 20, "a signature that this public key does not verify"),
        ("deaf", 20, "a signature that this public key does not verify"),
        ("short", 20, "wrote 63 bytes where a signature has 64"),
        ("text", 20, "wrote more than the 64 bytes of a signature"),
        ("endless", 20, "wrote more than the 64 bytes of a signature"),
        ("hangs", 0.6, "did not finish within 0.6 s and was killed"),
        ("child-hangs", 0.8, "did not finish within 0.8 s and was killed"),
        ("fails", 20, "ended with exit code 7"),
    ],
)
def test_a_program_that_does_not_sign_is_refused(
    program: Path, how: str, seconds: float, told: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(ConfigError, match=told) as caught:
        by_program(program, how, seconds).sign(b"message" * 100_000)
    assert time.monotonic() - begun < 15
    assert "nothing was signed" in str(caught.value)
    assert "1234" not in "".join(traceback.format_exception(caught.value))


def test_a_program_that_is_not_there_is_named_and_its_arguments_are_not() -> None:
    key = DemoSigner("fixing").public
    signer = CommandSigner(key, ["/no/such/signer", "--pin", "1234"])
    with pytest.raises(ConfigError, match="'/no/such/signer' cannot be started") as caught:
        signer.sign(b"m")
    assert "1234" not in str(caught.value) + repr(signer)


# The keyring --------------------------------------------------------------------------------------


@dataclass
class Given:
    """Settings as far as a keyring asks for them."""

    keys: Path
    log_origin: str = "example.org/log"
    administrator_id: str = "example.org"
    allow_demo_live: bool = False


def write_ring(folder: Path, **tables: str) -> Given:
    folder.mkdir(exist_ok=True)
    for name, algorithm in (("fixing", ED25519), ("log", ED25519), ("log_pq", ML_DSA_44)):
        create_pem(folder / f"{name}.pem", algorithm)
    create_pem(folder / "root.pem")
    root = PemSigner(folder / "root.pem", name="r", purpose="root")
    (folder / "root.pub.pem").write_bytes(root.public.pem())
    texts = {
        "root": 'public = "root.pub.pem"',
        **{n: f'kind = "file"\nfile = "{n}.pem"' for n in ("fixing", "log", "log_pq")},
        **tables,
    }
    lines = [f"[{name}]\n{text}\n" for name, text in texts.items() if text]
    (folder / "keyring.toml").write_text("\n".join(lines), "utf-8")
    return Given(folder)


def test_without_a_file_the_demonstration_keys_sign_under_the_names_of_the_settings(
    tmp_path: Path,
) -> None:
    ring = keyring.load(Given(tmp_path))
    assert ring.is_demo
    assert [key.name for key in ring.public_keys] == [
        "example.org/root", "example.org/fixing", "example.org/log", "example.org/log",
    ]  # fmt: skip


def test_a_keyring_of_files_has_an_offline_root_and_goes_live(tmp_path: Path) -> None:
    ring = keyring.load(write_ring(tmp_path), live=True)
    assert (ring.is_demo, ring.root_signer) == (False, None)
    assert ring.places["root"] == "offline"
    assert ring.places["log_pq"] == f"file {tmp_path / 'log_pq.pem'}"
    assert ring.log_pq.public.algorithm == ML_DSA_44
    assert ring.log.public.verify(b"m", ring.log.sign(b"m"))


def test_a_keyring_signs_with_a_program(tmp_path: Path, program: Path) -> None:
    given = write_ring(tmp_path)
    signer = by_program(program, "right")
    (tmp_path / "token.pub.pem").write_bytes(signer.public.pem())
    words = ", ".join(f"'{word}'" for word in (sys.executable, str(program), "right"))
    table = f'kind = "command"\npublic = "token.pub.pem"\nargv = [{words}]\ntimeout_seconds = 20'
    text = (tmp_path / "keyring.toml").read_text("utf-8")
    (tmp_path / "keyring.toml").write_text(
        text.replace('kind = "file"\nfile = "fixing.pem"', table), "utf-8"
    )
    ring = keyring.load(given, live=True)
    assert ring.fixing.public.raw == signer.public.raw
    assert ring.fixing.public.verify(b"m", ring.fixing.sign(b"m"))
    assert ring.places["fixing"] == f"command {sys.executable}"


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"log_pq": ""}, r"missing \['log_pq'\]"),
        ({"spare": 'kind = "demo"'}, r"unknown \['spare'\]"),
        ({"fixing": 'kind = "file"\nfile = "none.pem"'}, r"\[fixing\] .*none.pem"),
        ({"fixing": 'kind = "file"\nfile = "log.pem"'}, "one key stands in two tables"),
        ({"fixing": 'kind = "file"\nfile = "log_pq.pem"'}, "is ml-dsa-44; ed25519 is needed"),
        ({"fixing": 'kind = "safe"'}, "kind 'safe' is none of file, command, demo"),
        ({"fixing": 'kind = "offline"\npublic = "root.pub.pem"'}, "kind 'offline' is none of"),
        ({"fixing": 'kind = "file"\nfle = "x"'}, r"\[fixing\] is a table of"),
        ({"log": 'kind = "demo"\nname = "other/log"'}, "not the log's origin"),
        ({"log": 'kind = "command"\npublic = "root.pub.pem"\nargv = "sign"'}, "not a list"),
        ({"root": 'public = "none.pem"'}, r"\[root\] public .*none.pem"),
        ({"root": "= 1"}, "keyring.toml"),
    ],
)
def test_a_keyring_that_says_something_else_is_refused(
    tmp_path: Path, tables: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        keyring.load(write_ring(tmp_path, **tables))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"administrator_id": "spotfix-dev"}, "setting 'administrator_id'"),
        ({"log_origin": "spotfix-dev/log"}, "setting 'log_origin'"),
        ({}, "setting 'keys': .*`spotfix keys create`"),
    ],
)
def test_what_everyone_has_does_not_publish_live(
    tmp_path: Path, change: dict[str, str], told: str
) -> None:
    given = replace(Given(tmp_path), **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=told):
        keyring.load(given, live=True)
    assert keyring.load(replace(given, allow_demo_live=True), live=True).is_demo


def test_one_demonstration_key_among_real_ones_does_not_publish_live(tmp_path: Path) -> None:
    given = write_ring(tmp_path, log_pq='kind = "demo"')
    with pytest.raises(ConfigError, match="everyone knows the private part of log-"):
        keyring.load(given, live=True)
    seed = hashlib.sha256(keys.DEMO_SEED + b"fixing" + b"ed25519").digest()
    smuggled = tmp_path / "smuggled"
    given = write_ring(smuggled)
    pem_file(smuggled / "fixing.pem", seed)  # the same key, called a file
    with pytest.raises(ConfigError, match="everyone knows the private part of fixing-"):
        keyring.load(given, live=True)
