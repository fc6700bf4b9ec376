"""Live collection: the same bytes give the same fixings, and what fails is named and costed.

Expected values are worked by hand from the figures in ``tests/live_world.py``.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.archive import Archive
from collectors.base import Capture
from index import intake, liverun, replay
from index.config import Settings
from index.ledger.log import Log
from tests import live_world as lw
from tests import loopback as lb

MORNING = datetime(2026, 8, 12, 7, 30)
"""Half past seven UTC: thirteen of the day's 24 partitions end after it, so its prices stand."""

EVENING = datetime(2026, 8, 12, 22, 30)
"""After the final print of NYC (20:00 UTC in summer, plus two hours)."""

DAY = timedelta(days=1)
OPENING = 8
"""Records that open a log: four keys and four calendars."""
PAYLOADS = Path(
    os.environ.get("SPOTFIX_PAYLOADS", Path(__file__).parents[2] / "shared" / "payloads")
)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The four prices that are worked by hand; tests that promise more of a log watch all."""
    lw.watch_few_indices(monkeypatch, lw.IN, lw.OUT, lw.DEEP, lw.H100_ANY)


@pytest.fixture
def every_session(monkeypatch: pytest.MonkeyPatch, few: None) -> None:
    lw.watch_few_indices(monkeypatch)


@pytest.fixture
def one_model(monkeypatch: pytest.MonkeyPatch, few: None) -> None:
    lw.watch_few_indices(monkeypatch, lw.DEEP)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[lw.World]:
    with lb.Server(lw.healthy()) as server:
        yield lw.World(server, lw.settings(tmp_path / "out", server.url))


def bodies(settings: Settings) -> list[bytes]:
    return list(Log.open(settings.ledger, read_only=True).entries())


def assert_verifies(settings: Settings, *roads: bool) -> None:
    """Recompute every fixing, from the archived bodies unless told."""
    for from_archive in roads or (True,):
        report = replay.verify(settings, from_archive=from_archive)
        assert report.problems == []
        assert report.recomputed == report.fixings > 0


def told(found: dict[str, Any]) -> tuple[Any, ...]:
    return found["value"], found["waterfall"], found["n_used"], found["no_fix_reason"]


# --- the same bytes, the same fixings ----------------------------------------------------------


@pytest.mark.usefixtures("every_session")
def test_two_rounds_publish_the_values_worked_by_hand(world: lw.World) -> None:
    first = world.run(MORNING)
    # Four keys and four calendars open the log.
    assert (first.appended, first.failures, first.sources) == (8, [], 5)
    second = world.run(EVENING)
    assert second.failures == []
    # Twelve hosts; 0.03 and 0.037 are more than four times below the median of the others (6.3).
    # Ten remain at 0.1 each: (0.055/2 + 0.10 + 3 * 0.15 + 0.15/2) / 5 = 0.1305.
    assert told(lw.fixing(world.settings, lw.IN, "2026-08-12")) == (
        "0.130500", "REDUCED", 10, None,
    )  # fmt: skip
    # All twelve count: (0.385 + 0.45 + 0.5 + 0.55 + 0.6 + 0.6) / 6 = 0.514166…
    assert told(lw.fixing(world.settings, lw.OUT, "2026-08-12")) == (
        "0.514167", "REDUCED", 12, None,
    )  # fmt: skip
    # Medians: the fourth of seven, the fifth of nine.
    assert told(lw.fixing(world.settings, lw.DEEP, "2026-08-12")) == (
        "0.270000", "REDUCED", 7, None,
    )  # fmt: skip
    assert told(lw.fixing(world.settings, lw.H100_ANY, "2026-08-12")) == (
        "3.8500", "REDUCED", 9, None,
    )  # fmt: skip
    assert_verifies(world.settings, False, True)


def from_disk(live: Settings, out: Path, rounds: dict[datetime, dict[str, bytes]]) -> Settings:
    """Publish the same bodies without asking anybody: put them on disk, then run what is due."""
    alone = lw.settings(out, str(live.sources["models_dev"].url).rpartition("/")[0])
    for at, found in rounds.items():
        archive = Archive(alone.raw)
        for source, body in found.items():
            url = live.sources[source].url
            assert url is not None
            archive.put(Capture(source, url, body, at.replace(tzinfo=UTC)))
        liverun.run_due(alone, at)
    return alone


@pytest.mark.usefixtures("every_session")
def test_the_same_bodies_from_disk_give_the_same_log_byte_for_byte(
    world: lw.World, tmp_path: Path
) -> None:
    morning = {
        "models_dev": lw.models_dev(),
        "litellm": lw.litellm(),
        "gpurentalprices": lw.gpus(),
        "genai_prices": lw.GENAI,
        "ecb": lw.ECB,
    }
    evening = morning | {"models_dev": lw.models_dev({"groq": "0.17"})}
    world.run(MORNING)
    world.run(EVENING, models_dev=evening["models_dev"])
    asked = len(world.server.asked)
    alone = from_disk(world.settings, tmp_path / "disk", {MORNING: morning, EVENING: evening})
    assert len(world.server.asked) == asked == 10
    assert bodies(alone) == bodies(world.settings)
    stored = {p.name for p in (alone.ledger / "batches").rglob("*.jsonl")}
    assert stored == {p.name for p in (world.settings.ledger / "batches").rglob("*.jsonl")}


def test_the_frames_of_a_live_manifest_are_those_of_parsing_the_bodies(world: lw.World) -> None:
    world.run(MORNING)
    world.run(EVENING)
    cut = datetime(2026, 8, 12, 20)
    archive = Archive(world.settings.raw)
    captures = liverun.live_captures(archive, cut)
    assert sorted(c.source for c in captures) == sorted(lw.PATHS)
    assert {c.fetched_at for c in captures} == {MORNING.replace(tzinfo=UTC)}
    quotes = {c.source: intake.parse_capture(c).quotes.height for c in captures}
    # 12 + 7 listings of input and output, two of LiteLLM, nine GPUs, three meters of a price list.
    assert quotes == {
        "models_dev": 38, "litellm": 4, "gpurentalprices": 9, "genai_prices": 3, "ecb": 0,
    }  # fmt: skip


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the captured bodies are not on this machine")
def test_the_recorded_bodies_give_the_same_log_live_and_from_disk(tmp_path: Path) -> None:
    files = {
        "models_dev": "tokens/models_dev/2026-08-12.api.json.gz",
        "litellm": "tokens/litellm/2026-08-12.json.gz",
        "gpurentalprices": "gpu/gpurentalprices/2026-08-12.json.gz",
        "genai_prices": "tokens/genai_prices/2026-07-01.json.gz",
    }
    found = {
        source: gzip.decompress((PAYLOADS / name).read_bytes()) for source, name in files.items()
    }
    with lb.Server({f"/{source}": lb.reply(body) for source, body in found.items()}) as server:
        settings = lw.settings(tmp_path / "out", server.url, without=("ecb",))
        world = lw.World(server, settings)
        world.run(MORNING)
        report = world.run(EVENING)
        assert report.failures == []
        alone = from_disk(settings, tmp_path / "disk", {MORNING: found, EVENING: found})
    assert bodies(alone) == bodies(settings)
    # Ten neoclouds post an H100 of unstated form factor that day:
    # (2.73/2 + 2.99 + 3.37 + 3.85 + 3.90 + 3.99/2) / 5 = 3.494.
    assert told(lw.fixing(settings, lw.H100_ANY, "2026-08-12")) == ("3.4940", "REDUCED", 10, None)


# --- what fails is named, and costs what the rulebook says -------------------------------------


def broken_routes() -> dict[str, lb.Behaviour]:
    """One source answers 500, one hangs, one sends HTML with 200, one a gigabyte of zeros."""
    bomb = b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
    return {
        "/azure_retail": lb.reply(status=500),
        "/genai_prices": lb.hang(),
        "/gpurentalprices": lb.reply(b"<html>We will be back</html>", content_type="text/html"),
        "/openrouter_models": lb.endless(bomb, lb.gzip_zeros(2**30)),
    }


REASONS = {
    "azure_retail": "HTTP_STATUS",
    "genai_prices": "TIMEOUT",
    "gpurentalprices": "CONTENT_TYPE",
    "openrouter_models": "TOO_LARGE_DECODED",
}


def test_four_broken_sources_end_in_time_are_named_and_leave_the_rest_alone(
    world: lw.World, tmp_path: Path
) -> None:
    """The healthy world has the four switched off; what it publishes of tokens is the measure."""
    with lb.Server(lw.healthy() | broken_routes()) as server:
        settings = lw.settings(
            tmp_path / "sick", server.url, "azure_retail", "openrouter_models", deadline_seconds=6
        )
        sick = lw.World(server, settings)
        begun = time.monotonic()
        report = sick.run(MORNING)
        # The one that hangs would hold on for a minute; the rest is what the machine takes.
        assert time.monotonic() - begun < 50
        assert {f["source"]: f["reason"] for f in report.failures} == REASONS
        for one in report.failures:
            assert one["detail"]
        logged = [r for r in lw.records(settings) if r["type"] == "incident"]
        assert {r["source"]: r["reason"] for r in logged} == REASONS
        assert {r["kind"] for r in logged} == {"SOURCE_FAILED"}
        assert {r["at"] for r in logged} == {"2026-08-12T07:30:00.000Z"}
        again = lw.settings(tmp_path / "sick", server.url, without=("genai_prices",))
        liverun.run_live(again, EVENING)
        # Nobody ever showed an H100: there is no panel, and the record says which clause.
        found = lw.fixing(settings, lw.H100_ANY, "2026-08-12")
        assert told(found) == (
            None,
            "NO_FIX",
            0,
            "no panel yet: never 5 groups at once (rulebook 8.1)",
        )
        assert (found["status"], found["grade"]) == ("NO_FIX", "D")
        assert_verifies(settings)
    well = lw.settings(
        tmp_path / "well", world.server.url, without=("gpurentalprices", "genai_prices")
    )
    liverun.run_live(well, MORNING)
    liverun.run_live(well, EVENING)
    ours, theirs = published(settings), published(well)
    assert ours.keys() == theirs.keys()
    for key, record in theirs.items():
        assert comparable(ours[key]) == comparable(record), key


def published(settings: Settings) -> dict[tuple[str, str, int], dict[str, Any]]:
    return {
        (r["index_id"], r["ref_date"], r["revision"]): r
        for r in lw.records(settings)
        if r["type"] == "fixing"
    }


def comparable(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out what cites the log around a fixing: the manifest, and where records stand."""
    return {
        name: value
        for name, value in record.items()
        if name not in ("seq", "manifest", "commit_seq", "supersedes")
    }


