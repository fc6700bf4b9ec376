"""Every stored body of the token, volume and currency sources is read without an exception.

The bodies are not part of the repository. They are looked for in ``SPOTFIX_PAYLOADS`` or beside
the checkout; without them these tests are skipped. Row counts are compared with a second, naive
count of the same body, made here with the standard library; figures were read by eye.
"""

import csv
import gzip
import io
import json
import os
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Source
from collectors.fx import ecb
from collectors.tokens import (
    genai_prices,
    litellm,
    models_dev,
    openrouter_endpoints,
    openrouter_models,
)
from collectors.volumes import openrouter_activity
from methodology import schemas

HOME = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parent.parent.parent / "shared" / "payloads"
)
pytestmark = pytest.mark.skipif(
    not HOME.is_dir(), reason=f"no stored bodies at {HOME}; set SPOTFIX_PAYLOADS"
)

VARIANT = ("FREE_VARIANT", "BATCH_VARIANT", "MOVING_ALIAS")


def bodies(folder: str, pattern: str = "*.gz") -> list[Path]:
    return sorted((HOME / folder).glob(pattern))


def read(path: Path) -> bytes:
    if not path.exists():
        pytest.skip(f"{path.name} is not among the stored bodies")
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def capture(source: Source, body: bytes) -> Capture:
    return Capture(source.id, source.url, body, datetime(2026, 11, 20, tzinfo=UTC))


def check(parsed) -> None:
    for model, rows in (
        (schemas.Quote, parsed.quotes),
        (schemas.Volume, parsed.volumes),
        (schemas.Rate, parsed.rates),
        (schemas.Rejection, parsed.rejections),
    ):
        if not rows.is_empty():
            schemas.validate(model, rows, "stored body")
    offered = parsed.quotes.filter(pl.col("status") == "offered")
    assert offered["price_text"].null_count() == 0
    assert parsed.quotes.filter(pl.col("status") != "offered")["price_text"].drop_nulls().len() == 0


def count(parsed, *reasons: str) -> int:
    return parsed.rejections.filter(pl.col("reason").is_in(reasons)).height


def one(quotes: pl.DataFrame, listing: str, meter: str, **more: object) -> list[str | None]:
    chosen = (pl.col("listing_id") == listing) & (pl.col("meter") == meter)
    for name, value in more.items():
        chosen &= pl.col(name) == value
    return quotes.filter(chosen)["price_text"].to_list()


@pytest.mark.parametrize("path", bodies("tokens/genai_prices"), ids=lambda p: p.name)
def test_genai_prices(path):
    body = read(path)
    found = genai_prices.parse(capture(genai_prices.SOURCE, body))
    check(found)
    figures = converted = 0
    for provider in json.loads(body):
        for model in provider.get("models", [provider]):
            name = (
                provider.get("id", provider.get("provider")),
                model.get("id", model.get("model")),
            )
            if {(name[0], ""), name} & genai_prices.CONVERTED:
                converted += 1
                continue
            prices = model["prices"]
            for entry in prices if isinstance(prices, list) else [{"prices": prices}]:
                figures += sum(
                    entry["prices"].get(f) is not None
                    for f in ("input_mtok", "output_mtok", "cache_read_mtok")
                )
    assert found.quotes.height + count(found, "FREE_OFFER", "NEGATIVE_PRICE") == figures
    assert count(found, "CONVERTED_CURRENCY") == converted
    if path.name >= "2025-08":
        assert set(one(found.quotes, "o3", "IN", provider="openai")) == {"10", "2"} or (
            one(found.quotes, "o3", "IN", provider="openai") == ["10.0", "2.0"]
        )


@pytest.mark.parametrize("path", bodies("tokens/openrouter_models"), ids=lambda p: p.name)
def test_openrouter_models(path):
    body = read(path)
    found = openrouter_models.parse(capture(openrouter_models.SOURCE, body))
    check(found)
    models = json.loads(body)["data"]
    refused = count(found, *VARIANT)
    plain = [
        m for m in models if m["id"][0] != "~" and m["id"].split(":")[-1] not in ("free", "batch")
    ]
    assert refused == len(models) - len(plain)
    expected = 0
    for model in plain:
        for field, value in model["pricing"].items():
            if field != "overrides":
                expected += 1
                continue
            expected += sum(1 if "min_prompt_tokens" in o else len(o) - 2 for o in value)
    assert found.quotes.height + found.rejections.height - refused == expected


