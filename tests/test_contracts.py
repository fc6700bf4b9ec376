"""Settlement templates and frozen calendars: what they hold, and what a wrong one is told.

Numbers of sessions are those of TV09; holidays are public dates of 2026.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from methodology import calendars, contracts
from methodology.calendars import CalendarEnd, load_calendar, load_calendars
from methodology.contracts import frozen_listing, load_contract, load_contracts
from methodology.errors import DefinitionError
from tests.vectors import vector

FOLDER = Path(contracts.__file__).parent / "contracts"
BUSINESS = "H100-MEAN-BUSINESS"


def contract_with(tmp_path: Path, old: str, new: str, name: str = "h100-mean-business") -> Path:
    text = (FOLDER / f"{name}.toml").read_text("utf-8")
    assert text.count(old) == 1, old
    file = tmp_path / "changed.toml"
    file.write_text(text.replace(old, new), "utf-8")
    return file


# Digests ----------------------------------------------------------------------------------------


def test_every_contract_and_calendar_is_frozen() -> None:
    """A file in force is not edited: a change is a new version, and the listing is made again."""
    mine = {
        str(f.relative_to(FOLDER)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in FOLDER.rglob("*.toml")
    }
    text = (FOLDER / "FROZEN.sha256").read_text("utf-8")
    assert {line[66:]: line[:64] for line in text.splitlines()} == mine
    assert text == frozen_listing()
    assert len(mine) == 11


def test_the_digest_of_a_contract_is_that_of_its_file() -> None:
    body = (FOLDER / "h100-mean-business.toml").read_bytes()
    assert load_contracts()[BUSINESS].digest == hashlib.sha256(body).hexdigest()


# Calendars --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["XSHG", "CMES", "XNYS", "IEPA"])
def test_a_frozen_list_has_the_sessions_that_others_counted(name: str) -> None:
    for month, lists in vector("TV09_monthly_settlement.json")["expected"].items():
        days = [d for d in load_calendars()[name].days if f"{d:%Y-%m}" == month]
        closed = {date.fromisoformat(d) for d in lists[name]["weekday_non_sessions"]}
        assert len(days) == lists[name]["n"]
        assert (str(days[0]), str(days[-1])) == (lists[name]["first"], lists[name]["last"])
        assert closed.isdisjoint(days)


@pytest.mark.parametrize("name", ["XSHG", "CMES", "XNYS", "IEPA"])
def test_no_frozen_list_has_a_weekend(name: str) -> None:
    assert {d.weekday() for d in load_calendars()[name].days} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("day", "open_in"),
    [
        (date(2026, 1, 1), set()),  # New Year
        (date(2026, 2, 17), {"CMES", "XNYS", "IEPA"}),  # first day of the Chinese year
        (date(2026, 4, 3), {"XSHG"}),  # Good Friday: one package has CMES open
        (date(2026, 7, 3), {"XSHG", "CMES", "IEPA"}),  # Independence Day is a Saturday
        (date(2026, 10, 1), {"CMES", "XNYS", "IEPA"}),  # National Day of China
        (date(2026, 11, 26), {"XSHG", "CMES", "IEPA"}),  # Thanksgiving
        (date(2026, 12, 25), {"XSHG"}),  # Christmas
        (date(2026, 12, 31), {"XSHG", "CMES", "XNYS", "IEPA"}),
    ],
)
def test_holidays(day: date, open_in: set[str]) -> None:
    assert {name for name, one in load_calendars().items() if day in one.days} == open_in


def test_the_disagreements_of_the_packages_are_told_and_decided() -> None:
    told = [(n, d) for n, c in load_calendars().items() for d in c.disagreements]
    assert [(name, d.day, d.first, d.second, d.adopted) for name, d in told] == [
        ("CMES", date(2026, 4, 3), "closed", "open", "closed"),
        ("CMES", date(2027, 3, 26), "closed", "open", "closed"),
    ]
    april = [d for d in load_calendars()["CMES"].days if f"{d:%Y-%m}" == "2026-04"]
    assert len(april) == 21


@pytest.mark.parametrize(
    ("name", "last", "days"),
    [
        # Days of 2027: 261 weekdays less the holidays that fall on one.
        ("XSHG", "2026-12-31", 0),
        ("CMES", "2027-12-31", 261 - 3),
        ("XNYS", "2028-12-31", 261 - 10),
        ("IEPA", "2027-12-23", 261 - 2 - 6),
    ],
)
def test_a_day_outside_the_list_is_an_error_and_says_what_to_do(
    name: str, last: str, days: int
) -> None:
    calendar, end = load_calendars()[name], date.fromisoformat(last)
    assert (calendar.first_day, calendar.last_day) == (date(2025, 12, 1), end)
    assert sum(day.year == 2027 for day in calendar.days) == days
    assert calendar.within(date(2026, 12, 1), end)
    after = end + timedelta(days=1)
    for first, until in (
        (after, after + timedelta(days=30)),
        (date(2026, 12, 1), after),
        (date(2025, 11, 30), date(2025, 12, 31)),
    ):
        with pytest.raises(CalendarEnd, match=f"calendar {name} covers 2025-12-01 to {last}") as e:
            calendar.within(first, until)
        assert "add the exchange's list of sessions" in str(e.value)
        assert e.value.exit_code == 3
        assert e.value.calendar is calendar


# Holidays of New York as its exchange announced them on 2025-12-23, for 2027 and 2028.
NEW_YORK = {
    2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
    2028: "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
}


@pytest.mark.parametrize("year", [2027, 2028])
def test_the_holidays_of_new_york_are_those_announced_and_those_of_the_rules(year: int) -> None:
    closed = {date.fromisoformat(f"{year}-{day}") for day in NEW_YORK[year].split()}
    listed = {one.day: one.rule for one in load_calendars()["XNYS"].holidays}
    assert {day for day in listed if day.year == year} == closed
    for day in closed:
        assert listed[day] == rule_of(day), day


def rule_of(day: date) -> str:
    """Return the words for a holiday's place in its year, from the day alone."""
    easter = {2027: date(2027, 3, 28), 2028: date(2028, 4, 16)}[day.year]
    if day == easter - timedelta(days=2):
        return "the Friday before Easter Sunday of the Gregorian reckoning"
    for month, number in ((1, 1), (6, 19), (7, 4), (12, 25)):
        fixed = date(day.year, month, number)
        shift, words = {
            5: (-1, ", a Saturday: the Friday before"),
            6: (1, ", a Sunday: the Monday after"),
        }.get(fixed.weekday(), (0, ""))
        if fixed + timedelta(days=shift) == day:
            return f"{fixed:%B} {number}{words}"
    nth = ["first", "second", "third", "fourth", "fifth"][(day.day - 1) // 7]
    if (day + timedelta(days=7)).month != day.month:
        nth = "last" if day.month == 5 else nth
    return f"{nth} {day:%A} of {day:%B}"


def test_a_first_edition_stays_as_logs_have_it() -> None:
    """Its digest is in every log that began with it, so no byte of it may change."""
    assert {name: mine[0].digest[:16] for name, mine in calendars.editions().items()} == {
        "CMES": "4e7bee1da212584c", "IEPA": "080434daf06dc552", "XNYS": "4336171b1aa2935b",
        "XSHG": "ea20b33599f41201",
    }  # fmt: skip
    assert {mine[0].last_day for mine in calendars.editions().values()} == {date(2026, 12, 31)}


@pytest.mark.parametrize(
    ("day", "version"),
    [
        (date(2026, 1, 1), "1.0.0"),  # before any was made
        (date(2026, 11, 20), "1.0.0"),
        (date(2026, 11, 21), "1.1.0"),
        (date(2031, 1, 1), "1.1.0"),
    ],
)
def test_the_edition_of_a_day_is_the_newest_made_by_then(day: date, version: str) -> None:
    assert calendars.made_by("CMES", day).version == version


LATER = FOLDER / "calendars" / "XNYS-1.1.0.toml"


def changed(day: str, was: str, becomes: str) -> str:
    return (
        f'[[changes]]\nday = {day}\nwas = "{was}"\nbecomes = "{becomes}"\n'
        'because = "mourning"\nsource = "https://example.org"\nread_on = 2026-11-21\n\n[sessions]'
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("2028-12-31", "2026-12-30", "outside first_day", id="it_ends_earlier"),
        pytest.param('"1.1.0"', '"1.0.0"', "not the file's name", id="the_same_version"),
        pytest.param('supersedes = "1.0.0"', "", "go with schema calendar/1.1", id="of_nobody"),
        pytest.param("day = 2027-01-18\n", "day = 2027-01-19\n", "2027-01-18 is a session, a "
                     "weekend or one of", id="a_holiday_with_a_session_and_one_without"),
        pytest.param('"2027-01" = [4, ', '"2027-01" = [2, 4, ', "2027-01-02 is a", id="a_Saturday"),
        pytest.param(", 21, 22, 23, 24, 28, 29, 30, 31]\n\"2027-01\"",
                     ", 21, 22, 23, 24, 28, 29, 30]\n\"2027-01\"",
                     "2026-12-31 differs from 1.0.0 if and only if", id="a_silent_change"),
        pytest.param("[sessions]", changed("2026-12-31", "open", "closed"),
                     "2026-12-31 differs from 1.0.0 if and only if", id="a_change_that_is_none"),
        pytest.param("first_day = 2025-12-01", "first_day = 2025-11-30", "starts with 2025-12-01",
                     id="another_beginning"),
    ],
)  # fmt: skip
def test_an_edition_that_does_not_continue_its_predecessor_is_refused(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    text = LATER.read_text("utf-8")
    assert old in text
    (tmp_path / LATER.name).write_text(text.replace(old, new, 1), "utf-8")
    first = calendars.editions()["XNYS"][0]
    with pytest.raises(DefinitionError, match=told):
        calendars.check_successor(first, load_calendar(tmp_path / LATER.name))


@pytest.mark.parametrize(
    ("day", "removed", "told"),
    [
        pytest.param("2026-12-31", ("31]\n\"2027-01", "]\n\"2027-01"), "", id="a_day_to_come"),
        pytest.param("2026-11-20", ("19, 20, 23, 24, 25, 27, 30]\n\"2026-12",
                                    "19, 23, 24, 25, 27, 30]\n\"2026-12"),
                     "2026-11-20 was over on 2026-11-21", id="a_day_that_is_over"),
    ],
)  # fmt: skip
def test_a_closing_announced_late_is_a_change_that_is_named(
    tmp_path: Path, day: str, removed: tuple[str, str], told: str
) -> None:
    text = LATER.read_text("utf-8")
    assert text.count(removed[0]) == 1
    text = text.replace(*removed).replace("[sessions]", changed(day, "open", "closed"), 1)
    (tmp_path / LATER.name).write_text(text, "utf-8")
    first, later = calendars.editions()["XNYS"][0], load_calendar(tmp_path / LATER.name)
    if told:
        with pytest.raises(DefinitionError, match=told):
            calendars.check_successor(first, later)
    else:
        calendars.check_successor(first, later)
        assert date.fromisoformat(day) not in later.days


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id = "XNYS"', 'id = "XLON"', "'XLON' is not the file's name"),
        ("last_day = 2026-12-31", "last_day = 2026-12-30", "outside first_day"),
        ('"2026-02" = [2, 3,', '"2026-02" = [3, 2,', "in order"),
        ('"2026-02" = [2, 3,', '"2026-02" = [2, 2, 3,', "without repeats"),
        ('26, 27]\n"2026-03"', '26, 27, 30]\n"2026-03"', "day is out of range|must be in range"),
        ("made_on", "made_by = 1\nmade_on", "made_by"),
        ("made_on = 2026-11-20\n", "", "made_on"),
    ],
)
def test_a_wrong_calendar_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = (FOLDER / "calendars" / "XNYS.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "XNYS.toml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DefinitionError, match=told) as error:
        load_calendar(tmp_path / "XNYS.toml")
    assert str(error.value).startswith("XNYS.toml: ")


