"""The fetcher against a server that misbehaves, over real sockets on loopback."""

from __future__ import annotations

import gzip
import hashlib
import resource
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Generator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Request
from collectors.fetch import Job, Limits, collect
from tests import loopback as lb
from tests.fetching import GOOD, HEAD, MIB, NOON, QUICK, make_source, outcome, read, served

# --- bodies that are as they should be ---------------------------------------------------------


def test_a_good_body_is_captured_with_its_time_address_and_digest() -> None:
    with lb.Server({"/p": lb.reply(GOOD, etag='"7"', set_cookie="id=1")}) as server:
        result = read(f"{server.url}/p")
        [asked] = server.asked
    assert result.error is None
    [capture] = result.captures
    assert capture.body == GOOD
    # sha256sum of those 21 bytes
    assert capture.sha256 == hashlib.sha256(GOOD).hexdigest()
    assert capture.fetched_at == NOON
    assert capture.url == f"{server.url}/p"
    assert capture.headers["etag"] == '"7"'
    assert "set-cookie" not in capture.headers
    assert (result.attempts, result.raw_bytes) == (1, 21)
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["user-agent"].startswith("spotfix/")
    assert asked.headers["user-agent"].endswith("(+https://example.org/contact)")
    assert asked.headers["accept-encoding"] == "gzip"
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        pytest.param(gzip.compress(GOOD), "gzip", id="gzip"),
        pytest.param(gzip.compress(GOOD), "x-gzip", id="gzip_by_its_old_name"),
        pytest.param(gzip.compress(GOOD[:5]) + gzip.compress(GOOD[5:]), "gzip", id="two_members"),
        pytest.param(zlib.compress(GOOD), "deflate", id="deflate"),
        pytest.param(GOOD, "identity", id="identity"),
    ],
)
def test_a_packed_body_is_unpacked(packed: bytes, encoding: str) -> None:
    result = served(lb.reply(packed, content_encoding=encoding))
    assert [capture.body for capture in result.captures] == [GOOD]
    assert result.raw_bytes == len(packed)


def test_a_content_type_may_carry_parameters() -> None:
    assert outcome(served(lb.reply(GOOD, content_type="Application/JSON; charset=utf-8"))) == "OK"


# --- one table of misbehaviour -----------------------------------------------------------------

