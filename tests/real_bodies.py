"""The captured bodies: which source each one belongs to, and in which envelope it came.

The folder is no part of the project; ``SPOTFIX_PAYLOADS`` names it, or it lies beside the project.
Each of its files is a body of a source of the panel or stands in :data:`NO_BODY` with a reason;
:func:`unaccounted` names every other.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from collectors.base import Capture

FOLDER = Path(
    os.environ.get("SPOTFIX_PAYLOADS") or Path(__file__).parents[2] / "shared" / "payloads"
)

NO_BODIES = f"the captured bodies are not at {FOLDER}"
"""Why a test that needs them was skipped."""

BY_FOLDER = {
    "aws_karpenter": "aws_history",
    "azure_karpenter": "azure_history",
    "gcp_cyclenerd_gpu": "gcp_history",
    "akash_console": "akash",
    "catwalk": "catwalk",
    "ecb_fx": "ecb",
    "genai_prices": "genai_prices",
    "gpurentalprices": "gpurentalprices",
    "litellm": "litellm",
    "llmabacus_cn": "llmabacus",
    "lobehub_cny": "lobehub_cny",
    "modelpricewatch": "modelpricewatch",
    "models_dev": "models_dev",
    "oneapi_cny": "oneapi_cny",
    "openrouter_effective_pricing": "openrouter_effective_pricing",
    "openrouter_endpoints_csv": "openrouter_endpoints",
    "openrouter_endpoints_raw": "openrouter_endpoints",
    "openrouter_models": "openrouter_models",
    "openrouter_models_full": "openrouter_models",
    "openrouter_panels": "openrouter_activity",
    "openrouter_volumes": "openrouter_activity",
    "openrouter_providers_raw": "openrouter_providers",
    "openrouter_rankings_models_month": "openrouter_rankings_month",
    "openrouter_rankings_page_scrape": "openrouter_rankings_scrape",
    "openrouter_weekly_token_mix": "openrouter_token_mix",
    "primeintellect_tugot17": "primeintellect",
    "ratecards_ccir": "ratecards_ccir",
    "simonw_llm_prices": "simonw_llm_prices",
    "vast_ccir": "vast",
}
"""Source of the manifest to source of the panel, where all files of it belong to one."""

BY_FILE = {
    "deepseek_en": "deepseek_page",
    "deepseek_zh": "deepseek_page_zh",
    "anthropic": "anthropic_page",
    "hf_router": "huggingface_router",
    "novita": "novita",
    "vultr": "vultr",
    "digitalocean": "digitalocean",
    "datacrunch": "verda",
    "verda": "verda",
    "oci": "oci",
    "jarvislabs": "jarvislabs",
    "runpod": "runpod",
    "vast": "vast",
    "azure": "azure_retail",
    "scaleway": "scaleway",
}
"""Word of a file's name to source of the panel, in the folders that mix sources."""

BESIDE = {"volume/disclosures.csv": "disclosures"}
"""Bodies that the manifest does not name."""

NO_BODY = {
    "MANIFEST.csv": "the list of the files",
    "volume/SHAPES.md": "notes on addresses and shapes",
    "volume/openrouter_rankings_page_scrape/_quality.csv": (
        "the scraper's own judgement of each of its days; compared with ours, never read as data"
    ),
    "gpu/*/*.meta.json": "what the person who captured the body of that day wrote about it",
}
"""Name of a file, or pattern of names, to why it is no body of a source."""


class Part(NamedTuple):
    """Where one source's body is inside a file of a test that joined several or cut them out."""

    source: str
    whole: Callable[[Any], Any]


def _entry(tree: Any, word: str) -> Any:
    (found,) = [value for key, value in tree.items() if word in key]
    return found


JOINED: dict[str, dict[str, Part]] = {
    "vercel_poe_kilo_requesty_2026-05.fragments.json": {
        "vercel": Part("vercel_gateway", lambda tree: {"data": [_entry(tree, "vercel")]}),
        "poe": Part("poe", lambda tree: {"data": [_entry(tree, "poe")]}),
        "kilo": Part("kilo", lambda tree: {"data": [_entry(tree, "kilo")]}),
        "requesty": Part("requesty", lambda tree: {"data": [_entry(tree, "requesty")]}),
    },
    "2024-10-28_cudo.json": {
        "return_16": Part("cudo", lambda tree: {"machineTypes": tree["return_16"]}),
    },
    "2024-10-28_tensordock.json": {
        "return_10": Part(
            "tensordock", lambda tree: {"hostnodes": {"node": {"specs": tree["return_10"]}}}
        ),
    },
    "2026-08-14_runpod.json": {
        key: Part("runpod", lambda tree, key=key: {"data": {"cpuFlavors": tree[key]}})
        for key in ("cpu_flavors", "return_151")
    },
    "2026-08-14_seeweb.json": {"payload": Part("seeweb", lambda tree: tree["payload"])},
}
"""File to the parts of its bodies, by name, each put back into the answer that it was cut from."""


