"""RFC 3161 against an authority that stock OpenSSL plays, its certificates made for one run."""

from __future__ import annotations

import builtins
import hashlib
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from index.publication import timestamps
from methodology.errors import ConfigError, VerificationError

pytest.importorskip("rfc3161_client", reason="rfc3161-client is not installed")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")

DIGEST = hashlib.sha256(b"MANIFEST_0002.json").digest()

CONFIGURATION = """
[tsa]
default_tsa = authority
[authority]
serial = ./serial
crypto_device = builtin
signer_cert = ./tsa.pem
signer_key = ./tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(folder: Path, line: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["openssl", *line.split()], cwd=folder, capture_output=True, check=False, timeout=60
    )


def authority(folder: Path) -> Path:
    """Make a root, a certificate for time stamps below it, and the configuration of both."""
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    (folder / "tsa.cnf").write_text(CONFIGURATION, "utf-8")
    usage = "extendedKeyUsage=critical,timeStamping\nkeyUsage=digitalSignature\n"
    (folder / "usage").write_text(usage, "utf-8")
    (folder / "serial").write_text("01\n", "utf-8")
    for line in (
        f"req -x509 {curve} -keyout ca.key -out ca.pem -subj /CN=throwaway-root -days 2",
        f"req {curve} -keyout tsa.key -out tsa.csr -subj /CN=throwaway-authority",
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 2 "
        "-extfile usage",
    ):
        told = openssl(folder, line)
        assert told.returncode == 0, told.stderr
    return folder


def answer(folder: Path, request: bytes) -> bytes:
    (folder / "query").write_bytes(request)
    told = openssl(folder, "ts -reply -queryfile query -out answer -config tsa.cnf")
    assert told.returncode == 0, told.stderr
    return (folder / "answer").read_bytes()


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def token(tsa: Path) -> bytes:
    return answer(tsa, timestamps.request(DIGEST, nonce=2**63 + 5))


@pytest.fixture(scope="module")
def root(tsa: Path) -> bytes:
    return (tsa / "ca.pem").read_bytes()


def test_openssl_reads_the_request(tsa: Path) -> None:
    (tsa / "asked").write_bytes(timestamps.request(DIGEST, nonce=0x7F00_0000_0000_0001))
    told = openssl(tsa, "ts -query -in asked -text").stdout.decode()
    assert "Hash Algorithm: sha256" in told
    assert "Nonce: 0x7F00000000000001" in told
    assert "Certificate required: yes" in told
    shown = "".join(
        line[11:58].replace("-", " ").replace(" ", "")
        for line in told.splitlines()
        if line.startswith("    00")
    )
    assert shown == DIGEST.hex()


def test_an_answer_states_time_and_authority(token: bytes, root: bytes) -> None:
    found = timestamps.check(token, DIGEST, [root], nonce=2**63 + 5)
    assert abs(found.at - datetime.now(UTC)) < timedelta(minutes=5)
    assert found.by == "CN=throwaway-authority"
    assert found.policy == "1.2.3.4.1"
    assert timestamps.check(token, DIGEST, [root]) == found


def test_openssl_verifies_the_same_answer(tsa: Path, token: bytes) -> None:
    (tsa / "kept.tsr").write_bytes(token)
    told = openssl(tsa, f"ts -verify -digest {DIGEST.hex()} -in kept.tsr -CAfile ca.pem")
    assert b"Verification: OK" in told.stdout


def test_an_answer_about_something_else_is_refused(token: bytes, root: bytes) -> None:
    with pytest.raises(VerificationError, match=r"Mismatch between messages.*sha256:0000"):
        timestamps.check(token, bytes(32), [root])
    with pytest.raises(VerificationError, match="Nonce mismatch"):
        timestamps.check(token, DIGEST, [root], nonce=6)


def test_an_answer_by_an_authority_nobody_trusts_is_refused(token: bytes, tmp_path: Path) -> None:
    other = (authority(tmp_path) / "ca.pem").read_bytes()
    with pytest.raises(VerificationError, match="1 certificates are trusted"):
        timestamps.check(token, DIGEST, [other])
    with pytest.raises(ConfigError, match="no trusted certificate was given"):
        timestamps.check(token, DIGEST, [])
    with pytest.raises(ConfigError, match="trusted certificate 1: not PEM"):
        timestamps.check(token, DIGEST, [b"-----BEGIN"])


def test_an_answer_without_its_certificate_is_refused(tsa: Path, root: bytes) -> None:
    made = answer(tsa, timestamps.request(DIGEST, certificates=False))
    with pytest.raises(VerificationError, match="time stamp: "):
        timestamps.check(made, DIGEST, [root])


def test_changed_bytes_are_refused(token: bytes, root: bytes) -> None:
    for at in range(0, len(token), 37):
        bent = bytearray(token)
        bent[at] ^= 0x20
        try:
            found = timestamps.check(bytes(bent), DIGEST, [root])
        except VerificationError:
            continue
        # Certificates beside the signature are not signed by it; what is said stays the same.
        assert found == timestamps.check(token, DIGEST, [root]), at


@pytest.mark.parametrize(
    "body", [b"", b"<html>busy</html>", b"\x30\x80", b"\x30\x03\x02\x01\x00"],
    ids=["empty", "a_page", "endless", "half"],
)  # fmt: skip
def test_what_is_no_answer_is_refused(body: bytes, root: bytes) -> None:
    with pytest.raises(VerificationError, match="time stamp"):
        timestamps.check(body, DIGEST, [root])
    with pytest.raises(VerificationError, match="at most 65536"):
        timestamps.check(body + bytes(70_000), DIGEST, [root])


def test_a_refusal_is_told_with_its_status(tsa: Path, root: bytes) -> None:
    sha1 = timestamps.request(DIGEST).replace(
        bytes.fromhex("0609608648016503040201"), bytes.fromhex("0609608648016503040204")
    )
    with pytest.raises(VerificationError, match="refused with status 2"):
        timestamps.check(answer(tsa, sha1), DIGEST, [root])


def test_a_request_is_for_a_sha_256_digest() -> None:
    with pytest.raises(ValueError, match="has 32 bytes, not 20"):
        timestamps.request(bytes(20))
    with pytest.raises(ValueError, match="is not below"):
        timestamps.request(DIGEST, nonce=2**64)


def test_without_the_package_the_way_to_it_is_named(
    monkeypatch: pytest.MonkeyPatch, token: bytes, root: bytes
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **words: Any) -> Any:
        if name == "rfc3161_client":
            raise ImportError(name)
        return real(name, *rest, **words)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'spotfix\[timestamps\]'"):
        timestamps.check(token, DIGEST, [root])