def test_a_dead_source_is_carried_two_days_and_then_there_is_no_fixing(world: lw.World) -> None:
    """Rulebook 10.1: the last value stands at most two days in a row, then NO_FIX."""
    world.run(MORNING)
    world.run(EVENING)
    world.server.routes["/gpurentalprices"] = lb.reply(b"<html>", content_type="text/html")
    seen = []
    for n in (1, 2, 3):
        report = world.run(EVENING + n * DAY)
        assert [f["source"] for f in report.failures] == ["gpurentalprices"]
        day = (EVENING + n * DAY).date().isoformat()
        seen.append(told(lw.fixing(world.settings, lw.H100_ANY, day)))
        assert lw.fixing(world.settings, lw.DEEP, day)["value"] == "0.270000"
    # 06:46 of the 12th plus 26 hours reaches into the 13th: too short for half its window.
    assert seen[0][:2] == seen[1][:2] == ("3.8500", "CARRY")
    assert seen[2] == (None, "NO_FIX", 0, "0 groups < 5 (rulebook 10.2)")
    assert_verifies(world.settings)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"error": "maintenance"}', "SHAPE", id="json_of_another_shape"),
        pytest.param(b"[1, 2", "NOT_JSON", id="json_cut_short_with_its_full_length"),
    ],
)
def test_a_body_that_is_not_what_the_source_promised_costs_that_source_alone(
    world: lw.World, body: bytes, reason: str
) -> None:
    world.run(MORNING, gpurentalprices=body)
    report = world.run(EVENING, gpurentalprices=lw.gpus())
    assert [(f["source"], f["reason"]) for f in report.failures] == [("gpurentalprices", reason)]
    assert lw.fixing(world.settings, lw.H100_ANY, "2026-08-12")["waterfall"] == "NO_FIX"
    assert lw.fixing(world.settings, lw.DEEP, "2026-08-12")["value"] == "0.270000"
    logged = [r for r in lw.records(world.settings) if r["type"] == "incident"]
    assert [(r["source"], r["reason"], bool(r["manifest"])) for r in logged] == [
        ("gpurentalprices", reason, True)
    ]
    assert_verifies(world.settings)


