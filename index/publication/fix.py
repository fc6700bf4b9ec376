"""A fixing as FIX messages: encoding only, the session is the venue's.

A ``.fix`` file holds a snapshot (``35=W``) and a change (``35=X``), each for FIX 4.4 and for FIX
5.0 SP2 over FIXT 1.1, one message a line. All four stand in one file, because they say one thing:
a venue picks the lines that begin with its version, ``8=FIX.4.4`` or ``8=FIXT.1.1``. Fields are
delimited by SOH as on the wire; the line feed after a message's last SOH is not part of it. 9 and
10 are as sent. 34, 49 and 56 name the log's ``seq``, the administrator and ``ANY``: a session that
sends a message on puts its own there and computes 9 and 10 again.

====================  ==========================================================================
55, 48, 22            index_id, index_id, 8 (exchange symbol)
15, 75, 60            currency, ref_date, published_at
279 (X)               0 new, 1 revision, 2 withdrawn or a value that is no more
269                   ``3`` level; ``6`` value (4.4) or ``W`` fixing price (5.0 SP2); ``B`` volume
270, 271, 272, 273    value or level, volume, date and time of the cut-off
286                   0 daily; 4 a previous day's value carried (CARRY)
731                   1 final, 2 theoretical (PROVISIONAL)
83 (X)                ``seq``
58                    path of the record; before it ``NO_FIX`` or ``WITHDRAWN`` and the reason
93, 89                length and base64 of the fixing key's signature over the record's bytes
====================  ==========================================================================

A fixing without a value is a ``W`` with ``268=0``: no price entry, never a price of 0. It is an
``X`` only if it takes back an earlier revision.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import simplefix

LEVEL, SETTLEMENT, FIXING, VOLUME = "3", "6", "W", "B"
"""MDEntryType (269): index value, settlement price, fixing price, trade volume."""

TYPES: Final = {LEVEL: "level", SETTLEMENT: "value", FIXING: "value", VOLUME: "volume"}
"""The field of the record that each entry holds."""

_PRICES: Final = {"FIX.4.4": SETTLEMENT, "FIXT.1.1": FIXING}
_SP2 = "9"


@dataclass(frozen=True, slots=True)
class Entry:
    """One market data entry: its type, price or size as decimal text, and the price's currency."""

    kind: str
    price: str | None
    size: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Quoted:
    """What every message on one fixing says, whatever its encoding."""

    symbol: str
    trade_date: str
    transact_time: str
    entry_date: str
    entry_time: str
    settles: str
    price_type: str
    action: str
    sequence: int
    text: str
    entries: tuple[Entry, ...]


def quoted(record: Mapping[str, Any], *, value_kind: str = FIXING) -> Quoted:
    """Return a fixing record in FIX's terms; ``value_kind`` is the MDEntryType of the value."""
    has_value = record["value"] is not None and record["status"] != "WITHDRAWN"
    entries = []
    if has_value:
        if record["level"] is not None:
            entries.append(Entry(LEVEL, record["level"], None, None))
        entries.append(Entry(value_kind, record["value"], None, record["currency"]))
        if record["volume"] is not None:
            entries.append(Entry(VOLUME, None, record["volume"], None))
    is_new = record["revision"] == 0
    date, time = _moment(record["cutoff_at"])
    return Quoted(
        symbol=record["index_id"],
        trade_date=record["ref_date"].replace("-", ""),
        transact_time="-".join(_moment(record["published_at"])),
        entry_date=date,
        entry_time=time,
        settles="4" if record["waterfall"] == "CARRY" else "0",
        price_type="2" if record["status"] == "PROVISIONAL" else "1",
        action="2" if not has_value else "0" if is_new else "1",
        sequence=record["seq"],
        text=_text(record, has_value),
        entries=tuple(entries),
    )


def messages(record: Mapping[str, Any], signature: bytes) -> bytes:
    """Return the file of all messages on one fixing, each ended by SOH and a line feed.

    Args:
        record: the fixing.
        signature: the fixing key's, over the record's bytes.
    """
    made = []
    for version in _PRICES:
        told = quoted(record, value_kind=_PRICES[version])
        made.append(_message(record, told, version, "W", signature))
        if told.action != "2":
            made.append(_message(record, told, version, "X", signature))
        elif record["supersedes"] is not None:
            # What is taken back: the kinds of entries a fixing with a value has.
            gone = tuple(Entry(kind, None, None, None) for kind in (LEVEL, _PRICES[version]))
            made.append(_message(record, told, version, "X", signature, gone))
    return b"".join(one + b"\n" for one in made)


def _message(
    record: Mapping[str, Any],
    told: Quoted,
    version: str,
    kind: str,
    signature: bytes,
    entries: tuple[Entry, ...] | None = None,
) -> bytes:
    entries = told.entries if entries is None else entries
    message = simplefix.FixMessage()
    put = message.append_pair
    put(8, version)
    put(35, kind)
    if version == "FIXT.1.1":
        put(1128, _SP2)
    put(49, record["administrator_id"])
    put(56, "ANY")
    put(34, told.sequence)
    put(52, told.transact_time)
    instrument = ((55, told.symbol), (48, told.symbol), (22, "8"))
    if kind == "W":
        for tag, value in instrument:
            put(tag, value)
    put(75, told.trade_date)
    put(60, told.transact_time)
    put(268, len(entries))
    for one in entries:
        if kind == "X":
            put(279, told.action)
        put(269, one.kind)
        if kind == "X":
            for tag, value in instrument:
                put(tag, value)
        put(270, one.price)  # a pair without a value is left out
        put(15, one.currency)
        put(271, one.size)
        put(272, told.entry_date)
        put(273, told.entry_time)
        if one.price is not None:
            put(286, told.settles)
            put(731, told.price_type)
        if kind == "X":
            put(83, told.sequence)
    put(58, told.text)
    encoded = base64.b64encode(signature).decode("ascii")
    put(93, len(encoded))
    put(89, encoded)
    return bytes(message.encode())


def _moment(at: str) -> tuple[str, str]:
    """Return a record's time as FIX has it: UTC date and UTC time with milliseconds."""
    date, _, time = at.removesuffix("Z").partition("T")
    return date.replace("-", ""), time


def _text(record: Mapping[str, Any], has_value: bool) -> str:
    path = (
        f"/v1/fixings/{record['index_id']}/{record['session']}/{record['ref_date']}/"
        f"r{record['revision']}.json"
    )
    if has_value:
        return path
    word = "WITHDRAWN" if record["status"] == "WITHDRAWN" else "NO_FIX"
    reason = record["no_fix_reason"] or record["revision_reason"] or "no reason stated"
    plain = str(reason).encode("ascii", "backslashreplace").decode("ascii")
    # SOH, and any other control character, would end the field.
    plain = "".join(c if c.isprintable() else " " for c in plain)
    return f"{word}: {plain}; {path}"
