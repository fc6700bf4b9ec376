"""What `spotfix verify` prints: what was checked, what does not hold, what nobody could check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.known_heads import Known
    from index.terminal import Screen
    from index.verify_targets import Outcome
    from index.verifying import Findings
    from methodology.errors import VerificationError

SHOWN = 50
"""So many problems are printed; --json has all of them."""


def tell_problems(screen: Screen, error: VerificationError, as_json: bool) -> None:
    """Print every problem of a failed verification, and the evidence of a fork."""
    from index.terminal import BAD

    problems = [str(one) for one in getattr(getattr(error, "report", None), "problems", [])]
    evidence = getattr(error, "evidence", None)
    if as_json:
        told: dict[str, Any] = {"ok": False, "problems": problems or [str(error)]}
        if evidence is not None:
            told["evidence"] = {
                "origin": evidence.origin,
                "what": evidence.what,
                "older": {"size": evidence.older.size, "root": evidence.older.root.hex()},
                "newer": {"size": evidence.newer.size, "root": evidence.newer.root.hex()},
            }
        screen.json(told)
        return
    for one in problems[:SHOWN]:
        screen.line(("✗ ", BAD), one)
    if evidence is not None:
        for word, head in (("seen before", evidence.older), ("shown now", evidence.newer)):
            screen.line(("  ", BAD), f"{word:<12} size {head.size}  root {head.root.hex()}")


def tell_outcome(
    screen: Screen,
    outcome: Outcome,
    last: Known | None,
    as_json: bool,
    head: str = "",
    is_pinned: bool = False,
) -> None:
    """Print what was checked, as a person reads it; ``head``: what is said of the log's head."""
    from index import verify_figures, verify_witnesses
    from index.terminal import GOOD, WARN

    found, seen = outcome.found, outcome.seen
    if as_json:
        told: dict[str, Any] = {"ok": True, "checked": dict(found.counts)}
        if seen is not None:
            told |= {"origin": seen.origin, "size": seen.head.size, "root": seen.head.root.hex()}
            told["last_seen"] = last.head.size if last else None
            told |= {"is_pinned": is_pinned, "head": head}
            told["outside_dates"] = verify_witnesses.told(outcome.bounds)
        screen.json({**told, "warnings": found.warnings})
        return
    for line in _lines(found):
        screen.line("  ", line, (" ✓", GOOD))
    if seen is not None:
        size = seen.head.size
        screen.line("  ", f"inclusion in log {seen.origin} size {size}", (" ✓", GOOD))
        if head.startswith("consistent"):
            screen.line("  ", head, (" ✓", GOOD))
        else:
            screen.line("  ", head)
        for line in verify_witnesses.summary(outcome.bounds):
            screen.line("  ", line)
    if found.counts["values recomputed"]:
        screen.line("  ", verify_figures.NOT_FOUND_AGAIN)
    for warning in found.warnings:
        screen.line(("  ! ", WARN), warning)
    screen.line(("OK", GOOD))


def _lines(found: Findings) -> list[str]:
    """Return what was counted, a line each."""
    count = found.counts
    values, taken = count["values recomputed"], count["values without a second engine"]
    of = values + taken
    left = f" ({taken} derived or disclosed: `spotfix verify` makes them at the publisher's)"
    return [
        text
        for text, shown in (
            (f"manifest {count['manifests']}/{count['manifests']} chained", count["manifests"]),
            (f"{count['files']:,} files sha256", count["files"]),
            (f"{count['signatures']:,} signatures", count["signatures"]),
            (f"{count['proofs']:,} proofs", count["proofs"]),
            (f"{count['checkpoints']:,} signed checkpoints", count["checkpoints"]),
            (f"{count['tiles']:,} tiles", count["tiles"]),
            (f"{count['cosignatures']:,} countersignatures", count["cosignatures"]),
            (f"{count['time stamps']:,} time stamps, imprint and signature", count["time stamps"]),
            (f"{count['copies']:,} second copies compared", count["copies"]),
            (f"recomputed {values} of {of} values from inputs{left * bool(taken)}", of),
            (f"{count['rows']:,} rows of {count['tables']} tables are the log's", count["tables"]),
            (f"{count['records']:,} records keep their schemas 1.0", count["records"]),
        )
        if shown
    ]
