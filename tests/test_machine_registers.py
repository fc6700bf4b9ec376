"""From the sellers' bodies to goods: what one GPU-hour costs, worked out by hand."""

from __future__ import annotations

import polars as pl
import pytest

from collectors import panel
from methodology import register
from methodology.definition import load_methodology
from methodology.eligibility import Registers, normalise
from methodology.rights import load_rights
from tests.machine_lists import capture, small

SOURCES = (
    "akash",
    "digitalocean",
    "jarvislabs",
    "lambda_cloud",
    "oci",
    "scaleway",
    "verda",
    "vultr",
)
LICENCES = pl.DataFrame({"source": SOURCES, "licence_id": ["facts"] * len(SOURCES)})
REGISTERS = Registers(register.provider_map(), register.listing_map(), LICENCES)


@pytest.mark.parametrize(
    ("source_id", "name", "goods"),
    [
        pytest.param(
            "vultr",
            "2026-09-17.plans-metal.json",
            [("B200-ANY", "vultr", "spot", 3_200_000_000)],
            id="25.60 for eight is 3.20",
        ),
        pytest.param(
            "vultr",
            "2025-01-08.plans.json",
            [("A100-80-ANY", "vultr", "on_demand", 2_397_000_000)],
            id="only the whole card counts",
        ),
        pytest.param(
            "digitalocean",
            "2025-08-29.json",
            [
                ("H100-ANY", "digitalocean", "on_demand", 2_990_000_000),
                ("MI300X-192", "digitalocean", "on_demand", 1_990_000_000),
            ],
            id="23.92 and 15.92 for eight; a plain H100 is of no stated form",
        ),
        pytest.param(
            "verda",
            "2026-08-14.json",
            [
                ("H100-SXM-80", "verda", "on_demand", 3_950_000_000),
                ("H100-SXM-80", "verda", "spot", 1_700_000_000),
            ],
            id="one SXM5 card at its own price",
        ),
        pytest.param(
            "jarvislabs",
            "2026-08-14.json",
            [
                ("A100-80-ANY", "jarvislabs", "on_demand", 1_490_000_000),
                ("A100-80-ANY", "jarvislabs", "spot", 890_000_000),
                ("H100-ANY", "jarvislabs", "on_demand", 2_990_000_000),
            ],
            id="per GPU already, whatever the pod",
        ),
        pytest.param(
            "lambda_cloud",
            "2026-08-23.json",
            [
                ("A100-PCIE-40", "lambda", "on_demand", 1_990_000_000),
                ("B200-ANY", "lambda", "on_demand", 6_690_000_000),
                ("H100-PCIE-80", "lambda", "on_demand", 3_290_000_000),
            ],
            id="cents of eight are dollars of one",
        ),
        pytest.param(
            "oci",
            "2026-09-06.json",
            [
                ("B200-ANY", "oracle", "on_demand", 14_000_000_000),
                ("H100-ANY", "oracle", "on_demand", 10_000_000_000),
                ("L40S-48", "oracle", "on_demand", 3_500_000_000),
            ],
            id="per GPU already; the H100T is no H100",
        ),
    ],
)
def test_a_body_becomes_prices_of_one_gpu_hour(
    source_id: str, name: str, goods: list[tuple[str, str, str, int]]
) -> None:
    source = panel.load(source_id)
    found = source.parse(capture(source, small(source, name)))
    seen, _ = normalise(found.quotes, REGISTERS, load_methodology().bounds)
    columns = ("instrument_id", "provider", "tenor", "price_nano")
    assert sorted(seen.select(columns).rows()) == goods


def test_euro_stay_euro_and_are_not_taken_for_dollars() -> None:
    source = panel.load("scaleway")
    found = source.parse(capture(source, small(source, "2026-10-01.json")))
    seen, refused = normalise(found.quotes, REGISTERS, load_methodology().bounds)
    assert set(seen["unit"]) == {"eur_per_gpu_hour"}
    assert seen["price_nano"].null_count() == 0
    reasons = dict(refused.select("listing_id", "reason").rows())
    assert reasons["RENDER-S"] == "UNMAPPED_LISTING"
    assert "H100-SXM-8-80G" not in reasons


@pytest.mark.parametrize("source_id", SOURCES)
def test_none_may_carry_a_settlement_and_none_is_proven_yet(source_id: str) -> None:
    line = load_rights()[source_id]
    assert (line.use, line.tier) == (False, panel.load(source_id).tier)
    assert not panel.is_proven(source_id)
