"""Figures of a running feed for Prometheus: requests, latency, subscribers, lag, head.

Labels are bounded: a route is the first words of a path that the feed knows, a status is a
number; no client, index or key is ever a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from index.feed.headers import NO_STORE, Reply, send_reply
from index.feed.stream import Figures, Hub

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_ROUTES: Final = frozenset(
    {
        "indices", "fixings", "settlements", "calendar", "notices", "events", "stream", "keys",
        "status", "log", "openapi.json", "data", "problems", "schemas",
    }
)  # fmt: skip
_ROOTS: Final = frozenset({"drop", "log", "data", "keys", "batches", "metrics", "site"})
_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


def route_of(path: str) -> str:
    """Return what a path is counted under, such as ``/v1/fixings``; ``other`` if unknown."""
    parts = path.split("/", 3)
    first = parts[1] if len(parts) > 1 else ""
    if first == "v1" and len(parts) > 2 and parts[2] in _ROUTES:
        return f"/v1/{parts[2]}"
    return f"/{first}" if first in _ROOTS else "other"


class Metrics:
    """The registry of one server process.

    Args:
        hub: whose subscribers, size and lag are shown; ``None`` without a stream.
        published_at: Unix time at which the newest record was shown, or ``None``.
        fault: what is wrong with the published tree, or ``None``.
    """

    def __init__(
        self,
        hub: Hub | None = None,
        published_at: Callable[[], float | None] = lambda: None,
        fault: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.hub, self._published_at, self._fault = hub, published_at, fault
        self.registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "spotfix_feed_requests", "Requests answered", ("route", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._latency = Histogram(
            "spotfix_feed_seconds", "Seconds from request to the end of its answer, streams aside",
            registry=self.registry, buckets=_SECONDS,
        )  # fmt: skip
        self._lag = Histogram(
            "spotfix_feed_lag_seconds", "Seconds from the checkpoint's move to the fan-out",
            registry=self.registry, buckets=_SECONDS,
        )  # fmt: skip
        self._children: dict[tuple[str, int], Counter] = {}
        self.registry.register(self)

    def count(self, path: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        key = route_of(path), status
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(key[0], str(status))
        child.inc()
        if key[0] != "/v1/stream":
            self._latency.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield what is read at the moment of the scrape."""
        figures = self.hub.figures if self.hub else Figures()
        yield GaugeMetricFamily(
            "spotfix_feed_subscribers", "Open streams", value=figures.subscribers
        )
        yield GaugeMetricFamily(
            "spotfix_feed_streams_opened", "Streams opened since the start", value=figures.opened
        )
        yield GaugeMetricFamily(
            "spotfix_feed_streams_dropped", "Streams ended for stalling", value=figures.dropped
        )
        size = self.hub.ring.size if self.hub else 0
        yield GaugeMetricFamily("spotfix_feed_log_size", "Records served", value=size)
        is_sound = float(self._fault() is None)
        yield GaugeMetricFamily("spotfix_feed_sound", "1: the tree verifies", value=is_sound)
        at = self._published_at()
        if at is not None:
            yield GaugeMetricFamily(
                "spotfix_feed_published_seconds", "When the newest record was shown", value=at
            )

    def text(self) -> bytes:
        """Return the page in the text format."""
        if self.hub is not None:
            lags, self.hub.figures.lags = self.hub.figures.lags, []
            for lag in lags:
                self._lag.observe(lag)
        return generate_latest(self.registry)


class MetricsEndpoint:
    """``/metrics`` as an ASGI application."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the page."""
        body = self.metrics.text()
        lines = [
            (b"content-type", CONTENT_TYPE),
            (b"content-length", b"%d" % len(body)),
            NO_STORE,
        ]
        await send_reply(Reply(200, lines, body), scope, send)


def routes(metrics: Metrics) -> list[Route]:
    """Return the monitor's route."""
    return [Route("/metrics", MetricsEndpoint(metrics))]
