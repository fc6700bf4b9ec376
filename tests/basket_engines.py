"""Many baskets from volumes to rounded rates, four times: arrays, Polars, SQL, plain integers.

A basket is what rulebook 5 and 7 settle: members with a price and a volume, in order of group.
Each engine caps and publishes the weights, keeps, divides once and rounds once, and shares no line
with the others. Each refuses what lies outside :data:`LIMITS` with :class:`OverflowError`.

* ``by_arrays`` is what publishes: NumPy on 64 bits.
* ``by_polars`` works on long frames in Int128, which would wrap without a word: hence the limits.
* ``by_sql`` is DuckDB on HUGEINT, its rates by the query of ``index/gate_sql.py``.
* ``by_integers`` is plain Python: the oracle's weights and the release gate's rates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import oracle
import polars as pl

from index import gate, gate_sql
from methodology import determination, panels
from methodology.definition import load_methodology
from methodology.estimators import CODES, MEDIAN, TRIM25, TRIM40
from methodology.units import MAX_PRICE_NANO, round_half_up
from methodology.weights import cap_for, panel_weights_many

Ints = npt.NDArray[np.int64]

RULES = load_methodology()
NAMES = (MEDIAN, TRIM25, TRIM40)
"""Estimators in the order of their codes."""

MAX_MEMBERS, MAX_VOLUME = 512, 10**15
LIMITS = f"prices 0 to {MAX_PRICE_NANO}, volumes 0 to {MAX_VOLUME}, at most {MAX_MEMBERS} members"


@dataclass(frozen=True)
class Baskets:
    """Baskets one after the other. ``starts`` ``[b + 1]`` says where each begins in the columns.

    ``price`` in nano-units (0: none) and ``volume`` per member; ``estimator`` (a place in
    :data:`NAMES`), ``rooted`` and published ``decimals`` per basket.
    """

    starts: Ints
    price: Ints
    volume: Ints
    estimator: Ints
    rooted: npt.NDArray[np.bool_]
    decimals: Ints

    @property
    def sizes(self) -> Ints:
        return np.diff(self.starts)

    def one(self, b: int) -> tuple[list[int], list[int], str, bool, int]:
        part = slice(self.starts[b], self.starts[b + 1])
        name, rooted = NAMES[self.estimator[b]], bool(self.rooted[b])
        return (
            self.price[part].tolist(), self.volume[part].tolist(), name, rooted,
            int(self.decimals[b]),
        )  # fmt: skip


@dataclass(frozen=True)
class Settled:
    """Published ``weight`` and ``kept`` weight per member, ``units`` per basket (-1: no value).

    ``kept`` is ``None`` where an engine does not show it.
    """

    weight: Ints
    kept: Ints | None
    units: Ints


# --- what publishes ----------------------------------------------------------------------------


def by_arrays(baskets: Baskets) -> Settled:
    """The publishing engine: ``weights`` weighs many panels, ``determination`` settles them."""
    count, width = len(baskets.sizes), int(baskets.sizes.max(initial=1))
    here = np.arange(width) < baskets.sizes[:, None]
    price, volume = (np.zeros((count, width), np.int64) for _ in range(2))
    price[here], volume[here] = baskets.price, baskets.volume
    top, bottom = _caps(baskets, here, volume)
    weight = np.zeros_like(price)
    for rooted in (True, False):
        rows = baskets.rooted == rooted
        caps = top[rows], bottom[rows]
        weight[rows] = panel_weights_many(volume[rows], here[rows], rooted=rooted, caps=caps)
    codes, yes = baskets.estimator.astype(np.int8), np.ones(count, np.bool_)
    tops, bottoms, kept = determination.estimate(price, weight, codes, yes)
    steps = (10 ** (9 - baskets.decimals)).tolist()
    units = [round_half_up(t, b * step) for t, b, step in zip(tops, bottoms, steps, strict=True)]
    none = kept.sum(-1) == 0
    return Settled(weight[here], kept[here], np.where(none, -1, np.array(units, np.int64)))


def _caps(baskets: Baskets, here: npt.NDArray[np.bool_], volume: Ints) -> tuple[Ints, Ints]:
    """The caps of 5.3 by estimator; a vintage keeps its estimator while its panel shrinks."""
    limits = RULES.weights
    sizes = range(1, here.shape[-1] + 1)
    usual = [cap_for(n, limits.cap_floor, limits.cap_numerator) for n in sizes]
    positive = (volume > 0).sum(-1)
    counted = np.where(positive > 0, positive, here.sum(-1)) - 1
    large, top = baskets.estimator == CODES[TRIM40], limits.cap_largest_panels
    return (
        np.where(large, top.numerator, np.array([c.numerator for c in usual])[counted]),
        np.where(large, top.denominator, np.array([c.denominator for c in usual])[counted]),
    )


def published_weights(baskets: Baskets, every: int) -> Iterator[tuple[int, list[int]]]:
    """Return the weights of every so-manieth basket by the fractions that freeze a vintage."""
    for b in range(0, len(baskets.sizes), every):
        _, volumes, name, rooted, _ = baskets.one(b)
        rank = "V2" if rooted else "V1"
        yield b, list(panels.weights_for(volumes, rank, name, RULES))


# --- plain integers ----------------------------------------------------------------------------


def by_integers(baskets: Baskets) -> Settled:
    """One basket at a time, in Python's own integers."""
    weight, kept, units = list[int](), list[int](), list[int]()
    for b in range(len(baskets.sizes)):
        prices, volumes, name, rooted, decimals = baskets.one(b)
        _within(len(prices), max(prices), min(prices), max(volumes), min(volumes))
        # Nobody has a volume: all alike, as when nobody's is known.
        shown: list[int | None] = [v if any(volumes) else 1 for v in volumes]
        mine = oracle.weights(shown, rooted, Fraction(1, 20) if name == TRIM40 else None)
        weight += mine
        standing = sorted(
            (p, n, w) for n, (p, w) in enumerate(zip(prices, mine, strict=True)) if p and w
        )
        mine = [0] * len(prices)
        if standing:
            found = gate.kept_weights([w for _, _, w in standing], name)
            for (_, n, _), k in zip(standing, found, strict=True):
                mine[n] = k
            named = [(p, f"{n:03d}", w) for p, n, w in standing]
            top, bottom = gate.exact_rate(named, name)
            units.append(gate.half_up(top, bottom * 10 ** (9 - decimals)))
        else:
            units.append(-1)
        kept += mine
    return Settled(*(np.array(column, np.int64) for column in (weight, kept, units)))