@dataclass(frozen=True, slots=True)
class Body:
    """One captured body: the file it is in, the source it is of, and a name to print."""

    name: str
    source: str
    path: Path
    fetched_at: datetime
    load: Callable[[], bytes]

    def capture(self) -> Capture:
        """Return it as the fetcher would have."""
        return Capture(self.source, self.path.name, self.load(), self.fetched_at)


def plain(path: Path) -> bytes:
    """Return a file's bytes, without gzip."""
    body = path.read_bytes()
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def _moment(text: str) -> datetime:
    """Return the end of the day a manifest's line names (the last one it names)."""
    day = text.split("..")[-1][:10] or "2026-11-20"
    return datetime.fromisoformat(day).replace(hour=23, minute=59, tzinfo=UTC)


class Line(NamedTuple):
    """One file that holds bodies: its name, what the manifest calls its source, and its day."""

    file: str
    source: str
    at: datetime


def lines() -> list[Line]:
    """Return the files that hold bodies: those of the manifest in its order, then those beside it.

    A file that is listed twice counts once; what :data:`NO_BODY` names is left out.
    """
    with (FOLDER / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        told = [Line(r["file"], r["source"], _moment(r["date"])) for r in csv.DictReader(file)]
    told += [Line(name, source, _moment("")) for name, source in BESIDE.items()]
    return list({one.file: one for one in told if why_no_body(one.file) is None}.values())


def why_no_body(file: str) -> str | None:
    """Return why a file is no body, None when nothing says so."""
    return next((why for name, why in NO_BODY.items() if fnmatchcase(file, name)), None)


def unaccounted() -> list[str]:
    """Return a sentence on every file that is neither a body nor none, and every line without one.

    A line is one of the manifest, of :data:`BESIDE` or of :data:`NO_BODY`.
    """
    found = sorted(p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*") if p.is_file())
    known = {line.file for line in lines()}
    wrong = [
        f"{file}: no line says whose body it is, or why it is none"
        for file in found
        if file not in known and why_no_body(file) is None
    ]
    wrong += [f"{file}: listed as a body, and not there" for file in sorted(known - set(found))]
    wrong += [
        f"{line.file}: no source of the panel reads it"
        for line in lines()
        if line.file in found and not _is_read(line)
    ]
    return wrong + [
        f"{name}: said to be no body, and not there"
        for name in NO_BODY
        if not any(fnmatchcase(file, name) for file in found)
    ]


def _is_read(line: Line) -> bool:
    return Path(line.file).name in JOINED or _source_of(line) is not None


def _source_of(line: Line) -> str | None:
    if line.file in BESIDE:
        return BESIDE[line.file]
    if line.source in BY_FOLDER:
        return BY_FOLDER[line.source]
    name = Path(line.file).name
    found = {word: source for word, source in BY_FILE.items() if word in name}
    return found[max(found, key=len)] if found else None


def bodies(*, whole_series: bool = False) -> Iterator[Body]:
    """Yield every captured body, in the order of :func:`lines`, one at a time.

    Args:
        whole_series: also the 1,106 captures packed in one archive file.

    Raises:
        LookupError: no source of the panel reads a listed file.
    """
    for line in lines():
        path = FOLDER / line.file
        source = _source_of(line)
        if path.name in JOINED:
            for key, part in JOINED[path.name].items():
                name = f"{line.file}#{key}"
                yield Body(name, part.source, path, line.at, _part(path, part))
        elif source is None:
            raise LookupError(f"{line.file}: no source of the panel reads it")
        elif not path.name.endswith(".tar.xz"):
            yield Body(line.file, source, path, line.at, _whole(path))
        elif whole_series:
            yield from _packed(path, source)


def _whole(path: Path) -> Callable[[], bytes]:
    return lambda: plain(path)


def _part(path: Path, part: Part) -> Callable[[], bytes]:
    return lambda: json.dumps(part.whole(json.loads(plain(path)))).encode()


def _packed(path: Path, source: str) -> Iterator[Body]:
    """Yield the members in their stored order: the archive is unpacked once, front to back."""
    with tarfile.open(path, "r|xz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                continue
            body = file.read()
            at = datetime.strptime(Path(member.name).stem, "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
            yield Body(member.name, source, path, at, lambda body=body: body)  # type: ignore[misc]
