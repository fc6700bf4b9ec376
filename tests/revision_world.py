"""A live day with a wrong price in it, and the officers who put it right.

The market is that of ``tests/live_world.py``. On 2026-08-12 SiliconFlow's input price of
deepseek-v3.2 is shown as 0.45 where it was 0.27. The seven prices are then
0.25 0.26 0.269 0.3 0.45 0.5 0.62, and their median is 0.3. Without the wrong one six remain, and
the middle of 0.269 and 0.3 is 0.2845: 5.1667% less.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from index import cli
from index.config import Settings
from index.ledger.log import Log
from index.publication import key_records
from index.publication.keys import PemSigner, create_pem
from index.shop import open_shop
from tests import live_world as lw
from tests import loopback as lb

DAY = "2026-08-12"
MORNING = datetime(2026, 8, 12, 7, 30)
EVENING = datetime(2026, 8, 12, 22, 30)
IN_TIME = datetime(2026, 8, 12, 23, 15)
"""Quarter past seven in the evening in New York: inside the window."""

LATE = datetime(2026, 8, 13, 4, 0)
"""Midnight in New York: the window has closed a second ago."""

UNIT_ERROR = f"""schema = "correction/1.0"

[[correction]]
action = "refuse-listing"
source = "models_dev"
provider = "siliconflow"
listing = "deepseek-ai/DeepSeek-V3.2"
meter = "IN"
reason = "the price of another model stood in this row"
evidence = "https://example.org/siliconflow/pricing"
evidence_date = {DAY}
status = "reviewed"
"""

REASON = "SiliconFlow: the price of another model"


def publish_a_wrong_day(out: Path) -> Settings:
    """Publish the day with the wrong price; return its settings."""
    with lb.Server(lw.healthy()) as server:
        wrong = lw.models_dev(deepseek={"siliconflow": "0.45"})
        server.routes["/models_dev"] = lb.reply(wrong)
        world = lw.World(server, lw.settings(out, server.url, allow_demo_live=True))
        world.run(MORNING)
        world.run(EVENING)
        return world.settings


def copied(settings: Settings, out: Path) -> Settings:
    """Return settings of a copy that one test may change."""
    shutil.copytree(settings.out, out, symlinks=True)
    return settings.model_copy(update={"out": out})


def officer(settings: Settings, folder: Path, name: str, at: datetime = EVENING) -> Path:
    """Make an officer's key, record it in the log, return the file of its private half."""
    path = folder / f"{name}-{len(list(folder.glob('*.pem')))}.pem"
    create_pem(path)
    with open_shop(settings) as shop:
        signed = key_records.create(
            PemSigner(path, name=name, purpose="officer"),
            origin=shop.log.origin,
            at=at,
            effective_seq=shop.log.size,
            root=shop.keyring.root_signer,
        )
        shop.append([key_records.at_place(signed)])
    return path


def key_id(path: Path) -> str:
    """Return the id of an officer's key."""
    return PemSigner(path, name="x", purpose="officer").public.id


def bodies(settings: Settings) -> list[bytes]:
    """Return every record of the log as bytes."""
    return list(Log.open(settings.ledger, read_only=True).entries())


def only_these_indices(patch: pytest.MonkeyPatch) -> None:
    """Let publisher, verifier and revision know a few indices; see ``tests/live_world.py``."""
    lw.watch_few_indices(patch)


def files(settings: Settings) -> dict[str, bytes]:
    """Return every file below the folder of all state, except the lock."""
    found = (p for p in settings.out.rglob("*") if p.is_file() and p != settings.lock)
    return {p.relative_to(settings.out).as_posix(): p.read_bytes() for p in found}


def spotfix(settings: Settings, *words: object) -> Result:
    """Run a command on these settings' folder."""
    return CliRunner().invoke(cli.app, [*map(str, words), "--out", str(settings.out)])