def test_a_round_in_which_everything_fails_publishes_nothing_and_says_so(world: lw.World) -> None:
    for source in lw.PATHS:
        world.server.routes[f"/{source}"] = lb.reply(status=404)
    report = world.run(MORNING)
    assert {f["source"]: f["reason"] for f in report.failures} == dict.fromkeys(
        lw.PATHS, "HTTP_STATUS"
    )
    assert (report.sources, report.fixings) == (0, [])
    assert {r["type"] for r in lw.records(world.settings)} == {"key", "calendar", "incident"}


@pytest.mark.usefixtures("one_model")
def test_a_day_on_which_everything_failed_is_published_and_not_called_missed(
    world: lw.World,
) -> None:
    world.run(MORNING)
    world.run(EVENING)
    for source in lw.PATHS:
        world.server.routes[f"/{source}"] = lb.reply(status=503)
    waterfall = []
    for n in range(1, 5):
        world.run(EVENING + n * DAY)
        day = f"{EVENING + n * DAY:%Y-%m-%d}"
        waterfall.append(lw.fixing(world.settings, lw.DEEP, day)["waterfall"])
    # The first day still reads the captures of the evening before; then two repeats; then none.
    assert waterfall == ["REDUCED", "CARRY", "CARRY", "NO_FIX"]
    last = lw.fixing(world.settings, lw.DEEP, "2026-08-16")
    assert (last["value"], last["status"]) == (None, "NO_FIX")
    assert not [r for r in lw.records(world.settings) if r.get("kind") == "MISSED_FIXING"]
    assert_verifies(world.settings, False, True)


