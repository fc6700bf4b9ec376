"""The manifest of an intake: written to the ledger, read back, or made anew from archived bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from collectors.archive import Archive
from collectors.base import Capture
from index.determine import Inputs
from index.frames import from_lines, read_model, to_lines
from index.intake import CAPTURES, SPANS, Intake, read_captures
from index.ledger.batches import Batches, Stored
from index.ledger.canonical import canonical, digest
from index.refusals import REFUSALS
from methodology import schemas
from methodology.definition import Methodology
from methodology.errors import VerificationError
from methodology.representative import Coverage

_FRAMES: dict[str, type[Any]] = {
    "observations": schemas.Observation,
    "volumes": schemas.Volume,
    "rates": schemas.Rate,
    "rejections": schemas.Rejection,
}


def store(intake: Intake, batches: Batches) -> Stored:
    """Put the intake's batches and its manifest into the ledger; return the manifest.

    Deterministic: the same captures give the same names. Bodies already there cost nothing.
    """
    frames = {
        "observations": intake.inputs.observations,
        "volumes": intake.inputs.volumes,
        "rates": intake.inputs.rates,
        "rejections": intake.rejections,
    }
    if intake.mode == "live":
        frames["refusals"] = intake.refusals
    stored = {name: batches.put(name, to_lines(rows)) for name, rows in frames.items()}
    coverage = intake.inputs.coverage
    content: dict[str, Any] = {
        "schema": "manifest/1.0",
        "mode": intake.mode,
        "captures": [
            {
                "source": c.source,
                "url": c.url,
                "fetched_at": c.observed_at.isoformat(timespec="microseconds") + "Z",
                "body_sha256": c.sha256,
                "bytes": len(c.body),
            }
            for c in intake.captures
        ],
        "failures": list(intake.failures),
        "batches": {name: one.reference() for name, one in stored.items()},
        "spans": [json.loads(line) for line in to_lines(coverage.spans).splitlines()],
        "capture_times": [json.loads(line) for line in to_lines(coverage.captures).splitlines()],
    }
    if intake.corrections:
        content["corrections"] = list(intake.corrections)
    if intake.corrects is not None:
        content["corrects"] = intake.corrects
    return batches.put("manifest", canonical(content) + b"\n")


def load_manifest(batches: Batches, sha256: str) -> dict[str, Any]:
    """Return a stored manifest as its content."""
    content: dict[str, Any] = json.loads(batches.get("manifest", sha256))
    return content


def read_manifest(batches: Batches, sha256: str) -> Intake:
    """Return the intake that a stored manifest describes, from its batches, validated again."""
    content = load_manifest(batches, sha256)
    frames = {}
    for name, model in _FRAMES.items():
        body = batches.get(name, content["batches"][name]["sha256"])
        frames[name] = read_model(model, body, f"batch {name}")
    spans, times = content["spans"], content["capture_times"]
    coverage = Coverage(_times(spans, SPANS), _times(times, CAPTURES))
    inputs = Inputs(
        frames["observations"],
        frames["volumes"],
        frames["rates"],
        coverage,
        is_live=content["mode"] == "live",
    )
    return Intake(
        content["mode"],
        inputs,
        frames["rejections"],
        (),
        tuple(content["failures"]),
        refusals=_refusals(content, batches),
    )


def _refusals(content: Mapping[str, Any], batches: Batches) -> pl.DataFrame:
    """Return the prices the guards refused in the captures of a manifest; none, if it is silent."""
    if "refusals" not in content["batches"]:
        return pl.DataFrame(schema=REFUSALS)
    return from_lines(batches.get("refusals", content["batches"]["refusals"]["sha256"]), REFUSALS)


def _times(rows: list[dict[str, Any]], schema: dict[str, Any]) -> pl.DataFrame:
    text = pl.DataFrame(rows, schema=dict.fromkeys(schema, pl.String))
    return text.select(
        pl.col(n).str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_unit="us", time_zone=None)
        if isinstance(t, pl.Datetime)
        else pl.col(n)
        for n, t in schema.items()
    )


def archived_captures(content: Mapping[str, Any], archive: Archive) -> list[Capture]:
    """Return the captures a manifest lists, their bodies read from the archive and checked.

    Raises:
        VerificationError: a body is missing or its bytes are not those of its digest.
    """
    bodies = {
        name: archive.get(name)
        for name in dict.fromkeys(row["body_sha256"] for row in content["captures"])
    }
    return [
        Capture(
            row["source"],
            row["url"],
            bodies[row["body_sha256"]],
            datetime.fromisoformat(row["fetched_at"]),
        )
        for row in content["captures"]
    ]


def reparse(
    content: Mapping[str, Any], archive: Archive, batches: Batches, rules: Methodology
) -> Intake:
    """Return the intake made anew from archived bytes and the refusals that the manifest cites.

    Raises:
        VerificationError: a parser no longer accepts a body it accepted then.
    """
    captures = archived_captures(content, archive)
    refusals = _refusals(content, batches)
    intake = read_captures(captures, content["mode"], rules, refusals=refusals)
    if intake.failures:
        first = intake.failures[0]
        raise VerificationError(
            f"{first['source']}: its archived body no longer parses ({first['reason']}: "
            f"{first['detail']}); a parser changed: decide whether this calls for a restatement"
        )
    return intake


def differences(taken: Intake, content: Mapping[str, Any]) -> list[str]:
    """Return what of a manifest's batches its bodies no longer parse to; nothing is as it was."""
    frames = {
        "observations": taken.inputs.observations,
        "volumes": taken.inputs.volumes,
        "rates": taken.inputs.rates,
        "rejections": taken.rejections,
    }
    return [
        f"batch {name}: the archived bodies now parse to {digest(to_lines(rows))}, recorded was "
        f"{content['batches'][name]['sha256']}; a parser or register changed: decide whether "
        "this calls for a restatement"
        for name, rows in frames.items()
        if digest(to_lines(rows)) != content["batches"][name]["sha256"]
    ]
