"""Tables of what the log says beside values: every record, notices, settlements, rules, keys.

The text of a record in these tables is the leaf of the log itself: written from the record and
compared with the digest of its bytes, so a query on it reads what was signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from methodology.errors import VerificationError

MONEY: Final = pl.Decimal(28, 9)
TIME: Final = pl.Datetime("us")

Records = Sequence[tuple[Mapping[str, Any], str]]
"""Records of the log in order, each with the digest of its bytes."""

RECORD: Final[dict[str, Any]] = {
    "seq": pl.Int64, "type": pl.String, "index_id": pl.String, "session": pl.String,
    "ref_date": pl.Date, "record_digest": pl.String, "record": pl.String,
}  # fmt: skip
NOTICE: Final[dict[str, Any]] = {
    "seq": pl.Int64, "type": pl.String, "kind": pl.String, "index_id": pl.String,
    "session": pl.String, "ref_date": pl.Date, "concerns": pl.Int64, "value_before": MONEY,
    "value_after": MONEY, "text": pl.String, "occurred_at": TIME, "record": pl.String,
}  # fmt: skip
SETTLEMENT: Final[dict[str, Any]] = {
    "seq": pl.Int64, "rule_id": pl.String, "rule_digest": pl.String, "period": pl.String,
    "value": MONEY, "decimals": pl.Int32, "rounding": pl.String, "status": pl.String,
    "published_at": TIME, "record": pl.String,
}  # fmt: skip
SETTLEMENT_INPUT: Final[dict[str, Any]] = {
    "seq": pl.Int64, "rule_id": pl.String, "period": pl.String, "place": pl.Int32,
    "input_seq": pl.Int64, "input_digest": pl.String, "value": MONEY,
}  # fmt: skip
METHODOLOGY: Final[dict[str, Any]] = {
    "seq": pl.Int64, "methodology_id": pl.String, "methodology_version": pl.String,
    "methodology_digest": pl.String, "artefact_digest": pl.String, "effective_at": TIME,
}  # fmt: skip
SIGNING_KEY: Final[dict[str, Any]] = {
    "seq": pl.Int64, "action": pl.String, "key_id": pl.String, "name": pl.String,
    "purpose": pl.String, "algorithm": pl.String, "public_key": pl.String, "replaces": pl.String,
    "effective_seq": pl.Int64, "reason": pl.String, "occurred_at": TIME,
}  # fmt: skip

_TOLD: Final[Mapping[str, Mapping[str, str]]] = {
    "notice": {"kind": "kind", "text": "text"},
    "erratum": {"text": "cause", "value_before": "value", "value_after": "should_be"},
    "restatement": {
        "text": "reason", "value_before": "value_before", "value_after": "value_after",
    },
    "complaint": {"kind": "state", "text": "findings"},
    "cessation": {"text": "reason", "ref_date": "last_ref_date"},
}  # fmt: skip
"""Types that tell people something, and which of their fields a column shows."""

COMMENTS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "record": (
        "Every record of the log, in order: the text is what was hashed and signed.",
        {
            "seq": "place in the log, from 0; a number",
            "type": "what the record is: fixing, commitment, batch, incident, notice, key and more",
            "index_id": "index it is about; null when about none or several",
            "session": "SHA or NYC; null when about none",
            "ref_date": "index day it is about; null when about none",
            "record_digest": "SHA-256 of the record's bytes",
            "record": "the record, RFC 8785 JSON: the bytes of the log's leaf",
        },
    ),
    "notice": (
        "What was told about published values: notices, errata, restatements, complaints, "
        "cessations.",
        {
            "seq": "place in the log, from 0; a number",
            "type": "notice, erratum, restatement, complaint or cessation",
            "kind": "kind of a notice or state of a complaint; null for the others",
            "index_id": "index it is about; null when about none or several",
            "session": "SHA or NYC; null when about none",
            "ref_date": "index day it is about; of a cessation the last one; null when none",
            "concerns": "place in the log of the record it is about; null when about none",
            "value_before": "value as published, in currency and unit of the index; null when none",
            "value_after": "value restated, or as it should be, in currency and unit of the index",
            "text": "what happened, in words; null when nothing is said yet",
            "occurred_at": "when it was recorded, UTC",
            "record": "the record, RFC 8785 JSON: the bytes of the log's leaf",
        },
    ),
    "settlement": (
        "Settlement prices of contracts; of two of a period the one with the higher seq holds.",
        {
            "seq": "place in the log, from 0; a number",
            "rule_id": "the contract's rule",
            "rule_digest": "SHA-256 of the rule's file",
            "period": "delivery month or week it is the price of",
            "value": "settlement price, in currency and unit of the contract; null when none",
            "decimals": "decimals the price is published with; a number",
            "rounding": "how the last digit was found",
            "status": "FINAL, or why there is no price",
            "published_at": "when it was published, UTC",
            "record": "the record, RFC 8785 JSON: the bytes of the log's leaf",
        },
    ),
    "settlement_input": (
        "The days of a settlement price and the values published for them, counted or not.",
        {
            "seq": "place of the settlement in the log; a number",
            "rule_id": "the contract's rule",
            "period": "delivery month or week",
            "place": "order of the values, from 0; a number",
            "input_seq": "place in the log of the fixing; a number; null when the day has none",
            "input_digest": "SHA-256 of the fixing's bytes; null when the day has none",
            "value": "daily value as published, in currency and unit of the index",
        },
    ),
    "methodology": (
        "Which rules were in force from which place in the log.",
        {
            "seq": "place in the log, from 0; a number",
            "methodology_id": "name of the methodology",
            "methodology_version": "its version",
            "methodology_digest": "SHA-256 over every rule file in force",
            "artefact_digest": "SHA-256 of the body that holds the text of every rule file",
            "effective_at": "from when the rules held, UTC",
        },
    ),
    "signing_key": (
        "Keys that sign records and checkpoints, from when they hold and until when.",
        {
            "seq": "place in the log, from 0; a number",
            "action": "CREATE, ROTATE or REVOKE",
            "key_id": "the key's name in signatures and files",
            "name": "whose key it is",
            "purpose": "root, fixing, log, officer or witness",
            "algorithm": "ed25519 or ml-dsa-44",
            "public_key": "the public key, base64 of its raw bytes",
            "replaces": "key it follows; null when none",
            "effective_seq": "first place in the log this holds for; a number",
            "reason": "why it was revoked; null otherwise",
            "occurred_at": "when it was recorded, UTC",
        },
    ),
}
"""Meaning of the tables and columns of this module."""


def text_of(record: Mapping[str, Any], digest: str) -> str:
    """Return the text of a record's leaf.

    Raises:
        VerificationError: the text has another digest than the leaf, so it is another text.
    """
    text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    found = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    if found != digest:
        raise VerificationError(
            f"record {record.get('seq')}: its text has digest {found}, the leaf {digest}"
        )
    return text


def rows_of(records: Records) -> dict[str, tuple[list[dict[str, Any]], Mapping[str, Any]]]:
    """Return rows and schema of each table of this module, in order of the log.

    Money is decimal text and times RFC 3339 text, as in the records.
    """
    found: dict[str, tuple[list[dict[str, Any]], Mapping[str, Any]]] = {
        "record": ([], RECORD),
        "notice": ([], NOTICE),
        "settlement": ([], SETTLEMENT),
        "settlement_input": ([], SETTLEMENT_INPUT),
        "methodology": ([], METHODOLOGY),
        "signing_key": ([], SIGNING_KEY),
    }
    for record, digest in records:
        text, kind = text_of(record, digest), record["type"]
        about = {name: record.get(name) for name in ("index_id", "session", "ref_date")}
        head = {"seq": record["seq"], **about}
        found["record"][0].append({**head, "type": kind, "record_digest": digest, "record": text})
        if kind in _TOLD:
            shown = {column: record.get(name) for column, name in _TOLD[kind].items()}
            concerns = record.get("concerns")
            beside = {"type": kind, "concerns": concerns, "occurred_at": record.get("at")}
            found["notice"][0].append({**head, **beside, **shown, "record": text})
        elif kind == "settlement":
            key = {name: record[name] for name in ("seq", "rule_id", "period")}
            shown = {n: record.get(n) for n in SETTLEMENT if n != "record"}
            found["settlement"][0].append({**shown, "record": text})
            found["settlement_input"][0].extend(
                {
                    **key, "place": place, "input_seq": one["seq"],
                    "input_digest": one["digest"], "value": one["value"],
                }
                for place, one in enumerate(record["inputs"])
            )  # fmt: skip
        elif kind == "methodology":
            artefact = (record.get("artefact") or {}).get("sha256")
            shown = {n: record.get(n) for n in METHODOLOGY if n != "artefact_digest"}
            found["methodology"][0].append({**shown, "artefact_digest": artefact})
        elif kind == "key":
            shown = {n: record.get(n) for n in SIGNING_KEY if n != "occurred_at"}
            found["signing_key"][0].append({**shown, "occurred_at": record.get("at")})
    return found
