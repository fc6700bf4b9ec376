"""The strict JSON reader: what a price list must not contain, and what must come through intact."""

from __future__ import annotations

import gzip
import json
import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.strict import MAX_DEPTH, Number, loads


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"0.0000025", "0.0000025", id="a_price_per_token"),
        pytest.param(b"2.50", "2.50", id="a_trailing_zero_stays"),
        pytest.param(b"25e-7", "25e-7", id="an_exponent_stays"),
        pytest.param(b"1E+5", "1E+5", id="a_capital_exponent_stays"),
        pytest.param(b"-0", "-0", id="minus_zero_stays_visible"),
        pytest.param(b"-1", "-1", id="a_sentinel_stays_visible"),
        pytest.param(b"1e309", "1e309", id="no_overflow_to_infinity"),
        pytest.param(b"0.1000000000000000055", "0.1000000000000000055", id="no_float_in_between"),
        pytest.param(b"9" * 64, "9" * 64, id="64_characters"),
    ],
)
def test_a_number_is_its_own_text(body: bytes, text: str) -> None:
    found = loads(b'{"price": ' + body + b"}")["price"]
    assert type(found) is Number
    assert found == text


def test_a_string_of_digits_is_not_a_number() -> None:
    assert type(loads(b'"2.50"')) is str


def test_words_of_json_keep_their_meaning() -> None:
    assert loads(b' [true, false, null, {}, [], "\\u0041"]\n') == [True, False, None, {}, [], "A"]


