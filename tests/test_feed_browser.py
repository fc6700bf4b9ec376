"""Browsers and what they are told: pages of other sites, OPTIONS, resources that will end."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest
from starlette.types import Message, Receive, Scope, Send

from index.feed import cors, openapi, retirement
from index.feed.gate import Gate, Rules
from index.feed.quota import Quota
from index.feed.retirement import Retirement
from tests.test_feed_access import answered

DESK, OTHER = "https://desk.example", "https://other.example"
ALLOWED = "access-control-allow-origin"


@pytest.mark.parametrize(
    ("sites", "page", "told"),
    [
        ([], DESK, "*"),
        ([], None, "*"),
        (["*"], DESK, "*"),
        ([DESK], DESK, DESK),
        ([DESK], OTHER, None),
        ([DESK], DESK + ".evil.example", None),
        ([DESK], "null", None),
        ([DESK], None, None),
        (["none"], DESK, None),
    ],
)
def test_a_page_may_read_where_its_site_may(
    sites: list[str], page: str | None, told: str | None
) -> None:
    rules = Rules(origins=cors.origins(sites))
    status, headers, _ = answered(rules, "/v1/status", *([f"Origin: {page}"] if page else []))
    assert status == 200
    assert headers.get(ALLOWED) == told
    assert headers.get("access-control-expose-headers") == ("*" if told else None)
    assert headers.get("vary") == ("Origin" if sites == [DESK] else None)  # or caches mix them up
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("path", ["/v1/stream?after=-1", "/v1/nothing", "/v1/stream?x=1"])
def test_a_page_reads_streams_and_refusals_too(path: str) -> None:
    headers = answered(Rules(), path)[1]
    assert headers[ALLOWED] == "*"
    assert headers["x-content-type-options"] == "nosniff"


def test_what_may_be_asked_is_told_without_a_key_and_costs_nothing() -> None:
    rules = Rules(keys_required=True, quota=Quota(per_address=1), seconds=lambda: 5.0)
    asking = (
        f"Origin: {DESK}", "Access-Control-Request-Method: GET",
        "Access-Control-Request-Headers: authorization",
    )  # fmt: skip
    for _ in range(3):
        status, headers, body = answered(rules, "/v1/status", *asking, method="OPTIONS")
        assert (status, body) == (204, b"")
    assert headers["allow"] == headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    asked = headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "if-none-match", "last-event-id", "range"} <= set(asked)
    assert answered(rules, "/v1/status")[0] == 401


def test_a_page_of_another_site_is_not_told_to_ask() -> None:
    rules = Rules(origins=cors.origins([DESK]))
    asking = (f"Origin: {OTHER}", "Access-Control-Request-Method: GET")
    status, headers, _ = answered(rules, "/v1/status", *asking, method="OPTIONS")
    assert (status, "access-control-allow-methods" in headers) == (204, False)
    assert headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("text", ["desk.example", DESK + "/", "ftp://desk.example", "none", "*"])
def test_a_site_is_a_scheme_and_a_host(text: str) -> None:
    with pytest.raises(ValueError, match="is no site; write it like"):
        cors.origins([DESK, text])


# Resources that will end ------------------------------------------------------------------------

END = Retirement("/v1/status", date(2027, 1, 1), date(2028, 1, 1), "/v1/notices")


def test_a_resource_that_will_end_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retirement, "RETIRING", (END,))
    headers = answered(Rules(), "/v1/status")[1]
    assert headers["deprecation"] == "@1798761600"  # date -u -d 2027-01-01 +%s
    assert headers["sunset"] == "Sat, 01 Jan 2028 00:00:00 GMT"
    assert headers["link"] == '</v1/notices>; rel="sunset"'  # the last of two lines
    assert END.lines[2] == (b"link", b'</v1/notices>; rel="deprecation"')
    assert "sunset" not in answered(Rules(), "/data/x")[1]


@pytest.mark.parametrize(
    ("path", "is_covered"),
    [("/v1/status", True), ("/v1/status/x", True), ("/v1/statuses", False), ("/v1", False)],
)
def test_what_lies_below_a_path_ends_with_it(path: str, is_covered: bool) -> None:
    assert END.covers(path) is is_covered


def test_nothing_ends_within_a_year_of_being_told() -> None:
    with pytest.raises(ValueError, match="less than 365 days"):
        Retirement("/v1/status", date(2027, 1, 2), date(2028, 1, 1), "/v1/notices")


def test_the_contract_calls_deprecated_what_will_end_and_nothing_else() -> None:
    for path, item in openapi.document()["paths"].items():
        is_told = any(one.covers(path) for one in retirement.RETIRING)
        assert item["get"].get("deprecated", False) is is_told, path


def test_the_links_of_a_resource_stay_beside_those_of_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retirement, "RETIRING", (END,))
    own, sent = (b"link", b'</v1/log/proof/7>; rel="proof"'), list[Message]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [own]})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/v1/status", "query_string": b"", "headers": [],
    }  # fmt: skip
    asyncio.run(Gate(app, Rules())(scope, receive, send))
    links = [line for line in sent[0]["headers"] if line[0] == b"link"]
    assert links == [own, *END.lines[2:]]
