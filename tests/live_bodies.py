"""What each source of the panel is answered on the loopback server of ``tests/live_panel.py``.

One reviewed line a source that asks for more than its one address; the bodies are those of its
folder of ``tests/payloads``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from collectors import panel
from collectors.gpus import scaleway, vast
from collectors.tokens import mistral_docs
from collectors.volumes import vercel_leaderboard
from index import collecting
from tests import live_world as lw

PAYLOADS = Path(__file__).parent / "payloads"

MORNING = datetime(2026, 11, 20, 7, 30)
EVENING = datetime(2026, 11, 20, 23, 30)
"""After the final print of NYC (21:00 UTC in winter, plus two hours)."""

ANY = "*"
"""As the value of a field: any, but it must be there; ``*words*``: any that holds the words."""

Made = Callable[[bytes, str], bytes]
"""``made(body, address)``: what is sent in place of a stored body by the server at ``address``."""


class Page(NamedTuple):
    """One answer: a body of the source's folder, and exactly what must be asked for it.

    ``below`` follows the path of the source's address; ``asks`` are the fields of the query, of a
    form or of a JSON object, each as text.
    """

    file: str
    below: str = ""
    asks: Mapping[str, str] = {}
    made: Made = lambda body, address: body
    method: str = "GET"


# --- bodies that are made of stored ones ---------------------------------------------------------


def part(number: int, key: str, **fields: Any) -> Made:
    """Return how a list under ``key`` is cut in two pages; ``$`` in a text is the address."""

    def cut(body: bytes, address: str) -> bytes:
        told = json.loads(body)
        middle = len(told[key]) // 2 + 1
        told[key] = told[key][:middle] if number == 1 else told[key][middle:]
        if not told[key]:
            raise ValueError(f"{key} is too short to be cut in two")
        more = json.loads(json.dumps(fields).replace("$$", address))
        return json.dumps(told | more).encode()

    return cut


def with_words(**words: str) -> Made:
    """Return how texts of a body are put in the place of others; each must be there."""

    def change(body: bytes, address: str) -> bytes:
        for old, new in words.items():
            if old.encode() not in body:
                raise ValueError(f"{old!r} is not in the body")
            body = body.replace(old.encode(), new.encode())
        return body

    return change


def machines_of(name: str) -> Made:
    """Return how the marketplace's machines are those of one name, as it filters them."""
    low = min(bounds[0] for bounds in vast.MEMORY[name].values())

    def keep(body: bytes, address: str) -> bytes:
        offers = json.loads(body)["offers"]
        own = [one for one in offers if one["gpu_name"] == name]
        lent = [one | {"gpu_name": name, "gpu_ram": low} for one in offers[:2]]
        return json.dumps({"offers": own or lent}).encode()

    return keep


def endpoints_of(model: str) -> Made:
    return with_words(**{"deepseek/deepseek-v3.2": model})


def shifted(body: bytes, address: str) -> bytes:
    """Return the month's view as of the day before the round; it refuses what is older."""
    days = sorted({row["date"] for row in json.loads(body)["data"]})
    last = datetime.fromisoformat(days[-1])
    for day in days:
        moved = datetime.fromisoformat(day) + (datetime(2026, 11, 19) - last)
        body = body.replace(day.encode(), moved.isoformat(" ").encode())
    return body


AZURE_NEXT = "$$/api/retail/prices?%24filter={}&%24skip=1000"
LIST = {"per_page": "500"}


def two_pages(file: str, good: str) -> tuple[Page, ...]:
    """Return Azure's list of one good on two pages, the second behind the first one's link."""
    link, first = AZURE_NEXT.format(good), {"$filter": f"*{good}*", "currencyCode": "USD"}
    return (
        Page(file, asks=first, made=part(1, "Items", NextPageLink=link)),
        Page(file, asks={"$filter": good, "$skip": "1000"}, made=part(2, "Items")),
    )


def mistral() -> Iterator[Page]:
    own = {path.name.split(".", 1)[1]: path.name for path in folder_of("mistral_docs").iterdir()}
    for slug in mistral_docs.MODELS:
        if f"{slug}.ts" in own:
            yield Page(own[f"{slug}.ts"], f"/{slug}.ts")
            continue
        words = with_words(**{"slug: 'mistral-large-4-0'": f"slug: '{slug}'"})
        yield Page("2026-10-06.mistral-large-4-0.ts", f"/{slug}.ts", made=words)


def folder_of(source_id: str) -> Path:
    return PAYLOADS / panel.SOURCES[source_id].module.rpartition(".")[2]


