"""What stands at the beginning of a log: the keys that sign it, and the calendars of contracts.

A log that an earlier release began gets both at its next run; the keys hold for its earlier
records too.
"""

from __future__ import annotations

from datetime import datetime

from index import calendar_records
from index.publication import key_records
from index.shop import Shop
from methodology.errors import ConfigError


def append(shop: Shop, at: datetime) -> int:
    """Log keys and calendars as far as the log does not hold them; return how many records.

    Args:
        shop: open ledger and keyring.
        at: the moment that the records state (naive UTC).

    Raises:
        ConfigError: the log names other keys than the keyring signs with, or the root is offline
            and has signed no opening.
    """
    made = []
    if not shop.published.keys:
        made += key_records.opening(shop.keyring, shop.log.origin, at)
    else:
        check_keys(shop)
    return shop.append([*made, *calendar_records.missing(shop, at)])


def check_keys(shop: Shop) -> None:
    """Raise ConfigError unless the keys that sign are those that the log says are in force."""
    history = key_records.KeyHistory.read(shop.published.keys, origin=shop.log.origin)
    for signer in (shop.keyring.fixing, shop.keyring.log, shop.keyring.log_pq):
        public = signer.public
        held = history.at(public.purpose, shop.log.size)
        if public.raw not in [key.raw for key in held]:
            named = ", ".join(k.id for k in held if k.algorithm == public.algorithm) or "none"
            raise ConfigError(
                f"setting 'keys': {shop.settings.keys} signs with {public.id}, and the log says "
                f"that {named} signs from here on; bring back that key, or record the change with "
                "`spotfix keys rotate`"
            )
