"""Publish a bundle with every frame shuffled where an order could slip through.

``python -m tests.shuffled_run OUT BUNDLE [SEED]``: without a seed nothing is shuffled. Rows change
places twice: between parse and normalise, and again right before selection and computation. The
bodies themselves stay as they are, since other bytes are another input.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from index import config, intake, pipeline
from index.determine import Inputs
from tests.offline import close_the_door

SEED = 0


def shuffled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in another order, a function of the seed alone."""
    found = rows.sample(fraction=1.0, shuffle=True, seed=SEED)
    assert rows.height < 20 or not found.equals(rows), "nothing was shuffled"
    return found


def shuffle_inputs(inputs: Inputs) -> Inputs:
    """Return the same inputs, the rows of each frame in another order."""
    coverage = dataclasses.replace(
        inputs.coverage,
        spans=shuffled(inputs.coverage.spans),
        captures=shuffled(inputs.coverage.captures),
    )
    return dataclasses.replace(
        inputs,
        observations=shuffled(inputs.observations),
        volumes=shuffled(inputs.volumes),
        rates=shuffled(inputs.rates),
        coverage=coverage,
    )


def shuffle_everything() -> None:
    """Put a shuffle into each place where frames change hands."""
    stack, choose, compute = intake._stack, pipeline.choose, pipeline.compute

    def stacked(frames: Sequence[pl.DataFrame], model: type[Any]) -> pl.DataFrame:
        return shuffled(stack(frames, model))

    def chosen(inputs: Inputs, *rest: Any, **named: Any) -> Any:
        return choose(shuffle_inputs(inputs), *rest, **named)

    def computed(inputs: Inputs, *rest: Any, **named: Any) -> Any:
        return compute(shuffle_inputs(inputs), *rest, **named)

    intake._stack, pipeline.choose, pipeline.compute = stacked, chosen, computed


def main(out: str, bundle: str, seed: str = "") -> None:
    """Publish ``bundle`` into ``out`` and print how many records the log then has."""
    global SEED
    close_the_door()
    if seed:
        SEED = int(seed)
        shuffle_everything()
    report = pipeline.run_bundled(config.load(out=Path(out), bundle=Path(bundle)))
    print(report.log_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
