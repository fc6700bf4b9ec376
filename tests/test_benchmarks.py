"""The benchmark at a size that is no benchmark: everybody takes part, and everybody agrees."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import build_workload, check, report, task

ROWS = 60_000
NEEDS_PANDAS = ("pandas_vectorised", "pandas_apply")


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty days of a small market, two of its months."""
    patch = pytest.MonkeyPatch()
    patch.setattr(build_workload, "DAYS", 40)
    patch.setattr(build_workload, "BUSY_DAY", 7)
    folder = build_workload.build(ROWS, 3, tmp_path_factory.mktemp("bench"))
    patch.undo()
    return folder


@pytest.fixture(scope="module")
def ours(workload: Path) -> Path:
    return answered("ours", workload)


def answered(name: str, workload: Path) -> Path:
    target = workload / f"answer-{name}.parquet"
    importlib.import_module(f"benchmarks.{name}").answer(workload, target)
    return target


def test_the_workload_is_the_same_for_the_same_seed(workload: Path, tmp_path: Path) -> None:
    market = build_workload.Market(3)
    first = build_workload.quotes_of(market, 3, 0, 500)
    assert first.equals(build_workload.quotes_of(build_workload.Market(3), 3, 0, 500))
    assert not first.equals(build_workload.quotes_of(market, 4, 0, 500))
    assert build_workload.build(ROWS, 3, workload.parent) == workload


def test_the_drawn_quotes_are_these() -> None:
    """Pinned, so that figures of different months speak of the same market."""
    day = build_workload.quotes_of(build_workload.Market(20261120), 20261120, 5, 1000)
    columns = [day[name].cast(pl.Int64).to_numpy().tobytes() for name in day.columns]
    assert sha256(b"".join(columns)).hexdigest()[:16] == "26deae85e541dd4d"


def test_every_row_asked_for_is_there(workload: Path) -> None:
    quotes = pl.read_parquet(task.quotes(workload))
    assert quotes.height == ROWS
    assert quotes["ts"].is_sorted()
    assert (quotes["ts"].dt.date() == quotes["day"]).all()
    assert quotes["price"].is_between(build_workload.LOWEST, build_workload.HIGHEST).all()
    assert len(task.quotes(workload)) == 2


def test_at_full_size_one_day_passes_131072_rows() -> None:
    counts = build_workload.rows_per_day(100_000_000)
    assert sum(counts) == 100_000_000
    assert [day for day, count in enumerate(counts) if count > 131_072] == [build_workload.BUSY_DAY]


@pytest.mark.parametrize("name", ["duckdb_windows", "polars_windows", *NEEDS_PANDAS])
def test_everybody_gives_our_answer(name: str, workload: Path, ours: Path) -> None:
    if name in NEEDS_PANDAS:
        pytest.importorskip("pandas", reason="pandas is in the bench extra")
    found = check.differences(ours, answered(name, workload))
    assert check.agrees(found), found


def test_plain_integers_give_our_answer(workload: Path, ours: Path) -> None:
    assert check.against_plain_integers(ours, workload) == 0


def test_a_wrong_answer_is_seen(workload: Path, ours: Path, tmp_path: Path) -> None:
    right = pl.read_parquet(answered("duckdb_windows", workload))
    spoilt = {
        "percentiles": right.with_columns(p25=pl.col("p25") + 1e-4),
        "trimmed": right.with_columns(trimmed=pl.col("trimmed") * 1.00001),
        "groups": right.tail(-1),
        "members": right.with_columns(n=pl.col("n") + 1),
    }
    for what, frame in spoilt.items():
        frame.write_parquet(tmp_path / "wrong.parquet")
        found = check.differences(ours, tmp_path / "wrong.parquet")
        assert found[what] > 0
        assert not check.agrees(found)
    changed = pl.read_parquet(ours).with_columns(pl.col("p50_nano") + 1)
    changed.write_parquet(tmp_path / "wrong.parquet")
    assert check.against_plain_integers(tmp_path / "wrong.parquet", workload) > 0


def test_the_floor_runs(workload: Path) -> None:
    assert pl.read_parquet(answered("floor", workload)).height == 2


def test_a_missed_target_is_said(tmp_path: Path) -> None:
    one = {"wall": 1.0, "cpu": 1.0, "gib": 0.5, "foreign": 0.0, "runs": 1}
    seen = {"percentiles": 0, "trimmed": 1e-9, "members": 0, "groups": 0}
    peer = {**one, "wall": 4.0, "differences": seen, "agrees": True}
    told = dict.fromkeys(("cores", "processor", "memory", "python"), "x")
    told |= dict.fromkeys(("numpy", "polars", "duckdb", "pandas"), "1")
    found: dict[str, Any] = {
        "rows": 10_000_000,
        "seed": 1,
        "bytes": 1,
        "when": "2026-01-01",
        "command": "make",
        "machine": told,
        "results": {"ours": one, "duckdb_windows": peer},
        "same_bytes": True,
        "wrong_by_plain_integers": 0,
    }
    text = report.section(found)
    assert "| DuckDB, SQL windows | at least 5 times ours | 4.0 | **missed** |" in text
    assert "| DuckDB, SQL windows | 4.00 | 1.00 | 0.50 | 4.00 | 0% | 1 |" in text
    assert "fit to quote" not in text
    found["results"]["duckdb_windows"] = {**peer, "wall": 40.0, "foreign": 0.7}
    text = report.section(found)
    assert "| DuckDB, SQL windows | at least 5 times ours | 40.0 | undecided |" in text
    assert "no ratio of this table is fit to quote" in text


def test_every_implementation_is_named_in_the_readme() -> None:
    folder = Path(task.__file__).parent
    text = (folder / "README.md").read_text("utf-8")
    run = importlib.import_module("benchmarks.run")
    assert {name for name in run.IMPLEMENTATIONS if f"`{name}.py`" not in text} == set()
    assert set(report.NAMES) == set(run.IMPLEMENTATIONS)
    assert sys.modules["benchmarks.run"] is run


def test_everybody_collects_the_same_bytes() -> None:
    """The collecting benchmark at a size that is no benchmark, without the libraries of others."""
    from benchmarks import collect_contenders, collect_report

    command = [sys.executable, "-m", "benchmarks.collect_server"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=Path(task.__file__).parents[1], **pipes) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        names = ("ours", "ours_archived", "httpx_gather")
        got = [collect_contenders.CONTENDERS[name](port, 12, 3)[1] for name in names]
        server.communicate()
    sizes = [sorted(size for _, size in one) for one in got]
    assert sizes[0] == sizes[1] == sizes[2]
    assert len(sizes[0]) == 12
    assert set(collect_report.NAMES) == set(collect_contenders.CONTENDERS)
