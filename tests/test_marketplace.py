"""Listings of a marketplace: one machine once, one host a quarter, the cheapest half."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from methodology import marketplace
from methodology.marketplace import Depth


def listings(*rows: tuple[Any, ...], **more: list[Any]) -> pl.DataFrame:
    """Rows of host, GPUs, price in nano-units and, optionally, the machine."""
    return pl.DataFrame(
        {
            "listing_id": [f"l{n}" for n in range(len(rows))],
            "machine_id": [r[3] if len(r) > 3 else None for r in rows],
            "host_id": [r[0] for r in rows],
            "gpus": [r[1] for r in rows],
            "price_nano": [r[2] for r in rows],
            **more,
        },
        schema_overrides={"machine_id": pl.String, "host_id": pl.String},
    )


FOUR = [("a", 8, 100), ("b", 8, 200), ("c", 8, 300), ("d", 8, 400)]
"""32 GPUs: D is 16, and a host gives at most 4 of them."""


def priced(*rows: tuple[Any, ...], depth: Depth | None = None) -> dict[str, Any]:
    return marketplace.depth_prices(listings(*rows), depth=depth).row(0, named=True)


def test_a_machine_in_four_sizes_counts_once_at_its_largest() -> None:
    rows = [("a", n, price) for n, price in ((1, 130), (8, 100), (2, 125), (4, 110))]
    made = marketplace.machines(listings(*rows)).row(0, named=True)
    assert (made["gpus"], made["price_nano"], made["listings"]) == (8, 100, 4)


def test_of_equal_sizes_the_cheaper_then_the_lower_id() -> None:
    made = marketplace.machines(listings(("a", 4, 300), ("a", 4, 200), ("a", 4, 200)))
    assert made.row(0, named=True)["listing_id"] == "l1"


def test_a_host_with_two_machines_has_the_gpus_of_both() -> None:
    frame = listings(("a", 8, 100, "m1"), ("a", 1, 105, "m1"), ("a", 4, 160, "m2"))
    (host,) = marketplace.hosts(frame).to_dicts()
    assert host == {"host_id": "a", "machines": 2, "gpus": 12, "price_nano": 120}


def test_a_price_per_host_is_rounded_half_up_once() -> None:
    frame = listings(("a", 1, 1, "m1"), ("a", 1, 2, "m2"))
    assert marketplace.hosts(frame)["price_nano"].to_list() == [2]


def test_the_price_is_that_of_the_cheapest_half_a_host_giving_at_most_a_quarter() -> None:
    assert priced(*FOUR) == {
        "hosts": 4,
        "gpus": 32,
        "depth_gpus": 16,
        "priced_gpus": 16,
        "price_nano": 250,  # 4 of each
        "status": "PRICED",
    }


def test_one_cheap_host_cannot_be_the_market() -> None:
    big = [("a", 1000, 1), *FOUR[1:]]  # D is 64: 16 of a, then 8 of each other host
    made = priced(*big)
    assert (made["depth_gpus"], made["priced_gpus"]) == (64, 40)
    # (16 x 1 + 8 x 900) / 40 = 180.4, half up
    assert made["price_nano"] == 180


def test_two_machines_of_one_host_share_its_quarter() -> None:
    """40 GPUs, D is 20, five of a host: none of the second machine of a."""
    made = priced(("a", 8, 100, "m1"), ("a", 8, 110, "m2"), *FOUR[1:])
    assert (made["depth_gpus"], made["priced_gpus"], made["price_nano"]) == (20, 20, 250)


def test_more_than_64_are_never_looked_at() -> None:
    rows = [(f"h{n:02d}", 8, 100 + n) for n in range(40)]
    made = priced(*rows)
    assert (made["gpus"], made["depth_gpus"], made["priced_gpus"]) == (320, 64, 64)
    # eight machines in whole: 100 .. 107, mean 103.5, half up
    assert made["price_nano"] == 104


@pytest.mark.parametrize(
    ("rows", "status", "price"),
    [
        pytest.param([(h, 4, 100) for h in "abcd"], "PRICED", 100, id="16 GPUs of 4 hosts"),
        pytest.param(
            [("a", 3, 100), *((h, 4, 100) for h in "bcd")], "FEW_GPUS", None, id="15 GPUs"
        ),
        pytest.param([(h, 9, 100) for h in "abc"], "FEW_HOSTS", None, id="three hosts"),
    ],
)
def test_a_market_needs_16_gpus_of_4_hosts(
    rows: list[tuple[Any, ...]], status: str, price: int | None
) -> None:
    made = priced(*rows)
    assert (made["status"], made["price_nano"]) == (status, price)


def test_the_order_of_rows_changes_nothing() -> None:
    frame = listings(*FOUR, ("e", 3, 100), ("a", 2, 90))
    expected = marketplace.depth_prices(frame)
    for seed in range(5):
        assert marketplace.depth_prices(frame.sample(fraction=1, shuffle=True, seed=seed)).equals(
            expected
        )


def test_markets_are_priced_apart() -> None:
    both = pl.concat(
        [
            listings(*FOUR).with_columns(pl.lit(hour).alias("hour"))
            for hour in ("09", "10")
        ]
    ).with_columns(
        pl.when(pl.col("hour") == "10").then(pl.col("price_nano") * 2).otherwise("price_nano")
        .alias("price_nano")
    )  # fmt: skip
    made = marketplace.depth_prices(both, by=["hour"])
    assert made["hour"].to_list() == ["09", "10"]
    assert made["price_nano"].to_list() == [250, 500]


def test_unverified_listings_do_not_count() -> None:
    frame = listings(*FOUR, ("e", 8, 1), is_verified=[True] * 4 + [None])
    assert marketplace.depth_prices(frame)["price_nano"].to_list() == [250]


def test_other_parameters() -> None:
    rule = Depth(max_depth_gpus=4, host_cap=Fraction(1), min_gpus=1, min_hosts=1)
    assert priced(*FOUR, depth=rule)["price_nano"] == 100


def test_no_listings_are_no_market() -> None:
    assert marketplace.depth_prices(listings()).is_empty()


@pytest.mark.parametrize(
    "row",
    [("a", 0, 100), ("a", 1, -1), (None, 1, 100), ("a", None, 100), ("a", 1, None)],
    ids=["no GPU", "a negative price", "no host", "an unknown count", "no price"],
)
def test_a_listing_that_is_none_is_named(row: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="listing 'l0'"):
        marketplace.machines(listings(row))


def test_great_prices_do_not_wrap() -> None:
    rows = [(h, 10**6, 10**15) for h in "abcd"]
    assert marketplace.hosts(listings(*rows))["price_nano"].to_list() == [10**15] * 4
    assert priced(*rows)["price_nano"] == 10**15
