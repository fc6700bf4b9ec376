"""Behind a proxy: client certificates in its header, our Unix socket, and nobody else's word."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette

from index.feed import certificates, stream
from index.feed.access import Clients
from index.feed.gate import Rules
from index.feed.quota import networks
from index.feed.server import listen_at, serving
from methodology.errors import ConfigError, UsageError
from tests.sse import memory
from tests.test_feed_access import answered

NOW = datetime(2026, 11, 21, 6, 0)
HERE = networks(["127.0.0.0/8"])


def certificate(*names: x509.GeneralName, ends: datetime = NOW + timedelta(days=1)) -> bytes:
    """A client's certificate as DER; who signed it is the proxy's business."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "common.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before((NOW - timedelta(days=1)).replace(tzinfo=UTC))
        .not_valid_after(ends.replace(tzinfo=UTC))
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(key, None).public_bytes(Encoding.DER)


ACME = certificate(x509.DNSName("Feed.ACME.example"), x509.DNSName("*.acme.example"))


def rfc_9440(der: bytes) -> str:
    return f":{base64.b64encode(der).decode()}:"


def nginx(der: bytes) -> str:
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()
    return quote(pem * 2, safe="/+=")  # a chain: the client's own comes first


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    found = Clients(tmp_path / "clients.json")
    found.add("acme", ["read"], NOW)
    found.certify("acme", "dns:feed.acme.example")
    return found


def asked(clients: Clients, *headers: str, **rules: object) -> tuple[int, dict[str, str], str]:
    settings = {
        "keys_required": True, "proxies": HERE, "certificate_header": "Client-Cert",
        "now": lambda: NOW, **rules,
    }  # fmt: skip
    status, lines, body = answered(Rules(clients, **settings), "/v1/status", *headers)  # type: ignore[arg-type]
    return status, lines, body.decode()


@pytest.mark.parametrize(
    "form", [rfc_9440, nginx, lambda der: base64.b64encode(der).decode()],
    ids=["RFC 9440", "nginx", "Caddy"],
)  # fmt: skip
def test_a_certificate_that_the_proxy_hands_on_is_its_client(
    clients: Clients, form: Callable[[bytes], str]
) -> None:
    log = io.StringIO()
    assert asked(clients, f"Client-Cert: {form(ACME)}", log=log)[0] == 200
    line = json.loads(log.getvalue())
    assert (line["client"], line["key"]) == ("acme", "dns:feed.acme.example")


REFUSED = {
    "no certificate": ((), "send Authorization"),
    "from somebody who is no proxy": ((rfc_9440(ACME),), "operator's proxy alone"),
    "of nobody": ((rfc_9440(certificate(x509.DNSName("b.example"))),), "no client is named"),
    "a wildcard": ((rfc_9440(certificate(x509.DNSName("*.acme.example"))),), "no client is named"),
    "the common name alone": ((rfc_9440(certificate()),), "no client is named"),
    "the same name of another kind": (
        (rfc_9440(certificate(x509.UniformResourceIdentifier("feed.acme.example"))),),
        "no client is named",
    ),
    "of two clients": (
        (
            rfc_9440(
                certificate(x509.DNSName("feed.acme.example"), x509.RFC822Name("ops@bank.example"))
            ),
        ),
        "two clients are named",
    ),
    "over": (
        (
            rfc_9440(
                certificate(x509.DNSName("feed.acme.example"), ends=NOW - timedelta(seconds=1))
            ),
        ),
        "term",
    ),
    "sent twice": ((rfc_9440(ACME), rfc_9440(ACME)), "more than once"),
    "cut": ((rfc_9440(ACME[:90]),), "cannot be read"),
    "no base64": ((":!!:",), "cannot be read"),
    "empty": (("",), "cannot be read"),
    "huge": (("A" * 40_000,), "more than 32768"),
}


