"""Tests reach loopback and nothing else, whichever library asks."""

from __future__ import annotations

import asyncio
import os
import socket
import urllib.request

import httpx
import pytest

from tests.offline import OutwardConnection, is_here, plain_environment


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        (b"localhost", True),
        (None, True),
        ("", True),
        ("0.0.0.0", True),
        ("::ffff:192.0.2.1", False),
        ("192.0.2.1", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("localhost.example.org", False),
        ("example.org", False),
    ],
)
def test_this_machine_is_told_from_others(host: object, expected: bool) -> None:
    assert is_here(host) is expected


def test_a_plain_connection_is_refused() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as plain,
        pytest.raises(OutwardConnection, match=r"192\.0\.2\.1"),
    ):
        plain.connect(("192.0.2.1", 443))


def test_a_datagram_is_refused() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain,
        pytest.raises(OutwardConnection),
    ):
        plain.sendto(b"x", ("192.0.2.1", 53))


def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(OutwardConnection, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)
    with pytest.raises(OutwardConnection):
        urllib.request.urlopen("http://example.org/", timeout=5)
    with pytest.raises(OutwardConnection):
        httpx.get("http://192.0.2.1/", timeout=5)


def test_an_event_loop_is_refused_too() -> None:
    async def reach() -> None:
        await asyncio.open_connection("192.0.2.1", 443)

    with pytest.raises(OutwardConnection):
        asyncio.run(reach())


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_no_proxy_and_no_setting_of_the_shell_reaches_a_test() -> None:
    proxies = [name for name in os.environ if name.lower().endswith("_proxy")]
    assert set(proxies) <= {"NO_PROXY", "no_proxy"}
    assert {n for n in os.environ if n.startswith("SPOTFIX_")} <= {"SPOTFIX_PAYLOADS"}
    assert not [name for name in plain_environment() if name.startswith("SPOTFIX_")]
