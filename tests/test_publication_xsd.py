"""Every fixing published as XML keeps the XML Schema that the feed gives out.

No library here knows XML Schema, so that the parts of it that the schema uses are read by hand.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from index.config import Settings
from index.publication import xsd
from tests import feed_tree

XS = "{http://www.w3.org/2001/XMLSchema}"


class Reader:
    """A schema of elements in sequence or in any order, attributes, and texts with a pattern."""

    def __init__(self, text: bytes) -> None:
        self.root = ET.fromstring(text)
        self.types = {one.get("name"): one for one in self.root.findall(f"{XS}simpleType")}

    def wrong(self, document: bytes) -> list[str]:
        """Return what is wrong with a document."""
        top = self.root.find(f"{XS}element")
        assert top is not None
        return list(self._element(top, ET.fromstring(document), ""))

    def _element(self, told: ET.Element, here: ET.Element, path: str) -> Iterator[str]:
        where = f"{path}/{here.tag}"
        if here.tag != told.get("name"):
            yield f"{where}: {told.get('name')} belongs here"
            return
        named, kind = told.get("type"), told.find(f"{XS}complexType")
        holder = kind
        if kind is not None and kind.find(f"{XS}simpleContent") is not None:
            holder = kind[0][0]
            named = holder.get("base")
        yield from self._attributes(holder, here, where)
        if named:
            pattern = self.types[named][0][0].get("value") or ""
            if len(here) or not re.fullmatch(pattern, here.text or ""):
                yield f"{where}: {here.text!r} is not {pattern}"
            return
        if (here.text or "").strip():
            yield f"{where}: text where none belongs"
        assert kind is not None
        yield from self._children(kind, list(here), where)

    def _children(self, kind: ET.Element, left: list[ET.Element], where: str) -> Iterator[str]:
        group = kind.find(f"{XS}sequence")
        if group is None:
            group = kind.find(f"{XS}all")
        parts = [] if group is None else list(group)
        if group is not None and group.tag == f"{XS}all":
            names = [one.get("name") for one in parts]
            unknown = [one.tag for one in left if one.tag not in names]
            left = sorted((c for c in left if c.tag in names), key=lambda c: names.index(c.tag))
            yield from (f"{where}/{name}: unknown" for name in unknown)
        for one in parts:
            count, most = 0, one.get("maxOccurs", "1")
            while left and left[0].tag == one.get("name") and (most != "1" or not count):
                yield from self._element(one, left.pop(0), where)
                count += 1
            if count < int(one.get("minOccurs", "1")):
                yield f"{where}: {one.get('name')} is missing"
        yield from (f"{where}/{one.tag}: unknown or twice" for one in left)

    def _attributes(self, holder: ET.Element | None, here: ET.Element, where: str) -> Iterator[str]:
        told = [] if holder is None else holder.findall(f"{XS}attribute")
        known = {one.get("name"): one for one in told}
        yield from (f"{where}@{name}: unknown" for name in here.keys() - known.keys())
        for name, one in known.items():
            value = here.get(name or "")
            if value is None and one.get("use") == "required":
                yield f"{where}@{name} is missing"
            if value is not None and value != one.get("fixed", value):
                yield f"{where}@{name}: {value!r}"


def test_every_published_xml_keeps_the_schema(small_ledger: Settings) -> None:
    reader = Reader(xsd.document())
    paths = sorted(small_ledger.drop.rglob("*.xml"))
    assert paths
    assert {str(p): w for p in paths if (w := reader.wrong(p.read_bytes()))} == {}


BREAKS = (
    (b"<decimals>", b"<decimals>x", "/decimals: "),
    (b"<record schema=", b"<record scheme=", "/record@schema is missing"),
    (b"<grade>", b"<grade>Q", "/grade: "),
    (b"<session>", b"<place/><session>", "/place: unknown or twice"),
    (b'Src="8"', b'From="8"', "/Instrmt@Src is missing"),
    (b"<kind>", b"<sort/><kind>", "/sort: unknown"),
)


@pytest.mark.parametrize(("old", "new", "told"), BREAKS, ids=[told for _, _, told in BREAKS])
def test_what_was_changed_does_not_keep_it(
    small_ledger: Settings, old: bytes, new: bytes, told: str
) -> None:
    body = min(small_ledger.drop.rglob("*.xml")).read_bytes()
    assert old in body
    found = Reader(xsd.document()).wrong(body.replace(old, new, 1))
    assert any(told in one for one in found), found


def test_the_feed_gives_it_out(small_ledger: Settings) -> None:
    with feed_tree.serving(small_ledger) as client:
        answer = client.get("/v1/schemas/publication.xsd")
        assert (answer.status_code, answer.content) == (200, xsd.document())
