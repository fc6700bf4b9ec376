"""The feed as an application: routes, refusals, and the rule that nothing is changed by asking."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import anyio
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Scope

from index.feed import files, formats, queries
from index.feed.catalogue import Catalogue
from index.feed.files import Files
from index.feed.headers import IMMUTABLE, Endpoint, Line, Reply, SlowEndpoint, moving, prepare
from index.feed.lists import Lists
from index.feed.problems import HANDLERS
from index.feed.resources import Feed, Fixings
from index.feed.store import Store

MAX_INPUTS = 64
"""Tables of inputs that are kept after they were made."""


class Places(Protocol):
    """Where the published tree is: the settings, as far as the feed needs them."""

    @property
    def site(self) -> Path:
        """The public tree."""
        ...

    @property
    def drop(self) -> Path:
        """What an exchange fetches."""
        ...

    @property
    def data(self) -> Path:
        """The analysts' files."""
        ...


def open_store(places: Places) -> Store:
    """Return the published tree, verified; raises what :meth:`Store.open` raises."""
    return Store.open(places.site, places.drop, places.data)


def make_app(
    store: Store,
    *,
    now: Callable[[], datetime] = queries.utc_now,
    extra: Sequence[BaseRoute] = (),
    lifespan: Callable[[Starlette], contextlib.AbstractAsyncContextManager[Any]] | None = None,
    poll_seconds: float | None = None,
) -> Starlette:
    """Return the feed over an opened store.

    Args:
        store: the published tree, verified.
        now: the present moment, naive UTC.
        extra: further routes, asked before the files: the stream, the metrics.
        lifespan: what runs beside the application; the stream's hub polls the store itself.
        poll_seconds: let the application poll the store this often; for use without a stream.

    ``app.state.feed`` and ``app.state.store`` are set.
    """
    feed = Feed(store, now)
    app = Starlette(
        routes=[*routes(feed), *extra, *static(feed)],
        exception_handlers=dict(HANDLERS),
        lifespan=lifespan or _polling(store, poll_seconds),
    )
    app.router.redirect_slashes = False
    app.state.feed, app.state.store = feed, store
    return app


def routes(feed: Feed) -> list[BaseRoute]:
    """Return the resources of ``/v1``, the most asked for first."""
    single, many, told = Fixings(feed), Lists(feed), Catalogue(feed)
    fixings = "/v1/fixings/{index}/{session}"
    plain: Mapping[str, Callable[[Scope], Reply]] = {
        f"{fixings}/latest": single.latest,
        f"{fixings}/{{date}}/{{file}}": single.of_revision,
        f"{fixings}/{{date}}": single.of_day,
        "/v1/events": many.events,
        "/v1/indices": told.indices,
        "/v1/indices/{index}": told.index,
        "/v1/indices/{index}/basket": told.basket,
        "/v1/settlements/{rule}/{period}": told.settlement,
        "/v1/calendar/{name}/{version}": told.calendar,
        "/v1/calendar/{name}": told.logged_calendar,
        "/v1/notices": many.notices,
        "/v1/keys": told.keys,
        "/v1/status": told.status,
        "/v1/log/proof/{seq}": told.proof,
        "/v1/openapi.json": told.openapi,
        "/v1/schemas/{type}.json": told.schema,
        "/v1/schemas/publication.xsd": told.xsd,
        "/v1/problems/{name}": told.problem,
        "/healthz": told.health,
    }
    made: list[BaseRoute] = [_route(path, Endpoint(handler)) for path, handler in plain.items()]
    made.append(_route(fixings, SlowEndpoint(many.series)))
    inputs = _inputs(single)
    made.append(_route(f"{fixings}/{{date}}/{{revision}}/inputs.parquet", SlowEndpoint(inputs)))
    return made


def static(feed: Feed) -> list[BaseRoute]:
    """Return the files of the tree: log, bodies, keys, drop, analysts' files."""
    store = feed.store

    def follow(path: str) -> Line:
        return moving(feed.timetable.keep_all(feed.now()))

    def of_log(path: str) -> Line:
        return follow(path) if path == "checkpoint" else IMMUTABLE

    def is_note(path: str) -> bool:
        return path.startswith("checkpoint")

    def of_keys(path: str) -> Line:
        return follow(path) if path == "keys.json" else IMMUTABLE

    folders: Mapping[str, ASGIApp] = {
        "/log": Files(store.site / "log", of_log, is_note),
        "/batches": Files(store.site / "batches", files.immutable),
        "/keys": Files(store.site / "keys", of_keys),
        "/drop": Files(store.drop, files.immutable),
        "/data": Files(store.data, follow),
    }
    return [_route(f"{prefix}/{{path:path}}", app) for prefix, app in folders.items()]


def _route(path: str, app: ASGIApp) -> Route:
    return Route(path, app, methods=["GET"])


def _inputs(single: Fixings) -> Callable[[Scope], Any]:
    """Return the handler of ``inputs.parquet``; each table is made once and kept a while."""
    kept: dict[str, Reply] = {}

    async def inputs(scope: Scope) -> Reply:
        record, body, cited = single.inputs_of(scope)
        key = f"{record['seq']}"
        if key not in kept:
            made = await anyio.to_thread.run_sync(formats.inputs_parquet, record, body, cited)
            media_type = formats.TABLES["parquet"][0]
            while len(kept) >= MAX_INPUTS:
                del kept[next(iter(kept))]
            kept[key] = prepare(made, media_type, IMMUTABLE)
        return kept[key]

    return inputs


def _polling(
    store: Store, seconds: float | None
) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if seconds is None:
            yield
            return
        async with anyio.create_task_group() as group:
            group.start_soon(_poll, store, seconds)
            yield
            group.cancel_scope.cancel()

    return lifespan


async def _poll(store: Store, seconds: float) -> None:
    while True:
        store.poll()
        await anyio.sleep(seconds)
