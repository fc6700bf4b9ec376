"""Every live source of the panel at once, from the request to the published number.

One loopback server answers for all of them as their own servers would (``tests/live_panel.py``),
and each round is a process of its own: what it keeps, what it publishes, what it takes, what sick
sources and a kill in its midst do to it.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_fd_to_metric_families
from typer.testing import CliRunner

from collectors import panel
from collectors.archive import Archive
from collectors.base import Parsed
from collectors.entries import Entry
from collectors.gpus import gcp_list
from index import guarding, intake, liverun, metrics, reading, replay, schedule
from index.cli import app
from index.config import Settings
from index.ledger.log import Log
from methodology import clock
from tests import live_bodies as bodies
from tests import live_panel as lp
from tests import live_rounds as rounds
from tests import live_world as lw
from tests import loopback as lb
from tests.archive_files import orphans

LIVE = sorted(source.id for source in lp.live())
UNPROVEN = [name for name in LIVE if not panel.is_proven(name)]
DAY = "2026-11-20"

ONLY_REFUSED = {"openrouter_providers": "NOT_A_LISTING"}
"""Sources that state no price and no volume, and what their rows are instead."""

PEAK_MIB = 400
STAYS = {"aws_list": "a body of which lines were kept is not the server's"}
"""Sources that ask by GET and never conditionally."""


@dataclass
class World:
    """Two rounds of the whole panel: what is on disk, what was told, what the server answered."""

    market: lp.Market
    settings: Settings
    told: list[dict[str, Any]]
    answered: list[list[tuple[str, int]]]
    files: list[set[Path]]

    @property
    def archive(self) -> Archive:
        return Archive(self.settings.raw)


def bodies_of(settings: Settings) -> set[Path]:
    return {path for path in settings.raw.rglob("*.zst") if path.is_file()}


def at(entries: list[Entry], moment: datetime) -> list[Entry]:
    return [one for one in entries if one.fetched_at == moment.replace(tzinfo=UTC)]


def keyed(entries: list[Entry]) -> list[tuple[str, str, datetime, str, int]]:
    return [(e.source, e.url, e.fetched_at, e.sha256, e.status) for e in entries]


def log_of(settings: Settings) -> list[bytes]:
    return list(Log.open(settings.ledger, read_only=True).entries())


@pytest.fixture(scope="module")
def market() -> Iterator[lp.Market]:
    with lp.Market() as found:
        yield found


@pytest.fixture(scope="module")
def world(market: lp.Market, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A morning and an evening on which every source answers."""
    out = tmp_path_factory.mktemp("panel") / "out"
    found = World(market, rounds.settings(out, market.addresses()), [], [], [])
    for moment in (bodies.MORNING, bodies.EVENING):
        market.moment = moment
        market.answered.clear()
        code, told = rounds.child(out, market.addresses(), moment)
        assert code == 0
        found.told.append(told)
        found.answered.append(list(market.answered))
        found.files.append(bodies_of(found.settings))
        print(f"\n{moment:%H:%M}: {rounds.figures(told, market)}")
    return found


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    lw.watch_few_indices(monkeypatch)


# --- the server knows the panel ------------------------------------------------------------------


@pytest.mark.parametrize("source_id", LIVE)
def test_the_server_has_an_answer_for_each_live_source(source_id: str) -> None:
    """A folder with several bodies, or a source with several requests, needs a line of TABLE."""
    for page in bodies.pages_of(source_id):
        stored = (bodies.folder_of(source_id) / page.file).read_bytes()
        assert page.made(stored, "http://127.0.0.1:1")


def test_the_table_names_live_sources_only() -> None:
    assert set(bodies.TABLE) <= set(LIVE)
    assert len(LIVE) >= 60


# --- two rounds ----------------------------------------------------------------------------------


def test_nothing_is_asked_that_the_server_does_not_know(world: World) -> None:
    assert world.market.unknown == []


def test_no_source_failed_and_every_one_answered(world: World) -> None:
    for told in world.told:
        assert told["failures"] == []
        assert told["sources"] == len(LIVE)
        assert sorted(told["results"]) == LIVE
        assert {one["reason"] for one in told["results"].values()} == {None}
    assert {status for _, status in world.answered[0]} == {200}


