"""The contract against the server: requests made from the OpenAPI document, answers held to it.

Schemathesis draws requests that the document allows and requests that it forbids, walks through
every boundary of every parameter, repeats parameters and tries other methods. Each answer must
have a status, headers and a body that the document states; what is allowed must be taken and what
is forbidden refused. The application is asked in this process; no socket is opened.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from index.feed import openapi
from index.feed.app import make_app, open_store, routes
from index.feed.problems import KINDS
from index.feed.resources import Feed
from index.publication import schema
from tests import feed_tree
from tests.feed_tree import ONE, Tree

REQUESTS = int(os.environ.get("REQUESTS", "300"))
"""Drawn requests for each operation in the campaign."""

NOT_HERE = ("/v1/stream", "/metrics")
"""Served by other modules and tested with them."""

KNOWN = {
    "Index": [ONE],
    "Session": ["NYC"],
    "Date": ["2026-11-12", "2026-11-13", "2026-11-14", "2026-11-15", "2026-11-18"],
    "Revision": [0, 1, 2, 3],
}
"""What the tree of these tests has, and some that it has not: most requests then arrive."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return feed_tree.shared(tmp_path_factory)


def document(*, narrowed: bool) -> dict[str, Any]:
    """The document without what is served elsewhere, and without cursors: none can be guessed."""
    found = openapi.document()
    for path in NOT_HERE:
        del found["paths"][path]
    cursor = {"$ref": "#/components/parameters/Cursor"}
    for item in found["paths"].values():
        if cursor in (parameters := item["get"].get("parameters", [])):
            parameters.remove(cursor)
    for name, values in KNOWN.items() if narrowed else ():
        found["components"]["parameters"][name]["schema"]["enum"] = values
    return found


def asked(tree: Tree, requests: int, *, narrowed: bool) -> tuple[list[str], Counter[int]]:
    """What the server got wrong, in words, and how many answers it gave by status."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 20261121,
            "generation": {"max-examples": requests, "deterministic": True, "database": "none"},
            "phases": {
                "stateful": {"enabled": False},
                "coverage": {"generate-duplicate-query-parameters": True},
            },
            "checks": {
                "positive_data_acceptance": {
                    # 410 withdrawn, 412 stale, 422 beyond what is known are answers; so is 400
                    # where from lies after to or an index must be chosen, which no schema can say.
                    "expected-statuses": ["2xx", "304", "404", "410", "412", "416", "422"]
                }
            },
        }
    )
    found = schemathesis.openapi.from_dict(document(narrowed=narrowed), config=config)
    found.app = make_app(open_store(tree.settings), now=lambda: feed_tree.NOW)
    wrong: list[str] = []
    statuses: Counter[int] = Counter()
    for event in from_schema(found).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            wrong.append(f"schemathesis itself: {event}")
        if not isinstance(event, events.ScenarioFinished):
            continue
        for name, exchange in event.recorder.interactions.items():
            if exchange.response is not None:
                statuses[exchange.response.status_code] += 1
            for check in event.recorder.checks.get(name, []):
                if check.failure_info is not None and not excused(exchange):
                    said = str(check.failure_info.failure)[:400]
                    wrong.append(f"{exchange.request.uri} {check.name}: {said}")
    return wrong, statuses


def excused(exchange: Any) -> bool:
    """Whether two parameters, each right by itself, contradict each other."""
    if exchange.response is None or exchange.response.status_code != 400:
        return False
    said = json.loads(exchange.response.content)
    return "lies after to" in said["detail"] or said["type"].endswith("/missing-parameter")


def test_the_server_keeps_its_contract(tree: Tree) -> None:
    wrong, statuses = asked(tree, 3, narrowed=True)
    assert wrong == []
    assert sum(statuses.values()) > 1_000
    assert {200, 206, 400, 404, 405, 412, 422} <= set(statuses)
    # What is drawn hangs a little on which modules of ours are loaded: Hypothesis takes constants
    # from them. About 150 are taken; a server that takes too few is none.
    assert statuses[200] > 120, statuses


@pytest.mark.campaign
@pytest.mark.parametrize("narrowed", [True, False], ids=["of_what_is_there", "of_anything"])
def test_the_server_keeps_its_contract_over_many_requests(tree: Tree, narrowed: bool) -> None:
    wrong, statuses = asked(tree, REQUESTS, narrowed=narrowed)
    print(f"\n{sum(statuses.values())} requests: {dict(sorted(statuses.items()))}")
    assert wrong == []


def test_every_route_is_in_the_document_and_every_path_has_a_route(tree: Tree) -> None:
    app = make_app(open_store(tree.settings))
    paths = {path.split("{")[0].rstrip("/") for path in openapi.document()["paths"]}
    for route in routes(Feed(app.state.store)):
        assert route.path.split("{")[0].rstrip("/") in paths  # type: ignore[attr-defined]
    with feed_tree.serving(tree.settings) as client:
        for path in openapi.document()["paths"]:
            if path not in NOT_HERE and "{" not in path:
                assert client.get(path).status_code == 200, path


def test_every_problem_type_stands_in_the_document() -> None:
    text = json.dumps(openapi.document()["components"]["responses"])
    internal = {"internal-error", "body-too-large"}
    assert {name for name in KINDS if name not in text} == internal


def test_the_schemas_of_records_are_those_of_publication(tree: Tree) -> None:
    components = openapi.document()["components"]["schemas"]
    with feed_tree.serving(tree.settings) as client:
        for kind in schema.SCHEMAS:
            served = client.get(f"/v1/schemas/{kind}.json").json()
            assert served == schema.schema_of(kind)
            assert components[kind.capitalize()]["properties"] == served["properties"]


def test_the_document_is_the_same_each_time_and_needs_no_other(tree: Tree) -> None:
    assert (
        openapi.text()
        == json.dumps(openapi.document(), ensure_ascii=False, separators=(",", ":")).encode()
    )
    for found in (
        Path(openapi.__file__).with_name("openapi.json").read_text("utf-8").split('"$ref"')
    ):
        if found.startswith(": "):
            assert found.startswith(': "#/components/')
