"""Connections that are kept: used again when sound, and no failure when the server ended them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from collectors.base import Capture, Request
from tests import loopback as lb
from tests.fetching import GOOD, make_source, outcome, read


def three(method: str, is_safe: bool = False) -> Any:
    def pages(base: str) -> Generator[Request, Capture, None]:
        for _ in range(3):
            yield Request(base, method=method, is_safe=is_safe)  # type: ignore[arg-type]

    return pages


def last_words() -> lb.Behaviour:
    """Answer as if the connection were to stay, and end it."""
    return lb.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 21\r\n\r\n" + GOOD)  # fmt: skip


@pytest.mark.parametrize("is_safe", [True, False])
def test_a_kept_connection_that_the_server_ended_costs_no_try(is_safe: bool) -> None:
    method = "POST" if is_safe else "GET"
    with lb.Server({"/p": last_words()}) as server:
        for _ in range(20):  # whether we see the end before we ask again is a race
            source = make_source(requests=three(method, is_safe))
            result = read(f"{server.url}/p", source)
            assert (outcome(result), len(result.captures)) == ("OK", 3)


def test_a_sound_connection_is_used_again() -> None:
    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        assert outcome(read(f"{server.url}/p", make_source(requests=three("GET")))) == "OK"
        assert (server.connections, len(server.asked)) == (1, 3)
