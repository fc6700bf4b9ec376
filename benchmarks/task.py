"""What every implementation is asked for, and how it is started.

For each index and day of a workload (see ``build_workload.py``):

1. leave out quotes beyond 4 times, or below a quarter of, the median quote;
2. per provider: the median of its remaining quotes, and the sum of their volumes;
3. weights in proportion to the square root of the volume, none above the cap, which is 0.05 from
   25 providers on and max(0.08, 1.2/N) below, N counting those with a volume; what is above the cap
   is spread over the others in proportion, until none is above;
4. weighted percentiles 1, 25, 50, 75, 99 of the providers' prices: the first price whose cumulative
   weight passes the share; where it meets the share, to within 1e-8 a provider, the mean with the
   next;
5. the mean of the middle of the weight: 40% cut from each tail from 25 providers on, else 25%.

An answer is a Parquet file with :data:`COLUMNS`: one row per index and day, prices in ticks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

COLUMNS = ("index_id", "day", "n", "p1", "p25", "p50", "p75", "p99", "trimmed")
PERCENTILES = (1, 25, 50, 75, 99)
FILTER = 4
LARGE = 25
CAP_LARGE, CAP_FLOOR, CAP_NUMERATOR = 0.05, 0.08, 1.2
TRIM_LARGE, TRIM = 0.4, 0.25
SLACK = 1e-8


def quotes(folder: Path) -> list[Path]:
    """Return the quote files of a workload, a month each, in order of time."""
    return sorted(folder.glob("quotes-*.parquet"))


def by_month(folder: Path) -> bool:
    """Return whether a workload is too large to be held whole by every implementation."""
    return sum(path.stat().st_size for path in quotes(folder)) > 500_000_000


def batches(folder: Path) -> list[Sequence[Path]]:
    """Return the files to work on at a time: all of them, or month by month."""
    files = quotes(folder)
    return [[file] for file in files] if by_month(folder) else [files]


def start(answer: Callable[[Path, Path], None]) -> None:
    """Run one implementation: its module is called with a workload's folder and a target file."""
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    answer(folder, target)
