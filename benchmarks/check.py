"""Whether two answers say the same, and whether ours says what plain integers say."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks import task
from benchmarks.build_workload import TICK_NANO
from tests import oracle

TOLERANCE = 1e-6
"""Relative, for trimmed means only: ours rest on weights published with eight decimals."""


def differences(ours: Path, theirs: Path) -> dict[str, float]:
    """Return how two answers differ over all groups.

    Percentiles must be equal as integers: a peer's float is turned into nano-units and compared
    with ours. ``groups``: rows found in one answer only; ``members`` and ``percentiles``: figures
    that differ; ``trimmed``: largest relative difference of a trimmed mean.
    """
    kinds = {"index_id": pl.Int64, "n": pl.Int64, "day": pl.Date}
    other = pl.read_parquet(theirs).cast(kinds)
    mine = pl.read_parquet(ours).rename({"index": "index_id", "members": "n"}).cast(kinds)
    both = mine.filter(pl.col("n") > 0).join(other, on=["index_id", "day"], suffix="_theirs")
    percentiles = sum(
        int((both[f"p{p}_nano"] != (both[f"p{p}"] * TICK_NANO).round().cast(pl.Int64)).sum())
        for p in task.PERCENTILES
    )
    exact = both["trimmed_numerator"] / both["trimmed_denominator"]
    return {
        "groups": (mine["n"] > 0).sum() + other.height - 2 * both.height,
        "members": int((both["n"] != both["n_theirs"]).sum()),
        "percentiles": percentiles,
        "trimmed": float(((both["trimmed"] - exact).abs() / exact).max() or 0.0),
    }


def agrees(found: dict[str, float]) -> bool:
    """Return whether differences are none, and of trimmed means within :data:`TOLERANCE`."""
    return not (found["groups"] or found["members"] or found["percentiles"]) and (
        found["trimmed"] <= TOLERANCE
    )


def against_plain_integers(ours: Path, folder: Path, groups: int = 200) -> int:
    """Return how many of some groups, drawn by a fixed seed, plain integers find otherwise.

    The quotes are read anew and go through lists, fractions and ``tests/oracle.py``, which shares
    no line with the code that is timed.
    """
    luck = random.Random(1)
    index_of = dict(pl.read_parquet(folder / "instruments.parquet").iter_rows())
    answer = pl.read_parquet(ours)
    wrong = 0
    files = task.quotes(folder)
    for file in luck.sample(files, min(10, len(files))):
        quotes = pl.read_parquet(file, columns=["day", "instrument", "provider", "price", "volume"])
        day = luck.choice(quotes["day"].unique().sort().to_list())
        by_index: dict[int, list[tuple[int, int, int]]] = {}
        for _, instrument, *row in quotes.filter(pl.col("day") == day).iter_rows():
            by_index.setdefault(index_of[instrument], []).append(tuple(row))
        here = answer.filter(pl.col("day") == day)
        rows = {row["index"]: row for row in here.iter_rows(named=True)}
        for index in luck.sample(sorted(by_index), min(groups // 10, len(by_index))):
            wrong += by_plain_integers(by_index[index]) != {
                name: rows[index][name] for name in ("members", "counted", "trimmed_nano")
            } | {f"p{p}": rows[index][f"p{p}_nano"] for p in task.PERCENTILES}
    return wrong


def by_plain_integers(quotes: list[tuple[int, int, int]]) -> dict[str, int]:
    """Return one group's figures from its (provider, price, volume), without arrays or floats."""
    middle = median(Fraction(price) for _, price, _ in quotes)
    good = [q for q in quotes if middle / task.FILTER <= q[1] <= middle * task.FILTER]
    members = sorted({provider for provider, _, _ in good})
    twice = [int(2 * median(Fraction(q[1]) for q in good if q[0] == one)) for one in members]
    volumes = [sum(q[2] for q in good if q[0] == one) for one in members]
    known: list[int | None] = list(volumes) if any(volumes) else [None] * len(members)
    is_large = len(members) >= task.LARGE
    cap = Fraction(1, 20) if is_large else oracle.cap_of(sum(1 for v in known if v != 0))
    units = oracle.weights(known, rooted=True, cap=cap)
    trim = Fraction(2, 5) if is_large else Fraction(1, 4)
    slack = sum(1 for unit in units if unit)
    ratios = {f"p{p}": oracle.quantile_parts(twice, units, p, 100, slack) for p in task.PERCENTILES}
    ratios["trimmed_nano"] = oracle.trimmed_parts(twice, units, trim)
    nano = {name: oracle.half_up(top * TICK_NANO, 2 * of) for name, (top, of) in ratios.items()}
    return {"members": len(members), "counted": len(good)} | nano
