"""What opens a log, who may publish live, and the notice of a late print."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from index import calendar_records, liverun, notices, opening, replay
from index.config import Settings
from index.ledger.canonical import canonical
from index.ledger.log import Log
from index.pipeline import run_bundled
from index.publication import schema
from index.publication.key_records import KeyHistory
from index.publication.keyring import demo
from index.publication.keys import DemoSigner, PublicKey
from index.published import Published
from index.records import rules_digest
from index.shop import open_shop, refuse_unless_ready
from methodology.errors import ConfigError, DefinitionError
from tests import live_world as lw
from tests import loopback as lb

AT = datetime(2026, 8, 12, 20)
ROOT = Path(__file__).resolve().parents[1]


def records(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(body) for body in Log.open(settings.ledger, read_only=True).entries()]


# --- the first records --------------------------------------------------------------------------


def test_a_log_opens_with_its_keys_and_its_calendars(small_ledger: Settings) -> None:
    found = records(small_ledger)
    assert [r["type"] for r in found[:9]] == ["key"] * 4 + ["calendar"] * 4 + ["methodology"]
    assert [(r["purpose"], r["algorithm"]) for r in found[:4]] == [
        ("root", "ed25519"), ("fixing", "ed25519"), ("log", "ed25519"), ("log", "ml-dsa-44"),
    ]  # fmt: skip
    assert [k.id for k in demo().public_keys] == [r["key_id"] for r in found[:4]]
    assert KeyHistory.read(found).at("fixing", 0)[0].id == found[1]["key_id"]
    assert [r["calendar_id"] for r in found[4:8]] == ["CMES", "IEPA", "XNYS", "XSHG"]
    # The moment is that of the first cut-off of the run: nothing of it asks a clock.
    cuts = [r["committed_at"] for r in found if r["type"] == "commitment"]
    assert {r["at"] for r in found[:8]} == {min(cuts)}


def test_a_calendar_s_record_cites_the_frozen_file(small_ledger: Settings) -> None:
    for one in records(small_ledger)[4:8]:
        file = ROOT / "methodology" / "contracts" / "calendars" / f"{one['calendar_id']}.toml"
        assert one["digest"] == "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
        name = f"batches/calendar/{one['artefact']['sha256'][7:]}.jsonl"
        content = json.loads((small_ledger.ledger / name).read_bytes())
        assert content == {"calendar_id": one["calendar_id"], "file": file.read_text("utf-8")}
        assert (one["first_day"], one["last_day"]) == ("2025-12-01", "2026-12-31")


def test_the_same_keys_sign_the_same_opening_on_every_machine(tmp_path: Path) -> None:
    """ML-DSA-44 draws at random unless told otherwise; the demonstration keys must not."""
    made = []
    for name in ("a", "b"):
        with open_shop(lw.settings(tmp_path / name)) as shop:
            assert opening.append(shop, AT) == 8
            made.append(list(shop.log.entries()))
    assert made[0] == made[1]


def test_a_log_of_an_earlier_release_gets_keys_and_calendars_at_its_next_run(
    tmp_path: Path, small_bundle: Path
) -> None:
    settings = lw.settings(tmp_path / "out", bundle=small_bundle)
    log = Log.create(settings.ledger, "spotfix-dev/log")
    old = {
        "type": "notice", "schema": "notice/1.0", "seq": 0, "log_origin": "spotfix-dev/log",
        "kind": "OTHER", "index_id": None, "session": None, "ref_date": None, "concerns": None,
        "text": "a record of before", "at": "2026-08-01T00:00:00.000Z",
    }  # fmt: skip
    log.append([canonical(old)], expected_first=0)
    with open_shop(settings) as shop:
        assert opening.append(shop, AT) == 8
        assert opening.append(shop, AT + timedelta(days=1)) == 0
    found = records(settings)
    assert [r["type"] for r in found] == ["notice"] + ["key"] * 4 + ["calendar"] * 4
    # The keys hold for the record before them too.
    history = KeyHistory.read(found)
    assert [k.purpose for k in history.checkpoint_keys(1)] == ["log", "log"]
    assert history.at("fixing", 0)


def test_a_later_edition_of_a_calendar_is_a_later_record(tmp_path: Path) -> None:
    """Chicago, London and New York got theirs on 2026-11-21; Shanghai's waits for its notice."""
    settings = lw.settings(tmp_path / "out")
    with open_shop(settings) as shop:
        assert opening.append(shop, AT) == 8
        assert opening.append(shop, datetime(2026, 11, 20, 23, 59)) == 0
        assert opening.append(shop, datetime(2026, 11, 21)) == 3
        assert opening.append(shop, datetime(2027, 6, 1)) == 0
        names = [(r["calendar_id"], r["version"], r["last_day"]) for r in records(settings)[8:]]
        assert names == [
            ("CMES", "1.1.0", "2027-12-31"), ("IEPA", "1.1.0", "2027-12-23"),
            ("XNYS", "1.1.0", "2028-12-31"),
        ]  # fmt: skip
        ends = {
            n: c.version for n, c in calendar_records.in_force(shop.published, before=9).items()
        }
        assert ends == {"CMES": "1.1.0", "IEPA": "1.0.0", "XNYS": "1.0.0", "XSHG": "1.0.0"}
        assert list(calendar_records.check(shop.published, shop.batches)) == []


