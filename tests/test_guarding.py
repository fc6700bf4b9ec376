"""A source that goes wrong is refused at the round in which it does, and the log says so."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from collectors import panel
from collectors.archive import Archive
from collectors.base import Capture
from index import guarding, liverun, reading, replay
from index.config import Settings
from methodology.definition import load_methodology
from methodology.errors import VerificationError
from tests import live_world as lw
from tests import loopback as lb

BEGUN = datetime(2026, 8, 12, 7, 30)
RULES = load_methodology()


def rounds(out: Path, *bodies: bytes) -> Settings:
    """Publish one day per body of GPU prices, read at 07:30 and 22:30 UTC; return the settings."""
    with pytest.MonkeyPatch.context() as patch, lb.Server(lw.healthy()) as server:
        lw.watch_few_indices(patch, lw.H100_ANY)
        world = lw.World(server, lw.settings(out, server.url))
        for n, body in enumerate(bodies):
            for hours in (0, 15):
                world.run(BEGUN + timedelta(days=n, hours=hours), gpurentalprices=body)
    return world.settings


def times(factor: str) -> dict[str, str]:
    """Return every seller's price times a factor, as text."""
    return {name: str(round(float(price) * float(factor), 4)) for name, price in lw.H100.items()}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    lw.watch_few_indices(monkeypatch, lw.H100_ANY)


