"""The server's own TLS: its certificate, and the certificates of clients where they are asked."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette

from index.feed import stream
from index.feed.server import Tls, serving
from methodology.errors import ConfigError
from tests.sse import memory


def certificate(
    folder: Path, name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Name, ec.EllipticCurvePrivateKey]:
    """Write ``name.pem`` and ``name.key``; without an issuer it is an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, signing = issuer or (subject, key)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    kind = serialization.PrivateFormat.PKCS8
    body = key.private_bytes(serialization.Encoding.PEM, kind, plain)
    (folder / f"{name}.key").write_bytes(body)
    return subject, key


@pytest.mark.parametrize(
    ("asks", "has", "is_served"),
    [(False, False, True), (True, True, True), (True, False, False)],
    ids=["anybody", "a client with a certificate", "a client without one"],
)
def test_clients_are_served_over_tls_and_certified_where_asked(
    tmp_path: Path, asks: bool, has: bool, is_served: bool
) -> None:
    authority = certificate(tmp_path, "authority", None)
    certificate(tmp_path, "localhost", authority)
    certificate(tmp_path, "client", authority)
    ca = tmp_path / "authority.pem"
    tls = Tls(tmp_path / "localhost.pem", tmp_path / "localhost.key", ca if asks else None)
    context = ssl.create_default_context(cafile=str(ca))
    if has:
        context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")

    async def go() -> bytes:
        hub = stream.Hub(memory(2))
        app = Starlette(routes=stream.routes(hub))
        app.state.hub = hub
        async with serving(app, tls=tls) as port:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname="localhost"
            )
            try:
                writer.write(b"GET /v1/stream?after=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                async with asyncio.timeout(10):
                    return await reader.readuntil(b"id: 1\n")
            finally:
                writer.transport.abort()

    if is_served:
        assert asyncio.run(go()).startswith(b"HTTP/1.1 200")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            asyncio.run(go())


def test_a_certificate_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.pem cannot be read"):
        Tls(tmp_path / "none.pem", tmp_path / "none.key").check()
