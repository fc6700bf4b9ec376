"""The fetcher against a server that misbehaves, over real sockets on loopback."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import logging
import resource
import shutil
import ssl
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from collectors.answers import wait_asked
from collectors.base import Capture, Parsed, Request, Source, single_get
from collectors.fetch import Job, Limits, Secret, SourceResult, collect, tls_context
from collectors.wire import PIECE, Keeper, Refused, Unpacker, vet_address
from methodology.errors import ParseError
from tests import loopback as lb

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
QUICK = Limits(backoff_seconds=0.01, contact="https://example.org/contact")
GOOD = b'{"prices": [1, 2, 3]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MIB = 2**20


def make_source(name: str = "acme", **changes: Any) -> Source:
    fields: dict[str, Any] = {
        "id": name,
        "kind": "tokens",
        "url": "https://unused.example/",
        "parse": lambda capture: Parsed(),
        "requests": single_get,
        "tier": "E2",
        "code_licence": "n/a",
        "data_right": "n/a",
        "terms": "n/a",
        "deadline_seconds": 5.0,
    }
    return Source(**(fields | changes))


def read(
    url: str, source: Source | None = None, limits: Limits = QUICK, **job: Any
) -> SourceResult:
    task = Job(source or make_source(), url=url, **job)
    [result] = collect([task], 20, now=lambda: NOON, limits=limits)
    return result


def outcome(result: SourceResult) -> str:
    return result.error.reason if result.error else "OK"


def served(behaviour: lb.Behaviour, **source: Any) -> SourceResult:
    with lb.Server({"/p": behaviour}) as server:
        return read(f"{server.url}/p", make_source(**source))


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
    ("TIMEOUT", "sends_100_continue_for_ever", lb.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
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
    """All of them in one run beside a good source: each has its code, none touches another."""
    routes = {f"/{name}": behaviour for _, name, behaviour in REFUSALS}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with lb.Server({**routes, "/good": lb.reply(GOOD)}) as server:
        # One host each, as in life: names that all lead to the loopback server.
        jobs = [
            Job(make_source(name, deadline_seconds=2.5), f"http://{name}.test:{server.port}/{name}")
            for name in [*(name.replace("_", "-") for _, name, _ in REFUSALS), "good"]
        ]
        jobs = [Job(job.source, str(job.url).replace("-", "_")) for job in jobs]
        begun = time.monotonic()
        results = collect(
            jobs,
            20,
            now=lambda: NOON,
            limits=Limits(allow_loopback=True, backoff_seconds=0.01),
            resolve=lambda host, port: ["127.0.0.1"],
        )
        took = time.monotonic() - begun
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found = {one.source.replace("-", "_"): outcome(one) for one in results}
    assert found == {name: reason for reason, name, _ in REFUSALS} | {"good": "OK"}
    assert took < 3.5  # the deadline plus one second
    assert grown < 250 * 1024  # KiB; three bombs of 32 MiB each were unpacked side by side


BOMB = """
import resource
from tests import loopback, test_fetch
head = b"Content-Type: application/json\\r\\nContent-Encoding: gzip\\r\\n"
good = test_fetch.served(loopback.reply(test_fetch.GOOD))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bomb = loopback.endless(head, loopback.gzip_zeros(5 * 10**9))
result = test_fetch.served(bomb, max_decoded_bytes=8 * 2**20)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(test_fetch.outcome(result), result.raw_bytes, grown)
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


def test_one_hanging_source_delays_none_of_the_others() -> None:
    ended: dict[str, float] = {}
    with lb.Server({"/hang": lb.hang(), "/p": lb.reply(GOOD)}) as server:
        names = [f"s{number}" for number in range(30)]
        jobs = [Job(make_source("hang", deadline_seconds=1.0), f"{server.url}/hang")]
        jobs += [Job(make_source(name), f"{server.url}/p") for name in names]
        begun = time.monotonic()
        results = collect(
            jobs,
            20,
            limits=QUICK,
            archive=lambda capture: ended.update({capture.source: time.monotonic() - begun}),
        )
        took = time.monotonic() - begun
    assert [outcome(one) for one in results] == ["TIMEOUT"] + ["OK"] * 30
    assert [one.source for one in results] == ["hang", *names]
    assert max(ended.values()) < 1.0 <= took < 2.0


