"""Whose signature counts where: revoked and replaced keys, as a stranger sees them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from index import verify_targets
from index.config import Settings
from index.ledger.canonical import canonical
from index.ledger.tiles import Head, checkpoint_text
from index.publication import key_records
from index.publication.keys import DemoSigner, Signer
from index.publication.note_text import COSIGNATURE, vkey
from index.publication.notes import cosign, sign_note
from index.shelves import Held
from index.verifying import Findings, Trust
from tests.published_trees import AT, ORIGIN, Published, make_tree, target_of
from tests.tampering import logged

ROOT = DemoSigner("root", name="spotfix-dev/root")
FIXING = DemoSigner("fixing", name="spotfix-dev/fixing")
NEW = DemoSigner("mock")
WITNESS = DemoSigner("witness", name="venue.example/w1")
OTHER = DemoSigner("officer", name="venue.example/w1")


@pytest.fixture(scope="module")
def tree(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> Published:
    return make_tree(small_ledger.ledger, tmp_path_factory.mktemp("tree"))


def with_record(tree: Published, statement: dict[str, Any]) -> list[str]:
    """Return what is said of the tree whose log has one more key record at its end."""
    seq = len(tree.bodies)
    files = logged(tree.files, [*tree.bodies, canonical({**statement, "seq": seq})])
    found = Findings()
    verify_targets.verify(target_of(files), Trust((ROOT.public,)), [], found)
    return [str(one) for one in found.problems]


def revocation(effective_seq: int, root: Signer = ROOT) -> dict[str, Any]:
    return key_records.revoke(
        FIXING.public, origin=ORIGIN, at=AT, effective_seq=effective_seq, reason="copied", root=root
    )


def test_signatures_from_the_revoked_place_on_count_no_more(tree: Published) -> None:
    said = [one for one in with_record(tree, revocation(26)) if ".json.sig" in one]
    named = {seq for seq in range(36) if any(f"signature at seq {seq}," in one for one in said)}
    assert named == set(range(26, 36))
    assert all("revoked from seq 26 on (copied)" in one for one in said)


def test_a_revocation_that_reaches_nothing_leaves_every_signature_standing(tree: Published) -> None:
    said = with_record(tree, revocation(36))
    assert [one for one in said if "revoked" in one] == []


def test_a_revocation_that_the_root_did_not_sign_is_named(tree: Published) -> None:
    said = with_record(tree, revocation(26, NEW))
    assert any("key record at seq 36" in one for one in said)


def test_a_checkpoint_by_a_revoked_log_key_is_named(tree: Published) -> None:
    key = DemoSigner("log", name=ORIGIN).public
    statement = key_records.revoke(
        key, origin=ORIGIN, at=AT, effective_seq=0, reason="copied", root=ROOT
    )
    said = with_record(tree, statement)
    assert any(one.startswith("site/log/checkpoint") for one in said)


def witnessed(
    tree: Published, by: Signer, *, size: int = 16, root: bytes | None = None
) -> Findings:
    """Return what is found of the log with a witness record at its end."""
    size = 16
    shown = root or next(head.root for head in tree.heads if head.size == size)
    text = checkpoint_text(ORIGIN, Head(size, shown)).encode()
    plain = sign_note(text, DemoSigner("log", name=ORIGIN))
    statement = {
        "type": "witness", "schema": "witness/1.0", "log_origin": ORIGIN, "size": size,
        "root": base64.b64encode(shown).decode(), "kind": "COSIGNATURE",
        "by": WITNESS.public.id, "key": vkey(WITNESS.public, COSIGNATURE),
        "evidence": base64.b64encode(plain + cosign(plain, by, AT)).decode(), "quorum": 1,
        "at": "2026-08-31T23:30:00.000Z", "seq": len(tree.bodies),
    }  # fmt: skip
    files = logged(tree.files, [*tree.bodies, canonical(statement)])
    log = Held({n[9:]: b for n, b in files.items() if n.startswith("site/log/")}, "log/")
    found = Findings()
    verify_targets.verify(verify_targets.Target("record", "x", log, None, stem="x", beside=log),
                          Trust((ROOT.public,)), [], found)  # fmt: skip
    found.problems = [one for one in found.problems if "witness" in one.where]
    return found


def test_a_countersignature_in_the_log_is_checked_with_the_key_it_states(tree: Published) -> None:
    found = witnessed(tree, WITNESS)
    assert (found.problems, found.counts["cosignatures"]) == ([], 1)


def test_a_countersignature_by_another_key_or_of_another_tree_is_named(tree: Published) -> None:
    for found in (witnessed(tree, OTHER), witnessed(tree, WITNESS, root=b"\1" * 32)):
        [problem] = found.problems
        assert problem.where.startswith("seq 36 (witness by witness-")
