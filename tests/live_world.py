"""A small market for tests of live collection: five sources on a loopback server.

The figures are those that models.dev, LiteLLM and gpurentalprices.com showed on 2026-08-12, for
twelve hosts of one model, seven of another and nine neoclouds; the bodies have the true shape and
little else, so that a published day takes a second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from collectors import panel
from index import config, liverun, shop
from index.config import Settings
from index.ledger.log import Log
from index.pipeline import Report
from methodology.definition import Definition, load_definitions
from tests import loopback as lb

GPT_OSS = {
    "fireworks-ai": ("accounts/fireworks/models/gpt-oss-120b", "0.15", "0.6"),
    "wandb": ("openai/gpt-oss-120b", "0.03", "0.17"),
    "baseten": ("openai/gpt-oss-120b", "0.1", "0.5"),
    "nebius": ("openai/gpt-oss-120b", "0.15", "0.6"),
    "nearai": ("openai/gpt-oss-120b", "0.15", "0.55"),
    "siliconflow": ("openai/gpt-oss-120b", "0.05", "0.45"),
    "togetherai": ("openai/gpt-oss-120b", "0.15", "0.6"),
    "digitalocean": ("openai-gpt-oss-120b", "0.055", "0.385"),
    "groq": ("openai/gpt-oss-120b", "0.15", "0.6"),
    "novita-ai": ("openai/gpt-oss-120b", "0.05", "0.25"),
    "deepinfra": ("openai/gpt-oss-120b", "0.037", "0.17"),
    "cerebras": ("gpt-oss-120b", "0.35", "0.75"),
}
"""Hosts of gpt-oss-120b: listing, input, output; USD per million tokens."""

DEEPSEEK = {
    "nebius": ("deepseek-ai/DeepSeek-V3.2", "0.3", "0.45"),
    "friendli": ("deepseek-ai/DeepSeek-V3.2", "0.5", "1.5"),
    "siliconflow": ("deepseek-ai/DeepSeek-V3.2", "0.27", "0.42"),
    "digitalocean": ("deepseek-3.2", "0.25", "0.8"),
    "novita-ai": ("deepseek/deepseek-v3.2", "0.269", "0.4"),
    "deepinfra": ("deepseek-ai/DeepSeek-V3.2", "0.26", "0.38"),
    "amazon-bedrock": ("deepseek.v3.2", "0.62", "1.85"),
}
"""Hosts of deepseek-v3.2, as above."""

H100 = {
    "coreweave": "6.155", "nebius": "3.85", "crusoe": "3.9", "ovh": "2.99", "together": "3.99",
    "massedcompute": "2.73", "gmicloud": "2", "latitude": "3.37", "digitalocean": "4.41",
}  # fmt: skip
"""Neoclouds with an H100 of unstated form factor: USD per GPU-hour."""

IN, OUT, DEEP, H100_ANY = (
    "TKR-gpt-oss-120b-IN",
    "TKR-gpt-oss-120b-OUT",
    "TKR-deepseek-v3.2-IN",
    "GPR-H100-ANY-OD-NEO-GLB",
)


def models_dev(
    gpt_oss: Mapping[str, str] | None = None, deepseek: Mapping[str, str] | None = None
) -> bytes:
    """Return ``api.json``, with other input prices of the two models by host where given."""
    sellers: dict[str, str] = {}
    for hosts, changed in ((GPT_OSS, gpt_oss), (DEEPSEEK, deepseek)):
        for host, (listing, posted, high) in hosts.items():
            low = (changed or {}).get(host, posted)
            cost = f'"{listing}":{{"id":"{listing}","cost":{{"input":{low},"output":{high}}}}}'
            sellers[host] = f"{sellers[host]},{cost}" if host in sellers else cost
    each = (f'"{h}":{{"id":"{h}","name":"{h}","models":{{{m}}}}}' for h, m in sellers.items())
    return ("{" + ",".join(each) + "}").encode()


def litellm(deepseek: str = "2.6e-07") -> bytes:
    """Return LiteLLM's file with DeepInfra's two models, one at a price to choose (USD a token)."""
    return (
        '{"sample_spec":{"mode":"one of: chat","input_cost_per_token":0.0},'
        '"deepinfra/openai/gpt-oss-120b":{"litellm_provider":"deepinfra","mode":"chat",'
        '"input_cost_per_token":3.7e-08,"output_cost_per_token":1.7e-07},'
        '"deepinfra/deepseek-ai/DeepSeek-V3.2":{"litellm_provider":"deepinfra","mode":"chat",'
        f'"input_cost_per_token":{deepseek},"output_cost_per_token":3.8e-07}}}}'
    ).encode()


def gpus(day: str = "2026-08-12", **changed: str) -> bytes:
    """Return a day's GPU prices, read at 06:46 of it; ``changed`` by seller."""
    rows = ",".join(
        f'{{"provider":"{p}","gpu":"h100","vram_gb":80,"usd_hr":{changed.get(p, price)},'
        f'"kind":"on-demand","source_url":"https://example.org/","fetched_at":"{day}T06:46:36.0Z"}}'
        for p, price in H100.items()
    )
    return f'{{"date":"{day}","generated_at":"{day}T06:46:40.727Z","offers":[{rows}]}}'.encode()


