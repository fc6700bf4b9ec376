"""``spotfix settle``: from a file of values, from a ledger, and what it refuses.

Prices of the small ledger: H100 SXM stands at 3.2000 on its one published day, 22 August 2026.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from index import cli
from index.config import Settings
from tests.vectors import vector

BUSINESS, CALENDAR = "H100-MEAN-BUSINESS", "H100-MEAN-CALENDAR"
LAST_3, WEEK = "TKX-CN-LAST-3", "H100-WEEK-ABOVE"
H100 = "GPR-H100-SXM-80-OD-NEO-GLB"
SETTLES = H100 + "-SETTLEMENT"


def call(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["settle", *words])


def told(*words: str) -> dict[str, Any]:
    result = call(*words, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def values_file(tmp_path: Path, text: str) -> str:
    (tmp_path / "values.csv").write_text(text, "utf-8")
    return str(tmp_path / "values.csv")


# A file of values -------------------------------------------------------------------------------


def vector_file(tmp_path: Path) -> str:
    from tests.test_settlement import daily

    rows = "".join(f"{d},{u // 10**4}.{u % 10**4:04d}\n" for d, u in sorted(daily().items()))
    return values_file(tmp_path, "date,value\n" + rows)


@pytest.mark.parametrize("month", ["2026-02", "2026-05", "2026-11"])
def test_a_file_settles_as_others_computed_it(tmp_path: Path, month: str) -> None:
    expected = vector("TV09_monthly_settlement.json")["expected"][month]
    file = vector_file(tmp_path)
    for name, one in expected.items():
        found = told(CALENDAR, "--month", month, "--values", file, "--calendar", name)
        assert (found["value"], found["mean"]["text"]) == (one["fsp_0_001"], one["mean_exact"])
        assert (found["status"], found["pricing_days"]["days"]) == ("FINAL", one["n"])
        assert (found["basis"], found["settlement_eligible"]) == ("illustration", False)
    fine = told(BUSINESS, "--month", month, "--values", file, "--tick", "0.0001")
    assert fine["value"] == expected["CMES"]["fsp_0_0001"]
    own = told(BUSINESS, "--month", month, "--values", file)
    assert own["value"] == expected["CMES"]["fsp_0_01"]


LAST = "date,value\n2026-02-25,100.00\n2026-02-26,101.00\n2026-02-27,102.01\n"


def test_one_contract_is_price_times_size(tmp_path: Path) -> None:
    """303.01 / 3 = 101.00333..., 101.00 at the tick, times 50 yuan a point."""
    found = told(LAST_3, "--month", "2026-02", "--values", values_file(tmp_path, LAST))
    assert (found["value"], found["contract_value"]) == ("101.00", "5050.00")
    assert found["mean"] == {
        "numerator": "30301",
        "denominator": "300",
        "text": "101.003333333333",
    }
    assert found["publication"] == {
        "on": "2026-03-02",
        "time": "10:00",
        "corrections_until": "18:00",
        "zone": "Asia/Shanghai",
        "calendar": "XSHG",
    }
    assert found["label"] == "reference"


def test_a_person_sees_days_mean_price_and_what_it_is_worth(tmp_path: Path) -> None:
    result = call(LAST_3, "--month", "2026-02", "--values", values_file(tmp_path, LAST))
    text = result.stdout
    for words in (
        "REFERENCE template", "ILLUSTRATION: settles nothing", "2026-02-27",
        "303.01 / 3 = 101.003333333333", "30301/300", "101.00 x 50 CNY/point = 5050.00 CNY",
        "FINAL", "3 of 3 days over",
    ):  # fmt: skip
        assert words in text


def test_empty_values_are_no_fix_and_levels_are_read(tmp_path: Path) -> None:
    """Three of three are needed; 25 February has none and 26 is carried with no room for it.

    One day counts; the look-back finds 24 and 13 February: (102.01 + 99 + 98) / 3 = 99.67.
    """
    text = (
        "date,value,level\n2026-02-13,98.00,FULL\n2026-02-24,99.00,FULL\n"
        "2026-02-25,,\n2026-02-26,101.00,CARRY\n2026-02-27,102.01,FULL\n"
    )
    found = told(LAST_3, "--month", "2026-02", "--values", values_file(tmp_path, text))
    assert [d["state"] for d in found["days"]] == ["NO_FIX", "OVER_CAP", "COUNTED"]
    assert [d["date"] for d in found["looked_back"]] == ["2026-02-24", "2026-02-13"]
    assert found["value"] == "99.67"
    shown = call(LAST_3, "--month", "2026-02", "--values", values_file(tmp_path, text)).stdout
    assert "look-back" in shown
    assert "enough CARRY and MODEL days" in shown


def test_a_file_that_ends_early_leaves_the_month_running(tmp_path: Path) -> None:
    """January 2026 has 31 days; three are over, one of them without a value."""
    text = "date,value\n2026-01-01,3.0000\n2026-01-02,\n2026-01-03,3.1000\n"
    file = values_file(tmp_path, text)
    found = told(CALENDAR, "--month", "2026-01", "--values", file)
    assert (found["status"], found["value"], found["contract_value"]) == ("RUNNING", None, None)
    assert found["mean_as_it_stands"] == "3.050"
    meter = found["meter"]
    assert (meter["days_fixed"], meter["days_left"], meter["days_lost"]) == (3, 28, 1)
    assert (meter["locked_sum"], meter["share_fixed"]["numerator"]) == ("6.1000", "3")
    assert "predicts nothing" in call(CALENDAR, "--month", "2026-01", "--values", file).stdout
    over = told(CALENDAR, "--month", "2026-01", "--values", file, "--as-of", "2026-02-01")
    assert (over["status"], over["failure"], over["count"]) == ("FSP_FAIL", "TOO_FEW_DAYS", 2)
    shown = call(CALENDAR, "--month", "2026-01", "--values", file, "--as-of", "2026-02-01").stdout
    assert "2 of 31 days count, 25 are needed" in shown
    assert "fallback" in shown


@pytest.mark.parametrize(
    ("strike", "answer"), [("3.19", "YES"), ("3.2", "NO"), ("3.21", "NO"), ("3.20", "NO")]
)
def test_an_event_is_strictly_greater(tmp_path: Path, strike: str, answer: str) -> None:
    """Determined on Friday 21 August 2026 from Thursday's 3.2049, which is 3.20."""
    file = values_file(tmp_path, "date,value\n2026-08-20,3.2049\n2026-08-21,9.0000\n")
    found = told(WEEK, "--week", "2026-W34", "--strike", strike, "--values", file)
    assert (found["determined_on"], found["days"][0]["date"]) == ("2026-08-21", "2026-08-20")
    assert (found["value"], found["answer"]) == ("3.20", answer)
    assert found["settlement_eligible"] is False


