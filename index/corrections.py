"""Corrections: captured figures taken out of a day because they were wrong (rulebook 11.7).

A correction can only take out what a day read: a whole capture, as if it had not been made, or one
listing in the captures of a span, as if it had shown no price. Nothing can be put in: there is no
field for a price, a weight or a value. It is recorded in the ledger as it was signed, so whoever
recomputes the day takes out the same.

A correction that was recorded holds for every later day that would read the same captures.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from collectors.base import Capture
from index.intake import parsed_of
from index.ledger.batches import Batches
from index.ledger.canonical import canonical
from index.published import Published
from index.refusals import REFUSALS
from methodology.definition import Methodology
from methodology.depth import depth_quotes
from methodology.errors import ConfigError, ParseError
from methodology.guards.figures import KEY

SCHEMA: Final = "correction/1.0"
KIND: Final = "correction"
"""Kind of the artefact that holds a correction."""

REASON: Final = "TAKEN_OUT"
"""Reason code of a row whose price a correction took out."""

Row = dict[str, Any]


class Action(BaseModel):
    """One thing that is taken out, and why; a table ``[[correction]]`` of the file.

    ``capture``: digest of the body, with ``refuse-capture``. ``listing``: the source's own id of
    the offer, with ``refuse-listing``; ``provider`` narrows it to one seller, ``meter`` to one of
    its prices. ``from`` and ``to`` (UTC, both included) bound the times of the captures; without
    them all of the day's are meant.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["refuse-capture", "refuse-listing"]
    source: str = Field(min_length=1)
    capture: str | None = Field(None, pattern=r"^sha256:[0-9a-f]{64}$")
    listing: str | None = Field(None, min_length=1)
    provider: str | None = Field(None, min_length=1)
    meter: str | None = Field(None, min_length=1)
    since: datetime | None = Field(None, alias="from")
    to: datetime | None = None
    reason: str = Field(min_length=10, max_length=2000)
    evidence: str = Field(pattern=r"^https://\S+$", max_length=1000)
    evidence_date: date
    status: Literal["draft", "reviewed"]

    @model_validator(mode="after")
    def _fits(self) -> Action:
        wanted = "capture" if self.action == "refuse-capture" else "listing"
        other = "listing" if wanted == "capture" else "capture"
        if getattr(self, wanted) is None:
            raise ValueError(f"{self.action} needs {wanted!r}")
        narrowed = self.provider or self.meter
        if getattr(self, other) is not None or (wanted == "capture" and narrowed):
            raise ValueError(f"{self.action} takes out by {wanted!r} alone")
        for name, moment in (("from", self.since), ("to", self.to)):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name!r} has no zone; write it like 2026-11-20T07:00:00Z")
        if self.since and self.to and self.since > self.to:
            raise ValueError("'from' is after 'to'")
        return self

    def covers(self, source: str, fetched_at: datetime, sha256: str) -> bool:
        """Return whether this action is about a capture: its source, its time (UTC), its body."""
        at = fetched_at.replace(tzinfo=UTC)
        return (
            source == self.source
            and (self.capture is None or self.capture.endswith(sha256.removeprefix("sha256:")))
            and (self.since is None or self.since <= at)
            and (self.to is None or at <= self.to)
        )

    def as_record(self) -> Row:
        """Return the action as it is recorded: every field, unknown ones null, times in UTC."""
        return {
            "action": self.action,
            "source": self.source,
            "capture": self.capture,
            "listing": self.listing,
            "provider": self.provider,
            "meter": self.meter,
            "from": _time(self.since),
            "to": _time(self.to),
            "reason": self.reason,
            "evidence": self.evidence,
            "evidence_date": self.evidence_date.isoformat(),
            "status": self.status,
        }


@dataclass(frozen=True)
class Correction:
    """What is taken out, and whether the archived bodies are parsed again by today's parsers."""

    actions: tuple[Action, ...] = ()
    parsed_again: bool = False

    def body(self, corrects: Mapping[str, Any]) -> bytes:
        """Return the artefact: this correction of the intake whose manifest is cited."""
        content = {
            "schema": SCHEMA,
            "corrects": dict(corrects),
            "parsed_again": self.parsed_again,
            "actions": [one.as_record() for one in self.actions],
        }
        return canonical(content) + b"\n"

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Correction:
        """Return the correction that an artefact holds.

        Raises:
            ConfigError: it is none.
        """
        if content.get("schema") != SCHEMA:
            raise ConfigError(f"correction: schema {content.get('schema')!r} is not {SCHEMA!r}")
        actions = _actions(content["actions"], "the recorded correction")
        return cls(actions, bool(content["parsed_again"]))

    @property
    def evidence(self) -> list[str]:
        """Where the evidence is, in order, each place once."""
        return list(dict.fromkeys(one.evidence for one in self.actions))

    @property
    def drafts(self) -> list[int]:
        """Places, from 1, of the actions that nobody has reviewed yet."""
        return [n for n, one in enumerate(self.actions, 1) if one.status != "reviewed"]


