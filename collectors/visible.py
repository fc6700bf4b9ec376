"""Characters that no reader sees, in names and in what is said about a refused row.

A name with a zero-width letter or a mark that turns the direction of text looks like another name;
one with a control character rewrites the terminal on which it is shown. The set is written out, so
that it does not move with the Unicode tables of an interpreter.
"""

from __future__ import annotations

import re

import polars as pl

UNSEEN = (
    "["
    "\\x00-\\x1f\\x7f-\\x9f"  # control characters, line breaks among them
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # drawn as nothing
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb"  # and direction
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2"  # marks of format of Arabic and Syriac
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\ufffd"  # a character that was lost while somebody decoded it
    "\ue000-\uf8ff\U000e0000-\U0010ffff"  # tags, selectors, private use
    "]"
)
"""A class of characters for ``re`` and for the engine of Polars."""

LONGEST = 400
"""Characters of a name; the longest listing id of a real body has some 170."""

_UNSEEN = re.compile(UNSEEN)
_HALVES = re.compile("[\ud800-\udfff]")


def name_fault(name: str) -> str | None:
    """Return why a text names nothing, in words; None for a name.

    A name is not blank, has no character that a reader does not see, and at most :data:`LONGEST`.
    """
    if not name.strip():
        return "is blank"
    if len(name) > LONGEST:
        return f"has {len(name)} characters"
    if _UNSEEN.search(name) or _HALVES.search(name):
        return "has a character that nobody sees"
    return None


def shown(text: str) -> str:
    """Return text with each character that is not seen, or is half of one, as ``\\ufffd``."""
    return _HALVES.sub("\ufffd", _UNSEEN.sub("\ufffd", text))


def told(detail: str) -> str:
    """Return the words of a refusal, fit to be shown: never empty, 500 characters at most."""
    text = shown(detail[:500])
    return text if text.strip() else "nothing stands there"


def no_name(column: str) -> pl.Expr:
    """Return whether a text of a table is no name, as :func:`name_fault`; null is not judged."""
    text = pl.col(column).cast(pl.String)
    is_long = text.str.len_chars() > LONGEST
    return (text.str.contains(UNSEEN) | (text.str.strip_chars() == "") | is_long).fill_null(False)


def shown_texts(text: pl.Expr) -> pl.Expr:
    """Return texts of a table as :func:`shown`; null is empty."""
    return text.cast(pl.String).fill_null("").str.replace_all(UNSEEN, "\ufffd")
