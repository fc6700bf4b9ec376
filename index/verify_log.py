"""A stranger checks a log that was read: tiles, earlier checkpoints, known heads, its records.

Each function adds to the findings whatever does not hold, naming the file or the place in the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from index import gate
from index.foreign_log import Break, ForeignLog, check_growth
from index.ledger import merkle
from index.ledger.canonical import digest, parse_record
from index.ledger.tiles import ENTRIES, WIDTH, Head, Tree, encode_bundle, tiles_of
from index.shelves import Shelf
from index.verifying import Findings, Record, Seen
from methodology.errors import SpotfixError, VerificationError

RESTATED: Final = 2
"""The revision that two officers have to sign."""


def check_tiles(seen: Seen, found: Findings) -> None:
    """Check every hash tile, superseded ones too, and name files that are no part of a log."""
    log = ForeignLog(seen.shelf, seen.head.size)
    tree = Tree()
    for hashed in seen.hashes:
        tree.add(hashed)
    wanted: dict[tuple[str, str], bytes] = {}
    for tile in tiles_of(seen.head.size):
        start = tile.index * WIDTH
        body = (
            encode_bundle(seen.bodies[start : start + tile.width])
            if tile.level == ENTRIES
            else b"".join(tree.hashes(tile))
        )
        stem, _, _ = tile.path.partition(".p/")
        wanted[str(tile.level), stem] = body
        if tile.level != ENTRIES:
            name = log.name_of(tile.level, tile.index)
            held = seen.shelf.read(name)
            if held is None:
                found.add(seen.shelf.where(name), "is missing")
    known = ("tile/", "checkpoints/")
    for name in seen.shelf.names() or []:
        if name != "checkpoint" and not name.startswith(known):
            found.add(seen.shelf.where(name), "is no file of a log; find out what wrote it")
    for name in seen.shelf.names("tile") or []:
        stem, _, width = name.partition(".p/")
        level = "-1" if name.startswith("tile/entries/") else name.split("/")[1]
        due = wanted.get((level, stem))
        where = seen.shelf.where(name)
        if due is None or (width and not (width.isdigit() and 0 < int(width) < WIDTH)):
            found.add(where, "is no file of this log; find out what wrote it")
            continue
        count = int(width) if width else WIDTH
        start = int("".join(stem.split("/")[2:]).replace("x", "")) * WIDTH
        if level == "-1":
            part = encode_bundle(seen.bodies[start : start + count])
        else:
            part = due[: count * merkle.HASH_BYTES]
        if seen.shelf.read(name) != part:
            found.add(where, f"is not what entries from seq {start} of the signed root make")
        found.counts["tiles"] += 1


def check_head(seen: Seen, older: Head, place: str, found: Findings) -> Break | None:
    """Check that a head seen before, or held by somebody else, is a prefix of this log.

    The proof is made from the published hash tiles and verified against both signed roots.

    Returns:
        the two heads, when they contradict each other.
    """
    try:
        check_growth(seen.origin, ForeignLog(seen.shelf, seen.head.size), seen.head, older)
    except VerificationError as error:
        evidence: Break | None = getattr(error, "evidence", None)
        found.add(seen.shelf.where("checkpoint"), f"{error} (known from {place})")
        return evidence
    found.counts["known heads"] += 1
    return None


def check_checkpoints(seen: Seen, found: Findings) -> None:
    """Check every earlier signed checkpoint: its signatures, and its root against the log.

    Raises:
        Unreachable: a server did not answer.
    """
    names = seen.shelf.names("checkpoints")
    for name in names or []:
        where, text = seen.shelf.where(name), name.rpartition("/")[2]
        try:
            head = seen.check_note(seen.shelf.read(name) or b"")
            if str(head.size) != text:
                raise VerificationError(f"is a checkpoint of size {head.size}")
        except SpotfixError as error:
            found.add(where, error)
        found.counts["checkpoints"] += 1
    for tile in seen.shelf.names("tile/0") or []:
        # A superseded tile may be gone; while it stands, it shows a size that was signed once.
        stem, _, width = tile.partition(".p/")
        start = stem.removeprefix("tile/0/").replace("/", "").replace("x", "")
        if names is None or not (width.isdecimal() and start.isdecimal()):
            continue
        size = int(start) * WIDTH + int(width)
        if f"checkpoints/{size}" not in names:
            found.add(seen.shelf.where(f"checkpoints/{size}"), f"is missing; {tile} is of its size")
    newest = f"checkpoints/{seen.head.size}"
    if names is not None and seen.shelf.read(newest) != seen.note:
        found.add(seen.shelf.where(newest), "is not the checkpoint that is shown as the newest")


def check_chain(seen: Seen, found: Findings) -> None:
    """Check what fixings cite in the log: the revision before, and what was committed to."""
    last: dict[tuple[str, str, str], tuple[int, str]] = {}
    for seq, (body, record) in enumerate(zip(seen.bodies, seen.records)):
        if record["type"] != "fixing":
            continue
        key = record["index_id"], record["session"], record["ref_date"]
        where = f"seq {seq} ({' '.join(key)} r{record['revision']})"
        revision, before = last.get(key, (-1, None))
        if record["revision"] != revision + 1 or record["supersedes"] != before:
            found.add(
                where,
                f"revision {record['revision']} supersedes {record['supersedes']}; the log has "
                f"r{revision} {before} before it",
            )
        last[key] = record["revision"], digest(body)
        place = record["commit_seq"]
        commit = seen.records[place] if place is not None and 0 <= place < seq else {}
        cited = [commit.get(name) for name in ("type", "index_id", "session", "ref_date")]
        if cited != ["commitment", *key] or commit["input_digest"] != record["input_digest"]:
            found.add(where, f"record {place} is no commitment of it and its inputs before it")
        elif "COMMIT_UNWITNESSED" not in record["flags"]:
            _check_was_seen(where, seen, place, seq, found)
        if record["revision"] >= RESTATED:
            _check_restated(where, seen, seq, found)
    found.counts["fixings"] = sum(r["type"] == "fixing" for r in seen.records)


def _check_was_seen(where: str, seen: Seen, place: int, seq: int, found: Findings) -> None:
    """Check that enough witness records stand between a commitment and its fixing (11.6)."""
    between = [
        one
        for one in seen.records[place:seq]
        if one["type"] == "witness" and place < one["size"] <= one["seq"]
    ]
    needed = max([1, *(one["quorum"] for one in between)])
    if len({one["by"] for one in between}) < needed:
        found.add(
            where,
            f"says that others saw its commitment, seq {place}, and the log has too few witness "
            f"records between the two: {len(between)} of {needed}",
        )


def _check_restated(where: str, seen: Seen, seq: int, found: Findings) -> None:
    """Check that the officers' act stands right before a restated fixing (24.1)."""
    record, act = seen.records[seq], seen.records[seq - 1]
    names = ("index_id", "session", "ref_date", "revision")
    told = [act["type"], *(act.get(name) for name in names), act.get("value_after")]
    if told != ["restatement", *(record[name] for name in names), record["value"]]:
        found.add(where, f"is restated, and seq {seq - 1} is no restatement of it to this value")


