"""What holds for every short series of a rate, from observations to fixings, lines and states."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from methodology.plans import PanelState, Plan, Series
from tests import small_market as sm

SELLERS = ("ash", "birch", "cedar", "elder", "fir", "hazel")
PRICES = st.sampled_from(["1.20", "2.00", "2.00", "2.20", "2.50", "2.51", "3.10", "9.00", None])


@st.composite
def markets(draw: st.DrawFn, length: int = 5) -> list[dict[str, Any]]:
    """Rows of six sellers over some days; now and then one changes its price at some hour, or ends
    it, and sometimes all of them end on one day.
    """
    rows = [sm.shown(0, seller, f"2.{n}0") for n, seller in enumerate(SELLERS)]
    changes = st.tuples(st.integers(1, length - 1), st.sampled_from(SELLERS))
    for n, seller in draw(st.lists(changes, unique=True, max_size=8)):
        row = sm.shown(n, seller, draw(PRICES))
        later = timedelta(hours=draw(st.integers(0, 23)))
        rows.append(row | {"observed_at": row["observed_at"] + later})
    silent = draw(st.sampled_from([None, None, 1, 2, 3]))
    if silent:
        rows = [
            row for row in rows if row["observed_at"] < sm.shown(silent, "", None)["observed_at"]
        ]
        rows += [sm.shown(silent, seller, None) for seller in SELLERS]
    return rows


def settled(rows: list[dict[str, Any]], length: int = 5) -> tuple[Plan, Series]:
    plan = sm.plan_of(rows, sm.gpu_rate(), length)
    return plan, sm.determined([plan])


def written(plan: Plan, found: Series, length: int = 5) -> list[object]:
    """Everything a fixing publishes or cites: values, lines, states, links."""
    lines = [
        found.contributions(plan.index_id, sm.day(n), sm.offers_on(plan, n)).rows()
        for n in range(length)
    ]
    return [
        found.fixings.rows(),
        lines,
        [s.as_record() for s in found.states.values()],
        found.links,
    ]


@settings(max_examples=25)
@given(markets(), st.randoms(use_true_random=False))
def test_rows_in_any_order_give_the_same_bytes(
    rows: list[dict[str, Any]], rng: random.Random
) -> None:
    expected = written(*settled(rows))
    mixed = list(rows)
    rng.shuffle(mixed)
    plan, found = settled(mixed)
    assert written(plan, found) == expected
    shuffled = replace(
        plan, rows=plan.rows.sample(fraction=1, shuffle=True, seed=rng.randrange(99))
    )
    assert written(shuffled, sm.determined([shuffled])) == expected


@settings(max_examples=25)
@given(markets(), st.sampled_from(SELLERS), st.integers(2, 5), st.sampled_from(["=", "dearer"]))
def test_an_owner_in_many_listings_weighs_as_one(
    rows: list[dict[str, Any]], owner: str, count: int, others: str
) -> None:
    """Brands and regions of one group, at its price or above it: not one figure changes."""
    many, place = list(rows), ("a-", "z-")  # before and after the owner's own name
    for row in rows:
        if row["group"] != owner:
            continue
        for n in range(1, count):
            dearer = n * 10**7 if others == "dearer" and row["price_nano"] else 0
            price = row["price_nano"] + dearer if row["price_nano"] else None
            twin = {"provider": f"{place[n % 2]}{owner}", "listing_id": f"{n}/h100"}
            many.append({**row, **twin, "price_nano": price, "observation_id": f"{n}" * 64})
    _, whole = settled(rows)
    plan, split = settled(many)
    assert split.fixings.rows() == whole.fixings.rows()
    assert [s.as_record() for s in split.states.values()] == [
        s.as_record() for s in whole.states.values()
    ]
    spoke = plan.rows.filter((pl.col("group") == owner) & pl.col("reason").is_null())
    assert spoke.height == spoke["day"].n_unique()


@settings(max_examples=25)
@given(markets(), st.integers(1, 4))
def test_a_series_goes_on_from_a_recorded_state_as_if_never_interrupted(
    rows: list[dict[str, Any]], first: int
) -> None:
    plan, whole = settled(rows)
    kept = whole.states[plan.index_id, sm.day(first - 1).toordinal()].as_record()
    later = sm.determined([plan], before={plan.index_id: PanelState(**kept)}, first=first)
    rest = whole.fixings.filter(pl.col("ref_date") >= sm.day(first))
    assert later.fixings.rows() == rest.rows()
    last = plan.index_id, sm.day(4).toordinal()
    assert later.states[last] == whole.states[last]


def test_the_market_of_these_tests_has_values() -> None:
    """Or much of the above would hold of nothing: 2.0 to 2.5, so 2.25 is between the middle two."""
    _, found = settled([sm.shown(0, seller, f"2.{n}0") for n, seller in enumerate(SELLERS)])
    assert found.fixings["value_units"].to_list() == [22_500] * 5