def test_the_run_deadline_ends_every_source() -> None:
    with lb.Server({"/hang": lb.hang()}) as server:
        jobs = [Job(make_source(f"s{n}", deadline_seconds=60), f"{server.url}/hang") for n in "ab"]
        begun = time.monotonic()
        results = collect(jobs, 0.3, limits=QUICK)
        took = time.monotonic() - begun
    assert [outcome(one) for one in results] == ["TIMEOUT", "TIMEOUT"]
    assert took < 1.3


def test_a_name_server_that_never_answers_is_left_behind_at_the_deadline() -> None:
    begun = time.monotonic()
    [result] = collect(
        [Job(make_source(deadline_seconds=0.2), "https://slow.example/")],
        20,
        resolve=lambda host, port: time.sleep(4) or [],  # type: ignore[func-returns-value]
    )
    assert outcome(result) == "TIMEOUT"
    assert time.monotonic() - begun < 1.2


def test_requests_to_one_host_stay_within_the_limit() -> None:
    open_now, most = 0, 0

    async def count(asked: lb.Asked, writer: Any) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
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
    assert 1.0 <= time.monotonic() - begun < 2.0


def test_retry_after_that_does_not_fit_fails_at_once() -> None:
    begun = time.monotonic()
    assert outcome(served(lb.reply(status=429, retry_after="6"))) == "HTTP_STATUS"
    assert time.monotonic() - begun < 1.0


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


# --- where it may go ---------------------------------------------------------------------------


def test_a_redirect_within_the_host_is_followed_by_hand() -> None:
    routes = {
        "/p": lb.reply(status=302, location="/q?page=2#top"),
        "/q": lb.reply(GOOD),
    }
    with lb.Server(routes) as server:
        result = read(f"{server.url}/p")
        assert server.paths() == ["/p", "/q?page=2"]
    assert result.captures[0].url == f"{server.url}/q?page=2"
    assert result.attempts == 2


def test_a_fourth_redirect_is_refused() -> None:
    routes = {f"/{n}": lb.reply(status=302, location=f"/{n + 1}") for n in range(4)}
    with lb.Server({**routes, "/4": lb.reply(GOOD)}) as server:
        assert outcome(read(f"{server.url}/1")) == "OK"
        assert outcome(read(f"{server.url}/0")) == "REDIRECT_REFUSED"


def test_a_redirect_to_another_server_never_reaches_it() -> None:
    with (
        lb.Server({"/p": lb.reply(GOOD)}) as other,
        lb.Server({"/p": lb.reply(status=302, location=f"{other.url}/p")}) as server,
    ):
        assert outcome(read(f"{server.url}/p")) == "REDIRECT_REFUSED"
        assert other.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://evil.example/p", id="another_host"),
        pytest.param("http://127.0.0.1:1/p", id="another_port"),
        pytest.param("https://127.0.0.1/p", id="another_scheme"),
        pytest.param("http://me:key@127.0.0.1/p", id="a_password_in_the_url"),
        pytest.param("file:///etc/hosts", id="a_file"),
        pytest.param("/p", id="no_host"),
        pytest.param("http://[/", id="not_a_url"),
    ],
)
def test_a_page_elsewhere_is_refused(url: str) -> None:
    def pages(base: str) -> Generator[Request, Capture, None]:
        yield Request(base)
        yield Request(url)

    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        result = read(f"{server.url}/p", make_source(requests=pages))
    assert (outcome(result), len(result.captures)) == ("ADDRESS_REFUSED", 1)


