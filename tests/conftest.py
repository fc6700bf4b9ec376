"""What holds for every test: no network, no settings of the caller's shell, repeatable draws."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from index import config, pipeline
from index.config import Settings
from tests.offline import close_the_door
from tests.small_bundle import make_small_bundle

KEPT = {"SPOTFIX_PAYLOADS"}
"""Where the captured bodies are; every other ``SPOTFIX_*`` would change what is tested."""

for _name in [n for n in os.environ if n.startswith("SPOTFIX_") and n not in KEPT]:
    del os.environ[_name]

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


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle in a folder of its own; do not write to it."""
    return make_small_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def small_ledger(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a directory in which the small bundle is published, made once per worker.

    Read it; a test that writes copies ``settings.out`` first.
    """
    found = config.load(out=tmp_path_factory.mktemp("small") / "out", bundle=small_bundle)
    pipeline.run_bundled(found)
    return found


@pytest.fixture
def small_copy(small_ledger: Settings, tmp_path: Path) -> Settings:
    """Settings of a copy of the small ledger that one test may change."""
    shutil.copytree(small_ledger.out, tmp_path / "out", copy_function=shutil.copyfile)
    return config.load(out=tmp_path / "out", bundle=small_ledger.bundle)
