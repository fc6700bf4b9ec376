"""Quotes to observations: each becomes a price, ends an older one, or is refused with a reason."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from index import intake
from methodology import schemas
from methodology.definition import load_methodology
from methodology.eligibility import Registers, normalise

SHA = "a" * 64
SEEN = datetime(2026, 8, 1, 12)
REGISTERS = Registers(
    providers=pl.DataFrame(
        {
            "source": ["s", "s", "s"],
            "spelling": ["acme", "acme-cn", "cloud"],
            "provider": ["acme", "acme", "cloud"],
            "group": ["acme", "acme", "cloud"],
            "provider_class": ["host", "host", "HYP"],
            "domicile": ["US", "US", "US"],
        }
    ),
    listings=pl.DataFrame(
        {
            "source": ["s", "s", "s"],
            "spelling": ["*", "cloud", "*"],
            "listing_id": ["glm-5", "p5.48xlarge", "p5.48xlarge"],
            "instrument_id": ["glm-5", "H100-SXM-80", "wrong"],
            "gpu_count": [None, 8, None],
        },
        schema_overrides={"gpu_count": pl.Int32},
    ),
    licences=pl.DataFrame({"source": ["s"], "licence_id": ["MIT"]}),
)


def quote(**changed: Any) -> dict[str, Any]:
    return {
        "source": "s",
        "provider": "acme",
        "listing_id": "glm-5",
        "meter": "IN",
        "price_text": "0.6",
        "quoted_unit": "per_mtok",
        "currency": "USD",
        "tenor": "on_demand",
        "is_official_date": False,
        "status": "offered",
        "observed_at": SEEN,
        "tier": "E4",
        "capture_sha256": SHA,
        **changed,
    }


def run(*rows: dict[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    quotes = schemas.frame(schemas.Quote, list(rows))
    return normalise(quotes, REGISTERS, load_methodology().bounds)


def test_a_mapped_quote_becomes_an_exact_price_of_its_group() -> None:
    kept, refused = run(quote(provider="acme-cn"))
    row = kept.row(0, named=True)
    assert (row["provider"], row["group"], row["instrument_id"]) == ("acme", "acme", "glm-5")
    assert (row["price_nano"], row["unit"], row["status"]) == (
        600_000_000,
        "usd_per_mtok",
        "offered",
    )
    assert refused.is_empty()


def test_a_reviewed_line_of_one_seller_outranks_the_line_for_any_and_brings_the_gpu_count() -> None:
    cloud = quote(
        provider="cloud",
        listing_id="p5.48xlarge",
        meter="GPU_H",
        price_text="55.04",
        quoted_unit="per_instance_hour",
    )
    kept, _ = run(cloud)
    # 55.04 USD for eight GPUs: 6.88 each.
    assert kept.select("instrument_id", "gpu_count", "price_nano", "unit").row(0) == (
        "H100-SXM-80",
        8,
        6_880_000_000,
        "usd_per_gpu_hour",
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"provider": "nobody"}, "UNMAPPED_PROVIDER", id="a_seller_nobody_reviewed"),
        pytest.param({"listing_id": "glm-5-turbo"}, "UNMAPPED_LISTING", id="turbo_is_another_good"),
        pytest.param(
            {"listing_id": "GLM-5"}, "UNMAPPED_LISTING", id="mapping_is_by_exact_spelling"
        ),
    ],
)
def test_an_unmapped_quote_is_refused_and_leaves_nothing(changed: dict, reason: str) -> None:
    kept, refused = run(quote(**changed))
    assert kept.is_empty()
    assert refused["reason"].to_list() == [reason]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"price_text": "0"}, "ZERO_PRICE", id="zero_is_free_not_a_price"),
        pytest.param({"price_text": "-1"}, "NEGATIVE_PRICE", id="minus_one_is_a_sentinel"),
        pytest.param({"price_text": "NaN"}, "NOT_A_NUMBER", id="nan"),
        pytest.param({"price_text": None}, "PRICE_MISSING", id="an_offer_without_a_figure"),
        pytest.param({"price_text": "1000.01"}, "OUT_OF_BOUNDS", id="just_above_the_bound"),
        pytest.param({"price_text": "0.00009"}, "OUT_OF_BOUNDS", id="just_below_the_bound"),
        pytest.param({"price_text": "2000000"}, "OUT_OF_RANGE", id="beyond_fixed_point"),
        pytest.param({"currency": "INR"}, "CURRENCY_NOT_PINNED", id="no_rupee_is_guessed"),
        pytest.param({"tax_included": True}, "TAX_INCLUDED", id="a_tax_nobody_stated"),
    ],
)
def test_a_price_that_cannot_be_used_is_refused_and_ends_the_older_one(
    changed: dict, reason: str
) -> None:
    kept, refused = run(quote(**changed))
    assert refused["reason"].to_list() == [reason]
    assert kept.select("status", "price_nano").rows() == [("unknown", None)]


@pytest.mark.parametrize("text", ["0.0001", "1000"])
def test_the_bounds_themselves_are_inside(text: str) -> None:
    kept, refused = run(quote(price_text=text))
    assert (kept.height, refused.height) == (1, 0)


def test_a_price_stays_in_the_currency_it_is_posted_in() -> None:
    machine = quote(
        provider="cloud",
        listing_id="p5.48xlarge",
        meter="GPU_H",
        price_text="300",
        quoted_unit="per_instance_hour",
    )
    kept, refused = run(
        quote(currency="CNY"),
        {**machine, "currency": "CNY"},
        {**machine, "currency": "EUR", "price_text": "23.1"},
    )
    # 300 / 8 = 37.5 CNY, 23.1 / 8 = 2.8875 EUR: neither is turned into dollars
    assert sorted(kept.filter(pl.col("meter") == "GPU_H").select("unit", "price_nano").rows()) == [
        ("cny_per_gpu_hour", 37_500_000_000),
        ("eur_per_gpu_hour", 2_887_500_000),
    ]
    assert kept.filter(pl.col("meter") != "GPU_H")["unit"].to_list() == ["cny_per_mtok"]
    assert refused.is_empty()


def test_of_two_prices_for_one_moment_the_lower_stands_and_the_other_is_refused() -> None:
    kept, refused = run(quote(price_text="0.7"), quote(price_text="0.6", provider="acme-cn"))
    assert kept["price_nano"].to_list() == [600_000_000]
    assert refused["reason"].to_list() == ["CONFLICTING_ROWS"]
    assert "700000000" in refused["detail"][0]


def test_the_same_row_twice_is_one_price_and_one_refusal() -> None:
    kept, refused = run(quote(), quote())
    assert (kept.height, refused["reason"].to_list()) == (1, ["CONFLICTING_ROWS"])


def test_the_order_of_the_quotes_changes_nothing() -> None:
    rows = [
        quote(),
        quote(price_text="0.5"),
        quote(meter="OUT", price_text="2"),
        quote(provider="nobody"),
        quote(price_text="0", observed_at=datetime(2026, 8, 2)),
    ]
    forwards, backwards = run(*rows), run(*rows[::-1])
    assert forwards[0].equals(backwards[0])
    assert forwards[1].equals(backwards[1])


def test_every_quote_of_the_bundle_is_accounted_for() -> None:
    bundle = Path(__file__).parents[1] / "data" / "bundled"
    taken = intake.read_captures(intake.bundled_captures(bundle), "bundled", load_methodology())
    prices = {"ZERO_PRICE", "OUT_OF_BOUNDS", "NEGATIVE_PRICE", "OUT_OF_RANGE", "INEXACT"}
    both = taken.rejections.filter(
        (pl.col("stage") == "normalise") & pl.col("reason").is_in(prices)
    ).height
    kept = taken.inputs.observations
    assert kept["observation_id"].n_unique() == kept.height
    assert taken.quotes_seen == kept.height + taken.rejections.height - both


def test_a_restated_volume_is_refused_with_both_figures_and_a_repeated_one_is_not() -> None:
    day = {"period_start": datetime(2026, 8, 1).date(), "period_end": datetime(2026, 8, 2).date()}
    rows = [
        {"source": "v", "subject": "m", "meter": "total", "quantity": quantity, **day}
        | {"as_of": datetime(2026, 8, hour), "capture_sha256": SHA}
        for hour, quantity in ((3, 10), (4, 12), (5, 12))
    ]
    rows.append({**rows[0], "subject": "other", "quantity": 7})
    frame = schemas.frame(schemas.Volume, rows)
    keys = ["source", "subject", "meter", "period_start", "period_end"]
    kept, refused = intake._newest(frame, keys, "quantity")
    assert kept.select("subject", "quantity", "as_of").rows() == [
        ("m", 12, datetime(2026, 8, 5)),
        ("other", 7, datetime(2026, 8, 3)),
    ]
    assert refused.select("reason", "detail").rows() == [("SUPERSEDED", "10 was restated as 12")]