def nested(depth: int, inner: bytes = b"1") -> bytes:
    return b'[{"a":' * (depth // 2) + inner + b"}]" * (depth // 2)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"  \n", id="blank"),
        pytest.param(b"<!doctype html><html></html>", id="html"),
        pytest.param(b"{'a': 1}", id="single_quotes"),
        pytest.param(b"[1,]", id="trailing_comma"),
        pytest.param(b"[1] [2]", id="two_values"),
        pytest.param(b'{"a": 1', id="truncated_object"),
        pytest.param(b'{"a": "1', id="truncated_string"),
        pytest.param(b'{"a": "1\\', id="truncated_escape"),
        pytest.param(b"[NaN]", id="nan"),
        pytest.param(b"[Infinity]", id="infinity"),
        pytest.param(b"[-Infinity]", id="minus_infinity"),
        pytest.param(b"[01]", id="leading_zero"),
        pytest.param(b"[+1]", id="plus_sign"),
        pytest.param(b"[.5]", id="no_digit_before_the_point"),
        pytest.param(b"[1.]", id="no_digit_after_the_point"),
        pytest.param(b"[0x10]", id="hexadecimal"),
        pytest.param(b"[1_000]", id="underscore"),
        pytest.param("[١]".encode(), id="arabic_digit"),
        pytest.param(b"[" + b"9" * 65 + b"]", id="65_characters"),
        pytest.param(b"[" + b"9" * 5000 + b"]", id="5000_digits"),
        pytest.param(b'{"price": 1, "price": 2}', id="repeated_key"),
        pytest.param(b'{"price": 1, "pric\\u0065": 2}', id="repeated_key_in_disguise"),
        pytest.param(b'[[{"a": {"b": 1, "b": 1}}]]', id="repeated_key_with_one_value"),
        pytest.param(b'"\xff"', id="not_utf8"),
        pytest.param(b'"\xed\xa0\x80"', id="surrogate_in_utf8"),
        pytest.param(b'"\\ud800"', id="lone_high_surrogate"),
        pytest.param(b'{"\\uDC00": 1}', id="lone_low_surrogate_in_a_key"),
        pytest.param(b"\xef\xbb\xbf[]", id="byte_order_mark"),
        pytest.param("[]".encode("utf-16"), id="utf16"),
        pytest.param(b'"a\nb"', id="raw_newline_in_a_string"),
        pytest.param(nested(MAX_DEPTH + 2), id="too_deep"),
        pytest.param(b"[" * 1_000_000, id="a_million_brackets"),
        pytest.param(b'{"a":' * 1_000_000, id="a_million_objects"),
        pytest.param(b"]" * 40 + b"[" * 40, id="closed_before_opened"),
        pytest.param(
            b"[" * 20 + b"[]," * 600_000 + b"[" * 20 + b"]" * 40, id="too_deep_after_a_megabyte"
        ),
    ],
)
def test_what_is_not_strict_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(nested(MAX_DEPTH), id="as_deep_as_allowed"),
        pytest.param(b"[" + b"[]," * 100 + b"[]]", id="wide_is_not_deep"),
        pytest.param(b'["' + b"[" * 100 + b'"]', id="brackets_in_a_string"),
        pytest.param(b'["\\"' + b"{" * 100 + b'"]', id="brackets_after_an_escaped_quote"),
        pytest.param(b'["\\\\", "' + b"{" * 100 + b'"]', id="brackets_after_an_escaped_backslash"),
        pytest.param(b'["\\ud83d\\ude80", "\\\\ud800"]', id="a_rocket_and_a_backslash"),
    ],
)
def test_what_only_looks_deep_or_odd_is_read(body: bytes) -> None:
    assert loads(body) == json.loads(body, parse_int=str)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'"' + b'\\"' * 1_000_000, id="a_string_of_escaped_quotes_without_end"),
        pytest.param(b'"' + b'\\"' * 1_000_000 + b"\\", id="the_same_ending_in_a_backslash"),
        pytest.param(
            b"{%s}" % b",".join(b'"%d":1' % n for n in [*range(200_000), 199_999]),
            id="a_key_repeated_after_200000_others",
        ),
        pytest.param(b'"' * 2_000_001, id="nothing_but_quotes"),
    ],
)
def test_no_body_takes_more_than_linear_time(body: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(ValueError, match=r"."):
        loads(body)
    assert time.process_time() - begun < 2.0  # quadratic would be hours


def test_the_repeated_key_is_named() -> None:
    with pytest.raises(ValueError, match="'price' appears twice"):
        loads(b'{"a": 1, "price": 1, "price": 2}')


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(values, st.booleans())
def test_whatever_json_can_write_is_read_back(value: Any, ascii_only: bool) -> None:
    def same(found: Any, wanted: Any) -> bool:
        if isinstance(wanted, dict):
            return list(found) == list(wanted) and all(same(found[k], wanted[k]) for k in wanted)
        if isinstance(wanted, list):
            return len(found) == len(wanted) and all(map(same, found, wanted))
        if isinstance(wanted, int) and not isinstance(wanted, bool):
            return type(found) is Number and Decimal(found) == wanted
        return type(found) is type(wanted) and found == wanted

    assert same(loads(json.dumps(value, ensure_ascii=ascii_only).encode()), value)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(list(b'[]{}",:\\ud8001eE.-aNn \x00\xff'))).map(bytes))
def test_rubbish_is_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        loads(body)
    except ValueError:
        return
    json.loads(body)


def real_bodies() -> list[Path]:
    beside = Path(__file__).parents[2] / "shared" / "payloads"
    folder = Path(os.environ.get("SPOTFIX_PAYLOADS", beside))
    return sorted([*folder.rglob("*.json"), *folder.rglob("*.json.gz")])


def repeats_a_key(data: bytes) -> bool:
    found: list[bool] = []
    json.loads(data, object_pairs_hook=lambda pairs: found.append(len(dict(pairs)) < len(pairs)))
    return any(found)


def test_every_real_body_is_read() -> None:
    """Three of each folder: the first, the middle and the last by name."""
    folders: dict[Path, list[Path]] = {}
    for path in real_bodies():
        folders.setdefault(path.parent, []).append(path)
    if not folders:
        pytest.skip("the captured bodies are not here; set SPOTFIX_PAYLOADS")
    for paths in folders.values():
        for path in {paths[0], paths[len(paths) // 2], paths[-1]}:
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            plain = json.loads(data, parse_float=str, parse_int=str)
            if not repeats_a_key(data):
                assert loads(data) == plain, path.name
                continue
            # LiteLLM's map, edited by hand, did hold whole entries twice for months.
            assert path.parent.name == "litellm", path
            with pytest.raises(ValueError, match="appears twice"):
                loads(data)
