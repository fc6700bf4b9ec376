"""A stranger checks what a fixing says of itself: times, status, flags, what it committed to.

All of it follows from the calendar, from the value and from records before it in the log, so a
publisher, or whoever holds his keys, cannot set it at will. Which prices were chosen cannot be
found again from published files; the bundle of auditors and the publisher's own ``verify`` do that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final

from index import moments
from index.verifying import Findings, Record, Seen
from methodology import clock

COMMITTED: Final = ("input_digest", "methodology_digest", "definition_digest", "manifest")
"""What a commitment and its fixing both say."""

DETERMINED: Final = ("FULL", "REDUCED", "CARRIED_INPUT")

RATES: Final = ("fx_rate", "fx_source", "fx_date")


def _print_of(record: Record) -> Hashable | None:
    """Return what names the one append in which a day's fixings of a session were made."""
    if record["revision_reason"] is not None:
        return None
    return tuple(record[k] for k in ("session", "ref_date", "revision", "published_at"))


ALIKE: Final[tuple[tuple[str, Callable[[Record], Hashable | None], tuple[str, ...]], ...]] = (
    (
        "index and definition",
        lambda r: (r["index_id"], r["definition_digest"], r["methodology_digest"]),
        ("label", "base_date", "calendar_id", "decimals", "methodology_version"),
    ),
    ("index and basket", lambda r: (r["index_id"], r["basket_digest"]), ("basket_version",)),
    (
        "software",
        lambda r: r["software"],
        ("methodology_id", "licence", "disclaimer_id", "executable_share"),
    ),
    ("publication", _print_of, ("software", "administrator_id")),
)
"""What is the same in all fixings of one kind: of one definition, made by one software, at once."""


def check_fields(seen: Seen, found: Findings) -> None:
    """Check every field of the log's fixings that follows from other fields and records.

    Args:
        seen: the log.
        found: takes what differs, by the place in the log and the field's name.
    """
    fixings = [record for record in seen.records if record["type"] == "fixing"]
    for record in fixings:
        where = _where(record)
        for name, due in _due(record).items():
            if record[name] != due:
                found.add(where, f"{name}: it says {record[name]}, it is {due}")
        for text in (*_flags(record), *_links(seen, record)):
            found.add(where, text)
    for kind, under, names in ALIKE:
        for name in names:
            said = ((under(r), r[name], r) for r in fixings)
            _same(name, kind, said, found)
    _check_yuan(fixings, found)


def _where(record: Record) -> str:
    return f"seq {record['seq']} ({record['index_id']} {record['ref_date']} r{record['revision']})"


def _same(
    name: str,
    kind: str,
    said: Iterable[tuple[Hashable | None, Any, Record]],
    found: Findings,
) -> None:
    """Name each record that says other than most records of its group."""
    groups: dict[Hashable, list[tuple[Any, Record]]] = {}
    for group, value, record in said:
        if group is not None:
            groups.setdefault(group, []).append((value, record))
    for members in groups.values():
        most = Counter(value for value, _ in members).most_common(1)[0][0]
        first = next(record for value, record in members if value == most)
        for value, record in members:
            if value != most:
                found.add(
                    _where(record),
                    f"{name}: it says {value}; record {first['seq']} of the same {kind} says "
                    f"other, {most}",
                )


def _check_yuan(fixings: Iterable[Record], found: Findings) -> None:
    """Check that rates of exchange are those of the day, and that no value in yuan was taken out.

    A fixing that would have one and had no rate of exchange is flagged ``NO_FX`` (rulebook 9.4).
    """
    valued = [r for r in fixings if r["value"] is not None and r["waterfall"] in DETERMINED]
    of_rates = (
        ((_print_of(r), one["currency"]), tuple(one[k] for k in RATES), r)
        for r in valued
        if _print_of(r) is not None
        for one in r["alt"]
    )
    _same("alt", "publication", of_rates, found)
    has = (
        (
            (r["index_id"], r["definition_digest"]),
            "another currency" if r["alt"] or "NO_FX" in r["flags"] else "no other currency",
            r,
        )
        for r in valued
    )
    _same("alt", "index and definition", has, found)


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
    """Yield what does not agree with the records and bodies that it cites."""
    for kind in ("contributions", "panel_state", "manifest"):
        if record[kind]["kind"] != kind:
            yield f"{kind}: it cites a body of kind {record[kind]['kind']}"
    if (record["volume"] is None) != (record["volume_unit"] is None):
        yield f"volume_unit: it says {record['volume_unit']} of the volume {record['volume']}"
    place = record["commit_seq"]
    commit = seen.records[place] if place is not None and 0 <= place < record["seq"] else {}
    if commit.get("type") == "commitment":
        other = [name for name in COMMITTED if commit[name] != record[name]]
        if commit["basket_digest"] not in (None, record["basket_digest"]):
            other.append("basket_digest")
        if other:
            yield f"differs from what it committed to, record {place}, in {', '.join(other)}"
    if record["fresh_share"] is not None and Fraction(record["fresh_share"]) > 1:
        yield f"fresh_share: it says {record['fresh_share']}, which is more than all"
    before = record["panel_state_before"]
    if before is None:
        return
    cited = seen.records[before["record"]] if 0 <= before["record"] < record["seq"] else {}
    told = [cited.get(name) for name in ("type", "index_id", "session")]
    state = {key: value for key, value in before.items() if key != "record"}
    if told != ["fixing", record["index_id"], record["session"]] or cited["panel_state"] != state:
        yield f"continues from record {before['record']}, which did not leave the state it cites"


__all__ = ["check_fields"]
