"""Which revision of a day settles, and what a month of such days is worth; records by hand."""

from __future__ import annotations

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from index import daily_values, settling
from methodology.contracts import load_contracts
from methodology.errors import DefinitionError

CALENDAR = "H100-MEAN-CALENDAR"
SETTLES = "GPR-H100-SXM-80-OD-NEO-GLB-SETTLEMENT"


def record(day: str, revision: int, value: str | None, **more: Any) -> dict[str, Any]:
    """A fixing of the settlement index, fit to settle unless told otherwise."""
    return {
        "index_id": SETTLES, "session": "NYC", "ref_date": day, "revision": revision,
        "value": value, "unit": "USD/gpu-h", "decimals": 4, "label": "settlement",
        "waterfall": "FULL" if value else "NO_FIX", "grade": "A", "flags": [],
        "settlement_eligible": value is not None, "seq": 7 + revision,
        "published_at": f"{day}T22:00:00.000Z", "final_at": f"{day}T23:59:59.000Z", **more,
    }  # fmt: skip


def read(*records: dict[str, Any]) -> daily_values.Series:
    fixings = {(r["index_id"], r["session"], r["ref_date"], r["revision"]): r for r in records}
    digests = {key: f"sha256:{n}" for n, key in enumerate(fixings)}
    ledger: Any = SimpleNamespace(published=SimpleNamespace(fixings=fixings, digests=digests))
    return daily_values.published(ledger, load_contracts()[CALENDAR], SETTLES, date(2026, 6, 30))


def june(**changed: dict[str, Any]) -> dict[str, Any]:
    """Settle June 2026, every day at 3.0000 but those given as ``d05=...``."""
    rows = []
    for n in range(1, 31):
        rows.append(record(f"2026-06-{n:02d}", 1, "3.0000") | changed.get(f"d{n:02d}", {}))
    return settling.price(load_contracts()[CALENDAR], date(2026, 6, 1), read(*rows))


def test_the_highest_revision_in_the_window_is_the_settlement_value() -> None:
    """A provisional never counts; a revision after the window does not replace the final."""
    day = "2026-06-05"
    late = {"published_at": "2026-06-06T00:00:00.000Z"}
    for rows, units in (
        ([record(day, 0, "2.9000")], None),
        ([record(day, 0, "2.9000"), record(day, 1, "3.0000")], 30000),
        ([record(day, 2, "3.1000"), record(day, 1, "3.0000")], 31000),
        ([record(day, 1, "3.0000"), record(day, 2, "3.1000", **late)], 30000),
        ([record(day, 1, "3.0000", **late)], None),
        ([record(day, 1, "3.0000", published_at=f"{day}T23:59:59.000Z")], 30000),
    ):
        found = read(*rows).daily.get(date(2026, 6, 5))
        assert (found.units if found else None) == units


def test_a_month_of_eligible_values_is_a_settlement_price() -> None:
    found = june()
    assert (found["value"], found["basis"], found["unfit_because"]) == ("3.000", "settlement", [])
    assert found["settlement_eligible"] is True
    assert found["contract_value"] == "2160.00"  # 720 hours
    assert found["days"][4]["digest"] == "sha256:4"


def test_a_carried_day_may_settle_and_a_bootstrap_day_may_not() -> None:
    carried = {"waterfall": "CARRY", "grade": "D", "settlement_eligible": False}
    found = june(d05=carried)
    assert (found["basis"], found["count"]) == ("settlement", 30)
    found = june(d05=carried | {"flags": ["BOOTSTRAP_VINTAGE"]})
    assert (found["basis"], found["unfit_because"]) == ("indicative", ["BOOTSTRAP vintage"])
    assert (found["value"], found["settlement_eligible"]) == ("3.000", False)
    found = june(d05={"grade": "C", "settlement_eligible": False})
    assert (found["basis"], found["unfit_because"]) == ("indicative", ["grade C"])


def test_a_day_that_does_not_count_spoils_nothing() -> None:
    unfit = {"value": None, "waterfall": "NO_FIX", "grade": "D", "settlement_eligible": False}
    found = june(d05=unfit)
    assert (found["basis"], found["count"], found["days"][4]["state"]) == (
        "settlement",
        29,
        "NO_FIX",
    )


def test_another_unit_or_precision_is_refused() -> None:
    for more in ({"decimals": 6}, {"unit": "points"}):
        with pytest.raises(DefinitionError, match="one of them needs a new version"):
            read(record("2026-06-05", 1, "3.0000", **more))


@pytest.mark.parametrize(
    ("session", "moment", "day"),
    [
        # New York closes 23:59:59 at 03:59:59 UTC in summer, 04:59:59 in winter.
        ("NYC", datetime(2026, 8, 23, 3, 59, 59), date(2026, 8, 21)),
        ("NYC", datetime(2026, 8, 23, 4, 0, 0), date(2026, 8, 22)),
        ("NYC", datetime(2026, 12, 23, 4, 0, 0), date(2026, 12, 21)),
        ("SHA", datetime(2026, 8, 22, 16, 0, 0), date(2026, 8, 22)),
        ("SHA", datetime(2026, 8, 22, 15, 59, 59), date(2026, 8, 21)),
    ],
)
def test_a_day_is_over_when_its_window_has_closed(
    session: str, moment: datetime, day: date
) -> None:
    assert daily_values.last_closed(session, moment) == day