def test_every_page_of_every_source_was_asked_for(world: World) -> None:
    wanted = {name: len(bodies.pages_of(name)) for name in LIVE}
    for answered in world.answered:
        counts = Counter(name for name, _ in answered)
        assert {name: counts[name] for name in LIVE} == wanted


def test_the_robots_file_of_each_page_is_asked_once_a_round(world: World) -> None:
    hosts = {lp.host_of(source) for source in lp.live() if source.is_page}
    for answered in world.answered:
        robots = Counter(name for name, _ in answered if name.startswith("robots "))
        assert robots == dict.fromkeys((f"robots {host}" for host in hosts), 1)


@pytest.fixture(scope="module")
def parsed(world: World) -> dict[str, list[Parsed]]:
    """What each capture of the morning yields, by source."""
    found: dict[str, list[Parsed]] = {}
    for entry in at(world.archive.entries(), bodies.MORNING):
        rows = intake.parse_capture(world.archive.load(entry))
        assert rows.seen, entry.url
        found.setdefault(entry.source, []).append(rows)
    return found


def kept(pages: list[Parsed]) -> int:
    return sum(one.seen - one.rejections.height for one in pages)


def test_every_source_gave_a_capture_that_parses_to_rows(parsed: dict[str, list[Parsed]]) -> None:
    assert sorted(parsed) == LIVE
    assert {
        name: {reason for one in pages for reason in one.rejections["reason"]}
        for name, pages in parsed.items()
        if not kept(pages)
    } == {name: {reason} for name, reason in ONLY_REFUSED.items()}


def test_every_capture_is_in_the_archive_and_each_body_once(world: World) -> None:
    entries = world.archive.entries()
    assert world.archive.check() == []
    assert orphans(world.archive) == []
    for told, moment in zip(world.told, (bodies.MORNING, bodies.EVENING), strict=True):
        counts = Counter(entry.source for entry in at(entries, moment))
        joined = {gcp_list.SOURCE.id: 1}  # the pages of one catalogue once more, as one body
        given = {name: told["results"][name]["bodies"] + joined.get(name, 0) for name in LIVE}
        assert counts == given
    assert len(world.files[1]) == len({entry.sha256 for entry in entries})


def test_an_unchanged_body_costs_one_line_and_no_second_file(world: World) -> None:
    first, second = (at(world.archive.entries(), when) for when in (bodies.MORNING, bodies.EVENING))
    assert [(e.source, e.url, e.sha256) for e in first] == [
        (e.source, e.url, e.sha256) for e in second
    ]
    assert world.files[0] == world.files[1]


def test_what_can_be_confirmed_is_confirmed_and_not_sent_again(world: World) -> None:
    told: dict[str, set[int]] = {}
    for name, status in world.answered[1]:
        told.setdefault(name, set()).add(status)
    for source in lp.live():
        is_plain = all(page.method == "GET" for page in bodies.pages_of(source.id))
        asks = lp.validator_of(source) and is_plain and source.id not in STAYS
        assert told[source.id] == {304 if asks else 200}, source.id
    confirmed = {e.source for e in at(world.archive.entries(), bodies.EVENING) if e.status == 304}
    assert confirmed == {name for name, statuses in told.items() if statuses == {304}}
    assert len(confirmed) >= 30


def test_the_guards_inspected_every_source_of_prices(world: World) -> None:
    book, left = guarding.load(world.settings.data, world.archive)
    priced = {source.id for source in lp.live() if source.kind in guarding.GUARDED}
    assert (set(book.states), left, book.through) == (priced, [], bodies.EVENING)
    assert guarding.quarantined(book) == {}
    for name, state in book.states.items():
        assert state.memory.source == name
        assert state.memory.is_proven == panel.is_proven(name), name


def test_each_row_of_an_unproven_source_is_refused_and_told(
    world: World, parsed: dict[str, list[Parsed]]
) -> None:
    """Of one catalogue in pages the joined body is read, which alone holds whole machines."""
    ledger = reading.open_ledger(world.settings)
    told = Counter(r["source"] for r in ledger.rejections() if r["reason"] == "SOURCE_UNPROVEN")
    assert told == {name: kept(parsed[name]) for name in UNPROVEN if kept(parsed[name])}
    assert len(told) >= 50


