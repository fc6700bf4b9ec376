"""A key that does not show itself, and knows itself when others show it."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse

SHORTEST = 8
"""A shorter key could not be told from ordinary text in what a server sends back."""


class Secret:
    """A key that does not show itself in a repr, an error or a log.

    ``reveal()`` gives the text; only the fetcher calls it, to fill the source's header.
    """

    __slots__ = ("_bytes", "_pattern", "_text")

    def __init__(self, text: str) -> None:
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a key is printable ASCII without spaces; check the variable's value")
        if len(text) < SHORTEST:
            raise ValueError(f"a key has {SHORTEST} characters or more; check the variable's value")
        self._text = text
        spellings = sorted(_spellings(text), key=len, reverse=True)
        # Without regard to case: a URL's host is lower-cased before anybody quotes it.
        self._pattern = re.compile("|".join(map(re.escape, spellings)), re.IGNORECASE)
        self._bytes = tuple(
            one.lower().encode(code) for one in spellings for code in ("ascii", "utf-16-le")
        )

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is not written down")

    def reveal(self) -> str:
        """Return the key itself."""
        return self._text

    def scrub(self, text: str) -> str:
        """Return ``text`` with the key blotted out, in any spelling, for messages that quote."""
        return self._pattern.sub("***", text)

    def is_in(self, body: bytes) -> bool:
        """Return whether a body holds the key in some spelling."""
        low = body.lower()
        return any(one in low for one in self._bytes)


def _spellings(text: str) -> set[str]:
    """Return the key as a server might write it: plain, in a URL, in JSON, in base64."""
    found = {
        text,
        urllib.parse.quote(text, safe=""),
        urllib.parse.quote(text),
        json.dumps(text)[1:-1],
        json.dumps(text)[1:-1].replace("/", "\\/"),
        repr(text)[1:-1],
    }
    for lead in range(3):
        # Base64 of anything that holds the key: cut off what its neighbours decide.
        whole = base64.b64encode(bytes(lead) + text.encode("ascii")).decode("ascii")
        inner = whole[(0, 2, 3)[lead] :].rstrip("=")
        inner = inner[:-1] if (lead + len(text)) % 3 else inner
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {one for one in found if len(one) >= SHORTEST}
