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
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from index.audit import verify_offline
from index.publication import keyring, keys
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


@pytest.mark.parametrize("y", [3, 4, 18])
def test_a_key_has_one_spelling_though_openssl_reads_another(y: int) -> None:
    """RFC 8032, 5.1.3: y is below the prime. The auditor's script refuses these, too."""
    raw = (2**255 - 19 + y).to_bytes(32, "little")
    with pytest.raises(ConfigError, match="not the one spelling"):
        PublicKey.from_raw(raw, name="x", purpose="log")
    assert not PublicKey("x", "log", ED25519, raw).verify(b"m", bytes(64))
    with pytest.raises(ValueError, match="one form"):
        verify_offline.unpack(raw)


def test_both_verifiers_agree_where_keys_and_signatures_are_odd() -> None:
    """A key with a part of small order, R with and without one, and s with the order added."""
    vo: Any = verify_offline
    torsion = vo.unpack(next(one for one in sorted(keys.SMALL_ORDER) if one[1] == 0xE8))
    raw = vo.pack(vo.add(vo.times(vo.BASE, 7), torsion))
    public, prefix = PublicKey.from_raw(raw, name="x", purpose="log"), "302a300506032b6570032100"
    pem = base64.b64encode(bytes.fromhex(prefix) + raw).decode()
    script = vo.Key(f"-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----".encode(), "log")
    accepted = 0
    for number in range(16):
        message, point = b"%d" % number, vo.times(vo.BASE, 1000 + number)
        for each in (point, vo.add(point, torsion)):
            start = vo.pack(each)
            k = int.from_bytes(hashlib.sha512(start + raw + message).digest(), "little")
            s = (1000 + number + k * 7) % vo.L
            for signature in (s, s + vo.L):
                signed = start + signature.to_bytes(32, "little")
                assert public.verify(message, signed) == script.signed(message, signed)
                accepted += script.signed(message, signed)
    assert 0 < accepted < 32


@pytest.mark.parametrize("raw", sorted(keys.SMALL_ORDER), ids=lambda raw: raw.hex()[::21])
def test_a_key_for_which_anyone_can_sign_is_refused(raw: bytes) -> None:
    """R the neutral point and S zero: OpenSSL takes that for a signature of some message."""
    forged = b"\x01" + bytes(63)
    weak = PublicKey("n", "officer", ED25519, raw)
    assert not [n for n in range(64) if weak.verify(b"%d" % n, forged)]
    with pytest.raises(ConfigError, match="small order"):
        PublicKey.from_raw(raw, name="n", purpose="officer")
    with pytest.raises(ConfigError, match="small order"):
        PublicKey.from_pem(weak.pem(), name="n", purpose="officer")


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
