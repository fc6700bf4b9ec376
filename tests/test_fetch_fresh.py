"""An unchanged price is legal, an old answer is not; and our own clock is tried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from collectors.fetch import Job, Limits, collect
from collectors.freshness import Seen, skew_of
from tests import loopback as lb
from tests.fetching import GOOD, NOON, make_source, outcome, served


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"date": "Fri, 20 Nov 2026 12:00:00 GMT"}, "OK", id="made_now"),
        pytest.param({"date": "Fri, 20 Nov 2026 06:00:30 GMT"}, "OK", id="almost_six_hours_old"),
        pytest.param({"date": "Fri, 20 Nov 2026 05:59:59 GMT"}, "STALE_RESPONSE", id="made_before"),
        pytest.param({"date": "Fri, 20 Nov 2026 12:09:00 GMT"}, "OK", id="nine_minutes_ahead"),
        pytest.param({"date": "Fri, 20 Nov 2026 12:11:00 GMT"}, "STALE_RESPONSE", id="yet_to_come"),
        pytest.param({"age": "21600"}, "OK", id="kept_for_six_hours"),
        pytest.param({"age": "21601"}, "STALE_RESPONSE", id="kept_longer"),
        pytest.param({"age": "-1"}, "STALE_RESPONSE", id="a_negative_age"),
        pytest.param({"age": "1" * 400}, "STALE_RESPONSE", id="an_absurd_age"),
        pytest.param({"date": "yesterday"}, "OK", id="an_unreadable_date_is_none"),
        pytest.param(
            {
                "date": "Fri, 20 Nov 2026 10:00:00 GMT",
                "age": "7200",
                "expires": "Fri, 20 Nov 2026 11:00:00 GMT",
            },
            "STALE_RESPONSE",
            id="a_cache_gave_it_past_its_own_expiry",
        ),
        pytest.param(
            {"date": "Fri, 20 Nov 2026 12:00:00 GMT", "expires": "Thu, 01 Jan 1970 00:00:00 GMT"},
            "OK",
            id="expired_at_once_means_do_not_keep",
        ),
        pytest.param(
            {"last_modified": "Mon, 01 Jan 2024 00:00:00 GMT", "etag": '"old"'},
            "OK",
            id="a_price_that_has_stood_for_years",
        ),
    ],
)
def test_how_old_an_answer_may_be(headers: dict[str, str], expected: str) -> None:
    result = served(lb.reply(GOOD, **headers))
    assert outcome(result) == expected
    assert result.attempts == 1


def test_a_source_says_how_old_its_answers_may_be() -> None:
    day = lb.reply(GOOD, age="80000")
    assert outcome(served(day, max_age=timedelta(days=1))) == "OK"
    assert outcome(served(day, max_age=timedelta(hours=22))) == "STALE_RESPONSE"


def test_an_answer_without_a_date_is_read_and_told() -> None:
    assert served(lb.reply(GOOD)).findings == ("DATE_MISSING: 1 of 1 answers carry no Date",)
    assert served(lb.reply(GOOD, date="Fri, 20 Nov 2026 12:00:00 GMT")).findings == ()


def seen(host: str, seconds: float, is_cached: bool = False) -> Seen:
    """A server whose clock is so far ahead; it took 0.2 s to answer."""
    date = (NOON + timedelta(seconds=seconds)).replace(microsecond=0)
    return Seen(host, date, is_cached, NOON, NOON + timedelta(seconds=0.2))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([seen(f"h{n}", 5) for n in range(4)], "4 of 4 servers are ahead", id="ahead"),
        pytest.param(
            [seen(f"h{n}", -9) for n in range(3)], "3 of 3 servers are behind", id="behind"
        ),
        pytest.param([seen(f"h{n}", 2) for n in range(4)], None, id="within_two_seconds"),
        pytest.param([seen("a", 60), seen("b", 60)], None, id="two_hosts_are_too_few"),
        pytest.param([seen("a", 60)] * 9, None, id="one_host_often_is_one"),
        pytest.param([seen("a", 60), seen("b", 0), seen("c", 0)], None, id="one_of_three_is_wrong"),
        pytest.param([seen(f"h{n}", -60, is_cached=True) for n in range(5)], None, id="caches"),
        pytest.param([], None, id="nobody_answered"),
    ],
)
def test_when_our_own_clock_is_doubted(answers: list[Seen], expected: str | None) -> None:
    told = skew_of(answers)
    assert told is None if expected is None else expected in str(told)


def test_a_wrong_clock_of_ours_is_a_finding_on_every_result_and_no_failure() -> None:
    date = (NOON + timedelta(seconds=20)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with lb.Server({"/p": lb.reply(GOOD, date=date)}) as server:
        jobs = [Job(make_source(f"s{n}"), f"http://s{n}.test:{server.port}/p") for n in range(3)]
        results = collect(
            jobs,
            20,
            now=lambda: NOON,
            limits=Limits(allow_loopback=True),
            resolve=lambda host, port: ["127.0.0.1"],
        )
    assert [outcome(one) for one in results] == ["OK"] * 3
    for one in results:
        [finding] = one.findings
        assert finding.startswith("CLOCK_SKEW: 3 of 3 servers are ahead of this machine's clock")


def test_a_step_of_the_system_clock_during_a_run_ages_nothing() -> None:
    """``now`` is read once for this; from then on the monotonic clock carries it."""
    times = iter([NOON] * 2 + [datetime(2027, 1, 1, tzinfo=UTC)] * 50)
    with lb.Server({"/p": lb.reply(GOOD, date="Fri, 20 Nov 2026 12:00:00 GMT")}) as server:
        [result] = collect([Job(make_source(), f"{server.url}/p")], 20, now=lambda: next(times))
    assert outcome(result) == "OK"