TABLE: dict[str, Callable[[], Sequence[Page]]] = {
    "aws_bedrock": lambda: [
        Page(f"{day}.{offer}.json", f"/{offer}/current/us-east-1/index.json")
        for day, offer in (
            ("2026-09-11", "AmazonBedrock"),
            ("2026-09-30", "AmazonBedrockFoundationModels"),
        )
    ],
    "aws_list": lambda: [Page("index.csv")],
    "azure_openai": lambda: two_pages("2026-08-01.json", "Foundry"),
    "azure_retail": lambda: two_pages("page.json", "Machines"),
    "cfets": lambda: [
        Page(
            "2026-10-03.json",
            asks={
                "startDate": ANY, "endDate": ANY, "currency": "USD/CNY", "pageNum": "1",
                "pageSize": ANY,
            },
            method="POST",
        )
    ],
    "digitalocean": lambda: [
        Page(
            "2025-08-29.json",
            asks={"per_page": "200", "page": "1"},
            made=part(1, "sizes", links={"pages": {"next": "$$/v2/sizes?page=2"}}),
        ),
        Page("2025-08-29.json", asks={"per_page": "200", "page": "2"}, made=part(2, "sizes")),
    ],
    "ecb": lambda: [Page("eurofxref-daily.xml")],
    "fireworks": lambda: [
        Page("2026-10-06.json", made=part(1, "data", nextPageToken="2")),
        Page("2026-10-06.json", asks={"pageToken": "2"}, made=part(2, "data")),
    ],
    "gcp_list": lambda: [
        Page("page1.json", asks={"pageSize": "5000", "currencyCode": "USD"}),
        Page(
            "page2.json", asks={"pageSize": "5000", "currencyCode": "USD", "pageToken": "PAGE-2"}
        ),
    ],
    "gpurentalprices": lambda: [
        Page("2026-08-02.json", made=lambda *_: lw.gpus(f"{MORNING:%Y-%m-%d}"))
    ],
    "hyperstack": lambda: [
        Page("2026-11-21.pricebook.json", "/pricebook"),
        Page("2026-11-21.stocks.json", "/core/stocks"),
    ],
    "litellm": lambda: [Page("2026-11-19.json")],
    "mistral_docs": lambda: list(mistral()),
    "modelpricewatch": lambda: [Page("2026-08-22.json")],
    "models_dev": lambda: [Page("2026-08-12.api.json", made=lambda *_: lw.models_dev())],
    "novita": lambda: [Page("2026-10-09.json")],
    "oci": lambda: [Page("2026-09-06.json", asks={"currencyCode": "USD"})],
    "openrouter_activity": lambda: [Page("rankings-daily.json")],
    "openrouter_endpoints": lambda: [
        Page("2026-08-07.deepseek-v3.2.json", f"/models/{one}/endpoints", made=endpoints_of(one))
        for one in collecting._open_models()
    ],
    "openrouter_providers": lambda: [Page("2026-11-21.documented.json")],
    "openrouter_rankings_month": lambda: [
        Page("2026-08-05.json", asks={"view": "month"}, made=shifted)
    ],
    "primeintellect": lambda: [
        Page("2026-11-21.documented.json", asks={"page": "1", "page_size": "100"})
    ],
    "runpod": lambda: [Page("2026-07-18.json", asks={"query": ANY}, method="POST")],
    "scaleway": lambda: [
        Page("2026-10-01.json", f"/{zone}/products/servers", {"per_page": "100", "page": "1"})
        for zone in scaleway.ZONES
    ],
    "vast": lambda: [
        Page(
            "2026-02-27.json",
            asks={
                "gpu_name": f'{{"eq": "{name}"}}', "rentable": '{"eq": true}',
                "rented": '{"eq": false}', "verified": '{"eq": true}', "type": "on-demand",
                "order": '[["dph_total", "asc"]]',
            },
            made=machines_of(name),
            method="POST",
        )
        for name in vast.NAMES
    ],
    "vercel_leaderboard": lambda: [
        Page(
            "2026-09-15.models.json",
            asks={"dataset": name, "modality": "text", "format": "json"},
            made=with_words(**{'"dataset":"models"': f'"dataset":"{name}"'}),
        )
        for name in vercel_leaderboard.DATASETS
    ],
    "verda": lambda: [Page("2026-08-14.json", asks={"currency": "usd"})],
    "volcengine": lambda: [Page("2026-09-21.json", asks={"DocumentID": "1544106"})],
    "vultr": lambda: [
        Page(
            "2025-01-08.plans.json",
            "/plans",
            {"type": "all", **LIST},
            part(1, "plans", meta={"total": 3, "links": {"next": "bmV4dA==", "prev": ""}}),
        ),
        Page(
            "2025-01-08.plans.json",
            "/plans",
            {"type": "all", **LIST, "cursor": "bmV4dA=="},
            part(2, "plans"),
        ),
        Page("2026-09-17.plans-metal.json", "/plans-metal", LIST),
    ],
}  # fmt: skip
"""Sources that ask for more than their one address, or whose folder holds several bodies.

The stored bodies of models.dev and gpurentalprices.com name too few sellers for a number; both are
answered with the market of ``tests/live_world.py``.
"""


def pages_of(source_id: str) -> Sequence[Page]:
    """Return what the server answers for one source: by the table, else its folder's one body."""
    if source_id in TABLE:
        return TABLE[source_id]()
    [only] = (path.name for path in folder_of(source_id).iterdir())
    return [Page(only)]
