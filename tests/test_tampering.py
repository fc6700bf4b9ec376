"""Whatever is changed in what was published, a stranger with a pinned root sees it and says where.

A short round of :mod:`tests.tampering`; ``make campaign-tamper`` runs ten thousand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from index.config import Settings
from index.known_heads import Known
from index.verifying import Trust
from tests import tampering
from tests.tampering import KINDS, Tampered, World, campaign, problems_of

ROUND, SEED = 150, 20261121


@pytest.fixture(scope="module")
def world(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    return tampering.make_world(small_ledger.ledger, tmp_path_factory.mktemp("tampering"))


@pytest.mark.parametrize("kind", ["flip", "bundle file"])
def test_what_was_not_changed_is_sound(world: World, kind: str) -> None:
    files = world.bundle if kind == "bundle file" else world.tree.files
    assert problems_of(world, Tampered(files, ()), kind) == []


def test_every_tampering_of_a_short_round_is_seen_and_named(world: World) -> None:
    tally = campaign(world, ROUND, SEED)
    assert tally.missed == []
    assert sum(tally.injected.values()) == sum(tally.detected.values()) == ROUND
    assert {label.partition(":")[0] for label in tally.injected} == set(KINDS)


def test_without_a_known_head_a_sound_fork_and_a_sound_past_pass(world: World) -> None:
    """What only a head noted elsewhere can show; the loud warning of first sight is for this."""
    for files in (world.fork.files, world.earlier.files):
        found = tampering.Findings()
        tampering.verify_targets.verify(tampering.target_of(files), world.trust, [], found)
        assert found.problems == []
        known = [Known(world.tree.heads[-1], "a note")]
        tampering.verify_targets.verify(tampering.target_of(files), world.trust, known, found)
        assert str(found.problems[0]).startswith("site/log/checkpoint: ")


def test_a_tree_signed_by_other_keys_is_seen_by_the_pinned_root_alone(world: World) -> None:
    other = tampering.DemoSigner("officer").public
    found = tampering.Findings()
    trust = Trust((other,))
    tampering.verify_targets.verify(tampering.target_of(world.tree.files), trust, [], found)
    [problem] = found.problems
    assert problem.where == "site/log/checkpoint"
    assert "no pinned key vouches" in problem.what
    assert other.id.partition("-")[2] in problem.what


def test_a_campaign_that_changes_nothing_is_a_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in tampering.OF_FILES:
        monkeypatch.setitem(
            tampering.OF_FILES, kind, lambda files, draw: Tampered(files, ("site/log/checkpoint",))
        )
    assert len(campaign(world, 5, 1).missed) == 5


def test_files_are_of_every_kind_the_publisher_makes(world: World) -> None:
    kinds = {tampering.group_of(path) for path in world.tree.files}
    assert kinds == {
        "entry bundles", "hash tiles", "checkpoints", "bodies", "keys", "manifests",
        "signatures of manifests", "CTP tables", "*.json", "*.json.sig", "*.csv", "*.xml", "*.fix",
        "*.tlog-proof",
    }  # fmt: skip


def test_the_world_is_made_of_records_with_and_without_a_value(world: World) -> None:
    fixings = [r for r in map(world.tree.record, range(len(world.tree.bodies)))
               if r["type"] == "fixing"]  # fmt: skip
    assert len(fixings) == 20
    assert {r["session"] for r in fixings} == {"NYC", "SHA"}
    assert {r["value"] is None for r in fixings} == {True, False}
    assert Path(world.tables).exists()
