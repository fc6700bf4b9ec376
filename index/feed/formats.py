"""Lists and inputs as CSV, Parquet and XLSX, and the calendar as JSON and iCalendar.

Everything here is made from record bytes handed in; decimals go from text to DECIMAL(28,9) and
no float decides a digit. XLSX knows binary numbers only: a figure they would change stays text.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import polars as pl
import xlsxwriter

from index.publication import texts
from methodology import clock
from methodology.calendars import Calendar, parse

ICS: Final = b"text/calendar; charset=utf-8"

CALENDAR: Final = "calendar-day/1"
"""Every calendar day is an index day (rulebook 9.1)."""

DECIMAL: Final = pl.Decimal(28, 9)
DECIMALS: Final = frozenset(
    {
        "value", "level", "prev_value", "change_pct", "p1", "p25", "p50", "p75", "p99", "min",
        "max", "dispersion", "ci_low", "ci_high", "loo_low", "loo_high", "volume", "top_weight",
        "effective_n", "executable_share", "weight_share", "fresh_share",
    }
)  # fmt: skip
"""Fields of a fixing that are decimal text."""

WHOLE: Final = frozenset(
    {
        "seq", "revision", "decimals", "n_collected", "n_used", "n_excluded", "n_sources",
        "n_providers", "input_count", "commit_seq",
    }
)  # fmt: skip
DATES: Final = frozenset({"ref_date", "base_date"})
TIMES: Final = frozenset(
    {
        "window_open", "cutoff_at", "calculated_at", "published_at", "final_at",
        "next_publication_at",
    }
)  # fmt: skip

_PARQUET: Final[Mapping[str, Any]] = {
    name: DECIMAL if name in DECIMALS
    else pl.Int64 if name in WHOLE
    else pl.Date if name in DATES
    else pl.Datetime("ms") if name in TIMES
    else pl.Boolean if name == "settlement_eligible"
    else pl.String
    for name in texts.COLUMNS
}  # fmt: skip

_NOTES: Final = (
    ("value", "The fixing in the unit and currency of its row; empty where there is none."),
    ("level", "Chained level; the base is 1000 on base_date."),
    ("p1 to p99, min, max", "Weighted percentiles of the prices used, in the unit of value."),
    ("loo_low, loo_high", "Lowest and highest value with one seller left out."),
    ("top_weight, *_share", "Shares from 0 to 1."),
    ("change_pct", "Change against prev_value in per cent."),
    ("*_at, window_open", "UTC."),
    ("status PROVISIONAL", "First print; the final one may differ."),
    ("status FINAL", "The value of the day unless a revision follows before final_at."),
    ("status REVISED", "Restated before final_at under two signatures; revision_reason says why."),
    ("status NO_FIX", "No value was determined; no_fix_reason says why. It is not zero."),
    ("status WITHDRAWN", "Taken back; must not settle anything."),
    ("obs_status", "SDMX: A normal, P provisional, I imputed, U low reliability, L not collected."),
    ("waterfall", "FULL, REDUCED, CARRIED_INPUT, MODEL, CARRY, NO_FIX: how the value was made."),
    ("label", "settlement, reference or internal: what the value may be used for."),
    ("flags BUNDLED", "Made from the bundled history; its times are the scheduled ones."),
    ("numbers", "A figure with more than 15 digits is text here; the CSV has every digit."),
)


def records(bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return fixings as parsed objects."""
    return [json.loads(body) for body in bodies]


def csv(bodies: Sequence[bytes]) -> bytes:
    """Return fixings as CSV: the text of the JSON, one row per record."""
    return texts.csv_table(records(bodies))


def parquet(bodies: Sequence[bytes]) -> bytes:
    """Return fixings as Parquet; decimals are DECIMAL(28,9), times UTC in milliseconds."""
    rows = records(bodies)
    columns = {name: [_typed(name, row.get(name)) for row in rows] for name in texts.COLUMNS}
    return _to_parquet(pl.DataFrame(columns, schema=dict(_PARQUET)))


