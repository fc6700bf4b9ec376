"""The bundled history: real anomalies that stay out, and what every determination on it keeps.

The anomalies were found in the tables of the bundle and are cited with their figures. Ten token
models stand for all of them here; the campaign runs every index.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from index import prints
from index.draft_rates import Draft
from methodology import register
from tests.bundled_history import Determined, determined, nano, packaged, price_history, taken

MODELS = (
    "deepseek-r1-0528",
    "deepseek-v3.2",
    "deepseek-v4-pro",
    "glm-4.6",
    "glm-5",
    "gpt-oss-120b",
    "gpt-oss-20b",
    "kimi-k2-0711",
    "kimi-k2.5",
    "llama-3.3-70b-instruct",
)
SETTLEMENT = ("GPR-H100-SXM-80-OD-NEO-GLB-SETTLEMENT", "TKR-gpt-oss-120b-BLD-SETTLEMENT")
H100_HYP, A100_HYP = "GPR-H100-SXM-80-OD-HYP-US", "GPR-A100-SXM-80-OD-HYP-US"
H100_ANY = "GPR-H100-ANY-OD-NEO-GLB"
GPT_OSS = "TKR-gpt-oss-120b-BLD"

SILENT = [date(2026, 7, 2) + timedelta(days=n) for n in range(41)]
"""2026-07-02 to 08-11: between the end of models.dev's history and one more body of 08-12."""


@pytest.fixture(scope="module")
def made() -> Determined:
    """Every GPU rate, every composite, and the rates of the chosen models."""
    wanted = [
        d for d in packaged() if d.family != "TKR" or getattr(d, "instrument", None) in MODELS
    ]
    return determined(wanted)


@pytest.fixture(scope="module")
def drafts(made: Determined) -> dict[str, Draft]:
    """What the last covered day of each of them publishes."""
    return made.drafts()


@pytest.fixture(scope="module")
def back_cast(made: Determined) -> pl.DataFrame:
    """Every index and day as published in the back-cast."""
    return back_cast_of(made)


def back_cast_of(made: Determined) -> pl.DataFrame:
    body = prints.back_cast(made.outcome, made.definitions, made.until)
    rows = [json.loads(line) for line in body.splitlines()]
    columns = ("index_id", "ref_date", "waterfall", "value", "level", "is_covered")
    return pl.DataFrame(
        [[row[c] for c in columns] for row in rows], schema=list(columns), orient="row"
    ).with_columns(pl.col("ref_date").str.to_date())


def listing(provider: str, listing_id: str, meter: str, source: str = "models_dev") -> pl.Expr:
    """Return the condition that names one offer's meter."""
    return (
        (pl.col("source") == source)
        & (pl.col("provider") == provider)
        & (pl.col("listing_id") == listing_id)
        & (pl.col("meter") == meter)
    )


# --- anomalies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "provider", "listing_id", "meter", "detail", "held"),
    [
        pytest.param(
            "models_dev",
            "cloudflare-ai-gateway",
            "workers-ai/llama-3.1-8b-instruct",
            "IN",
            "280000.0 per_mtok is outside 1/10000 to 1000",
            [(datetime(2025, 12, 6, 19, 2, 51), datetime(2025, 12, 7, 22, 56, 46), "0.28")],
            id="a price per million, once more times a million: 280,000 after 0.28",
        ),
        pytest.param(
            "models_dev",
            "openrouter",
            "openai/gpt-5.4-mini",
            "IN",
            "7.5e-07 per_mtok is outside 1/10000 to 1000",
            [
                (datetime(2026, 4, 22, 3, 40, 51), datetime(2026, 7, 2), "0.75"),
                (datetime(2026, 8, 12), datetime(2026, 8, 13), "0.75"),
            ],
            id="a price per token in a field per million, corrected a month later",
        ),
        pytest.param(
            "litellm",
            "wandb",
            "wandb/openai/gpt-oss-120b",
            "IN",
            "0.015 per_token is outside 1/10000 to 1000",
            [(datetime(2026, 9, 29, 23, 59), datetime(2026, 11, 20), "0.03")],
            id="cents per million in a field per token: 15,000 a million for ten months",
        ),
    ],
)
def test_a_slip_of_units_is_refused_and_only_credible_prices_ever_stand(
    source: str,
    provider: str,
    listing_id: str,
    meter: str,
    detail: str,
    held: list[tuple[datetime, datetime, str]],
) -> None:
    refused = taken().rejections.filter(
        (pl.col("source") == source)
        & (pl.col("provider") == provider)
        & (pl.col("listing_id") == listing_id)
        & (pl.col("detail") == detail)
    )
    assert refused["reason"].to_list() == ["OUT_OF_BOUNDS"]
    told = price_history().filter(listing(provider, listing_id, meter, source)).sort("from")
    assert told.select("from", "until", "price_nano").rows() == [
        (begin, end, nano(price)) for begin, end, price in held
    ]


