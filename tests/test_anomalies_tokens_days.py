"""Traps in token prices that need more than a table: other sources, other modes, other families."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from collectors.base import Capture
from collectors.tokens import models_dev, openrouter_models
from methodology import register
from methodology.eligibility import Registers, normalise
from methodology.representative import price_table, segments, window_table
from tests import anomalies as an
from tests.anomalies import Case, held, imputed, seen, twin, was
from tests.anomalies_tokens import (
    BEFORE,
    DURING,
    GPT,
    IN,
    LAST,
    SECOND,
    bodies,
    day,
    of_bundle,
    one_day,
)
from tests.bundled_history import determined, packaged, rules

# --- a market in two parts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("two_paths", "second"),
    [
        # Of twelve, .03 and .037 are out already. A third one out would be a quarter of the weight:
        # nobody is excluded (6.3), the two come back, and the slip, seen twice, stands at the end
        # that is cut: (.05 + .055 + .15*4) / 6.
        pytest.param(
            False,
            was(
                SECOND,
                "0.117500",
                "DISPERSED",
                "CONFIRMED_SAME_PATH",
                chained="1076.6284",
                baseten=seen("1", "CONFIRMED_SAME_PATH"),
            ),
            id="a back-cast takes it on the second day, flagged",
        ),
        pytest.param(
            True,
            was(SECOND, IN, "IMPUTED", baseten=imputed("0.1", "JUMP_UNCONFIRMED")),
            id="a live run never takes it: no other path shows it",
        ),
    ],
)
def test_a_slip_of_ten_where_two_sellers_are_out_already(two_paths: bool, second: Any) -> None:
    captures = bodies(one_day("baseten", GPT, 2, input=1, output=5))
    quotes = pl.concat([models_dev.parse(c).quotes for c in captures])
    definition = twin("TKR-gpt-oss-120b-IN", BEFORE, sources=("models_dev",))
    coverage = an.bodies("models_dev", [c.observed_at for c in captures])
    first = was(DURING, IN, "HELD", baseten=held("0.1"))
    an.check(
        Case(
            lambda: an.told(definition, "IN", quotes, BEFORE, LAST, coverage, two_paths=two_paths),
            (was(BEFORE, IN, baseten=seen("0.1")), first, second),
        )
    )


def test_a_catalogues_correction_moves_a_small_panel_when_it_is_confirmed() -> None:
    # models_dev, azure deepseek-v3.2: output .42 (its developer's) until 2026-01-10 22:33:59, then
    # its own 1.68. Of .38 .42 .42 .45 1.68 the third, then of .38 .42 .45 1.68 1.68.
    found = of_bundle(
        "TKR-deepseek-v3.2-OUT",
        "models_dev",
        day("2026-01-08"),
        day("2026-01-07"),
        day("2026-01-14"),
    )
    days = [day(f"2026-01-{n}") for n in (10, 11, 12, 13)]
    assert found.values(*days) == ["0.420000", "0.420000", "0.450000", "0.450000"]
    assert [found.line(d, "microsoft") for d in days] == [
        seen("0.42"),
        held("0.42"),
        seen("1.68", "CONFIRMED_SAME_PATH"),
        seen("1.68"),
    ]


# --- off-peak to peak ---------------------------------------------------------------------------


def test_a_catalogue_that_turns_from_off_peak_to_peak_moves_no_composite() -> None:
    # litellm, deepseek-v4-pro: .435 and .87 until 2026-08-21 05:53:05, then DeepSeek's peak of
    # 1.32 and 3.96 (llmabacus: 4.5 to 9 yuan the same day), .435 again from 08-22 23:59. The
    # composite reads DeepSeek's own tariff, (3*.8525 + 2.5575) / 4 = 1.27875 around the clock.
    # What moved it on the 21st is OpenAI's gpt-5.6-sol, 11.25 to 8.00.
    (definition,) = packaged("TKX-ALL-BLD")
    days = determined([definition]).outcome.composites["TKX-ALL-BLD"].days
    told = {n: {r["model"]: r for r in days[date(2026, 8, n)].rows} for n in range(20, 25)}
    for rows in told.values():
        line = rows["deepseek-v4-pro"]
        assert (line["price_nano"], line["source"]) == (1_278_750_000, "genai_prices")
        assert (line["status"], line["reason"]) == ("OBSERVED", "")
    changed = {m for m, r in told[21].items() if r["price_nano"] != told[20][m]["price_nano"]}
    assert changed == {"gpt-5.6-sol"}
    assert [days[date(2026, 8, n)].value_units for n in range(21, 25)] == [105853] * 4


# --- shapes of OpenRouter's list ----------------------------------------------------------------

PLAIN = {"prompt": "0.000000435", "completion": "0.00000087"}
TARIFF = {
    "prompt": "0.00000066",
    "completion": "0.00000198",
    "overrides": [
        {"utc_start": a, "utc_end": b, "prompt": p, "completion": c}
        for a, b, p, c in (
            (1000, 100, "0.00000066", "0.00000198"),
            (100, 400, "0.00000132", "0.00000396"),
            (400, 600, "0.00000066", "0.00000198"),
            (600, 1000, "0.00000132", "0.00000396"),
        )
    ],
}
"""deepseek/deepseek-v4-pro on 2026-08-18: HHMM windows, one of them over midnight."""
BRACKET = PLAIN | {
    "overrides": [{"min_prompt_tokens": 272000, "prompt": "0.000002", "completion": "0.000009"}]
}
"""The shape that openai/gpt-5.6-luna-pro has since 2026-07-14, on the same figures."""


def test_new_shapes_of_openrouters_list_change_no_price_and_windows_become_their_mean() -> None:
    told = {
        date(2026, 8, 13): {"data": [{"id": "deepseek/deepseek-v4-pro", "pricing": PLAIN}]},
        date(2026, 8, 14): {
            "data": [{"id": "deepseek/deepseek-v4-pro", "pricing": BRACKET}],
            "links": {"next": None},
            "total_count": 1,
        },
        date(2026, 8, 15): {
            "data": [{"id": "deepseek/deepseek-v4-pro", "pricing": TARIFF}],
            "links": {"next": None},
            "total_count": 1,
        },
    }
    captures = [
        Capture(
            "openrouter_models",
            "x",
            json.dumps(body).encode(),
            datetime(d.year, d.month, d.day, 0, 18, tzinfo=UTC),
        )
        for d, body in told.items()
    ]
    quotes = pl.concat([openrouter_models.parse(c).quotes for c in captures])
    # A router's headline is nobody's list price: no reviewed line maps its seller, no index admits
    # it. A line of this test alone lets the prices through to the table.
    assert set(an.normalised(quotes)[1]["reason"]) == {"UNMAPPED_PROVIDER"}
    assert not [d for d in packaged() if "openrouter_models" in d.sources]
    router = ("openrouter_models", "openrouter", "openrouter", "openrouter", "router", None)
    providers = register.provider_map().clear()
    providers = pl.DataFrame([router], schema=providers.schema, orient="row")
    licences = pl.DataFrame({"source": ["openrouter_models"], "licence_id": ["facts"]})
    lines = Registers(providers, register.listing_map(), licences)
    observations, refused = normalise(quotes, lines, rules().bounds)
    assert refused.is_empty()
    coverage = an.bodies("openrouter_models", [c.observed_at for c in captures])
    windows = window_table("NYC", list(told))
    table = price_table(segments(observations, coverage, rules()), windows, rules())
    prices = {m: table.select(pl.lit(True), m).sort("day")["price_nano"] for m in ("IN", "OUT")}
    # (.66 * 17 + 1.32 * 7) / 24 = .8525, as DeepSeek's own page gives it
    assert prices["IN"].to_list() == [435_000_000, 435_000_000, 852_500_000]
    assert prices["OUT"].to_list() == [870_000_000, 870_000_000, 2_557_500_000]


# --- dated ahead --------------------------------------------------------------------------------


def test_a_price_dated_2027_01_01_is_held_until_then() -> None:
    # genai-prices 0.2.3 (2026-11-19), google gemini-3.6-flash: .75 and 3.75 until 2026-12-31,
    # 1.5 and 7.5 from 2027-01-01. That list's own panel of gpt-oss-120b: .039 .05 .1 .15 (x4) .35
    # .35, the fifth of nine; here the four at .15 date the same doubling ahead.
    new_year = datetime(2027, 1, 1)
    sellers = ["aws", "fireworks", "groq", "together"]
    found = an.quotes_of("genai_prices", "gpt-oss-120b").filter(
        pl.col("effective_to").is_null() & pl.col("meter").is_in(["IN", "OUT"])
    )
    step = pl.col("provider").is_in(sellers) & (pl.col("price_text") == "0.15")
    ends = pl.when(step).then(pl.lit(new_year)).otherwise("effective_to").alias("effective_to")
    later = found.filter(step).with_columns(
        pl.lit("0.3").alias("price_text"),
        pl.lit(new_year).alias("effective_from"),
        pl.lit(True).alias("is_official_date"),
    )
    assert later.height == 4
    told = an.told(
        twin("TKR-gpt-oss-120b-IN", day("2026-12-20"), sources=("genai_prices",)),
        "IN",
        pl.concat([found.with_columns(ends), later]),
        day("2026-12-20"),
        day("2027-01-03"),
        an.spans(("genai_prices", "schedule", "2025-06-22 00:00", "2027-02-01 00:00")),
    )
    # NYC of 01-01 opens on 12-31 21:00Z: the partitions that end 00:00 .. 21:00, 22 of 24.
    days = [day(d) for d in ("2026-12-20", "2026-12-31", "2027-01-01", "2027-01-02")]
    assert told.values(*days) == ["0.150000", "0.150000", "0.300000", "0.300000"]
    assert told.line(days[1], "groq") == seen("0.15")
    assert told.line(days[2], "groq") == seen("0.3", "CONFIRMED_SAME_PATH")
