"""The only file that opens an outward socket.

What it promises, whatever a server does:

1. Every source ends by its own deadline and by the run's, counted over everything it does:
   looking up the name, waiting for a slot, every page, every retry. A dripping server gains
   nothing, because no single read resets the clock.
2. A source may send so many bytes, packed and unpacked, over all its pages. Bodies are unpacked
   here, piece by piece, and HTTP is spoken by h11 with every cap our own (``http1.py``).
3. The name is looked up once, every answer must be a public address, and the connection goes to
   that address: a name that changes its mind later is not asked again. Certificates are checked
   against the name. No proxy, netrc or certificate variable of the environment is obeyed.
4. Pages and redirects stay on the scheme, host and port the source is configured with.
   A host is asked politely, whichever source asks (``place.py``), and a page for people only as
   its site's robots file allows.
5. What goes wrong is a result with a reason code. One sick source neither delays nor ends the rest.
   Only a failure to archive is raised: prices that cannot be kept must not be used.

Reason codes: TIMEOUT, TOO_LARGE_RAW, TOO_LARGE_DECODED, HTTP_STATUS, REDIRECT_REFUSED,
CONTENT_TYPE, BAD_ENCODING, CONNECT, TLS, ADDRESS_REFUSED, TRUNCATED, PROTOCOL, STALE_RESPONSE
(an old answer, not an old price), ROBOTS_DISALLOWED, ROBOTS_UNREACHABLE, SECRET_ECHOED.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import re
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from collectors.answers import unreachable
from collectors.base import Capture
from collectors.freshness import skew_of
from collectors.held import Known
from collectors.http1 import Speaker, Wire
from collectors.jobs import Job, Limits, SourceResult
from collectors.place import Place
from collectors.reading import Reading, Shared
from collectors.secret import Secret
from collectors.wire import Refused, is_loopback_literal, vet_address

Resolve = Callable[[str, int], Sequence[str]]
"""``resolve(host, port)``: the IP addresses of a name; raises OSError when there are none."""

__all__ = ["Job", "Limits", "Secret", "SourceResult", "collect", "fetch_all"]

_MOST_LOOK_UPS = 32
_NUMBER = re.compile(r"[0-9.]+|.*:.*")  # a host that is an address and not a name


def utc_now() -> datetime:
    """Return the time, aware, in UTC: the clock unless a caller brings another."""
    return datetime.now(UTC)


def system_resolve(host: str, port: int) -> list[str]:
    """Return the addresses the system's resolver gives for ``host``, IPv4 first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    order = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return list(dict.fromkeys(str(entry[4][0]) for entry in order))


def tls_context(cafile: str | None = None) -> ssl.SSLContext:
    """Return the context all sources share: TLS 1.2 or later, certificates and names checked."""
    context = ssl.create_default_context(cafile=cafile)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python would write session keys to the file SSLKEYLOGFILE names.
    context.keylog_filename = None  # type: ignore[assignment]
    return context


class _LookUps:
    """Threads for the blocking look-up; the end of a run does not wait for them.

    A thread takes the next name when it is done with one, so that a hundred quick look-ups need
    few; one that hangs keeps its thread, and up to :data:`_MOST_LOOK_UPS` may.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = 0

    async def find(self, host: str, port: int) -> Sequence[str]:
        """Return what the resolver says; OSError when it says nothing."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()

        def settle(found: Sequence[str], problem: Exception | None) -> None:
            if answer.done():
                return
            if problem is None:
                answer.set_result(found)
            else:
                answer.set_exception(problem)

        def work() -> None:
            found: Sequence[str] = ()
            problem: Exception | None = None
            try:
                found = self._resolve(host, port)
            except (OSError, UnicodeError) as seen:
                problem = OSError(f"{host} cannot be looked up: {seen}")
            with contextlib.suppress(RuntimeError):  # the run is over and its loop closed
                loop.call_soon_threadsafe(settle, found, problem)

        self._work.put(work)
        if self._threads < min(self._work.qsize(), _MOST_LOOK_UPS):
            self._threads += 1
            threading.Thread(target=self._serve, daemon=True, name="look-up").start()
        return await answer

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def close(self) -> None:
        """Let every thread end when it is done with what it does."""
        for _ in range(self._threads):
            self._work.put(None)


