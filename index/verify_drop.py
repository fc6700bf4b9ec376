"""A stranger checks what an exchange fetches: the drop's folders, file by file, and the site's.

Every name, every manifest and every rendition follows from the records of the log, so that each
file is compared with what it must be, and each file that must be there is looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from index.ledger.batches import digest_in_name
from index.ledger.canonical import digest, parse_record
from index.ledger.tiles import parse_checkpoint
from index.publication import ctp, drop, fix, proofs, texts, timestamps, tree
from index.publication.notes import parse_note
from index.shelves import Served, Shelf, Within
from index.verify_copies import Asking, check_copies
from index.verify_figures import check_figures
from index.verify_log import check_officers, check_value
from index.verify_settlements import check_prices
from index.verifying import Findings, Seen
from methodology.errors import SpotfixError, VerificationError

ALL = (".json", ".json.sig", ".csv", ".xml", ".fix", ".tlog-proof")
"""Files of a fixing, in the order of a manifest; other records have no renditions."""

PLAIN = (".json", ".json.sig", ".tlog-proof")

STAMPS = "time stamps of manifests"
UNCHECKED = "time stamps of manifests not checked"


def suffixes(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the endings of a record's files."""
    return ALL if record["type"] == "fixing" else PLAIN


def check_drop(
    shelf: Shelf,
    seen: Seen,
    found: Findings,
    under: str = "",
    authorities: Sequence[bytes] = (),
) -> None:
    """Check the folders of a drop against the log.

    Args:
        shelf: the drop; ``v1/...`` stands directly below it.
        seen: the log.
        found: takes what does not hold.
        under: only this folder of the drop and what is below it.
        authorities: certificates (PEM) that are trusted to stamp manifests.
    """
    due: dict[str, list[tuple[int, str]]] = {}
    for seq, record in enumerate(seen.records):
        place = drop.place_of(record)
        if place is not None:
            due.setdefault(place.folder, []).append((seq, place.stem))
    folders = [name for name in due if _is_below(name, under)]
    there = shelf.names(under)
    for name in there or []:
        folder = name.rpartition("/")[0]
        if folder not in due:
            found.add(shelf.where(name), "is no file of a drop; find out what wrote it")
    if under and not folders:
        found.add(shelf.where(under), "the log has no record that is published there")
    for folder in sorted(folders):
        mine = [n for n in there if n.rpartition("/")[0] == folder] if there is not None else None
        _check_folder(shelf, folder, due[folder], mine, seen, found, authorities)
    if found.counts[UNCHECKED]:
        found.warnings.append(
            f"{found.counts[UNCHECKED]} {UNCHECKED}: no certificate given; name the authority's "
            "with --tsa-cert, or use `openssl ts -verify` (docs/FEED.md)"
        )


def _is_below(name: str, under: str) -> bool:
    return not under or name == under or name.startswith(under + "/")


def _check_folder(
    shelf: Shelf,
    folder: str,
    due: Sequence[tuple[int, str]],
    there: list[str] | None,
    seen: Seen,
    found: Findings,
    authorities: Sequence[bytes],
) -> None:
    """Check one folder: its chain of manifests, every file they name, every file they do not."""
    named: set[str] = set()
    number, size, previous = 0, 0, None
    while True:
        name = drop.manifest_name(number + 1)
        path = f"{folder}/{name}"
        body = shelf.read(path)
        if body is None:
            break
        number += 1
        found.counts["manifests"] += 1
        named |= {path, f"{path}.sig", f"{path}.tsr"}
        try:
            content = _manifest(body)
            listed = [str(line["name"]) for line in content["files"]]
            following, _ = content["log_size"], content["previous"]
            if type(following) is not int or following <= size:
                raise VerificationError(
                    f"log_size {following!r} is not beyond {size}, those before"
                )
        except (VerificationError, LookupError, TypeError) as error:
            found.add(shelf.where(path), f"is no manifest: {error}")
            return
        here = [(seq, stem) for seq, stem in due if size <= seq < following]
        _check_manifest(shelf, folder, body, content, previous, number, here, seen, found)
        _check_stamp(shelf, f"{path}.tsr", body, authorities, found)
        named |= {f"{folder}/{one}" for one in listed}
        size, previous = following, digest(body)
    left = [(seq, stem) for seq, stem in due if seq >= size]
    if left:
        seq, stem = left[0]
        path = f"{folder}/{drop.manifest_name(number + 1)}"
        found.add(
            shelf.where(path), f"is missing: no manifest names {stem}.json, which is seq {seq}"
        )
    for name in sorted(set(there or ()) - named):
        found.add(shelf.where(name), f"is named by no manifest of the {number} in its folder")


