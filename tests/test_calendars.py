"""When the year and the lists of sessions end: fixings go on, prices wait, and all is told.

1 January 2027 is a Friday. The first editions of all lists end on the day before.
"""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner

from index import (
    calendar_records,
    cli,
    doctor_calendars,
    opening,
    replay,
    schedule,
    settlements,
)
from index.config import Settings
from index.feed import formats
from index.publication import record, tree
from index.shelves import Folder
from index.shop import open_shop
from index.verify_settlements import check_prices
from index.verifying import Findings, Seen
from methodology import calendars, clock
from methodology.contracts import load_contracts
from tests import feed_tree
from tests import live_world as lw
from tests import loopback as lb
from tests import revision_world as rw

AUGUST = datetime(2026, 8, 12, 20)
NOVEMBER = datetime(2026, 11, 21)
ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "methodology" / "contracts" / "calendars"


# Fixings ------------------------------------------------------------------------------------------


def test_fixings_are_due_across_the_new_year_and_far_beyond() -> None:
    """New York is UTC-5 in winter: cut-off 21:00, provisional 21:45, final 23:00."""
    assert schedule.next_due(datetime(2026, 12, 31, 23)) == {
        "SHA": datetime(2027, 1, 1, 7, 45),
        "NYC": datetime(2027, 1, 1, 21, 45),
    }
    assert clock.final_at("NYC", date(2031, 1, 1)) == datetime(2031, 1, 1, 23)
    for year, days in ((2027, 365), (2028, 366), (2099, 365)):
        told = json.loads(formats.calendar_json(year))["sessions"]
        assert {name: len(rows) for name, rows in told.items()} == {"NYC": days, "SHA": days}


def test_a_live_log_begun_in_2026_runs_and_verifies_in_2027(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lw.watch_few_indices(monkeypatch, lw.IN)
    with lb.Server(lw.healthy()) as server:
        settings = lw.settings(tmp_path / "out", server.url)
        with open_shop(settings) as shop:
            assert opening.append(shop, AUGUST) == 8
        world = lw.World(server, settings)
        world.run(datetime(2027, 1, 1, 20))
        world.run(datetime(2027, 1, 1, 23, 5))
    found = lw.records(settings)
    assert [r["revision"] for r in found if r["type"] == "fixing"] == [0, 0, 0, 1, 1, 1]
    assert {r["ref_date"] for r in found if r["type"] == "fixing"} == {"2027-01-01"}
    later = [(r["calendar_id"], r["version"]) for r in found[8:] if r["type"] == "calendar"]
    assert later == [("CMES", "1.1.0"), ("IEPA", "1.1.0"), ("XNYS", "1.1.0")]
    ended = [r["text"] for r in found if r["type"] == "notice" and r["kind"] == "CALENDAR_END"]
    assert [text.split(";")[0] for text in ended] == ["calendar XSHG 1.0.0 ends on 2026-12-31"]
    assert replay.verify(settings).problems == []


class Held:
    """A log's records as a stranger has them."""

    def __init__(self, settings: Settings) -> None:
        self.bodies = rw.bodies(settings)
        self.records = [json.loads(body) for body in self.bodies]


def strangers_problems(settings: Settings) -> list[str]:
    """Return what a stranger finds wrong with lists and prices, from published files alone."""
    seen, found = Held(settings), Findings()
    places = range(len(seen.bodies))
    check_prices(cast("Seen", seen), Folder(settings.site / "batches"), found, places)
    return [str(one) for one in found.problems]


def test_a_stranger_goes_by_the_published_list_that_his_release_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A price of July, in which nothing was published, by the first edition of Chicago's list."""
    contract = load_contracts()["H100-MEAN-BUSINESS"]
    when = datetime(2026, 8, 3, 16)
    settings = lw.settings(tmp_path / "out")
    with open_shop(settings) as shop:
        opening.append(shop, AUGUST)
        told = settlements.content(
            shop.published, contract, date(2026, 7, 1), when, batches=shop.batches
        )
        told |= {"log_origin": shop.log.origin, "administrator_id": "x"}
        shop.append([lambda seq: record.settlement({**told, "seq": seq})])
    first = calendars.editions()["CMES"][0]
    assert told["pricing_days"]["calendar_digest"] == f"sha256:{first.digest}"
    assert strangers_problems(settings) == []
    # A release that has no first edition: the list beside the log is all there is.
    known = calendars.by_digest
    monkeypatch.setattr(
        calendars, "by_digest", lambda digest: None if digest == first.digest else known(digest)
    )
    assert strangers_problems(settings) == []
    cited = next(r for r in rw.bodies(settings) if b'"calendar_id":"CMES"' in r)
    body = settings.site / tree.body_path("calendar", json.loads(cited)["artefact"]["sha256"][7:])
    body.write_bytes(body.read_bytes().replace(b"2026-07", b"2026-06"))
    assert [p for p in strangers_problems(settings) if "H100-MEAN-BUSINESS" in p]
    body.unlink()
    assert any(
        "is missing" in p and "H100-MEAN-BUSINESS" in p for p in strangers_problems(settings)
    )


def test_settle_goes_by_the_edition_of_the_log_and_an_older_site_gets_its_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "utc_now", lambda: NOVEMBER)
    settings = lw.settings(tmp_path / "out")
    words = ("settle", "H100-MEAN-BUSINESS", "--month", "2026-07", "--json")

    def version() -> str:
        result = rw.spotfix(settings, *words)
        assert result.exit_code == 0, result.output
        return str(json.loads(result.stdout)["pricing_days"]["calendar_version"])

    with open_shop(settings) as shop:
        opening.append(shop, AUGUST)
    assert version() == "1.0.0"
    # A release that did not publish lists left none; the next publication brings them.
    folder = settings.site / "batches" / "calendar"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(before) == 4
    for path in folder.iterdir():
        path.unlink()
    with open_shop(settings) as shop:
        opening.append(shop, NOVEMBER)
    assert version() == "1.1.0"
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert (len(after), before.items() <= after.items()) == (7, True)