def test_a_plan_at_zero_ends_the_price_before_it_and_no_price_is_ever_zero() -> None:
    # zai-coding-plan listed GLM-4.7 at 0.60 and 2.20 for a while; a plan's tokens cost nothing.
    told = taken().inputs.observations.filter(listing("zai-coding-plan", "glm-4.7", "IN"))
    rows = told.sort("observed_at").select("observed_at", "price_nano", "status", "provider_class")
    first, second = rows.rows()[:2]
    assert first == (datetime(2025, 12, 22, 16, 7, 41), nano("0.6"), "offered", "subscription")
    assert second[1:] == (None, "unknown", "subscription")
    held = price_history().filter(listing("zai-coding-plan", "glm-4.7", "IN"))
    assert held.select("from", "until").rows() == [(first[0], second[0])]
    assert taken().inputs.observations.filter(pl.col("price_nano") <= 0).is_empty()


def test_one_machine_at_a_fifth_for_a_day_never_speaks_for_google(made: Determined) -> None:
    # a2-ultragpu-2g stood at 2.199244 for its two GPUs on 2023-05-09, before and after at
    # 10.055404 (5.027702 a GPU); the 8-GPU machine is the offer that counts.
    rows = made.refused(A100_HYP, date(2023, 5, 9)).filter(pl.col("group") == "google")
    assert dict(zip(rows["listing_id"], rows["quoted_nano"], strict=True)) == {
        "a2-ultragpu-1g": nano("5.027702"),
        "a2-ultragpu-2g": nano("1.099622"),
        "a2-ultragpu-4g": nano("5.027702"),
        "a2-ultragpu-8g": nano("5.027702"),
    }
    assert rows.filter(pl.col("reason") == "OTHER_OFFER_OF_GROUP")["listing_id"].to_list() == [
        "a2-ultragpu-1g",
        "a2-ultragpu-2g",
        "a2-ultragpu-4g",
    ]


@pytest.mark.parametrize(
    ("day", "status", "is_new"),
    [
        pytest.param(date(2025, 6, 22), "OBSERVED", False, id="06-22 the old price"),
        pytest.param(date(2025, 6, 23), "HELD", False, id="06-23 held: seen once, at 00:00"),
        pytest.param(date(2025, 6, 24), "OBSERVED", True, id="06-24 confirmed at midnight"),
    ],
)
@pytest.mark.parametrize(
    ("index_id", "old", "new", "others", "values"),
    [
        pytest.param(
            H100_HYP,
            Fraction("98.32") / 8,
            Fraction("55.04") / 8,
            {"google": "11.061249988", "microsoft": "11.061"},
            # the middle of 11.061, 11.06125, 12.29, then of 6.88, 11.061, 11.06125
            (110612, 110610),
            id="p5.48xlarge from 98.32 to 55.04",
        ),
        pytest.param(
            A100_HYP,
            Fraction("40.96575") / 8,
            Fraction("27.44705") / 8,
            {"google": "5.06879789", "microsoft": "4.09625"},
            # the middle of 4.09625, 5.0688, 5.1207, then of 3.4309, 4.09625, 5.0688
            (50688, 40963),
            id="p4de.24xlarge from 40.96575 to 27.44705",
        ),
    ],
)
def test_amazons_cut_is_held_one_day_then_moves_the_hyperscalers(
    made: Determined,
    index_id: str,
    old: Fraction,
    new: Fraction,
    others: dict[str, str],
    values: tuple[int, int],
    day: date,
    status: str,
    is_new: bool,
) -> None:
    # The history dates the change 2025-06-23, 00:00Z: 21 of the 24 partitions of NYC 06-23.
    # 98.32/55.04 = 1.79 and 40.96575/27.44705 = 1.49 are jumps; a history counts as seen at each
    # midnight, so the second sighting is 06-24 00:00Z, after the cut-off of 06-23.
    assert old / new > Fraction(5, 4)
    told = made.contributions(index_id, day)
    assert told["amazon"]["status"] == status
    assert told["amazon"]["price_nano"] == (new if is_new else old) * 10**9
    for group, price in others.items():
        assert told[group]["price_nano"] == nano(price)
    assert made.fixing(index_id, day)["value_units"] == values[is_new]


