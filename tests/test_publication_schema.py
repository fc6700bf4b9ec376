"""Schemas of the record types: closed, described, and refusing each damage with its place named."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from index.config import Settings
from index.ledger.canonical import parse_record
from index.ledger.log import Log
from index.publication import schema
from methodology.errors import VerificationError
from tests.schema_samples import sample

KINDS = sorted(schema.SCHEMAS)


def refusal(record: dict[str, Any]) -> str:
    with pytest.raises(VerificationError) as caught:
        schema.check(record)
    return str(caught.value)


def subschemas(found: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every described value below a schema: fields, items, fields of objects inside."""
    for name, sub in found.get("properties", {}).items():
        yield f"{path}{name}", sub
        yield from subschemas(sub, f"{path}{name}.")
    if isinstance(found.get("items"), dict):
        yield from subschemas(found["items"], f"{path}[].")


def test_there_is_one_file_for_each_type_and_no_other() -> None:
    folder = resources.files("index") / "publication" / "schemas"
    files = {one.name for one in folder.iterdir()}
    assert files == {f"{kind}-1.0.json" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_closed_and_every_field_is_described(kind: str) -> None:
    found = schema.schema_of(kind)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["properties"]["schema"]["const"] == f"{kind}/1.0"
    assert set(found["required"]) <= set(found["properties"])
    for path, sub in subschemas(found):
        assert sub.get("description"), f"{kind}: {path} says nothing of itself"
        kinds = sub.get("type", [])
        if "object" in kinds and "properties" in sub:
            assert sub["additionalProperties"] is False, path
            assert set(sub["required"]) == set(sub["properties"]), path
        assert "number" not in kinds, f"{kind}: {path} admits a binary number"
    assert found["additionalProperties"] is False


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_record_of_each_type_is_admitted(kind: str) -> None:
    schema.check(sample(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_left_out_is_named(kind: str) -> None:
    whole = sample(kind)
    for name in set(whole) - {"type"}:
        told = refusal({k: v for k, v in whole.items() if k != name})
        seq = None if name == "seq" else whole["seq"]
        assert told.startswith(f"record {seq} ({kind}/1.0): field {name} = nothing: is missing")


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_too_many_is_named_with_its_value(kind: str) -> None:
    told = refusal({**sample(kind), "remark": "by hand"})
    assert told == (
        f"record 2 ({kind}/1.0): field remark = 'by hand': is not a field of the schema"
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(2.5, id="a_binary_number"),
        pytest.param({"a": []}, id="an_object_of_nothing_known"),
        pytest.param([[1]], id="a_list_of_lists"),
    ],
)
def test_another_type_is_refused_in_every_field(kind: str, value: Any) -> None:
    whole = sample(kind)
    for name in set(whole) - {"type"}:
        told = refusal({**whole, name: value})
        assert f"({kind}/1.0): field {name}" in told
        assert (f"field {name} = {value!r}" in told) or f"field {name}." in told


DECIMALS = [
    pytest.param(2, id="a_number_in_place_of_decimal_text"),
    pytest.param("NaN", id="not_a_number"),
    pytest.param("Infinity", id="infinity"),
    pytest.param("2.5e3", id="an_exponent"),
    pytest.param("02.5", id="a_leading_zero"),
    pytest.param(".5", id="no_digit_before_the_point"),
    pytest.param("2.", id="no_digit_behind_the_point"),
    pytest.param("2,5", id="a_comma"),
    pytest.param("+2.5", id="a_plus"),
    pytest.param(" 2.5", id="a_blank"),
    pytest.param("2.5\n", id="a_line_feed_at_the_end"),
    pytest.param("٢.٥", id="digits_of_another_script"),
    pytest.param("", id="empty_text"),
]


def is_decimal(sub: dict[str, Any]) -> bool:
    return str(sub.get("pattern", "")).endswith(r"(\.[0-9]+)?$")


@pytest.mark.parametrize("value", DECIMALS)
def test_money_is_decimal_text_and_nothing_else(value: Any) -> None:
    checked = 0
    for kind in KINDS:
        fields = schema.schema_of(kind)["properties"]
        for name in (n for n, sub in fields.items() if is_decimal(sub)):
            told = refusal({**sample(kind), name: value})
            assert f"field {name} = {value!r}" in told
            checked += 1
    assert checked >= 30


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2026-02-30T20:00:00.000Z", id="a_day_that_does_not_exist"),
        pytest.param("2026-08-12T25:00:00.000Z", id="an_hour_that_does_not_exist"),
        pytest.param("2026-08-12T20:00:00Z", id="no_milliseconds"),
        pytest.param("2026-08-12T20:00:00.000+00:00", id="another_zone_mark"),
        pytest.param("2026-08-12T20:00:00.000Z\n", id="a_line_feed_at_the_end"),
        pytest.param(1786564800, id="seconds_as_a_number"),
    ],
)
def test_a_time_is_utc_with_milliseconds(value: Any) -> None:
    for kind in KINDS:
        fields = schema.schema_of(kind)["properties"]
        times = [n for n, sub in fields.items() if sub.get("format") == "date-time"]
        assert times or kind == "basket"
        for name in times:
            assert f"field {name} = {value!r}" in refusal({**sample(kind), name: value})


