"""The table of commands, made from the commands themselves: ``python -m index.commands_table``.

README.md holds it between two marks, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from index.cli import app

BEGIN, END = "<!-- COMMANDS -->", "<!-- /COMMANDS -->"


def commands_table() -> str:
    """Return a Markdown table of every command and the first line of its help."""
    root: Any = typer.main.get_command(app)
    rows = [f"| `spotfix {name}` | {told} |" for name, told in _commands(root, "")]
    return "\n".join(["| Command | What it does |", "|---|---|", *rows]) + "\n"


def _commands(group: Any, before: str) -> Iterator[tuple[str, str]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
            continue
        words = [p.metavar or p.name for p in command.params if p.param_type_name == "argument"]
        told = (command.help or "").strip().partition("\n")[0].replace("|", "\\|")
        yield " ".join([f"{before}{name}", *words]), told


if __name__ == "__main__":
    print(commands_table(), end="")
