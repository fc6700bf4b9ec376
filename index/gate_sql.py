"""A third engine for rates: DuckDB on 128-bit integers, for tests and whoever prefers SQL.

The query states rulebook 7 once more: order, kept weights, one division, one rounding. It shares
nothing with the other two engines but the rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

QUERY = """
with standing as (
    select panel, estimator, decimals, price::hugeint as price, weight::hugeint as weight,
        row_number() over by_price as place,
        sum(weight::hugeint) over by_price as upto,
        sum(weight::hugeint) over whole as total,
        count(*) over whole as members
    from offers
    where price > 0 and weight > 0
    window whole as (partition by panel),
        by_price as (partition by panel order by price, member rows unbounded preceding)
), halves as (
    select *,
        min(case when abs(2 * upto - total) <= 2 * members then place end)
            over (partition by panel) as tie,
        min(case when 2 * upto > total then place end) over (partition by panel) as above
    from standing
), kept as (
    select *, case estimator
        when 'weighted_median' then case
            when tie is null then case when place = above then 2 else 0 end
            when tie = members then case when place = tie then 2 else 0 end
            else case when place in (tie, tie + 1) then 1 else 0 end
        end
        when 'trimmed_mean_25' then
            greatest(0, least(4 * upto, 3 * total) - greatest(4 * (upto - weight), total))
        when 'trimmed_mean_40' then
            greatest(0, least(5 * upto, 3 * total) - greatest(5 * (upto - weight), 2 * total))
    end::hugeint as k
    from halves
), sums as (
    select panel, any_value(decimals) as decimals,
        sum(price * k)::hugeint as top, sum(k)::hugeint as bottom
    from kept group by panel
)
select panel, ((2 * top + bottom * step) // (2 * bottom * step))::bigint as units
from (select *, (10 ** (9 - decimals))::hugeint as step from sums)
order by panel
"""

Panel = tuple[Sequence[int], Sequence[int], str, int]
"""Prices in nano-units, weights in units of 1e-8, estimator, published decimals; members in order
of group id."""


HIGHEST_PRICE, HIGHEST_WEIGHT, MOST_MEMBERS = 10**15, 10**8, 512
"""Bounds of a panel; no product in the query comes near 2**127 inside them."""


def rates(panels: Sequence[Panel]) -> list[int | None]:
    """Return each panel's published rate in units of its last decimal, ``None`` without one.

    Raises:
        OverflowError: a panel is beyond the bounds in which 128 bits hold every product.
    """
    for number, (prices, weights, _, _) in enumerate(panels):
        if len(prices) > MOST_MEMBERS:
            raise OverflowError(f"panel {number}: {len(prices)} members, at most {MOST_MEMBERS}")
        for price, weight in zip(prices, weights, strict=True):
            if not (0 <= price <= HIGHEST_PRICE and 0 <= weight <= HIGHEST_WEIGHT):
                raise OverflowError(
                    f"panel {number}: price {price}, weight {weight}; prices are 0 to"
                    f" {HIGHEST_PRICE} nano, weights 0 to {HIGHEST_WEIGHT}"
                )
    rows = [
        (number, member, price, weight, estimator, decimals)
        for number, (prices, weights, estimator, decimals) in enumerate(panels)
        for member, (price, weight) in enumerate(zip(prices, weights, strict=True))
    ]
    names = ("panel", "member", "price", "weight", "estimator", "decimals")
    kinds = (pl.Int64, pl.Int32, pl.Int64, pl.Int64, pl.String, pl.Int8)
    offers = pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")
    with duckdb.connect() as connection:
        connection.register("offers", offers.to_arrow())
        found = dict(connection.execute(QUERY).fetchall())
    return [found.get(number) for number in range(len(panels))]


__all__ = ["QUERY", "Panel", "rates"]
