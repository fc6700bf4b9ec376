"""Captures to the frames a determination reads: archive first, then parse, then batches.

A *manifest* lists every body by digest and every batch made from them; it is the one thing a
commitment has to name. Reading a manifest back gives the same frames, either from the batches
(the ordinary road) or from the archived bytes, parsed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import polars as pl

from collectors import bundled, panel
from collectors.base import Capture, Parsed
from collectors.tokens import genai_prices
from index import withheld
from index.determine import Inputs
from index.refusals import REFUSALS, applied
from index.stamping import Digests, Parses
from methodology import register, schemas
from methodology.definition import Methodology
from methodology.depth import Ask, depth_quotes
from methodology.eligibility import Registers, normalise
from methodology.errors import ConfigError, ParseError, SourceError
from methodology.representative import Coverage
from methodology.unit_shift import without_shifted

BUNDLED = "bundled:"
"""Scheme of the captures that came from the bundled history, not from a network."""

PACKAGED = "package:genai-prices/"
MANIFEST_URL = BUNDLED + "MANIFEST.json"

PACKAGE_DATES = {"0.2.3": datetime(2026, 11, 19)}
"""Release day of each known version of the packaged price list: its rows hold until then."""

PACKAGE_SINCE = datetime(2025, 6, 22)
"""The price list exists since then; what it says of earlier days is not counted as observed."""

LIVE_SPAN = timedelta(hours=76)
"""A live determination reads captures this far back: two windows and the fetch-age limit."""

Mode = Literal["bundled", "live"]

SPANS = {
    "source": pl.String(),
    "mode": pl.String(),
    "covered_from": pl.Datetime("us"),
    "covered_to": pl.Datetime("us"),
}
CAPTURES = {"source": pl.String(), "captured_at": pl.Datetime("us")}


@dataclass(frozen=True)
class Intake:
    """Frames ready to determine from, with the trail that leads back to bytes.

    ``corrections``: references to the corrections that hold in it; ``corrects``: to the manifest
    of the intake of which this one is the corrected form (rulebook 11.7).
    """

    mode: Mode
    inputs: Inputs
    rejections: pl.DataFrame
    captures: tuple[Capture, ...]
    failures: tuple[dict[str, str], ...] = ()
    quotes_seen: int = 0
    refusals: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUSALS))
    corrections: tuple[dict[str, Any], ...] = ()
    corrects: dict[str, Any] | None = None

    @property
    def sources(self) -> int:
        """How many sources gave a usable body."""
        return len({c.source for c in self.captures if c.source != "bundle"})


def bundled_captures(bundle: Path) -> list[Capture]:
    """Return the bundled history and the packaged price list as captures, in a fixed order.

    Raises:
        ConfigError: no bundle there, or a table whose bytes are not those of its manifest, or a
            version of the packaged price list whose release day is unknown.
    """
    manifest_file = bundle / "MANIFEST.json"
    if not manifest_file.is_file():
        raise ConfigError(
            f"bundle: no {manifest_file}; name the folder of a bundled history with --bundle or "
            "SPOTFIX_BUNDLE, or run in the project's folder"
        )
    body = manifest_file.read_bytes()
    manifest = bundled.read_manifest(body)
    ends = [end for f in manifest.files for _, end in f.coverage]
    stamp = max(ends).replace(tzinfo=UTC)
    captures = [Capture("bundle", MANIFEST_URL, body, stamp)]
    for table in manifest.files:
        content = (bundle / table.file).read_bytes()
        if hashlib.sha256(content).hexdigest() != table.sha256:
            raise ConfigError(
                f"bundle: {table.file} is not the file its manifest describes; restore it, or "
                "rebuild the bundle with `spotfix bundle`"
            )
        last = max((end for _, end in table.coverage), default=stamp.replace(tzinfo=None))
        captures.append(
            Capture(table.source, BUNDLED + table.file, content, last.replace(tzinfo=UTC))
        )
    release = version("genai-prices")
    if release not in PACKAGE_DATES:
        raise ConfigError(
            f"genai-prices {release} is installed; its release day is not known here. Install "
            f"one of {sorted(PACKAGE_DATES)} (see constraints.txt)"
        )
    captures.append(
        Capture(
            "genai_prices",
            PACKAGED + release,
            genai_prices.installed_body(),
            PACKAGE_DATES[release].replace(tzinfo=UTC),
        )
    )
    return captures


def parse_capture(capture: Capture) -> Parsed:
    """Return what one capture yields, by the parser its address calls for."""
    if capture.url == MANIFEST_URL:
        bundled.read_manifest(capture.body)
        return Parsed()
    if capture.url.startswith(BUNDLED):
        return bundled.parse_bundled(capture)
    return panel.load(capture.source).parse(capture)


def read_captures(
    captures: Sequence[Capture],
    mode: Mode,
    rules: Methodology,
    *,
    refusals: pl.DataFrame | None = None,
    progress: Callable[[str], None] | None = None,
) -> Intake:
    """Return the intake of captures: parsed, validated, mapped, exact. Pure but for progress.

    A body that is not what its source promised fails that source alone: it is named in
    ``failures`` and its rows are absent.

    Args:
        captures: bodies in a fixed order.
        mode: how coverage is known: declared by the bundle's manifest, or from the captures.
        rules: the bounds of credible prices.
        refusals: live only: the prices that the guards refused in these captures.
        progress: told each source's id.
    """
    guarded = pl.DataFrame(schema=REFUSALS) if refusals is None else refusals
    parts: list[Parsed] = []
    used: list[Capture] = []
    failures: list[dict[str, str]] = []
    digests = Digests()
    keys = [(c.source, c.url, digests.of(c)) for c in captures]
    parses = Parses(
        zip(keys, (c.observed_at for c in captures), strict=True),
        _admitted if mode == "live" else parsed_of,
    )
    for capture, (_, _, sha256) in zip(captures, keys, strict=True):
        if progress:
            progress(capture.source)
        try:
            parsed = parses.of(capture, sha256)
            if mode == "live":
                parsed = _guarded(parsed, guarded, capture.observed_at, sha256)
            parts.append(parsed)
            used.append(capture)
        except SourceError as error:
            failures.append(
                {"source": capture.source, "reason": error.reason, "detail": error.detail}
            )
    quotes = _stack([p.quotes for p in parts], schemas.Quote)
    volumes = _stack([p.volumes for p in parts], schemas.Volume)
    rates = _stack([p.rates for p in parts], schemas.Rate)
    refused = _stack([p.rejections for p in parts], schemas.Rejection)
    asks = _stack([p.asks for p in parts], Ask)
    seen = quotes.height + refused.height + asks.height
    del parts  # a live window is some dozen rounds: what is stacked is not held twice
    deep, thin = depth_quotes(asks, rules)
    deep, unbelieved = applied(deep, guarded, None)
    coverage, licences = _coverage(used, mode, rules)
    registers = Registers(register.provider_map(), register.listing_map(), licences)
    steady, shifted = without_shifted(quotes, rules)
    del quotes
    observations, more = normalise(pl.concat([steady, deep]), registers, rules.bounds)
    volumes, old_volumes = _newest(
        volumes.sort("as_of", "capture_sha256"),
        ["source", "subject", "meter", "period_start", "period_end"],
        "quantity",
    )
    rates, old_rates = _newest(
        rates.sort("capture_sha256"), ["source", "base", "quote", "ref_date"], "rate_text"
    )
    rejections = pl.concat([refused, thin, unbelieved, shifted, more, old_volumes, old_rates])
    rejections = rejections.sort(list(schemas.schema_of(schemas.Rejection)))
    schemas.validate(schemas.Rejection, rejections, "normalise")
    inputs = Inputs(
        schemas.validate(schemas.Observation, observations, "normalise"),
        volumes,
        rates,
        coverage,
        is_live=mode == "live",
    )
    return Intake(mode, inputs, rejections, tuple(used), tuple(failures), seen, guarded)


def parsed_of(capture: Capture) -> Parsed:
    """Return what one capture yields, every frame of it as its model wants it."""
    return validated(parse_capture(capture), capture)


def _admitted(capture: Capture) -> Parsed:
    return withheld.admitted(capture.source, parsed_of(capture), panel.is_proven)


def _guarded(parsed: Parsed, refusals: pl.DataFrame, at: datetime, sha256: str) -> Parsed:
    """Return what was parsed without the prices that the guards refused in this capture."""
    if refusals.is_empty():
        return parsed
    mine = refusals.filter((pl.col("captured_at") == at) & (pl.col("capture_sha256") == sha256))
    if mine.is_empty():
        return parsed
    quotes, refused = applied(parsed.quotes, mine, at)
    return replace(parsed, quotes=quotes, rejections=pl.concat([parsed.rejections, refused]))


def _newest(rows: pl.DataFrame, keys: list[str], figure: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the last row of each key, and a rejection for each earlier one that said otherwise.

    A row that repeats the figure that stands is the same fact seen twice and is not refused.
    """
    ranked = rows.sort(keys, maintain_order=True).with_columns(
        pl.col(figure).last().over(keys).alias("_stands"),
        pl.struct(keys).is_last_distinct().alias("_last"),
    )
    old = ranked.filter(~pl.col("_last") & (pl.col(figure) != pl.col("_stands")))
    refused = old.select(
        "source",
        pl.lit("").alias("provider"),
        pl.concat_str([pl.col(k).cast(pl.String) for k in keys[1:]], separator=" ").alias(
            "listing_id"
        ),
        pl.lit("normalise").alias("stage"),
        pl.lit("SUPERSEDED").alias("reason"),
        pl.format("{} was restated as {}", figure, "_stands").alias("detail"),
        "capture_sha256",
    )
    return ranked.filter("_last").select(rows.columns), refused


