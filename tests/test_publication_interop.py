"""Two implementations that share no code: ours, and ``proofbundle`` (MIT), each reads the other.

It brings the RFC 6962 tree, signed notes, both cosignatures and ``.tlog-proof`` of C2SP.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from index.ledger import merkle
from index.ledger.tiles import Head, Tree, checkpoint_text
from index.publication import keyring, notes, proofs
from index.publication.keys import DemoSigner, PublicKey

pytest.importorskip("proofbundle", reason="proofbundle is not installed")
from proofbundle import checkpoint as their_notes  # type: ignore[import-not-found,unused-ignore]
from proofbundle import merkle as their_tree
from proofbundle import tlogproof as their_proofs

ORIGIN = "example.org/log"
AT = datetime(2026, 11, 21, 7, 45, tzinfo=UTC)
SECONDS = int(AT.timestamp())
RING = keyring.demo(ORIGIN, "example.org")
WITNESS = DemoSigner("witness", name="witness.example/one")
WITNESS_PQ = DemoSigner("witness", "ml-dsa-44", name="witness.example/two")
BODIES = [b'{"seq":%d}' % seq for seq in range(70)]
TREE = Tree()
for _one in BODIES:
    TREE.add(merkle.leaf_hash(_one))
NOTE = notes.sign_checkpoint(checkpoint_text(ORIGIN, TREE.head).encode(), RING, AT)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 33, 64, 65, 70])
def test_both_trees_are_one_tree(size: int) -> None:
    bodies = BODIES[:size]
    root = TREE.root_at(size)
    assert their_tree.merkle_tree_hash(bodies) == root
    for index in range(size):
        path = TREE.inclusion_proof(index, size)
        assert their_tree.inclusion_proof(bodies, index) == path
        assert their_tree.verify_inclusion(bodies[index], index, size, path, root)
    for old in range(1, size + 1):
        proof = TREE.consistency_proof(old, size)
        assert their_tree.consistency_proof(bodies, old) == proof
        assert their_tree.verify_consistency(old, size, proof, TREE.root_at(old), root)


def test_they_verify_our_checkpoint_and_our_cosignatures() -> None:
    note = NOTE
    for witness in (WITNESS, WITNESS_PQ):
        note = notes.add_line(note, notes.cosign(NOTE, witness, AT))
    text = note.decode()
    found: dict[str, Any] = their_notes.verify_checkpoint(text, notes.vkey(RING.log.public, 1))
    assert (found["ok"], found["origin"], found["tree_size"]) == (True, ORIGIN, 70)
    for key, kind in ((RING.log_pq.public, 6), (WITNESS.public, 4), (WITNESS_PQ.public, 6)):
        found = their_notes.verify_cosignature(text, notes.vkey(key, kind))
        assert (found["ok"], found["tree_size"], found["timestamp"]) == (True, 70, SECONDS)
    other = notes.vkey(DemoSigner("mock", name="witness.example/one").public, 4)
    assert not their_notes.verify_cosignature(text, other)["ok"]


def test_they_write_our_keys_as_we_do() -> None:
    key = RING.log.public
    assert their_notes.vkey(key.name, key.raw) == notes.vkey(key, notes.NOTE)
    key = WITNESS.public
    assert their_notes.cosign_vkey(key.name, key.raw) == notes.vkey(key, notes.COSIGNATURE)
    key = WITNESS_PQ.public
    assert their_notes.cosign_vkey_mldsa(key.name, key.raw) == notes.vkey(key, notes.SUBTREE)


def test_we_verify_their_checkpoint_and_their_cosignatures() -> None:
    log = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    witness = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    quantum = MLDSA44PrivateKey.from_seed_bytes(bytes(range(2, 34)))
    root = hashlib.sha256(b"their tree").digest()
    text = their_notes.sign_checkpoint(ORIGIN, 12345, root, log, ORIGIN)
    text = their_notes.cosign_checkpoint(text, witness, "witness.example/a", SECONDS)
    text = their_notes.cosign_checkpoint_mldsa(text, quantum, "witness.example/b", SECONDS)
    raws = [key.public_key().public_bytes_raw() for key in (log, witness, quantum)]
    keys = [
        PublicKey(ORIGIN, "log", "ed25519", raws[0]),
        PublicKey("witness.example/a", "witness", "ed25519", raws[1]),
        PublicKey("witness.example/b", "witness", "ml-dsa-44", raws[2]),
    ]
    found = notes.verify_checkpoint(text.encode(), keys)
    assert found.head == Head(12345, root)
    assert found.signed_by == [keys[0].id]
    assert found.cosigned == [(keys[1].id, AT), (keys[2].id, AT)]


@pytest.mark.parametrize("seq", [0, 5, 69])
def test_proofs_go_both_ways(seq: int) -> None:
    note = notes.add_line(NOTE, notes.cosign(NOTE, WITNESS_PQ, AT))
    ours = proofs.make(TREE, seq, note)
    keys = notes.vkey(RING.log.public, 1), [notes.vkey(WITNESS_PQ.public, 6)]
    found = their_proofs.verify_tlog_proof(ours.decode(), BODIES[seq], *keys, threshold=1)
    assert (found["ok"], found["index"]) == (True, seq)
    assert not their_proofs.verify_tlog_proof(ours.decode(), b"other", *keys, threshold=1)["ok"]
    path = TREE.inclusion_proof(seq)
    theirs = their_proofs.format_tlog_proof(seq, path, note.decode(), b"extra").encode()
    checked = proofs.verify(theirs, BODIES[seq], [*RING.log_keys, WITNESS_PQ.public])
    assert checked.cosigned == [(WITNESS_PQ.public.id, AT)]
    assert their_proofs.format_tlog_proof(seq, path, note.decode()).encode() == ours
