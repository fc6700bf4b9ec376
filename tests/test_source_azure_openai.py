"""Azure's token meters: units per row, deployments apart. Names as the API's readers quote them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture, Request
from collectors.tokens.azure_openai import FILTER, MAX_PAGES, SOURCE, parse, read_meter, requests
from methodology import schemas
from methodology.errors import ParseError, PriceError
from methodology.units import to_nano

HERE = Path(__file__).parent / "payloads" / "azure_openai"
MAY, NOVEMBER = datetime(2025, 5, 1), datetime(2025, 11, 1)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, 1, 9, 0, tzinfo=UTC))


def page(*items: object, link: str | None = None) -> bytes:
    return json.dumps({"Items": items, "NextPageLink": link}).encode()


def meter(**changes: object) -> dict:
    one = {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": 0.002,
        "armRegionName": "eastus2",
        "effectiveStartDate": "2025-05-01T00:00:00Z",
        "meterName": "gpt 4.1 Inp glbl Tokens",
        "productName": "Azure OpenAI",
        "serviceName": "Foundry Models",
        "unitOfMeasure": "1K",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
    }
    return {**one, **changes}


def test_a_page_mixes_units_and_deployments():
    found = parse(capture((HERE / "2026-08-01.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "azure_openai")
    schemas.validate(schemas.Rejection, found.rejections, "azure_openai")
    shown = ("listing_id", "meter", "price_text", "quoted_unit", "region", "effective_from")
    assert found.quotes.select(shown).rows() == [
        ("Azure OpenAI|gpt 4.1|global", "IN", "0.002", "per_ktok", None, MAY),
        ("Azure OpenAI|gpt 4.1|global", "OUT", "0.008", "per_ktok", None, MAY),
        ("Azure OpenAI|gpt 4.1|global", "CIN", "0.0005", "per_ktok", None, MAY),
        ("Azure OpenAI|gpt 4.1|regional", "IN", "0.0022", "per_ktok", "eastus2", MAY),
        ("Azure OpenAI GPT5|5.1|global", "IN", "1.25", "per_mtok", None, NOVEMBER),
        ("Azure OpenAI GPT5|5.1|global", "OUT", "10.0", "per_mtok", None, NOVEMBER),
        ("Azure OpenAI GPT5|5.1|global", "BAT_IN", "0.625", "per_mtok", None, NOVEMBER),
        (
            *("Azure OpenAI GPT5|5.6 luna|data_zone", "IN", "1.1", "per_mtok", "eastus2"),
            datetime(2026, 7, 1),
        ),
    ]
    assert found.rejections["reason"].to_list() == ["PRICE_VARIANT", "UNKNOWN_UNIT"]
    assert found.quotes["is_official_date"].all()
    assert set(found.quotes["tier"]) == {"E3"}


def test_a_thousand_tokens_and_a_million_come_to_the_same_unit():
    assert to_nano("0.002", "per_ktok")[0] == 2 * 10**9
    assert to_nano("1.25", "per_mtok")[0] == 1_250_000_000


NAMES = {
    "gpt 4.1 Outp glbl Tokens": ("gpt 4.1", "OUT", "global"),
    "gpt 4.1 Inp Data Zone Tokens": ("gpt 4.1", "IN", "data_zone"),
    "gpt 5 pro out glbl Tokens": ("gpt 5 pro", "OUT", "global"),
    "gpt-5-codex-ccchd-inp-glbl Tokens": ("gpt 5 codex", "CIN", "global"),
    "gpt-4o-mini-0718-Outp-regnl Tokens": ("gpt 4o mini 0718", "OUT", "regional"),
    "gpt 4o 0513 Input global Tokens": ("gpt 4o 0513", "IN", "global"),
    "FW GLM 5.2 Inp DZ Tokens": ("FW GLM 5.2", "IN", "data_zone"),
    "V3.1 Inp DZone Tokens": ("V3.1", "IN", "data_zone"),
    "Phi-3.5-Mini-128K-Instruct-Output Tokens": (
        "Phi 3.5 Mini 128K Instruct",
        "OUT",
        "unstated",
    ),
    "o3 mini 0131 Batch Outp Data Zone Tokens": ("o3 mini 0131", "BAT_OUT", "data_zone"),
    "5.6 sol ShortCo Cd Inp Std Gl 1M Tokens": ("5.6 sol", "CIN", "global"),
}


@pytest.mark.parametrize(("name", "said"), NAMES.items(), ids=list(NAMES))
def test_a_name_of_any_generation_is_understood(name, said):
    model, good, deployment = said
    assert read_meter("P", name) == (f"P|{model}|{deployment}", good, deployment)


OTHERS = {
    "5.4 pp inp Gl 1M Tokens": "PRICE_VARIANT",
    "5.6 sol LongCo Inp Std Gl 1M Tokens": "CONTEXT_BRACKET",
    "5.6 sol ShortCo Cd Wr Std Gl 1M Tokens": "NOT_A_MEASURED_METER",
    "4.6 Outp DZ L Tokens": "UNKNOWN_CONDITION",
    "gpt-4.1-nano FT Training global Tokens": "PRICE_VARIANT",
    "o4-mini-ft model grader output Tokens": "PRICE_VARIANT",
    "Provisioned Managed Global Unit": "PRICE_VARIANT",
    "gpt 4.1 weirdly-worded glbl Tokens": "NOT_A_MEASURED_METER",
    "gpt 4.1 Inp Outp glbl Tokens": "UNKNOWN_CONDITION",
    "gpt 4.1 Inp glbl regnl Tokens": "UNKNOWN_CONDITION",
    "gpt 4.1 Batch cached Inp glbl Tokens": "NOT_A_MEASURED_METER",
    "gpt4o rt aud Inp glbl Tokens": "MODE_NOT_TEXT",
}


@pytest.mark.parametrize(("name", "reason"), OTHERS.items(), ids=list(OTHERS))
def test_a_name_of_another_good_is_refused(name, reason):
    with pytest.raises(PriceError) as error:
        read_meter("P", name)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unitOfMeasure": "1 Hour"}, "UNKNOWN_UNIT"),
        ({"unitOfMeasure": "1M", "meterName": "gpt 4.1 Inp glbl 1K Tokens"}, "UNKNOWN_UNIT"),
        ({"unitOfMeasure": ["1K"]}, "UNKNOWN_UNIT"),
        ({"type": "Reservation", "reservationTerm": "1 Year"}, "RESERVATION_TOTAL"),
        ({"type": "DevTestConsumption"}, "NOT_CONSUMPTION"),
        ({"serviceName": "Foundry Tools"}, "OTHER_SERVICE"),
        ({"currencyCode": "EUR"}, "OTHER_CURRENCY"),
        ({"isPrimaryMeterRegion": False}, "SECONDARY_METER"),
        ({"tierMinimumUnits": 1000.0}, "VOLUME_TIER"),
        ({"retailPrice": 0.0}, "FREE_OFFER"),
        ({"retailPrice": -0.1}, "NEGATIVE_PRICE"),
        ({"retailPrice": "0.002"}, "NOT_A_NUMBER"),
        ({"meterName": None}, "MALFORMED_ROW"),
        ({"meterName": "gpt 4.1 Inp regnl Tokens", "armRegionName": ""}, "MALFORMED_ROW"),
        ({"effectiveStartDate": "2025-05-01"}, "MALFORMED_ROW"),
        ({"effectiveStartDate": "soon"}, "MALFORMED_ROW"),
        ({"effectiveStartDate": "0001-01-01T00:00:00+14:00"}, "MALFORMED_ROW"),
        ({"effectiveStartDate": "0202-05-01T00:00:00Z"}, "BAD_DATE"),
    ],
    ids=[
        "a provisioned unit by the hour",
        "a unit that the name contradicts",
        "a list in place of a unit",
        "the total of a reservation",
        "a price for subscribers",
        "another service",
        "another currency",
        "a meter repeated for another region",
        "a volume tier",
        "zero",
        "below zero",
        "a text in place of a price",
        "no name",
        "a regional price without a region",
        "a start without a zone",
        "a start that is no time",
        "a start before the first year",
        "a start in the year 202",
    ],
)
def test_a_row_that_is_no_pay_as_you_go_price_is_refused(changes, reason):
    found = parse(capture(page(meter(**changes))))
    assert found.quotes.height == 0
    assert found.rejections["reason"].to_list() == [reason]


def test_two_prices_of_one_offer_are_none():
    found = parse(capture(page(meter(), meter(retailPrice=0.003), 7)))
    assert found.quotes["status"].to_list() == ["unknown"]
    reasons = found.rejections["reason"].to_list()
    assert sorted(reasons) == ["AMBIGUOUS_LISTING", "AMBIGUOUS_LISTING", "MALFORMED_ROW"]


def test_a_later_start_is_another_row_of_the_same_offer():
    ahead = meter(retailPrice=0.003, effectiveStartDate="2027-01-01T00:00:00Z")
    found = parse(capture(page(meter(), ahead)))
    assert found.quotes.select("price_text", "effective_from").rows() == [
        ("0.002", MAY),
        ("0.003", datetime(2027, 1, 1)),
    ]


@pytest.mark.parametrize("text", [b"<html>", b"[]", b'{"Items": {}}'], ids=["page", "list", "map"])
def test_a_body_of_another_shape_is_refused(text):
    with pytest.raises(ParseError):
        parse(capture(text))


def test_pages_are_asked_for_until_there_is_none():
    flow = requests(SOURCE.url)
    first = next(flow)
    assert first == Request(SOURCE.url, {"$filter": FILTER, "currencyCode": "USD"})
    second = flow.send(capture(page(link=f"{SOURCE.url}?$skip=1000")))
    assert second.url == f"{SOURCE.url}?$skip=1000"
    with pytest.raises(StopIteration):
        flow.send(capture(page()))


def test_a_link_to_another_host_is_not_followed():
    flow = requests(SOURCE.url)
    next(flow)
    with pytest.raises(ParseError, match="FOREIGN_LINK"):
        flow.send(capture(page(link="https://example.org/api/retail/prices?$skip=1000")))


def test_a_list_without_an_end_is_given_up():
    flow = requests(SOURCE.url)
    next(flow)
    more = capture(page(link=f"{SOURCE.url}?$skip=1000"))
    for _ in range(MAX_PAGES):
        flow.send(more)
    with pytest.raises(ParseError, match="ENDLESS"):
        flow.send(more)
