"""Notices, settlements, rules and keys of the log, as rows an analyst can ask for."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import rfc8785

from index.warehouse import records, tables
from methodology.errors import VerificationError

AT = "2026-11-21T09:30:00.000Z"


def leaf(seq: int, what: str, /, **fields: Any) -> tuple[dict[str, Any], str]:
    """Return a record and the digest of its bytes, made by the library for RFC 8785."""
    record = {"type": what, "schema": f"{what}/1.0", "seq": seq, "log_origin": "t/log", **fields}
    return record, "sha256:" + hashlib.sha256(rfc8785.dumps(record)).hexdigest()


def rows(table: str, *leaves: tuple[dict[str, Any], str]) -> list[dict[str, Any]]:
    told, schema = records.rows_of(leaves)[table]
    return tables._typed(table, told, schema).rows(named=True)


FIXING = {"index_id": "TKX-ALL-BLD", "session": "SHA", "ref_date": "2026-11-20"}

TOLD = {
    "a notice of a late value": (
        leaf(5, "notice", kind="DELAYED", **FIXING, concerns=None, text="not there yet", at=AT),
        ("notice", "DELAYED", "TKX-ALL-BLD", None, None, None, "not there yet"),
    ),
    "an erratum with the value as it should have been": (
        leaf(
            *(6, "erratum"), **FIXING, concerns=3, value="100.00", should_be="100.07",
            delta_pct="0.0700", cause="wrong unit", at=AT,
        ),
        ("erratum", None, "TKX-ALL-BLD", 3, "100.000000000", "100.070000000", "wrong unit"),
    ),
    "a restatement": (
        leaf(
            *(7, "restatement"), **FIXING, revision=2, value_before="100.00",
            value_after="100.20", delta_pct="0.2000", reason="slice twice", at=AT,
        ),
        ("restatement", None, "TKX-ALL-BLD", None, "100.000000000", "100.200000000", "slice twice"),
    ),
    "a complaint that waits": (
        leaf(
            *(8, "complaint"), **FIXING, complaint_id="c-1", received_at=AT, complainant=None,
            state="RECEIVED", findings=None, reviewer=None, answers=None, at=AT,
        ),
        ("complaint", "RECEIVED", "TKX-ALL-BLD", None, None, None, None),
    ),
    "the end of an index": (
        leaf(
            *(9, "cessation"), index_id="TKX-ALL-BLD", last_ref_date="2027-11-21",
            announced_at=AT, successor=None, link_factor=None, reason="no market", at=AT,
        ),
        ("cessation", None, "TKX-ALL-BLD", None, None, None, "no market"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("one", "want"), TOLD.values(), ids=TOLD.keys())
def test_what_is_told_about_values_is_one_row(
    one: tuple[dict[str, Any], str], want: tuple[Any, ...]
) -> None:
    (row,) = rows("notice", one)
    names = ("type", "kind", "index_id", "concerns", "value_before", "value_after", "text")
    shown = [None if row[n] is None else str(row[n]) for n in names]
    assert shown == [None if w is None else str(w) for w in want]
    assert row["occurred_at"].isoformat() == "2026-11-21T09:30:00"


def test_the_last_day_of_an_index_is_its_day() -> None:
    (row,) = rows("notice", TOLD["the end of an index"][0])
    assert row["ref_date"].isoformat() == "2027-11-21"


def test_a_settlement_names_every_value_it_was_averaged_from() -> None:
    one = leaf(
        12,
        "settlement",
        rule_id="TKX-M",
        rule_digest="sha256:" + "a" * 64,
        period="2026-10",
        value="101.005",
        decimals=3,
        rounding="HALF_UP",
        multiplier="50",
        status="FINAL",
        reason=None,
        published_at=AT,
        inputs=[
            {"seq": 4, "digest": "sha256:" + "b" * 64, "value": "101.00"},
            {"seq": 7, "digest": "sha256:" + "c" * 64, "value": "101.01"},
        ],
    )
    (price,) = rows("settlement", one)
    assert (str(price["value"]), price["period"], price["decimals"]) == (
        "101.005000000",
        "2026-10",
        3,
    )
    told = [(r["place"], r["input_seq"], str(r["value"])) for r in rows("settlement_input", one)]
    assert told == [(0, 4, "101.000000000"), (1, 7, "101.010000000")]


def test_keys_and_rules_have_their_tables() -> None:
    key = leaf(
        *(0, "key"), action="REVOKE", key_id="fixing-0011", name="f", purpose="fixing",
        algorithm="ed25519", public_key="AA==", replaces=None, effective_seq=40, reason="leaked",
        at=AT, signatures=[],
    )  # fmt: skip
    (row,) = rows("signing_key", key)
    assert (row["action"], row["effective_seq"], row["reason"]) == ("REVOKE", 40, "leaked")
    rules = leaf(
        *(1, "methodology"), methodology_id="spotfix", methodology_version="1.1.0",
        methodology_digest="sha256:1", artefact={"kind": "rules", "sha256": "sha256:2", "size": 3},
        effective_at=AT,
    )  # fmt: skip
    (row,) = rows("methodology", rules)
    assert (row["methodology_version"], row["artefact_digest"]) == ("1.1.0", "sha256:2")


def test_a_record_that_is_not_what_was_signed_is_refused() -> None:
    record, digest = TOLD["a restatement"][0]
    with pytest.raises(VerificationError, match="record 7: its text has digest"):
        records.rows_of([({**record, "value_after": "100.30"}, digest)])
