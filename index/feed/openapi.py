"""The contract of ``/v1`` as OpenAPI 3.1: written by hand, with the record schemas put in.

``openapi.json`` names ``#/components/schemas/Fixing`` and ``Settlement``; their text is that of
:mod:`index.publication.schema`, and the record types a client may ask for are those of the
stream, so that none of them can part.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from index.feed.stream import TYPES
from index.publication import schema


@cache
def text() -> bytes:
    """Return the document as it is served, the same bytes each time."""
    return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()


def document() -> dict[str, Any]:
    """Return the document with every record type's schema among its components."""
    path = resources.files("index") / "feed" / "openapi.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    for kind in schema.SCHEMAS:
        told = schema.schema_of(kind)
        for name in ("$schema", "$id"):  # the document's own base holds for what it includes
            told.pop(name, None)
        found["components"]["schemas"][kind.capitalize()] = told
    one = f"({'|'.join(sorted(TYPES))})"
    found["components"]["parameters"]["Types"]["schema"]["pattern"] = f"^{one}(,{one}){{0,31}}$"
    return found
