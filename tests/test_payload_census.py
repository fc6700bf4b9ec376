"""The census of captured bodies: what it must notice, and what it finds in a part of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collectors import panel
from tests import payload_census, real_bodies
from tests.payload_census import Count, Explanations

SMALL = 100_000
"""Files above so many bytes are left to the whole census."""

captured = pytest.mark.skipif(
    not real_bodies.FOLDER.is_dir(), reason=f"{real_bodies.NO_BODIES}; set SPOTFIX_PAYLOADS"
)
NOTHING = Explanations({}, {})


def body(source: str, text: bytes) -> real_bodies.Body:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return real_bodies.Body(
        f"{source}/planted.json", source, Path("planted.json"), at, lambda: text
    )


def novita(*prices: int) -> bytes:
    """A list as Novita writes it: 1e-4 USD per million tokens, so 7000 is $0.70."""
    rows = [
        {"id": f"m/{i}", "input_token_price_per_m": price, "output_token_price_per_m": 25_000}
        for i, price in enumerate(prices)
    ]
    return json.dumps({"data": rows}).encode()


def test_a_body_that_no_parser_takes_is_named_and_the_next_one_counted() -> None:
    found = payload_census.census([body("novita", b"<html>"), body("novita", novita(7000))])
    assert (found["novita"].bodies, found["novita"].rows["quotes"]) == (2, 2)
    (wrong,) = payload_census.unexplained(found, NOTHING)
    assert wrong.startswith("novita/planted.json: NOT_JSON: ")


def test_a_refused_body_is_explained_by_its_reason_and_by_no_other() -> None:
    found = payload_census.census([body("novita", b"<html>")])
    told = Explanations({}, {"novita": {"NOT_JSON": "an error page of that day"}})
    assert payload_census.unexplained(found, told) == []
    other = Explanations({}, {"novita": {"SHAPE": "another day"}})
    assert len(payload_census.unexplained(found, other)) == 1
    assert payload_census.needless(found, other) == [
        "novita: SHAPE is explained, but no body is refused so"
    ]


def test_a_share_of_refusals_above_a_twentieth_needs_an_explanation_that_names_the_reason() -> None:
    found = payload_census.census([body("novita", novita(7000, -1))])
    assert found["novita"].rows == {"quotes": 3, "rejections": 1} | dict.fromkeys(
        ("volumes", "rates", "asks"), 0
    )
    assert payload_census.unexplained(found, NOTHING) == [
        "novita: 25.0% of its rows refused, unexplained"
    ]
    vague = Explanations({"novita": "some are odd"}, {})
    assert payload_census.unexplained(found, vague) == [
        "novita: its explanation does not name NEGATIVE_PRICE"
    ]
    clear = Explanations({"novita": "one is below zero (NEGATIVE_PRICE)"}, {})
    assert payload_census.unexplained(found, clear) == payload_census.needless(found, clear) == []


def test_a_twentieth_is_not_more_than_a_twentieth_and_needs_no_explanation() -> None:
    # Ten models with two prices each, one of the twenty refused.
    found = payload_census.census([body("novita", novita(*[7000] * 9, -1))])
    assert found["novita"].refused_share == 0.05
    assert payload_census.unexplained(found, NOTHING) == []
    told = Explanations({"novita": "NEGATIVE_PRICE", "groq": "nobody has seen it"}, {})
    assert payload_census.needless(found, told) == [
        "novita: explained, but 5.0% of its rows are refused",
        "groq: explained, but 0.0% of its rows are refused",
    ]


def test_a_body_that_yields_not_a_row_is_wrong() -> None:
    count = Count(bodies=1, empty_bodies=["x: not a row, and not refused"])
    assert payload_census.unexplained({"novita": count}, NOTHING) == count.empty_bodies


def test_an_error_that_is_no_refusal_is_never_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> list[tuple[str, object]]:
        return [("parse", lambda capture: 1 // 0)]

    monkeypatch.setattr(payload_census.saved, "parsers", broken)
    with pytest.raises(ZeroDivisionError):
        payload_census.census([body("novita", novita(7000))])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one body and one file that is known to be none."""
    (tmp_path / "fx").mkdir()
    (tmp_path / "fx/rates.zip").write_bytes(b"PK")
    lines = "source,date,file\necb_fx,,fx/rates.zip\nvast_ccir,,gpu/vast/1.meta.json\n"
    (tmp_path / "MANIFEST.csv").write_text(lines)
    (tmp_path / "gpu/vast").mkdir(parents=True)
    (tmp_path / "gpu/vast/1.meta.json").write_text("{}")
    monkeypatch.setattr(real_bodies, "FOLDER", tmp_path)
    monkeypatch.setattr(real_bodies, "BESIDE", {})
    pattern = {"MANIFEST.csv": "the list", "gpu/*/*.meta.json": "notes"}
    monkeypatch.setattr(real_bodies, "NO_BODY", pattern)
    return tmp_path


