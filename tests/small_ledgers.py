"""Ledgers of the small bundle: published once for all workers of a session, and copied."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from index import config, pipeline
from index.config import Settings
from tests.small_bundle import make_small_bundle


def published_once(folder: Path, name: str) -> Settings:
    """Settings of a directory below ``folder`` in which the small bundle is published once."""
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        bundle, done = folder / f"{name}-bundle", folder / f"{name}.done"
        found = config.load(out=folder / f"{name}-out", bundle=bundle)
        if not done.exists():
            make_small_bundle(bundle)
            pipeline.run_bundled(found)
            done.touch()
    return found


def copy_of(whole: Settings, out: Path) -> Settings:
    """Settings of a copy of a ledger that one test may change.

    Thousands of files of ``drop`` and ``site/v1`` have a second name only: put another file in
    the place of one, and never write into it. All others are copies.
    """
    once = (f"{whole.drop}/", f"{whole.site}/v1/")

    def copied(source: str, target: str) -> str:
        call = os.link if source.startswith(once) else shutil.copyfile
        call(source, target)
        return target

    shutil.copytree(whole.out, out, copy_function=copied)
    return config.load(out=out, bundle=whole.bundle)
