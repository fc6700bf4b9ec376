"""``spotfix conformance``: every figure is a row, and nothing that was not looked at passes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from index.cli import app
from index.conformance_cases.run import conformance, rows_of_file
from index.conformance_cases.sheet import Row

HERE = Path(__file__).resolve().parent / "conformance_vectors"
"""Small vectors worked by hand, in the form of the big ones; the arithmetic stands in each."""

AT_HAND = Path(
    os.environ.get("SPOTFIX_VECTORS", Path(__file__).resolve().parents[2] / "shared" / "vectors")
)


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        app(list(words))
    told = capsys.readouterr()
    return int(left.value.code or 0), told.out, told.err


def of(tmp_path: Path, told: Any, name: str = "vector.json") -> list[Row]:
    (tmp_path / name).write_text(json.dumps(told), "utf-8")
    return rows_of_file(tmp_path / name)


def failing(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.case, row.verdict) for row in rows if row.verdict != "PASS"]


def test_every_row_of_the_vectors_at_hand_passes() -> None:
    if not AT_HAND.is_dir():
        pytest.skip(f"{AT_HAND.name}: no vectors here; set SPOTFIX_VECTORS to their folder")
    rows = list(conformance(AT_HAND))
    assert len(rows) > 1000
    assert [row for row in rows if row.verdict != "PASS"] == []
    assert {row.vector for row in rows} >= {"TV01", "TV03", "TV04", "TV09", "TV17", "TV20", "SD01"}


@pytest.mark.parametrize("file", sorted(HERE.glob("*.json")), ids=lambda file: file.stem)
def test_figures_worked_by_hand_pass(file: Path) -> None:
    rows = rows_of_file(file)
    assert len(rows) > 5
    assert failing(rows) == []


def test_the_command_prints_every_row_and_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "conformance", str(HERE / "TV15_look_back.json"))
    assert code == 0
    assert "E0, E-1, E-3" in out
    assert out.splitlines()[-1] == "7 rows of 1 vectors: 7 pass, 0 differ, 0 unknown"


def test_as_json_the_rows_have_the_same_fields(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "conformance", str(HERE), "--json")
    told = json.loads(out)
    assert (code, told["ok"]) == (0, True)
    assert set(told["rows"][0]) == {"vector", "case", "expected", "got", "verdict", "note"}
    assert told["summary"]["all"]["PASS"] == len(told["rows"])
    assert {row["vector"] for row in told["rows"]} == {"TV02", "TV08", "TV10", "TV15"}


@pytest.mark.parametrize(
    ("file", "path", "wrong", "row"),
    [
        pytest.param(
            "TV02_two_goods", ["expected", "wtpd", 1], 1.36, "expected.wtpd[2]", id="WTPD"
        ),
        pytest.param(
            "TV08_two_baskets", ["expected_divisors", 1], "1/1376", "expected_divisors[2]",
            id="a divisor",
        ),
        pytest.param(
            "TV08_two_baskets", ["expected_chain_equals_divisor"], False,
            "expected_chain_equals_divisor", id="a truth",
        ),
        pytest.param(
            "TV10_two_periods", ["expected_ols", "coefficients", "capability"], 1.1,
            "expected_ols.coefficients.capability", id="a coefficient",
        ),
        pytest.param(
            "TV15_look_back", ["rows", 3, "average_of"], ["E0", "E-2"], "scenario 4.average_of",
            id="days of a mean",
        ),
    ],
)  # fmt: skip
def test_a_planted_error_exits_20_and_names_its_row(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    path: list[Any],
    wrong: Any,
    row: str,
) -> None:
    shutil.copytree(HERE, tmp_path / "v")
    place = told = json.loads((HERE / f"{file}.json").read_text("utf-8"))
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = wrong
    (tmp_path / "v" / f"{file}.json").write_text(json.dumps(told), "utf-8")
    code, out, err = called(capsys, "conformance", str(tmp_path / "v"))
    assert code == 20
    assert f"first {file[:4]} {row}: expected" in err
    assert "1 differ, 0 unknown" in out


# --- what is not understood ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        pytest.param({"id": "TV99", "cases": [{"x": 1}]}, "neither its id", id="an unknown kind"),
        pytest.param({}, "neither its id", id="an empty object"),
        pytest.param({"id": "TV05"}, "nothing in it", id="a known kind without figures"),
        pytest.param([1, 2], "not a JSON object", id="a list"),
        pytest.param(
            {"id": "TV01", "input": "data/none.csv", "expected_fixed_base": {"fisher": [1]}},
            "data/none.csv: no such file",
            id="a data file that is missing",
        ),
        pytest.param(
            {"id": "TV11", "cases": [{"id": "a", "x": [1, 2], "expected": {"tau": 3}}]},
            "no statistic of this name",
            id="a statistic nobody built",
        ),
        pytest.param(
            {"id": "TV11", "cases": [{"id": "a", "x": ["many"], "expected": {"mean": 3}}]},
            "'many' is not a number",
            id="a sample of words",
        ),
        pytest.param(
            {"id": "TV07", "cases": [{"id": "a", "w": [1, 1], "c": 0.5, "expected": [0.5, 0.5],
                                      "gini": 0.2}]},
            "no rule here knows this field",
            id="a field with a figure nobody looked at",
        ),
        pytest.param(
            {"id": "TV14", "rows": [{"heads": 18, "drop_high": 4}]},
            "without contributors",
            id="a row without its input",
        ),
        pytest.param(
            {"id": "TV05", "cases": [{"id": "a", "x": [1], "w": [1],
                                      "by_convention": {"Harrell-Davis": {"value": 1}}}]},
            "no convention 'Harrell-Davis'",
            id="a convention nobody built",
        ),
        pytest.param(
            {"id": "TV15", "cases": [{"id": 1, "expected": ["E0"]}]},
            "what is available",
            id="a scenario that says nothing",
        ),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_a_row_and_says_why(
    tmp_path: Path, told: Any, reason: str
) -> None:
    rows = of(tmp_path, told)
    unknown = [row for row in rows if row.verdict == "UNKNOWN"]
    assert unknown
    assert any(reason in row.note for row in unknown), unknown


def test_a_figure_beside_what_is_compared_is_not_passed_over(tmp_path: Path) -> None:
    case = {"id": "a", "w": [1, 1], "c": 0.5, "expected": [0.5, 0.5]}
    rows = of(tmp_path, {"id": "TV07", "cases": [case], "expected_hhi_mean": 0.5})
    assert failing(rows) == [("expected_hhi_mean", "UNKNOWN")]


def test_an_unknown_row_is_not_a_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "TV99_new.json").write_text('{"id": "TV99", "expected": [1]}', "utf-8")
    code, out, err = called(capsys, "conformance", str(tmp_path))
    assert code == 20
    assert "0 pass, 0 differ, 1 unknown" in out
    assert "TV99 file: TV99_new.json: neither its id" in err


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"id": "TV05",', "not JSON at line 1, column 15"),
        (b"\xff\xfe\x00", "not UTF-8 at byte 0"),
        (b'{"id": "TV06", "tolerance_rel": NaN}', "NaN, which is no JSON number"),
        (b"[" * 200_000, "nested too deeply"),
    ],
    ids=["cut off", "another encoding", "a NaN", "brackets without end"],
)
def test_a_file_that_is_no_json_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes, reason: str
) -> None:
    file = tmp_path / "TV05.json"
    file.write_bytes(body)
    code, _, err = called(capsys, "conformance", str(file))
    assert code == 20
    assert reason in err


def test_a_path_that_is_not_there_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = called(capsys, "conformance", str(tmp_path / "none"))
    assert code == 2
    assert "none: no such file or folder" in err
    code, _, err = called(capsys, "conformance", str(tmp_path))
    assert code == 2
    assert "no vector files" in err


# --- comparing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tolerance", "told", "verdict"),
    [
        pytest.param({}, 0.1, "PASS", id="exact: the shortest decimal of the double"),
        pytest.param({}, 0.10000000000000002, "FAIL", id="exact: the next double is another"),
        pytest.param({"tolerance_rel": 1e-3}, 0.1001, "PASS", id="relative: at the tolerance"),
        pytest.param({"tolerance_rel": 1e-3}, 0.1002, "FAIL", id="relative: beyond it"),
        pytest.param({"tolerance_abs": 1e-3}, 0.101, "PASS", id="absolute: at the tolerance"),
        pytest.param({"tolerance_abs": 1e-3}, 0.1011, "FAIL", id="absolute: beyond it"),
        pytest.param({}, "1/10", "PASS", id="a fraction"),
        pytest.param({"tolerance_rel": 0.5}, "1/11", "FAIL", id="a fraction knows no tolerance"),
        pytest.param({}, None, "FAIL", id="none is not a number"),
        pytest.param({}, True, "FAIL", id="a truth is not a number"),
    ],
)
def test_figures_are_compared_at_the_tolerance_of_the_file(
    tmp_path: Path, tolerance: dict[str, float], told: Any, verdict: str
) -> None:
    case = {"id": "a", "x": [0.05, 0.15], "w": [1, 1], "expected_weighted_mean": told}
    (row,) = of(tmp_path, {"id": "TV06", "cases": [case], **tolerance})
    assert row.verdict == verdict


def test_a_series_of_another_length_differs(tmp_path: Path) -> None:
    told = {"id": "TV07", "cases": [{"id": "a", "w": [1, 1], "c": 0.5, "expected": [0.5]}]}
    (row,) = of(tmp_path, told)
    assert (row.verdict, row.expected, row.got) == ("FAIL", "1 figures", "2 figures")


# --- other shapes of known kinds -----------------------------------------------------------------

GOODS = [
    {"period": t, "product": g, "price": p, "quantity": q}
    for t, g, p, q in ((1, "a", 1, 1), (1, "b", 1, 1), (2, "a", 2, 1), (2, "b", 1, 3))
]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"rows": GOODS, "expected": {"ccdi": {"1": 1, "2": 2**0.45}}}, id="rows"),
        pytest.param(
            {"cases": [{"id": "a", "input": GOODS, "expected": {"GEKS-Fisher": [1, 1.875**0.5]}}]},
            id="cases with rows",
        ),
        pytest.param(
            {"prices": [[1, 1], [2, 1]], "quantities": [[1, 1], [1, 3]], "expected_gk": [1, 1.4]},
            id="matrices",
        ),
        pytest.param(
            {"input": {"prices": {"a": [1, 2], "b": [1, 1]},
                       "quantities": {"a": [1, 1], "b": [1, 3]}},
             "expected": {"tpd": {"wtpd_share_weights": [1, 2 ** (22 / 49)]}}},
            id="lists by good",
        ),
    ],
)  # fmt: skip
def test_panels_are_read_in_other_shapes(tmp_path: Path, told: dict[str, Any]) -> None:
    rows = of(tmp_path, {"id": "TV02", "tolerance_rel": 1e-12, **told})
    assert len(rows) == 2
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
