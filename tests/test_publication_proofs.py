"""``.tlog-proof`` files: what is in one, who can check it, and every changed byte."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.ledger.merkle import leaf_hash
from index.ledger.tiles import Tree, checkpoint_text
from index.publication import keyring, notes, proofs
from index.publication.keys import DemoSigner
from methodology.errors import VerificationError

AT = datetime(2026, 11, 21, 7, 45, tzinfo=UTC)
RING = keyring.demo("example.org/log", "example.org")
WITNESS = DemoSigner("witness", name="witness.example/one")
RECORDS = [b'{"seq":%d}' % seq for seq in range(300)]
TREE = Tree()
for _one in RECORDS:
    TREE.add(leaf_hash(_one))


def note(size: int = 300) -> bytes:
    grown = Tree()
    for one in RECORDS[:size]:
        grown.add(leaf_hash(one))
    return notes.sign_checkpoint(checkpoint_text("example.org/log", grown.head).encode(), RING, AT)


NOTE = note()
PROOF = proofs.make(TREE, 77, NOTE)


def test_a_proof_has_the_lines_of_the_page() -> None:
    lines = PROOF.decode().split("\n")
    blank = lines.index("")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 77"]
    hashes = [base64.b64decode(line) for line in lines[2:blank]]
    assert {len(one) for one in hashes} == {32}
    assert hashes[0] == hashlib.sha256(b"\x00" + RECORDS[76]).digest()
    assert "\n".join(lines[blank + 1 :]).encode() == NOTE
    assert PROOF[-2:] not in (b"\n\n", b"\r\n")
    assert PROOF.endswith(b"\n")


@pytest.mark.parametrize("seq", [0, 1, 76, 255, 256, 298, 299])
@pytest.mark.parametrize("size", [300, None], ids=["of_300", "just_enough"])
def test_every_record_is_proven_in_any_tree_that_has_it(seq: int, size: int | None) -> None:
    size = size or seq + 1
    made = proofs.make(TREE, seq, note(size))
    found = proofs.verify(made, RECORDS[seq], RING.log_keys)
    assert (found.size, found.root) == (size, TREE.root_at(size))
    assert proofs.parse(made).encode() == made


def test_a_tree_of_one_has_an_empty_path() -> None:
    made = proofs.make(TREE, 0, note(1))
    assert made.startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nexample.org/log\n1\n")
    assert proofs.verify(made, RECORDS[0], RING.log_keys).size == 1


def test_witnesses_of_the_checkpoint_are_told() -> None:
    seen = notes.add_line(NOTE, notes.cosign(NOTE, WITNESS, AT))
    made = proofs.make(TREE, 5, seen)
    found = proofs.verify(made, RECORDS[5], [*RING.log_keys, WITNESS.public])
    assert found.cosigned == [(WITNESS.public.id, AT)]


def test_extra_data_is_read_and_proves_nothing() -> None:
    whole = replace(proofs.parse(PROOF), extra=b"darwin")
    assert b"\nextra ZGFyd2lu\nindex 77\n" in whole.encode()
    assert proofs.parse(whole.encode()).extra == b"darwin"
    assert proofs.verify(whole.encode(), RECORDS[77], RING.log_keys).size == 300


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"tlog-proof@v1", b"tlog-proof@v2", "proof line 1"),
        (b"index 77", b"index 077", "proof line 2: 'index 077' is not 'index NUMBER'"),
        (b"index 77", b"index -7", "is not 'index NUMBER'"),
        (b"index 77\n", b"", "proof line 2: .* is not 'index NUMBER'"),
        (b"index 77\n", b"index 77\nQUJD\n", "proof line 3: 3 bytes where a hash has 32"),
        (b"index 77\n", b"index 77\n!\n", "proof line 3: '!' is not base64"),
        (b"index 77\n", b"extra ===\nindex 77\n", "proof line 2: '===' is not base64"),
        (b"index 77\n", b"index 77\r\n", "is not 'index NUMBER'"),
        (b"\n\n", b"\n", "no blank line|proof line"),
        (b"index 77", b"index 78", "do not stand at index 78 of example.org/log at size 300"),
        (b"index 77", b"index 300", "do not stand at index 300"),
        (b"\n300\n", b"\n301\n", "does not verify"),
    ],
)
def test_another_form_or_another_claim_is_refused(old: bytes, new: bytes, told: str) -> None:
    changed = PROOF.replace(old, new, 1)
    assert changed != PROOF
    with pytest.raises(VerificationError, match=told):
        proofs.verify(changed, RECORDS[77], RING.log_keys)


def test_a_hash_has_one_spelling() -> None:
    line = PROOF.splitlines()[2]
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = line[:-2] + letters[letters.index(line[-2]) + 1 :][:1] + b"="
    assert base64.b64decode(other) == base64.b64decode(line)
    with pytest.raises(VerificationError, match=r"proof line 3: .* is not the one spelling"):
        proofs.parse(PROOF.replace(line, other))


def test_other_bytes_than_the_logged_ones_are_refused() -> None:
    for other in (RECORDS[78], RECORDS[77] + b"\n", b"", b'{"seq": 77}'):
        with pytest.raises(VerificationError, match="do not stand at index 77"):
            proofs.verify(PROOF, other, RING.log_keys)


def test_a_path_too_long_too_short_or_out_of_order_is_refused() -> None:
    whole = proofs.parse(PROOF)
    path = whole.path
    for wrong in (path[1:], path[:-1], (*path, path[0]), path[::-1], ()):
        with pytest.raises(VerificationError, match="do not lead to root"):
            proofs.verify(replace(whole, path=wrong).encode(), RECORDS[77], RING.log_keys)
    with pytest.raises(VerificationError, match="64 hashes; no tree is that deep"):
        proofs.parse(replace(whole, path=path[:1] * 64).encode())


def test_a_proof_by_a_log_nobody_knows_is_refused() -> None:
    with pytest.raises(VerificationError, match="not signed as it must be"):
        proofs.verify(PROOF, RECORDS[77], [RING.fixing.public])


def test_a_proof_is_made_of_a_checkpoint_that_has_the_record() -> None:
    with pytest.raises(IndexError):
        proofs.make(TREE, 50, note(50))
    with pytest.raises(VerificationError, match="no blank line"):
        proofs.make(TREE, 5, b"no note")


@given(at=st.integers(0, len(PROOF) - 2600), bit=st.integers(0, 7))
def test_no_bit_up_to_the_ed25519_line_changes_unseen(at: int, bit: int) -> None:
    bent = bytearray(PROOF)
    bent[at] ^= 1 << bit
    try:
        found = proofs.verify(bytes(bent), RECORDS[77], RING.log_keys)
    except VerificationError:
        return
    raise AssertionError(f"byte {at}: {found}")


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_fail_otherwise(body: bytes) -> None:
    for text in (body, proofs.HEADER.encode() + b"\n" + body, PROOF[: len(body)] + body):
        try:
            found = proofs.parse(text)
        except VerificationError:
            continue
        assert found.encode() == text
