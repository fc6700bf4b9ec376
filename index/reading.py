"""What the ledger says, as plain values for people and for ``--json``.

Everything comes from the log and its batches, digests checked at every read; projections are
never asked. Nothing is written and no lock is taken: a publisher may be at work meanwhile.
"""

from __future__ import annotations

import difflib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from index import words
from index.config import Settings
from index.ledger.batches import Batches
from index.ledger.examine import LOG
from index.ledger.log import Log
from index.ledger.tiles import CHECKPOINT, HEADS
from index.publication.record import decimal_text, ratio_text
from index.published import Published
from methodology.definition import Definition, RateDefinition, load_definitions
from methodology.errors import CoverageError, UsageError

Row = dict[str, Any]

DERIVED = ("SPK", "QAX", "USE")
"""Families computed from other values or from volumes; their contributions are alike."""


@dataclass
class Ledger:
    """The log as it stands, read only."""

    settings: Settings
    log: Log
    published: Published
    batches: Batches

    def lines(self, record: Row, name: str) -> list[Row]:
        """Return the rows of a batch that a record cites, its digest checked."""
        reference = record[name]
        body = self.batches.get(reference["kind"], reference["sha256"])
        return [json.loads(line) for line in body.splitlines()]

    def manifest(self) -> Row | None:
        """Return the newest manifest's content, or ``None`` before the first run."""
        found = [r for (kind, _), r in self.published.batches.items() if kind == "manifest"]
        if not found:
            return None
        newest = max(found, key=lambda r: r["seq"])
        body = self.batches.get("manifest", newest["artefact"]["sha256"])
        content: Row = json.loads(body)
        return content

    def resistance(self, record: Row) -> Row | None:
        """Return what one seller could do to a fixing's value; ``None`` where it is not stated.

        The newest artefact of the fixing's own manifest that has a line for it.
        """
        made = [
            r
            for (kind, _), r in self.published.batches.items()
            if kind == "resistance" and r["manifest"]["sha256"] == record["manifest"]["sha256"]
        ]
        for batch in sorted(made, key=lambda r: -r["seq"]):
            for line in self.lines(batch, "artefact"):
                if all(line[k] == record[k] for k in ("index_id", "session", "ref_date")):
                    return line
        return None

    def rejections(self) -> list[Row]:
        """Return the rows the newest manifest's intake refused."""
        manifest = self.manifest()
        if manifest is None:
            return []
        reference = manifest["batches"]["rejections"]
        body = self.batches.get("rejections", reference["sha256"])
        return [json.loads(line) for line in body.splitlines()]


def open_ledger(settings: Settings) -> Ledger:
    """Return the ledger of these settings, every file of its log checked.

    Raises:
        CoverageError: nothing has been published there.
        LogInconsistent: the log contradicts itself.
    """
    require_ledger(settings)
    log = Log.open(settings.ledger, read_only=True)
    return Ledger(settings, log, Published.read(log), Batches(settings.ledger))


def has_records(settings: Settings) -> bool:
    """Return whether there is a log that has begun: more than what creating one leaves.

    Raises:
        OSError: the folder may not be read; that is not the same as nothing being there.
    """
    try:
        found = os.listdir(settings.ledger / LOG)
    except FileNotFoundError:
        return False
    return Log.exists(settings.ledger) and set(found) != {HEADS, CHECKPOINT}


def require_ledger(settings: Settings) -> None:
    """Raise CoverageError when nothing has been published there."""
    if not has_records(settings):
        raise CoverageError(
            f"{settings.ledger}: nothing has been published here; `spotfix run` publishes the "
            "bundled history, --out names another folder"
        )


def definitions_by_id() -> dict[str, Definition]:
    """Return every definition by index id, in the order of the rulebook's files."""
    return {name: d for d in load_definitions() for name in d.index_ids}


