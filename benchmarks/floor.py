"""The least any of them must do: read the columns, sort one integer per quote, a day at a time.

No answer comes out. The integer is index, provider and price side by side, in the 32 bits that it
needs; two threads, files as they come.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import task
from index.redetermine import prepare_process


def answer(folder: Path, target: Path) -> None:
    prepare_process()
    instruments = pl.read_parquet(folder / "instruments.parquet").sort("instrument")
    cells = (instruments["index_id"].to_numpy().astype(np.uint32) * 60) << np.uint32(19)

    def sort_days(file: Path) -> int:
        columns = ("day", "instrument", "provider", "price", "volume")
        rows = pl.scan_parquet(file).select(columns).collect(engine="in-memory")
        day = rows["day"].to_physical().to_numpy()
        instrument, provider, price = (rows[name].to_numpy() for name in columns[1:4])
        ends = np.append(np.flatnonzero(day[1:] != day[:-1]) + 1, len(day))
        start, check = 0, 0
        for end in ends.tolist():
            here = slice(start, end)
            key = cells.take(instrument[here])
            key += provider[here].astype(np.uint32) << np.uint32(19)
            key |= price[here].astype(np.uint32)
            key.sort()
            check ^= int(key[len(key) // 2])
            start = end
        return check

    with ThreadPoolExecutor(max_workers=2) as pool:
        checks = list(pool.map(sort_days, task.quotes(folder)))
    pl.DataFrame({"check": checks}).write_parquet(target)


if __name__ == "__main__":
    task.start(answer)
