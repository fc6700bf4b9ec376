"""A witness signs one history: that it grew is proved, and nothing it signed is contradicted."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from index import witness as module
from index.foreign_log import ForeignLog
from index.ledger import merkle
from index.publication.keys import ML_DSA_44, DemoSigner
from index.publication.notes import verify_checkpoint
from index.witness import Refusal, Request, Watch, Witness, make_app, parse_request, request_body
from methodology.errors import LogInconsistent, VerificationError
from tests.foreign_logs import ORIGIN, Grown, grown, keys_of

NOW = datetime(2026, 8, 31, 9, 30, tzinfo=UTC)
VENUE = DemoSigner("witness", name="venue.example/w1")
VENUE_PQ = DemoSigner("witness", ML_DSA_44, name="venue.example/w1")


@pytest.fixture
def venue(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "w", [VENUE], {ORIGIN: keys_of().public}, lambda: NOW)


def handed(log: Grown, old: int, size: int | None = None) -> Request:
    size = len(log.bodies) if size is None else size
    proof = merkle.consistency_proof(log.hashes, old, size) if old <= size else []
    return Request(old, tuple(proof), log.note(size))


def refusal(venue: Witness, request: Request) -> Refusal:
    with pytest.raises(Refusal) as found:
        venue.add(request)
    return found.value


# --- what is signed ----------------------------------------------------------------------------


def test_a_first_checkpoint_is_cosigned_at_the_time_of_the_clock(venue: Witness) -> None:
    log = grown(5)
    lines = venue.add(handed(log, 0))
    checked = verify_checkpoint(log.note() + lines, [*log.keys.public, VENUE.public])
    assert checked.cosigned == [(VENUE.public.id, NOW)]
    assert venue.head(ORIGIN) == log.head()
    assert venue.cosigned(ORIGIN) == log.note() + lines


def test_a_witness_with_two_keys_adds_a_line_of_each(tmp_path: Path) -> None:
    venue = Witness(tmp_path, [VENUE, VENUE_PQ], {ORIGIN: keys_of().public}, lambda: NOW)
    log = grown(3)
    lines = venue.add(handed(log, 0))
    keys = [*log.keys.public, VENUE.public, VENUE_PQ.public]
    checked = verify_checkpoint(log.note() + lines, keys)
    assert {key for key, _ in checked.cosigned} == {VENUE.public.id, VENUE_PQ.public.id}


@pytest.mark.parametrize("old", range(1, 12))
def test_every_growth_of_a_small_log_is_followed(venue: Witness, old: int) -> None:
    log = grown(12)
    venue.add(handed(log, 0, old))
    venue.add(handed(log, old))
    assert venue.head(ORIGIN).size == 12


def test_a_checkpoint_that_carries_our_line_is_cosigned_again(venue: Witness) -> None:
    log = grown(7)
    note = log.note() + venue.add(handed(log, 0))
    venue.add(Request(7, (), note))
    kept = venue.cosigned(ORIGIN)
    assert kept is not None
    assert len(verify_checkpoint(kept, [*log.keys.public, VENUE.public]).cosigned) == 1


def test_the_same_checkpoint_is_cosigned_again(venue: Witness) -> None:
    log = grown(7)
    venue.add(handed(log, 0))
    assert venue.add(handed(log, 7)) != b""


def test_another_process_goes_on_where_the_first_was_killed(venue: Witness) -> None:
    log = grown(7)
    venue.add(handed(log, 0))
    again = Witness(venue.state, [VENUE], {ORIGIN: keys_of().public}, lambda: NOW)
    assert again.head(ORIGIN) == log.head()
    other = grown(7, word="other")
    assert refusal(again, handed(other, 7)).status == 409


# --- what is not -------------------------------------------------------------------------------


def test_a_wrong_old_size_is_told_the_right_one(venue: Witness) -> None:
    log = grown(9)
    venue.add(handed(log, 0, 6))
    found = refusal(venue, handed(log, 4))
    assert (found.status, found.text, found.content_type) == (409, "6", "text/x.tlog.size")


def test_a_fork_of_the_same_size_is_refused_and_kept(venue: Witness) -> None:
    venue.add(handed(grown(6), 0))
    fork = grown(6, word="fork")
    assert refusal(venue, handed(fork, 6)).status == 409
    [kept] = venue.state.glob("*.evidence-6-*")
    assert kept.read_bytes() == fork.note()
    assert venue.head(ORIGIN) == grown(6).head()


def test_a_fork_that_grew_has_no_proof(venue: Witness) -> None:
    venue.add(handed(grown(6), 0))
    found = refusal(venue, handed(grown(9, word="fork"), 6))
    assert found.status == 422
    assert venue.head(ORIGIN).size == 6


def test_a_smaller_tree_is_never_signed_after_a_larger(venue: Witness) -> None:
    log = grown(9)
    venue.add(handed(log, 0))
    assert refusal(venue, handed(log, 0, 6)).status == 409
    assert refusal(venue, handed(log, 9, 6)).status == 400
    assert venue.head(ORIGIN).size == 9


def test_an_unknown_log_and_a_wrong_key_are_told_apart(venue: Witness) -> None:
    assert refusal(venue, handed(grown(3, "example.org/other"), 0)).status == 404
    venue.logs[ORIGIN] = [DemoSigner("mock", name=ORIGIN).public]
    assert refusal(venue, handed(grown(3), 0)).status == 403


def test_one_bit_of_any_line_of_the_checkpoint_is_refused(venue: Witness) -> None:
    log = grown(3)
    note = log.note()
    for at in range(len(ORIGIN) + 1, len(note), 97):
        changed = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
        assert refusal(venue, Request(0, (), changed)).status == 403
    assert venue.head(ORIGIN).size == 0


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "old SIZE"),
        (b"old 1\n", "old SIZE"),
        (b"old 01\n\nnote", "old SIZE"),
        (b"old -1\n\nnote", "old SIZE"),
        (b"old 1\n\n", "old SIZE"),
        (b"old 1\nAAAA\n\nnote", "not one hash"),
        (b"old 1\n" + base64.b64encode(bytes(32))[:-2] + b"B=\n\nnote", "not one hash"),
        (b"old 1\n" + (base64.b64encode(bytes(32)) + b"\n") * 64 + b"\nnote", "64 proof lines"),
    ],
    ids=[
        "nothing", "no_note", "leading_zero", "negative", "empty_note", "short_hash",
        "two_spellings", "too_many",
    ],
)  # fmt: skip
def test_a_body_of_another_form_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(Refusal, match=why) as found:
        parse_request(body)
    assert found.value.status == 400


def test_a_request_is_read_as_it_was_written() -> None:
    request = handed(grown(12), 5)
    assert parse_request(request_body(request)) == request


# --- durable before it is released -------------------------------------------------------------


def test_what_is_signed_is_on_the_disk_before_the_signature_is_made(
    venue: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    original = module.cosign

    def cosign(*arguments: object) -> bytes:
        seen.append(venue.head(ORIGIN).size)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "cosign", cosign)
    venue.add(handed(grown(4), 0))
    assert seen == [4]


def test_nothing_is_signed_when_the_state_cannot_be_written(
    venue: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, body: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    signed: list[object] = []
    monkeypatch.setattr(module, "replace_durably", full)
    monkeypatch.setattr(module, "cosign", lambda *a: signed.append(a))
    with pytest.raises(OSError, match="No space"):
        venue.add(handed(grown(4), 0))
    assert signed == []


@pytest.mark.parametrize(
    "spoil",
    [lambda b: b"", lambda b: b[:-9], lambda b: b.replace(b"example", b"exampel")],
    ids=["empty", "cut", "of_another_log"],
)
def test_a_spoilt_state_signs_nothing(venue: Witness, spoil: Callable[[bytes], bytes]) -> None:
    log = grown(4)
    venue.add(handed(log, 0))
    [path] = venue.state.glob("*.json")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(LogInconsistent, match="nothing is signed until it is restored") as found:
        venue.add(handed(log, 4))
    assert str(path) in str(found.value)


# --- watching a log by its files ---------------------------------------------------------------


def test_only_the_tiles_that_a_proof_needs_are_read(venue: Witness) -> None:
    log = grown(700)
    venue.add(handed(log, 0, 600))
    read: list[str] = []
    shelf = log.shelf
    original = shelf.read
    shelf.read = lambda path: (read.append(path), original(path))[1]  # type: ignore[method-assign]
    note = Watch(venue, shelf, ORIGIN).look()
    assert verify_checkpoint(note, [*log.keys.public, VENUE.public]).cosigned
    # 600 is 512 + 88 and 700 is 512 + 188: the two full tiles' roots stand in the level-1 tile.
    # The new entries are read too: a record of the log's keys may be among them.
    needed = {"checkpoint", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/002.p/188"}
    assert set(read) == needed


def test_a_log_whose_partial_tiles_were_removed_is_followed(venue: Witness) -> None:
    log = grown(200)
    log.keeps_partial = False
    watch = Watch(venue, log.shelf, ORIGIN)
    watch.look()
    log.grow([f"more {n}".encode() for n in range(400)])
    watch.look()
    assert venue.head(ORIGIN) == log.head()


def test_a_fork_is_named_with_both_heads_and_kept(venue: Witness) -> None:
    Watch(venue, grown(20).shelf, ORIGIN).look()
    fork = grown(25, word="fork")
    with pytest.raises(VerificationError, match="the log was forked") as found:
        Watch(venue, fork.shelf, ORIGIN).look()
    assert found.value.exit_code == 20
    for head in (grown(20).head(), fork.head()):
        assert head.root.hex() in str(found.value)
    [kept] = venue.state.glob("*.evidence-25-*")
    assert str(kept) in str(found.value)
    assert venue.head(ORIGIN).size == 20


def test_a_log_that_shrank_is_named_with_both_heads(venue: Witness) -> None:
    log = grown(20)
    Watch(venue, log.shelf, ORIGIN).look()
    with pytest.raises(VerificationError, match=r"shorter than it was: size 20 .* size 12 "):
        Watch(venue, grown(12).shelf, ORIGIN).look()


def test_a_wrong_tile_is_no_fork(venue: Witness) -> None:
    log = grown(20)
    Watch(venue, log.shelf, ORIGIN).look()
    log.grow([b"one more"])
    tile = log.files["tile/0/000.p/21"]
    log.files["tile/0/000.p/21"] = bytes([tile[0] ^ 1]) + tile[1:]
    with pytest.raises(VerificationError, match=r"tile/0/000\.p/21: the tiles do not make root"):
        Watch(venue, log.shelf, ORIGIN).look()
    assert not list(venue.state.glob("*.evidence*"))


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 600])
def test_proofs_from_tiles_are_those_of_the_tree(size: int) -> None:
    log = grown(600)
    tiles = ForeignLog(log.shelf, 600)
    assert tiles.consistency_proof(size) == merkle.consistency_proof(log.hashes, size, 600)
    seq = size - 1
    assert tiles.inclusion_proof(seq) == merkle.inclusion_proof(log.hashes, seq, 600)
    assert tiles.leaf_hash(seq) == log.hashes[seq]
    assert tiles.root_of(0, size) == merkle.root(log.hashes[:size])


def test_entries_come_back_and_a_short_bundle_is_named() -> None:
    log = grown(300)
    assert ForeignLog(log.shelf, 300).entries() == log.bodies
    log.files["tile/entries/001.p/44"] = log.files["tile/entries/001.p/44"][:-12]
    with pytest.raises(VerificationError, match=r"tile/entries/001\.p/44: 43 entries.* seq 256"):
        ForeignLog(log.shelf, 300).entries()


# --- over HTTP ---------------------------------------------------------------------------------


def asked(venue: Witness, *bodies: bytes, path: str = "/add-checkpoint") -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(make_app(venue))
        async with httpx.AsyncClient(transport=transport, base_url="http://w") as client:
            return [await client.post(path, content=body) for body in bodies]

    return asyncio.run(ask())


def test_the_protocol_over_http(venue: Witness) -> None:
    log = grown(12)
    first, again, late, fork, odd, other, forged = asked(
        venue,
        request_body(handed(log, 0, 5)),
        request_body(handed(log, 5)),
        request_body(handed(log, 5)),
        request_body(Request(12, (), grown(12, word="fork").note())),
        b"old x\n\n",
        request_body(handed(grown(3, "example.org/other"), 0)),
        request_body(handed(log, 12)).replace(b"old 12", b"old 0", 1).replace(b"\n12\n", b"\n13\n"),
    )
    assert (first.status_code, again.status_code) == (200, 200)
    checked = verify_checkpoint(log.note() + again.content, [*log.keys.public, VENUE.public])
    assert checked.cosigned == [(VENUE.public.id, NOW)]
    for conflict in (late, fork):
        assert (conflict.status_code, conflict.text) == (409, "12\n")
        assert conflict.headers["content-type"].startswith("text/x.tlog.size")
    assert [one.status_code for one in (odd, other, forged)] == [400, 404, 403]


def test_a_proof_of_another_size_is_422(venue: Witness) -> None:
    log = grown(12)
    wrong = Request(5, handed(log, 4).proof, log.note())
    assert [r.status_code for r in asked(venue, request_body(handed(log, 0, 5)))] == [200]
    assert [r.status_code for r in asked(venue, request_body(wrong))] == [422]


def test_an_endless_body_is_cut_off(venue: Witness) -> None:
    [found] = asked(venue, b"old 0\n\n" + b"x" * (module.MAX_REQUEST + 1))
    assert found.status_code == 413


def test_only_one_of_many_at_once_moves_the_head(venue: Witness) -> None:
    """Two requests from one size: the second meets what the first left."""
    log = grown(12)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(make_app(venue))
        async with httpx.AsyncClient(transport=transport, base_url="http://w") as client:
            return list(
                await asyncio.gather(
                    *(
                        client.post("/add-checkpoint", content=request_body(handed(log, 0, size)))
                        for size in range(1, 12)
                    )
                )
            )

    codes = sorted(one.status_code for one in asyncio.run(ask()))
    assert codes == [200, *[409] * 10]


def test_the_state_is_a_head_and_nothing_secret(venue: Witness) -> None:
    venue.add(handed(grown(4), 0))
    [path] = venue.state.glob("*.json")
    assert set(json.loads(path.read_bytes())) == {"origin", "size", "root"}
