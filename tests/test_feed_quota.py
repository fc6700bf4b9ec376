"""Token buckets by hand, and what a client sees of them."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from index.feed.gate import Rules
from index.feed.quota import Quota, address_of, is_limited, networks
from tests.sse import ask, feed, memory, until


def test_a_minute_has_sixty_requests_and_the_sixty_first_comes_a_second_later() -> None:
    quota = Quota(per_address=60)
    first = quota.take("a", is_client=False, at=1000.0)
    assert first is not None
    assert first.headers == {
        "RateLimit-Policy": '"minute";q=60;w=60',
        "RateLimit": '"minute";r=59;t=1',
    }
    taken = [quota.take("a", is_client=False, at=1000.0) for _ in range(59)]
    assert all(one is not None and one.is_allowed for one in taken)
    refused = quota.take("a", is_client=False, at=1000.0)
    assert refused is not None
    assert not refused.is_allowed
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit"] == '"minute";r=0;t=1'
    early = quota.take("a", is_client=False, at=1000.5)
    late = quota.take("a", is_client=False, at=1001.0)
    assert early is not None
    assert late is not None
    assert (early.is_allowed, late.is_allowed) == (False, True)


def test_a_bucket_never_holds_more_than_a_minutes_worth() -> None:
    quota = Quota(per_address=3)
    for at in (0.0, 10_000.0):
        allowed = [quota.take("a", is_client=False, at=at) for _ in range(5)]
        assert [one.is_allowed for one in allowed if one] == [True] * 3 + [False] * 2


def test_callers_do_not_share_a_bucket_and_a_client_has_more() -> None:
    quota = Quota(per_address=1, per_client=2)
    for caller, is_client, allowed in (
        ("a", False, True), ("a", False, False), ("b", False, True),
        ("c", True, True), ("c", True, True), ("c", True, False),
    ):  # fmt: skip
        found = quota.take(caller, is_client=is_client, at=0.0)
        assert found is not None
        assert found.is_allowed is allowed


def test_memory_is_bounded_and_the_longest_unseen_is_forgotten() -> None:
    quota = Quota(per_address=1, max_callers=100)
    for caller in range(1_000):
        quota.take(str(caller), is_client=False, at=0.0)
    assert len(quota) == 100
    kept, gone = (quota.take(caller, is_client=False, at=0.0) for caller in ("999", "0"))
    assert kept is not None
    assert gone is not None
    assert (kept.is_allowed, gone.is_allowed) == (False, True)


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        ("/v1/status", True),
        ("/v1/stream", True),
        ("/", True),
        ("/v1", True),
        ("/drop/v1/2026/x.json", False),
        ("/log/checkpoint", False),
        ("/data/spot.duckdb", False),
        ("/v1/data/spot.duckdb", False),
        ("/metrics", False),
        ("/v1/log/proof/3", True),
    ],
)
def test_static_files_are_not_counted(path: str, counted: bool) -> None:
    assert is_limited(path) is counted


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "expected"),
    [
        ("192.0.2.1", [b"203.0.113.9"], [], "192.0.2.1"),
        ("192.0.2.1", [b"203.0.113.9"], ["10.0.0.0/8"], "192.0.2.1"),
        ("10.0.0.1", [b"203.0.113.9"], ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", [b"6.6.6.6, 203.0.113.9, 10.0.0.7"], ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", [b"6.6.6.6", b"203.0.113.9"], ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", [b"rubbish"], ["10.0.0.0/8"], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.9, rubbish"], ["10.0.0.0/8"], "10.0.0.1"),
        ("10.0.0.1", [], ["10.0.0.0/8"], "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", [], [], "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", [], [], "192.0.2.1"),
        ("", [], [], "unknown"),
    ],
)
def test_an_address_is_the_peers_unless_a_proxy_of_ours_says_otherwise(
    peer: str, forwarded: list[bytes], proxies: list[str], expected: str
) -> None:
    assert address_of(peer, forwarded, networks(proxies)) == expected


async def fine(request: Request) -> Response:
    return Response(b"fine")


def test_a_client_sees_its_quota_shrink_and_then_a_429_with_a_time() -> None:
    async def go() -> None:
        rules = Rules(quota=Quota(per_address=3), seconds=lambda: 5.0)
        routes = (Route("/v1/status", fine), Route("/log/checkpoint", fine))
        async with feed(memory(1), rules=rules, routes=routes) as (port, _):
            left = []
            for _ in range(3):
                async with ask(port, "/v1/status") as answer:
                    assert answer.status == 200
                    assert answer.headers["ratelimit-policy"] == '"minute";q=3;w=60'
                    left.append(int(answer.headers["ratelimit"].partition("r=")[2][0]))
            assert left == [2, 1, 0]
            async with ask(port, "/v1/status") as answer:
                problem = await answer.problem()
                assert (answer.status, problem["type"]) == (429, "/v1/problems/rate-limited")
                assert answer.headers["retry-after"] == "20"
            for _ in range(5):
                async with ask(port, "/log/checkpoint") as answer:
                    assert answer.status == 200
                    assert "ratelimit" not in answer.headers

    asyncio.run(go())


def test_wrong_keys_use_up_the_quota_of_their_address_everywhere() -> None:
    async def go() -> None:
        rules = Rules(quota=Quota(per_address=2), seconds=lambda: 5.0)
        async with feed(memory(1), rules=rules) as (port, _):
            seen = []
            for path in ("/log/checkpoint", "/v1/status", "/log/checkpoint"):
                async with ask(port, path, headers=("Authorization: Bearer x",)) as answer:
                    seen.append(answer.status)
            assert seen == [401, 401, 429]

    asyncio.run(go())


def test_a_caller_has_four_streams_and_a_closed_one_makes_room() -> None:
    async def go() -> None:
        async with feed(memory(1), rules=Rules()) as (port, hub):
            opened = [ask(port, "/v1/stream") for _ in range(4)]
            for each in opened:
                assert (await each.__aenter__()).status == 200
            async with ask(port, "/v1/stream") as fifth:
                assert fifth.status == 429
                assert "4 are allowed" in (await fifth.problem())["detail"]
            await opened[0].__aexit__(None, None, None)
            await until(lambda: hub.figures.subscribers == 3)
            async with ask(port, "/v1/stream") as again:
                assert again.status == 200
            for each in opened[1:]:
                await each.__aexit__(None, None, None)

    asyncio.run(go())


def test_waiting_as_long_as_told_is_always_enough() -> None:
    quota, at = Quota(per_address=7), 0.0
    times = []
    for _ in range(40):
        found = quota.take("a", is_client=False, at=at)
        assert found is not None
        if found.is_allowed:
            times.append(at)
        else:
            at += found.reset
            again = quota.take("a", is_client=False, at=at)
            assert again is not None
            assert again.is_allowed
    assert all(a <= b for a, b in pairwise(times))
