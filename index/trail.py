"""From an observation back to the source's own words and the archived file that holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import polars as pl

from collectors.archive import Archive
from collectors.base import Capture
from index import intake, manifests
from index.reading import Ledger
from methodology import register
from methodology.definition import Methodology
from methodology.eligibility import Registers, normalise
from methodology.errors import SourceError, VerificationError

Row = dict[str, Any]


class Trail:
    """The way back from the observations of one manifest.

    What the archive no longer holds is said to be missing; nothing is guessed.
    """

    def __init__(self, ledger: Ledger, manifest_sha256: str, rules: Methodology) -> None:
        self._ledger, self._rules = ledger, rules
        self._content = manifests.load_manifest(ledger.batches, manifest_sha256)
        self._archive = Archive(ledger.settings.raw)
        self._quotes: dict[str, pl.DataFrame | None] = {}

    @cached_property
    def _registers(self) -> Registers:
        rights = pl.DataFrame(schema={"source": pl.String, "licence_id": pl.String})
        return Registers(register.provider_map(), register.listing_map(), rights)

    def observations(self, wanted: Iterable[str]) -> dict[str, Row]:
        """Return recorded observations by id."""
        ids = {one.encode(): one for one in wanted if one}
        reference = self._content["batches"]["observations"]
        body = self._ledger.batches.get("observations", reference["sha256"])
        mark = b'"observation_id":"'
        found = {}
        for line in body.splitlines():
            start = line.find(mark) + len(mark)
            name = line[start : start + 64]
            if name in ids:
                found[ids[name]] = json.loads(line)
        return found

    def words_of(self, observation: Mapping[str, Any]) -> Row:
        """Return the source's own text of one observation, and the archived file and line.

        Returns:
            price_text, quoted_unit, currency, provider as the source spells it, file, line (of a
            table, else null), body_sha256 (of the body that first said so) and ``missing``: why
            the words are not at hand, else null.
        """
        told: Row = dict.fromkeys(
            ("price_text", "quoted_unit", "currency", "seller", "file", "line", "missing")
        )
        told["body_sha256"] = observation["capture_sha256"]
        for row in self._content["captures"]:
            is_own = row["body_sha256"] == observation["capture_sha256"]
            if row["source"] != observation["source"] or not (is_own or self._is_table(row)):
                continue
            quotes = self._parsed(row)
            path = self._archive.path(row["body_sha256"])
            told["file"] = str(path)
            if quotes is None:
                told["missing"] = "the archive does not hold the body, or it no longer parses"
                continue
            quote = self._matching(quotes, observation)
            if quote is None:
                told["missing"] = "the body at hand does not hold the row"
                continue
            told |= {
                "price_text": quote["price_text"],
                "quoted_unit": quote["quoted_unit"],
                "currency": quote["currency"],
                "seller": quote["provider"],
                "line": _line(self._archive.get(row["body_sha256"]), quote)
                if self._is_table(row)
                else None,
                "missing": None,
            }
            return told
        if told["file"] is None:
            told["missing"] = "no capture of this intake is its source"
        return told

    def volumes(self, source: str, subject: str | None = None) -> list[Row]:
        """Return recorded volumes of a source with the archived file and line that state them."""
        reference = self._content["batches"]["volumes"]
        body = self._ledger.batches.get("volumes", reference["sha256"])
        rows = [json.loads(line) for line in body.splitlines()]
        mine = [r for r in rows if r["source"] == source and subject in (None, r["subject"])]
        files = {
            c["body_sha256"]: self._archive.path(c["body_sha256"])
            for c in self._content["captures"]
            if c["source"] == source
        }
        lines = {
            str(path): self._archive.get(sha256).decode("utf-8", "replace").splitlines()
            for sha256, path in files.items()
            if path.is_file()
        }
        return [{**row, **_stated(row, lines)} for row in mine]

    def _is_table(self, row: Mapping[str, Any]) -> bool:
        return bool(row["url"].startswith(intake.BUNDLED))

    def _parsed(self, row: Mapping[str, Any]) -> pl.DataFrame | None:
        sha256 = row["body_sha256"]
        if sha256 not in self._quotes:
            try:
                (capture,) = manifests.archived_captures({"captures": [row]}, self._archive)
                self._quotes[sha256] = _parse(capture)
            except (SourceError, VerificationError, OSError):
                self._quotes[sha256] = None
        return self._quotes[sha256]

    def _matching(self, quotes: pl.DataFrame, observation: Mapping[str, Any]) -> Row | None:
        """Return the quote that normalises to exactly this observation."""
        near = quotes.filter(
            pl.col("capture_sha256") == observation["capture_sha256"],
            pl.col("listing_id") == observation["listing_id"],
            pl.col("meter") == observation["meter"],
        )
        rights = pl.DataFrame(
            {"source": [observation["source"]], "licence_id": [observation["licence_id"]]}
        )
        registers = Registers(self._registers.providers, self._registers.listings, rights)
        for place in range(near.height):
            one = near.slice(place, 1)
            made, _ = normalise(one, registers, self._rules.bounds)
            if observation["observation_id"] in made["observation_id"]:
                return one.row(0, named=True)
        return None


def _parse(capture: Capture) -> pl.DataFrame:
    return intake.parse_capture(capture).quotes


def _line(body: bytes, quote: Mapping[str, Any]) -> int | None:
    """Return the line of a bundled table, counted from 1, that holds a quote."""
    begin = ",".join([quote["source"], quote["provider"], quote["listing_id"], quote["meter"], ""])
    stamp = quote["observed_at"].strftime("%Y-%m-%dT%H:%M:%S")
    parts = [quote["price_text"] or "", quote["capture_sha256"], stamp]
    for number, line in enumerate(body.decode("utf-8").splitlines(), 1):
        if line.startswith(begin) and all(part in line for part in parts):
            return number
    return None


def _stated(row: Mapping[str, Any], lines: Mapping[str, list[str]]) -> Row:
    """Return the file, line and words that state a volume; null where none at hand does."""
    parts = [row["source"], row["subject"], row["meter"], str(row["quantity"]), row["period_start"]]
    for file, body in lines.items():
        for number, line in enumerate(body, 1):
            if line.startswith(",".join(parts)):
                return {"file": file, "line": number, "text": line}
    return {"file": next(iter(lines), None), "line": None, "text": None}
