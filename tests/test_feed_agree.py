"""One row, one byte string: every way to a record of the small bundle gives the leaf's bytes.

The ledger's own log is the reference; nothing of the feed is asked what to expect. Tables are
compared value by value with the JSON.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from starlette.testclient import TestClient

from index import projections
from index.config import Settings
from index.feed import formats
from index.feed.app import make_app, open_store
from index.feed.assembly import assemble
from index.feed.gate import Rules
from index.feed.ring import encode
from index.feed.server import serving
from index.ledger.log import Log
from index.publication import drop, texts

LATER = datetime(2027, 1, 1)


@pytest.fixture(scope="module")
def leaves(small_ledger: Settings) -> list[bytes]:
    return list(Log.open(small_ledger.ledger, read_only=True).entries())


@pytest.fixture(scope="module")
def client(small_ledger: Settings) -> Iterator[TestClient]:
    app = make_app(open_store(small_ledger), now=lambda: LATER)
    with TestClient(app, base_url="http://feed.test") as found:
        yield found


def test_rest_stream_drop_site_and_log_have_the_same_bytes(
    small_ledger: Settings, leaves: list[bytes], client: TestClient
) -> None:
    seen = 0
    for seq, leaf in enumerate(leaves):
        record = json.loads(leaf)
        place = drop.place_of(record)
        if place is not None:
            assert (small_ledger.drop / place.folder / f"{place.stem}.json").read_bytes() == leaf
        if record["type"] != "fixing":
            continue
        path = drop.site_path(record) + ".json"
        assert client.get("/" + path).content == leaf
        assert (small_ledger.site / path).read_bytes() == leaf
        frame = encode(seq, "fixing", leaf)
        assert frame.split(b"\n")[2] == b"data: " + leaf
        seen += 1
    assert seen > 300


def test_the_stream_sends_every_leaf_over_a_socket(
    small_ledger: Settings, leaves: list[bytes]
) -> None:
    async def read() -> bytes:
        async with serving(assemble(open_store(small_ledger), Rules())) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /v1/stream?after=-1 HTTP/1.0\r\nHost: feed.test\r\n\r\n")
            got = b""
            while b"\nid: %d\n" % (len(leaves) - 1) not in got or not got.endswith(b"\n\n"):
                got += await asyncio.wait_for(reader.read(1 << 16), 20)
            writer.close()
            return got

    got = asyncio.run(read())
    data = [line[6:] for line in got.split(b"\n") if line.startswith(b"data: {")]
    assert [line for line in data if not line.startswith(b'{"head":')] == leaves


def test_events_hold_every_leaf(leaves: list[bytes], client: TestClient) -> None:
    after, found = -1, b""
    while after < len(leaves) - 1:
        answer = client.get(f"/v1/events?limit=1000&after={after}")
        found += answer.content
        after = answer.json()["next_after"]
    assert all(leaf in found for leaf in leaves)


def current(leaves: list[bytes]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The highest revision of each day, by series, from the leaves alone."""
    best: dict[tuple[str, str, str], dict[str, Any]] = {}
    for leaf in leaves:
        record = json.loads(leaf)
        if record["type"] == "fixing":
            best[record["index_id"], record["session"], record["ref_date"]] = record
    series: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for key in sorted(best):
        series[key[:2]].append(best[key])
    return series


def test_lists_csv_and_parquet_agree_with_the_json(leaves: list[bytes], client: TestClient) -> None:
    for number, ((index, session), records) in enumerate(current(leaves).items()):
        base = f"/v1/fixings/{index}/{session}"
        assert client.get(f"{base}?limit=1000").json()["data"] == records
        if number % 8:  # tables are made by one function for every index
            continue
        rows = list(csv.DictReader(io.StringIO(client.get(base + ".csv").text)))
        for row, record in zip(rows, records, strict=True):
            assert row == {name: texts.cell(record[name]) for name in texts.COLUMNS}
        table = pl.read_parquet(io.BytesIO(client.get(base + ".parquet").content))
        for row, record in zip(table.to_dicts(), records, strict=True):
            for name in formats.DECIMALS:
                told = record[name]
                assert row[name] == (None if told is None else Decimal(told)), name
            for name in formats.WHOLE:
                assert row[name] == record[name]


def test_every_decimal_of_a_record_is_a_decimal_in_the_table(leaves: list[bytes]) -> None:
    """No figure may go to the table as text because its field is not in the list."""
    schema = Path(formats.__file__).parents[1] / "publication/schemas/fixing-1.0.json"
    fields = json.loads(schema.read_text("utf-8"))["properties"]
    money = {
        name
        for name, told in fields.items()
        if str(told.get("pattern", "")).endswith("(\\.[0-9]+)?$") or "[0-9]{8}" in str(told)
    }
    whole = {n for n, t in fields.items() if "integer" in str(t.get("type")) and n != "type"}
    assert money - {"alt", "grade_components"} <= formats.DECIMALS
    assert whole == formats.WHOLE
    times = {n for n, t in fields.items() if t.get("format") == "date-time"}
    assert times == formats.TIMES


def test_the_analysts_file_agrees_with_the_json(
    small_ledger: Settings, leaves: list[bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("ledger", "raw", "site", "drop"):
        (out / name).symlink_to(small_ledger.out / name)
    settings = small_ledger.model_copy(update={"out": out})
    projections.rebuild(settings)
    path = tmp_path / "spot.duckdb"
    with TestClient(make_app(open_store(settings), now=lambda: LATER)) as client:
        path.write_bytes(client.get("/data/spot.duckdb").content)
    with duckdb.connect(str(path), read_only=True) as file:
        found = {
            seq: (value, level)
            for seq, value, level in file.sql("SELECT seq, value, level FROM fixing").fetchall()
        }
    fixings = [r for r in map(json.loads, leaves) if r["type"] == "fixing"]
    assert found == {
        r["seq"]: tuple(None if r[n] is None else Decimal(r[n]) for n in ("value", "level"))
        for r in fixings
    }


def test_inputs_of_every_fixing_can_be_made(leaves: list[bytes], client: TestClient) -> None:
    finals = [r for r in map(json.loads, leaves) if r["type"] == "fixing" and r["revision"] == 1]
    assert any(record["value"] is not None for record in finals[::9])
    for record in finals[::9]:
        answer = client.get("/" + drop.site_path(record) + "/inputs.parquet")
        rows = pl.read_parquet(io.BytesIO(answer.content))
        assert rows["source"].len() >= record["input_count"]
        if record["value"] is not None:
            assert rows["used"].any()
