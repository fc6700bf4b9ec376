"""The whole feed of one process: resources, stream, figures, and the layer that admits requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from index.feed import metrics, stream
from index.feed.app import make_app
from index.feed.gate import Gate, Rules
from index.feed.queries import utc_now
from index.feed.ring import Ring
from index.feed.store import CHECKPOINT, Store


def assemble(
    store: Store,
    rules: Rules | None = None,
    *,
    now: Callable[[], datetime] = utc_now,
    is_left_out: Callable[[int], bool] | None = None,
    **of_hub: Any,
) -> Starlette:
    """Return the application: ``app.state.hub`` is its stream, ``app.state.store`` its log.

    Args:
        store: the published tree, opened and verified.
        rules: how requests are admitted; by default anybody reads, within the usual quota.
        now: the clock, naive UTC.
        is_left_out: for the mock feed: records the stream never sends.
        of_hub: bounds and intervals of :class:`index.feed.stream.Hub`.
    """
    checkpoint = store.site / CHECKPOINT
    ring = Ring(lambda seq: store.entries[seq].body, is_left_out=is_left_out)
    hub = stream.Hub(store, now=now, checkpoint=checkpoint, ring=ring, **of_hub)
    figures = metrics.Metrics(
        hub, published_at=lambda: _moved(checkpoint), fault=lambda: store.fault
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with hub.running():
            yield

    extra = [*stream.routes(hub), *metrics.routes(figures)]
    app = make_app(store, now=now, extra=extra, lifespan=lifespan)
    app.add_middleware(Gate, rules=rules or Rules(now=now), metrics=figures)
    app.state.hub = hub
    return app


def _moved(checkpoint: Path) -> float | None:
    """Return when the checkpoint was moved to, as Unix time."""
    try:
        return checkpoint.stat().st_mtime
    except OSError:
        return None
