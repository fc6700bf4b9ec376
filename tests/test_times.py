"""Times out of bodies: the same moment on every machine, or none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from collectors.strict import Number
from collectors.times import utc_moment


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T04:00:00Z", datetime(2026, 11, 21, 4)),
        ("2026-11-21T12:00:00.5+08:00", datetime(2026, 11, 21, 4, 0, 0, 500_000)),
        ("2026-11-20T23:00:00-05:00", datetime(2026, 11, 21, 4)),
        ("2026-11-21T04:00:00", None),
        ("2026-11-21", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("soon", None),
        ("", None),
        (Number("20261121"), None),
        (20261121, None),
        (None, None),
    ],
    ids=[
        "a time in UTC",
        "a time of Beijing",
        "a time of the American winter",
        "a time without a zone is not that of this machine",
        "a day alone",
        "a time that is before the first year in UTC",
        "a time that is after the last year in UTC",
        "a word",
        "no text",
        "digits that came as a number",
        "a number",
        "nothing",
    ],
)
@pytest.mark.usefixtures("in_new_york")
def test_a_stated_time_is_read_in_utc_or_not_at_all(text: object, expected: datetime | None):
    assert utc_moment(text) == expected
