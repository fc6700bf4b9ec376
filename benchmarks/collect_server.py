"""A loopback server for the collecting benchmark: what a hundred providers look like from here.

    python -m benchmarks.collect_server

Prints its port and serves until its input ends. Each path ``/<n>`` has its own size and latency,
drawn from the number alone, so that every contender meets the same: latencies lognormal about a
median of 50 ms, sizes lognormal about 20 kB, one path in ninety 429 the first time it is asked
in a run (a header names the run), one in a hundred slow.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys

MEDIAN_SECONDS, SPREAD, SLOW_SECONDS = 0.050, 0.35, 0.25
MEDIAN_BYTES, SIZE_SPREAD = 20_000, 1.0
BUSY_EVERY, SLOW_EVERY = 89, 97  # primes: spread over the providers

_BODY = b'{"prices":[' + b'{"sku":"gpu-h100","usd":"2.49"},' * 40_000
_seen: set[tuple[str, int]] = set()


def latency(number: int) -> float:
    """Seconds until path ``number`` answers."""
    if number % SLOW_EVERY == 7:
        return SLOW_SECONDS
    drawn = random.Random(number).gauss(0.0, SPREAD)
    return min(MEDIAN_SECONDS * math.exp(drawn), SLOW_SECONDS)


def size(number: int) -> int:
    """Bytes of the body at path ``number``."""
    drawn = random.Random(-1 - number).gauss(0.0, SIZE_SPREAD)
    return int(min(MEDIAN_BYTES * math.exp(drawn), 1_000_000))


class _Provider(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        while b"\r\n\r\n" in self._head:
            head, _, self._head = self._head.partition(b"\r\n\r\n")
            first, *fields = head.decode("latin-1").split("\r\n")
            number = int(first.split(" ")[1].lstrip("/"))
            run = next((f for f in fields if f.lower().startswith("x-run:")), "")
            is_busy = number % BUSY_EVERY == 3 and (run, number) not in _seen
            _seen.add((run, number))
            call = asyncio.get_running_loop().call_later
            call(0.01 if is_busy else latency(number), self._answer, number, is_busy)

    def _answer(self, number: int, is_busy: bool) -> None:
        if is_busy:
            self._write(b"HTTP/1.1 429 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
            return
        length = size(number)
        self._write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % length
            + _BODY[:length]
        )

    def _write(self, data: bytes) -> None:
        if isinstance(self._transport, asyncio.Transport) and not self._transport.is_closing():
            self._transport.write(data)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Provider, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
