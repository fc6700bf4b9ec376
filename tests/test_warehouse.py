"""The analysts' file and the Parquet files, against the ledger they were made from."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import statistics
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from index import projections
from index.config import Settings
from index.publication.record import FIXING_FIELDS
from index.warehouse import package, tables, write
from methodology.definition import load_definitions
from tests.small_bundle import BUNDLE

ROOT = Path(__file__).resolve().parents[1]
VIEWS = (
    "fixing_current", "fixing_first_print", "fixing_vintage", "history", "move_attribution",
    "triple_print",
)  # fmt: skip


INDICES = sum(len(d.index_ids) for d in load_definitions())
LOG_SIZE = 3 * INDICES + 12
"""A commitment and two prints an index; four keys, four calendars; rules, manifest, back-cast and
resistance."""


@pytest.fixture(scope="module")
def projected(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The small ledger with projections of its own beside it."""
    out = tmp_path_factory.mktemp("projected")
    (out / "ledger").symlink_to(small_ledger.ledger.resolve(), target_is_directory=True)
    settings = small_ledger.model_copy(update={"out": out})
    projections.rebuild(settings)
    return settings


@pytest.fixture
def spot(projected: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(projected.data / write.ANALYSTS_FILE, read_only=True) as connection:
        yield connection


def rows(spot: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[dict[str, Any]]:
    found = spot.execute(query, list(values))
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def logged(settings: Settings) -> list[dict[str, Any]]:
    """The log's records, read from its entry bundles by hand: two bytes of length, then bytes."""
    found, place = [], settings.ledger / "log"
    for bundle in sorted((place / "tile" / "entries").rglob("*")):
        if bundle.is_file():
            body = bundle.read_bytes()
            while body:
                size = int.from_bytes(body[:2])
                found.append(json.loads(body[2 : 2 + size]))
                body = body[2 + size :]
    return sorted(found, key=lambda record: record["seq"])


def lines(settings: Settings, kind: str) -> list[dict[str, Any]]:
    (path,) = (settings.ledger / "batches" / kind).iterdir()
    return [json.loads(line) for line in path.read_bytes().splitlines()]


# The log in the file ------------------------------------------------------------------------------


def same(field: str, told: Any, found: Any) -> bool:
    if isinstance(told, list):
        return found == " ".join(told)
    if isinstance(found, Decimal):
        return Decimal(told) == found
    if isinstance(found, datetime):
        return datetime.fromisoformat(told) == found.replace(tzinfo=UTC)
    if isinstance(found, date):
        return date.fromisoformat(told) == found
    return bool(told == found)


def test_each_fixing_of_the_log_is_one_row_with_every_scalar_field(
    projected: Settings, spot: duckdb.DuckDBPyConnection
) -> None:
    records = [r for r in logged(projected) if r["type"] == "fixing"]
    found = {r["seq"]: r for r in rows(spot, "FROM fixing")}
    assert len(records) == len(found) == 2 * INDICES  # provisional and final
    for record in records:
        row = found[record["seq"]]
        for name in FIXING_FIELDS:
            told = record[name]
            if name == "alt":
                continue
            if name == "grade_components":
                for part, figure in (told or {}).items():
                    assert Decimal(figure) == row[f"grade_{part}"]
            elif isinstance(told, dict):
                assert row[f"{name}_digest"] == told["sha256"]
            elif told is None:
                assert row.get(name, row.get(f"{name}_digest")) is None, name
            else:
                assert same(name, told, row[name]), (record["index_id"], name, told, row[name])


def test_supersedes_names_the_digest_of_the_row_before(spot: duckdb.DuckDBPyConnection) -> None:
    linked = spot.execute(
        "SELECT count(*) FROM fixing AS r1 JOIN fixing AS r0 ON r1.supersedes = r0.record_digest "
        "WHERE r1.revision = 1 AND r0.revision = 0 AND r1.index_id = r0.index_id"
    ).fetchall()
    assert linked == [(INDICES,)]


def test_values_in_other_currencies_have_their_own_table(
    projected: Settings, spot: duckdb.DuckDBPyConnection
) -> None:
    told = {
        (r["index_id"], r["revision"], a["currency"], Decimal(a["value"]), Decimal(a["fx_rate"]))
        for r in logged(projected)
        if r["type"] == "fixing"
        for a in r["alt"]
    }
    found = rows(spot, "FROM fixing_alternate")
    keys = ("index_id", "revision", "currency", "value", "fx_rate")
    assert {tuple(r[k] for k in keys) for r in found} == told
    assert len(found) == len(told) > 0


def test_log_head_is_the_checkpoint(projected: Settings, spot: duckdb.DuckDBPyConnection) -> None:
    origin, size, root = (projected.ledger / "log" / "checkpoint").read_text().splitlines()[:3]
    assert rows(spot, "FROM log_head") == [
        {"origin": origin, "size": int(size), "root": base64.b64decode(root).hex()}
    ]


def test_commitments_are_cited_by_their_fixings(spot: duckdb.DuckDBPyConnection) -> None:
    pairs = spot.execute(
        "SELECT count(*) FROM fixing f JOIN commitment c ON c.seq = f.commit_seq "
        "AND c.index_id = f.index_id AND c.input_digest = f.input_digest "
        "AND c.manifest_digest = f.manifest_digest"
    ).fetchall()
    assert pairs == [(2 * INDICES,)]


# Batches in the file ------------------------------------------------------------------------------


def test_prices_are_the_batches_integers_to_the_last_digit(
    projected: Settings, spot: duckdb.DuckDBPyConnection
) -> None:
    told = sorted((o["observation_id"], o["price_nano"]) for o in lines(projected, "observations"))
    found = spot.execute("SELECT observation_id, price FROM observation ORDER BY 1").fetchall()
    assert [(i, None if p is None else int(p.scaleb(9))) for i, p in found] == told
    assert all(p is None or p.as_tuple().exponent == -9 for _, p in found)


@pytest.mark.parametrize(
    ("source", "listing", "at", "price"),
    [
        # gpus_gpurentalprices.csv line 2: lambda b200, 6.69 per GPU-hour
        pytest.param(
            "gpurentalprices", "b200|180|on-demand", "2026-07-05 23:04:21.768", "6.69",
            id="a price per GPU-hour stays as quoted",
        ),
        # gpus_aws.csv line 2: p4d.24xlarge, 32.7726 for eight GPUs: 4.096575 each
        pytest.param(
            "aws_history", "p4d.24xlarge", "2022-06-23 00:00:00", "4.096575",
            id="a price per instance of eight is an eighth",
        ),
    ],
)  # fmt: skip
def test_observations_hold_figures_looked_up_in_the_bundle(
    spot: duckdb.DuckDBPyConnection, source: str, listing: str, at: str, price: str
) -> None:
    found = rows(
        spot,
        "FROM observation WHERE source = ? AND listing_id = ? AND observed_at = ?::TIMESTAMP "
        "AND provider IN ('lambda', 'aws')",
        source,
        listing,
        at,
    )
    assert [r["price"] for r in found] == [Decimal(price)]


def test_currency_rates_and_volumes_are_those_of_the_tables(
    spot: duckdb.DuckDBPyConnection,
) -> None:
    (rate,) = rows(spot, "FROM fx_rate WHERE quote = 'CNY' AND ref_date = DATE '2023-11-01'")
    assert (rate["rate"], rate["rate_text"], rate["base"]) == (Decimal("7.712"), "7.712", "EUR")
    body = (BUNDLE / "volumes_openrouter.csv").read_text().splitlines()[1:]
    told = sum(
        int(line.split(",")[3])
        for line in body
        if line.split(",")[8] in ("deepseek-v3.2", "gpt-oss-120b")
    )
    query = "SELECT sum(quantity)::BIGINT FROM volume WHERE source "
    assert spot.execute(query + "= 'openrouter_activity'").fetchall() == [(told,)]
    stated = (BUNDLE / "disclosures.csv").read_text().splitlines()[1:]
    told = sum(int(line.split(",")[3]) for line in stated)
    assert spot.execute(query + "= 'disclosures'").fetchall() == [(told,)]


def test_rejections_are_all_there(projected: Settings, spot: duckdb.DuckDBPyConnection) -> None:
    told = lines(projected, "rejections")
    found = rows(spot, "FROM rejection")
    key = json.dumps
    assert sorted(map(key, found)) == sorted(
        key({name: one[name] for name in found[0]}) for one in told
    )


def test_contributions_make_the_value_of_a_small_panel(spot: duckdb.DuckDBPyConnection) -> None:
    # three clouds of equal weight: the weighted median is the middle price, 4.09625, a tie
    name = "GPR-A100-SXM-80-OD-HYP-US"
    told = rows(spot, "FROM contribution WHERE index_id = ? AND status = 'OBSERVED'", name)
    assert {r["legal_group"] for r in told} == {"amazon", "google", "microsoft"}
    assert sum(r["weight"] for r in told) == 1
    middle = statistics.median(r["price"] for r in told)
    (fixing,) = rows(spot, "FROM fixing_current WHERE index_id = ?", name)
    assert middle == Decimal("4.09625")
    assert middle.quantize(Decimal("0.0001"), ROUND_HALF_UP) == fixing["value"]
    assert {r["revision"] for r in told} == {1}


def test_each_contribution_row_of_each_current_fixing_is_there(
    projected: Settings, spot: duckdb.DuckDBPyConnection
) -> None:
    latest = {r["index_id"]: r for r in logged(projected) if r["type"] == "fixing"}
    counted = dict(
        spot.execute("SELECT index_id, count(*) FROM contribution GROUP BY 1").fetchall()
    )
    for name, record in latest.items():
        path = projected.ledger / "batches/contributions" / record["contributions"]["sha256"][7:]
        assert counted.get(name, 0) == len(path.with_suffix(".jsonl").read_bytes().splitlines())
    assert spot.execute(
        "SELECT count(*) FROM contribution c LEFT JOIN observation o "
        "ON o.observation_id = split_part(c.observation_id, '+', 1) "
        "WHERE c.observation_id IS NOT NULL AND o.observation_id IS NULL"
    ).fetchall() == [(0,)]


def test_basket_weights_of_each_panel_sum_to_one(spot: duckdb.DuckDBPyConnection) -> None:
    sums = spot.execute("SELECT sum(weight) FROM basket GROUP BY index_id, basket_digest")
    assert {row[0] for row in sums.fetchall()} == {Decimal(1)}


# Views --------------------------------------------------------------------------------------------


def test_vintage_shows_the_one_revision_that_stood(spot: duckdb.DuckDBPyConnection) -> None:
    # NYC cut-off 16:00 EDT = 20:00Z: provisional 20:45Z, final 22:00Z (rulebook: +45, +120 min)
    query = (
        "SELECT revision FROM fixing_vintage WHERE index_id = 'TKR-deepseek-v3.2-BLD' "
        "AND ?::TIMESTAMP >= valid_from AND ?::TIMESTAMP < valid_to"
    )
    stood = {
        at: [r[0] for r in spot.execute(query, [f"2026-08-12 {at}"] * 2).fetchall()]
        for at in ("20:44:59", "20:45:00", "21:59:59", "22:00:00")
    }
    assert stood == {"20:44:59": [], "20:45:00": [0], "21:59:59": [0], "22:00:00": [1]}


def test_current_and_first_print_take_one_revision_each(spot: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT count(*), count(DISTINCT index_id), min(revision), max(revision) FROM "
    assert spot.execute(query + "fixing_current").fetchall() == [(INDICES, INDICES, 1, 1)]
    assert spot.execute(query + "fixing_first_print").fetchall() == [(INDICES, INDICES, 0, 0)]


def test_history_has_one_row_per_index_and_day_and_published_ones_stand_first(
    projected: Settings, spot: duckdb.DuckDBPyConnection
) -> None:
    twice = spot.execute("SELECT 1 FROM history GROUP BY index_id, ref_date HAVING count(*) > 1")
    assert twice.fetchall() == []
    days = {(b["index_id"], b["ref_date"]) for b in lines(projected, "backcast")}
    days |= {(r["index_id"], r["ref_date"]) for r in logged(projected) if r["type"] == "fixing"}
    assert spot.execute("SELECT count(*) FROM history").fetchall() == [(len(days),)]
    unflagged = spot.execute("SELECT count(*) FROM history WHERE flag IS NULL").fetchall()
    assert unflagged == [(INDICES,)]


def test_what_was_published_is_what_the_back_cast_says_of_that_day(
    spot: duckdb.DuckDBPyConnection,
) -> None:
    differing = spot.execute(
        "SELECT h.index_id FROM history AS h JOIN backcast AS b USING (index_id, ref_date) "
        "WHERE h.flag IS NULL AND (h.value, h.level, h.waterfall, h.groups, h.vintage) "
        "IS DISTINCT FROM (b.value, b.level, b.waterfall, b.groups, b.vintage)"
    )
    assert differing.fetchall() == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_works_in_an_attached_file_of_any_name(projected: Settings, view: str) -> None:
    path = projected.data / write.ANALYSTS_FILE
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS another (READ_ONLY)")
        (count,) = connection.execute(f"SELECT count(*) FROM another.{view}").fetchall()[0]
    # The composites of the small bundle have no basket, so there is nothing to lay side by side.
    assert count > 0 or view in ("move_attribution", "triple_print")


# The file itself ----------------------------------------------------------------------------------


def test_every_table_view_and_column_has_a_comment(spot: duckdb.DuckDBPyConnection) -> None:
    bare = spot.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND "
        "(comment IS NULL OR comment = '') UNION ALL "
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND "
        "(comment IS NULL OR comment = '') UNION ALL "
        "SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal AND "
        "(comment IS NULL OR comment = '')"
    ).fetchall()
    assert bare == []
    views = spot.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1")
    assert tuple(r[0] for r in views.fetchall()) == VIEWS


def test_comments_of_money_weights_and_times_name_their_unit(
    spot: duckdb.DuckDBPyConnection,
) -> None:
    units = {
        "DECIMAL(28,9)": ("currency", "points", "volume_unit", "per", "units"),
        "DECIMAL(9,8)": ("share of 1",),
        "TIMESTAMP": ("UTC",),
        "DECIMAL(28,12)": ("tokens",),
    }
    found = spot.execute(
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE NOT internal"
    ).fetchall()
    assert set(units) <= {dtype for _, _, dtype, _ in found}
    for table, column, dtype, comment in found:
        wanted = units.get(dtype, ("",))
        assert any(word in comment for word in wanted), (table, column, dtype, comment)


def test_no_float_no_zone_no_list_and_the_oldest_storage(
    spot: duckdb.DuckDBPyConnection,
) -> None:
    types = {r[0] for r in spot.execute("SELECT data_type FROM duckdb_columns()").fetchall()}
    mine = spot.execute("SELECT DISTINCT data_type FROM duckdb_columns() WHERE NOT internal")
    held = {r[0] for r in mine.fetchall()}
    assert held <= types
    assert not [t for t in held if t in ("DOUBLE", "FLOAT", "TIMESTAMP WITH TIME ZONE")]
    assert not [t for t in held if t.endswith("[]")]
    tags = spot.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'spot'")
    assert tags.fetchall() == [({"storage_version": "v1.0.0+"},)]


def test_no_index_and_no_leftover_beside_the_files(
    projected: Settings, spot: duckdb.DuckDBPyConnection
) -> None:
    assert spot.execute("SELECT count(*) FROM duckdb_indexes()").fetchall() == [(0,)]
    names = {path.name for path in projected.data.iterdir()} - {".projection.lock"}
    assert names == {write.ANALYSTS_FILE, package.PACKAGE, *write.PARQUET}


@pytest.mark.parametrize(("file", "table"), list(write.PARQUET.items()))
def test_parquet_holds_the_rows_and_types_of_the_table(
    projected: Settings, spot: duckdb.DuckDBPyConnection, file: str, table: str
) -> None:
    path = projected.data / file
    found = pl.read_parquet(path)
    named = spot.execute(f"DESCRIBE {table}").fetchall()
    described = spot.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
    assert {r[0]: r[1] for r in described} == {r[0]: r[1] for r in named}
    columns = [r[0] for r in named]
    assert sorted(map(str, found.select(columns).iter_rows())) == sorted(
        map(str, spot.execute(f"SELECT * FROM {table}").fetchall())
    )
    told = pl.read_parquet_metadata(path)
    assert told["log_size"] == str(LOG_SIZE)


def test_each_record_of_the_log_is_there_byte_for_byte(
    projected: Settings, spot: duckdb.DuckDBPyConnection
) -> None:
    told = spot.execute("SELECT seq, type, record_digest, record FROM record ORDER BY seq")
    for want, (seq, kind, digest, text) in zip(logged(projected), told.fetchall(), strict=True):
        assert (want["seq"], want["type"]) == (seq, kind)
        assert json.loads(text) == want
        assert digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_the_package_tells_each_files_digest_and_columns(
    projected: Settings, spot: duckdb.DuckDBPyConnection
) -> None:
    told = json.loads((projected.data / package.PACKAGE).read_bytes())
    assert told["log"]["size"] == LOG_SIZE
    files = {one["path"]: one for one in told["resources"]}
    assert set(files) == {write.ANALYSTS_FILE, *write.PARQUET}
    for name, one in files.items():
        body = (projected.data / name).read_bytes()
        assert (one["bytes"], one["hash"]) == (
            len(body),
            "sha256:" + hashlib.sha256(body).hexdigest(),
        )
    fields = {f["name"]: f for f in files["fixings.parquet"]["schema"]["fields"]}
    assert set(fields) == {row[0] for row in spot.execute("DESCRIBE fixing").fetchall()}
    assert fields["value"]["type"] == "number"
    assert fields["published_at"]["type"] == "datetime"


def test_rebuilding_gives_the_same_rows_in_the_same_order(
    projected: Settings, spot: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    again = tables.build(projections.read_contents(projected))
    write.write_all(again, tmp_path, lambda what: None)
    with duckdb.connect(tmp_path / write.ANALYSTS_FILE, read_only=True) as second:
        for name in [*again, *VIEWS]:
            order = "ORDER BY ALL" if name in VIEWS else "ORDER BY rowid"
            query = f"SELECT * FROM {name} {order}"
            assert spot.execute(query).fetchall() == second.execute(query).fetchall(), name
    for file in write.PARQUET:
        assert pl.read_parquet(projected.data / file).equals(pl.read_parquet(tmp_path / file))


def test_progress_names_every_file(small_copy: Settings) -> None:
    told: list[tuple[str, str]] = []
    done = projections.rebuild(small_copy, lambda stage, what: told.append((stage, what)))
    assert {stage for stage, _ in told} == {"project"}
    written = {write.ANALYSTS_FILE, package.PACKAGE, *write.PARQUET}
    assert set(done["files"]) == written <= {w for _, w in told}
    assert done["log_size"] == LOG_SIZE
    assert projections.is_current(small_copy)


def test_the_warehouse_reads_no_ledger_and_no_publication() -> None:
    allowed = {"methodology", "polars", "duckdb", "pyarrow", "index.warehouse"}
    standard = {"__future__", "collections", "contextlib", "dataclasses", "decimal", "fcntl"}
    standard |= {"hashlib"}
    standard |= {"importlib", "io", "itertools", "json", "os", "pathlib", "re", "time", "typing"}
    for path in sorted((ROOT / "index" / "warehouse").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module or ""]
            for name in names:
                parts = name.split(".")
                tops = {parts[0], ".".join(parts[:2])}
                assert tops & (allowed | standard), f"{path.name} imports {name}"


def test_a_composite_without_a_basket_is_a_fixing_that_says_why(
    spot: duckdb.DuckDBPyConnection,
) -> None:
    found = rows(spot, "FROM fixing_current WHERE index_id = 'TKX-ALL-BLD'")
    assert [(r["status"], r["value"]) for r in found] == [("NO_FIX", None)]
    # two models of two developers were left in the small bundle
    assert "2 models of 2 developers on 2026-08-01" in found[0]["no_fix_reason"]