# The doctor ---------------------------------------------------------------------------------------


def lines(settings: Settings, at: datetime) -> list[tuple[str, str]]:
    """Return state and text of each line, one for each calendar that ends soon."""
    return [(state, told) for _, state, told, _ in doctor_calendars.lists(settings, at)]


ALL = "CMES 1.1.0 to 2027-12-31; IEPA 1.1.0 to 2027-12-23; XNYS 1.1.0 to 2028-12-31"
STOPS = "then no price of {}; fixings go on"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        pytest.param(
            NOVEMBER,
            [
                ("warn", "XSHG 1.0.0 ends on 2026-12-31, in 40 days: then no price of "
                 "TKX-CN-LAST-3; fixings go on"),
                ("ok", ALL),
            ],
            id="40_days_before_the_end_of_Shanghai_s",
        ),
        pytest.param(
            datetime(2027, 1, 1),
            [
                ("warn", "XSHG 1.0.0 ended on 2026-12-31: then no price of TKX-CN-LAST-3; "
                 "fixings go on"),
                ("ok", ALL),
            ],
            id="after_it_a_reference_template_is_no_fault",
        ),
        pytest.param(
            datetime(2027, 12, 31),
            [
                ("warn", "CMES 1.1.0 ends on 2027-12-31, today: "
                 "then no price of H100-MEAN-BUSINESS; fixings go on"),
                ("bad", "IEPA 1.1.0 ended on 2027-12-23: "
                 "then no price of H100-MEAN-CALENDAR; fixings go on"),
                ("warn", "XSHG 1.0.0 ended on 2026-12-31: then no price of TKX-CN-LAST-3; "
                 "fixings go on"),
                ("ok", "XNYS 1.1.0 to 2028-12-31"),
            ],
            id="after_it_a_settlement_template_is_to_be_mended",
        ),
    ],
)  # fmt: skip
def test_the_doctor_warns_before_a_list_ends(
    tmp_path: Path, at: datetime, expected: list[tuple[str, str]]
) -> None:
    assert lines(lw.settings(tmp_path / "out"), at) == expected


def test_the_doctor_says_that_the_next_run_brings_a_later_edition(tmp_path: Path) -> None:
    settings = lw.settings(tmp_path / "out")
    with open_shop(settings) as shop:
        opening.append(shop, AUGUST)
    found = {told[:4]: (state, fix) for _, state, told, fix in doctor_calendars.lists(
        settings, datetime(2027, 1, 2)
    )}  # fmt: skip
    for name in ("CMES", "IEPA", "XNYS"):
        assert found[name][0] == "warn"
        assert "the next `spotfix run --live` logs it" in found[name][1]
    assert "the State Council's notice" in found["XSHG"][1]
    assert "methodology/contracts/calendars/XSHG-VERSION.toml" in found["XSHG"][1]


# The command --------------------------------------------------------------------------------------


