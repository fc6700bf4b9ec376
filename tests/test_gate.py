"""The release gate: two engines, three with SQL; what they disagree on is not released."""

from __future__ import annotations

import ast
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from index import cli, config, gate, pipeline, projections, replay
from index.config import Settings
from index.gate import Difference, Evidence
from index.ledger.batches import Batches
from methodology import series_run
from methodology.errors import VerificationError
from methodology.estimators import MEDIAN, TRIM25, TRIM40
from tests import live_world as lw
from tests import three_engines

IMPORTS = {"__future__", "json", "collections.abc", "dataclasses", "datetime", "typing"}


def test_the_second_engine_shares_no_line_with_the_first() -> None:
    tree = ast.parse(Path(gate.__file__).read_text("utf-8"))
    named = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    named |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert named <= IMPORTS


# Worked by hand in the rulebook, chapter 15, and here beside each case.
WORKED = [
    pytest.param(
        (
            [2_100_000_000, 2_400_000_000, 1_990_000_000, 2_790_000_000, 3_500_000_000],
            [24_000_000, 24_000_000, 24_000_000, 14_000_000, 14_000_000],
            MEDIAN,
            4,
        ),
        24_000,
        id="five_sellers_of_the_rulebook",
    ),
    pytest.param(
        (
            [n * 10**7 for n in (10, 20, 24, 25, 27, 28, 30, 38, 60, 90)],
            [10_000_000] * 10,
            TRIM25,
            6,
        ),
        282_000,
        id="ten_sellers_of_the_rulebook",
    ),
    # (3 + 5) / 2: six members, the third and fourth share the half within the slack of 7.4.
    pytest.param(
        (
            [n * 10**9 for n in (1, 2, 3, 5, 8, 13)],
            [16_666_667, 16_666_667, 16_666_667, 16_666_667, 16_666_666, 16_666_666],
            MEDIAN,
            4,
        ),
        40_000,
        id="six_equal_members_average_within_the_slack",
    ),
    # 25 members of 4%: 40% cut each side leaves the 11th to the 15th: 13.
    pytest.param(
        ([n * 10**9 for n in range(1, 26)], [4_000_000] * 25, TRIM40, 4),
        130_000,
        id="twenty_five_members_keep_the_middle_fifth",
    ),
    pytest.param(([1, 2], [50_000_000, 50_000_000], MEDIAN, 6), 0, id="half_a_nano_rounds_away"),
    pytest.param(([1000, 0], [50_000_000, 50_000_000], MEDIAN, 6), 1, id="no_price_no_place"),
    pytest.param(([0, 0], [1, 1], MEDIAN, 4), None, id="nobody_stands"),
]


@pytest.mark.parametrize(("panel", "units"), WORKED)
def test_three_engines_give_what_was_worked_by_hand(panel: Any, units: int | None) -> None:
    assert three_engines.agree([panel]) == [units]


def test_three_engines_agree_on_random_panels() -> None:
    draw = random.Random(20261120)
    found = three_engines.agree([three_engines.random_panel(draw) for _ in range(20_000)])
    assert sum(units is not None for units in found) > 19_000


def test_a_wrong_engine_is_seen_by_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "TRIMS", {**gate.TRIMS, TRIM25: (1, 5)})
    panel = ([n * 10**9 for n in (1, 2, 3, 9)], [25_000_000] * 4, TRIM25, 4)
    with pytest.raises(AssertionError, match="arrays, integers, SQL give"):
        three_engines.agree([panel])


@pytest.mark.parametrize(
    ("top", "bottom", "rounded"),
    [(5, 2, 3), (4, 2, 2), (1, 3, 0), (2, 3, 1), (-1, 2, 0), (-3, 2, -1), (-2, 3, -1)],
)
def test_rounding_is_half_up_below_zero_too(top: int, bottom: int, rounded: int) -> None:
    assert gate.half_up(top, bottom) == rounded


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [(5, 0, "5"), (5, 2, "0.05"), (-227954, 6, "-0.227954"), (106127, 2, "1061.27")],
)
def test_units_as_text(units: int, decimals: int, text: str) -> None:
    assert gate.text_of(units, decimals) == text