def test_a_folder_in_which_every_file_has_its_line_is_whole(folder: Path) -> None:
    assert real_bodies.unaccounted() == []
    assert [one.source for one in real_bodies.bodies()] == ["ecb"]


def test_a_stray_file_is_named(folder: Path) -> None:
    (folder / "fx/notes.txt").write_text("?")
    assert real_bodies.unaccounted() == [
        "fx/notes.txt: no line says whose body it is, or why it is none"
    ]


def test_a_line_without_its_file_is_named(folder: Path) -> None:
    (folder / "fx/rates.zip").unlink()
    (folder / "gpu/vast/1.meta.json").unlink()
    assert real_bodies.unaccounted() == [
        "fx/rates.zip: listed as a body, and not there",
        "gpu/*/*.meta.json: said to be no body, and not there",
    ]


def test_a_body_of_nobody_is_named_and_stops_the_census(folder: Path) -> None:
    with (folder / "MANIFEST.csv").open("a") as file:
        file.write("strangers,,fx/strange.json\n")
    (folder / "fx/strange.json").write_text("{}")
    assert real_bodies.unaccounted() == ["fx/strange.json: no source of the panel reads it"]
    with pytest.raises(LookupError, match=r"fx/strange\.json"):
        list(real_bodies.bodies())


@captured
def test_every_captured_file_is_a_body_or_said_to_be_none() -> None:
    assert real_bodies.unaccounted() == []


@captured
def test_every_source_of_a_body_is_admitted_and_every_proven_source_has_one() -> None:
    found = {one.source for one in real_bodies.bodies()}
    assert found <= set(panel.SOURCES)
    assert {one for one in panel.SOURCES if panel.is_proven(one)} <= found


def _part() -> Iterator[real_bodies.Body]:
    """The first and the last small body of each source."""
    kept: dict[str, list[real_bodies.Body]] = {}
    for one in real_bodies.bodies():
        if one.path.stat().st_size <= SMALL:
            kept.setdefault(one.source, []).append(one)
    for of_one in kept.values():
        yield from of_one if len(of_one) == 1 else (of_one[0], of_one[-1])


@captured
def test_a_part_of_the_bodies_is_rows_and_refusals_with_a_reason() -> None:
    found = payload_census.census(_part())
    assert len(found) >= 40
    told = payload_census.explanations()
    for source, count in found.items():
        assert not count.empty_bodies
        assert {why for why, _ in count.refused_bodies} <= set(told.bodies.get(source, {})), source
    # By hand: one plan, one node, two machine types with their stock, two lists of processors.
    assert found["tensordock"].rows["quotes"] == found["seeweb"].rows["quotes"] == 1
    assert (found["cudo"].rows["quotes"], found["cudo"].rows["volumes"]) == (2, 2)
    assert found["runpod"].bodies == 2


@captured
def test_the_charts_refused_are_among_those_that_the_scraper_itself_called_wrong() -> None:
    folder = real_bodies.FOLDER / "volume/openrouter_rankings_page_scrape"
    with (folder / "_quality.csv").open(encoding="utf-8", newline="") as file:
        called = {r["date"] for r in csv.DictReader(file) if r["models_flag"] == "wrong_chart"}
    mine = [one for one in real_bodies.bodies() if one.source == "openrouter_rankings_scrape"]
    count = payload_census.census(mine)["openrouter_rankings_scrape"]
    refused = {Path(line.partition(":")[0]).name[:10] for _, line in count.refused_bodies}
    assert refused < called
    # It also called three charts wrong that are small because the week had just begun.
    assert called - refused == {"2026-04-13", "2026-04-20", "2026-04-27"}
    assert {date.fromisoformat(day).weekday() for day in called - refused} == {0}
