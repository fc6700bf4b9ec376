"""Governance records: complaints, cessations, errata in words, notices (rulebook 24).

Each function returns the content of one record, checked against what the log holds, or raises. No
argument of any of them is a value: values in these records are read from the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from index.publication import record
from index.publication.record import ratio_text
from index.published import Published
from index.shop import Shop
from methodology import clock
from methodology.errors import ConfigError, CoverageError, UsageError

Row = dict[str, Any]

ANSWER_DAYS: Final = 30
"""Within so many days a complaint is answered (rulebook 24.2)."""

LISTED_FROM: Final = Fraction(1, 10_000)
"""Share of a value above which an error is listed (rulebook 24.3)."""

NOTICES: Final = ("CHANGE", "OTHER")
"""Kinds of notice that a person gives; the software gives the others."""

LINK_DECIMALS: Final = 8


def standing(published: Published, index_id: str, day: date) -> Row:
    """Return the fixing that stands for an index on a day: its highest revision.

    Raises:
        CoverageError: nothing is published for that day.
    """
    mine = [
        (key[3], one)
        for key, one in published.fixings.items()
        if (key[0], key[2]) == (index_id, day.isoformat())
    ]
    if not mine:
        raise CoverageError(f"{index_id} {day}: nothing is published; `spotfix history` lists days")
    return max(mine, key=lambda item: item[0])[1]


# --- complaints -------------------------------------------------------------------------------


def complaint(
    shop: Shop,
    at: datetime,
    text: str,
    *,
    index_id: str | None = None,
    day: date | None = None,
    complainant: str | None = None,
) -> Row:
    """Return a complaint as it is received, bound to the value it is about.

    Raises:
        CoverageError: nothing is published for that day.
        UsageError: the same complaint waits already, or a day without an index.
    """
    if (index_id is None) != (day is None):
        raise UsageError("a complaint is about an index and a day, or about neither")
    fixing = standing(shop.published, index_id, day) if index_id and day else None
    for one in shop.published.complaints:
        about = (one["index_id"], one["ref_date"], one["text"])
        if one["state"] == "RECEIVED" and about == (index_id, day and day.isoformat(), text):
            raise UsageError(f"this complaint was received already, as {one['complaint_id']}")
    number = sum(one["state"] == "RECEIVED" for one in shop.published.complaints) + 1
    return record.complaint(
        {
            "log_origin": shop.log.origin,
            "complaint_id": f"C{at:%Y}-{number:04d}",
            "index_id": index_id,
            "session": fixing["session"] if fixing else None,
            "ref_date": fixing["ref_date"] if fixing else None,
            "concerns": fixing["seq"] if fixing else None,
            "value": fixing["value"] if fixing else None,
            "received_at": clock.iso(at.replace(microsecond=0)),
            "complainant": complainant,
            "text": text,
            "state": "RECEIVED",
            "findings": None,
            "reviewer": None,
            "answers": None,
        }
    )


def answer(shop: Shop, complaint_id: str, findings: str, reviewer: str) -> Row:
    """Return the answer to a complaint.

    Args:
        shop: the log.
        complaint_id: as the intake's record names it.
        findings: what the review found.
        reviewer: id of the key of the officer who signs it.

    Raises:
        UsageError: there is no such complaint, or it has been answered.
        ConfigError: the reviewer signed a restatement or an erratum of that value.
    """
    mine = [one for one in shop.published.complaints if one["complaint_id"] == complaint_id]
    if not mine:
        known = ", ".join(sorted({o["complaint_id"] for o in shop.published.complaints})) or "none"
        raise UsageError(f"there is no complaint {complaint_id!r}; there are: {known}")
    if mine[-1]["state"] == "ANSWERED":
        raise UsageError(
            f"{complaint_id} was answered at {mine[-1]['at']}, record {mine[-1]['seq']}"
        )
    first = mine[0]
    for act in conflicts(shop.published, first, reviewer):
        raise ConfigError(
            f"{reviewer}: signed {act['type']} {act['seq']} of that value; somebody else reviews it"
        )
    return {
        **{name: value for name, value in first.items() if name not in ("seq", "at")},
        "state": "ANSWERED",
        "findings": findings,
        "reviewer": reviewer,
        "answers": first["seq"],
    }


def conflicts(published: Published, about: Mapping[str, Any], reviewer: str) -> list[Row]:
    """Return the acts on a complaint's value that its reviewer signed; by name, not by key."""
    names = {one["name"] for one in published.keys if one["key_id"] == reviewer}
    same = ("index_id", "session", "ref_date")
    return [
        act
        for act in (*published.restatements, *published.errata)
        if about["index_id"] is not None
        and all(act[name] == about[name] for name in same)
        and any(s["key_id"] == reviewer or s["name"] in names for s in act["signatures"])
    ]