GENAI = (
    b'[{"id":"deepseek","name":"Deepseek","models":[{"id":"deepseek-v4-pro",'
    b'"prices":{"input_mtok":0.435,"cache_read_mtok":0.003625,"output_mtok":0.87}}]}]'
)

ECB = (
    b'<?xml version="1.0" encoding="UTF-8"?><gesmes:Envelope '
    b'xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
    b'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube>'
    b'<Cube time="2026-08-11"><Cube currency="USD" rate="1.1587"/>'
    b'<Cube currency="CNY" rate="7.8112"/></Cube></Cube></gesmes:Envelope>'
)
"""One day of the ninety-day file; the two figures are invented."""

PATHS = ("models_dev", "litellm", "gpurentalprices", "genai_prices", "ecb")
XML = {"content_type": "text/xml"}


def healthy(day: str = "2026-08-12") -> dict[str, lb.Behaviour]:
    """Return the routes of a day on which every source answers."""
    return {
        "/models_dev": lb.reply(models_dev()),
        "/litellm": lb.reply(litellm()),
        "/gpurentalprices": lb.reply(gpus(day)),
        "/genai_prices": lb.reply(GENAI),
        "/ecb": lb.reply(ECB, **XML),
    }


def few_indices() -> tuple[Definition, ...]:
    """Return the definitions of the three goods, and of the one index that is fixed in Shanghai."""
    goods = ("gpt-oss-120b", "deepseek-v3.2", "H100-ANY")
    return tuple(
        d
        for d in load_definitions()
        if d.session == "SHA" or getattr(d, "instrument", None) in goods
    )


def watch_few_indices(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let publisher and verifier know only those: a published day then takes a moment.

    With ``names``: only those of them that are defined in one file with an index of that name.
    """
    chosen = tuple(d for d in few_indices() if not names or set(names) & set(d.index_ids))
    monkeypatch.setattr(shop, "load_definitions", lambda: chosen)


def settings(
    out: Path, base: str | None = None, *more: str, without: tuple[str, ...] = (), **flags: Any
) -> Settings:
    """Return settings in which only the five sources and ``more`` are on, all at ``base``."""
    on = {*PATHS, *more} - set(without) if base else set()
    sources = {
        source: {"url": f"{base}/{source}"} if source in on else {"enabled": False}
        for source in panel.SOURCES
    }
    given: dict[str, Any] = {"deadline_seconds": 10.0, "allow_demo_live": True, **flags}
    return config.load(out=out, allow_loopback=True, sources=sources, **given)


@dataclass
class World:
    """A server and the installation that reads it."""

    server: lb.Server
    settings: Settings
    told: list[tuple[str, str]] = field(default_factory=list)

    def run(self, at: datetime, **routes: bytes) -> Report:
        """Change some bodies, then collect and publish what is due at a moment (naive UTC)."""
        for source, body in routes.items():
            self.server.routes[f"/{source}"] = lb.reply(body)
        return liverun.run_live(self.settings, at, lambda *words: self.told.append(words))


def records(settings: Settings) -> list[dict[str, Any]]:
    """Return every record of the log, in order."""
    return [json.loads(body) for body in Log.open(settings.ledger, read_only=True).entries()]


def fixing(settings: Settings, index_id: str, day: str, revision: int | None = None) -> Any:
    """Return one fixing of the log, the newest revision unless told; fails if there is none."""
    mine = [
        r
        for r in records(settings)
        if r["type"] == "fixing"
        and (r["index_id"], r["ref_date"]) == (index_id, day)
        and revision in (None, r["revision"])
    ]
    assert mine, f"no fixing of {index_id} on {day}"
    return mine[-1]


def lines(settings: Settings, reference: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a stored body that a record cites."""
    name = f"batches/{reference['kind']}/{reference['sha256'][7:]}.jsonl"
    return [json.loads(line) for line in (settings.ledger / name).read_bytes().splitlines()]


def member(settings: Settings, found: Mapping[str, Any], group: str) -> tuple[str, str | None, int]:
    """Return status, reason and price in nano that stood for one group in a fixing."""
    rows = [
        r
        for r in lines(settings, found["contributions"])
        if r["group"] == group and r["status"] != "REFUSED"
    ]
    return rows[0]["status"], rows[0]["reason"], rows[0]["price_nano"]


def digest_of(body: bytes) -> str:
    """Return a record's digest as other records cite it."""
    return "sha256:" + hashlib.sha256(body).hexdigest()