# --- what a ledger cites -----------------------------------------------------------------------


def evidence_of(settings: Settings, record: dict[str, Any]) -> Evidence:
    batches = Batches(settings.ledger)
    return Evidence(
        batches.get("contributions", record["contributions"]["sha256"]),
        batches.get("basket", record["basket_digest"]),
        batches.get("panel_state", record["panel_state"]["sha256"]),
    )


H100 = "GPR-H100-ANY-OD-NEO-GLB"


@pytest.fixture(scope="module")
def valued(few_published: Settings) -> tuple[dict[str, Any], Evidence]:
    record = next(
        r for r in lw.records(few_published) if r["type"] == "fixing" and r["index_id"] == H100
    )
    assert record["value"] == "3.9000"
    return record, evidence_of(few_published, record)


def changed(evidence: Evidence, **figures: Any) -> Evidence:
    first, *others = evidence.lines()
    rows = [{**first, **figures}, *others]
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return Evidence(body, evidence.basket, evidence.panel_state)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param(lambda r, e: ({**r, "value": "3.9001"}, e), "value", id="a_value"),
        pytest.param(lambda r, e: (r, changed(e, kept=9)), "kept weights", id="kept_weights"),
        pytest.param(lambda r, e: (r, changed(e, weight_e8=1)), "weights", id="a_weight"),
        pytest.param(lambda r, e: (r, changed(e, price_nano=1)), "kept weights", id="a_price"),
    ],
)
def test_what_does_not_fit_is_named(
    valued: tuple[dict[str, Any], Evidence],
    change: Callable[[dict[str, Any], Evidence], tuple[dict[str, Any], Evidence]],
    field: str,
) -> None:
    assert gate.differences(*valued) == []
    assert field in [one.field for one in gate.differences(*change(*valued))]


# --- a planted difference ----------------------------------------------------------------------