def test_a_day_that_does_not_exist_is_refused() -> None:
    assert "field ref_date = '2026-02-29'" in refusal(sample("fixing", ref_date="2026-02-29"))


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        pytest.param("fixing", {"value": None}, "status", id="no_value_is_a_no_fix"),
        pytest.param(
            "fixing", {"status": "NO_FIX", "no_fix_reason": "none"}, "status",
            id="a_no_fix_has_no_value",
        ),
        pytest.param(
            "fixing", {"status": "PROVISIONAL", "revision": 1}, "revision",
            id="a_provisional_is_revision_0",
        ),
        pytest.param(
            "fixing", {"status": "REVISED", "revision": 2}, "revision_reason",
            id="a_restatement_says_why",
        ),
        pytest.param("fixing", {"grade": "A"}, "grade", id="a_reference_is_at_most_c"),
        pytest.param("fixing", {"waterfall": "FULL"}, "waterfall", id="a_reference_is_never_full"),
        pytest.param("settlement", {"value": None}, "value", id="a_final_price_has_a_value"),
        pytest.param(
            "settlement", {"status": "FSP_FAIL", "failure": "TOO_FEW_DAYS"}, "value",
            id="without_a_price_there_is_no_value",
        ),
        pytest.param("key", {"action": "ROTATE"}, "replaces", id="a_rotation_says_of_what"),
        pytest.param("witness", {"kind": "RFC3161"}, "key", id="a_time_stamp_has_no_verifier_key"),
        pytest.param(
            "incident", {"source": "models_dev"}, "source", id="a_missed_fixing_has_no_source"
        ),
        pytest.param(
            "incident", {"kind": "WITNESS_FAILED"}, "session", id="a_witness_has_no_session"
        ),
        pytest.param("incident", {"kind": "BAD_LUCK"}, "kind", id="an_unknown_kind_of_incident"),
        pytest.param("fixing", {"seq": -1}, "seq", id="a_place_before_the_first"),
        pytest.param("fixing", {"revision": True}, "revision", id="a_truth_is_no_count"),
        pytest.param("fixing", {"flags": ["HELD", "HELD"]}, "flags", id="a_flag_twice"),
        pytest.param("fixing", {"index_id": "TKR-a b-IN"}, "index_id", id="a_blank_in_an_index"),
    ],
)  # fmt: skip
def test_fields_that_contradict_each_other_are_refused(
    kind: str, changes: dict[str, Any], field: str
) -> None:
    record = sample(kind, **changes)
    assert any(f"({kind}/1.0): field {field} = " in one for one in schema.problems(record))
    refusal(record)


def test_a_fault_inside_a_citation_is_named_by_its_path() -> None:
    cited = {**sample("batch")["artefact"], "size": -1}
    assert "field artefact.size = -1" in refusal(sample("batch", artefact=cited))


@pytest.mark.parametrize("kind", ["rumour", None, ["fixing"], 7])
def test_a_type_without_a_schema_is_refused(kind: Any) -> None:
    told = refusal({"type": kind, "seq": 9})
    assert told.startswith(f"record 9: field type = {kind!r}: there is no such type")


def test_a_long_wrong_value_is_cut() -> None:
    assert len(refusal(sample("notice", kind="x" * 10_000))) < 400


def test_a_value_that_stood_once_does_not_excuse_another_field() -> None:
    """The check remembers plain values that stood, for each subschema and type of its own."""
    schema.check(sample("fixing", revision=1))
    assert "field settlement_eligible = 1" in refusal(sample("fixing", settlement_eligible=1))
    assert "field revision = True" in refusal(sample("fixing", revision=True))
    assert "field n_used = '2.5000'" in refusal(sample("fixing", n_used="2.5000"))


def test_every_record_of_the_bundled_run_keeps_its_schema(small_ledger: Settings) -> None:
    """Against the bare validator of the library, not the one that publishing uses."""
    log = Log.open(small_ledger.ledger, read_only=True)
    found = [parse_record(body) for body in log.entries()]
    kinds = Counter(str(one["type"]) for one in found)
    assert set(kinds) == {"key", "calendar", "methodology", "batch", "commitment", "fixing"}
    validators = {k: Draft202012Validator(schema.schema_of(k)) for k in kinds}
    for one in found[:: len(found) // 60] + found[:12]:
        assert list(validators[str(one["type"])].iter_errors(one)) == []
    for one in found:
        schema.check(one)


def test_the_files_hold_what_is_served() -> None:
    assert json.loads(schema.schema_text("fixing")) == schema.schema_of("fixing")
    with pytest.raises(KeyError):
        schema.schema_of("../fixing")
