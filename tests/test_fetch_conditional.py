"""Asking only for what is new: validators, 304, and what a confirmation is worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from datetime import timedelta
from pathlib import Path

import pytest

from collectors.archive import CAPTURES, Archive
from collectors.base import Capture, Request, Source
from collectors.fetch import Job, SourceResult, collect
from collectors.held import Shelf
from tests import loopback as lb
from tests.fetching import GOOD, NOON, QUICK, make_source, outcome

HEADERS = {"etag": '"v1"', "last_modified": "Thu, 19 Nov 2026 08:00:00 GMT"}
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n'
NOT_MODIFIED += b"Date: Fri, 20 Nov 2026 12:59:59 GMT\r\n\r\n"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "raw")


def read_twice(
    archive: Archive,
    second: lb.Behaviour,
    first: lb.Behaviour | None = None,
    source: Source | None = None,
    spoil: Callable[[Archive], None] = lambda archive: None,
    job: Callable[[Source, str], Job] = Job,
) -> tuple[SourceResult, list[lb.Asked]]:
    """Read at noon, then an hour later with what the archive holds by then."""
    with lb.Server({"/p": lb.in_turn(first or lb.reply(GOOD, **HEADERS), second)}) as server:
        task = job(source or make_source(), f"{server.url}/p")
        for hours in (0, 1):
            [result] = collect(
                [task],
                20,
                archive=archive.put,
                known=Shelf(archive),
                now=lambda hours=hours: NOON + timedelta(hours=hours),  # type: ignore[misc]
                limits=QUICK,
            )
            if hours == 0:
                assert outcome(result) == "OK", result.error
                spoil(archive)
        return result, server.asked


def test_a_304_is_the_archived_body_seen_again_and_costs_one_line(archive: Archive) -> None:
    result, asked = read_twice(archive, lb.raw(NOT_MODIFIED))
    assert outcome(result) == "OK"
    assert "if-none-match" not in asked[0].headers
    assert asked[1].headers["if-none-match"] == '"v1"'
    assert asked[1].headers["if-modified-since"] == "Thu, 19 Nov 2026 08:00:00 GMT"
    [capture] = result.captures
    assert (capture.body, capture.status) == (GOOD, 304)
    assert capture.fetched_at == NOON + timedelta(hours=1)
    assert capture.headers == {"etag": '"v1"', "date": "Fri, 20 Nov 2026 12:59:59 GMT"}
    lines = (archive.directory / CAPTURES).read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == [200, 304]
    assert len(list(archive.directory.glob("??/*"))) == 1
    assert (result.raw_bytes, archive.check()) == (0, [])


def test_a_304_without_a_validator_leaves_the_old_one_in_force(archive: Archive) -> None:
    read_twice(archive, lb.raw(b"HTTP/1.1 304 Not Modified\r\nDate: x\r\n\r\n"))
    url = archive.entries()[0].url
    held = Shelf(archive).find("acme", url)
    assert held is not None
    assert held.conditions["if-none-match"] == '"v1"'


def test_a_200_with_the_same_bytes_costs_one_line_too(archive: Archive) -> None:
    result, _ = read_twice(archive, lb.reply(GOOD, **HEADERS))
    assert [capture.status for capture in result.captures] == [200]
    assert len(list(archive.directory.glob("??/*"))) == 1
    assert len(archive.entries()) == 2


def test_a_new_body_is_a_new_body(archive: Archive) -> None:
    result, _ = read_twice(archive, lb.reply(b'{"new": 1}', etag='"v2"'))
    assert result.captures[0].body == b'{"new": 1}'


def remove_body(archive: Archive) -> None:
    archive.path(archive.entries()[0].sha256).unlink()


def change_body(archive: Archive) -> None:
    path = archive.path(archive.entries()[0].sha256)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


@pytest.mark.parametrize(
    ("spoil", "answer"),
    [
        pytest.param(remove_body, NOT_MODIFIED, id="our_body_is_gone"),
        pytest.param(
            lambda archive: None,
            NOT_MODIFIED.replace(b"v1", b"v7"),
            id="the_server_speaks_of_another_body",
        ),
    ],
)
def test_a_confirmation_that_is_worth_nothing_is_asked_again_without_conditions(
    archive: Archive, spoil: Callable[[Archive], None], answer: bytes
) -> None:
    def second(asked: lb.Asked, writer: lb.asyncio.StreamWriter) -> object:
        is_asked = "if-none-match" in asked.headers
        return (lb.raw(answer) if is_asked else lb.reply(GOOD, **HEADERS))(asked, writer)

    result, asked = read_twice(archive, second, spoil=spoil)  # type: ignore[arg-type]
    assert outcome(result) == "OK"
    assert [(c.status, c.body) for c in result.captures] == [(200, GOOD)]
    assert ["if-none-match" in one.headers for one in asked] == [False, True, False]
    assert archive.check() == []


def test_a_body_that_was_changed_on_disk_is_never_confirmed(archive: Archive) -> None:
    """The archive then refuses the put: the fault is told, not papered over."""
    from methodology.errors import VerificationError

    def second(asked: lb.Asked, writer: lb.asyncio.StreamWriter) -> object:
        is_asked = "if-none-match" in asked.headers
        return (lb.raw(NOT_MODIFIED) if is_asked else lb.reply(GOOD, **HEADERS))(asked, writer)

    with pytest.raises(VerificationError, match="its bytes were changed"):
        read_twice(archive, second, spoil=change_body)  # type: ignore[arg-type]


def test_a_server_that_says_304_for_ever_to_an_open_question_is_refused(archive: Archive) -> None:
    result, asked = read_twice(archive, lb.raw(NOT_MODIFIED), spoil=remove_body)
    assert (outcome(result), len(asked)) == ("HTTP_STATUS", 3)


def with_header(base: str) -> Generator[Request, Capture, None]:
    yield Request(base, headers={"accept": "application/json;v=2"})


def with_body(base: str) -> Generator[Request, Capture, None]:
    yield Request(base, method="POST", body=b"{}")


@pytest.mark.parametrize(
    ("source", "first", "job"),
    [
        pytest.param(make_source(requests=with_header), None, Job, id="own_headers"),
        pytest.param(make_source(requests=with_body), None, Job, id="a_post"),
        pytest.param(
            make_source(),
            None,
            lambda source, url: Job(source, url, line_filter=lambda head, line: True),
            id="a_body_cut_down_by_line",
        ),
        pytest.param(make_source(), lb.reply(GOOD), Job, id="no_validator"),
        pytest.param(make_source(), lb.reply(GOOD, etag='"' + "x" * 600 + '"'), Job, id="absurd"),
        pytest.param(make_source(), lb.reply(GOOD, etag='"é"'), Job, id="not_ascii"),
    ],
)
def test_what_other_words_would_change_is_asked_for_whole(
    archive: Archive,
    source: Source,
    first: lb.Behaviour | None,
    job: Callable[[Source, str], Job],
) -> None:
    first = first or lb.reply(GOOD, **HEADERS)
    result, asked = read_twice(archive, lb.reply(GOOD), first, source, job=job)
    assert outcome(result) == "OK"
    assert not [name for one in asked for name in one.headers if name.startswith("if-")]


def test_what_one_source_holds_is_not_confirmed_for_another(archive: Archive) -> None:
    read_twice(archive, lb.raw(NOT_MODIFIED))
    url = archive.entries()[0].url
    assert Shelf(archive).find("acme", url) is not None
    assert Shelf(archive).find("other", url) is None
    assert Shelf(archive).find("acme", url + "?page=2") is None


def test_a_capture_made_here_hides_no_validator(archive: Archive) -> None:
    """The pages of a catalogue are joined under the URL of the first."""
    page = Capture("acme", "https://a.example/", b"1", NOON, 200, {"etag": '"1"'})
    archive.put(page)
    archive.put(Capture("acme", page.url, b"[1]", NOON + timedelta(minutes=1)))
    held = Shelf(archive).find("acme", page.url)
    assert held is not None
    assert Shelf(archive).body(held) == b"1"


def test_a_confirmed_body_counts_against_what_may_be_kept(archive: Archive) -> None:
    first, _ = read_twice(archive, lb.raw(NOT_MODIFIED))
    small = make_source(max_decoded_bytes=len(GOOD) - 1)
    with lb.Server({"/p": lb.raw(NOT_MODIFIED)}) as server:
        archive.put(Capture("acme", f"{server.url}/p", GOOD, NOON, 200, {"etag": '"v1"'}))
        [result] = collect(
            [Job(small, f"{server.url}/p")],
            20,
            known=Shelf(archive),
            limits=QUICK,
            now=lambda: NOON + timedelta(hours=1),
        )
    assert (outcome(first), outcome(result)) == ("OK", "TOO_LARGE_DECODED")
