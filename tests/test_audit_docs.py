"""docs/FEED.md does what it says: its marked commands run, and its commands and files exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from index import cli
from index.config import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "FEED.md").read_text("utf-8")
BLOCKS = re.findall(r"^<!-- RUN -->\n```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def openssl_3() -> bool:
    if shutil.which("openssl") is None:
        return False
    said = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=False)
    return said.stdout.startswith("OpenSSL 3")


@pytest.fixture
def shell(small_ledger: Settings, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with out/ and index/ beside it, and a PATH with spotfix and python3."""
    (tmp_path / "out").symlink_to(small_ledger.out)
    (tmp_path / "index").symlink_to(ROOT / "index")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tools / "spotfix").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m index "$@"\n')
    for one in tools.iterdir():
        one.chmod(0o755)
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    return tmp_path, env


def test_the_marked_commands_run(shell: tuple[Path, dict[str, str]]) -> None:
    folder, env = shell
    assert len(BLOCKS) == 5
    runnable = [b for b in BLOCKS if "openssl" not in b or openssl_3()]
    script = "set -eu\n" + "\n".join(runnable)
    made = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, cwd=folder, env=env, timeout=120
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stdout.count("all good") == 2
    assert made.stdout.count("Signature Verified Successfully") == (2 if openssl_3() else 0)


def test_a_changed_byte_fails_with_openssl(shell: tuple[Path, dict[str, str]]) -> None:
    if not openssl_3():
        pytest.skip("no OpenSSL 3 here")
    folder, env = shell
    block = BLOCKS[0].replace('-in "$file"', "-in changed.json")
    changed = 'sed "s/NEO/OEN/" "$file" > changed.json\nopenssl'
    script = "set -eu\n" + block.replace("openssl", changed, 1)
    made = subprocess.run(["sh", "-c", script], capture_output=True, text=True, cwd=folder, env=env)
    assert made.returncode != 0
    assert "Signature Verification Failure" in made.stdout + made.stderr


def test_the_page_names_commands_that_exist() -> None:
    named = set(re.findall(r"spotfix (\w[\w-]*)", PAGE))
    known = {c.name or c.callback.__name__ for c in cli.app.registered_commands if c.callback}
    known |= {str(g.name) for g in cli.app.registered_groups}
    assert named >= {"run", "export", "verify", "serve"}
    assert named <= known | {"keys"}
