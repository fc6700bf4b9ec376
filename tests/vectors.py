"""Acceptance vectors: figures from other people's software and from official documents."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def vector(name: str) -> Any:
    """Return one stored vector; skip the test, saying why, where the folder is not at hand."""
    at_hand = Path(__file__).resolve().parents[2] / "shared" / "vectors"
    file = Path(os.environ.get("SPOTFIX_VECTORS", at_hand)) / name
    if not file.is_file():
        pytest.skip(f"{name} is not at hand; set SPOTFIX_VECTORS to the folder of vectors")
    return json.loads(file.read_text("utf-8"))
