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
import select
import socket
import sys
import time
from array import array
from typing import Any

FRAME = re.compile(rb'id: (\d+)\nevent: notice\ndata: \{"at":"(\d+)"')
TAIL = 128
"""What comes before the record's moment in a frame is shorter."""


class Tally:
    """What all subscribers saw together."""

    def __init__(self) -> None:
        self.latencies = array("q")
        self.gaps = self.doubled = self.cut = self.refused = 0
        self.begun = 0


class Subscriber:
    """One connection: finds the frames in what arrives, and whether any is missing."""

    __slots__ = ("is_begun", "last", "rest", "socket", "tally")

    def __init__(self, tally: Tally, last: int, port: int) -> None:
        self.tally, self.last, self.rest, self.is_begun = tally, last, b"", False
        self.socket = socket.create_connection(("127.0.0.1", port))
        resume = f"Last-Event-ID: {last}\r\n" if last >= 0 else ""
        head = f"GET /v1/stream HTTP/1.1\r\nHost: localhost:{port}\r\n{resume}\r\n"
        self.socket.sendall(head.encode())
        self.socket.setblocking(False)

    def read(self) -> bool:
        """Take what has arrived; False when the server has closed."""
        try:
            data = self.socket.recv(8192)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        now = time.monotonic_ns()
        if not self.is_begun:
            self.is_begun = True
            self.tally.begun += 1
            self.tally.refused += not data.startswith(b"HTTP/1.1 200")
        whole, end = self.rest + data, 0
        for found in FRAME.finditer(whole):
            seq, end = int(found[1]), found.end()
            if self.last >= 0 and seq != self.last + 1:
                if seq <= self.last:
                    self.tally.doubled += 1
                else:
                    self.tally.gaps += seq - self.last - 1
            self.last = seq
            self.tally.latencies.append(now - int(found[2]))
        self.rest = whole[max(end, len(whole) - TAIL) :]
        return bool(data)


def stall(port: int) -> socket.socket:
    """Connect, ask, and never read."""
    made = socket.create_connection(("127.0.0.1", port))
    made.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return made


def stream(port: int, count: int, reconnect: float, stalled: int) -> dict[str, Any]:
    """Read as ``count`` subscribers until the input ends, then until all are at the same place.

    One thread over epoll and nothing between it and the sockets: a heavier client would be what
    is measured, since it reads on the same cores.
    """
    tally, luck = Tally(), random.Random(1)
    waiting = select.epoll()
    waiting.register(sys.stdin.fileno(), select.EPOLLIN)
    silent = [stall(port) for _ in range(stalled)]
    everybody: dict[int, Subscriber] = {}

    def connect(last: int) -> None:
        one = Subscriber(tally, last, port)
        everybody[one.socket.fileno()] = one
        waiting.register(one.socket.fileno(), select.EPOLLIN)

    def leave(place: int) -> int:
        one = everybody.pop(place)
        waiting.unregister(place)
        one.socket.close()
        return one.last

    for _ in range(count):
        connect(-1)
    is_told = False
    until: float | None = None
    cutting = reconnect / count if reconnect else 0.0
    next_cut = time.monotonic() + cutting
    while until is None or time.monotonic() < until:
        for place, _ in waiting.poll(0.005 if reconnect else 0.1):
            if place in everybody:
                if not everybody[place].read():
                    connect(leave(place))
            elif until is None:
                waiting.unregister(place)
                until = time.monotonic() + 10
        if not is_told and tally.begun >= count:
            is_told = True
            print("ready", flush=True)
            next_cut = time.monotonic() + cutting
        # The last record may be on its way to everybody: nine seconds are left of the ten.
        is_late = until is not None and time.monotonic() > until - 9
        if is_late and len({one.last for one in everybody.values()}) == 1:
            break
        while cutting and is_told and until is None and time.monotonic() >= next_cut:
            next_cut += cutting * 2 * luck.random()
            place = luck.choice(list(everybody))
            if everybody[place].last >= 0:
                tally.cut += 1
                connect(leave(place))
    newest = max((one.last for one in everybody.values()), default=-1)
    behind = sum(one.last != newest for one in everybody.values())
    for one in (*silent, *(each.socket for each in everybody.values())):
        one.close()
    ordered = sorted(tally.latencies)
    used = resource.getrusage(resource.RUSAGE_SELF)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6 if ordered else 0.0

    return {
        "received": len(ordered), "gaps": tally.gaps, "doubled": tally.doubled, "cut": tally.cut,
        "refused": tally.refused, "behind": behind,
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
        told = stream(int(port), int(more[0]), float(more[1]), int(more[2]))
    else:
        told = asyncio.run(rest(int(port), int(more[0]), float(more[1]), more[2]))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