def check_officers(seen: Seen, batches: Shelf, found: Findings, chosen: Iterable[int]) -> None:
    """Check who signed restatements, errata, cessations, answers, corrected prices (24.1).

    Args:
        seen: the log.
        batches: ``statement/<sha256>.jsonl``, what was signed, stands below it.
        found: takes what does not hold.
        chosen: places of the log; for a restated fixing, the restatement before it is looked at.
    """
    from index import officers
    from index.revision_checks import SIGNERS

    acts = {
        seq - (one["type"] == "fixing" and one["revision"] >= RESTATED)
        for seq in chosen
        for one in [seen.records[seq]]
    }
    for seq in sorted(acts):
        record = seen.records[seq]
        need = SIGNERS.get(record["type"], 0)
        is_first = record["type"] == "settlement" and not record["revision"]
        if not need or is_first or record.get("state", "ANSWERED") != "ANSWERED":
            continue
        told = record["statement"]["sha256"]
        name = f"{officers.KIND}/{told.removeprefix('sha256:')}.jsonl"
        body = batches.read(name)
        if body is None or digest(body) != told:
            what = "is missing" if body is None else f"has digest {digest(body)}"
            found.add(batches.where(name), f"{what}; seq {seq} cites it")
            continue
        for problem in officers.problems_of(record, body, seen.history, need):
            found.add(f"seq {seq}", problem)
        found.counts["officers' acts"] += 1


def _read_twice(contributions: bytes, is_rate: bool) -> list[str]:
    """Return the groups that stand twice among the lines of a rate: each has one weight.

    Raises:
        VerificationError: a line is not canonical, so that two readers may read two things.
    """
    rows = [parse_record(line) for line in contributions.split(b"\n") if line]
    names = Counter(row.get("group") for row in rows if row.get("status") != "REFUSED")
    return [f"group {name} counts {n} times" for name, n in names.items() if is_rate and n > 1]


@lru_cache(1 << 14)
def _recomputed(body: bytes, contributions: bytes, basket: bytes, state: bytes) -> tuple[str, ...]:
    """Return the differences a second engine finds; raises NotCovered where it has no road."""
    evidence = gate.Evidence(contributions, basket, state)
    try:
        record = parse_record(body)
        twice = _read_twice(contributions, str(record["index_id"]).startswith(("TKR", "GPR")))
        found = tuple(one.text for one in gate.differences(record, evidence))
        return (*twice, *found)
    except VerificationError as error:
        return (f"a line it cites can be read in two ways: {error}",)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return (f"the bodies it cites cannot be read: {error!r}",)


def check_value(seq: int, body: bytes, record: Record, batches: Shelf, found: Findings) -> None:
    """Make one published value again from the bodies it cites, in an engine of its own.

    Args:
        seq: its place in the log.
        body: its bytes.
        record: the fixing.
        batches: ``<kind>/<sha256>.jsonl`` stand below it.
        found: takes what differs.
    """
    cited = []
    for kind, told in (
        ("contributions", record["contributions"]["sha256"]),
        ("basket", record["basket_digest"]),
        ("panel_state", record["panel_state"]["sha256"]),
    ):
        name = f"{kind}/{told.removeprefix('sha256:')}.jsonl"
        held = batches.read(name)
        if held is None:
            found.add(batches.where(name), f"is missing; seq {seq} cites it")
            return
        if digest(held) != told:
            found.add(batches.where(name), f"has digest {digest(held)}; seq {seq} cites it")
            return
        cited.append(held)
    try:
        differing = _recomputed(body, *cited)
    except gate.NotCovered:
        found.counts["values without a second engine"] += 1
        return
    for text in differing:
        found.add(f"seq {seq} ({record['index_id']} {record['ref_date']})", text)
    found.counts["values recomputed"] += 1
