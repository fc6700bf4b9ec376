"""Every record that is appended is published: the publisher hangs on the open shop.

Drop and site are brought up to the log when a shop is opened, which finishes what a killed run
left, and again at the end of each append, before anything else is computed. That costs what
publishing all of them at the end would cost: about 2 s for the records of the bundled history in
their 17 appends, half a second for the largest of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from index.config import Settings
from index.ledger.log import Log
from index.publication import tree
from index.publication.keyring import Keyring
from index.publication.publisher import Publisher
from index.published import Published
from methodology.errors import ConfigError


class Shop(Protocol):
    """The open shop, as far as publishing needs it; :mod:`index.shop` has the whole of it."""

    settings: Settings
    log: Log
    published: Published
    projected: Callable[[], object] | None

    @property
    def keyring(self) -> Keyring:
        """The keys the records are signed with."""
        ...


def attach(shop: Shop) -> Publisher:
    """Publish what the log of an open shop has and the site has not; from now on, each append.

    Raises:
        ConfigError: the keyring is wrong, or is not the one the log names.
        LogInconsistent: what was published contradicts the log.
        OSError: the disk refused; the records are safe, the next run publishes them.
    """
    publisher = Publisher(shop.settings, shop.keyring)
    publisher.catch_up(shop.log)
    shop.projected = lambda: publisher.catch_up(shop.log)
    return publisher


def refuse_other_keys(shop: Shop, records: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to log records that the keyring at hand could not publish.

    Args:
        shop: the open shop.
        records: what is to be appended, places included; key records among them count.

    Raises:
        ConfigError: a key of the keyring is not the one the log names for a record's place.
    """
    keys = [*shop.published.keys, *(one for one in records if one["type"] == "key")]
    if not keys:
        return
    ring = shop.keyring
    for mine in (ring.fixing.public, ring.log.public, ring.log_pq.public):
        for one in records:
            wanted = tree.key_at(keys, mine.purpose, one["seq"], mine.algorithm)
            if wanted != mine.id:
                raise ConfigError(
                    f"{shop.settings.keys}: the log names {wanted or 'no key'} to sign record "
                    f"{one['seq']} ({mine.purpose}, {mine.algorithm}) and the keyring holds "
                    f"{mine.id}; nothing was logged. Put that key into keyring.toml, or finish "
                    "with `spotfix keys rotate` what was begun"
                )