@pytest.fixture
def wrong_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first engine that adds a tenth to the H100 rate after it has chosen its kept weights."""
    honest = series_run.det.estimate

    def estimate(price: Any, weight: Any, estimator: Any, valued: Any) -> Any:
        tops, bottoms, kept = honest(price, weight, estimator, valued)
        spoiled = [
            top * 11 // 10 if np.any(price[i] == 6_155_000_000) else top
            for i, top in enumerate(tops)
        ]
        return spoiled, bottoms, kept

    monkeypatch.setattr(series_run.det, "estimate", estimate)


def test_a_difference_blocks_that_final_alone(
    few_ledger: Settings, tmp_path: Path, wrong_kernel: None
) -> None:
    settings = config.load(out=tmp_path / "out", bundle=few_ledger.bundle)
    report = pipeline.run_bundled(settings)
    found = lw.records(settings)
    stopped = {one["index_id"] for one in report.blocked}
    assert H100 in stopped
    finals = {r["index_id"] for r in found if r["type"] == "fixing" and r["revision"] == 1}
    whole = {
        r["index_id"]
        for r in lw.records(few_ledger)
        if r["type"] == "fixing" and r["revision"] == 1
    }
    assert finals == whole - stopped
    incidents = [r for r in found if r["type"] == "incident" and r["kind"] == "ENGINE_DIFFERENCE"]
    assert {r["index_id"] for r in incidents} == stopped
    [mine] = [r for r in incidents if r["index_id"] == H100]
    told = {d["field"]: (d["first_engine"], d["second_engine"]) for d in mine["differences"]}
    # 3.9000 and a tenth, as the wrong engine made it, against what the cited lines give.
    assert told["value"] == ("4.2900", "3.9000")
    assert mine["contributions"]["sha256"].startswith("sha256:")
    # The provisional stands, the artefacts wait, a second run tries again and adds no record.
    assert lw.fixing(settings, H100, mine["ref_date"], 0)["status"] == "PROVISIONAL"
    assert not any(r["type"] == "batch" and r["artefact"]["kind"] == "backcast" for r in found)
    again = pipeline.run_bundled(settings)
    assert (again.appended, {one["index_id"] for one in again.blocked}) == (0, stopped)


def test_once_the_engine_is_mended_the_final_is_released(
    few_ledger: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.load(out=tmp_path / "out", bundle=few_ledger.bundle)
    with monkeypatch.context() as patch:
        honest = gate.differences

        def differences(record: Any, evidence: Evidence) -> list[Difference]:
            if record["index_id"] == H100:
                return [Difference("value", record["value"], "0.0000")]
            return honest(record, evidence)

        patch.setattr(gate, "differences", differences)
        assert [one["index_id"] for one in pipeline.run_bundled(settings).blocked] == [H100]
    report = pipeline.run_bundled(settings)
    assert report.blocked == []
    final = next(
        r
        for r in lw.records(settings)
        if r["type"] == "fixing" and (r["index_id"], r["revision"]) == (H100, 1)
    )
    assert final["value"] == "3.9000"
    assert replay.verify(settings).problems == []


def test_a_final_that_the_second_engine_would_not_give_fails_verification(
    few_ledger: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "TRIMS", {**gate.TRIMS, TRIM25: (1, 5)})
    monkeypatch.setattr(gate, "WHOLE", 10**8 - 1)
    with pytest.raises(VerificationError, match=r"the first engine says .*, the second"):
        replay.verify(few_ledger)


def test_nothing_else_than_the_ledger_is_read(few_ledger: Settings, tmp_path: Path) -> None:
    """The engine needs three bodies: no bundle, no archive, no rules."""
    shutil.copytree(few_ledger.ledger, tmp_path / "ledger", copy_function=shutil.copyfile)
    settings = config.load(out=tmp_path)
    record = next(r for r in lw.records(settings) if r["type"] == "fixing" and r["value"])
    assert gate.differences(record, evidence_of(settings, record)) == []


def test_the_command_says_so_and_ends_with_twelve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = [{"index_id": H100, "ref_date": "2026-08-22", "detail": "value: one, another"}]
    report = pipeline.Report(mode="bundled", appended=1, blocked=blocked)
    monkeypatch.setattr(pipeline, "run_bundled", lambda settings, tell: report)
    monkeypatch.setattr(projections, "rebuild", lambda settings, tell: {})
    with pytest.raises(typer.Exit) as done:
        cli.run(out=tmp_path, bundle=tmp_path, as_json=True)
    assert done.value.exit_code == 12
    told = capsys.readouterr()
    assert json.loads(told.out)["blocked"] == blocked
    assert f"blocked: final of {H100} 2026-08-22: value: one, another" in told.err


NO_ROAD = gate.NotCovered("no road")
STOPPED = {
    "a kind without a second engine, on which a contract could settle": (NO_ROAD, True, 1),
    "a kind without a second engine, on which none can": (NO_ROAD, False, 0),
    "an engine that fails, even where no contract could settle": (KeyError("kept"), False, 1),
    "an engine that fails, on which a contract could settle": (ZeroDivisionError("x"), True, 1),
}


@pytest.mark.parametrize(("error", "is_eligible", "count"), STOPPED.values(), ids=STOPPED.keys())
def test_what_cannot_be_found_again_is_released_only_where_nothing_settles(
    error: Exception, is_eligible: bool, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(record: object, evidence: object) -> list[gate.Difference]:
        raise error

    monkeypatch.setattr(gate, "differences", fails)
    record = {"value": "2.00", "settlement_eligible": is_eligible}
    told = gate.stops(record, gate.Evidence(b"", b"", b""))
    assert [(one.field, one.first) for one in told] == [("value", "2.00")] * count