# --- jumps -------------------------------------------------------------------------------------


def deepinfra(
    world: lw.World, prices: list[tuple[str, str]]
) -> list[tuple[str, str | None, int, str, set[str]]]:
    """Run a round each evening, which prices the next day; return what stood on each next day.

    ``prices``: DeepInfra's 0.26 for deepseek-v3.2 as models.dev and as LiteLLM show it.
    """
    stood = []
    for n, (shown, mirrored) in enumerate([*prices, prices[-1]]):
        at = EVENING + (n - 1) * DAY
        body = lw.models_dev(deepseek={"deepinfra": shown})
        world.run(at, models_dev=body, litellm=lw.litellm(f"{mirrored}e-06"))
        if n:
            found = lw.fixing(world.settings, lw.DEEP, f"{at:%Y-%m-%d}")
            flags = {"HELD", "IMPUTED"} & set(found["flags"])
            state = lw.member(world.settings, found, "deepinfra")
            stood.append((*state, found["value"], flags))
    return stood


CALM = ("OBSERVED", "", 260_000_000, "0.270000", set())


@pytest.mark.usefixtures("one_model")
def test_a_jump_is_held_one_day_then_missing_until_another_source_shows_it(
    world: lw.World,
) -> None:
    """Rulebook 6.2, live: from 0.26 to 0.45 is more than 8/5. That one source repeats it for days
    confirms nothing; LiteLLM does, once it is within 0.5% (0.00225)."""
    stood = deepinfra(
        world,
        [
            ("0.26", "0.26"),
            ("0.45", "0.26"),
            ("0.45", "0.26"),
            ("0.45", "0.4523"),
            ("0.45", "0.4522"),
        ],
    )
    assert stood[:2] == [CALM, ("HELD", "JUMP_UNCONFIRMED", 260_000_000, "0.270000", {"HELD"})]
    # Nobody else moved, so it is imputed at the price that stood for it.
    missing = ("IMPUTED", "JUMP_UNCONFIRMED", 260_000_000, "0.270000", {"IMPUTED"})
    assert stood[2:4] == [missing, missing]
    assert_verifies(world.settings)
    # 0.25 0.269 0.27 0.3 0.45 0.5 0.62
    assert (stood[4][0], *stood[4][2:]) == ("OBSERVED", 450_000_000, "0.300000", set())


