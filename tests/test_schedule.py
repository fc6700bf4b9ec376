"""When what is due: tables of moments, clock changes, and the process that wakes up.

New York's cut-off is 16:00 there: 20:00 UTC from 8 March to 31 October 2026, else 21:00.
Shanghai's is 07:00 UTC all year.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from index import liverun, schedule
from index.ledger.lock import PublisherLock
from index.published import Published
from index.schedule import Due
from methodology.errors import LockHeld
from tests import live_world as lw
from tests import loopback as lb
from tests.offline import plain_environment

REPOSITORY = Path(__file__).resolve().parents[1]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def definitions(**sessions: str) -> Any:
    return {
        name: SimpleNamespace(session=session, is_due=lambda day: True)
        for name, session in sessions.items()
    }


TWO: Any = definitions(A="NYC", B="NYC")
MONTHLY: Any = TWO | {
    "M": SimpleNamespace(session="NYC", is_due=lambda day: (day + timedelta(days=1)).day == 1)
}


def log_of(*prints: str, missed: tuple[str, ...] = (), flags: tuple[str, ...] = ()) -> Published:
    """Return what a log with these prints holds: ``"A 2026-08-12 r0"``."""
    found = Published()
    for one in prints:
        name, day, revision = one.split()
        found.fixings[name, "NYC", day, int(revision[1:])] = {"flags": list(flags)}
    for day in missed:
        found.incidents.append({"kind": "MISSED_FIXING", "session": "NYC", "ref_date": day})
    return found


BOTH_OF_11 = ("A 2026-08-11 r0", "A 2026-08-11 r1", "B 2026-08-11 r0", "B 2026-08-11 r1")
BOTH_OF_12 = tuple(one.replace("08-11", "08-12") for one in BOTH_OF_11)
FIRST_OF_12 = BOTH_OF_12[::2]
MORNING = "2026-08-12 07:30"


def due(day: str, revisions: tuple[int, ...], *missed: str) -> list[Due]:
    days = tuple(date.fromisoformat(f"2026-08-{one}") for one in missed)
    return [Due("NYC", date.fromisoformat(f"2026-08-{day}"), revisions, days)]


@pytest.mark.parametrize(
    ("now", "rounds", "published", "expected"),
    [
        pytest.param(
            "2026-08-12 20:44:59", [MORNING], log_of(*BOTH_OF_11), [],
            id="before_the_provisional_print_nothing_is_due",
        ),
        pytest.param(
            "2026-08-12 20:45", [MORNING], log_of(*BOTH_OF_11), due("12", (0,)),
            id="45_minutes_after_the_cut_off_only_the_provisional_is_due",
        ),
        pytest.param(
            "2026-08-12 21:59:59", [MORNING], log_of(*FIRST_OF_12), [],
            id="a_second_before_the_final_a_published_provisional_leaves_nothing_due",
        ),
        pytest.param(
            "2026-08-12 22:00", [MORNING], log_of(*FIRST_OF_12), due("12", (1,)),
            id="after_120_minutes_only_the_final_is_left",
        ),
        pytest.param(
            "2026-08-12 22:00", [MORNING], log_of(*BOTH_OF_11), due("12", (0, 1)),
            id="after_120_minutes_both_are_due_if_neither_was_published",
        ),
        pytest.param(
            "2026-08-12 23:30", [MORNING], log_of(*BOTH_OF_12), [],
            id="what_is_published_is_not_due_again",
        ),
        pytest.param(
            "2026-08-12 23:30", [MORNING], log_of(*BOTH_OF_12[:3]), due("12", (1,)),
            id="a_run_that_was_killed_half_way_leaves_its_rest_due",
        ),
        pytest.param(
            "2026-08-13 20:44", [MORNING], log_of(*BOTH_OF_11), due("12", (0, 1)),
            id="a_late_wake_up_still_publishes_the_last_day_until_the_next_is_due",
        ),
        pytest.param(
            "2026-08-12 22:00", ["2026-08-11 20:00"], log_of(*BOTH_OF_11), due("12", (0, 1)),
            id="a_round_exactly_when_the_window_opens_counts",
        ),
        pytest.param(
            "2026-08-12 22:00", ["2026-08-12 20:00"], log_of(*BOTH_OF_11), due("12", (0, 1)),
            id="a_round_exactly_at_the_cut_off_counts",
        ),
        pytest.param(
            "2026-08-12 22:00", ["2026-08-12 20:00:01"], log_of(*BOTH_OF_11), due("12", (), "12"),
            id="a_round_a_second_after_the_cut_off_is_none_of_this_day_which_was_missed",
        ),
        pytest.param(
            "2026-08-12 23:00", [], log_of(*BOTH_OF_11, missed=("2026-08-12",)), [],
            id="a_missed_day_is_declared_once",
        ),
        pytest.param(
            "2026-08-12 23:00", ["2026-08-12 22:59"], log_of(), [],
            id="the_first_start_ever_declares_nothing",
        ),
        pytest.param(
            "2026-08-12 23:00", [], log_of(*BOTH_OF_11, flags=("BUNDLED",)), [],
            id="bundled_history_before_the_first_start_makes_nothing_missed",
        ),
        pytest.param(
            "2026-08-15 22:00", ["2026-08-15 09:00"], log_of(*BOTH_OF_11),
            due("15", (0, 1), "12", "13", "14"),
            id="after_three_days_off_they_are_declared_and_only_the_current_day_is_published",
        ),
        pytest.param(
            "2026-08-15 22:00", ["2026-08-15 09:00"],
            log_of(*BOTH_OF_11, missed=("2026-08-12", "2026-08-13", "2026-08-14")),
            due("15", (0, 1)),
            id="days_declared_before_are_not_declared_with_the_next_print",
        ),
        pytest.param(
            "2026-08-15 10:00", ["2026-08-15 09:00"], log_of(*BOTH_OF_11),
            due("14", (), "12", "13", "14"),
            id="waking_before_the_cut_off_declares_the_days_off_and_publishes_nothing",
        ),
    ],
)  # fmt: skip
def test_what_is_due(
    now: str, rounds: list[str], published: Published, expected: list[Due]
) -> None:
    assert schedule.due_now(at(now), TWO, published, [at(r) for r in rounds]) == expected


def test_sessions_are_due_on_their_own_clocks() -> None:
    both = definitions(A="NYC", S="SHA")
    rounds = [at("2026-08-12 06:30")]
    assert schedule.due_now(at("2026-08-12 07:45"), both, Published(), rounds) == [
        Due("SHA", date(2026, 8, 12), (0,), ())
    ]
    found = schedule.due_now(at("2026-08-12 22:00"), both, Published(), rounds)
    assert {d.session: d.revisions for d in found} == {"SHA": (0, 1), "NYC": (0, 1)}


@pytest.mark.parametrize(
    ("now", "prints", "revisions"),
    [
        pytest.param("2026-08-30T23:00", "A 2026-08-30 r0,B 2026-08-30 r0,A 2026-08-30 r1,"
                     "B 2026-08-30 r1", None, id="not_before_the_month_ends"),
        pytest.param("2026-08-31T23:00", "A 2026-08-31 r0,B 2026-08-31 r0,A 2026-08-31 r1,"
                     "B 2026-08-31 r1", (0, 1), id="on_its_last_day"),
    ],
)  # fmt: skip
def test_a_monthly_index_is_due_on_the_last_day_of_its_month(
    now: str, prints: str, revisions: tuple[int, ...] | None
) -> None:
    rounds = [at(now) - timedelta(hours=5)]
    found = schedule.due_now(at(now), MONTHLY, log_of(*prints.split(",")), rounds)
    assert [one.revisions for one in found] == ([] if revisions is None else [revisions])


@pytest.mark.parametrize(
    ("now", "day", "revisions"),
    [
        pytest.param("2026-03-07 21:44", "03-06", (0, 1), id="winter_before_21_45_utc"),
        pytest.param("2026-03-07 21:45", "03-07", (0,), id="winter_at_21_45_utc"),
        pytest.param("2026-03-08 20:44", "03-07", (0, 1), id="spring_change_before_20_45_utc"),
        pytest.param("2026-03-08 20:45", "03-08", (0,), id="spring_change_at_20_45_utc"),
        pytest.param("2026-03-08 22:00", "03-08", (0, 1), id="spring_change_final_at_22_utc"),
        pytest.param("2026-10-31 20:45", "10-31", (0,), id="summer_at_20_45_utc"),
        pytest.param("2026-11-01 20:45", "10-31", (0, 1), id="autumn_change_not_at_20_45_utc"),
        pytest.param("2026-11-01 21:45", "11-01", (0,), id="autumn_change_at_21_45_utc"),
    ],
)
def test_new_york_s_clock_changes_move_the_hour_in_utc(
    now: str, day: str, revisions: tuple[int, ...]
) -> None:
    hourly = [at(now) - timedelta(hours=n) for n in range(60)]
    [found] = schedule.due_now(at(now), TWO, Published(), hourly)
    assert (f"{found.ref_date:%m-%d}", found.revisions) == (day, revisions)


@pytest.mark.parametrize("first", ["2026-03-06", "2026-10-30"], ids=["spring", "autumn"])
def test_waking_every_quarter_of_an_hour_prints_each_day_twice_and_misses_none(first: str) -> None:
    """Over a change of clocks, with what was due taken as published."""
    published, begun = Published(), at(f"{first} 00:00")
    rounds: list[datetime] = []
    seen: list[tuple[str, int]] = []
    for n in range(4 * 24 * 4):
        now = begun + timedelta(minutes=15 * n)
        rounds += [now] * (n % 4 == 0)
        for one in schedule.due_now(now, TWO, published, rounds):
            assert one.missed == ()
            for r in one.revisions:
                seen.append((one.ref_date.isoformat(), r))
                for name in TWO:
                    key = (name, "NYC", one.ref_date.isoformat(), r)
                    published.fixings[key] = {"flags": []}
    days = sorted({day for day, _ in seen})
    assert len(days) == 4
    assert seen == [(day, r) for day in days for r in (0, 1)]


@pytest.mark.parametrize(
    ("now", "shanghai", "new_york"),
    [
        ("2026-08-12 00:00", "2026-08-12 07:45", "2026-08-12 20:45"),
        ("2026-08-12 07:45", "2026-08-12 09:00", "2026-08-12 20:45"),
        ("2026-08-12 09:00", "2026-08-13 07:45", "2026-08-12 20:45"),
        ("2026-08-12 20:50", "2026-08-13 07:45", "2026-08-12 22:00"),
        ("2026-08-12 22:00", "2026-08-13 07:45", "2026-08-13 20:45"),
        ("2026-03-07 23:00", "2026-03-08 07:45", "2026-03-08 20:45"),
        ("2026-10-31 22:00", "2026-11-01 07:45", "2026-11-01 21:45"),
    ],
)
def test_next_print_due(now: str, shanghai: str, new_york: str) -> None:
    assert schedule.next_due(at(now)) == {"SHA": at(shanghai), "NYC": at(new_york)}


# --- one publisher at a time -------------------------------------------------------------------


def test_days_off_are_declared_once_in_the_log_and_never_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lw.watch_few_indices(monkeypatch)
    with lb.Server(lw.healthy()) as server:
        world = lw.World(server, lw.settings(tmp_path / "out", server.url))
        world.run(at("2026-08-12 07:30"))
        world.run(at("2026-08-12 22:00"))
        for now in ("2026-08-16 07:30", "2026-08-16 08:30", "2026-08-16 22:00"):
            liverun.run_due(world.settings, at(now))
    found = lw.records(world.settings)
    missed = [r["ref_date"] for r in found if r["type"] == "incident" and r["session"] == "NYC"]
    # The round of the 12th at 22:00 lies in the window of the 13th: there is something to publish
    # from, but nobody was awake to do it.
    assert missed == ["2026-08-13", "2026-08-14", "2026-08-15"]
    days = {r["ref_date"] for r in found if r["type"] == "fixing" and r["session"] == "NYC"}
    assert days == {"2026-08-12", "2026-08-16"}


def test_a_second_wake_up_at_once_is_refused_and_nothing_is_published_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lw.watch_few_indices(monkeypatch)
    refused: list[LockHeld] = []
    with lb.Server(lw.healthy()) as server:
        settings = lw.settings(tmp_path / "out", server.url)
        now = at("2026-08-12 22:00")
        liverun.run_due(settings, at("2026-08-12 07:30"))

        def meanwhile(stage: str, what: str) -> None:
            if stage == "publish" and not refused:
                with pytest.raises(LockHeld) as held:
                    liverun.run_due(settings, now)
                refused.append(held.value)

        liverun.run_due(settings, now, meanwhile)
        liverun.run_due(settings, now)
    assert [one.exit_code for one in refused] == [75]
    keys = [
        (r["index_id"], r["ref_date"], r["revision"])
        for r in lw.records(settings)
        if r["type"] == "fixing"
    ]
    assert len(keys) == len(set(keys)) > 0


# --- the process -------------------------------------------------------------------------------

SERVE = """
import sys, apscheduler.triggers.cron as cron
from apscheduler.triggers.interval import IntervalTrigger
from pathlib import Path
from index import liverun, schedule
from methodology.errors import LockHeld
from tests import live_world as lw

