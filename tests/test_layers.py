"""Floors: who may import whom, and what the lowest floor may not touch.

``methodology`` is what the benchmark is: arithmetic on its arguments. ``collectors`` bring what
sources say. ``index`` determines, keeps and publishes. Imports go downwards only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

IMPURE = {"time", "socket", "ssl", "random", "secrets", "subprocess", "threading", "asyncio"}
IMPURE |= {"httpx", "urllib", "http", "os", "tempfile", "shutil", "uuid", "logging"}
CLOCKS = {"now", "utcnow", "today", "environ", "getenv", "write_text", "write_bytes", "unlink"}
CONNECTS = {
    "httpx",
    "socket",
    "ssl",
    "http",
    "urllib",
    "requests",
    "aiohttp",
    "websockets",
    "ftplib",
}
ROOMS = {path.name for path in (ROOT / "index").iterdir() if path.is_dir()}
ON_TOP = {"backtest": "backtesting.py"}
"""Rooms that read all of ``index``, and the one module outside that may import each."""
_LOG = {f"index.ledger.{name}" for name in ("merkle", "tiles", "canonical", "files", "log")}
_SIGNED = {
    f"index.publication.{name}"
    for name in (
        "notes",
        "note_text",
        "keys",
        "key_history",
        "key_records",
        "proofs",
        "schema",
        "texts",
        "fix",
        "drop",
        "xsd",
    )
}
OPEN_DOORS = {"publication": _LOG, "feed": _LOG | _SIGNED}
"""Modules of another room that a room may import from: the log's bytes, and what is published."""


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names a module imports, relative ones resolved against its package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(up if node.level else []), *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def writes(tree: ast.AST) -> Iterator[str]:
    """Clocks, the environment and files opened for writing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            yield f"line {node.lineno}: .{node.attr}"
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
            modes += [k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)]
            is_mode = [m for m in modes if isinstance(m, str) and set(m) & set("wax+")]
            if name == "open" and any(set(m) <= set("rwaxbt+") for m in is_mode):
                yield f"line {node.lineno}: a file opened for writing"


def faults(root: Path) -> list[str]:
    """Every breach of the floors in the tree under ``root``, as ``file: what``."""
    found = []
    for path in sorted(
        p for floor in ("methodology", "collectors", "index") for p in (root / floor).rglob("*.py")
    ):
        where = path.relative_to(root)
        floor, *rooms = where.parts[:-1]
        tree = ast.parse(path.read_text("utf-8"))
        names = set(imports(tree, ".".join(where.parts[:-1])))
        tops = {name.split(".")[0] for name in names}
        bad: list[str] = []
        if floor == "methodology":
            bad += sorted(tops & ({"collectors", "index"} | IMPURE)) + list(writes(tree))
        if floor == "collectors":
            bad += sorted(tops & {"index"})
            if where.name not in ("fetch.py", "answers.py"):
                bad += sorted(tops & (CONNECTS - {"urllib"}))
                bad += sorted(n for n in names if n.startswith("urllib.request"))
        if floor == "index":
            bad += sorted(
                n
                for n in names
                for room, door in ON_TOP.items()
                if n.startswith(f"index.{room}.") and room not in rooms and where.name != door
            )
        if floor == "index" and rooms and rooms[0] in ROOMS - set(ON_TOP):
            own = f"index.{rooms[0]}"
            bad += sorted(
                n
                for n in names
                if n.split(".")[0] == "index"
                and n != own
                and not n.startswith(own + ".")
                and n not in (doors := OPEN_DOORS.get(rooms[0], set()))
                and n.rpartition(".")[0] not in doors
            )
        found += [f"{where}: {what}" for what in bad]
    return found


def test_imports_go_downwards_and_the_lowest_floor_is_pure() -> None:
    assert faults(ROOT) == []


def test_answers_names_only_errors_of_the_network_libraries() -> None:
    """answers.py explains failures; it may name their types but never open a connection."""
    tree = ast.parse((ROOT / "collectors" / "answers.py").read_text("utf-8"))
    used = [
        n.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute)
        and isinstance(n.value, ast.Name)
        and n.value.id in ("httpx", "ssl", "socket")
    ]
    harmless = ("Error", "Timeout", "Exception", "Response", "Request", "Headers", "URL")
    assert used
    assert [name for name in used if not name.endswith(harmless)] == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("methodology/a.py", "from collectors import base", "collectors"),
        ("methodology/a.py", "from index.ledger import log", "index"),
        ("methodology/a.py", "def f():\n    import time", "time"),
        ("methodology/a.py", "import random as dice", "random"),
        ("methodology/a.py", "from os import environ", "os"),
        ("methodology/a.py", "from datetime import datetime\nx = datetime.now()", "line 2: .now"),
        ("methodology/a.py", "from datetime import date\nx = date.today()", "line 2: .today"),
        ("methodology/a.py", "open('x', 'w')", "line 1: a file opened for writing"),
        ("methodology/a.py", "p.open(mode='ab')", "line 1: a file opened for writing"),
        ("collectors/a.py", "import index", "index"),
        ("collectors/tokens/a.py", "import httpx", "httpx"),
        ("collectors/a.py", "from urllib.request import urlopen", "urllib.request.urlopen"),
        ("index/ledger/a.py", "from index.warehouse import b", "index.warehouse.b"),
        ("index/ledger/a.py", "from ..warehouse import b", "index.warehouse.b"),
        ("index/ledger/a.py", "from index import pipeline", "index.pipeline"),
        ("index/publication/a.py", "import index.cli", "index.cli"),
        ("index/publication/a.py", "from index.ledger.lock import P", "index.ledger.lock.P"),
        ("index/ledger/a.py", "from index.publication.keys import K", "index.publication.keys.K"),
    ],
)
def test_a_planted_breach_is_found(tmp_path: Path, file: str, text: str, fault: str) -> None:
    for floor in ("methodology", "collectors", "index"):
        (tmp_path / floor).mkdir()
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(text, "utf-8")
    assert faults(tmp_path) == [f"{file}: {fault}"]


@pytest.mark.parametrize(
    "text",
    ["with (a / b).open('rb') as f: pass", "from methodology import units", "import datetime"],
)
def test_what_the_lowest_floor_may_do_is_left_alone(tmp_path: Path, text: str) -> None:
    for floor in ("methodology", "collectors", "index"):
        (tmp_path / floor).mkdir()
    (tmp_path / "methodology" / "a.py").write_text(text, "utf-8")
    assert faults(tmp_path) == []
