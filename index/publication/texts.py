"""A fixing as CSV and as XML: the same fields as its JSON, for readers without a JSON parser.

The JSON is the record and is what is signed; these are made from it and say nothing else.
"""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from typing import Any, Final

from index.ledger.canonical import canonical
from index.publication import fix
from index.publication.record import FIXING_FIELDS

COLUMNS: Final = FIXING_FIELDS
"""The columns of the CSV: every field of the record, in the order of the documentation."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def cell(value: object) -> str:
    """Return one field as the text of a cell.

    Null is an empty cell, as is a list without entries; no text field of a record is ever empty.
    Numbers and money are as in the JSON: dot decimal, no thousands mark. True and false are in
    words. A list of texts is joined by semicolons; a list or object of anything else is JSON.

    Raises:
        ValueError: a value of a kind that no record holds, such as a float.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, list | tuple):
        if all(isinstance(one, str) and ";" not in one for one in value):
            return ";".join(value)
        return canonical({"": list(value)})[4:-1].decode()
    if isinstance(value, Mapping):
        return canonical(value).decode()
    raise ValueError(f"{type(value).__name__} {value!r} has no form in a record")


def csv_table(fixings: Iterable[Mapping[str, Any]]) -> bytes:
    """Return fixing records as CSV: UTF-8, LF, one header line, one row per record.

    Null handling: see :func:`cell`. Cells are quoted only where they must be (RFC 4180).
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(one.get(name)) for name in COLUMNS] for one in fixings)
    return buffer.getvalue().encode()


def xml_document(record: Mapping[str, Any]) -> bytes:
    """Return one fixing record as XML: ``<publication><record>…</record><FIXML>…</FIXML>``.

    In ``record`` each field is an element of its name with the JSON's text. Null is an element
    with ``nil="true"``; a list holds ``<item>`` elements; an object holds elements of its keys, or
    ``<entry key="…">`` where a key is no XML name. Characters that XML 1.0 has no form for become
    U+FFFD. ``FIXML`` holds the snapshot of :mod:`index.publication.fix` with FIXML's attribute
    names, from the same table.
    """
    root = ET.Element("publication")
    body = ET.SubElement(root, "record", {"schema": str(record.get("schema"))})
    for name in (name for name in COLUMNS if name in record):
        _element(body, name, record[name])
    for name in sorted(set(record) - set(COLUMNS)):
        _element(body, name, record[name])
    _fixml(root, record)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _element(parent: ET.Element, name: str, value: object) -> None:
    if _NAME.fullmatch(name):
        here = ET.SubElement(parent, name)
    else:
        here = ET.SubElement(parent, "entry", {"key": _clean(name)})
    if value is None:
        here.set("nil", "true")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            _element(here, key, one)
    elif isinstance(value, list | tuple):
        for one in value:
            _element(here, "item", one)
    else:
        here.text = _clean(cell(value))


def _fixml(parent: ET.Element, record: Mapping[str, Any]) -> None:
    told = fix.quoted(record)
    message = ET.SubElement(
        ET.SubElement(parent, "FIXML"),
        "MktDataFull",
        {"TrdDt": record["ref_date"], "TxnTm": record["published_at"], "Txt": _clean(told.text)},
    )
    ET.SubElement(message, "Instrmt", {"Sym": told.symbol, "ID": told.symbol, "Src": "8"})
    for one in told.entries:
        attributes = {
            "Typ": one.kind,
            "Px": one.price,
            "Ccy": one.currency,
            "Sz": one.size,
            "Dt": record["cutoff_at"][:10],
            "Tm": told.entry_time,
            "OpenClsSettlFlag": told.settles if one.price is not None else None,
            "SettlPxTyp": told.price_type if one.price is not None else None,
        }
        ET.SubElement(message, "Full", {k: v for k, v in attributes.items() if v is not None})


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
