"""Settlement records: at their time, once, from the log alone; and what is logged without a price.

Prices are those of TV09 and of hand-worked months; times were looked up: 1 June 2026 is a Monday,
on which New York, Chicago and London trade, in summer time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from index import settlements
from index.publication import schema
from index.published import Published
from methodology.errors import DefinitionError
from tests.test_settlement import daily
from tests.vectors import vector

H100 = "GPR-H100-SXM-80-OD-NEO-GLB-SETTLEMENT"
CN = "TKX-CN-BLD"
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def shop(index_id: str, values: Mapping[date, str | None], **changes: Any) -> Any:
    """Return what a live log with a final of each day holds; ``None`` is a NO_FIX."""
    is_cn = index_id == CN
    published = Published()
    for seq, (day, value) in enumerate(sorted(values.items()), start=100):
        key = index_id, "SHA" if is_cn else "NYC", day.isoformat(), 1
        published.fixings[key] = {
            "seq": seq, "revision": 1, "ref_date": day.isoformat(), "value": value,
            "unit": "points" if is_cn else "USD/gpu-h", "decimals": 2 if is_cn else 4,
            "published_at": f"{day}T22:00:00.000Z", "final_at": f"{day + DAY}T03:59:59.000Z",
            "waterfall": "NO_FIX" if value is None else "FULL",
            "label": "reference" if is_cn else "settlement", "grade": "A", "flags": [],
            "settlement_eligible": value is not None and not is_cn, **changes,
        }  # fmt: skip
        published.digests[key] = "sha256:" + f"{seq:064x}"
    return SimpleNamespace(
        published=published,
        log=SimpleNamespace(origin="example.org/log"),
        settings=SimpleNamespace(administrator_id="example"),
        batches=None,
    )


def made(one: Any, when: str) -> list[dict[str, Any]]:
    """Return the records due at a moment, each one checked, and log them."""
    found = [make(9000 + n) for n, make in enumerate(settlements.due(one, at(when)))]
    for record in found:
        schema.check(record)
        kept = one.published.settlements if record["type"] == "settlement" else None
        (one.published.notices if kept is None else kept).append(record)
    return found


def may() -> dict[date, str | None]:
    """Return the values of TV09 from 1 May 2026 on."""
    return {
        day: f"{units // 10**4}.{units % 10**4:04d}"
        for day, units in daily().items()
        if date(2026, 5, 1) <= day <= date(2026, 5, 31)
    }


def test_a_month_is_priced_at_ten_where_its_exchange_is_and_once() -> None:
    expected = vector("TV09_monthly_settlement.json")["expected"]["2026-05"]
    one = shop(H100, may())
    assert made(one, "2026-06-01 08:59:59") == []
    # London: 10:00 BST is 09:00 UTC; all 31 days, tick 0.001, 744 hours.
    [london] = made(one, "2026-06-01 09:00")
    assert (london["rule_id"], london["period"], london["value"]) == (
        "H100-MEAN-CALENDAR", "2026-05", expected["CAL"]["fsp_0_001"],
    )  # fmt: skip
    assert london["published_at"] == "2026-06-01T09:00:00.000Z"
    assert london["multiplier"] == {"quantity": 744, "unit": "gpu-h"}
    assert len(london["inputs"]) == london["count"] == 31
    # Chicago: 10:00 CDT is 15:00 UTC; the sessions, tick 0.01, 730 hours.
    [chicago] = made(one, "2026-06-01 15:00")
    assert (chicago["rule_id"], chicago["value"], chicago["count"]) == (
        "H100-MEAN-BUSINESS", expected["CMES"]["fsp_0_01"], expected["CMES"]["n"],
    )  # fmt: skip
    assert chicago["published_at"] == "2026-06-01T15:00:00.000Z"
    assert (chicago["basis"], chicago["settlement_eligible"]) == ("settlement", True)
    first = chicago["inputs"][0]
    assert (first["date"], first["seq"], first["digest"]) == (
        "2026-05-01", 100, "sha256:" + f"{100:064x}",
    )  # fmt: skip
    assert made(one, "2026-06-30 12:00") == []
    assert list(settlements.check(one.published)) == []


def test_a_price_that_comes_two_days_late_says_so() -> None:
    values: dict[date, str | None] = {date(2026, 5, n): "2.5000" for n in range(1, 32)}
    found = made(shop(H100, values), "2026-06-03 15:00:00.250")
    assert {r["published_at"] for r in found} == {"2026-06-03T15:00:00.250Z"}


def test_a_price_of_points_times_fifty_yuan_is_indicative() -> None:
    """303.01 / 3 = 101.00333..., 101.00 at the tick; 10:00 in Shanghai is 02:00 UTC."""
    values = {date(2026, 2, 25): "100.00", date(2026, 2, 26): "101.00", date(2026, 2, 27): "102.01"}
    one = shop(CN, values, final_at="2026-03-01T15:59:59.000Z")
    assert made(one, "2026-03-02 01:59") == []
    [found] = made(one, "2026-03-02 02:00")
    assert (found["value"], found["contract_value"], found["currency"]) == (
        "101.00", "5050.00", "CNY",
    )  # fmt: skip
    assert found["mean"] == {"numerator": "30301", "denominator": "300"}
    assert (found["label"], found["basis"], found["settlement_eligible"]) == (
        "reference", "indicative", False,
    )  # fmt: skip


def test_a_month_without_enough_days_is_a_record_without_a_value() -> None:
    """24 of 31 days are 0.77, and nothing stands before 1 May: below 0.80, no price."""
    values = {date(2026, 5, n): "2.5000" if n <= 24 else None for n in range(1, 32)}
    london, chicago = made(shop(H100, values), "2026-06-01 15:00")[::-1]
    assert (london["status"], london["failure"], london["value"]) == (
        "FSP_FAIL", "TOO_FEW_DAYS", None,
    )  # fmt: skip
    assert (london["count"], london["sum"], london["contract_value"]) == (24, "60.0000", None)
    states = [d["state"] for d in london["inputs"]]
    assert (states.count("NO_FIX"), states.count("NOT_PUBLISHED")) == (7, 10)
    assert [d["is_look_back"] for d in london["inputs"]] == [False] * 31 + [True] * 10
    # Of 21 sessions (Chicago trades on Memorial Day) the last five are gone: 16 of 21 are 0.76.
    assert (chicago["rule_id"], chicago["status"], chicago["count"]) == (
        "H100-MEAN-BUSINESS", "FSP_FAIL", 16,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "changes"),
    [
        pytest.param(date(2026, 5, 4), {}, id="a_month_that_had_begun_before_the_index_did"),
        pytest.param(date(2026, 5, 1), {"flags": ["BUNDLED"]}, id="bundled_values"),
    ],
)
def test_no_price_is_made_of(first: date, changes: dict[str, Any]) -> None:
    values = {date(2026, 5, n): "2.5000" for n in range(first.day, 32)}
    assert made(shop(H100, values, **changes), "2026-06-05 00:00") == []


def logged(one: Any, name: str, place: int, seq: int) -> None:
    """Log an edition of a calendar: the first is 0, its successor 1."""
    listed = settlements.calendar_records.calendars.editions()[name][place]
    one.published.calendars.append(
        {
            "seq": seq, "calendar_id": name, "version": listed.version,
            "digest": f"sha256:{listed.digest}",
        }
    )  # fmt: skip


def december() -> dict[date, str | None]:
    return {date(2026, 12, 1) + n * DAY: "2.5000" for n in range(45)}


def test_a_month_past_the_end_of_a_calendar_is_told_once_and_priced_when_its_edition_comes() -> (
    None
):
    """The first list of Chicago ends on 31 December 2026, so nobody knows its next session.

    1 January 2027 is a Friday and a holiday everywhere: the next session is Monday the 4th, and
    10:00 in Chicago is 16:00 UTC, in London 10:00 UTC.
    """
    one = shop(H100, december())
    found = made(one, "2027-01-10 12:00")
    assert [(r["type"], r["kind"]) for r in found] == [("notice", "CALENDAR_END")] * 2
    told = "; ".join(r["text"] for r in found)
    assert "H100-MEAN-BUSINESS 2026-12 has no price: calendar CMES covers 2025-12-01" in told
    assert "to 2026-12-31 and not a session after 2026-12-31" in told
    assert "H100-MEAN-CALENDAR 2026-12 has no price: calendar IEPA" in told
    assert made(one, "2027-01-10 12:00") == []
    # The next editions are logged, and what waited is priced, stating when it came.
    logged(one, "CMES", 1, 9100)
    logged(one, "IEPA", 1, 9101)
    late = one.published
    chicago, london = (dict(r, seq=9200 + n) for n, r in enumerate(made(one, "2027-01-10 12:15")))
    late.settlements[:] = [chicago, london]
    assert [r["rule_id"] for r in (chicago, london)] == ["H100-MEAN-BUSINESS", "H100-MEAN-CALENDAR"]
    assert {(r["period"], r["value"]) for r in (chicago,)} == {("2026-12", "2.50")}
    # 23 weekdays of December less Christmas, a Friday.
    assert (chicago["count"], london["count"]) == (22, 31)
    assert chicago["published_at"] == "2027-01-10T12:15:00.000Z"
    assert list(settlements.check(late)) == []
    # Held against the list that stood before it, the same record has no day to be due on.
    late.calendars[:] = []
    assert "not a session after 2026-12-31" in "; ".join(settlements.check(late))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param("2027-01-04 09:59:59", [], id="before_ten_in_London"),
        pytest.param("2027-01-04 10:00", ["H100-MEAN-CALENDAR"], id="ten_in_London"),
        pytest.param(
            "2027-01-04 16:00", ["H100-MEAN-BUSINESS", "H100-MEAN-CALENDAR"], id="ten_in_Chicago"
        ),
    ],
)
def test_december_2026_is_due_on_the_first_monday_of_2027(moment: str, expected: list[str]) -> None:
    one = shop(H100, december())
    for name in ("CMES", "IEPA"):
        logged(one, name, 1, 50)
    assert [r["rule_id"] for r in made(one, moment)] == expected


def test_a_price_keeps_the_list_it_was_made_with_when_a_later_one_comes() -> None:
    one = shop(H100, {date(2026, 5, n): "2.5000" for n in range(1, 32)})
    logged(one, "CMES", 0, 50)
    [_, record] = sorted(
        made(one, "2026-06-01 15:00"), key=lambda r: r["multiplier"]["quantity"], reverse=True
    )
    first, later = (c.digest for c in settlements.calendar_records.calendars.editions()["CMES"])
    assert record["pricing_days"]["calendar_digest"] == f"sha256:{first}"
    logged(one, "CMES", 1, 9500)
    assert list(settlements.check(one.published)) == []
    # Had the later list been logged before it, the record would have had to name that one.
    one.published.calendars[-1]["seq"] = 60
    told = "; ".join(settlements.check(one.published))
    assert "pricing_days was published as" in told
    assert later in told


def test_a_list_that_nobody_has_is_named() -> None:
    one = shop(H100, may())
    logged(one, "CMES", 0, 50)
    one.published.calendars[0]["digest"] = "sha256:" + "0" * 64
    one.published.settlements.append({})
    with pytest.raises(
        DefinitionError, match="no edition of calendar CMES with digest sha256:0000"
    ):
        made(one, "2026-06-01 15:00")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(lambda r: r.update(value="9.99"), "value was published as '9.99'", id="price"),
        pytest.param(lambda r: r["inputs"][3].update(value="9.9999"), "inputs was", id="an_input"),
        pytest.param(lambda r: r.update(count=1), "count was published as 1", id="a_count"),
        pytest.param(
            lambda r: r.update(rule_digest="sha256:" + "0" * 64), "no contract with digest",
            id="another_contract",
        ),
        pytest.param(
            lambda r: r.update(published_at="2026-06-01T08:59:59.999Z"),
            "is before 2026-06-01T15:00:00.000Z", id="a_moment_before_its_time",
        ),
        pytest.param(lambda r: r.update(period="2026-06"), "status was", id="another_month"),
    ],
)  # fmt: skip
def test_a_changed_settlement_is_found(change: Change, told: str) -> None:
    one = shop(H100, {date(2026, 5, n): "2.5000" for n in range(1, 32)})
    record = made(one, "2026-06-01 15:00")[0]
    assert list(settlements.check(one.published)) == []
    change(record)
    assert told in "; ".join(settlements.check(one.published))


def test_a_second_price_of_a_month_is_found() -> None:
    one = shop(H100, {date(2026, 5, n): "2.5000" for n in range(1, 32)})
    [record] = made(one, "2026-06-01 09:00")
    one.published.settlements.append(record)
    assert "was published before" in "; ".join(settlements.check(one.published))


def test_a_fixing_logged_after_a_settlement_does_not_change_it() -> None:
    values: dict[date, str | None] = {date(2026, 5, n): "2.5000" for n in range(1, 31)}
    one = shop(H100, values)
    made(one, "2026-06-01 09:00")
    late = shop(H100, {date(2026, 5, 31): "9.0000"}, seq=9500)
    one.published.fixings |= late.published.fixings
    one.published.digests |= late.published.digests
    assert list(settlements.check(one.published)) == []