def test_a_disagreement_must_be_listed_as_it_is_adopted(tmp_path: Path) -> None:
    text = (FOLDER / "calendars" / "CMES.toml").read_text("utf-8")
    changed = text.replace('adopted = "closed"', 'adopted = "open"')
    (tmp_path / "CMES.toml").write_text(changed, "utf-8")
    with pytest.raises(DefinitionError, match="2026-04-03 is adopted as open and listed otherwise"):
        load_calendar(tmp_path / "CMES.toml")


def test_every_calendar_day_needs_no_list() -> None:
    days = calendars.sessions("CAL", date(2031, 2, 1), date(2031, 2, 28))
    assert len(days) == 28
    assert calendars.sessions_before("CAL", date(2031, 3, 1), 2) == (
        date(2031, 2, 28),
        date(2031, 2, 27),
    )


def test_an_unknown_calendar_is_named() -> None:
    with pytest.raises(DefinitionError, match="no calendar 'XLON'; there are CAL, CMES"):
        calendars.sessions("XLON", date(2026, 2, 1), date(2026, 2, 28))


# Pricing days -----------------------------------------------------------------------------------


def test_business_days_and_the_sessions_before_them() -> None:
    """January 2026 looks back into December: Christmas and weekends are not looked at."""
    days, earlier = contracts.pricing_days(load_contracts()[BUSINESS], date(2026, 1, 15))
    assert (len(days), days[0], days[-1]) == (21, date(2026, 1, 2), date(2026, 1, 30))
    assert [d.day for d in earlier] == [31, 30, 29, 26, 24, 23, 22, 19, 18, 17]


