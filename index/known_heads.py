"""The heads of logs that this machine has seen, so that a later look can be compared.

One JSON file, ``~/.local/state/spotfix/heads.json`` unless another is named. For each origin it
holds size, root, when and where it was seen, and the signed checkpoint itself: if the log is ever
forked, the two checkpoints are the evidence.

A head taken when nothing was pinned is marked so. It shows that a log changed, and not which of the
two was the true one: a later look under a pinned key or head may take its place.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.ledger.files import replace_durably
from index.ledger.tiles import Head, parse_checkpoint
from index.publication.notes import parse_note
from methodology.errors import ConfigError, UsageError, VerificationError

_PAIR = re.compile(r"(0|[1-9][0-9]{0,17}):(.+)")


@dataclass(frozen=True)
class Known:
    """A head seen before: where, and when (RFC 3339; empty if it was given on a command line).

    ``is_pinned``: a pinned key vouched for it, or it was given; otherwise it was taken on trust.
    ``note`` is its signed checkpoint as far as it was kept.
    """

    head: Head
    place: str
    seen_at: str = ""
    is_pinned: bool = True
    note: bytes = b""

    @property
    def told(self) -> str:
        """Where it is from, for a message."""
        if not self.seen_at:
            return self.place
        how = "under a pinned key" if self.is_pinned else "with nothing pinned, so taken on trust"
        return f"{self.place}, seen {self.seen_at} {how}"


def default_path() -> Path:
    """Return where heads are kept unless a flag names another file."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "spotfix" / "heads.json"


class Heads:
    """The file of heads; nothing is written before :meth:`remember`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def last(self, origin: str) -> Known | None:
        """Return the head of a log seen last, ``None`` at first sight.

        Raises:
            ConfigError: the file is not as this class writes it.
        """
        told = self._read().get(origin)
        if told is None:
            return None
        try:
            root = base64.b64decode(told["root"], validate=True)
            if type(told["size"]) is not int or len(root) != 32:
                raise ValueError("not a head")
            return Known(
                Head(told["size"], root),
                str(told["place"]),
                str(told["seen_at"]),
                told.get("pinned") is True,
                str(told["checkpoint"]).encode(),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._broken(error) from error

    def remember(
        self,
        origin: str,
        head: Head,
        note: bytes,
        place: str,
        at: str,
        *,
        is_pinned: bool = False,
        is_instead: bool = False,
    ) -> None:
        """Keep a head that continues the one kept before, durably; a smaller one changes nothing.

        Args:
            origin: the log's name.
            head: what was seen.
            note: its signed checkpoint.
            place: where it was seen.
            at: when.
            is_pinned: a pinned key or head vouched for it. What continues a pinned head is pinned.
            is_instead: put it in the place of a head that it contradicts.

        Raises:
            ConfigError: the file cannot be read.
            OSError: the disk refused.
        """
        told = self._read()
        last = told.get(origin)
        if last is not None and not is_instead:
            was_pinned = last.get("pinned") is True
            if last["size"] > head.size or (
                last["size"] == head.size and (was_pinned or not is_pinned)
            ):
                return
            is_pinned = is_pinned or was_pinned
        told[origin] = {
            "size": head.size,
            "root": base64.b64encode(head.root).decode("ascii"),
            "seen_at": at,
            "place": place,
            "pinned": is_pinned,
            "checkpoint": note.decode("utf-8"),
        }
        body = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
        replace_durably(self.path, body.encode() + b"\n")

    def keep_evidence(self, origin: str, head: Head, note: bytes) -> Path:
        """Keep a signed checkpoint that contradicts the one kept before, beside the file."""
        words = re.sub(r"[^A-Za-z0-9.-]+", "-", origin)[:80]
        path = self.path.parent / f"evidence-{words}-{head.size}-{head.root.hex()[:16]}.checkpoint"
        replace_durably(path, note)
        return path

    def _read(self) -> dict[str, Any]:
        try:
            told = json.loads(self.path.read_bytes())
            if not isinstance(told, dict):
                raise ValueError("not a JSON object")
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise self._broken(error) from error
        return told

    def _broken(self, error: Exception) -> ConfigError:
        return ConfigError(
            f"{self.path}: is not a file of heads ({error}); restore it, or move it away and trust "
            "at first sight again"
        )


def read_known(text: str) -> tuple[str | None, Known]:
    """Return origin (``None`` if it is not told) and head of ``SIZE:ROOT`` or of a file.

    Args:
        text: ``SIZE:ROOT``, the root in hex or base64; or a path of a checkpoint, signed or not.

    Raises:
        UsageError: neither of them.
    """
    found = _PAIR.fullmatch(text)
    if found is not None and not Path(text).exists():
        return None, Known(Head(int(found[1]), _root(found[2])), "--known-head")
    try:
        body = Path(text).read_bytes()
    except OSError as error:
        raise UsageError(
            f"--known-head {text!r}: no such file ({error.strerror}) and not SIZE:ROOT"
        ) from error
    try:
        origin, head = parse_checkpoint(parse_note(body).body if b"\n\n" in body else body)
    except (VerificationError, ValueError) as error:
        raise UsageError(f"--known-head {text}: not a checkpoint: {error}") from error
    return origin, Known(head, text)


def _root(text: str) -> bytes:
    try:
        root = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        root = b""
    if len(root) != 32:
        raise UsageError(f"--known-head: root {text!r} is not 32 bytes in hex or base64")
    return root
