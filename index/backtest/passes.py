"""Two determinations of the bundled history: as published, and without screens."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from index import determine, intake, prints
from index.backtest import scenarios
from index.backtest.anomalies import without_screens
from index.intake import Intake
from index.outcome import Outcome
from methodology.definition import (
    CompositeDefinition,
    Definition,
    Methodology,
    load_definitions,
    load_methodology,
)

Tell = Callable[[str, str], None]
Row = dict[str, Any]


@dataclass(frozen=True)
class History:
    """What a pass reads: the intake, the rules, and where each index ends."""

    taken: Intake
    definitions: Sequence[Definition]
    rules: Methodology
    until: Mapping[str, date | None]

    @property
    def by_id(self) -> dict[str, Definition]:
        """Return definitions by index id."""
        return {index_id: d for d in self.definitions for index_id in d.index_ids}

    @property
    def inputs_digest(self) -> str:
        """Return the digest of all bodies read, in their order."""
        whole = hashlib.sha256()
        for capture in self.taken.captures:
            whole.update(hashlib.sha256(capture.body).digest())
        return "sha256:" + whole.hexdigest()


def read(
    bundle: Path, last: date | None = None, definitions: Sequence[Definition] | None = None
) -> History:
    """Return the bundled history, every index ending with its sources or on ``last``.

    Raises:
        ConfigError: there is no bundle, or a table is not the one its manifest describes.
    """
    rules = load_methodology()
    known = load_definitions() if definitions is None else definitions
    taken = intake.read_captures(intake.bundled_captures(bundle), "bundled", rules)
    until = determine.last_covered(taken.inputs, known, rules)
    if last is not None:
        until = {name: min(day, last) if day else None for name, day in until.items()}
        late = {
            d.index_id for d in known if isinstance(d, CompositeDefinition) and d.inception > last
        }
        until = {name: None if name in late else day for name, day in until.items()}
    return History(taken, known, rules, until)


def determined(
    history: History, rules: Methodology, tell: Callable[[str], None] = lambda step: None
) -> tuple[Outcome, bytes]:
    """Return the determinations of a history under some parameters, and their back-cast."""
    inputs, until = history.taken.inputs, history.until
    planned = determine.plan_all(inputs, history.definitions, rules, until=until, progress=tell)
    outcome = determine.determine_all(
        inputs, planned, history.definitions, rules, until=until, progress=tell
    )
    return outcome, prints.back_cast(outcome, history.by_id, until)


def aside(bundle: Path, last: date | None) -> tuple[bytes, list[Row]]:
    """Return the back-cast without screens and the rows of the scenarios; runs in a process."""
    history = read(bundle, last)
    _, back_cast = determined(history, without_screens(history.rules))
    return back_cast, scenarios.run(
        history.taken.inputs, history.definitions, history.rules, history.until
    )


@contextmanager
def beside(bundle: Path, last: date | None) -> Iterator[Future[tuple[bytes, list[Row]]]]:
    """Run :func:`aside` in a process of its own: the two passes share nothing but the bundle."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool.submit(aside, bundle, last)
