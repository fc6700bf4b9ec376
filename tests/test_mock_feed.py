"""The mock feed over loopback: each planted fault is found by a client that does as it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from index import mock_feed, mock_plan
from index.config import Settings
from index.feed.gate import Rules
from index.feed.quota import Quota
from index.feed.server import serving
from index.publication import schema
from index.publication.keys import PublicKey
from index.publication.proofs import verify
from methodology.errors import CoverageError, UsageError
from tests.sse import ask

SPAN = {"first": date(2026, 6, 18), "last": date(2026, 6, 18)}
"""The shortest index day of the small bundle: six indices, provisional and final."""


def planned(settings: Settings, faults: tuple[str, ...], **more: Any) -> mock_plan.Plan:
    return mock_plan.plan(settings.ledger, faults, **{**SPAN, **more})


@dataclass
class Played:
    """What one subscriber saw of a plan with every fault, and what REST then said."""

    plan: mock_plan.Plan
    seen: list[dict[str, Any]]
    bodies: dict[int, bytes]
    resources: dict[int, dict[str, Any]]
    keys: dict[str, PublicKey]

    def of(self, fault: str) -> list[int]:
        return [one["seq"] for one in self.plan.faults() if one["fault"] == fault]

    @property
    def by_seq(self) -> dict[int, dict[str, Any]]:
        return {record["seq"]: record for record in self.seen}


@pytest.fixture(scope="module")
def played(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> Played:
    tree = tmp_path_factory.mktemp("mock")
    made = planned(small_ledger, mock_plan.FAULTS)
    mock = mock_feed.Mock(made, small_ledger.ledger, tree / "tree", speed=1e9, longest_wait=0.0)
    ring = mock.keyring
    known = {"fixing": ring.fixing.public, "log": ring.log.public, "pq": ring.log_pq.public}
    found = Played(made, [], {}, {}, known)
    asyncio.run(play(mock, found))
    return found


async def play(mock: mock_feed.Mock, found: Played) -> None:
    made, rules = found.plan, Rules(quota=Quota(per_address=0))
    async with (
        serving(mock.app(rules)) as port,
        ask(port, "/v1/stream?after=-1") as answer,
    ):
        playing = asyncio.create_task(mock.play())
        for event in await answer.take(made.opening + len(made.items) - len(made.left_out())):
            record = json.loads(event["data"])
            assert (record["seq"], record["type"]) == (int(event["id"]), event["event"])
            found.seen.append(record)
            found.bodies[record["seq"]] = event["data"].encode()
        await playing
        for fault in made.faults():
            if fault["type"] != "fixing":
                continue
            path = "/v1/fixings/{index_id}/{session}/{ref_date}/r{revision}".format(**fault)
            one: dict[str, Any] = {}
            for suffix in (".json", ".json.sig", ".tlog-proof"):
                async with ask(port, path + suffix) as reply:
                    assert reply.status == 200, path + suffix
                    one[suffix], one["headers" + suffix] = await reply.body(), reply.headers
            found.resources[fault["seq"]] = one


def test_every_record_comes_in_order_and_is_marked_as_mock(played: Played) -> None:
    kinds = Counter(record["type"] for record in played.seen)
    assert kinds == {"key": 4, "commitment": 6, "fixing": 6 * 2 + 1 - 1, "notice": 1}
    for record in played.seen:
        schema.check(record)
        assert record["log_origin"] == "spotfix-dev/log/mock"
    fixings = [record for record in played.seen if record["type"] == "fixing"]
    assert all("MOCK" in one["flags"] for one in fixings)
    assert not any(one["settlement_eligible"] for one in fixings)
    published = [one["published_at"] for one in fixings]
    assert published == sorted(published)
    for one in fixings:
        commitment = played.by_seq[one["commit_seq"]]
        assert commitment["type"] == "commitment"
        assert commitment["index_id"] == one["index_id"]
        assert (one["supersedes"] is None) is (one["revision"] == 0)


def test_a_late_fixing_is_announced_and_then_comes(played: Played) -> None:
    notice = next(record for record in played.seen if record["type"] == "notice")
    late = next(
        record for record in played.seen
        if record["type"] == "fixing" and record["index_id"] == notice["index_id"]
    )  # fmt: skip
    assert (notice["kind"], late["revision"]) == ("DELAYED", 0)
    # 16:00 in New York is 20:00Z in June; a provisional is due 45 minutes later.
    assert notice["at"] == "2026-06-18T20:55:00.000Z"
    assert late["published_at"] == "2026-06-18T21:15:00.000Z"
    assert "LATE" in late["flags"]
    assert played.of("late") == [notice["seq"], late["seq"]]


def test_a_revision_supersedes_the_final_by_its_digest(played: Played) -> None:
    (place,) = played.of("revision")
    revised = played.by_seq[place]
    assert (revised["status"], revised["revision"]) == ("REVISED", 2)
    before = next(
        record for record in played.seen
        if record["type"] == "fixing"
        and (record["index_id"], record["revision"]) == (revised["index_id"], 1)
    )  # fmt: skip
    digest = hashlib.sha256(played.bodies[before["seq"]]).hexdigest()
    assert revised["supersedes"] == f"sha256:{digest}"
    assert revised["value"] != before["value"]
    assert len(revised["value"].partition(".")[2]) == len(before["value"].partition(".")[2])


def test_a_fixing_without_a_value_says_so_in_every_field(played: Played) -> None:
    places = played.of("no-fix")
    assert [played.by_seq[place]["revision"] for place in places] == [0, 1]
    for place in places:
        record = played.by_seq[place]
        assert (record["status"], record["waterfall"]) == ("NO_FIX", "NO_FIX")
        assert record["value"] is None
        assert record["no_fix_reason"]


def test_a_gap_in_the_ids_is_filled_from_the_log(played: Played) -> None:
    ids = [record["seq"] for record in played.seen]
    missing = set(range(ids[-1] + 1)) - set(ids)
    assert sorted(missing) == played.of("gap")
    (place,) = missing
    found = played.resources[place]
    keys = [played.keys["log"], played.keys["pq"]]
    checkpoint = verify(found[".tlog-proof"], found[".json"], keys)
    assert checkpoint.size > place
    assert json.loads(found[".json"])["seq"] == place


def test_a_bad_signature_is_bad_in_the_file_and_in_the_header(played: Played) -> None:
    key = played.keys["fixing"]
    for fault in played.plan.faults():
        if fault["type"] != "fixing":
            continue
        found = played.resources[fault["seq"]]
        is_good = fault["fault"] != "bad-signature"
        assert key.verify(found[".json"], found[".json.sig"]) is is_good
        header = re.search(r"ed25519=:([^:]+):", found["headers.json"]["spot-signature"])
        assert header is not None
        assert key.verify(found[".json"], base64.b64decode(header[1])) is is_good


# The plan ---------------------------------------------------------------------------------------


def test_a_seed_always_places_the_faults_alike(small_ledger: Settings) -> None:
    plans = [planned(small_ledger, mock_plan.FAULTS, seed=seed).faults() for seed in (7, 7, 8)]
    assert plans[0] == plans[1] != plans[2]
    assert {fault["fault"] for fault in plans[0]} == set(mock_plan.FAULTS)
    keyed: dict[tuple[str, str], set[str]] = {}
    for fault in plans[0]:
        keyed.setdefault((fault["index_id"], fault["ref_date"]), set()).add(fault["fault"])
    assert all(len(names) == 1 for names in keyed.values()), "one fault hides another"


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_is_in_the_order_of_time_and_each_fixing_follows_its_commitment(
    small_ledger: Settings, seed: int
) -> None:
    items = planned(small_ledger, mock_plan.FAULTS, seed=seed).items
    assert [item.at for item in items] == sorted(item.at for item in items)
    logged: set[int | None] = set()
    newest: dict[tuple[str, str, str], int] = {}
    for item in items:
        if item.fields["type"] == "commitment":
            logged.add(item.commitment)
        if item.fields["type"] == "fixing":
            assert item.commitment in logged
            assert item.fields["revision"] == newest.get(item.key, -1) + 1
            newest[item.key] = item.fields["revision"]


def test_an_unknown_fault_is_refused(small_ledger: Settings) -> None:
    with pytest.raises(UsageError, match=r"--faults gaps: there are late, revision"):
        planned(small_ledger, ("gaps",))


def test_days_without_a_fixing_are_told(small_ledger: Settings) -> None:
    with pytest.raises(CoverageError, match="no fixing from 2020-01-01 to 2020-01-02"):
        planned(small_ledger, (), first=date(2020, 1, 1), last=date(2020, 1, 2))


def test_the_ledger_that_is_replayed_is_not_touched(small_ledger: Settings, tmp_path: Path) -> None:
    def listing() -> dict[str, tuple[int, int]]:
        files = [path for path in small_ledger.ledger.rglob("*") if path.is_file()]
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in files}

    before = listing()
    made = planned(small_ledger, ())
    mock = mock_feed.Mock(made, small_ledger.ledger, tmp_path / "mock", speed=1e9)
    assert mock.publish_next()
    assert mock.publish_next()
    assert listing() == before


def test_the_simulated_clock_runs_at_its_speed_and_skips_quiet_spans(
    small_ledger: Settings, tmp_path: Path
) -> None:
    real = [100.0]
    made = planned(small_ledger, ())
    mock = mock_feed.Mock(
        made, small_ledger.ledger, tmp_path / "mock", speed=3600, seconds=lambda: real[0]
    )
    begin = mock.now()
    assert begin == made.items[0].at
    real[0] += 2.0
    assert (mock.now() - begin).total_seconds() == 7200
