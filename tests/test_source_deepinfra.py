"""DeepInfra's list: cents, multiples, discounts. Figures of 2026-10-04, from its readers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from collectors.base import Parsed
from collectors.tokens.deepinfra import SOURCE, parse
from methodology.definition import load_methodology
from methodology.eligibility import Registers, normalise
from methodology.errors import ParseError
from methodology.segments import Coverage, segments
from tests.sellers import NOT_A_LIST, SEEN, capture, holds, nanos, payload, prices, reasons

ENDS = datetime(2026, 12, 1)
ENDS_UNIX = int(ENDS.replace(tzinfo=UTC).timestamp())
PLAIN = {"type": "tokens", "cents_per_input_token": 6e-5, "cents_per_output_token": 0.0003}


def model(pricing: object = PLAIN, **more: object) -> dict[str, object]:
    return {"model_name": "a/b", "type": "text-generation", "pricing": pricing, **more}


def read(**pricing: object) -> Parsed:
    return parse(capture(SOURCE, [model({**PLAIN, **pricing})]))


def test_the_list_is_quoted_in_cents_and_cached_input_as_a_multiple() -> None:
    found = parse(payload(SOURCE, "2026-10-04.json"))
    flash, oss = "zai-org/GLM-5.3-Flash|unknown", "openai/gpt-oss-120b|bfloat16"
    assert prices(found)[:6] == [
        ("deepinfra", flash, "IN", "0.000015 * 0.5"),
        ("deepinfra", flash, "OUT", "5e-5 * 0.5"),
        ("deepinfra", flash, "CIN", "0.000015 * 0.10"),
        ("deepinfra", oss, "IN", "3.7e-6"),
        ("deepinfra", oss, "OUT", "1.7e-5"),
        ("deepinfra", oss, "CIN", "3.7e-6 * 0.1"),
    ]
    # Dollars per million of the same days as other readers state them: GLM-5.3-Flash at half
    # price 0.075, 0.25, 0.015; gpt-oss-120b 0.037, 0.17, 0.0037; DeepSeek V4 Flash 0731 0.08,
    # 0.18, 0.016; Kimi K2.7 Code 0.68, 3.40, 0.136.
    assert nanos(found) == [
        *[("IN", 75_000_000), ("OUT", 250_000_000), ("CIN", 15_000_000)],
        *[("IN", 37_000_000), ("OUT", 170_000_000), ("CIN", 3_700_000)],
        *[("IN", 80_000_000), ("OUT", 180_000_000), ("CIN", 16_000_000)],
        *[("IN", 680_000_000), ("OUT", 3_400_000_000), ("CIN", 136_000_000)],
    ]
    assert [reason for _, reason in reasons(found)] == [
        "PRICE_VARIANT",
        "NOT_A_MEASURED_METER",
        "MODE_NOT_TEXT",
    ]
    holds(found, SOURCE)


def test_a_discount_without_an_end_is_what_a_buyer_pays() -> None:
    found = read(discount=0.35, rate_per_input_token_cached=0.2)
    # 0.6 dollars less 35 percent: 0.39; of that a fifth: 0.078; 3 dollars less 35 percent: 1.95
    assert nanos(found) == [("IN", 390_000_000), ("OUT", 1_950_000_000), ("CIN", 78_000_000)]
    assert prices(found)[2][3] == "6e-05 * 0.130"
    assert found.quotes["effective_to"].null_count() == 3


WRITTEN = {
    "Unix seconds": ENDS_UNIX,
    "an ISO time with its offset": "2026-12-01T08:00:00+08:00",
    "an ISO time in UTC": "2026-12-01T00:00:00Z",
}


@pytest.mark.parametrize("ends", WRITTEN.values(), ids=WRITTEN.keys())
def test_a_discount_with_an_end_is_followed_by_the_list_price(ends: object) -> None:
    found = read(discount=0.5, discount_ends_at=ends, rate_per_input_token_cached=0.1)
    dated = found.quotes.select("meter", "effective_from", "effective_to", "is_official_date")
    assert dated.rows() == [
        *[(meter, None, ENDS, False) for meter in ("IN", "OUT", "CIN")],
        *[(meter, ENDS, None, True) for meter in ("IN", "OUT", "CIN")],
    ]
    assert nanos(found) == [
        *[("IN", 300_000_000), ("OUT", 1_500_000_000), ("CIN", 30_000_000)],
        *[("IN", 600_000_000), ("OUT", 3_000_000_000), ("CIN", 60_000_000)],
    ]
    holds(found, SOURCE)


def test_between_two_bodies_the_list_price_takes_over_at_the_stated_moment() -> None:
    rules = load_methodology()
    terms = {**PLAIN, "discount": 0.5, "discount_ends_at": ENDS_UNIX}
    before, after = ENDS - timedelta(minutes=90), ENDS + timedelta(minutes=30)
    moments = [before, before + timedelta(hours=1), after]
    quotes = pl.concat(
        [parse(capture(SOURCE, [model(terms)], at.replace(tzinfo=UTC))).quotes for at in moments]
    )
    who = ("source", "spelling", "provider", "group", "provider_class", "domicile")
    what = ("source", "spelling", "listing_id", "instrument_id")
    registers = Registers(
        pl.DataFrame([("deepinfra",) * 4 + ("host", "US")], schema=list(who), orient="row"),
        pl.DataFrame(
            [("deepinfra", "*", "a/b|unknown", "b")], schema=list(what), orient="row"
        ).with_columns(pl.lit(None, pl.Int32).alias("gpu_count")),
        pl.DataFrame([("deepinfra", "facts")], schema=["source", "licence_id"], orient="row"),
    )
    observations, refused = normalise(quotes, registers, rules.bounds)
    assert refused.is_empty()
    span = [("deepinfra", "snapshot", before, after + timedelta(hours=26))]
    coverage = Coverage(
        pl.DataFrame(span, schema=["source", "mode", "covered_from", "covered_to"], orient="row"),
        pl.DataFrame({"source": ["deepinfra"] * 3, "captured_at": moments}),
    )
    found = segments(observations, coverage, rules).filter(pl.col("meter") == "IN")
    spans = [
        (price, datetime.fromtimestamp(start / 1e6, UTC).replace(tzinfo=None))
        for price, start in found.sort("from_us").select("price_nano", "from_us").rows()
    ]
    assert spans == [
        *[(300_000_000, moment) for moment in moments[:2]],
        (600_000_000, ENDS),
        (600_000_000, after),
    ]


def test_a_discount_that_is_over_counts_no_more() -> None:
    found = read(discount=0.5, discount_ends_at=int(SEEN.timestamp()))
    assert nanos(found) == [("IN", 600_000_000), ("OUT", 3_000_000_000)]
    assert found.quotes["effective_from"].null_count() == 2


def test_an_end_without_a_discount_says_nothing() -> None:
    found = read(discount=0, discount_ends_at="soon")
    assert nanos(found) == [("IN", 600_000_000), ("OUT", 3_000_000_000)]


UNREADABLE = {
    "a percentage": {"discount": 35},
    "a text": {"discount": "0.5"},
    "below zero": {"discount": -0.5},
    "an end in words": {"discount": 0.5, "discount_ends_at": "Friday"},
    "an end without an offset": {"discount": 0.5, "discount_ends_at": "2026-12-01T00:00:00"},
}


@pytest.mark.parametrize("terms", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_discount_that_cannot_be_read_quotes_nothing(terms: dict[str, object]) -> None:
    found = read(**terms)
    assert (prices(found), reasons(found)) == ([], [("a/b|unknown", "UNKNOWN_CONDITION")])


def test_all_of_the_price_taken_off_is_free_and_no_price() -> None:
    assert reasons(read(discount=1)) == [("a/b|unknown", "FREE_OFFER")] * 2


def test_prose_of_brackets_gives_the_first_one() -> None:
    full = "$1.2 in $6 out $0.24 cached <= 32K, $2.4 in $12 out $0.48 cached <= 128K, "
    found = read(full=full + "$3 in $15 out $0.6 cached > 128K")
    assert nanos(found) == [("IN", 1_200_000_000), ("OUT", 6_000_000_000), ("CIN", 240_000_000)]
    assert reasons(found) == [("a/b|unknown", "CONTEXT_BRACKET")] * 2


CONDITIONS = {
    "prose of something else": {"full": "half price on weekends"},
    "one bracket only": {"full": "$1.2 in $6 out <= 32K"},
    "brackets and then something else": {"full": "$1 in $6 out <= 32K, $2 in $9 out, for now"},
    "brackets in another order": {"full": "$3 in $15 out > 128K, $1.2 in $6 out <= 128K"},
    "brackets beside a discount": {"full": "$1 in $6 out <= 32K, $2 in $9 out", "discount": 0.5},
    "a table": {"table": {"columns": ["context"], "rows": [[1000]]}},
}


@pytest.mark.parametrize("terms", CONDITIONS.values(), ids=CONDITIONS.keys())
def test_a_price_under_a_condition_that_is_not_read_is_refused(terms: dict[str, object]) -> None:
    found = read(**terms)
    assert (prices(found), reasons(found)) == ([], [("a/b|unknown", "CONDITIONAL_TARIFF")])


GONE = {
    "gone for a while": ({"deprecated": 1788824437}, "ENDPOINT_DISABLED"),
    "gone, without a time": ({"deprecated": True}, "ENDPOINT_DISABLED"),
    "private": ({"private": 1}, "ENDPOINT_DISABLED"),
    "served by a successor": ({"replaced_by": "a/c"}, "MOVING_ALIAS"),
    "another kind": ({"type": "embeddings"}, "MODE_NOT_TEXT"),
    "no kind": ({"type": None}, "MODE_NOT_TEXT"),
    "without prices": ({"pricing": None}, "PRICE_MISSING"),
    "sold by the second": ({"pricing": {"type": "time"}}, "NOT_A_MEASURED_METER"),
}


@pytest.mark.parametrize(("more", "reason"), GONE.values(), ids=GONE.keys())
def test_a_model_that_is_not_sold_by_the_token_is_one_rejection(
    more: dict[str, object], reason: str
) -> None:
    found = parse(capture(SOURCE, [{**model(), **more}]))
    assert (prices(found), reasons(found)) == ([], [("a/b|unknown", reason)])


def test_an_announced_end_ends_every_quote_and_a_later_discount_with_it() -> None:
    after = {**PLAIN, "discount": 0.5, "discount_ends_at": ENDS_UNIX + 86_400}
    listed = model(after, deprecated=ENDS_UNIX, replaced_by="a/c")
    found = parse(capture(SOURCE, [listed]))
    assert found.quotes["effective_to"].to_list() == [ENDS] * 2
    assert nanos(found) == [("IN", 300_000_000), ("OUT", 1_500_000_000)]


FIGURES = {
    "a zero": ({"cents_per_input_token": 0}, "FREE_OFFER"),
    "below zero": ({"cents_per_input_token": -1}, "NEGATIVE_PRICE"),
    "a text": ({"cents_per_input_token": "0.1"}, "NOT_A_NUMBER"),
    "absurdly large": ({"cents_per_input_token": 1e300}, "NOT_A_NUMBER"),
    "null": ({"cents_per_input_token": None}, "PRICE_MISSING"),
    "a multiple of zero": ({"rate_per_input_token_cached": 0}, "FREE_OFFER"),
    "a multiple that is a text": ({"rate_per_input_token_cached": "0.1"}, "NOT_A_NUMBER"),
}


@pytest.mark.parametrize(("one", "reason"), FIGURES.values(), ids=FIGURES.keys())
def test_a_figure_that_is_no_price_is_told_and_the_others_stand(
    one: dict[str, object], reason: str
) -> None:
    found = read(discount=0.5, **one)
    assert reasons(found) == [("a/b|unknown", reason)]
    assert ("OUT", 1_500_000_000) in nanos(found)


def test_binary_noise_of_the_source_is_rounded_once() -> None:
    # 2.9999999999999997e-5 cents per token is 0.3 dollars per million but for the sixteenth digit
    assert nanos(read(cents_per_input_token=2.9999999999999997e-5))[0] == ("IN", 300_000_000)


def test_a_model_listed_twice_at_two_prices_is_no_price() -> None:
    dear = model({**PLAIN, "cents_per_input_token": 6e-4})
    found = parse(capture(SOURCE, [model(), dear]))
    assert (prices(found), set(reasons(found))) == ([], {("a/b|unknown", "AMBIGUOUS_LISTING")})


@pytest.mark.parametrize("wrong", NOT_A_LIST.values(), ids=NOT_A_LIST.keys())
def test_a_body_that_is_something_else_is_an_error(wrong: bytes) -> None:
    with pytest.raises(ParseError, match="deepinfra"):
        parse(capture(SOURCE, wrong))
