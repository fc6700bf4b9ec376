"""Bodies of a source by hand, and rounds of them through the guards (rulebook 2.11)."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import polars as pl

from methodology import schemas
from methodology.eligibility import Registers
from methodology.guards.crowd import PEERS
from methodology.guards.inspection import Inspection, inspect
from methodology.guards.releases import Release
from methodology.guards.state import GuardState, Round
from methodology.guards.thresholds import Thresholds
from tests import anomalies as an

DAY = datetime(2026, 8, 1, 12)
NOBODY = pl.DataFrame(schema=PEERS)
LIMITS = Thresholds(rates={"EUR": Fraction("0.8650"), "CNY": Fraction("7.08")})

# Goods by listing id; a seller is his own legal group where no line says otherwise.
GOODS = {"ds": "deepseek-v4-flash", "glm": "glm-5.2", "o3": "o3", "grok": "grok-4"}


def registers(*sources: str) -> Registers:
    """Lines that map the listing ids of GOODS, of any seller of some sources."""
    lines = [(s, "*", listing, good, None) for s in sources for listing, good in GOODS.items()]
    schema = dict.fromkeys(["source", "spelling", "listing_id", "instrument_id"], pl.String)
    listings = pl.DataFrame(lines, schema=schema | {"gpu_count": pl.Int32}, orient="row")
    sellers = dict.fromkeys(
        ["source", "spelling", "provider", "group", "provider_class", "domicile"], pl.String
    )
    none = pl.DataFrame(schema={"source": pl.String, "licence_id": pl.String})
    return Registers(pl.DataFrame(schema=sellers), listings, none)


Prices = dict[tuple[str, str], dict[str, str]]
"""Seller and listing to meter and price."""


def body(prices: Prices, day: int = 0, source: str = "mirror", **more: Any) -> pl.DataFrame:
    seen = f"{DAY + timedelta(days=day):%Y-%m-%d %H:%M}"
    return an.frame(
        an.quote(source, seller, listing, meter, text, seen, **more)
        for (seller, listing), meters in prices.items()
        for meter, text in meters.items()
    )


def look(
    state: GuardState | None,
    quotes: pl.DataFrame,
    day: int = 0,
    *,
    source: str = "mirror",
    others: pl.DataFrame = NOBODY,
    releases: tuple[Release, ...] = (),
    hours: int = 0,
    **facts: Any,
) -> Inspection:
    """One round of a source, and the quotes and rejections it leads to, checked for form."""
    at = DAY + timedelta(days=day, hours=hours)
    told = {"pages": (quotes.height,), "is_proven": True} | facts
    made = inspect(
        state or GuardState.new(source),
        quotes,
        Round(source, at, "0" * 64, **told),
        registers("mirror", "router", "list"),
        others,
        releases,
        LIMITS,
    )
    schemas.validate(schemas.Quote, made.quotes, "guards")
    schemas.validate(schemas.Rejection, made.rejections, "guards")
    assert made.quotes.drop("price_text", "status").equals(quotes.drop("price_text", "status"))
    gone = quotes["price_text"].is_not_null() & made.quotes["price_text"].is_null()
    assert gone.sum() == made.rejections.height
    assert (made.quotes.filter(gone)["status"] == "unknown").all()
    return made


def after(first: Prices, then: Prices, **more: Any) -> Inspection:
    """The second of two bodies of one source."""
    return look(look(None, body(first)).state, body(then, 1), 1, **more)


def codes(made: Inspection) -> dict[str, str]:
    """Listing to the reason under which it was refused."""
    return dict(made.rejections.select("listing_id", "reason").unique().iter_rows())


def crowd(good: str, meters: dict[str, tuple[str, ...]], path: str = "list") -> pl.DataFrame:
    """Prices of other legal groups for one good, as other sources' states give them."""
    rows = [
        {
            "path": path,
            "owner": f"group{n}",
            "instrument_id": good,
            "meter": meter,
            "tenor": "on_demand",
            "currency": "USD",
            "nano": int(Fraction(text) * 10**9),
            "shown": int(Fraction(text) * 10**9),
        }
        for meter, texts in meters.items()
        for n, text in enumerate(texts)
    ]
    return pl.DataFrame(rows, schema=PEERS)


def token(inp: str, out: str, cached: str | None = None) -> dict[str, str]:
    return {"IN": inp, "OUT": out} | ({"CIN": cached} if cached else {})


# Five sellers of an H100 on demand, USD per GPU-hour: invented, of the size posted in August 2026
H100 = {
    "lambda": "4.29", "nebius": "2.95", "runpod": "2.69", "hyperstack": "2.4", "coreweave": "6.16",
}  # fmt: skip


def gpus(factor: str = "1", **changed: str) -> Prices:
    each = {s: str(Fraction(p) * Fraction(factor)) for s, p in H100.items()}
    told = {s: f"{float(Fraction(p)):.6f}" for s, p in each.items()} | changed
    return {(seller, "h100|80|on-demand"): {"GPU_H": text} for seller, text in told.items()}


LIST = {
    ("novita", "a"): token("0.27", "0.4", "0.135"),
    ("novita", "b"): token("0.3", "1.2", "0.03"),
    ("novita", "c"): token("0.6", "2.2", "0.11"),
    ("novita", "d"): token("0.1", "0.3"),
    ("novita", "e"): token("0.55", "2.5"),
    ("novita", "f"): token("0.15", "1.5"),
}


def times(prices: Prices, factor: str, *meters: str) -> Prices:
    wanted = meters or ("IN", "OUT", "CIN")
    return {
        key: {
            m: f"{float(Fraction(t) * Fraction(factor)):.12f}" if m in wanted else t
            for m, t in each.items()
        }
        for key, each in prices.items()
    }
