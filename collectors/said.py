"""What a JSON body says of its currency and unit in fields that its parser does not read.

Most price lists never say either: both are known from the documentation. If one begins to say
``"currency": "EUR"``, the figures may be the same and mean something else, and a parser that reads
its fields by name would go on. So such a field is read for all sources here: a currency must be
the pinned one, and a unit that is said for the first time is for a person to read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from collectors.base import Capture
from methodology.errors import ParseError

DOLLARS = ("USD",)

PINNED: dict[str, tuple[str, ...]] = {
    "cfets": ("CNY",),
    "llmabacus": ("CNY",),
    "lobehub_cny": ("CNY",),
    "scaleway": ("EUR",),
    "seeweb": ("EUR",),
    "volcengine": ("CNY",),
}
"""Sources of JSON pinned to another currency than the dollar; a test compares with the panel."""

READ: dict[str, frozenset[str]] = {
    "akash": frozenset({"currency"}),  # of bids, none of which becomes a quote
    "aws_bedrock": frozenset({"unit"}),
    "azure_history": frozenset({"unitofmeasure", "currencycode"}),
    "azure_openai": frozenset({"unitofmeasure", "currencycode"}),
    "azure_retail": frozenset({"unitofmeasure", "currencycode"}),
    "cfets": frozenset({"currency"}),  # the pair that was asked for
    "digitalocean": frozenset({"unit"}),  # of memory and disks
    "fireworks": frozenset({"unit"}),
    "gcp_history": frozenset({"units", "currencycode"}),  # whole units of money
    "gcp_list": frozenset({"units", "currencycode"}),
    "jarvislabs": frozenset({"currency"}),
    "llmabacus": frozenset({"billingcurrency", "pricingunit"}),
    "lobehub_cny": frozenset({"unit", "currency"}),
    "oci": frozenset({"currencycode"}),
    "primeintellect": frozenset({"currency"}),
    "verda": frozenset({"currency"}),
}
"""Fields that a source's own parser judges, or that are no price's: letters only, lower case."""

_COUNT = re.compile(r"[0-9.,\s]*")
_ENDS = (b'nit"', b'nits"', b'NIT"', b'easure"', b'eriod"', b'nterval"', b'ycle"')
_CURRENCY = re.compile(
    rb'"((?:[A-Za-z]{1,20}[_-]?)?currency(?:[_-]?(?:code|iso|symbol))?)"\s*:\s*"((?:[^"\\]|\\.){1,80})"',
    re.IGNORECASE,
)
_UNIT = re.compile(
    rb'"((?:pric(?:e|ing)|billing|token|cost|rate)?[_-]?units?(?:of[_-]?measure)?'
    rb'|(?:billing|pric(?:e|ing))[_-]?(?:period|interval|cycle))"\s*:\s*"((?:[^"\\]|\\.){1,80})"',
    re.IGNORECASE,
)


def check(capture: Capture) -> None:
    """Return if a JSON body says nothing of currency or unit that its parser would miss.

    Raises:
        ParseError: ``CURRENCY_SWITCH`` for a field that says another currency than the pinned,
            ``SHAPE`` for one that says a unit, where the source's parser reads neither.
    """
    body, read = capture.body, READ.get(capture.source, frozenset())
    # A search for a fixed text costs little; almost no body has one.
    if b"urrency" in body or b"URRENCY" in body:
        pinned = PINNED.get(capture.source, DOLLARS)
        for field, told in _said(_CURRENCY, body, read):
            if told.upper() not in pinned:
                raise _refused(capture, "CURRENCY_SWITCH", field, told, f"pinned to {pinned[0]}")
    if any(end in body for end in _ENDS):
        for field, told in _said(_UNIT, body, read):
            if not _COUNT.fullmatch(told):  # "units": "1" names no unit
                raise _refused(capture, "SHAPE", field, told, "it never named its unit")


def _said(
    pattern: re.Pattern[bytes], body: bytes, read: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yield name and text of the fields that a pattern finds and the source's parser not."""
    for field, value in pattern.findall(body):
        name = field.decode()
        if re.sub(r"[_-]", "", name.casefold()) not in read:
            yield name, str(json.loads(b'"' + value + b'"', strict=False))


def _refused(capture: Capture, reason: str, field: str, told: str, why: str) -> ParseError:
    return ParseError(
        capture.source,
        reason,
        f"{capture.url}: field {field!r} says {told!r}; {why}; read the seller's documentation, "
        "then have the parser read the field",
    )
