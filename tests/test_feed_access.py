"""Keys of clients: made, rotated, revoked, kept as digests, and never shown anywhere again."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from index.feed.access import SCOPES, Clients, holds_key, redacted, scope_of
from index.feed.gate import Rules, query_shown
from index.feed.quota import Quota, networks
from methodology.errors import ConfigError, UsageError
from tests.sse import ask, feed, memory

NOW = datetime(2026, 11, 21, 6, 0)
WEEK = timedelta(days=7)


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    return Clients(tmp_path / "clients.json")


async def echo(request: Request) -> Response:
    return Response(b"fine")


async def failing(request: Request) -> Response:
    raise RuntimeError("an error of the application")


def answered(
    rules: Rules, path: str, *headers: str, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request to a feed under these rules."""

    async def go() -> tuple[int, dict[str, str], bytes]:
        routes = (Route("/v1/status", echo), Route("/v1/fail", failing), Route("/data/x", echo))
        store = memory(1)
        async with (
            feed(store, rules=rules, routes=routes) as (port, _),
            ask(port, path, headers=headers, method=method) as answer,
        ):
            streams = answer.headers.get("content-type", "").startswith("text/event-stream")
            body = b"" if streams or method == "HEAD" else await answer.body()
            return answer.status, answer.headers, body

    return asyncio.run(go())


# The file ---------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_kept_as_a_digest_in_a_file_of_the_owners(clients: Clients) -> None:
    text = clients.add("acme", ["read"], NOW)
    assert text[:4] == "spk_"
    assert len(text) == 4 + 8 + 1 + 32
    kept = clients.path.read_text()
    assert text.rpartition("_")[2] not in kept
    assert text[4:12] in kept
    assert stat.S_IMODE(clients.path.stat().st_mode) == 0o600
    found = clients.find(text, NOW)
    assert found is not None
    assert (found[0].name, found[1].id) == ("acme", text[4:12])


def test_two_keys_are_never_the_same(clients: Clients) -> None:
    keys = {clients.add(f"c{n}", ["read"], NOW) for n in range(20)}
    assert len(keys) == 20


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key.lower() + "!",
        lambda key: "spk_00000000_" + key[13:],
        lambda key: "",
        lambda key: key[4:],
        lambda key: key.replace("spk_", "SPK_"),
    ],
    ids=["one letter", "short", "long", "other sign", "other id", "none", "no prefix", "capitals"],
)
def test_a_key_that_differs_opens_nothing(clients: Clients, change: Any) -> None:
    text = clients.add("acme", ["read"], NOW)
    assert clients.find(change(text), NOW) is None


def test_rotation_leaves_both_keys_live_until_the_old_one_ends(clients: Clients) -> None:
    old = clients.add("acme", ["read"], NOW)
    new = clients.rotate("acme", NOW, WEEK)
    just_before, at = NOW + WEEK - timedelta(seconds=1), NOW + WEEK
    assert clients.find(old, just_before)
    assert clients.find(new, just_before)
    assert clients.find(old, at) is None
    assert clients.find(new, at)
    with pytest.raises(UsageError, match="2 live keys"):
        clients.rotate("acme", NOW, WEEK)
    clients.rotate("acme", at, WEEK)


def test_a_revoked_key_ends_at_once_in_a_server_that_read_the_file_before(
    clients: Clients, tmp_path: Path
) -> None:
    text = clients.add("acme", ["read"], NOW)
    server = Clients(tmp_path / "clients.json")
    assert server.find(text, NOW)
    assert clients.revoke("acme", NOW) == [text[4:12]]
    assert server.find(text, NOW) is None
    with pytest.raises(UsageError, match="does not have any key in force"):
        clients.revoke("acme", NOW)


def test_a_key_expires(clients: Clients) -> None:
    text = clients.add("acme", ["read"], NOW, NOW + WEEK)
    assert clients.find(text, NOW + WEEK - timedelta(seconds=1))
    assert clients.find(text, NOW + WEEK) is None


@pytest.mark.parametrize(
    ("name", "scopes", "told"),
    [
        ("Acme", ["read"], "client 'Acme'"),
        ("", ["read"], "client ''"),
        ("a/b", ["read"], "client 'a/b'"),
        ("acme", ["write"], "'write'"),
        ("acme", [], "there are read"),
        ("taken", ["read"], "there already"),
    ],
)
def test_a_client_that_cannot_be_is_refused(
    clients: Clients, name: str, scopes: list[str], told: str
) -> None:
    clients.add("taken", ["read"], NOW)
    with pytest.raises(UsageError, match=told):
        clients.add(name, scopes, NOW)


