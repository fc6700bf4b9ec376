"""``spotfix settle --correct``: show what a correction of a price changes, then carry it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from index import manifest_stamps, officers, projections, reading, schedule, settlement_corrections
from index.settlement_corrections import CORRECT, OUTCOMES, SAME, STANDS, Plan
from index.shop import look, open_shop
from methodology import clock
from methodology.errors import UsageError

if TYPE_CHECKING:
    from index.config import Settings
    from index.terminal import Screen
    from methodology.contracts import Contract

CODES: Final = {CORRECT: 0, STANDS: 13, SAME: 14}
"""Exit codes by outcome, those of ``spotfix revise``."""


@dataclass(frozen=True)
class Wish:
    """What the command line asks: the reason, who signs, and whether to look only."""

    reason: str
    files: Sequence[Path | None] = ()
    elsewhere: Sequence[str] = ()
    statement: Path | None = None
    dry_run: bool = False


def correct(settings: Settings, contract: Contract, month: date, wish: Wish) -> dict[str, Any]:
    """Correct the price of a month, or say what would be; return it as plain values.

    Raises:
        UsageError: an event, which has no record; or a statement that cannot be written.
        CoverageError: no ledger, or no price of that month.
        ConfigError: too few officers have signed, or the contract is another one.
        LockHeld: another process publishes.
    """
    if contract.kind != "average":
        raise UsageError(f"{contract.id} is an event: it has no record that could be corrected")
    reading.require_ledger(settings)
    logged = None
    is_trial = wish.dry_run or wish.statement is not None

    def planned(shop: Any) -> Plan:
        at = schedule.utc_now()
        return settlement_corrections.plan(shop, contract, month, wish.reason, at)

    if is_trial:
        made = planned(look(settings))
        if wish.statement is not None:
            _write_statement(made, wish.statement)
    else:
        with open_shop(settings) as shop:
            made = planned(shop)
            if made.outcome == CORRECT:
                text = made.statement()
                signed = officers.gather(shop, text, wish.files, wish.elsewhere)
                logged = settlement_corrections.carry_out(made, signed)
                manifest_stamps.after(shop)
        if logged is not None and not projections.is_current(settings):
            projections.rebuild(settings)
    return _told(made, is_trial, logged)


def _write_statement(made: Plan, file: Path) -> None:
    if made.outcome != CORRECT:
        raise UsageError(f"there is nothing to sign: the price {OUTCOMES[made.outcome]}")
    try:
        file.write_bytes(made.statement())
    except OSError as error:
        raise UsageError(f"--statement: {file}: {error.strerror or error}") from error


def _told(made: Plan, is_trial: bool, logged: dict[str, Any] | None) -> dict[str, Any]:
    names = ("status", "value", "count", "sum", "contract_value")
    return {
        "rule_id": made.contract.id,
        "period": made.standing["period"],
        "concerns": made.standing["seq"],
        "revision": made.standing["revision"],
        "before": {name: made.standing[name] for name in names},
        "after": {name: made.made[name] for name in names},
        "changed": made.changed,
        "outcome": made.outcome,
        "corrections_until": clock.iso(made.until),
        "reason": made.reason,
        "is_trial": is_trial,
        "exit_code": 0 if is_trial else CODES[made.outcome],
        "seq": logged["seq"] if logged else None,
    }


def show(screen: Screen, told: dict[str, Any], statement: Path | None) -> None:
    """Print a correction for a person."""
    before, after = told["before"], told["after"]
    screen.line(f"{told['rule_id']} {told['period']}, record {told['concerns']}")
    for name in before:
        if before[name] != after[name]:
            screen.pair(name, f"{_shown(before[name])} -> {_shown(after[name])}")
    others = [name for name in told["changed"] if name not in before]
    if others:
        screen.pair("also", ", ".join(others))
    screen.pair("until", told["corrections_until"])
    screen.pair("outcome", OUTCOMES[told["outcome"]])
    if told["seq"] is not None:
        screen.pair("logged", f"record {told['seq']}, revision {told['revision'] + 1}")
    if told["outcome"] == STANDS:
        screen.say("tell readers of the error with `spotfix oversight notice`")
    elif statement is not None:
        screen.say(f"{statement}: sign these bytes as they are, then give --signature KEYID=FILE")
    elif told["is_trial"]:
        screen.say("nothing was changed")


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
