"""The small way out: a deadline, a cap, one host, and nobody's password."""

from __future__ import annotations

import time

import pytest

from index.outside import Outside, Unreachable, check_address
from methodology.errors import UsageError
from tests import loopback as lb


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://index.example/log", "plain http"),
        ("http://10.0.0.1/log", "plain http"),
        ("http://localhost.example/log", "plain http"),
        ("ftp://127.0.0.1/log", "no address"),
        ("https:///log", "no address"),
        ("file:///etc/passwd", "no address"),
        ("https://me@index.example/log", "password"),
    ],
)
def test_an_address_that_is_not_asked(url: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as found:
        check_address(url)
    assert "me@" not in str(found.value)


@pytest.mark.parametrize(
    "url",
    ["https://index.example/log", "http://127.0.0.1:1/x", "http://[::1]/x", "http://localhost/"],
)
def test_an_address_that_is_asked(url: str) -> None:
    assert check_address(url) == url


def test_plain_http_elsewhere_needs_a_word() -> None:
    assert check_address("http://index.example/", is_insecure=True)


def test_a_body_comes_back_and_what_is_not_there_is_none() -> None:
    with (
        lb.Server({"/a": lb.reply(b"abc"), "/gone": lb.reply(status=410)}) as server,
        Outside() as o,
    ):
        assert o.get(f"{server.url}/a") == b"abc"
        assert o.get(f"{server.url}/missing") is None
        assert o.get(f"{server.url}/gone") is None
        assert {asked.headers["accept-encoding"] for asked in server.asked} == {"identity"}


def test_a_redirect_is_followed_on_the_same_host_alone() -> None:
    routes = {
        "/a": lb.reply(status=302, location="/b"),
        "/b": lb.reply(b"here"),
        "/c": lb.reply(status=302, location="https://other.example/b"),
        "/d": lb.reply(status=302, location="/d"),
    }
    with lb.Server(routes) as server, Outside() as outside:
        assert outside.get(f"{server.url}/a") == b"here"
        with pytest.raises(Unreachable, match="another place"):
            outside.get(f"{server.url}/c")
        with pytest.raises(Unreachable, match="more than 3 times"):
            outside.get(f"{server.url}/d")


def test_a_server_that_drips_ends_at_the_deadline() -> None:
    drip = lb.drip(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", b"x")
    with lb.Server({"/a": drip}) as server, Outside(timeout=0.3) as outside:
        begun = time.monotonic()
        with pytest.raises(Unreachable, match=r"not done after 0\.3 s"):
            outside.get(f"{server.url}/a")
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (lb.hang(), "timed out|ReadTimeout"),
        (lb.reset(), "try again later"),
        (lb.reply(b"x" * 2000), "more than 1,000 bytes"),
        (lb.reply(status=503), "HTTP 503"),
        (lb.reply(b"x", content_encoding="gzip"), "packed"),
        (lb.raw(b"nonsense\r\n\r\n"), "try again later"),
    ],
    ids=["silent", "torn", "long", "ill", "packed", "no_http"],
)
def test_what_is_no_answer_is_worth_another_try(behaviour: lb.Behaviour, why: str) -> None:
    # Only who is to be given up on is given little time: a slow machine must not decide the rest.
    seconds = 0.3 if why.startswith("timed out") else 30.0
    with lb.Server({"/a": behaviour}) as server, Outside(timeout=seconds, cap=1000) as outside:
        with pytest.raises(Unreachable, match=why) as found:
            outside.get(f"{server.url}/a")
        assert found.value.exit_code == 75


def test_a_body_is_sent_and_any_status_comes_back() -> None:
    with lb.Server({"/a": lb.reply(b"12\n", status=409)}) as server, Outside() as outside:
        answer = outside.post(f"{server.url}/a", b"old 0\n", "text/plain")
        assert (answer.status, answer.body) == (409, b"12\n")
        assert server.asked[0].body == b"old 0\n"
