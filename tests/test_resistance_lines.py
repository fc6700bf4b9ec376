"""The artefact of resistance: lines of a real day, volumes at hand, tables, the block of show."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from fractions import Fraction
from functools import cache
from typing import Any

import duckdb
import polars as pl
import pytest

from index import projections, reading, records, resistance, show_fixing
from index.config import Settings
from index.ledger.canonical import canonical, parse_record
from index.outcome import CompositeSeries, Outcome
from index.pipeline import open_shop
from index.terminal import Screen
from index.warehouse import resistance as tables
from index.warehouse import write
from methodology.composite import CompositeDay
from methodology.definition import CompositeDefinition, load_methodology
from methodology.errors import VerificationError
from tests import oracle
from tests.bundled_history import Determined, determined, nano, packaged, rules, taken

H100 = "GPR-H100-SXM-80-OD-NEO-GLB"
GPT = "TKR-gpt-oss-120b-BLD"

Row = dict[str, Any]


@cache
def made() -> Determined:
    return determined(packaged(H100, GPT))


def lines(*names: str) -> dict[str, Row]:
    one = made()
    due = {name: day for name in names if (day := one.until[name])}
    body = resistance.resistance_lines(
        one.outcome, due, one.definitions, rules(), taken().inputs.volumes
    )
    for text in body.splitlines():
        parse_record(text)
    return {row["index_id"]: row for row in map(json.loads, body.splitlines())}


def of(line: Row, group: str) -> Row:
    found: Row = next(r for r in line["groups"] if r["group"] == group)
    return found


def test_five_neoclouds_worked_by_hand() -> None:
    """Equal weights and 2.69, 3.14, 3.20, 3.25, 3.99: the median is nexgen's 3.20."""
    line = lines(H100)[H100]
    prices = {r["group"]: r["price"] for r in line["groups"]}
    assert prices == {
        "jarvislabs": "2.690000000", "lambda": "3.990000000", "massedcompute": "3.140000000",
        "nexgen": "3.200000000", "verda": "3.250000000",
    }  # fmt: skip
    assert (line["value"], line["estimator"], line["members"]) == ("3.2000", "weighted_median", 5)
    nexgen, verda = of(line, "nexgen"), of(line, "verda")
    # Up a tenth it stands at 3.52, the median is 3.25; down at 2.88, the median is 3.14.
    assert (nexgen["own_up_pct"], nexgen["own_down_pct"]) == ("1.562500", "-1.875000")
    # verda at 2.925 leaves 3.14 in the middle.
    assert (verda["own_up_pct"], verda["own_down_pct"]) == ("0.000000", "-1.875000")
    assert (line["mi1_pct"], line["mi1_group"]) == ("-1.875000", "lambda")  # first of equals
    assert line["mi1_ln"] == "0.018928"  # ln(3.20/3.14)
    # The two cheapest to the top: 3.20, 3.25, 3.99 and them.
    assert (line["mi2_pct"], line["mi2_groups"]) == ("24.687500", ["jarvislabs", "massedcompute"])
    # One left out: the mean of the two in the middle of four.
    assert of(line, "jarvislabs")["left_out_pct"] == "0.781250"  # 3.225
    assert nexgen["left_out_pct"] == "-0.156250"  # 3.195
    assert (line["left_out_low_pct"], line["left_out_high_pct"]) == ("-0.937500", "0.781250")
    assert nexgen["exit_pct"] == "-0.156250"  # equal weights formed anew are equal
    assert line["breakdown_groups"] == 3
    assert (line["breakdown_share"], line["breakdown_weight"]) == ("0.50000000", "0.60000000")