def test_an_event_without_a_value_or_before_its_day(tmp_path: Path) -> None:
    text = "date,value,level\n2026-08-20,,NO_FIX\n2026-08-21,3.5,CARRY\n2026-08-24,3.5,FULL\n"
    file = values_file(tmp_path, text)
    asked = (WEEK, "--strike", "3.00", "--values", file, "--day")
    assert told(*asked, "2026-08-21")["answer"] == "NO_DETERMINATION"
    assert told(*asked, "2026-08-22")["answer"] == "NO_DETERMINATION"
    assert told(*asked, "2026-08-23")["answer"] == "NO_DETERMINATION"
    assert told(*asked, "2026-08-25")["answer"] == "YES"
    assert told(*asked, "2026-08-26")["answer"] == "PENDING"
    shown = call(*asked, "2026-08-22").stdout
    assert "CARRY or MODEL value determines nothing" in shown
    assert "fallback" in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line is ''"),
        ("day,price\n", "the first line is 'day,price'; write date,value"),
        ("date,value\n", "no line with a value"),
        ("date,value\n2026-02-30,1\n", "line 2: '2026-02-30' is not a date"),
        ("date,value\n2026-02-01,1\n2026-02-01,1\n", "line 3: 2026-02-01 is there twice"),
        ("date,value\n2026-02-01,1,2\n", "line 2: 3 cells, the header has 2"),
        ("date,value\n2026-02-01,nan\n", "line 2: value 'nan': NOT_A_NUMBER"),
        ("date,value\n2026-02-01,-1\n", "line 2: value '-1': NEGATIVE_PRICE"),
        ("date,value\n2026-02-01,1.00001\n", "more than the 4 decimals"),
    ],
)
def test_a_file_that_is_no_list_of_values_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    result = call(BUSINESS, "--month", "2026-02", "--values", values_file(tmp_path, text))
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = call(BUSINESS, "--month", "2026-02", "--values", str(tmp_path / "no.csv"))
    assert result.exit_code == 2
    assert "no.csv: cannot be read" in result.stderr