def test_calendar_days_and_the_days_before_them() -> None:
    one = load_contracts()["H100-MEAN-CALENDAR"]
    days, earlier = contracts.pricing_days(one, date(2026, 3, 1))
    assert (len(days), days[0], days[-1]) == (31, date(2026, 3, 1), date(2026, 3, 31))
    assert (earlier[0], earlier[-1], len(earlier)) == (date(2026, 2, 28), date(2026, 2, 19), 10)


def test_the_last_three_trading_days_of_shanghai() -> None:
    """February 2026 ends with Wednesday to Friday, 25 to 27; before it lies the spring festival."""
    days, earlier = contracts.pricing_days(load_contracts()["TKX-CN-LAST-3"], date(2026, 2, 1))
    assert days == (date(2026, 2, 25), date(2026, 2, 26), date(2026, 2, 27))
    assert earlier[:2] == (date(2026, 2, 24), date(2026, 2, 13))


def test_the_first_month_of_a_list_cannot_look_back() -> None:
    with pytest.raises(DefinitionError, match="not 10 sessions before 2025-12-01"):
        contracts.pricing_days(load_contracts()[BUSINESS], date(2025, 12, 1))


def test_an_event_averages_no_days() -> None:
    with pytest.raises(ValueError, match="is an event"):
        contracts.pricing_days(load_contracts()["H100-WEEK-ABOVE"], date(2026, 2, 1))