def test_cost_and_gain_of_the_same_five() -> None:
    line = lines(H100)[H100]
    nexgen = of(line, "nexgen")
    assert (nexgen["price_for_up"], nexgen["price_for_down"]) == ("3.232000000", "3.168000000")
    assert nexgen["cost_per_unit_volume"] == "0.960000000"  # 0.032 a GPU-hour, 30 days
    assert (nexgen["cost"], nexgen["cost_reason"]) == (None, "VOLUME_UNKNOWN")
    assert line["position_units"] == 7500 * 730
    assert line["gain"] == "175200.00"  # a hundredth of 3.20 on 5,475,000 GPU-hours
    assert line["break_even_volume"] == "182500.00"  # 175,200 / 0.96
    assert (line["cost_per_unit_min"], line["cost_per_unit_group"]) == ("0.960000000", "nexgen")
    assert (line["gain_to_cost"], line["alert"]) == (None, None)


def test_a_token_rate_has_no_contract_and_without_volumes_no_cost() -> None:
    line = lines(GPT)[GPT]
    assert line["estimator"] == "trimmed_mean_25"
    assert (line["position_units"], line["gain"], line["break_even_volume"]) == (None, None, None)
    assert {r["cost_reason"] for r in line["groups"]} == {"VOLUME_UNKNOWN"}
    assert line["weights"]["volumes_known"] == 0
    assert line["weights"]["router"] is line["weights"]["raw"] is None
    assert line["weights"]["own"] == line["weights"]["equal"] == line["value"]