def test_openrouter_windows_fill_the_day_from_2026_08_17():
    body = read(HOME / "tokens/openrouter_models/2026-08-17.json.gz")
    quotes = openrouter_models.parse(capture(openrouter_models.SOURCE, body)).quotes
    windows = quotes.filter(
        (pl.col("listing_id") == "deepseek/deepseek-v4-pro")
        & (pl.col("meter") == "OUT")
        & pl.col("window_start_min").is_not_null()
    ).select("window_start_min", "window_end_min", "price_text")
    assert windows.rows() == [
        (600, 60, "0.00000198"),
        (60, 240, "0.00000396"),
        (240, 360, "0.00000198"),
        (360, 600, "0.00000396"),
    ]
    assert sum((end - start) % 1440 for start, end, _ in windows.rows()) == 1440


@pytest.mark.parametrize("path", bodies("tokens/openrouter_endpoints_csv"), ids=lambda p: p.name)
def test_openrouter_endpoint_tables(path):
    body = read(path)
    found = openrouter_endpoints.parse_panel_csv(capture(openrouter_endpoints.SOURCE, body))
    check(found)
    expected = 0
    for row in csv.DictReader(io.StringIO(body.decode())):
        other = row["variant"] in ("free", "batch") or row["model_slug"].startswith("~")
        if other or "True" in (row["is_hidden"], row["is_disabled"]):
            expected += 1
        else:
            fields = [k for k in row if k.startswith("price_") and row[k]]
            overrides = json.loads(row["pricing_json"]).get("overrides") or []
            expected += len(fields) + len(overrides)
    assert found.seen == expected
    assert found.quotes["provider"].n_unique() > 60


@pytest.mark.parametrize("path", bodies("tokens/openrouter_endpoints_raw"), ids=lambda p: p.name)
def test_openrouter_endpoint_sections(path):
    found = openrouter_endpoints.parse_panel_raw(capture(openrouter_endpoints.SOURCE, read(path)))
    check(found)
    key = "deepseek/deepseek-v3.2|streamlake/fp8|fp8"
    assert len(one(found.quotes, key, "IN")) == 1


def test_the_table_and_the_raw_sections_of_one_day_agree():
    folder = HOME / "tokens"
    table = read(folder / "openrouter_endpoints_csv/2026-07-17.csv.gz")
    raw = read(folder / "openrouter_endpoints_raw/2026-07-17.model_stats.jsonl.gz")
    shown = ("provider", "listing_id", "meter", "price_text", "region")
    source = openrouter_endpoints.SOURCE
    a = openrouter_endpoints.parse_panel_csv(capture(source, table)).quotes.select(shown).rows()
    b = openrouter_endpoints.parse_panel_raw(capture(source, raw)).quotes.select(shown).rows()
    # one host's tag ("sambanova-turbo") does not follow the rule the table needs
    assert len(a) == len(b)
    assert {row[1] for row in set(a) ^ set(b)} == {
        "meta-llama/llama-3.3-70b-instruct|sambanova-turbo/bf16|bf16",
        "meta-llama/llama-3.3-70b-instruct|sambanova-turbo|bf16",
    }


def test_models_dev_catalogue():
    body = read(HOME / "tokens/models_dev/2026-08-12.api.json.gz")
    found = models_dev.parse(capture(models_dev.SOURCE, body))
    check(found)
    offered = zero = absent = other = 0
    for provider in json.loads(body).values():
        for model in provider["models"].values():
            cost = model.get("cost", {})
            figures = [cost[f] for f in ("input", "output", "cache_read") if f in cost]
            offered += sum(v > 0 for v in figures)
            zero += sum(v == 0 for v in figures)
            absent += sum(f not in cost for f in ("input", "output"))
            other += len(cost) - len(figures)
    assert found.quotes.filter(pl.col("status") == "offered").height == offered
    assert count(found, "FREE_OFFER") == zero
    assert count(found, "PRICE_MISSING") == absent
    assert found.quotes.filter(pl.col("status") == "unknown").height == zero + absent
    assert count(found, "NOT_A_MEASURED_METER", "CONTEXT_BRACKET") == other
    assert one(found.quotes, "o3", "OUT", provider="openai") == ["8"]


def test_models_dev_history():
    body = read(HOME / "tokens/models_dev_changes.parquet")
    found = models_dev.parse_history(capture(models_dev.SOURCE, body))
    check(found)
    rows = pl.read_parquet(io.BytesIO(body)).rows(named=True)
    assert len(rows) == 12308
    priced = [r for r in rows if r["status"] != "deleted"]
    figures = [r[f] for r in priced for f in ("input", "output", "cache_read")]
    assert found.quotes.filter(pl.col("status") == "offered").height == sum(
        v is not None and v > 0 for v in figures
    )
    assert count(found, "FREE_OFFER") == sum(v == 0 for v in figures)
    assert count(found, "PRICE_INHERITED") == 514
    assert count(found, "PRICE_MISSING") == 537
    assert found.quotes["observed_at"].is_sorted()
    assert one(found.quotes, "o3", "IN", provider="openai") == ["2.0", "2.0"]