def read_file(path: Path) -> tuple[Action, ...]:
    """Return the actions of a correction file.

    Raises:
        ConfigError: no such file, not TOML, an unknown key, a missing one, or none at all; the
            message names the file, the entry and the field.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a correction file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    odd = sorted(set(content) - {"schema", "correction"})
    if content.get("schema") != SCHEMA or odd:
        raise ConfigError(
            f"{path}: begins with schema = {SCHEMA!r} and has tables [[correction]] only"
            + (f"; saw {', '.join(odd)}" if odd else "")
        )
    found = content.get("correction", [])
    if not isinstance(found, list) or not found:
        raise ConfigError(f"{path}: has no table [[correction]]; say what is to be taken out")
    return _actions(found, str(path))


def _actions(rows: Sequence[Any], where: str) -> tuple[Action, ...]:
    made = []
    for place, row in enumerate(rows, 1):
        try:
            made.append(Action.model_validate(row))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "it"
            told = first["msg"].removeprefix("Value error, ")
            raise ConfigError(
                f"{where}: correction {place}: {name}: {told} (saw {first.get('input')!r})"
            ) from error
    return tuple(made)


# --- applying ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Applied:
    """An intake's captures and refusals once corrections hold; ``hits`` counts per action.

    A hit is a capture taken out, or a price.
    """

    captures: list[Capture]
    refusals: pl.DataFrame
    hits: list[int]


def apply(
    actions: Sequence[Action],
    captures: Sequence[Capture],
    refusals: pl.DataFrame,
    rules: Methodology,
) -> Applied:
    """Return what is left of captures, and the refusals with the prices that are taken out.

    Args:
        actions: in order; what an earlier one took out is not there for a later one.
        captures: those of an intake, bodies at hand.
        refusals: prices that are refused already.
        rules: the parameters, for prices that are made from the depth of a market.
    """
    left, more, hits = list(captures), [refusals], []
    for one in actions:
        if one.action == "refuse-capture":
            kept = [c for c in left if not one.covers(c.source, c.observed_at, c.sha256)]
            hits.append(len(left) - len(kept))
            left = kept
            continue
        found = [
            _taken_out(one, c, rules) for c in left if one.covers(c.source, c.observed_at, c.sha256)
        ]
        hits.append(sum(rows.height for rows in found))
        more += found
    if not any(rows.height for rows in more[1:]):
        return Applied(left, refusals, hits)
    columns = ["captured_at", "capture_sha256", *KEY, "price_text"]
    rows = pl.concat(more).unique(columns, keep="first", maintain_order=True)
    return Applied(left, rows.sort(list(REFUSALS), nulls_last=False), hits)


def _taken_out(one: Action, capture: Capture, rules: Methodology) -> pl.DataFrame:
    """Return a refusal for each price that one capture shows for the listing of an action."""
    try:
        parsed = parsed_of(capture)
    except ParseError:
        return pl.DataFrame(schema=REFUSALS)
    deep, _ = depth_quotes(parsed.asks, rules)
    shown = pl.concat([parsed.quotes, deep]).filter(
        (pl.col("listing_id") == one.listing) & pl.col("price_text").is_not_null()
    )
    for name in ("provider", "meter"):
        if getattr(one, name) is not None:
            shown = shown.filter(pl.col(name) == getattr(one, name))
    return shown.select(
        pl.lit(capture.observed_at).cast(pl.Datetime("us")).alias("captured_at"),
        pl.lit(capture.sha256).alias("capture_sha256"),
        *KEY,
        "price_text",
        pl.lit(REASON).alias("reason"),
        pl.lit(one.reason).alias("detail"),
    ).cast(REFUSALS)  # type: ignore[arg-type]


# --- what the log holds --------------------------------------------------------------------------


def recorded(published: Published, batches: Batches, before: int | None = None) -> list[Row]:
    """Return every correction in the log, oldest first: ``seq``, ``reference``, ``content``.

    Args:
        published: the log's content.
        batches: where artefacts are.
        before: only those logged before this place.
    """
    found = []
    for (kind, sha256, _), seq in published.artefacts.items():
        if kind == KIND and (before is None or seq < before):
            body = batches.get(kind, sha256)
            reference = {"kind": kind, "sha256": sha256, "size": len(body)}
            found.append({"seq": seq, "reference": reference, "content": json.loads(body)})
    return sorted(found, key=lambda row: row["seq"])


@dataclass(frozen=True)
class Held:
    """Captures and refusals of a later day once the recorded corrections hold in it."""

    captures: list[Capture]
    refusals: pl.DataFrame
    references: tuple[Row, ...]


def hold(
    published: Published,
    batches: Batches,
    captures: Sequence[Capture],
    refusals: pl.DataFrame,
    rules: Methodology,
) -> Held:
    """Return what a day may read of its captures, and which corrections it reads less for.

    Args:
        published: the log's content.
        batches: where artefacts are.
        captures: those of the day.
        refusals: prices that the guards refused in them.
        rules: the parameters.
    """
    left, refused, references = list(captures), refusals, []
    for row in recorded(published, batches):
        correction = Correction.of(row["content"])
        applied = apply(correction.actions, left, refused, rules)
        if any(applied.hits):
            left, refused = applied.captures, applied.refusals
            references.append(row["reference"])
    return Held(left, refused, tuple(references))


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
