"""The project's own road: index/redetermine.py over methodology/kernel.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import task
from index.redetermine import Market, prepare_process, redetermine
from methodology.definition import load_methodology
from methodology.kernel import Layout


def answer(folder: Path, target: Path) -> None:
    prepare_process()
    instruments = pl.read_parquet(folder / "instruments.parquet").sort("instrument")
    market = Market(
        index_of=instruments["index_id"].to_numpy().astype(np.int64),
        layout=Layout(indices=100, providers=60, highest_price=500_000),
        tick_nano=100_000,
        rooted=True,
    )
    found = redetermine(task.quotes(folder), market, load_methodology(), threads=2)
    found.write_parquet(target)


if __name__ == "__main__":
    task.start(answer)
