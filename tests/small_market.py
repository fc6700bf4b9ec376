"""A market of a few invented sellers, from observations to fixings, for the tests of rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from methodology import representative, rights, series
from methodology.definition import Methodology, RateDefinition, load_methodology
from methodology.plans import PanelState, Plan, Series
from methodology.segments import Coverage, segments
from tests import offers

START = date(2026, 1, 10)
RULES = load_methodology()


def day(n: int) -> date:
    """Return the n-th index day; its NYC window closes at 21:00 UTC."""
    return START + timedelta(days=n)


def right(source: str, tier: str = "E4", **more: Any) -> rights.Right:
    """Return a line of the register of sources: every right, unless told otherwise."""
    known: dict[str, Any] = {"use": True, "redistribute": True, "right": "planted"}
    return rights.Right(id=source, tier=tier, reviewed=START, why="a test", **known | more)


def shown(n: int, seller: str, price: str | None, **more: Any) -> dict[str, Any]:
    """Return what a seller posts from the opening of index day n on, in money; ``None``: ends."""
    opened = datetime.combine(day(n - 1), datetime.min.time()) + timedelta(hours=21)
    whole, _, part = (price or "0").partition(".")
    nano = int(whole) * 10**9 + int(part.ljust(9, "0")) if price else None
    row = {
        "source": "list",
        "provider": seller,
        "group": seller,
        "provider_class": "NEO",
        "instrument_id": "H100-SXM-80",
        "listing_id": f"{seller}/h100",
        "meter": "GPU_H",
        "unit": "usd_per_gpu_hour",
        "gpu_count": 8,
        "tier": "E4",
    } | more
    return offers.seen(opened.strftime("%Y-%m-%d %H:%M"), nano, **row)


def gpu_rate(**changed: Any) -> RateDefinition:
    """Return a definition of a GPU rate of the source ``list``."""
    content = {
        "schema": "definition/1.0",
        "family": "GPR",
        "version": "1.0.0",
        "methodology": "1.1.0",
        "effective_from": START,
        "title": "planted",
        "session": "NYC",
        "admission": "reference",
        "instrument": "H100-SXM-80",
        "meters": ("GPU_H",),
        "classes": ("NEO",),
        "sources": ("list",),
        "small_panel": changed.get("admission") != "settlement",
        "digest": "0" * 64,
    }
    return RateDefinition.model_validate(content | changed)


def plan_of(
    rows: Sequence[Mapping[str, Any]],
    definition: RateDefinition,
    days: int,
    register: rights.Rights | None = None,
    rules: Methodology = RULES,
    covered: Sequence[bool] | None = None,
) -> Plan:
    """Return the plan of one index over the first days of the market."""
    known = {s: right(s) for s in definition.sources} if register is None else register
    return series.plan(
        price_table(rows, days, rules),
        definition,
        definition.meters[0],
        [day(n) for n in range(days)],
        np.array(covered or [True] * days),
        rules,
        rights=known,
    )


def price_table(
    rows: Sequence[Mapping[str, Any]], days: int, rules: Methodology = RULES
) -> representative.PriceTable:
    """Return representative prices of observations that each source speaks about always."""
    frame = offers.observations([dict(row) for row in rows])
    moment = pl.Datetime("us")
    spans = pl.DataFrame(
        [
            (source, "history", datetime(2025, 1, 1), datetime(2027, 1, 1))
            for source in frame["source"].unique().sort()
        ],
        schema={
            "source": pl.String,
            "mode": pl.String,
            "covered_from": moment,
            "covered_to": moment,
        },
        orient="row",
    )
    none = pl.DataFrame(schema={"source": pl.String, "captured_at": moment})
    windows = representative.window_table("NYC", [day(n) for n in range(days)])
    pieces = segments(frame, Coverage(spans, none), rules)
    return representative.price_table(pieces, windows, rules)


def determined(
    plans: Sequence[Plan],
    rules: Methodology = RULES,
    before: Mapping[str, PanelState] | None = None,
    first: int = 0,
) -> Series:
    """Return the determinations of plans over all their days, every state kept."""
    count = len(plans[0].vintages)
    days = [day(n) for n in range(count)]
    cuts = representative.window_table("NYC", days)["cut_us"].to_list()
    keep = [(p.index_id, one) for p in plans for one in days]
    return series.determine_series(plans, days, cuts, rules, before, keep, first)


def value(found: Series, n: int, index_id: str | None = None) -> tuple[str, str | None]:
    """Return level and value, as text with its decimals, of an index on the n-th day."""
    name = index_id or found.plans[0].index_id
    mine = (pl.col("index_id") == name) & (pl.col("ref_date") == day(n))
    row = found.fixings.filter(mine).row(0, named=True)
    units, decimals = row["value_units"], row["decimals"]
    if units is None:
        return row["waterfall"], None
    return row["waterfall"], f"{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"


def reasons(plan: Plan, n: int) -> dict[tuple[str, str], str | None]:
    """Return by source and seller why an offer cannot count on the n-th day."""
    rows = plan.rows.filter(pl.col("day") == n)
    return {(r["source"], r["provider"]): r["reason"] for r in rows.iter_rows(named=True)}


def offers_on(plan: Plan, n: int) -> pl.DataFrame:
    """Return the candidates of one day as a fixing lists them."""
    return plan.rows.filter(pl.col("day") == n).drop("day")
