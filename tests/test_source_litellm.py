"""LiteLLM's price map and its dated change rows. Figures read from them by eye."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.tokens.litellm import SOURCE, parse, parse_history
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "litellm"
SHOWN = ("provider", "listing_id", "meter", "price_text", "status")
FIGURES = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "input_cost_per_token_batches",
    "output_cost_per_token_batches",
    "input_cost_per_token_above_200k_tokens",
    "output_cost_per_token_above_200k_tokens",
    "output_cost_per_reasoning_token",
)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 11, 19, 9, 0, tzinfo=UTC))


def history(*rows: tuple, status: str | None = None) -> bytes:
    """Rows of (day, model, provider, mode, status, input, output) as Parquet."""
    names = ("snapshot_at", "model", "litellm_provider", "mode", "status")
    table = pl.DataFrame(
        [
            {
                **dict(zip(names, (f"2026-01-{r[0]:02}T23:59:00Z", *r[1:5]), strict=True)),
                **dict.fromkeys(FIGURES),
                "input_cost_per_token": r[5],
                "output_cost_per_token": r[6],
            }
            for r in rows
        ],
        schema={**dict.fromkeys(names, pl.String), **dict.fromkeys(FIGURES, pl.Float64)},
    )
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def test_the_map_gives_prices_per_token():
    found = parse(capture((HERE / "2026-11-19.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "litellm")
    schemas.validate(schemas.Rejection, found.rejections, "litellm")
    assert found.quotes.select(SHOWN).rows() == [
        ("openai", "o3", "IN", "2e-06", "offered"),
        ("openai", "o3", "OUT", "8e-06", "offered"),
        ("openai", "o3", "CIN", "5e-07", "offered"),
        ("openai", "o3", "BAT_IN", "1e-06", "offered"),
        ("openai", "o3", "BAT_OUT", "4e-06", "offered"),
        ("vertex_ai-language-models", "gemini-2.5-pro", "IN", "1.25e-06", "offered"),
        ("vertex_ai-language-models", "gemini-2.5-pro", "OUT", "1e-05", "offered"),
        # the plain figure is that of peak hours; the lower one has 15 spans of weekdays and 2 days
        ("deepseek", "deepseek-v4-pro", "IN", "1.32e-06", "offered"),
        *[("deepseek", "deepseek-v4-pro", "IN", "6.6e-07", "offered")] * 17,
        ("deepseek", "deepseek-v4-pro", "OUT", "3.96e-06", "offered"),
        *[("deepseek", "deepseek-v4-pro", "OUT", "1.98e-06", "offered")] * 17,
        ("deepinfra", "deepinfra/openai/gpt-oss-120b", "IN", "3.7e-08", "offered"),
        ("deepinfra", "deepinfra/openai/gpt-oss-120b", "OUT", "1.7e-07", "offered"),
    ]
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("sample_spec", "SAMPLE_ENTRY"),
        ("o3", "NOT_A_MEASURED_METER"),
        ("gemini-2.5-pro", "CONTEXT_BRACKET"),
        ("whisper-1", "MODE_NOT_TEXT"),
        ("fallback_generalizations", "NOT_A_LISTING"),
    ]


def lower(windows: object, **more: object) -> Parsed:
    pricing = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, **more}
    pricing |= {} if windows is None else {"windows": windows}
    entry = {
        "litellm_provider": "p",
        "mode": "chat",
        "input_cost_per_token": 2e-6,
        "output_cost_per_token": 4e-6,
        "off_peak_pricing": pricing,
    }
    return parse(capture(json.dumps({"m": entry}).encode()))


def test_lower_prices_hold_in_the_windows_of_their_days():
    found = lower(
        [
            {"hours_utc": ["00:00-01:00", "10:00-00:00"], "weekdays": [1, 5]},
            {"hours_utc": "00:00-00:00", "weekdays": [7]},
        ]
    ).quotes.filter(meter="IN")
    assert found.select("price_text", "window_start_min", "window_end_min").rows() == [
        ("2e-06", None, None),
        ("1e-06", 1440, 1500),  # Monday 00:00 to 01:00
        ("1e-06", 7200, 7260),  # Friday
        ("1e-06", 2040, 2880),  # Monday 10:00 to Tuesday 00:00
        ("1e-06", 7800, 8640),
        ("1e-06", 10080, 1440),  # Sunday, to Monday 00:00
    ]
    daily = lower(None, hours_utc="16:30-00:30").quotes.filter(meter="OUT")
    assert daily.select("price_text", "window_start_min", "window_end_min").rows() == [
        ("4e-06", None, None),
        ("2e-06", 990, 30),
    ]


HOURS = {
    "no window": [],
    "day 0": [{"hours_utc": "00:00-01:00", "weekdays": [0]}],
    "days by name": [{"hours_utc": "00:00-01:00", "weekdays": ["mon"]}],
    "a night of some days": [{"hours_utc": "22:00-02:00", "weekdays": [5]}],
    "hour 25": [{"hours_utc": "25:00-01:00"}],
    "a condition beside the hours": [{"hours_utc": "00:00-01:00", "timezone": "Asia/Shanghai"}],
    "no hours": [{"weekdays": [1]}],
}


@pytest.mark.parametrize("windows", HOURS.values(), ids=HOURS.keys())
def test_hours_that_are_not_understood_give_no_price(windows):
    found = lower(windows)
    assert found.quotes.select("meter", "status").rows() == [("IN", "unknown"), ("OUT", "unknown")]
    assert found.rejections["reason"].to_list() == [
        *("BAD_WINDOW", "CONDITIONAL_TARIFF", "CONDITIONAL_TARIFF", "NOT_A_MEASURED_METER"),
    ]


def test_a_wrapped_body_says_itself_when_it_was_fetched():
    quotes = parse(capture((HERE / "2025-12-29.wrapped.json").read_bytes())).quotes
    assert quotes["price_text"].to_list() == ["2e-06", "8e-06"]
    assert set(quotes["observed_at"]) == {datetime(2025, 12, 29, 12, 34, 12, 780647)}


def entry(price: float, **more: object) -> str:
    figures = {"input_cost_per_token": price, "output_cost_per_token": price}
    return json.dumps({"litellm_provider": "p", "mode": "chat", **figures, **more})


def test_an_entry_given_twice_with_the_same_figures_counts_once():
    found = parse(
        capture(f'{{"m":{entry(1e-6)},"m":{entry(1e-6, x=1)},"n":{entry(2e-6)}}}'.encode())
    )
    assert found.quotes["listing_id"].to_list() == ["m", "m", "n", "n"]
    assert found.rejections["reason"].to_list() == ["DUPLICATE_LISTING"]


def test_an_entry_given_twice_with_other_figures_has_no_price():
    found = parse(capture(f'{{"m":{entry(1e-6)},"m":{entry(2e-6)},"n":{entry(1e-6)}}}'.encode()))
    assert found.quotes.filter(pl.col("listing_id") == "m")["status"].to_list() == ["unknown"] * 2
    assert "AMBIGUOUS_LISTING" in found.rejections["reason"].to_list()


HISTORIES = {
    "a fall from 10/40 to 2/8": (
        [(7, "o3", "openai", "chat", "ok", 1e-05, 4e-05),
         (14, "o3", "openai", "chat", "ok", 2e-06, 8e-06)],
        [(7, "openai", "IN", "1e-05", "offered"), (7, "openai", "OUT", "4e-05", "offered"),
         (14, "openai", "IN", "2e-06", "offered"), (14, "openai", "OUT", "8e-06", "offered")],
    ),
    "a deletion takes the provider of the earlier row": (
        [(1, "m", "p", "chat", "ok", 1e-06, 1e-06), (2, "m", None, None, "deleted", None, None)],
        [(1, "p", "IN", "1e-06", "offered"), (1, "p", "OUT", "1e-06", "offered"),
         (2, "p", "IN", None, "withdrawn"), (2, "p", "OUT", None, "withdrawn")],
    ),
    "a deletion does not take the provider of another model": (
        [(1, "m", "p", "chat", "ok", 1e-06, 1e-06), (2, "n", None, "chat", "ok", 1e-06, 1e-06)],
        [(1, "p", "IN", "1e-06", "offered"), (1, "p", "OUT", "1e-06", "offered")],
    ),
    "a model that moves is withdrawn where it was": (
        [(1, "m", "p", "chat", "ok", 1e-06, 1e-06), (2, "m", "q", "chat", "ok", 2e-06, 2e-06)],
        [(1, "p", "IN", "1e-06", "offered"), (1, "p", "OUT", "1e-06", "offered"),
         (2, "p", "IN", None, "withdrawn"), (2, "p", "OUT", None, "withdrawn"),
         (2, "q", "IN", "2e-06", "offered"), (2, "q", "OUT", "2e-06", "offered")],
    ),
    "a model that stops selling text becomes unknown": (
        [(1, "m", "p", "chat", "ok", 1e-06, 1e-06), (2, "m", "p", "embedding", "ok", 2e-06, 0.0)],
        [(1, "p", "IN", "1e-06", "offered"), (1, "p", "OUT", "1e-06", "offered"),
         (2, "p", "IN", None, "unknown"), (2, "p", "OUT", None, "unknown")],
    ),
    "another mode is never quoted": ([(1, "m", "p", "embedding", "ok", 2e-06, 0.0)], []),
    "a row without any provider is never quoted": ([(1, "m", None, None, "ok", 1e-06, 1e-06)], []),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), HISTORIES.values(), ids=HISTORIES.keys())
def test_history(rows, expected):
    found = parse_history(capture(history(*rows)))
    schemas.validate(schemas.Quote, found.quotes, "litellm")
    shown = found.quotes.select("observed_at", "provider", "meter", "price_text", "status").rows()
    assert [(at.day, *rest) for at, *rest in shown] == expected


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ((1, "m", None, None, "ok", 1e-06, 1e-06), ["PROVIDER_MISSING"]),
        ((1, "m", "p", "rerank", "ok", 1e-06, 1e-06), ["MODE_NOT_TEXT"]),
        ((1, "m", "p", "chat", "ok", 0.0, 0.0), ["FREE_OFFER", "FREE_OFFER"]),
        ((1, "m", "p", "chat", "ok", None, None), ["PRICE_MISSING"]),
        ((1, "m", "p", None, "deleted", None, None), ["NEVER_QUOTED"]),
    ],
    ids=["no provider", "not text", "free", "no price", "gone before it was priced"],
)
def test_what_is_no_price_is_counted(row, reasons):
    found = parse_history(capture(history(row)))
    schemas.validate(schemas.Rejection, found.rejections, "litellm")
    assert found.rejections["reason"].to_list() == reasons


HOSTILE = {
    "html": b"404: Not Found",
    "a list": b"[]",
    "nothing inside": b"{}",
    "some other object": b'{"error":{"message":"x"}}',
    "an entry that is a word": b'{"m":"x","n":{"input_cost_per_token":1}}',
    "nan": b'{"m":{"input_cost_per_token":NaN}}',
    "nan behind a repeated key": b'{"m":{},"m":{},"n":{"input_cost_per_token":NaN}}',
    "nan after a repeated field": (b'{"m":{"x":1,"x":2},"n":{"input_cost_per_token":NaN}}'),
    "a wrapper without a time": b'{"fetched_at":"soon","data":{"m":{"input_cost_per_token":1}}}',
    "a wrapper without an offset": (
        b'{"fetched_at":"2025-12-29T12:00:00","data":{"m":{"input_cost_per_token":1}}}'
    ),
    "a wrapper of the year 25": (
        b'{"fetched_at":"0025-12-29T12:00:00Z","data":{"m":{"input_cost_per_token":1}}}'
    ),
    "a number of a thousand digits": b'{"m":{"input_cost_per_token":' + b"1" * 1000 + b"}}",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body):
    with pytest.raises(ParseError, match="litellm"):
        parse(capture(body))


@pytest.mark.parametrize(
    "body",
    [b"PAR1", history((1, "m", "p", "chat", "moved", 1e-06, 1e-06))],
    ids=["cut off", "a status nobody knows"],
)
def test_a_table_that_is_something_else_is_an_error(body):
    with pytest.raises(ParseError, match="litellm"):
        parse_history(capture(body))


@pytest.mark.parametrize("price", [3.222545273290063e197, 1e-40])
def test_a_binary_figure_gone_astray_is_no_price(price: float) -> None:
    body = history((1, "m", "p", "chat", "ok", price, 2e-06))
    found = parse_history(capture(body))
    rows = found.quotes.select("meter", "price_text", "status").rows()
    assert rows == [("IN", None, "unknown"), ("OUT", "2e-06", "offered")]
    assert found.rejections["reason"].to_list() == ["NOT_A_NUMBER"]


@pytest.mark.parametrize("name", [" ", "gp\u200bt"])
def test_a_model_without_a_readable_name_is_refused(name: str) -> None:
    found = parse_history(capture(history((1, name, "p", "chat", "ok", 1e-06, 2e-06))))
    assert found.quotes.is_empty()
    assert found.rejections["reason"].to_list() == ["MALFORMED_ROW"]
