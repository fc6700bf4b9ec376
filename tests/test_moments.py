"""The times of live records: true, in order, and flagged when late; worked by hand.

16:00 in New York on 20 November 2026 is 21:00 UTC. The provisional is due at 21:45, the final at
23:00, and the day there ends at 04:59:59 UTC of the 21st.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from index import liverun, moments, records, schedule
from index.feed import resources
from index.published import Published
from index.records import fixing_record
from methodology.errors import ConfigError
from tests import fixing_records as made

DAY = date(2026, 11, 20)
INDEX = "GPR-H100-SXM-80-OD-NEO-GLB-SETTLEMENT"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def fixing(revision: int, moment: str | None, restated: str | None = None) -> dict[str, Any]:
    """Return the record of a value of grade A that is published at a moment."""
    fields: Any = {**made.fixing(9), "grade": "A", "waterfall": "FULL"}
    definition = SimpleNamespace(session="NYC", admission="settlement", digest="0" * 64)
    chosen = SimpleNamespace(
        index_id=INDEX, definition=definition, ref_date=DAY, input_digest=made.NOTHING, inputs=b""
    )
    draft: Any = SimpleNamespace(selection=chosen, fields=fields, flags=())
    rules: Any = SimpleNamespace(version="1.1.0", digest="0" * 64)
    cited = dict.fromkeys(("inputs", "basket", "contributions", "panel_state"), made.REFERENCE)
    return fixing_record(
        draft, revision, seq=9, log_origin="example.org/log", administrator_id="example",
        software="spotfix/1", commit_seq=3, supersedes=None, manifest=made.REFERENCE, cited=cited,
        before=None, rules=rules, is_bundled=moment is None, is_witnessed=True,
        at=at(moment) if moment else None, restated=restated,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("revision", "moment", "published", "is_late", "is_eligible"),
    [
        pytest.param(1, "2026-11-20T23:00", "20T23:00:00.000", False, True, id="on_time"),
        pytest.param(1, "2026-11-20T23:09", "20T23:09:00.000", False, True, id="nine_minutes"),
        pytest.param(
            1, "2026-11-20T23:09:59.999999", "20T23:09:59.999", False, True,
            id="less_than_a_millisecond_before_ten",
        ),
        pytest.param(1, "2026-11-20T23:10", "20T23:10:00.000", True, True, id="ten_minutes"),
        pytest.param(1, "2026-11-20T23:11", "20T23:11:00.000", True, True, id="eleven_minutes"),
        pytest.param(
            1, "2026-11-21T04:59:59.500", "21T04:59:59.500", True, True,
            id="in_the_last_second_of_the_window",
        ),
        pytest.param(
            1, "2026-11-21T05:00", "21T05:00:00.000", True, False, id="when_the_window_has_closed"
        ),
        pytest.param(
            1, "2026-11-23T23:00", "23T23:00:00.000", True, False, id="three_days_late"
        ),
        pytest.param(0, "2026-11-20T21:45", "20T21:45:00.000", False, False, id="a_provisional"),
        pytest.param(
            0, "2026-11-20T23:11", "20T23:11:00.000", True, False, id="a_provisional_with_its_final"
        ),
        pytest.param(1, None, "20T23:00:00.000", False, True, id="the_schedule_s_own_time"),
    ],
)  # fmt: skip
def test_a_fixing_states_when_it_was_made(
    revision: int, moment: str | None, published: str, is_late: bool, is_eligible: bool
) -> None:
    found = fixing(revision, moment)
    assert found["published_at"] == found["calculated_at"] == f"2026-11-{published}Z"
    assert ("LATE" in found["flags"], found["settlement_eligible"]) == (is_late, is_eligible)
    assert found["final_at"] == "2026-11-21T04:59:59.000Z"


def test_a_restatement_states_its_own_moment_and_is_never_late() -> None:
    found = fixing(2, "2026-11-21T04:30", "SiliconFlow: the price of another model")
    assert (found["published_at"], found["status"]) == ("2026-11-21T04:30:00.000Z", "REVISED")
    assert "LATE" not in found["flags"]
    assert found["settlement_eligible"]


# --- what cannot be true is found -----------------------------------------------------------------

Row = dict[str, Any]


def log(*changes: Callable[[list[Row]], object]) -> list[str]:
    """Return what is found wrong in a log of a commitment, two prints and a restatement."""
    commitment = {"type": "commitment", "committed_at": "2026-11-20T21:45:00.000Z"}
    rows: list[Row] = [commitment] + [
        {
            "type": "fixing", "seq": seq, "index_id": INDEX, "session": "NYC", "flags": [],
            "ref_date": "2026-11-20", "revision": seq - 1, "commit_seq": 0,
            "cutoff_at": "2026-11-20T21:00:00.000Z", "published_at": f"2026-11-{moment}:00.000Z",
        }
        for seq, moment in ((1, "20T21:46"), (2, "20T23:02"), (3, "21T04:10"))
    ]  # fmt: skip
    for change in changes:
        change(rows)
    published = Published()
    for row in rows[1:]:
        published.fixings[row["index_id"], row["session"], row["ref_date"], row["revision"]] = row
    return list(moments.check(published, [json.dumps(row).encode() for row in rows]))


def put(seq: int, name: str, value: Any) -> Callable[[list[Row]], object]:
    return lambda rows: rows[seq].update({name: value})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            put(1, "published_at", "2026-11-20T21:44:59.999Z"),
            "before 2026-11-20T21:45:00.000Z, when it was due", id="before_it_was_due",
        ),
        pytest.param(
            put(0, "committed_at", "2026-11-20T21:46:00.001Z"),
            "before 2026-11-20T21:46:00.001Z, when it was committed to",
            id="before_its_commitment",
        ),
        pytest.param(
            put(0, "committed_at", "2026-11-20T20:59:59.999Z"), "before its cut-off",
            id="committed_to_before_the_cut_off",
        ),
        pytest.param(
            put(1, "published_at", "2026-11-20T23:02:00.001Z"),
            "is before 2026-11-20T23:02:00.001Z, the moment of record 1",
            id="the_print_before_it_moved_past_it",
        ),
        pytest.param(
            put(3, "published_at", "2026-11-20T23:01:00.000Z"),
            "is before 2026-11-20T23:02:00.000Z, when the revision that it replaces",
            id="a_restatement_before_its_final",
        ),
        pytest.param(
            lambda rows: rows[3].update(
                flags=["BUNDLED"], published_at="2026-11-20T23:01:00.000Z"
            ),
            "when the revision that it replaces", id="a_restatement_of_a_bundled_final_before_it",
        ),
    ],
)  # fmt: skip
def test_a_moment_that_cannot_be_true_is_found(
    change: Callable[[list[Row]], object], said: str
) -> None:
    assert said in "; ".join(log(change))


def test_what_only_others_can_bound_is_not_found() -> None:
    """A whole log dated anew in order, an hour later: the dates of witnesses alone show that."""

    def shift(rows: list[Row]) -> None:
        rows[0]["committed_at"] = "2026-11-20T22:45:00.000Z"
        for row, moment in zip(rows[1:], ("20T22:46", "21T00:02", "21T04:50"), strict=True):
            row["published_at"] = f"2026-11-{moment}:00.000Z"

    assert log() == log(shift) == []


def test_bundled_prints_follow_the_schedule_and_not_the_log() -> None:
    def bundle(rows: list[Row]) -> None:
        rows[0]["committed_at"] = "2026-11-20T21:00:00.000Z"
        rows[3].update(ref_date="2026-11-19", revision=0, published_at="2026-11-19T21:45:00.000Z")
        for row in rows[1:]:
            row["flags"] = ["BUNDLED"]

    assert log(bundle) == []


# --- the clock of the machine ---------------------------------------------------------------------


def shop() -> Any:
    """Return a log with a commitment and a provisional of the day, made at 21:50 and 21:52."""
    published = Published()
    published.fixings[INDEX, "NYC", "2026-11-20", 0] = {
        "seq": 1, "flags": [], "published_at": "2026-11-20T21:52:00.000Z",
    }  # fmt: skip
    body = json.dumps({"committed_at": "2026-11-20T21:50:00.000Z"}).encode()
    return SimpleNamespace(
        published=published,
        definitions={INDEX: SimpleNamespace(session="NYC")},
        log=SimpleNamespace(entry=lambda seq: body),
    )


@pytest.mark.parametrize(
    ("revision", "moment", "said"),
    [
        pytest.param(1, "2026-11-20T22:59:59", "r1 was due", id="before_the_print_is_due"),
        pytest.param(0, "2026-11-20T21:51", "record 1 was published", id="before_the_last_print"),
    ],
)
def test_a_clock_that_is_behind_publishes_nothing(revision: int, moment: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        moments.of_run(shop(), [(INDEX, DAY, revision)], [0], moments.fixed(at(moment)))


def test_a_clock_behind_a_commitment_publishes_nothing() -> None:
    held = shop()
    held.published.fixings.clear()
    with pytest.raises(ConfigError, match="record 0 was committed"):
        moments.of_run(held, [(INDEX, DAY, 0)], [0], moments.fixed(at("2026-11-20T21:49")))


def test_a_clock_in_order_is_read_in_milliseconds() -> None:
    now = moments.fixed(at("2026-11-20T23:00:00.123999"))
    assert moments.of_run(shop(), [(INDEX, DAY, 1)], [0], now) == at("2026-11-20T23:00:00.123")


def test_a_run_reads_the_clock_at_each_step_and_never_backwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = iter([at("2026-11-20T23:00"), at("2026-11-20T23:02"), at("2026-11-20T23:01")])
    monkeypatch.setattr(schedule, "utc_now", lambda: next(read))
    now = liverun._clock(None)
    assert [now(), now()] == [at("2026-11-20T23:02")] * 2
    asked = liverun._clock(at("2026-11-20T22:00"))
    assert asked() == asked() == at("2026-11-20T22:00")


def test_a_stopped_final_is_told_once_however_often_it_is_tried() -> None:
    fields = dict.fromkeys(
        (
            "index_id", "session", "ref_date", "revision", "contributions", "basket_digest",
            "panel_state", "manifest", "software",
        )
    )  # fmt: skip
    held: Any = SimpleNamespace(published=Published(), log=SimpleNamespace(origin="example.org"))
    [told] = records.engine_difference(held, fields, [], at("2026-11-20T23:00"))
    held.published.incidents.append(told(5))
    assert records.engine_difference(held, fields, [], at("2026-11-20T23:15")) == []


def test_a_body_that_could_not_be_read_is_no_round_of_asking() -> None:
    """It is told when the day is published, after its cut-off; asked was hours before."""
    held: Any = SimpleNamespace(
        archive=SimpleNamespace(entries=list),
        published=SimpleNamespace(
            incidents=[
                {"kind": "SOURCE_FAILED", "reason": reason, "manifest": manifest, "at": moment}
                for reason, manifest, moment in (
                    ("HTTP_STATUS", None, "2026-11-20T12:00:00.000Z"),
                    ("SHAPE", made.REFERENCE, "2026-11-20T21:45:00.000Z"),
                )
            ]
        ),
    )
    assert liverun._rounds(held) == [at("2026-11-20T12:00")]


@pytest.mark.parametrize(
    ("published", "aged_from"),
    [
        pytest.param("20T21:45:00.000", "2026-11-20T21:45", id="a_provisional_in_time"),
        pytest.param("20T22:59:00.000", "2026-11-20T22:59", id="a_late_one_before_its_final"),
        pytest.param("21T20:00:00.000", "2026-11-20T23:00", id="a_print_a_day_late"),
    ],
)
def test_a_late_print_does_not_make_its_day_younger(published: str, aged_from: str) -> None:
    record = {"cutoff_at": "2026-11-20T21:00:00.000Z"}
    entry: Any = SimpleNamespace(published_at=at(f"2026-11-{published}"), record=lambda: record)
    assert resources._aged_from(entry) == at(aged_from)
