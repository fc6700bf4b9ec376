"""What a site's robots file allows (RFC 9309), judged by protego.

Only sources that read a page made for people ask for it. A file that is not there allows; one
that cannot be had forbids, because then the site's wish is unknown.
"""

from __future__ import annotations

import math

from protego import Protego

from collectors.wire import Refused

NAME = "spotfix"
"""The product token that a robots file may name."""

MAX_BYTES = 512 * 1024
"""RFC 9309 2.5 asks for at least 500 KiB."""


class Rules:
    """What one site allows us."""

    def __init__(self, body: bytes | None) -> None:
        """Take the file; None when the site has none, which allows everything."""
        self._rules = None if body is None else Protego.parse(body.decode("utf-8", "replace"))

    def check(self, url: str) -> None:
        """Raise Refused ROBOTS_DISALLOWED unless this URL may be read."""
        if self._rules is not None and not self._rules.can_fetch(url, NAME):
            raise Refused("ROBOTS_DISALLOWED", "the site's robots file asks us not to read this")

    @property
    def spacing_seconds(self) -> float:
        """Seconds that the site asks to leave between two requests; 0 when it does not say."""
        asked = None if self._rules is None else self._rules.crawl_delay(NAME)
        return float(asked) if asked is not None and math.isfinite(asked) and asked > 0 else 0.0
