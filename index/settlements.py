"""Settlement records: the price of each delivery month, when it is due (rulebook 17.7).

A live run publishes them. The bundled history gives none: of each index it publishes the last day
only, the rest is one back-cast artefact, and a back-cast value never settles (rulebook 11.4).
Events ask for a strike, which is the exchange's, so they have no record either; ``spotfix settle``
answers them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from index import calendar_records, daily_values, moments, settling
from index.ledger.canonical import canonical, digest
from index.publication import record
from index.published import Published
from index.reading import definitions_by_id
from index.records import Make
from index.shop import Shop
from methodology import clock, contracts
from methodology.calendars import CalendarEnd, Lists
from methodology.contracts import Contract
from methodology.errors import DefinitionError, SpotfixError

FIELDS = (
    "rule_id", "rule_version", "rule_digest", "title", "label", "index_id", "period", "status",
    "failure", "value", "currency", "unit", "decimals", "tick", "rounding", "count", "basis",
    "settlement_eligible", "contract_value",
)  # fmt: skip
"""Fields that a settlement takes over from :func:`index.settling.price`."""


_PLACED: Final = frozenset(
    ("type", "schema", "seq", "log_origin", "administrator_id", "revision", "supersedes")
)


def due(shop: Shop, at: datetime) -> list[Make]:
    """Return a record for each contract and month whose price is due and not logged.

    Args:
        shop: the log.
        at: the moment (naive UTC).

    A month counts if the index has been published live since its first pricing day at the latest.
    Each price states ``at`` as the moment at which it was published (rulebook 9.2).
    A month whose days a calendar does not cover gives a notice, once: the list must be extended. It
    is priced as soon as the log holds an edition that covers it (rulebook 17.13).
    """
    made: list[Make] = []
    lists = calendar_records.in_force(shop.published, shop.batches)
    logged = {(one["rule_id"], one["period"]) for one in shop.published.settlements}
    for contract in contracts.load_contracts().values():
        for month in _months(contract, shop.published, at, lists):
            if (contract.id, f"{month:%Y-%m}") in logged:
                continue
            try:
                when = due_at(contract, month, lists)
                if when <= at and _is_final(contract, month, at, lists):
                    made.append(_settlement(shop, contract, month, at))
            except DefinitionError as error:
                made += _uncovered(shop, contract, month, error, at)
    return made


def due_at(contract: Contract, month: date, lists: Lists | None = None) -> datetime:
    """Return when the price of a month is due to be published (naive UTC; rulebook 17.7).

    Args:
        contract: of kind ``average``.
        month: any day of the delivery month.
        lists: the editions of calendars that hold; ``None``: the newest.

    Raises:
        CalendarEnd: a calendar does not cover the month, or ends with it.
    """
    days, _ = contracts.pricing_days(contract, month, lists=lists)
    on = contracts.due_on(contract, days[-1], lists)
    plan = contract.publication
    local = datetime.combine(on, plan.time, tzinfo=ZoneInfo(plan.zone))
    return local.astimezone(UTC).replace(tzinfo=None)


def corrected_until(contract: Contract, month: date, lists: Lists | None = None) -> datetime:
    """Return the moment up to which a price may be corrected, itself included (naive UTC).

    It lies on the day on which the price was due, also if the price came later.

    Raises:
        CalendarEnd: the list of the exchange ends before that day.
    """
    days, _ = contracts.pricing_days(contract, month, lists=lists)
    on, plan = contracts.due_on(contract, days[-1], lists), contract.publication
    local = datetime.combine(on, plan.corrections_until, tzinfo=ZoneInfo(plan.zone))
    return local.astimezone(UTC).replace(tzinfo=None)


def content(
    published: Published,
    contract: Contract,
    month: date,
    at: datetime,
    before: int | None = None,
    batches: calendar_records.Bodies | None = None,
) -> dict[str, Any]:
    """Return everything of a settlement record but its place, log and administrator.

    Args:
        published: the log's content.
        contract: of kind ``average``.
        month: any day of the delivery month, all of whose pricing days are over.
        at: when the price is published (naive UTC).
        before: only fixings and calendars before this place in the log; ``None``: all.
        batches: where the log's own copies of calendars lie.

    Raises:
        DefinitionError: a calendar does not cover the month, or fixings and contract differ in
            unit or decimals.
    """
    lists = calendar_records.in_force(published, batches, before)
    last = contracts.pricing_days(contract, month, lists=lists)[0][-1]
    series = daily_values.published(
        _earlier(published, before), contract, contract.indices[0], last
    )
    told = settling.price(contract, month, series, lists=lists)
    if told["status"] == "RUNNING":
        raise ValueError(f"{contract.id} {month:%Y-%m}: not all pricing days are over")
    mean, days = told["mean"], told["pricing_days"]
    looked = [(one, False) for one in told["days"]] + [(one, True) for one in told["looked_back"]]
    return {
        **{name: told[name] for name in FIELDS},
        "revision": 0,
        "supersedes": None,
        "sum": told["sum"],
        "mean": {k: mean[k] for k in ("numerator", "denominator")} if mean else None,
        "multiplier": {k: told["size"][k] for k in ("quantity", "unit")},
        "pricing_days": {
            k: days[k]
            for k in ("rule", "k", "calendar", "calendar_digest", "days", "first", "last")
        },
        "inputs": [
            {
                **{k: one[k] for k in ("date", "seq", "digest", "value", "state")},
                "is_look_back": is_look_back,
            }
            for one, is_look_back in looked
        ],
        "fallback_clause": told["fallback"]["clause"],
        "published_at": clock.iso(moments.in_milliseconds(at)),
    }


def check(published: Published, batches: calendar_records.Bodies | None = None) -> Iterator[str]:
    """Yield a sentence for each settlement record that its own fixings do not make again.

    Each is held against the editions of calendars that stood in the log before it; ``batches``
    holds the log's own copies of them.
    """
    known = contracts.load_contracts()
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    replaced = _replaced(published)
    for one in published.settlements:
        where = f"record {one['seq']} (settlement/1.0): {one['rule_id']} {one['period']}"
        mine = seen.setdefault((one["rule_id"], one["period"]), [])
        mine.append(one)
        contract = known.get(one["rule_id"])
        if contract is None or f"sha256:{contract.digest}" != one["rule_digest"]:
            yield (
                f"{where}: no contract with digest {one['rule_digest']} is at hand; verify with "
                "a release that has it"
            )
            continue
        month = date.fromisoformat(one["period"] + "-01")
        at = datetime.fromisoformat(one["published_at"]).replace(tzinfo=None)
        before = mine[0]["seq"]
        try:
            lists = calendar_records.in_force(published, batches, before)
            due, until = (f(contract, month, lists) for f in (due_at, corrected_until))
            again = content(published, contract, month, at, before, batches)
        except (SpotfixError, ValueError) as error:
            yield f"{where}: {error}"
            continue
        if at < due:
            yield f"{where}: published_at {one['published_at']} is before {clock.iso(due)}"
        for told in _misplaced(one, mine[-2] if mine[1:] else None, until, again):
            yield f"{where} {told}"
        # One that was corrected was wrong: what replaced it is held against the fixings.
        for name in [] if one["seq"] in replaced else differences(one, again):
            yield (
                f"{where}: {name} was published as {one[name]!r} and recomputes to {again[name]!r}"
            )
            break


def differences(one: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """Return the fields in which a record differs from what its fixings give; its time aside."""
    return [
        name
        for name, value in made.items()
        if name not in _PLACED and name != "published_at" and one[name] != value
    ]


def _misplaced(
    one: Mapping[str, Any], prior: Mapping[str, Any] | None, last: datetime, made: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what is wrong with the place of a settlement record among those of its month.

    Args:
        one: the record.
        prior: the record of the same contract and month right before it; ``None``: it is the first.
        last: :func:`corrected_until`.
        made: what its fixings give.

    That two officers signed a correction is looked at with all signatures.
    """
    if prior is None:
        if one["revision"] or one["supersedes"] is not None:
            yield f"is revision {one['revision']} of a price that was not published before"
        return
    if not one["revision"]:
        yield "was published before"
        return
    if one["revision"] != prior["revision"] + 1:
        yield f"is revision {one['revision']} after revision {prior['revision']}"
    if one["supersedes"] != digest(canonical(prior)):
        yield f"supersedes {one['supersedes']}, which is not record {prior['seq']}"
    at = one["published_at"]
    if at < prior["published_at"] or at > clock.iso(last):
        yield f"was corrected at {at}, after {clock.iso(last)} or before what it corrects"
    if not differences(prior, made):
        yield f"corrects record {prior['seq']}, which was right"