def values_of(settings: Settings) -> dict[tuple[str, int], tuple[Any, ...]]:
    return {
        (r["index_id"], r["revision"]): (r["value"], r["waterfall"], r["n_used"], r["status"])
        for r in lw.records(settings)
        if r["type"] == "fixing"
    }


@pytest.mark.usefixtures("few")
def test_unproven_sources_move_no_number(world: World, tmp_path: Path) -> None:
    """The same bodies without theirs give the same numbers.

    Rights and panels keep most of them out as well; that the proof alone decides is held by
    ``tests/test_guarding.py``, where one source is tried with it and without.
    """
    alone = rounds.settings(tmp_path / "out", world.market.addresses())
    archive = Archive(alone.raw)
    for moment in (bodies.MORNING, bodies.EVENING):
        for entry in at(world.archive.entries(), moment):
            if entry.source not in UNPROVEN:
                archive.put(world.archive.load(entry))
        liverun.run_due(alone, moment)
    assert {e.source for e in archive.entries()} == set(LIVE) - set(UNPROVEN)
    mine, theirs = values_of(alone), values_of(world.settings)
    assert mine == theirs
    numbers = {name for (name, _), (value, *_) in theirs.items() if value is not None}
    assert {lw.IN, lw.OUT, lw.DEEP, lw.H100_ANY} <= numbers