@pytest.mark.usefixtures("one_model")
def test_a_jump_that_two_sources_show_is_taken_the_same_day(world: lw.World) -> None:
    stood = deepinfra(world, [("0.26", "0.26"), ("0.45", "0.45")])
    assert stood[0] == CALM
    assert (stood[1][0], *stood[1][2:]) == ("OBSERVED", 450_000_000, "0.300000", set())


@pytest.mark.usefixtures("one_model")
def test_a_jump_that_goes_back_leaves_nothing_behind(world: lw.World) -> None:
    stood = deepinfra(world, [("0.26", "0.26"), ("0.45", "0.26"), ("0.26", "0.26")])
    assert [one[0] for one in stood] == ["OBSERVED", "HELD", "OBSERVED"]
    assert stood[2] == CALM


# --- once, on time, and never again ------------------------------------------------------------


def test_the_same_moment_again_changes_nothing(world: lw.World) -> None:
    world.server.routes["/litellm"] = lb.reply(status=404)  # a failure is logged once, too
    world.run(MORNING)
    world.run(EVENING)
    before, captured = bodies(world.settings), Archive(world.settings.raw).head()
    report = world.run(EVENING)
    assert report.is_nothing_due
    assert [f["source"] for f in report.failures] == ["litellm"]
    assert bodies(world.settings) == before
    assert Archive(world.settings.raw).head() == captured


def test_provisional_at_45_minutes_final_at_120_and_the_final_cites_the_provisional(
    world: lw.World,
) -> None:
    world.run(MORNING)
    cut = datetime(2026, 8, 12, 20)
    minutes = timedelta(minutes=1)
    states = []
    for after in (44, 45, 119, 120, 121):
        liverun.run_due(world.settings, cut + after * minutes)
        mine = [r for r in lw.records(world.settings) if r.get("index_id") == lw.DEEP]
        states.append([r["revision"] for r in mine if r["type"] == "fixing"])
    assert states == [[], [0], [0], [0, 1], [0, 1]]
    log = Log.open(world.settings.ledger, read_only=True)
    first, last = (lw.fixing(world.settings, lw.DEEP, "2026-08-12", r) for r in (0, 1))
    assert (first["status"], last["status"]) == ("PROVISIONAL", "FINAL")
    assert first["supersedes"] is None
    assert last["supersedes"] == lw.digest_of(log.entry(first["seq"]))
    assert (first["published_at"], last["published_at"]) == (
        "2026-08-12T20:45:00.000Z",
        "2026-08-12T22:00:00.000Z",
    )
    assert first["commit_seq"] == last["commit_seq"] < first["seq"] < last["seq"]
    assert not {"LATE"} & {*first["flags"], *last["flags"]}
    # Committed to and listed when that was done, and not at the cut-off.
    before = lw.records(world.settings)[: first["seq"]]
    named = ("committed_at", "effective_at", "at")
    times = {(r["type"], r[name]) for r in before[OPENING:] for name in named if name in r}
    assert times == {
        (kind, "2026-08-12T20:45:00.000Z") for kind in ("methodology", "batch", "commitment")
    }
    assert_verifies(world.settings)


def test_what_is_captured_after_the_cut_off_never_enters_that_day(world: lw.World) -> None:
    """All hosts ten times dearer at 21:00; the day published at 23:00 knows nothing of it."""
    world.run(MORNING)
    dear = {host: f"{10 * float(price):g}" for host, (_, price, _) in lw.GPT_OSS.items()}
    late = datetime(2026, 8, 12, 20, 30)  # before anything of the day is published
    world.run(late, models_dev=lw.models_dev(dear), gpurentalprices=lw.gpus(nebius="9.99"))
    assert [r for r in lw.records(world.settings) if r["type"] == "fixing"] == []
    world.run(datetime(2026, 8, 12, 23))
    assert lw.fixing(world.settings, lw.IN, "2026-08-12")["value"] == "0.130500"
    assert lw.fixing(world.settings, lw.H100_ANY, "2026-08-12")["value"] == "3.8500"
    found = lw.fixing(world.settings, lw.IN, "2026-08-12")
    assert (found["published_at"], "LATE" in found["flags"]) == ("2026-08-12T23:00:00.000Z", True)
    manifest = json.loads(json.dumps(lw.lines(world.settings, found["manifest"])[0]))
    assert {c["fetched_at"] for c in manifest["captures"]} == {"2026-08-12T07:30:00.000000Z"}
    assert_verifies(world.settings)


