"""Every behaviour of the table at once, against one run of the collector.

The figures that reliability is measured by: each row its verdict, in its deadline plus a second,
no connection and no look-up beyond what was allowed, and no more memory than a small machine has.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fetching import CANARY
from tests.hostile.child import DEADLINE, HEALTHY_PAGES, SHORT, host_of
from tests.hostile.servers import serving
from tests.hostile.table import ROWS
from tests.offline import plain_environment

ROOT = Path(__file__).parents[2]
PEAK_MIB = 300


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the one run told, what it printed, and what the servers saw of it."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command makes the certificates of these servers")
    folder = tmp_path_factory.mktemp("hostile")
    begun = time.monotonic()
    with serving(folder) as (ports, servers):
        time.sleep(1.1)  # the certificate that is too old was good for its first second
        command = [sys.executable, "-W", "error", "-m", "tests.hostile.child", json.dumps(ports)]
        done = subprocess.run(
            [*command, str(folder / "ca.pem"), str(folder / "told.json")],
            cwd=ROOT,
            env=plain_environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        found: dict[str, Any] = json.loads((folder / "told.json").read_text())
        found |= {"ports": ports, "printed": done.stdout + done.stderr}
        found["asked"] = [one for server in servers.values() for one in server.asked]
    found["wall"] = time.monotonic() - begun
    print(
        f"\nhostile server: {len(ROWS)} behaviours in {found['took']:.2f} s, "
        f"peak {found['peak_mib']:.0f} MiB, healthy source done after "
        f"{found['healthy'] * 1000:.0f} ms, whole test {found['wall']:.1f} s"
    )
    return found


def test_the_table_has_at_least_sixty_behaviours_of_different_names() -> None:
    assert len(ROWS) >= 60
    assert [name for name, times in Counter(row.name for row in ROWS).items() if times > 1] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_behaviour_has_its_verdict(run: dict[str, Any], row: Any) -> None:
    told = run["told"][row.name]
    assert told["verdict"] == row.verdict, told["detail"]
    if row.bodies is not None:
        assert told["bodies"] == [body.decode("latin-1") for body in row.bodies]
    if told["verdict"] not in ("OK", "PROTOCOL", row.verdict):
        assert told["detail"]


def test_all_of_them_together_end_within_a_second_of_their_deadline(run: dict[str, Any]) -> None:
    assert run["took"] <= DEADLINE + 1


def test_a_healthy_source_is_not_delayed_by_any_of_them(run: dict[str, Any]) -> None:
    assert run["told"]["healthy"]["verdict"] == "OK"
    assert len(run["told"]["healthy"]["bodies"]) == HEALTHY_PAGES
    assert run["healthy"] < SHORT  # until then those that hold on hold on


def test_memory_stays_small(run: dict[str, Any]) -> None:
    assert run["peak_mib"] < PEAK_MIB


def test_no_connection_and_no_look_up_off_the_list(run: dict[str, Any]) -> None:
    """As the interpreter itself saw them, whoever asked."""
    allowed = set(run["ports"].values())
    strays = [
        to for to in run["connected"]
        if to[0] not in ("127.0.0.1", "127.0.0.9") or to[1] not in allowed
    ]  # fmt: skip
    assert strays == []
    assert set(run["looked_up"]) == {host_of(row) for row in ROWS} | {"healthy.test"}
    assert {host for host, times in run["looked_up"].items() if times > 1} == set()


def test_what_was_refused_was_not_kept(run: dict[str, Any]) -> None:
    is_body = ("OK", "parse:")
    refused = {row.name for row in ROWS if not row.verdict.startswith(is_body)}
    pages = {"pages_without_end", "pages_of_bombs"}  # those before the end are bodies
    assert set(run["kept"]) & refused <= pages


def test_no_cookie_ever_goes_back(run: dict[str, Any]) -> None:
    assert [one for one in run["asked"] if "cookie" in one.headers] == []


def test_the_key_is_shown_nowhere(run: dict[str, Any]) -> None:
    shown = json.dumps(run["told"]) + run["printed"]
    assert CANARY.lower() not in shown.lower()
    keyed = {f"/{row.name}" for row in ROWS if row.has_key}
    bearers = {one.target for one in run["asked"] if "authorization" in one.headers}
    assert bearers == keyed
