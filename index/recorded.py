"""Bodies kept for a person to compare with the seller's page, and the rows drafted from them.

::

    out/recorded/<source>/2026-11-21.json               the body, exactly the bytes that were parsed
    out/recorded/<source>/2026-11-21.meta.json          where from, when, status, headers, digest
    out/recorded/<source>/2026-11-21.quotes.csv         drafts: what the parser makes of it
    out/recorded/<source>/2026-11-21.rejections.csv
    out/recorded/<source>/2026-11-21.2.json             the next body of that day

Nothing is ever overwritten: a file gets its name by a hard link, which fails where one stands.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import polars as pl

from collectors import panel
from collectors.base import Capture, Parsed, Source
from collectors.secret import Secret
from index import intake
from index.unmapped import suggestion_for
from methodology import register, schemas
from methodology.definition import load_methodology
from methodology.depth import depth_quotes
from methodology.eligibility import Registers, normalise
from methodology.errors import ParseError

FRAMES = ("quotes", "volumes", "rates", "asks", "rejections")
"""Frames of which a draft is written, where they have rows."""

_STEM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\.([0-9]+))?\.[a-zA-Z].*")
_SECRETIVE = re.compile(
    r"(?:api[-_]?)?key|(?:access[-_]?|auth[-_]?)?token|secret|sig(?:nature)?|password|auth",
    re.IGNORECASE,
)
_TYPES = {
    "json": "json",
    "csv": "csv",
    "html": "html",
    "xml": "xml",
    "markdown": "md",
    "parquet": "parquet",
    "zip": "zip",
}
_SUFFIX = re.compile(r"\.([a-z0-9]{1,8})", re.IGNORECASE)


@dataclass
class Kept:
    """One body that was kept, and what its source's parser made of it.

    ``parsed`` and ``error`` are both None for a page that is only read joined with its others.
    """

    capture: Capture
    file: Path
    meta: Path
    parsed: Parsed | None = None
    error: ParseError | None = None
    drafts: tuple[Path, ...] = ()

    @property
    def stem(self) -> str:
        """The name its files share: the day, and a number from the second body on."""
        return self.meta.name.removesuffix(".meta.json")


def keep(folder: Path, capture: Capture, secret: Secret | None = None) -> Kept:
    """Write a body and its facts into ``folder`` under the next free name of its day.

    The body is on the disk before its name is. ``secret`` is blotted out of the URL, and so is
    every value of its query whose name is one of a key.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        stem = _free(folder, f"{capture.observed_at:%Y-%m-%d}")
        file = folder / f"{stem}.{extension(capture)}"
        place(file, capture.body)
        is_asked = bool(urlsplit(capture.url).scheme)
        facts = {
            "source": capture.source,
            "url": public_url(capture.url, secret) if is_asked else None,
            "saved_by_hand": None if is_asked else capture.url,
            "fetched_at": capture.observed_at.isoformat() + "Z",
            "status": capture.status if is_asked else None,
            "headers": dict(capture.headers),
            "sha256": capture.sha256,
            "bytes": len(capture.body),
        }
        meta = folder / f"{stem}.meta.json"
        place(meta, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
    return Kept(capture, file, meta)


def draft(kept: Kept, source: Source) -> None:
    """Parse a kept body and write its rows beside it as CSV, one file per kind of row.

    Columns that are empty in every row are left out, and so are ``source`` and
    ``capture_sha256``, which the meta file has. A body that does not parse keeps its error.
    """
    try:
        parsed = intake.validated(source.parse(kept.capture), kept.capture)
    except ParseError as error:
        kept.error = error
        return
    kept.parsed = parsed
    made = []
    for name in FRAMES:
        rows: pl.DataFrame = getattr(parsed, name)
        if rows.height:
            path = kept.meta.with_name(f"{kept.stem}.{name}.csv")
            place(path, _told(rows).write_csv().encode())
            made.append(path)
    kept.drafts = tuple(made)


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    empty = {c for c in rows.columns if rows[c].null_count() == rows.height}
    return rows.drop(*({"source", "capture_sha256"} | empty), strict=False)


def extension(capture: Capture) -> str:
    """Return the ending of a body's file: by its bytes, its content type, else its address."""
    start = capture.body[:64].lstrip()
    if start[:4] == b"PAR1":
        return "parquet"
    if start[:2] == b"PK":
        return "zip"
    kind = capture.headers.get("content-type", "").partition(";")[0].lower()
    known = next((end for word, end in _TYPES.items() if word in kind), None)
    suffix = _SUFFIX.fullmatch(Path(urlsplit(capture.url).path).suffix)
    named = suffix[1].lower() if suffix else None
    if known is None and named not in (None, "meta", "gz"):
        known = named
    if known is None and start[:1] in (b"{", b"["):
        known = "json"
    if known is None and start[:1] == b"<":
        known = "html" if b"html" in capture.body[:256].lower() else "xml"
    return known or "txt"


def public_url(url: str, secret: Secret | None = None) -> str:
    """Return a URL without a key: that of the source, and whatever a query calls a key."""
    parts = urlsplit(secret.scrub(url) if secret else url)
    if parts.query:
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        if any(_SECRETIVE.fullmatch(name) for name, _ in pairs):
            blotted = [(n, "***" if _SECRETIVE.fullmatch(n) else v) for n, v in pairs]
            parts = parts._replace(query=urlencode(blotted, safe="*"))
    return urlunsplit(parts)


def unmapped(source: Source, parts: list[Parsed]) -> list[dict[str, Any]]:
    """Return the sellers and listings that no reviewed line maps, with what each could be.

    Rows: ``reason``, ``provider``, ``listing_id``, ``rows`` and ``suggestion`` (a line to check,
    or null), sorted. Nothing for sources that have no quotes.
    """
    rules = load_methodology()
    asks = [p.asks for p in parts if p.asks.height]
    deep = [depth_quotes(pl.concat(asks), rules)[0]] if asks else []
    quotes = pl.concat([schemas.empty(schemas.Quote), *(p.quotes for p in parts), *deep])
    if quotes.is_empty():
        return []
    rights = pl.DataFrame({"source": [source.id], "licence_id": [source.code_licence]})
    registers = Registers(register.provider_map(), register.listing_map(), rights)
    _, refused = normalise(quotes, registers, rules.bounds)
    counts = Counter(
        (r["reason"], r["provider"], r["listing_id"])
        for r in refused.filter(pl.col("reason").str.starts_with("UNMAPPED_")).to_dicts()
    )
    return [
        {
            "reason": reason,
            "provider": provider,
            "listing_id": listing,
            "rows": rows,
            "suggestion": suggestion_for(reason, source.id, provider, listing),
        }
        for (reason, provider, listing), rows in sorted(counts.items())
    ]


def next_steps(source: Source, kept: list[Kept]) -> list[str]:
    """Return what a person does now, in order; nothing where no body parsed."""
    good = [one for one in kept if one.parsed is not None]
    if not good:
        return []
    line = panel.SOURCES[source.id]
    folder = f"tests/payloads/{line.module.rpartition('.')[2]}"
    day = f"{good[-1].capture.observed_at:%Y-%m-%d}"
    test = f"tests/test_source_{line.module.rpartition('.')[2]}.py"
    proven = f'proven_on="{day}" on its line in collectors/panel.py'
    if line.proven_on is None:
        done = f"if every row agrees, set {proven}: until then no row of it enters a print"
    else:
        done = f"if every row agrees, set {proven} (it says {line.proven_on})"
    return [
        "compare each row of the drafts with the seller's own page of the same moment; where they "
        f"differ, mend {line.module.replace('.', '/')}.py, not the draft",
        f"trim the body to the rows that show its traps, put it into {folder}/ under its day, and "
        f"write the rows you have checked into {test}",
        done,
    ]


def as_value(kept: Kept) -> dict[str, Any]:
    """Return what became of one body as plain values for JSON."""
    counts: Mapping[str, int] | None = None
    if kept.parsed is not None:
        counts = {name: getattr(kept.parsed, name).height for name in FRAMES}
    return {
        "file": str(kept.file),
        "meta": str(kept.meta),
        "fetched_at": kept.capture.observed_at.isoformat() + "Z",
        "status": kept.capture.status,
        "sha256": kept.capture.sha256,
        "bytes": len(kept.capture.body),
        "rows": counts,
        "drafts": [str(path) for path in kept.drafts],
        "error": str(kept.error) if kept.error else None,
    }


def _free(folder: Path, day: str) -> str:
    """Return ``day``, or ``day.2`` and so on: the first number after the last that was used."""
    taken = [
        int(found[2] or 1)
        for path in folder.iterdir()
        if (found := _STEM.fullmatch(path.name)) and found[1] == day
    ]
    return f"{day}.{max(taken) + 1}" if taken else day


def place(path: Path, content: bytes) -> None:
    """Write a file whole under a name nobody has, or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
