"""Signed notes, checkpoints and cosignatures against published bytes and against what is refused.

Keys and notes called Neumann and Root are those of the reference implementation in Go
(golang.org/x/mod/sumdb/note); the note of Quasimodo and the checkpoint behind the sofa stand in
the C2SP pages themselves.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from index.ledger.tiles import Head, checkpoint_text
from index.publication import keyring, notes
from index.publication.keys import ED25519, ML_DSA_44, DemoSigner, PemSigner, PublicKey
from methodology.errors import ConfigError, VerificationError
from tests.test_publication_keys import pem_file

NEUMANN_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ROOT = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
BY_NEUMANN = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZ"
    "b6KE6RyyBwJnAM=\n"
)
BY_ROOT = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33"
    "WWd1RvMc+QQ=\n"
)
QUASIMODO = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQ"
    "U0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2"
    "q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2"
    "oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)

AT = datetime(2026, 11, 21, 7, 45, 12, 999_000, tzinfo=UTC)
ORIGIN = "example.org/log"
RING = keyring.demo(ORIGIN, "example.org")
BODY = checkpoint_text(ORIGIN, Head(300, hashlib.sha256(b"some tree").digest())).encode()
SIGNED = notes.sign_checkpoint(BODY, RING, AT)
WITNESS = DemoSigner("witness", name="witness.example/one")
WITNESS_PQ = DemoSigner("witness", ML_DSA_44, name="witness.example/two")
COSIGNED = notes.add_line(SIGNED, notes.cosign(SIGNED, WITNESS, AT))
COSIGNED = notes.add_line(COSIGNED, notes.cosign(SIGNED, WITNESS_PQ, AT))
ALL = [*RING.log_keys, WITNESS.public, WITNESS_PQ.public]


def known(text: str) -> PublicKey:
    return notes.parse_vkey(text, purpose="log")[0]


# Published bytes ----------------------------------------------------------------------------------


def test_the_reference_note_is_made_byte_for_byte(tmp_path: Path) -> None:
    path = pem_file(tmp_path / "key.pem", NEUMANN_SEED)
    signer = PemSigner(path, name="PeterNeumann", purpose="log")
    assert notes.vkey(signer.public, notes.NOTE) == NEUMANN
    assert notes.sign_note(TEXT.encode(), signer).decode() == TEXT + "\n" + BY_NEUMANN


@pytest.mark.parametrize("key", [NEUMANN, ROOT], ids=["Neumann", "Root"])
def test_the_reference_notes_verify(key: str) -> None:
    note = (TEXT + "\n" + BY_NEUMANN + BY_ROOT).encode()
    found = notes.verify_note(note, [known(key)])
    assert found.body.decode() == TEXT
    assert [one.name for one in found.signatures] == ["PeterNeumann", "EnochRoot"]
    assert [one.key_hash.hex() for one in found.signatures] == ["c74f20a3", "af0cfe78"]
    assert found.encode() == note


def test_the_example_of_the_page_is_parsed_with_the_blank_line_in_its_text() -> None:
    found = notes.parse_note(QUASIMODO.encode())
    assert found.body.decode().endswith("di sole:\n\ned è subito sera.\n")
    assert found.signatures[0].name == "quasimodo.example/salvatore"
    assert len(found.signatures[0].signature) == 64
    assert found.encode() == QUASIMODO.encode()


def test_the_cosigned_checkpoint_of_the_page_states_its_time() -> None:
    log, witness = notes.parse_note(SOFA.encode()).signatures
    assert (len(log.signature), len(witness.signature)) == (64, 72)
    assert int.from_bytes(witness.signature[:8], "big") == 1679315147


@pytest.mark.parametrize(
    "bad",
    [
        NEUMANN[:-1], NEUMANN[1:], NEUMANN.replace("c74f", "c74e"), NEUMANN + "=", "", "a+b",
        NEUMANN.replace("+AR", "+ar"), NEUMANN.replace("Peter", "Pete"),
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)  # fmt: skip
def test_a_mangled_verifier_key_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="key"):
        notes.parse_vkey(bad, purpose="log")


def test_verifier_keys_of_all_three_kinds_come_back() -> None:
    for signer, kind in ((RING.log, 0x01), (WITNESS, 0x04), (WITNESS_PQ, 0x06), (RING.log_pq, 6)):
        key = signer.public
        assert notes.parse_vkey(notes.vkey(key, kind), purpose=key.purpose) == (key, kind)
    with pytest.raises(ConfigError, match="does not sign lines of kind 0x06"):
        notes.vkey(RING.log.public, notes.SUBTREE)


# What a line is made of, taken apart by hand ------------------------------------------------------


def test_the_lines_of_a_checkpoint_are_what_the_pages_say() -> None:
    """Rebuilt here with struct and hashlib from the pages, not with our functions."""
    root = hashlib.sha256(b"some tree").digest()
    text = f"{ORIGIN}\n300\n{base64.b64encode(root).decode()}\n"
    head, _, tail = COSIGNED.decode().rpartition("\n\n")
    assert head + "\n" == text
    lines = [line.split(" ") for line in tail.splitlines()]
    assert [(dash, name) for dash, name, _ in lines] == [
        ("—", ORIGIN), ("—", ORIGIN), ("—", "witness.example/one"), ("—", "witness.example/two"),
    ]  # fmt: skip
    raws = [base64.b64decode(signature) for _, _, signature in lines]
    for raw, kind, key in zip(raws, (1, 6, 4, 6), ALL, strict=True):
        digest = hashlib.sha256(key.name.encode() + b"\n" + bytes([kind]) + key.raw).digest()
        assert raw[:4] == digest[:4]
    seconds = 1795247112  # date -u -d 2026-11-21T07:45:12Z +%s
    assert RING.log.public.verify(text.encode(), raws[0][4:])
    for raw, key in ((raws[1], ALL[1]), (raws[3], ALL[3])):
        name, origin = key.name.encode(), ORIGIN.encode()
        message = b"subtree/v1\n\x00" + bytes([len(name)]) + name + struct.pack(">Q", seconds)
        message += bytes([len(origin)]) + origin + struct.pack(">QQ", 0, 300) + root
        assert raw[4:12] == struct.pack(">Q", seconds)
        assert key.verify(message, raw[12:])
    assert raws[2][4:12] == struct.pack(">Q", seconds)
    message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
    assert WITNESS.public.verify(message, raws[2][12:])


def test_a_checkpoint_says_who_signed_and_when() -> None:
    found = notes.verify_checkpoint(COSIGNED, ALL)
    whole = AT.replace(microsecond=0)
    assert (found.origin, found.size, found.root) == (
        ORIGIN,
        300,
        hashlib.sha256(b"some tree").digest(),
    )
    assert found.signed_by == [key.id for key in RING.log_keys]
    assert found.signed_at == whole
    assert found.cosigned == [(WITNESS.public.id, whole), (WITNESS_PQ.public.id, whole)]
    alone = notes.verify_checkpoint(COSIGNED, [RING.log.public])
    assert (alone.signed_by, alone.cosigned) == ([RING.log.public.id], [])


def test_the_logs_own_keys_are_no_witnesses() -> None:
    """One who holds the log's keys cannot pass for the outsider who saw its checkpoint."""
    own = DemoSigner("log", name="witness.example/own")
    note = notes.add_line(SIGNED, notes.cosign(SIGNED, own, AT))
    found = notes.verify_checkpoint(note, [*RING.log_keys, own.public])
    assert found.cosigned == []