def test_a_log_that_begins_later_begins_with_the_newest_editions(tmp_path: Path) -> None:
    with open_shop(lw.settings(tmp_path / "out")) as shop:
        assert opening.append(shop, datetime(2026, 11, 21)) == 8
        told = [one["version"] for one in shop.published.calendars]
        assert told == ["1.1.0", "1.1.0", "1.1.0", "1.0.0"]


Records = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(lambda r: r[4].update(last_day="2029-12-31"), "last_day is stated as "
                     "'2029-12-31', the list has '2027-12-31'", id="a_longer_cover"),
        pytest.param(lambda r: r[4].update(sessions=9), "sessions is stated as 9", id="a_count"),
        pytest.param(lambda r: r[4].update(artefact=r[5]["artefact"]), "cites a file with sha256:",
                     id="another_file"),
        pytest.param(lambda r: r.append(dict(r[0])), "'supersedes': it follows CMES 1.1.0",
                     id="back_to_the_earlier_edition"),
        pytest.param(lambda r: r.append(dict(r[4])), "'supersedes': it follows CMES 1.1.0",
                     id="the_same_again"),
        pytest.param(lambda r: r[4].update(artefact={"sha256": "sha256:" + "0" * 64}), "record 8",
                     id="a_body_that_is_gone"),
    ],
)  # fmt: skip
def test_a_changed_calendar_record_is_found(
    tmp_path: Path, change: Callable[[Records], object], told: str
) -> None:
    with open_shop(lw.settings(tmp_path / "out")) as shop:
        opening.append(shop, AT)
        opening.append(shop, datetime(2026, 11, 21))
        assert list(calendar_records.check(shop.published, shop.batches)) == []
        change(shop.published.calendars)
        assert told in "; ".join(calendar_records.check(shop.published, shop.batches))


def test_an_edition_edited_after_it_was_logged_stops_the_run(tmp_path: Path) -> None:
    with open_shop(lw.settings(tmp_path / "out")) as shop:
        opening.append(shop, AT)
        shop.published.calendars[1]["digest"] = "sha256:" + "0" * 64
        with pytest.raises(DefinitionError, match=r"IEPA 1\.0\.0: record 5 .* never edited"):
            opening.append(shop, AT)
        assert shop.log.size == 8


def test_an_edition_of_a_later_release_is_read_from_the_log(tmp_path: Path) -> None:
    """Its record cites the whole file: this release settles by it and appends none of its own."""
    with open_shop(lw.settings(tmp_path / "out")) as shop:
        opening.append(shop, datetime(2026, 11, 21))
        folder = ROOT / "methodology" / "contracts" / "calendars"
        text = (folder / "CMES-1.1.0.toml").read_text("utf-8")
        text = text.replace('version = "1.1.0"', 'version = "1.2.0"')
        text = text.replace('supersedes = "1.0.0"', 'supersedes = "1.1.0"')
        body = canonical({"calendar_id": "CMES", "file": text}) + b"\n"
        stored = shop.batches.put("calendar", body).reference()
        later = {
            **shop.published.calendars[0], "seq": 8, "version": "1.2.0", "artefact": stored,
            "digest": "sha256:" + hashlib.sha256(text.encode()).hexdigest(),
        }  # fmt: skip
        shop.published.calendars.append(later)
        assert opening.append(shop, datetime(2026, 11, 22)) == 0
        held = calendar_records.in_force(shop.published, shop.batches)["CMES"]
        assert (held.version, held.last_day) == ("1.2.0", date(2027, 12, 31))
        with pytest.raises(DefinitionError, match=r"record 8: no edition of calendar CMES"):
            calendar_records.in_force(shop.published)