def test_a_price_thirteen_times_the_market_is_excluded_and_does_not_weigh(made: Determined) -> None:
    # LiteLLM has SambaNova at 3.00 in and 4.50 out, blend 3.375; the others' median is 0.2625.
    day = date(2026, 3, 1)
    told = made.contributions(GPT_OSS, day)
    line = told["sambanova"]
    # It is new in this month's panel and has no sound price to be imputed from: it is left out.
    assert (line["status"], line["reason"]) == ("DROPPED", "GROSS_ERROR")
    assert (line["quoted_nano"], line["weight_e8"], line["kept"]) == (nano("3.375"), 0, 0)
    # Thirteen members stand, 3.25 cut from each end:
    # 0.075 0.0975 0.13 | 0.15 (three quarters) 0.2 0.2625 (4.75 of six) | 0.36 0.45
    rate = (
        Fraction("0.15") * Fraction(3, 4) + Fraction("0.2") + Fraction("0.2625") * Fraction(19, 4)
    ) / Fraction(13, 2)
    assert round(rate, 6) == Fraction("0.239904")
    fixing = made.fixing(GPT_OSS, day)
    assert (fixing["value_units"], fixing["groups"], fixing["panel"]) == (239904, 13, 14)


def test_a_seller_gone_for_thirty_days_is_dropped_and_the_day_says_so(made: Determined) -> None:
    # RunPod's plain H100 last counted on 2026-07-18: thirty days of imputation end on 08-17.
    last, first = date(2026, 8, 17), date(2026, 8, 18)
    line = made.contributions(H100_ANY, last)["runpod"]
    assert (line["status"], line["reason"]) == ("IMPUTED", "NO_PRICE")
    line = made.contributions(H100_ANY, first)["runpod"]
    assert (line["status"], line["reason"]) == ("DROPPED", "IMPUTED_TOO_LONG")
    assert [made.fixing(H100_ANY, d)["has_panel_break"] for d in (last, first)] == [False, True]
    # 2.5 2.73 [2.99 3.9] 3.99 6.155, then 2.5 2.73 [3.9] 3.99 6.155
    assert [made.fixing(H100_ANY, d)["value_units"] for d in (last, first)] == [34450, 39000]


# --- what every determination keeps -------------------------------------------------------------


def test_many_indices_have_a_fixing_and_most_have_a_value(drafts: dict[str, Draft]) -> None:
    assert len(drafts) >= 25
    assert sum(d.fields["value"] is not None for d in drafts.values()) >= 15


@pytest.mark.parametrize("index_id", SETTLEMENT)
def test_a_settlement_twin_has_no_evidence_and_says_so(
    drafts: dict[str, Draft], made: Determined, index_id: str
) -> None:
    fields = drafts[index_id].fields
    assert (fields["waterfall"], fields["value"]) == ("NO_FIX", None)
    assert fields["no_fix_reason"] == "no admissible evidence"
    last = made.until[index_id]
    assert last is not None
    assert "EVIDENCE_E4_NOT_ADMISSIBLE" in made.refused(index_id, last)["reason"].to_list()
    assert made.contributions(index_id, last) == {}


def check_reference(drafts: dict[str, Draft]) -> None:
    """Reference prints are never FULL, never above grade C, and have a grade D without a value."""
    for index_id, draft in drafts.items():
        if draft.selection.definition.admission == "settlement":
            continue
        assert draft.fields["waterfall"] in ("REDUCED", "CARRIED_INPUT", "CARRY", "NO_FIX")
        assert draft.fields["grade"] in ("C", "D"), index_id
        if draft.fields["value"] is None:
            assert (draft.fields["waterfall"], draft.fields["grade"]) == ("NO_FIX", "D"), index_id


def test_reference_prints_never_reach_full_nor_a_grade_above_c(drafts: dict[str, Draft]) -> None:
    assert any(d.fields["grade"] == "C" for d in drafts.values())
    check_reference(drafts)


