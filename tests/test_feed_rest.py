"""Fixings over HTTP: the very bytes of the log, what moves and what does not, and each refusal.

The tree is that of :mod:`tests.feed_tree`; every expected day, revision and time stands there.
In November New York is five hours behind UTC: a NYC print is due at 21:45Z and 23:00Z.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.testclient import TestClient

from index.feed import problems
from index.feed.app import make_app, open_store
from index.publication import proofs
from tests import feed_tree
from tests import fixing_records as made
from tests.feed_tree import ONE, TWO, Tree, record

BASE = f"/v1/fixings/{ONE}/NYC"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return feed_tree.shared(tmp_path_factory)


@pytest.fixture(scope="module")
def client(tree: Tree) -> Iterator[TestClient]:
    with feed_tree.serving(tree.settings) as found:
        yield found


def leaf(tree: Tree, day: str, revision: int, index: str = ONE) -> bytes:
    """The bytes that were logged, looked up without the store."""
    for body in tree.bodies:
        one = record(body)
        key = (one.get("index_id"), one.get("ref_date"), one.get("revision"))
        if one["type"] == "fixing" and key == (index, day, revision):
            return body
    raise LookupError(day)


# The bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "day", "revision"),
    [
        pytest.param("/latest", "2026-11-17", 0, id="latest_is_the_newest_day"),
        pytest.param("/latest?status=FINAL", "2026-11-16", 1, id="the_newest_final"),
        pytest.param("/latest?status=REVISED", "2026-11-12", 2, id="the_newest_restatement"),
        pytest.param("/latest?status=NO_FIX", "2026-11-13", 1, id="the_newest_without_a_value"),
        pytest.param("/latest?status=WITHDRAWN", "2026-11-15", 2, id="withdrawn_if_asked_for"),
        pytest.param("/latest?status=NO_FIX,FINAL", "2026-11-16", 1, id="one_of_two"),
        pytest.param("/latest?max_age=PT16M", "2026-11-17", 0, id="young_enough"),
        pytest.param("/2026-11-12", "2026-11-12", 2, id="a_day_is_its_highest_revision"),
        pytest.param("/2026-11-13", "2026-11-13", 1, id="no_fix_is_a_record_like_any_other"),
    ],
)
def test_a_moving_address_returns_the_leaf_and_names_where_it_stays(
    client: TestClient, tree: Tree, path: str, day: str, revision: int
) -> None:
    answer = client.get(BASE + path)
    assert answer.status_code == 200
    assert answer.content == leaf(tree, day, revision)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-location"] == f"{BASE}/{day}/r{revision}.json"
    assert answer.headers["cache-control"] == "public, max-age=30"
    stays = client.get(answer.headers["content-location"])
    assert stays.content == answer.content
    assert stays.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert stays.headers["etag"] == answer.headers["etag"]


def test_final_admits_its_restatement(tree: Tree) -> None:
    """On the 12th the current record is REVISED: who asks for FINAL must not get the day before."""
    with feed_tree.serving(tree.settings) as client:
        store = client.app.state.store  # type: ignore[attr-defined]
        series = store.series[ONE, "NYC"]
        series.days = [day for day in series.days if day <= "2026-11-12"]
        assert client.get(BASE + "/latest?status=FINAL").json()["revision"] == 2


def test_digest_tag_and_signature_are_of_the_body(client: TestClient, tree: Tree) -> None:
    answer = client.get(f"{BASE}/2026-11-12/r2.json")
    digest = hashlib.sha256(answer.content).digest()
    assert answer.headers["etag"] == f'"sha256-{digest.hex()}"'
    told = base64.b64encode(digest).decode()
    assert answer.headers["content-digest"] == f"sha-256=:{told}:"
    keyid, _, text = answer.headers["spot-signature"].partition(";")
    signature = base64.b64decode(text.removeprefix("ed25519=:").removesuffix(":"))
    key = made.ring().fixing.public
    assert keyid == f'keyid="{key.id}"'
    Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, answer.content)
    assert client.get(f"{BASE}/2026-11-12/r2.json.sig").content == signature
    assert answer.headers.get_list("link") == [
        '</v1/schemas/fixing.json>; rel="describedby"',
        f'<{BASE}/2026-11-12>; rel="latest-version"',
        f'<{BASE}/2026-11-12/r1.json>; rel="predecessor-version"',
        f'</v1/log/proof/{answer.headers["spot-seq"]}>; rel="proof"',
    ]
    assert record(answer.content)["seq"] == int(answer.headers["spot-seq"])


@pytest.mark.parametrize("suffix", ["json", "json.sig", "csv", "xml", "fix", "tlog-proof"])
def test_the_files_of_a_revision_are_those_of_drop_and_site(
    client: TestClient, tree: Tree, suffix: str
) -> None:
    body = client.get(f"{BASE}/2026-11-12/r2.{suffix}").content
    name = f"fixing_{ONE}_20261112_NYC_r2_R.{suffix}"
    assert body == (tree.settings.site / f"{BASE[1:]}/2026-11-12/r2.{suffix}").read_bytes()
    assert body == (tree.settings.drop / "v1/2026/11/12/NYC" / name).read_bytes()
    assert body == client.get(f"/drop/v1/2026/11/12/NYC/{name}").content


def test_the_proof_of_any_record_leads_to_the_newest_checkpoint(
    client: TestClient, tree: Tree
) -> None:
    for seq, body in enumerate(tree.bodies):
        proof = client.get(f"/v1/log/proof/{seq}").content
        keys = [made.ring().log.public, made.ring().log_pq.public]
        assert proofs.verify(proof, body, keys).size == len(tree.bodies)


@pytest.mark.parametrize("tag", ["{}", "W/{}", '"other", {}', "*"])
def test_who_has_the_body_gets_304(client: TestClient, tag: str) -> None:
    first = client.get(BASE + "/latest")
    asked = {"If-None-Match": tag.format(first.headers["etag"])}
    answer = client.get(BASE + "/latest", headers=asked)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == first.headers["etag"]
    assert answer.headers["cache-control"] == first.headers["cache-control"]
    assert "content-length" not in answer.headers


def test_who_has_another_body_gets_this_one(client: TestClient) -> None:
    answer = client.get(BASE + "/latest", headers={"If-None-Match": '"sha256-00"'})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", [BASE + "/latest", BASE, BASE + ".csv", "/v1/indices", "/log/checkpoint", "/nothing"]
)
def test_head_says_what_get_says_without_a_body(client: TestClient, path: str) -> None:
    whole, head = client.get(path), client.head(path)
    assert head.content == b""
    assert head.status_code == whole.status_code
    varying = ("x-request-id",)
    if whole.status_code == 200:
        assert int(head.headers["content-length"]) == len(whole.content)
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in whole.headers.items() if k not in varying
    }


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        pytest.param("2026-11-17T22:00:00", 30, id="far_from_a_print"),
        pytest.param("2026-11-17T22:59:48", 12, id="twelve_seconds_before_it"),
        pytest.param("2026-11-17T22:59:59.900000", 1, id="less_than_a_second_before_it"),
        pytest.param("2026-11-17T23:00:01", 1, id="it_is_due_and_may_come_any_moment"),
        pytest.param("2026-11-17T23:05:00", 30, id="five_minutes_later"),
    ],
)
def test_a_cache_never_keeps_a_value_beyond_the_next_print(
    tree: Tree, now: str, seconds: int
) -> None:
    with feed_tree.serving(tree.settings, datetime.fromisoformat(now)) as client:
        line = client.get(BASE + "/latest").headers["cache-control"]
        assert line == f"public, max-age={seconds}"


# Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "name", "says"),
    [
        ("/v1/fixings/TKR-none/NYC/latest", 404, "unknown-index", "TKR-none"),
        (f"/v1/fixings/{ONE}/SHA/latest", 404, "unknown-session", "it is fixed in NYC"),
        (BASE + "/2026-11-14", 404, "not-a-publication-day", "no fixing of 2026-11-14"),
        (BASE + "/2026-11-09", 404, "not-a-publication-day", "the first is of 2026-11-10"),
        (BASE + "/1999-01-01", 404, "not-a-publication-day", "1999-01-01"),
        (BASE + "/9999-12-31", 404, "not-a-publication-day", "9999-12-31"),
        (BASE + "/2026-11-18", 404, "not-yet-published", "2026-11-18T21:45:00.000Z"),
        (BASE + "/2026-11-17/r1.json", 404, "not-yet-published", "2026-11-17T23:00:00.000Z"),
        (BASE + "/2026-11-17/r2.json", 404, "unknown-revision", "r0"),
        (BASE + "/2026-11-16/r2.json", 404, "unknown-revision", "r1"),
        (BASE + "/2026-11-16/r01.json", 404, "not-found", "r01.json"),
        (BASE + "/2026-11-16/r1.exe", 404, "not-found", "r1.exe"),
        (BASE + ".doc", 404, "not-found", ".csv, .parquet, .xlsx"),
        (BASE + "/2026-11-31", 400, "invalid-parameter", "'2026-11-31'"),
        (BASE + "/20261117", 400, "invalid-parameter", "'20261117'"),
        (BASE + "/2026-W47-2", 400, "invalid-parameter", "YYYY-MM-DD"),
        (BASE + "/2026-11-15", 410, "withdrawn", "computed twice"),
        (BASE + "/latest?max_age=PT14M", 412, "stale", "max_age is 840 s"),
        (BASE + "/latest?max_age=P0D", 412, "stale", "900 s old"),
        (BASE + "/latest?max_age=1h", 400, "invalid-parameter", "'max_age'"),
        (BASE + "/latest?max_age=PT1.5H", 400, "invalid-parameter", "'PT1.5H'"),
        (BASE + "/latest?status=final", 400, "invalid-parameter", "'final'"),
        (BASE + "/latest?status=", 400, "invalid-parameter", "'status'"),
        (BASE + "/latest?statuss=FINAL", 400, "unknown-parameter", "'statuss'"),
        (BASE + "/latest?status=FINAL&status=FINAL", 400, "duplicate-parameter", "'status'"),
        (BASE + "/latest?status", 400, "invalid-parameter", "query string"),
        (BASE + "/latest?%ff=1", 400, "invalid-parameter", "query string"),
        (BASE + "/2026-11-16?as_of=now", 400, "unknown-parameter", "known are: none"),
        (BASE + "?from=2026-11-13&to=2026-11-12", 400, "invalid-parameter", "'from' lies after"),
        (BASE + "?as_of=2026-11-17", 400, "invalid-parameter", "RFC 3339"),
        (BASE + "?as_of=2026-11-17T25:00:00Z", 400, "invalid-parameter", "T25:00:00Z"),
        (BASE + "?as_of=2026-11-17T22:00:01Z", 422, "future-as-of", "later than now"),
        (BASE + "?as_of_seq=31", 422, "future-as-of", "last record is 30"),
        (BASE + "?limit=0", 400, "invalid-parameter", "between 1 and 1000"),
        (BASE + "?limit=+5", 400, "invalid-parameter", "'limit'"),
        (BASE + "?cursor=AAAA", 400, "invalid-parameter", "'cursor'"),
        ("/v1/indices?x=", 400, "unknown-parameter", "'x'"),
        ("/v1/events?after=31", 422, "future-as-of", "beyond the log"),
        ("/v1/events?after=-2", 400, "invalid-parameter", "'-2'"),
        ("/v1/events?types=Fixing", 400, "invalid-parameter", "'Fixing'"),
        ("/v1/log/proof/31", 404, "not-found", "the log has 31"),
        ("/v1/log/proof/-1", 400, "invalid-parameter", "'-1'"),
        ("/v1/settlements/MEAN/2026-10", 400, "missing-parameter", "GPR-two, TKR-one-OUT"),
        ("/v1/settlements/MEAN/2026-09", 404, "not-found", "'2026-09'"),
        ("/v1/calendar/calendar-day/2", 404, "not-found", "calendar-day/1"),
        ("/v1/calendar/calendar-day/1?year=1492", 400, "invalid-parameter", "2020 and 2099"),
        ("/v1/schemas/quote.json", 404, "not-found", "quote"),
        ("/v1/problems/none", 404, "not-found", "'none'"),
        ("/v1/", 404, "not-found", "openapi.json"),
        ("/v1/indices/", 404, "not-found", "openapi.json"),
        ("/log/checkpoint?x=1", 400, "unknown-parameter", "'x'"),
    ],
)
def test_a_refusal_is_typed_and_names_the_value(
    client: TestClient, path: str, status: int, name: str, says: str
) -> None:
    answer = client.get(path, headers={"X-Request-Id": "r-1"})
    said: dict[str, Any] = answer.json()
    assert (answer.status_code, said["status"]) == (status, status)
    assert said["type"] == f"/v1/problems/{name}"
    assert says in said["detail"]
    assert said["request_id"] == answer.headers["x-request-id"] == "r-1"
    assert said["instance"] == path.partition("?")[0]
    assert said["title"] == problems.KINDS[name].title
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert client.get(said["type"]).json()["remedy"] == problems.KINDS[name].remedy


@pytest.mark.parametrize(
    ("path", "due", "seconds"),
    [
        ("/2026-11-17/r1.json", "2026-11-17T23:00:00.000Z", "3600"),
        ("/2026-11-18", "2026-11-18T21:45:00.000Z", "85500"),
    ],
)
def test_what_is_not_there_yet_says_when_it_will_be(
    client: TestClient, path: str, due: str, seconds: str
) -> None:
    answer = client.get(BASE + path)
    assert answer.json()["next_publication_at"] == due
    assert answer.headers["retry-after"] == seconds


def test_a_print_that_is_late_is_announced_for_two_days_and_no_longer(tree: Tree) -> None:
    for now, name in (("2026-11-18T21:46", "not-yet-published"), ("2026-11-20T21:46", "not-a-pu")):
        with feed_tree.serving(tree.settings, datetime.fromisoformat(now)) as client:
            assert name in client.get(BASE + "/2026-11-18").json()["type"]


def test_a_withdrawn_print_stays_readable_under_its_own_address(
    client: TestClient, tree: Tree
) -> None:
    where = client.get(BASE + "/2026-11-15").json()["record_url"]
    assert client.get(where).content == leaf(tree, "2026-11-15", 2)
    assert client.get(f"{BASE}/2026-11-15/r1.json").status_code == 200


def test_a_withdrawn_newest_day_is_not_passed_over(tree: Tree) -> None:
    with feed_tree.serving(tree.settings) as client:
        series = client.app.state.store.series[ONE, "NYC"]  # type: ignore[attr-defined]
        series.days = [day for day in series.days if day <= "2026-11-15"]
        assert client.get(BASE + "/latest").status_code == 410


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [BASE + "/latest", BASE, "/v1/events", "/log/checkpoint"])
def test_nothing_can_be_changed(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.json()["type"] == "/v1/problems/method-not-allowed"


def test_a_status_that_no_day_has_says_when_to_ask_again(client: TestClient) -> None:
    answer = client.get(f"{BASE.replace(ONE, TWO).replace('NYC', 'SHA')}/latest?status=WITHDRAWN")
    assert answer.status_code == 404
    assert answer.json()["next_publication_at"] == "2026-11-18T07:45:00.000Z"
    # From 22:00Z on the 17th to 07:45Z on the 18th: 9 hours and three quarters.
    assert answer.headers["retry-after"] == "35100"


def test_an_unforeseen_error_tells_nothing_of_itself(tree: Tree) -> None:
    with feed_tree.serving(tree.settings) as client:
        client.app.state.store.series = None  # type: ignore[attr-defined]
        answer = client.get(BASE + "/latest")
        assert answer.status_code == 500
        assert answer.json()["type"] == "/v1/problems/internal-error"
        assert "NoneType" not in answer.text


# What there is ----------------------------------------------------------------------------------


def test_an_index_tells_its_unit_days_and_newest_fixing(client: TestClient) -> None:
    listed = client.get("/v1/indices").json()
    assert [one["index_id"] for one in listed["data"]] == [TWO, ONE]
    one = client.get(f"/v1/indices/{ONE}").json()
    assert one == listed["data"][1]
    assert (one["currency"], one["unit"], one["decimals"]) == ("USD", "USD/1e6tok", 6)
    (session,) = one["sessions"]
    assert (session["first_date"], session["last_date"]) == ("2026-11-10", "2026-11-17")
    assert session["days"] == 7
    assert session["newest"]["status"] == "PROVISIONAL"
    assert client.get(session["latest_url"]).status_code == 200


def test_the_basket_is_the_body_that_the_fixings_cite(client: TestClient) -> None:
    answer = client.get(f"/v1/indices/{ONE}/basket?as_of=2026-11-11T00:00:00Z")
    assert answer.content == made.BODY
    digest = hashlib.sha256(made.BODY).hexdigest()
    assert answer.headers["content-location"] == f"/batches/basket/{digest}.jsonl"
    assert client.get(answer.headers["content-location"]).content == made.BODY
    assert f"{BASE}/2026-11-10/r1.json" in answer.headers["link"]
    early = client.get(f"/v1/indices/{ONE}/basket?as_of=2026-11-10T00:00:00Z")
    assert early.status_code == 404


def test_a_settlement_is_the_newest_record_of_its_rule(client: TestClient, tree: Tree) -> None:
    found = client.get("/v1/settlements/LAST/2026-10")
    assert found.content in tree.bodies
    assert found.json()["revision"] == 1
    chosen = client.get(f"/v1/settlements/MEAN/2026-10?index={TWO}")
    assert chosen.json()["index_id"] == TWO


def test_a_settlement_carries_its_signature_and_its_own_address(
    client: TestClient, tree: Tree
) -> None:
    found = client.get("/v1/settlements/LAST/2026-10")
    where = found.headers["content-location"]
    assert where.startswith("/drop/v1/settlements/LAST/2026-10/settlement_")
    assert client.get(where).content == found.content
    raw = (tree.settings.drop / (where.removeprefix("/drop/") + ".sig")).read_bytes()
    told = base64.b64encode(raw).decode()
    assert found.headers["spot-signature"].endswith(f";ed25519=:{told}:")
    assert found.headers["spot-signature"].startswith('keyid="fixing-')


def test_the_calendar_has_every_day_with_its_times(client: TestClient) -> None:
    said = client.get("/v1/calendar/calendar-day/1?year=2026").json()
    assert {name: len(days) for name, days in said["sessions"].items()} == {"NYC": 365, "SHA": 365}
    summer = said["sessions"]["NYC"][182]
    assert summer == {
        "ref_date": "2026-07-02",
        "cutoff_at": "2026-07-02T20:00:00.000Z",
        "provisional_at": "2026-07-02T20:45:00.000Z",
        "final_at": "2026-07-02T22:00:00.000Z",
        "restatement_until": "2026-07-03T03:59:59.000Z",
    }
    lines = client.get("/v1/calendar/calendar-day/1.ics?year=2026").text.split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2:] == ["END:VCALENDAR", ""]
    assert lines.count("BEGIN:VEVENT") == 4 * 365
    at = lines.index("UID:NYC-20260702-final@spotfix")
    assert lines[at + 2] == "DTSTART:20260702T220000Z"


def test_status_keys_and_health(client: TestClient, tree: Tree) -> None:
    status = client.get("/v1/status").json()
    assert status["status"] == "ok"
    assert status["log"]["size"] == len(tree.bodies)
    assert status["log"]["root"] == tree.log.root.hex()
    assert status["log"]["checkpoint_signed_at"] == "2026-11-17T21:45:01.000Z"
    assert status["sessions"]["NYC"]["next_publication_at"] == "2026-11-17T23:00:00.000Z"
    keys = {one["purpose"] for one in client.get("/v1/keys").json()["keys"]}
    assert keys == {"root", "fixing", "log"}
    assert client.get("/healthz").json() == {"status": "ok", "size": len(tree.bodies)}


def test_inputs_say_what_became_of_each_quote(client: TestClient) -> None:
    answer = client.get(f"{BASE}/2026-11-12/r1/inputs.parquet")
    rows = pl.read_parquet(io.BytesIO(answer.content))
    assert rows.schema["price"] == pl.Decimal(28, 9)
    assert rows["quote_id"].to_list() == ["q0", "q1", "q2", None]
    assert [None if v is None else str(v) for v in rows["price"]] == [
        "4.187500000", None, "5.000000001", "4.000000000",
    ]  # fmt: skip
    assert rows["used"].to_list() == [True, False, False, True]
    assert rows["exclude_reason"].to_list() == [None, None, "OUTLIER", None]
    assert [None if v is None else f"{v:f}" for v in rows["weight"]] == [
        "0.60000000", None, "0.00000000", "0.40000000",
    ]  # fmt: skip
    assert rows["status"].to_list() == ["OBSERVED", None, "DROPPED", "IMPUTED"]
    assert set(rows["unit"]) == {"USD/1e6tok"}
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", [BASE + "/latest", "/log/checkpoint", "/data/big.parquet", "/no"])
def test_no_body_leaves_the_application_for_head(tree: Tree, path: str) -> None:
    """Asked without a client, which would throw a body away unseen."""
    app = make_app(open_store(tree.settings), now=lambda: feed_tree.NOW)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": path, "query_string": b"", "headers": []}
    asyncio.run(app(scope, receive, send))
    assert b"".join(m.get("body", b"") for m in sent[1:]) == b""
    assert int(dict(sent[0]["headers"])[b"content-length"]) > 0