every, failing, out = float(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
if every:
    cron.CronTrigger = lambda **_: IntervalTrigger(seconds=every, timezone="UTC")
wakes = 0

def say(*words):  # one write a line: two threads speak
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

def wake(settings, at):
    global wakes
    wakes += 1
    say("woke", wakes)
    if failing == "ours":
        raise LockHeld("another one publishes")
    if failing == "other":
        raise ZeroDivisionError("a mistake")
    liverun.run_due(settings, at)
    say("done", wakes)

schedule.serve(lw.settings(out), wake, say)
say("ended")
"""


def start(every: float, failing: str, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVE, str(every), failing, str(out)],
        cwd=REPOSITORY,
        env=plain_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """Return its lines up to the wanted one; a process that never says it is killed."""
    assert process.stdout is not None
    found: list[str] = []
    patience = threading.Timer(30, process.kill)
    patience.start()
    try:
        for line in process.stdout:
            found.append(line.strip())
            if line.strip() == wanted:
                return found
    finally:
        patience.cancel()
    raise AssertionError(f"ended without {wanted!r}: {found}")


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, float]:
    begun = time.monotonic()
    os.kill(process.pid, number)
    rest, _ = process.communicate(timeout=20)
    return process.returncode, rest, time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_serve_wakes_once_at_the_start_and_ends_at_once_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    with start(0, "", tmp_path / "out") as process:
        found = read_until(process, "done 1")
        assert "woke 1" in found
        code, rest, seconds = stop(process, number)
    assert (code, rest.splitlines()[-1]) == (0, "ended")
    assert "woke 2" not in rest
    assert seconds < 15  # a busy machine takes its time; the next moment is hours away
    told = [line for line in [*found, *rest.splitlines()] if line.startswith("schedule next")]
    assert len(told) == 2
    with PublisherLock(tmp_path / "out" / "publisher.lock"):
        pass  # let go of


def test_serve_wakes_at_each_trigger(tmp_path: Path) -> None:
    with start(0.2, "", tmp_path / "out") as process:
        found = read_until(process, "done 3")
        code, _, _ = stop(process, signal.SIGTERM)
    assert code == 0
    assert [line for line in found if line.startswith("woke")] == ["woke 1", "woke 2", "woke 3"]


def test_an_error_of_ours_is_told_and_does_not_stop_the_schedule(tmp_path: Path) -> None:
    with start(0.2, "ours", tmp_path / "out") as process:
        found = read_until(process, "woke 3")
        code, _, _ = stop(process, signal.SIGTERM)
    assert code == 0
    assert found.count("error another one publishes") >= 2


def test_any_other_error_ends_the_schedule_with_its_trace(tmp_path: Path) -> None:
    with start(0.2, "other", tmp_path / "out") as process:
        out, error = process.communicate(timeout=20)
    assert process.returncode == 1
    assert out.count("woke") == 1
    assert "ZeroDivisionError: a mistake" in error
