"""What stops a publication before it does harm, and the small parts it is made of."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from index import publishing
from index.ledger.canonical import canonical
from index.ledger.log import Log
from index.publication import notes, tree
from index.publication.failpoints import NAMES
from index.publication.publisher import Publisher
from index.publication.writing import Writer
from methodology.errors import ConfigError, LogInconsistent
from tests import fixing_records as made
from tests.fixing_records import publish

FOLDER = "v1/2026/11/20/NYC"
OTHER = "fixing-0123456789abcdef"


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(f"drop/{FOLDER}/fixing_TKR-one-OUT_20261120_NYC_r1_F.json", id="record"),
        pytest.param(f"drop/{FOLDER}/MANIFEST_0002.json", id="manifest"),
        pytest.param("site/v1/fixings/TKR-one-OUT/NYC/2026-11-20/r1.json", id="second_name"),
        pytest.param("site/log/tile/entries/000.p/5", id="tile"),
    ],
)
def test_other_bytes_in_the_place_are_kept_and_refused(tmp_path: Path, name: str) -> None:
    settings = made.settings(tmp_path)
    log, publisher = publish(settings, made.opening(made.ring()))
    made.add(log, made.fixing(4, revision=1, status="FINAL"))
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"other")
    if "0002" in name:
        shutil.copy(tmp_path / name, (tmp_path / name).with_name("MANIFEST_0001.json"))
    with pytest.raises(LogInconsistent, match=name.rsplit("/", 1)[-1].replace("0002", "000.")):
        publisher.catch_up(log)
    assert (tmp_path / name).read_bytes() == b"other"
    newest = notes.parse_note((settings.site / tree.CHECKPOINT).read_bytes()).body
    assert newest.split(b"\n")[1] == b"4"


def test_a_log_that_is_shorter_than_what_was_published_stops_everything(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    publish(settings, made.opening(made.ring()))
    shutil.copytree(settings.ledger, tmp_path / "old")
    publish(settings, [made.fixing(4)])
    shutil.rmtree(settings.ledger)
    shutil.copytree(tmp_path / "old", settings.ledger)
    with pytest.raises(LogInconsistent, match="had 5 records"):
        publish(settings)


@pytest.mark.parametrize("place", [tree.CHECKPOINT, f"{tree.CHECKPOINTS}/5"])
def test_a_log_that_says_other_things_stops_everything(tmp_path: Path, place: str) -> None:
    settings, forked = made.settings(tmp_path / "a"), made.settings(tmp_path / "b")
    publish(settings, made.opening(made.ring()), [made.fixing(4)])
    publish(forked, made.opening(made.ring()), [made.fixing(4, value="4.187501")])
    shutil.copy(forked.site / place, settings.site / place)
    with pytest.raises(LogInconsistent, match="root"):
        publish(settings)


def test_a_key_the_log_does_not_name_signs_nothing(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    ring = made.ring()
    records = made.opening(ring)
    records[1] |= made.key(1, ring, "root", purpose="fixing", key_id=OTHER)
    log = Log.create(settings.ledger, made.ORIGIN)
    made.add(log, *records, made.fixing(4))
    with pytest.raises(ConfigError, match=OTHER):
        Publisher(settings, ring).catch_up(log)
    assert not settings.drop.exists()


def test_a_writer_reports_the_names_it_gives(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with Writer(tmp_path) as writer:
        writer.put(
            [(tmp_path / "a/1", b"1"), (tmp_path / "a/2", b"2")],
            lambda done, of: told.append((done, of)),
        )
    assert told == [(0, 2), (1, 2), (2, 2)]


# Audit paths -----------------------------------------------------------------------------------


def test_audit_paths_are_those_of_the_log(tmp_path: Path) -> None:
    log = Log.create(tmp_path, made.ORIGIN)
    trees = tree.Subtrees(made.ORIGIN)
    log.append([b"%d" % n for n in range(70)], expected_first=0)
    for seq in range(70):
        trees.add(log.leaf_hash(seq))
    for size in (1, 2, 3, 7, 8, 9, 63, 64, 65, 70):
        for seq in range(size):
            assert trees.inclusion_proof(seq, size) == log.inclusion_proof(seq, size)
    with pytest.raises(IndexError):
        trees.inclusion_proof(70)


def test_every_failpoint_is_passed_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[str] = []
    monkeypatch.setattr("index.publication.publisher.passing", passed.append)
    settings = made.settings(tmp_path)
    publish(settings, [*made.opening(made.ring()), made.fixing(4)])
    assert passed == list(NAMES)


def test_records_are_canonical() -> None:
    assert canonical(made.fixing(1)).startswith(b'{"administrator_id":"example"')


# Before anything is logged ---------------------------------------------------------------------


def shop_of(keys: list[dict[str, Any]]) -> Any:
    return SimpleNamespace(
        keyring=made.ring(),
        published=SimpleNamespace(keys=keys),
        settings=SimpleNamespace(keys=Path("keys")),
    )


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        pytest.param(1, "fixing, ed25519", id="fixing_key"),
        pytest.param(2, "log, ed25519", id="log_key"),
        pytest.param(3, "log, ml-dsa-44", id="second_log_key"),
    ],
)
def test_nothing_is_logged_that_the_keyring_cannot_sign(changed: int, named: str) -> None:
    """A rotation that was cut short left a new key in the keyring and the old one in the log."""
    keys = made.opening(made.ring())
    publishing.refuse_other_keys(shop_of(keys), [made.fixing(4)])
    keys[changed]["key_id"] = "old"
    with pytest.raises(ConfigError, match=rf"names old to sign record 4 \({named}\)"):
        publishing.refuse_other_keys(shop_of(keys), [made.fixing(4)])


def test_the_record_that_names_the_new_key_may_be_logged_with_it() -> None:
    ring = made.ring()
    keys = made.opening(ring)
    keys[1]["key_id"] = "old"
    rotation = made.key(4, ring, "fixing", action="ROTATE", replaces="old")
    publishing.refuse_other_keys(shop_of(keys), [rotation, made.fixing(5)])
    with pytest.raises(ConfigError, match="record 4"):
        publishing.refuse_other_keys(shop_of(keys), [made.fixing(4)])


def test_a_log_that_names_no_keys_is_published_by_the_keyring() -> None:
    publishing.refuse_other_keys(shop_of([]), [made.fixing(4)])
    named = made.opening(made.ring())
    named[1]["key_id"] = "another"
    with pytest.raises(ConfigError, match="another"):
        publishing.refuse_other_keys(shop_of(named), [made.fixing(4)])
