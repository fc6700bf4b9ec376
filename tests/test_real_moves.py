"""Known real moves of GPU-hours, from the source into every index that could feel them.

The prices were read from the stored bodies; the days on which a fixing moves are worked out here
by hand from rulebook 4 (a price counts once it stands in more than half of the hourly partitions
before the cut-off) and 6.2 (a jump is held until confirmed). Tokens: ``test_real_moves_tokens``.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from tests.bundled_history import (
    BUNDLE,
    Determined,
    determined,
    history_of,
    nano,
    packaged,
    partitions,
    units,
)

H100_ANY = "GPR-H100-ANY-OD-NEO-GLB"
H200_ANY = "GPR-H200-ANY-OD-NEO-GLB"
H100_SXM = "GPR-H100-SXM-80-OD-NEO-GLB"
NEO = (H100_ANY, H200_ANY, H100_SXM, "GPR-B200-ANY-OD-NEO-GLB", "GPR-A100-SXM-80-OD-NEO-GLB")
LATER = "-LATER"
"""Ends the ids of two indices that exist only here: the same rules, frozen after the growth."""

PAYLOADS = Path(
    os.environ.get("SPOTFIX_PAYLOADS") or Path(__file__).resolve().parents[2] / "shared/payloads"
)


@pytest.fixture(scope="module")
def made() -> Determined:
    """The indices of neoclouds and two later-frozen twins."""
    twins = [
        d.model_copy(update={"effective_from": date(2026, 7, 21), "suffix": LATER})
        for d in packaged(H100_ANY, H200_ANY)
    ]
    return determined([*packaged(*NEO), *twins])


def median(prices: list[str]) -> Fraction:
    """Return the median of equal members: the middle one, or the mean of the two."""
    ordered = sorted(Fraction(p) for p in prices)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def quarter_trimmed(prices: list[str]) -> Fraction:
    """Return the mean of ten equal members between the first and the third quarter of weight.

    2.5 members are cut from each end: half of the third and half of the eighth stay.
    """
    p = sorted(Fraction(x) for x in prices)
    assert len(p) == 10
    return (p[2] / 2 + sum(p[3:7]) + p[7] / 2) / 5


# --- DigitalOcean, 2026-08-02 -------------------------------------------------------------------

SEEN = datetime(2026, 8, 2, 7, 41, 40, 769000)
"""The first body with the new prices; the one before is of 08-01 07:38:51, the next of 08-03."""


@pytest.mark.parametrize(
    ("listing", "before", "after"),
    [
        pytest.param("h200|141|on-demand", "3.44", "4.47", id="H200 from 3.44 to 4.47"),
        pytest.param("h100|80|on-demand", "2.99", "4.41", id="plain H100 from 2.99 to 4.41"),
    ],
)
def test_digitalocean_moved_in_its_own_price_history_when_it_was_first_seen(
    listing: str, before: str, after: str
) -> None:
    told = history_of("digitalocean", listing, "GPU_H", "gpurentalprices")
    assert told == [
        (datetime(2026, 7, 20, 13, 32, 59, 474000), nano(before)),
        (SEEN, nano(after)),
    ]


def test_the_new_price_stands_more_than_half_of_the_window_but_is_a_jump_seen_once() -> None:
    # The window of 08-02 runs from 08-01 20:00Z to 08-02 20:00Z. The partitions that end at
    # 08:00, 09:00, ... 20:00 come after 07:41: 13 of 24, more than half.
    assert partitions("NYC", date(2026, 8, 2), SEEN) == (13, 24)
    # 4.47/3.44 = 1.299 and 4.41/2.99 = 1.475; a GPU price may move by 5/4 unconfirmed.
    assert Fraction("4.47") / Fraction("3.44") > Fraction(5, 4)
    assert Fraction("4.41") / Fraction("2.99") > Fraction(5, 4)
    # Seen again at 08-03 08:44, more than six hours later: confirmed on 08-03.
    assert (datetime(2026, 8, 3, 8, 44, 11) - SEEN).total_seconds() > 6 * 3600


@pytest.mark.parametrize("index_id", NEO)
def test_no_published_index_has_digitalocean_in_its_panel_that_day(
    made: Determined, index_id: str
) -> None:
    # The panels were frozen on 07-10; DigitalOcean was first listed on 07-20.
    vintage = made.vintage(index_id, date(2026, 8, 2))
    assert vintage.frozen_on == date(2026, 7, 10)
    assert "digitalocean" not in vintage.groups
    told = made.refused(index_id, date(2026, 8, 2)).filter(pl.col("group") == "digitalocean")
    expected = {H100_ANY: ["4.41"], H200_ANY: ["4.47"]}.get(index_id, [])
    assert told["quoted_nano"].to_list() == [nano(p) for p in expected]
    assert told["reason"].to_list() == ["NOT_IN_PANEL"] * len(expected)


PANELS = {
    # RunPod's plain H100 left the list on 07-18 for its SXM key: imputed, with 2.99 as before.
    H100_ANY: {
        "coreweave": "6.155",
        "crusoe": "3.9",
        "massedcompute": "2.73",
        "nexgen": "2.5",
        "runpod": "2.99",
        "together": "3.99",
    },
    H200_ANY: {
        "coreweave": "6.305",
        "crusoe": "4.29",
        "jarvislabs": "3.99",
        "nexgen": "3.99",
        "runpod": "4.39",
        "together": "5.99",
        "verda": "4",
    },
    H100_SXM: {
        "jarvislabs": "2.69",
        "lambda": "3.99",
        "massedcompute": "3.14",
        "nexgen": "3.2",
        "verda": "3.25",
    },
}
"""What the panels frozen on 07-10 showed on 08-01, 08-02 and 08-03: nothing moved."""


@pytest.mark.parametrize("day", [date(2026, 8, n) for n in (1, 2, 3)], ids=str)
@pytest.mark.parametrize(
    ("index_id", "value"),
    [
        pytest.param(H100_ANY, 34450, id="plain H100: (2.99 + 3.90) / 2"),
        pytest.param(H200_ANY, 42900, id="H200: the fourth of seven"),
        pytest.param(H100_SXM, 32000, id="H100 SXM: the third of five"),
    ],
)
def test_a_published_index_without_digitalocean_stands_still(
    made: Determined, index_id: str, value: int, day: date
) -> None:
    panel = PANELS[index_id]
    told = made.contributions(index_id, day)
    assert {g: r["price_nano"] for g, r in told.items()} == {g: nano(p) for g, p in panel.items()}
    away = {g for g, r in told.items() if r["status"] == "IMPUTED"}
    assert away == ({"runpod"} if index_id == H100_ANY else set())
    assert units(median(list(panel.values())), 4) == value
    fixing = made.fixing(index_id, day)
    assert (fixing["value_units"], fixing["chained_level"]) == (value, 10_000_000)


TWINS = {
    H100_ANY: {
        "coreweave": "6.155",
        "crusoe": "3.9",
        "gmicloud": "2",
        "latitude": "3.37",
        "massedcompute": "2.73",
        "nexgen": "2.5",
        "ovh": "2.99",
        "together": "3.99",
    },
    H200_ANY: {
        "coreweave": "6.305",
        "crusoe": "4.29",
        "gmicloud": "2.6",
        "jarvislabs": "3.99",
        "nexgen": "3.99",
        "ovh": "6.195",
        "runpod": "4.39",
        "together": "5.99",
        "verda": "4",
    },
}
"""The other members of a panel frozen on 07-21, the first day DigitalOcean has a price to show."""


@pytest.mark.parametrize(
    ("day", "status", "reason"),
    [
        pytest.param(date(2026, 8, 1), "OBSERVED", "", id="08-01 the old price"),
        pytest.param(date(2026, 8, 2), "HELD", "JUMP_UNCONFIRMED", id="08-02 held"),
        pytest.param(date(2026, 8, 3), "OBSERVED", "CONFIRMED_SAME_PATH", id="08-03 moved"),
        pytest.param(date(2026, 8, 4), "OBSERVED", "", id="08-04 no jump any more"),
    ],
)
@pytest.mark.parametrize(
    ("index_id", "before", "after", "mean", "values"),
    [
        # nine members: the fifth of 2 2.5 2.73 2.99 [2.99] 3.37 3.9 3.99 6.155, then
        # of 2 2.5 2.73 2.99 [3.37] 3.9 3.99 4.41 6.155
        pytest.param(H100_ANY, "2.99", "4.41", median, (29900, 33700), id="H100, nine members"),
        # ten members: (3.99/2 + 3.99 + 4 + 4.29 + 4.39 + 5.99/2) / 5 = 4.332, then
        # (3.99/2 + 4 + 4.29 + 4.39 + 4.47 + 5.99/2) / 5 = 4.428
        pytest.param(H200_ANY, "3.44", "4.47", quarter_trimmed, (43320, 44280), id="H200, ten"),
    ],
)
def test_with_digitalocean_in_the_panel_the_fixing_holds_on_the_2nd_and_moves_on_the_3rd(
    made: Determined,
    index_id: str,
    before: str,
    after: str,
    mean: Callable[[list[str]], Fraction],
    values: tuple[int, int],
    day: date,
    status: str,
    reason: str,
) -> None:
    name = index_id + LATER
    moved = day >= date(2026, 8, 3)
    stands = after if moved else before
    told = made.contributions(name, day)
    line = told["digitalocean"]
    assert (line["status"], line["reason"]) == (status, reason)
    assert line["price_nano"] == nano(stands)
    assert line["quoted_nano"] == nano(before if day == date(2026, 8, 1) else after)
    panel = TWINS[index_id] | {"digitalocean": stands}
    assert {g: r["price_nano"] for g, r in told.items()} == {g: nano(p) for g, p in panel.items()}
    value = values[moved]
    assert units(mean(list(panel.values())), 4) == value
    fixing = made.fixing(name, day)
    assert fixing["value_units"] == value
    assert fixing["chained_level"] == units(Fraction(1000 * value, values[0]), 4)


# --- more sellers on 2026-07-20 -----------------------------------------------------------------

NEW_SELLERS = {"digitalocean", "gmicloud", "latitude", "primeintellect"}
UNREAD = {"voltagepark", "azure", "aws"}
"""In the bodies, not in the bundle: the register says why next to its lines of listings."""


def bundled_h100(day: str) -> dict[tuple[str, str], str]:
    """Return prices by seller and listing of both H100 keys, on demand and secure, of one body."""
    rows = pl.read_csv(BUNDLE / "gpus_gpurentalprices.csv", infer_schema=False).filter(
        pl.col("observed_at").str.starts_with(day)
        & pl.col("listing_id").str.contains(r"^h100(-sxm)?\|80\|(on-demand|secure)$")
    )
    return {(p, n): x for p, n, x in rows.select("provider", "listing_id", "price_text").rows()}


def body_h100(day: str) -> dict[tuple[str, str], str]:
    """Return the same from the whole body, every seller."""
    file = PAYLOADS / "gpu/gpurentalprices" / f"{day}.json.gz"
    if not file.is_file():
        pytest.skip("captured bodies are not here; set SPOTFIX_PAYLOADS")
    content = json.loads(gzip.decompress(file.read_bytes()), parse_float=str, parse_int=str)
    return {
        (row["provider"], f"{row['gpu']}|{row['vram_gb']}|{row['kind']}"): row["usd_hr"]
        for row in content["offers"]
        if row["gpu"] in ("h100", "h100-sxm") and row["kind"] in ("on-demand", "secure")
    }


def test_the_whole_bodies_grew_from_17_rows_to_24_and_no_matched_price_changed() -> None:
    before, after = body_h100("2026-07-19"), body_h100("2026-07-20")
    assert (len(before), len(after)) == (17, 24)
    assert {key: after[key] for key in before} == before
    added = {seller for seller, _ in set(after) - set(before)}
    assert added == NEW_SELLERS | {"scaleway", "gcp"}  # scaleway has two rows
    # The bundle has the rows of reviewed lines only.
    unread = {seller for seller, _ in set(after) - set(bundled_h100("2026-07-20"))}
    assert unread == UNREAD | {"scaleway", "gcp"}


def test_the_bundle_grew_by_four_sellers_and_no_matched_price_changed() -> None:
    before, after = bundled_h100("2026-07-19"), bundled_h100("2026-07-20")
    assert (len(before), len(after)) == (14, 18)
    assert {key: after[key] for key in before} == before
    assert {seller for seller, _ in set(after) - set(before)} == NEW_SELLERS


@pytest.mark.parametrize("index_id", NEO)
def test_the_growth_moves_no_chained_series(made: Determined, index_id: str) -> None:
    days = [date(2026, 7, n) for n in range(18, 24)]
    told = [made.fixing(index_id, day) for day in days]
    assert len({(f["chained_level"], f["value_units"], f["panel"]) for f in told}) == 1
    assert told[0]["chained_level"] == 10_000_000
    before, after = (made.contributions(index_id, day) for day in (days[1], days[3]))
    assert {g: r["price_nano"] for g, r in before.items()} == {
        g: r["price_nano"] for g, r in after.items()
    }


def test_the_new_sellers_are_shown_beside_the_panel(made: Determined) -> None:
    # Seen at 13:33, they price 7 of 24 partitions of 07-20: no representative price that day.
    first = datetime(2026, 7, 20, 13, 32, 59)
    assert partitions("NYC", date(2026, 7, 20), first) == (7, 24)
    assert not NEW_SELLERS & set(made.refused(H100_ANY, date(2026, 7, 20))["group"])
    rows = made.refused(H100_ANY, date(2026, 7, 21)).filter(
        pl.col("group").is_in(sorted(NEW_SELLERS))
    )
    assert dict(rows.select("group", "reason").iter_rows()) == {
        "digitalocean": "NOT_IN_PANEL",
        "gmicloud": "NOT_IN_PANEL",
        "latitude": "NOT_IN_PANEL",
        "primeintellect": "CLASS_BROKER",
    }
