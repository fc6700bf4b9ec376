"""A ledger that the release with the rules of 1.0.0 made: every later release verifies it whole.

``golden/1.0.0/ledger.tar.xz`` holds the ledger and the bundle it was made from, a cut of the real
one: two open models with all their hosts, thirteen more with their developers' own prices, two
GPUs. ``values.csv`` lists what that release published, with the digest of each record.
``live.tar.xz`` is the ledger and archive of two days of live collection from the small market of
``live_world``.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import tarfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from index import config, pipeline, replay, rulechange
from index.config import Settings
from index.ledger.log import Log
from methodology import rulebooks
from methodology.errors import DefinitionError, VerificationError
from methodology.rulebooks import Rulebook
from tests import live_world as lw
from tests import loopback as lb

FOLDER = Path(__file__).parent / "golden" / "1.0.0"
ROOT_1_0_0 = "6e6e70966bd7f17b3ff7c3501e7579f82c2266413b7df560d3ff2ee727539cf7"
RULES_1_0_0 = "sha256:5b7ed01b33f2c0b9e1b7db5708d9dfbf90dfc503f512c1a19bfadc4a4e733b31"


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack our own archive; 3.11 before its fourth patch has no filters, later ones want one."""
    safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    archive.extractall(folder, **safe)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The ledger as it is kept; do not write to it."""
    folder = tmp_path_factory.mktemp("golden")
    with tarfile.open(FOLDER / "ledger.tar.xz") as archive:
        unpack(archive, folder)
    return config.load(out=folder, bundle=folder / "bundle")


@pytest.fixture
def copy(kept: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(kept.ledger, tmp_path / "ledger", copy_function=shutil.copyfile)
    return config.load(out=tmp_path, bundle=kept.bundle)


def entries(settings: Settings) -> list[bytes]:
    return list(Log.open(settings.ledger, read_only=True).entries())


def cut_to(settings: Settings, size: int) -> list[bytes]:
    """Put in place of the log its first records: what a run that was killed there left."""
    log = Log.open(settings.ledger, read_only=True)
    origin, bodies = log.origin, entries(settings)[:size]
    shutil.rmtree(settings.ledger / "log")
    Log.create(settings.ledger, origin).append(bodies, expected_first=0)
    return bodies


def test_the_fixture_is_small_and_says_what_was_published(kept: Settings) -> None:
    assert (FOLDER / "ledger.tar.xz").stat().st_size < 300_000
    found = []
    for body in entries(kept):
        r = json.loads(body)
        if r["type"] == "fixing":
            named = ("seq", "index_id", "session", "ref_date", "revision", "status", "waterfall")
            told = [str(r[name]) for name in named]
            told += [r["value"] or "", r["level"] or "", r["grade"]]
            found.append([*told, hashlib.sha256(body).hexdigest()])
    with (FOLDER / "values.csv").open() as file:
        assert found == list(csv.reader(file))[1:]
    assert sum(row[7] != "" for row in found) == 32


def test_it_verifies_byte_for_byte_but_for_another_value_put_into_it(copy: Settings) -> None:
    """All that 1.0.0 published recomputes; without a change: see what goes on from its end."""
    assert Log.open(copy.ledger, read_only=True).root.hex() == ROOT_1_0_0
    bodies = entries(copy)
    last = json.loads(bodies[-2])
    assert (last["type"], last["index_id"]) == ("fixing", "TKX-US-BLD")
    last["change_pct"] = "0.0001"
    cut_to(copy, len(bodies) - 2)
    log = Log.open(copy.ledger)
    changed = json.dumps(last, sort_keys=True, separators=(",", ":")).encode()
    log.append([changed, bodies[-1]], expected_first=log.size)
    with pytest.raises(VerificationError) as error:
        replay.verify(copy)
    report = getattr(error.value, "report")  # noqa: B009
    [problem] = report.problems
    assert re.match(r"TKX-US-BLD .* change_pct was published as", problem)
    assert report.rules == [f"1.0.0 {RULES_1_0_0}"]
    assert report.recomputed == report.fixings == report.second_engine == 344
    assert (report.back_cast_rows, report.artefacts) == (430, 1)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("size", "remade"), [(519, 0), (176, 31)], ids=["after_its_end", "after_a_kill_between_prints"]
)
def test_a_log_begun_under_1_0_0_goes_on_under_the_rules_in_force(
    copy: Settings, size: int, remade: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after two prints, the rules in force print the values of the table."""
    before = cut_to(copy, size)
    if not remade:
        lw.watch_few_indices(monkeypatch)  # what follows a whole log is not compared with a table
    report = pipeline.run_bundled(copy)
    assert report.appended > 0
    assert report.blocked == []
    assert entries(copy)[:size] == before
    if remade:
        assert pipeline.run_bundled(copy).appended == 0
    verified = replay.verify(copy)
    assert verified.problems == []
    versions = [told.partition(" ")[0] for told in verified.rules]
    assert versions == ["1.0.0", rulebooks.IN_FORCE]
    assert verified.recomputed == verified.fixings > 344
    records = [json.loads(body) for body in entries(copy)]
    turn = next(r["seq"] for r in records[1:] if r["type"] == "methodology")
    # The keys and calendars that a log opens with come first, four of each.
    assert turn == size + 8
    made = {}
    for r in records:
        if r["type"] == "fixing":
            assert (r["methodology_version"] == "1.0.0") == (r["seq"] < turn)
            made[r["index_id"], r["ref_date"], str(r["revision"])] = r
    with (FOLDER / "values.csv").open() as file:
        settled = [r for r in csv.DictReader(file) if r["value"]]
    assert len(settled) == 32
    again = [made[r["index_id"], r["ref_date"], r["revision"]] for r in settled]
    for old, new in zip(settled, again):
        assert (new["value"], new["level"] or "") == (old["value"], old["level"])
    assert sum(r["methodology_version"] == rulebooks.IN_FORCE for r in again) == remade


