"""A publisher killed at every step, or stopped beside a second one, keeps every promise.

``make campaign-publication`` does the same a thousand times over.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from index.ledger.log import Log
from index.publication.failpoints import NAMES
from tests import fixing_records as made
from tests.offline import plain_environment
from tests.publication_killer import Campaign
from tests.publication_rounds import Broken, next_round, publish, round_of

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.timeout(200)
def test_kills_and_stops_lose_double_and_change_nothing() -> None:
    """In a process of its own: it forks, and this one may have threads."""
    words = ["-m", "tests.publication_killer", "--swift", "--seed", "7"]
    words += ["--kills", "20", "--rounds", "4"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("nothing lost, doubled or changed") == 2


@pytest.fixture
def looking(tmp_path: Path) -> Campaign:
    """A campaign over a directory in which three rounds were published, and nobody to kill."""
    campaign = Campaign(tmp_path, 0)
    publish(campaign.settings, 3, lambda size: None)
    campaign._look(is_recovered=True)
    return campaign


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        pytest.param("drop/v1/2026/01/01/NYC/*r0_P.csv", b"", "was seen and is changed", id="csv"),
        pytest.param("site/v1/fixings/*/NYC/2026-01-01/r0.xml", None, "and is gone", id="site"),
        pytest.param("site/log/checkpoints/4", None, "and is gone", id="checkpoint"),
        pytest.param("drop/v1/notices/MANIFEST_0001.json.sig", None, "gone", id="signature"),
    ],
)
def test_the_campaign_sees_a_changed_file(
    looking: Campaign, name: str, body: bytes | None, said: str
) -> None:
    path = next(looking.settings.out.glob(name))
    path.unlink()
    if body is not None:
        path.write_bytes(body)
    with pytest.raises(Broken, match=said):
        looking._look(is_recovered=True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("drop/v1/2026/01/01/NYC/*one*r0_P.fix", "names fixing_TKR-one", id="file"),
        pytest.param("drop/v1/2026/01/01/NYC/MANIFEST_0001.json.sig", "not signed", id="signature"),
    ],
)
def test_the_campaign_sees_a_manifest_before_what_it_names(
    looking: Campaign, name: str, said: str
) -> None:
    looking.seen = {}
    next(looking.settings.out.glob(name)).unlink()
    with pytest.raises(Broken, match=said):
        looking._look(is_recovered=False)


def test_the_campaign_sees_a_record_that_is_not_published(looking: Campaign) -> None:
    log = Log.open(looking.settings.ledger)
    made.add(log, *round_of(next_round(log.size), log.size))
    with pytest.raises(Broken, match="are published"):
        looking._look(is_recovered=True)


def test_every_failpoint_has_its_own_name() -> None:
    assert len(set(NAMES)) == len(NAMES)
