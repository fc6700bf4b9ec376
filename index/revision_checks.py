"""Whether restatements and errata are what the rulebook lets them be (rulebook 11, 24).

Checked before anything is recomputed: signatures, the window, the threshold, what stands next to
what, and that a corrected intake is the one before it less what its correction names. That the
values come out is checked by recomputing them, as for every fixing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from index import corrections, manifests, officers, oversight
from index.corrections import Correction
from index.ledger.batches import Batches
from index.publication.key_records import KeyHistory
from index.published import Key, Published
from index.revision_plan import LAST_REVISION, RESTATE, decide, delta_pct
from index.shop import Shop
from methodology import clock
from methodology.errors import VerificationError

Row = Mapping[str, Any]

SIGNERS = {"restatement": 2, "erratum": 2, "cessation": 2, "complaint": 1, "settlement": 2}
"""How many officers sign a record of each type.

Of a complaint it is the answer, not the intake; of a settlement the correction, not the first.
"""


def check_revisions(shop: Shop, bodies: Sequence[bytes], problems: list[str]) -> None:
    """Add a sentence to ``problems`` for whatever in restatements, errata and acts does not hold.

    Args:
        shop: the open ledger, every record taken into account.
        bodies: the records of the log, in order.
        problems: what was found so far.
    """
    published = shop.published
    signed = [
        *published.restatements,
        *published.errata,
        *published.cessations,
        *(one for one in published.complaints if one["state"] == "ANSWERED"),
        *(one for one in published.settlements if one["revision"]),
    ]
    if signed:
        try:
            history = KeyHistory.read(published.keys, origin=shop.log.origin)
        except VerificationError as error:
            problems.append(str(error))
            return
        for one in signed:
            problems += _signatures(one, shop.batches, history)
    for one in published.restatements:
        problems += _restatement(one, published, bodies)
    for key, fixing in published.fixings.items():
        if key[3] >= LAST_REVISION:
            problems += _revised(key, fixing, bodies)
    for one in published.errata:
        problems += _erratum(one, published, bodies)
    for one in published.cessations:
        problems += _cessation(one, published)
    for one in published.complaints:
        problems += _complaint(one, published, bodies)
    for kind, sha256 in sorted(k for k in published.batches if k[0] == "manifest"):
        problems += _corrected(shop, kind, sha256)


def _signatures(one: Row, batches: Batches, history: KeyHistory) -> list[str]:
    body = batches.get(officers.KIND, one["statement"]["sha256"])
    return officers.problems_of(one, body, history, SIGNERS[one["type"]])


def _named(one: Row) -> str:
    return f"{one['type']} {one['seq']} of {one['index_id']} {one['ref_date']}"


def _fixing_at(one: Row, bodies: Sequence[bytes]) -> Row:
    """Return the fixing a record is about, or a record of nothing."""
    seq = one["concerns"]
    found: Row = json.loads(bodies[seq]) if seq in range(one["seq"]) else {"type": "nothing"}
    same = all(found.get(name) == one[name] for name in ("index_id", "session", "ref_date"))
    return found if found["type"] == "fixing" and same else {"type": "nothing"}


def _restatement(one: Row, published: Published, bodies: Sequence[bytes]) -> list[str]:
    name, fixing = _named(one), _fixing_at(one, bodies)
    if fixing["type"] == "nothing":
        return [f"{name}: record {one['concerns']} is no fixing of it before it"]
    found = []
    key = (one["index_id"], one["session"], one["ref_date"], fixing["revision"])
    if one["supersedes"] != published.digests[key] or one["value_before"] != fixing["value"]:
        found.append(f"{name}: names other bytes or another value than record {one['concerns']}")
    if (fixing["revision"], one["revision"]) != (LAST_REVISION - 1, LAST_REVISION):
        found.append(f"{name}: restates r{fixing['revision']} as r{one['revision']}")
    if one["delta_pct"] != delta_pct(one["value_before"], one["value_after"]):
        found.append(f"{name}: says {one['delta_pct']}%, which the two values do not give")
    at = datetime.fromisoformat(one["at"]).replace(tzinfo=None)
    until = clock.restatement_until(one["session"], datetime.fromisoformat(one["ref_date"]).date())
    outcome = decide(one["value_before"], one["value_after"], at, until)
    if outcome != RESTATE:
        found.append(f"{name}: {outcome}: the value had to stand (rulebook 11.1, 11.2)")
    after = one["seq"] + 1
    follows = json.loads(bodies[after]) if after < len(bodies) else {"type": "nothing"}
    same = {
        "type": "fixing",
        "index_id": one["index_id"],
        "session": one["session"],
        "ref_date": one["ref_date"],
        "revision": one["revision"],
        "value": one["value_after"],
        "revision_reason": one["reason"],
        "published_at": one["at"],
        "manifest": one["manifest"],
    }
    odd = [field for field, value in same.items() if follows.get(field) != value]
    if odd:
        found.append(f"{name}: the next record is not its revision: {', '.join(odd)}")
    return found


def _revised(key: Key, fixing: Row, bodies: Sequence[bytes]) -> list[str]:
    before = json.loads(bodies[fixing["seq"] - 1]) if fixing["seq"] else {"type": "nothing"}
    if before["type"] == "restatement" and before["index_id"] == key[0]:
        return []
    return [f"{key[0]} {key[2]} r{key[3]}: no restatement stands right before it"]


def _erratum(one: Row, published: Published, bodies: Sequence[bytes]) -> list[str]:
    name, fixing = _named(one), _fixing_at(one, bodies)
    if fixing["type"] == "nothing":
        return [f"{name}: record {one['concerns']} is no fixing of it before it"]
    found = []
    if one["value"] != fixing["value"]:
        found.append(f"{name}: says {one['value']} stands, published was {fixing['value']}")
    if (one["manifest"] is None) != (one["outcome"] == "TOLD"):
        found.append(f"{name}: a value it should have been needs an intake to come from")
    if one["outcome"] == "TOLD" and one["should_be"] is not None:
        found.append(f"{name}: states a value that nothing was determined from")
    if one["should_be"] is not None and one["delta_pct"] != delta_pct(
        one["value"], one["should_be"]
    ):
        found.append(f"{name}: says {one['delta_pct']}%, which the two values do not give")
    return found


def _cessation(one: Row, published: Published) -> list[str]:
    name = f"cessation {one['seq']} of {one['index_id']}"
    announced = datetime.fromisoformat(one["announced_at"]).date()
    last = datetime.fromisoformat(one["last_ref_date"]).date()
    found = []
    if one["is_emergency"] != (last < oversight.earliest_end(announced)):
        found.append(f"{name}: announced {announced} for {last}, which is not what it says it is")
    if one["announced_at"][:10] != one["at"][:10]:
        found.append(f"{name}: announced on another day than it was logged")
    factor = oversight.link_factor(published, one["index_id"], one["successor"], one["seq"])
    if (one["link_factor"], one["linked_on"]) != factor:
        found.append(f"{name}: link {one['link_factor']}; the published values give {factor[0]}")
    late = [
        key
        for key, fixing in published.fixings.items()
        if key[0] == one["index_id"]
        and key[2] > one["last_ref_date"]
        and fixing["seq"] > one["seq"]
    ]
    return found + [f"{name}: {key[2]} r{key[3]} was published after its end" for key in late]


def _complaint(one: Row, published: Published, bodies: Sequence[bytes]) -> list[str]:
    name = f"complaint {one['seq']}"
    if one["concerns"] is not None:
        fixing = _fixing_at(one, bodies)
        if fixing["type"] == "nothing" or fixing["value"] != one["value"]:
            return [f"{name}: record {one['concerns']} is not the value it says it is about"]
    if one["state"] != "ANSWERED":
        return []
    first = json.loads(bodies[one["answers"]]) if one["answers"] < one["seq"] else {}
    if (first.get("complaint_id"), first.get("state")) != (one["complaint_id"], "RECEIVED"):
        return [f"{name}: record {one['answers']} is not the complaint it answers"]
    if [s["key_id"] for s in one["signatures"]] != [one["reviewer"]]:
        return [f"{name}: its reviewer is not who signed"]
    acts = oversight.conflicts(published, one, one["reviewer"])
    return [
        f"{name}: its reviewer signed {act['type']} {act['seq']} of that value"
        for act in acts
        if act["seq"] < one["seq"]
    ]


# --- corrected intakes ---------------------------------------------------------------------------


def _corrected(shop: Shop, kind: str, sha256: str) -> list[str]:
    """Check that an intake with corrections is the one before it less what they name."""
    content = manifests.load_manifest(shop.batches, sha256)
    listed = shop.published.batches[kind, sha256]["seq"]
    held = content.get("corrections", [])
    if not held:
        return []
    name = f"manifest {sha256[:19]}"
    known = {row["reference"]["sha256"]: row for row in _before(shop, listed)}
    missing = [one["sha256"] for one in held if one["sha256"] not in known]
    if missing:
        return [f"{name}: holds a correction no record lists before it: {missing[0]}"]
    parts = [Correction.of(known[one["sha256"]]["content"]) for one in held]
    refused = [a for one in parts for a in one.actions if a.action == "refuse-capture"]
    found = [
        f"{name}: still reads a capture of {row['source']} that a correction took out"
        for row in content["captures"]
        if any(a.covers(row["source"], _moment(row), row["body_sha256"]) for a in refused)
    ]
    base = content.get("corrects")
    if base is None:
        return found
    if known[held[-1]["sha256"]]["content"]["corrects"] != base:
        return [*found, f"{name}: its correction is of another intake than {base['sha256']}"]
    if ("manifest", base["sha256"]) not in shop.published.batches:
        return [*found, f"{name}: corrects an intake that no record lists"]
    first = manifests.load_manifest(shop.batches, base["sha256"])
    last = [a for a in parts[-1].actions if a.action == "refuse-capture"]
    due = [
        row
        for row in first["captures"]
        if not any(a.covers(row["source"], _moment(row), row["body_sha256"]) for a in last)
    ]
    if content["captures"] != due:
        found.append(f"{name}: its captures are not those before it less the ones taken out")
    return found + _refused(shop.batches, name, first, content, parts[-1])


def _before(shop: Shop, listed: int) -> list[dict[str, Any]]:
    # A correction and the intake it leads to are logged side by side, the correction first.
    return corrections.recorded(shop.published, shop.batches, before=listed)


def _moment(row: Row) -> datetime:
    return datetime.fromisoformat(row["fetched_at"])


def _refused(
    batches: Batches, name: str, first: Row, content: Row, correction: Correction
) -> list[str]:
    """Check that the refusals are the earlier ones and those the correction leads to."""
    if "refusals" not in content["batches"]:
        return []
    old, new = (_lines(batches, one) for one in (first, content))
    extra = [json.loads(line) for line in new - old]
    listings = [a for a in correction.actions if a.action == "refuse-listing"]
    meant = all(
        row["reason"] == corrections.REASON
        and any(
            (a.source, a.listing) == (row["source"], row["listing_id"])
            and a.provider in (None, row["provider"])
            and a.meter in (None, row["meter"])
            for a in listings
        )
        for row in extra
    )
    if old - new or not meant:
        return [f"{name}: its refusals are not the earlier ones and those of its correction"]
    return []


def _lines(batches: Batches, content: Row) -> set[bytes]:
    body = batches.get("refusals", content["batches"]["refusals"]["sha256"])
    return set(body.splitlines())


def parsed_again(published: Published, batches: Batches) -> set[str]:
    """Return the manifests whose bodies today's parsers are known to read otherwise.

    A correction in the log says so of them.
    """
    return {
        row["content"]["corrects"]["sha256"]
        for row in corrections.recorded(published, batches)
        if row["content"]["parsed_again"]
    }


def corrected_again(published: Published, batches: Batches) -> set[Key]:
    """Return the prints that a mended parser or rule need not find again.

    A restatement or an erratum that rests on parsing the day again says that they are wrong.
    """
    again = {
        row["reference"]["sha256"]
        for row in corrections.recorded(published, batches)
        if row["content"]["parsed_again"]
    }
    return {
        (one["index_id"], one["session"], one["ref_date"], revision)
        for one in (*published.restatements, *published.errata)
        for cited in (one.get("correction"), *one.get("evidence", ()))
        for revision in range(LAST_REVISION)
        if cited is not None and cited["sha256"] in again
    }


def errata_of(published: Published, manifest: str) -> list[dict[str, Any]]:
    """Return the errata whose value was determined from one intake."""
    return [
        one
        for one in published.errata
        if one["manifest"] is not None and one["manifest"]["sha256"] == manifest
    ]
