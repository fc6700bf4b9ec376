"""Vectors in other shapes: rows, matrices, cases, names that other software prints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from index.conformance_cases.run import rows_of_file
from index.conformance_cases.sheet import Row

HERE = Path(__file__).resolve().parent / "conformance_vectors"


def of(tmp_path: Path, told: Any) -> list[Row]:
    (tmp_path / "vector.json").write_text(json.dumps(told), "utf-8")
    return rows_of_file(tmp_path / "vector.json")


def failing(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.case, row.verdict) for row in rows if row.verdict != "PASS"]


GOODS = [
    {"period": t, "product": g, "price": p, "quantity": q}
    for t, g, p, q in ((1, "a", 1, 1), (1, "b", 1, 1), (2, "a", 2, 1), (2, "b", 1, 3))
]


@pytest.mark.parametrize(
    ("told", "count"),
    [
        pytest.param({"rows": GOODS, "expected": {"ccdi": {"1": 1, "2": 2**0.45}}}, 2, id="rows"),
        pytest.param(
            {"cases": [{"id": "a", "input": GOODS, "expected": {"GEKS-Fisher": [1, 1.875**0.5]}}]},
            2, id="cases with rows",
        ),
        pytest.param(
            {"prices": [[1, 1], [2, 1]], "quantities": [[1, 1], [1, 3]], "expected_gk": [1, 1.4]},
            2, id="matrices",
        ),
        pytest.param(
            {"input": {"prices": {"a": [1, 2], "b": [1, 1]},
                       "quantities": {"a": [1, 1], "b": [1, 3]}},
             "expected": {"tpd": {"wtpd_share_weights": [1, 2 ** (22 / 49)]}}},
            4, id="lists by good",
        ),
    ],
)  # fmt: skip
def test_panels_are_read_in_other_shapes(tmp_path: Path, told: dict[str, Any], count: int) -> None:
    rows = of(tmp_path, {"id": "TV02", "tolerance_rel": 1e-12, **told})
    assert len(rows) == count  # WTPD also by the function that publishes it
    assert failing(rows) == []


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"weights": {"a": 1, "b": 1}, "expected_arithmetic": [1, 1.25]}, id="one set"),
        pytest.param(
            {"quantities": {"a": 1, "b": 1}, "expected_direct": [1, "4/3"], "base": 1},
            id="quantities: 3 + 5 over 2 + 4",
        ),
        pytest.param(
            {"weights": [0.5, 0.5], "expected": {"divisor_level": [100, 125]}, "base": 100},
            id="weights in order of goods",
        ),
        pytest.param({"weights_1": {"a": 1}, "expected_geometric": [1, 1.5]}, id="numbered"),
    ],
)
def test_baskets_are_read_in_other_shapes(tmp_path: Path, told: dict[str, Any]) -> None:
    inline = {"rows": [{"period": 1, "a": 2, "b": 4}, {"period": 2, "a": 3, "b": 4}]}
    if "quantities" in told:
        inline["rows"][1]["b"] = 5
    rows = of(tmp_path, {"id": "TV08", **inline, **told})
    assert len(rows) == 2
    assert failing(rows) == []


FIRST, SECOND = {"a": 0.5, "b": 0.5}, {"b": 0.4, "c": 0.6}


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(
            {"weights_old": FIRST, "weights_new": SECOND, "link_period": 2}, id="old and new"
        ),
        pytest.param({"weights_0": FIRST, "weights_2": SECOND}, id="numbered by link"),
        pytest.param({"w1": FIRST, "w2": SECOND, "link": 2}, id="numbered, the link apart"),
        pytest.param({"weights": {"0": FIRST, "2": SECOND}}, id="weights by link"),
        pytest.param({"weights": [FIRST, SECOND], "links": [2]}, id="lists of both"),
        pytest.param(
            {"baskets": {"B1": {"from": 0, "weights": FIRST}, "B2": {"from": 2, "w": SECOND}}},
            id="baskets by name",
        ),
    ],
)
def test_links_are_read_in_other_shapes(tmp_path: Path, told: dict[str, Any]) -> None:
    """The figures of TV08_two_baskets, as lists or as lines."""
    levels = [1000, 1250, 1375, 1072.5]
    lines = [{"t": t, "chained": level, "divisor_level": level} for t, level in enumerate(levels)]
    shutil.copytree(HERE / "data", tmp_path / "data")
    vector = {"id": "TV08", "input": "data/two_baskets.csv", "tolerance_rel": 1e-13, **told}
    rows = of(tmp_path, {**vector, "expected": lines, "expected_after_base": levels[1:]})
    assert len(rows) == 11
    assert failing(rows) == []


HEDONIC = [
    {"period": 1, "price": 1.0, "quantity": 1, "context": 1, "open": "TRUE"},
    {"period": 1, "price": 2.0, "quantity": 1, "context": 2.718281828459045, "open": "FALSE"},
    {"period": 1, "price": 3.0, "quantity": 1, "context": 1, "open": "FALSE"},
    {"period": 2, "price": 2.0, "quantity": 3, "context": 1, "open": "TRUE"},
    {"period": 2, "price": 8.0, "quantity": 0.25, "context": 1, "open": "TRUE"},
]
"""Period 2 is 2 and 8 beside 1: OLS 4. Spent in period 2: 6 and 2, shares 3/4 and 1/4: 2**1.5."""


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"what": "ln p on period, ln(context), open"}, id="terms in words"),
        pytest.param(
            {"formula": "log(price) ~ factor(period) + log(context) + open"}, id="formula"
        ),
        pytest.param({"characteristics": ["ln context", "open"]}, id="a list of terms"),
        pytest.param({}, id="all columns, a size in logarithms"),
    ],
)
def test_regressions_are_read_in_other_shapes(tmp_path: Path, more: dict[str, Any]) -> None:
    expected = {
        "ols": {"index": [1, 4], "coef": {"log(context)": -0.40546510810816444}},
        "wls": {"index": [1, 2**1.5]},
    }
    rows = of(tmp_path, {"id": "TV10", "rows": HEDONIC, "expected": expected,
                         "tolerance_rel": 1e-12, **more})  # fmt: skip
    assert len(rows) == 5
    assert failing(rows) == []


@pytest.mark.parametrize(
    "case",
    [
        pytest.param({"available": ["E0", "E-2"], "expected_days": ["E0", "E-2"]}, id="a list"),
        pytest.param(
            {"available": {"E0": True, "E-1": False, "E-2": True, "E-3": False}, "use": "E0, E-2"},
            id="truths by day",
        ),
        pytest.param(
            {"prices": {"E0": 100, "E-1": None, "E-2": 103, "E-3": None}, "expected_fsp": 101.5},
            id="prices: (100 + 103) / 2",
        ),
        pytest.param(
            {"prices": {"E0": 100, "E-1": None, "E-2": 103, "E-3": 101}, "expected": 304 / 3},
            id="the fourth day stands in: 304 / 3",
        ),
        pytest.param({"E0": "No", "E-1": "Yes", "E-2": "Yes", "E-3": "Yes", "expected_fsp": None},
                     id="without the last day there is no price"),
        pytest.param({"E0": "Yes", "E1": "No", "E2": "Yes", "E3": "No", "used": ["E0", "E2"]},
                     id="other names of days"),
    ],
)  # fmt: skip
def test_scenarios_are_read_in_other_shapes(tmp_path: Path, case: dict[str, Any]) -> None:
    rows = of(tmp_path, {"id": "TV15", "cases": [{"id": 1, **case}]})
    assert len(rows) == 1
    assert failing(rows) == []


def test_the_kind_of_a_file_without_an_id_is_told_by_its_fields(tmp_path: Path) -> None:
    told = {"cases": [{"value": "2.6485", "quantum": "0.001", "half_up": "2.649"}]}
    assert failing(of(tmp_path, told)) == []


def test_a_month_beyond_the_calendars_takes_the_closed_days_of_the_file(tmp_path: Path) -> None:
    """Two sessions of an exchange without a list here: 1.0000 and 1.0003, mean 1.00015."""
    closed = [f"2026-02-{day:02d}" for day in range(4, 28)]
    weekdays = [d for d in closed if d not in _weekends()]
    told = {
        "id": "TV09",
        "rows": [
            {"date": "2026-02-02", "value": "1.0000"},
            {"date": "2026-02-03", "value": "1.0003"},
        ],
        "expected": {
            "2026-02": {
                "XXXX": {
                    "n": 2,
                    "first": "2026-02-02",
                    "last": "2026-02-03",
                    "weekday_non_sessions": weekdays,
                    "mean_exact": "1.000150000000",
                    "fsp_0_0001": "1.0002",
                    "fsp_0_001": "1.000",
                }
            }
        },
    }
    assert failing(of(tmp_path, told)) == []


def _weekends() -> set[str]:
    return {f"2026-02-{day:02d}" for day in (1, 7, 8, 14, 15, 21, 22, 28)}


def test_the_day_on_which_two_calendars_differ_is_its_own_row(tmp_path: Path) -> None:
    """Good Friday 2026-04-03: 21 sessions by one package, 22 by the other."""
    days = [f"2026-04-{day:02d}" for day in range(1, 31)]
    other = {"name": "CME_Equity", "n": 22, "same": False, "only_there": ["2026-04-03"]}
    expected = {"2026-04": {"CMES": {"n": 21, "pandas_market_calendars": other}}}
    told = {"id": "TV09", "rows": [{"date": d, "value": "2.0000"} for d in days]}
    rows = of(tmp_path, told | {"expected": expected})
    assert failing(rows) == []
    assert len(rows) == 4
    assert "differs on 2026-04-03" in rows[-1].note