REFUSALS = [
    ("TIMEOUT", "hangs_after_the_request", lb.hang()),
    ("TIMEOUT", "drips_headers", lb.drip(HEAD, b"X-A: b\r\n")),
    ("TIMEOUT", "drips_one_header_byte_at_a_time", lb.drip(HEAD + b"X-A: ", b"a")),
    (
        "TIMEOUT",
        "drips_a_chunked_body",
        lb.drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ),
    (
        "TIMEOUT",
        "drips_a_body_of_known_length",
        lb.drip(HEAD + b"Content-Length: 99999\r\n\r\n", b" "),
    ),
    ("PROTOCOL", "sends_100_continue_for_ever", lb.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    (
        "TOO_LARGE_RAW",
        "announces_too_much",
        lb.raw(HEAD + b"Content-Length: 9000000000\r\n\r\n", b" "),
    ),
    (
        "TOO_LARGE_RAW",
        "sends_too_much_unannounced",
        lb.endless(b"Content-Type: application/json\r\n", repeat(b" " * 65536)),
    ),
    (
        "TOO_LARGE_DECODED",
        "is_a_gzip_bomb_of_5_GB",
        lb.endless(
            b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            lb.gzip_zeros(5 * 10**9),
        ),
    ),
    (
        "TOO_LARGE_DECODED",
        "hides_a_bomb_behind_a_small_length",
        lb.reply(gzip.compress(bytes(40 * MIB)), content_encoding="gzip"),
    ),
    ("HTTP_STATUS", "says_404", lb.reply(status=404)),
    ("HTTP_STATUS", "says_403", lb.reply(status=403)),
    ("HTTP_STATUS", "says_204", lb.raw(b"HTTP/1.1 204 No Content\r\n\r\n")),
    ("HTTP_STATUS", "sends_a_part_with_206", lb.reply(GOOD, status=206)),
    ("HTTP_STATUS", "says_304_unasked", lb.raw(b"HTTP/1.1 304 Not Modified\r\n\r\n")),
    ("HTTP_STATUS", "says_503_for_ever", lb.reply(status=503)),
    ("HTTP_STATUS", "wants_a_wait_beyond_the_deadline", lb.reply(status=429, retry_after="3600")),
    (
        "REDIRECT_REFUSED",
        "redirects_off_host",
        lb.reply(status=302, location="https://evil.example/p"),
    ),
    (
        "REDIRECT_REFUSED",
        "redirects_to_another_port",
        lb.reply(status=302, location="http://127.0.0.1:1/p"),
    ),
    (
        "REDIRECT_REFUSED",
        "redirects_to_another_scheme",
        lb.reply(status=301, location="ftp://127.0.0.1/p"),
    ),
    ("REDIRECT_REFUSED", "redirects_to_a_file", lb.reply(status=301, location="file:///etc/hosts")),
    (
        "REDIRECT_REFUSED",
        "redirects_without_a_scheme_off_host",
        lb.reply(status=307, location="//evil.example/p"),
    ),
    (
        "REDIRECT_REFUSED",
        "redirects_to_itself_for_ever",
        lb.reply(status=308, location="/redirects_to_itself_for_ever"),
    ),
    ("REDIRECT_REFUSED", "redirects_to_nonsense", lb.reply(status=302, location="http://[::")),
    ("HTTP_STATUS", "redirects_to_nowhere", lb.reply(status=302)),
    ("CONTENT_TYPE", "sends_html_with_200", lb.reply(b"<html>", content_type="text/html")),
    ("CONTENT_TYPE", "does_not_say_what_it_is", lb.reply(GOOD, content_type="")),
    (
        "BAD_ENCODING",
        "stacks_encodings",
        lb.reply(gzip.compress(gzip.compress(GOOD)), content_encoding="gzip, gzip"),
    ),
    (
        "BAD_ENCODING",
        "stacks_encodings_in_two_headers",
        lb.raw(
            HEAD + b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n",
            b"ab",
        ),
    ),
    ("BAD_ENCODING", "uses_brotli_unasked", lb.reply(GOOD, content_encoding="br")),
    ("BAD_ENCODING", "says_gzip_and_is_not", lb.reply(GOOD, content_encoding="gzip")),
    (
        "BAD_ENCODING",
        "has_a_wrong_gzip_checksum",
        lb.reply(gzip.compress(GOOD)[:-8] + bytes(8), content_encoding="gzip"),
    ),
    (
        "BAD_ENCODING",
        "has_rubbish_after_gzip",
        lb.reply(gzip.compress(GOOD) + b"rubbish", content_encoding="gzip"),
    ),
    (
        "BAD_ENCODING",
        "has_rubbish_after_deflate",
        lb.reply(zlib.compress(GOOD) + b"rubbish", content_encoding="deflate"),
    ),
    ("TRUNCATED", "stops_inside_its_length", lb.raw(HEAD + b"Content-Length: 50\r\n\r\n", GOOD)),
    (
        "TRUNCATED",
        "stops_inside_a_chunk",
        lb.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"15\r\n{}"),
    ),
    (
        "TRUNCATED",
        "never_sends_the_last_chunk",
        lb.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\n{}\r\n"),
    ),
    (
        "TRUNCATED",
        "stops_inside_the_gzip_stream",
        lb.reply(gzip.compress(GOOD)[:-3], content_encoding="gzip"),
    ),
    ("TRUNCATED", "sends_nothing_and_calls_it_gzip", lb.reply(b"", content_encoding="gzip")),
    ("TRUNCATED", "gives_no_length_at_all", lb.raw(HEAD + b"\r\n", GOOD)),
    (
        "PROTOCOL",
        "sends_chunked_rubbish",
        lb.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"zzzz\r\n{}\r\n0\r\n\r\n"),
    ),
    (
        "PROTOCOL",
        "packs_its_transfer",
        lb.raw(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"0\r\n\r\n"),
    ),
    (
        "PROTOCOL",
        "gives_two_lengths",
        lb.raw(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n", b"{}"),
    ),
    ("PROTOCOL", "does_not_speak_http", lb.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")),
    ("PROTOCOL", "sends_endless_headers", lb.drip(HEAD, b"X: " + b"a" * 65000 + b"\r\n", 0)),
    ("CONNECT", "drops_the_connection", lb.reset()),
]


def test_a_table_of_refusals_covers_a_whole_run_at_once() -> None:
    """All of them in one run beside a good source: each has its code, none touches another.

    Only what must run out of time has little of it; a slow machine may take long for the rest.
    """
    routes = {f"/{name}": behaviour for _, name, behaviour in REFUSALS}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with lb.Server({**routes, "/good": lb.reply(GOOD)}) as server:
        # One host each, as in life: names that all lead to the loopback server.
        jobs = [
            Job(
                make_source(
                    name.replace("_", "-"), deadline_seconds=2.5 if reason == "TIMEOUT" else 40.0
                ),
                f"http://{name}.test:{server.port}/{name}",
            )
            for reason, name, _ in [*REFUSALS, ("OK", "good", None)]
        ]
        begun = time.monotonic()
        results = collect(
            jobs,
            60,
            now=lambda: NOON,
            limits=Limits(allow_loopback=True, backoff_seconds=0.01),
            resolve=lambda host, port: ["127.0.0.1"],
        )
        took = time.monotonic() - begun
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found = {one.source.replace("-", "_"): outcome(one) for one in results}
    assert found == {name: reason for reason, name, _ in REFUSALS} | {"good": "OK"}
    assert took < 30  # nobody waited for a deadline that is not its own
    assert grown < 250 * 1024  # KiB; three bombs of 32 MiB each were unpacked side by side


BOMB = """
import resource
from tests import fetching, loopback
head = b"Content-Type: application/json\\r\\nContent-Encoding: gzip\\r\\n"
good = fetching.served(loopback.reply(fetching.GOOD))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bomb = loopback.endless(head, loopback.gzip_zeros(5 * 10**9))
result = fetching.served(bomb, max_decoded_bytes=8 * 2**20)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(fetching.outcome(result), result.raw_bytes, grown)
"""


def test_a_bomb_of_5_gb_costs_its_cap_and_not_more() -> None:
    """In a process of its own: peak memory never falls, so another test could hide it."""
    root = Path(__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", BOMB], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    reason, raw_bytes, grown_kib = run.stdout.split()
    assert reason == "TOO_LARGE_DECODED"
    assert int(raw_bytes) < 200_000  # 8 MiB of zeros pack to some 8 KiB; the rest is in flight
    assert int(grown_kib) < 24 * 1024


def test_caps_count_over_all_pages_of_a_source() -> None:
    def pages(base: str) -> Generator[Request, Capture, None]:
        for _ in range(10):
            yield Request(base)

    with lb.Server({"/p": lb.reply(b" " * 1000)}) as server:
        result = read(f"{server.url}/p", make_source(requests=pages, max_raw_bytes=4500))
        decoded = read(f"{server.url}/p", make_source(requests=pages, max_decoded_bytes=2500))
    assert (outcome(result), len(result.captures)) == ("TOO_LARGE_RAW", 4)
    assert (outcome(decoded), len(decoded.captures)) == ("TOO_LARGE_DECODED", 2)


# --- time --------------------------------------------------------------------------------------


def test_one_source_that_holds_on_delays_none_of_the_others() -> None:
    """It answers only when all the others have ended: were they to wait, it would time out."""
    names = [f"s{number}" for number in range(30)]
    kept: list[str] = []

    async def last(asked: lb.Asked, writer: Any) -> None:
        while len(kept) < len(names):
            await lb.asyncio.sleep(0.005)
        await lb.reply(GOOD)(asked, writer)

    with lb.Server({"/last": last, "/p": lb.reply(GOOD)}) as server:
        jobs = [Job(make_source("last", deadline_seconds=20.0), f"{server.url}/last")]
        jobs += [Job(make_source(name, deadline_seconds=20.0), f"{server.url}/p") for name in names]
        results = collect(
            jobs, 20, limits=QUICK, archive=lambda capture: kept.append(capture.source)
        )
    assert [outcome(one) for one in results] == ["OK"] * 31
    assert [one.source for one in results] == ["last", *names]
    assert kept[-1] == "last"


def test_the_run_deadline_ends_every_source() -> None:
    with lb.Server({"/hang": lb.hang()}) as server:
        jobs = [Job(make_source(f"s{n}", deadline_seconds=60), f"{server.url}/hang") for n in "ab"]
        begun = time.monotonic()
        results = collect(jobs, 0.3, limits=QUICK)
        took = time.monotonic() - begun
    assert [outcome(one) for one in results] == ["TIMEOUT", "TIMEOUT"]
    assert took < 30  # their own deadlines are at 60


def test_a_name_server_that_never_answers_is_left_behind_at_the_deadline() -> None:
    is_over, answered = threading.Event(), list[str]()

    def resolve(host: str, port: int) -> list[str]:
        is_over.wait(60)
        answered.append(host)
        return []

    source = make_source(deadline_seconds=0.2)
    [result] = collect([Job(source, "https://slow.example/")], 20, resolve=resolve)
    assert (outcome(result), answered) == ("TIMEOUT", [])
    is_over.set()


def test_requests_to_one_host_stay_within_the_limit() -> None:
    open_now, most, are_two = 0, 0, lb.asyncio.Event()

    async def count(asked: lb.Asked, writer: Any) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        if open_now == 2:
            are_two.set()
        await are_two.wait()  # the first waits for the second, however late it comes
        await lb.asyncio.sleep(0.03)
        open_now -= 1
        await lb.reply(GOOD)(asked, writer)

    with lb.Server({"/p": count}) as server:
        jobs = [Job(make_source(f"s{n}"), f"{server.url}/p") for n in range(8)]
        results = collect(jobs, 20, limits=Limits(per_host=2))
    assert {outcome(one) for one in results} == {"OK"}
    assert most == 2


@pytest.mark.parametrize("number", [0, 5])
def test_a_source_is_never_asked_by_more_than_four_at_a_time(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 4"):
        Limits(per_host=number)