def _typed(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in DECIMALS:
        return Decimal(value)
    if name in DATES:
        return date.fromisoformat(value)
    if name in TIMES:
        return datetime.fromisoformat(value.removesuffix("Z"))
    if name in WHOLE or name == "settlement_eligible":
        return value
    return texts.cell(value) or None


def xlsx(bodies: Sequence[bytes]) -> bytes:
    """Return fixings as a workbook: values on one sheet, notes on another; same bytes each time."""
    rows = records(bodies)
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        made = max((row["published_at"] for row in rows), default="2026-01-01T00:00:00.000Z")
        book.set_properties({"created": datetime.fromisoformat(made).replace(tzinfo=None)})
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet("fixings")
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(texts.COLUMNS):
            sheet.write_string(0, column, name, bold)
        for line, row in enumerate(rows, start=1):
            for column, name in enumerate(texts.COLUMNS):
                _write(sheet, line, column, name, row.get(name))
        _notes(book.add_worksheet("notes"), bold, rows)
    return buffer.getvalue()


def _write(sheet: Any, line: int, column: int, name: str, value: Any) -> None:
    if value is None:
        return
    if name in DECIMALS and Decimal(repr(float(value))) == Decimal(value):
        sheet.write_number(line, column, float(value))  # ends in a spreadsheet, decides nothing
    elif name in WHOLE:
        sheet.write_number(line, column, value)
    elif name == "settlement_eligible":
        sheet.write_boolean(line, column, value)
    else:
        sheet.write_string(line, column, texts.cell(value))


def _notes(sheet: Any, bold: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    told = [("field", "meaning"), *_NOTES]
    for name in ("unit", "currency", "licence", "disclaimer_id", "log_origin", "administrator_id"):
        told.append((name, ", ".join(sorted({str(row.get(name)) for row in rows}))))
    for line, (name, meaning) in enumerate(told):
        sheet.write_string(line, 0, name, bold)
        sheet.write_string(line, 1, meaning, bold if line == 0 else None)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 90)


TABLES: Final[Mapping[str, tuple[bytes, Callable[[Sequence[bytes]], bytes]]]] = {
    "csv": (b"text/csv; charset=utf-8; header=present", csv),
    "parquet": (b"application/vnd.apache.parquet", parquet),
    "xlsx": (b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xlsx),
}
"""Media type and maker of each form of a list, by suffix."""

_INPUTS: Final[Mapping[str, Any]] = {
    "quote_id": pl.String, "source": pl.String, "tier": pl.String, "provider": pl.String,
    "legal_group": pl.String, "instrument": pl.String, "listing": pl.String, "meter": pl.String,
    "price": DECIMAL, "quoted": DECIMAL, "currency": pl.String, "unit": pl.String,
    "observed_at": pl.Datetime("us"), "used": pl.Boolean, "exclude_reason": pl.String,
    "status": pl.String, "weight": pl.Decimal(9, 8), "kept": pl.Decimal(9, 8),
}  # fmt: skip


def inputs_parquet(record: Mapping[str, Any], inputs: bytes, contributions: bytes) -> bytes:
    """Return every input of a fixing as Parquet, with what became of it.

    One row for each line of the inputs, in their order, then one for each contribution that has
    no input of its own (held or imputed prices). ``price`` is in the index's currency; it is null
    where the licence of the source withholds it. ``used`` means that it was counted;
    ``exclude_reason`` says why not. ``weight`` is the seller's in the panel, ``kept`` what the
    trim left of it; both null where the index is formed otherwise.
    """
    unit = record["unit"] if record["family"] == "GPU" else f"{record['currency']}/1e6tok"
    counted: dict[str, dict[str, Any]] = {}
    alone: list[dict[str, Any]] = []
    given = [json.loads(line) for line in inputs.splitlines()]
    known = {row["observation_id"] for row in given}
    for line in contributions.splitlines():
        row = json.loads(line)
        name = row.get("observation_id")
        if name in known:
            counted[name] = row
        else:
            alone.append(row)
    rows = [_input(row, counted.get(row["observation_id"]), record, unit) for row in given]
    rows += [_input({}, row, record, unit) for row in alone]
    columns = {name: [row[name] for row in rows] for name in _INPUTS}
    return _to_parquet(pl.DataFrame(columns, schema=dict(_INPUTS)))


def _input(
    given: Mapping[str, Any],
    counted: Mapping[str, Any] | None,
    record: Mapping[str, Any],
    unit: str,
) -> dict[str, Any]:
    row = {**given, **(counted or {})}
    seen = given.get("seen_us", row.get("seen_us"))
    weight = row.get("weight_e8")
    return {
        "quote_id": row.get("observation_id"),
        "source": row.get("source"),
        "tier": row.get("tier"),
        "provider": row.get("provider"),
        "legal_group": row.get("group") or row.get("developer"),
        "instrument": row.get("instrument_id") or row.get("model"),
        "listing": row.get("listing_id"),
        "meter": row.get("meter"),
        "price": _nano(row.get("price_nano")),
        "quoted": _nano(row.get("quoted_nano")),
        "currency": record["currency"],
        "unit": unit,
        "observed_at": None
        if seen is None
        else datetime(1970, 1, 1) + timedelta(microseconds=seen),
        "used": counted is not None and (weight is None or weight > 0),
        "exclude_reason": row.get("reason") or None,
        "status": row.get("status"),
        "weight": _e8(weight),
        "kept": _e8(row.get("kept")) if weight is not None else None,
    }


def _nano(units: int | None) -> Decimal | None:
    return None if units is None else Decimal(units).scaleb(-9)


def _e8(units: int | None) -> Decimal | None:
    return None if units is None else Decimal(units).scaleb(-8)


def _to_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


# Calendar -----------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def calendar_json(year: int) -> bytes:
    """Return the publication days of a year: per session and day all times of its life, UTC."""
    sessions = {
        session: [
            {
                "ref_date": day.isoformat(),
                "cutoff_at": clock.iso(clock.cut_off(session, day)),
                "provisional_at": clock.iso(clock.provisional_at(session, day)),
                "final_at": clock.iso(clock.final_at(session, day)),
                "restatement_until": clock.iso(clock.restatement_until(session, day)),
            }
            for day in _days(year)
        ]
        for session in clock.SESSIONS
    }
    told = {"calendar_id": CALENDAR, "year": year, "sessions": sessions}
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


@lru_cache(maxsize=16)
def calendar_ics(year: int) -> bytes:
    """Return the same days as iCalendar (RFC 5545): one event at each print that is due."""
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//spotfix//publication calendar//EN",
        "CALSCALE:GREGORIAN", f"X-WR-CALNAME:spotfix {CALENDAR} {year}",
    ]  # fmt: skip
    for session in clock.SESSIONS:
        for day in _days(year):
            prints = {
                "provisional": clock.provisional_at(session, day),
                "final": clock.final_at(session, day),
            }
            for name, at in prints.items():
                moment = at.strftime("%Y%m%dT%H%M%SZ")
                lines += [
                    "BEGIN:VEVENT", f"UID:{session}-{day:%Y%m%d}-{name}@spotfix",
                    f"DTSTAMP:{year}0101T000000Z", f"DTSTART:{moment}",
                    f"SUMMARY:{session} {day} {name}", "TRANSP:TRANSPARENT", "END:VEVENT",
                ]  # fmt: skip
    lines.append("END:VCALENDAR")
    return ("\r\n".join(lines) + "\r\n").encode()


