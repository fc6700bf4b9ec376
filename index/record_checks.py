"""What the records of a log say, checked one against another before anything is recomputed.

Each function adds a sentence to ``problems`` for whatever does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from index import calendar_records, evidence, gate, moments, settlements
from index.gate import Evidence
from index.ledger.canonical import digest, parse_record
from index.publication import schema
from index.publication.key_records import KeyHistory
from index.published import Key, Published, fixing_key
from index.rulechange import Rules, rules_of
from index.shop import Shop
from methodology.errors import DefinitionError, VerificationError

COMMITTED = (
    "index_id", "session", "ref_date", "input_digest", "methodology_digest", "definition_digest",
    "manifest",
)  # fmt: skip
"""Fields of a commitment that its fixing repeats; the panel's digest too, where it is known."""


@dataclass
class VerifyReport:
    """What was checked. ``problems`` is empty when everything is as published."""

    files: int = 0
    records: int = 0
    manifests: int = 0
    fixings: int = 0
    recomputed: int = 0
    back_cast_rows: int = 0
    rules: list[str] = field(default_factory=list)
    artefacts: int = 0
    second_engine: int = 0
    second_engine_has_no_road: int = 0
    known_differences: int = 0
    from_archive: bool = False
    root: str = ""
    problems: list[str] = field(default_factory=list)


def read_records(
    bodies: list[bytes], origin: str, published: Published, problems: list[str]
) -> None:
    """Take every record into account, once its place, its log and its fields are right."""
    for seq, body in enumerate(bodies):
        content = parse_record(body)
        if content.get("seq") != seq:
            problems.append(f"record {seq}: says seq {content.get('seq')}; a record was moved")
            continue
        if content.get("log_origin") != origin:
            problems.append(f"record {seq}: of the log {content.get('log_origin')}, not {origin}")
        wrong = list(schema.problems(content))
        if wrong:
            problems += wrong
            continue
        if content["type"] == "fixing" and fixing_key(content) in published.fixings:
            problems.append(f"record {seq}: {fixing_key(content)} was published before")
        published.add(body)


def check_rules(shop: Shop, report: VerifyReport, problems: list[str]) -> None:
    """Check that the rules of every part of the log are at hand, byte for byte."""
    for seq, digest_of_rules in shop.published.rules.items():
        record = json.loads(shop.log.entry(seq))
        try:
            rules = rules_of(digest_of_rules, shop.rules, shop.definitions)
        except DefinitionError as error:
            problems.append(
                f"rules: record {seq} names rule files that are not at hand ({error}); verify the "
                "log with a release that has them"
            )
            continue
        version = rules.methodology.version
        content = json.loads(shop.batches.get("rules", record["artefact"]["sha256"]))
        if digest(content["frozen"].encode()) != digest_of_rules:
            problems.append(f"rules: record {seq} cites a listing that has not its digest")
        for path, text in content.get("files", {}).items():
            if f"{digest(text.encode())[7:]}  {path}\n" not in content["frozen"]:
                problems.append(f"rules: record {seq} cites a text of {path} not in its listing")
        if record["methodology_version"] != version:
            problems.append(
                f"rules: record {seq} says version {record['methodology_version']} of {version}"
            )
        report.rules.append(f"{version} {digest_of_rules}")
    first = min(shop.published.rules, default=shop.log.size)
    if first > min((r["seq"] for r in shop.published.fixings.values()), default=first):
        problems.append("rules: a fixing stands before the first record of rules")


def rules_at(shop: Shop, seq: int) -> Rules:
    """Return the rules that hold for the record at a place in the log.

    Raises:
        VerificationError: no record of rules stands before it.
        DefinitionError: the rule files of that digest are not at hand.
    """
    found = shop.published.rules_at(seq)
    if found is None:
        raise VerificationError(f"record {seq}: no record of rules stands before it")
    return rules_of(found, shop.rules, shop.definitions)