@pytest.mark.parametrize(("values", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_client_s_certificate_opens_nothing(
    clients: Clients, request: pytest.FixtureRequest, values: tuple[str, ...], told: str
) -> None:
    clients.add("bank", ["read"], NOW)
    clients.certify("bank", "email:ops@bank.example")
    is_stranger = "no proxy" in request.node.name
    proxies = networks(["10.0.0.0/8"]) if is_stranger else HERE
    lines = [f"Client-Cert: {value}" for value in values]
    status, headers, body = asked(clients, *lines, proxies=proxies)
    assert (status, told in body) == (401, True), body
    assert headers["www-authenticate"].startswith("Bearer")


def test_without_the_option_the_header_is_nobody_s(clients: Clients) -> None:
    sent = f"Client-Cert: {rfc_9440(ACME)}"
    assert asked(clients, sent, certificate_header=None)[0] == 401
    assert asked(clients, sent, certificate_header=None, keys_required=False)[0] == 200


def test_whoever_opens_our_socket_is_the_proxy(clients: Clients) -> None:
    log, strangers = io.StringIO(), networks(["10.0.0.0/8"])
    sent = (f"Client-Cert: {rfc_9440(ACME)}", "X-Forwarded-For: 198.51.100.7")
    asked(clients, *sent, proxies=strangers, behind_socket=True, log=log)
    line = json.loads(log.getvalue())
    assert (line["status"], line["address"]) == (200, "198.51.100.7")


def test_key_and_certificate_are_of_one_client(clients: Clients) -> None:
    key = clients.add("bank", ["read"], NOW)
    own, other = f"Authorization: Bearer {key}", f"Client-Cert: {rfc_9440(ACME)}"
    assert asked(clients, own)[0] == 200
    status, _, body = asked(clients, own, other)
    assert (status, "two clients" in body) == (401, True)


def test_a_name_has_one_client_and_ends_at_once(clients: Clients, tmp_path: Path) -> None:
    server = Clients(tmp_path / "clients.json")
    names = frozenset({"dns:feed.acme.example"})
    assert [one.name for one in server.certified(names).values()] == ["acme"]
    clients.add("bank", ["read"], NOW)
    with pytest.raises(UsageError, match="is the name of client 'acme'"):
        clients.certify("bank", "dns:FEED.acme.example.")
    with pytest.raises(UsageError, match="has no certificate name"):
        clients.certify("bank", "dns:feed.acme.example", is_removed=True)
    assert "dns:feed.acme.example" in clients.revoke("acme", NOW)
    assert server.certified(names) == {}


@pytest.mark.parametrize(
    "text",
    ["feed.acme.example", "dns:*.acme.example", "dns:", "cn:acme", "uri:acme", "email:a b@c"],
)
def test_a_name_that_no_certificate_can_prove_is_refused(clients: Clients, text: str) -> None:
    with pytest.raises(ValueError, match=r"write dns:feed\.acme\.example"):
        certificates.name(text)
    with pytest.raises(UsageError, match="name of a certificate"):
        clients.certify("acme", text)


def test_a_unix_socket_serves_and_goes(tmp_path: Path) -> None:
    place = tmp_path / "feed.sock"
    listen_at(place).close()  # as a killed server leaves it

    async def go() -> bytes:
        hub = stream.Hub(memory(2))
        app = Starlette(routes=stream.routes(hub))
        app.state.hub = hub
        async with serving(app, at=place) as port:
            assert port == 0
            assert stat.S_IMODE(place.stat().st_mode) == 0o660
            with pytest.raises(ConfigError, match="a server listens there"):
                listen_at(place)
            reader, writer = await asyncio.open_unix_connection(str(place))
            try:
                writer.write(b"GET /v1/stream?after=-1 HTTP/1.1\r\nHost: x\r\n\r\n")
                async with asyncio.timeout(10):
                    return await reader.readuntil(b"id: 1\n")
            finally:
                writer.transport.abort()

    assert asyncio.run(go()).startswith(b"HTTP/1.1 200")
    assert not place.exists()
    place.write_text("a file of somebody's")
    with pytest.raises(ConfigError, match="cannot listen there"):
        listen_at(place)
    assert place.read_text() == "a file of somebody's"
