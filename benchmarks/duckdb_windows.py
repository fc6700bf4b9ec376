"""DuckDB, one SQL statement with window functions; its own threads and memory management."""

from __future__ import annotations

from pathlib import Path

import duckdb

from benchmarks import task

PERCENTILE = """
  arg_min(CASE WHEN upper <= {q} + slack THEN (price + following) / 2 ELSE price END, upper)
    FILTER (WHERE upper >= {q} - slack) AS p{percent}"""

QUERY = """
WITH quote AS (
  SELECT index_id, day, provider, price, volume
  FROM read_parquet({files}) JOIN read_parquet('{instruments}') USING (instrument)
),
middle AS (SELECT index_id, day, median(price) AS m FROM quote GROUP BY index_id, day),
member AS (
  SELECT index_id, day, provider, median(price) AS price, sum(volume)::DOUBLE AS volume
  FROM quote JOIN middle USING (index_id, day)
  WHERE price BETWEEN m / {filter} AND m * {filter}
  GROUP BY index_id, day, provider
),
rooted AS (
  SELECT *, count(*) OVER g AS n,
    CASE WHEN max(volume) OVER g > 0 THEN sqrt(volume) ELSE 1 END AS root
  FROM member WINDOW g AS (PARTITION BY index_id, day)
),
ranked AS (
  SELECT *, count(*) OVER g AS big_n, sum(root) OVER r AS with_smaller, row_number() OVER r AS place
  FROM rooted WHERE root > 0
  WINDOW g AS (PARTITION BY index_id, day),
    r AS (PARTITION BY index_id, day ORDER BY root, provider
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
limited AS (
  SELECT *, CASE WHEN n >= {large} THEN {cap_large}
                 ELSE greatest({cap_floor}, {cap_numerator} / big_n) END AS cap,
    root * (1 - cap * (big_n - place)) > cap * with_smaller AS is_capped
  FROM ranked
),
weighed AS (
  SELECT *, CASE WHEN is_capped THEN cap ELSE
      root * (1 - cap * count(*) FILTER (WHERE is_capped) OVER g)
        / sum(root) FILTER (WHERE NOT is_capped) OVER g END AS weight
  FROM limited WINDOW g AS (PARTITION BY index_id, day)
),
stacked AS (
  SELECT index_id, day, n, price, weight, big_n * {slack} AS slack,
    sum(weight) OVER p AS upper, coalesce(lead(price) OVER p, price) AS following,
    CASE WHEN n >= {large} THEN {trim_large} ELSE {trim} END AS cut,
    greatest(0, least(upper, 1 - cut) - greatest(upper - weight, cut)) AS kept
  FROM weighed
  WINDOW p AS (PARTITION BY index_id, day ORDER BY price, provider
               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
SELECT index_id, day, first(n) AS n,{percentiles},
  sum(price * kept) / sum(kept) AS trimmed
FROM stacked GROUP BY index_id, day
"""


def answer(folder: Path, target: Path) -> None:
    connection = duckdb.connect()
    percentiles = ",".join(
        PERCENTILE.format(q=percent / 100, percent=percent) for percent in task.PERCENTILES
    )
    for number, files in enumerate(task.batches(folder)):
        query = QUERY.format(
            files=[str(file) for file in files],
            instruments=folder / "instruments.parquet",
            percentiles=percentiles,
            filter=task.FILTER,
            large=task.LARGE,
            cap_large=task.CAP_LARGE,
            cap_floor=task.CAP_FLOOR,
            cap_numerator=task.CAP_NUMERATOR,
            slack=task.SLACK,
            trim_large=task.TRIM_LARGE,
            trim=task.TRIM,
        )
        into = "CREATE TABLE answer AS" if number == 0 else "INSERT INTO answer"
        connection.execute(f"{into} {query}")
    connection.execute(f"COPY answer TO '{target}' (FORMAT parquet)")


if __name__ == "__main__":
    task.start(answer)