def sessions_ics(record: Mapping[str, Any], body: bytes) -> bytes:
    """Return the sessions of an exchange as iCalendar: one whole day each, of the logged list.

    Args:
        record: the ``calendar/1.0`` record.
        body: the published copy of the list that it cites.
    """
    listed: Calendar = parse(str(record["calendar_id"]), _file(body), Calendar)
    name = f"{listed.id} {listed.version}"
    stamp = str(record["at"])[:19].replace("-", "").replace(":", "") + "Z"
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//spotfix//sessions//EN",
        "CALSCALE:GREGORIAN", f"X-WR-CALNAME:spotfix {name}",
    ]  # fmt: skip
    for day in listed.days:
        lines += [
            "BEGIN:VEVENT", f"UID:{listed.id}-{day:%Y%m%d}-session@spotfix",
            f"DTSTAMP:{stamp}", f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
            f"SUMMARY:{listed.id} session", "TRANSP:TRANSPARENT", "END:VEVENT",
        ]  # fmt: skip
    lines.append("END:VCALENDAR")
    return ("\r\n".join(lines) + "\r\n").encode()


def _file(body: bytes) -> bytes:
    return str(json.loads(body)["file"]).encode("utf-8")


def _days(year: int) -> Iterator[date]:
    return iter(clock.days(date(year, 1, 1), date(year, 12, 31)))
