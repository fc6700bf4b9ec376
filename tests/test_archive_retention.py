"""Bodies that may go: what is removed after five years, what stays, what is said of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.archive import CAPTURES, Archive
from collectors.base import Capture
from collectors.bodies import Bodies
from index import config, doctor
from methodology.errors import VerificationError
from tests.archive_files import orphans

OLD = datetime(2020, 2, 29, 12, 0, tzinfo=UTC)
NEW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
CLASSES = {"page": "five_years", "list": "ever"}


def put(archive: Archive, source: str, body: bytes, at: datetime = OLD) -> str:
    return archive.put(Capture(source, f"https://{source}.example/", body, at))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "raw")


def test_an_old_body_of_its_class_goes_and_a_line_says_when(archive: Archive) -> None:
    gone, kept = put(archive, "page", b"a page"), put(archive, "list", b"a list")
    before = (archive.directory / CAPTURES).read_bytes()
    assert archive.expire(NEW, CLASSES, in_use=()) == [gone]
    after = (archive.directory / CAPTURES).read_bytes()
    assert after.startswith(before)
    last = json.loads(after.splitlines()[-1])
    assert (last["sha256"], last["expired_at"], last["retention"]) == (
        gone, "2025-03-01T12:00:00.000000Z", "five_years",
    )  # fmt: skip
    assert last["previous"] == json.loads(before.splitlines()[-1])["digest"]
    assert {one.sha256 for one in Archive(archive.directory).entries()} == {kept, gone}
    assert Archive(archive.directory).check() == []
    assert orphans(Archive(archive.directory)) == []
    assert Archive(archive.directory).get(kept) == b"a list"
    with pytest.raises(VerificationError, match="expired on 2025-03-01 as its class five_years"):
        Archive(archive.directory).get(gone)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(datetime(2025, 2, 28, 12, 0, tzinfo=UTC), 0, id="the_last_day_still_stays"),
        pytest.param(datetime(2025, 3, 1, 12, 0, tzinfo=UTC), 1, id="the_day_after_goes"),
        pytest.param(datetime(2028, 2, 29, 12, 0, tzinfo=UTC), 1, id="asked_on_a_leap_day"),
    ],
)
def test_five_years_are_of_the_calendar(archive: Archive, now: datetime, expected: int) -> None:
    put(archive, "page", b"a page")
    assert len(archive.expire(now, CLASSES, in_use=())) == expected


def test_what_a_record_cites_is_never_removed(archive: Archive) -> None:
    cited = put(archive, "page", b"a page")
    assert archive.expire(NEW, CLASSES, in_use={cited}) == []
    assert archive.get(cited) == b"a page"


@pytest.mark.parametrize(
    ("source", "at"),
    [
        pytest.param("list", OLD, id="another_source_of_class_ever_gave_the_same"),
        pytest.param("nobody", OLD, id="a_source_without_a_class_gave_the_same"),
        pytest.param("page", datetime(2024, 1, 1, tzinfo=UTC), id="it_was_seen_again_since"),
    ],
)
def test_a_body_that_others_need_stays(archive: Archive, source: str, at: datetime) -> None:
    mine = put(archive, "page", b"the same")
    assert put(archive, source, b"the same", at) == mine
    assert archive.expire(NEW, CLASSES, in_use=()) == []


def test_a_body_that_comes_again_is_kept_again(archive: Archive) -> None:
    gone = put(archive, "page", b"a page")
    archive.expire(NEW, CLASSES, in_use=())
    put(archive, "page", b"a page")  # the very same capture, from a copy
    assert Archive(archive.directory).get(gone) == b"a page"
    assert Archive(archive.directory).check() == []
    assert Archive(archive.directory).expired() == {}


def test_a_crash_between_line_and_removal_leaves_a_body_too_many(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = put(archive, "page", b"a page")

    def crash(self: Bodies, sha256: str) -> bool:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Bodies, "remove", crash)
        with pytest.raises(OSError, match="Input/output"):
            archive.expire(NEW, CLASSES, in_use=())
    again = Archive(archive.directory)
    assert again.path(gone).is_file()
    assert again.check() == []
    assert again.expire(NEW, CLASSES, in_use=()) == []
    assert not again.path(gone).is_file()
    assert again.check() == []


def test_an_expiry_that_was_forged_shows(archive: Archive) -> None:
    put(archive, "page", b"a page")
    archive.expire(NEW, CLASSES, in_use=())
    path = archive.directory / CAPTURES
    path.write_bytes(path.read_bytes().replace(b"2025-03-01T12", b"2025-03-01T13"))
    assert path in {where for where, _ in Archive(archive.directory).check()}


def test_the_doctor_says_expired_and_not_gone(tmp_path: Path) -> None:
    settings = config.load(out=tmp_path)
    archive = Archive(settings.raw)
    put(archive, "page", b"a page")
    put(archive, "list", b"a list")
    archive.expire(NEW, CLASSES, in_use=())
    told = {c.name: (c.state, c.told) for c in doctor.examine(settings, datetime(2025, 3, 2))}
    assert told["archive"] == (
        "ok",
        "2 captures, 1 bodies; 1 expired as their class allows, last on 2025-03-01",
    )
    archive.path(archive.entries("list")[0].sha256).unlink()
    told = {c.name: (c.state, c.told) for c in doctor.examine(settings, datetime(2025, 3, 2))}
    assert told["archive"][0] == "bad"


def test_nothing_to_expire_touches_nothing(tmp_path: Path) -> None:
    assert Archive(tmp_path / "raw").expire(NEW, CLASSES, in_use=()) == []
    assert not (tmp_path / "raw").exists()