def resolve(name: str, known: dict[str, Definition]) -> str:
    """Return the index id that ``name`` spells, in any case.

    Raises:
        UsageError: no such index; the message offers the nearest ids.
    """
    folded = {one.casefold(): one for one in known}
    if name.casefold() in folded:
        return folded[name.casefold()]
    near = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)
    within = [one for one in folded if name.casefold() in one][:3]
    offer = ", ".join(folded[one] for one in within or near)
    hint = f" (did you mean {offer}?)" if offer else ""
    raise UsageError(f"no index {name!r}{hint}; `spotfix list` names them all")


def family_of(index_id: str) -> str:
    """Return the family, which is the id's prefix."""
    return index_id.partition("-")[0]


def meter_of(index_id: str, definition: Definition) -> str:
    """Return the meter of an index: one of its definition's, empty where there is none."""
    if isinstance(definition, RateDefinition):
        return next(m for m in definition.meters if definition.index_id(m) == index_id)
    return getattr(definition, "meter", None) or ""


def listed(settings: Settings) -> list[Row]:
    """Return one row per index, families in the order of display, whether published or not."""
    published = open_ledger(settings).published if has_records(settings) else Published()
    newest: dict[str, Row] = {}
    for key in sorted(published.fixings, key=lambda k: (k[2], k[3])):
        newest[key[0]] = published.fixings[key]
    rows = []
    for name, definition in definitions_by_id().items():
        record = newest.get(name, {})
        rows.append(
            {
                "index_id": name,
                "title": definition.title,
                "family": family_of(name),
                "unit": record.get("unit", words.UNITS[family_of(name)]),
                "session": definition.session,
                "admission": definition.admission,
                **{
                    field: record.get(field)
                    for field in (
                        "ref_date", "revision", "value", "status", "waterfall", "grade",
                        "n_providers", "seq", "no_fix_reason",
                    )
                },
            }
        )  # fmt: skip
    order = list(words.GOODS)
    return sorted(rows, key=lambda r: (order.index(r["family"]), r["index_id"]))


def fixing_of(ledger: Ledger, index_id: str, day: date | None, revision: int | None) -> Row:
    """Return one published fixing: the newest, or of a day, or one revision of it.

    Raises:
        CoverageError: there is none; the message says which days there are.
    """
    mine = {key: r for key, r in ledger.published.fixings.items() if key[0] == index_id}
    found = [
        (key[2], key[3], r)
        for key, r in mine.items()
        if (day is None or key[2] == day.isoformat()) and (revision is None or key[3] == revision)
    ]
    if found:
        return max(found, key=lambda item: item[:2])[2]
    days = sorted({key[2] for key in mine})
    if not days:
        raise CoverageError(f"{index_id}: nothing published yet; `spotfix run` publishes it")
    wanted = " ".join(
        [
            str(day) if day else "any day",
            *([f"revision {revision}"] if revision is not None else []),
        ]
    )
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    raise CoverageError(
        f"{index_id}: no fixing for {wanted}; published: {span}. `spotfix history {index_id}` "
        "gives the days before that"
    )


def shown(ledger: Ledger, record: Row) -> Row:
    """Return everything to say of one fixing: record, acts, panel, refusals, flags, proof."""
    rows = ledger.lines(record, "contributions")
    family = family_of(record["index_id"])
    definition = definitions_by_id().get(record["index_id"])
    return {
        "title": definition.title if definition else "",
        "record": record,
        "acts": acts_on(ledger, record),
        "panel": _panel(rows, family),
        "refused": _refused(rows),
        "flags": {code: words.say(code, words.FLAGS) for code in record["flags"]},
        "resistance": ledger.resistance(record),
        "log_size": ledger.log.size,
        "log_root": ledger.log.root.hex(),
    }


