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
    ("file", "path", "wrong", "row", "wrong_rows"),
    [
        pytest.param(
            "TV02_two_goods", ["expected", "wtpd", 1], 1.36, "expected.wtpd[2]", 2, id="WTPD"
        ),
        pytest.param(
            "TV08_two_baskets", ["expected_divisors", 1], "1/1376", "expected_divisors[2]",
            1, id="a divisor",
        ),
        pytest.param(
            "TV08_two_baskets", ["expected_chain_equals_divisor"], False,
            "expected_chain_equals_divisor", 1, id="a truth",
        ),
        pytest.param(
            "TV10_two_periods", ["expected_ols", "coefficients", "capability"], 1.1,
            "expected_ols.coefficients.capability", 1, id="a coefficient",
        ),
        pytest.param(
            "TV15_look_back", ["rows", 3, "average_of"], ["E0", "E-2"],
            "scenario 4.average_of", 1, id="days of a mean",
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
    wrong_rows: int,
) -> None:
    # A published WTPD is checked twice: as a formula and as the function that publishes it.
    shutil.copytree(HERE, tmp_path / "v")
    place = told = json.loads((HERE / f"{file}.json").read_text("utf-8"))
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = wrong
    (tmp_path / "v" / f"{file}.json").write_text(json.dumps(told), "utf-8")
    code, out, err = called(capsys, "conformance", str(tmp_path / "v"))
    assert code == 20
    assert f"first {file[:4]} {row}: expected" in err
    assert f"{wrong_rows} differ, 0 unknown" in out


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