@pytest.fixture(scope="module")
def eightfold(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three days; on the second every GPU price is that of a machine of eight."""
    return rounds(
        tmp_path_factory.mktemp("eightfold") / "out",
        lw.gpus(),
        lw.gpus("2026-08-13", **times("8")),
        lw.gpus("2026-08-14"),
    )


@pytest.fixture
def copy(eightfold: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(eightfold.out, tmp_path / "out", copy_function=shutil.copyfile)
    return eightfold.model_copy(update={"out": tmp_path / "out"})


@pytest.fixture
def book_copy(eightfold: Settings, tmp_path: Path) -> Settings:
    """Only what the book of the guards is made of: the bodies and itself."""
    mine = eightfold.model_copy(update={"out": tmp_path / "out"})
    for there, here in ((eightfold.raw, mine.raw), (eightfold.data, mine.data)):
        shutil.copytree(there, here, copy_function=shutil.copyfile)
    return mine


def of_type(settings: Settings, kind: str, **wanted: Any) -> list[dict[str, Any]]:
    return [
        one
        for one in lw.records(settings)
        if one["type"] == kind and all(one.get(k) == v for k, v in wanted.items())
    ]


def test_a_quarantine_and_its_end_stand_in_the_log(eightfold: Settings) -> None:
    told = [
        (one["kind"], one["source"], one["reason"], one["at"][:16])
        for one in of_type(eightfold, "incident")
    ]
    assert told == [
        ("SOURCE_QUARANTINED", "gpurentalprices", "UNIT_SWITCH", "2026-08-13T07:30"),
        ("SOURCE_RELEASED", "gpurentalprices", "UNIT_SWITCH", "2026-08-14T07:30"),
    ]


def test_the_flip_moves_no_fixing(eightfold: Settings) -> None:
    finals = of_type(eightfold, "fixing", index_id=lw.H100_ANY, revision=1)
    values = {one["ref_date"]: one["value"] for one in finals}
    # by hand: the panel's weighted median on 2026-08-12 is 3.85 (nine equal sellers, the fifth)
    assert values["2026-08-12"] == values["2026-08-14"] == "3.8500"
    assert values["2026-08-13"] in ("3.8500", None)


def test_each_refused_price_is_a_rejection_and_ends_the_older_one(eightfold: Settings) -> None:
    ledger = reading.open_ledger(eightfold)
    day = reading.fixing_of(ledger, lw.H100_ANY, datetime(2026, 8, 13).date(), None)
    manifest = ledger.batches.get("manifest", day["manifest"]["sha256"]).decode()
    assert '"refusals"' in manifest
    book, left = guarding.load(eightfold.data, Archive(eightfold.raw))
    assert left == []
    refused = book.refusals.filter(pl.col("captured_at").dt.day() == 13)
    assert set(refused["reason"]) == {"UNIT_SWITCH"}
    assert refused["provider"].n_unique() == len(lw.H100)
    # 6.155 * 8
    figures = dict(refused.select("provider", "price_text").unique().rows())
    assert figures["coreweave"] == "49.24"


@pytest.mark.parametrize("from_archive", [False, True], ids=["from_batches", "from_the_archive"])
def test_a_guarded_log_verifies(eightfold: Settings, from_archive: bool) -> None:
    report = replay.verify(eightfold, from_archive=from_archive)
    assert report.recomputed > 0


def test_a_changed_refusal_is_named(copy: Settings) -> None:
    folder = copy.ledger / "batches" / "refusals"
    path = max(folder.iterdir(), key=lambda one: one.stat().st_size)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"UNIT_SWITCH", b"UNIT_SWITCI", 1))
    with pytest.raises(VerificationError, match=path.name):
        replay.verify(copy)


def test_the_book_is_made_again_from_the_archive_byte_for_byte(book_copy: Settings) -> None:
    path = book_copy.data / guarding.FILE
    before = path.read_bytes()
    path.unlink()
    book = guarding.advance(book_copy.data, Archive(book_copy.raw), RULES)
    assert path.read_bytes() == before
    assert [e.kind for e in book.events] == ["SOURCE_QUARANTINED", "SOURCE_RELEASED"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda body: body[:-20], id="cut short"),
        pytest.param(lambda body: b"", id="empty"),
        pytest.param(lambda body: body.replace(b"guards/1.0", b"guards/9.9"), id="another schema"),
        pytest.param(lambda body: body.replace(b'"nano":', b'"nano": '), id="not canonical"),
    ],
)
def test_a_damaged_book_is_not_used(book_copy: Settings, damage: Any) -> None:
    path = book_copy.data / guarding.FILE
    before = path.read_bytes()
    path.write_bytes(damage(before))
    guarding.advance(book_copy.data, Archive(book_copy.raw), RULES)
    assert path.read_bytes() == before


def test_a_capture_that_came_in_late_makes_the_book_anew(book_copy: Settings) -> None:
    archive = Archive(book_copy.raw)
    late = BEGUN + timedelta(hours=3)
    archive.put(Capture("gpurentalprices", "https://x/", lw.gpus(), late.replace(tzinfo=UTC)))
    book, left = guarding.load(book_copy.data, archive)
    assert book.through is None
    assert late in {guarding._moment(one) for one in left}


def test_what_a_killed_run_did_not_log_is_logged_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The book is written before the log: a kill between them must not lose a quarantine."""
    with lb.Server(lw.healthy()) as server:
        world = lw.World(server, lw.settings(tmp_path / "out", server.url))
        world.run(BEGUN)
        with monkeypatch.context() as killed:
            killed.setattr(liverun, "_new", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                world.run(BEGUN + timedelta(hours=1), gpurentalprices=lw.gpus(**times("8")))
        assert of_type(world.settings, "incident") == []
        world.run(BEGUN + timedelta(hours=2))
        with monkeypatch.context() as killed:
            killed.setattr(liverun, "_new", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                world.run(BEGUN + timedelta(hours=3), gpurentalprices=lw.gpus())
        world.run(BEGUN + timedelta(hours=4))
        world.run(BEGUN + timedelta(hours=5))
    told = [(one["kind"], one["at"][11:16]) for one in of_type(world.settings, "incident")]
    # Since 08:30, when the body came; released by the 11:30 round, told of by the one after.
    assert told == [("SOURCE_QUARANTINED", "08:30"), ("SOURCE_RELEASED", "11:30")]


def test_one_slipped_price_is_refused_and_the_others_stand(tmp_path: Path) -> None:
    settings = rounds(tmp_path / "out", lw.gpus(), lw.gpus("2026-08-13", nebius="38.5"))
    book, _ = guarding.load(settings.data, Archive(settings.raw))
    assert set(book.refusals["provider"]) == {"nebius"}
    assert set(book.refusals["reason"]) <= {"UNIT_SWITCH", "ONE_SIDED"}
    assert guarding.quarantined(book) == {}
    assert of_type(settings, "incident") == []


def test_a_source_quarantined_now_is_named(tmp_path: Path) -> None:
    settings = rounds(tmp_path / "out", lw.gpus(), lw.gpus("2026-08-13", **times("8")))
    book, _ = guarding.load(settings.data, Archive(settings.raw))
    reason, since, bodies = guarding.quarantined(book)["gpurentalprices"]
    assert (reason, since, bodies) == ("UNIT_SWITCH", BEGUN + timedelta(days=1), 2)


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    line = panel.SOURCES["gpurentalprices"]._replace(proven_on=None)
    monkeypatch.setitem(panel.SOURCES, "gpurentalprices", line)


@pytest.mark.usefixtures("unproven")
def test_no_row_of_an_unproven_source_moves_a_number(tmp_path: Path) -> None:
    settings = rounds(tmp_path / "out", lw.gpus())
    finals = of_type(settings, "fixing", index_id=lw.H100_ANY, revision=1)
    assert [one["value"] for one in finals] == [None]
    ledger = reading.open_ledger(settings)
    refused = [r for r in ledger.rejections() if r["reason"] == "SOURCE_UNPROVEN"]
    assert {r["source"] for r in refused} == {"gpurentalprices"}
    assert {r["provider"] for r in refused} == set(lw.H100)
    assert ("coreweave", "GPU_H 6.155") in {(r["provider"], r["detail"]) for r in refused}
