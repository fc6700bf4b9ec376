"""The contenders of the collecting benchmark; each fetches the same addresses in its own process.

    python -m benchmarks.collect_contenders ours PORT URLS HOSTS

Prints one line of JSON: seconds from first request to last body, when each body was complete
(seconds after the start), bodies and bytes got. Imports are not timed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Done = list[tuple[float, int]]


def address(number: int, hosts: int) -> tuple[str, str]:
    """Host and path of one address; neighbours live at different providers."""
    return f"provider-{number % hosts}.test", f"/{number}"


def ours(port: int, urls: int, hosts: int, archive: Path | None = None) -> tuple[float, Done]:
    """``collectors.fetch``: every cap, look-up, check and politeness of a real round."""
    from collectors.archive import Archive
    from collectors.base import Capture, Parsed, Request, Source
    from collectors.fetch import Job, Limits, collect
    from collectors.held import Shelf

    run = str(os.getpid())
    done: Done = []

    def ask(base: str) -> Any:
        yield Request(base, headers={"x-run": run})

    source = Source("bench", "gpus", "", lambda capture: Parsed(), ask, "E3", "", "", "")
    jobs = []
    for number in range(urls):
        host, path = address(number, hosts)
        jobs.append(Job(source, f"http://{host}:{port}{path}"))
    store = Archive(archive) if archive else None

    def keep(capture: Capture) -> None:
        if store is not None:
            store.put(capture)
        done.append((time.perf_counter() - started, len(capture.body)))

    started = time.perf_counter()
    results = collect(
        jobs,
        120,
        archive=keep,
        known=Shelf(store) if store else None,
        limits=Limits(allow_loopback=True, backoff_seconds=0.05),
        resolve=lambda host, port: ["127.0.0.1"],
    )
    took = time.perf_counter() - started
    failed = [one.error for one in results if one.error]
    if failed:
        raise SystemExit(f"{len(failed)} of {urls} failed: {failed[0]}")
    return took, done


def ours_archived(port: int, urls: int, hosts: int) -> tuple[float, Done]:
    """The same, each body packed, digested, written and on disk before it counts."""
    with tempfile.TemporaryDirectory() as folder:
        return ours(port, urls, hosts, Path(folder))


def requests_loop(port: int, urls: int, hosts: int) -> tuple[float, Done]:
    """One ``requests.Session``, one address after the other, again on 429."""
    import requests

    session, done = requests.Session(), []
    session.trust_env = False
    started = time.perf_counter()
    for number in range(urls):
        host, path = address(number, hosts)
        headers = {"Host": host, "X-Run": str(os.getpid())}
        while True:
            answer = session.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=30)
            if answer.status_code == 200:
                break
        done.append((time.perf_counter() - started, len(answer.content)))
    return time.perf_counter() - started, done


def httpx_gather(port: int, urls: int, hosts: int) -> tuple[float, Done]:
    """One ``httpx.AsyncClient`` as it comes, every address in one ``asyncio.gather``."""
    import httpx

    logging.getLogger("httpx").setLevel(logging.WARNING)
    done: Done = []

    async def main() -> float:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            started = time.perf_counter()

            async def one(number: int) -> None:
                host, path = address(number, hosts)
                headers = {"Host": host, "X-Run": str(os.getpid())}
                while True:
                    answer = await client.get(f"http://127.0.0.1:{port}{path}", headers=headers)
                    if answer.status_code == 200:
                        break
                done.append((time.perf_counter() - started, len(answer.content)))

            await asyncio.gather(*(one(number) for number in range(urls)))
            return time.perf_counter() - started

    return asyncio.run(main()), done


CONTENDERS: dict[str, Callable[[int, int, int], tuple[float, Done]]] = {
    "ours": ours,
    "ours_archived": ours_archived,
    "httpx_gather": httpx_gather,
    "requests_loop": requests_loop,
}


def main() -> None:
    """Run the named contender once and print what it took."""
    name, port, urls, hosts = sys.argv[1], *map(int, sys.argv[2:5])
    if name.startswith("ours"):
        import collectors.fetch  # noqa: F401 (imports are not timed)
    elif name == "httpx_gather":
        import httpx  # noqa: F401
    else:
        import requests  # noqa: F401
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF)
    took, done = CONTENDERS[name](port, urls, hosts)
    after = resource.getrusage(resource.RUSAGE_SELF)
    own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ends = sorted(end for end, _ in done)
    told = {
        "seconds": took,
        "cpu": own,
        "mib": after.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
        "bodies": len(done),
        "bytes": sum(size for _, size in done),
        "p50": ends[len(ends) // 2],
        "p99": ends[int(len(ends) * 0.99)],
        "max": ends[-1],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
