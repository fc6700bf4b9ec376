"""Logging what people decided: one record at a time, signed as its kind asks (rulebook 24)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from index import manifest_stamps, officers, projections, reading, schedule
from index.config import Settings
from index.shop import Shop, look, open_shop
from methodology import clock
from methodology.errors import UsageError

Row = dict[str, Any]


@dataclass(frozen=True)
class Signing:
    """Who signs a record, and where their keys are.

    Attributes:
        count: how many officers have to sign; 0 where a record needs none.
        files: private keys at hand; None where an option was not given.
        elsewhere: signatures made elsewhere, each ``KEYID=FILE``.
        statement: a file for the bytes to sign; with it nothing is logged.
    """

    count: int = 0
    files: Sequence[Path | None] = ()
    elsewhere: Sequence[str] = ()
    statement: Path | None = None


def log(
    settings: Settings, make: Callable[[Shop, datetime], Row], signing: Signing | None = None
) -> Row:
    """Append one record under the lock and publish it; return it as logged, place included.

    Args:
        settings: the installation; its ledger must exist.
        make: makes the content from the open shop and the time, naive UTC.
        signing: default: nobody signs.

    Returns:
        The record; with ``signing.statement`` the content alone, of which nothing was logged.

    Raises:
        CoverageError: no ledger yet.
        UsageError: the statement cannot be written; a signature is missing, wrong or of nobody
            who may sign.
        LockHeld: another process publishes.
    """
    signing = signing or Signing()
    reading.require_ledger(settings)
    if signing.statement is not None:
        return _write_statement(look(settings), make, signing.statement)
    with open_shop(settings) as shop:
        at = schedule.utc_now().replace(microsecond=0)
        content = make(shop, at)
        record = {**content, "at": clock.iso(at), **_signed(shop, content, signing)}
        seq = shop.log.size
        shop.append([lambda place: {**record, "seq": place}])
        manifest_stamps.after(shop)
    if not projections.is_current(settings):
        projections.rebuild(settings)
    return {**record, "seq": seq}


def _write_statement(shop: Shop, make: Callable[[Shop, datetime], Row], file: Path) -> Row:
    content = make(shop, schedule.utc_now())
    try:
        file.write_bytes(officers.statement(shop.log.origin, [content]))
    except OSError as error:
        raise UsageError(f"--statement: {file}: {error.strerror or error}") from error
    return content


def _signed(shop: Shop, content: Row, signing: Signing) -> Row:
    """Return the signatures as fields of the record; a complaint says that it has none."""
    if signing.count:
        message = officers.statement(shop.log.origin, [content])
        found = officers.gather(shop, message, signing.files, signing.elsewhere, signing.count)
        stored = shop.batches.put(officers.KIND, message)
        return {
            "statement": stored.reference(),
            "signatures": [one.as_record() for one in found],
        }
    return {"statement": None, "signatures": []} if content["type"] == "complaint" else {}
