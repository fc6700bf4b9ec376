"""The drop: files an exchange fetches, what they are called and the manifests that announce them.

Below ``drop/v1/`` there is a folder per session's day, per settlement and one of notices. An
append to the log becomes at most one *publication* in each folder: its files, then
``MANIFEST_<nnnn>.json.sig``, then ``MANIFEST_<nnnn>.json``. Whoever sees a manifest finds its
signature and every file it names, complete. Manifests are numbered from 0001 in each folder and
each carries the digest of the one before. Nothing is ever overwritten.

All names and all manifests follow from the log alone, so a publication that was cut short is done
again to the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from index.ledger.canonical import canonical, digest, parse_record
from methodology.errors import LogInconsistent, VerificationError

LETTERS: Final[Mapping[str, str]] = {
    "PROVISIONAL": "P",
    "FINAL": "F",
    "REVISED": "R",
    "NO_FIX": "N",
    "WITHDRAWN": "W",
}
"""The last letter of a fixing's name by its status."""

NOTICES: Final = (
    "notice",
    "erratum",
    "complaint",
    "cessation",
    "key",
    "calendar",
    "methodology",
    "restatement",
)
"""Types of records that are files of ``drop/v1/notices``."""

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MANIFEST = re.compile(r"MANIFEST_([0-9]{4,})\.json")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record's files are: ``folder`` below the drop, ``stem`` of their names."""

    folder: str
    stem: str


def place_of(record: Mapping[str, Any]) -> Place | None:
    """Return where a record is published as files, ``None`` if it stands in the log alone.

    Raises:
        VerificationError: a field that becomes part of a name holds what no name may.
    """
    kind = record.get("type")
    if kind == "fixing":
        day, session = _checked(record, "ref_date", _DAY), _checked(record, "session")
        name = _checked(record, "index_id")
        letter = LETTERS.get(str(record["status"]))
        if letter is None:
            raise _bad(record, "status")
        stem = f"fixing_{name}_{day.replace('-', '')}_{session}_r{record['revision']}_{letter}"
        return Place(f"v1/{day.replace('-', '/')}/{session}", stem)
    if kind == "settlement":
        rule, period = _checked(record, "rule_id"), _checked(record, "period")
        name = _checked(record, "index_id")
        stem = f"settlement_{name}_{rule}_{period}_{record['seq']}"
        return Place(f"v1/settlements/{rule}/{period}", stem)
    if kind in NOTICES:
        return Place("v1/notices", f"{kind}_{record['seq']}")
    return None


def site_path(record: Mapping[str, Any]) -> str:
    """Return the path of a fixing below the site, without suffix: ``v1/fixings/…/r<N>``."""
    return (
        f"v1/fixings/{_checked(record, 'index_id')}/{_checked(record, 'session')}/"
        f"{_checked(record, 'ref_date', _DAY)}/r{record['revision']}"
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One file of a manifest; ``seq`` is null for a file that holds several records."""

    name: str
    body: bytes
    seq: int | None


def manifest(
    *,
    log_origin: str,
    log_size: int,
    folder: str,
    number: int,
    previous: str | None,
    lines: Sequence[Line],
) -> bytes:
    """Return the canonical bytes of a manifest (schema ``drop-manifest/1.0``).

    Args:
        log_origin: the log's name.
        log_size: size of the log after the append whose publication this is.
        folder: below the drop.
        number: from 1, in this folder.
        previous: digest of the bytes of the manifest before, ``None`` for the first.
        lines: the files, in the order in which they were written.
    """
    return canonical(
        {
            "type": "manifest",
            "schema": "drop-manifest/1.0",
            "log_origin": log_origin,
            "log_size": log_size,
            "folder": folder,
            "number": number,
            "previous": previous,
            "files": [
                {
                    "name": one.name,
                    "bytes": len(one.body),
                    "sha256": digest(one.body),
                    "seq": one.seq,
                }
                for one in lines
            ],
        }
    )


def manifest_name(number: int) -> str:
    """Return ``MANIFEST_0001.json`` for 1."""
    return f"MANIFEST_{number:04d}.json"


def last_before(folder: Path, log_size: int) -> tuple[int, str | None]:
    """Return number and digest of a folder's newest manifest up to a size of the log.

    ``(0, None)`` when there is none. Manifests of later appends, which an unfinished publication
    left, are passed over: they are written again, to the same bytes.

    Raises:
        LogInconsistent: a manifest cannot be read as one.
    """
    numbers = sorted(
        (int(found[1]) for path in _names(folder) if (found := _MANIFEST.fullmatch(path))),
        reverse=True,
    )
    for number in numbers:
        path = folder / manifest_name(number)
        body = path.read_bytes()
        try:
            size = parse_record(body)["log_size"]
        except (VerificationError, KeyError) as error:
            raise LogInconsistent(f"{path}: is not a manifest: {error}; restore it") from error
        if isinstance(size, int) and size <= log_size:
            return number, digest(body)
    return 0, None


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []


def _checked(record: Mapping[str, Any], field: str, pattern: re.Pattern[str] = _PART) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _bad(record, field)
    return value


def _bad(record: Mapping[str, Any], field: str) -> VerificationError:
    return VerificationError(
        f"record {record.get('seq')} ({record.get('type')}): {field} is {record.get(field)!r}, "
        "which cannot be part of a file's name; correct what made the record"
    )
