"""A month for an auditor: records, signatures, proofs and bodies in one folder or ``.tar``.

``index/audit/verify_offline.py`` checks it with the standard library alone. What stands where:

================  ================================================================================
contents.json     what the bundle holds: days, indices, digest of every other file; and its ``.sig``
records.jsonl     ``{"leaf", "seq"}``: the leaf's text; its UTF-8 bytes are the leaf, byte for byte
signatures.jsonl  ``{"key_id", "seq", "signature"}``: base64 of the 64 bytes in the ``.sig`` file
checkpoint        the signed head of the log
proofs.jsonl      ``{"path", "seq"}``: the way from each leaf to that head, lowest sibling first
heads.jsonl       ``{"path", "root", "size"}``: each earlier head, and that it is a beginning
keys.jsonl        the public keys, for comparison only: pin yours from elsewhere
bodies/           what the records cite, as stored, the digest in the name
================  ================================================================================
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from index.config import Settings
from index.ledger.canonical import canonical
from index.ledger.files import replace_durably
from index.ledger.tiles import Tree, parse_checkpoint
from index.publication import keyring
from index.publication.drop import place_of
from index.publication.keys import ED25519, PublicKey
from index.publication.notes import parse_note, sign_checkpoint
from index.reading import Ledger, open_ledger
from methodology.errors import CoverageError, LogInconsistent, UsageError

Row = dict[str, Any]

VERIFIER = Path(__file__).parent / "audit" / "verify_offline.py"

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")

README = """Audit bundle of {administrator}: fixings of {first} to {last}, log {origin}

Check it with Python 3.8 or later, offline, on any machine:

    python3 verify_offline.py . --key FIXING.pem --log-key LOG.pem --known-head SIZE:ROOT

verify_offline.py is the file index/audit/verify_offline.py of spotfix. Take it, the two keys and
the head from where {administrator} announced them or where you noted them earlier, not from here:
whoever forges a bundle also forges the keys inside it. The keys that were used are

{keys}

The head of this bundle, to note for next time: {size}:{root}

contents.json lists every file. A line of records.jsonl holds the exact text of one record of the
log; a file below bodies/ is named by its SHA-256. Exit code 0: all good. 20: a difference, and the
first line says what and where.
"""


@dataclass(frozen=True)
class Span:
    """Index days of a bundle, both ends included, and its indices; ``None`` means all."""

    first: date
    last: date
    index_ids: tuple[str, ...] | None = None

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Return whether a record speaks of these days and indices, or of the months they are in.

        A record that names no index or no day is not bound to one and is held.
        """
        name, day, period = (record.get(k) for k in ("index_id", "ref_date", "period"))
        if self.index_ids is not None and name is not None and name not in self.index_ids:
            return False
        if day is not None:
            return bool(str(self.first) <= day <= str(self.last))
        return period is None or bool(str(self.first)[:7] <= period <= str(self.last)[:7])


