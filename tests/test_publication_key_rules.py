"""Every contradiction in the key records of a log is refused, with the key and the record named."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from index.publication import key_records as kr
from index.publication.key_records import KeyHistory
from index.publication.keys import ML_DSA_44, PublicKey, Signer
from methodology.errors import ConfigError, VerificationError
from tests.key_world import (
    AFTER,
    ALICE,
    AT,
    FIXING,
    NEW_ROOT,
    NEXT,
    ORIGIN,
    RING,
    ROOT,
    STRANGER,
    Record,
    Seeded,
    created,
    ids,
    opening,
    revoked,
    rotated,
)  # fmt: skip


def bent(record: Mapping[str, Any], place: int) -> Record:
    """Return the record with one bit of one signature changed."""
    signatures = [dict(one) for one in record["signatures"]]
    raw = bytearray(base64.b64decode(signatures[place]["signature"]))
    raw[0] ^= 1
    signatures[place]["signature"] = base64.b64encode(raw).decode()
    return {**record, "signatures": signatures}


def signed_anew(record: Mapping[str, Any], *signers: Signer, **change: Any) -> Record:
    """Return the record changed and signed as if that were true."""
    return kr.sign({**record, **change, "signatures": []}, *signers)


REFUSED: dict[str, tuple[Callable[[], list[Record]], str]] = {
    "the_first_is_no_root": (
        lambda: [created(0, NEXT, None)],
        "seq 0, key fixing-.*creates its root",
    ),
    "self_signature_of_the_root_fails": (
        lambda: [bent(opening()[0], 0)],
        "seq 0, key root-.*does not verify",
    ),
    "self_signature_of_a_key_fails": (
        lambda: [*opening()[:1], bent(opening()[1], 1)],
        f"seq 1, key {FIXING}: the signature of {FIXING} does not verify",
    ),
    "the_roots_signature_fails": (
        lambda: [*opening()[:1], bent(opening()[1], 0)],
        f"seq 1, key {FIXING}: the signature of root-.* does not verify",
    ),
    "a_key_without_its_own_signature": (
        lambda: [*opening()[:1], {**opening()[1], "signatures": opening()[1]["signatures"][:1]}],
        f"seq 1, key {FIXING}: the new key did not sign its own record",
    ),
    "a_key_without_the_root": (
        lambda: [*opening(), created(9, ALICE, None)],
        "seq 9, key officer-.*: the root in force, root-.*, did not sign it",
    ),
    "a_rotation_without_the_root": (
        lambda: [*opening(), rotated(9, root=None)],
        f"seq 9, key {NEXT.public.id}: the root in force, root-.*, did not sign it",
    ),
    "a_rotation_by_a_stranger": (
        lambda: [*opening(), rotated(9, root=STRANGER)],
        f"seq 9, key {NEXT.public.id}: signed by {STRANGER.public.id}, which no record",
    ),
    "a_revocation_by_the_key_itself": (
        lambda: [*opening(), revoked(9, RING.fixing.public, 9, root=RING.fixing)],
        f"seq 9, key {FIXING}: the root in force, root-.*, did not sign it",
    ),
    "one_signer_twice": (
        lambda: [*opening(), kr.sign(created(9, ALICE), ROOT)],
        "seq 9, key officer-.*: signed twice by root-",
    ),
    "two_keys_for_one_purpose": (
        lambda: [*opening(), created(9, NEXT)],
        f"seq 9, key {NEXT.public.id}: {FIXING} is in force at seq 9",
    ),
    "a_second_root": (lambda: [*opening(), created(9, NEW_ROOT)], "seq 9, key root-.*is in force"),
    "a_key_begins_twice": (
        lambda: [*opening(), created(8, ALICE), {**created(8, ALICE), "seq": 9}],
        "seq 9, key officer-.*: this key began at seq 8; no key begins twice",
    ),
    "a_revoked_key_is_used_again": (
        lambda: [
            *opening(),
            rotated(8),
            revoked(9, RING.fixing.public, 5),
            rotated(10, RING.fixing, NEXT),
        ],
        f"seq 10, key {FIXING}: this key began at seq 1, revoked from seq 5; no key begins twice",
    ),
    "one_key_for_two_purposes": (
        lambda: [*opening(), created(8, Seeded(1, "officer", "o")), rotated(9)],
        f"seq 9, key {NEXT.public.id}: this key began at seq 8",
    ),
    "a_key_that_handed_over_hands_over_again": (
        lambda: [*opening(), rotated(8), rotated(9, AFTER)],
        f"seq 9, key {AFTER.public.id}: it replaces {FIXING}, which handed over at seq 8 already",
    ),
    "a_revoked_key_hands_over": (
        lambda: [*opening(), revoked(8, RING.fixing.public, 8), rotated(9)],
        f"seq 9, key {NEXT.public.id}: it replaces {FIXING}, revoked from seq 8",
    ),
    "an_unknown_key_hands_over": (
        lambda: [*opening(), rotated(9, AFTER, NEXT, old=None)],
        f"seq 9, key {AFTER.public.id}: it replaces {NEXT.public.id}, which no record",
    ),
    "a_handover_across_purposes": (
        lambda: [*opening(), signed_anew(rotated(9), ROOT, NEXT, replaces=RING.log.public.id)],
        f"it replaces {RING.log.public.id}, which has another purpose or algorithm",
    ),
    "a_planned_key_is_replaced_before_it_holds": (
        lambda: [*opening(), rotated(8, effective_seq=50), rotated(9, AFTER, NEXT)],
        "which holds only from seq 50 on",
    ),
    "revoked_twice": (
        lambda: [
            *opening(),
            rotated(7),
            revoked(8, RING.fixing.public, 5),
            revoked(9, RING.fixing.public, 6),
        ],
        f"seq 9, key {FIXING}: revoked from seq 5 on already",
    ),
    "an_unknown_key_is_revoked": (
        lambda: [*opening(), revoked(9, NEXT.public, 5)],
        f"seq 9, key {NEXT.public.id}: it revokes a key that no record of the log creates",
    ),
    "revoked_without_a_reason": (
        lambda: [*opening(), revoked(9, RING.fixing.public, 5, reason="")],
        f"seq 9, key {FIXING}: a revocation says why",
    ),
    "revoked_under_another_name": (
        lambda: [*opening(), revoked(9, Seeded(3, "officer", "eve").public, 5)],
        "it revokes a key that no record",
    ),
    "a_root_that_signed_is_revoked_from_before": (
        lambda: [
            *opening(),
            rotated(8, NEW_ROOT, ROOT, old=None),
            revoked(9, RING.root, 8, root=NEW_ROOT),
        ],
        "seq 9, .*: from seq 8 on this root would count for nothing, yet it signed .* seq 8",
    ),
    "no_root_is_left": (
        lambda: [*opening(), revoked(8, RING.root, 9), created(10, ALICE)],
        "seq 10, key officer-.*: no root is in force any more",
    ),
    "a_first_fixing_key_of_another_kind_reaching_back_over_the_log": (
        lambda: [*opening(), created(9, Seeded(7, "fixing", "x", ML_DSA_44))],
        "seq 9, key fixing-.*: a key for fixing is ed25519, not ml-dsa-44",
    ),
    "another_log": (
        lambda: [*opening(), {**created(9, ALICE), "log_origin": "example.org/two"}],
        "seq 9, key officer-.*: it is of the log 'example.org/two', not 'example.org/log'",
    ),
    "out_of_order": (
        lambda: [*opening(), created(3, ALICE)],
        "seq 3, .*follows the key record at seq 3",
    ),
    "a_field_too_many": (
        lambda: [{**opening()[0], "note": "x"}],
        r"fields \['note'\] are missing or",
    ),
    "a_field_too_few": (
        lambda: [{k: v for k, v in opening()[0].items() if k != "reason"}],
        r"fields \['reason'\]",
    ),
    "an_id_that_is_not_the_keys": (
        lambda: [{**opening()[0], "key_id": "root-0000000000000000"}],
        "the id of its public_key is root-",
    ),
    "a_key_that_is_no_key": (
        lambda: [{**opening()[0], "public_key": "AAAA"}],
        "its key cannot be read",
    ),
    "an_unknown_action": (
        lambda: [{**opening()[0], "action": "RENEW"}],
        "action 'RENEW' is not one of",
    ),
    "a_creation_that_replaces": (
        lambda: [*opening(), {**created(9, ALICE), "replaces": FIXING}],
        "'replaces' names a key in a rotation and nowhere else",
    ),
    "a_place_before_the_log": (
        lambda: [{**opening()[0], "effective_seq": -1}],
        "is no place in a log",
    ),
    "a_changed_effect": (
        lambda: [*opening(), {**revoked(9, RING.fixing.public, 9), "effective_seq": 2}],
        f"seq 9, key {FIXING}: the signature of root-.* does not verify",
    ),
    "a_changed_time": (
        lambda: [*opening(), {**created(9, ALICE), "at": "2026-01-01T00:00:00.000Z"}],
        "does not verify",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_a_record_that_contradicts_the_others_is_refused(case: str) -> None:
    make, told = REFUSED[case]
    with pytest.raises(VerificationError, match=told):
        KeyHistory.read(make(), origin=ORIGIN)


def test_a_second_key_of_one_id_cannot_take_the_place_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An id has 64 bits: two officers' keys of one id can be searched for."""
    monkeypatch.setattr(PublicKey, "id", property(lambda key: f"{key.purpose}-{key.algorithm}"))
    with pytest.raises(VerificationError, match=r"seq 9, key officer-.*another key .* has that id"):
        KeyHistory.read([*opening(), created(8, ALICE), created(9, Seeded(9, "officer", "eve"))])


def test_a_refused_record_changes_nothing() -> None:
    history = KeyHistory.read(opening())
    before = history.states(99)
    with pytest.raises(VerificationError):
        history.add(created(9, NEXT))
    assert history.states(99) == before
    history.add(rotated(9))
    assert ids(history, "fixing", 9) == [NEXT.public.id]


def test_the_root_is_the_trusted_one() -> None:
    KeyHistory.read(opening(), root=RING.root)
    with pytest.raises(VerificationError, match=f"seq 0, .*trusted one, {STRANGER.public.id}"):
        KeyHistory.read(opening(), root=STRANGER.public)
    with pytest.raises(VerificationError, match=r"not 'example.org/other'"):
        KeyHistory.read(opening(), origin="example.org/other")


def test_a_successor_is_of_the_same_kind_and_another_key() -> None:
    words: dict[str, Any] = {"origin": ORIGIN, "at": AT, "effective_seq": 9, "root": ROOT}
    with pytest.raises(ConfigError, match="purpose and algorithm stay the same"):
        kr.rotate(Seeded(8, "log", ORIGIN, ML_DSA_44), RING.log.public, **words)
    with pytest.raises(ConfigError, match="cannot take over from itself"):
        kr.rotate(RING.log, RING.log.public, **words)