def _replaced(published: Published) -> set[int]:
    """Return the places of the settlement records that a later one of their month supersedes."""
    mine = {digest(canonical(one)): one for one in published.settlements}
    found = set()
    for one in published.settlements:
        old = mine.get(one["supersedes"] or "")
        if old is not None and all(old[k] == one[k] for k in ("rule_id", "period", "index_id")):
            found.add(old["seq"])
    return found


def _months(contract: Contract, published: Published, at: datetime, lists: Lists) -> Iterator[date]:
    """Yield the first of each month that the contract may price, in order."""
    if contract.kind != "average":
        return
    index_id = contract.indices[0]
    live = [
        date.fromisoformat(key[2])
        for key, one in published.fixings.items()
        if key[0] == index_id and "BUNDLED" not in one["flags"]
    ]
    if not live:
        return
    month = min(live).replace(day=1)
    while month <= at.date():
        try:
            first = contracts.pricing_days(contract, month, lists=lists)[0][0]
        except DefinitionError:
            first = month  # told by whoever asks for the days
        if first >= min(live):
            yield month
        month = clock.month_start(month, 1)


def _is_final(contract: Contract, month: date, at: datetime, lists: Lists) -> bool:
    """Return whether no pricing day of the month can be restated any more (rulebook 17.1)."""
    session = definitions_by_id()[contract.indices[0]].session
    last = contracts.pricing_days(contract, month, lists=lists)[0][-1]
    return daily_values.last_closed(session, at) >= last


def _settlement(shop: Shop, contract: Contract, month: date, at: datetime) -> Make:
    return lambda seq: record.settlement(
        {
            "seq": seq,
            "log_origin": shop.log.origin,
            "administrator_id": shop.settings.administrator_id,
            **content(shop.published, contract, month, at, batches=shop.batches),
        }
    )


def _uncovered(
    shop: Shop, contract: Contract, month: date, why: DefinitionError, at: datetime
) -> list[Make]:
    """Return the notice that a month has no price, mostly as a calendar ends, unless it was given.

    Nothing is told before the month is over: until then a later edition may still come in time.
    """
    if clock.month_start(month, 1) > at.date():
        return []
    text = f"{contract.id} {month:%Y-%m} has no price: {why}"
    if text in {one["text"] for one in shop.published.notices}:
        return []
    kind = "CALENDAR_END" if isinstance(why, CalendarEnd) else "OTHER"
    return [calendar_records.notice(shop, kind, text, contract.indices[0], at)]


@dataclass(frozen=True)
class _Earlier:
    """What stood in the log before a place."""

    published: Published


def _earlier(published: Published, before: int | None) -> _Earlier:
    if before is None:
        return _Earlier(published)
    kept = {key: one for key, one in published.fixings.items() if one["seq"] < before}
    return _Earlier(Published(fixings=kept, digests=published.digests))