def test_a_fixing_moved_under_other_rules_is_found(copy: Settings) -> None:
    """A record of rules put before a fixing that was not made under them."""
    bodies = cut_to(copy, 300)
    first = json.loads(bodies[0])
    listing = rulebooks.rulebook().listing
    first["methodology_digest"] = "sha256:" + hashlib.sha256(listing.encode()).hexdigest()
    log = Log.open(copy.ledger, read_only=True)
    origin = log.origin
    shutil.rmtree(copy.ledger / "log")
    body = json.dumps(first, sort_keys=True, separators=(",", ":")).encode()
    Log.create(copy.ledger, origin).append([body, *bodies[1:]], expected_first=0)
    with pytest.raises(VerificationError, match="cites a listing that has not its digest"):
        replay.verify(copy)


def test_rules_that_may_not_follow_publish_nothing(
    copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_to(copy, 300)
    before = entries(copy)
    honest = rulebooks.rulebook

    def other(which: str) -> Rulebook:
        book = honest(which)
        if book.version == "1.0.0":
            return book
        later = book.methodology.model_copy(
            update={"version": "2.0.0", "effective_from": date(2027, 1, 1)}
        )
        fields: dict[str, Any] = {**vars(book), "version": "2.0.0", "methodology": later}
        return Rulebook(**fields)

    monkeypatch.setattr(rulechange.rulebooks, "rulebook", other)
    with pytest.raises(DefinitionError, match=r"a major version has a table \[change\]"):
        pipeline.run_bundled(copy)
    assert entries(copy) == before


# --- live --------------------------------------------------------------------------------------

LIVE_ROOT = "a4b1cfa697ca09ea0d4b4b96387a2f2520541ccde7fa46a82b3da2d3a105e050"


@pytest.fixture
def live(tmp_path: Path) -> Settings:
    with tarfile.open(FOLDER / "live.tar.xz") as archive:
        unpack(archive, tmp_path)
    return lw.settings(tmp_path)


def test_a_live_ledger_of_1_0_0_verifies_from_its_archive(live: Settings) -> None:
    """From its batches: with the third day, below."""
    report = replay.verify(live, from_archive=True)
    assert report.problems == []
    assert (report.root, report.recomputed, report.second_engine) == (LIVE_ROOT, 34, 34)


def test_a_third_live_day_goes_on_from_the_states_of_1_0_0(
    live: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lw.watch_few_indices(monkeypatch)
    before = entries(live)
    with lb.Server(lw.healthy("2026-08-14")) as server:
        world = lw.World(server, lw.settings(live.out, server.url))
        for hour in (7, 22):
            world.run(datetime(2026, 8, 14, hour, 30), gpurentalprices=lw.gpus("2026-08-14"))
    assert entries(live)[: len(before)] == before
    third = lw.fixing(live, lw.H100_ANY, "2026-08-14", 0)
    second = lw.fixing(live, lw.H100_ANY, "2026-08-13", 1)
    assert third["methodology_version"] == rulebooks.IN_FORCE
    assert third["panel_state_before"] == {"record": second["seq"], **second["panel_state"]}
    assert third["value"] is not None
    verified = replay.verify(live)
    assert verified.problems == []
    assert verified.recomputed == verified.fixings > 34
