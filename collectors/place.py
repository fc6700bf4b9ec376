"""One origin (scheme, host, port) in one run, shared by all sources that live there.

Its name is looked up once, its requests keep their distance from each other, whichever source
sends them, and its idle connections are used again. A provider is asked politely however many
sources read it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from collectors.http1 import Speaker
from collectors.robots import Rules
from collectors.wire import Refused

Open = Callable[[str], Awaitable[Speaker]]
"""``open(address)``: a new connection to one of the place's addresses."""


class Place:
    """Addresses, slots, spacing and connections of one origin."""

    def __init__(
        self, host: str, look_up: Callable[[], Awaitable[Sequence[str]]], open_to: Open, slots: int
    ) -> None:
        self.host = host
        self.robots: Rules | None = None
        self.robots_lock = asyncio.Lock()
        self._look_up = look_up
        self._looked_up: asyncio.Task[Sequence[str]] | None = None
        self._open = open_to
        self._slots = asyncio.Semaphore(slots)
        self._next_at = 0.0
        self._held_until: dict[str, float] = {}
        self._idle: list[Speaker] = []

    async def addresses(self) -> Sequence[str]:
        """Return the vetted addresses; the name is looked up by whoever asks first, and once.

        Raises:
            Refused: what the look-up or the vetting said, to everybody alike.
        """
        if self._looked_up is None:
            self._looked_up = asyncio.create_task(_settled(self._look_up()))
        # Shielded: the deadline of one source must not take the answer from the others.
        return await asyncio.shield(self._looked_up)

    @contextlib.asynccontextmanager
    async def turn(self, source: str, spacing: float, ends_at: float) -> AsyncIterator[None]:
        """Wait for a slot, for the distance to the last request, and for what the host asked.

        Raises:
            Refused: TIMEOUT when the turn would come after ``ends_at`` (the loop's clock).
        """
        async with self._slots:
            now = asyncio.get_running_loop().time()
            if self.robots is not None:
                spacing = max(spacing, self.robots.spacing_seconds)
            start = max(now, self._next_at, self._held_until.get(source, 0.0))
            if start > now and start >= ends_at:
                raise Refused(
                    "TIMEOUT",
                    f"{self.host} wants {start - now:.0f} s between requests; the deadline is "
                    "nearer",
                )
            if spacing:
                self._next_at = start + spacing
            if start > now:
                await asyncio.sleep(start - now)
            yield

    def hold(self, source: str, seconds: float) -> None:
        """Keep a source from asking here for a while: its server said so."""
        until = asyncio.get_running_loop().time() + seconds
        self._held_until[source] = max(until, self._held_until.get(source, 0.0))

    @contextlib.asynccontextmanager
    async def connection(self, turn: int) -> AsyncIterator[Speaker]:
        """Lend a connection: an idle one, else a new one to the ``turn``-th address.

        It comes back only when its answer ended as it should; otherwise it is dropped.
        """
        speaker = None
        while self._idle and speaker is None:
            one = self._idle.pop()
            if one.is_idle:
                speaker = one
            else:
                one.drop()
        if speaker is None:
            addresses = await self.addresses()
            speaker = await self._open(addresses[turn % len(addresses)])
        try:
            yield speaker
        except BaseException:
            speaker.drop()
            raise
        if speaker.is_idle:
            self._idle.append(speaker)
        else:
            speaker.drop()

    def close(self) -> None:
        """Drop idle connections and a look-up that nobody waits for any more."""
        for speaker in self._idle:
            speaker.drop()
        if self._looked_up is not None:
            self._looked_up.cancel()


async def _settled(work: Awaitable[Sequence[str]]) -> Sequence[str]:
    return await work


def jitter(base: float, attempt: int) -> float:
    """Return the pause before try ``attempt`` + 1: anything up to a bound that doubles each time.

    Full jitter: clients that failed together do not come back together.
    """
    return random.uniform(0.0, base * 2.0 ** (attempt - 1))
