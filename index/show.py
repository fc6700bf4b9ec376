"""How runs, lists and histories look to a person; values are printed, never computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from index import words
from index.config import Settings
from index.pipeline import Report
from index.publication import keyring, notes
from index.publication.keys import ED25519, ML_DSA_44
from index.publication.tree import CHECKPOINT
from index.reading import Row, definitions_by_id, failures_by_source, family_of, meter_of
from index.terminal import DIM, GOOD, HEAD, WARN, Screen, table
from methodology.errors import SpotfixError

METERS = ("IN", "CIN", "OUT", "BLD", "AGT", "BAT")
"""Meters of a token rate, in the order in which people read a price list."""

SHORT = 12
"""Digits of a digest where the whole one would not be read."""

_ALGORITHMS = {ED25519: "Ed25519", ML_DSA_44: "ML-DSA-44"}
_LEVEL_STYLES = {"FULL": GOOD, "REDUCED": "", "NO_FIX": WARN}


def level(record: Mapping[str, Any]) -> Text:
    """Return the waterfall level, coloured."""
    code = record["waterfall"] or ""
    return Text(code, _LEVEL_STYLES.get(code, WARN))


def short(digest: str) -> str:
    """Return the beginning of a digest, long enough to recognise it."""
    return digest.removeprefix("sha256:")[:SHORT]


# A run ------------------------------------------------------------------------------------------


def run(screen: Screen, report: Report, settings: Settings, origin: str, every: bool) -> None:
    """Print what a run did; JOURNEYS 1 is the picture."""
    what = "bundled history" if report.mode == "bundled" else "live collection"
    screen.line(("spotfix", HEAD), f"  {what}, log {origin}, state in {settings.out}/")
    if report.mode == "live" and not report.fixings:
        screen.pair("collect", f"{report.sources} sources answered", _failed(report))
        for source, told, count in failures_by_source(report.failures):
            screen.pair(f"  {source}", (told, WARN), (f"   {count} times" * (count > 1), DIM))
        screen.line("nothing published: no print is due, or nothing was collected for it in time")
        _checkpoint(screen, report, settings)
        screen.pair("next", "spotfix schedule --next   spotfix doctor")
        return
    if report.is_nothing_due:
        screen.line("nothing due: bundled history fully published")
        _checkpoint(screen, report, settings)
        _next(screen, settings)
        return
    asked = report.sources + len({f["source"] for f in report.failures})
    screen.pair(
        "collect", f"{report.sources}/{asked} sources   {report.quotes:,} quotes", _failed(report)
    )
    refused = sum(report.rejections.values())
    ranked = sorted(report.rejections.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{n:,} {reason}" for reason, n in ranked[:4])
    more = f", {len(ranked) - 4} other reasons" if len(ranked) > 4 else ""
    screen.pair(
        "validate",
        f"{report.observations:,} ok   {refused:,} rejected",
        (f" ({told}{more})" if told else "", DIM),
    )
    if report.fixings:
        commits = [f["commit_seq"] for f in report.fixings]
        inputs = sorted({short(f["manifest"]["sha256"]) for f in report.fixings})
        screen.pair("commit", f"inputs sha256:{', '.join(inputs)}…   seq {_span(commits)}")
        valued = sum(f["value"] is not None for f in report.fixings)
        without = len(report.fixings) - valued
        screen.pair("compute", f"{len(report.fixings)} indices: {valued} values, {without} NO_FIX")
    for text in report.recovery:
        screen.pair("recovered", (text, WARN))
    screen.pair("publish", f"{report.appended} records")
    fixings(screen, report.fixings, every)
    screen.line()
    _checkpoint(screen, report, settings)
    _places(screen, settings)
    _next(screen, settings)


def _failed(report: Report) -> tuple[str, str]:
    names = sorted({f["source"] for f in report.failures})
    return (f"   failed: {', '.join(names)} (spotfix doctor)" if names else "", WARN)


def _checkpoint(screen: Screen, report: Report, settings: Settings) -> None:
    signed = _signed(settings, report.log_size)
    screen.pair("checkpoint", f"size {report.log_size}   root {report.root}", signed)


def _signed(settings: Settings, size: int) -> str:
    """Return who signed the published checkpoint of this size, empty when nobody did."""
    try:
        note = (settings.site / CHECKPOINT).read_bytes()
        ring = keyring.load(settings)
        found = notes.verify_checkpoint(note, ring.log_keys)
    except (OSError, SpotfixError):
        return ""
    if found.size != size:
        return ""
    used = [_ALGORITHMS[k.algorithm] for k in ring.log_keys if k.id in found.signed_by]
    whose = ", demonstration keys" if ring.is_demo else ""
    return f"   signed {' + '.join(used)}{whose}"


def _places(screen: Screen, settings: Settings) -> None:
    named = [
        (settings.ledger, "the record"),
        (settings.raw, "bodies as received"),
        (settings.data, "tables for analysis"),
        (settings.drop, "for exchanges"),
        (settings.site, "for any web server"),
    ]
    places = [(path, what) for path, what in named if path.is_dir()]
    screen.pair("files", "   ".join(f"{path}/ ({what})" for path, what in places))


def _next(screen: Screen, settings: Settings) -> None:
    steps = ("spotfix list", "spotfix show TKX-ALL-BLD", "spotfix verify", "spotfix doctor")
    screen.pair("next", "   ".join(steps))
    screen.pair("", f"spotfix serve   spotfix verify {settings.drop}")


def _span(numbers: Sequence[int]) -> str:
    """Return numbers as runs: ``403, 405–406``."""
    runs: list[list[int]] = []
    for n in sorted(set(numbers)):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in runs)


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low}–{high}"


def fixings(screen: Screen, records: Sequence[Row], every: bool) -> None:
    """Print one line per fixing by family, session and day; a model's meters share a line.

    Args:
        screen: where to.
        records: fixing records.
        every: one line for each meter too.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for record in records:
        key = family_of(record["index_id"]), record["session"], record["ref_date"]
        groups.setdefault(key, []).append(record)
    order = list(words.GOODS)
    for family, session, day in sorted(groups, key=lambda k: (order.index(k[0]), k[1], k[2])):
        mine = sorted(groups[family, session, day], key=lambda r: r["index_id"])
        screen.line()
        heading = f"{words.GOODS[family]}, {mine[0]['unit']}"
        screen.line((heading, HEAD), (f"   {session} {day}", DIM))
        if family == "TKR" and not every:
            _by_model(screen, mine)
        else:
            _one_each(screen, mine)


