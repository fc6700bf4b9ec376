"""Volumes per legal group, for the weights of a panel (rulebook 5.1)."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from methodology import register

HOSTS_NAMED_BY = "openrouter_endpoints"
"""The register's spellings that a host in a volume subject ``model|host`` is mapped by."""

VOLUME_DAYS = 28
LAG_DAYS = 7
"""A panel is weighted by 28 days of volume that end this many days before it is frozen."""


def host_volumes(volumes: pl.DataFrame, frozen_on: date) -> dict[str, dict[str, int]]:
    """Return router-observed tokens per model and legal group over a panel's volume period.

    Args:
        volumes: ``schemas.Volume`` rows; those whose subject is ``model|host`` and whose meter is
            ``total`` count, mapped by exact spelling. Hosts that no register line names are left
            out: their group's volume is unknown.
        frozen_on: the day the panel is frozen; the period is the 28 days ending 7 days before.

    Returns:
        Instrument id to legal group to tokens; empty when no host volume falls into the period.
    """
    last = frozen_on - timedelta(days=LAG_DAYS)
    first = last - timedelta(days=VOLUME_DAYS - 1)
    inside = pl.col("period_start").is_between(first, last) & (pl.col("meter") == "total")
    rows = volumes.filter(inside & pl.col("subject").str.contains("|", literal=True))
    if rows.is_empty():
        return {}
    parts = pl.col("subject").str.split_exact("|", 1)
    named = rows.with_columns(
        parts.struct.field("field_0").alias("listing_id"),
        parts.struct.field("field_1").alias("spelling"),
    )
    hosts = register.provider_map().filter(pl.col("source") == HOSTS_NAMED_BY)
    summed = (
        named.join(register.token_listing_map(), on=["source", "listing_id"], how="inner")
        .join(hosts.select("spelling", "group"), on="spelling", how="inner")
        .group_by("instrument_id", "group")
        .agg(pl.col("quantity").sum())
        .sort("instrument_id", "group")
    )
    found: dict[str, dict[str, int]] = {}
    for instrument, group, quantity in summed.iter_rows():
        found.setdefault(instrument, {})[group] = quantity
    return found
