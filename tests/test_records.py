"""Every record of a published ledger keeps the schema, the order and the arithmetic it claims."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib import resources

import jsonschema
import pytest

from index.config import Settings
from index.ledger import merkle
from index.ledger.batches import Batches
from index.ledger.canonical import parse_record
from index.ledger.log import Log
from index.pipeline import run_bundled
from index.publication import record
from methodology.definition import load_definitions


@pytest.fixture(scope="module")
def schema() -> dict:
    folder = resources.files("index") / "publication" / "schemas"
    return json.loads((folder / "fixing-1.0.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def logged(small_ledger: Settings) -> list[dict]:
    log = Log.open(small_ledger.ledger, read_only=True)
    return [parse_record(body) for body in log.entries()]


def of_type(logged: list[dict], kind: str) -> list[dict]:
    return [r for r in logged if r["type"] == kind]


def test_the_schema_and_the_code_name_the_same_fields(schema):
    assert set(schema["required"]) == set(record.FIXING_FIELDS) == set(schema["properties"])


def test_every_fixing_satisfies_the_schema(schema, logged):
    validator = jsonschema.Draft202012Validator(schema)
    fixings = of_type(logged, "fixing")
    assert len(fixings) >= 20
    for one in fixings:
        problems = [f"{e.json_path}: {e.message}" for e in validator.iter_errors(one)]
        assert not problems, (one["index_id"], problems)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"value": 1.5}, "value", id="a_float_is_no_value"),
        pytest.param({"value": None}, "status", id="a_missing_value_is_a_no_fix"),
        pytest.param({"settlement_eligible": True}, "settlement_eligible", id="reference_settles"),
        pytest.param({"grade": "A"}, "grade", id="reference_is_at_most_c"),
        pytest.param({"extra": 1}, "extra", id="an_unknown_field"),
    ],
)
def test_the_schema_refuses(schema, logged, change, told):
    valued = next(
        r
        for r in of_type(logged, "fixing")
        if r["value"] is not None and r["label"] == "reference" and r["status"] == "FINAL"
    )
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(valued)
    errors = list(validator.iter_errors({**valued, **change}))
    assert any(told in f"{e.json_path} {e.message}" for e in errors)


def test_a_field_left_out_or_added_is_refused_when_the_record_is_made(logged):
    whole = of_type(logged, "fixing")[0]
    fields = {k: v for k, v in whole.items() if k not in record.ALWAYS}
    assert record.fixing(fields) == whole
    with pytest.raises(ValueError, match="missing \\['grade'\\]"):
        record.fixing({k: v for k, v in fields.items() if k != "grade"})
    with pytest.raises(ValueError, match="unknown \\['grede'\\]"):
        record.fixing({**fields, "grede": "C"})


def test_seq_is_the_place_in_the_log_and_has_no_gap(logged):
    assert [r["seq"] for r in logged] == list(range(len(logged)))


def test_every_fixing_was_committed_to_before_any_fixing_of_its_run(logged):
    first_fixing = min(r["seq"] for r in of_type(logged, "fixing"))
    commitments = {r["seq"]: r for r in of_type(logged, "commitment")}
    assert max(commitments) < first_fixing
    for one in of_type(logged, "fixing"):
        promised = commitments[one["commit_seq"]]
        same = ("index_id", "session", "ref_date", "input_digest", "methodology_digest")
        assert {k: one[k] for k in same} == {k: promised[k] for k in same}


def test_input_digest_is_the_tree_root_over_the_stored_input_lines(logged, small_ledger):
    batches = Batches(small_ledger.ledger)
    fixings = of_type(logged, "fixing")
    assert fixings
    for one in fixings:
        lines = batches.get("inputs", one["input_uri"].split("/")[-1][:64]).splitlines()
        root = merkle.root([merkle.leaf_hash(line) for line in lines])
        assert one["input_digest"] == "sha256:" + root.hex()
        assert one["input_count"] == len(lines)


def test_published_times_follow_the_log_and_the_schedule(logged):
    times = [r["published_at"] for r in of_type(logged, "fixing")]
    assert times == sorted(times)
    nyc = next(r for r in of_type(logged, "fixing") if r["ref_date"] == "2026-08-12")
    # 16:00 in New York in August is 20:00 UTC; provisional 45 minutes later.
    assert (nyc["cutoff_at"], nyc["published_at"]) == (
        "2026-08-12T20:00:00.000Z",
        "2026-08-12T20:45:00.000Z",
    )


def test_value_recomputes_from_the_published_contributions_alone(logged, small_ledger):
    batches = Batches(small_ledger.ledger)
    checked = 0
    for one in of_type(logged, "fixing"):
        if one["value"] is None or not one["index_id"].startswith(("TKR", "GPR")):
            continue
        body = batches.get("contributions", one["contributions"]["sha256"])
        rows = [json.loads(line) for line in body.splitlines()]
        kept = [(r["price_nano"], r["kept"]) for r in rows if r["kept"]]
        rate = Fraction(sum(p * k for p, k in kept), sum(k for _, k in kept)) / 10**9
        scaled = rate * 10 ** one["decimals"]
        rounded = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
        assert one["value"] == record.decimal_text(rounded, one["decimals"]), one["index_id"]
        if one["alt"]:
            other = one["alt"][0]
            cny = scaled * Fraction(other["fx_rate"])
            half_up = (2 * cny.numerator + cny.denominator) // (2 * cny.denominator)
            assert other["value"] == record.decimal_text(half_up, one["decimals"])
        weights = [r["weight_e8"] for r in rows if r["weight_e8"]]
        assert sum(weights) == 10**8
        checked += 1
    assert checked >= 10


def test_the_settlement_twin_prints_no_fix_for_want_of_evidence(logged):
    twins = [r for r in of_type(logged, "fixing") if r["label"] == "settlement"]
    assert twins
    for one in twins:
        assert one["no_fix_reason"] == "no admissible evidence"
        assert (one["value"], one["status"], one["settlement_eligible"]) == (None, "NO_FIX", False)


def test_each_index_of_the_rulebook_is_published_or_has_no_coverage(logged):
    published = {r["index_id"] for r in of_type(logged, "fixing")}
    known = {name for d in load_definitions() for name in d.index_ids}
    assert published <= known
    assert {n for n in known if n.startswith("GPR")} <= published


def test_a_second_run_changes_nothing(small_copy: Settings):
    before = {p: p.read_bytes() for p in small_copy.ledger.rglob("*") if p.is_file()}
    report = run_bundled(small_copy)
    assert report.is_nothing_due
    assert before == {p: p.read_bytes() for p in small_copy.ledger.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("numerator", "denominator", "decimals", "text"),
    [
        pytest.param(1, 8, 2, "0.13", id="half_goes_up"),
        pytest.param(-1, 8, 2, "-0.13", id="and_away_from_zero_below_it"),
        pytest.param(-1, 1000, 2, "0.00", id="a_negative_that_rounds_to_zero_has_no_sign"),
        pytest.param(2, 1, 0, "2", id="no_decimals_no_dot"),
    ],
)
def test_ratio_text(numerator, denominator, decimals, text):
    assert record.ratio_text(numerator, denominator, decimals) == text
