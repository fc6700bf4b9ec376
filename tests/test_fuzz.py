"""Mutated bodies of every source: refused with a typed error, or accepted and fit to be.

The ordinary suite draws 20,000; ``make campaign-fuzz`` draws a million.
"""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from random import Random
from typing import Any

import pytest

from collectors import panel
from tests.fuzzing import campaign, corpus, validator
from tests.fuzzing.mutate import LIMIT, MUTATIONS, mutated

BODIES = 20_000
SHARES = campaign.shares(BODIES, panel.SOURCES)


@pytest.mark.parametrize("source_id", sorted(panel.SOURCES))
def test_no_mutated_body_crashes_or_is_silently_accepted(source_id: str) -> None:
    tally = campaign.Tally()
    for name, count, seed in SHARES:
        if name == source_id:
            tally.add(campaign.chunk(source_id, count, seed))
    assert tally.crashes == []
    assert tally.silent == []
    # The mutations bit, and not everything was refused at the door.
    assert tally.accepted
    assert sum(tally.refused.values()) or tally.rows["rejections"]


def test_the_suite_draws_what_it_says() -> None:
    assert sum(count for _, count, _ in SHARES) == BODIES
    assert {name for name, *_ in SHARES} == set(panel.SOURCES)


def test_the_same_seed_draws_the_same_bodies() -> None:
    body = corpus.bodies_of("gpurentalprices")[0]
    twice = [[mutated(body, Random(seed)) for seed in range(50)] for _ in range(2)]
    assert twice[0] == twice[1]


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_each_mutation_changes_a_body(name: str) -> None:
    body = corpus.bodies_of("gpurentalprices")[0]
    found = {MUTATIONS[name](body, Random(seed)) for seed in range(40)}
    assert len(found - {body}) >= 2


def test_no_body_is_longer_than_the_limit() -> None:
    body = b'{"a": 1}' * 2000
    assert max(len(mutated(body, Random(seed))[1]) for seed in range(300)) <= LIMIT


def test_a_body_is_cut_so_that_its_figures_stay_verbatim() -> None:
    rows = b", ".join(b'{"name": "a", "price": 0.0000020000}' for _ in range(2000))
    small = corpus.cut(b'{"data": [' + rows + b"]}")
    assert small is not None
    assert len(small) <= LIMIT
    assert b"0.0000020000" in small


def test_a_packed_body_that_is_too_long_is_not_cut() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", bytes(range(256)) * 64)
    assert corpus.cut(file.getvalue()) is None


# --- the judge -----------------------------------------------------------------------------------

AT = datetime(2026, 11, 20, 12)
QUOTE: dict[str, Any] = {
    "provider": "acme", "listing_id": "h100", "meter": "GPU_H", "price_text": "2.5",
    "quoted_unit": "per_gpu_hour", "currency": "USD", "tenor": "on_demand", "tier": "E3",
    "status": "offered", "gpu_count": 8, "window_start_min": None, "window_end_min": None,
    "effective_from": None, "effective_to": None, "is_official_date": False, "observed_at": AT,
    "capture_sha256": "a" * 64,
}  # fmt: skip


def test_a_good_quote_has_no_fault() -> None:
    assert validator.quote_faults(QUOTE, AT, ["USD"]) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        pytest.param({"provider": " "}, "provider is no name", id="a seller without a name"),
        pytest.param({"listing_id": "a\x00b"}, "listing is no name", id="a zero byte"),
        pytest.param({"listing_id": "\ud800"}, "listing is no name", id="half a character"),
        pytest.param({"meter": "IN"}, "a GPU's unit for tokens, or the reverse", id="GPU as token"),
        pytest.param({"price_text": None}, "price without an offer, or the reverse", id="no price"),
        pytest.param({"price_text": "NaN"}, "price is no figure", id="NaN"),
        pytest.param({"price_text": "١"}, "price is no figure", id="other digits"),
        pytest.param({"price_text": "0.00"}, "price is not above zero", id="zero"),
        pytest.param({"price_text": "2 * 0"}, "price is not above zero", id="times zero"),
        pytest.param({"currency": "EUR"}, "currency is not one the source is pinned to", id="EUR"),
        pytest.param({"gpu_count": 0}, "gpu_count", id="no GPU"),
        pytest.param({"window_start_min": 5}, "half a window", id="half a window"),
        pytest.param(
            {"window_start_min": 5, "window_end_min": 5}, "window", id="a window of nothing"
        ),
        pytest.param(
            {"effective_from": AT, "effective_to": AT}, "validity ends before it begins",
            id="valid for no time",
        ),
        pytest.param({"is_official_date": True}, "official date without a date", id="no date"),
        pytest.param(
            {"observed_at": datetime(2027, 1, 1)}, "seen after it was fetched", id="the future"
        ),
    ],
)  # fmt: skip
def test_a_planted_fault_is_named(changed: dict[str, Any], fault: str) -> None:
    assert validator.quote_faults({**QUOTE, **changed}, AT, ["USD"]) == [fault]


def test_faults_of_volumes_and_rates_are_named() -> None:
    volume = {"subject": "a", "quantity": 10**8 + 1, "meter": "token_share_e8", "as_of": AT,
              "period_start": date(2026, 1, 2), "period_end": date(2026, 1, 2)}  # fmt: skip
    assert validator.volume_faults(volume, AT) == [
        "share above the whole",
        "period ends before it begins",
    ]
    rate = {"rate_text": "-1", "base": "EUR", "quote": "EUR", "ref_date": date(2027, 1, 1)}
    assert validator.rate_faults(rate, AT) == [
        "rate is no figure",
        "rate is not above zero",
        "a currency in itself",
        "a rate of tomorrow",
    ]
    refusal = {"reason": "because", "detail": " ", "stage": "parse"}
    assert validator.rejection_faults(refusal) == ["reason", "refused without a word"]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b'{"a": 1}', set()),
        (b'{"a": NaN}', {"constant"}),
        (b'{"a": 1, "a": 2}', {"twice"}),
        (b'{"a": 1', {"json"}),
        (b'{"a": "\xff"}', {"text"}),
    ],
)
def test_faults_of_a_json_body_are_seen(body: bytes, faults: set[str]) -> None:
    assert validator.json_faults(body) == faults


def test_a_figure_that_stands_nowhere_was_made_up() -> None:
    assert validator.stands_in(b'{"p": 0.80, "m": 0.1}', "0.80 * 0.1")
    assert not validator.stands_in(b'{"p": 0.80}', "0.8000001")