def _check_manifest(
    shelf: Shelf,
    folder: str,
    body: bytes,
    content: Mapping[str, Any],
    previous: str | None,
    number: int,
    here: Sequence[tuple[int, str]],
    seen: Seen,
    found: Findings,
) -> None:
    path = f"{folder}/{drop.manifest_name(number)}"
    where = shelf.where(path)
    if content["previous"] != previous:
        found.add(where, f"follows {content['previous']}; the manifest before it is {previous}")
    size = content["log_size"]
    if type(size) is not int or not 0 < size <= seen.head.size:
        found.add(where, f"is of log size {size!r}; the log has {seen.head.size}")
        return
    signature = shelf.read(f"{path}.sig")
    if signature is None:
        found.add(shelf.where(f"{path}.sig"), "is missing")
    else:
        try:
            seen.check_signature(size - 1, body, signature)
            found.counts["signatures"] += 1
        except VerificationError as error:
            found.add(shelf.where(f"{path}.sig"), error)
    lines = []
    for seq, stem in here:
        proof = shelf.read(f"{folder}/{stem}.tlog-proof")
        if proof is not None and _size_of(proof) not in (None, size):
            found.add(
                where, f"is of log size {size}; the proof of seq {seq} is of {_size_of(proof)}"
            )
        record = seen.records[seq]
        base = f"{folder}/{stem}"
        for suffix in suffixes(record):
            held = shelf.read(base + suffix)
            if held is None:
                found.add(shelf.where(base + suffix), f"is missing; manifest {number} names it")
                continue
            lines.append(drop.Line(stem + suffix, held, seq))
        check_files(shelf, base, seq, seen, found)
    fixings = [seen.records[seq] for seq, _ in here if seen.records[seq]["type"] == "fixing"]
    if fixings:
        day = fixings[0]["ref_date"].replace("-", "")
        table = f"ctp_{day}_{fixings[0]['session']}_{number:04d}.csv"
        held = shelf.read(f"{folder}/{table}")
        if held is None:
            found.add(shelf.where(f"{folder}/{table}"), f"is missing; manifest {number} names it")
        else:
            if held != ctp.table(fixings):
                found.add(shelf.where(f"{folder}/{table}"), "says other than its records")
            lines.append(drop.Line(table, held, None))
    said = {str(line["name"]): line for line in content["files"]}
    for line in lines:
        told = said.get(line.name)
        due = {"name": line.name, "bytes": len(line.body), "sha256": digest(line.body)}
        if told is None:
            found.add(where, f"does not name {line.name} (seq {line.seq})")
        elif told != {**due, "seq": line.seq}:
            found.add(
                shelf.where(f"{folder}/{line.name}"),
                f"has {len(line.body)} bytes, {digest(line.body)} (seq {line.seq}); "
                f"{path} says {told.get('bytes')} bytes, {told.get('sha256')} (seq "
                f"{told.get('seq')})",
            )
        found.counts["files"] += 1
    again = drop.manifest(
        log_origin=seen.origin,
        log_size=size,
        folder=folder,
        number=number,
        previous=previous,
        lines=lines,
    )
    if again != body:
        extra = sorted(set(said) - {line.name for line in lines})
        more = f": it names {', '.join(extra[:3])}" if extra else ""
        found.add(where, f"is not the manifest of its files{more}")


def _check_stamp(
    shelf: Shelf, path: str, body: bytes, authorities: Sequence[bytes], found: Findings
) -> None:
    """Check the time stamp of a manifest where there is one: not every manifest has one."""
    token = shelf.read(path)
    if token is None:
        return
    try:
        is_checked = timestamps.check_over(token, body, authorities)
        found.counts[STAMPS if is_checked else UNCHECKED] += 1
    except SpotfixError as error:
        found.add(shelf.where(path), error)


def check_files(shelf: Shelf, base: str, seq: int, seen: Seen, found: Findings) -> None:
    """Check the files of one record: its bytes, signature, renditions and proof.

    Files that are not there are passed over: whoever expects them says so.
    """
    record, body = seen.records[seq], seen.bodies[seq]
    held = shelf.read(base + ".json")
    if held is not None and held != body:
        found.add(
            shelf.where(base + ".json"),
            f"is not entry {seq} of the log (seq {seq}): digest {digest(held)}, logged was "
            f"{digest(body)}",
        )
    signature = shelf.read(base + ".json.sig")
    if signature is not None:
        try:
            seen.check_signature(seq, body, signature)
            found.counts["signatures"] += 1
        except VerificationError as error:
            found.add(shelf.where(base + ".json.sig"), error)
    proof = shelf.read(base + ".tlog-proof")
    if proof is not None:
        check_proof(shelf.where(base + ".tlog-proof"), proof, seq, seen, found)
    if record["type"] != "fixing":
        return
    for suffix, made in renditions(body, signature or b"").items():
        held = shelf.read(base + suffix)
        if held is not None and held != made:
            found.add(shelf.where(base + suffix), f"says other than its record, seq {seq}")


@lru_cache(1 << 14)
def _manifest(body: bytes) -> Mapping[str, Any]:
    return parse_record(body)


@lru_cache(1 << 14)
def renditions(body: bytes, signature: bytes) -> Mapping[str, bytes]:
    """Return the other forms of a fixing by their endings."""
    record = json.loads(body)
    return {
        ".csv": texts.csv_table([record]),
        ".xml": texts.xml_document(record),
        ".fix": fix.messages(record, signature),
    }


