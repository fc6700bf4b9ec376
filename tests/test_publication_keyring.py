"""Signers that are programs, and the keyring that names who signs for what."""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from index.publication import keyring, keys
from index.publication.commands import CommandSigner
from index.publication.keys import ED25519, ML_DSA_44, DemoSigner, PemSigner, PublicKey, create_pem
from methodology.errors import ConfigError
from tests.test_publication_keys import pem_file

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
