"""Every figure of a fixing found again by the auditors' script, which shares no line with the rest.

The release gate (:func:`index.verify_log.check_value`) finds the value; weights, percentiles, band,
grade, counts and eligibility are found here, from the same published bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from index.audit import verify_offline
from index.ledger.canonical import digest
from index.shelves import Shelf
from index.verifying import Findings, Seen

DETERMINED: Final = ("FULL", "REDUCED")
"""Levels whose panel is that of the day."""

NOT_FOUND_AGAIN: Final = (
    "not found again from published files: which quotes were collected, excluded and chosen, the "
    "share that was fresh, the steps of chained levels, counts and levels of values derived from "
    "others, footnotes, flags of sources, and "
    "software, licence, disclaimer and administrator beyond their being the same in one "
    "publication; `spotfix verify` at the publisher's finds the figures"
)

_KEPT: Final = 64
_DONE: dict[tuple[tuple[bytes, ...], tuple[int, ...]], list[tuple[int, str]]] = {}


class _Bodies(dict[str, bytes]):
    """Cited bodies by the names that a bundle gives them, read when they are asked for."""

    def __init__(self, batches: Shelf) -> None:
        super().__init__()
        self.batches, self.absent = batches, False

    def __missing__(self, name: str) -> bytes:
        body = self.batches.read(name.removeprefix("bodies/"))
        if body is None or digest(body)[7:] != name.rpartition("/")[2].removesuffix(".jsonl"):
            self.absent = True
            raise KeyError(name)  # told by whoever looks at the bodies themselves
        self[name] = body
        return body


def check_figures(seen: Seen, batches: Shelf, found: Findings, chosen: Sequence[int]) -> None:
    """Check every figure of fixings that their cited bodies decide.

    Args:
        seen: the log.
        batches: ``<kind>/<sha256>.jsonl`` stand below it; a missing one is told elsewhere.
        found: takes what differs, by the place in the log.
        chosen: places of the log; those that are no fixings are passed over.
    """
    key = tuple(seen.bodies), tuple(chosen)
    told = _DONE.get(key)
    if told is None:
        files = _Bodies(batches)
        told = _figures(*key, files)
        if not files.absent:  # a log names its bodies by digest: another shelf has the same ones
            if len(_DONE) > _KEPT:
                _DONE.clear()
            _DONE[key] = told
    for seq, what in told:
        record = seen.records[seq]
        found.add(f"seq {seq} ({record['index_id']} {record['ref_date']})", what)


def _figures(
    bodies: tuple[bytes, ...], chosen: tuple[int, ...], files: _Bodies
) -> list[tuple[int, str]]:
    script: Any = verify_offline
    audit = script.Audit(files, [], None)
    for seq, body in enumerate(bodies):
        audit.guard(str(seq), audit.take_record, {"leaf": body.decode("utf-8"), "seq": seq})
    audit.wrong.clear()
    for seq in chosen:
        record = audit.records.get(seq, {})
        if record.get("type") != "fixing":
            continue
        audit.guard(str(seq), audit.check_fixing, record)
        audit.guard(str(seq), _panel, audit, record)
        audit.guard(str(seq), _sizes, audit, record)
    return [
        (int(one["where"]), one["what"])
        for one in audit.wrong
        if not one["what"].endswith("is needed and not here")
    ]


def _panel(audit: Any, record: Any) -> None:
    """Compare what a rate says of its panel with the panel (rulebook 9.4, 12.2)."""
    if record["index_id"][:3] not in ("TKR", "GPR") or record["waterfall"] not in DETERMINED:
        return
    name = record["contributions"]["sha256"]
    body = audit.body("contributions", name)
    rows = [verify_offline.read(one) for one in verify_offline.lines_in(body)]
    panel = [one for one in rows if one["status"] != "REFUSED" and one["weight_e8"]]
    prices = sorted(one["price_nano"] for one in panel if one["price_nano"])
    middle = _middle(prices)
    off = _middle(sorted(abs(price - middle) for price in prices))
    weights = [one["weight_e8"] for one in panel if one["status"] in ("OBSERVED", "HELD")]
    places = record["decimals"]
    for field, value, digits in (
        ("min", Fraction(min(prices), 10**9), places),
        ("max", Fraction(max(prices), 10**9), places),
        ("top_weight", Fraction(max(weights), 10**8), 8),
        ("dispersion", off / middle, 6),
        ("effective_n", Fraction(sum(weights) ** 2, sum(w * w for w in weights)), 6),
    ):
        audit.same(field, record[field], verify_offline.shown(value, digits))


def _middle(ordered: Sequence[Fraction | int]) -> Fraction:
    half = len(ordered) // 2
    return Fraction(ordered[half] + ordered[-1 - half], 2)


def _sizes(audit: Any, record: Any) -> None:
    """Compare the size that a fixing says of each body it cites with the body."""
    for kind in ("contributions", "panel_state"):
        size = len(audit.body(kind, record[kind]["sha256"]))
        audit.same(f"{kind}: size", record[kind]["size"], size)


__all__ = ["check_figures"]