@pytest.mark.parametrize(
    ("month", "hours"),
    [
        (date(2026, 1, 1), 744),  # 31 x 24
        (date(2026, 2, 1), 672),  # 28 x 24
        (date(2028, 2, 1), 696),  # 29 x 24
        (date(2026, 3, 1), 744),  # clocks change; 743 local hours in London and New York
        (date(2026, 4, 1), 720),  # 30 x 24
        (date(2026, 10, 1), 744),  # 745 local hours in London
        (date(2026, 11, 1), 720),  # 721 local hours in New York
    ],
)
def test_size_is_the_utc_hours_of_the_month(month: date, hours: int) -> None:
    known = load_contracts()
    calendar, business = known["H100-MEAN-CALENDAR"].size, known[BUSINESS].size
    assert calendar is not None
    assert business is not None
    assert calendar.of(*contracts.month_of(month)) == hours
    assert business.of(*contracts.month_of(month)) == 730


@pytest.mark.parametrize(
    ("name", "last", "on"),
    [
        (BUSINESS, date(2026, 5, 29), date(2026, 6, 1)),
        ("H100-MEAN-CALENDAR", date(2026, 5, 31), date(2026, 6, 1)),
        ("TKX-CN-LAST-3", date(2026, 9, 30), date(2026, 10, 8)),  # after the National Day week
        (BUSINESS, date(2026, 12, 31), date(2027, 1, 4)),  # New Year is a Friday
        ("H100-MEAN-CALENDAR", date(2027, 12, 23), None),  # the list ends
        ("TKX-CN-LAST-3", date(2026, 12, 31), None),  # the holidays of 2027 are not announced
    ],
)
def test_a_price_is_published_on_the_next_session(name: str, last: date, on: date | None) -> None:
    assert contracts.published_on(load_contracts()[name], last) == on


