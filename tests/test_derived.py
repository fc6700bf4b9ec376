"""Derived indices over the bundled history, and in a published ledger: the record is complete."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from index import prints, replay
from index.config import Settings
from index.derived import spread_series
from index.draft_derived import draft_derived
from index.ledger.batches import Batches
from index.ledger.log import Log
from index.live import Before, take
from index.publication import record
from methodology import spread
from methodology.definition import load_definitions
from methodology.derived_definitions import QualityDefinition, SpreadDefinition
from tests.bundled_history import BUNDLE, Determined, determined, packaged, rules

NEO, HYP = "GPR-H100-SXM-80-OD-NEO-GLB", "GPR-H100-SXM-80-OD-HYP-US"
R1, V3 = "SPK-deepseek-r1-H100-SXM-80", "SPK-deepseek-v3-0324-H100-SXM-80"
DERIVED = [i for d in load_definitions() if d.family in ("SPK", "QAX", "USE") for i in d.index_ids]


@pytest.fixture(scope="module")
def made() -> Determined:
    legs = ("TKR-deepseek-r1-OUT", "TKR-deepseek-v3-0324-OUT", NEO, HYP)
    return determined(packaged(*DERIVED, *legs))


@pytest.fixture(scope="module")
def drafts(made: Determined) -> dict[str, Any]:
    return made.drafts()


@pytest.mark.parametrize(
    ("index_id", "day", "value"),
    [
        # 4.980000 - 0.099651 * 3.2000 = 4.6611168
        pytest.param(R1, date(2026, 8, 12), "4.661117", id="output_at_neoclouds"),
        # 2.522500 - 0.056780 * 3.2000 = 2.340804
        pytest.param(f"{R1}-BLD", date(2026, 8, 12), "2.340804", id="blend_at_neoclouds"),
        # 0.836667 - 0.099651 * 3.2000 = 0.5177838
        pytest.param(V3, date(2026, 8, 12), "0.517784", id="a_cheaper_model"),
        # 0.874286 - 0.099651 * 11.0610 = 0.874286 - 1.102239711 = -0.227953711
        pytest.param(f"{V3}-HYP", date(2026, 6, 18), "-0.227954", id="negative"),
    ],
)
def test_the_published_spreads_by_hand(
    drafts: dict[str, Any], index_id: str, day: date, value: str
) -> None:
    draft = drafts[index_id]
    assert draft.selection.ref_date == day
    assert (draft.fields["value"], draft.fields["change_pct"]) == (value, None)
    assert (draft.fields["waterfall"], draft.fields["grade"]) == ("REDUCED", "C")
    assert {"DERIVED", "MIRRORED_EVIDENCE"} <= set(draft.flags)


@pytest.mark.parametrize("index_id", [R1, f"{R1}-HYP", V3, f"{V3}-HYP"])
def test_every_day_is_its_legs_published_values(made: Determined, index_id: str) -> None:
    definition = made.definitions[index_id]
    assert isinstance(definition, SpreadDefinition)
    told = made.outcome.derived[index_id].days
    rates = made.outcome.rates[definition.session].fixings
    legs = [
        {
            r["ref_date"]: (r["value_units"], r["decimals"], r["waterfall"])
            for r in rates.filter(pl.col("index_id") == leg).iter_rows(named=True)
        }
        for leg in definition.legs
    ]
    assert list(told) == [
        d
        for d in made.outcome.sessions[definition.session].index_days
        if definition.effective_from <= d <= (made.until[index_id] or date.min)
    ]
    valued = 0
    for day, one in told.items():
        token, gpu = (leg.get(day, (None, 0, "NO_FIX")) for leg in legs)
        if token[0] is None or gpu[0] is None:
            assert one.value_units is None
            continue
        exact = Fraction(token[0], 10 ** token[1]) - Fraction("0.099651") * Fraction(
            gpu[0], 10 ** gpu[1]
        )
        assert abs(Fraction(one.value_units or 0, 10**6) - exact) <= Fraction(1, 2 * 10**6)
        assert one.waterfall == spread.worse_level([token[2], gpu[2]])
        valued += 1
    assert valued == sum(one.value_units is not None for one in told.values()) > 0


def test_contributions_give_the_value_back(drafts: dict[str, Any]) -> None:
    for index_id in (R1, f"{V3}-HYP", f"{R1}-BLD"):
        rows = [json.loads(line) for line in drafts[index_id].contributions.splitlines()]
        worth = sum(r["price_nano"] * int(r["quantity_e12"]) for r in rows)
        units = spread.half_up(worth, 10**15)
        assert record.decimal_text(units, 6) == drafts[index_id].fields["value"]


def test_the_inputs_name_the_legs_and_the_heat_rate_before_any_value(
    drafts: dict[str, Any],
) -> None:
    lines = [json.loads(line) for line in drafts[R1].selection.inputs.splitlines()]
    assert [line["kind"] for line in lines] == ["leg", "leg", "heat_rate"]
    assert [line["index_id"] for line in lines[:2]] == ["TKR-deepseek-r1-OUT", NEO]
    assert lines[2]["out_tokens_per_second"] == "22300"
    assert not any("value" in key for line in lines for key in line)


def test_a_line_of_another_day_changes_the_values_after_it_only(made: Determined) -> None:
    definition = made.definitions[f"{R1}-HYP"]
    assert isinstance(definition, SpreadDefinition)
    (old,) = [
        one
        for one in spread.load_heat_rates()
        if definition.model in one.models and one.sku == definition.sku
    ]
    new = old.model_copy(
        update={"out_tokens_per_second": "44600", "effective_from": date(2026, 1, 1)}
    )
    days = list(made.outcome.derived[f"{R1}-HYP"].days)
    rates = made.outcome.rates[definition.session]
    again = spread_series(definition, rates, days, rules(), [old, new]).days
    for day, one in made.outcome.derived[f"{R1}-HYP"].days.items():
        if day < date(2026, 1, 1):
            assert again[day] == one
        elif one.value_units is not None:
            assert (again[day].value_units or 0) > one.value_units


def test_the_quality_adjusted_index_is_monthly_and_starts_with_its_first_window(
    made: Determined,
) -> None:
    days = made.outcome.derived["QAX-ALL"].days
    assert all((day + timedelta(days=1)).day == 1 for day in days)
    valued = [day for day, one in days.items() if one.value_units is not None]
    assert valued[0] == date(2025, 7, 31)
    assert days[valued[0]].value_units == 100000
    assert valued[-1] == made.until["QAX-ALL"] == date(2026, 10, 31)
    assert len(valued) == 16
    assert "fewer than 6 models of 4" in (days[date(2025, 6, 30)].no_fix_reason or "")
    definition = made.definitions["QAX-ALL"]
    assert isinstance(definition, QualityDefinition)
    assert definition.is_due(date(2026, 2, 28))
    assert not definition.is_due(date(2026, 2, 27))


def test_what_the_developers_posted_for_one_month(drafts: dict[str, Any]) -> None:
    """Claude Opus 4.7 at 5 and 25 USD all of October 2026: (3 * 5 + 25) / 4 = 10."""
    rows = {r["model"]: r for r in map(json.loads, drafts["QAX-ALL"].contributions.splitlines())}
    assert rows["claude-opus-4.7"]["price_nano"] == 10 * 10**9
    assert rows["claude-opus-4.7"]["quantity_e12"] == "8197176189873000000"
    assert sum(r["weight_e8"] for r in rows.values()) == 10**8


def test_measured_use_is_the_28_days_of_the_table(drafts: dict[str, Any]) -> None:
    """172,415,536,876,448 tokens in the column, over 28 days: 6,157,697.7456 million."""
    rows = pl.read_csv(BUNDLE / "volumes_openrouter.csv")
    total = int(rows["quantity"].sum())
    assert drafts["USE-ALL"].fields["value"] == record.decimal_text((total + 14000) // 28000, 3)
    assert drafts["USE-ALL"].fields["level"] == "1000.0000"


@pytest.mark.parametrize(
    ("index_id", "value", "told"),
    [
        ("USE-CN-DISCLOSED", "140000000.000", "2026-03-31 for 2026-03-01 to 2026-03-31"),
        ("USE-BYTEDANCE-DISCLOSED", "120000000.000", "2026-04-02 for 2026-03-01 to 2026-03-31"),
        # 3200 trillion in May / 31 days = 103.225806451... trillion a day
        ("USE-GOOGLE-DISCLOSED", "103225806.452", "2026-05-20 for 2026-05-01 to 2026-05-31"),
    ],
)
def test_what_was_disclosed_stands_with_its_age(
    drafts: dict[str, Any], index_id: str, value: str, told: str
) -> None:
    fields = drafts[index_id].fields
    assert (fields["value"], fields["grade"]) == (value, "D")
    assert told in fields["footnotes"][0]
    assert {"DISCLOSED", "STALE_DISCLOSURE"} <= set(drafts[index_id].flags)


def test_a_leg_that_is_not_determined_gives_no_fix(
    made: Determined, drafts: dict[str, Any]
) -> None:
    chosen = drafts[R1].selection
    late = replace(chosen, ref_date=date(2026, 8, 11))
    one = draft_derived(made.outcome, replace(late, legs=()), rules())
    assert (one.fields["value"], one.fields["waterfall"], one.fields["grade"]) == (
        None, "NO_FIX", "D",
    )  # fmt: skip
    assert "TKR-deepseek-r1-OUT" in one.fields["no_fix_reason"]


def test_the_back_cast_has_every_day_of_every_derived_index(made: Determined) -> None:
    body = prints.back_cast(made.outcome, made.definitions, made.until)
    rows = [json.loads(line) for line in body.splitlines()]
    for index_id in DERIVED:
        if index_id.endswith("-BLD"):
            continue
        mine = [r for r in rows if r["index_id"] == index_id]
        assert len(mine) == len(made.outcome.derived[index_id].days) > 0
        assert {r["flag"] for r in mine} == {"_BT"}
        assert all((r["value"] is None) == (r["waterfall"] == "NO_FIX") for r in mine)
    assert any(r["value"] and r["value"].startswith("-0.") for r in rows)


def test_a_published_ledger_holds_them_and_verifies(small_ledger: Settings) -> None:
    log = Log.open(small_ledger.ledger, read_only=True)
    bodies = [json.loads(body) for body in log.entries()]
    fixings = [b for b in bodies if b["type"] == "fixing" and b["index_id"] in DERIVED]
    assert {(b["index_id"], b["revision"]) for b in fixings} >= {
        ("USE-ALL", 0), ("USE-ALL", 1), ("USE-CN-DISCLOSED", 1),
    }  # fmt: skip
    for one in fixings:
        assert set(one) == set(record.FIXING_FIELDS)
        assert bodies[one["commit_seq"]]["input_digest"] == one["input_digest"]
        assert one["commit_seq"] < one["seq"]
    assert replay.verify(small_ledger).problems == []


def test_a_live_run_goes_on_from_the_recorded_state(small_ledger: Settings) -> None:
    log = Log.open(small_ledger.ledger, read_only=True)
    bodies = [json.loads(body) for body in log.entries()]
    last = [b for b in bodies if b.get("index_id") == "USE-CN-DISCLOSED" and "value" in b][-1]
    found = Before({})
    definition = next(d for d in load_definitions() if "USE-CN-DISCLOSED" in d.index_ids)
    take(found, "USE-CN-DISCLOSED", definition, last, Batches(small_ledger.ledger))
    state = found.derived["USE-CN-DISCLOSED"]
    assert state["tokens"] == "4340000000000000"
    assert state["stated_at"].startswith("2026-03-31")