def test_router_volumes_give_costs_and_weightings(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = lines(GPT)[GPT]
    groups = [r["group"] for r in plain["groups"]]
    prices = [nano(r["price"]) for r in plain["groups"]]
    cheap = min(range(len(groups)), key=lambda g: (prices[g], groups[g]))
    tokens: dict[str, int] = {
        g: 28 * 10**6 * (n + 1) ** 2 for n, g in enumerate(groups)
    }  # one million a day, four, nine ...
    tokens[groups[cheap]] = 28 * 10**10  # ... and ten thousand for the cheapest
    del tokens[groups[-1]]
    monkeypatch.setattr(resistance, "host_volumes", lambda rows, day: {"gpt-oss-120b": tokens})
    line = lines(GPT)[GPT]
    volumes = [tokens.get(g) for g in groups]
    rooted = oracle.weights(volumes, rooted=True)
    expected = oracle.published(oracle.value_parts(prices, rooted, "trim25"), 6)
    assert line["weights"]["router"] == f"{expected // 10**6}.{expected % 10**6:06d}"
    # Without root or cap the cheapest has nearly all: it alone is the middle half.
    assert Fraction(line["weights"]["raw"]) == Fraction(prices[cheap], 10**9).limit_denominator(
        10**6
    )
    assert line["weights"]["low"] == line["weights"]["raw"]
    assert line["weights"]["weights_divergence"] is True
    assert line["weights"]["volumes_known"] == len(groups) - 1
    first = line["groups"][0]
    assert first["volume_per_day"] == "1.000000"
    off = Fraction(first["cost"]) - Fraction(first["cost_per_unit_volume"])
    assert abs(off) <= Fraction(1, 200)  # one unit a day, in cents
    assert line["groups"][-1]["cost_reason"] == "VOLUME_UNKNOWN"
    assert line["cost_group"] in groups
    assert (line["gain_to_cost"], line["alert"]) == (None, None)  # no contract, no gain


def test_an_exit_forms_the_weights_of_the_others_anew() -> None:
    one = made()
    day = one.until[H100] or date.min
    series = one.outcome.rates["NYC"]
    i = next(n for n, p in enumerate(series.plans) if p.index_id == H100)
    d = series.index_days.index(day)
    plan, vintage = series.plans[i], series.plans[i].vintages[d]
    assert vintage is not None
    known = (900, 400, 100, None, 25)
    rooted = replace(vintage, basis="V2", volumes=known)
    vintages = [*plan.vintages[:d], rooted, *plan.vintages[d + 1 :]]
    plans = [replace(p, vintages=vintages) if n == i else p for n, p in enumerate(series.plans)]
    outcome = Outcome({}, {"NYC": replace(series, plans=plans)}, {}, {}, {})
    body = resistance.resistance_lines(
        outcome, {H100: day}, one.definitions, rules(), taken().inputs.volumes
    )
    line = json.loads(body)
    prices = [nano(r["price"]) for r in line["groups"]]
    for g, row in enumerate(line["groups"]):
        rest = prices[:g] + prices[g + 1 :]
        weights = oracle.weights([*known[:g], *known[g + 1 :]], rooted=True)
        moved = Fraction(*oracle.value_parts(rest, weights, "median")) / nano("3.20") - 1
        assert abs(Fraction(row["exit_pct"]) - 100 * moved) <= Fraction(1, 2 * 10**6)
    assert any(r["exit_pct"] != r["left_out_pct"] for r in line["groups"])


def test_rules_of_the_first_version_state_nothing() -> None:
    one = made()
    due = {H100: one.until[H100] or date.min}
    old = load_methodology("1.0.0")
    volumes = taken().inputs.volumes
    assert resistance.resistance_lines(one.outcome, due, one.definitions, old, volumes) == b""


def test_a_day_without_a_value_has_no_line_and_a_carried_one_no_figures() -> None:
    one = made()
    day, volumes = one.until[H100] or date.min, taken().inputs.volumes
    series = one.outcome.rates["NYC"]

    def on(level: str, has_value: bool) -> bytes:
        rows = series.fixings.with_columns(
            pl.lit(level).alias("waterfall"),
            pl.when(has_value).then("value_units").alias("value_units"),
        )
        rates = {"NYC": replace(series, fixings=rows)}
        outcome = Outcome({}, rates, {}, {}, {})
        return resistance.resistance_lines(outcome, {H100: day}, one.definitions, rules(), volumes)

    assert on("NO_FIX", False) == b""
    line = json.loads(on("CARRY", True))
    assert (line["value"], line["waterfall"]) == ("3.2000", "CARRY")
    assert (line["groups"], line["mi1_pct"], line["weights"]) == ([], None, None)


# --- composites ----------------------------------------------------------------------------------


def composite(*rows: tuple[str, str, str, int, int]) -> Row:
    """Return the line of a composite of (model, developer, source, quantity, price) rows."""
    definition = next(d for d in packaged("TKX-ALL-BLD") if isinstance(d, CompositeDefinition))
    names = ("model", "developer", "source", "quantity_e12", "price_nano")
    told = tuple(dict(zip(names, row, strict=True)) | {"weight_e8": 25_000_000} for row in rows)
    day = date(2026, 11, 1)
    series = CompositeSeries(
        definition, {day: CompositeDay(day, "REDUCED", 100_000, 4, 10**8, told)}
    )
    outcome = Outcome({}, {}, {definition.index_id: series}, {}, {})
    known = {definition.index_id: definition}
    body = resistance.resistance_lines(
        outcome, {definition.index_id: day}, known, rules(), taken().inputs.volumes
    )
    line: Row = json.loads(body)
    return line


def test_a_composite_moves_with_a_developers_share() -> None:
    line = composite(
        ("a1", "ash", "catalogue", 10, 300),
        ("a2", "ash", "catalogue", 20, 100),
        ("b1", "birch", "catalogue", 40, 100),
        ("open-1", "cedar", "TKR", 5, 200),
    )
    shares = {r["group"]: r["own_up_pct"] for r in line["groups"]}
    assert shares == {"TKR-open-1-BLD": "1.000000", "ash": "5.000000", "birch": "4.000000"}
    ash = of(line, "ash")
    assert (ash["own_down_pct"], ash["any_price_down_pct"]) == ("-5.000000", "-50.000000")
    assert ash["is_unbounded"] is True
    assert (line["mi1_is_unbounded"], line["mi1_pct"], line["mi1_group"]) == (True, None, "ash")
    assert line["mi2_groups"] == ["ash", "birch"]
    assert line["breakdown_groups"] == 1


# --- tables and show -----------------------------------------------------------------------------


def with_artefact(settings: Settings) -> dict[str, Row]:
    """Log an artefact of resistance in a copied ledger and return its lines."""
    found = lines(H100, GPT)
    with open_shop(settings) as shop:
        body = b"".join(canonical(found[name]) + b"\n" for name in sorted(found))
        artefact = shop.batches.put(resistance.KIND, body)
        cited = next(r for (kind, _), r in shop.published.batches.items() if kind == "manifest")

        class Manifest:
            def reference(self) -> dict[str, Any]:
                return dict(cited["artefact"])

        at = pl.datetime_range(date(2026, 11, 20), date(2026, 11, 20), eager=True)[0]
        shop.append([records.artefact_record(shop, artefact, Manifest(), at)])  # type: ignore[arg-type]
    return found


def test_tables_hold_the_lines_exactly(small_copy: Settings) -> None:
    found = with_artefact(small_copy)
    projections.rebuild(small_copy)
    with duckdb.connect(small_copy.data / write.ANALYSTS_FILE, read_only=True) as spot:
        rows = spot.execute(
            "SELECT legal_group, CAST(own_up_pct AS VARCHAR), CAST(price_for_up AS VARCHAR) "
            "FROM resistance WHERE index_id = ? ORDER BY place",
            [H100],
        ).fetchall()
        head = spot.execute(
            "SELECT CAST(mi1_pct AS VARCHAR), mi2_groups, breakdown_groups, "
            "CAST(break_even_volume AS VARCHAR), weights_divergence "
            "FROM resistance_index WHERE index_id = ?",
            [H100],
        ).fetchone()
    line = found[H100]
    assert rows == [(r["group"], r["own_up_pct"], r["price_for_up"]) for r in line["groups"]]
    assert head == ("-1.875000", "jarvislabs massedcompute", 3, "182500.000000000", False)


def test_a_later_line_of_a_fixing_replaces_the_earlier() -> None:
    line = lines(H100)[H100]
    later = canonical({**line, "mi1_group": "verda"})
    found = tables.read_lines([canonical(line) + b"\n", later + b"\n"])
    assert [row["mi1_group"] for row in found] == ["verda"]
    with pytest.raises(VerificationError, match=r"resistance/9\.0"):
        tables.read_lines([canonical({**line, "schema": "resistance/9.0"})])


def test_show_prints_the_block_where_the_artefact_is(
    small_copy: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with_artefact(small_copy)
    ledger = reading.open_ledger(small_copy)
    told = reading.shown(ledger, reading.fixing_of(ledger, H100, None, None))
    assert told["resistance"]["mi1_group"] == "lambda"
    show_fixing.fixing(Screen(), told, small_copy, every=False)
    block = capsys.readouterr().out.partition("\nResistance")[2].partition("\nFlags")[0]
    rows = [x.split() for x in block.splitlines() if x.strip()]
    assert ["nexgen", "-1.88", "/", "+1.56", "-1.88", "-0.16"] in rows
    assert "and 2 more; --all lists them" in block
    assert "+24.69 %   jarvislabs, massedcompute" in block
    assert "3 groups together   60.00 % of the weight" in block
    assert "pays below 182500.00 GPU-h a day" in block
    show_fixing.fixing(Screen(), told, small_copy, every=True)
    every = capsys.readouterr().out.partition("\nResistance")[2].partition("\nFlags")[0]
    assert "jarvislabs" in every.partition("one, any price")[0]
    show_fixing.fixing(Screen(), told | {"resistance": None}, small_copy, every=False)
    assert "Resistance" not in capsys.readouterr().out


def test_a_fixing_of_another_manifest_has_no_block(small_copy: Settings) -> None:
    with_artefact(small_copy)
    ledger = reading.open_ledger(small_copy)
    record = reading.fixing_of(ledger, H100, None, None)
    other = {**record, "manifest": {**record["manifest"], "sha256": "sha256:" + "0" * 64}}
    assert ledger.resistance(other) is None
