"""Record bytes: the RFC's own examples, and everything that must not get into a record."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from index.ledger.canonical import canonical, digest, parse_record
from methodology.errors import VerificationError


def test_keys_are_sorted_by_utf16_as_in_rfc_8785_section_3_2_3() -> None:
    # The RFC's example: the emoji (a surrogate pair, D83D) sorts before U+FB33.
    record = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    values = [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]
    assert list(parse_record(canonical(record)).values()) == values


def test_strings_are_escaped_as_in_rfc_8785_section_3_2_2_2() -> None:
    record = {"string": '\u20ac$\u000f\nA\'B"\\\\"/'}
    assert canonical(record) == '{"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()


def test_null_true_and_the_largest_integer_are_written_plainly() -> None:
    record = {"c": None, "b": True, "a": 2**53 - 1, "d": [-(2**53) + 1, "1.50"]}
    expected = b'{"a":9007199254740991,"b":true,"c":null,"d":[-9007199254740991,"1.50"]}'
    assert canonical(record) == expected


def test_digest_is_the_published_sha256_of_abc() -> None:
    # FIPS 180-2, appendix B.1.
    assert digest(b"abc") == (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


PLAIN = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(st.characters(exclude_categories=("Cs",))) | st.text(
    st.characters(max_codepoint=127)
)
RECORDS = st.dictionaries(
    TEXT,
    st.recursive(PLAIN | TEXT, lambda of: st.lists(of) | st.dictionaries(TEXT, of), max_leaves=8),
)


@given(RECORDS)
def test_the_bytes_are_those_of_the_library_for_rfc_8785(record: dict[str, Any]) -> None:
    assert canonical(record) == rfc8785.dumps(record)


def deep(levels: int) -> object:
    value: object = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(1.5, r"record\.x\[0\]\.price: 1\.5 is a float", id="float"),
        pytest.param(1.0, "is a float", id="float_that_is_whole"),
        pytest.param(float("nan"), "is a float", id="not_a_number"),
        pytest.param(2**53, "beyond", id="integer_too_large"),
        pytest.param(-(2**53), "beyond", id="integer_too_small"),
        pytest.param({1: "a"}, "key 1 is not text", id="key_not_text"),
        pytest.param("\ud800", "RFC 8785", id="lone_surrogate"),
        pytest.param(b"a", "bytes", id="bytes"),
        pytest.param(Decimal("1.5"), "Decimal", id="decimal_must_be_text_already"),
        pytest.param(datetime.date(2026, 11, 20), "date", id="date_must_be_text_already"),
        pytest.param({1, 2}, "set", id="set_has_no_order"),
        pytest.param(deep(40), "nested deeper", id="too_deep"),
    ],
)
def test_what_no_record_may_hold_is_refused_by_name(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        canonical({"x": [{"price": value}]})


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b'{"a":1.0}',
        b'{"a":1e0}',
        b'{"a":NaN}',
        b'{"a":-0}',
        b'{"a":"\\u0041"}',
        b'{"a":9007199254740992}',
        b'["a"]',
        b'{"a":',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_bytes_that_are_not_canonical_are_no_record(body: bytes) -> None:
    with pytest.raises(VerificationError):
        parse_record(body)
