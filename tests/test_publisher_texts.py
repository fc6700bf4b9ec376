"""CSV, XML, FIX and CTP say what the JSON says, field by field, and a missing value is never 0."""

from __future__ import annotations

import base64
import csv
import io
import json
import sys
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from index.publication import ctp, fix, schema, texts
from tests.fixing_records import fixing, no_fix

SIGNATURE = bytes(range(64))

FINAL = fixing(
    9,
    revision=1,
    status="FINAL",
    supersedes="sha256:" + "1" * 64,
    published_at="2026-11-20T23:00:00.000Z",
)
RECORDS = [
    pytest.param(fixing(8), id="provisional"),
    pytest.param(FINAL, id="final"),
    pytest.param(no_fix(8), id="no_value"),
    pytest.param(
        fixing(8, footnotes=['said "so", twice;\nand again <&>', "中文"]), id="hostile_text"
    ),
    pytest.param(fixing(8, volume="12.5", volume_unit="1e9tok/d"), id="with_volume"),
]


@pytest.mark.parametrize("record", RECORDS)
def test_the_records_of_these_tests_keep_the_schema(record: dict[str, Any]) -> None:
    schema.check(record)


# CSV and XML by the standard library -----------------------------------------------------------


def read_cell(text: str, like: object) -> object:
    """Read a cell back, knowing what kind of thing the JSON holds there."""
    if like is None:
        assert text == ""
        return None
    if isinstance(like, bool):
        return {"true": True, "false": False}[text]
    if isinstance(like, int):
        return int(text)
    if isinstance(like, dict) or (isinstance(like, list) and text.startswith("[")):
        return json.loads(text)
    if isinstance(like, list):
        return text.split(";") if text else []
    return text


@pytest.mark.parametrize("record", RECORDS)
def test_csv_read_by_the_standard_library_is_the_json(record: dict[str, Any]) -> None:
    body = texts.csv_table([record])
    assert b"\r" not in body
    (row,) = csv.DictReader(io.StringIO(body.decode("utf-8"), newline=""))
    assert {name: read_cell(row[name], record[name]) for name in row} == record


def read_element(element: ET.Element, like: object) -> object:
    if element.get("nil") == "true":
        return None
    if isinstance(like, dict):
        return {one.tag: read_element(one, like[one.tag]) for one in element}
    if isinstance(like, list):
        return [read_element(one, like[n]) for n, one in enumerate(element)]
    text = element.text or ""
    return read_cell(text, like)


@pytest.mark.parametrize("record", RECORDS)
def test_xml_read_by_the_standard_library_is_the_json(record: dict[str, Any]) -> None:
    root = ET.fromstring(texts.xml_document(record))
    (body,) = root.findall("record")
    assert {one.tag: read_element(one, record[one.tag]) for one in body} == record
    assert len(body) == len(record)


def test_fixml_in_the_xml_holds_the_same_snapshot() -> None:
    root = ET.fromstring(texts.xml_document(FINAL))
    (message,) = root.iter("MktDataFull")
    assert message.attrib["TrdDt"] == "2026-11-20"
    assert [one.attrib["Sym"] for one in message.iter("Instrmt")] == ["TKR-one-OUT"]
    assert [(one.attrib["Typ"], one.attrib["Px"]) for one in message.iter("Full")] == [
        ("3", "642.1180"),
        ("W", "4.187500"),
    ]
    (message,) = ET.fromstring(texts.xml_document(no_fix(3))).iter("MktDataFull")
    assert list(message.iter("Full")) == []
    assert "too few providers" in message.attrib["Txt"]


def test_a_character_without_a_form_in_xml_is_marked() -> None:
    root = ET.fromstring(texts.xml_document(fixing(8, footnotes=["a\x01b"])))
    assert [one.text for one in root.iter("item")][-1] == "a\ufffdb"


# FIX: written by hand, and parsed by a reader that knows nothing of the writer -----------------


def parse(message: bytes) -> list[tuple[int, str]]:
    """Return tags and values of one message, its length and checksum counted by hand."""
    assert message.endswith(b"\x01")
    head, nine, rest = message.split(b"\x01", 2)
    assert head.startswith(b"8=")
    assert nine.startswith(b"9=")
    body, ten = rest[: -len(b"10=000\x01")], rest[-len(b"10=000\x01") :]
    assert int(nine[2:]) == len(body)
    total = 0
    for octet in message[: -len(ten)]:
        total = (total + octet) % 256
    assert ten == b"10=%03d\x01" % total
    pairs = [part.split(b"=", 1) for part in message[:-1].split(b"\x01")]
    return [(int(tag), value.decode("ascii")) for tag, value in pairs]


def parsed(record: dict[str, Any]) -> list[list[tuple[int, str]]]:
    lines = fix.messages(record, SIGNATURE).split(b"\n")
    assert lines.pop() == b""
    return [parse(line) for line in lines]


