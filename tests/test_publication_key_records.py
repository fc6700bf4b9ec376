"""Who may sign which record: the history of a log's keys."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from index.ledger.canonical import canonical
from index.publication import key_records as kr
from index.publication import keyring, schema
from index.publication.key_records import KeyHistory
from methodology.errors import ConfigError, VerificationError
from tests.key_world import (
    AFTER,
    ALICE,
    AT,
    FIXING,
    NEW_LOG,
    NEW_ROOT,
    NEXT,
    ORIGIN,
    RING,
    ROOT,
    Seeded,
    created,
    ids,
    opening,
    revoked,
    rotated,
)  # fmt: skip

# The opening --------------------------------------------------------------------------------------


def test_a_log_opens_with_four_records_that_keep_their_schema() -> None:
    records = opening()
    assert [one["key_id"] for one in records] == [key.id for key in RING.public_keys]
    assert [len(one["signatures"]) for one in records] == [1, 2, 2, 2]
    for one in records:
        schema.check(one)
        assert len(canonical(one)) < 65_535
    assert [canonical(one) for one in records] == [canonical(one) for one in opening()]
    history = KeyHistory.read(records, origin=ORIGIN, root=RING.root)
    assert ids(history, "fixing", 0) == [FIXING]
    assert [key.id for key in history.checkpoint_keys(4)] == [k.id for k in RING.log_keys]


def test_what_is_signed_is_the_record_without_place_and_signatures() -> None:
    record = opening()[1]
    content = {name: value for name, value in record.items() if name not in ("seq", "signatures")}
    for one, key in zip(record["signatures"], (RING.root, RING.fixing.public), strict=True):
        assert one["key_id"] == key.id
        assert key.verify(canonical(content), base64.b64decode(one["signature"]))


def test_a_time_in_another_zone_is_written_in_utc() -> None:
    at = datetime(2026, 11, 21, 15, 0, tzinfo=timezone(timedelta(hours=8)))
    said = kr.statement(kr.CREATE, NEXT.public, origin=ORIGIN, at=at, effective_seq=0)
    assert said["at"] == "2026-11-21T07:00:00.000Z"
    said = kr.statement(
        kr.CREATE, NEXT.public, origin=ORIGIN, at=AT.replace(tzinfo=UTC), effective_seq=0
    )
    assert said["at"] == "2026-11-21T07:00:00.000Z"


def test_a_root_that_is_offline_has_signed_the_opening_before() -> None:
    made = kr.opening_statements(RING, ORIGIN, AT)
    offline = keyring.Keyring(
        RING.root, None, RING.fixing, RING.log, RING.log_pq, is_demo=True, opening=made
    )
    assert [make(seq) for seq, make in enumerate(kr.opening(offline, ORIGIN, AT))] == opening()
    with pytest.raises(ConfigError, match="has signed no opening for the keys"):
        kr.opening(offline, "example.org/other", AT)
    bare = keyring.Keyring(RING.root, None, RING.fixing, RING.log, RING.log_pq, is_demo=True)
    with pytest.raises(ConfigError, match="`spotfix keys opening"):
        kr.opening(bare, ORIGIN, AT)


# One key after another ----------------------------------------------------------------------------


def test_a_rotation_hands_over_at_its_own_record_or_later() -> None:
    history = KeyHistory.read([*opening(), rotated(10), rotated(20, AFTER, NEXT, effective_seq=25)])
    assert [ids(history, "fixing", seq)[0] for seq in (0, 9, 10, 24, 25, 99)] == [
        FIXING, FIXING, NEXT.public.id, NEXT.public.id, AFTER.public.id, AFTER.public.id,
    ]  # fmt: skip
    states = {one["id"]: one for one in history.states(22)}
    assert [states[k]["state"] for k in (FIXING, NEXT.public.id, AFTER.public.id)] == [
        "REPLACED", "IN_FORCE", "PLANNED",
    ]  # fmt: skip
    assert states[NEXT.public.id]["first_seq"] == 10
    assert states[NEXT.public.id]["until_seq"] == 25


def test_a_statement_signed_long_before_takes_effect_where_it_is_logged() -> None:
    signed = rotated(10)
    history = KeyHistory.read([*opening(), {**signed, "seq": 400}])
    assert ids(history, "fixing", 399) == [FIXING]
    assert ids(history, "fixing", 400) == [NEXT.public.id]


def test_the_old_key_need_not_sign_when_it_is_lost() -> None:
    words: dict[str, Any] = {"origin": ORIGIN, "at": AT, "effective_seq": 9, "root": ROOT}
    made = {**kr.rotate(NEXT, RING.fixing.public, **words), "seq": 9}
    assert ids(KeyHistory.read([*opening(), made]), "fixing", 9) == [NEXT.public.id]


def test_each_algorithm_of_the_log_rotates_by_itself() -> None:
    history = KeyHistory.read([*opening(), rotated(7, NEW_LOG, RING.log)])
    assert {key.id for key in history.checkpoint_keys(7)} == {k.id for k in RING.log_keys}
    assert {key.id for key in history.checkpoint_keys(8)} == {
        NEW_LOG.public.id,
        RING.log_pq.public.id,
    }


def test_officers_are_many_and_begin_where_they_are_logged() -> None:
    bob = Seeded(7, "officer", "bob")
    history = KeyHistory.read([*opening(), created(8, ALICE), created(9, bob)])
    assert ids(history, "officer", 7) == []
    assert ids(history, "officer", 8) == [ALICE.public.id]
    assert ids(history, "officer", 9) == [ALICE.public.id, bob.public.id]


def test_a_new_root_signs_after_the_old_one() -> None:
    records = [*opening(), rotated(5, NEW_ROOT, ROOT, old=None)]
    history = KeyHistory.read([*records, created(6, ALICE, NEW_ROOT)])
    assert ids(history, "root", 6) == [NEW_ROOT.public.id]
    with pytest.raises(VerificationError, match=f"seq 6.*the root in force, {NEW_ROOT.public.id}"):
        KeyHistory.read([*records, created(6, ALICE, ROOT)])


# Revocation ---------------------------------------------------------------------------------------


def stolen() -> KeyHistory:
    return KeyHistory.read([*opening(), rotated(40), revoked(41, RING.fixing.public, 30)])


def test_a_revoked_keys_signatures_hold_before_and_count_for_nothing_after() -> None:
    history, message = stolen(), b"a record"
    signature = RING.fixing.sign(message)
    for seq in (0, 29):
        assert history.verify("fixing", seq, message, signature) == FIXING
    for seq in (30, 39, 40, 500):
        with pytest.raises(
            VerificationError, match=f"seq {seq}, key {FIXING}: revoked from seq 30"
        ):
            history.verify("fixing", seq, message, signature)
        with pytest.raises(
            VerificationError, match=f"seq {seq}, key {FIXING}: revoked from seq 30"
        ):
            history.verify("fixing", seq, message, signature, FIXING)
    assert history.verify("fixing", 40, message, NEXT.sign(message)) == NEXT.public.id


def test_between_revocation_and_rotation_nobody_signs() -> None:
    assert ids(stolen(), "fixing", 35) == []
    with pytest.raises(VerificationError, match=r"signature at seq 35: .*none in force"):
        stolen().verify("fixing", 35, b"m", bytes(64))
    with pytest.raises(VerificationError, match=f"seq 35, key {NEXT.public.id}: it holds from seq"):
        stolen().verify("fixing", 35, b"m", NEXT.sign(b"m"))


def test_a_revocation_that_reaches_back_to_the_start_leaves_nothing() -> None:
    history = KeyHistory.read([*opening(), rotated(40), revoked(41, RING.fixing.public, 0)])
    with pytest.raises(VerificationError, match="revoked from seq 0 on"):
        history.verify("fixing", 0, b"m", RING.fixing.sign(b"m"))
    state = next(one for one in history.states(50) if one["id"] == FIXING)
    assert (state["state"], state["revoked_from_seq"], state["reason"]) == ("REVOKED", 0, "copied")


@pytest.mark.parametrize(
    ("key_id", "purpose", "seq", "told"),
    [
        ("fixing-0000000000000000", "fixing", 5, "no record of the log creates this key"),
        (FIXING, "log", 5, "it is a key for fixing and log is needed"),
        (NEXT.public.id, "fixing", 39, "it holds from seq 40 on"),
        (FIXING, "fixing", 30, "revoked from seq 30 on .copied."),
    ],
)
def test_a_key_that_may_not_sign_is_named_with_the_record(
    key_id: str, purpose: str, seq: int, told: str
) -> None:
    with pytest.raises(VerificationError, match=f"signature at seq {seq}, key {key_id}: {told}"):
        stolen().key(key_id, purpose, seq)


def test_a_key_that_was_replaced_signs_nothing_after() -> None:
    history = KeyHistory.read([*opening(), rotated(10)])
    with pytest.raises(VerificationError, match=f"key {FIXING}: another key took over at seq 10"):
        history.key(FIXING, "fixing", 10)
