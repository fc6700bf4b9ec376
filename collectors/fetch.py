"""The only file that opens an outward socket.

What it promises, whatever a server does:

1. Every source ends by its own deadline and by the run's, counted over everything it does:
   looking up the name, waiting for a slot, every page, every retry. A dripping server gains
   nothing, because no single read resets the clock.
2. A source may send so many bytes, packed and unpacked, over all its pages. Bodies are unpacked
   here, piece by piece; httpx would unpack a bomb whole.
3. The name is looked up once, every answer must be a public address, and the connection goes to
   that address: a name that changes its mind later is not asked again. Certificates are checked
   against the name. No proxy, netrc or certificate variable of the environment is obeyed.
4. Pages and redirects stay on the scheme, host and port the source is configured with.
5. What goes wrong is a result with a reason code. One sick source neither delays nor ends the rest.
   Only a failure to archive is raised: prices that cannot be kept must not be used.

Reason codes: TIMEOUT, TOO_LARGE_RAW, TOO_LARGE_DECODED, HTTP_STATUS, REDIRECT_REFUSED,
CONTENT_TYPE, BAD_ENCODING, CONNECT, TLS, ADDRESS_REFUSED, TRUNCATED, PROTOCOL.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from collectors.answers import KEPT_HEADERS, explain, judge, own_url
from collectors.base import Capture, Request
from collectors.jobs import Job, Limits, Secret, SourceResult
from collectors.wire import Again, Keeper, Refused, Unpacker, is_loopback_literal, vet_address
from methodology.errors import FetchError, SourceError

Resolve = Callable[[str, int], Sequence[str]]
"""``resolve(host, port)``: the IP addresses of a name; raises OSError when there are none."""

__all__ = ["Job", "Limits", "Secret", "SourceResult", "collect", "fetch_all"]

_YIELD_EVERY = 2**20  # unpacked bytes after which other sources get a turn


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


@dataclass(slots=True)
class _Shared:
    """What the sources of one run have in common."""

    limits: Limits
    now: Callable[[], datetime]
    archive: Callable[[Capture], object] | None
    resolve: Resolve
    tls: ssl.SSLContext
    ends_at: float
    slots: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    def slot(self, host: str) -> asyncio.Semaphore:
        return self.slots.setdefault(host, asyncio.Semaphore(self.limits.per_host))


async def _look_up(resolve: Resolve, host: str, port: int) -> Sequence[str]:
    """Run the blocking lookup in a thread that the end of the run does not wait for."""
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
            found = resolve(host, port)
        except (OSError, UnicodeError) as seen:
            problem = OSError(f"{host} cannot be looked up: {seen}")
        with contextlib.suppress(RuntimeError):  # the run is over and its loop closed
            loop.call_soon_threadsafe(settle, found, problem)

    threading.Thread(target=work, daemon=True, name=f"lookup {host}").start()
    return await answer


class _Reading:
    """One source being read; what it has got so far survives whatever ends it."""

    def __init__(self, job: Job, shared: _Shared) -> None:
        self.job = job
        self.source = job.source
        self.shared = shared
        self.captures: list[Capture] = []
        self.raw_bytes = 0
        self.kept_bytes = 0
        self.whole_bytes = 0
        self.attempts = 0
        self.started_at = shared.now()
        self.archive_failure: Exception | None = None
        self._base = httpx.URL()
        self._addresses: Sequence[str] = ()
        self._tries = 0
        self._ends_at = 0.0
        self._max_raw = job.max_raw_bytes or job.source.max_raw_bytes

    def result(self, problem: BaseException | None) -> SourceResult:
        """Return the outcome, with ``problem`` as a typed error that shows no key."""
        error: FetchError | None = None
        if problem is not None:
            reason, detail = "PROTOCOL", f"{type(problem).__name__}: {problem}"
            if isinstance(problem, Refused):
                reason, detail = problem.reason, problem.detail
            elif isinstance(problem, SourceError):
                detail = f"its own code gave up: {problem}"
            detail = self.job.secret.scrub(detail) if self.job.secret else detail
            error = FetchError(self.source.id, reason, detail[:500])
        return SourceResult(
            source=self.source.id,
            captures=tuple(self.captures),
            error=error,
            started_at=self.started_at,
            finished_at=self.shared.now(),
            raw_bytes=self.raw_bytes,
            attempts=self.attempts,
        )

    async def outcome(self) -> SourceResult:
        """Read the source to its end or to what stops it, and say how it went."""
        # Settled here, not after the run: a kept traceback would keep the body it holds.
        try:
            await self._run()
        except (Refused, SourceError) as problem:
            return self.result(problem)
        return self.result(None)

    async def _run(self) -> None:
        seconds = self.job.deadline_seconds or self.source.deadline_seconds
        loop = asyncio.get_running_loop()
        self._ends_at = min(loop.time() + seconds, self.shared.ends_at)
        try:
            async with asyncio.timeout_at(self._ends_at):
                await self._read()
        except TimeoutError as problem:
            got = f"{len(self.captures)} bodies, {self.raw_bytes} bytes, {self.attempts} requests"
            raise Refused("TIMEOUT", f"not done by its deadline ({got})") from problem

    async def _read(self) -> None:
        home = self.job.url or self.source.url
        self._base = own_url(home)
        self._addresses = await self._vetted()
        limits = self.shared.limits
        transport = httpx.AsyncHTTPTransport(
            verify=self.shared.tls,
            trust_env=False,
            limits=httpx.Limits(max_connections=limits.per_host, max_keepalive_connections=1),
        )
        flow = (self.job.requests or self.source.requests)(home)
        async with transport:
            try:
                request = next(flow, None)
                while request is not None:
                    if len(self.captures) >= limits.max_pages:
                        raise Refused("PROTOCOL", f"more than {limits.max_pages} pages")
                    capture = await self._insist(transport, request)
                    self._keep(capture)
                    try:
                        request = flow.send(capture)
                    except StopIteration:
                        request = None
            finally:
                flow.close()

    def _keep(self, capture: Capture) -> None:
        if self.shared.archive is not None:
            try:
                self.shared.archive(capture)
            except Exception as problem:
                self.archive_failure = problem
                raise
        self.captures.append(capture)

    async def _vetted(self) -> Sequence[str]:
        """Look the host up, once for the whole source, and return its addresses if all may be."""
        url, limits = self._base, self.shared.limits
        inside = limits.allow_loopback or is_loopback_literal(url.host)
        if url.scheme != "https" and not inside:
            raise Refused("TLS", f"{url.host}: http carries no proof of who answers; use https")
        port = url.port or (443 if url.scheme == "https" else 80)
        if re.fullmatch(r"[0-9.]+|.*:.*", url.host):
            return [vet_address(url.host, inside)]
        try:
            found = await _look_up(self.shared.resolve, url.host, port)
        except OSError as problem:
            raise Refused("CONNECT", str(problem)) from problem
        if not found:
            raise Refused("CONNECT", f"{url.host} has no address")
        return [vet_address(address, limits.allow_loopback) for address in found]

    async def _insist(self, transport: httpx.AsyncHTTPTransport, request: Request) -> Capture:
        """Send ``request``, again where that may help, as long as the deadline allows."""
        limits = self.shared.limits
        for attempt in range(1, limits.max_attempts + 1):
            try:
                return await self._follow(transport, request)
            except Again as problem:
                pause = limits.backoff_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
                pause = pause if problem.after is None else problem.after
                room = self._ends_at - asyncio.get_running_loop().time()
                if attempt == limits.max_attempts or pause >= room:
                    tried = f"{problem.detail} (try {attempt}, next in {pause:.0f} s at best)"
                    raise Refused(problem.reason, tried) from problem
                self._tries += 1  # the next address, should there be several
            await asyncio.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _follow(self, transport: httpx.AsyncHTTPTransport, request: Request) -> Capture:
        url = own_url(request.url, self._base)
        if request.params:
            url = url.copy_merge_params(dict(request.params))
        for _ in range(self.shared.limits.max_redirects + 1):
            answer = await self._exchange(transport, url, request)
            if isinstance(answer, Capture):
                return answer
            if request.method != "GET":
                raise Refused("REDIRECT_REFUSED", f"{url.path}: only a GET may be redirected")
            try:
                url = own_url(url.join(answer), self._base)
            except (Refused, httpx.InvalidURL) as problem:
                raise Refused("REDIRECT_REFUSED", f"{url.path} leads away: {problem}") from problem
        raise Refused("REDIRECT_REFUSED", f"more than {self.shared.limits.max_redirects} in a row")

    async def _exchange(
        self, transport: httpx.AsyncHTTPTransport, url: httpx.URL, request: Request
    ) -> Capture | str:
        """Send one request: a capture comes back, or where a redirect points."""
        limits = self.shared.limits
        timeouts = httpx.Timeout(limits.idle_seconds, connect=limits.connect_seconds, pool=None)
        extensions: dict[str, object] = {"timeout": timeouts.as_dict()}
        if url.scheme == "https" and not re.fullmatch(r"[0-9.]+|.*:.*", url.host):
            extensions["sni_hostname"] = url.raw_host.decode("ascii")
        address = self._addresses[self._tries % len(self._addresses)]
        sent = httpx.Request(
            request.method,
            url.copy_with(host=address),
            headers=self._headers(request, url),
            content=request.body,
            extensions=extensions,
        )
        in_body = False
        async with self.shared.slot(url.host):
            self.attempts += 1
            try:
                response = await transport.handle_async_request(sent)
                try:
                    target = judge(self.source, response, url.path, self.shared.now())
                    in_body = True
                    return target if target is not None else await self._body(response, url)
                finally:
                    await response.aclose()
            except httpx.TransportError as problem:
                raise explain(problem, in_body) from problem

    def _headers(self, request: Request, url: httpx.URL) -> httpx.Headers:
        headers = httpx.Headers(
            {
                "Host": url.netloc.decode("ascii"),
                "Accept": ", ".join(self.source.content_types),
                "Accept-Encoding": "gzip",
                "Cache-Control": "no-cache",
            }
        )
        headers.update(dict(request.headers))
        headers["Host"] = url.netloc.decode("ascii")
        headers["User-Agent"] = self.shared.limits.user_agent
        if self.job.secret is not None:
            headers["Authorization"] = f"Bearer {self.job.secret.reveal()}"
        return headers

    async def _body(self, response: httpx.Response, url: httpx.URL) -> Capture:
        headers = response.headers
        encoding = headers.get("content-encoding", "identity").strip().lower()
        unpacker = Unpacker(encoding)
        length = headers.get("content-length")
        framed = length is not None or "transfer-encoding" in headers
        if not framed and encoding == "identity":
            raise Refused("TRUNCATED", "no length and no chunks: a cut body would look whole")
        if length is not None and self.raw_bytes + int(length) > self._max_raw:
            raise Refused("TOO_LARGE_RAW", f"{length} bytes announced; cap {self._max_raw}")
        job = self.job
        room = min(self.source.max_decoded_bytes, self.shared.limits.max_kept_bytes)
        room -= self.kept_bytes
        whole = job.max_whole_bytes - self.whole_bytes
        keeper = Keeper(room, whole if job.line_filter else room, job.line_filter, job.header_lines)
        turn = _YIELD_EVERY
        async for chunk in response.aiter_raw():
            self.raw_bytes += len(chunk)
            if self.raw_bytes > self._max_raw:
                raise Refused("TOO_LARGE_RAW", f"more than {self._max_raw} bytes on the wire")
            for piece in unpacker.feed(chunk):
                keeper.feed(piece)
                if keeper.whole_bytes >= turn:
                    turn = keeper.whole_bytes + _YIELD_EVERY
                    await asyncio.sleep(0)
        unpacker.finish()
        body = keeper.finish()
        self.kept_bytes += len(body)
        self.whole_bytes += keeper.whole_bytes
        kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
        if job.line_filter is not None:
            kept["x-whole-body-sha256"] = keeper.whole_sha256
            kept["x-whole-body-bytes"] = str(keeper.whole_bytes)
        status, now = response.status_code, self.shared.now()
        return Capture(self.source.id, str(url), body, now, status, kept)


async def fetch_all(
    jobs: Sequence[Job],
    run_deadline_seconds: float,
    *,
    archive: Callable[[Capture], object] | None = None,
    now: Callable[[], datetime] = utc_now,
    limits: Limits | None = None,
    resolve: Resolve = system_resolve,
    tls: ssl.SSLContext | None = None,
) -> list[SourceResult]:
    """Read every job at once; return one result a job, in the order of ``jobs``.

    ``archive`` is called with each capture before the source's generator sees it. ``now`` gives
    aware UTC times and dates every capture; deadlines run on the monotonic clock instead.

    Raises:
        Exception: whatever ``archive`` raised, after all sources have ended. Nothing a source
            does is raised.
    """
    for name in ("httpx", "httpcore"):
        # They log whole URLs at INFO and every header at DEBUG.
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    shared = _Shared(
        limits=limits or Limits(),
        now=now,
        archive=archive,
        resolve=resolve,
        tls=tls or tls_context(),
        ends_at=asyncio.get_running_loop().time() + run_deadline_seconds,
    )
    readings = [_Reading(job, shared) for job in jobs]
    ends = await asyncio.gather(*(one.outcome() for one in readings), return_exceptions=True)
    for one in readings:
        if one.archive_failure is not None:
            raise one.archive_failure
    return [
        end if isinstance(end, SourceResult) else one.result(end)
        for one, end in zip(readings, ends, strict=True)
    ]


def collect(
    jobs: Sequence[Job],
    run_deadline_seconds: float,
    *,
    archive: Callable[[Capture], object] | None = None,
    now: Callable[[], datetime] = utc_now,
    limits: Limits | None = None,
    resolve: Resolve = system_resolve,
    tls: ssl.SSLContext | None = None,
) -> list[SourceResult]:
    """Do what :func:`fetch_all` does, from code that is not asynchronous."""
    options = {"archive": archive, "now": now, "limits": limits, "resolve": resolve, "tls": tls}
    return asyncio.run(fetch_all(jobs, run_deadline_seconds, **options))  # type: ignore[arg-type]
