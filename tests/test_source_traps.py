"""Traps seen in real bodies that no source's own test meets: at the source, on real figures.

``test_trap_map`` says which test of a source or a guard meets each trap.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl

from collectors.base import Capture, Parsed
from collectors.tokens import lobehub_cny, openrouter_models
from methodology import units
from tests.guard_rounds import Prices, after, body, codes, look

SEEN = datetime(2026, 8, 22, 12, 8, tzinfo=UTC)


def router(pricing: dict[str, Any], **beside: Any) -> Parsed:
    told = {"data": [{"id": "google/gemini-3.7-flash", "pricing": pricing}], **beside}
    capture = Capture("openrouter_models", "list", json.dumps(told).encode(), SEEN)
    return openrouter_models.parse(capture)


# OpenRouter's list of 2026-08-22, google/gemini-3.7-flash.
GEMINI = {
    "prompt": "0.000000375",
    "completion": "0.000001875",
    "input_cache_read": "0.0000000375",
    "input_cache_write": "0.0000000208333333333333",
}


def test_a_new_head_of_the_list_changes_no_row() -> None:
    # Until 2026-07-13 the list was "data" alone; then "total_count" and "links" stood beside it.
    before = router(GEMINI)
    now = router(GEMINI, total_count=1, links={"next": None})
    assert before.quotes.select("meter", "price_text").rows() == [
        ("IN", "0.000000375"),
        ("OUT", "0.000001875"),
        ("CIN", "0.0000000375"),
    ]
    for frame in ("quotes", "rejections"):
        same = getattr(now, frame).drop("capture_sha256")
        assert same.equals(getattr(before, frame).drop("capture_sha256"))


def test_the_storage_of_five_minutes_that_does_not_end_is_no_meter_of_ours() -> None:
    refused = router(GEMINI).rejections.select("reason", "detail").rows()
    assert refused == [("NOT_A_MEASURED_METER", "input_cache_write is '0.0000000208333333333333'")]


def test_a_decimal_that_does_not_end_is_kept_verbatim_and_rounded_once() -> None:
    found = router(GEMINI | {"prompt": "0.0000000833333333333333"})
    row = found.quotes.filter(meter="IN").row(0, named=True)
    assert row["price_text"] == "0.0000000833333333333333"
    # 0.0833333333333333 a million tokens, to the ninth place.
    assert units.to_nano(row["price_text"], row["quoted_unit"]) == (83_333_333, True)


def test_an_hourly_fee_for_storage_in_a_field_per_million_tokens_is_no_price_of_tokens() -> None:
    # lobehub, 2026-02-10, volcengine deepseek-v3.2: .017 yuan per million tokens *and hour*.
    def fixed(name: str, rate: float) -> dict[str, Any]:
        return {"name": name, "rate": rate, "strategy": "fixed", "unit": "millionTokens"}

    priced = [
        fixed("textInput", 2),
        fixed("textOutput", 3),
        fixed("textInput_cacheRead", 0.4),
        fixed("textInput_cacheWrite", 0.017),
    ]
    entry = {"id": "deepseek-v3.2", "pricing": {"currency": "CNY", "units": priced}}
    bank = {"volcengine": [entry]}
    capture = Capture("lobehub_cny", "bank", json.dumps(bank).encode(), SEEN)
    found = lobehub_cny.parse(capture)
    assert sorted(found.quotes.select("meter", "price_text").rows()) == [
        ("CIN", "0.4"),
        ("IN", "2"),
        ("OUT", "3"),
    ]
    assert found.rejections["reason"].to_list() == ["NOT_A_MEASURED_METER"]


def test_a_paid_model_at_zero_for_a_day_is_refused_at_the_router() -> None:
    found = router({"prompt": "0", "completion": "0"})
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == ["FREE_OFFER", "FREE_OFFER"]


# gpurentalprices of 2026-08-21: plain H100 on demand, per GPU-hour.
H100 = {
    **{"hyperstack": "2.5", "nebius": "3.85", "voltagepark": "1.99", "crusoe": "3.9"},
    **{"ovh": "2.99", "coreweave": "6.155", "digitalocean": "4.41", "gcp": "9.796550569"},
}


def test_rows_that_enter_are_no_fault_and_no_move_of_those_that_stand() -> None:
    # The median of the first five is 2.99, of all eight 3.875; nobody has moved.
    now: Prices = {(seller, "h100|80|on-demand"): {"GPU_H": p} for seller, p in H100.items()}
    made = after(dict(list(now.items())[:5]), now)
    assert made.rejections.is_empty()
    assert made.verdict is None


def test_a_machine_at_a_fifth_for_a_day_is_refused_until_it_returns() -> None:
    # Google's a2-ultragpu-2g: 10.055404 an hour, 2.199244 on 2023-05-09, then 10.055404 again.
    def google(two: str, day: int) -> pl.DataFrame:
        hours = {"a2-ultragpu-1g": "5.027702", "a2-ultragpu-2g": two, "a2-ultragpu-4g": "20.110808"}
        prices = {("google", name): {"GPU_H": text} for name, text in hours.items()}
        return body(prices, day)

    state = look(None, google("10.055404", 0)).state
    made = look(state, google("2.199244", 1), 1)
    assert codes(made) == {"a2-ultragpu-2g": "UNIT_SWITCH"}
    assert look(made.state, google("10.055404", 2), 2).rejections.is_empty()