# --- cessation --------------------------------------------------------------------------------


def earliest_end(announced: date) -> date:
    """Return the first day on which an index announced today may end: 12 months on.

    From 29 February that is 1 March.
    """
    try:
        return announced.replace(year=announced.year + 1)
    except ValueError:
        return date(announced.year + 1, 3, 1)


def cessation(
    shop: Shop,
    at: datetime,
    index_id: str,
    last: date,
    reason: str,
    *,
    successor: str | None = None,
    is_emergency: bool = False,
) -> Row:
    """Return the announcement that an index ends.

    Raises:
        ConfigError: notice shorter than 12 months and no emergency, a day that is over, or an
            emergency that is none.
        UsageError: its end is announced already, or it would follow itself.
        CoverageError: index and successor have no day on which both have a value.
    """
    for one in shop.published.cessations:
        if one["index_id"] == index_id:
            raise UsageError(
                f"{index_id}: its end on {one['last_ref_date']} is announced already, record "
                f"{one['seq']}"
            )
    first = earliest_end(at.date())
    if last < at.date():
        raise ConfigError(f"{index_id}: {last} is over; an index ends today at the earliest")
    if last < first and not is_emergency:
        raise ConfigError(
            f"{index_id}: announced on {at.date()} it may end on {first} at the earliest, 12 "
            f"months on, not on {last} (rulebook 24.4); --emergency is recorded as such"
        )
    if last >= first and is_emergency:
        raise ConfigError(f"{index_id}: {last} keeps 12 months of notice; leave --emergency out")
    factor, linked = link_factor(shop.published, index_id, successor)
    return record.cessation(
        {
            "log_origin": shop.log.origin,
            "index_id": index_id,
            "last_ref_date": last.isoformat(),
            "announced_at": f"{at:%Y-%m-%d}T00:00:00.000Z",
            "successor": successor,
            "link_factor": factor,
            "linked_on": linked,
            "is_emergency": is_emergency,
            "reason": reason,
        }
    )


def link_factor(
    published: Published, index_id: str, successor: str | None, before: int | None = None
) -> tuple[str | None, str | None]:
    """Return the ratio of two indices' values on their last common day, and that day.

    Finals count, each day's highest revision. ``before``: only records before that place.

    Raises:
        UsageError: the two are one index.
        CoverageError: on no day have both a final with a value above zero.
    """
    if successor is None:
        return None, None
    if successor == index_id:
        raise UsageError(f"{index_id}: an index does not follow itself")
    values: dict[str, dict[str, str]] = {index_id: {}, successor: {}}
    for key, one in sorted(published.fixings.items(), key=lambda item: item[0][3]):
        if key[0] in values and key[3] >= 1 and (before is None or one["seq"] < before):
            values[key[0]].pop(key[2], None)
            if one["value"] is not None and Fraction(one["value"]) > 0:
                values[key[0]][key[2]] = one["value"]
    common = set(values[index_id]) & set(values[successor])
    if not common:
        raise CoverageError(f"{index_id}, {successor}: no day on which both have a final value")
    day = max(common)
    share = Fraction(values[index_id][day]) / Fraction(values[successor][day])
    return ratio_text(share.numerator, share.denominator, LINK_DECIMALS), day