@pytest.mark.parametrize(
    ("address", "loopback", "allowed"),
    [
        pytest.param("1.1.1.1", False, True, id="public"),
        pytest.param("2606:4700:4700::1111", False, True, id="public_v6"),
        pytest.param("127.0.0.1", False, False, id="loopback"),
        pytest.param("127.0.0.1", True, True, id="loopback_where_allowed"),
        pytest.param("::1", True, True, id="loopback_v6_where_allowed"),
        pytest.param("10.0.0.1", True, False, id="private_is_never_allowed"),
        pytest.param("172.16.0.1", False, False, id="private_172"),
        pytest.param("192.168.1.1", False, False, id="private_192"),
        pytest.param("100.64.0.1", False, False, id="shared_by_carriers"),
        pytest.param("169.254.169.254", False, False, id="link_local_metadata_service"),
        pytest.param("0.0.0.0", False, False, id="unspecified"),
        pytest.param("224.0.0.1", False, False, id="multicast"),
        pytest.param("255.255.255.255", False, False, id="broadcast"),
        pytest.param("::1", False, False, id="loopback_v6"),
        pytest.param("fe80::1%eth0", False, False, id="link_local_v6"),
        pytest.param("fd00::1", False, False, id="unique_local_v6"),
        pytest.param("::ffff:10.0.0.1", False, False, id="private_mapped_into_v6"),
        pytest.param("::ffff:127.0.0.1", False, False, id="loopback_mapped_into_v6"),
        pytest.param("64:ff9b::a00:1", False, False, id="private_behind_nat64"),
        pytest.param("2002:a00:1::1", False, False, id="private_behind_6to4"),
        pytest.param("0x7f.1", False, False, id="not_an_address"),
    ],
)
def test_addresses_are_vetted(address: str, loopback: bool, allowed: bool) -> None:
    if allowed:
        assert vet_address(address, loopback) == address
    else:
        with pytest.raises(Refused, match="ADDRESS_REFUSED"):
            vet_address(address, loopback)


@pytest.mark.parametrize(
    ("url", "addresses", "reason"),
    [
        pytest.param("https://a.example/", ["127.0.0.1"], "ADDRESS_REFUSED", id="leads_inside"),
        pytest.param("https://a.example/", ["1.1.1.1", "10.0.0.1"], "ADDRESS_REFUSED", id="mixed"),
        pytest.param("https://10.0.0.1/", [], "ADDRESS_REFUSED", id="private_by_number"),
        pytest.param("https://169.254.169.254/", [], "ADDRESS_REFUSED", id="metadata_by_number"),
        pytest.param("https://[fe80::1]/", [], "ADDRESS_REFUSED", id="link_local_by_number"),
        pytest.param("https://localhost/", ["127.0.0.1"], "ADDRESS_REFUSED", id="localhost"),
        pytest.param("http://a.example/", ["1.1.1.1"], "TLS", id="plain_http_outside"),
        pytest.param("https://a.example/", [], "CONNECT", id="no_address"),
        pytest.param("https://u:p@a.example/", [], "ADDRESS_REFUSED", id="password_in_the_base"),
    ],
)
def test_a_base_url_must_lead_to_a_public_place(
    url: str, addresses: Sequence[str], reason: str
) -> None:
    [result] = collect([Job(make_source(), url)], 20, resolve=lambda host, port: addresses)
    assert (outcome(result), result.attempts) == (reason, 0)


def test_a_name_is_looked_up_once_even_when_its_answer_changes() -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    def pages(base: str) -> Generator[Request, Capture, None]:
        yield Request(base)
        yield Request(base)

    with lb.Server(
        {"/p": lb.in_turn(lb.reply(GOOD, connection="close"), lb.reply(GOOD))}
    ) as server:
        [result] = collect(
            [Job(make_source(requests=pages), f"http://rebind.test:{server.port}/p")],
            20,
            limits=Limits(allow_loopback=True),
            resolve=lambda host, port: next(answers),
        )
        hosts = {asked.headers["host"] for asked in server.asked}
    assert (outcome(result), len(result.captures)) == ("OK", 2)
    assert hosts == {f"rebind.test:{server.port}"}
    assert next(answers) == ["10.0.0.1"]


