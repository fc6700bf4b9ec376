"""A witness of a log whose keys change: the root proves them, the daily keys alone never do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from index.ledger import merkle
from index.ledger.canonical import canonical
from index.ledger.tiles import ENTRIES, Tree, checkpoint_text, encode_bundle, tiles_of
from index.publication import key_records, keyring
from index.publication.keys import (
    ML_DSA_44,
    DemoSigner,
    PublicKey,
    Signer,
    _Held,
    private_from_seed,
)
from index.publication.notes import sign_checkpoint, verify_checkpoint
from index.shelves import Held
from index.witness import Watch, Witness
from methodology.errors import VerificationError

ORIGIN = "example.org/log"
AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
RING = keyring.demo(ORIGIN)
THIEF_ROOT = DemoSigner("mock", name="thief/root")
WITNESS = DemoSigner("witness", name="venue")


def signer(seed: bytes) -> Signer:
    return _Held(private_from_seed("ed25519", seed * 32), name=ORIGIN, purpose="log")


NEW, OTHER = signer(b"n"), signer(b"o")


@dataclass(frozen=True)
class Keys:
    """Who signs the checkpoints of a log."""

    log: Signer
    log_pq: Signer


OLD_KEYS, NEW_KEYS, OTHER_KEYS = (Keys(one, RING.log_pq) for one in (RING.log, NEW, OTHER))
OPENING = [canonical(make(seq)) for seq, make in enumerate(key_records.opening(RING, ORIGIN, AT))]
MORE = [canonical({"seq": 4, "type": "incident"}), canonical({"seq": 5, "type": "incident"})]
START = [*OPENING, *MORE]


def shown(bodies: list[bytes], keys: Keys) -> Held:
    """Return the files of a log of these entries."""
    tree, files = Tree(), {}
    for body in bodies:
        tree.add(merkle.leaf_hash(body))
    for tile in tiles_of(len(bodies)):
        at = tile.index * 256
        files[tile.path] = (
            encode_bundle(bodies[at : at + tile.width])
            if tile.level == ENTRIES
            else b"".join(tree.hashes(tile))
        )
    note = sign_checkpoint(checkpoint_text(ORIGIN, tree.head).encode(), keys, AT)
    return Held({**files, "checkpoint": note}, "log/")


def rotation(seq: int, new: Signer, root: Signer | None = None) -> bytes:
    told: dict[str, Any] = key_records.rotate(
        new, RING.log.public, origin=ORIGIN, at=AT, effective_seq=seq,
        root=root or RING.root_signer, old=RING.log,
    )  # fmt: skip
    return canonical({**told, "seq": seq})


def revocation(seq: int) -> bytes:
    told = key_records.revoke(
        RING.log.public, origin=ORIGIN, at=AT, effective_seq=seq, reason="stolen",
        root=RING.root_signer,
    )  # fmt: skip
    return canonical({**told, "seq": seq})


@pytest.fixture
def venue(tmp_path: Path) -> Witness:
    return made(tmp_path)


def made(state: Path, *keys: PublicKey) -> Witness:
    logs = {ORIGIN: list(keys) or [RING.log.public, RING.log_pq.public]}
    return Witness(state, [WITNESS], logs, lambda: AT)


def look(venue: Witness, shelf: Held) -> bytes:
    return Watch(venue, shelf, ORIGIN).look()


def test_a_key_that_the_root_put_in_place_of_the_old_one_is_followed_and_kept(
    venue: Witness, tmp_path: Path
) -> None:
    look(venue, shown(START, OLD_KEYS))
    grown = [*START, rotation(6, NEW)]
    note = look(venue, shown(grown, NEW_KEYS))
    assert verify_checkpoint(note, [NEW.public, WITNESS.public]).cosigned
    # Another process begins with the same old keys, and knows the new one.
    again = made(tmp_path)
    look(again, shown([*grown, canonical({"seq": 7})], NEW_KEYS))
    assert again.head(ORIGIN).size == 8
    # What was given anew counts for itself.
    assert made(tmp_path, OTHER.public).logs[ORIGIN] == (OTHER.public,)


def test_the_old_key_signs_nothing_more_once_it_was_replaced(venue: Witness) -> None:
    look(venue, shown(START, OLD_KEYS))
    grown = [*START, rotation(6, NEW)]
    look(venue, shown(grown, NEW_KEYS))
    with pytest.raises(VerificationError, match="no other key is proved"):
        look(venue, shown([*grown, canonical({"seq": 7})], OLD_KEYS))
    assert venue.head(ORIGIN).size == 7


@pytest.mark.parametrize("record", [rotation(6, NEW), revocation(6)], ids=["replaced", "revoked"])
def test_a_stolen_key_does_not_outlive_the_record_that_ends_it(
    tmp_path: Path, record: bytes
) -> None:
    venue = made(tmp_path, RING.log.public)
    stolen = Keys(RING.log, DemoSigner("mock", ML_DSA_44, name=ORIGIN))
    look(venue, shown(START, stolen))
    with pytest.raises(VerificationError):
        look(venue, shown([*START, record, canonical({"seq": 7})], stolen))
    assert venue.head(ORIGIN).size == 6


def test_a_witness_that_was_killed_after_it_took_the_new_key_goes_on(tmp_path: Path) -> None:
    venue = made(tmp_path)
    look(venue, shown(START, OLD_KEYS))
    venue.adopt(ORIGIN, [NEW.public, RING.log_pq.public])
    again = made(tmp_path)
    look(again, shown([*START, rotation(6, NEW)], NEW_KEYS))
    assert again.head(ORIGIN).size == 7


def test_a_record_of_a_key_that_is_left_out_of_the_entries_is_missed_by_the_root(
    venue: Witness,
) -> None:
    look(venue, shown(START, OLD_KEYS))
    true = shown([*START, revocation(6), canonical({"seq": 7})], OLD_KEYS)
    false = shown([*START, canonical({"seq": 6}), canonical({"seq": 7})], OLD_KEYS)
    name = "tile/entries/000.p/8"
    with pytest.raises(VerificationError, match=f"{name}: the entries from seq 6 on do not make"):
        look(venue, Held({**true.files, name: false.files[name]}, "log/"))
    assert venue.head(ORIGIN).size == 6


@pytest.mark.parametrize(
    ("bodies", "keys", "why"),
    [
        ([*START, rotation(6, OTHER, THIEF_ROOT)], OTHER_KEYS, "no record of the log creates"),
        ([*START, canonical({"seq": 6})], OTHER_KEYS, "no other key is proved"),
        ([*START[:5], rotation(5, NEW)], NEW_KEYS, "the log was forked"),
        ([*START[:4], rotation(4, NEW)], NEW_KEYS, "shorter than it was"),
    ],
    ids=["by_another_root", "no_rotation", "rotated_in_the_past", "rotated_earlier"],
)
def test_a_key_that_is_not_proved_is_refused_and_is_no_evidence_against_the_log(
    venue: Witness, bodies: list[bytes], keys: Keys, why: str
) -> None:
    look(venue, shown(START, OLD_KEYS))
    with pytest.raises(VerificationError, match=why) as found:
        look(venue, shown(bodies, keys))
    assert getattr(found.value, "evidence", None) is None
    assert (venue.head(ORIGIN).size, list(venue.state.glob("*evidence*"))) == (6, [])
    assert venue.logs[ORIGIN] == (RING.log.public, RING.log_pq.public)


def test_a_witness_that_cosigned_nothing_takes_no_key_from_the_log(venue: Witness) -> None:
    with pytest.raises(VerificationError, match="nothing was cosigned under them"):
        look(venue, shown([*START, rotation(6, NEW)], NEW_KEYS))
    assert venue.head(ORIGIN).size == 0
