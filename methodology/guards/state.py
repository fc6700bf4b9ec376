"""What the guards remember of a source from one body to the next, as bytes and back (2.11).

A state is made by one fixing and read by the next, so its bytes are canonical: JSON lines, keys in
order, no blanks, the source first and then one line per offer, sorted. The same bodies in the same
order give the same bytes on every machine.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

import polars as pl

from methodology.errors import LogInconsistent
from methodology.guards.figures import KEY, KEY_TYPES

SCHEMA = "guard_state/1.0"

MOMENT = pl.Datetime("us")

_MOMENT_FORM, _DAY_FORM = "%Y-%m-%dT%H:%M:%S%.6fZ", "%Y-%m-%d"
"""How the columns of time are written."""

OFFERS: dict[str, pl.DataType] = {
    **KEY_TYPES,
    "currency": pl.String(),
    "nano": pl.Int64(),
    "good_at": MOMENT,
    "since": MOMENT,
    "streak": pl.Int64(),
    "recent": pl.List(pl.Int64),
    "day": pl.Date(),
    "today": pl.List(pl.Int64),
    "shown": pl.Int64(),
    "shown_at": MOMENT,
    "held": pl.String(),
    "held_since": MOMENT,
}
"""Columns of a state's offers.

``nano``: the last price that was accepted, null if none ever was; ``good_at``: when it was last
shown; ``since``, ``streak``: when it was first shown, and by how many bodies without a change.
``recent``: accepted prices before it, newest first. ``day``, ``today``: the prices accepted on the
UTC day ``day``. ``shown``, ``shown_at``: the last figure seen, accepted or not. ``held``,
``held_since``: why it is refused now and since when; null when it is not.
"""


@dataclass(frozen=True, slots=True)
class Round:
    """Facts of a source and of one round of reading it.

    ``captured_at``: naive UTC, of the round's last body. ``digest``: SHA-256 of the body, or of
    the digests of the pages. ``pages``: candidate rows of each body of the round, refused ones
    included (``Parsed.seen``). ``currencies``, ``page_cap``, ``mode``, ``path``: as the source's
    line in the panel says. ``is_proven``: a whole body of it has been compared by a person.
    """

    source: str
    captured_at: datetime
    digest: str
    pages: tuple[int, ...]
    currencies: tuple[str, ...] = ("USD",)
    page_cap: int | None = None
    mode: str = "snapshot"
    path: str | None = None
    is_proven: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of a source as a whole.

    ``rows``: priced offers of the last body that stood; ``rows_held``: those of the last one that
    was refused for their number. ``reason``, ``since``, ``bodies``: the verdict under which the
    source is quarantined, the first body that it refused, and how many it has refused so far.
    ``path``: whose statement its rows are; ``is_proven``: whether another source may be confirmed
    by it. ``captured_at``, ``digest``: the last body seen.
    """

    source: str
    path: str
    is_proven: bool = False
    captured_at: datetime | None = None
    digest: str | None = None
    rows: int | None = None
    rows_held: int | None = None
    reason: str | None = None
    since: datetime | None = None
    bodies: int = 0


@dataclass(frozen=True)
class GuardState:
    """The memory of one source: :class:`Memory` and a frame of its offers (:data:`OFFERS`)."""

    memory: Memory
    offers: pl.DataFrame

    @classmethod
    def new(cls, source: str, path: str | None = None, *, is_proven: bool = False) -> GuardState:
        """Return the state of a source of which no body was seen yet."""
        return cls(Memory(source, path or source, is_proven), pl.DataFrame(schema=OFFERS))

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: one line of JSON for the source, one per offer."""
        head = {
            "schema": SCHEMA,
            **{name: _plain(value) for name, value in asdict(self.memory).items()},
        }
        columns = [_as_written(name) for name in sorted(OFFERS)]
        rows = self.offers.sort(KEY, nulls_last=True).select(columns)
        body = io.BytesIO()
        if not rows.is_empty():
            rows.write_ndjson(body)
        return _line(head) + bytes(body.getvalue())

    @classmethod
    def from_bytes(cls, body: bytes) -> GuardState:
        """Return the state that :meth:`to_bytes` wrote.

        Raises:
            LogInconsistent: the bytes are not a state's, or not its canonical ones.
        """
        try:
            found = cls._read(body)
            if found is not None:
                return found
            head, *rows = [json.loads(line) for line in body.splitlines()]
            if head.pop("schema") != SCHEMA or set(head) != {f.name for f in fields(Memory)}:
                raise ValueError(f"the first line is not one of {SCHEMA}")
            if any(set(row) != set(OFFERS) for row in rows):
                raise ValueError(f"a line has not the columns of {SCHEMA}")
            memory = replace(
                Memory(**head), captured_at=_time(head["captured_at"]), since=_time(head["since"])
            )
            offers = pl.DataFrame(
                {name: [_typed(row[name], OFFERS[name]) for row in rows] for name in OFFERS},
                schema=OFFERS,
                strict=True,
            )
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            pl.exceptions.PolarsError,
        ) as error:
            raise LogInconsistent(
                f"guard state: {error}; restore the artefact from a copy of the ledger"
            ) from error
        state = cls(memory, offers)
        if state.to_bytes() != body:
            raise LogInconsistent(
                f"guard state of {memory.source}: the bytes are not canonical; restore the "
                "artefact from a copy of the ledger"
            )
        return state

    @classmethod
    def _read(cls, body: bytes) -> GuardState | None:
        """Return the state of canonical bytes, None where a closer look must tell what is wrong."""
        first, _, rest = body.partition(b"\n")
        head = json.loads(first)
        if head.pop("schema") != SCHEMA:
            return None
        memory = replace(
            Memory(**head), captured_at=_time(head["captured_at"]), since=_time(head["since"])
        )
        offers = pl.DataFrame(schema=OFFERS)
        if rest:
            try:
                offers = pl.read_ndjson(io.BytesIO(rest), schema=_WRITTEN)
                offers = offers.select(_as_read(name) for name in OFFERS)
            except pl.exceptions.PolarsError:
                return None
        state = cls(memory, offers)
        return state if state.to_bytes() == body else None


_WRITTEN: dict[str, pl.DataType] = {
    name: pl.Int64() if dtype.is_integer() else pl.String() if dtype.is_temporal() else dtype
    for name, dtype in OFFERS.items()
}
"""The columns of the lines: times are text there, and the reader knows no narrow integers."""


def _as_written(name: str) -> pl.Expr:
    dtype = OFFERS[name]
    if not dtype.is_temporal():
        return pl.col(name)
    return pl.col(name).dt.strftime(_MOMENT_FORM if dtype == MOMENT else _DAY_FORM)


def _as_read(name: str) -> pl.Expr:
    dtype = OFFERS[name]
    if dtype == MOMENT:
        return pl.col(name).str.to_datetime(_MOMENT_FORM, time_unit="us", time_zone=None)
    return pl.col(name).str.to_date(_DAY_FORM) if dtype == pl.Date() else pl.col(name).cast(dtype)


def _line(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8") + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    return value.isoformat() if hasattr(value, "isoformat") else value


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.removesuffix("Z"))


def _typed(value: Any, dtype: pl.DataType) -> Any:
    if value is not None and dtype == MOMENT:
        return _time(value)
    if value is not None and dtype == pl.Date():
        return datetime.fromisoformat(value).date()
    return value