def check_proof(where: str, proof: bytes, seq: int, seen: Seen, found: Findings) -> None:
    """Check a proof of inclusion, and that its checkpoint is one this log has signed."""
    try:
        parsed = _proof(proof)
        if parsed.index != seq:
            raise VerificationError(f"is of entry {parsed.index}, not of seq {seq}")
        head = seen.check_note(parsed.note)
        _included(proof, seen.bodies[seq], seen.history.checkpoint_keys(head.size))
        kept = seen.shelf.names("checkpoints")
        name = f"checkpoints/{head.size}"
        if kept is not None and seen.shelf.read(name) != parsed.note:
            found.add(
                seen.shelf.where(name),
                f"is missing or another than the proof of seq {seq} carries",
            )
        found.counts["proofs"] += 1
    except SpotfixError as error:
        found.add(where, f"{error} (seq {seq})")


@lru_cache(1 << 14)
def _proof(proof: bytes) -> proofs.Proof:
    return proofs.parse(proof)


def _size_of(proof: bytes) -> int | None:
    """Return the size of the checkpoint that a proof carries; ``None`` if it is no proof."""
    try:
        return parse_checkpoint(parse_note(_proof(proof).note).body)[1].size
    except (SpotfixError, ValueError):
        return None


@lru_cache(1 << 14)
def _included(proof: bytes, body: bytes, keys: tuple[Any, ...]) -> None:
    proofs.verify(proof, body, keys)


# The site ---------------------------------------------------------------------------------------


def check_site(shelf: Shelf, seen: Seen, found: Findings, asking: Asking | None = None) -> None:
    """Check the second names of the fixings, the keys, and every body that a record cites.

    Args:
        shelf: the site; ``v1/``, ``keys/``, ``batches/`` stand directly below it.
        seen: the log.
        found: takes what does not hold.
        asking: how many of the second names a server is asked for.
    """
    if isinstance(shelf, Served):
        check_copies(
            shelf,
            seen,
            found,
            asking or Asking(),
            lambda held, base, seq: check_files(held, base, seq, seen, found),
            ALL,
        )
    else:
        _check_names(shelf, seen, found)
    files, listing = tree.key_files([r for r in seen.records if r["type"] == "key"])
    keys = {f"keys/{name}": body for name, body in {**files, "keys.json": listing}.items()}
    for name, body in keys.items():
        held = shelf.read(name)
        if held != body:
            what = "is missing" if held is None else "is not what the key records of the log say"
            found.add(shelf.where(name), what)
    _foreign(shelf, "keys", keys, found)
    check_bodies(Within(shelf, "batches"), seen, found)


def _check_names(shelf: Shelf, seen: Seen, found: Findings) -> None:
    """Check that each file of a fixing stands below ``v1/``, and nothing else."""
    wanted: set[str] = set()
    for seq, record in enumerate(seen.records):
        if record["type"] != "fixing":
            continue
        base = drop.site_path(record)
        for suffix in ALL:
            wanted.add(base + suffix)
            if shelf.read(base + suffix) is None:
                found.add(shelf.where(base + suffix), f"is missing; it is seq {seq}")
        check_files(shelf, base, seq, seen, found)
    _foreign(shelf, "v1", wanted, found)


def check_bodies(batches: Shelf, seen: Seen, found: Findings, only: Iterable[int] = ()) -> None:
    """Check every published body that records cite, and make every value again from them.

    Args:
        batches: ``<kind>/<sha256>.jsonl`` stand below it.
        seen: the log.
        found: takes what does not hold.
        only: these places of the log; all of it when empty.
    """
    cited: dict[str, int] = {}
    chosen = list(only) or range(seen.head.size)
    for seq in chosen:
        for kind, sha256 in tree.cited_bodies(seen.records[seq]):
            cited.setdefault(f"{kind}/{sha256}.jsonl", seq)
    for name, seq in cited.items():
        held = batches.read(name)
        if held is None:
            found.add(batches.where(name), f"is missing; seq {seq} cites it")
        elif digest(held)[7:] != digest_in_name(f"batches/{name}"):
            found.add(batches.where(name), f"has digest {digest(held)}; seq {seq} cites it")
        found.counts["bodies"] += 1
    if not only:
        for name in batches.names() or []:
            if name not in cited:
                found.add(batches.where(name), "is cited by no record of the log")
    for seq in chosen:
        record = seen.records[seq]
        if record["type"] == "fixing":
            check_value(seq, seen.bodies[seq], record, batches, found)
    for check in (check_figures, check_officers, check_prices):
        check(seen, batches, found, chosen)


def _foreign(shelf: Shelf, under: str, wanted: Iterable[str], found: Findings) -> None:
    known = set(wanted)
    for name in shelf.names(under) or []:
        if name not in known:
            found.add(shelf.where(name), "is no file of a site; find out what wrote it")
