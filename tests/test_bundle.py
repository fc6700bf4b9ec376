"""The bundled history: its reader, its change rows, its committed bytes."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from collectors.base import Capture
from collectors.bundled import (
    columns_of,
    merge,
    moment_text,
    parse_bundled,
    read_manifest,
)
from index.bundle import build_bundle, render
from index.bundle_rows import body_diff, change_rows
from methodology import register, schemas
from methodology.errors import ParseError, UsageError

BUNDLED = Path(__file__).parents[1] / "data" / "bundled"
DIGEST = "a" * 64
QUOTE = (
    "models_dev,zai,glm-5,IN,1.0,per_mtok,USD,,on_demand,,,,,,,false,offered,"
    f"2026-08-12T00:00:00Z,E4,{DIGEST},glm-5,MIT"
)
FIELDS = columns_of("quotes")


def capture(text: str) -> Capture:
    return Capture("bundle", "table.csv", text.encode(), datetime(2026, 11, 20, tzinfo=UTC))


def table(*lines: str) -> Capture:
    return capture("\n".join([",".join(FIELDS), *lines]) + "\n")


def changed(**fields: str) -> str:
    row = dict(zip(FIELDS, QUOTE.split(","), strict=True)) | fields
    return ",".join(row[name] for name in FIELDS)


def payloads() -> Path:
    fallback = Path(__file__).parents[2] / "shared" / "payloads"
    folder = Path(os.environ.get("SPOTFIX_PAYLOADS", fallback))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip("captured bodies are not here; set SPOTFIX_PAYLOADS")
    return folder


def test_a_price_row_keeps_its_source_digest_and_verbatim_figure() -> None:
    parsed = parse_bundled(table(QUOTE))
    (row,) = parsed.quotes.rows(named=True)
    assert row["source"] == "models_dev"
    assert row["price_text"] == "1.0"
    assert row["observed_at"] == datetime(2026, 8, 12)
    assert row["capture_sha256"] == DIGEST
    assert row["region"] is None
    assert row["tax_included"] is None
    assert parsed.rejections.is_empty()


def test_milliseconds_survive() -> None:
    parsed = parse_bundled(table(changed(observed_at="2026-07-05T23:04:21.768Z")))
    assert parsed.quotes["observed_at"].to_list() == [datetime(2026, 7, 5, 23, 4, 21, 768000)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"observed_at": "2026-08-12T00:00:00"}, "MALFORMED_ROW", id="time_without_z"),
        pytest.param({"observed_at": "2026-02-30T00:00:00Z"}, "MALFORMED_ROW", id="no_such_day"),
        pytest.param({"observed_at": ""}, "MALFORMED_ROW", id="time_missing"),
        pytest.param({"meter": "INPUT"}, "MALFORMED_ROW", id="unknown_meter"),
        pytest.param({"currency": "usd"}, "MALFORMED_ROW", id="lower_case_currency"),
        pytest.param({"status": "sold"}, "MALFORMED_ROW", id="unknown_status"),
        pytest.param({"gpu_count": "0"}, "MALFORMED_ROW", id="no_gpus"),
        pytest.param({"gpu_count": "1.5"}, "MALFORMED_ROW", id="half_a_gpu"),
        pytest.param({"gpu_count": "-8"}, "MALFORMED_ROW", id="negative_gpus"),
        pytest.param({"window_start_min": "11520"}, "MALFORMED_ROW", id="minute_after_sunday"),
        pytest.param({"is_official_date": "no"}, "MALFORMED_ROW", id="no_is_no_truth_value"),
        pytest.param({"tax_included": "maybe"}, "MALFORMED_ROW", id="maybe_is_no_truth_value"),
        pytest.param({"capture_sha256": "abc"}, "MALFORMED_ROW", id="short_digest"),
        pytest.param({"provider": ""}, "MALFORMED_ROW", id="no_seller"),
        pytest.param({"price_text": ""}, "PRICE_MISSING", id="offer_without_price"),
        pytest.param({"status": "withdrawn"}, "PRICE_NOT_OFFERED", id="price_of_nothing"),
    ],
)
def test_a_bad_row_is_refused_and_the_good_one_beside_it_kept(
    fields: dict[str, str], reason: str
) -> None:
    parsed = parse_bundled(table(changed(**fields), QUOTE))
    assert parsed.rejections["reason"].to_list() == [reason]
    assert parsed.rejections["detail"][0].startswith("line 2: ")
    assert parsed.quotes.height == 1


def test_a_row_twice_counts_once() -> None:
    parsed = parse_bundled(table(QUOTE, QUOTE))
    assert parsed.quotes.height == 1
    assert parsed.rejections["reason"].to_list() == ["DUPLICATE_ROW"]
    assert parsed.seen == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "COLUMNS", id="empty_body"),
        pytest.param("date,price\n2026-08-12,1\n", "COLUMNS", id="another_table"),
        pytest.param(",".join(FIELDS[::-1]) + "\n", "COLUMNS", id="columns_in_another_order"),
        pytest.param(",".join(FIELDS) + f"\n{QUOTE},more\n", "NOT_CSV", id="a_field_too_many"),
    ],
)
def test_a_body_of_another_shape_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_bundled(capture(text))
    assert caught.value.reason == reason


def test_volumes_and_rates_have_their_own_layouts() -> None:
    volume = (
        "openrouter_activity,z-ai/glm-5,prompt,12,2026-07-01,2026-07-02,"
        f"2026-08-08T15:31:24Z,{DIGEST},glm-5,CC-BY-4.0"
    )
    parsed = parse_bundled(capture(",".join(columns_of("volumes")) + f"\n{volume}\n"))
    assert parsed.volumes["quantity"].to_list() == [12]
    rate = f"ecb,EUR,USD,1.0537,2023-11-01,{DIGEST},ECB"
    parsed = parse_bundled(capture(",".join(columns_of("rates")) + f"\n{rate}\n"))
    assert parsed.rates["rate_text"].to_list() == ["1.0537"]


MANIFEST: dict[str, Any] = {
    "schema": "bundle/1.0",
    "files": [
        {
            "file": "a.csv",
            "source": "aws_history",
            "kind": "gpus",
            "mode": "history",
            "coverage": [["2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"]],
            "captures": [],
            "licence": "Apache-2.0",
            "attribution": "who",
            "origin": "where",
            "rows": 1,
            "sha256": DIGEST,
        }
    ],
}


def manifest(**fields: Any) -> bytes:
    entry = MANIFEST["files"][0] | fields
    return json.dumps({"schema": MANIFEST["schema"], "files": [entry]}).encode()


def test_a_manifest_gives_spans_and_licences() -> None:
    found = read_manifest(manifest())
    assert found.spans().rows() == [
        ("aws_history", "history", datetime(2026, 7, 1), datetime(2026, 7, 2))
    ]
    assert found.licences().rows() == [("aws_history", "Apache-2.0")]
    assert found.captures().is_empty()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="not_json"),
        pytest.param(b"[]", id="not_an_object"),
        pytest.param(manifest().replace(b"bundle/1.0", b"bundle/9"), id="another_schema"),
        pytest.param(manifest(note="x"), id="unknown_key"),
        pytest.param(manifest(mode="daily"), id="unknown_mode"),
        pytest.param(manifest(kind="shares"), id="unknown_kind"),
        pytest.param(manifest(rows="1"), id="rows_as_text"),
        pytest.param(manifest(sha256="A" * 64), id="upper_case_digest"),
        pytest.param(
            manifest(coverage=[["2026-07-02T00:00:00Z", "2026-07-01T00:00:00Z"]]),
            id="interval_runs_backwards",
        ),
        pytest.param(manifest(captures=["2026-07-02"]), id="capture_time_without_hour"),
        pytest.param(
            json.dumps(MANIFEST | {"files": MANIFEST["files"] * 2}).encode(), id="file_named_twice"
        ),
    ],
)
def test_a_bad_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError, match=r"rebuild|NOT_JSON"):
        read_manifest(body)


def test_touching_intervals_become_one() -> None:
    day = [datetime(2026, 7, n) for n in range(1, 6)]
    assert merge([(day[2], day[3]), (day[0], day[1]), (day[1], day[2])]) == [(day[0], day[3])]
    assert merge([(day[0], day[1]), (day[2], day[3])]) == [(day[0], day[1]), (day[2], day[3])]


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 7, 5, 23, 4, 21), "2026-07-05T23:04:21Z"),
        (datetime(2026, 7, 5, 23, 4, 21, 818000), "2026-07-05T23:04:21.818Z"),
        (datetime(2026, 7, 5, 23, 4, 21, 818001), "2026-07-05T23:04:21.818001Z"),
    ],
)
def test_times_are_written_as_short_as_they_are_exact(at: datetime, text: str) -> None:
    assert moment_text(at) == text


def quotes(*rows: tuple[str, int, str]) -> pl.DataFrame:
    """(listing, day of July, price) as quotes with an instrument."""
    told = [
        {
            "source": "aws_history",
            "provider": "aws",
            "listing_id": listing,
            "meter": "GPU_H",
            "price_text": price,
            "quoted_unit": "per_instance_hour",
            "currency": "USD",
            "tenor": "on_demand",
            "region": "us-east-1",
            "is_official_date": False,
            "status": "offered",
            "observed_at": datetime(2026, 7, day),
            "tier": "E4",
            "capture_sha256": DIGEST,
        }
        for listing, day, price in rows
    ]
    return schemas.frame(schemas.Quote, told).with_columns(pl.lit("H").alias("instrument_id"))


def test_full_tables_become_the_rows_at_which_something_changed() -> None:
    """Four tables, 1 to 4 July: p5 falls on the 3rd; p4 is missing on the 2nd and 3rd."""
    rows = quotes(
        *[("p5", 1, "98.32"), ("p5", 2, "98.32"), ("p5", 3, "55.04"), ("p5", 4, "55.04")],
        *[("p4", 1, "32.77"), ("p4", 4, "32.77")],
    )
    moments = pl.Series([datetime(2026, 7, day) for day in (1, 2, 3, 4)]).dt.cast_time_unit("us")
    found = change_rows(rows, moments)
    told = [
        (r["listing_id"], r["observed_at"].day, r["status"], r["price_text"])
        for r in found.sort("listing_id", "observed_at").iter_rows(named=True)
    ]
    assert told == [
        ("p4", 1, "offered", "32.77"),
        ("p4", 2, "withdrawn", None),
        ("p4", 4, "offered", "32.77"),
        ("p5", 1, "offered", "98.32"),
        ("p5", 3, "offered", "55.04"),
    ]
    assert found["instrument_id"].null_count() == 0


def test_a_body_ends_what_it_no_longer_holds() -> None:
    known = quotes(("p5", 1, "98.32"), ("p4", 1, "32.77"), ("p3", 1, "24.48"))
    cheap = quotes(("p4", 1, "0.1")).with_columns(pl.lit("spot").alias("tenor"))
    body = quotes(("p5", 9, "98.32"), ("p4", 9, "32.77"))
    found = body_diff(pl.concat([known, cheap]), body)
    told = [(r["listing_id"], r["tenor"], r["status"]) for r in found.iter_rows(named=True)]
    assert told == [("p3", "on_demand", "withdrawn"), ("p4", "spot", "unknown")]
    assert found["price_text"].null_count() == 2
    assert found["observed_at"].unique().to_list() == [datetime(2026, 7, 9)]
    gone = known.with_columns(pl.lit("withdrawn").alias("status"))
    assert body_diff(gone, quotes(("p9", 9, "1"))).is_empty()


def test_a_text_that_would_need_quotes_is_not_written() -> None:
    rows = quotes(("p5,large", 1, "98.32")).with_columns(pl.lit("MIT").alias("licence_id"))
    with pytest.raises(ValueError, match="p5,large"):
        render(rows, "quotes")


def test_missing_bodies_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"models_dev_changes\.parquet"):
        build_bundle(tmp_path, tmp_path / "out")


COMMITTED = read_manifest((BUNDLED / "MANIFEST.json").read_bytes())
NAMES = [entry.file for entry in COMMITTED.files]


@pytest.mark.parametrize("entry", COMMITTED.files, ids=NAMES)
def test_committed_tables_are_those_of_the_manifest(entry: Any) -> None:
    body = (BUNDLED / entry.file).read_bytes()
    assert hashlib.sha256(body).hexdigest() == entry.sha256
    assert b"\r" not in body
    parsed = parse_bundled(capture(body.decode()))
    assert parsed.rejections.is_empty()
    assert parsed.seen == entry.rows
    assert parsed.seen == body.count(b"\n") - 1
    frame = pl.concat([parsed.quotes["source"], parsed.volumes["source"], parsed.rates["source"]])
    assert frame.unique().to_list() == [entry.source]


def test_the_bundle_is_text_and_small() -> None:
    files = sorted(file.name for file in BUNDLED.iterdir())
    assert files == sorted([*NAMES, "MANIFEST.json"])
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) < 10_000_000


@pytest.mark.parametrize("entry", COMMITTED.files, ids=NAMES)
def test_prices_lie_inside_the_coverage_they_claim(entry: Any) -> None:
    if entry.kind not in ("tokens", "gpus"):
        pytest.skip("volumes and rates carry their own periods")
    parsed = parse_bundled(capture((BUNDLED / entry.file).read_text("utf-8")))
    # a row of a snapshot may have been read up to 26 h before the body that carried it
    slack = pl.duration(hours=26 if entry.mode == "snapshot" else 0)
    inside = pl.any_horizontal(
        (pl.col("observed_at") >= pl.lit(start) - slack) & (pl.col("observed_at") < end)
        for start, end in entry.coverage
    )
    assert parsed.quotes.filter(~inside).is_empty()


def test_every_row_is_mapped_as_the_registers_map_it() -> None:
    lines = register.listing_map()
    for name in NAMES:
        rows = pl.read_csv(BUNDLED / name, infer_schema=False)
        if "listing_id" not in rows.columns:
            continue
        told = rows.select("source", "provider", "listing_id", "instrument_id").unique()
        exact = told.join(
            lines,
            left_on=told.columns,
            right_on=["source", "spelling", "listing_id", "instrument_id"],
        )
        anyone = told.join(
            lines.filter(pl.col("spelling") == "*"),
            on=["source", "listing_id", "instrument_id"],
        )
        assert exact.height + anyone.height == told.height


def figures(name: str, **fields: str) -> list[tuple[str | None, str, str]]:
    rows = pl.read_csv(BUNDLED / name, infer_schema=False)
    rows = rows.filter(pl.all_horizontal(pl.col(k) == v for k, v in fields.items()))
    return rows.select("price_text", "status", "observed_at").sort("observed_at").rows()


def test_the_price_cut_of_june_2025_stands_in_the_aws_table() -> None:
    """p5.48xlarge in us-east-1: 98.32 USD at launch, 55.04 since the cut announced that June."""
    assert figures("gpus_aws.csv", listing_id="p5.48xlarge") == [
        ("98.32", "offered", "2023-08-08T00:00:00Z"),
        ("55.04", "offered", "2025-06-23T00:00:00Z"),
    ]


def test_a_listing_gone_from_the_last_body_is_withdrawn() -> None:
    """W&B lists no Kimi K2.5 on 2026-08-12 (read in the body); it sold it before."""
    found = figures(
        "tokens_models_dev.csv", provider="wandb", listing_id="moonshotai/Kimi-K2.5", meter="OUT"
    )
    assert found[-1] == (None, "withdrawn", "2026-08-12T00:00:00Z")
    assert found[0][1] == "offered"


def test_routers_stay_visible() -> None:
    rows = pl.read_csv(BUNDLED / "tokens_models_dev.csv", infer_schema=False)
    assert rows.filter(pl.col("provider") == "openrouter").height > 0


def test_the_same_bodies_give_the_same_bytes(tmp_path: Path) -> None:
    report = build_bundle(payloads(), tmp_path)
    for name in [*NAMES, "MANIFEST.json"]:
        assert (tmp_path / name).read_bytes() == (BUNDLED / name).read_bytes(), name
    assert [told[0] for told in report.files] == NAMES
    assert report.total_bytes == sum(file.stat().st_size for file in BUNDLED.iterdir())