def _within(members: int, high: int, low: int, most: int, least: int) -> None:
    if members > MAX_MEMBERS or high > MAX_PRICE_NANO or most > MAX_VOLUME or min(low, least) < 0:
        raise OverflowError(
            f"a basket of {members} members, prices {low} to {high}, volumes {least} to {most}:"
            f" beyond {LIMITS}"
        )


# --- Polars ------------------------------------------------------------------------------------

WIDE = pl.Int128


def _wide(value: int) -> pl.Expr:
    return pl.lit(value, WIDE)


def by_polars(baskets: Baskets) -> Settled:
    """Long frames, every basket in one go; each step is a column of Int128."""
    _check_columns(baskets)
    frame = _weighted(_frame(baskets).with_columns(pl.col("price", "volume").cast(WIDE)))
    kept = _kept(frame.filter((pl.col("price") > 0) & (pl.col("weight") > 0)))
    rates = kept.group_by("basket").agg(
        (pl.col("price") * pl.col("k")).sum().alias("top"),
        (pl.col("k").sum() * _wide(10).pow(9 - pl.col("decimals").first())).alias("bottom"),
    )
    rounded = (2 * pl.col("top") + pl.col("bottom")) // (2 * pl.col("bottom"))
    units = np.full(len(baskets.sizes), -1, np.int64)
    found = rates.select("basket", rounded.cast(pl.Int64).alias("units"))
    units[found["basket"].to_numpy()] = found["units"].to_numpy()
    shown = frame.join(kept.select("basket", "member", "k"), on=["basket", "member"], how="left")
    shown = shown.sort("basket", "member").select(
        pl.col("weight").cast(pl.Int64), pl.col("k").fill_null(0).cast(pl.Int64)
    )
    return Settled(shown["weight"].to_numpy(), shown["k"].to_numpy(), units)


