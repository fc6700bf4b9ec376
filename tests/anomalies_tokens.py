"""What tests of anomalies in token prices share: one day's real panel, twins on the bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from collectors.base import Capture
from collectors.tokens import models_dev
from methodology import clock
from tests import anomalies as an
from tests import live_world
from tests.anomalies import Told, imputed, twin

# --- the panel of 2026-08-12 --------------------------------------------------------------------
#
# models.dev's body of 2026-08-12 (tokens/models_dev/2026-08-12.api.json.gz), twelve hosts of
# gpt-oss-120b and seven of DeepSeek-V3.2: `live_world.models_dev` has their true figures.
# Input of gpt-oss-120b, in order: .03 .037 .05 .05 .055 .1 .15 .15 .15 .15 .15 .35. The first two
# are less than a quarter of .15 and excluded. Ten equal members count, two and a half cut from
# each end: (.055 / 2 + .1 + .15 + .15 + .15 + .15 / 2) / 5 = .6525 / 5.
IN = "0.130500"
# Output: .17 .17 .25 .385 .45 .5 .55 .6 .6 .6 .6 .75; (.385 + .45 + .5 + .55 + .6 + .6) / 6.
OUT = "0.514167"
# DeepSeek-V3.2, input: .25 .26 .269 .27 .3 .5 .62, the fourth of seven.
DEEP = "0.270000"

BEFORE, DURING, SECOND, AFTER, LAST = (date(2026, 8, n) for n in (11, 12, 13, 14, 15))


def bodies(edits: Mapping[date, Mapping[str, Any]]) -> list[Capture]:
    """Return one body a day, read at 06:00 UTC; by day: host to listing to what is stated."""
    found = []
    for day in clock.days(BEFORE - timedelta(days=1), LAST):
        body = json.loads(live_world.models_dev())
        for host, listings in edits.get(day, {}).items():
            models = body.setdefault(host, {"id": host, "models": {}})["models"]
            for listing, cost in listings.items():
                models.setdefault(listing, {"id": listing}).setdefault("cost", {}).update(cost)
        seen_at = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
        found.append(Capture("models_dev", "x", json.dumps(body).encode(), seen_at))
    return found


def parsed(edits: Mapping[date, Mapping[str, Any]], index_id: str = "TKR-gpt-oss-120b-IN") -> Told:
    """Return an index over bodies as the parser reads them, its panel frozen on the first day."""
    captures = bodies(edits)
    quotes = pl.concat([models_dev.parse(c).quotes for c in captures])
    definition = twin(index_id, BEFORE, sources=("models_dev",))
    coverage = an.bodies("models_dev", [c.observed_at for c in captures])
    return an.told(definition, index_id.rsplit("-", 1)[1], quotes, BEFORE, LAST, coverage)


def one_day(host: str, listing: str, days: int = 1, **cost: Any) -> Mapping[date, Any]:
    """Return edits of one host's listing from the 12th on."""
    return {DURING + timedelta(days=n): {host: {listing: cost}} for n in range(days)}


GPT = "openai/gpt-oss-120b"
# What is left of a day when Baseten (.1) is away: it is moved with the others, who stand still.
AWAY = imputed("0.1")


def of_bundle(index_id: str, source: str, frozen: date, first: date, last: date) -> Told:
    """Return a twin that reads one catalogue of the bundle, its panel frozen on a day."""
    definition = twin(index_id, frozen, sources=(source,))
    quotes = an.quotes_of(source, definition.instrument)
    return an.told(definition, index_id.rsplit("-", 1)[1], quotes, first, last)


def day(text: str) -> date:
    """Return an ISO date."""
    return date.fromisoformat(text)


def tier(bound: float) -> dict[str, Any]:
    """Return a price above a bound, as models.dev writes tiers."""
    return {"input": 4, "output": 6, "tier": {"size": bound}}


def labelled(currency: str) -> Told:
    """Return DeepSeek-V3.2 with one seller's figures of the 12th under another currency."""
    captures = bodies({})
    quotes = pl.concat([models_dev.parse(c).quotes for c in captures])
    hit = (
        (pl.col("provider") == "siliconflow")
        & (pl.col("listing_id") == "deepseek-ai/DeepSeek-V3.2")
        & (pl.col("observed_at").dt.date() == DURING)
    )
    quotes = quotes.with_columns(
        pl.when(hit).then(pl.lit(currency)).otherwise("currency").alias("currency")
    )
    coverage = an.bodies("models_dev", [c.observed_at for c in captures])
    definition = twin("TKR-deepseek-v3.2-IN", BEFORE, sources=("models_dev",))
    return an.told(definition, "IN", quotes, BEFORE, LAST, coverage)


def bid(meter: str) -> Told:
    """Return Kimi K2 of 2025-08 with DeepInfra at another pair of prices on the 3rd and 4th."""
    listing = "moonshotai/Kimi-K2-Instruct"
    rows = [
        an.quote("models_dev", "deepinfra", listing, m, price, f"2025-08-{when}")
        for when, pair in (("03 06:00", ("0.14", "2.49")), ("05 06:00", ("0.5", "2")))
        for m, price in zip(("IN", "OUT"), pair, strict=True)
    ]
    quotes = pl.concat([an.quotes_of("models_dev", "kimi-k2-0711"), an.frame(rows)])
    definition = twin("TKR-kimi-k2-0711-IN", day("2025-08-01"), sources=("models_dev",))
    return an.told(definition, meter, quotes, day("2025-07-31"), day("2025-08-07"))
