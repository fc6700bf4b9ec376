"""One source being read in one run: its pages, its retries, its caps, its outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from collectors import freshness
from collectors.answers import (
    ANY_TYPE,
    KEPT_HEADERS,
    BadUrl,
    Fields,
    Url,
    explain,
    fields_of,
    judge,
    own_url,
    refutes,
)
from collectors.base import Capture, Request, single_get
from collectors.held import Held, Known
from collectors.http1 import NOT_HTTP, Head, Speaker
from collectors.jobs import Job, Limits, SourceResult
from collectors.place import Place, jitter
from collectors.robots import MAX_BYTES, Rules
from collectors.wire import PIECE, Again, Keeper, Refused, Unpacker
from methodology.errors import FetchError, SourceError

_YIELD_EVERY = PIECE  # unpacked bytes after which other sources get a turn
_FRAMING = 2**20  # bytes that chunk sizes and header fields may take beyond twice the body


@dataclass(slots=True)
class Shared:
    """What the sources of one run have in common.

    ``now`` dates captures; :meth:`wall` is that clock at the start of the run, carried on by the
    monotonic one, so that a step of the system's clock ages no answer.
    """

    limits: Limits
    now: Callable[[], datetime]
    archive: Callable[[Capture], object] | None
    known: Known | None
    place: Callable[[Url], Place]
    ends_at: float
    disk: ThreadPoolExecutor
    seen: list[freshness.Seen] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    began_wall: datetime | None = None

    def wall(self) -> datetime:
        """Return our time, aware."""
        if self.began_wall is None:
            self.began_wall = self.now()
        return self.began_wall + timedelta(seconds=time.monotonic() - self.began)


def _was_idle_too_long(problem: Exception, speaker: Speaker | None, request: Request) -> bool:
    """Return whether a kept connection had ended before the request reached anybody.

    Servers end idle connections when they like (RFC 9112 9.3.1): no failure of theirs, and no
    try of ours. A new connection is not in that state, so this ends.
    """
    may_repeat = request.method == "GET" or request.is_safe
    is_old = speaker is not None and speaker.is_used and speaker.answer_bytes == 0
    return is_old and may_repeat and isinstance(problem, ConnectionError)


class Reading:
    """One source being read; what it has got so far survives whatever ends it."""

    def __init__(self, job: Job, shared: Shared) -> None:
        self.job = job
        self.source = job.source
        self.shared = shared
        self.captures: list[Capture] = []
        self.raw_bytes = 0
        self.kept_bytes = 0
        self.whole_bytes = 0
        self.attempts = 0
        self.undated = 0
        self.started_at = shared.now()
        self.archive_failure: Exception | None = None
        self._base = Url()
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
        undated = f"DATE_MISSING: {self.undated} of {len(self.captures)} answers carry no Date"
        return SourceResult(
            source=self.source.id,
            captures=tuple(self.captures),
            error=error,
            started_at=self.started_at,
            finished_at=self.shared.now(),
            raw_bytes=self.raw_bytes,
            attempts=self.attempts,
            findings=(undated,) if self.undated else (),
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
        await self.shared.place(self._base).addresses()
        limits = self.shared.limits
        flow = (self.job.requests or self.source.requests)(home)
        try:
            request = next(flow, None)
            while request is not None:
                if len(self.captures) >= limits.max_pages:
                    raise Refused("PROTOCOL", f"more than {limits.max_pages} pages")
                capture = await self._insist(request)
                await self._keep(capture)
                try:
                    request = flow.send(capture)
                except StopIteration:
                    request = None
        finally:
            flow.close()

    async def _keep(self, capture: Capture) -> None:
        """Archive in a thread: a slow disk must not stop the reading of other sources."""
        if self.shared.archive is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self.shared.disk, self._archive, capture)
            if self.archive_failure is not None:
                raise Refused("ARCHIVE", "the body could not be archived")
        self.captures.append(capture)

    def _archive(self, capture: Capture) -> None:
        try:
            if self.shared.archive is not None:
                self.shared.archive(capture)
        except Exception as problem:  # noqa: BLE001 (raised by fetch_all when all have ended)
            self.archive_failure = problem

    async def _insist(self, request: Request) -> Capture:
        """Send ``request``, again where that may help and may be, while the deadline allows."""
        limits, place = self.shared.limits, self.shared.place(self._base)
        attempts = limits.max_attempts if request.method == "GET" or request.is_safe else 1
        for attempt in range(1, attempts + 1):
            try:
                return await self._follow(request)
            except Again as problem:
                pause = jitter(limits.backoff_seconds, attempt)
                if problem.after is not None:
                    place.hold(self.source.id, problem.after)
                    pause = problem.after
                room = self._ends_at - asyncio.get_running_loop().time()
                if attempt == attempts or pause >= room:
                    tried = f"{problem.detail} (try {attempt}, next in {pause:.0f} s at best)"
                    raise Refused(problem.reason, tried, problem.status) from problem
                self._tries += 1  # the next address, should there be several
            await asyncio.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _follow(self, request: Request) -> Capture:
        url = own_url(request.url, self._base)
        if request.params:
            url = url.copy_merge_params(dict(request.params))
        for _ in range(self.shared.limits.max_redirects + 1):
            await self._ask_robots(url)
            answer = await self._exchange(url, request, self._held(url, request))
            if isinstance(answer, Capture):
                return answer
            if request.method != "GET":
                raise Refused("REDIRECT_REFUSED", f"{url.path}: only a GET may be redirected")
            try:
                url = own_url(url.join(answer), self._base)
            except (Refused, BadUrl) as problem:
                raise Refused("REDIRECT_REFUSED", f"{url.path} leads away: {problem}") from problem
        raise Refused("REDIRECT_REFUSED", f"more than {self.shared.limits.max_redirects} in a row")

    def _held(self, url: Url, request: Request) -> Held | None:
        """Return what is held of this URL; nothing where other words would get another body."""
        is_plain = request.method == "GET" and not request.headers and request.body is None
        if self.shared.known is None or not is_plain or self.job.line_filter is not None:
            return None
        return self.shared.known.find(self.source.id, str(url))

    async def _ask_robots(self, url: Url) -> None:
        """Let a page made for people be read only as its site's robots file allows."""
        if not self.source.is_page:
            return
        place = self.shared.place(url)
        async with place.robots_lock:
            if place.robots is None:
                place.robots = await self._robots(url)
        place.robots.check(str(url))

    async def _robots(self, url: Url) -> Rules:
        """Fetch the robots file as a source of its own: same caps, no key, not archived."""
        source = replace(
            self.source, is_page=False, auth_env=None, content_types=(ANY_TYPE,),
            requests=single_get, max_raw_bytes=MAX_BYTES, max_decoded_bytes=MAX_BYTES,
        )  # fmt: skip
        job = Job(source, url=str(url.copy_with(path="/robots.txt", query=None)))
        asking = Reading(job, replace(self.shared, archive=None, known=None))
        asking._ends_at = self._ends_at
        try:
            await asking._read()
        except Refused as problem:
            # RFC 9309 2.3.1: a file that is not there allows; one that cannot be had forbids.
            if problem.status is not None and 400 <= problem.status < 500 and problem.status != 429:
                return Rules(None)
            told = f"its robots file cannot be had ({problem.reason}: {problem.detail})"
            raise Refused("ROBOTS_UNREACHABLE", told) from problem
        finally:
            self.attempts += asking.attempts
        return Rules(asking.captures[0].body)

    async def _exchange(self, url: Url, request: Request, held: Held | None) -> Capture | str:
        """Send one request: a capture comes back, or where a redirect points."""
        shared, place = self.shared, self.shared.place(url)
        limits = shared.limits
        spacing = max(limits.spacing_seconds, self.source.spacing_seconds)
        body: bytes | None = None
        in_body, was_lost = False, False
        used: Speaker | None = None
        async with place.turn(self.source.id, spacing, self._ends_at):
            self.attempts += 1
            try:
                async with place.connection(self._tries) as speaker:
                    used = speaker
                    asked_at = shared.wall()
                    head = await self._head(speaker, url, request, held)
                    fields = fields_of(head, self.job.secret)
                    is_same = head.status == 304 and held is not None
                    if not is_same:
                        target = judge(self.source, head.status, fields, url.path, asked_at)
                        if target is not None:
                            return target
                    stamp = freshness.prove(
                        fields, url.host, self.source.max_age, asked_at, shared.wall()
                    )
                    in_body = True
                    if is_same:
                        async for _ in speaker.pieces():
                            pass  # h11 allows a 304 no body
                    else:
                        body = await self._body(speaker, head, fields)
                    speaker.finish()
            except (OSError, TimeoutError, *NOT_HTTP) as problem:
                was_lost = _was_idle_too_long(problem, used, request)
                if not was_lost:
                    raise explain(problem, in_body) from problem
        if was_lost:
            return await self._exchange(url, request, held)
        if body is None and held is not None and not refutes(fields, held):
            body = await self._confirmed(held)
        if body is None:  # ours is gone or changed, or the server speaks of another: ask for all
            return await self._exchange(url, request, None)
        shared.seen.append(stamp)
        self.undated += stamp.date is None
        return self._capture(url, head, fields, body)

    async def _confirmed(self, held: Held) -> bytes | None:
        """Return the body that the server says still stands, as the archive has it."""
        known = self.shared.known
        if known is None:
            return None
        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(self.shared.disk, known.body, held)
        if body is not None:
            room = self._room()
            if len(body) > room:
                raise Refused("TOO_LARGE_DECODED", f"more than {room} bytes to keep")
            self.kept_bytes += len(body)
        return body

    def _room(self) -> int:
        most = min(self.source.max_decoded_bytes, self.shared.limits.max_kept_bytes)
        return most - self.kept_bytes

    async def _head(self, speaker: Speaker, url: Url, request: Request, held: Held | None) -> Head:
        """Send the request; return the head of the answer, which has its own time to be whole."""
        fields = Fields(
            {
                "Host": url.netloc.decode("ascii"),
                "Accept": ", ".join(self.source.content_types),
                "Accept-Encoding": "gzip",
                "Cache-Control": "no-cache",
            }
        )
        fields.update(dict(request.headers))
        fields["Host"] = url.netloc.decode("ascii")
        fields["User-Agent"] = self.shared.limits.user_agent
        if held is not None:
            fields.update(held.conditions)
        if self.job.secret is not None:
            auth = self.source.auth
            fields[auth.header] = f"{auth.prefix}{self.job.secret.reveal()}"
        target = url.raw_path.decode("ascii")
        listed = [(name.decode(), value.decode()) for name, value in fields.raw]
        seconds = self.shared.limits.head_seconds
        async with asyncio.timeout(seconds):
            return await speaker.ask(request.method, target, listed, request.body)

    async def _body(self, speaker: Speaker, head: Head, fields: Fields) -> bytes:
        encoding = fields.get("content-encoding", "identity").strip().lower()
        unpacker = Unpacker(encoding)
        length = fields.get("content-length")
        framed = length is not None or bool(head.every("transfer-encoding"))
        if not framed and encoding == "identity":
            raise Refused("TRUNCATED", "no length and no chunks: a cut body would look whole")
        if length is not None and self.raw_bytes + int(length) > self._max_raw:
            raise Refused("TOO_LARGE_RAW", f"{length} bytes announced; cap {self._max_raw}")
        job, room = self.job, self._room()
        whole = job.max_whole_bytes - self.whole_bytes
        keeper = Keeper(room, whole if job.line_filter else room, job.line_filter, job.header_lines)
        turn = _YIELD_EVERY
        async for chunk in speaker.pieces():
            self.raw_bytes += len(chunk)
            if self.raw_bytes > self._max_raw:
                raise Refused("TOO_LARGE_RAW", f"more than {self._max_raw} bytes on the wire")
            if speaker.answer_bytes > 2 * self._max_raw + _FRAMING:
                raise Refused("TOO_LARGE_RAW", "more framing than body")
            for piece in unpacker.feed(chunk):
                keeper.feed(piece)
                if keeper.whole_bytes >= turn:
                    turn = keeper.whole_bytes + _YIELD_EVERY
                    await asyncio.sleep(0)
        unpacker.finish()
        body = keeper.finish()
        if job.secret is not None and job.secret.is_in(body):
            raise Refused("SECRET_ECHOED", "the body holds the key; it was not kept")
        self.kept_bytes += len(body)
        self.whole_bytes += keeper.whole_bytes
        if job.line_filter is not None:
            fields["x-whole-body-sha256"] = keeper.whole_sha256
            fields["x-whole-body-bytes"] = str(keeper.whole_bytes)
        return body

    def _capture(self, url: Url, head: Head, fields: Fields, body: bytes) -> Capture:
        names: tuple[str, ...] = KEPT_HEADERS
        if self.job.line_filter is not None:
            names = (*names, "x-whole-body-sha256", "x-whole-body-bytes")
        kept = {name: fields[name] for name in names if name in fields}
        return Capture(self.source.id, str(url), body, self.shared.now(), head.status, kept)