@pytest.mark.parametrize(
    ("moment", "ends"),
    [
        pytest.param("2026-10-31 12:00", [], id="61_days_before"),
        pytest.param("2026-11-01 12:00", ["CMES", "IEPA", "XNYS", "XSHG"], id="60_days_before"),
    ],
)
def test_the_end_of_a_list_is_told_sixty_days_ahead_and_once(
    tmp_path: Path, moment: str, ends: list[str]
) -> None:
    """The first lists end on 2026-12-31, 60 days after 1 November; London's next on 2027-12-23."""
    at = datetime.fromisoformat(moment)
    with open_shop(lw.settings(tmp_path / "out")) as shop:
        opening.append(shop, AT)
        shop.append(calendar_records.ending(shop, at))
        found = shop.published.notices
        assert [one["text"].split()[1] for one in found] == ends
        assert {one["kind"] for one in found} <= {"CALENDAR_END"}
        assert not ends or calendar_records.ending(shop, at + timedelta(days=100)) == []
        # A later edition is told when its own end is near, not before.
        opening.append(shop, datetime(2026, 11, 21))
        again = [make(0)["text"] for make in calendar_records.ending(shop, datetime(2027, 10, 25))]
        assert [text.split()[1:3] for text in again if "XSHG" not in text.split()] == [
            ["IEPA", "1.1.0"]
        ]


def test_other_keys_than_the_log_names_append_nothing(tmp_path: Path) -> None:
    with open_shop(lw.settings(tmp_path / "out")) as shop:
        opening.append(shop, AT)
        raw = DemoSigner("officer", name="somebody").public.raw
        other = PublicKey.from_raw(raw, name="somebody", purpose="fixing")
        held = replace(demo(), fixing=SimpleNamespace(public=other))
        shop.__dict__["keyring"] = held
        with pytest.raises(ConfigError, match=r"`spotfix keys rotate`") as caught:
            opening.append(shop, AT)
        assert demo().fixing.public.id in str(caught.value)
        assert shop.log.size == 8


# --- who may publish live -------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[lb.Server]:
    with lb.Server(lw.healthy()) as running:
        yield running


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, "administrator_id", id="nobody_is_responsible"),
        pytest.param({"administrator_id": "example"}, "log_origin", id="everybody_s_log"),
        pytest.param(
            {"administrator_id": "example", "log_origin": "example.org/log"}, "spotfix keys create",
            id="keys_that_everyone_can_derive",
        ),
    ],
)  # fmt: skip
def test_a_demonstration_publishes_nothing_live(
    tmp_path: Path, server: lb.Server, changes: dict[str, Any], told: str
) -> None:
    settings = lw.settings(tmp_path / "out", server.url, allow_demo_live=False, **changes)
    for run in (liverun.run_live, liverun.run_due):
        with pytest.raises(ConfigError, match=told):
            run(settings, AT)
    assert server.asked == []
    assert not (tmp_path / "out").exists()


def test_a_log_of_another_name_is_not_published_to_live(tmp_path: Path) -> None:
    log = Log.create(tmp_path / "ledger", "spotfix-dev/log")
    settings = lw.settings(tmp_path, administrator_id="example", log_origin="example.org/log")
    refuse_unless_ready(settings, log)  # allowed here by the setting of tests
    strict = settings.model_copy(update={"allow_demo_live": False})
    with pytest.raises(ConfigError, match=r"keys"):
        refuse_unless_ready(strict, log)


# --- late prints ----------------------------------------------------------------------------------