# --- what is told of it --------------------------------------------------------------------------


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask a command for JSON, in the environment of the rounds and at their hour."""
    sources = {name: one.model_dump() for name, one in world.settings.sources.items()}
    monkeypatch.setenv("SPOTFIX_SOURCES", json.dumps(sources))
    monkeypatch.setenv("SPOTFIX_ALLOW_LOOPBACK", "true")
    monkeypatch.setattr(schedule, "utc_now", lambda: bodies.EVENING)
    for name, key in lp.keys().items():
        monkeypatch.setenv(name, key)

    def ask(*words: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--json", "--out", str(world.settings.out)])
        return json.loads(done.stdout)

    return ask


def test_list_doctor_and_monitor_agree_with_the_rounds(world: World, told: Any) -> None:
    listed = {row["id"]: row for row in told("sources")}
    assert set(listed) == set(panel.SOURCES)
    for name, row in listed.items():
        is_live = name in LIVE
        assert row["is_asked_live"] == is_live, name
        assert row["proven_on"] == panel.SOURCES[name].proven_on
        assert row["last_success"] == (clock.iso(bodies.EVENING) if is_live else None)
        assert row["quarantined"] is None
    checks: dict[str, str] = {}
    for one in told("doctor")["checks"]:
        checks.setdefault(one["name"], one["told"])
        assert one["state"] != "bad" or one["name"] == "libraries", one
    newest = clock.iso(bodies.EVENING)
    n = len(LIVE)
    assert checks["sources"] == f"{n} of {n} seen in the last 26 h, newest {newest}"
    assert checks["proofs"].startswith(f"{len(UNPROVEN)} of {n} asked sources are unproven")
    assert all(name in checks["proofs"] for name in UNPROVEN)
    assert checks["guards"].endswith("0 quarantined, 0 single prices refused")
    with metrics.write(world.settings, bodies.EVENING).open(encoding="utf-8") as file:
        found = {
            (sample.name, sample.labels.get("source", "")): sample.value
            for family in text_fd_to_metric_families(file)
            for sample in family.samples
        }
    for name in panel.SOURCES:
        assert found["spotfix_source_asked", name] == (name in LIVE)
        assert found["spotfix_source_proven", name] == panel.is_proven(name)
        when = bodies.EVENING.replace(tzinfo=UTC).timestamp() if name in LIVE else None
        assert found.get(("spotfix_source_last_success_seconds", name)) == when
    assert found["spotfix_log_records", ""] == len(log_of(world.settings))


def test_no_key_stands_in_anything_written(world: World) -> None:
    written = b"".join(p.read_bytes() for p in world.settings.out.rglob("*") if p.is_file())
    written += b"".join(world.archive.get(e.sha256, e.size) for e in world.archive.entries())
    assert [name for name, key in lp.keys().items() if key.encode() in written] == []


def test_a_round_is_small(world: World) -> None:
    for one in world.told:
        assert one["peak_mib"] < PEAK_MIB


# --- one sick source of each kind ----------------------------------------------------------------

BOMB = b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
SICK = {
    "novita": ("TIMEOUT", lb.drip(HEAD, b"1\r\n \r\n", every=0.1)),
    "catwalk": ("TOO_LARGE_DECODED", lb.endless(BOMB, lb.gzip_zeros(2**30))),
    "poe": ("REDIRECT_REFUSED", lb.reply(status=302, location="https://elsewhere.example/")),
    "verda": ("HTTP_STATUS", lb.reply(status=503)),
    "deepinfra": ("NOT_JSON", lb.reply(b"\xff\xfe not what was promised")),
}
DEAF = "lambda_cloud"
"""Its address takes no connection."""

REASONS = {name: reason for name, (reason, _) in SICK.items()} | {DEAF: "TIMEOUT"}


@dataclass
class Sick:
    """A morning with six sick sources; an evening, after the cut-off, publishes its day."""

    settings: Settings
    told: list[dict[str, Any]]


@pytest.fixture(scope="module")
def sick(world: World, tmp_path_factory: pytest.TempPathFactory) -> Sick:
    market, out = world.market, tmp_path_factory.mktemp("sick") / "out"
    deadline = max(5.0, 4 * world.told[0]["collect_seconds"])
    told = []
    with lp.deaf() as address:
        market.moment = bodies.MORNING
        market.sick = {name: behaviour for name, (_, behaviour) in SICK.items()}
        addresses = market.addresses() | {DEAF: address}
        told.append(rounds.child(out, addresses, bodies.MORNING, deadline=deadline)[1])
    market.sick = {}
    market.moment = bodies.EVENING
    told.append(rounds.child(out, {"ecb": market.addresses()["ecb"]}, bodies.EVENING)[1])
    first = told[0]
    print(f"\nsick: collected in {first['collect_seconds']:.2f} s of {deadline:.2f} s, healthy "
          f"after {max(seconds_of(first).values()):.2f} s, "
          f"held up {first['held_seconds']:.2f} s by the machine")  # fmt: skip
    return Sick(rounds.settings(out, market.addresses()), told)


def seconds_of(told: dict[str, Any]) -> dict[str, float]:
    return {n: one["seconds"] for n, one in told["results"].items() if n not in REASONS}


def test_the_round_ends_by_its_deadline_whatever_is_sick(sick: Sick) -> None:
    """A source that never answers has no end but the deadline's, and there was an end."""
    told = sick.told[0]["results"]
    assert told[DEAF]["reason"] == "TIMEOUT"
    assert set(told) == set(LIVE)


def test_the_healthy_are_done_long_before_and_gave_all(sick: Sick, world: World) -> None:
    """The sick hold on until the deadline; whoever waited for one of them would end with it."""
    healthy = seconds_of(sick.told[0])
    failed = {name for name, one in sick.told[0]["results"].items() if one["reason"]}
    assert failed == set(REASONS) - {"deepinfra"}  # its body came; what is in it is none
    assert sorted(healthy) == sorted(set(LIVE) - set(REASONS))
    hanging = [sick.told[0]["results"][name]["seconds"] for name in ("novita", DEAF)]
    assert max(healthy.values()) < min(hanging), max(healthy, key=lambda n: healthy[n])
    mine, theirs = (
        [e for e in keyed(at(w.entries(), bodies.MORNING)) if e[0] in healthy]
        for w in (Archive(sick.settings.raw), world.archive)
    )
    assert mine == theirs


def test_each_sick_source_is_one_incident_with_its_reason(sick: Sick) -> None:
    incidents = [r for r in lw.records(sick.settings) if r["type"] == "incident"]
    assert sorted((r["kind"], r["source"], r["reason"]) for r in incidents) == sorted(
        ("SOURCE_FAILED", name, reason) for name, reason in REASONS.items()
    )
    assert all(r["detail"] for r in incidents)


