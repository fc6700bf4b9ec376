"""The bundled table of disclosed usage, out of the collected list of statements.

Which lines of the list are kept is reviewed in ``collectors.volumes.disclosures``: statements of
authorities and companies of their own, each with the page that reports it (``data/README.md``).
"""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from collectors.volumes.disclosures import ID as SOURCE
from collectors.volumes.disclosures import LINES, tokens_of
from index.bundle_tables import Table, capture_of
from methodology import schemas
from methodology.errors import ParseError

__all__ = ["LINES", "SOURCE", "disclosures", "tokens_of"]


def disclosures(payloads: Path) -> Table:
    """Return the table of disclosed usage.

    Raises:
        UsageError: the list is missing.
        ParseError: a line to keep is not in it, or stands there twice.
    """
    capture = capture_of(
        payloads, "volume/disclosures.csv", SOURCE, datetime(2026, 11, 20), "bundled:disclosures"
    )
    listed = list(csv.DictReader(io.StringIO(capture.body.decode("utf-8"))))
    rows = []
    for line in LINES:
        key = (line.who, line.at, line.metric)
        found = [r for r in listed if (r["who"], r["date"], r["metric"]) == key]
        if len(found) != 1:
            raise ParseError(SOURCE, "ROWS", f"{key} stands {len(found)} times in the list")
        figure, unit = found[0]["value"], found[0]["unit"]
        end = line.last + timedelta(days=1)
        rows.append(
            {
                "source": SOURCE,
                "subject": line.subject,
                "meter": "total",
                "quantity": tokens_of(figure, unit, (end - line.first).days),
                "period_start": line.first,
                "period_end": end,
                "as_of": datetime(line.stated.year, line.stated.month, line.stated.day),
                "capture_sha256": capture.sha256,
                "figure_text": figure,
                "unit": unit,
                "who": line.who,
                "url": line.url,
                "licence_id": "facts",
            }
        )
    text = dict.fromkeys(("figure_text", "unit", "who", "url", "licence_id"), pl.String())
    schema = schemas.schema_of(schemas.Volume) | text
    return Table(
        file="disclosures.csv",
        source=SOURCE,
        kind="volumes",
        mode="history",
        layout="disclosures",
        rows=pl.DataFrame(rows, schema=schema).sort("subject", "period_start"),
        coverage=[(datetime(2024, 1, 1), datetime(2026, 11, 20))],
        captures=[],
        licence="facts",
        attribution="figures as stated by the named authority or company; each row has its page",
        origin="collected list of official and company statements, reviewed 2026-11-20",
        refused=len(listed) - len(rows),
    )
