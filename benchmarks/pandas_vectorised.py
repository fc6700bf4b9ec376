"""pandas without a Python loop over groups: transform, sort_values, cumsum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import task

READ = ["day", "instrument", "provider", "price", "volume"]


def determined(files: Sequence[Path], index_of: np.ndarray) -> pd.DataFrame:
    quotes = pd.concat([pd.read_parquet(file, columns=READ) for file in files], ignore_index=True)
    # One integer for index and day: grouping by it is faster than by two columns.
    day = pd.factorize(quotes["day"])
    indices = int(index_of.max()) + 1
    quotes["group"] = day[0] * indices + index_of[quotes["instrument"].to_numpy()]
    median = quotes.groupby("group", sort=False)["price"].transform("median")
    price = quotes["price"]
    quotes = quotes[(price >= median / task.FILTER) & (price <= median * task.FILTER)]
    code = quotes["group"] * 64 + quotes["provider"]
    grouped = quotes.groupby(code)
    members = pd.DataFrame({"price": grouped["price"].median(), "volume": grouped["volume"].sum()})
    members["group"] = members.index.to_numpy() // 64
    members["provider"] = members.index.to_numpy() % 64
    members["n"] = members.groupby("group")["price"].transform("size")
    silent = members.groupby("group")["volume"].transform("max") == 0
    members["root"] = np.where(silent, 1.0, np.sqrt(members["volume"]))
    members = members[members["root"] > 0].sort_values(["group", "root"])
    group = members.groupby("group", sort=False)
    count = group["root"].transform("size")
    cap = np.where(
        members["n"] >= task.LARGE,
        task.CAP_LARGE,
        np.maximum(task.CAP_FLOOR, task.CAP_NUMERATOR / count),
    )
    above = count - 1 - group.cumcount()
    is_capped = members["root"] * (1 - cap * above) > cap * group["root"].cumsum()
    members["loose"] = members["root"].where(~is_capped, 0.0)
    members["is_capped"] = is_capped
    group = members.groupby("group", sort=False)
    left = 1 - cap * group["is_capped"].transform("sum")
    loose = group["loose"].transform("sum")
    members["weight"] = np.where(is_capped, cap, members["root"] * left / loose)
    members["slack"] = count * task.SLACK
    members = members.sort_values(["group", "price", "provider"])
    group = members.groupby("group", sort=False)
    upper = group["weight"].cumsum()
    following = group["price"].shift(-1).fillna(members["price"])
    cut = np.where(members["n"] >= task.LARGE, task.TRIM_LARGE, task.TRIM)
    kept = np.minimum(upper, 1 - cut) - np.maximum(upper - members["weight"], cut)
    members["kept"] = np.maximum(kept, 0)
    members["part"] = members["kept"] * members["price"]
    found = members.groupby("group").agg(n=("n", "first"), k=("kept", "sum"), t=("part", "sum"))
    for percent in task.PERCENTILES:
        share = percent / 100
        here = members[upper >= share - members["slack"]].drop_duplicates("group")
        is_tie = upper[here.index] <= share + here["slack"]
        value = np.where(is_tie, (here["price"] + following[here.index]) / 2, here["price"])
        found[f"p{percent}"] = pd.Series(value, index=here["group"])
    found["trimmed"] = found["t"] / found["k"]
    found["index_id"] = found.index % indices
    found["day"] = day[1].take(found.index // indices)
    return found[list(task.COLUMNS)]


def answer(folder: Path, target: Path) -> None:
    instruments = pd.read_parquet(folder / "instruments.parquet").sort_values("instrument")
    index_of = instruments["index_id"].to_numpy().astype(np.int64)
    months = [determined(files, index_of) for files in task.batches(folder)]
    pd.concat(months, ignore_index=True).to_parquet(target, index=False)


if __name__ == "__main__":
    task.start(answer)
