"""The second names of the fixings on a server, ``/v1/fixings/…``, within the server's quota.

A server answers so many requests a minute there, so not every copy is asked for: those of each
session's newest day are, and as many other fixings as the caller says, drawn by a seed that the
server cannot know. The server's ``Retry-After`` and ``RateLimit`` are waited for, up to a limit,
and how many of how many copies were compared is always said.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from index.outside import Unreachable
from index.publication import drop
from index.shelves import Held, Served
from index.verifying import Findings, Seen

_ITEM = re.compile(r";\s*([rt])=([0-9]{1,9})(?![0-9])")

BUSY = (429, 503)
"""Answers after which the same is asked again."""

MOST_TRIES = 5


@dataclass(frozen=True)
class Asking:
    """How much a server is asked: fixings besides the newest day's, and seconds of waiting in all.

    ``seed`` decides which fixings are drawn; it is told, so that a draw can be repeated.
    """

    copies: int = 24
    wait: float = 120.0
    seed: int = field(default_factory=lambda: secrets.randbits(32))
    sleep: Callable[[float], None] = time.sleep


class _Enough(Exception):
    """The server asks to wait for longer than the caller allows."""


class _Asker:
    """Requests to one server, as fast as it allows."""

    def __init__(self, shelf: Served, asking: Asking) -> None:
        self.shelf, self.asking, self.left = shelf, asking, asking.wait
        self._due = 0.0

    def read(self, path: str) -> bytes | None:
        """Return a file; ``None`` when there is none of that name.

        Raises:
            Unreachable: no answer, or one with another status.
            _Enough: it would take longer than the caller waits.
        """
        url = self.shelf.where(path)
        for _ in range(MOST_TRIES):
            self._wait(self._due)
            self._due = 0.0
            got = self.shelf.outside.ask("GET", url)
            if got.status in BUSY:
                said = got.headers.get("retry-after", "")
                self._due = float(said) if re.fullmatch("[0-9]{1,9}", said) else 5.0
                continue
            told = dict(_ITEM.findall(got.headers.get("ratelimit", "")))
            if told.get("r") == "0":
                self._due = float(told.get("t", 1))
            if got.status in (404, 410):
                return None
            if got.status != 200:
                raise Unreachable(f"{url}: HTTP {got.status}; try again later")
            return got.body
        raise _Enough

    def _wait(self, seconds: float) -> None:
        if seconds <= 0:
            return
        if seconds > self.left:
            raise _Enough
        self.left -= seconds
        self.asking.sleep(seconds)


def check_copies(
    shelf: Served,
    seen: Seen,
    found: Findings,
    asking: Asking,
    check: Callable[[Held, str, int], None],
    endings: tuple[str, ...],
) -> None:
    """Compare copies of fixings with the log: the newest day's, and a sample of the others.

    Args:
        shelf: the site; ``v1/`` stands directly below it.
        seen: the log.
        found: takes what is missing or differs, and how many of how many were compared.
        asking: how many, and how long to wait.
        check: compares the files of one record: shelf, path without ending, place in the log.
        endings: those of a fixing's files.

    Raises:
        Unreachable: the server did not answer.
    """
    fixings = [seq for seq, one in enumerate(seen.records) if one["type"] == "fixing"]
    last: dict[str, str] = {}
    for seq in fixings:
        one = seen.records[seq]
        last[one["session"]] = max(last.get(one["session"], ""), one["ref_date"])
    newest = [s for s in fixings if seen.records[s]["ref_date"] == last[seen.records[s]["session"]]]
    others = [seq for seq in fixings if seq not in set(newest)]
    draw = random.Random(asking.seed)
    drawn = sorted(draw.sample(others, min(asking.copies, len(others))))
    asker, is_cut = _Asker(shelf, asking), False
    whole = {"newest": 0, "drawn": 0}
    for kind, seq in [*(("newest", s) for s in newest), *(("drawn", s) for s in drawn)]:
        base = drop.site_path(seen.records[seq])
        held: dict[str, bytes] = {}
        try:
            for ending in endings:
                body = asker.read(base + ending)
                found.counts["copies"] += 1
                if body is None:
                    found.add(shelf.where(base + ending), f"is missing; it is seq {seq}")
                else:
                    held[base + ending] = body
        except _Enough:
            is_cut = True
            break
        check(Held(held, f"{shelf.base}/"), base, seq)
        whole[kind] += 1
    every = len(fixings) * len(endings)
    if found.counts["copies"] == every and not is_cut:
        return
    why = (
        f"; the server's quota asks for more than {asking.wait:g} s of waiting (--wait)"
        if is_cut
        else ""
    )
    found.warnings.append(
        f"{shelf.where('v1/fixings')}: {found.counts['copies']} of {every} second copies compared: "
        f"{whole['newest']} of {len(newest)} fixings of the newest days, {whole['drawn']} of "
        f"{len(others)} others, drawn with seed {asking.seed}{why}; the same files were all "
        "checked in its drop"
    )