def month(text: str, index_ids: Sequence[str] = ()) -> Span:
    """Return the span of a month such as ``2026-08``.

    Raises:
        UsageError: no month.
    """
    found = _MONTH.fullmatch(text)
    if not found:
        raise UsageError(f"--audit {text!r} is not a month; write it like 2026-08")
    first = date(int(found[1]), int(found[2]), 1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Span(first, following - timedelta(days=1), tuple(index_ids) or None)


def build(settings: Settings, span: Span) -> dict[str, bytes]:
    """Return the files of a bundle by name.

    Args:
        settings: where ledger, published tree and keys are.
        span: which days and indices.

    Raises:
        CoverageError: nothing was published, or nothing for these days.
        LogInconsistent: the published checkpoint is not of this log.
        ConfigError: a key that is needed cannot sign.
    """
    ledger, ring = open_ledger(settings), keyring.load(settings)
    note, size = _checkpoint(ledger, ring)
    bodies = dict(enumerate(ledger.log.entries(0, size)))
    records = {seq: json.loads(body) for seq, body in bodies.items()}
    wanted = choose(records, span)
    if not any(records[seq]["type"] == "fixing" for seq in wanted):
        raise CoverageError(
            f"no fixing of {span.first} to {span.last} in this log; `spotfix list` shows the days"
        )
    fixing_keys = _fixing_keys(records.values(), ring)
    tree = Tree()
    for seq in range(size):
        tree.add(ledger.log.leaf_hash(seq))
    root = tree.root_at(size)
    signatures = []
    for seq in wanted:
        if place_of(records[seq]) is not None:
            key_id, signature = _signature(settings, records[seq], bodies[seq], ring, fixing_keys)
            told = {"seq": seq, "key_id": key_id, "signature": _base64(signature)}
            signatures.append(told)
    keys = {key.id: key for key in [*fixing_keys, *ring.public_keys]}
    files = {
        "records.jsonl": _lines({"seq": seq, "leaf": bodies[seq].decode()} for seq in wanted),
        "signatures.jsonl": _lines(signatures),
        "checkpoint": note,
        "proofs.jsonl": _lines(
            {"seq": seq, "path": [_base64(one) for one in tree.inclusion_proof(seq)]}
            for seq in wanted
        ),
        "heads.jsonl": _lines(
            {
                "size": head.size,
                "root": head.root.hex(),
                "path": [_base64(one) for one in tree.consistency_proof(head.size)],
            }
            for head in ledger.log.heads
            if head.size <= size
        ),
        "keys.jsonl": _lines(
            {"id": k.id, "name": k.name, "algorithm": k.algorithm, "pem": k.pem().decode()}
            for _, k in sorted(keys.items())
        ),
        "README.txt": README.format(
            administrator=settings.administrator_id,
            first=span.first,
            last=span.last,
            origin=ledger.log.origin,
            keys="\n".join(
                f"    {k.id}  {'fixings' if k.purpose == 'fixing' else 'checkpoints'}"
                for k in (*fixing_keys, ring.log.public)
            ),
            size=size,
            root=root.hex(),
        ).encode(),
    }
    for kind, sha256 in sorted(_cited(records[seq] for seq in wanted)):
        files[f"bodies/{kind}/{sha256}.jsonl"] = ledger.batches.get(kind, sha256)
    contents = canonical(
        {
            "type": "audit",
            "schema": "audit/1.0",
            "log_origin": ledger.log.origin,
            "administrator_id": settings.administrator_id,
            "first_day": str(span.first),
            "last_day": str(span.last),
            "index_ids": None if span.index_ids is None else sorted(span.index_ids),
            "size": size,
            "root": root.hex(),
            "files": {name: hashlib.sha256(body).hexdigest() for name, body in files.items()},
        }
    )
    files["contents.json"] = contents + b"\n"
    files["contents.json.sig"] = ring.fixing.sign(files["contents.json"])
    return files


def choose(records: Mapping[int, Row], span: Span) -> list[int]:
    """Return the places of the records that an audit of these days needs, ascending.

    The fixings of the days, in every revision, and what they rest on: commitments, the fixing a
    live one continued from, the panels frozen for their indices, what witnesses said meanwhile,
    every record of rules and keys, what settles on them, and whatever was said about them since.
    """
    about = {"restatement", "erratum", "notice", "complaint", "settlement", "cessation", "incident"}
    always = {"methodology", "key", "calendar"}
    found = {
        seq
        for seq, one in records.items()
        if one["type"] in always or (one["type"] in {"fixing", *about} and span.holds(one))
    }
    for seq in list(found):
        one = records[seq]
        if one["type"] == "settlement":
            found |= {day["seq"] for day in one["inputs"] if day["seq"] is not None}
        if one.get("panel_state_before"):
            found.add(one["panel_state_before"]["record"])
    mine = [records[seq] for seq in found if records[seq]["type"] == "fixing"]
    names = {one["index_id"] for one in mine}
    # A revision rests on those before it, whatever brought it here.
    keys = {(one["index_id"], one["session"], one["ref_date"]): one for one in mine}
    found |= {
        seq
        for seq, one in records.items()
        if one["type"] == "fixing" and (one["index_id"], one["session"], one["ref_date"]) in keys
    }
    found |= {records[seq]["commit_seq"] for seq in found if records[seq]["type"] == "fixing"}
    span_of = range(min(found, default=0), max(found, default=0) + 1)
    found |= {
        seq
        for seq in span_of
        if records[seq]["type"] == "witness"
        or (records[seq]["type"] == "basket" and records[seq]["index_id"] in names)
    }
    return sorted(found)


def _cited(records: Iterable[Row]) -> set[tuple[str, str]]:
    """Return kind and digest of each body that the verifier opens."""
    found: set[tuple[str, str]] = set()
    for one in records:
        if one["type"] == "fixing":
            found.add(("basket", one["basket_digest"][7:]))
            found |= {(k, one[k]["sha256"][7:]) for k in ("contributions", "panel_state")}
        elif one["type"] == "commitment":
            found.add(("inputs", one["inputs"]["sha256"][7:]))
        elif one["type"] in ("methodology", "basket"):
            found.add((one["artefact"]["kind"], one["artefact"]["sha256"][7:]))
    return found


def _checkpoint(ledger: Ledger, ring: keyring.Keyring) -> tuple[bytes, int]:
    """Return the published checkpoint and its size; of an unpublished log, one signed here."""
    path = ledger.settings.site / "log" / "checkpoint"
    log = ledger.log
    if path.exists():
        note = path.read_bytes()
        origin, head = parse_checkpoint(parse_note(note).body)
        if origin != log.origin or head.size > log.size or log.root_at(head.size) != head.root:
            raise LogInconsistent(
                f"{path}: a checkpoint of {origin} at size {head.size} that is no beginning of "
                f"{log.origin}; compare both with a backup"
            )
        return note, head.size
    return sign_checkpoint(log.checkpoint_text().encode(), ring, _last_time(ledger)), log.size


def _last_time(ledger: Ledger) -> datetime:
    """Return the latest time that the log's last record states: no clock decides a bundle."""
    last = json.loads(ledger.log.entry(ledger.log.size - 1))
    times = [v for k, v in last.items() if k in ("published_at", "committed_at", "at") and v]
    return datetime.fromisoformat(max(times)) if times else datetime(2026, 1, 1, tzinfo=UTC)


def _fixing_keys(records: Iterable[Row], ring: keyring.Keyring) -> list[PublicKey]:
    """Return the keys that ever signed records, as the log names them, and the current one."""
    found = {ring.fixing.public.id: ring.fixing.public}
    for one in records:
        if one["type"] == "key" and one["purpose"] == "fixing" and one["algorithm"] == ED25519:
            raw = base64.b64decode(one["public_key"])
            key = PublicKey.from_raw(raw, name=one["name"], purpose="fixing")
            found[key.id] = key
    return list(found.values())


def _signature(
    settings: Settings,
    record: Row,
    body: bytes,
    ring: keyring.Keyring,
    keys: Sequence[PublicKey],
) -> tuple[str, bytes]:
    """Return key id and signature of a record: the published ``.sig``, else one made now.

    Ed25519 has one signature for one key and message, so both are the same bytes.

    Raises:
        LogInconsistent: the published signature is by none of the log's keys.
    """
    place = place_of(record)
    assert place is not None
    path = settings.drop / place.folder / f"{place.stem}.json.sig"
    if not path.exists():
        return ring.fixing.public.id, ring.fixing.sign(body)
    signature = path.read_bytes()
    for key in keys:
        if key.verify(body, signature):
            return key.id, signature
    raise LogInconsistent(
        f"{path}: no fixing key of this log signed record {record['seq']}; restore the file"
    )


def write(files: Mapping[str, bytes], target: Path) -> None:
    """Write the files of a bundle into a folder that is missing or empty.

    Raises:
        UsageError: there is something in it already.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target}: is there already; name a new folder")
    for name, body in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def write_tar(files: Mapping[str, bytes], target: Path) -> None:
    """Write the files of a bundle into one ``.tar``, the same bytes every time.

    Raises:
        UsageError: the file is there already.
    """
    if target.exists():
        raise UsageError(f"{target}: is there already; name a new file")
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, body in sorted(files.items()):
            member = tarfile.TarInfo(f"{target.stem}/{name}")
            member.size, member.mode = len(body), 0o644
            tar.addfile(member, io.BytesIO(body))
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_durably(target, made.getvalue())


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(canonical(row) + b"\n" for row in rows)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
