"""Every real GPU body at hand, against figures looked up in the bodies, and the two registers."""

from __future__ import annotations

import gzip
import os
from collections import Counter, defaultdict
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from collectors.gpus import aws_list, azure_retail, gcp_list, gpurentalprices
from methodology.register import load_gpu_providers, load_gpus

ROOT = Path(
    os.environ.get("SPOTFIX_PAYLOADS")
    or Path(__file__).resolve().parents[2] / "shared" / "payloads"
)
real = pytest.mark.skipif(
    not (ROOT / "gpu").is_dir(), reason="real bodies are not here; set SPOTFIX_PAYLOADS"
)
DAYS = (
    sorted(f.name[:10] for f in (ROOT / "gpu/gpurentalprices").glob("*.json.gz"))
    if (ROOT / "gpu").is_dir()
    else []
)


def capture(source: str, name: str) -> Capture:
    body = gzip.decompress((ROOT / "gpu" / name).read_bytes())
    return Capture(source, "file", body, datetime(2026, 9, 1, tzinfo=UTC))


@cache
def day(date: str) -> Parsed:
    return gpurentalprices.parse(capture(gpurentalprices.ID, f"gpurentalprices/{date}.json.gz"))


def prices(date: str, provider: str) -> dict[str, tuple[str, datetime]]:
    rows = day(date).quotes.filter(provider=provider)
    return {
        listing: (price, seen)
        for listing, price, seen in rows.select("listing_id", "price_text", "observed_at").rows()
    }


@real
def test_49_days_of_12472_offers_are_all_accounted_for() -> None:
    assert len(DAYS) == 49
    assert sum(day(date).seen for date in DAYS) == 12472
    refused = Counter(
        pair for date in DAYS for pair in day(date).rejections.select("reason", "provider").rows()
    )
    assert refused == {
        ("DUPLICATE_LISTING", "runpod"): 51,
        ("DUPLICATE_ROW", "runpod"): 1,
        ("CARRIED_FORWARD", "vultr"): 48,
        ("CARRIED_FORWARD", "fireworks"): 15,
        ("MEMORY_CONTRADICTS_NAME", "hyperstack"): 20,
        ("MEMORY_CONTRADICTS_NAME", "runpod"): 7,
        ("MEMORY_CONTRADICTS_NAME", "lambda"): 2,
    }


@real
def test_a_listing_id_is_unique_per_provider_and_day() -> None:
    for date in DAYS:
        assert day(date).quotes.select("provider", "listing_id").is_unique().all(), date


@real
def test_digitalocean_raised_its_plain_h100_and_h200_between_two_reads() -> None:
    before, after = prices("2026-08-01", "digitalocean"), prices("2026-08-02", "digitalocean")
    first = datetime(2026, 8, 1, 7, 38, 51, 275000)
    second = datetime(2026, 8, 2, 7, 41, 40, 769000)
    assert before["h100|80|on-demand"] == ("2.99", first)
    assert after["h100|80|on-demand"] == ("4.41", second)
    assert before["h200|141|on-demand"] == ("3.44", first)
    assert after["h200|141|on-demand"] == ("4.47", second)


@real
def test_the_panel_grew_on_2026_07_20_and_no_matched_row_changed() -> None:
    def h100(date: str) -> dict[tuple[str, str], str]:
        rows = day(date).quotes.filter(
            pl.col("listing_id").str.contains(r"^h100(-sxm)?\|80\|(on-demand|secure)$")
        )
        return {(p, i): t for p, i, t in rows.select("provider", "listing_id", "price_text").rows()}

    before, after = h100("2026-07-19"), h100("2026-07-20")
    assert (len(before), len(after)) == (17, 24)
    assert {key: after[key] for key in before} == before


@real
def test_rows_ten_days_old_under_a_new_date_are_refused() -> None:
    refused = day("2026-07-17").rejections.filter(reason="CARRIED_FORWARD")
    assert refused["provider"].unique().to_list() == ["vultr"]
    assert "2026-07-08T14:15:12.452Z" in refused["detail"][0]


