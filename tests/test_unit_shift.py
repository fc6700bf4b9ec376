"""Bodies of GPU prices that changed their unit, by hand (rulebook 2.10)."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from collectors.base import Capture
from collectors.gpus import gpurentalprices
from index import intake
from methodology.definition import load_methodology
from methodology.unit_shift import without_shifted
from tests import anomalies as an
from tests import live_world

RULES = load_methodology()
PRICES = {"coreweave": "6.155", "crusoe": "3.9", "together": "3.99", "ovh": "2.99"}
"""Plain H100 on 2026-08-12 (gpurentalprices)."""


def body(day: int, **factors: str) -> list[dict]:
    """Return four sellers' rows of one day, some of them times a factor."""
    return [
        an.quote(
            "gpurentalprices",
            seller,
            "h100|80|on-demand",
            "GPU_H",
            str(Decimal(price) * Decimal(factors.get(seller, "1"))),
            f"2026-08-{day} 06:00",
            capture_sha256=f"{day:064d}",
        )
        for seller, price in PRICES.items()
    ]


def all_at(factor: str, *but: str) -> dict[str, str]:
    return {seller: factor for seller in PRICES if seller not in but}


@pytest.mark.parametrize(
    ("factors", "refused"),
    [
        pytest.param(all_at("8"), 4, id="all eight times: the machine's price"),
        pytest.param(all_at("0.125"), 4, id="all an eighth: the GPU's price"),
        pytest.param(all_at("8", "ovh"), 4, id="three of four: the fourth is refused with them"),
        pytest.param(all_at("8", "ovh", "crusoe"), 0, id="two of four are not more than half"),
        pytest.param(all_at("8.04"), 4, id="8.04 is at 1/200 of eight"),
        pytest.param(all_at("8.05"), 0, id="8.05 is beyond it"),
        pytest.param(all_at("16"), 4, id="sixteen GPUs"),
        pytest.param(all_at("17"), 0, id="no machine has seventeen"),
        pytest.param(all_at("1.5"), 0, id="half as dear again is a market"),
        pytest.param({"together": "8", "ovh": "4", "crusoe": "2"}, 0, id="no factor in common"),
    ],
)
def test_a_body_is_refused_when_more_than_half_share_a_whole_factor(
    factors: dict[str, str], refused: int
) -> None:
    quotes = an.frame(body(11) + body(12, **factors))
    kept, rejections = without_shifted(quotes, RULES)
    assert rejections["reason"].to_list() == ["UNIT_SHIFT"] * refused
    assert kept.drop("price_text", "status").equals(quotes.drop("price_text", "status"))
    assert kept["status"].to_list() == ["offered"] * (8 - refused) + ["unknown"] * refused
    assert kept["price_text"].null_count() == refused


def test_bodies_are_compared_with_the_last_one_that_stood() -> None:
    quotes = an.frame(body(11) + body(12, **all_at("8")) + body(13, **all_at("8")) + body(14))
    kept, _ = without_shifted(quotes, RULES)
    gone = kept.filter(pl.col("price_text").is_null())["observed_at"].dt.day().unique().sort()
    assert gone.to_list() == [12, 13]


def test_two_sellers_show_nothing() -> None:
    two = [r for r in body(11) + body(12, **all_at("8")) if r["provider"] in ("ovh", "crusoe")]
    assert without_shifted(an.frame(two), RULES)[1].is_empty()


def test_one_seller_with_many_listings_shows_nothing() -> None:
    rows = [r | {"provider": "ovh", "listing_id": r["provider"]} for r in body(11)]
    rows += [r | {"provider": "ovh", "listing_id": r["provider"]} for r in body(12, **all_at("8"))]
    assert without_shifted(an.frame(rows), RULES)[1].is_empty()


def test_token_prices_and_methodology_1_0_0_are_left_alone() -> None:
    quotes = an.frame(body(11) + body(12, **all_at("8")))
    tokens = quotes.with_columns(
        pl.lit("per_mtok").alias("quoted_unit"), pl.lit("IN").alias("meter")
    )
    assert without_shifted(tokens, RULES)[1].is_empty()
    old = RULES.model_copy(update={"version": "1.0.0"})
    kept, rejections = without_shifted(quotes, old)
    assert rejections.is_empty()
    assert kept.equals(quotes)


def test_a_figure_that_is_none_is_left_to_the_reason_it_has() -> None:
    rows = body(11) + body(12, **all_at("8"))
    rows[0]["price_text"] = "n/a"
    kept, rejections = without_shifted(an.frame(rows), RULES)
    assert rejections.height == 4
    assert kept["price_text"][0] == "n/a"


def test_a_publishing_run_refuses_the_body() -> None:
    dear = {p: str(Decimal(price) * 8) for p, price in live_world.H100.items()}
    captures = [
        Capture(gpurentalprices.ID, "x", live_world.gpus(day, **prices), an.aware(f"{day} 07:00"))
        for day, prices in (("2026-08-11", {}), ("2026-08-12", dear))
    ]
    found = intake.read_captures(captures, "live", RULES)
    refused = found.rejections.filter(pl.col("reason") == "UNIT_SHIFT")
    assert refused.height == len(live_world.H100) == 9
    told = found.inputs.observations.filter(pl.col("observed_at").dt.day() == 12)
    assert told["status"].unique().to_list() == ["unknown"]
    assert found.quotes_seen == 18
