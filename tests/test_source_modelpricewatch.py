"""Model Price Watch: the list and its daily history. Figures read from the files by eye."""

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.tokens.modelpricewatch import SOURCE, parse, parse_panel_csv
from methodology import schemas
from methodology.errors import ParseError

HERE = Path(__file__).parent / "payloads" / "modelpricewatch"
HOME = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "payloads"
)
HEADER = (
    "model_id,model,provider,date,event,source,input_per_mtok,output_per_mtok,cached_input_per_mtok"
)
NEW_YEAR = datetime(2027, 1, 1)


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, SOURCE.url, body, datetime(2026, 8, 22, 9, 0, tzinfo=UTC))


def listed(**changes: object) -> bytes:
    one = {
        "id": "groq-gpt-oss-120b",
        "provider": "Groq",
        "category": "fast",
        "status": "Current",
        "input_per_mtok": 0.15,
        "output_per_mtok": 0.6,
        "cached_input_per_mtok": None,
    }
    return json.dumps([{**one, **changes}]).encode()


def days(*rows: str) -> bytes:
    return "\n".join((HEADER, *rows)).encode()


def test_the_list_gives_what_is_on_sale():
    found = parse(capture((HERE / "2026-08-22.json").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "modelpricewatch")
    schemas.validate(schemas.Rejection, found.rejections, "modelpricewatch")
    shown = ("listing_id", "meter", "price_text", "effective_to", "status")
    assert found.quotes.select(shown).rows() == [
        ("01ai-yi-large", "IN", None, None, "withdrawn"),
        ("01ai-yi-large", "OUT", None, None, "withdrawn"),
        # peak prices of a tariff by hours
        ("deepseek-v4-pro", "IN", None, None, "unknown"),
        ("deepseek-v4-pro", "OUT", None, None, "unknown"),
        ("deepseek-v4-pro", "CIN", None, None, "unknown"),
        ("google-gemini-3-7-flash", "IN", "0.75", NEW_YEAR, "offered"),
        ("google-gemini-3-7-flash", "OUT", "3.75", NEW_YEAR, "offered"),
        ("google-gemini-3-7-flash", "CIN", "0.075", NEW_YEAR, "offered"),
        ("groq-gpt-oss-120b", "IN", "0.15", None, "offered"),
        ("groq-gpt-oss-120b", "OUT", "0.6", None, "offered"),
        ("zhipu-glm-4-7-flash", "IN", None, None, "unknown"),
        ("zhipu-glm-4-7-flash", "OUT", None, None, "unknown"),
        ("zhipu-glm-4-7-flash", "CIN", None, None, "unknown"),
    ]
    assert found.rejections["reason"].to_list() == [
        *["CONDITIONAL_TARIFF"] * 3,
        "MODE_NOT_TEXT",
        *["FREE_OFFER"] * 3,
    ]


def test_the_history_gives_each_day_seen():
    found = parse_panel_csv(capture((HERE / "2026-08-22.history.csv").read_bytes()))
    schemas.validate(schemas.Quote, found.quotes, "modelpricewatch")
    shown = ("listing_id", "meter", "price_text", "status", "observed_at")
    assert found.quotes.select(shown).rows() == [
        ("groq-gpt-oss-120b", "IN", "0.15", "offered", datetime(2025, 8, 11)),
        ("groq-gpt-oss-120b", "OUT", "0.75", "offered", datetime(2025, 8, 11)),
        ("groq-gpt-oss-120b", "IN", "0.15", "offered", datetime(2026, 1, 27)),
        ("groq-gpt-oss-120b", "OUT", "0.6", "offered", datetime(2026, 1, 27)),
        ("ibm-granite-4-h-large", "IN", None, "withdrawn", datetime(2026, 8, 14)),
        ("ibm-granite-4-h-large", "OUT", None, "withdrawn", datetime(2026, 8, 14)),
        ("deepseek-v4-flash", "IN", "0.14", "offered", datetime(2026, 8, 15)),
        ("deepseek-v4-flash", "OUT", "0.28", "offered", datetime(2026, 8, 15)),
        ("deepseek-v4-flash", "CIN", "0.0028", "offered", datetime(2026, 8, 15)),
        # the row calls it a price increase: from here on it shows the price of peak hours
        ("deepseek-v4-flash", "IN", None, "unknown", datetime(2026, 8, 16)),
        ("deepseek-v4-flash", "OUT", None, "unknown", datetime(2026, 8, 16)),
        ("deepseek-v4-flash", "CIN", None, "unknown", datetime(2026, 8, 16)),
    ]
    assert found.rejections["reason"].to_list() == ["CONDITIONAL_TARIFF"] * 3


def test_a_cached_price_that_a_later_day_leaves_out_ends():
    rows = ("m,M,P,2026-08-01,snapshot,,1.0,2.0,0.1", "m,M,P,2026-08-02,snapshot,,1.0,2.0,")
    found = parse_panel_csv(capture(days(*rows)))
    cached = found.quotes.filter(found.quotes["meter"] == "CIN")
    assert cached.select("price_text", "status").rows() == [("0.1", "offered"), (None, "unknown")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "Beta"}, "UNKNOWN_STATUS"),
        ({"promo_until": "end of year"}, "BAD_DATE"),
        ({"price_note": "Off-peak hours cost half."}, "CONDITIONAL_TARIFF"),
        ({"input_per_mtok": None, "output_per_mtok": None}, "PRICE_MISSING"),
        ({"input_per_mtok": "0.15", "output_per_mtok": "0.6"}, "NOT_A_NUMBER"),
        ({"input_per_mtok": 0, "output_per_mtok": 0.0}, "FREE_OFFER"),
        ({"input_per_mtok": -1, "output_per_mtok": -1}, "NEGATIVE_PRICE"),
    ],
    ids=[
        "an unknown status",
        "a promotion without a day",
        "a tariff by hours",
        "null",
        "texts",
        "zero",
        "below zero",
    ],
)
def test_what_is_no_price_ends_the_older_one(changes, reason):
    found = parse(capture(listed(**changes)))
    assert found.quotes.select("meter", "status").rows() == [("IN", "unknown"), ("OUT", "unknown")]
    assert found.rejections["reason"].to_list() == [reason] * 2


