"""What a source is, what it asks for, what it gets, what it yields.

A source is one file: constants on top, a commented column map, ``requests`` (a generator that
yields a :class:`Request` and is handed the :class:`Capture`, so paging needs no socket) and a pure
``parse``. Only ``collectors.fetch`` opens connections; only ``collectors.archive`` keeps bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import polars as pl

from collectors.visible import shown, told
from methodology import schemas
from methodology.depth import Ask
from methodology.errors import ParseError

Kind = Literal["tokens", "gpus", "volumes", "fx"]
Mode = Literal["snapshot", "history", "schedule"]


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask for.

    ``url`` is absolute; ``params`` are added to its query. Neither they nor ``headers`` nor
    ``body`` ever carry a secret: the fetcher adds the key named by the source's ``auth_env``.
    ``is_safe`` marks a POST that only reads, so that it may be sent again after a failure.
    """

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    method: Literal["GET", "POST"] = "GET"
    body: bytes | None = None
    is_safe: bool = False


@dataclass(frozen=True, slots=True)
class Capture:
    """A body as it was received, with when and from where.

    ``body`` is the decoded content (after gzip or the like); ``sha256`` is its digest and the name
    under which the archive keeps it. ``fetched_at`` is an aware UTC time.
    """

    source: str
    url: str
    body: bytes
    fetched_at: datetime
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """SHA-256 of the body, 64 hex digits."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def observed_at(self) -> datetime:
        """``fetched_at`` as the naive UTC time that frames store."""
        return self.fetched_at.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What one capture yields: every row is in exactly one of these frames.

    ``quotes``, ``volumes``, ``rates`` and ``rejections`` follow ``methodology.schemas``; ``asks``,
    which a marketplace that shows its machines yields in place of quotes, ``depth.Ask``. Rows come
    in a fixed order for the same bytes. ``seen`` is how many candidate rows the body held: rows
    kept plus rows refused, so that nothing can vanish silently.
    """

    quotes: pl.DataFrame = field(default_factory=lambda: schemas.empty(schemas.Quote))
    volumes: pl.DataFrame = field(default_factory=lambda: schemas.empty(schemas.Volume))
    rates: pl.DataFrame = field(default_factory=lambda: schemas.empty(schemas.Rate))
    rejections: pl.DataFrame = field(default_factory=lambda: schemas.empty(schemas.Rejection))
    asks: pl.DataFrame = field(default_factory=lambda: schemas.empty(Ask))

    @property
    def seen(self) -> int:
        """Rows of every kind, refused ones included."""
        frames = (self.quotes, self.volumes, self.rates, self.rejections, self.asks)
        return sum(rows.height for rows in frames)


@dataclass(frozen=True, slots=True)
class Auth:
    """How a source wants its key: a request header and what stands before the key in it.

    Keys travel in headers only: a URL ends up in logs, archives and errors.
    """

    header: str = "Authorization"
    prefix: str = "Bearer "


Requests = Callable[[str], Generator[Request, Capture, None]]
"""``requests(base_url)``: yields requests, is sent each capture, returns when there are no more."""


@dataclass(frozen=True, slots=True)
class Source:
    """One admitted source and the terms on which it is read.

    ``code_licence`` covers the software or repository that carries the figures, ``data_right`` is
    what permits their use: they are two different things. ``tier`` is the evidence tier of its
    rows. ``mode``: one body is a ``snapshot`` of now, a dated ``history`` of what was seen when,
    or a ``schedule`` whose rows carry the seller's own dates of validity.

    ``currencies`` is what the source has been pinned to on review: a quote in any other is a fault
    of the source, not a price. ``is_live`` is False for files that only fed the bundled history.
    ``switch`` quotes the terms that stand against collecting; such a source is off until the
    operator says that he holds a licence. ``is_page`` marks a page for people: its site's robots
    file is asked first. ``page_cap`` is the row count at which the source is known to cut without
    saying so. ``every`` is how long a round leaves it alone. ``path`` names whose statement the
    rows are: two sources confirm a price only if their paths differ (default: the source's id).
    ``retention``: whether the archive keeps its bodies for ``ever`` or for the ``five_years`` that
    a record must be kept (IOSCO principle 18), the digest staying. ``spacing_seconds`` is the least
    time between two requests to its host; ``max_age`` how old an answer may be, by its server's
    date or the time a cache has kept it.
    """

    id: str
    kind: Kind
    url: str
    parse: Callable[[Capture], Parsed]
    requests: Requests
    tier: str
    code_licence: str
    data_right: str
    terms: str
    mode: Mode = "snapshot"
    auth_env: str | None = None
    content_types: tuple[str, ...] = ("application/json",)
    max_raw_bytes: int = 8 * 2**20
    max_decoded_bytes: int = 32 * 2**20
    deadline_seconds: float = 60.0
    auth: Auth = Auth()
    currencies: tuple[str, ...] = ("USD",)
    is_live: bool = True
    switch: str | None = None
    is_page: bool = False
    page_cap: int | None = None
    every: timedelta = timedelta(0)
    path: str | None = None
    retention: Literal["ever", "five_years"] = "ever"
    spacing_seconds: float = 0.0
    max_age: timedelta = timedelta(hours=6)


def single_get(url: str) -> Generator[Request, Capture, None]:
    """Yield one GET of ``url``: the request flow of most sources."""
    yield Request(url=url)


def rejection(
    capture: Capture, provider: str, listing_id: str, reason: str, detail: str
) -> dict[str, Any]:
    """Return one Rejection row at the parse stage, its texts fit to be shown."""
    return {
        "source": capture.source,
        "provider": shown(provider),
        "listing_id": shown(listing_id),
        "stage": "parse",
        "reason": reason,
        "detail": told(detail),
        "capture_sha256": capture.sha256,
    }


def not_empty(capture: Capture, found: Parsed) -> Parsed:
    """Return what was parsed.

    Raises:
        ParseError: ``EMPTY`` when it is nothing: no row, and no word on why. Such a body would look
            as if everything had been told.
    """
    if not found.seen:
        raise ParseError(
            capture.source, "EMPTY", f"{capture.url}: the body is in shape and has no row; retry"
        )
    return found
