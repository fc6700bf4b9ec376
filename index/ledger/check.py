"""Every file of the ledger, checked: a changed, missing, longer, shorter or foreign one is named.

What no file of a directory can show is that the whole directory was replaced by another sound
one. For that, compare :meth:`index.ledger.log.Log.root_at` with a head noted elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from index.ledger.batches import batch_name, digest_in_name
from index.ledger.canonical import parse_record
from index.ledger.examine import LOG, Examination, Problem, examine
from index.ledger.files import is_temporary, walk
from index.ledger.tiles import ENTRIES, PENDING, WIDTH, decode_bundle, tiles_of
from methodology.errors import UsageError, VerificationError

__all__ = ["Problem", "check_files"]

_STAMP = re.compile(r"stamps/([0-9a-f]{64})\.tsr")
"""A token over a manifest, under the manifest's digest."""


def check_files(ledger: Path) -> list[Problem]:
    """Return every file below ``ledger`` that is not as it must be; an empty list means sound.

    Checked are: each bundle, hash tile, checkpoint and head against the tree; each stored body
    against the digest in its name; each body that a logged record cites (``kind``, ``sha256``,
    ``size`` together) for being there with that size; each record's ``seq`` against its place.
    Nothing is changed. Files that a crash left unfinished, and the pending file of an append to
    be completed, are sound: opening the log deals with them.

    Run it while no publisher is at work: an append in progress moves files under it.

    Raises:
        OSError: a directory cannot be listed.
    """
    found = examine(ledger)
    problems = list(found.problems)
    if found.torn is not None:
        problems.append(Problem(f"{LOG}/{PENDING}", found.torn))
    sizes: dict[str, int] = {}
    for path in walk(ledger):
        name = path.relative_to(ledger).as_posix()
        if name.startswith(f"{LOG}/") or is_temporary(path.name):
            continue
        if (stamped := _STAMP.fullmatch(name)) and not path.is_symlink():
            # Signatures of tokens are for whoever has the authority's certificates.
            if bytes.fromhex(stamped[1]) not in path.read_bytes():
                problems.append(Problem(name, "is no token over that digest; restore it"))
            continue
        claimed = digest_in_name(name)
        if claimed is None or path.is_symlink():
            problems.append(Problem(name, "is no file of a ledger; find out what wrote it"))
            continue
        try:
            body = path.read_bytes()
        except OSError as error:
            problems.append(Problem(name, str(error)))
            continue
        sizes[name] = len(body)
        actual = hashlib.sha256(body).hexdigest()
        if actual != claimed:
            problems.append(Problem(name, f"{len(body)} bytes with SHA-256 {actual}; restore it"))
    problems += _check_records(ledger, found, sizes)
    return list(dict.fromkeys(problems))


def _check_records(ledger: Path, found: Examination, sizes: Mapping[str, int]) -> Iterator[Problem]:
    """Yield what the logged records say and the files do not bear out."""
    if found.tree is None:
        return
    blamed = {problem.path for problem in found.problems}
    for tile in tiles_of(found.tree.head.size, ENTRIES):
        path = f"{LOG}/{tile.path}"
        if path in blamed:
            continue
        for place, entry in enumerate(decode_bundle((ledger / path).read_bytes())):
            seq = tile.index * WIDTH + place
            try:
                record = parse_record(entry)
            except VerificationError:
                continue  # the tree vouches for the bytes; what they mean is not for us to say
            if record.get("seq", seq) != seq:
                yield Problem(path, f"entry {seq} says seq {record['seq']!r}")
            for name, size in _cited(record):
                if name not in sizes:
                    yield Problem(name, f"is missing, and entry {seq} cites it; restore it")
                elif sizes[name] != size:
                    yield Problem(name, f"has {sizes[name]} bytes, entry {seq} says {size!r}")


def _cited(value: object) -> Iterator[tuple[str, object]]:
    """Yield path and stated size of each stored body cited anywhere in a record."""
    if isinstance(value, Mapping):
        kind, sha256 = value.get("kind"), value.get("sha256")
        if isinstance(kind, str) and isinstance(sha256, str) and "size" in value:
            # UsageError: another kind of object that happens to have the same keys.
            with contextlib.suppress(UsageError):
                yield batch_name(kind, sha256.removeprefix("sha256:")), value["size"]
        for item in value.values():
            yield from _cited(item)
    elif isinstance(value, list):
        for item in value:
            yield from _cited(item)
