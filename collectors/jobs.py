"""What a run is asked to read, within which limits, and what it answers."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from collectors.base import Capture, Requests, Source
from collectors.secret import Secret
from collectors.wire import LineFilter
from methodology.errors import FetchError


@lru_cache(maxsize=1)
def _version() -> str:
    """Return our version; looked up once, because that reads and parses files."""
    try:
        return importlib.metadata.version("spotfix")
    except importlib.metadata.PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run allows itself; sizes and deadlines of a source are on the source.

    ``allow_loopback`` lets any configured name lead to loopback and is meant for tests;
    ``per_host`` is how many requests may be open to one host at a time, 1 to 4. ``contact`` is an
    address a provider can write to, sent in User-Agent. ``max_kept_bytes`` bounds what is held of
    one source in memory, whatever its own caps say. ``head_seconds`` is the time in which the head
    of an answer must be whole; ``spacing_seconds`` the least time from one request to a host to
    the next, whichever source sends them.
    """

    contact: str = ""
    allow_loopback: bool = False
    per_host: int = 4
    max_kept_bytes: int = 256 * 2**20
    max_pages: int = 200
    max_redirects: int = 3
    max_attempts: int = 3
    connect_seconds: float = 10.0
    idle_seconds: float = 30.0
    head_seconds: float = 30.0
    spacing_seconds: float = 0.0
    backoff_seconds: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.per_host <= 4:
            raise ValueError(f"per_host is {self.per_host}; a source is asked by 1 to 4 at a time")

    @property
    def user_agent(self) -> str:
        """User-Agent of every request: name, version and how to reach its sender."""
        version = _version()
        return f"spotfix/{version} (+{self.contact})" if self.contact else f"spotfix/{version}"


@dataclass(frozen=True, slots=True)
class Job:
    """One source to read in this run.

    ``url`` and ``requests`` stand in for the source's own (another base URL, model ids bound), as
    do ``max_raw_bytes`` and ``deadline_seconds``; caps count over all bodies of the job.
    ``secret`` is the key the caller read from ``source.auth_env``. With ``line_filter`` only the
    first ``header_lines`` lines and the lines that pass are kept; the capture then carries
    ``x-whole-body-sha256`` and ``x-whole-body-bytes``, ``source.max_decoded_bytes`` bounds what
    is kept and ``max_whole_bytes`` the unpacked whole.
    """

    source: Source
    url: str | None = None
    requests: Requests | None = None
    secret: Secret | None = None
    line_filter: LineFilter | None = None
    header_lines: int = 1
    max_raw_bytes: int | None = None
    max_whole_bytes: int = 16 * 2**30
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SourceResult:
    """How one source went.

    ``captures`` are the bodies in the order they came, those before a failure included;
    ``error`` is None when the source gave everything it was asked for. Times are aware UTC.
    ``raw_bytes`` counts body bytes on the wire, ``attempts`` the requests sent, retries, redirects
    and robots files included. ``findings`` are things to know that are no failure, each a code and
    words: DATE_MISSING, CLOCK_SKEW.
    """

    source: str
    captures: tuple[Capture, ...]
    error: FetchError | None
    started_at: datetime
    finished_at: datetime
    raw_bytes: int
    attempts: int
    findings: tuple[str, ...] = ()
