"""Mistral's files of models. Figures: those of its repository in versions of 2026-07 to 2026-10."""

from __future__ import annotations

import pytest

from collectors.base import Parsed
from collectors.tokens.mistral_docs import MODELS, SOURCE, parse, requests
from methodology.errors import ParseError
from tests.sellers import capture, holds, payload, prices, reasons

FILE = (
    "import { StaticModel } from '../schema';\nexport default {\n  slug: 'a',\n  status: 'GA',\n"
    "  pricing: { type: 'custom', free: false, input: [INPUT], output: [OUTPUT] },\n"
    "  capabilities: { output: ['text'] },\n} as const satisfies StaticModel;\n"
)
ONE = "{ price: 1, denominator: '/M Tokens' }"


def file(put: str = ONE, get: str = ONE, **changed: str) -> bytes:
    text = FILE.replace("INPUT", put).replace("OUTPUT", get)
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def read(body: bytes) -> Parsed:
    return parse(capture(SOURCE, body))


def test_the_price_of_today_is_quoted_and_not_the_one_before_the_discount() -> None:
    found = parse(payload(SOURCE, "2026-10-06.mistral-large-4-0.ts"))
    assert prices(found) == [
        ("mistral", "mistral-large-4-0", "IN", "0.68"),
        ("mistral", "mistral-large-4-0", "OUT", "2.09"),
        ("mistral", "mistral-large-4-0", "CIN", "0.07"),
    ]
    assert reasons(found) == []
    holds(found, SOURCE)


def test_euro_are_told_and_not_quoted() -> None:
    found = parse(payload(SOURCE, "2026-08-06.zai-glm-5-2.ts"))
    assert sorted(row[2:] for row in prices(found)) == [
        ("CIN", "0.26"),
        ("IN", "1.4"),
        ("OUT", "4.4"),
    ]
    assert set(found.quotes["currency"]) == {"USD"}
    assert reasons(found) == [("zai-glm-5-2", "OTHER_CURRENCY")] * 3
    assert "1.19" in found.rejections["detail"][0]


def test_minutes_of_audio_are_no_tokens() -> None:
    found = parse(payload(SOURCE, "2026-07-15.voxtral-small-25-07.ts"))
    assert [row[2:] for row in prices(found)] == [("IN", "0.1"), ("OUT", "0.3")]
    assert reasons(found) == [("voxtral-small-25-07", "NOT_A_MEASURED_METER")]


WHOLE = {
    "retired": ({"'GA'": "'Retired'"}, "RETIRED"),
    "a status nobody knows": ({"'GA'": "'Paused'"}, "UNKNOWN_CONDITION"),
    "embeddings": ({"['text']": "['embeddings']"}, "MODE_NOT_TEXT"),
    "free": ({"free: false": "free: true"}, "FREE_OFFER"),
    "another layout of prices": ({"'custom'": "'range'"}, "UNKNOWN_CONDITION"),
}


@pytest.mark.parametrize(("changed", "reason"), WHOLE.values(), ids=WHOLE.keys())
def test_a_model_that_is_no_offer_is_one_rejection(changed: dict[str, str], reason: str) -> None:
    assert reasons(read(file(**changed))) == [("a", reason)]


FIGURES = {
    "none": ("", ["PRICE_MISSING"]),
    "a text": ("{ price: '1', denominator: '/M Tokens' }", ["NOT_A_NUMBER"]),
    "code": ("{ price: 2 * 3, denominator: '/M Tokens' }", None),
    "a call": ("{ price: f(1), denominator: '/M Tokens' }", ["NOT_A_NUMBER"]),
    "zero": ("{ price: 0, denominator: '/M Tokens' }", ["FREE_OFFER"]),
    "below zero": ("{ price: -1, denominator: '/M Tokens' }", ["NEGATIVE_PRICE"]),
    "no unit": ("{ price: 1 }", ["NOT_A_MEASURED_METER", "PRICE_MISSING"]),
    "two for one meter": (f"{ONE}, {ONE}", ["AMBIGUOUS_LISTING"] * 2),
    "another label": (
        f"{ONE}, {{ price: 9, denominator: '/M Tokens', label: 'Priority' }}",
        ["NOT_A_MEASURED_METER"],
    ),
}


@pytest.mark.parametrize(("put", "wanted"), FIGURES.values(), ids=FIGURES.keys())
def test_a_figure_that_is_no_price_is_told(put: str, wanted: list[str] | None) -> None:
    if wanted is None:
        with pytest.raises(ParseError, match="SHAPE"):
            read(file(put))
    else:
        assert [reason for _, reason in reasons(read(file(put)))] == wanted


HOSTILE = {
    "a page": b"<html>404</html>",
    "JSON": b'{"slug": "a"}',
    "another file": b"export const A = 1;\n",
    "a file cut short": file()[:-40],
    "an object that does not end": file(**{"output: ['text'] },": "output: ['text'],"}),
    "a key twice": file(**{"slug: 'a',": "slug: 'a', slug: 'b',"}),
    "no slug": file(**{"slug: 'a',": ""}),
    "a slug that is code": file(**{"slug: 'a',": "slug: f('a'),"}),
    "no prices": file(**{"pricing:": "price:"}),
    "prices as one object": file().replace(b"input: [", b"input: {a: [").replace(b"], o", b"]}, o"),
    "a template with code in it": file(**{"'GA'": "`${x}`"}),
    "deep lists": file("[" * 5000 + "]" * 5000),
    "no text": file() + b"\xff",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_is_something_else_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError, match="mistral_docs"):
        read(body)


def test_each_model_is_asked_for_once_below_the_address() -> None:
    asked = [request.url for request in requests(SOURCE.url)]
    assert asked == [f"{SOURCE.url}/{slug}.ts" for slug in MODELS]
    assert len(set(MODELS)) == len(MODELS)
