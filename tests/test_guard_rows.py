"""Rows that are no price of what they are listed as, and bodies that are not whole (rulebook 2.11).

Figures are those of real bodies where a comment names one, per million tokens or per GPU-hour.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from tests.guard_rounds import (
    LIST,
    after,
    body,
    codes,
    crowd,
    gpus,
    look,
    token,
)


def test_an_output_price_that_slips_alone_is_told_from_a_price_cut() -> None:
    # litellm 2025-08 to 2026-02: oci/xai.grok-4 at 3 and 0.15, for 3 and 15
    made = after({("oci", "x"): token("3", "15")}, {("oci", "x"): token("3", "0.15")})
    assert codes(made) == {"x": "ONE_SIDED"}
    assert made.rejections.height == 2


def test_an_absurd_ratio_is_refused_at_first_sight_if_the_good_is_followed() -> None:
    made = look(None, body({("oci", "grok"): token("3", "0.15"), ("oci", "z"): token("3", "0.15")}))
    assert codes(made) == {"grok": "ABSURD_RATIO"}
    repaired = look(made.state, body({("oci", "grok"): token("3", "15")}, 1), 1)
    assert repaired.rejections.is_empty()


def test_a_ratio_driven_to_win_a_ranking_is_refused() -> None:
    # litellm 2026-10-28: coralbricks, 0.01 in and 1.2 out
    was, now = token("0.25", "1.2"), token("0.04", "1.2")
    assert (
        after({("c", "m"): was}, {("c", "m"): now}).rejections["reason"].to_list()
        == ["ABSURD_RATIO"] * 2
    )


def test_two_listings_that_exchange_their_prices_are_refused_for_as_long_as_it_lasts() -> None:
    one, two = LIST["novita", "b"], LIST["novita", "c"]
    swapped = LIST | {("novita", "b"): two, ("novita", "c"): one}
    state = look(None, body(LIST)).state
    for day in (1, 2, 3):
        made = look(state, body(swapped, day), day)
        assert codes(made) == {"b": "SWAPPED_MODELS", "c": "SWAPPED_MODELS"}
        state = made.state
    assert look(state, body(LIST, 4), 4).rejections.is_empty()


@pytest.mark.parametrize("text", ["-1", "0", "0.000"])
def test_a_filler_after_a_price_is_refused(text: str) -> None:
    made = after(LIST, LIST | {("novita", "a"): token(text, text)})
    assert codes(made) == {"a": "SENTINEL"}
    again = look(made.state, body(LIST, 2), 2)
    assert again.rejections.is_empty()


def test_a_filler_without_history_is_left_to_the_reason_it_has() -> None:
    assert look(None, body({("x", "m"): token("-1", "0")})).rejections.is_empty()


# runpod_gputypes 2026-07-18: secure price, community price; 0.5 where there is no community offer
RUNPOD = {
    "AMD Instinct MI300X OAM": ("2.19", "0.5"), "NVIDIA A100 80GB PCIe": ("1.39", "1.19"),
    "NVIDIA H200 NVL": ("3.79", "0.5"), "NVIDIA RTX 2000 Ada Generation": ("0.24", "0.5"),
    "NVIDIA RTX PRO 4000 Blackwell": ("0.57", "0.5"), "NVIDIA H100 PCIe": ("2.89", "1.99"),
    "NVIDIA L4": ("0.39", "0.44"),
}  # fmt: skip


def test_a_placeholder_is_known_at_first_sight_by_the_goods_it_stands_for() -> None:
    secure = body({("runpod", k): {"GPU_H": a} for k, (a, _) in RUNPOD.items()})
    cheap = body({("runpod", k): {"GPU_H": b} for k, (_, b) in RUNPOD.items()}, tenor="community")
    made = look(None, pl.concat([secure, cheap]))
    assert made.rejections["reason"].unique().to_list() == ["SENTINEL"]
    assert sorted(made.rejections["listing_id"]) == [
        k for k, (_, b) in sorted(RUNPOD.items()) if b == "0.5"
    ]


def test_many_listings_that_fall_on_one_figure_are_refused() -> None:
    then = {k: token("0.5", "0.5") for k in LIST}
    made = after(LIST, LIST | dict(list(then.items())[:5]))
    assert set(codes(made)) == set("abcde")


def test_a_machine_priced_per_gpu_for_per_machine_is_refused_alone() -> None:
    first = body(gpus()).with_columns(pl.lit(2, pl.Int32).alias("gpu_count"))
    then = body(gpus(runpod="1.345"), 1).with_columns(pl.lit(2, pl.Int32).alias("gpu_count"))
    made = look(look(None, first).state, then, 1)
    assert made.rejections["provider"].to_list() == ["runpod"]


def test_a_seller_whose_new_offers_are_far_from_all_others_is_refused_with_the_rest_of_them() -> (
    None
):
    # litellm 2026-01-10: 84 new listings of novita, ten thousand times too dear
    others = pl.concat(
        [
            crowd(good, {"IN": ("0.3", "0.28", "0.4"), "OUT": ("0.5", "0.4", "1.6")})
            for good in ("deepseek-v4-flash", "glm-5.2", "o3")
        ]
    )
    new = {("novita", k): token("2690", "4000") for k in ("ds", "glm", "o3", "autoglm-phone")}
    made = look(None, body(new), others=others)
    assert codes(made) == dict.fromkeys(("ds", "glm", "o3", "autoglm-phone"), "UNIT_SWITCH")
    still = look(made.state, body(new, 1), 1, others=others)
    assert codes(still) == codes(made)
    right = {("novita", k): token("0.269", "0.4") for k in ("ds", "glm", "o3", "autoglm-phone")}
    assert look(still.state, body(right, 2), 2, others=others).rejections.is_empty()


def test_a_currency_that_is_not_pinned_or_changes_under_an_offer_is_refused() -> None:
    euros = body(LIST, 1, currency="EUR")
    made = look(look(None, body(LIST)).state, euros, 1)
    assert set(made.rejections["reason"]) == {"CURRENCY_SWITCH"}
    yuan = body(LIST, currency="CNY")
    both = ("USD", "CNY")
    state = look(None, yuan, currencies=both).state
    relabelled = look(state, body(LIST, 1), 1, currencies=both)
    assert set(relabelled.rejections["reason"]) == {"CURRENCY_SWITCH"}


@pytest.mark.parametrize(
    "name",
    [
        "deepseek\u200b/v4",
        "d\u0435epseek",
        "ｄeepseek",
        "gpt\u2011oss",
        " glm",
        "mod\u00e8le",
        "Ωmega",
    ],
)
def test_a_name_that_can_be_mistaken_is_refused(name: str) -> None:
    made = look(
        None, body({("x", name): token("1", "2"), ("深度求索", "豆包 1.5"): token("1", "2")})
    )
    assert codes(made) == {name: "CONFUSABLE_NAME"}


def test_a_body_of_fewer_offers_is_held_until_a_second_one_agrees() -> None:
    many = {("x", f"m{n}"): token("1", str(2 + n / 10)) for n in range(20)}
    few = dict(list(many.items())[:13])
    state = look(None, body(many)).state
    first = look(state, body(few, 1), 1)
    assert first.verdict is not None
    assert first.verdict.reason == "ROW_COUNT"
    assert look(first.state, body(few, 2), 2).verdict is None
    enough = dict(list(many.items())[:14])
    assert look(state, body(enough, 1), 1).verdict is None
    more = look(look(None, body(few)).state, body(many, 1), 1)
    assert more.verdict is None
    assert "ROW_COUNT" in more.notes["code"].to_list()


@pytest.mark.parametrize(("pages", "reason"), [((64,), "TRUNCATED_AT_CAP"), ((63, 12), None)])
def test_a_body_with_exactly_the_known_cap_is_refused(
    pages: tuple[int, ...], reason: str | None
) -> None:
    made = look(None, body(LIST), page_cap=64, pages=pages)
    assert (made.verdict and made.verdict.reason) == reason


def test_a_source_that_yields_no_price_any_more_is_named() -> None:
    made = look(look(None, body(LIST)).state, body({}), 1)
    assert made.verdict is not None
    assert made.verdict.reason == "NAME_DRIFT"


def test_a_followed_listing_that_is_gone_is_noted() -> None:
    first = LIST | {("deepseek", "ds"): token("0.14", "0.28")}
    made = after(first, LIST)
    assert made.notes.select("code", "listing_id").rows() == [("NAME_DRIFT", "ds")]


def test_the_third_price_of_a_day_is_refused_and_the_next_day_is_free() -> None:
    state, found = None, []
    for hour, price in ((0, "1.0"), (2, "1.1"), (4, "1.2"), (6, "1.1"), (20, "1.3")):
        made = look(state, body({("x", "m"): token(price, "4")}), hours=hour)
        state = made.state
        found.append(made.rejections["reason"].unique().to_list())
    assert found == [[], [], ["MANY_PRICES"], [], []]


def test_a_price_that_never_moves_is_noted_where_the_rest_moves_and_stands() -> None:
    names = [f"m{n}" for n in range(12)]
    state = None
    for day in (0, 15, 31, 32):
        moving = {("x", k): token(f"{1 + day / 50:.2f}", f"{2 + day / 50:.2f}") for k in names[1:]}
        made = look(state, body({("x", names[0]): token("1", "4"), **moving}, day), day)
        state = made.state
    hard = made.notes.filter(pl.col("code") == "HARD_CODED")
    assert (names[0], "OUT") in [
        (r["listing_id"], r["detail"].split()[0]) for r in hard.iter_rows(named=True)
    ]
    assert made.rejections.is_empty()


def test_a_row_that_its_source_saw_long_ago_is_noted() -> None:
    made = look(None, body(LIST, -10))
    assert made.notes["code"].to_list() == ["CARRIED_FORWARD"] * 15
    assert made.rejections.is_empty()


def test_one_machine_in_several_sizes_counts_once() -> None:
    sizes = [
        body(gpus()).with_columns(pl.lit(n, pl.Int32).alias("gpu_count")) for n in (1, 2, 4, 8)
    ]
    made = look(None, pl.concat(sizes))
    assert made.notes["code"].to_list() == ["DUPLICATE_SLICE"] * 5
    assert "1, 2, 4, 8" in made.notes["detail"][0]
    assert made.rejections.is_empty()


def test_a_price_dated_ahead_is_not_compared() -> None:
    ahead = body({("x", "m"): token("100", "400")}, 1).with_columns(
        pl.lit(datetime(2027, 1, 1), pl.Datetime("us")).alias("effective_from")
    )
    both = pl.concat([body({("x", "m"): token("1", "4")}, 1), ahead])
    made = look(look(None, body({("x", "m"): token("1", "4")})).state, both, 1)
    assert made.rejections.is_empty()
    assert made.state.offers["nano"].to_list() == [1_000_000_000, 4_000_000_000]


def test_a_body_of_another_source_or_of_the_past_is_an_error() -> None:
    state = look(None, body(LIST)).state
    with pytest.raises(ValueError, match="another source"):
        look(state, body(LIST, source="router"))
    with pytest.raises(ValueError, match="after one of"):
        look(state, body(LIST), -1)


def test_a_new_region_of_a_listing_that_slipped_is_refused_with_it() -> None:
    # primeintellect 2025-10-23: a B200 is listed in a second region
    old = {("runpod", "B200"): {"GPU_H": "5.99"}}
    state = look(None, body(old, region="US")).state
    then = {("runpod", "B200"): {"GPU_H": "47.92"}}
    both = pl.concat([body(then, 1, region="US"), body(then, 1, region="EU")])
    assert look(state, both, 1).rejections["reason"].to_list() == ["UNIT_SWITCH"] * 2
    right = pl.concat([body(old, 1, region="US"), body(old, 1, region="EU")])
    assert look(state, right, 1).rejections.is_empty()


def test_input_and_output_that_change_places_are_refused_until_they_return() -> None:
    # 0.4 and 1 to 1 and 0.4: below every threshold of a jump
    state = look(None, body({("x", "m"): token("0.4", "1"), ("x", "n"): token("2", "3")})).state
    swapped = {("x", "m"): token("1", "0.4"), ("x", "n"): token("2", "2.9")}
    for day in (1, 2):
        made = look(state, body(swapped, day), day)
        assert codes(made) == {"m": "SWAPPED_METERS"}
        assert made.rejections.height == 2
        state = made.state
    back = {("x", "m"): token("0.4", "1"), ("x", "n"): token("2", "2.9")}
    assert look(state, body(back, 3), 3).rejections.is_empty()


def test_a_list_price_and_an_interruptible_one_that_change_places_are_refused() -> None:
    def both(list_price: str, spot: str, day: int) -> pl.DataFrame:
        parts = ((list_price, "on_demand"), (spot, "spot"))
        rows = [body({("x", "h"): {"GPU_H": p}}, day, tenor=tenor) for p, tenor in parts]
        return pl.concat(rows)

    state = look(None, both("2", "1.2", 0)).state
    made = look(state, both("1.2", "2", 1), 1)
    assert made.rejections["reason"].to_list() == ["SWAPPED_METERS"] * 2


def test_prices_that_meet_without_changing_places_stand() -> None:
    made = after({("x", "m"): token("0.4", "1")}, {("x", "m"): token("1", "1")})
    assert made.rejections.is_empty()


def test_listings_of_two_tenors_that_exchange_their_prices_are_refused() -> None:
    # runpod lists one machine twice: secure 2.69 and community 2.39, and then the reverse
    def both(secure: str, community: str, day: int) -> pl.DataFrame:
        parts = (("h|secure", secure, "on_demand"), ("h|community", community, "community"))
        return pl.concat(
            [body({("runpod", k): {"GPU_H": p}}, day, tenor=tenor) for k, p, tenor in parts]
        )

    state = look(None, both("2.69", "2.39", 0)).state
    made = look(state, both("2.39", "2.69", 1), 1)
    assert codes(made) == {"h|secure": "SWAPPED_MODELS", "h|community": "SWAPPED_MODELS"}
