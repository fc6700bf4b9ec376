"""Subscribers and readers for the feed's benchmark: raw sockets in one process.

    python -m benchmarks.feed_clients stream PORT COUNT RECONNECT STALLED
    python -m benchmarks.feed_clients rest PORT CONNECTIONS SECONDS PATH

``stream`` prints ``ready`` when everybody is connected and reads until its input ends; RECONNECT
is the mean number of seconds after which a subscriber is cut and resumes by ``Last-Event-ID``
(0: never); STALLED more connect and never read. Both print one line of JSON. The programs are the
same for all servers.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import resource
import sys
import time
from array import array
from typing import Any

FRAME = re.compile(rb'id: (\d+)\nevent: notice\ndata: \{"at":"(\d+)"')
TAIL = 128
CUTTERS = 64
"""So many connections may be on their way back at a time."""


class Tally:
    """What all subscribers saw together."""

    def __init__(self) -> None:
        self.latencies = array("q")
        self.gaps = self.doubled = self.cut = self.refused = 0
        self.begun = 0


class Subscriber(asyncio.Protocol):
    """One connection: finds the frames in what arrives, and whether any is missing."""

    def __init__(self, tally: Tally, last: list[int], port: int) -> None:
        self.tally, self.last, self.port = tally, last, port
        self.rest, self.is_begun = b"", False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        resume = f"Last-Event-ID: {self.last[0]}\r\n" if self.last[0] >= 0 else ""
        head = f"GET /v1/stream HTTP/1.1\r\nHost: localhost:{self.port}\r\n{resume}\r\n"
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if not self.is_begun:
            self.is_begun = True
            self.tally.begun += 1
            self.tally.refused += not data.startswith(b"HTTP/1.1 200")
        data, end = self.rest + data, 0
        for found in FRAME.finditer(data):
            seq, end = int(found[1]), found.end()
            if self.last[0] >= 0 and seq != self.last[0] + 1:
                if seq <= self.last[0]:
                    self.tally.doubled += 1
                else:
                    self.tally.gaps += seq - self.last[0] - 1
            self.last[0] = seq
            self.tally.latencies.append(now - int(found[2]))
        self.rest = data[max(end, len(data) - TAIL) :]

    def connection_lost(self, error: Exception | None) -> None:
        self.is_begun = True


class Stalled(asyncio.Protocol):
    """Connects, asks, and never reads."""

    def connection_made(self, transport: Any) -> None:
        transport.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        transport.pause_reading()


async def stream(port: int, count: int, reconnect: float, stalled: int) -> dict[str, Any]:
    loop, tally, luck = asyncio.get_running_loop(), Tally(), random.Random(1)
    open_ones: list[tuple[Any, list[int]]] = []

    async def connect(last: list[int]) -> Any:
        made = await loop.create_connection(
            lambda: Subscriber(tally, last, port), "127.0.0.1", port
        )
        return made[0]

    for _ in range(stalled):
        await loop.create_connection(Stalled, "127.0.0.1", port)
    for _ in range(count):
        last = [-1]
        open_ones.append((await connect(last), last))
    while tally.begun < count:
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    ended = loop.run_in_executor(None, sys.stdin.readline)

    is_over, moving = False, set[int]()

    async def cutting() -> None:
        while reconnect and not is_over:
            await asyncio.sleep(reconnect / count * CUTTERS * 2 * luck.random())
            place = luck.randrange(count)
            transport, last = open_ones[place]
            if last[0] < 0 or place in moving or is_over:
                continue
            moving.add(place)
            transport.abort()
            tally.cut += 1
            open_ones[place] = await connect(last), last
            moving.discard(place)

    cutters = [asyncio.create_task(cutting()) for _ in range(CUTTERS)]
    await ended
    is_over = True
    await asyncio.gather(*cutters)
    for _ in range(100):  # the last record is on its way to somebody
        await asyncio.sleep(0.1)
        if len({last[0] for _, last in open_ones}) == 1:
            break
    newest = max((last[0] for _, last in open_ones), default=-1)
    ordered = sorted(tally.latencies)
    used = resource.getrusage(resource.RUSAGE_SELF)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6 if ordered else 0.0

    return {
        "received": len(ordered), "gaps": tally.gaps, "doubled": tally.doubled, "cut": tally.cut,
        "refused": tally.refused, "behind": sum(last[0] != newest for _, last in open_ones),
        "newest": newest, "p50": at(0.5), "p99": at(0.99), "max": at(1.0),
        "cpu": used.ru_utime + used.ru_stime,
    }  # fmt: skip


class Reader(asyncio.Protocol):
    """Asks for one path again as soon as the answer is whole."""

    def __init__(self, request: bytes, times: array[float]) -> None:
        self.request, self.times = request, times
        self.data, self.need, self.wrong = b"", 0, 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.data, self.need, self.started = b"", 0, time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if not self.need:
            head, found, _ = self.data.partition(b"\r\n\r\n")
            if not found:
                return
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            self.wrong += not self.data.startswith(b"HTTP/1.1 200") or length is None
            self.need = len(head) + 4 + (int(length[1]) if length else 0)
        if len(self.data) >= self.need:
            self.times.append(time.perf_counter() - self.started)
            self._ask()


async def rest(port: int, connections: int, seconds: float, path: str) -> dict[str, Any]:
    loop, times = asyncio.get_running_loop(), array("d")
    request = f"GET /{path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    readers = []
    started = time.perf_counter()
    for _ in range(connections):
        made = await loop.create_connection(lambda: Reader(request, times), "127.0.0.1", port)
        readers.append(made[1])
    await asyncio.sleep(seconds)
    took, ordered = time.perf_counter() - started, sorted(times)
    for one in readers:
        one.transport.abort()
    return {
        "rate": len(ordered) / took, "wrong": sum(one.wrong for one in readers),
        "p50": ordered[len(ordered) // 2] * 1e3, "p99": ordered[len(ordered) * 99 // 100] * 1e3,
        "bytes": readers[0].need,
    }  # fmt: skip


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    what, port, *more = sys.argv[1:]
    if what == "stream":
        told = asyncio.run(stream(int(port), int(more[0]), float(more[1]), int(more[2])))
    else:
        told = asyncio.run(rest(int(port), int(more[0]), float(more[1]), more[2]))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
