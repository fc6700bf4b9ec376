"""Files, payloads and panel lines are one set, and every source meets one list of invariants."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from collectors import panel
from methodology.errors import ConfigError

ROOT = Path(__file__).parents[1]
FOLDERS = ("tokens", "gpus", "volumes", "fx")


def sources_in(path: Path) -> set[tuple[str, str]]:
    """Return (module, name) of each Source a file makes at its top level; helpers make none."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    found = set()
    for node in ast.parse(path.read_text()).body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] == "Source":
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target  # type: ignore[union-attr]
            found.add((module, ast.unparse(target)))
    return found


def files() -> list[Path]:
    return [path for folder in FOLDERS for path in (ROOT / "collectors" / folder).glob("*.py")]


def test_every_source_in_a_file_has_a_line_and_every_line_its_file() -> None:
    in_files = set().union(*(sources_in(path) for path in files()))
    assert in_files == {(line.module, line.name) for line in panel.SOURCES.values()}


def test_every_file_with_a_source_has_a_folder_of_payloads_and_the_reverse() -> None:
    folders = {path.name for path in (ROOT / "tests" / "payloads").iterdir() if any(path.iterdir())}
    named = {line.module.rpartition(".")[2] for line in panel.SOURCES.values()}
    assert folders == named


def test_a_file_holds_the_source_of_its_own_name() -> None:
    mains = {i: line.module for i, line in panel.SOURCES.items() if line.name == "SOURCE"}
    assert {i: module.rpartition(".")[2] for i, module in mains.items()} == {i: i for i in mains}


def test_only_one_file_of_the_collectors_imports_a_network_library() -> None:
    """``collectors.answers`` reads httpx objects; only ``collectors.fetch`` makes connections."""
    outward = {"socket", "httpx", "httpcore", "urllib.request", "http.client", "requests"}
    found = set()
    for path in (ROOT / "collectors").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module), *(f"{node.module}.{a.name}" for a in node.names)]
            if outward & set(names):
                found.add(path.name)
    assert found == {"fetch.py", "answers.py"}


@pytest.mark.parametrize("source_id", sorted(panel.SOURCES))
def test_a_source_says_all_it_must(source_id: str) -> None:
    source = panel.load(source_id)
    folder = panel.SOURCES[source_id].module.split(".")[1]
    assert source.id == source_id
    assert source.kind == folder
    url = httpx.URL(source.url)
    assert (url.scheme, url.userinfo) == ("https", b"")
    assert all((source.tier, source.code_licence, source.data_right, source.terms))
    assert source.content_types
    assert all(kind == kind.strip().lower() and ";" not in kind for kind in source.content_types)
    assert 0 < source.deadline_seconds <= 3600
    assert min(source.max_raw_bytes, source.max_decoded_bytes) > 0


@pytest.mark.parametrize("source_id", sorted(panel.SOURCES))
def test_a_source_first_asks_on_the_host_it_is_given(source_id: str) -> None:
    source = panel.load(source_id)
    flow = source.requests(source.url)
    request = next(flow, None)
    if request is None:
        return  # what it asks for is bound by the caller, or its history comes with the archive
    asked, home = httpx.URL(request.url), httpx.URL(source.url)
    assert (asked.scheme, asked.netloc) == (home.scheme, home.netloc)
    flow.close()


def test_all_loads_in_the_order_of_the_panel() -> None:
    assert [source.id for source in panel.load_all()] == list(panel.SOURCES)


@pytest.mark.parametrize("name", ["", "acme", "genai_prices "])
def test_a_source_that_is_not_admitted_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="not admitted"):
        panel.load(name)


def test_a_line_that_names_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(panel.SOURCES, "wrong", panel.Line("collectors.fx.ecb"))
    monkeypatch.setitem(panel.SOURCES, "empty", panel.Line("collectors.base"))
    for name in ("wrong", "empty"):
        with pytest.raises(ConfigError, match="the panel names"):
            panel.load(name)


def test_asking_for_one_source_loads_no_other() -> None:
    code = "import sys; from collectors import panel; panel.load('ecb')\n"
    code += "print([m for m in sys.modules if m.startswith(('collectors.tokens.', 'httpx'))])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"


def test_a_source_is_told_from_a_helper() -> None:
    assert sources_in(ROOT / "collectors" / "fx" / "__init__.py") == set()
    assert sources_in(ROOT / "collectors" / "fx" / "ecb.py") == {("collectors.fx.ecb", "SOURCE")}
