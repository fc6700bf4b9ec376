"""One parse for many captures of one body gives what a parse of each of them gives."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from collectors import panel
from collectors.base import Capture, Parsed
from collectors.rows import Rows
from index import stamping
from index.stamping import ONCE, Digests, Parses, is_same, restamped
from methodology.errors import ParseError, SourceError
from tests import real_bodies

PAYLOADS = Path(__file__).parent / "payloads"
ODD = timedelta(microseconds=137)
"""No body states a time that ends so: a row's own time is never taken for the capture's."""

FAR = datetime(1999, 1, 1) + ODD
WHOLE = {
    "models_dev": "tokens/models_dev/2026-08-12.api.json.gz",
    "litellm": "tokens/litellm/2026-11-19.json.gz",
    "openrouter_models": "tokens/openrouter_models/2026-04-01.json.gz",
    "gpurentalprices": "gpu/gpurentalprices/2026-08-22.json.gz",
    "vast": "gpu/fixtures_live_shape/2026-07-18_vast_bundles.json.gz",
    "runpod": "gpu/fixtures_live_shape/2026-07-18_runpod_gputypes.json.gz",
}


def bodies(source: str) -> list[bytes]:
    """Return the small bodies of a source."""
    folder = PAYLOADS / source
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]


def moments(body: bytes, most: int = 24) -> list[datetime]:
    """Return times in order: hours across a midnight, and around days and seconds of the body."""
    text = body.decode("utf-8", "replace")
    base = datetime(2026, 8, 20, 20)
    found = {base + timedelta(hours=n) for n in range(8)}
    for year, month, day in dict.fromkeys(re.findall(r"(20\d\d)-(\d\d)-(\d\d)", text)):
        try:
            at = datetime(int(year), int(month), int(day))
        except ValueError:
            continue
        found |= {at - timedelta(hours=30), at - timedelta(hours=1), at + timedelta(hours=25)}
        if len(found) > most:
            break
    for seconds in list(dict.fromkeys(re.findall(r"\b(1[5-9]\d{8})\b", text)))[:4]:
        at = datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None)
        found |= {at - timedelta(hours=1), at + timedelta(hours=1)}
    return sorted(at + ODD for at in found)


def outcome(parse: Callable[[Capture], Parsed], capture: Capture) -> stamping.Outcome:
    """Return what a parser makes of a capture, the error if it makes one."""
    try:
        return parse(capture)
    except SourceError as error:
        return error


def asked(
    source: str, body: bytes, times: list[datetime], parse: Callable[[Capture], Parsed]
) -> list[tuple[stamping.Outcome, stamping.Outcome]]:
    """Return, for each time, what :class:`Parses` gives and what a parse gives."""
    url = panel.load(source).url
    captures = [Capture(source, url, body, at.replace(tzinfo=UTC)) for at in times]
    keys = [(source, url, c.sha256) for c in captures]
    parses = Parses(zip(keys, times, strict=True), parse)
    return [
        (outcome(lambda c: parses.of(c, c.sha256), each), outcome(parse, each)) for each in captures
    ]


def hold(source: str, body: bytes, times: list[datetime]) -> None:
    """Fail unless the contract holds: what a body gives never comes back once it has changed."""
    source_of = panel.load(source)
    runs: list[stamping.Outcome] = []
    for at in times:
        capture = Capture(source, source_of.url, body, at.replace(tzinfo=UTC))
        found = restamped(outcome(source_of.parse, capture), at, FAR)
        if not runs or not is_same(runs[-1], found):
            assert not any(is_same(one, found) for one in runs), f"{source} returns at {at}"
            runs.append(found)


@pytest.mark.parametrize("source", [s.id for s in panel.load_all() if s.is_live])
def test_every_live_source_gives_the_rows_of_a_parse_for_each_capture(source: str) -> None:
    for body in bodies(source):
        times = moments(body, 12)
        for told, parsed in asked(source, body, times, panel.load(source).parse):
            assert is_same(told, parsed)


@pytest.mark.parametrize("source", sorted(ONCE))
def test_a_source_parsed_once_does_not_return_to_what_it_said(source: str) -> None:
    for body in bodies(source):
        hold(source, body, moments(body))


@pytest.mark.parametrize("source", sorted(WHOLE))
def test_a_whole_body_gives_the_rows_of_a_parse_for_each_capture(source: str) -> None:
    if not real_bodies.FOLDER.is_dir():
        pytest.skip(real_bodies.NO_BODIES)
    body = gzip.decompress((real_bodies.FOLDER / WHOLE[source]).read_bytes())
    times = moments(body)[::4]
    hold(source, body, times)
    for told, parsed in asked(source, body, times, panel.load(source).parse):
        assert is_same(told, parsed)


def test_only_live_snapshots_of_prices_are_parsed_once() -> None:
    for source in map(panel.load, sorted(ONCE)):
        assert source.is_live, source.id
        assert source.mode == "snapshot", source.id
        assert source.kind in ("tokens", "gpus"), source.id


START = datetime(2026, 8, 20)
HOURS = [START + timedelta(hours=n) for n in range(76)]


class Counting:
    """A parser that counts its calls; ``price`` may depend on the time."""

    def __init__(self, price: Callable[[datetime], str]) -> None:
        self.price, self.calls = price, 0

    def __call__(self, capture: Capture) -> Parsed:
        """Return one quote, or raise for an empty price."""
        self.calls += 1
        text = self.price(capture.observed_at)
        if not text:
            raise ParseError(capture.source, "SHAPE", "no price")
        rows = Rows(capture, "per_mtok")
        rows.quote("Host", "model", "IN", text)
        return rows.parsed()


def same(source: str, parse: Counting) -> int:
    """Return how many parses 76 hours took, having compared every one with its own parse."""
    fresh = Counting(parse.price)
    captures = [Capture(source, "https://x.example/", b"{}", t.replace(tzinfo=UTC)) for t in HOURS]
    digest = captures[0].sha256
    parses = Parses((((source, c.url, digest), c.observed_at) for c in captures), parse)
    for capture in captures:
        told = outcome(lambda c: parses.of(c, digest), capture)
        assert is_same(told, outcome(fresh, capture))
    assert not parses._made, "nothing is kept of a body that was asked for the last time"
    return parse.calls


def test_an_unchanged_body_is_parsed_at_its_first_and_its_last_time() -> None:
    assert same("models_dev", Counting(lambda at: "1")) == 2


def test_a_body_that_changes_its_meaning_on_the_way_is_parsed_around_that_moment() -> None:
    # 75 steps are halved seven times at most: two ends and at most seven middles
    assert 3 < same("models_dev", Counting(lambda at: "1" if at < HOURS[30] else "2")) <= 9


def test_a_body_that_stops_being_one_fails_from_that_moment_on() -> None:
    assert same("models_dev", Counting(lambda at: "1" if at < HOURS[75] else "")) <= 9


def test_a_body_that_says_something_else_each_hour_is_parsed_each_hour_and_no_more() -> None:
    assert same("models_dev", Counting(lambda at: str(1 + at.hour + 24 * at.day))) == 76


def test_a_source_that_is_not_named_is_parsed_for_each_capture() -> None:
    between = Counting(lambda at: "1" if HOURS[20] <= at < HOURS[40] else "2")
    assert same("aws_bedrock", between) == 76


def test_a_row_that_states_the_time_of_the_first_capture_itself_keeps_it() -> None:
    def parse(capture: Capture) -> Parsed:
        rows = Rows(capture, "per_mtok")
        rows.observed_at = HOURS[0]
        rows.quote("Host", "model", "IN", "1")
        return rows.parsed()

    for told, parsed in asked("models_dev", b"{}", HOURS, parse):
        assert is_same(told, parsed)
        assert isinstance(told, Parsed)
        assert told.quotes["observed_at"].to_list() == [HOURS[0]]


def test_a_capture_that_was_not_announced_is_parsed() -> None:
    parse = Counting(lambda at: "1")
    parses = Parses([], parse)
    capture = Capture("models_dev", "https://x.example/", b"{}", START.replace(tzinfo=UTC))
    assert is_same(parses.of(capture, capture.sha256), parse(capture))


def test_digests_are_those_of_the_bodies() -> None:
    digests, at = Digests(), START.replace(tzinfo=UTC)
    for body in (b"a", b"b", b"a"):
        capture = Capture("models_dev", "https://x.example/", body, at)
        assert digests.of(capture) == capture.sha256


def test_a_guard_state_of_odd_names_has_the_bytes_of_plain_json() -> None:
    import json

    from methodology.guards.state import OFFERS, GuardState

    name = 'q"\\/\b\f\n\r\t\x01\x1f\x7f\u00e9\u2028\U0001f600'
    row = dict.fromkeys(OFFERS) | {
        "source": "s", "provider": name, "listing_id": name, "meter": "IN", "nano": 2**53 + 1,
        "recent": [1, 2], "today": [], "shown_at": datetime(2026, 8, 20, 1, 2, 3, 4),
        "day": datetime(2026, 8, 20).date(),
    }  # fmt: skip
    state = GuardState(GuardState.new("s").memory, pl.DataFrame([row], schema=OFFERS))
    row |= {"shown_at": "2026-08-20T01:02:03.000004Z", "day": "2026-08-20"}
    plain = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert state.to_bytes().split(b"\n", 1)[1] == plain.encode() + b"\n"
    assert GuardState.from_bytes(state.to_bytes()).offers.equals(state.offers)