def test_the_numbers_are_those_of_a_day_on_which_all_were_well(sick: Sick, world: World) -> None:
    """None of the six is proven, so that their loss costs no number."""
    assert set(REASONS) <= set(UNPROVEN)
    assert values_of(sick.settings) == values_of(world.settings)


# --- killed in its midst -------------------------------------------------------------------------

KILLS = (
    (bodies.MORNING, "torn 12"),
    (bodies.MORNING, "between 60"),
    (bodies.EVENING, "book 1"),
)

PART = sorted({*LIVE} - {*UNPROVEN} | {"cudo", "gcp_list", "groq", "scaleway"})
"""Enough to be killed in: every proven source, and of the others a list, pages and a page."""


@pytest.fixture(scope="module")
def addresses(market: lp.Market) -> dict[str, str]:
    found = market.addresses()
    return {name: found[name] for name in PART}


@pytest.fixture(scope="module")
def calm(
    market: lp.Market, addresses: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Two undisturbed rounds of that part."""
    mine = rounds.settings(tmp_path_factory.mktemp("calm") / "out", addresses)
    with pytest.MonkeyPatch.context() as patch:
        lw.watch_few_indices(patch)
        for name, key in lp.keys().items():
            patch.setenv(name, key)
        for moment in (bodies.MORNING, bodies.EVENING):
            market.moment = moment
            assert liverun.run_live(mine, moment).failures == []
    assert len(Archive(mine.raw).entries()) > 2 * 60
    return mine


@pytest.fixture(scope="module")
def killed(
    market: lp.Market, addresses: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The same two rounds, killed three times, each time begun again."""
    out = tmp_path_factory.mktemp("killed") / "out"
    mine = rounds.settings(out, addresses)
    seen: set[tuple[Any, ...]] = set()
    with pytest.MonkeyPatch.context() as patch:
        lw.watch_few_indices(patch)
        for name, key in lp.keys().items():
            patch.setenv(name, key)
        for moment in (bodies.MORNING, bodies.EVENING):
            market.moment = moment
            for where in (how for when, how in KILLS if when == moment):
                code, _ = rounds.child(out, addresses, moment, die=where)
                assert code == -signal.SIGKILL, where
                held = set(keyed(Archive(mine.raw).entries()))
                assert seen <= held, f"{where}: what was acknowledged is gone"
                seen = held
            assert at(Archive(mine.raw).entries(), moment)
            report = liverun.run_live(mine, moment)
            assert report.failures == []
    return mine


def test_nothing_is_lost_and_nothing_is_there_twice(killed: Settings, calm: Settings) -> None:
    archive = Archive(killed.raw)
    assert keyed(archive.entries()) == keyed(Archive(calm.raw).entries())
    assert archive.check() == []
    assert orphans(archive) == []
    assert {p.name for p in bodies_of(killed)} == {p.name for p in bodies_of(calm)}


def test_the_book_of_the_guards_is_that_of_an_undisturbed_run(
    killed: Settings, calm: Settings
) -> None:
    book = (killed.data / guarding.FILE).read_bytes()
    assert book == (calm.data / guarding.FILE).read_bytes()


@pytest.mark.usefixtures("few")
def test_the_log_is_that_of_an_undisturbed_run_and_verifies(
    killed: Settings, calm: Settings
) -> None:
    assert log_of(killed) == log_of(calm)
    reports = [replay.verify(killed, from_archive=road) for road in (False, True)]
    for report in reports:
        assert report.problems == []
        assert report.recomputed == report.fixings > 0
    assert reports[0].root == reports[1].root


def test_a_body_changed_by_one_byte_shows_in_what_was_killed(
    killed: Settings, tmp_path: Path
) -> None:
    """The checks above see what they are for."""
    shutil.copytree(killed.raw, tmp_path / "raw", copy_function=shutil.copyfile)
    path = max((tmp_path / "raw").rglob("*.zst"))
    path.chmod(0o644)
    body = path.read_bytes()
    path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    assert Archive(tmp_path / "raw").check() != []
