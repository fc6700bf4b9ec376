"""Polars, lazily, with window functions; its own streaming engine and threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks import task

GROUP = ("index_id", "day")


def determined(files: Sequence[Path], instruments: pl.LazyFrame) -> pl.LazyFrame:
    price, root, weight = pl.col("price"), pl.col("root"), pl.col("weight")
    quotes = (
        pl.scan_parquet(files)
        .select("day", "instrument", "provider", "price", "volume")
        .join(instruments, on="instrument")
        .with_columns(price.median().over(GROUP).alias("median"))
        .filter(price.is_between(pl.col("median") / task.FILTER, pl.col("median") * task.FILTER))
    )
    members = (
        quotes.group_by(*GROUP, "provider")
        .agg(price.median(), pl.col("volume").sum().cast(pl.Int64))
        .with_columns(pl.col("volume").sqrt().alias("root"), pl.len().over(GROUP).alias("n"))
    )
    capped = (
        members.with_columns(
            pl.when(root.max().over(GROUP) > 0).then(root).otherwise(1.0).alias("root")
        )
        .filter(root > 0)
        .sort(*GROUP, "root")
        .with_columns(
            pl.len().over(GROUP).alias("N"),
            root.cum_sum().over(GROUP).alias("with_smaller"),
            pl.int_range(pl.len()).over(GROUP).alias("place"),
        )
        .with_columns(
            pl.when(pl.col("n") >= task.LARGE)
            .then(task.CAP_LARGE)
            .otherwise(pl.max_horizontal(task.CAP_FLOOR, task.CAP_NUMERATOR / pl.col("N")))
            .alias("cap")
        )
        .with_columns(
            (
                root * (1 - pl.col("cap") * (pl.col("N") - 1 - pl.col("place")))
                > pl.col("cap") * pl.col("with_smaller")
            ).alias("is_capped")
        )
        .with_columns(
            pl.col("is_capped").sum().over(GROUP).alias("k"),
            root.filter(~pl.col("is_capped")).sum().over(GROUP).alias("loose"),
        )
        .with_columns(
            pl.when(pl.col("is_capped"))
            .then(pl.col("cap"))
            .otherwise(root * (1 - pl.col("cap") * pl.col("k")) / pl.col("loose"))
            .alias("weight")
        )
    )
    upper, following = pl.col("upper"), pl.col("following")
    cut = pl.when(pl.col("n") >= task.LARGE).then(task.TRIM_LARGE).otherwise(task.TRIM)
    kept = pl.min_horizontal(upper, 1 - cut) - pl.max_horizontal(upper - weight, cut)
    slack = pl.col("N") * task.SLACK
    return (
        capped.sort(*GROUP, "price", "provider")
        .with_columns(
            weight.cum_sum().over(GROUP).alias("upper"),
            price.shift(-1).over(GROUP).fill_null(price).alias("following"),
        )
        .with_columns(kept.clip(lower_bound=0).alias("kept"))
        .group_by(GROUP)
        .agg(
            pl.col("n").first(),
            *(
                pl.when(upper <= percent / 100 + slack)
                .then((price + following) / 2)
                .otherwise(price)
                .filter(upper >= percent / 100 - slack)
                .first()
                .alias(f"p{percent}")
                for percent in task.PERCENTILES
            ),
            ((price * pl.col("kept")).sum() / pl.col("kept").sum()).alias("trimmed"),
        )
    )


def answer(folder: Path, target: Path) -> None:
    instruments = pl.scan_parquet(folder / "instruments.parquet")
    months = [determined(files, instruments).collect() for files in task.batches(folder)]
    pl.concat(months).select(*task.COLUMNS).write_parquet(target)


if __name__ == "__main__":
    task.start(answer)
