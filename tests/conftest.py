"""What holds for every test: no network, no settings of the caller's shell, repeatable draws."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from index.config import Settings
from tests.live_world import watch_few_indices
from tests.offline import close_the_door
from tests.small_ledgers import copy_of, published_once

KEPT = {"SPOTFIX_PAYLOADS"}
"""Where the captured bodies are; every other ``SPOTFIX_*`` would change what is tested."""

for _name in [n for n in os.environ if n.startswith("SPOTFIX_") and n not in KEPT]:
    del os.environ[_name]
for _name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(_name, None)  # the width and colours of whoever watches; xdist sets a width

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background by a shell: the publishers that tests start would be deaf too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

close_the_door()

settings.register_profile(
    "spotfix",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("spotfix")


HEAVY = (
    *("test_live", "test_live_panel", "test_golden", "test_replay", "test_kill", "test_cli"),
    *("test_backtest", "test_determinism", "test_derived", "test_explain", "test_ledger_crash"),
    *("test_publisher_full_disk", "test_revise", "test_gate", "test_warehouse_files"),
    *("test_fuzz", "test_guarding", "test_canaries", "test_stamping", "test_tampering"),
    *("test_artefacts", "test_publisher_kill", "test_keys_cli", "test_benchmarks"),
    *("test_real_bodies_tokens", "test_source_invariants", "test_cli_words", "test_audit_bundle"),
    *("test_backtest_scenarios", "test_publication_schema", "test_schedule", "test_verify_cli"),
)
"""The dearest files, dearest first: begun first, no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the dearest files first. A file stays with one worker, which makes its fixtures once."""
    rank = {name: place for place, name in enumerate(HEAVY)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all workers of this session share."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def small_ledger(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a directory in which the small bundle is published, once for all workers.

    Read it; a test that writes takes ``small_copy``.
    """
    return published_once(shared_folder(tmp_path_factory), "small")


@pytest.fixture(scope="session")
def small_bundle(small_ledger: Settings) -> Path:
    """The small bundle in a folder of its own; do not write to it."""
    return small_ledger.bundle


@pytest.fixture
def small_copy(small_ledger: Settings, tmp_path: Path) -> Settings:
    """Settings of a copy of the small ledger that one test may change: see ``copy_of``."""
    return copy_of(small_ledger, tmp_path / "out")


@pytest.fixture(scope="session")
def few_published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The small bundle published by a publisher that knows eighteen indices: see ``few_ledger``."""
    with pytest.MonkeyPatch.context() as patch:
        watch_few_indices(patch)
        return published_once(shared_folder(tmp_path_factory), "few")


@pytest.fixture
def few_ledger(few_published: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a ledger of eighteen indices, and a test that knows no other ones.

    For promises that hold or break whatever is published: a run and a verification take a third
    of what they take on the small ledger. Read it; a test that writes takes ``few_copy``.
    """
    watch_few_indices(monkeypatch)
    return few_published


@pytest.fixture
def few_copy(few_ledger: Settings, tmp_path: Path) -> Settings:
    """Settings of a copy of the ledger of few indices, to change: see ``copy_of``."""
    return copy_of(few_ledger, tmp_path / "out")
