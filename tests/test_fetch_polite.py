"""How politely a host is asked: spacing, waiting, robots files, repeated POSTs."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import pytest

from collectors.base import Capture, Request
from collectors.fetch import Job, Limits, collect
from collectors.place import jitter
from tests import loopback as lb
from tests.fetching import GOOD, NOON, QUICK, make_source, outcome, read

ROBOTS = b"User-agent: *\nDisallow: /private\n\nUser-agent: spotfix\nDisallow: /secret\n"
PLAIN = {"content_type": "text/plain"}


# --- distance between requests -----------------------------------------------------------------


def stamping(times: list[float], behaviour: lb.Behaviour) -> lb.Behaviour:
    async def say(asked: lb.Asked, writer: Any) -> None:
        times.append(time.monotonic())
        await behaviour(asked, writer)

    return say


@pytest.mark.parametrize("place", ["limits", "source"])
def test_requests_to_one_host_keep_their_distance_whoever_sends_them(place: str) -> None:
    times: list[float] = []
    limits = Limits(spacing_seconds=0.1 if place == "limits" else 0.0)
    of_source = 0.1 if place == "source" else 0.0
    with lb.Server({"/p": stamping(times, lb.reply(GOOD))}) as server:
        names = [f"s{n}" for n in range(4)]
        jobs = [Job(make_source(s, spacing_seconds=of_source), f"{server.url}/p") for s in names]
        begun = time.monotonic()
        results = collect(jobs, 20, limits=limits)
    assert {outcome(one) for one in results} == {"OK"}
    # From before the first was sent: on a busy machine the first may arrive late.
    assert max(times) - begun >= 0.3


def test_who_cannot_keep_the_distance_before_its_deadline_is_refused() -> None:
    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        jobs = [Job(make_source(f"s{n}"), f"{server.url}/p") for n in range(3)]
        results = collect(jobs, 20, limits=Limits(spacing_seconds=3600.0))
        assert server.paths() == ["/p"]
    assert sorted(map(outcome, results)) == ["OK", "TIMEOUT", "TIMEOUT"]


def test_hosts_do_not_wait_for_each_other() -> None:
    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        jobs = [Job(make_source(f"s{n}"), f"http://h{n}.test:{server.port}/p") for n in range(20)]
        results = collect(
            jobs,
            20,
            limits=Limits(allow_loopback=True, spacing_seconds=3600.0),
            resolve=lambda host, port: ["127.0.0.1"],
        )
    # Whoever had to wait for another host would have been refused.
    assert [outcome(one) for one in results] == ["OK"] * 20


def test_a_host_that_asked_to_wait_is_not_asked_by_the_next_job_of_that_source() -> None:
    with lb.Server({"/p": lb.reply(status=429, retry_after="3600")}) as server:
        source = make_source()
        limits = Limits(per_host=1, backoff_seconds=0.01)
        results = collect([Job(source, f"{server.url}/p") for _ in range(5)], 20, limits=limits)
        assert len(server.asked) == 1
    assert [outcome(one) for one in results] == ["HTTP_STATUS"] + ["TIMEOUT"] * 4


def test_pauses_are_drawn_from_nothing_to_a_bound_that_doubles() -> None:
    for attempt, bound in ((1, 0.5), (2, 1.0), (3, 2.0)):
        drawn = [jitter(0.5, attempt) for _ in range(400)]
        assert 0 <= min(drawn) < bound / 10
        assert bound * 0.9 < max(drawn) <= bound


# --- what may be sent again --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_safe", "expected", "times"),
    [pytest.param(False, "HTTP_STATUS", 1, id="plain"), pytest.param(True, "OK", 2, id="safe")],
)
def test_a_post_is_sent_again_only_when_it_is_marked_safe(
    is_safe: bool, expected: str, times: int
) -> None:
    def ask(base: str) -> Generator[Request, Capture, None]:
        yield Request(base, method="POST", body=b"{}", is_safe=is_safe)

    with lb.Server({"/p": lb.in_turn(lb.reply(status=503), lb.reply(GOOD))}) as server:
        result = read(f"{server.url}/p", make_source(requests=ask))
        assert len(server.asked) == times
    assert outcome(result) == expected


# --- robots ------------------------------------------------------------------------------------

ROBOT_TABLE = [
    pytest.param(lb.reply(ROBOTS, **PLAIN), "/page", "OK", id="allowed"),
    pytest.param(lb.reply(ROBOTS, **PLAIN), "/private", "OK", id="our_own_group_outranks_all"),
    pytest.param(lb.reply(ROBOTS, **PLAIN), "/secret/a", "ROBOTS_DISALLOWED", id="disallowed"),
    pytest.param(
        lb.reply(b"User-agent: *\nDisallow: /\n", **PLAIN), "/page", "ROBOTS_DISALLOWED", id="all"
    ),
    pytest.param(lb.reply(b"", **PLAIN), "/page", "OK", id="empty"),
    pytest.param(lb.reply(b"\xff\xfe\x00rubbish", **PLAIN), "/page", "OK", id="rubbish"),
    pytest.param(lb.reply(b"<html>", content_type="text/html"), "/page", "OK", id="html_with_200"),
    pytest.param(lb.reply(status=404), "/page", "OK", id="not_there"),
    pytest.param(lb.reply(status=403), "/page", "OK", id="forbidden"),
    pytest.param(lb.reply(status=500), "/page", "ROBOTS_UNREACHABLE", id="server_error"),
    pytest.param(lb.reply(status=429), "/page", "ROBOTS_UNREACHABLE", id="too_many"),
    pytest.param(lb.reset(), "/page", "ROBOTS_UNREACHABLE", id="no_answer"),
    pytest.param(
        lb.reply(b"#" * 600_000, **PLAIN), "/page", "ROBOTS_UNREACHABLE", id="longer_than_its_cap"
    ),
    pytest.param(
        lb.reply(status=302, location="https://evil.example/robots.txt"),
        "/page",
        "ROBOTS_UNREACHABLE",
        id="elsewhere",
    ),
]


@pytest.mark.parametrize(("robots", "path", "expected"), ROBOT_TABLE)
def test_a_page_is_read_only_as_its_site_allows(
    robots: lb.Behaviour, path: str, expected: str
) -> None:
    routes = {p: lb.reply(b"<p>", content_type="text/html") for p in ("/page", "/private")}
    kept: list[str] = []
    page = make_source(is_page=True, content_types=("text/html",))
    with lb.Server({**routes, "/secret/a": routes["/page"], "/robots.txt": robots}) as server:
        [result] = collect(
            [Job(page, f"{server.url}{path}")],
            20,
            limits=QUICK,
            archive=lambda capture: kept.append(capture.url),
        )
        paths = server.paths()
    assert outcome(result) == expected
    assert paths[0] == "/robots.txt"
    assert (path in paths) == (expected == "OK")
    assert [url.endswith(path) for url in kept] == ([True] if expected == "OK" else [])
    assert result.attempts == len(paths)


def test_the_robots_file_is_asked_once_a_run_and_without_the_key() -> None:
    from collectors.fetch import Secret

    page = {"is_page": True, "auth_env": "ACME_KEY"}
    with lb.Server({"/p": lb.reply(GOOD), "/robots.txt": lb.reply(ROBOTS, **PLAIN)}) as server:
        secret = Secret("sk-canary-0123456789")
        jobs = [Job(make_source(f"s{n}", **page), f"{server.url}/p", secret=secret) for n in "abc"]
        results = collect(jobs, 20, limits=QUICK)
        asked = [one for one in server.asked if one.target == "/robots.txt"]
    assert {outcome(one) for one in results} == {"OK"}
    assert len(asked) == 1
    assert "authorization" not in asked[0].headers


def test_only_pages_ask_for_it() -> None:
    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        assert outcome(read(f"{server.url}/p")) == "OK"
        assert server.paths() == ["/p"]


def test_a_redirect_to_what_is_disallowed_is_not_followed() -> None:
    routes = {
        "/p": lb.reply(status=302, location="/secret/a"),
        "/secret/a": lb.reply(GOOD),
        "/robots.txt": lb.reply(ROBOTS, **PLAIN),
    }
    with lb.Server(routes) as server:
        result = read(f"{server.url}/p", make_source(is_page=True))
        assert "/secret/a" not in server.paths()
    assert outcome(result) == "ROBOTS_DISALLOWED"


@pytest.mark.parametrize(
    ("delay", "expected", "least"),
    [
        pytest.param(b"0.4", "OK", 0.4, id="fits"),
        pytest.param(b"3600", "TIMEOUT", 0.0, id="does_not_fit"),
        pytest.param(b"nan", "OK", 0.0, id="no_number"),
        pytest.param(b"-5", "OK", 0.0, id="negative"),
    ],
)
def test_a_crawl_delay_is_kept_within_the_deadline(
    delay: bytes, expected: str, least: float
) -> None:
    def two(base: str) -> Generator[Request, Capture, None]:
        yield Request(base)
        yield Request(base)

    robots = lb.reply(b"User-agent: *\nCrawl-delay: " + delay + b"\n", **PLAIN)
    with lb.Server({"/p": lb.reply(GOOD), "/robots.txt": robots}) as server:
        begun = time.monotonic()
        [result] = collect(
            [
                Job(
                    make_source(is_page=True, requests=two, deadline_seconds=60.0),
                    f"{server.url}/p",
                )
            ],
            60,
            now=lambda: NOON,
            limits=QUICK,
        )
        took = time.monotonic() - begun
    assert outcome(result) == expected
    assert least <= took < 30  # what does not fit is refused at once, not at the deadline
