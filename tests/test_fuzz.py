"""Mutated bodies of every source: refused with a typed error, or accepted and fit to be.

The ordinary suite draws 20,000; ``make campaign-fuzz`` draws a million.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from random import Random
from typing import Any

import polars as pl
import pytest

from collectors import panel
from collectors.base import Capture
from tests.fuzzing import campaign, corpus, validator
from tests.fuzzing.mutate import LIMIT, MUTATIONS, Kind, kind_of, mutated, mutations_of

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


BODY_OF: dict[Kind, str] = {
    "json": "gpurentalprices",
    "html": "deepseek_page",
    "markdown": "openai_page",
    "csv": "oneapi_cny",
}
"""A source with a body of each kind that can be read by eye."""


@pytest.mark.parametrize("kind", BODY_OF)
def test_a_body_is_known_by_its_looks(kind: Kind) -> None:
    assert kind_of(corpus.bodies_of(BODY_OF[kind])[0]) == kind


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for kind in BODY_OF for name in mutations_of(kind)]
)
def test_each_mutation_changes_a_body(name: str, kind: Kind) -> None:
    body = corpus.bodies_of(BODY_OF[kind])[0]
    found = {MUTATIONS[name](body, Random(seed)) for seed in range(40)}
    assert len(found - {body}) >= 2


@pytest.mark.parametrize("kind", [*BODY_OF, "packed"])
def test_a_mutation_of_nothing_is_still_a_body(kind: Kind) -> None:
    for name in mutations_of(kind):
        for body in (b"", b"a", b"[", b"|", b","):
            assert isinstance(MUTATIONS[name](body, Random(1)), bytes)


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
    "region": None, "status": "offered", "gpu_count": 8, "window_start_min": None,
    "window_end_min": None, "effective_from": None, "effective_to": None,
    "is_official_date": False, "observed_at": AT, "capture_sha256": "a" * 64,
}  # fmt: skip
ASK: dict[str, Any] = {
    "provider": "vast", "market": "H100", "listing_id": "1", "machine_id": None, "host_id": "7",
    "gpus": 8, "price_text": "2.5", "quoted_unit": "per_gpu_hour", "currency": "USD",
    "tenor": "spot", "region": None, "observed_at": AT, "tier": "E3", "capture_sha256": "a" * 64,
}  # fmt: skip


def test_a_good_quote_has_no_fault() -> None:
    assert validator.quote_faults(QUOTE, AT, ["USD"]) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        pytest.param({"provider": " "}, "provider is no name", id="a seller without a name"),
        pytest.param({"listing_id": "a\x00b"}, "listing is no name", id="a zero byte"),
        pytest.param({"listing_id": "\ud800"}, "listing is no name", id="half a character"),
        pytest.param({"listing_id": "h\u200b100"}, "listing is no name", id="no width"),
        pytest.param({"listing_id": "\u202e001h"}, "listing is no name", id="turned round"),
        pytest.param({"listing_id": "h\n100"}, "listing is no name", id="a line break"),
        pytest.param({"listing_id": "h" * 1001}, "listing is no name", id="an endless name"),
        pytest.param({"region": ""}, "region is no name", id="a region without a name"),
        pytest.param({"meter": "IN"}, "a GPU's unit for tokens, or the reverse", id="GPU as token"),
        pytest.param(
            {"quoted_unit": "per_mtok"},
            "a GPU's unit for tokens, or the reverse",
            id="token as GPU",
        ),
        pytest.param(
            {"effective_to": datetime(9999, 12, 31)}, "a moment no price is of", id="year 9999"
        ),
        pytest.param(
            {"observed_at": datetime(1970, 1, 1)}, "a moment no price is of", id="year 1970"
        ),
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
    assert fault in validator.quote_faults({**QUOTE, **changed}, AT, ["USD"])


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        pytest.param({"market": ""}, "market is no name", id="a market without a name"),
        pytest.param({"host_id": "\x00"}, "host_id is no name", id="a host that is a zero byte"),
        pytest.param({"machine_id": " "}, "machine_id is no name", id="a blank machine"),
        pytest.param({"gpus": 0}, "gpus", id="no GPU"),
        pytest.param({"price_text": "-1"}, "price is no figure", id="below zero"),
        pytest.param({"price_text": "0"}, "price is not above zero", id="for nothing"),
        pytest.param({"quoted_unit": "per_mtok"}, "not a GPU's unit", id="per token"),
        pytest.param({"currency": "EUR"}, "currency", id="in euro"),
        pytest.param({"tenor": "reserved"}, "tenor", id="for a term"),
        pytest.param(
            {"observed_at": datetime(2027, 1, 1)}, "seen after it was fetched", id="tomorrow"
        ),
    ],
)
def test_a_planted_fault_of_an_ask_is_named(changed: dict[str, Any], fault: str) -> None:
    assert validator.ask_faults(ASK, AT) == []
    assert validator.ask_faults({**ASK, **changed}, AT) == [fault]


def test_two_prices_of_one_offer_are_seen_and_a_spot_price_beside_it_is_legal() -> None:
    spot = {**QUOTE, "tenor": "spot", "price_text": "9"}
    same = {**QUOTE, "price_text": "2.50"}
    assert validator.torn([QUOTE, spot, same]) == []
    assert len(validator.torn([QUOTE, {**QUOTE, "price_text": "2.6"}])) == 1


def test_faults_of_volumes_and_rates_are_named() -> None:
    volume = {"capture_sha256": "a" * 64, "subject": "a", "quantity": 10**8 + 1,
              "meter": "token_share_e8", "as_of": AT,
              "period_start": date(2026, 1, 2), "period_end": date(2026, 1, 2)}  # fmt: skip
    assert validator.volume_faults(volume, AT) == [
        "share above the whole",
        "period ends before it begins",
    ]
    rate = {
        "rate_text": "-1",
        "base": "EUR",
        "quote": "EUR",
        "ref_date": date(2027, 1, 1),
        "capture_sha256": "a" * 64,
    }
    assert validator.rate_faults(rate, AT) == [
        "rate is no figure",
        "rate is not above zero",
        "a currency in itself",
        "a rate of tomorrow",
    ]
    refusal = {
        "reason": "because", "detail": " ", "stage": "parse", "provider": "",
        "listing_id": "\x1b[2J",
    }  # fmt: skip
    assert validator.rejection_faults(refusal) == [
        "reason",
        "refused without a word",
        "refused in characters that nobody sees",
    ]


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


@pytest.mark.parametrize(
    ("body", "price", "stands"),
    [
        pytest.param('{"p": 0.80, "m": 0.1}', "0.80 * 0.1", True, id="both figures"),
        pytest.param('{"p": 0.80}', "0.8000001", False, id="a figure that is nowhere"),
        pytest.param('{"p": 10.80}', "0.80", False, id="the end of another figure"),
        pytest.param('{"p": 0.801}', "0.80", False, id="the start of another figure"),
        pytest.param('{"p": 8e-7}', "8", False, id="a figure without its exponent"),
        pytest.param('{"p": -0.80}', "0.80", False, id="a figure without its minus"),
        pytest.param("a,b\n0.80,2026-07-17\n", "0.80", True, id="a field of a table"),
        pytest.param("<td>$<b>0</b>.80</td>", "0.80", True, id="a figure in tags"),
        pytest.param("| $0\\.80 |", "0.80", True, id="an escaped figure of Markdown"),
        pytest.param("<td>0.\u200b80</td>", "0.80", True, id="a figure broken without width"),
        pytest.param("costs $5. Next", "5", True, id="the end of a sentence"),
    ],
)
def test_a_figure_stands_in_a_body_whole_or_was_made_up(
    body: str, price: str, stands: bool
) -> None:
    assert validator.stands_in(body.encode(), price) is stands


@pytest.mark.parametrize(
    ("body", "count"),
    [
        pytest.param(b'{"a": {"b": [{"c": [{}, {}]}]}}', 1, id="the outermost list"),
        pytest.param(b'[{"a": 1}, {"a": 2}]', 2, id="a bare list"),
        pytest.param(b'[[{"a": 1}, {"a": 2}]]', 0, id="a list in a list"),
        pytest.param(b"a,b\n1,2\n3,4\n\n", 2, id="lines of a table"),
        pytest.param(b"about\n", 0, id="a text"),
    ],
)
def test_what_a_body_lists_is_counted(body: bytes, count: int) -> None:
    assert validator.entries(body) == count


def test_a_table_with_a_line_of_another_length_is_seen() -> None:
    assert not validator.is_ragged(b'a,b\n1,"2,3"\n')
    assert validator.is_ragged(b"a,b\n1,2\n3\n")


def test_what_a_discount_leaves_is_reckoned_again() -> None:
    body = b'{"discount": 0.35, "rate_per_input_token_cached": 0.2}'
    assert validator.is_what_is_left(body, "0.65")
    assert validator.is_what_is_left(body, "0.130")
    assert not validator.is_what_is_left(body, "0.35")


SILENT = {
    "a price made up": lambda rows: rows[0].update(price_text="7.77"),
    "a row dropped": lambda rows: rows.pop(),
    "everything dropped": lambda rows: rows.clear(),
    "a price of another body": lambda rows: rows[0].update(capture_sha256="b" * 64),
    "another seller's source": lambda rows: rows[0].update(source="vast"),
    "two prices of one offer": lambda rows: rows.append({**rows[0], "price_text": "2.69"}),
    "another currency": lambda rows: rows[0].update(currency="EUR"),
}


@pytest.mark.parametrize("plant", SILENT.values(), ids=SILENT.keys())
def test_a_planted_silent_acceptance_is_found(plant: Callable[[list[dict[str, Any]]], Any]) -> None:
    body, parse = campaign.parseable("gpurentalprices")[0]
    capture = Capture("gpurentalprices", "plant", body, campaign.FETCHED_AT)
    found = parse(capture)
    assert campaign.judged(capture, found, "json") == []
    rows = found.quotes.to_dicts()
    plant(rows)
    planted = replace(found, quotes=pl.DataFrame(rows, schema=found.quotes.schema))
    assert campaign.judged(capture, planted, "json")


def test_a_campaign_that_injected_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["campaign", "--bodies", "0"])
    assert campaign.main() == 1


def test_a_discount_beyond_all_bounds_is_none() -> None:
    body = b'{"discount": 1e2147483648, "rate_per_input_token_cached": 1e999999}'
    assert not validator.is_what_is_left(body, "0.5")
    assert validator.is_what_is_left(b'{"discount": 0.5}', "0.5")
    endless = b'{"discount": 0.5, "rate_per_input_token_cached": 1e2147483648}'
    cached = b'{"rate_per_input_token_cached": 0.2}'
    assert validator.is_what_is_left(endless + cached, "0.10")