# Contracts --------------------------------------------------------------------------------------


def test_a_reference_template_never_claims_settlement() -> None:
    one = load_contracts()["TKX-CN-LAST-3"]
    assert (one.label, one.settles_on) == ("reference", None)
    assert "reference" in one.title
    assert "REFERENCE" in (FOLDER / "tkx-cn-last-3.toml").read_text("utf-8").partition("schema")[0]


def test_missing_day_rules_reach_the_arithmetic() -> None:
    missing = load_contracts()[BUSINESS].missing
    assert missing is not None
    assert missing.rules.filled_share == Fraction(1, 5)
    assert missing.rules.enough_share == Fraction(4, 5)
    assert (missing.rules.look_back_days, missing.rules.accept_share) == (10, None)


H100 = '"GPR-H100-SXM-80-OD-NEO-GLB-SETTLEMENT"'


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('tick = "0.01"', 'tick = "0.01"\nrounds = "up"', "key 'averaging.rounds': Extra inputs"),
        ('version = "1.0.0"', 'version = "1.0.0"\nnotes = ""', "key 'notes': Extra inputs"),
        ("decimals = 4\n", "", "key 'decimals': Field required"),
        ('tick = "0.01"', "tick = 0.01", "not as a float"),
        ('tick = "0.01"', 'tick = "0"', "finite decimal above zero"),
        ('tick = "0.01"', "tick = [1, 3]", "finite decimal above zero"),
        ('days = "BUS"', 'days = "LAST_K"', "k goes with days LAST_K"),
        ('days = "BUS"', 'days = "CAL"', "days CAL needs no calendar"),
        (
            'days = "BUS"\ncalendar = "CMES"',
            'days = "BUS"',
            "days BUS needs the name of a calendar",
        ),
        (
            'days = "BUS"\ncalendar = "CMES"',
            'days = "BUS"\ncalendar = "XLON"',
            "no calendar 'XLON'",
        ),
        ("quantity = 730\n", "", "quantity goes with rule fixed"),
        ('rule = "fixed"', 'rule = "utc_hours_of_month"', "quantity goes with rule fixed"),
        ('filled_share = "0.20"', 'filled_share = "1.20"', "share from 0 to 1"),
        ("look_back_days = 10", "look_back_days = -1", "look_back_days"),
        ("look_back_days = 10", 'look_back_days = 10\naccept_share = "0.9"', "accept_share"),
        ('kind = "average"', 'kind = "event"', "go with kind average"),
        (f"settles_on = {H100}", 'settles_on = "GPR-X"', "there is no index GPR-X"),
        (f"settles_on = {H100}\n", "", "settles_on goes with label settlement"),
        (
            f"settles_on = {H100}",
            'settles_on = "GPR-H200-ANY-OD-NEO-GLB"',
            "GPR-H200-ANY-OD-NEO-GLB is of admission reference, not settlement",
        ),
        (
            'indicative_on = ["GPR-H100-SXM-80-OD-NEO-GLB", "GPR-H100-ANY-OD-NEO-GLB"]',
            f"indicative_on = [{H100}]",
            "named twice",
        ),
        (f'label = "settlement"\nsettles_on = {H100}', 'label = "reference"', "says reference"),
        ('time = "10:00"', 'time = "ten"', "HH:MM"),
        ('zone = "America/Chicago"', "zone = [", "not valid TOML"),
    ],
)
def test_a_wrong_contract_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = contract_with(tmp_path, old, new)
    with pytest.raises(DefinitionError, match=told) as error:
        load_contract(file)
    assert "changed.toml: " in str(error.value) or "no calendar" in str(error.value)
    assert error.value.exit_code == 3
