"""A log against the head that this machine saw last, and what a pin changes about it.

A head that was taken with nothing pinned is no more than what somebody showed once. When a later
look is pinned and the two contradict each other, the question is whose signature the older one
carries: by this log's own keys, its publisher showed two histories, which is a fork; by other keys,
it was another log under the same name, and the pinned one takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from index.known_heads import Heads, Known
from index.verify_log import check_head
from index.verifying import Findings, Seen, checked_note
from methodology.errors import SpotfixError

if TYPE_CHECKING:
    from index.verify_targets import Outcome


def is_pinned(seen: Seen, given: Sequence[str]) -> bool:
    """Return whether a pinned root, a pinned key of the log or a given head vouches for a log."""
    return seen.vouched_by in ("root", "log") or bool(given)


def settle(outcome: Outcome, last: Known | None, given: Sequence[str], heads: Heads) -> bool:
    """Compare a log with a head taken on trust, once the log itself is vouched for.

    Args:
        outcome: takes what was found.
        last: the head that was kept; nothing is done unless it was taken with nothing pinned.
        given: the heads of ``--known-head``; they were compared already.
        heads: where evidence is kept.

    Returns:
        Whether the new head goes in the place of the one that was kept.
    """
    seen = outcome.seen
    if seen is None or last is None or last.is_pinned:
        return False
    aside = Findings()
    evidence = check_head(seen, last.head, last.told, aside)
    outcome.found.counts += aside.counts
    if not aside.problems:
        return False
    is_own = _signed(seen, last)
    if (is_own and not given) or not is_pinned(seen, given):
        for one in aside.problems:
            outcome.found.add(one.where, one.what)
        if is_own:
            outcome.found.add(
                seen.shelf.where("checkpoint"),
                f"keys of this log signed the head of size {last.head.size} seen before as well: "
                "its publisher, or a thief of its keys, showed two histories",
            )
        outcome.evidence = evidence or outcome.evidence
        return False
    kept = heads.keep_evidence(seen.origin, last.head, last.note)
    whose = "signed by this log's keys" if is_own else "not signed by this log's keys"
    outcome.found.warnings.append(
        f"the head of size {last.head.size} ({last.told}) is not of the log that is pinned now, "
        f"and {whose}: what was shown then was another history; this one takes its place, and the "
        f"other is kept: {kept}"
    )
    return True


def _signed(seen: Seen, last: Known) -> bool:
    """Return whether keys of this log signed the checkpoint that was kept."""
    try:
        checked_note(last.note, seen.history.checkpoint_keys(last.head.size))
    except SpotfixError:
        return False
    return True


def told(seen: Seen, last: Known | None, given: Sequence[str], is_instead: bool) -> str:
    """Return what a person reads about the head that is kept now."""
    size = seen.head.size
    if last is not None and not is_instead:
        how = "" if last.is_pinned else ", which was taken with nothing pinned"
        return f"consistent with last seen size {last.head.size}{how}"
    if is_instead:
        return f"size {size} is kept in the place of a head taken with nothing pinned"
    if is_pinned(seen, given):
        return f"first look at {seen.origin}: size {size} is kept, pinned"
    return (
        f"first look at {seen.origin}; nothing pinned: size {size} is kept as what was shown here "
        "first, and proves only later changes; --trusted-key or --known-head pins it"
    )
