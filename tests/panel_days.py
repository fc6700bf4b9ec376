"""A hand-sized panel stepped through index days, for the tests of determinations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

import numpy as np

from methodology import determination as det
from methodology import waterfall
from methodology.definition import Methodology, load_methodology
from methodology.estimators import CODES
from methodology.panels import Vintage, estimator_for, weights_for

RULES = load_methodology()


class Panel:
    """One index with groups ``a``, ``b``, ``c`` ...; each call of :meth:`day` is one index day."""

    def __init__(
        self,
        volumes: Sequence[int],
        *,
        rules: Methodology = RULES,
        estimator: str | None = None,
        is_small: bool = False,
        is_capped: bool = True,
    ) -> None:
        self.rules, self.size = rules, len(volumes)
        name = estimator or estimator_for(len(volumes), rules)
        weights = weights_for(volumes, "V1", name, rules)
        groups = tuple(f"{n:02d}" for n in range(self.size))
        self.vintage = Vintage(
            "BOOTSTRAP",
            date(2026, 1, 1),
            groups,
            ("s",) * self.size,
            weights,
            tuple(volumes),
            "V1",
            name,
        )
        self.is_small, self.is_capped = np.array([is_small]), np.array([is_capped])
        self.state, self.today = det.State.empty(1, self.size), 0
        self.last: det.Day | None = None

    def frozen(self, covered: bool = True) -> det.Frozen:
        return det.Frozen(
            weight=np.array([self.vintage.weights], np.int64),
            estimator=np.array([CODES[self.vintage.estimator]], np.int8),
            jump_ratio=np.array([[8, 5]], np.int64),
            is_small=self.is_small,
            is_capped=self.is_capped,
            is_covered=np.array([covered]),
            vintages=[self.vintage],
            places=[np.arange(self.size)],
        )

    def day(
        self,
        prices: Sequence[int],
        *,
        confirmed: Sequence[int] = (),
        suspect: Sequence[int] = (),
        stale: Sequence[int] = (),
        mirrored: Sequence[int] = (),
        covered: bool = True,
    ) -> Panel:
        """Step one day; price 0: none. The other arguments name members by place."""

        def marks(places: Sequence[int]) -> np.ndarray:
            return np.array([[n in places for n in range(self.size)]])

        given = det.Prices(
            np.array([prices], np.int64),
            marks(confirmed),
            marks(suspect),
            ~marks(stale),
            ~marks(mirrored),
        )
        self.today += 1
        self.last, self.state = det.determine(
            self.today, given, self.frozen(covered), self.state, self.rules
        )
        return self

    @property
    def result(self) -> det.Day:
        assert self.last is not None
        return self.last

    @property
    def value(self) -> Fraction | None:
        """The exact rate in nano-units, ``None`` without a determined one."""
        if self.result.level[0] > waterfall.CARRIED_INPUT:
            return None
        return Fraction(self.result.numerator[0], self.result.denominator[0])

    @property
    def level(self) -> str:
        return waterfall.LEVELS[self.result.level[0]]

    def of(self, n: int) -> tuple[str, str, int]:
        """Status, reason and standing price of one member."""
        r = self.result
        return det.STATES[r.status[0, n]], det.REASONS[r.reason[0, n]], int(r.price[0, n])
