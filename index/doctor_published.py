"""What the doctor says of publication: keys, the published tree, witnesses, the drop's disk.

Each line is ``name, state, told, fix``, as :class:`index.doctor.Check` takes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from index import keyholding, manifest_stamps
from index.config import Settings
from index.ledger.log import Log
from index.publication import keyring, notes
from index.publication.tree import CHECKPOINT
from index.reading import open_ledger
from methodology import clock
from methodology.errors import ConfigError, VerificationError

State = Literal["ok", "warn", "bad"]
Line = tuple[str, State, str, str]

MAKE_KEYS: Final = "spotfix keys create --root FILE"


def keys(settings: Settings) -> Iterator[Line]:
    """Tell which fixing key signs, and whether it is the one that the log names."""
    try:
        ring = keyring.load(settings)
        mine = ring.fixing.public.id
        history, size = keyholding.read_history(settings)
    except (ConfigError, VerificationError) as error:
        yield "key", "bad", str(error), f"mend {settings.keys}, or restore it from a backup"
        return
    named = {key.id for key in history.at("fixing", size)} if size else {mine}
    if mine not in named:
        yield (
            "key", "bad", f"{mine} is at hand and the log names {', '.join(sorted(named))}",
            "put that key into keyring.toml; nothing can be published with another",
        )  # fmt: skip
    elif ring.is_demo:
        new = " --out NEW" if Log.exists(settings.ledger) else ""  # a log keeps its keys
        yield "key", "warn", "demonstration key in use - not for publication", MAKE_KEYS + new
    else:
        where = "" if ring.root_signer is None else "; the root's private part is here too"
        yield (
            "key", "warn" if where else "ok", f"{mine} signs ({ring.places['fixing']}){where}",
            "take the root's file offline" if where else "",
        )  # fmt: skip


def published(settings: Settings) -> Iterator[Line]:
    """Tell whether drop and site show the whole log under a checkpoint that both keys signed."""
    if not Log.exists(settings.ledger):
        return
    size = Log.open(settings.ledger, read_only=True).size
    if not size:
        yield "published", "warn", "the log has no record yet", "spotfix run"
        return
    path = settings.site / CHECKPOINT
    if not path.is_file():
        yield "published", "warn", f"no {path}: nobody can see the log", "spotfix run"
        return
    history, _ = keyholding.read_history(settings)
    note = path.read_bytes()
    try:
        shown = int(note.split(b"\n")[1])
        signed = notes.verify_checkpoint(note, history.checkpoint_keys(shown))
    except (VerificationError, ValueError, IndexError) as error:
        told = f"{path}: {error}"
        yield "published", "bad", told, "spotfix verify says more; serve nothing until it is clear"
        return
    if signed.size > size:
        yield (
            "published", "bad", f"{path} is of {signed.size} records, the ledger has {size}",
            "restore the ledger from a backup; publish nothing before",
        )  # fmt: skip
        return
    at = f" at {clock.iso(signed.signed_at.replace(tzinfo=None))}" if signed.signed_at else ""
    told = f"checkpoint of size {signed.size} signed by {', '.join(signed.signed_by)}{at}"
    if signed.size < size:
        left = f"{told}; {size - signed.size} records of the log are not published"
        yield "published", "warn", left, "spotfix run, or spotfix run --due"
    else:
        yield "published", "ok", f"{told}; drop and site are current", ""


def witnesses(settings: Settings) -> Iterator[Line]:
    """Tell who sees commitments before values are made, and what they gave last."""
    asked = len(settings.witnesses) + (settings.timestamp_authority is not None)
    if not asked:
        yield (
            "witness", "warn", "none: fixings are flagged COMMIT_UNWITNESSED",
            "name [[witnesses]] or timestamp_authority in spotfix.toml (docs/FEED.md)",
        )  # fmt: skip
        return
    if not Log.exists(settings.ledger):
        yield "witness", "ok", f"{asked} named, none asked yet", ""
        return
    held = open_ledger(settings).published
    seen = [(one["seq"], one["by"]) for one in held.witnesses]
    failed = [one for one in held.incidents if one["kind"] == "WITNESS_FAILED"]
    last = f"last countersigned by {seen[-1][1]} at record {seen[-1][0]}" if seen else "none yet"
    bad = [one for one in failed if not seen or one["seq"] > seen[-1][0]]
    told = f"{asked} named, {last}"
    if bad:
        why = f"{bad[-1]['witness']}: {bad[-1]['reason']} ({bad[-1]['detail']})"
        yield "witness", "warn", f"{told}; failed since: {why}", "ask its operator; check its key"
    else:
        yield "witness", "ok", told, ""


def stamps(settings: Settings) -> Iterator[Line]:
    """Tell how many manifests of the drop have a time stamp, and what failed last."""
    if settings.timestamp_authority is None or not Log.exists(settings.ledger):
        return
    every, stamped, failed = manifest_stamps.summary(settings, open_ledger(settings).published)
    told = f"{stamped} of {every} manifests have a token of {settings.timestamp_authority}"
    if failed:
        fix = "ask its operator; check timestamp_roots; the next live run asks again"
        yield "stamps", "warn", f"{told}; last refused: {failed}", fix
    else:
        yield "stamps", "ok", told, ""


def places(settings: Settings) -> list[Path]:
    """Return the folders to look for space in: out, and drop or site where on other disks."""
    found = [settings.out]
    try:
        device = settings.out.stat().st_dev
        for path in (settings.drop, settings.site):
            if path.exists() and path.stat().st_dev != device:
                found.append(path)
    except FileNotFoundError:
        pass
    return found
