"""Write the benchmark's quotes: three years of a marketplace, the same bytes for the same seed.

    python -m benchmarks.build_workload --rows 10000000

Figures are drawn as integers and combined with integer arithmetic, so the quotes do not depend on
a machine's libm. A finished workload is kept and used again; its ``DONE.json`` is written last.

Layout, one folder per size and seed::

    quotes-2023-11.parquet ...   ts, day, instrument, provider, price, volume; one file a month
    instruments.parquet          instrument, index_id: twenty instruments an index

``price`` is in ticks of 1e-4 USD and inside the bounds of rulebook 6.1, as everything is that
reaches a determination. ``day`` is the index day: which day a moment belongs to depends on the
session (rulebook 9.1), so it is settled when a quote is taken in, and stored.
"""

from __future__ import annotations

import argparse
import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

INDICES, PER_INDEX, PROVIDERS = 100, 20, 60
INSTRUMENTS = INDICES * PER_INDEX
FIRST, DAYS = date(2023, 11, 1), 1096
LOWEST, HIGHEST = 500, 500_000
BUSY_DAY, BUSY = 700, 165
"""One day has 1.65 times the usual rows: at 100 million, more than 131,072."""

SILENT = PROVIDERS - 1
"""This provider never shows a volume: it has a price and no weight."""

SLOTS = 1 << 20
TICK_NANO = 100_000
WORK = Path(__file__).resolve().parents[1] / "out" / "bench"

Ints = np.ndarray


def rows_per_day(rows: int) -> list[int]:
    """Rows of each day: 97 to 103 parts, the busy day 165, the rest of the division at the end."""
    parts = [97 + (day * 7) % 7 + day % 5 for day in range(DAYS)]
    parts[BUSY_DAY] = BUSY
    counts = [rows * part // sum(parts) for part in parts]
    for day in range(rows - sum(counts)):
        counts[day % DAYS] += 1
    return counts


class Market:
    """What stays the same over the three years, drawn once from the seed."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        decade = rng.integers(0, 4, INDICES)
        base = rng.integers(2_500, 15_000, INDICES) * np.array([1, 2, 4, 8])[decade]
        spread = rng.integers(850, 1150, INSTRUMENTS)
        self.base = np.repeat(base, PER_INDEX) * spread // 1000
        self.level = rng.integers(700, 1400, PROVIDERS)
        self.in_cents = rng.integers(0, 2, PROVIDERS).astype(bool)
        self.size = rng.integers(1, 40, PROVIDERS) ** 2
        reach = rng.integers(25, 101, PROVIDERS)
        sells = rng.integers(0, 100, (INDICES, PER_INDEX, PROVIDERS)) < reach
        for index in range(30):  # so that every estimator of rulebook 7.1 has its panels
            few = rng.permutation(PROVIDERS)[8 if index < 10 else 20 :]
            sells[index, :, few] = False
        instrument, provider = np.nonzero(sells.reshape(INSTRUMENTS, PROVIDERS))
        share = 20 + self.size[provider] // 20
        sellers = np.bincount(instrument, minlength=INSTRUMENTS)
        share = share * 1000 // (20 + sellers[instrument])
        ends = np.cumsum(share) * SLOTS // share.sum()
        offer = np.repeat(np.arange(len(share)), np.diff(ends, prepend=0))
        self.instrument = instrument[offer].astype(np.int16)
        self.provider = provider[offer].astype(np.uint8)
        steps = rng.integers(-12, 13, (DAYS, INDICES))
        self.drift = np.clip(1000 + np.cumsum(steps, axis=0), 500, 2000)


def quotes_of(market: Market, seed: int, day: int, count: int) -> pl.DataFrame:
    """The quotes of one day in order of time."""
    rng = np.random.default_rng([seed, 2, day])
    slot = rng.integers(0, SLOTS, count, dtype=np.int32)
    instrument, provider = market.instrument[slot], market.provider[slot]
    noise = rng.integers(940, 1061, count, dtype=np.int64)
    price = market.base[instrument] * market.drift[day][instrument // PER_INDEX] // 1000
    price = price * market.level[provider] // 1000 * noise // 1000
    price = np.where(market.in_cents[provider], (price + 50) // 100 * 100, price)
    luck = rng.integers(0, 1000, count, dtype=np.int16)
    price = np.where(luck < 3, price * 8, np.where(luck < 5, price // 8, price))
    draw = rng.integers(0, 256, count, dtype=np.int64)
    volume = (draw * draw * market.size[provider]) >> 14
    volume[(luck > 985) | (provider == SILENT)] = 0
    moment = np.sort(rng.integers(0, 86_400_000_000, count, dtype=np.int64))
    when = FIRST + timedelta(days=day)
    start = (when - date(1970, 1, 1)).days * 86_400_000_000
    return pl.DataFrame(
        {
            "ts": pl.Series(moment + start).cast(pl.Datetime("us")),
            "day": pl.repeat(when, count, eager=True, dtype=pl.Date),
            "instrument": instrument,
            "provider": provider,
            "price": np.clip(price, LOWEST, HIGHEST).astype(np.int32),
            "volume": volume.astype(np.int32),
        }
    )


def build(rows: int, seed: int, work: Path = WORK) -> Path:
    """Return the folder of the workload, made if it is not there yet."""
    folder = work / f"{rows}-{seed}"
    if (folder / "DONE.json").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    market = Market(seed)
    pl.DataFrame(
        {
            "instrument": np.arange(INSTRUMENTS, dtype=np.int16),
            "index_id": (np.arange(INSTRUMENTS) // PER_INDEX).astype(np.int16),
        }
    ).write_parquet(folder / "instruments.parquet", compression="lz4")
    month: list[pl.DataFrame] = []
    counts = rows_per_day(rows)
    for day, count in enumerate(counts):
        month.append(quotes_of(market, seed, day, count))
        when = FIRST + timedelta(days=day)
        if day == DAYS - 1 or (when + timedelta(days=1)).month != when.month:
            target = folder / f"quotes-{when:%Y-%m}.parquet"
            pl.concat(month).write_parquet(target, compression="lz4", row_group_size=1 << 19)
            month = []
    size = sum(path.stat().st_size for path in folder.iterdir())
    told = {"rows": rows, "seed": seed, "days": DAYS, "busiest_day": max(counts), "bytes": size}
    (folder / "DONE.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--seed", type=int, default=20261120)
    chosen = parser.parse_args()
    folder = build(chosen.rows, chosen.seed)
    print((folder / "DONE.json").read_text("utf-8"), end="")


if __name__ == "__main__":
    main()