def acts_on(ledger: Ledger, record: Row) -> list[Row]:
    """Return what officers decided about one fixing, in the order of the log (rulebook 11.7).

    The restatement that a revision rests on, and each erratum of a value that stands: ``type``,
    ``record``, ``before`` and ``after`` (``None`` where there is no value, or where
    ``is_determined`` is false), ``delta_pct``, ``reason``, ``signed_by`` (names) and ``at``. Empty
    for a value that nobody found fault with.
    """
    published = ledger.published
    rests_on = [
        (one, one["value_before"], one["value_after"], one["reason"])
        for one in published.restatements
        if one["seq"] == record["seq"] - 1 and one["index_id"] == record["index_id"]
    ]
    stands = [
        (one, one["value"], one["should_be"], one["cause"])
        for one in published.errata
        if one["concerns"] == record["seq"]
    ]
    return [
        {
            "type": one["type"],
            "record": one["seq"],
            "before": before,
            "after": after,
            "is_determined": one["manifest"] is not None,
            "delta_pct": one["delta_pct"],
            "reason": reason,
            "signed_by": [each["name"] for each in one["signatures"]],
            "at": one["at"],
        }
        for one, before, after, reason in (*rests_on, *stands)
    ]


def _panel(rows: list[Row], family: str) -> list[Row]:
    """Return the rows that could count, with shares as decimal text in percent."""
    if family == "TEX":
        counts = Counter(r["group"] for r in rows)
        return [{"group": g, "prices": n} for g, n in sorted(counts.items())]
    if family in DERIVED:
        return [
            {
                **r,
                "input": r["group"] or r["model"],
                "price": nano(r["price_nano"]),
                "quantity": nano(None if r["quantity_e12"] is None else int(r["quantity_e12"]), 12),
                "weight": percent(r["weight_e8"], 10**8) if r["weight_e8"] else None,
            }
            for r in rows
        ]
    if family == "TKX":
        worth = {r["model"]: int(r["quantity_e12"]) * (r["price_nano"] or 0) for r in rows}
        total = sum(worth.values())
        ordered = sorted(rows, key=lambda r: (-worth[r["model"]], r["model"]))
        return [
            {
                **r,
                "weight": percent(r["weight_e8"], 10**8),
                "share": percent(worth[r["model"]], total),
                "price": nano(r["price_nano"]),
                "quoted": nano(r["quoted_nano"]),
            }
            for r in ordered
        ]
    kept = sum(r["kept"] for r in rows)
    members = [r for r in rows if r["status"] != "REFUSED"]
    ordered = sorted(members, key=lambda r: (r["price_nano"] is None, r["price_nano"], r["group"]))
    return [
        {
            **r,
            "weight": percent(r["weight_e8"], 10**8),
            "share": percent(r["kept"], kept),
            "price": nano(r["price_nano"]),
            "quoted": nano(r["quoted_nano"]),
        }
        for r in ordered
    ]


def _refused(rows: list[Row]) -> list[Row]:
    """Return the refused offers by reason, the most frequent first, each with its rows."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.get("status") == "REFUSED":
            found.setdefault(row["reason"], []).append(row)
    return [
        {
            "reason": reason,
            "means": words.say(reason, words.REASONS),
            "count": len(mine),
            "offers": [
                {
                    "group": r["group"],
                    "provider": r["provider"],
                    "source": r["source"],
                    "listing_id": r["listing_id"],
                    "quoted": nano(r["quoted_nano"]),
                }
                for r in mine
            ],
        }
        for reason, mine in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def failures_by_source(failures: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """Return (source, first reason with its detail, how often it failed), by source."""
    found: dict[str, tuple[str, int]] = {}
    for one in failures:
        told, count = found.get(one["source"], (f"{one['reason']}: {one['detail']}", 0))
        found[one["source"]] = told, count + 1
    return [(source, told, count) for source, (told, count) in sorted(found.items())]


def nano(units: int | None, decimals: int = 9) -> str | None:
    """Return nano-units as decimal text without trailing zeros, at least two places."""
    text = decimal_text(units, decimals)
    if text is None:
        return None
    whole, _, part = text.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def percent(part: int, whole: int) -> str | None:
    """Return a share in percent, two places; ``None`` of nothing."""
    return ratio_text(100 * part, whole, 2) if whole else None
