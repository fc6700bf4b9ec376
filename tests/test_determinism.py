"""The same bytes in, the same bytes out: other threads, zones, languages, hash seeds, row orders.

Every leaf of the log is compared, not only its root, so that a difference names its record. What
is published also cites every stored body by digest, so equal leaves mean equal batches.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from index.config import Settings
from index.ledger.log import Log
from tests.offline import plain_environment
from tests.small_bundle import BUNDLE

REPOSITORY = Path(__file__).resolve().parents[1]

WORLDS = {
    "one_thread_in_kathmandu_in_turkish": (
        {
            "POLARS_MAX_THREADS": "1",
            "TZ": "Asia/Kathmandu",
            "LANG": "tr_TR.UTF-8",
            "LC_ALL": "tr_TR.UTF-8",
            "PYTHONHASHSEED": "0",
        },
        "",
    ),
    "four_threads_in_chatham_with_rows_shuffled": (
        {"POLARS_MAX_THREADS": "4", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "4000000000"},
        "20261120",
    ),
}
"""Each in a process of its own; the ledger compared with is that of the tests' own process."""

MORE = {
    "two_threads_in_turkish_with_rows_shuffled_otherwise": (
        {"POLARS_MAX_THREADS": "2", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "123"},
        "7",
    ),
}
"""In the campaign on the whole bundle, besides."""


def published(out: Path, bundle: Path, world: dict[str, str], seed: str) -> Log:
    """Publish in a process of its own and return the log, every file of it checked."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.shuffled_run", str(out), str(bundle), *([seed] * bool(seed))],
        cwd=REPOSITORY,
        env=plain_environment(**world),
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    log = Log.open(out / "ledger", read_only=True)
    assert int(done.stdout) == log.size
    return log


def assert_same(log: Log, other: Log) -> None:
    """Compare two logs leaf by leaf; the first difference is named by record and field."""
    assert log.size == other.size
    for seq, (one, two) in enumerate(zip(log.entries(), other.entries())):
        if one != two:
            left, right = json.loads(one), json.loads(two)
            fields = [k for k in {**left, **right} if left.get(k) != right.get(k)]
            name = left.get("index_id", left.get("type"))
            shown = {k: (left.get(k), right.get(k)) for k in sorted(fields)}
            pytest.fail(f"record {seq} ({name}) differs in {shown}")
    assert log.root == other.root


@pytest.mark.parametrize(("world", "seed"), WORLDS.values(), ids=WORLDS.keys())
def test_the_same_bundle_gives_the_same_log_in(
    world: dict[str, str], seed: str, small_ledger: Settings, tmp_path: Path
) -> None:
    log = published(tmp_path / "out", small_ledger.bundle, world, seed)
    assert_same(log, Log.open(small_ledger.ledger, read_only=True))
    assert log.size > 400


@pytest.mark.campaign
def test_the_whole_bundle_gives_the_same_log_in_every_world(tmp_path: Path) -> None:
    plain = published(tmp_path / "plain", BUNDLE, {}, "")
    for name, (world, seed) in {**WORLDS, **MORE}.items():
        assert_same(published(tmp_path / name, BUNDLE, world, seed), plain)


def test_a_difference_is_seen_and_named(small_ledger: Settings, tmp_path: Path) -> None:
    real = Log.open(small_ledger.ledger, read_only=True)
    bodies = list(real.entries())
    at = next(n for n, body in enumerate(bodies) if json.loads(body)["type"] == "fixing")
    changed = json.loads(bodies[at]) | {"grade": "Z"}
    bodies[at] = json.dumps(changed).encode()
    forged = Log.create(tmp_path / "ledger", real.origin)
    forged.append(bodies, expected_first=0)
    with pytest.raises(pytest.fail.Exception, match=rf"record {at} \(.*'grade': \('Z', "):
        assert_same(forged, real)