def _frame(baskets: Baskets) -> pl.DataFrame:
    basket = np.repeat(np.arange(len(baskets.sizes)), baskets.sizes)
    return pl.DataFrame(
        {
            "basket": basket,
            "member": np.arange(len(basket)) - baskets.starts[basket],
            "price": baskets.price,
            "volume": baskets.volume,
            "estimator": baskets.estimator[basket],
            "rooted": baskets.rooted[basket],
            "decimals": baskets.decimals[basket],
        }
    )


def _check_columns(baskets: Baskets) -> None:
    price, volume = baskets.price, baskets.volume
    bounds = (int(end) for column in (price, volume) for end in (column.max(), column.min()))
    _within(int(baskets.sizes.max()), *bounds)


def _weighted(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the published ``weight`` (rulebook 5.2 to 5.4)."""
    v = pl.col("volume") * 10**12
    near = v.cast(pl.Float64).sqrt().cast(WIDE)  # off by one at most: settled by exact squares
    root = near - (near * near > v).cast(WIDE) + ((near + 1) * (near + 1) <= v).cast(WIDE)
    in_basket = {"partition_by": "basket"}
    frame = frame.with_columns(pl.when("rooted").then(root).otherwise("volume").alias("base"))
    silent = (pl.col("base") == 0).all().over(**in_basket)
    frame = frame.with_columns(pl.when(silent).then(_wide(1)).otherwise("base").alias("base"))
    n = (pl.col("base") > 0).cast(WIDE).sum().over(**in_basket)
    large = pl.col("estimator") == 2
    # The larger of 0.08 and 1.2 / n is the second one below fifteen members.
    cap = (
        pl.when(large).then(_wide(1)).when(n < 15).then(_wide(12)).otherwise(_wide(8)),
        pl.when(large).then(_wide(20)).when(n < 15).then(10 * n).otherwise(_wide(100)),
    )
    frame = frame.with_columns(cap[0].alias("top"), cap[1].alias("bottom"), n.alias("n"))
    alike = pl.col("top") * pl.col("n") <= pl.col("bottom")
    frame = frame.with_columns(
        pl.when(alike).then((pl.col("base") > 0).cast(WIDE)).otherwise("base").alias("base"),
        *(pl.when(alike).then(_wide(1)).otherwise(c).alias(c) for c in ("top", "bottom")),
    )
    # From the largest down: j is set to the cap if what those above leave gives it more than that.
    frame = frame.sort("basket", "base", "member")
    above = (pl.len() - 1 - pl.int_range(pl.len())).over(**in_basket).cast(WIDE)
    left = pl.col("bottom") - pl.col("top") * above
    up_to = pl.col("base").cum_sum().over(**in_basket)
    over = (left > 0) & (pl.col("base") * left > pl.col("top") * up_to)
    frame = frame.with_columns(over.alias("over"))
    at_cap = pl.col("over").cast(WIDE).sum().over(**in_basket)
    free = pl.col("base").filter(~pl.col("over")).sum().over(**in_basket)
    frame = frame.with_columns(at_cap.alias("at_cap"), free.alias("free"))
    loose = pl.col("base") * (pl.col("bottom") - pl.col("top") * pl.col("at_cap"))
    fixed = pl.col("top") * pl.col("free")
    share = pl.when("over").then(fixed).otherwise(loose) * 10**8
    whole = pl.col("bottom") * pl.col("free")
    frame = frame.with_columns((share // whole).alias("cut"), (share % whole).alias("rest"))
    frame = frame.sort("basket", "rest", "member", descending=[False, True, False])
    missing = 10**8 - pl.col("cut").sum().over(**in_basket)
    place = pl.int_range(pl.len()).over(**in_basket)
    weight = pl.col("cut") + (place < missing).cast(WIDE)
    return frame.with_columns(weight.alias("weight")).sort("basket", "member")


def _kept(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the kept weight ``k`` of members that stand (rulebook 7.2, 7.4)."""
    in_basket = {"partition_by": "basket"}
    frame = frame.sort("basket", "price", "member").with_columns(
        pl.col("weight").cum_sum().over(**in_basket).alias("b"),
        pl.col("weight").sum().over(**in_basket).alias("whole"),
        pl.len().over(**in_basket).cast(WIDE).alias("n"),
        pl.int_range(pl.len()).over(**in_basket).cast(pl.Int64).alias("place"),
    )
    off = 2 * pl.col("b") - pl.col("whole")
    tie = pl.col("place").filter(off.abs() <= 2 * pl.col("n")).min().over(**in_basket)
    over = pl.col("place").filter(off > 0).min().over(**in_basket)
    last = pl.col("n") - 1
    frame = frame.with_columns(tie.alias("tie"), over.alias("over_half"))
    pair = pl.col("tie").is_not_null() & (pl.col("tie") < last)
    one = pl.coalesce("tie", "over_half")
    median = (
        pl.when(pair)
        .then((pl.col("place") - pl.col("tie")).is_between(0, 1).cast(WIDE))
        .otherwise((pl.col("place") == one).cast(WIDE) * 2)
    )

    def trimmed(n: int, d: int) -> pl.Expr:
        start, end = d * (pl.col("b") - pl.col("weight")), d * pl.col("b")
        low, high = n * pl.col("whole"), (d - n) * pl.col("whole")
        upper = pl.when(end < high).then(end).otherwise(high)
        lower = pl.when(start > low).then(start).otherwise(low)
        return pl.when(upper > lower).then(upper - lower).otherwise(_wide(0))

    code = pl.col("estimator")
    k = pl.when(code == 0).then(median).when(code == 1).then(trimmed(1, 4)).otherwise(trimmed(2, 5))
    return frame.with_columns(k.alias("k"))


# --- SQL ---------------------------------------------------------------------------------------

WEIGHTS = """
create or replace temp table weighted as
with rooted as (
    select *, volume::hugeint * 1000000000000 as scaled,
        floor(sqrt(volume::double * 1e12))::hugeint as near
    from members
), based as (
    select *, case when not rooted then volume::hugeint
        when near * near > scaled then near - 1
        when (near + 1) * (near + 1) <= scaled then near + 1
        else near end as given
    from rooted
), spoken as (
    select *, case when max(given) over (partition by basket) = 0 then 1 else given end as base
    from based
), counted as (
    select *, count(*) filter (base > 0) over (partition by basket) as n from spoken
), capped as (
    select *, case when estimator = 2 then 1 when n < 15 then 12 else 8 end as top,
        case when estimator = 2 then 20 when n < 15 then 10 * n else 100 end as bottom
    from counted
), able as (
    select basket, member, price, estimator, decimals,
        (case when top * n <= bottom then (base > 0)::int else base end)::hugeint as base,
        (case when top * n <= bottom then 1 else top end)::hugeint as top,
        (case when top * n <= bottom then 1 else bottom end)::hugeint as bottom
    from capped
), ranked as (
    select *, row_number() over (partition by basket order by base desc, member desc) - 1 as above,
        sum(base) over (partition by basket order by base, member rows unbounded preceding)
            as up_to
    from able
), marked as (
    select *, bottom > top * above and base * (bottom - top * above) > top * up_to as is_over
    from ranked
), shared as (
    select *, (count(*) filter (is_over) over (partition by basket))::hugeint as at_cap,
        (sum(case when is_over then 0 else base end) over (partition by basket))::hugeint as free
    from marked
), cut as (
    select *, bottom * free as whole,
        100000000 * case when is_over then top * free else base * (bottom - top * at_cap) end
            as share
    from shared
), placed as (
    select *, share // whole as low,
        row_number() over (partition by basket order by share % whole desc, member) as place
    from cut
)
select basket, member, price, estimator, decimals,
    (low + (place <= 100000000 - sum(low) over (partition by basket))::int)::bigint as weight
from placed
"""


def by_sql(baskets: Baskets) -> Settled:
    """DuckDB: one statement for all weights, the release gate's query for all rates."""
    _check_columns(baskets)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("members", _frame(baskets).to_arrow())
        connection.execute(WEIGHTS)
        weights = connection.execute("select weight from weighted order by basket, member")
        weight = weights.fetchnumpy()["weight"].astype(np.int64)
        names = " ".join(f"when {n} then '{name}'" for n, name in enumerate(NAMES))
        connection.execute(
            "create or replace temp view offers as select basket as panel, member, price, weight,"
            f" case estimator {names} end as estimator, decimals from weighted"
        )
        found: dict[str, Any] = connection.execute(gate_sql.QUERY).fetchnumpy()
    units = np.full(len(baskets.sizes), -1, np.int64)
    units[found["panel"]] = found["units"]
    return Settled(weight, None, units)
