"""Whoever holds every key still cannot publish other figures: the audit makes them again."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index import audit_bundle, config, pipeline
from index.audit import verify_offline as vo
from index.audit_bundle import Span
from index.config import Settings
from index.ledger.batches import Batches
from index.ledger.canonical import canonical, digest
from index.ledger.log import Log
from tests.auditing import ALWAYS, FIRST, GPT, H100, LAST, Files, checked
from tests.test_golden import FOLDER, unpack


class Forger:
    """A ledger logged anew, with other records and bodies, under the same keys."""

    def __init__(self, settings: Settings, target: Path) -> None:
        self.old = settings
        self.settings = config.load(out=target, bundle=settings.bundle)
        self.records = [json.loads(b) for b in Log.open(settings.ledger, read_only=True).entries()]
        shutil.copytree(settings.ledger / "batches", self.settings.ledger / "batches",
                        copy_function=os.link)  # fmt: skip
        self.bodies = Batches(self.settings.ledger)

    def final(self, index_id: str) -> dict[str, Any]:
        return next(
            r
            for r in self.records
            if r["type"] == "fixing" and r["index_id"] == index_id and r["revision"] == 1
        )

    def first(self, index_id: str) -> dict[str, Any]:
        return next(
            r
            for r in self.records
            if r["type"] == "fixing" and r["index_id"] == index_id and r["revision"] == 0
        )

    def rows(self, record: dict[str, Any], kind: str) -> list[dict[str, Any]]:
        body = Batches(self.old.ledger).get(kind, record[kind]["sha256"])
        return [json.loads(line) for line in body.splitlines()]

    def put(self, record: dict[str, Any], kind: str, rows: list[dict[str, Any]]) -> None:
        stored = self.bodies.put(kind, b"".join(canonical(row) + b"\n" for row in rows))
        record[kind] = stored.reference()

    def bundle(self, *names: str) -> Files:
        log = Log.create(self.settings.ledger, self.records[0]["log_origin"])
        log.append([canonical(r) for r in self.records], expected_first=0)
        return audit_bundle.build(self.settings, Span(FIRST, LAST, names))


def set_field(index_id: str, **fields: Any) -> Callable[[Forger], str]:
    def change(forger: Forger) -> str:
        forger.final(index_id).update(fields)
        return index_id

    return change


def other_weight(forger: Forger) -> str:
    record = forger.final(GPT)
    rows = forger.rows(record, "contributions")
    members = [r for r in rows if r["weight_e8"]]
    members[0]["weight_e8"] += 1
    members[1]["weight_e8"] -= 1
    forger.put(record, "contributions", rows)
    return GPT


def other_kept(forger: Forger) -> str:
    record = forger.final(GPT)
    rows = forger.rows(record, "contributions")
    next(r for r in rows if r["kept"])["kept"] -= 1
    forger.put(record, "contributions", rows)
    return GPT


def other_price(forger: Forger) -> str:
    record = forger.final(GPT)
    rows = forger.rows(record, "contributions")
    one = next(r for r in rows if r["kept"])
    one["price_nano"] = one["quoted_nano"] = one["price_nano"] + 1
    forger.put(record, "contributions", rows)
    return GPT


def later_commitment(forger: Forger) -> str:
    forger.final(H100)["commit_seq"] = len(forger.records) - 1
    return H100


def second_first_print(forger: Forger) -> str:
    record = forger.final(H100)
    forger.records.append({**record, "seq": len(forger.records)})
    return H100


def wrong_predecessor(forger: Forger) -> str:
    forger.final(H100)["supersedes"] = digest(b"another")
    return H100


def other_inputs(forger: Forger) -> str:
    record = forger.final(H100)
    commit = forger.records[record["commit_seq"]]
    forger.put(commit, "inputs", forger.rows(commit, "inputs")[1:])
    return H100


def hidden_flag(forger: Forger) -> str:
    record = forger.final(H100)
    record["flags"] = [flag for flag in record["flags"] if flag != "COMMIT_UNWITNESSED"]
    return H100


INSIDE = [
    pytest.param(set_field(H100, value="3.9001"), "it says 3.9001, found 3.9000", id="value"),
    pytest.param(set_field(GPT, value=None, status="NO_FIX", waterfall="NO_FIX"),
                 "level NO_FIX: enough groups", id="a_value_held_back"),
    pytest.param(set_field(GPT, p50="9.000000"), "p50", id="a_percentile"),
    pytest.param(set_field(GPT, loo_low="0.000001"), "loo_low", id="the_band"),
    pytest.param(set_field(GPT, grade="A"), "grade", id="a_grade"),
    pytest.param(set_field(GPT, weight_share="0.99999999"), "weight_share", id="a_share"),
    pytest.param(set_field(GPT, settlement_eligible=True), "settlement_eligible", id="eligible"),
    pytest.param(set_field(H100, definition_digest="sha256:" + "0" * 64), "of a rule", id="rule"),
    pytest.param(set_field(H100, ref_date="2026-08-23"), "as committed", id="another_day"),
    pytest.param(set_field(H100, log_origin="somewhere/else"), "log_origin", id="another_log"),
    pytest.param(other_weight, "weights: it says {", id="weight_of_a_line"),
    pytest.param(other_kept, "kept weights: it says [", id="kept_weight_of_a_line"),
    pytest.param(other_price, "is among the inputs", id="price_of_a_line"),
    pytest.param(later_commitment, "commitment before it", id="commitment"),
    pytest.param(second_first_print, "was published before", id="published_twice"),
    pytest.param(wrong_predecessor, "supersedes", id="predecessor"),
    pytest.param(other_inputs, "input_digest", id="inputs_after_the_fact"),
    pytest.param(hidden_flag, "unwitnessed", id="a_flag_left_out"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "what"), INSIDE)
def test_whoever_holds_the_keys_cannot_publish_other_figures(
    change: Callable[[Forger], str], what: str, small_ledger: Settings, tmp_path: Path
) -> None:
    forger = Forger(small_ledger, tmp_path)
    name = change(forger)
    found = checked(forger.bundle(name)).wrong
    assert any(what in one["what"] for one in found), found[:5]
    assert all(name in one["where"] or ".jsonl" in one["where"] or one["where"] == "checkpoint"
               for one in found), found  # fmt: skip


def test_a_forger_who_changes_nothing_is_not_seen(small_ledger: Settings, tmp_path: Path) -> None:
    assert checked(Forger(small_ledger, tmp_path).bundle(H100, GPT)).wrong == []


# --- older ledgers, live days, settlements --------------------------------------------------------


@pytest.mark.parametrize(("archive", "values"), [("ledger", 32), ("live", 28)])
def test_ledgers_of_the_first_release_are_made_again(
    archive: str, values: int, tmp_path: Path
) -> None:
    with tarfile.open(FOLDER / f"{archive}.tar.xz") as kept:
        unpack(kept, tmp_path)
    heads = next(tmp_path.rglob("log/heads"))
    settings = config.load(out=heads.parents[2])
    audit = checked(audit_bundle.build(settings, ALWAYS))
    assert audit.wrong == []
    again = sum(n for name, n in audit.done.items() if name.endswith("values made again"))
    assert again == values


def test_a_provisional_whose_final_was_stopped_is_known_to_be_wrong(
    small_ledger: Settings, tmp_path: Path
) -> None:
    """Rulebook 22.3: it is counted apart."""
    forger = Forger(small_ledger, tmp_path)
    forger.first(H100).update(value="3.9001", change_pct="0.0026")
    final = forger.final(H100)
    final.clear()
    final |= {
        "type": "incident", "schema": "incident/1.0", "kind": "ENGINE_DIFFERENCE",
        **{k: forger.first(H100)[k] for k in ("index_id", "session", "ref_date", "log_origin")},
        "seq": forger.records.index(final),
    }  # fmt: skip
    audit = checked(forger.bundle(H100))
    assert audit.wrong == []
    assert any("22.3" in why and len(names) == 1 for why, names in audit.skipped.items())


# Rulebook 17.12: four days at 2.8600 and four at 2.8900; 23.0000 / 8 = 2.875, so 2.88.
DAYS = ["2.8600"] * 4 + ["2.8900"] * 4


def settled(**changes: Any) -> vo.Audit:
    audit = vo.Audit({}, [], None)
    for seq, value in enumerate(DAYS):
        fixing = {"type": "fixing", "index_id": "A", "ref_date": f"d{seq}", "value": value}
        audit.leaves[seq], audit.records[seq] = b"%d" % seq, fixing
    inputs: list[dict[str, Any]] = [
        {"date": f"d{n}", "seq": n, "digest": digest(b"%d" % n), "value": v, "state": "COUNTED"}
        for n, v in enumerate(DAYS)
    ]
    inputs.append({"date": "d8", "seq": None, "digest": None, "value": None, "state": "NO_FIX"})
    record = {
        "seq": 99, "index_id": "A", "inputs": inputs, "count": 8, "sum": "23.0000",
        "tick": "0.01", "value": "2.88", **changes,
    }  # fmt: skip
    audit.guard("settlement", audit.check_settlement, record)
    return audit


def test_ten_pricing_days_of_the_rulebook() -> None:
    assert settled().wrong == []
    assert settled(value=None).wrong == []


@pytest.mark.parametrize(
    ("supersedes", "value", "wrong"),
    [
        pytest.param(digest(b"first"), "2.88", [], id="right_and_chained"),
        pytest.param(digest(b"first"), "2.89", ["value"], id="wrong_as_well"),
        pytest.param(None, "2.88", ["what it supersedes (17.7)"], id="not_chained"),
    ],
)
def test_of_a_price_and_its_correction_the_correction_is_made_again(
    supersedes: str | None, value: str, wrong: list[str]
) -> None:
    audit, month = settled(value="9.99"), {"type": "settlement", "rule_id": "M", "period": "p"}
    first = {
        "seq": 99, "index_id": "A", "inputs": [], "count": 0, "sum": "0.0", "tick": "0.01",
        "value": "9.99", "supersedes": None, **month,
    }  # fmt: skip
    second = {**first, "seq": 100, "value": value, "supersedes": supersedes}
    second["inputs"] = [
        {"date": f"d{n}", "seq": n, "digest": digest(b"%d" % n), "value": v, "state": "COUNTED"}
        for n, v in enumerate(DAYS)
    ]
    second |= {"count": 8, "sum": "23.0000"}
    audit.wrong.clear()
    audit.leaves |= {99: b"first", 100: b"second"}
    audit.records |= {99: first, 100: second}
    for one in (first, second):
        audit.guard("settlement", audit.check_settlement, one)
    assert len(audit.wrong) == len(wrong)
    assert all(what in one["what"] for one, what in zip(audit.wrong, wrong, strict=True))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        pytest.param({"value": "2.87"}, "value", id="the_half_tick_goes_up"),
        pytest.param({"sum": "23.0001"}, "count, sum", id="a_sum"),
        pytest.param({"count": 9}, "count, sum", id="a_day_too_many"),
        pytest.param({"tick": "0.001"}, "value", id="a_finer_tick"),
    ],
)
def test_another_settlement_price_is_found(changes: dict[str, Any], what: str) -> None:
    assert [one["what"].split(":")[0] for one in settled(**changes).wrong] == [what]


@pytest.mark.campaign
def test_the_bundled_history_by_month(tmp_path: Path) -> None:
    settings = config.load(out=tmp_path / "out")
    pipeline.run_bundled(settings)
    for month in ("2026-06", "2026-08", "2026-10", "2026-11"):
        audit = checked(audit_bundle.build(settings, audit_bundle.month(month)))
        assert audit.wrong == []
        print(month, dict(audit.done), {why: len(n) for why, n in audit.skipped.items()})