def validated(parsed: Parsed, capture: Capture) -> Parsed:
    """Return what was parsed when every frame of it satisfies its model.

    Raises:
        ParseError: ``SCHEMA``; it names the source, the column and the first offending values.
    """
    pairs = (
        (schemas.Quote, parsed.quotes),
        (schemas.Volume, parsed.volumes),
        (schemas.Rate, parsed.rates),
        (schemas.Rejection, parsed.rejections),
        (Ask, parsed.asks),
    )
    for model, rows in pairs:
        if not rows.is_empty():
            schemas.validate(model, rows, capture.source)
    return parsed


def _stack(frames: Sequence[pl.DataFrame], model: type[Any]) -> pl.DataFrame:
    return pl.concat([schemas.empty(model), *frames])


def _coverage(
    captures: Sequence[Capture], mode: Mode, rules: Methodology
) -> tuple[Coverage, pl.DataFrame]:
    """Return what the captures cover, and the right under which each source is used."""
    spans: list[tuple[str, str, datetime, datetime]] = []
    moments: list[tuple[str, datetime]] = []
    licences: dict[str, str] = {}
    life = timedelta(hours=rules.window.max_fetch_age_hours)
    declared = pl.DataFrame(schema=SPANS)
    taken = pl.DataFrame(schema=CAPTURES)
    for capture in captures:
        if capture.url == MANIFEST_URL:
            manifest = bundled.read_manifest(capture.body)
            declared, taken = manifest.spans(), manifest.captures()
            licences |= dict(manifest.licences().iter_rows())
        elif capture.url.startswith(BUNDLED):
            continue
        elif mode == "bundled":
            end = capture.observed_at + timedelta(days=1)
            spans.append((capture.source, "schedule", PACKAGE_SINCE, end))
            licences[capture.source] = panel.load(capture.source).code_licence
        else:
            source = panel.load(capture.source)
            at = capture.observed_at
            begin = PACKAGE_SINCE if source.mode == "schedule" else at
            spans.append((source.id, source.mode, begin, at + life))
            moments.append((source.id, at))
            licences[source.id] = source.code_licence
    own = pl.DataFrame(_merged(spans), schema=SPANS, orient="row")
    seen = pl.DataFrame(sorted(set(moments)), schema=CAPTURES, orient="row")
    coverage = Coverage(pl.concat([declared, own]), pl.concat([taken, seen]))
    rights = pl.DataFrame(sorted(licences.items()), schema=["source", "licence_id"], orient="row")
    return coverage, rights.cast(pl.String)


def _merged(
    spans: Sequence[tuple[str, str, datetime, datetime]],
) -> list[tuple[str, str, datetime, datetime]]:
    found: list[tuple[str, str, datetime, datetime]] = []
    for source, mode, begin, end in sorted(spans):
        if found and found[-1][:2] == (source, mode) and begin <= found[-1][3]:
            found[-1] = (source, mode, found[-1][2], max(end, found[-1][3]))
        else:
            found.append((source, mode, begin, end))
    return found


__all__ = [
    "Intake",
    "ParseError",
    "bundled_captures",
    "parse_capture",
    "read_captures",
]