# What is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (TEXT, "no blank line"),
        (TEXT + "\n", "no blank line|last line is not ended|is not '— NAME"),
        (TEXT + BY_NEUMANN, "no blank line"),
        (TEXT + "\n" + BY_NEUMANN[:-1], "last line is not ended"),
        ("\x01" + TEXT + "\n" + BY_NEUMANN, "line 1: control character 0x01"),
        ((TEXT + "\n" + BY_NEUMANN).replace("\n", "\r\n"), "line 1: control character 0x0d"),
        (TEXT + "\n" + BY_NEUMANN.replace("\n", "\r\n"), "line 4: control character 0x0d"),
        (TEXT + "\n" + BY_NEUMANN.replace("Peter", "Bad "), "line 4: .* is not '— NAME SIGNATURE'"),
        (TEXT + "\n" + BY_NEUMANN.replace("Peter", "Peter+"), "line 4: key name"),
        (TEXT + "\n" + BY_NEUMANN.replace("— ", "- "), "line 4: .* is not '— NAME SIGNATURE'"),
        (TEXT + "\n" + BY_NEUMANN + "Unexpected line.\n", "line 5: .* is not '— NAME SIGNATURE'"),
        (TEXT + "\n" + BY_NEUMANN + BY_NEUMANN, "line 5: PeterNeumann .* signed on line 4 already"),
        (TEXT + "\n" + BY_NEUMANN.replace("nAM=", "nAN="), "not the one way to write its bytes"),
        (TEXT + "\n" + BY_NEUMANN.replace("nAM=", "nAM"), "is not base64"),
        (TEXT + "\n" + BY_NEUMANN.replace("x08g", "x0 8g"), "is not '— NAME SIGNATURE'"),
        (TEXT + "\n— PeterNeumann x08gow==\n", "the signature of PeterNeumann is empty"),
        (TEXT + "\n" + "".join(f"— n{n} x08gowA=\n" for n in range(101)), "101 signatures"),
    ],
)
def test_a_note_in_another_form_is_refused(note: str, told: str) -> None:
    with pytest.raises(VerificationError, match=told):
        notes.parse_note(note.encode())


