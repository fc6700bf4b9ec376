"""Lists: the records' own bytes, vintages, pages that stay the same, and the forms for tables.

Expected days and values stand in :mod:`tests.feed_tree`. What was known when follows from its
publisher: a live print is shown one second after it is due.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from index.feed import formats, queries
from index.feed.problems import Problem
from tests import feed_tree
from tests import fixing_records as made
from tests.feed_tree import ONE, TWO, Tree, record

LIST = f"/v1/fixings/{ONE}/NYC"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return feed_tree.shared(tmp_path_factory)


@pytest.fixture(scope="module")
def client(tree: Tree) -> Iterator[TestClient]:
    with feed_tree.serving(tree.settings) as found:
        yield found


def shown(answer: Any) -> list[str]:
    """Day of the month and revision of each row."""
    assert answer.status_code == 200, answer.text
    return [f"{one['ref_date'][-2:]}r{one['revision']}" for one in answer.json()["data"]]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        pytest.param("", "10r1 11r1 12r2 13r1 15r2 16r1 17r0", id="all_days_as_they_stand"),
        pytest.param("from=2026-11-13", "13r1 15r2 16r1 17r0", id="from_a_day_on"),
        pytest.param("to=2026-11-11", "10r1 11r1", id="up_to_a_day"),
        pytest.param("from=2026-11-14&to=2026-11-14", "", id="a_missed_day"),
        pytest.param("from=1900-01-01&to=9999-12-31", "10r1 11r1 12r2 13r1 15r2 16r1 17r0"),
        pytest.param("as_of=2026-11-09T00:00:00Z", "", id="before_anything"),
        pytest.param("as_of=2026-11-10T21:45:00Z", "", id="due_and_not_shown_yet"),
        pytest.param("as_of=2026-11-10T21:45:01Z", "10r0", id="shown_a_second_later"),
        pytest.param("as_of=2026-11-11T05:45:01%2B08:00", "10r0", id="the_same_in_shanghai"),
        pytest.param("as_of=2026-11-12T23:00:01Z", "10r1 11r1 12r1", id="before_the_restatement"),
        pytest.param("as_of=2026-11-13T00:00:01Z", "10r1 11r1 12r2", id="after_it"),
        pytest.param(
            "as_of=2026-11-15T23:30:00Z", "10r1 11r1 12r2 13r1 15r1", id="then_unwithdrawn"
        ),
        pytest.param("as_of_seq=0", "", id="after_the_first_record"),
        pytest.param("as_of_seq=16", "10r1 11r0", id="after_the_seventeenth_record"),
        pytest.param("as_of_seq=20&as_of=2026-11-11T00:00:00Z", "10r1", id="both_hold"),
    ],
)
def test_a_list_shows_what_was_known(client: TestClient, query: str, rows: str) -> None:
    assert " ".join(shown(client.get(f"{LIST}?{query}"))) == rows


@pytest.mark.parametrize(
    ("moment", "rows"),
    [("2026-11-08T07:45:00Z", "08r0"), ("2026-11-09T09:00:00Z", "08r1 09r1")],
)
def test_bundled_prints_count_from_their_scheduled_time(
    client: TestClient, moment: str, rows: str
) -> None:
    answer = client.get(f"/v1/fixings/{TWO}/SHA?as_of={moment}")
    assert " ".join(shown(answer)) == rows
    assert all(one["flags"] == ["BUNDLED"] for one in answer.json()["data"])


def test_the_rows_of_a_list_are_the_leaves(client: TestClient, tree: Tree) -> None:
    body = client.get(LIST).content
    listed = json.loads(body)
    for one in listed["data"]:
        leaf = tree.bodies[one["seq"]]
        assert record(leaf) == one
        assert leaf in body
    assert (
        body
        == b'{"as_of_seq":30,"data":['
        + b",".join(tree.bodies[one["seq"]] for one in listed["data"])
        + b'],"next_cursor":null}'
    )


def test_pages_do_not_change_while_something_is_published(tree: Tree, tmp_path: Path) -> None:
    """A new day, and a new revision of a day on a later page, come between two pages."""
    tree = feed_tree.copied(tree, tmp_path / "out")
    with feed_tree.serving(tree.settings) as client:
        store = client.app.state.store  # type: ignore[attr-defined]
        first = client.get(LIST + "?limit=3").json()
        assert first["as_of_seq"] == 30
        tree.publish(ONE, "2026-11-17", 1)
        assert [seq for seq, _, _ in store.poll()] == [31]
        second = client.get(f"{LIST}?limit=3&cursor={first['next_cursor']}").json()
        third = client.get(f"{LIST}?limit=3&cursor={second['next_cursor']}").json()
        assert {one["as_of_seq"] for one in (first, second, third)} == {30}
        assert third["next_cursor"] is None
        rows = [one for page in (first, second, third) for one in page["data"]]
        assert [one["ref_date"][-2:] for one in rows] == ["10", "11", "12", "13", "15", "16", "17"]
        assert rows[-1]["revision"] == 0
        assert shown(client.get(LIST))[-1] == "17r1"


@pytest.mark.parametrize(
    ("query", "change"),
    [
        pytest.param("limit=3&from=2026-11-11", lambda text: text, id="of_another_query"),
        pytest.param("limit=3", lambda text: text[:-2], id="cut"),
        pytest.param("limit=3", lambda text: "A" + text[1:], id="another_seal"),
        pytest.param("limit=3", lambda text: text[:20] + "A" + text[21:], id="one_letter_changed"),
        pytest.param("limit=3", lambda text: text + "=", id="padded"),
        pytest.param("limit=3&as_of_seq=3", lambda text: text, id="against_another_as_of_seq"),
        pytest.param("limit=3", lambda text: "", id="empty"),
        pytest.param("limit=3", lambda text: "é" * 20, id="not_ascii"),
    ],
)
def test_a_cursor_that_was_not_given_for_this_is_refused(
    client: TestClient, query: str, change: Any
) -> None:
    cursor = change(client.get(LIST + "?limit=3").json()["next_cursor"])
    answer = client.get(
        LIST, params=dict(p.split("=") for p in query.split("&")) | {"cursor": cursor}
    )
    assert answer.status_code == 400
    assert answer.json()["parameter"] == "cursor"


def test_a_cursor_of_a_fork_of_the_log_is_refused(client: TestClient) -> None:
    store = client.app.state.store  # type: ignore[attr-defined]
    mine = queries.cursor({"as_of_seq": 4, "after": None, "of": ""}, store.salt(4))
    assert queries.open_cursor("cursor", mine, store.salt)["as_of_seq"] == 4
    other = queries.cursor({"as_of_seq": 4, "after": None, "of": ""}, b"other/log\x00leaf")
    with pytest.raises(Problem, match="not a cursor that this log gave out"):
        queries.open_cursor("cursor", other, store.salt)


# Events and notices -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "seqs", "after"),
    [
        ("", list(range(31)), 30),
        ("after=-1&limit=2", [0, 1], 1),
        ("after=28", [29, 30], 30),
        ("after=30", [], 30),
        ("types=notice", [9, 26, 27], 30),
        ("types=notice&limit=1", [9], 25),
        ("types=notice&limit=1&after=25", [26], 26),
        (f"types=notice,settlement&index={TWO}", [9, 11, 26], 30),  # 26 is to all
        (f"types=witness&index={TWO}", [], 30),
    ],
)
def test_events_come_in_the_order_of_the_log(
    client: TestClient, tree: Tree, query: str, seqs: list[int], after: int
) -> None:
    answer = client.get("/v1/events?" + query)
    said = answer.json()
    assert [one["seq"] for one in said["data"]] == seqs
    assert all(tree.bodies[seq] in answer.content for seq in seqs)
    assert said["next_after"] == after
    assert said["as_of_seq"] == 30


def test_notices_come_in_pages(client: TestClient) -> None:
    first = client.get("/v1/notices?limit=2").json()
    assert [one["text"] for one in first["data"]] == ["Straße, 中文", "to all"]
    second = client.get(f"/v1/notices?limit=2&cursor={first['next_cursor']}").json()
    assert [one["text"] for one in second["data"]] == ["about one"]
    assert second["next_cursor"] is None
    chosen = client.get(f"/v1/notices?index={ONE}").json()["data"]
    assert [one["text"] for one in chosen] == ["to all", "about one"]


@pytest.mark.parametrize(
    ("query", "status", "kind", "named"),
    [
        ("events?types=fixings", 400, "invalid-parameter", "'fixings'"),
        ("events?index=TKR-won-OUT", 404, "unknown-index", "'TKR-won-OUT'"),
        (f"notices?index={ONE},TKR-won-OUT", 404, "unknown-index", "'TKR-won-OUT'"),
    ],
)
def test_a_filter_that_nothing_can_pass_is_refused(
    client: TestClient, query: str, status: int, kind: str, named: str
) -> None:
    answer = client.get("/v1/" + query)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/v1/problems/{kind}")
    assert named in answer.json()["detail"]


# Tables -----------------------------------------------------------------------------------------

VALUES = ["4.187500", "4.200000", "4.300000", None, None, "4.187500", "4.187500"]


def test_the_csv_has_the_text_of_the_json(client: TestClient) -> None:
    answer = client.get(LIST + ".csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    listed = client.get(LIST).json()["data"]
    assert [row["value"] or None for row in rows] == VALUES
    for row, one in zip(rows, listed):
        for name, text in row.items():
            told = one[name]
            if told is None or told == []:
                assert text == ""
            elif isinstance(told, bool):
                assert text == str(told).lower()
            elif isinstance(told, str | int):
                assert text == str(told)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["spot-as-of-seq"] == "30"
    assert 'filename="TKR-one-OUT_NYC.csv"' in answer.headers["content-disposition"]


def test_the_parquet_has_the_numbers_of_the_json_as_decimals(client: TestClient) -> None:
    answer = client.get(LIST + ".parquet")
    rows = pl.read_parquet(io.BytesIO(answer.content))
    assert rows.schema["value"] == pl.Decimal(28, 9)
    assert rows.schema["published_at"] == pl.Datetime("ms")
    assert rows["value"].to_list() == [None if v is None else Decimal(v) for v in VALUES]
    listed = client.get(LIST).json()["data"]
    assert rows["seq"].to_list() == [one["seq"] for one in listed]
    assert [f"{at.isoformat(timespec='milliseconds')}Z" for at in rows["published_at"]] == [
        one["published_at"] for one in listed
    ]
    assert [str(day) for day in rows["ref_date"]] == [one["ref_date"] for one in listed]


def test_the_workbook_has_values_and_a_sheet_of_notes(client: TestClient) -> None:
    answer = client.get(LIST + ".xlsx?to=2026-11-13")
    book = zipfile.ZipFile(io.BytesIO(answer.content))
    names = book.read("xl/workbook.xml").decode()
    assert 'name="fixings"' in names
    assert 'name="notes"' in names
    strings = book.read("xl/sharedStrings.xml").decode()
    assert "No value was determined; no_fix_reason says why. It is not zero." in strings
    assert "CC-BY-4.0" in strings
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<v>4.1875</v>" in sheet
    assert "<v>4.3</v>" in sheet
    assert client.get(LIST + ".xlsx?to=2026-11-13").content == answer.content


def test_a_table_takes_the_same_vintage_as_the_list(client: TestClient) -> None:
    query = "?as_of=2026-11-12T23:00:01Z&from=2026-11-12"
    rows = list(csv.DictReader(io.StringIO(client.get(LIST + ".csv" + query).text)))
    assert [(row["ref_date"], row["revision"]) for row in rows] == [("2026-11-12", "1")]
    empty = client.get(LIST + ".parquet?as_of_seq=0")
    assert pl.read_parquet(io.BytesIO(empty.content)).height == 0
    assert client.get(LIST + ".csv?limit=2").status_code == 400


def test_a_workbook_changes_no_figure() -> None:
    """Binary numbers hold 15 digits: 0.1 is written as a number, 18 digits as text."""
    long = "1234567890.123456789"
    body = json.dumps(made.fixing(0, value=long, level="0.1")).encode()
    book = zipfile.ZipFile(io.BytesIO(formats.xlsx([body])))
    assert f"<t>{long}</t>" in book.read("xl/sharedStrings.xml").decode()
    assert "<v>0.1</v>" in book.read("xl/worksheets/sheet1.xml").decode()