class _Places:
    """The origins of one run, each made when it is first named."""

    def __init__(self, limits: Limits, resolve: Resolve, tls: ssl.SSLContext | None) -> None:
        self._limits = limits
        self._look_ups = _LookUps(resolve)
        self._tls = tls
        self._made: dict[tuple[str, str, int], Place] = {}

    def __call__(self, url: httpx.URL) -> Place:
        port = url.port or (443 if url.scheme == "https" else 80)
        key = (url.scheme, url.host, port)
        if key not in self._made:
            self._made[key] = Place(
                url.host,
                lambda: self._vetted(url, port),
                lambda address: self._open(url, address, port),
                self._limits.per_host,
            )
        return self._made[key]

    def close(self) -> None:
        for place in self._made.values():
            place.close()
        self._look_ups.close()

    async def _vetted(self, url: httpx.URL, port: int) -> Sequence[str]:
        """Look the host up, once for the whole run, and return its addresses if all may be."""
        limits = self._limits
        inside = limits.allow_loopback or is_loopback_literal(url.host)
        if url.scheme != "https" and not inside:
            raise Refused("TLS", f"{url.host}: http carries no proof of who answers; use https")
        if _NUMBER.fullmatch(url.host):
            return [vet_address(url.host, inside)]
        try:
            found = await self._look_ups.find(url.host, port)
        except OSError as problem:
            raise Refused("CONNECT", str(problem)) from problem
        if not found:
            raise Refused("CONNECT", f"{url.host} has no address")
        return [vet_address(address, limits.allow_loopback) for address in found]

    async def _open(self, url: httpx.URL, address: str, port: int) -> Speaker:
        """Connect to a vetted address; a certificate is checked against the name in the URL."""
        loop = asyncio.get_running_loop()
        is_secure = url.scheme == "https"
        if is_secure and self._tls is None:
            self._tls = tls_context()  # once a run, for all sources: it reads every authority
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                _, wire = await loop.create_connection(
                    Wire,
                    address,
                    port,
                    ssl=self._tls if is_secure else None,
                    server_hostname=url.raw_host.decode("ascii") if is_secure else None,
                )
        except (OSError, TimeoutError) as problem:
            raise unreachable(problem) from problem
        return Speaker(wire, self._limits.idle_seconds)


async def _all_ended(tasks: Sequence[asyncio.Task[SourceResult]], ends_at: float) -> None:
    """Wait until every source has ended; from half a second after the deadline on, end them.

    Each source ends itself by the deadline. This is for the day when one does not.
    """
    loop, pending = asyncio.get_running_loop(), set(tasks)
    while pending:
        room = max(ends_at + 0.5 - loop.time(), 0.1)
        _, pending = await asyncio.wait(pending, timeout=room)
        for task in pending:
            task.cancel()


def _late(task: asyncio.Task[SourceResult]) -> BaseException:
    if task.cancelled():
        return Refused("TIMEOUT", "it did not end by the deadline of the run and was ended")
    return task.exception() or RuntimeError("it ended without a result")


async def fetch_all(
    jobs: Sequence[Job],
    run_deadline_seconds: float,
    *,
    archive: Callable[[Capture], object] | None = None,
    known: Known | None = None,
    now: Callable[[], datetime] = utc_now,
    limits: Limits | None = None,
    resolve: Resolve = system_resolve,
    tls: ssl.SSLContext | None = None,
) -> list[SourceResult]:
    """Read every job at once; return one result a job, in the order of ``jobs``.

    ``archive`` is called with each capture before the source's generator sees it, in one thread
    beside the reading. ``known`` is what is held already: what a server confirms is not sent again.
    ``now`` gives aware UTC times and dates every capture; deadlines run on the monotonic clock.

    Raises:
        Exception: whatever ``archive`` raised, after all sources have ended. Nothing a source
            does is raised.
    """
    places = _Places(limits or Limits(), resolve, tls)
    with ThreadPoolExecutor(1, thread_name_prefix="archive") as disk:
        shared = Shared(
            limits=limits or Limits(),
            now=now,
            archive=archive,
            known=known,
            place=places,
            ends_at=asyncio.get_running_loop().time() + run_deadline_seconds,
            disk=disk,
        )
        readings = [Reading(job, shared) for job in jobs]
        tasks = [asyncio.create_task(one.outcome()) for one in readings]
        try:
            await _all_ended(tasks, shared.ends_at)
        finally:
            places.close()
    for one in readings:
        if one.archive_failure is not None:
            raise one.archive_failure
    skew = skew_of(shared.seen)
    found = [
        one.result(_late(task)) if task.cancelled() or task.exception() else task.result()
        for one, task in zip(readings, tasks, strict=True)
    ]
    return [replace(one, findings=(*one.findings, skew)) for one in found] if skew else found


def collect(
    jobs: Sequence[Job],
    run_deadline_seconds: float,
    *,
    archive: Callable[[Capture], object] | None = None,
    known: Known | None = None,
    now: Callable[[], datetime] = utc_now,
    limits: Limits | None = None,
    resolve: Resolve = system_resolve,
    tls: ssl.SSLContext | None = None,
) -> list[SourceResult]:
    """Do what :func:`fetch_all` does, from code that is not asynchronous."""
    options = {
        "archive": archive,
        "known": known,
        "now": now,
        "limits": limits,
        "resolve": resolve,
        "tls": tls,
    }
    return asyncio.run(fetch_all(jobs, run_deadline_seconds, **options))  # type: ignore[arg-type]
