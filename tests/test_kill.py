"""A publisher killed at random moments keeps every promise; ``make campaign-kill`` goes on longer.

The checks of the campaign are tested too: a broken promise that nobody sees proves nothing.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from index import config
from index.config import Settings
from index.ledger.log import Log
from tests.killer import Broken, Campaign, Tally, leaves


@pytest.mark.timeout(900)
def test_a_few_kills_lose_double_and_change_nothing() -> None:
    # On a disk, where an append takes its time; tests' own files may lie in memory.
    with tempfile.TemporaryDirectory() as folder:
        tally = Campaign(Path(folder), 20261120, is_brief=True).run(4)
    print(tally.text())
    assert tally.kills >= 4
    assert tally.phases["within an append"] > 0
    assert tally.cycles > 0


@pytest.fixture
def looking(few_published: Settings, tmp_path: Path) -> Campaign:
    """A campaign that has seen a whole ledger of few indices, and no process to kill."""
    shutil.copytree(few_published.ledger / "log", tmp_path / "ledger" / "log")
    bare = object.__new__(Campaign)
    bare.tally, bare.settings = Tally(0), config.load(out=tmp_path)
    bare.whole = bare.known = leaves(bare.settings)
    return bare


def rewritten(settings: Settings, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Put another log in the place of the real one, sound in itself."""
    log = Log.open(settings.ledger, read_only=True)
    bodies, origin = change(list(log.entries())), log.origin
    shutil.rmtree(settings.ledger / "log")
    Log.create(settings.ledger, origin).append(bodies, expected_first=0)


def test_a_sound_ledger_passes(looking: Campaign) -> None:
    looking._look("here")


def test_a_lost_record_is_seen(looking: Campaign) -> None:
    rewritten(looking.settings, lambda bodies: bodies[:-1])
    with pytest.raises(Broken, match="gone or changed"):
        looking._look("here")


def test_a_lost_log_is_seen(looking: Campaign) -> None:
    shutil.rmtree(looking.settings.ledger)
    with pytest.raises(Broken, match="gone or changed"):
        looking._look("here")


def test_a_changed_record_is_seen(looking: Campaign) -> None:
    rewritten(looking.settings, lambda bodies: [bodies[0], b" " + bodies[1], *bodies[2:]])
    with pytest.raises(Broken, match="gone or changed"):
        looking._look("here")


def test_another_value_than_undisturbed_is_seen(looking: Campaign) -> None:
    looking.known = looking.known[:10]
    rewritten(looking.settings, lambda bodies: [*bodies[:10], bodies[11]])
    with pytest.raises(Broken, match="not that of an undisturbed run"):
        looking._look("here")


def test_a_gap_is_seen(looking: Campaign) -> None:
    looking.whole = looking.known = [*looking.known[:10], *looking.known[11:]]
    rewritten(looking.settings, lambda bodies: [*bodies[:10], *bodies[11:]])
    with pytest.raises(Broken, match="have a gap"):
        looking._look("here")


def test_a_fixing_published_twice_is_seen(looking: Campaign) -> None:
    def twice(bodies: list[bytes]) -> list[bytes]:
        last = next(b for b in reversed(bodies) if json.loads(b)["type"] == "fixing")
        again = json.loads(last) | {"seq": len(bodies)}
        return [*bodies, json.dumps(again).encode()]

    looking.whole = twice(looking.whole)
    rewritten(looking.settings, twice)
    with pytest.raises(Broken, match="was published twice"):
        looking._look("here")


@pytest.mark.parametrize(
    ("phases", "sizes", "cycles", "what"),
    [
        ({"before an append": 2}, {0: 1, 5: 1}, 1, "no kill hit an append"),
        ({"within an append": 2}, {0: 1, 5: 1}, 1, "before the first append"),
        ({"within an append": 1, "before an append": 1}, {0: 2}, 1, "same size"),
        ({"within an append": 1, "before an append": 1}, {0: 1, 5: 1}, 0, "0 cycles"),
    ],
    ids=["appends_never_hit", "start_up_never_hit", "no_progress", "never_came_through"],
)
def test_a_campaign_that_tested_nothing_fails(
    phases: dict[str, int], sizes: dict[int, int], cycles: int, what: str, looking: Campaign
) -> None:
    tally = looking.tally
    tally.kills, tally.cycles = 2, cycles
    tally.phases.update(phases)
    tally.sizes.update(sizes)
    with pytest.raises(Broken, match=what):
        looking._require(2)
