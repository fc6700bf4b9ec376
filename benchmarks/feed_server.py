"""The servers of the feed's benchmark, each in a process of its own.

    python -m benchmarks.feed_server NAME FOLDER

Prints its port and serves until its input ends. ``ours`` is the whole feed as ``spotfix serve``
runs it, access log included (to a file); ``sse_starlette`` the same log and the same watching
task, its stream an ``EventSourceResponse`` a subscriber; the others serve one file.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import resource
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from index.feed.app import open_store
from index.feed.assembly import assemble
from index.feed.gate import Rules
from index.feed.quota import Quota
from index.feed.server import serving, settle_memory
from tests import fixing_records as made

RECORD = "v1/fixings/TKR-one-OUT/NYC/2026-11-10/r0.json"


def ours(folder: Path) -> Starlette:
    """The feed: every layer, no limits."""
    log = (folder / "access.log").open("w")
    return assemble(open_store(made.settings(folder)), Rules(quota=Quota(0, 0, 0), log=log))


def sse_starlette(folder: Path) -> Starlette:
    """One ``EventSourceResponse`` a subscriber, as its documentation shows it."""
    from sse_starlette import EventSourceResponse

    store = open_store(made.settings(folder))
    news = asyncio.Condition()

    async def watch() -> None:
        while True:
            before = len(store.entries)
            store.poll()
            if len(store.entries) > before:
                async with news:
                    news.notify_all()
            await asyncio.sleep(0.005)

    async def stream(request: Request) -> EventSourceResponse:
        last = request.headers.get("last-event-id") or request.query_params.get("after")
        cursor = int(last) + 1 if last else len(store.entries)

        async def events() -> AsyncIterator[dict[str, Any]]:
            nonlocal cursor
            while True:
                while cursor < len(store.entries):
                    one = store.entries[cursor]
                    cursor += 1
                    yield {"id": str(one.seq), "event": one.type, "data": one.body.decode()}
                async with news:
                    while cursor >= len(store.entries):
                        await news.wait()

        return EventSourceResponse(events(), sep="\n", ping=15)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(watch())
        yield
        task.cancel()

    return Starlette(routes=[Route("/v1/stream", stream)], lifespan=lifespan)


def static(folder: Path) -> Starlette:
    """Starlette's own static files on granian."""
    return Starlette(routes=[Mount("/", StaticFiles(directory=folder / "site"))])


def fastapi(folder: Path) -> Any:
    """FastAPI with a model: what most price APIs are."""
    from fastapi import FastAPI
    from pydantic import create_model

    content = json.loads((folder / "site" / RECORD).read_bytes())
    model = create_model("Fixing", **dict.fromkeys(content, (Any, None)))
    app = FastAPI()

    @app.get("/" + RECORD, response_model=model)
    async def fixing() -> Any:
        return model(**content)

    return app


CONTENDERS = {
    "ours": ours,
    "sse_starlette": sse_starlette,
    "static": static,
    "fastapi": fastapi,
}


def plain_http(folder: Path) -> None:
    """The standard library's file server, a thread a connection."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __init__(self, *rest: Any) -> None:
            super().__init__(*rest, directory=str(folder / "site"))

        def log_message(self, *rest: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


async def serve(name: str, folder: Path) -> None:
    async with serving(CONTENDERS[name](folder)) as port:
        settle_memory()
        print(port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {"cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024}
        print(json.dumps(told), flush=True)


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    name, folder = sys.argv[1], Path(sys.argv[2])
    if name == "http_server":
        plain_http(folder)
    else:
        asyncio.run(serve(name, folder))


if __name__ == "__main__":
    main()
