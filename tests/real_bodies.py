"""The captured bodies: which source each one belongs to, and in which envelope it came.

The folder is no part of the project; ``SPOTFIX_PAYLOADS`` names it, or it lies beside the project.
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
from pathlib import Path
from typing import Any

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
    "cudo": "cudo",
    "tensordock": "tensordock",
    "vultr": "vultr",
    "digitalocean": "digitalocean",
    "datacrunch": "verda",
    "verda": "verda",
    "oci": "oci",
    "jarvislabs": "jarvislabs",
    "runpod": "runpod",
    "seeweb": "seeweb",
    "vast": "vast",
    "azure": "azure_retail",
    "scaleway": "scaleway",
    "disclosures": "disclosures",
}
"""Word of a file's name to source of the panel, in the folders that mix sources."""


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


def _source_of(manifest_source: str, path: Path) -> str | None:
    if manifest_source in BY_FOLDER:
        return BY_FOLDER[manifest_source]
    words = [word for word in BY_FILE if word in path.name]
    return BY_FILE[words[0]] if words else None


def bodies(*, whole_series: bool = False) -> Iterator[Body]:
    """Yield every captured body of the manifest, and those beside it, in a fixed order.

    Args:
        whole_series: also the 1,106 captures packed in one archive file.
    """
    with (FOLDER / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    seen: set[Path] = set()
    for line in lines:
        path = FOLDER / line["file"]
        if path in seen or path.name.endswith(".meta.json"):
            continue
        seen.add(path)
        at = _moment(line["date"])
        if path.name.endswith(".tar.xz"):
            if whole_series:
                yield from _packed(path, BY_FOLDER[line["source"]])
            continue
        if path.name in GATEWAYS:
            for key, source in GATEWAYS[path.name].items():
                yield Body(f"{line['file']}#{key}", source, path, at, _part(path, key))
            continue
        source = _source_of(line["source"], path)
        if source is None:
            raise LookupError(f"{line['file']}: no source of the panel reads it")
        yield Body(line["file"], source, path, at, _whole(path))
    disclosures = FOLDER / "volume" / "disclosures.csv"
    yield Body("volume/disclosures.csv", "disclosures", disclosures,
               _moment("2026-11-20"), _whole(disclosures))  # fmt: skip


GATEWAYS = {
    "vercel_poe_kilo_requesty_2026-05.fragments.json": {
        "vercel": "vercel_gateway",
        "poe": "poe",
        "kilo": "kilo",
        "requesty": "requesty",
    }
}
"""A file that joins one row of each of several sources."""


def _whole(path: Path) -> Callable[[], bytes]:
    return lambda: plain(path)


def _part(path: Path, key: str) -> Callable[[], bytes]:
    def load() -> bytes:
        told: dict[str, Any] = json.loads(plain(path))
        (name,) = [one for one in told if key in one]
        return json.dumps({"data": [told[name]]}).encode()

    return load


def _packed(path: Path, source: str) -> Iterator[Body]:
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            file = archive.extractfile(member)
            if file is None:
                continue
            body = file.read()
            at = datetime.strptime(Path(member.name).stem, "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
            yield Body(member.name, source, path, at, lambda body=body: body)  # type: ignore[misc]
