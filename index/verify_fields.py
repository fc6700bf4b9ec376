"""A stranger checks what a fixing says of itself: times, status, flags, what it committed to.

All of it follows from the calendar, from the value and from records before it in the log, so a
publisher, or whoever holds his keys, cannot set it at will. Which prices were chosen cannot be
found again from published files; the bundle of auditors and the publisher's own ``verify`` do that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

from index import moments
from index.verifying import Findings, Record, Seen
from methodology import clock

COMMITTED: Final = ("input_digest", "methodology_digest", "definition_digest", "manifest")
"""What a commitment and its fixing both say."""

DEFINED: Final = ("label", "base_date", "calendar_id", "decimals", "methodology_version")
"""What the definition of an index decides: the same in every record that cites it."""

DETERMINED: Final = ("FULL", "REDUCED", "CARRIED_INPUT")


def check_fields(seen: Seen, found: Findings) -> None:
    """Check every field of the log's fixings that follows from other fields and records.

    Args:
        seen: the log.
        found: takes what differs, by the place in the log and the field's name.
    """
    defined: dict[tuple[str, str, str], tuple[int, list[Any]]] = {}
    for seq, record in enumerate(seen.records):
        if record["type"] != "fixing":
            continue
        where = f"seq {seq} ({record['index_id']} {record['ref_date']} r{record['revision']})"
        for name, due in _due(record).items():
            if record[name] != due:
                found.add(where, f"{name}: it says {record[name]}, it is {due}")
        mine = [record[name] for name in DEFINED]
        under = record["index_id"], record["definition_digest"], record["methodology_digest"]
        first, others = defined.setdefault(under, (seq, mine))
        if mine != others:
            odd = [n for n, one, two in zip(DEFINED, mine, others) if one != two]
            found.add(
                where,
                f"{', '.join(odd)}: record {first} of the same index and definition says other",
            )
        for text in (*_flags(record), *_links(seen, record)):
            found.add(where, text)


def _due(record: Record) -> dict[str, Any]:
    """Return the fields that calendar and value decide (rulebook 4.2, 9.2, 11.1, 11.3)."""
    session, day = record["session"], date.fromisoformat(record["ref_date"])
    is_final, has_value = record["revision"] > 0, record["value"] is not None
    opened, cut = clock.window(session, day)
    following = (
        clock.provisional_at(session, date.fromordinal(day.toordinal() + 1))
        if is_final
        else clock.final_at(session, day)
    )
    said = record["published_at"]
    published = datetime.fromisoformat(said.removesuffix("Z"))
    is_bundled = "BUNDLED" in record["flags"]
    at = clock.final_at(session, day) if is_final else clock.provisional_at(session, day)
    is_restated = record["revision_reason"] is not None
    status = ("FINAL" if is_final else "PROVISIONAL") if has_value else "NO_FIX"
    if is_restated:
        status = "REVISED" if has_value else "WITHDRAWN"
    level = record["waterfall"]
    eligible = (
        record["label"] == "settlement"
        and has_value
        and is_final
        and moments.is_in_window(published, session, day)
        and "BOOTSTRAP_VINTAGE" not in record["flags"]
        and record["grade"] in ("A", "B")
        and level in DETERMINED
    )
    carried = "I" if level in ("CARRY", "MODEL") else "A" if is_final else "P"
    missing = "L" if "coverage" in (record["no_fix_reason"] or "") else "U"
    return {
        "window_open": clock.iso(opened),
        "cutoff_at": clock.iso(cut),
        "calculated_at": said,
        "published_at": clock.iso(at) if is_bundled else said,
        "final_at": clock.iso(clock.restatement_until(session, day)),
        "next_publication_at": clock.iso(following),
        "status": status,
        "obs_status": carried if has_value else missing,
        "settlement_eligible": eligible,
    }


def _flags(record: Record) -> Iterator[str]:
    """Yield what is wrong with the flag of a late print, and a restatement without a reason."""
    session, day = record["session"], date.fromisoformat(record["ref_date"])
    is_final, is_restated = record["revision"] > 0, record["revision_reason"] is not None
    if is_restated != (record["revision"] > 1):
        yield f"revision {record['revision']} with reason {record['revision_reason']!r}"
    due = clock.final_at(session, day) if is_final else clock.provisional_at(session, day)
    at = datetime.fromisoformat(record["published_at"].removesuffix("Z"))
    is_late = not is_restated and moments.is_late(at, due)
    if is_late != ("LATE" in record["flags"]):
        yield f"flags {record['flags']}, and it was {'late' if is_late else 'not late'}"


def _links(seen: Seen, record: Record) -> Iterator[str]:
    """Yield what does not agree with the records that it cites."""
    place = record["commit_seq"]
    commit = seen.records[place] if place is not None and 0 <= place < record["seq"] else {}
    if commit.get("type") == "commitment":
        other = [name for name in COMMITTED if commit[name] != record[name]]
        if commit["basket_digest"] not in (None, record["basket_digest"]):
            other.append("basket_digest")
        if other:
            yield f"differs from what it committed to, record {place}, in {', '.join(other)}"
    before = record["panel_state_before"]
    if before is None:
        return
    cited = seen.records[before["record"]] if 0 <= before["record"] < record["seq"] else {}
    told = [cited.get(name) for name in ("type", "index_id", "session")]
    state = {key: value for key, value in before.items() if key != "record"}
    if told != ["fixing", record["index_id"], record["session"]] or cited["panel_state"] != state:
        yield f"continues from record {before['record']}, which did not leave the state it cites"


__all__ = ["check_fields"]