@real
def test_prices_are_per_gpu_on_every_day() -> None:
    # A flip to per-instance prices would multiply 8-GPU rows by eight from one day to the next.
    for provider, listing, figure in (
        ("coreweave", "h100|80|on-demand", "6.155"),
        ("massedcompute", "h100-sxm|80|on-demand", "3.14"),
    ):
        seen = {prices(d, provider).get(listing, (figure,))[0] for d in DAYS if d > "2026-07-06"}
        assert seen == {figure}


@real
def test_the_aws_mirror_falls_from_98_32_to_55_04() -> None:
    found = aws_list.parse_history(capture(aws_list.HISTORY_ID, "aws_gpu_history_us-east-1.csv.gz"))
    assert (found.seen, found.quotes.height) == (4678, 3988)
    assert found.rejections["reason"].unique().to_list() == ["DUPLICATE_LISTING"]
    p5 = found.quotes.filter(listing_id="p5.48xlarge").sort("observed_at")
    assert p5["price_text"].unique(maintain_order=True).to_list() == ["98.32", "55.04"]
    assert p5.filter(price_text="55.04")["observed_at"].min() == datetime(2025, 6, 23)
    p4 = found.quotes.filter(listing_id="p4d.24xlarge").sort("observed_at")
    assert p4["price_text"].unique(maintain_order=True).to_list() == ["32.7726", "21.957642"]


@real
def test_the_azure_mirror_has_a_row_per_region_machine_and_date() -> None:
    found = azure_retail.parse_history(capture(azure_retail.HISTORY_ID, "azure_gpu_history.csv.gz"))
    assert (found.quotes.height, found.rejections.height) == (8198, 0)
    h200 = found.quotes.filter(listing_id="Standard_ND96isr_H200_v5", region="westus3")
    assert h200["price_text"].to_list() == ["118.0", "84.8", "84.8", "84.8", "84.8"]


@real
def test_the_google_mirror_has_an_on_demand_and_most_a_spot_price() -> None:
    found = gcp_list.parse_history(capture(gcp_list.HISTORY_ID, "gcp_gpu_history.csv.gz"))
    assert found.rejections.is_empty()
    assert dict(found.quotes["tenor"].value_counts().rows()) == {
        "on_demand": 169249,
        "spot": 169249 - 21299,
    }
    ultra = found.quotes.filter(
        listing_id="a2-ultragpu-8g", region="us-central1", tenor="on_demand"
    ).sort("observed_at")
    # The step of 2024-05-21 is local SSD entering the mirror's sum, not a price change.
    assert ultra["price_text"].unique(maintain_order=True).to_list() == [
        "32.26824",
        "40.221616",
        "40.5503831232877",
    ]


@real
@pytest.mark.parametrize(
    ("name", "kept", "refused"),
    [
        (
            "2026-07-27_azure_retail_eastus_nd.json.gz",
            ["98.32", "6.554", "5.98334", "88.488"],
            {"RESERVATION_TOTAL": 2, "NOT_LINUX": 2, "NOT_CONSUMPTION": 2},
        ),
        (
            "2026-08-16_azure_westeurope.json.gz",
            ["132.232", "119.45", "21.258283", "146.488", "6.98"],
            {"RESERVATION_TOTAL": 1, "NOT_GPU": 1},
        ),
    ],
)
def test_azure_pages(name: str, kept: list[str], refused: dict[str, int]) -> None:
    found = azure_retail.parse(capture(azure_retail.ID, f"fixtures_live_shape/{name}"))
    assert found.quotes["price_text"].to_list() == kept
    assert Counter(found.rejections["reason"]) == refused


def test_no_line_admits_a_hyperscaler_from_a_mirror_or_calls_plain_h100_sxm() -> None:
    for line in load_gpus():
        if line.source == "gpurentalprices":
            assert line.provider not in {"aws", "azure", "gcp", "*"}, line
            assert "serverless" not in line.listing, line
            key = line.listing.split("|")[0]
            if key in {"h100", "h200", "b200", "a100"}:
                assert line.instrument.endswith("-ANY"), line
        else:
            assert line.gpu_count, line


