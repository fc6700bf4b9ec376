"""docs/FEED.md: its fault drill finds each fault, its tables are those of the server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from index.feed import quota
from index.feed.problems import KINDS
from index.mock_plan import FAULTS
from index.publication import ctp

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "FEED.md").read_text("utf-8")
(DRILL,) = re.findall(r"^<!-- DRILL -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DAY = "/v1/fixings/TKX-ALL-BLD/NYC/2026-11-19"


def fixing(seq: int, revision: int, value: str | None, status: str) -> dict[str, Any]:
    return {
        "type": "fixing", "seq": seq, "index_id": "TKX-ALL-BLD", "session": "NYC",
        "ref_date": "2026-11-19", "revision": revision, "value": value, "status": status,
        "no_fix_reason": None if value else "2 groups < 5",
    }  # fmt: skip


def test_the_drill_finds_each_fault(capsys: pytest.CaptureFixture[str]) -> None:
    log = [
        {"type": "key", "seq": 0},
        fixing(1, 0, "1059.73", "PROVISIONAL"),
        {
            "type": "notice", "seq": 2, "kind": "DELAYED", "index_id": "TKX-ALL-BLD",
            "session": "NYC", "ref_date": "2026-11-19",
        },
        fixing(3, 1, "1059.73", "FINAL"),
        fixing(4, 2, "1061.10", "REVISED"),
        fixing(5, 3, None, "NO_FIX"),
    ]  # fmt: skip

    def get(path: str) -> bytes:
        if path.startswith("/v1/events"):
            found = re.fullmatch(r"/v1/events\?after=(\d+)&limit=1", path)
            assert found is not None
            return json.dumps({"data": [log[int(found[1]) + 1]]}).encode()
        for one in log:
            if path.startswith(f"{DAY}/r{one.get('revision')}.json"):
                return b"sig" if path.endswith(".sig") else json.dumps(one).encode()
        raise AssertionError(path)

    drill: dict[str, Any] = {"__name__": "drill"}
    exec(DRILL, drill)
    drill["get"] = get
    drill["is_signed"] = lambda record, signature: json.loads(record)["seq"] != 3
    for seq in (0, 2, 3, 4, 5):  # 1 was not sent
        drill["take"](seq, json.dumps(log[seq]))
    assert capsys.readouterr().out.splitlines() == [
        "gap: 1 was not sent",
        "late: TKX-ALL-BLD NYC 2026-11-19",
        f"bad-signature: {DAY}/r1.json is not used",
        f"revision: {DAY}/r2.json: 1059.73 is now 1061.10",
        f"no-fix: {DAY}/r3.json: 2 groups < 5",
    ]
    assert drill["last"] == 5


def test_every_fault_and_every_error_has_its_row() -> None:
    faults = re.findall(r"^\| `([a-z-]+)` \| [^|0-9]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert set(FAULTS) <= set(faults)
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(name, str(kind.status), kind.remedy) for name, kind in KINDS.items()]


def test_the_ctp_columns_are_told_in_order() -> None:
    part = PAGE[PAGE.index("### The CTP table") : PAGE.index("## REST")]
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)))
    assert tuple(named) == ctp.COLUMNS
    assert f"`{ctp.MISSING}`" in part


def test_the_limits_are_those_of_the_server() -> None:
    part = PAGE[PAGE.index("### Limits") : PAGE.index("### Keys for clients")]
    usual = quota.Quota()
    assert f"| {usual.per_address} a minute for each address" in part
    assert f"| {usual.per_client} a minute for each client" in part
    assert f"| open streams | {usual.streams} for each caller" in part