def call(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, ["calendars", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_tells_how_far_each_list_reaches_and_what_the_log_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "utc_now", lambda: NOVEMBER)
    settings = lw.settings(tmp_path / "out")
    with open_shop(settings) as shop:
        opening.append(shop, AUGUST)
    code, told, _ = call("--json", "--out", settings.out)
    assert code == 0
    rows = {r["calendar_id"]: r for r in json.loads(told)}
    assert {name: (r["version"], r["in_log"], r["days_left"]) for name, r in rows.items()} == {
        "calendar-day": ("1", None, None), "CMES": ("1.1.0", "1.0.0", 405),
        "IEPA": ("1.1.0", "1.0.0", 397), "XNYS": ("1.1.0", "1.0.0", 771),
        "XSHG": ("1.0.0", "1.0.0", 40),
    }  # fmt: skip
    assert "no end" in call("--out", settings.out)[1]


def later(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """Write a next edition of New York's list: its text with some of it replaced."""
    text = (FOLDER / "XNYS-1.1.0.toml").read_text("utf-8")
    for old, new in (
        ('version = "1.1.0"', 'version = "1.2.0"'),
        ('supersedes = "1.0.0"', 'supersedes = "1.1.0"'),
        *changes,
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    # What the edition before it names already belongs to that one.
    text = re.sub(r"\[\[holidays\]\]\n(?:.+\n)+\n", "", text)
    holiday = (
        '[[holidays]]\nday = 2029-01-01\nname = "New Year\'s Day"\nrule = "January 1"\n'
        'source = "https://example.org"\nread_on = 2026-11-21\n\n'
    )
    text = text.replace("# Days of the month", f"{holiday}# Days of the month")
    file = tmp_path / "XNYS-1.2.0.toml"
    file.write_text(f'{text}"2029-01" = [2, 3, 4, 5]\n', "utf-8")
    return file


def test_a_later_edition_is_checked_before_it_is_added(tmp_path: Path) -> None:
    file = later(tmp_path, ("last_day = 2028-12-31", "last_day = 2029-01-07"))
    code, told, _ = call("--check", file, "--json")
    assert code == 0
    assert {k: v for k, v in json.loads(told).items() if k != "digest"} == {
        "calendar_id": "XNYS", "version": "1.2.0", "supersedes": "1.1.0",
        "last_day": "2029-01-07", "sessions_added": 4, "changes": [],
    }  # fmt: skip
    assert "XNYS 1.2.0 continues 1.1.0: 4 sessions more" in call("--check", file)[1]


@pytest.mark.parametrize(
    ("name", "last", "code", "told"),
    [
        pytest.param(None, "2029-01-08", 3, "2029-01-08 is a session, a weekend or", id="a_gap"),
        pytest.param(None, "2028-12-31", 3, "a session lies outside", id="too_short"),
        pytest.param("nothing.toml", "2029-01-07", 2, "name a TOML file", id="no_file"),
        pytest.param("XNYS.toml", "2029-01-07", 3, "not the file's name", id="another_name"),
    ],
)
def test_a_wrong_edition_is_refused(
    tmp_path: Path, name: str | None, last: str, code: int, told: str
) -> None:
    file = later(tmp_path, ("last_day = 2028-12-31", f"last_day = {last}"))
    if name == "XNYS.toml":
        file = file.rename(tmp_path / name)
    found = call("--check", tmp_path / name if name else file)
    assert found[0] == code
    assert told in found[2]


# The feed and the rulebook ------------------------------------------------------------------------


def test_the_feed_shows_the_newest_edition_of_the_log(tmp_path: Path) -> None:
    settings = lw.settings(tmp_path / "out")
    with open_shop(settings) as shop:
        opening.append(shop, AUGUST)
        opening.append(shop, NOVEMBER)
        shop.append(calendar_records.ending(shop, NOVEMBER))
    with feed_tree.serving(settings) as client:
        found = client.get("/v1/calendar/CMES").json()
        assert (found["version"], found["last_day"], found["seq"]) == ("1.1.0", "2027-12-31", 8)
        assert client.get("/v1/calendar/XSHG").json()["last_day"] == "2026-12-31"
        first = client.get("/v1/calendar/CMES?edition=1.0.0").json()
        assert (first["version"], first["last_day"]) == ("1.0.0", "2026-12-31")
        by_digest = client.get(f"/v1/calendar/CMES?edition={first['digest']}").json()
        assert by_digest["seq"] == first["seq"]
        missing = client.get("/v1/calendar/CMES?edition=1.2.0")
        assert (missing.status_code, "the log has 1.1.0, 1.0.0" in missing.text) == (404, True)
        assert client.get("/v1/calendar/CMES?edition=newest").status_code == 400
        # Thanksgiving 2026 is 26 November; New Year's Eve is a Thursday, New Year's Day is none.
        old = client.get("/v1/calendar/CMES.ics?edition=1.0.0").text.split("\r\n")
        days = [line[-8:] for line in old if line.startswith("DTSTART;VALUE=DATE:")]
        assert days[-3:] == ["20261229", "20261230", "20261231"]
        assert len(days) == first["sessions"]
        new = client.get("/v1/calendar/CMES.ics")
        assert new.headers["content-type"] == "text/calendar; charset=utf-8"
        assert "DTSTART;VALUE=DATE:20270104" in new.text
        assert "DTSTART;VALUE=DATE:20270101" not in new.text
        name = f"/batches/calendar/{first['artefact']['sha256'][7:]}.jsonl"
        listed = json.loads(client.get(name).text)["file"]
        assert listed == (FOLDER / "CMES.toml").read_text("utf-8")
        told = client.get("/v1/notices").text
        assert "calendar XSHG 1.0.0 ends on 2026-12-31" in told


def test_the_rulebook_says_where_each_list_ends() -> None:
    text = (ROOT / "methodology" / "README.md").read_text("utf-8")
    clause = text.partition("### 17.13 ")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `([A-Z]+)` \| (\d{4}-\d\d-\d\d) \|", clause, re.MULTILINE))
    assert told == {n: c.last_day.isoformat() for n, c in calendars.load_calendars().items()}
    assert f"{calendar_records.NEAR.days} days before" in clause
    assert set(calendars.NEXT) == set(told)
