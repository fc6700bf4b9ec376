"""One day of each kind of token and GPU rate, worked by hand from the bundled figures.

The figures stand in ``data/bundled`` for the seller, listing and day named here; sums, order and
medians are written out, and the code has to find the same.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import polars as pl
import pytest

from methodology import representative
from methodology.definition import RateDefinition, load_definitions
from tests import bundled_history as bh
from tests import small_market as sm

AUGUST, NOVEMBER = date(2026, 8, 12), date(2026, 11, 19)
FLASH = "TKR-deepseek-v4-flash-0731"
SPOT, MARKET = "GPR-H100-ANY-SPT-NEO-GLB", "GPR-H100-SXM-80-OD-MKT-GLB"


@cache
def determined() -> bh.Determined:
    """Return the indices of this file, determined once."""
    batch = [f"TKR-gpt-oss-{size}b-BAT" for size in (120, 20)]
    wanted = (f"{FLASH}-CIN", "TKR-kimi-k3-AGT", *batch, SPOT, MARKET)
    pair = ("GPR-H100-PCIE-80-OD-NEO-GLB", "GPR-H100-ANY-OD-NEO-GLB")
    return bh.determined(bh.packaged(*wanted, *pair))


CACHED = {
    "alibaba": ("0.2", "0.04", "0.4", "108000000"),
    "ambient": ("0.14", "0.028", "0.28", "75600000"),
    "baseten": ("0.13", "0.028", "0.26", "71600000"),
    "chutes": ("0.14", "0.013999999999999999", "0.28", "65800000"),
    "coreweave": ("0.13", "0.07", "0.28", "103000000"),
    "deepinfra": ("0.08", "0.016", "0.18", "45200000"),
    "digitalocean": ("0.08", "0.0252", "0.252", "58840000"),
    "fireworks": ("0.14", "0.028", "0.28", "75600000"),
    "together": ("0.14", "0.03", "0.28", "77000000"),
}
"""Input, cached input, output of DeepSeek-V4-Flash-0731 at models.dev on 2026-08-12 by legal group,
USD per million tokens, and (2 input + 7 cached + output) / 10 by hand, in nano."""


def test_cached_input_of_nine_hosts_is_the_fifth_price() -> None:
    # 0.014 0.016 0.0252 0.028 [0.028] 0.028 0.03 0.04 0.07, one ninth of the weight each
    assert determined().fixing(f"{FLASH}-CIN", AUGUST)["value_units"] == 28_000
    lines = determined().contributions(f"{FLASH}-CIN", AUGUST)
    assert set(lines) == set(CACHED)
    assert lines["chutes"]["price_nano"] == 14_000_000  # the binary float's tail is rounded once


def test_agentic_blend_of_nine_hosts_is_the_fifth_blend() -> None:
    lines = determined().contributions(f"{FLASH}-AGT", AUGUST)
    told = {group: str(line["price_nano"]) for group, line in lines.items()}
    assert told == {group: by_hand for group, (*_, by_hand) in CACHED.items()}
    # 0.0452 0.05884 0.0658 0.0716 [0.0756] 0.0756 0.077 0.103 0.108
    assert determined().fixing(f"{FLASH}-AGT", AUGUST)["value_units"] == 75_600


def test_without_a_cache_price_the_input_price_counts_in_the_blend() -> None:
    # Kimi K3: Baseten posts 3 and 15 and no cache price; Fireworks posts 3, 0.3 and 15.
    lines = determined().contributions("TKR-kimi-k3-AGT", AUGUST)
    assert lines["baseten"]["price_nano"] == 4_200_000_000  # (2*3 + 7*3 + 15) / 10
    assert lines["fireworks"]["price_nano"] == 2_310_000_000  # (2*3 + 7*0.3 + 15) / 10
    assert "baseten" not in determined().contributions("TKR-kimi-k3-CIN", AUGUST)


@pytest.mark.parametrize(
    ("size", "blends", "value"),
    [
        # Bedrock 0.075/0.3, Vertex 0.045/0.18, Groq 0.075/0.3: (3*0.075 + 0.3) / 4 = 0.13125,
        # (3*0.045 + 0.18) / 4 = 0.07875; the middle of the three is 0.13125.
        (120, {"amazon": 131_250_000, "google": 78_750_000, "groq": 131_250_000}, 131_250),
        # Bedrock 0.035/0.15, Vertex 0.035/0.125, Groq 0.0375/0.15.
        (20, {"amazon": 63_750_000, "google": 57_500_000, "groq": 65_625_000}, 63_750),
    ],
    ids=["gpt-oss-120b", "gpt-oss-20b"],
)
def test_batch_blend_of_three_sellers_is_the_middle_one(
    size: int, blends: dict[str, int], value: int
) -> None:
    name = f"TKR-gpt-oss-{size}b-BAT"
    lines = determined().contributions(name, NOVEMBER)
    assert {group: line["price_nano"] for group, line in lines.items()} == blends
    fixing = determined().fixing(name, NOVEMBER)
    assert (fixing["waterfall"], fixing["value_units"]) == ("REDUCED", value)


def test_batch_starts_on_the_first_day_with_three_sellers() -> None:
    # LiteLLM shows the two clouds from 2026-10-28 23:59 on: too late for that day's window, which
    # closed at 20:00, and 20 of 24 partitions of the next.
    first = determined().series("TKR-gpt-oss-120b-BAT").drop_nulls("value_units")["ref_date"][0]
    assert first == date(2026, 10, 29)


def test_three_pcie_sellers_and_a_jump_that_is_held() -> None:
    # 2026-08-22: Lambda 3.29, RunPod 2.89; Thunder Compute 3.19 after 2.19, more than 5/4 above
    # and shown once: 2.19 stands for a day. 2.19 [2.89] 3.29.
    name, day = "GPR-H100-PCIE-80-OD-NEO-GLB", date(2026, 8, 22)
    lines = determined().contributions(name, day)
    told = {g: (line["price_nano"], line["quoted_nano"]) for g, line in lines.items()}
    assert told == {
        "lambda": (3_290_000_000, 3_290_000_000),
        "runpod": (2_890_000_000, 2_890_000_000),
        "thundercompute": (2_190_000_000, 3_190_000_000),
    }
    assert lines["thundercompute"]["status"] == "HELD"
    assert determined().fixing(name, day)["value_units"] == 28_900


def test_spot_of_one_neocloud_is_no_panel_and_says_so() -> None:
    draft = determined().drafts()[SPOT]
    assert draft.fields["waterfall"] == "NO_FIX"
    assert draft.fields["no_fix_reason"] == "no panel yet: never 3 groups at once (rulebook 8.1)"
    refused = determined().refused(SPOT, date(2026, 8, 22))
    by_seller = dict(refused.select("provider", "reason").iter_rows())
    assert by_seller == {
        "primeintellect": "CLASS_BROKER",
        "spheron": "CLASS_BROKER",
        "sfcompute": "CLASS_MKT",
        "vultr": "NOT_IN_PANEL",
    }


def test_a_marketplace_rate_without_depth_says_so() -> None:
    draft = determined().drafts()[MARKET]
    assert draft.fields["waterfall"] == "NO_FIX"
    assert draft.fields["no_fix_reason"] == "no admitted source shows verified depth (rulebook 4.5)"
    refused = determined().refused(MARKET, date(2026, 8, 22))
    mine = refused.filter(pl.col("reason") == "NO_VERIFIED_DEPTH")
    assert mine["provider"].to_list() == ["tensordock"]


# Interruptible offers, planted: no body at hand has three of one class.

SPOT_RATE = sm.gpu_rate(tenor="spot")


def spot(seller: str, price: str, n: int = 0, **more: object) -> dict[str, object]:
    return sm.shown(n, seller, price, tenor="spot", listing_id=f"{seller}/spot", **more)


def test_spot_is_made_of_interruptible_offers_alone() -> None:
    rows = [
        *(sm.shown(0, s, p) for s, p in (("ash", "2.00"), ("birch", "2.40"), ("cedar", "2.60"))),
        *(spot(s, p) for s, p in (("ash", "1.20"), ("birch", "1.31"), ("cedar", "1.50"))),
    ]
    found = sm.determined([sm.plan_of(rows, SPOT_RATE, 2)])
    assert found.plans[0].index_id == "GPR-H100-SXM-80-SPT-NEO-GLB"
    assert sm.value(found, 1) == ("REDUCED", "1.3100")  # 1.20 [1.31] 1.50; on demand says 2.40
    assert sm.value(sm.determined([sm.plan_of(rows, sm.gpu_rate(), 2)]), 1)[1] == "2.4000"


def test_half_of_the_on_demand_price_is_no_market() -> None:
    rows = [
        *(spot(s, p) for s, p in (("ash", "1.20"), ("birch", "1.31"), ("cedar", "1.50"))),
        sm.shown(0, "elm", "3.00"),
        spot("elm", "1.50"),
        sm.shown(0, "fir", "3.00"),
        spot("fir", "1.500001"),
        sm.shown(0, "cedar", "3.00", region="eu"),
    ]
    plan = sm.plan_of(rows, SPOT_RATE, 2)
    assert {seller for (_, seller), why in sm.reasons(plan, 1).items() if why} == {"elm"}
    assert sm.reasons(plan, 1)["list", "elm"] == "SPOT_ADMINISTERED"
    # 1.20 1.31 | 1.50 1.500001: the mean of the middle two
    assert sm.value(sm.determined([plan]), 1)[1] == "1.4050"


def test_community_offers_are_neither() -> None:
    rows = [sm.shown(0, s, "1.00", tenor="community") for s in ("ash", "birch", "cedar")]
    for rate in (SPOT_RATE, sm.gpu_rate()):
        assert sm.plan_of(rows, rate, 2).rows.is_empty()


# Blends, planted.


def tokens(n: int, meter: str, price: str | None, seller: str = "acme") -> dict[str, object]:
    return sm.shown(
        n,
        seller,
        price,
        meter=meter,
        unit="usd_per_mtok",
        provider_class="host",
        instrument_id="glm-5",
        listing_id="glm-5",
        gpu_count=None,
    )


def blends(rows: list[dict[str, object]], n: int = 0) -> dict[str, tuple[int, bool]]:
    prices = sm.price_table(rows, n + 1).prices.filter(pl.col("day") == n)
    return {m: (p, s) for m, p, s in prices.select("meter", "price_nano", "is_suspect").iter_rows()}


def test_an_offer_has_the_blends_its_meters_allow() -> None:
    whole = [tokens(0, m, p) for m, p in (("IN", "1"), ("CIN", "0.1"), ("OUT", "4"))]
    batch = [tokens(0, "BAT_IN", "0.5"), tokens(0, "BAT_OUT", "2.000000001")]
    told = blends(whole + batch)
    assert told["BLD"] == (1_750_000_000, False)  # (3*1 + 4) / 4
    assert told["AGT"] == (670_000_000, False)  # (2*1 + 7*0.1 + 4) / 10
    assert told["BAT"] == (875_000_000, False)  # 3.500000001 / 4 = 0.87500000025
    assert "BAT" not in blends(whole)
    assert "BAT" not in blends([*whole, batch[0]])
    assert {"BLD", "AGT"}.isdisjoint(blends(batch))


def test_batch_output_below_half_of_its_input_makes_its_own_blend_suspect() -> None:
    plain = [tokens(0, "IN", "1"), tokens(0, "OUT", "4")]
    told = blends([*plain, tokens(0, "BAT_IN", "2"), tokens(0, "BAT_OUT", "0.9")])
    assert told["BAT"][1] is True
    assert told["BLD"][1] is False


def test_half_a_nano_of_a_blend_rounds_up() -> None:
    rows = [tokens(0, "BAT_IN", "0.500000001"), tokens(0, "BAT_OUT", "0.499999999")]
    # 3*500000001 + 499999999 = 2000000002; / 4 = 500000000.5
    assert blends(rows)["BAT"][0] == 500_000_001


# What is shipped.


def test_every_shipped_rate_of_a_marketplace_waits_for_depth() -> None:
    rates = [d for d in load_definitions() if isinstance(d, RateDefinition)]
    markets = [d for d in rates if "MKT" in d.classes]
    assert markets
    assert all(d.small_panel and d.admission == "reference" for d in markets)


def test_agentic_rates_are_of_models_with_five_cache_prices() -> None:
    mine = [d for d in load_definitions() if isinstance(d, RateDefinition) and "AGT" in d.meters]
    wanted = [i for d in mine for i in d.index_ids if i.endswith("-CIN")]
    assert len(wanted) == 20
    found = bh.determined(mine)
    for name in wanted:
        rows = found.series(name)
        assert rows["panel"].max() >= 5, name


def test_blends_of_the_rules_are_those_of_the_code() -> None:
    assert set(representative.BATCH) == set(bh.rules().blend["BAT"])