def test_a_file_that_others_may_read_is_not_used(clients: Clients) -> None:
    text = clients.add("acme", ["read"], NOW)
    os.chmod(clients.path, 0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        Clients(clients.path).find(text, NOW)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"clients":[{"name":"a"}]}', "\x00"])
def test_a_file_that_is_no_list_of_clients_is_told(clients: Clients, body: str) -> None:
    clients.path.write_text(body)
    clients.path.chmod(0o600)
    with pytest.raises(ConfigError, match="is not a file of clients"):
        clients.load()


# Requests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/status", "read"),
        ("/v1/stream", "stream"),
        ("/v1/data/spot.duckdb", "data"),
        ("/data/spot.duckdb", "data"),
        ("/drop/v1/x", "data"),
        ("/log/checkpoint", "read"),
        ("/metrics", "metrics"),
        ("/healthz", None),
        ("/", "read"),
        ("//metrics", "metrics"),
    ],
)
def test_each_path_needs_its_scope(path: str, scope: str | None) -> None:
    assert scope_of(path) == scope


def test_anybody_reads_unless_keys_are_required() -> None:
    assert answered(Rules(), "/v1/status")[0] == 200
    status, headers, body = answered(Rules(keys_required=True), "/v1/status")
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="spotfix"')
    assert json.loads(body)["type"] == "/v1/problems/unauthorized"


@pytest.mark.parametrize(
    "sent",
    ["Bearer wrong", "Bearer", "Basic YWNtZTpzcGs=", "Bearer spk_00000000_" + "A" * 32, "\xe4"],
)
def test_a_key_that_is_sent_must_be_good_even_where_none_is_needed(
    clients: Clients, sent: str
) -> None:
    clients.add("acme", ["read"], NOW)
    status, headers, _ = answered(Rules(clients), "/v1/status", f"Authorization: {sent}")
    assert status == 401
    assert headers["www-authenticate"].startswith('Bearer realm="spotfix", error=')


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_what_it_is_for_and_nothing_else(clients: Clients, scope: str) -> None:
    text = clients.add("acme", [scope], NOW)
    rules = Rules(clients, keys_required=True, now=lambda: NOW)
    paths = {
        "read": "/v1/status",
        "stream": "/v1/stream",
        "data": "/data/x",
        "metrics": "/metrics",
    }
    for needed, path in paths.items():
        status, headers, _ = answered(rules, path, f"Authorization: Bearer {text}")
        assert status == (200 if needed == scope else 403)
        if status == 403:
            assert f'scope="{needed}"' in headers["www-authenticate"]


def test_every_answer_has_a_request_id_and_the_clients_own_is_kept() -> None:
    assert answered(Rules(), "/v1/status", "X-Request-Id: order-7")[1]["x-request-id"] == "order-7"
    first = answered(Rules(), "/v1/status")[1]["x-request-id"]
    assert len(first) == 32
    _, headers, body = answered(Rules(), "/v1/stream?x=1")
    assert json.loads(body)["request_id"] == headers["x-request-id"]


