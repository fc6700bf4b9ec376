"""The command on a ledger made from the small bundle: what it prints, returns and leaves alone.

Figures: the five neocloud H100 SXM prices of 22 August 2026 stand in
data/bundled/gpus_gpurentalprices.csv as 2.69, 3.14, 3.2, 3.25 and 3.99; their median is 3.20.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from small_bundle import make_small_bundle
from typer.testing import CliRunner, Result

from index import cli, config
from index.config import Settings
from index.ledger.lock import PublisherLock
from index.pipeline import Report
from index.terminal import Screen
from methodology.definition import load_definitions
from tests.small_ledgers import copy_of

H100 = "GPR-H100-SXM-80-OD-NEO-GLB"
GPT = "TKR-gpt-oss-120b-BLD"


class Made(NamedTuple):
    """A published ledger and what publishing it printed."""

    out: Path
    bundle: Path
    result: Result


def call(*words: str, out: Path | None = None) -> Result:
    place = ["--out", str(out)] if out else []
    return CliRunner().invoke(cli.app, [*words, *place])


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("cli")
    bundle = make_small_bundle(folder / "bundle")
    result = call("run", "--bundle", str(bundle), out=folder / "out")
    return Made(folder / "out", bundle, result)


@pytest.fixture
def copied(made: Made, tmp_path: Path) -> Path:
    whole = config.load(out=made.out, bundle=made.bundle)
    return copy_of(whole, tmp_path / "out").out


def root_of(out: Path) -> str:
    import base64

    lines = (out / "ledger" / "log" / "checkpoint").read_text().splitlines()
    return base64.b64decode(lines[2]).hex()


def test_a_run_prints_one_line_per_fixing_and_where_it_stands(made: Made) -> None:
    text = made.result.stdout
    assert made.result.exit_code == 0, made.result.stderr
    line = next(x for x in text.splitlines() if x.split()[:1] == [H100])
    assert line.split()[1:5] == ["3.2000", "REDUCED", "C", "5"]
    settlement = next(x for x in text.splitlines() if f"{H100}-SETTLEMENT" in x)
    assert settlement.split()[1:3] == ["—", "NO_FIX"]
    assert settlement.endswith("no admissible evidence")
    assert root_of(made.out) in text
    for word in ("collect", "validate", "UNMAPPED_LISTING", "commit", "next", "spotfix verify"):
        assert word in text
    lines = text.splitlines()
    assert any("GPU hours, USD/gpu-h" in x and "NYC 2026-08-22" in x for x in lines)
    assert all(x == x.rstrip() for x in lines)


def test_every_index_is_on_a_line_and_meters_of_a_model_share_one(made: Made) -> None:
    shown = made.result.stdout
    every = call("run", "--all", "--json", "--bundle", str(made.bundle), out=made.out)
    assert every.exit_code == 0
    ids = {f["index_id"] for f in json.loads(every.stdout)["fixings"]}
    assert ids == {name for d in load_definitions() for name in d.index_ids}
    rows = [x.split() for x in shown.splitlines() if x.startswith("  TKR-gpt-oss-120b ")]
    prices = json.loads(call("list", "--json", out=made.out).stdout)
    by_id = {r["index_id"]: r["value"] or "—" for r in prices}
    # One line for the meters of a day; batch prices come from a source that goes on longer.
    listed = [by_id[f"TKR-gpt-oss-120b-{m}"] for m in ("IN", "CIN", "OUT", "BLD", "AGT")]
    assert listed in [row[1:6] for row in rows]
    assert any(by_id["TKR-gpt-oss-120b-BAT"] in row for row in rows)


def test_results_go_to_stdout_and_talk_to_stderr_without_bars(made: Made) -> None:
    assert "spotfix: collect ..." in made.result.stderr
    assert "━" not in made.result.output
    assert "\x1b" not in made.result.output
    assert "..." not in made.result.stdout


def test_a_second_run_has_nothing_to_do_and_changes_no_byte_but_makes_missing_tables(
    made: Made,
) -> None:
    """Told to be strict, it returns 11, since a print has no value."""
    before = state(made.out / "ledger")
    shutil.rmtree(made.out / "data")
    again = call("run", "--bundle", str(made.bundle), "--strict", out=made.out)
    assert "nothing due: bundled history fully published" in again.stdout
    assert again.exit_code == 11
    assert "without a value" in again.stderr
    assert state(made.out / "ledger") == before
    assert (made.out / "data").is_dir()


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        pytest.param(["FULL", "REDUCED"], 0, id="full_and_reduced_are_no_cause"),
        pytest.param(["FULL", "CARRIED_INPUT"], 10, id="carried_inputs_are_degraded"),
        pytest.param(["CARRY"], 10, id="a_carried_value_is_degraded"),
        pytest.param(["CARRY", "NO_FIX"], 11, id="no_fix_outranks_degraded"),
        pytest.param([], 0, id="nothing_published_is_no_cause"),
    ],
)
def test_strict_codes(levels: list[str], code: int) -> None:
    fixings = [
        {"index_id": "X", "waterfall": w, "value": None if w == "NO_FIX" else "1"} for w in levels
    ]
    assert cli._strictly(Report("bundled", fixings=fixings), Screen()) == code


def test_list_names_every_index_with_its_newest_value(made: Made) -> None:
    rows = json.loads(call("list", "--json", out=made.out).stdout)
    found = {r["index_id"]: r for r in rows}
    assert set(found) == {name for d in load_definitions() for name in d.index_ids}
    assert found[H100]["value"] == "3.2000"
    assert (found[H100]["session"], found[H100]["ref_date"]) == ("NYC", "2026-08-22")
    assert found[f"{H100}-SETTLEMENT"]["admission"] == "settlement"
    text = call("list", out=made.out).stdout
    assert all(name in text for name in found)


def test_list_works_before_anything_is_published(tmp_path: Path) -> None:
    result = call("list", out=tmp_path / "nothing")
    assert result.exit_code == 0
    assert H100 in result.stdout
    assert "not yet" in result.stdout
    assert not (tmp_path / "nothing").exists()


def test_a_narrow_terminal_cuts_no_id(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = call("list", out=made.out).stdout
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert f"{H100}-SETTLEMENT" in text


def test_show_gives_value_panel_refusals_flags_and_proof(made: Made) -> None:
    text = call("show", H100, out=made.out).stdout
    shown = text.partition("\nResistance")[0]
    rows = {x.split()[0]: x.split() for x in shown.splitlines() if x.strip()}
    assert "3.2000 USD/gpu-h" in text
    quoted = {"jarvislabs": "2.69", "massedcompute": "3.14", "verda": "3.25", "lambda": "3.99"}
    assert {name: rows[name][1] for name in quoted} == quoted
    assert rows["nexgen"][1:5] == ["3.20", "20.00", "100.00", "OBSERVED"]
    assert "a marketplace: not pooled with sellers of this class" in text
    assert "nobody outside saw the commitment" in text
    assert root_of(made.out) in text


def test_show_as_json_is_enough_to_work_the_value_out(made: Made) -> None:
    told = json.loads(call("show", GPT.lower(), "--json", out=made.out).stdout)
    record, panel = told["record"], told["panel"]
    assert record["type"] == "fixing"
    kept = [(p["price_nano"], p["kept"]) for p in panel if p["kept"]]
    exact = Fraction(sum(p * k for p, k in kept), sum(k for _, k in kept))
    assert abs(Fraction(record["value"]) - exact / 10**9) <= Fraction(1, 2 * 10**6)
    assert sum(len(one["offers"]) for one in told["refused"]) + len(panel) >= record["n_collected"]
    assert set(told["flags"]) == set(record["flags"])


def test_show_all_lists_each_refused_offer_with_its_price(made: Made) -> None:
    short = call("show", GPT, out=made.out).stdout
    every = call("show", GPT, "--all", out=made.out).stdout
    told = json.loads(call("show", GPT, "--json", out=made.out).stdout)
    offers = [o for one in told["refused"] for o in one["offers"]]
    priced = [o for o in offers if o["quoted"]]
    assert priced
    for offer in priced:
        assert any(
            {offer["listing_id"], offer["quoted"]} <= set(x.split()) for x in every.splitlines()
        )
    assert len(every.splitlines()) > len(short.splitlines())


def test_show_of_a_print_without_value_says_why(made: Made) -> None:
    text = call("show", f"{H100}-SETTLEMENT", out=made.out).stdout
    assert "—  NO_FIX  no admissible evidence" in text
    assert "EVIDENCE_E4_NOT_ADMISSIBLE" in text


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        pytest.param(["show", H100, "--date", "2020-01-01"], 1, "published: 2026-08-22", id="day"),
        pytest.param(["show", H100, "--date", "May"], 2, "write it like", id="no_date"),
        pytest.param(["show", H100, "--revision", "2"], 1, "revision 2", id="no_such_revision"),
        pytest.param(["show", "H100-SXM-80-OD-NEO-GLBX"], 2, f"did you mean {H100},", id="near_id"),
        pytest.param(["history", H100, "--from", "2030-01-01"], 1, "runs from", id="later"),
        pytest.param(
            ["history", H100, "--from", "2026-08-02", "--to", "2026-08-01"], 2, "after", id="span"
        ),
        pytest.param(
            ["history", H100, "--csv", "--parquet", "x"], 2, "one of them", id="two_formats"
        ),
    ],
)
def test_a_wrong_question_is_one_line(made: Made, words: list[str], code: int, part: str) -> None:
    result = call(*words, out=made.out)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert part in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_history_agrees_in_every_form(made: Made, tmp_path: Path) -> None:
    words = ["history", H100, "--from", "2026-08-20", "--to", "2026-08-22"]
    as_csv = list(csv.DictReader(io.StringIO(call(*words, "--csv", out=made.out).stdout)))
    as_json = json.loads(call(*words, "--json", out=made.out).stdout)
    assert [r["ref_date"] for r in as_csv] == ["2026-08-20", "2026-08-21", "2026-08-22"]
    assert [r["value"] for r in as_csv] == [r["value"] for r in as_json]
    assert as_json[-1]["value"] == "3.2000"
    text = call(*words, out=made.out).stdout
    assert "2026-08-22" in text
    assert "published" in text
    file = tmp_path / "h.parquet"
    assert call(*words, "--parquet", str(file), out=made.out).exit_code == 0
    assert pl.read_parquet(file)["value"].cast(pl.String).str.starts_with("3.2000").to_list()[-1]
    assert list(tmp_path.iterdir()) == [file]


def test_verify_recomputes_everything(few_ledger: Settings) -> None:
    told = json.loads(call("verify", "--json", out=few_ledger.out).stdout)
    assert told["ok"] is True
    assert told["problems"] == []
    assert told["recomputed"] == told["fixings"] == 36
    assert told["root"] == root_of(few_ledger.out)


def test_a_changed_byte_ends_verify_with_20_and_names_the_file(copied: Path) -> None:
    batch = next((copied / "ledger" / "batches" / "contributions").iterdir())
    batch.chmod(0o644)
    batch.write_bytes(batch.read_bytes().replace(b"1", b"2", 1))
    result = call("verify", out=copied)
    assert result.exit_code == 20
    assert batch.name in result.stdout
    assert batch.name in result.stderr
    as_json = call("verify", "--json", out=copied)
    assert json.loads(as_json.stdout)["ok"] is False
    assert json.loads(as_json.stderr.partition("\n")[2])["error"]["exit_code"] == 20
    health = call("doctor", out=copied)
    assert health.exit_code == 1
    assert "✗" in health.stdout


def test_a_changed_log_ends_a_run_with_21(copied: Path, made: Made) -> None:
    heads = copied / "ledger" / "log" / "checkpoint"
    heads.chmod(0o644)
    heads.write_text(heads.read_text().replace("spotfix-dev", "spotfix-dev2"))
    result = call("run", "--bundle", str(made.bundle), out=copied)
    assert result.exit_code == 21
    assert "error: " in result.stderr


def test_a_held_lock_ends_a_run_with_75_and_names_the_holder(copied: Path, made: Made) -> None:
    with PublisherLock(copied / "publisher.lock"):
        result = call("run", "--bundle", str(made.bundle), out=copied)
        health = call("doctor", "--json", out=copied)
    assert result.exit_code == 75
    assert "held by process" in result.stderr
    lock = next(c for c in json.loads(health.stdout)["checks"] if c["name"] == "lock")
    assert lock["state"] == "warn"
    assert "held by process" in lock["told"]


def test_the_name_a_killed_publisher_left_is_not_taken_for_a_lock(copied: Path) -> None:
    (copied / "publisher.lock").write_text("process 1 on gone running 'spotfix run'\n")
    checks = json.loads(call("doctor", "--json", out=copied).stdout)["checks"]
    assert next(c for c in checks if c["name"] == "lock")["told"] == "free"


def test_doctor_says_what_is_well_and_that_this_is_a_demo(made: Made) -> None:
    result = call("doctor", "--json", "--bundle", str(made.bundle), out=made.out)
    assert result.exit_code == 0, result.stdout
    found: dict[str, Any] = {c["name"]: c for c in json.loads(result.stdout)["checks"]}
    assert found["name"]["state"] == "warn"
    assert "not for publication" in found["name"]["told"]
    for name in ("log", "lock", "bundle", "archive", "disk", "schedule"):
        assert found[name]["state"] == "ok", found[name]
    assert "unmapped" in found


def test_doctor_lists_what_no_reviewed_line_maps(made: Made) -> None:
    rows = json.loads(call("doctor", "--unmapped", "--json", out=made.out).stdout)
    assert all(r["reason"].startswith("UNMAPPED_") and r["rows"] >= 1 for r in rows)
    checks = json.loads(call("doctor", "--json", out=made.out).stdout)["checks"]
    told = next(c for c in checks if c["name"] == "unmapped")["told"]
    assert told.startswith(f"{len(rows):,} listings")
    text = call("doctor", "--unmapped", out=made.out).stdout
    assert all(r["listing_id"] in text for r in rows)


def test_rebuild_makes_the_tables_again_and_values_shown_do_not_come_from_them(
    copied: Path,
) -> None:
    before = sorted(p.name for p in (copied / "data").iterdir())
    shutil.rmtree(copied / "data")
    assert "3.2000" in call("show", H100, out=copied).stdout
    assert "3.2000" in call("list", out=copied).stdout
    assert "3.2000" in call("history", H100, out=copied).stdout
    assert not (copied / "data").exists()
    assert call("rebuild", out=copied).exit_code == 0
    assert sorted(p.name for p in (copied / "data").iterdir()) == before