def test_each_line_names_a_registered_seller() -> None:
    known = {
        (source, name)
        for seller in load_gpu_providers()
        for source, names in seller.spellings.items()
        for name in names
    }
    assert {(line.source, line.provider) for line in load_gpus()} <= known


@pytest.mark.parametrize(
    ("source", "listing", "instrument", "gpus"),
    [
        ("aws_list", "p5.48xlarge", "H100-SXM-80", 8),
        ("aws_list", "p5.4xlarge", "H100-SXM-80", 1),
        ("aws_list", "p5en.48xlarge", "H200-SXM-141", 8),
        ("aws_list", "p6-b200.48xlarge", "B200-SXM-180", 8),
        ("aws_history", "p4de.24xlarge", "A100-SXM-80", 8),
        ("aws_history", "p4d.24xlarge", "A100-SXM-40", 8),
        ("azure_retail", "Standard_ND96isr_H100_v5", "H100-SXM-80", 8),
        ("azure_retail", "Standard_NC40ads_H100_v5", "H100-NVL-94", 1),
        ("azure_history", "Standard_NC48ads_A100_v4", "A100-PCIE-80", 2),
        ("gcp_list", "a3-megagpu-8g", "H100-SXM-80", 8),
        ("gcp_history", "a2-megagpu-16g", "A100-SXM-40", 16),
    ],
)
def test_a_machine_maps_to_its_good(source: str, listing: str, instrument: str, gpus: int) -> None:
    found = [
        (line.instrument, line.gpu_count)
        for line in load_gpus()
        if (line.source, line.listing) == (source, listing)
    ]
    assert found == [(instrument, gpus)]


def test_the_google_shapes_and_the_register_agree_on_gpus() -> None:
    lines = {line.listing: line.gpu_count for line in load_gpus() if line.source == "gcp_list"}
    assert lines == {name: shape.gpu_count for name, shape in gcp_list.SHAPES.items()}


@real
def test_every_seller_in_the_bodies_is_registered() -> None:
    known = {n for s in load_gpu_providers() for n in s.spellings.get("gpurentalprices", ())}
    seen = {name for date in DAYS for name in day(date).quotes["provider"]}
    refused = {name for date in DAYS for name in day(date).rejections["provider"]}
    assert seen | refused == known
    assert len(seen) == 34


@real
def test_neocloud_groups_per_day() -> None:
    groups = {
        name: seller.group
        for seller in load_gpu_providers()
        if seller.provider_class == "NEO"
        for name in seller.spellings.get("gpurentalprices", ())
    }
    goods = {
        (line.provider, line.listing): line.instrument
        for line in load_gpus()
        if line.source == "gpurentalprices"
    }
    wanted = ("H100-SXM-80", "H100-ANY", "H200-ANY", "B200-ANY", "A100-SXM-80")
    counts = {}
    for date in DAYS:
        panel = defaultdict(set)
        rows = day(date).quotes.filter(tenor="on_demand").select("provider", "listing_id").rows()
        for provider, listing in rows:
            if provider in groups and (provider, listing) in goods:
                panel[goods[provider, listing]].add(groups[provider])
        counts[date] = tuple(len(panel[name]) for name in wanted)
    assert counts["2026-07-19"] == (6, 6, 8, 7, 6)
    assert {counts[d] for d in DAYS if "2026-07-20" <= d <= "2026-07-25"} == {(6, 9, 10, 8, 6)}
    assert {counts[d] for d in DAYS if d >= "2026-07-26"} == {(6, 10, 11, 8, 6)}


@real
def test_most_bodies_are_written_in_the_morning_utc() -> None:
    last = [day(date).quotes["observed_at"].max() for date in DAYS]
    times = [moment.time() for moment in last if isinstance(moment, datetime)]
    assert len(times) == 49
    assert min(times) > time(5, 30)
    assert sum(moment < time(11) for moment in times) == 43
