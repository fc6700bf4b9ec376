"""An XML Schema of the fixings in XML, made from the record's own JSON schema.

Both say the same of every field, because this one is a translation: names, order, patterns, lists
and objects come from ``fixing-1.0.json``, the order of fields from the CSV's columns.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from index.publication import schema, texts

NAME: Final = "publication"
"""Its name below ``/v1/schemas/``, with ``.xsd``."""

_XS: Final = "http://www.w3.org/2001/XMLSchema"
_WHOLE: Final = "0|[1-9][0-9]*"
_MESSAGE: Final = {
    "MktDataFull": ("TrdDt", "TxnTm", "Txt"),
    "Instrmt": ("Sym", "ID", "Src"),
    "Full": ("Typ", "Px", "Ccy", "Sz", "Dt", "Tm", "OpenClsSettlFlag", "SettlPxTyp"),
}
"""Elements of the FIXML snapshot and their attributes; a quote may lack some of its own."""


@cache
def document() -> bytes:
    """Return the XML Schema (version 1.0, no target namespace) of ``texts.xml_document``.

    An element without a value is empty and has ``nil="true"``.

    Raises:
        ValueError: the JSON schema says something that has no translation here.
    """
    ET.register_namespace("xs", _XS)
    root = ET.Element(_xs("schema"), {"elementFormDefault": "unqualified"})
    whole = _sequence(_element(root, "publication"))
    record = _element(whole, "record")
    fields = schema.schema_of("fixing")["properties"]
    inside, types = _sequence(record), ET.Element("types")
    for name in texts.COLUMNS:
        _field(inside, name, fields[name], types)
    _attribute(record[0], "schema", is_required=True)
    message = _element(_sequence(_element(whole, "FIXML")), "MktDataFull")
    parts = _sequence(message)
    for name in ("Instrmt", "Full"):
        part = _element(parts, name)
        if name == "Full":
            part.set("maxOccurs", "unbounded")
            part.set("minOccurs", "0")
        kind = ET.SubElement(part, _xs("complexType"))
        for one in _MESSAGE[name]:
            _attribute(kind, one, is_required=name != "Full")
    for one in _MESSAGE["MktDataFull"]:
        _attribute(message[0], one, is_required=True)
    root.extend(types)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _field(parent: ET.Element, name: str, told: Mapping[str, Any], types: ET.Element) -> None:
    """Add the element of a field, as ``texts`` writes one; its texts' types go into ``types``."""
    here = _element(parent, name)
    kinds = told.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    is_nil = "null" in kinds
    [kind] = [one for one in kinds if one != "null"]
    if kind == "array":
        inside = _sequence(here)
        _field(inside, "item", told["items"], types)
        inside[0].set("minOccurs", "0")
        inside[0].set("maxOccurs", "unbounded")
        holder = here[0]
    elif kind == "object":
        holder = ET.SubElement(here, _xs("complexType"))
        inside = ET.SubElement(holder, _xs("all"))
        for key, one in told["properties"].items():
            _field(inside, key, one, types)
            if is_nil or key not in told["required"]:
                inside[-1].set("minOccurs", "0")
    elif is_nil:
        content = ET.SubElement(ET.SubElement(here, _xs("complexType")), _xs("simpleContent"))
        holder = ET.SubElement(content, _xs("extension"))
        holder.set("base", _text(types, f"({_pattern(kind, told)})?"))
    else:
        here.set("type", _text(types, _pattern(kind, told)))
    if is_nil:
        _attribute(holder, "nil", is_required=False).set("fixed", "true")


def _text(types: ET.Element, pattern: str) -> str:
    """Return the name of the type of texts of a pattern, and add it where it is new."""
    known = {one[0][0].get("value"): one.get("name") for one in types}
    name = known.get(pattern) or f"text{len(types) + 1}"
    if pattern not in known:
        simple = ET.SubElement(types, _xs("simpleType"), {"name": name})
        limits = ET.SubElement(simple, _xs("restriction"), {"base": "xs:string"})
        ET.SubElement(limits, _xs("pattern"), {"value": pattern})
    return name


def _pattern(kind: str, told: Mapping[str, Any]) -> str:
    if kind == "integer":
        return _WHOLE
    if kind == "boolean":
        return "true|false"
    if kind != "string":
        raise ValueError(f"a field of type {kind!r} has no translation")
    values = [told["const"]] if "const" in told else told.get("enum")
    if values is not None:
        return "|".join(map(re.escape, values))
    anywhere: str = told.get("pattern", r"^[\s\S]+$")
    return anywhere.removeprefix("^").removesuffix("$")


def _sequence(element: ET.Element) -> ET.Element:
    return ET.SubElement(ET.SubElement(element, _xs("complexType")), _xs("sequence"))


def _element(parent: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(parent, _xs("element"), {"name": name})


def _attribute(parent: ET.Element, name: str, *, is_required: bool) -> ET.Element:
    told = {"name": name, "type": "xs:string", "use": "required" if is_required else "optional"}
    return ET.SubElement(parent, _xs("attribute"), told)


def _xs(name: str) -> str:
    return f"{{{_XS}}}{name}"