def test_a_body_captured_exactly_at_the_cut_off_counts_and_a_second_later_does_not(
    world: lw.World,
) -> None:
    world.run(MORNING)
    world.run(datetime(2026, 8, 12, 20, 0, 0), models_dev=lw.models_dev({"groq": "0.16"}))
    world.run(datetime(2026, 8, 12, 20, 0, 1), models_dev=lw.models_dev({"groq": "0.17"}))
    cut = datetime(2026, 8, 12, 20)
    times = {c.fetched_at.time() for c in liverun.live_captures(Archive(world.settings.raw), cut)}
    assert sorted(f"{t}" for t in times) == ["07:30:00", "20:00:00"]


# --- keys --------------------------------------------------------------------------------------

CANARY = "sk-canary-0123456789abcdef"


def test_a_missing_key_is_a_failure_that_says_what_to_set(
    world: lw.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    settings = lw.settings(tmp_path / "out", world.server.url, "openrouter_activity")
    report = liverun.run_live(settings, MORNING)
    [failure] = report.failures
    assert (failure["source"], failure["reason"]) == ("openrouter_activity", "NO_KEY")
    assert "OPENROUTER_API_KEY" in failure["detail"]
    assert not any("openrouter_activity" in path for path in world.server.paths())
    [logged] = lw.records(settings)[OPENING:]
    assert (logged["kind"], logged["reason"]) == ("SOURCE_FAILED", "NO_KEY")
    # It is told again in each report, and stands in the log once.
    again = liverun.run_live(settings, MORNING + timedelta(hours=1))
    assert [f["reason"] for f in again.failures] == ["NO_KEY"]
    kinds = [r["reason"] for r in lw.records(settings) if r["type"] == "incident"]
    assert kinds == ["NO_KEY"]


def test_a_key_that_cannot_be_one_is_a_failure_of_its_source_and_is_not_shown(
    world: lw.World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", CANARY + "\n")
    settings = lw.settings(tmp_path / "out", world.server.url, "openrouter_activity")
    report = liverun.run_live(settings, MORNING)
    [failure] = report.failures
    assert (failure["source"], failure["reason"]) == ("openrouter_activity", "BAD_KEY")
    assert CANARY not in json.dumps(report.failures)
    assert report.sources == 5


def test_a_key_is_sent_and_stands_in_no_file_and_no_log(
    world: lw.World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The server even gives the key back: in its status line, its body and a redirect."""
    monkeypatch.setenv("OPENROUTER_API_KEY", CANARY)
    echo = f"HTTP/1.1 302 {CANARY}\r\nLocation: http://127.0.0.2/{CANARY}\r\n".encode()
    world.server.routes["/openrouter_activity"] = lb.raw(echo + b"Content-Length: 0\r\n\r\n")
    settings = lw.settings(tmp_path / "out", world.server.url, "openrouter_activity")
    with caplog.at_level(logging.DEBUG):
        report = liverun.run_live(settings, MORNING)
        liverun.run_live(settings, EVENING)
    [asked, *_] = [a for a in world.server.asked if "openrouter_activity" in a.target]
    assert asked.headers["authorization"] == f"Bearer {CANARY}"
    [failure] = report.failures
    assert failure["source"] == "openrouter_activity"
    assert CANARY not in json.dumps([report.failures, report.fixings])
    shown = capfd.readouterr()
    assert CANARY not in caplog.text + shown.out + shown.err
    files = [p for p in settings.out.rglob("*") if p.is_file()]
    assert len(files) > 40
    assert [p for p in files if CANARY.encode() in p.read_bytes()] == []