# Wrong use --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, f"name a contract: {BUSINESS}"),
        (("H100", "--month", "2026-02"), 2, "no contract 'H100'; there are H100-MEAN-BUSINESS"),
        ((BUSINESS,), 2, "averages a month: give --month"),
        ((BUSINESS, "--month", "2026-13"), 2, "'2026-13' is not a month"),
        ((BUSINESS, "--month", "2026-02", "--strike", "3"), 2, "give --month and nothing else"),
        ((WEEK, "--month", "2026-02"), 2, "is an event: give --strike"),
        ((WEEK, "--week", "2026-W34"), 2, "is an event: give --strike"),
        ((WEEK, "--week", "2026-34", "--strike", "3"), 2, "is not an ISO week"),
        ((WEEK, "--week", "2026-W54", "--strike", "3"), 2, "is not an ISO week"),
        ((WEEK, "--day", "friday", "--strike", "3"), 2, "is not a date"),
        ((BUSINESS, "--month", "2026-02", "--calendar", "CAL"), 2, "go with --values"),
        ((BUSINESS, "--month", "2026-02", "--tick", "0.1"), 2, "go with --values"),
    ],
)
def test_wrong_use_says_what_to_do(words: tuple[str, ...], code: int, message: str) -> None:
    result = call(*words)
    assert result.exit_code == code
    assert message in result.stderr


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (
            ("--month", "2028-01"),
            3,
            "calendar CMES covers 2025-12-01 to 2027-12-31 and not 2028-01",
        ),
        (("--month", "2025-12"), 3, "not 10 sessions before 2025-12-01"),
        (("--month", "2027-01", "--calendar", "XSHG"), 3, "calendars/XSHG-VERSION.toml"),
        (("--month", "2026-02", "--calendar", "XLON"), 3, "no calendar 'XLON'"),
        (("--month", "2026-02", "--tick", "0"), 2, "a tick is above zero"),
        (("--month", "2026-02", "--tick", "a"), 2, "--tick NOT_A_NUMBER"),
        (("--month", "2026-02", "--back-cast"), 2, "--values stands alone"),
        (("--month", "2026-02", "--index", H100), 2, "--values stands alone"),
    ],
)
def test_nothing_is_guessed(tmp_path: Path, more: tuple[str, ...], code: int, message: str) -> None:
    file = values_file(tmp_path, "date,value\n2027-01-04,3.0000\n")
    result = call(BUSINESS, "--values", file, *more)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_every_calendar_day_of_december_2027_needs_no_list(tmp_path: Path) -> None:
    rows = "".join(f"2027-12-{n:02d},3.0000\n" for n in range(1, 32))
    file = values_file(tmp_path, "date,value\n" + rows)
    found = told(CALENDAR, "--month", "2027-12", "--values", file)
    assert (found["value"], found["contract_value"]) == ("3.000", "2232.00")  # 744 hours
    assert found["publication"]["on"] is None
    shown = call(CALENDAR, "--month", "2027-12", "--values", file).stdout
    assert "the first session past the end of the IEPA list" in shown


@pytest.mark.parametrize("strike", ["2.855", "a", "-1"])
def test_a_strike_has_two_decimals(tmp_path: Path, strike: str) -> None:
    file = values_file(tmp_path, "date,value\n2026-08-20,3.2\n")
    result = call(WEEK, "--day", "2026-08-21", f"--strike={strike}", "--values", file)
    assert result.exit_code == 2
    assert "--strike" in result.stderr