NYC = {"A": SimpleNamespace(session="NYC", is_due=lambda day: True)}


def shop_with(*prints: str, flags: tuple[str, ...] = ()) -> Any:
    published = Published()
    for one in prints:
        day, revision = one.split()
        key = "A", "NYC", day, int(revision[1:])
        published.fixings[key] = {"flags": list(flags)}
    return SimpleNamespace(
        published=published, definitions=NYC, log=SimpleNamespace(origin="example.org/log")
    )


def told(shop: Any, when: str) -> list[tuple[str, str]]:
    """Return day and text of what is told at a moment, and log it."""
    made = [make(7) for make in notices.delayed(shop, datetime.fromisoformat(when))]
    for one in made:
        schema.check(one)
        assert (one["kind"], one["session"], one["index_id"]) == ("DELAYED", "NYC", None)
    shop.published.notices += made
    return [(one["ref_date"], one["text"]) for one in made]


P = ("2026-08-12", "the provisional print due at 2026-08-12T20:45:00.000Z is late")
F = ("2026-08-12", "the final print due at 2026-08-12T22:00:00.000Z is late")


@pytest.mark.parametrize(
    ("prints", "when", "expected"),
    [
        pytest.param(("2026-08-11 r1",), "2026-08-12 20:54:59", [], id="within_ten_minutes"),
        pytest.param(("2026-08-11 r1",), "2026-08-12 20:55:00", [P], id="ten_minutes_late"),
        pytest.param(("2026-08-11 r1",), "2026-08-12 22:10:00", [P, F], id="both_prints_late"),
        pytest.param(
            ("2026-08-11 r1", "2026-08-12 r0"), "2026-08-12 22:10:00", [F], id="the_final_is_late"
        ),
        pytest.param(
            ("2026-08-11 r1", "2026-08-12 r0", "2026-08-12 r1"), "2026-08-13 12:00:00", [],
            id="all_is_there",
        ),
        pytest.param((), "2026-08-12 23:00:00", [], id="an_index_that_never_published_live"),
        pytest.param(
            ("2026-08-12 r0",), "2026-08-12 23:00:00", [], id="its_first_live_day_is_not_judged"
        ),
    ],
)  # fmt: skip
def test_a_print_is_late_ten_minutes_after_its_time(
    prints: tuple[str, ...], when: str, expected: list[tuple[str, str]]
) -> None:
    """New York's cut-off is 20:00 UTC in August: 20:45 provisional, 22:00 final."""
    shop = shop_with(*prints)
    assert told(shop, when) == expected
    assert told(shop, when) == []


def test_bundled_fixings_are_never_late() -> None:
    assert told(shop_with("2026-08-11 r1", flags=("BUNDLED",)), "2026-08-12 23:00:00") == []


def test_a_live_run_that_comes_late_says_so_and_publishes(
    tmp_path: Path, server: lb.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lw.watch_few_indices(monkeypatch)
    settings = lw.settings(tmp_path / "out", server.url)
    world = lw.World(server, settings)
    for when in ("2026-08-12 07:30", "2026-08-12 22:05", "2026-08-13 20:57"):
        world.run(datetime.fromisoformat(when))
    found = [r for r in records(settings) if r["type"] == "notice"]
    late = [(r["session"], r["ref_date"], r["text"]) for r in found]
    assert ("NYC", "2026-08-13", P[1].replace("-12T", "-13T")) in late
    assert not any("final" in text for _, _, text in late)
    first = min(
        r["seq"]
        for r in records(settings)
        if r["type"] == "fixing" and r["ref_date"] == "2026-08-13" and r["session"] == "NYC"
    )
    assert min(r["seq"] for r in found if r["session"] == "NYC") < first
    assert replay.verify(settings).problems == []


def test_the_bundled_run_opens_its_log_in_the_same_run(small_copy: Settings) -> None:
    before = Log.open(small_copy.ledger, read_only=True).size
    assert run_bundled(small_copy).appended == 0
    assert Log.open(small_copy.ledger, read_only=True).size == before
    assert records(small_copy)[8]["methodology_digest"] == rules_digest()
    assert date.fromisoformat(records(small_copy)[8]["effective_at"][:10])