def test_bytes_that_are_no_text_and_a_note_beyond_all_size_are_refused() -> None:
    with pytest.raises(VerificationError, match="byte 0 is not UTF-8"):
        notes.parse_note(b"\xff" + TEXT.encode())
    with pytest.raises(VerificationError, match="at most 1000000 are read"):
        notes.parse_note(b"a" * 1_000_001)


def test_two_signatures_under_one_name_are_two_keys() -> None:
    """The log's Ed25519 and ML-DSA-44 lines share its name and differ in the key hash."""
    first, second = notes.parse_note(SIGNED).signatures
    assert first.name == second.name == ORIGIN
    assert first.key_hash != second.key_hash


def line_of(note: bytes, number: int) -> bytes:
    return note.splitlines(keepends=True)[number]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ([], "not signed as it must be by the keys given .none."),
        ([WITNESS.public], "not signed as it must be by the keys given .none."),
        ([RING.fixing.public], "not signed as it must be"),
        ([replace(RING.log.public, name="example.org/other")], "not signed as it must be"),
        ([replace(RING.log.public, raw=WITNESS.public.raw)], "not signed as it must be"),
        ([replace(RING.log.public, purpose="witness")], "not signed as it must be"),
    ],
    ids=["no_key", "witness_only", "fixing_key", "other_name", "other_key", "other_purpose"],
)
def test_a_checkpoint_nobody_known_signed_is_refused(keys: list[PublicKey], told: str) -> None:
    with pytest.raises(VerificationError, match=told):
        notes.verify_checkpoint(COSIGNED, keys)


@pytest.mark.parametrize("line", [4, 5, 6, 7], ids=["0x01", "log_0x06", "0x04", "witness_0x06"])
def test_one_changed_bit_in_any_known_line_refuses_the_whole_note(line: int) -> None:
    name, text = line_of(COSIGNED, line).decode()[2:-1].split(" ")
    raw = bytearray(base64.b64decode(text))
    for at in (4, len(raw) - 1, 11):  # in the time or the signature
        bent = bytearray(raw)
        bent[at] ^= 1
        wrong = f"— {name} {base64.b64encode(bent).decode()}\n".encode()
        with pytest.raises(VerificationError, match=r"does not verify|after the key hash"):
            notes.verify_checkpoint(COSIGNED.replace(line_of(COSIGNED, line), wrong), ALL)


