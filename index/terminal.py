"""What a person sees: results on stdout, talk on stderr, bars only where someone is watching.

Nothing here is imported before a command needs it, so that ``--help`` stays quick.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

WIDE = 160
"""Columns when nobody watches: a pipe has no width, and a cut-off id would be a wrong one."""

_FILLING = re.compile(r" +$", re.MULTILINE)

GOOD, WARN, BAD, DIM, HEAD = "green", "yellow", "bold red", "dim", "bold"


def _console(*, is_talk: bool) -> Console:
    stream = sys.stderr if is_talk else sys.stdout
    is_watched = stream.isatty()
    width = None if is_watched or "COLUMNS" in os.environ else WIDE
    return Console(stderr=is_talk, width=width, highlight=False, markup=False, emoji=False)


class Screen:
    """The two streams of one command, and whether it was asked for JSON."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = _console(is_talk=False)
        self.talk = _console(is_talk=True)

    @property
    def has_bars(self) -> bool:
        """Whether progress bars may be drawn: someone watches, and did not ask for plain text."""
        is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        return self.talk.is_terminal and not is_plain

    def json(self, value: object) -> None:
        """Print a result as JSON: keys in the order given, text unescaped where UTF-8 goes."""
        # Escaped for a terminal of few characters: with some replaced it would say another thing.
        is_ascii = "utf" not in (sys.stdout.encoding or "utf-8").lower()
        sys.stdout.write(json_text(value, is_ascii=is_ascii) + "\n")

    def line(self, *parts: str | tuple[str, str], indent: int = 0) -> None:
        """Print one line of a result; a part may be ``(text, style)``."""
        self.out.print(Text.assemble(" " * indent, *parts), soft_wrap=True)

    def grid(self, made: Table) -> None:
        """Print a table without the blanks that only fill its last column.

        A table that needs more than the terminal's width is printed as wide as it needs.
        """
        width = self.out.width
        self.out.width = max(width, made.min_width or 0)
        try:
            with self.out.capture() as caught:
                self.out.print(made, crop=False)
        finally:
            self.out.width = width
        sys.stdout.write(_FILLING.sub("", caught.get()))

    def pair(self, name: str, *parts: str | tuple[str, str]) -> None:
        """Print ``name`` and what it is, aligned below its likes, folded with its indent."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(min_width=15, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text("  " + name, DIM), Text.assemble(*parts))
        self.grid(grid)

    def say(self, text: str, style: str = DIM) -> None:
        """Tell people something that is not part of the result."""
        self.talk.print(Text(text, style), soft_wrap=True)


def json_text(value: object, *, is_ascii: bool = False) -> str:
    """Return a value as indented JSON; dates, paths and the like as text."""
    return json.dumps(value, indent=2, ensure_ascii=is_ascii, default=str)


def table(
    columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str | Text]], indent: int = 2
) -> Table:
    """Return a borderless table.

    Args:
        columns: (heading, how): ``<`` left, ``>`` right, ``~`` left and folded when too long.
        rows: cells; a row has as many as there are columns.
        indent: blanks before the first column.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=DIM, show_edge=False)
    cells = [list(row) for row in rows]
    needed = 0
    for place, (heading, how) in enumerate(columns):
        blanks = indent * (place == 0)
        widest = max([len(heading), *(len(row[place]) for row in cells)]) + blanks
        made.add_column(
            " " * blanks + heading,
            justify="right" if how == ">" else "left",
            no_wrap=how != "~",
            overflow="fold",
            # Never a narrower column: a figure that lost its last digits is another figure.
            min_width=12 if how == "~" else widest,
        )
        needed += (12 if how == "~" else widest) + 2
    made.min_width = needed
    for first, *rest in cells:
        lead = Text(" " * indent) + (first if isinstance(first, Text) else Text(first))
        made.add_row(lead, *(one if isinstance(one, Text) else Text(one) for one in rest))
    return made


class Bars:
    """Progress of a run on stderr: bars for a person, one line a stage for a log file.

    Give :meth:`tell` to whatever reports ``(stage, what)``.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._tasks: dict[str, TaskID] = {}
        self._at: str | None = None
        self._bars: Progress | None = None
        if screen.has_bars:
            self._bars = Progress(
                TextColumn("  {task.description:<10}"),
                BarColumn(bar_width=20),
                TextColumn("{task.completed:>5.0f}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[what]}", style=DIM),
                console=screen.talk,
                transient=True,
            )

    def __enter__(self) -> Bars:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def tell(self, stage: str, what: str) -> None:
        """Note that a stage has come to something."""
        if self._bars is None:
            if stage not in self._tasks:
                self._tasks[stage] = TaskID(len(self._tasks))
                self._screen.say(f"spotfix: {stage} ...")
            return
        if stage != self._at and self._at is not None:
            before = self._tasks[self._at]
            done = self._bars.tasks[before].completed
            self._bars.update(before, total=max(done, 1), completed=max(done, 1), what="")
            self._bars.stop_task(before)
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=None, what="")
        self._at = stage
        self._bars.update(self._tasks[stage], advance=1, what=what[:40])


def report_error(error: BaseException, code: int, *, as_json: bool) -> None:
    """Print one error to stderr: a line ``error: ...``, or a JSON object."""
    text = " ".join(str(error).split()) or type(error).__name__
    if as_json:
        told: Mapping[str, Any] = {
            "error": {"type": type(error).__name__, "message": text, "exit_code": code}
        }
        sys.stderr.write(json_text(told) + "\n")
        return
    screen = Screen()
    screen.talk.print(Text.assemble(("error: ", BAD), text), soft_wrap=True)