# --- errata in words, notices -----------------------------------------------------------------


def erratum(shop: Shop, index_id: str, day: date, cause: str, evidence: Sequence[Row]) -> Row:
    """Return an erratum that states no value: none was determined again.

    What a value should have been is told by ``spotfix revise``, which determines it.
    """
    fixing = standing(shop.published, index_id, day)
    return record.erratum(
        {
            "log_origin": shop.log.origin,
            "index_id": index_id,
            "session": fixing["session"],
            "ref_date": fixing["ref_date"],
            "concerns": fixing["seq"],
            "value": fixing["value"],
            "should_be": None,
            "delta_pct": None,
            "outcome": "TOLD",
            "cause": cause,
            "evidence": list(evidence),
            "manifest": None,
        }
    )


def notice(
    shop: Shop, kind: str, text: str, *, index_id: str | None = None, day: date | None = None
) -> Row:
    """Return a notice, about a fixing or about none.

    Raises:
        UsageError: a kind that is not given by people, or a day without an index.
        CoverageError: nothing is published for that day.
    """
    if kind not in NOTICES:
        raise UsageError(f"--kind {kind!r}: one of {', '.join(NOTICES)}")
    if day is not None and index_id is None:
        raise UsageError("a notice about a day names its index")
    fixing = standing(shop.published, index_id, day) if index_id and day else None
    return record.notice(
        {
            "log_origin": shop.log.origin,
            "kind": kind,
            "index_id": index_id,
            "session": fixing["session"] if fixing else None,
            "ref_date": fixing["ref_date"] if fixing else None,
            "concerns": fixing["seq"] if fixing else None,
            "text": text,
        }
    )


# --- lists ------------------------------------------------------------------------------------


def errors(published: Published, month: str) -> list[Row]:
    """Return the errors told in a month (``2026-11``), restated or not, of more than 0.01%.

    Errata without a determined value are among them, their share unknown.
    """
    found = []
    for one in (*published.restatements, *published.errata):
        is_restated = one["type"] == "restatement"
        before = one["value_before"] if is_restated else one["value"]
        after = one["value_after"] if is_restated else one["should_be"]
        is_told = not is_restated and one["outcome"] == "TOLD"
        if not one["at"].startswith(month) or not (is_told or is_listed(before, after)):
            continue
        found.append(
            {
                "index_id": one["index_id"],
                "session": one["session"],
                "ref_date": one["ref_date"],
                "published": before,
                "should_be": after,
                "delta_pct": one["delta_pct"],
                "became": "RESTATED" if is_restated else one["outcome"],
                "cause": one["reason"] if is_restated else one["cause"],
                "told_at": one["at"],
                "record": one["seq"],
            }
        )
    return sorted(found, key=lambda row: row["record"])


def is_listed(before: str | None, after: str | None) -> bool:
    """Return whether an error is more than 0.01% of the published value, exactly."""
    if before is None or after is None:
        return before != after
    old, new = Fraction(before), Fraction(after)
    return abs(new - old) > LISTED_FROM * abs(old)


def complaints(published: Published, at: datetime) -> list[Row]:
    """Return every complaint with its state and the moment its answer is due."""
    found = []
    for one in published.complaints:
        if one["state"] != "RECEIVED":
            continue
        answered = [o for o in published.complaints if o["answers"] == one["seq"]]
        received = datetime.fromisoformat(one["received_at"]).replace(tzinfo=None)
        due = received + timedelta(days=ANSWER_DAYS)
        found.append(
            {
                "complaint_id": one["complaint_id"],
                "index_id": one["index_id"],
                "ref_date": one["ref_date"],
                "value": one["value"],
                "text": one["text"],
                "received_at": one["received_at"],
                "answer_due": clock.iso(due),
                "state": "ANSWERED" if answered else "OVERDUE" if at > due else "WAITING",
                "findings": answered[-1]["findings"] if answered else None,
                "record": one["seq"],
            }
        )
    return found