@pytest.mark.parametrize(
    "change",
    [
        (b"\n300\n", b"\n301\n"),
        (ORIGIN.encode() + b"\n300", b"example.org/lok\n300"),
        (b"\n300\n", b"\n0300\n"),
        (b"\n300\n", b"\n300\nextension\n"),
    ],
    ids=["size", "origin", "leading_zero", "extension_line"],
)
def test_a_changed_text_is_refused(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(VerificationError):
        notes.verify_checkpoint(SIGNED.replace(*change, 1), ALL)


def test_the_post_quantum_line_cannot_be_left_out_for_who_holds_its_key() -> None:
    stripped = SIGNED.replace(line_of(SIGNED, 5), b"")
    assert notes.verify_checkpoint(stripped, [RING.log.public]).signed_at is None
    with pytest.raises(VerificationError, match="not signed as it must be"):
        notes.verify_checkpoint(stripped, RING.log_keys)


def test_a_witness_line_moved_to_another_checkpoint_does_not_verify() -> None:
    later = checkpoint_text(ORIGIN, Head(301, bytes(32))).encode()
    note = notes.sign_checkpoint(later, RING, AT)
    for witness in (WITNESS, WITNESS_PQ):
        moved = notes.add_line(note, notes.cosign(SIGNED, witness, AT))
        with pytest.raises(VerificationError, match=f"line of key {witness.public.id} does not"):
            notes.verify_checkpoint(moved, ALL)


def test_a_post_quantum_witness_cannot_take_over_anothers_line() -> None:
    """0x06 names its signer in what is signed; the same key under another name fails."""
    other = DemoSigner("witness", ML_DSA_44, name="witness.example/three")
    line = notes.parse_note(notes.add_line(SIGNED, notes.cosign(SIGNED, WITNESS_PQ, AT)))
    taken = replace(
        line.signatures[-1],
        name=other.public.name,
        key_hash=notes.key_hash(other.public, notes.SUBTREE),
    )
    note = notes.add_line(SIGNED, taken.line())
    with pytest.raises(VerificationError, match="does not verify"):
        notes.verify_checkpoint(note, [*RING.log_keys, other.public])


def test_a_line_from_the_future_is_refused_where_a_clock_is_asked() -> None:
    notes.verify_checkpoint(COSIGNED, ALL, not_after=AT)
    with pytest.raises(VerificationError, match=r"dated 2026-11-21T07:45:12.*, after"):
        notes.verify_checkpoint(COSIGNED, ALL, not_after=AT - timedelta(seconds=1))


def test_times_have_a_zone_and_a_year() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        notes.cosign(SIGNED, WITNESS, AT.replace(tzinfo=None))
    with pytest.raises(ValueError, match="before 1970"):
        notes.cosign(SIGNED, WITNESS, datetime(1969, 1, 1, tzinfo=UTC))
    seconds = 2**62
    message = f"cosignature/v1\ntime {seconds}\n".encode() + BODY
    raw = seconds.to_bytes(8, "big") + WITNESS.sign(message)
    hashed = notes.key_hash(WITNESS.public, notes.COSIGNATURE)
    line = notes.NoteSignature(WITNESS.public.name, hashed, raw).line()
    with pytest.raises(VerificationError, match="which is no date"):
        notes.verify_checkpoint(notes.add_line(SIGNED, line), ALL)


def test_a_log_signs_under_its_own_name_alone() -> None:
    with pytest.raises(ConfigError, match=r"its name is 'example.org/log' and the log's origin"):
        notes.sign_checkpoint(BODY.replace(b"org/log", b"org/two"), RING, AT)
    other = DemoSigner("log", name="example.org/two")
    body = BODY.replace(b"org/log", b"org/two")
    line = notes.NoteSignature(ORIGIN, notes.key_hash(RING.log.public, 1), RING.log.sign(body))
    note = notes.add_line(notes.sign_note(body, other), line.line())
    with pytest.raises(VerificationError, match=r"belongs to the log 'example.org/log'"):
        notes.verify_checkpoint(note, [RING.log.public, other.public])


def test_a_key_signs_a_note_twice_only_in_vain() -> None:
    with pytest.raises(VerificationError, match="signed on line 7 already"):
        notes.add_line(COSIGNED, line_of(COSIGNED, 6))


@given(st.binary(max_size=400))
def test_no_bytes_make_the_parser_fail_otherwise(body: bytes) -> None:
    for note in (body, SIGNED[: len(body)] + body, body + SIGNED):
        try:
            found = notes.parse_note(note)
        except VerificationError:
            continue
        assert found.encode() == note


@given(at=st.integers(0, 260), bit=st.integers(0, 7))
def test_no_bit_of_a_checkpoint_changes_unseen(at: int, bit: int) -> None:
    bent = bytearray(SIGNED)
    bent[at] ^= 1 << bit
    try:
        found = notes.verify_checkpoint(bytes(bent), RING.log_keys)
    except VerificationError:
        return
    raise AssertionError(f"byte {at}: {found}")


def test_other_peoples_lines_are_kept_and_count_for_nothing() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = PublicKey(
        "stranger.example", "witness", ED25519, stranger.public_key().public_bytes_raw()
    )
    raw = bytes(8) + stranger.sign(b"something else")
    line = notes.NoteSignature(key.name, notes.key_hash(key, notes.COSIGNATURE), raw).line()
    note = notes.add_line(SIGNED, line)
    assert notes.verify_checkpoint(note, RING.log_keys).cosigned == []
    assert notes.parse_note(note).signatures[-1].name == "stranger.example"
