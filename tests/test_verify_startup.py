"""Whoever starts a publisher whose log contradicts what it once published is stopped: exit 21.

A published checkpoint is a promise: it was signed and somebody may hold it. `spotfix run` compares
each of them with the log before it appends anything.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index.cli import app
from index.config import Settings
from index.ledger.log import Log
from index.ledger.tiles import Head, checkpoint_text
from index.publication import keyring
from index.publication.notes import sign_checkpoint
from index.shop import open_shop
from methodology.errors import LogInconsistent
from tests.published_trees import AT, ORIGIN, make_tree


@pytest.fixture(scope="module")
def published(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(small_ledger.ledger, tmp_path_factory.mktemp("tree")).out


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Settings:
    shutil.copytree(published, tmp_path / "out", copy_function=shutil.copyfile)
    return Settings(out=tmp_path / "out", log_origin=ORIGIN)


def signed(settings: Settings, size: int, root: bytes, origin: str | None = None) -> bytes:
    """Return a checkpoint that the log's own keys signed."""
    name = origin or settings.log_origin
    text = checkpoint_text(name, Head(size, root)).encode()
    return sign_checkpoint(text, keyring.demo(name), AT)


def kept(settings: Settings, size: int) -> Path:
    return settings.site / "log" / "checkpoints" / str(size)


def refused(settings: Settings) -> str:
    before = sorted(p.name for p in (settings.ledger / "log").rglob("*"))
    with pytest.raises(LogInconsistent) as found, open_shop(settings):
        pass
    assert found.value.exit_code == 21
    assert sorted(p.name for p in (settings.ledger / "log").rglob("*")) == before
    return str(found.value)


def first_size(settings: Settings) -> int:
    return min(int(path.name) for path in (settings.site / "log" / "checkpoints").iterdir())


def test_run_ends_with_21_when_an_earlier_checkpoint_has_another_root(small_copy: Settings) -> None:
    size = first_size(small_copy)
    kept(small_copy, size).write_bytes(signed(small_copy, size, bytes(32)))
    words = ["run", "--out", str(small_copy.out), "--bundle", str(small_copy.bundle)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 21
    assert str(kept(small_copy, size)) in result.stderr
    assert "0" * 64 in result.stderr


Spoil = Callable[[Settings], Path]


def another_root(settings: Settings) -> Path:
    size = first_size(settings)
    kept(settings, size).write_bytes(signed(settings, size, b"\1" * 32))
    return kept(settings, size)


def under_another_size(settings: Settings) -> Path:
    size = first_size(settings)
    kept(settings, size + 1).write_bytes(kept(settings, size).read_bytes())
    return kept(settings, size + 1)


def of_another_log(settings: Settings) -> Path:
    size = first_size(settings)
    root = Log.open(settings.ledger, read_only=True).root_at(size)
    kept(settings, size).write_bytes(signed(settings, size, root, "example.org/other"))
    return kept(settings, size)


def of_records_that_are_gone(settings: Settings) -> Path:
    kept(settings, 10**6).write_bytes(signed(settings, 10**6, bytes(32)))
    return kept(settings, 10**6)


def torn(settings: Settings) -> Path:
    path = kept(settings, first_size(settings))
    path.write_bytes(path.read_bytes()[:40])
    return path


def the_moving_one(settings: Settings) -> Path:
    size = Log.open(settings.ledger, read_only=True).size
    path = settings.site / "log" / "checkpoint"
    path.write_bytes(signed(settings, size, bytes(32)))
    return path


@pytest.mark.parametrize(
    "spoil",
    [another_root, under_another_size, of_another_log, of_records_that_are_gone, torn,
     the_moving_one],
    ids=lambda one: one.__name__,
)  # fmt: skip
def test_a_checkpoint_that_contradicts_the_log_is_named_and_nothing_appended(
    copy: Settings, spoil: Spoil
) -> None:
    assert str(spoil(copy)) in refused(copy)


def test_a_log_restored_from_an_older_backup_is_refused(copy: Settings) -> None:
    """The ledger lost records that were published: what a restore without the newest days is."""
    older = copy.out / "older"
    whole = Log.open(copy.ledger, read_only=True)
    cut = whole.heads[-2].size
    shutil.copytree(copy.ledger / "batches", older / "batches")
    log = Log.create(older, whole.origin)
    log.append(list(whole.entries(0, cut)), expected_first=0)
    shutil.rmtree(copy.ledger)
    older.rename(copy.ledger)
    told = refused(copy)
    assert f"with {cut}" in told
    assert "restore the ledger from a backup" in told