def _one_each(screen: Screen, records: Sequence[Row]) -> None:
    columns = [
        ("index", "<"), ("value", ">"), ("level", "<"), ("grade", "<"), ("providers", ">"),
        ("seq", ">"), ("", "~"),
    ]  # fmt: skip
    rows = [
        (
            r["index_id"], r["value"] or "—", level(r), r["grade"] or "", str(r["n_providers"]),
            str(r["seq"]), Text(r["no_fix_reason"] or "", WARN),
        )
        for r in records
    ]  # fmt: skip
    if not any(r["no_fix_reason"] for r in records):
        columns, rows = columns[:-1], [row[:-1] for row in rows]  # type: ignore[misc]
    screen.grid(table(columns, rows))


def _by_model(screen: Screen, records: Sequence[Row]) -> None:
    models = _models(records)
    meters = [m for m in METERS if any(m in mine for mine in models.values())]
    valued = {k: v for k, v in models.items() if any(r["value"] for r in v.values())}
    columns = [
        ("index", "<"), *((m, ">") for m in meters), ("level", "<"), ("grade", "<"),
        ("providers", ">"), ("seq", ">"),
    ]  # fmt: skip
    rows: list[list[str | Text]] = []
    for name, mine in valued.items():
        counted = [r for r in mine.values() if r["value"]]
        worst = max(counted, key=lambda r: r["grade"])
        rows.append(
            [
                f"TKR-{name}",
                *((mine[m]["value"] or "—") if m in mine else "" for m in meters),
                level(worst),
                worst["grade"],
                _range([r["n_providers"] for r in counted]),
                _span([r["seq"] for r in mine.values()]),
            ]
        )
    if rows:
        screen.grid(table(columns, rows))
    silent: list[list[str | Text]] = []
    for name, mine in models.items():
        for reason in dict.fromkeys(r["no_fix_reason"] for r in mine.values() if not r["value"]):
            same = {m: r for m, r in mine.items() if r["no_fix_reason"] == reason}
            told = " ".join(m for m in METERS if m in same)
            seqs = _span([r["seq"] for r in same.values()])
            silent.append(
                [f"TKR-{name}", told, "—", Text("NO_FIX", WARN), Text(reason or "", WARN), seqs]
            )
    if silent:
        screen.line()
        heads = [("without a value", "<"), ("", "<"), ("", "<"), ("", "<"), ("", "~"), ("seq", ">")]
        screen.grid(table(heads, silent))


def _models(records: Sequence[Row]) -> dict[str, dict[str, Row]]:
    known = definitions_by_id()
    found: dict[str, dict[str, Row]] = {}
    for record in records:
        definition = known.get(record["index_id"])
        meter = meter_of(record["index_id"], definition) if definition else ""
        name = record["index_id"].removeprefix("TKR-")
        found.setdefault(name.replace(f"-{meter}", "", 1) if meter else name, {})[meter] = record
    return found


# Lists ------------------------------------------------------------------------------------------


def listing(screen: Screen, rows: Sequence[Row]) -> None:
    """Print every index with its newest value."""
    for family, heading in words.GOODS.items():
        mine = [r for r in rows if r["family"] == family]
        if not mine:
            continue
        screen.line((f"{heading}, {mine[0]['unit']}", HEAD))
        columns = [
            ("index", "<"), ("what", "~"), ("at", "<"), ("day", "<"), ("value", ">"),
        ]  # fmt: skip
        cells = []
        for r in mine:
            title = r["title"] + ("" if r["admission"] == "reference" else f" [{r['admission']}]")
            if r["ref_date"] is None:
                value = Text("not yet", DIM)
            else:
                value = Text(r["value"]) if r["value"] else Text("NO_FIX", WARN)
            cells.append([r["index_id"], title, r["session"], r["ref_date"] or "", value])
        screen.grid(table(columns, cells))
        screen.line()
    valued = sum(r["value"] is not None for r in rows)
    screen.line(
        (f"{len(rows)} indices, {valued} with a value; reference unless marked [settlement]", DIM)
    )


def history(screen: Screen, rows: Sequence[Row]) -> None:
    """Print days of one index as a table, the columns those of the rows."""
    if not rows:
        screen.line("no days in this span")
        return
    names = [n for n in rows[0] if n != "index_id"]
    is_number = {n: all(_is_number(r[n]) for r in rows) for n in names}
    columns = [(n, ">" if is_number[n] else "<") for n in names]
    cells = [[_cell(r[n]) if n != "flag" else r[n] or "published" for n in names] for r in rows]
    screen.grid(table(columns, cells))
    if any(r.get("flag") == "_BT" for r in rows):
        screen.line(("_BT: computed for the past, never published on its day", DIM))


def _cell(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def _is_number(value: object) -> bool:
    text = str(value).removeprefix("-").replace(".", "", 1)
    return value is None or (not isinstance(value, bool) and text.isdecimal())
