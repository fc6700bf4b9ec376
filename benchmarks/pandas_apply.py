"""pandas as most people write it first: a function per group, and groupby.apply."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import task


def one_group(quotes: pd.DataFrame) -> pd.Series:
    middle = quotes["price"].median()
    quotes = quotes[quotes["price"].between(middle / task.FILTER, middle * task.FILTER)]
    by_provider = quotes.groupby("provider")
    price, volume = by_provider["price"].median(), by_provider["volume"].sum()
    n = len(price)
    root = np.sqrt(volume)
    if root.max() == 0:
        root[:] = 1.0
    price, root = price[root > 0], root[root > 0]
    cap = task.CAP_LARGE
    if n < task.LARGE:
        cap = max(task.CAP_FLOOR, task.CAP_NUMERATOR / len(root))
    weight = root / root.sum()
    capped = np.zeros(len(root), bool)
    while (over := (weight > cap) & ~capped).any():
        capped |= over
        weight[capped] = cap
        free = root[~capped]
        weight[~capped] = free * (1 - cap * capped.sum()) / free.sum()
    table = pd.DataFrame({"price": price, "weight": weight})
    table = table.sort_values("price", kind="stable")
    prices, weights = table["price"].to_numpy(), table["weight"].to_numpy()
    upper = weights.cumsum()
    slack = len(prices) * task.SLACK
    found = {"n": n}
    for percent in task.PERCENTILES:
        at = np.argmax(upper >= percent / 100 - slack)
        value = prices[at]
        if upper[at] <= percent / 100 + slack and at + 1 < len(prices):
            value = (value + prices[at + 1]) / 2
        found[f"p{percent}"] = value
    cut = task.TRIM_LARGE if n >= task.LARGE else task.TRIM
    kept = np.minimum(upper, 1 - cut) - np.maximum(upper - weights, cut)
    kept = np.maximum(kept, 0)
    found["trimmed"] = (prices * kept).sum() / kept.sum()
    return pd.Series(found)


def answer(folder: Path, target: Path) -> None:
    columns = ["day", "instrument", "provider", "price", "volume"]
    quotes = pd.concat([pd.read_parquet(file, columns=columns) for file in task.quotes(folder)])
    quotes = quotes.merge(pd.read_parquet(folder / "instruments.parquet"), on="instrument")
    found = quotes.groupby(["index_id", "day"]).apply(one_group).reset_index()
    found["n"] = found["n"].astype("int64")
    found[list(task.COLUMNS)].to_parquet(target, index=False)


if __name__ == "__main__":
    task.start(answer)