def second_engine(shop: Shop, report: VerifyReport, problems: list[str]) -> None:
    """Make every published value again in the second engine, from what it cites (rulebook 22)."""
    known = known_differences(shop.published)
    for key, record in shop.published.fixings.items():
        evidence = Evidence(
            shop.batches.get("contributions", record["contributions"]["sha256"]),
            shop.batches.get("basket", record["basket_digest"]),
            shop.batches.get("panel_state", record["panel_state"]["sha256"]),
        )
        name = f"{key[0]} {key[2]} r{key[3]} (record {record['seq']})"
        try:
            found = gate.differences(record, evidence)
        except gate.NotCovered:
            report.second_engine_has_no_road += 1
            continue
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            problems.append(f"{name}: the second engine cannot read what it cites: {error!r}")
            continue
        report.second_engine += 1
        if found and key not in known:
            problems.append(f"{name}: {'; '.join(one.text for one in found)}")


def known_differences(published: Published) -> set[Key]:
    """Return the provisional fixings whose final the gate stopped: the log says they are wrong."""
    return {
        (one["index_id"], one["session"], one["ref_date"], 0)
        for one in published.incidents
        if one["kind"] == "ENGINE_DIFFERENCE" and one["revision"] == 1
    }


def check_links(shop: Shop, bodies: list[bytes], problems: list[str]) -> None:
    """Check what each fixing cites (commitment, revision replaced, manifest, state), and when."""
    published = shop.published
    # Looked up once for each digest: the listing is made anew from a hundred files.
    known: dict[str | None, Rules] = {}
    for key, record in published.fixings.items():
        name = f"{key[0]} {key[2]} r{key[3]}"
        digest_of_rules = published.rules_at(record["seq"])
        if digest_of_rules not in known:
            known[digest_of_rules] = rules_at(shop, record["seq"])
        rules = known[digest_of_rules]
        definition = rules.definitions.get(key[0])
        if definition is None or definition.session != key[1]:
            problems.append(f"{name}: no index of that id and session {key[1]} is defined")
            continue
        if ("manifest", record["manifest"]["sha256"]) not in published.batches:
            problems.append(f"{name}: no record lists its manifest {record['manifest']['sha256']}")
        earlier = published.digests.get((*key[:3], key[3] - 1))
        if record["supersedes"] != earlier:
            problems.append(f"{name}: supersedes {record['supersedes']}, the log has {earlier}")
        seq = record["commit_seq"]
        commit = json.loads(bodies[seq]) if seq in range(len(bodies)) else {"type": "nothing"}
        if commit["type"] != "commitment" or seq >= record["seq"]:
            problems.append(f"{name}: record {seq} is no commitment before it")
        else:
            other = [field for field in COMMITTED if commit[field] != record[field]]
            if commit["basket_digest"] not in (None, record["basket_digest"]):
                other.append("basket_digest")
            if other:
                problems.append(f"{name}: differs from what it committed to in {', '.join(other)}")
        under = "sha256:" + rules.methodology.digest, "sha256:" + definition.digest
        said_under = record["methodology_digest"], record["definition_digest"]
        if said_under != under:
            problems.append(
                f"{name}: says it was made under {' and '.join(said_under)}; the rules in force at "
                f"its place in the log are {' and '.join(under)}"
            )
        if "BUNDLED" in record["flags"]:
            continue
        said, due = record["panel_state_before"], _state_before(published, record)
        if said != due:
            problems.append(f"{name}: continues from {said}, the newest state before it is {due}")
    problems += moments.check(published, bodies)


def check_others(shop: Shop, problems: list[str]) -> None:
    """Check what is no fixing: keys, witnesses and settlements against the log they stand in."""
    published = shop.published
    try:
        KeyHistory.read(published.keys)
    except VerificationError as error:
        problems.append(str(error))
        return
    if published.keys:
        problems += evidence.check(published, shop.log, shop.settings)
    problems += calendar_records.check(published, shop.batches)
    problems += settlements.check(published, shop.batches)


def _state_before(published: Published, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the reference to the state that a live fixing had to continue from."""
    mine = [
        one
        for key, one in published.fixings.items()
        if key[0] == record["index_id"]
        and key[2] < record["ref_date"]
        and one["seq"] < record["seq"]
    ]
    if not mine:
        return None
    last = max(mine, key=lambda one: (one["ref_date"], one["revision"]))
    return {"record": last["seq"], **last["panel_state"]}
