"""A marketplace that shows its machines has one price: its depth, on real bodies and by hand.

The bodies are facts for a test; the terms of that marketplace forbid its use in an index, and no
index reads it (``rights.toml``).
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from methodology import depth, representative, schemas, series
from methodology.definition import load_methodology
from methodology.eligibility import Registers, normalise
from methodology.errors import ParseError
from methodology.segments import Coverage, segments
from tests import small_market as sm

RULES = load_methodology()
SEEN = datetime(2026, 1, 10, 6)

AT_HAND = Path(__file__).resolve().parents[2] / "shared" / "payloads"
PAYLOADS = Path(os.environ.get("SPOTFIX_PAYLOADS", AT_HAND)) / "gpu"


def body(folder: str, name: str) -> Any:
    file = PAYLOADS / folder / name
    if not file.is_file():
        pytest.skip(f"{folder}/{name} is not at hand; set SPOTFIX_PAYLOADS to the captured bodies")
    raw = file.read_bytes()
    return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw, parse_float=str)


def ask(listing: str, machine: str | None, host: str, gpus: int, price: str, **more: Any) -> dict:
    """Return one listing; the price is of the whole of it unless told otherwise."""
    return {
        "source": "bazaar",
        "provider": "bazaar",
        "market": "H100 SXM",
        "listing_id": listing,
        "machine_id": machine,
        "host_id": host,
        "gpus": gpus,
        "price_text": price,
        "quoted_unit": "per_instance_hour",
        "currency": "USD",
        "is_verified": True,
        "tenor": "on_demand",
        "region": None,
        "observed_at": SEEN,
        "tier": "E3",
        "capture_sha256": "0" * 64,
        **more,
    }


def vast(day: str, market: str) -> list[dict]:
    offers = body("vast_ccir", f"{day}.json.gz")["offers_by_model"][market]
    return [
        ask(
            str(o["id"]),
            str(o["machine_id"]),
            str(o["host_id"]),
            o["num_gpus"],
            str(o["dph_total"]),
            market=market,
            is_verified=o["verification"] == "verified",
        )
        for o in offers
    ]


def priced(rows: list[dict]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return depth.depth_quotes(schemas.frame(depth.Ask, rows), RULES)


def test_a_real_market_of_seven_verified_hosts_by_hand() -> None:
    quotes, refused = priced(vast("2026-03-02", "H100 SXM"))
    # 23 listings; 14 of them not verified. The 9 others are 7 machines: the one of host 21357
    # stands there with 1 and 2 GPUs, the one of host 169960 too. 17 GPUs of 7 hosts: D is 8, and
    # one host gives at most 2.
    #   260094  1 x 1.335555556      317686  2 x 1.601111111 (3.202222222 / 2)
    #   249256  1 x 1.537037037      169960  2 x 1.633111111 (3.266222222 / 2)
    #   152534  1 x 1.564444444       21357  1 of 2, 1.867407407 (3.734814815 / 2)
    # 400555 asks 17.06888889 / 8 = 2.1336 for eight and is not reached. The sum is 12.772888888.
    assert quotes.select("listing_id", "price_text", "status").rows() == [
        ("H100 SXM", "1.596611111", "offered")
    ]
    assert refused["reason"].to_list() == ["NOT_VERIFIED"] * 14


def test_real_markets_below_the_minimum_have_no_price() -> None:
    quotes, refused = priced(vast("2026-03-02", "A100 PCIE") + vast("2026-03-02", "H200 NVL"))
    assert quotes.select("price_text", "status").rows() == [(None, "unknown")] * 2
    thin = refused.filter(pl.col("reason") != "NOT_VERIFIED")
    assert sorted(thin.select("listing_id", "reason").rows()) == [
        ("A100 PCIE", "FEW_GPUS"),
        ("H200 NVL", "FEW_GPUS"),
    ]


def test_every_real_listing_is_priced_within_its_market_or_refused() -> None:
    for day in ("2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"):
        names = body("vast_ccir", f"{day}.json.gz")["offers_by_model"]
        rows = [row for name, offers in names.items() if offers for row in vast(day, name)]
        quotes, refused = priced(rows)
        verified = {r["market"] for r in rows if r["is_verified"]}
        assert set(quotes["listing_id"]) == verified
        assert refused.filter(pl.col("reason") == "NOT_VERIFIED").height == sum(
            not r["is_verified"] for r in rows
        )


def test_the_network_that_shows_averages_alone_shows_no_depth() -> None:
    [model] = body("akash_console", "2026-09-28_h100_trimmed.json")["models"]
    assert set(model["price"]) == {"currency", "min", "max", "avg", "weightedAverage", "med"}
    assert all("price" not in p for p in model["providerAvailability"]["providers"])


# Planted: three marketplaces with depth make a rate of class MKT.


def market(name: str, cents: int, when: datetime = SEEN) -> list[dict]:
    """Return 5 hosts of 8 GPUs each; the n-th asks ``cents + 10 n`` cents per GPU."""
    return [
        ask(
            f"{name}{n}",
            f"m{n}",
            f"h{n}",
            8,
            f"{cents + 10 * n}",
            quoted_unit="per_gpu_hour",
            source=name,
            provider=name,
            observed_at=when,
        )
        | {"price_text": f"{(cents + 10 * n) / 100:.2f}"}
        for n in range(5)
    ]


NAMES = ("agora", "bazaar", "souk")
REGISTERS = Registers(
    providers=pl.DataFrame(
        [(s, s, s, s, "MKT", "ZZ") for s in NAMES],
        schema=["source", "spelling", "provider", "group", "provider_class", "domicile"],
        orient="row",
    ),
    listings=pl.DataFrame(
        [(s, "*", "H100 SXM", "H100-SXM-80", None) for s in NAMES],
        schema={
            **dict.fromkeys(["source", "spelling", "listing_id", "instrument_id"], pl.String),
            "gpu_count": pl.Int32,
        },
        orient="row",
    ),
    licences=pl.DataFrame({"source": NAMES, "licence_id": ["planted"] * 3}),
)


def rate(rows: list[dict], deep: tuple[str, ...] = NAMES, admission: str = "reference") -> Any:
    """Return the series of an MKT rate over two days, from asks through the whole road."""
    quotes, _ = priced(rows)
    observations, refused = normalise(quotes, REGISTERS, RULES.bounds)
    assert refused.is_empty()
    days = [sm.day(n) for n in range(2)]
    moments = sorted({row["observed_at"] for row in rows})
    spans = pl.DataFrame(
        [(s, "snapshot", moments[0], moments[-1] + timedelta(hours=26)) for s in NAMES],
        schema={
            "source": pl.String,
            "mode": pl.String,
            "covered_from": pl.Datetime("us"),
            "covered_to": pl.Datetime("us"),
        },
        orient="row",
    )
    captures = pl.DataFrame(
        [(s, at) for s in NAMES for at in moments],
        schema={"source": pl.String, "captured_at": pl.Datetime("us")},
        orient="row",
    )
    windows = representative.window_table("NYC", days)
    pieces = segments(observations, Coverage(spans, captures), RULES)
    register = {s: sm.right(s, "E3", depth=s in deep) for s in NAMES}
    definition = sm.gpu_rate(classes=("MKT",), sources=NAMES, admission=admission)
    plan = series.plan(
        representative.price_table(pieces, windows, RULES),
        definition,
        "GPU_H",
        days,
        np.array([True, True]),
        RULES,
        rights=register,
    )
    return sm.determined([plan])


WHOLE = [
    row for name, cents in zip(NAMES, (200, 220, 260), strict=True) for row in market(name, cents)
]
"""Each market: 40 GPUs of 5 hosts, D = 20, at most 5 of one host: 5 each of the four cheapest, so
the price is the cheapest plus 15 cents: 2.15, 2.35, 2.75."""


def test_three_marketplaces_with_depth_make_a_rate() -> None:
    found = rate(WHOLE)
    assert found.plans[0].index_id == "GPR-H100-SXM-80-OD-MKT-GLB"
    # Seen at 06:00 of the 10th: 15 of the 24 partitions to 21:00 have it.
    assert sm.value(found, 0) == ("REDUCED", "2.3500")


def test_a_day_takes_the_median_of_its_partitions() -> None:
    later = SEEN + timedelta(hours=6)
    # From 12:00 on everything is 4 cents dearer: 9 of the 15 priced partitions.
    dearer = [
        {**row, "observed_at": later, "price_text": f"{float(row['price_text']) + 0.04:.2f}"}
        for row in WHOLE
    ]
    assert sm.value(rate(WHOLE + dearer), 0) == ("REDUCED", "2.3900")
    # Only from 15:00 on: 6 of 15, and the price that stood longer stays.
    late = [{**row, "observed_at": SEEN + timedelta(hours=9)} for row in dearer]
    assert sm.value(rate(WHOLE + late), 0) == ("REDUCED", "2.3500")


def test_a_marketplace_without_depth_does_not_count() -> None:
    found = rate(WHOLE, deep=("agora", "bazaar"))
    assert sm.reasons(found.plans[0], 0) == {
        ("agora", "agora"): None,
        ("bazaar", "bazaar"): None,
        ("souk", "souk"): "NO_VERIFIED_DEPTH",
    }
    assert found.plans[0].vintages == [None, None]


def test_a_market_that_becomes_thin_ends_its_price() -> None:
    later = SEEN + timedelta(hours=1)
    thin = [{**row, "observed_at": later} for row in market("souk", 260)[:3]]
    others = [{**row, "observed_at": later} for row in WHOLE if row["source"] != "souk"]
    found = rate(WHOLE + thin + others)
    assert sm.reasons(found.plans[0], 0) == {("agora", "agora"): None, ("bazaar", "bazaar"): None}


def test_one_machine_in_four_sizes_counts_once() -> None:
    sliced = [
        {**row, "listing_id": f"{row['listing_id']}/{gpus}", "gpus": gpus, "price_text": "0.10"}
        for row in WHOLE
        for gpus in (4, 2, 1)
    ]
    assert sm.value(rate(WHOLE + sliced), 0) == ("REDUCED", "2.3500")


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("0", "ZERO_PRICE"),
        ("-1", "NEGATIVE_PRICE"),
        ("1,5", "NOT_A_NUMBER"),
        ("nan", "NOT_A_NUMBER"),
    ],
)
def test_an_ask_without_a_price_is_refused_and_does_not_count_as_depth(
    price: str, reason: str
) -> None:
    rows = market("souk", 260)
    quotes, refused = priced([{**rows[0], "price_text": price}, *rows[1:]])
    assert refused["reason"].to_list() == [reason]
    # Four hosts of 8 are left: D = 16, at most 4 each: 2.70, 2.80, 2.90, 3.00.
    assert quotes["price_text"].to_list() == ["2.850000000"]


def test_markets_of_another_good_tenor_or_moment_are_apart() -> None:
    rows = [
        *market("souk", 200),
        *({**row, "market": "H200"} for row in market("souk", 300)),
        *({**row, "tenor": "spot"} for row in market("souk", 100)),
        *market("souk", 240, SEEN + timedelta(hours=1)),
    ]
    quotes, refused = priced(rows)
    assert refused.is_empty()
    told = quotes.select("listing_id", "tenor", "observed_at", "price_text").rows()
    assert [(a, b, c.hour, d[:4]) for a, b, c, d in told] == [
        ("H100 SXM", "on_demand", 6, "2.15"),
        ("H100 SXM", "on_demand", 7, "2.55"),
        ("H100 SXM", "spot", 6, "1.15"),
        ("H200", "on_demand", 6, "3.15"),
    ]


def test_rules_without_a_marketplace_table_price_nothing() -> None:
    quotes, refused = depth.depth_quotes(schemas.frame(depth.Ask, WHOLE), load_methodology("1.0.0"))
    assert quotes.is_empty()
    assert refused.is_empty()


def test_the_parameters_are_those_of_the_rules() -> None:
    assert RULES.marketplace is not None
    narrow = RULES.marketplace.model_copy(update={"max_depth_gpus": 8})
    rules = RULES.model_copy(update={"marketplace": narrow})
    quotes, _ = depth.depth_quotes(schemas.frame(depth.Ask, market("souk", 200)), rules)
    # D = 8, at most 2 of one host: 2 each of 2.00, 2.10, 2.20, 2.30.
    assert quotes["price_text"].to_list() == ["2.150000000"]
    wide = rules.model_copy(
        update={
            "marketplace": narrow.model_copy(update={"host_cap": RULES.marketplace.depth_share})
        }
    )
    quotes, _ = depth.depth_quotes(schemas.frame(depth.Ask, market("souk", 200)), wide)
    assert quotes["price_text"].to_list() == ["2.050000000"]  # 4 each of 2.00 and 2.10


@pytest.mark.parametrize(
    "changed", [{"gpus": 0}, {"host_id": None}, {"currency": "EUR"}, {"quoted_unit": "per_token"}]
)
def test_an_ask_that_is_none_is_refused_whole(changed: dict[str, Any]) -> None:
    with pytest.raises(ParseError, match="Ask refused"):
        priced([{**WHOLE[0], **changed}])
