"""Arithmetic and text that one reader takes for another: tricks on the auditor's script."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from index import config, verify_bundles
from index.audit import verify_offline as vo
from index.config import Settings
from index.ledger.batches import Batches
from index.ledger.canonical import canonical, digest
from index.ledger.log import Log
from index.publication import key_records
from index.publication.keys import DemoSigner
from index.publication.notes import sign_note
from index.verifying import Findings, Trust
from tests.auditing import GPT, H100, checked, key
from tests.test_audit_insider import Forger, set_field

Rows = list[dict[str, Any]]
TEX = "TEX-ALL"


def in_rows(change: Callable[[Rows], Any]) -> Callable[[Forger], str]:
    """Return what changes the contribution lines of a final."""

    def forge(forger: Forger) -> str:
        record = forger.final(GPT)
        rows = forger.rows(record, "contributions")
        change(rows)
        forger.put(record, "contributions", rows)
        return GPT

    return forge


def valued(rows: Rows) -> dict[str, Any]:
    return next(row for row in rows if row["weight_e8"])


def in_basket(change: Callable[[dict[str, Any]], Any]) -> Callable[[Forger], str]:
    """Return what changes the panel of a final, and of what was committed to."""

    def forge(forger: Forger) -> str:
        record = forger.final(GPT)
        basket = json.loads(forger.bodies.get("basket", record["basket_digest"]))
        change(basket)
        stored = forger.bodies.put("basket", canonical(basket) + b"\n")
        commit = forger.records[record["commit_seq"]]
        record["basket_digest"] = commit["basket_digest"] = stored.reference()["sha256"]
        return GPT

    return forge


def name_twice(forger: Forger) -> str:
    """One line says its price twice; some readers take the first, some the last."""
    record = forger.final(GPT)
    body = forger.bodies.get("contributions", record["contributions"]["sha256"])
    place = body.index(b'"group"')
    stored = forger.bodies.put("contributions", body[:place] + b'"group":"x",' + body[place:])
    record["contributions"] = stored.reference()
    return GPT


def empty_grade(forger: Forger) -> str:
    record = forger.final(TEX)
    record.update(grade="", label="settlement", settlement_eligible=True, waterfall="FULL")
    record["flags"] = [f for f in record["flags"] if f != "BOOTSTRAP_VINTAGE"]
    return TEX


TRICKS = [
    pytest.param(in_rows(lambda rows: rows.append(valued(rows))), "group twice",
                 id="a_group_that_counts_twice_under_one_weight"),
    pytest.param(in_rows(lambda rows: valued(rows).update(weight_e8=0)), "counted without weight",
                 id="a_group_counted_for_the_number_and_not_for_the_price"),
    pytest.param(in_rows(lambda rows: valued(rows).update(price_nano=-1)), "above 0",
                 id="a_price_below_zero"),
    pytest.param(in_rows(lambda rows: valued(rows).update(price_nano=True)), "above 0",
                 id="a_price_that_is_true"),
    pytest.param(in_basket(lambda one: one["members"].append(one["members"][0])), "group twice",
                 id="a_member_frozen_twice"),
    pytest.param(in_basket(lambda one: one.update(estimator="weighted_median")), "(7.1)",
                 id="an_estimator_that_the_size_of_the_panel_does_not_call_for"),
    pytest.param(name_twice, "not canonical", id="a_line_that_says_one_field_twice"),
    pytest.param(set_field(GPT, fresh_share="１"), "one spelling", id="digits_of_another_script"),
    pytest.param(set_field(GPT, prev_value="1", change_pct="0e0"), "one spelling",
                 id="a_number_with_an_exponent"),
    pytest.param(set_field(GPT, prev_value="1/1", change_pct="0"), "one spelling",
                 id="a_number_that_is_a_ratio"),
    pytest.param(empty_grade, "settlement_eligible", id="an_empty_grade_is_no_grade_to_settle_on"),
]  # fmt: skip


class Cheap(Forger):
    """A forger who keeps bodies where all of them do: they are named by their digests."""

    def __init__(self, settings: Settings, target: Path, kept: Path) -> None:
        self.old, self.settings = settings, config.load(out=target, bundle=settings.bundle)
        self.records = [json.loads(b) for b in Log.open(settings.ledger, read_only=True).entries()]
        self.settings.ledger.mkdir()
        (self.settings.ledger / "batches").symlink_to(kept / "batches")
        self.bodies = Batches(self.settings.ledger)


@pytest.fixture(scope="module")
def kept(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    shutil.copytree(small_ledger.ledger / "batches", folder / "batches", copy_function=os.link)
    return folder


@pytest.mark.parametrize(("change", "what"), TRICKS)
def test_the_script_is_not_tricked_by(
    change: Callable[[Forger], str], what: str, small_ledger: Settings, kept: Path, tmp_path: Path
) -> None:
    forger = Cheap(small_ledger, tmp_path, kept)
    found = checked(forger.bundle(change(forger))).wrong
    assert any(what in one["what"] for one in found), found[:5]


# Who signed ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(small_ledger: Settings) -> dict[str, bytes]:
    from index import audit_bundle
    from tests.auditing import FIRST, LAST

    return audit_bundle.build(small_ledger, audit_bundle.Span(FIRST, LAST, (H100,)))


def said(files: dict[str, bytes], *keys: vo.Key) -> list[str]:
    audit = vo.Audit(files, [key("fixing", "fixing"), *keys], key("log", "log"))
    audit.run((0, ""))
    return [one["what"] for one in audit.wrong]


def test_the_key_of_the_log_signs_no_record_even_if_it_is_given_for_both(
    files: dict[str, bytes],
) -> None:
    assert any("signs records too" in one for one in said(files, key("log", "fixing")))


def test_a_thief_of_the_logs_key_cannot_sign_the_records_of_a_bundle(
    files: dict[str, bytes],
) -> None:
    """Whoever pins both keys gave neither of them a purpose."""
    thief, forged = DemoSigner("log"), b""
    leaves = {
        one["seq"]: one["leaf"] for one in map(json.loads, files["records.jsonl"].splitlines())
    }
    for told in map(json.loads, files["signatures.jsonl"].splitlines()):
        signature = b64encode(thief.sign(leaves[told["seq"]].encode())).decode()
        mine = {**told, "key_id": "fixing-" + thief.public.id[4:], "signature": signature}
        forged += canonical(mine) + b"\n"
    bundle = {**files, "signatures.jsonl": forged}
    found = Findings()
    pinned = Trust((DemoSigner("fixing").public, thief.public))
    verify_bundles.check_files(bundle, pinned, None, found)
    assert any("which you did not give" in str(one) for one in found.problems)


def test_everyones_keys_are_named_as_such(files: dict[str, bytes]) -> None:
    found = Findings()
    verify_bundles.check_files(files, Trust((DemoSigner("fixing").public,)), None, found)
    assert any("anybody could have signed" in one for one in found.warnings)


def test_the_script_knows_every_key_that_everyone_has(tmp_path: Path) -> None:
    from index import mock_feed

    mock = mock_feed.keyring("example.org/mock", tmp_path)
    known = (DemoSigner("fixing").public, DemoSigner("log").public, mock.fixing.public,
             mock.log.public)  # fmt: skip
    assert [one.id[-16:] for one in known] == vo.EVERYONES


def test_a_revoked_keys_signature_counts_no_more_in_a_bundle() -> None:
    audit = vo.Audit({}, [key("fixing", "fixing")], None)
    at = datetime(2026, 1, 1)
    gone = key_records.revoke(
        DemoSigner("fixing").public, origin="o", at=at, effective_seq=7, reason="stolen", root=None
    )
    audit.take_record({"seq": 9, "leaf": canonical({**gone, "seq": 9}).decode()})
    for seq in (6, 7):
        audit.leaves[seq] = b"x"
        signature = b64encode(DemoSigner("fixing").sign(b"x")).decode()
        audit.check_signature(
            {"seq": seq, "key_id": DemoSigner("fixing").public.id, "signature": signature}
        )
    assert audit.signed == {6}
    assert "replaced or revoked from record 7 on" in audit.wrong[0]["what"]


@pytest.mark.parametrize("size", ["+1", "01", "1_0", "１"])
def test_a_size_has_one_spelling_however_well_it_is_signed(size: str) -> None:
    leaf = b"{}"
    root = b64encode(vo.leaf_hash(leaf)).decode()
    note = sign_note(f"demo/log\n{size}\n{root}\n".encode(), DemoSigner("log", name="demo/log"))
    audit = vo.Audit({"checkpoint": note}, [], key("log", "log"))
    audit.guard("checkpoint", audit.check_checkpoint)
    assert any("size and root" in one["what"] for one in audit.wrong)


# Files that two programs read differently ---------------------------------------------------------


def packed(*members: tarfile.TarInfo, body: bytes = b"x") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:") as tar:
        for one in members:
            one.size = 0 if one.linkname else len(body)
            tar.addfile(one, io.BytesIO(body))
    return made.getvalue()


def link(name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return made


@pytest.mark.parametrize(
    ("members", "what"),
    [
        pytest.param([tarfile.TarInfo("a/checkpoint"), tarfile.TarInfo("b/checkpoint")],
                     "holds a file twice", id="one_name_in_two_folders"),
        pytest.param([link("a/checkpoint")], "a/checkpoint is no plain file", id="a_link"),
    ],
)  # fmt: skip
def test_a_bundle_is_refused_that_unpacks_to_something_else(
    members: list[tarfile.TarInfo], what: str, tmp_path: Path
) -> None:
    path = tmp_path / "audit.tar"
    path.write_bytes(packed(*members))
    found = Findings()
    verify_bundles.check_bundle(path, Trust(), None, found)
    assert what in str(found.problems[0])


def test_a_folder_with_a_link_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").symlink_to("/dev/zero")
    found = Findings()
    verify_bundles.check_bundle(tmp_path, Trust(), None, found)
    assert "records.jsonl is no plain file" in str(found.problems[0])


# Settlements --------------------------------------------------------------------------------------


def settled(*days: dict[str, Any], **changes: Any) -> list[str]:
    """Return what is said of a settlement on one fixing of 2.8600, changed in some way."""
    audit = vo.Audit({}, [], None)
    fixing = {"type": "fixing", "index_id": "A", "ref_date": "2026-08-01", "value": "2.8600"}
    for seq, one in enumerate([fixing, *days]):
        audit.leaves[seq], audit.records[seq] = b"%d" % seq, one
    record = {
        "seq": 9, "index_id": "A", "count": 1, "sum": "2.86", "tick": "0.01", "value": "2.86",
        "inputs": [{"date": "2026-08-01", "seq": 0, "digest": digest(b"0"), "value": "2.8600",
                    "state": "COUNTED"}], **changes,
    }  # fmt: skip
    audit.guard("settlement", audit.check_settlement, record)
    return [one["what"] for one in audit.wrong]


TWICE = [{"date": "2026-08-01", "seq": None, "digest": None, "value": "2.86", "state": "COUNTED"}]


@pytest.mark.parametrize(
    ("days", "changes", "what"),
    [
        pytest.param([], {"index_id": "B"}, "fixing of 2026-08-01", id="another_indexs_fixing"),
        pytest.param([{"supersedes": digest(b"0")}], {}, "revisions after that",
                     id="a_fixing_that_was_revised_meanwhile"),
        pytest.param([], {"inputs": 2 * TWICE, "count": 2, "sum": "5.72"}, "date twice",
                     id="a_day_that_counts_twice"),
        pytest.param([], {"value": "286/100"}, "one spelling", id="a_price_that_is_a_ratio"),
        pytest.param([], {"value": "2_0.0"}, "one spelling", id="a_price_with_an_underscore"),
    ],
)  # fmt: skip
def test_a_settlement_is_not_tricked_by(
    days: list[dict[str, Any]], changes: dict[str, Any], what: str
) -> None:
    assert settled() == []
    assert any(what in one for one in settled(*days, **changes)), settled(*days, **changes)
