"""Oracle: the price list, what stands beside the rented GPUs in it, and bodies that lie."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.base import Parsed
from collectors.gpus.oci import SOURCE, parse, parse_panel_raw, requests
from methodology.errors import ParseError
from methodology.units import to_nano
from tests.machine_lists import capture, check, offers, real, refusals, small

BODY = small(SOURCE, "2026-09-06.json")
H100 = "B98415|Oracle Cloud Infrastructure - Compute - GPU - H100"


def item(value: Any = 10, **changed: Any) -> dict[str, Any]:
    prices = [{"model": "PAY_AS_YOU_GO", "value": value}]
    return {
        "partNumber": "B98415",
        "displayName": "Oracle Cloud Infrastructure - Compute - GPU - H100",
        "metricName": "GPU Per Hour",
        "serviceCategory": "Compute - GPU",
        "currencyCodeLocalizations": [{"currencyCode": "USD", "prices": prices}],
        **changed,
    }


def priced(*prices: dict[str, Any], currency: str = "USD") -> dict[str, Any]:
    return item(currencyCodeLocalizations=[{"currencyCode": currency, "prices": prices}])


def parse_items(*items: Any) -> Parsed:
    return parse(capture(SOURCE, {"lastUpdated": "2026-09-01T14:26:53.943Z", "items": items}))


def test_each_rented_gpu_is_a_quote_and_the_rest_is_refused_with_its_reason() -> None:
    found = parse(capture(SOURCE, BODY))
    check(SOURCE, found)
    assert offers(found) == [
        (H100, "on_demand", "10", None, None),
        ("B110978|OCI - Compute - GPU - B200", "on_demand", "14", None, None),
        ("B109480|OCI - Compute - GPU - H100T", "on_demand", "10.75", None, None),
        ("B109479|Compute - GPU - L40S", "on_demand", "3.5", None, None),
    ]
    assert refusals(found) == [
        (
            "B108807|Oracle Cloud VMware Solution - BM.GPU.A10.64 - 1 Year Commit",
            "UNKNOWN_UNIT",
        ),
        ("B93113|Compute - Standard - E4", "NOT_GPU"),
    ]


def test_a_price_per_gpu_is_not_divided_by_the_gpus_of_the_machine() -> None:
    row = parse(capture(SOURCE, BODY)).quotes.row(0, named=True)
    assert (row["quoted_unit"], row["provider"], row["tier"]) == ("per_gpu_hour", "oracle", "E3")
    assert to_nano(row["price_text"], row["quoted_unit"], row["gpu_count"]) == (10**10, False)


def test_h100t_is_not_the_h100() -> None:
    listings = [listing for listing, *_ in offers(parse(capture(SOURCE, BODY)))]
    assert len({name for name in listings if "H100" in name}) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(
            item(2.5, displayName="OCI - NVIDIA AI Enterprise - H100"),
            "OTHER_SERVICE",
            id="a licence at 2.50 under the category and metric of the GPU",
        ),
        pytest.param(
            item(2.9, serviceCategory="Compute Cloud@Customer"),
            "OTHER_SERVICE",
            id="a GPU that stands in the customer's hall",
        ),
        pytest.param(item(metricName="Node Per Hour"), "UNKNOWN_UNIT", id="a price of a pod"),
        pytest.param(item(0), "ZERO_PRICE", id="zero is not offered"),
        pytest.param(item(-1), "NEGATIVE_PRICE", id="below zero"),
        pytest.param(item("10"), "NOT_A_NUMBER", id="a price written as text"),
        pytest.param(item(None), "NO_PRICE", id="no figure"),
        pytest.param(item(currencyCodeLocalizations=[]), "NO_PRICE", id="no currency at all"),
        pytest.param(item(currencyCodeLocalizations={}), "MALFORMED_ROW", id="prices as object"),
        pytest.param(item(displayName=None), "MALFORMED_ROW", id="no name"),
        pytest.param(item(partNumber=98415), "MALFORMED_ROW", id="a part that is a number"),
        pytest.param("B98415", "MALFORMED_ROW", id="an item that is a text"),
        pytest.param(
            priced({"model": "PAY_AS_YOU_GO", "value": 10}, {"model": "PAY_AS_YOU_GO", "value": 8}),
            "AMBIGUOUS_LISTING",
            id="two prices for the same terms",
        ),
    ],
)
def test_a_bad_item_is_refused_and_its_neighbour_kept(row: Any, reason: str) -> None:
    found = parse_items(row, item(14, partNumber="B1", displayName="OCI - Compute - GPU - B200"))
    assert [price for _, _, price, *_ in offers(found)] == ["14"]
    assert [told for _, told in refusals(found)] == [reason]


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        pytest.param(
            priced({"model": "PAY_AS_YOU_GO", "value": 9}, currency="EUR"),
            ["OTHER_CURRENCY", "NO_PRICE"],
            id="euros",
        ),
        pytest.param(
            priced({"model": "ANNUAL_COMMIT", "value": 7}),
            ["NOT_CONSUMPTION", "NO_PRICE"],
            id="a commitment is never read as on demand",
        ),
        pytest.param(
            priced({"model": "PAY_AS_YOU_GO", "value": 7, "rangeMin": 1000}),
            ["VOLUME_TIER", "NO_PRICE"],
            id="a price for a thousand",
        ),
    ],
)
def test_what_is_not_the_price_of_one_gpu_now_leaves_no_price(
    row: dict[str, Any], reasons: list[str]
) -> None:
    found = parse_items(row)
    assert found.quotes.is_empty()
    assert refusals(found) == [(H100, reason) for reason in reasons]


def test_a_commitment_beside_the_price_is_refused_alone() -> None:
    found = parse_items(
        priced({"model": "PAY_AS_YOU_GO", "value": 10}, {"model": "MONTHLY_COMMIT", "value": 7})
    )
    assert [price for _, _, price, *_ in offers(found)] == ["10"]
    assert refusals(found) == [(H100, "NOT_CONSUMPTION")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<html>", "NOT_JSON", id="a page in place of JSON"),
        pytest.param({"products": []}, "SHAPE", id="another list"),
        pytest.param({"items": {}}, "SHAPE", id="items as an object"),
        pytest.param({"items": []}, "EMPTY", id="no item at all"),
        pytest.param(b'{"items":[{"value":NaN}]}', "NOT_JSON", id="NaN"),
    ],
)
def test_a_body_that_is_not_the_list_is_refused_whole(body: Any, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(capture(SOURCE, body))
    assert caught.value.reason == reason


def test_it_asks_once_in_usd() -> None:
    (request,) = requests(SOURCE.url)
    assert (request.url, dict(request.params)) == (SOURCE.url, {"currencyCode": "USD"})


def test_the_real_shapes_have_no_price_and_no_gpu() -> None:
    shapes = real("fixtures_gpuhunt/2026-08-03_oci.json")["SHAPES"]
    found = parse(capture(SOURCE, shapes))
    assert refusals(parse_panel_raw(capture(SOURCE, {"SHAPES": shapes}))) == refusals(found)
    assert found.quotes.is_empty()
    assert refusals(found) == [
        ("BM.DenseIO.E5.128", "NOT_GPU"),
        ("BM.Standard.E4.128", "NOT_GPU"),
    ]
    shapes["items"][0]["gpuQty"] = 8
    assert refusals(parse(capture(SOURCE, shapes)))[0] == ("BM.DenseIO.E5.128", "NO_PRICE")