@pytest.mark.parametrize(
    "text",
    [b"{}", b"[]", b"[7]", b'[{"id": "m", "input_per_mtok": 1}]', b'[{"id": "openai"}]'],
    ids=["an object", "nothing", "a number", "no provider", "no prices"],
)
def test_a_list_of_another_shape_is_refused(text):
    with pytest.raises(ParseError, match="SHAPE"):
        parse(capture(text))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"a,b\n1,2\n",
        days("m,M,P,August,snapshot,,1,2,"),
        days(",M,P,2026-08-01,snapshot,,1,2,"),
    ],
    ids=["nothing", "other columns", "no day", "no listing"],
)
def test_a_history_of_another_shape_is_refused(text):
    with pytest.raises(ParseError):
        parse_panel_csv(capture(text))


def stored(name: str) -> bytes:
    path = HOME / "tokens" / "modelpricewatch" / name
    if not path.exists():
        pytest.skip(f"{name} is not among the stored bodies")
    return gzip.decompress(path.read_bytes())


@pytest.mark.skipif(not HOME.is_dir(), reason=f"no stored bodies at {HOME}; set SPOTFIX_PAYLOADS")
def test_every_stored_file_is_read():
    text = stored("models.json.gz")
    found = parse(capture(text))
    models = json.loads(text)
    named = {*found.quotes["listing_id"], *found.rejections["listing_id"]}
    assert named == {m["id"] for m in models}
    retired = {m["id"] for m in models if m["status"] == "Retired"}
    gone = found.quotes.filter(found.quotes["status"] == "withdrawn")
    assert set(gone["listing_id"]) == retired - set(found.rejections["listing_id"])
    assert found.rejections["reason"].to_list().count("CONDITIONAL_TARIFF") == 9
    history = stored("price-history.csv.gz")
    days_seen = parse_panel_csv(capture(history))
    told = {*days_seen.quotes["listing_id"]}
    assert told == {line.split(",")[0] for line in history.decode().splitlines()[1:]}
    assert days_seen.quotes.filter(days_seen.quotes["status"] == "withdrawn").height == 4 * 2
    assert parse(capture(stored("providers.json.gz"))).rejections["reason"].to_list() == (
        ["NOT_A_LISTING"] * 32
    )
    assert parse_panel_csv(capture(stored("llm-price-index.csv.gz"))).seen == 61


@pytest.mark.parametrize(
    "day", ["-2026-07-17", "262143-01-01", "0001-01-01"], ids=["below zero", "far off", "year one"]
)
def test_a_year_that_no_price_is_of_is_a_fault(day: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_panel_csv(capture(days(f"a-b,A B,A,{day},launched,list,1,2,")))
    assert caught.value.reason == "SHAPE"


def test_a_history_without_a_row_is_a_fault() -> None:
    with pytest.raises(ParseError) as caught:
        parse_panel_csv(capture(days()))
    assert caught.value.reason == "SHAPE"