def test_a_snapshot_as_written_by_hand() -> None:
    """Body length and checksum are what ``wc -c``, ``od`` and ``awk`` say of the same text."""
    signed = base64.b64encode(SIGNATURE).decode()
    body = (
        "35=W|49=example|56=ANY|34=8|52=20261120-21:45:00.125|55=TKR-one-OUT|48=TKR-one-OUT|22=8|"
        "75=20261120|60=20261120-21:45:00.125|268=2|"
        "269=3|270=642.1180|272=20261120|273=21:00:00.000|286=0|731=2|"
        "269=6|270=4.187500|15=USD|272=20261120|273=21:00:00.000|286=0|731=2|"
        "58=/v1/fixings/TKR-one-OUT/NYC/2026-11-20/r0.json|"
        f"93=88|89={signed}|"
    ).replace("|", "\x01")
    assert len(body) == 408
    message = f"8=FIX.4.4\x019=408\x01{body}"
    line = fix.messages(fixing(8), SIGNATURE).split(b"\n")[0]
    assert line == f"{message}10=220\x01".encode()


def test_a_file_holds_snapshot_and_change_for_both_versions() -> None:
    found = [(dict(one)[8], dict(one)[35], dict(one).get(1128)) for one in parsed(FINAL)]
    assert found == [
        ("FIX.4.4", "W", None),
        ("FIX.4.4", "X", None),
        ("FIXT.1.1", "W", "9"),
        ("FIXT.1.1", "X", "9"),
    ]


@pytest.mark.parametrize(
    ("record", "action"),
    [
        pytest.param(fixing(8), "0", id="the_first_print_is_new"),
        pytest.param(FINAL, "1", id="a_revision_changes"),
    ],
)
def test_a_change_says_what_it_does_and_where_in_the_log(
    record: dict[str, Any], action: str
) -> None:
    messages = [one for one in parsed(record) if (35, "X") in one]
    assert messages
    for message in messages:
        assert [value for tag, value in message if tag == 279] == [action, action]
        assert [value for tag, value in message if tag == 83] == [str(record["seq"])] * 2


@pytest.mark.parametrize(
    ("changes", "tag", "expected"),
    [
        pytest.param({"waterfall": "CARRY"}, 286, "4", id="carried_is_a_previous_day"),
        pytest.param({}, 286, "0", id="daily"),
        pytest.param({}, 731, "2", id="provisional_is_theoretical"),
        pytest.param({"status": "FINAL", "revision": 1}, 731, "1", id="final"),
        pytest.param({"status": "REVISED", "revision": 2}, 731, "1", id="revised_is_final"),
    ],
)
def test_flags_of_a_price(changes: dict[str, Any], tag: int, expected: str) -> None:
    for message in parsed(fixing(8, **changes)):
        assert {value for t, value in message if t == tag} == {expected}


def test_volume_is_an_entry_without_a_price() -> None:
    message = parsed(fixing(8, volume="12.5"))[0]
    at = message.index((269, "B"))
    assert message[at + 1] == (271, "12.5")
    assert (268, "3") in message


def test_a_fixing_without_a_value_has_no_price_entry_and_a_reason() -> None:
    found = parsed(no_fix(8))
    assert [dict(one)[35] for one in found] == ["W", "W"]
    for message in found:
        assert dict(message)[268] == "0"
        assert not {tag for tag, _ in message} & {269, 270, 271}
        assert dict(message)[58].startswith("NO_FIX: too few providers: 2 of 3; /v1/fixings/")


def test_a_value_taken_back_is_deleted() -> None:
    taken = no_fix(10, revision=1, supersedes="sha256:" + "1" * 64)
    (first, *_) = [one for one in parsed(taken) if (35, "X") in one]
    assert [(t, v) for t, v in first if t in (279, 269, 270)] == [
        (279, "2"), (269, "3"), (279, "2"), (269, "6"),
    ]  # fmt: skip


def test_a_reason_cannot_end_a_field() -> None:
    message = parsed(no_fix(8, no_fix_reason="bad\x0110=000\x01 中"))[0]
    assert dict(message)[58].startswith("NO_FIX: bad 10=000  \\u4e2d; ")


def test_the_signature_of_the_record_rides_along() -> None:
    for message in parsed(FINAL):
        told = dict(message)
        assert base64.b64decode(told[89]) == SIGNATURE
        assert told[93] == str(len(told[89])) == "88"


# CTP -------------------------------------------------------------------------------------------


def test_ctp_rows_as_written_by_hand() -> None:
    """21:45:00.125 UTC is 05:45:00.125 of the next morning in Beijing."""
    eligible = fixing(9, settlement_eligible=True, status="FINAL", index_id="TKR-two-OUT")
    assert ctp.table([fixing(8), eligible, no_fix(10, prev_value=None)]).decode() == (
        "TradingDay,InstrumentID,ExchangeID,LastPrice,PreSettlementPrice,SettlementPrice,Volume,"
        "UpdateTime,UpdateMillisec\n"
        "20261120,TKR-one-OUT,example,4.187500,4.000000,1.7976931348623157e+308,,05:45:00,125\n"
        "20261120,TKR-two-OUT,example,4.187500,4.000000,4.187500,,05:45:00,125\n"
        "20261120,TKR-one-OUT,example,1.7976931348623157e+308,1.7976931348623157e+308,"
        "1.7976931348623157e+308,,05:45:00,125\n"
    )


def test_a_missing_price_is_the_largest_double() -> None:
    assert float(ctp.MISSING) == sys.float_info.max
