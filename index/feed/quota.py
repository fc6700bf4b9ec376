"""How much each caller may ask: a token bucket a caller, and a number of streams at a time.

Time is an argument, in seconds of a clock that never goes back. Memory is bounded: the caller
longest unseen is forgotten first, and by then its bucket is usually full again.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from index.feed.problems import Problem

PER_ADDRESS: Final = 60
PER_CLIENT: Final = 600
"""Requests a minute."""

STREAMS: Final = 4
MAX_CALLERS: Final = 50_000
MINUTE: Final = 60.0

UNLIMITED: Final = frozenset({"drop", "log", "data", "keys", "batches", "healthz", "metrics"})
"""First parts of the paths that are not counted: static files, which anybody may copy at any
speed, and the pages of monitors."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request costs its caller, as header lines and as yes or no."""

    limit: int
    remaining: int
    reset: int
    is_allowed: bool

    @property
    def headers(self) -> dict[str, str]:
        """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers-10)."""
        made = {
            "RateLimit-Policy": f'"minute";q={self.limit};w=60',
            "RateLimit": f'"minute";r={self.remaining};t={self.reset}',
        }
        return made if self.is_allowed else {**made, "Retry-After": str(self.reset)}


class Quota:
    """The buckets and the open streams of all callers.

    Args:
        per_address: requests a minute of a caller without a key; 0 is without limit.
        per_client: requests a minute of a client.
        streams: streams a caller may have open; 0 is without limit.
        max_callers: how many callers are remembered.
    """

    def __init__(
        self,
        per_address: int = PER_ADDRESS,
        per_client: int = PER_CLIENT,
        streams: int = STREAMS,
        max_callers: int = MAX_CALLERS,
    ) -> None:
        self.per_address, self.per_client = per_address, per_client
        self.streams, self.max_callers = streams, max_callers
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._open: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: str, *, is_client: bool, at: float) -> Answer | None:
        """Take one token; ``None`` where there is no limit.

        Args:
            caller: what the requests are counted under.
            is_client: whether a key was sent.
            at: seconds of a monotonic clock.
        """
        limit = self.per_client if is_client else self.per_address
        if limit <= 0:
            return None
        tokens, since = self._buckets.pop(caller, (float(limit), at))
        tokens = min(float(limit), tokens + (at - since) * limit / MINUTE)
        is_allowed = tokens >= 1.0
        if is_allowed:
            tokens -= 1.0
        self._buckets[caller] = tokens, at
        while len(self._buckets) > self.max_callers:
            self._buckets.popitem(last=False)
        lacking = (limit - tokens) if is_allowed else (1.0 - tokens)
        return Answer(limit, int(tokens), math.ceil(lacking * MINUTE / limit), is_allowed)

    def open_stream(self, caller: str) -> None:
        """Count one more stream of a caller; :meth:`close_stream` gives it back.

        Raises:
            Problem: 429: it has as many as it may.
        """
        count = self._open.get(caller, 0)
        if self.streams and count >= self.streams:
            raise Problem(
                "rate-limited",
                f"{count} streams are open and {self.streams} are allowed; close one first",
                headers={"Retry-After": "5"},
            )
        self._open[caller] = count + 1

    def close_stream(self, caller: str) -> None:
        """Count one stream less."""
        count = self._open.get(caller, 0) - 1
        if count > 0:
            self._open[caller] = count
        else:
            self._open.pop(caller, None)


def is_limited(path: str) -> bool:
    """Return whether a path is counted: everything but static files and the monitors' pages."""
    parts = path.split("/", 3)
    first = parts[1] if len(parts) > 1 else ""
    if first == "v1":
        return len(parts) < 3 or parts[2] != "data"
    return first not in UNLIMITED


def refusal(answer: Answer) -> Problem:
    """Return the 429 of a caller whose bucket is empty."""
    return Problem(
        "rate-limited",
        f"{answer.limit} requests a minute are allowed; the next one in {answer.reset} s",
        headers=answer.headers,
    )


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return proxies' networks. Raises ValueError for text that is none."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def address_of(
    peer: str, forwarded: Sequence[bytes], proxies: Sequence[Network], *, is_proxy: bool = False
) -> str:
    """Return the address a request is counted under.

    ``X-Forwarded-For`` counts only if the peer is a proxy of the operator's, by its address or
    because ``is_proxy`` says so, and then from the right: the first address that is not such a
    proxy. An IPv6 address stands for its /64, which one customer has as a whole.
    """
    found = peer
    if is_proxy or is_within(peer, proxies):
        hops = [h.strip() for h in b",".join(forwarded).decode("latin-1").split(",") if h.strip()]
        for hop in reversed(hops):
            if _parsed(hop) is None:
                break
            found = hop
            if not is_within(hop, proxies):
                break
    return _counted(found)


@lru_cache(maxsize=4096)
def _counted(text: str) -> str:
    """Return what an address is counted under."""
    parsed = _parsed(text)
    if parsed is None:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def is_within(text: str, proxies: Sequence[Network]) -> bool:
    """Return whether an address lies in one of the networks; ``False`` for text that is none."""
    parsed = _parsed(text)
    return parsed is not None and any(parsed in network for network in proxies)
