"""A small bundle for tests: the real one, filtered to a few goods, with a manifest that fits.

Every GPU table and the currency table stay whole; of the token tables only two models remain,
and of the volumes only theirs. Whatever is kept is verbatim, so figures looked up in the real
bundle hold here too. The composites have no basket on it: two models are fewer than they need.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

BUNDLE = Path(__file__).resolve().parents[1] / "data" / "bundled"

MODELS = ("deepseek-v3.2", "gpt-oss-120b")
"""The two models with the most hosts, one of each domicile."""

SINCE = "2026-05-01T00:00:00Z"
"""Coverage begins here, so that a run is short. Earlier rows stay: the last of each holds on."""

_FILTERED = ("tokens_models_dev.csv", "tokens_litellm.csv", "volumes_openrouter.csv")


def make_small_bundle(target: Path) -> Path:
    """Write the small bundle into ``target`` (made if missing) and return it."""
    target.mkdir(parents=True, exist_ok=True)
    manifest = json.loads((BUNDLE / "MANIFEST.json").read_bytes())
    for entry in manifest["files"]:
        lines = (BUNDLE / entry["file"]).read_bytes().splitlines(keepends=True)
        if entry["file"] in _FILTERED:
            lines = _only_models(lines)
        body = b"".join(lines)
        (target / entry["file"]).write_bytes(body)
        entry["coverage"] = [[max(a, SINCE), b] for a, b in entry["coverage"] if b > SINCE]
        entry["rows"], entry["sha256"] = len(lines) - 1, hashlib.sha256(body).hexdigest()
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (target / "MANIFEST.json").write_text(text, "utf-8")
    return target


def _only_models(lines: list[bytes]) -> list[bytes]:
    at = lines[0].rstrip(b"\n").split(b",").index(b"instrument_id")
    wanted = {name.encode() for name in MODELS}
    return [lines[0], *(line for line in lines[1:] if line.split(b",")[at].strip() in wanted)]