def test_the_list_names_every_template_and_marks_the_reference_one() -> None:
    rows = json.loads(call("--list", "--json").stdout)
    assert {r["id"]: r["label"] for r in rows} == {
        BUSINESS: "settlement",
        CALENDAR: "settlement",
        LAST_3: "reference",
        WEEK: "settlement",
    }
    text = call("--list").stdout
    assert "LAST_K 3 XSHG" in text
    assert "(reference template)" in " ".join(text.split())


# A ledger ---------------------------------------------------------------------------------------


def test_the_bundle_settles_nothing(small_ledger: Settings) -> None:
    """On the one published day the settlement index has no fix, and the month has no price."""
    out = ("--out", str(small_ledger.out))
    found = told(BUSINESS, "--month", "2026-08", *out)
    assert (found["index_id"], found["origin"]) == (SETTLES, "published")
    assert (found["status"], found["count"], found["value"]) == ("FSP_FAIL", 0, None)
    assert found["settlement_eligible"] is False
    days = told(CALENDAR, "--month", "2026-08", *out)["days"]
    assert [d["date"] for d in days if d["state"] == "NO_FIX"] == ["2026-08-22"]
    assert "--back-cast illustrates" in call(BUSINESS, "--month", "2026-08", *out).stderr


def test_a_reference_index_is_indicative_and_says_so(small_ledger: Settings) -> None:
    out = ("--out", str(small_ledger.out), "--index", H100.lower())
    found = told(CALENDAR, "--month", "2026-08", *out)
    assert (found["index_id"], found["basis"]) == (H100, "indicative")
    assert found["unfit_because"] == ["reference index"]
    (one,) = [d for d in found["days"] if d["is_counted"]]
    assert (one["date"], one["value"], one["revision"]) == ("2026-08-22", "3.2000", 1)
    assert one["seq"] is not None
    assert one["digest"].startswith("sha256:")
    event = told(WEEK, "--day", "2026-08-23", "--strike", "3.19", *out)
    assert (event["answer"], event["basis"]) == ("YES", "indicative")
    assert event["settlement_eligible"] is False
    shown = call(WEEK, "--day", "2026-08-23", "--strike", "3.20", *out).stdout
    assert "INDICATIVE: not fit to settle (reference index)" in shown
    assert "equal is not greater" in shown


def test_the_back_cast_only_illustrates(small_ledger: Settings) -> None:
    out = ("--out", str(small_ledger.out), "--back-cast")
    found = told(CALENDAR, "--month", "2026-08", *out)
    assert (found["index_id"], found["origin"]) == (H100, "back-cast")
    assert (found["basis"], found["settlement_eligible"]) == ("illustration", False)
    assert (found["as_of"], found["status"]) == ("2026-08-22", "RUNNING")
    assert all(d["revision"] is None and d["seq"] is None for d in found["days"])
    shown = call(CALENDAR, "--month", "2026-08", *out).stdout
    assert "ILLUSTRATION: settles nothing (back-cast)" in shown


def test_a_day_that_is_not_over_cannot_be_taken_as_over(small_ledger: Settings) -> None:
    result = call(
        BUSINESS, "--month", "2026-08", "--as-of", "9000-01-01", "--out", str(small_ledger.out)
    )
    assert result.exit_code == 2
    assert "is not over; the last day that is over is" in result.stderr


def test_an_index_that_the_contract_does_not_name(small_ledger: Settings) -> None:
    result = call(
        BUSINESS, "--month", "2026-08", "--index", "TEX-ALL", "--out", str(small_ledger.out)
    )
    assert result.exit_code == 2
    assert (
        "does not read 'TEX-ALL'; it names GPR-H100-SXM-80-OD-NEO-GLB-SETTLEMENT" in result.stderr
    )


def test_without_a_ledger_the_next_step_is_named(tmp_path: Path) -> None:
    result = call(BUSINESS, "--month", "2026-08", "--out", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "spotfix run" in result.stderr
