"""What ``status`` says of an installation, and the codes a monitor goes by."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index import config, status
from index.cli import app
from index.config import Settings
from index.ledger.log import Log
from tests import live_world as lw
from tests import loopback as lb

EVENING = datetime(2026, 8, 12, 22, 30)
"""After the final print of NYC (20:00 UTC in summer, plus two hours)."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[lw.World]:
    lw.watch_few_indices(monkeypatch, lw.H100_ANY)
    known = {n: d for d in lw.few_indices() if lw.H100_ANY in d.index_ids for n in d.index_ids}
    monkeypatch.setattr(status, "definitions_by_id", lambda: known)
    with lb.Server(lw.healthy()) as server:
        made = lw.World(server, lw.settings(tmp_path / "out", server.url))
        made.run(datetime(2026, 8, 12, 7, 30))
        made.run(EVENING)
        yield made


def nyc(settings: Settings, at: datetime) -> tuple[str, str | None, int]:
    """Return the state, and since when and by how many seconds NYC is late."""
    found = status.read(settings, at)
    (mine,) = [one for one in found["sessions"] if one["session"] == "NYC"]
    return found["state"], mine["late_since"], mine["late_seconds"]


def test_a_live_print_is_late_five_minutes_after_it_was_due(world: lw.World) -> None:
    assert nyc(world.settings, EVENING) == ("ok", None, 0)
    # NYC of the 13th: cut-off 20:00 UTC, provisional 20:45, so late from 20:50.
    assert nyc(world.settings, datetime(2026, 8, 13, 20, 49, 59)) == ("ok", None, 0)
    since = "2026-08-13T20:45:00.000Z"
    assert nyc(world.settings, datetime(2026, 8, 13, 20, 50)) == ("late", since, 300)
    # A day later the first missing print is still the one that it is late since.
    assert nyc(world.settings, datetime(2026, 8, 14, 20, 50)) == ("late", since, 86_700)
    found = status.read(world.settings, EVENING)
    (mine,) = [one for one in found["sessions"] if one["session"] == "NYC"]
    assert (mine["ref_date"], mine["revision"], mine["is_live"]) == ("2026-08-12", 1, True)
    assert (mine["values"], mine["next_due"]) == (1, "2026-08-13T20:45:00.000Z")
    assert found["live"] == {"last_round": "2026-08-12T22:30:00.000Z", "asked": 5, "answered": 5}


def test_a_day_that_was_declared_missed_is_not_late_and_a_failed_source_is_open(
    world: lw.World,
) -> None:
    world.server.routes["/ecb"] = lb.reply(b"", status=404)
    world.run(datetime(2026, 8, 16, 7, 30))  # nothing was collected on the days between
    assert nyc(world.settings, datetime(2026, 8, 16, 7, 35)) == ("ok", None, 0)
    (one,) = status.read(world.settings, datetime(2026, 8, 16, 7, 35))["incidents"]
    assert (one["kind"], one["about"], one["count"]) == ("SOURCE_FAILED", "ecb", 1)
    world.server.routes["/ecb"] = lb.reply(lw.ECB, content_type="text/xml")
    world.run(datetime(2026, 8, 16, 8, 30))
    assert status.read(world.settings, datetime(2026, 8, 16, 8, 35))["incidents"] == []


def test_a_bundled_history_owes_no_print(few_ledger: Settings) -> None:
    found = status.read(few_ledger, datetime(2026, 11, 21, 12))
    assert found["state"] == "ok"
    assert not any(one["is_live"] or one["late_seconds"] for one in found["sessions"])
    log = Log.open(few_ledger.ledger, read_only=True)
    assert found["log"] == {"size": log.size, "root": log.root.hex()}


def test_codes_and_words_of_the_command(
    few_copy: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = CliRunner()
    empty = runner.invoke(app, ["status", "--out", str(tmp_path / "none")])
    assert (empty.exit_code, "nothing has been published here" in empty.stdout) == (0, True)
    out = str(few_copy.out)
    well = runner.invoke(app, ["status", "--out", out])
    size = Log.open(few_copy.ledger, read_only=True).size
    assert (well.exit_code, f"consistent, size {size}," in well.stdout) == (0, True)
    monkeypatch.setattr(status, "late_since", lambda *_: datetime(2026, 8, 13, 20, 45))
    late = runner.invoke(app, ["status", "--out", out])
    assert (late.exit_code, "since 2026-08-13T20:45:00.000Z" in late.stdout) == (12, True)
    body = next((few_copy.ledger / "batches").rglob("*.jsonl"))
    body.write_bytes(body.read_bytes() + b"x")
    broken = runner.invoke(app, ["status", "--out", out, "--json"])
    told = json.loads(broken.stdout)
    assert (broken.exit_code, told["state"], told["log"]) == (21, "inconsistent", None)
    assert body.name in told["problem"]
    heads = few_copy.ledger / "log" / "heads"
    heads.write_bytes(heads.read_bytes()[:-3])
    assert runner.invoke(app, ["status", "--out", out]).exit_code == 21


def test_nothing_is_written_where_nothing_was(tmp_path: Path) -> None:
    status.read(config.load(out=tmp_path / "none"), datetime(2026, 8, 13))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_the_caller_closed_is_no_error(closed: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "index", "config", "show", "--out", str(tmp_path / "none")]
    asked = ["/bin/sh", "-c", f'"$@" {closed}', "sh", *words]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert bool(ended.stdout) == (closed == "2>&-")
