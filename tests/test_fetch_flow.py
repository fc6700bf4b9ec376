"""How the fetcher tries again, walks pages, and takes bodies apart."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import time
from collections.abc import Generator
from datetime import timedelta
from itertools import repeat

import pytest

from collectors.answers import wait_asked
from collectors.base import Capture, Request
from collectors.fetch import Job, Limits, collect
from collectors.wire import PIECE, Keeper, Refused, Unpacker
from methodology.errors import ParseError
from tests import loopback as lb
from tests.fetching import GOOD, MIB, NOON, make_source, outcome, read, served

# --- trying again ------------------------------------------------------------------------------


def test_two_failures_then_a_body_is_a_body() -> None:
    sick = lb.reply(status=500)
    result = served(lb.in_turn(sick, lb.reset(), lb.reply(GOOD)))
    assert (outcome(result), result.attempts) == ("OK", 3)


def test_three_failures_are_the_end() -> None:
    sick = lb.reply(status=500)
    result = served(lb.in_turn(sick, sick, sick, lb.reply(GOOD)))
    assert (outcome(result), result.attempts) == ("HTTP_STATUS", 3)


def test_a_404_is_not_asked_twice() -> None:
    assert served(lb.in_turn(lb.reply(status=404), lb.reply(GOOD))).attempts == 1


def test_retry_after_is_waited_for_when_it_fits() -> None:
    begun = time.monotonic()
    result = served(lb.in_turn(lb.reply(status=429, retry_after="1"), lb.reply(GOOD)))
    assert (outcome(result), result.attempts) == ("OK", 2)
    assert time.monotonic() - begun >= 1.0


def test_retry_after_that_does_not_fit_fails_at_once() -> None:
    begun = time.monotonic()
    result = served(lb.reply(status=429, retry_after="3600"), deadline_seconds=60.0)
    assert (outcome(result), result.attempts) == ("HTTP_STATUS", 1)
    assert time.monotonic() - begun < 15  # the run would end at 20


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param("120", 120.0, id="seconds"),
        pytest.param("-5", None, id="negative_is_unreadable"),
        pytest.param("9" * 40, None, id="absurd_is_unreadable"),
        pytest.param("²", None, id="a_digit_that_is_not_ascii"),
        pytest.param("soon", None, id="a_word"),
        pytest.param("Fri, 20 Nov 2026 12:01:30 GMT", 90.0, id="a_date_ahead"),
        pytest.param("Fri, 20 Nov 2026 11:00:00 GMT", 0.0, id="a_date_gone_by"),
        pytest.param("Fri, 20 Nov 2026 12:00:10 -0000", 10.0, id="a_date_of_unknown_zone"),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert wait_asked(value, NOON) == seconds


def test_retry_after_as_a_date_uses_the_injected_clock() -> None:
    soon = email.utils.format_datetime(NOON + timedelta(seconds=1), usegmt=True)
    result = served(lb.in_turn(lb.reply(status=503, retry_after=soon), lb.reply(GOOD)))
    assert (outcome(result), result.attempts) == ("OK", 2)


def test_a_second_address_is_tried_when_the_first_is_dead() -> None:
    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        [result] = collect(
            [Job(make_source(), f"http://two.test:{server.port}/p")],
            20,
            limits=Limits(allow_loopback=True, backoff_seconds=0.01),
            resolve=lambda host, port: ["127.0.0.9", "127.0.0.1"],
        )
    assert (outcome(result), result.attempts) == ("OK", 2)


# --- paging and the archive --------------------------------------------------------------------


def test_paging_sends_each_capture_back_after_archiving_it() -> None:
    events: list[str] = []

    def pages(base: str) -> Generator[Request, Capture, None]:
        url = base
        for _ in range(3):
            capture = yield Request(url, params={"size": "a b"})
            events.append(f"seen {capture.body.decode()}")
            url = f"{base[:-1]}{int(capture.body) + 1}"

    routes = {f"/{n}": lb.reply(str(n).encode()) for n in (1, 2, 3)}
    with lb.Server(routes) as server:
        [result] = collect(
            [Job(make_source(requests=pages), f"{server.url}/1")],
            20,
            archive=lambda capture: events.append(f"kept {capture.body.decode()}"),
        )
        assert server.paths() == ["/1?size=a+b", "/2?size=a+b", "/3?size=a+b"]
        assert server.connections == 1
    assert outcome(result) == "OK"
    assert events == ["kept 1", "seen 1", "kept 2", "seen 2", "kept 3", "seen 3"]


def test_a_source_may_post_a_body() -> None:
    def ask(base: str) -> Generator[Request, Capture, None]:
        yield Request(base, method="POST", body=b"{}", headers={"content-type": "text/x"})

    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        assert outcome(read(f"{server.url}/p", make_source(requests=ask))) == "OK"
        [asked] = server.asked
    assert (asked.method, asked.body) == ("POST", b"{}")
    assert asked.headers["content-type"] == "text/x"


def test_pages_without_end_stop_at_the_limit() -> None:
    def pages(base: str) -> Generator[Request, Capture, None]:
        while True:
            yield Request(base)

    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        result = read(f"{server.url}/p", make_source(requests=pages))
        assert len(server.asked) == 200
    assert (outcome(result), len(result.captures)) == ("PROTOCOL", 200)


@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(ParseError("acme", "NOT_JSON", "page 1"), id="parse_error"),
        pytest.param(KeyError("next"), id="a_bug"),
    ],
)
def test_a_generator_that_raises_ends_only_its_source(problem: Exception) -> None:
    def pages(base: str) -> Generator[Request, Capture, None]:
        yield Request(base)
        raise problem

    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        jobs = [
            Job(make_source("a", requests=pages), f"{server.url}/p"),
            Job(make_source("b"), f"{server.url}/p"),
        ]
        first, second = collect(jobs, 20)
    assert (outcome(first), len(first.captures), outcome(second)) == ("PROTOCOL", 1, "OK")


def test_bodies_that_cannot_be_archived_are_not_used() -> None:
    def full(capture: Capture) -> None:
        raise OSError(28, "No space left on device")

    with (
        lb.Server({"/p": lb.reply(GOOD)}) as server,
        pytest.raises(OSError, match="No space left"),
    ):
        collect([Job(make_source(), f"{server.url}/p")], 20, archive=full)


def test_no_jobs_give_no_results() -> None:
    assert collect([], 1) == []


# --- long bodies, cut down by line (decision 29) -----------------------------------------------


def only_p5(header: bytes, line: bytes) -> bool:
    assert header == b"sku,price\n"
    return line.startswith(b"p5")


def test_a_filtered_body_keeps_header_and_matches_and_the_digest_of_the_whole() -> None:
    lines = [b"made 2026", b"sku,price", *(b"p%d,%d" % (n % 10, n) for n in range(60_000)), b"p5,z"]
    whole = b"\n".join(lines)
    kept = b"".join(line + b"\n" for line in lines[:2] if line)
    kept += b"".join(b"p5,%d\n" % n for n in range(5, 60_000, 10)) + b"p5,z"
    with lb.Server({"/p": lb.reply(gzip.compress(whole), content_encoding="gzip")}) as server:
        result = read(
            f"{server.url}/p",
            make_source(max_decoded_bytes=len(kept), max_raw_bytes=1),
            line_filter=only_p5,
            header_lines=2,
            max_raw_bytes=MIB,
        )
    [capture] = result.captures
    assert capture.body == kept
    assert capture.headers["x-whole-body-sha256"] == hashlib.sha256(whole).hexdigest()
    assert capture.headers["x-whole-body-bytes"] == str(len(whole))


def test_no_source_makes_a_run_hold_more_than_it_allows_itself() -> None:
    """A source read by line has room for gigabytes; without its filter they must not be held."""
    zeros = lb.endless(b"Content-Type: application/json\r\n", repeat(bytes(65536)))
    with lb.Server({"/p": zeros}) as server:
        result = read(
            f"{server.url}/p",
            make_source(max_raw_bytes=2**34, max_decoded_bytes=2**34),
            Limits(max_kept_bytes=MIB),
        )
    assert outcome(result) == "TOO_LARGE_DECODED"


@pytest.mark.parametrize(
    ("room", "whole_room", "pieces"),
    [
        pytest.param(10, 10**6, [b"aaaa\n"] * 3, id="kept_lines_pass_their_cap"),
        pytest.param(10**6, 12, [b"aaaa\n"] * 3, id="the_whole_passes_its_cap"),
        pytest.param(10**8, 10**8, [b"a" * PIECE] * 5, id="one_line_without_end"),
    ],
)
def test_a_filtered_body_has_caps_too(room: int, whole_room: int, pieces: list[bytes]) -> None:
    keeper = Keeper(room, whole_room, lambda header, line: True)

    def feed_all() -> None:
        for piece in pieces:
            keeper.feed(piece)

    with pytest.raises(Refused, match="TOO_LARGE_DECODED"):
        feed_all()


def test_a_carriage_return_alone_does_not_end_a_line() -> None:
    keeper = Keeper(100, 100, lambda header, line: line.startswith(b"b"))
    for piece in (b"h\r\na\rb\r", b"\nb\x0bc\n"):
        keeper.feed(piece)
    assert keeper.finish() == b"h\r\nb\x0bc\n"


# --- unpacking ---------------------------------------------------------------------------------


def test_unpacking_never_holds_more_than_one_piece() -> None:
    packed = gzip.compress(bytes(50 * MIB))
    sizes = [len(piece) for piece in Unpacker("gzip").feed(packed)]
    assert (sum(sizes), max(sizes)) == (50 * MIB, PIECE)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_unpacking_does_not_depend_on_how_the_bytes_arrive(step: int) -> None:
    text = b"".join(b"%d;" % (n * n) for n in range(2000))
    packed = gzip.compress(text)
    unpacker = Unpacker("gzip")
    parts = (packed[at : at + step] for at in range(0, len(packed), step))
    assert b"".join(piece for part in parts for piece in unpacker.feed(part)) == text
    unpacker.finish()