@pytest.mark.parametrize("path", bodies("tokens/litellm"), ids=lambda p: p.name)
def test_litellm(path):
    body = read(path)
    found = litellm.parse(capture(litellm.SOURCE, body))
    check(found)
    content = json.loads(body)
    content = content.get("data", content)
    text = [
        e for e in content.values() if e.get("mode") in litellm.MODES and e.get("litellm_provider")
    ]
    whole = len(content) - len(text)
    told = ("SAMPLE_ENTRY", "NOT_A_LISTING", "PROVIDER_MISSING", "MODE_NOT_TEXT")
    assert count(found, *told) == whole
    plain = [e.get(f) for e in text for f in litellm.METERS if "off_peak_pricing" not in e]
    by_hour = [(e, e["off_peak_pricing"]) for e in text if "off_peak_pricing" in e]
    # hours with a zone of their weekdays, or in other words, are refused with all figures
    unread = found.rejections.filter(pl.col("reason") == "BAD_WINDOW")["listing_id"].to_list()
    strange = [content[name]["off_peak_pricing"] for name in unread]
    by_hour = [(e, low) for e, low in by_hour if low not in strange]
    both = [e.get(f) and low.get(f) for e, low in by_hour for f in litellm.METERS]
    offered = found.quotes.filter(
        pl.col("status") == "offered", pl.col("window_start_min").is_null()
    )
    assert offered.height == sum(bool(v) for v in [*plain, *both])
    assert len(unread) <= 3
    assert count(found, "AMBIGUOUS_LISTING") == 0
    if "o3" in content:
        falls = path.name >= "2025-06-14"
        assert one(found.quotes, "o3", "IN") == ["2e-06" if falls else "1e-05"]
        assert one(found.quotes, "o3", "OUT") == ["8e-06" if falls else "4e-05"]


def test_litellm_history():
    body = read(HOME / "tokens/litellm_changes.parquet")
    found = litellm.parse_history(capture(litellm.SOURCE, body))
    check(found)
    rows = pl.read_parquet(io.BytesIO(body)).rows(named=True)
    text = [r for r in rows if r["mode"] in litellm.MODES and r["status"] == "ok"]
    figures = [r[f] for r in text for f in litellm.METERS]
    assert found.quotes.filter(pl.col("status") == "offered").height == sum(
        bool(v) for v in figures
    )
    quotes = found.quotes.filter(pl.col("listing_id") == "o3").filter(pl.col("meter") == "OUT")
    assert quotes.select("observed_at", "price_text").rows()[:2] == [
        (datetime(2025, 6, 7, 23, 59), "4e-05"),
        (datetime(2025, 6, 14, 23, 59), "8e-06"),
    ]


def test_openrouter_activity():
    body = read(HOME / "volume/openrouter_model_activity/model_activity.csv.gz")
    found = openrouter_activity.parse(capture(openrouter_activity.SOURCE, body))
    check(found)
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert found.volumes.height // 4 + found.rejections.height == len(rows) == 22140
    standard = [r for r in rows if r["variant"] == "standard"]
    assert count(found, "PARTIAL_DAY") == sum(r["date"] == "2026-08-08" for r in standard) == 419
    day = found.volumes.filter(
        (pl.col("subject") == "deepseek/deepseek-v4-flash")
        & (pl.col("period_start") == date(2026, 8, 7))
    )
    assert day["quantity"].to_list() == [814944360561, 41980030241, 15936982091, 533008752108]
    assert found.volumes["period_start"].max() == date(2026, 8, 7)


def test_ecb_history():
    body = read(HOME / "fx/eurofxref-hist.zip")
    found = ecb.parse(capture(ecb.SOURCE, body))
    check(found)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        lines = archive.read("eurofxref-hist.csv").decode().splitlines()
    cells = [cell for line in lines[1:] for cell in line.split(",")[1:] if cell]
    assert found.rates.height == sum(cell != "N/A" for cell in cells)
    assert count(found, "NOT_A_RATE", "DUPLICATE_ROW") == 0
    last = found.rates.filter(pl.col("ref_date") == date(2026, 10, 30))
    rates = dict(last.select("quote", "rate_text").rows())
    assert (rates["USD"], rates["CNY"]) == ("1.1172", "7.4326")