def check_unbroken(rows: pl.DataFrame) -> None:
    """Each index has one row for every day between its first and its last; QAX for every month."""
    months = rows.filter(pl.col("index_id").str.starts_with("QAX-"))["ref_date"]
    assert (
        months.to_list()
        == pl.date_range(months.min(), months.max(), "1mo", eager=True).dt.month_end().to_list()
    )
    spans = (
        rows.filter(~pl.col("index_id").str.starts_with("QAX-"))
        .group_by("index_id")
        .agg(
            pl.len().alias("rows"),
            pl.col("ref_date").n_unique().alias("days"),
            ((pl.col("ref_date").max() - pl.col("ref_date").min()).dt.total_days() + 1).alias(
                "span"
            ),
        )
    )
    assert spans.filter(
        (pl.col("rows") != pl.col("span")) | (pl.col("days") != pl.col("span"))
    ).is_empty()


def check_values(rows: pl.DataFrame) -> None:
    """A day outside coverage is NO_FIX; NO_FIX and only NO_FIX is without value and level."""
    assert rows.filter(~pl.col("is_covered"))["waterfall"].unique().to_list() == ["NO_FIX"]
    is_empty = pl.col("value").is_null() & pl.col("level").is_null()
    assert rows.filter((pl.col("waterfall") == "NO_FIX") != is_empty).is_empty()


def check_gap(rows: pl.DataFrame) -> int:
    """Over the silent days no token rate has a value; returns how many rates have been silent."""
    is_token = pl.col("index_id").str.starts_with("TKR-")
    gap = rows.filter(is_token & pl.col("ref_date").is_in(SILENT))
    assert gap["waterfall"].unique().to_list() == ["NO_FIX"]
    assert gap["value"].null_count() == gap["level"].null_count() == gap.height
    per_index = gap.group_by("index_id").len()["len"].unique().to_list()
    assert per_index == [len(SILENT)]
    return gap["index_id"].n_unique()


def test_every_day_between_first_and_last_has_a_row(back_cast: pl.DataFrame) -> None:
    check_unbroken(back_cast)


def test_a_day_without_a_value_is_no_fix_and_null(back_cast: pl.DataFrame) -> None:
    check_values(back_cast)


def test_the_gap_of_the_token_history_is_never_carried_over(back_cast: pl.DataFrame) -> None:
    assert (SILENT[0], SILENT[-1]) == (date(2026, 7, 2), date(2026, 8, 11))
    # IN, OUT, BLD of each; CIN and AGT of the seven that had a panel for them before the gap
    assert check_gap(back_cast) == 3 * len(MODELS) + 2 * 7
    around = back_cast.filter(
        (pl.col("index_id") == "TKR-gpt-oss-120b-IN")
        & pl.col("ref_date").is_in([date(2026, 7, 1), date(2026, 8, 12)])
    )
    assert around["waterfall"].to_list() == ["REDUCED", "REDUCED"]


def test_token_rates_do_not_reach_the_day_of_deepseeks_tariff(made: Determined) -> None:
    # so the composites are the only published values that could feel it, see the real moves
    lasts = {
        index_id: last
        for index_id, last in made.until.items()
        if index_id.startswith(("TKR-", "TEX-")) and not index_id.endswith("-BAT")
    }
    assert {index_id[:4] for index_id in lasts} == {"TKR-", "TEX-"}
    for index_id, last in lasts.items():
        assert last is not None, index_id
        assert last < date(2026, 8, 17), index_id


def test_glm_5_holds_no_listing_of_glm_5_turbo(made: Determined) -> None:
    (session,) = {made.definitions[i].session for i in made.definitions if "-glm-5-" in i}
    plans = made.outcome.sessions[session].plans
    rows = [p.rows for p in plans if p.index_id.startswith("TKR-glm-5-")]
    assert len(rows) == 5  # IN, OUT, BLD, CIN, AGT
    listings: set[Any] = set().union(*(set(r["listing_id"]) for r in rows))
    assert "glm-5" in listings
    assert not {name for name in listings if "turbo" in name.lower()}
    lines = register.token_listing_map().filter(pl.col("instrument_id") == "glm-5")
    assert lines.filter(pl.col("listing_id").str.to_lowercase().str.contains("turbo")).is_empty()


@pytest.mark.campaign
@pytest.mark.timeout(1200)
def test_all_indices_over_the_whole_bundle() -> None:
    made = determined(packaged())
    drafts, rows = made.drafts(), back_cast_of(made)
    assert len(drafts) == len(made.definitions)
    assert sum(d.fields["value"] is not None for d in drafts.values()) >= 100
    check_reference(drafts)
    check_unbroken(rows)
    check_values(rows)
    check_gap(rows)