def test_the_key_is_found_nowhere_but_in_the_hands_of_its_client(
    clients: Clients, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Sent in every place a client could put it, well and badly."""
    caplog.set_level(logging.DEBUG)
    text = clients.add("acme", ["read", "metrics"], NOW)
    secret, log = text.rpartition("_")[2], io.StringIO()
    rules = Rules(clients, quota=Quota(per_address=0), log=log, now=lambda: NOW)
    escaped = text.replace("_", "%5F").replace("s", "%73", 1)
    twice = escaped.replace("%", "%25")
    said: list[Any] = []
    for path in (
        f"/v1/status?key={text}", f"/v1/status?api_key={escaped}", f"/v1/{text}/x",
        f"/v1/status?key={twice}", f"/{escaped}", f"/v1/stream?after={text}",
        f"/v1/stream?{text}=1", f"/v1/status?key=SPK_{text[4:]}",
    ):  # fmt: skip
        status, headers, body = answered(rules, path)
        assert (status, json.loads(body)["type"]) == (400, "/v1/problems/invalid-parameter")
        assert "Authorization: Bearer" in json.loads(body)["detail"]
        said += [headers, body]
    for path, *sent in (
        ("/v1/status", f"Authorization: Bearer {text}"),
        ("/v1/status", f"Authorization: Bearer {text}x"),
        ("/v1/status", f"Authorization: Basic {text}"),
        ("/v1/status", f"Authorization: {text}"),
        ("/v1/status", f"X-Request-Id: {text}"),
        ("/v1/nowhere", f"Cookie: key={text}", f"Authorization: Bearer {text}"),
        ("/v1/fail", f"Authorization: Bearer {text}", f"User-Agent: {text}"),
        ("/v1/stream?after=x", f"Last-Event-ID: {text}"),
        ("/v1/status", f"X-Forwarded-For: {text}"),
        ("/metrics", f"Authorization: Bearer {text}"),
    ):
        said.append(answered(rules, path, *sent))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert len(lines) == 18
    assert lines[8]["client"] == "acme"
    out, err = capfd.readouterr()
    everything = f"{lines} {caplog.text} {out} {err} {clients.path.read_text()}"
    assert secret not in everything
    answers = [one for one in said if secret in str(one)]
    assert answers == []


def test_the_access_log_says_who_asked_what_and_how_it_went(clients: Clients) -> None:
    log = io.StringIO()
    text = clients.add("acme", ["read"], NOW)
    rules = Rules(clients, log=log, now=lambda: NOW)
    answered(
        rules,
        "/v1/status?from=2026-01-01&token=hunter2",
        f"Authorization: Bearer {text}",
        "X-Request-Id: order-7",
    )
    line = json.loads(log.getvalue())
    assert line.pop("ms") >= 0
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "request", "request_id": "order-7", "client": "acme", "key": text[4:12],
        "address": "127.0.0.1", "method": "GET", "path": "/v1/status",
        "query": "from=2026-01-01&token=...", "status": 200,
    }  # fmt: skip


def test_the_access_log_says_who_was_refused(clients: Clients) -> None:
    log = io.StringIO()
    text = clients.add("acme", ["read"], NOW)
    quota = Quota(per_address=1, per_client=1)
    rules = Rules(clients, quota=quota, log=log, now=lambda: NOW, seconds=lambda: 5.0)
    for headers in ((), (), (f"Authorization: Bearer {text}",)):
        answered(rules, "/v1/status", *headers)
    answered(rules, "/v1/status", f"Authorization: Bearer {text}")
    answered(rules, "/v1/status", "Authorization: Bearer spk_no")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(one["status"], one["address"], one["client"]) for one in lines] == [
        (200, "127.0.0.1", None),
        (429, "127.0.0.1", None),
        (200, "127.0.0.1", "acme"),
        (429, "127.0.0.1", "acme"),
        (429, "127.0.0.1", None),
    ]


def test_a_line_of_the_log_stays_one_line() -> None:
    log = io.StringIO()
    answered(Rules(log=log), "/v1/x%0A%7B%22event%22:1%7D?a%0Ab=1")
    assert len(log.getvalue().splitlines()) == 1


def test_a_forwarded_address_counts_only_from_the_operators_proxy() -> None:
    log = io.StringIO()
    sent = "X-Forwarded-For: 203.0.113.9, 198.51.100.7"
    answered(Rules(log=log), "/v1/status", sent)
    answered(Rules(log=log, proxies=networks(["127.0.0.0/8"])), "/v1/status", sent)
    lines = [json.loads(line)["address"] for line in log.getvalue().splitlines()]
    assert lines == ["127.0.0.1", "198.51.100.7"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/v1/status", "/v1/status"),
        ("/v1/spk_abcdefgh_" + "1" * 32 + "/x", "/v1/[key]/x"),
        ("/v1/%73pk_abcdefgh", "[key]"),
        ("/v1/%2573pk_abcdefgh", "[key]"),
        ("/v1/100%", "/v1/100%"),
    ],
)
def test_a_path_is_told_without_a_key(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert holds_key(text) is (shown != text)


def test_a_query_is_told_with_the_values_of_known_parameters_only() -> None:
    assert (
        query_shown(b"from=2026-01-01&password=x&after=3") == "from=2026-01-01&password=...&after=3"
    )
    assert query_shown(b"a=spk_abc") == "[key]"
    assert query_shown(b"") == ""


def test_figures_name_no_client(clients: Clients) -> None:
    text = clients.add("acme", ["metrics"], NOW)
    rules = Rules(clients, keys_required=True, now=lambda: NOW)
    status, headers, body = answered(rules, "/metrics", f"Authorization: Bearer {text}")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"spotfix_feed_log_size 1.0" in body
    assert b"acme" not in body
