"""One representative price per offer and index day (rulebook 4).

The road: tariff windows collapse to their around-the-clock mean; observations become *segments*,
intervals in which one price was the last thing seen; each hourly partition of the input window
takes the price of the segment it ends in; the representative price is the time-weighted median of
the partitions. A posted price therefore counts once it has stood for more than half the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import polars as pl

from methodology import clock
from methodology.definition import Methodology
from methodology.segments import DAY_US, HOUR_US, KEY, Coverage, segments

BATCH = ("BAT_IN", "BAT_OUT")
"""Meters of batch service: input and output."""

_KNOWN = ("is_confirmed", "is_official", "is_steady", "seen_us")
"""What is known of a representative price beside its figure."""


def window_table(session: str, index_days: Sequence[date]) -> pl.DataFrame:
    """Return index days with their windows: ref_date, day, open_us, cut_us, partitions.

    ``day`` counts from 0 in the given order, which must be unbroken calendar days.
    """
    bounds = [clock.window(session, day) for day in index_days]
    epoch = datetime(1970, 1, 1)
    opens = [(a - epoch) // timedelta(microseconds=1) for a, _ in bounds]
    cuts = [(b - epoch) // timedelta(microseconds=1) for _, b in bounds]
    return pl.DataFrame(
        {
            "ref_date": list(index_days),
            "day": range(len(index_days)),
            "open_us": opens,
            "cut_us": cuts,
        },
        schema={"ref_date": pl.Date, "day": pl.Int64, "open_us": pl.Int64, "cut_us": pl.Int64},
    ).with_columns(((pl.col("cut_us") - pl.col("open_us")) // HOUR_US).alias("partitions"))


def representative_prices(
    pieces: pl.DataFrame, windows: pl.DataFrame, rules: Methodology
) -> pl.DataFrame:
    """Return one representative price per series and index day.

    Args:
        pieces: the output of :func:`segments`.
        windows: the output of :func:`window_table`.
        rules: for the confirmation interval.

    Returns:
        ``offer``, ``meter``, ``day``, ``price_nano`` (median of the hourly partitions; at an
        exact tie of two prices, the one that stood first), ``is_confirmed`` (an official date, or
        seen twice at least ``confirm_after_hours`` apart by the cut-off), ``is_official`` (the
        seller's own date of the change), ``is_steady`` (unchanged for ``steady_hours``),
        ``seen_us`` (last time seen by the cut-off), ``piece`` (the segment it came from). A series
        with prices in half of the partitions or fewer has no row: it has no representative price
        that day.
    """
    confirm = rules.window.confirm_after_hours * HOUR_US
    midnight = (pl.min_horizontal("cut_us", pl.col("until_us") - 1) // DAY_US) * DAY_US
    seen = (
        pl.when(pl.col("mode") == "snapshot")
        .then("from_us")
        .otherwise(pl.max_horizontal("from_us", midnight))
    )
    lean = pieces.select(
        "piece",
        "offer",
        "meter",
        "mode",
        "price_nano",
        "from_us",
        "until_us",
        "run_us",
        "is_official_date",
    )
    stood = pl.col("seen_us") - pl.col("run_us")
    spread_out = (
        spread(lean, windows)
        .with_columns(seen.alias("seen_us"), pl.col("is_official_date").alias("is_official"))
        .with_columns(
            (pl.col("is_official") | (stood >= confirm)).alias("is_confirmed"),
            (stood >= rules.window.steady_hours * HOUR_US).alias("is_steady"),
        )
    )
    columns = ["offer", "meter", "day", "price_nano", *_KNOWN, "piece"]
    is_whole = pl.col("count") == pl.col("partitions")
    unbroken = spread_out.filter(is_whole).select(columns)
    broken = _median_of_partitions(spread_out.filter(~is_whole)).select(columns)
    return pl.concat([unbroken, broken]).sort("offer", "meter", "day")


def _median_of_partitions(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the median row of each series and day whose window several segments share."""
    key = ["offer", "meter", "day"]
    by_price = (
        rows.sort(*key, "from_us")
        .group_by([*key, "price_nano"], maintain_order=True)
        .agg(
            pl.col("count").sum(),
            pl.col("from_us").min(),
            pl.col("partitions").first(),
            pl.col(*_KNOWN, "piece").last(),
        )
        .sort([*key, "price_nano"])
        .with_columns(
            (2 * pl.col("count").cum_sum().over(key)).alias("twice"),
            pl.col("count").sum().over(key).alias("total"),
        )
        .filter(2 * pl.col("total") > pl.col("partitions"))
    )
    is_middle = (pl.col("twice") >= pl.col("total")) & (
        pl.col("twice") - 2 * pl.col("count") < pl.col("total")
    )
    after_half = (pl.col("twice") == pl.col("total")).shift(1, fill_value=False).over(key)
    middle = by_price.with_columns(after_half.alias("after_half")).filter(
        is_middle | pl.col("after_half")
    )
    return middle.sort("from_us").group_by(key, maintain_order=True).first()


def spread(pieces: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """Return intervals times index days, with the number of partitions each one prices.

    Args:
        pieces: any frame with ``from_us`` and ``until_us``.
        windows: the output of :func:`window_table`.

    Returns:
        The rows of ``pieces`` repeated per day, with ``day``, ``open_us``, ``cut_us``,
        ``partitions`` and ``count`` (positive): the hourly partitions that end inside the
        interval.
    """
    opens, cuts = windows["open_us"].to_numpy(), windows["cut_us"].to_numpy()
    start, end = pieces["from_us"].to_numpy(), pieces["until_us"].to_numpy()
    first = np.searchsorted(cuts, start, side="left")
    last = np.searchsorted(opens, end - HOUR_US, side="left") - 1
    spans = np.maximum(0, last - first + 1)
    row = np.repeat(np.arange(len(start)), spans)
    offset = np.arange(len(row)) - np.repeat(np.cumsum(spans) - spans, spans)
    day = first[row] + offset if len(row) else row
    spread = (
        pieces[row]
        .with_columns(pl.Series("day", day, dtype=pl.Int64))
        .join(windows.select("day", "open_us", "cut_us", "partitions"), on="day", how="left")
    )
    since, until = pl.col("from_us") - pl.col("open_us"), pl.col("until_us") - pl.col("open_us")
    low = pl.max_horizontal((since + HOUR_US - 1) // HOUR_US, 1)
    high = pl.min_horizontal((until - 1) // HOUR_US, "partitions")
    return spread.with_columns((high - low + 1).alias("count")).filter(pl.col("count") > 0)


def blend(
    prices: pl.DataFrame, parts: Mapping[str, Mapping[str, int]], rules: Methodology
) -> pl.DataFrame:
    """Return prices with blended meters added and implausible pairs marked.

    A blend is formed per offer from its own meters, exactly, and rounded half up once to nano
    (rulebook 2.3); a missing cached-input price counts as the input price; a missing input or
    output price means no blend. A blend of batch meters is formed from these alone.
    ``is_suspect`` marks every meter of an offer whose output price is below half its input price,
    and a batch blend whose own two are so (rulebook 6.1). A blend is ``is_official`` when one of
    its meters has the seller's own date and each other one too, or has not moved lately.

    Args:
        prices: the output of :func:`representative_prices`.
        parts: blend name to parts per meter, e.g. ``{"BLD": {"IN": 3, "OUT": 1}}``.
        rules: for the output-to-input bound.

    Returns:
        The same columns plus ``is_suspect`` and ``pieces`` (the segments it came from, one per
        meter of a blend) in place of ``piece``, sorted by offer, meter and day.
    """
    offer = ["offer", "day"]
    legs = {
        meter: prices.filter(pl.col("meter") == meter)
        .drop("meter")
        .rename({c: f"{c}_{meter}" for c in ("price_nano", *_KNOWN, "piece")})
        for meter in ("IN", "CIN", "OUT", *BATCH)
    }
    pairs = _paired(legs["IN"], legs["OUT"], "IN", "OUT", rules)
    pairs = pairs.join(legs["CIN"], on=offer, how="left").with_columns(
        pl.col("price_nano_CIN").fill_null(pl.col("price_nano_IN")),
        *(pl.col(f"{c}_CIN").fill_null(pl.col(f"{c}_IN")) for c in _KNOWN),
        pl.col("piece_CIN").fill_null(pl.col("piece_IN")),
    )
    plain = (
        prices.join(pairs.select(*offer, "is_suspect"), on=offer, how="left")
        .with_columns(
            pl.col("is_suspect").fill_null(False), pl.concat_list("piece").alias("pieces")
        )
        .drop("piece")
    )
    blends = [plain]
    for name, shares in parts.items():
        whole = sum(shares.values())
        total = pl.sum_horizontal(pl.col(f"price_nano_{m}") * n for m, n in shares.items())
        is_batch = set(shares) <= set(BATCH)
        formed = pairs
        if is_batch:
            formed = _paired(legs[BATCH[0]], legs[BATCH[1]], *BATCH, rules)
        blends.append(
            formed.select(
                "offer",
                pl.lit(name).alias("meter"),
                "day",
                ((2 * total + whole) // (2 * whole)).alias("price_nano"),
                pl.all_horizontal(f"is_confirmed_{m}" for m in shares).alias("is_confirmed"),
                (
                    pl.any_horizontal(f"is_official_{m}" for m in shares)
                    & pl.all_horizontal(
                        pl.col(f"is_official_{m}") | pl.col(f"is_steady_{m}") for m in shares
                    )
                ).alias("is_official"),
                pl.all_horizontal(f"is_steady_{m}" for m in shares).alias("is_steady"),
                pl.min_horizontal(f"seen_us_{m}" for m in shares).alias("seen_us"),
                "is_suspect",
                pl.concat_list(f"piece_{m}" for m in shares).alias("pieces"),
            ).select(plain.columns)
        )
    return pl.concat(blends).sort("offer", "meter", "day")


def _paired(
    low: pl.DataFrame, high: pl.DataFrame, inp: str, out: str, rules: Methodology
) -> pl.DataFrame:
    """Return offers with both meters, suspect where the output is too cheap for the input."""
    least = rules.bounds.out_to_in_min
    is_suspect = (
        pl.col(f"price_nano_{out}") * least.denominator
        < pl.col(f"price_nano_{inp}") * least.numerator
    )
    return low.join(high, on=["offer", "day"], how="inner").with_columns(
        is_suspect.alias("is_suspect")
    )


@dataclass(frozen=True)
class PriceTable:
    """Representative prices with what they refer to.

    ``prices``: the output of :func:`blend`. ``offers``: ``offer`` and the series columns except
    the meter. ``pieces``: ``piece``, ``tier`` and ``observation_id`` of each segment.
    """

    prices: pl.DataFrame
    offers: pl.DataFrame
    pieces: pl.DataFrame

    def select(self, offers: pl.Expr, meter: str) -> pl.DataFrame:
        """Return the prices of one meter for the offers that satisfy an expression, with both.

        Columns: those of ``offers``, day, price_nano, is_confirmed, is_suspect, seen_us,
        ``tier`` (the worst of its segments) and ``observation_id`` (joined by ``+``).
        """
        wanted = self.offers.filter(offers)
        mine = self._of_meter.get(meter, self.prices.clear())
        rows = mine.join(wanted, on="offer", how="inner").with_row_index("row")
        trail = rows.select("row", "pieces").explode("pieces")
        # A join would hash all pieces again for each index: their places are looked up instead.
        at = trail["pieces"].replace_strict(*self._places) if self._places else trail["pieces"]
        trail = (
            trail.select("row")
            .with_columns(self.pieces["tier"].gather(at), self.pieces["observation_id"].gather(at))
            .group_by("row", maintain_order=True)
            .agg(pl.col("tier").max(), pl.col("observation_id").str.join("+"))
        )
        return rows.join(trail, on="row", how="left", maintain_order="left").drop("row", "pieces")

    @cached_property
    def _of_meter(self) -> dict[str, pl.DataFrame]:
        parts = self.prices.partition_by("meter", as_dict=True, maintain_order=True)
        return {str(meter): part for (meter,), part in parts.items()}

    @cached_property
    def _places(self) -> tuple[pl.Series, pl.Series] | None:
        """Return piece ids and their places, or ``None`` where an id is its place."""
        ids, places = self.pieces["piece"], pl.int_range(self.pieces.height, eager=True)
        return None if (ids == places).all() else (ids, places)


def price_table(pieces: pl.DataFrame, windows: pl.DataFrame, rules: Methodology) -> PriceTable:
    """Return representative prices and blends of all segments over the index days of a window."""
    prices = blend(representative_prices(pieces, windows, rules), rules.blend, rules)
    offers = pieces.select("offer", *(c for c in KEY if c != "meter")).unique("offer").sort("offer")
    return PriceTable(prices, offers, pieces.select("piece", "tier", "observation_id"))


__all__ = [
    "DAY_US",
    "HOUR_US",
    "Coverage",
    "PriceTable",
    "blend",
    "price_table",
    "representative_prices",
    "segments",
    "spread",
    "window_table",
]
