"""Traps in marketplaces of GPUs, on real figures of one whose terms forbid its use in an index.

The figures are facts for a test: vast_ccir/2026-02-27.json.gz to 2026-03-02.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from collectors.gpus import gpurentalprices
from methodology import clock, depth, schemas
from tests import anomalies as an
from tests import small_market as sm
from tests.anomalies import Told, twin
from tests.bundled_history import rules

SOURCE = gpurentalprices.ID

SEVEN = [
    ("260094", 1, "1.335555556"),
    ("249256", 1, "1.537037037"),
    ("152534", 1, "1.564444444"),
    ("317686", 2, "3.202222222"),
    ("169960", 2, "3.266222222"),
    ("21357", 2, "3.734814815"),
    ("400555", 8, "17.06888889"),
]
"""H100 SXM on 2026-03-02: host, GPUs, price of the whole; 17 verified GPUs of seven hosts."""

MARKETS = ("north", "south", "west")
SLICES = [("400555", n, str(Decimal("17.06888889") * n / 8)) for n in (4, 2, 1)]
"""The machine of eight, offered as 4, 2 and 1 too: 15 GPUs counted, 8 real."""
FORTY = [("55932", 1, "40.0015")]
"""A100 PCIE of machine 55932: 40.0015 on each of the four days, 66 times the market's 0.6011."""


def market(
    offers: Callable[[date], list[tuple[str, int, str]] | None], frozen: date = date(2026, 2, 27)
) -> Told:
    """Return the rate of three marketplaces that each show the offers of a day; None: no body."""
    days = clock.days(frozen - timedelta(days=1), frozen + timedelta(days=3))
    asks = [
        {
            "source": SOURCE,
            "provider": "tensordock" if name == MARKETS[0] else name,
            "market": "h100-sxm|80|on-demand",
            "listing_id": f"{host}/{gpus}",
            "machine_id": host,
            "host_id": host,
            "gpus": gpus,
            "price_text": price,
            "quoted_unit": "per_instance_hour",
            "currency": "USD",
            "is_verified": True,
            "tenor": "on_demand",
            "observed_at": datetime(day.year, day.month, day.day, 15),
            "tier": "E3",
            "capture_sha256": "0" * 64,
        }
        for day in days
        for name in MARKETS
        for host, gpus, price in offers(day) or []
    ]
    made, _ = depth.depth_quotes(schemas.frame(depth.Ask, asks), rules())
    rows = [
        sm.offers.seen(
            f"{q['observed_at']:%Y-%m-%d %H:%M}",
            None if q["price_text"] is None else int(Decimal(q["price_text"]) * 10**9),
            source="bazaar",
            provider=q["provider"],
            group=q["provider"],
            provider_class="MKT",
            instrument_id="H100-SXM-80",
            listing_id=q["listing_id"],
            meter="GPU_H",
            unit="usd_per_gpu_hour",
            tier="E3",
        )
        for q in made.iter_rows(named=True)
    ]
    definition = twin("GPR-H100-SXM-80-OD-MKT-GLB", frozen, sources=("bazaar",), small_panel=True)
    moments = [datetime(d.year, d.month, d.day, 15) for d in days]
    return an.observed(
        definition,
        "GPU_H",
        sm.offers.observations(rows),
        frozen,
        days[-1],
        an.bodies("bazaar", moments),
        {"bazaar": sm.right("bazaar", "E3", depth=True)},
    )


FEB = [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2)]


@pytest.mark.parametrize(
    ("offers", "value"),
    [
        # D is half of 17, 8; one host gives at most 2: (1.335555556 + 1.537037037 + 1.564444444 +
        # 2 * 1.601111111 + 2 * 1.633111111 + 1.867407407) / 8 = 12.772888888 / 8.
        pytest.param(lambda day: SEVEN, "1.5966", id="the seven hosts of 2026-03-02"),
        pytest.param(
            lambda day: SEVEN + (SLICES if day > FEB[1] else []),
            "1.5966",
            id="one machine listed as eight, four, two and one",
        ),
        # One GPU more: D is 9, and the ninth is the second of the sixth host, not the one at 40:
        # (12.772888888 + 1.867407407) / 9.
        pytest.param(
            lambda day: SEVEN + FORTY, "1.6267", id="an ask of 40 dollars that stands for days"
        ),
    ],
)
def test_the_depth_of_a_marketplace_stands(offers: Callable[[date], Any], value: str) -> None:
    assert market(offers).values(*FEB) == [value] * 4


def test_a_market_that_answers_under_another_name_has_no_price() -> None:
    # vast_ccir: the query "A100 SXM" returns nothing on any of the four days, the name is
    # "A100 SXM4". From 03-01 on the bodies are empty: the price ends and is carried two days.
    told = market(lambda day: SEVEN if day < FEB[2] else None)
    assert told.values(FEB[1], FEB[2], FEB[3]) == ["1.5966"] * 3
    assert [told.level(d)[0] for d in FEB[1:]] == ["REDUCED", "REDUCED", "CARRY"]


def test_a_list_cut_at_64_rows_on_every_day_moves_nothing_between_days() -> None:
    # vast_ccir: "RTX 4090" has exactly 64 listings on each of the four days,
    # sorted by price. Half of what is shown is priced, so a cut list reads lower than a whole one,
    # alike on every day. A hundred hosts a step of .0063 apart from the real .1341 on: of 100 the
    # cheapest 50, of 64 the cheapest 32: .1341 + 24.5 * .0063 and .1341 + 15.5 * .0063.
    hosts = [(str(n), 1, str(Decimal("0.1341") + n * Decimal("0.0063"))) for n in range(100)]
    assert market(lambda day: hosts).values(*FEB) == ["0.2885"] * 4
    assert market(lambda day: hosts[:64]).values(*FEB) == ["0.2318"] * 4