def test_proxy_variables_of_the_environment_are_not_obeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with lb.Server({}) as trap, lb.Server({"/p": lb.reply(GOOD)}) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, trap.url)
            monkeypatch.setenv(name.lower(), trap.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert outcome(read(f"{server.url}/p")) == "OK"
        assert trap.connections == 0


def test_a_port_nobody_listens_on_is_a_connect_failure() -> None:
    with lb.Server({}) as server:
        gone = server.url
    result = read(f"{gone}/p")
    assert (outcome(result), result.attempts) == ("CONNECT", 3)


# --- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away key and certificate for prices.test, which is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command makes the certificates of these tests")
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    words += " -subj /CN=prices.test -addext subjectAltName=DNS:prices.test"
    words += f" -keyout {folder}/key.pem -out {folder}/cert.pem"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    return folder


def tls_server(authority: Path) -> lb.Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    return lb.Server({"/p": lb.reply(GOOD)}, tls=context)


@pytest.mark.parametrize(
    ("host", "known", "expected"),
    [
        pytest.param("prices.test", True, "OK", id="known_authority_and_name"),
        pytest.param("other.test", True, "TLS", id="certificate_of_another_name"),
        pytest.param("127.0.0.1", True, "TLS", id="asked_by_number"),
        pytest.param("prices.test", False, "TLS", id="unknown_authority"),
    ],
)
def test_certificates_are_checked_against_the_name(
    authority: Path, host: str, known: bool, expected: str
) -> None:
    tls = tls_context(str(authority / "cert.pem")) if known else tls_context()
    with tls_server(authority) as server:
        [result] = collect(
            [Job(make_source(), f"https://{host}:{server.port}/p")],
            20,
            limits=Limits(allow_loopback=True),
            resolve=lambda host, port: ["127.0.0.1"],
            tls=tls,
        )
    assert outcome(result) == expected
    assert result.attempts == 1  # a bad certificate is not asked again


def test_old_tls_and_session_key_files_are_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = tls_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.keylog_filename is None


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


# --- secrets -----------------------------------------------------------------------------------

CANARY = "sk-canary-0123456789"


def test_a_key_goes_to_the_server_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers: Iterator[lb.Behaviour] = iter(
        [
            lb.reply(GOOD),
            lb.reply(status=302, location=f"https://{CANARY}.example/"),
            lb.reply(GOOD, content_type=CANARY),
            lb.raw(f"HTTP/1.1 200 {CANARY}\x00\r\n\r\n".encode()),
            lb.reply(GOOD, content_encoding=CANARY),
        ]
    )
    shown: list[str] = []
    reasons: list[str] = []
    for answer in answers:
        with lb.Server({"/p": answer}) as server:
            source = make_source(auth_env="ACME_KEY")
            result = read(f"{server.url}/p?page=1", source, secret=Secret(CANARY))
            assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"
        reasons.append(outcome(result))
        shown += [repr(result), str(result.error), repr(Job(source, secret=Secret(CANARY)))]
    assert reasons == ["OK", "REDIRECT_REFUSED", "CONTENT_TYPE", "PROTOCOL", "BAD_ENCODING"]
    assert CANARY not in "".join(shown)
    assert CANARY not in caplog.text
    assert "page=1" not in caplog.text  # httpx and httpcore would log the whole URL


def test_a_refused_key_names_the_variable_to_check() -> None:
    result = served(lb.reply(status=401), auth_env="ACME_KEY")
    assert result.error is not None
    assert "ACME_KEY" in str(result.error)


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX: y", "clé"])
def test_a_key_that_could_not_be_a_header_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as problem:
        Secret(text)
    assert not text or text not in str(problem.value)


def test_a_secret_hides_in_every_rendering() -> None:
    secret = Secret(CANARY)
    renderings: list[Callable[[Secret], str]] = [repr, str, "{}".format, lambda s: f"{s!r:>40}"]
    assert all(CANARY not in render(secret) for render in renderings)
    assert secret.reveal() == CANARY
