"""The arrays of one run over index days, and the state that each day leaves for the next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from methodology import determination as det
from methodology import screens, waterfall
from methodology.admission import SETTLEMENT_TIERS
from methodology.definition import Methodology
from methodology.estimators import CODES, Ints
from methodology.panels import Vintage
from methodology.plans import (
    FIXING_SCHEMA,
    LEVEL_BASE,
    PanelState,
    Plan,
    Series,
    jump_ratio,
    parents_of,
)
from methodology.representative import HOUR_US
from methodology.units import round_half_up


class Run:
    """The arrays of one run and the state between its days."""

    def __init__(
        self,
        plans: Sequence[Plan],
        index_days: Sequence[date],
        cuts_us: Sequence[int],
        rules: Methodology,
    ) -> None:
        self.plans, self.index_days, self.rules = plans, index_days, rules
        used = [list({id(v): v for v in p.vintages if v}.values()) for p in plans]
        self.groups = [sorted({g for v in mine for g in v.groups}) for mine in used]
        # Only sources that serve somebody: those that never do would only take memory.
        serving = [{s for v in mine for s in v.sources} for mine in used]
        self.rank = [
            {s: n for n, s in enumerate(s for s in p.definition.sources if s in mine)}
            for p, mine in zip(plans, serving, strict=True)
        ]
        days, count = len(index_days), len(plans)
        self.width = max([1, *(len(g) for g in self.groups)])
        sources = max([1, *(len(rank) for rank in self.rank)])
        shape = (days, count, self.width, sources)
        self.price = np.zeros(shape, np.int64)
        self.confirmed = np.zeros(shape, np.bool_)
        self.suspect = np.zeros(shape, np.bool_)
        self.fresh = np.zeros(shape, np.bool_)
        self.evidenced = np.zeros(shape, np.bool_)
        limit = rules.window.max_fetch_age_hours * HOUR_US
        cuts = np.asarray(cuts_us, np.int64)
        for i, p in enumerate(plans):
            self._place(i, p, cuts, limit)
        self.state = det.State.empty(count, self.width)
        self.vintage: list[Vintage | None] = [None] * count
        self.served: list[dict[str, str]] = [{} for _ in plans]
        self.choice = np.zeros((count, self.width), np.intp)
        self.weight = np.zeros((count, self.width), np.int64)
        self.estimator = np.zeros(count, np.int8)
        self.places: list[npt.NDArray[np.intp]] = [np.zeros(0, np.intp)] * count
        self.jump_ratio = np.array([jump_ratio(p, rules) for p in plans], np.int64).reshape(-1, 2)
        self.is_small = np.array([p.definition.small_panel for p in plans], np.bool_)
        self.is_capped = np.array([p.definition.admission != "settlement" for p in plans], np.bool_)
        self.value = [0] * count
        self.level = [0] * count
        self.link_level = [0] * count
        self.link_value = [0] * count
        self.links: dict[tuple[str, int], tuple[int, int]] = {}
        self.is_switched = [False] * count
        self.parent = parents_of(plans)
        self.parent_before, self.parent_day = self.state.parent_value, [0] * count
        self.used_before = self.state.used
        self.states: dict[tuple[str, int], PanelState] = {}
        self.out: list[dict[str, Any]] = []
        full = (days, count, self.width)
        self.o_price, self.o_kept = np.zeros(full, np.int64), np.zeros(full, np.int64)
        self.o_weight = np.zeros(full, np.int64)
        self.o_status, self.o_reason = np.zeros(full, np.int8), np.zeros(full, np.int8)

    def _place(self, i: int, p: Plan, cuts: Ints, limit: int) -> None:
        column = {g: n for n, g in enumerate(self.groups[i])}
        rank = self.rank[i]
        rows = p.rows.filter(pl.col("reason").is_null() & pl.col("group").is_in(list(column)))
        rows = p.speaking(rows).filter(pl.col("slot").is_in(list(rank)))
        if rows.is_empty():
            return
        day = rows["day"].to_numpy()
        g = rows["group"].replace_strict(column, return_dtype=pl.Int64).to_numpy()
        s = rows["slot"].replace_strict(rank, return_dtype=pl.Int64).to_numpy()
        self.price[day, i, g, s] = rows["price_nano"].to_numpy()
        self.confirmed[day, i, g, s] = rows["is_confirmed"].to_numpy()
        self.suspect[day, i, g, s] = rows["is_suspect"].to_numpy()
        self.fresh[day, i, g, s] = cuts[day] - rows["seen_us"].to_numpy() <= limit
        self.evidenced[day, i, g, s] = rows["tier"].is_in(SETTLEMENT_TIERS).to_numpy()

    def load(self, index_id: str, before: PanelState) -> None:
        """Start an index from a recorded panel state."""
        i = next(n for n, p in enumerate(self.plans) if p.index_id == index_id)
        vintage = next((v for v in self.plans[i].vintages if v and v.id == before.vintage), None)
        if vintage is not None:
            self._install(i, vintage)
        for name, held in before.groups.items():
            if held["source"] is not None:
                self.served[i][name] = held["source"]
            if name not in self.groups[i]:
                continue
            g = self.groups[i].index(name)
            for key in ("previous", "previous_day", "used", "seen_day", "sighted_day", "held"):
                getattr(self.state, key)[i, g] = held[key] or (det.NEVER if "day" in key else 0)
            self.state.excluded[i, g] = held["excluded"]
            self.state.dropped[i, g] = held["dropped"]
        self.state.value_day[i] = before.value_day or det.NEVER
        self.state.carried[i] = before.carried
        self.value[i], self.level[i] = before.value, before.level
        self.link_level[i], self.link_value[i] = before.link_level, before.link_value
        self.is_switched[i] = before.is_switched
        self.state.modelled[i] = before.modelled or 0
        self.state.parent_value[i] = before.parent_value or 0
        self.parent_day[i] = before.ref_day

    def _install(self, i: int, vintage: Vintage) -> None:
        column = {g: n for n, g in enumerate(self.groups[i])}
        rank = self.rank[i]
        places = np.array([column[g] for g in vintage.groups], np.intp)
        self.vintage[i], self.places[i] = vintage, places
        self.served[i] = dict(zip(vintage.groups, vintage.sources, strict=True))
        self.weight[i] = 0
        self.weight[i, places] = vintage.weights
        self.choice[i, places] = [rank[s] for s in vintage.sources]
        self.estimator[i] = CODES[vintage.estimator]

    def _switch(self, d: int, i: int, vintage: Vintage) -> None:
        """Put a new vintage in force and link it on the last day that had a value."""
        served = self.served[i]  # of the old vintage, or of the state that was loaded
        self._install(i, vintage)
        if not served:
            return
        day, s = self.index_days[d].toordinal(), int(self.state.value_day[i])
        link = s - self.index_days[0].toordinal()
        newcomers = np.zeros(self.width, np.bool_)
        for g, source in zip(vintage.groups, vintage.sources, strict=True):
            n = self.groups[i].index(g)
            was_dropped, self.state.dropped[i, n] = bool(self.state.dropped[i, n]), False
            if served.get(g) == source and not was_dropped:
                continue
            here = int(self.choice[i, n])
            was = int(self.price[d - 1, i, n, here]) if d > 0 else 0
            self.state.previous[i, n] = was
            for key in ("previous_day", "seen_day", "sighted_day"):
                getattr(self.state, key)[i, n] = day - 1 if was else det.NEVER
            self.state.used[i, n] = self.price[link, i, n, here] if link >= 0 else 0
            self.state.held[i, n], self.state.excluded[i, n] = 0, False
            newcomers[n] = True
        self._screen_newcomers(i, newcomers)
        self.is_switched[i] = True

    def _screen_newcomers(self, i: int, newcomers: npt.NDArray[np.bool_]) -> None:
        """Leave out a link price that the gross-error screen would not have let stand."""
        used = self.state.used[i][None]
        weight = np.where(used > 0, self.weight[i][None], 0)
        was_out = np.zeros(weight.shape, np.bool_)
        out, _ = screens.gross_errors(used, weight, was_out, self.rules.gross)
        self.state.used[i, newcomers & out[0]] = 0
        self.state.excluded[i, newcomers & out[0]] = True

    def _relink(self, i: int, d: int, day: det.Day, units: int) -> None:
        """Chain the level over a change of who stands in the value (rulebook 8.3).

        The members that stand today and stood in the last value carry the level: it moves as
        their rate moved. Who came in or went out moves nothing.
        """
        now = (day.used_weight[i] > 0) & (day.price[i] > 0)
        was_price = self.used_before[i]
        before = (was_price > 0) & (self.weight[i] > 0)
        if not self.is_switched[i] and (now == before).all():
            return
        self.is_switched[i] = False
        common = now & before
        self.link_level[i], self.link_value[i] = self.level[i], units
        if common.any():
            weight = det.weights_of(i, common, self._frozen(d), self.rules)[None]
            code, yes = self.estimator[i : i + 1], np.array([True])
            step = 10 ** (9 - self.plans[i].decimals)
            old = det.estimate(np.where(common, was_price, 0)[None], weight, code, yes)
            link_value = round_half_up(old[0][0], old[1][0] * step)
            if (common == now).all():
                self.link_value[i] = link_value
            else:
                new = det.estimate(np.where(common, day.price[i], 0)[None], weight, code, yes)
                moved = round_half_up(new[0][0], new[1][0] * step)
                self.link_level[i] = round_half_up(self.level[i] * moved, link_value)
        ordinal = self.index_days[d].toordinal()
        self.links[self.plans[i].index_id, ordinal] = (self.link_level[i], self.link_value[i])

    def _frozen(self, d: int) -> det.Frozen:
        return det.Frozen(
            weight=self.weight,
            estimator=self.estimator,
            jump_ratio=self.jump_ratio,
            is_small=self.is_small,
            is_capped=self.is_capped,
            is_covered=np.array([bool(p.covered[d]) for p in self.plans], np.bool_),
            vintages=self.vintage,
            places=self.places,
            parent=self.parent,
        )

    def step(self, d: int, wanted: Collection[tuple[str, int]]) -> None:
        """Determine one day."""
        for i, p in enumerate(self.plans):
            vintage = p.vintages[d]
            if vintage is not None and vintage is not self.vintage[i]:
                same = self.vintage[i] is not None and self.vintage[i] == vintage
                self._install(i, vintage) if same else self._switch(d, i, vintage)
        ordinal = self.index_days[d].toordinal()
        if not any(v is not None and p.covered[d] for v, p in zip(self.vintage, self.plans)):
            self._silent(d, wanted)
            return
        pick = self.choice[None, :, :, None][0]

        def today(of: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.take_along_axis(of[d], pick, -1)[..., 0]

        prices = det.Prices(
            today(self.price),
            today(self.confirmed),
            today(self.suspect),
            today(self.fresh),
            today(self.evidenced),
            any(p.needs_two_paths for p in self.plans),
        )
        self.used_before = self.state.used
        if self.parent is not None:
            stale = np.array([seen != ordinal - 1 for seen in self.parent_day])
            self.state.parent_value[stale] = 0
            self.parent_before = self.state.parent_value
        day, self.state = det.determine(ordinal, prices, self._frozen(d), self.state, self.rules)
        self.o_price[d], self.o_kept[d], self.o_weight[d] = day.price, day.kept, day.used_weight
        self.o_status[d], self.o_reason[d] = day.status, day.reason
        self._note_parents(day, ordinal)
        for i, p in enumerate(self.plans):
            if self.vintage[i] is not None:
                self._publishable(d, i, p, day)
            if (p.index_id, ordinal) in wanted:
                self.states[p.index_id, ordinal] = self.state_of(i, ordinal)

    def _silent(self, d: int, wanted: Collection[tuple[str, int]]) -> None:
        """Record a day on which no source of any index speaks: nothing moves, nothing fixes."""
        ordinal = self.index_days[d].toordinal()
        self.state.carried[:] = 0
        self.state.modelled[:] = 0
        self.state.parent_value[:] = 0
        for i, p in enumerate(self.plans):
            vintage = self.vintage[i]
            if vintage is not None:
                self.out.append(
                    {
                        **dict.fromkeys(FIXING_SCHEMA),
                        "index_id": p.index_id,
                        "ref_date": self.index_days[d],
                        "vintage": vintage.id,
                        "waterfall": "NO_FIX",
                        "numerator": 0,
                        "denominator": 1,
                        "decimals": p.decimals,
                        "panel": len(vintage.groups),
                        **dict.fromkeys(("groups", "weight", "fresh", "evidenced"), 0),
                        **{n: False for n, t in FIXING_SCHEMA.items() if t == pl.Boolean},
                    }
                )
            if (p.index_id, ordinal) in wanted:
                self.states[p.index_id, ordinal] = self.state_of(i, ordinal)

    def _units(self, i: int, day: det.Day) -> int:
        """Return an index's determined value of the day as published units."""
        step = 10 ** (9 - self.plans[i].decimals)
        return round_half_up(day.numerator[i], day.denominator[i] * step)

    def _note_parents(self, day: det.Day, ordinal: int) -> None:
        """Keep what each parent published, for the move of its next day (rulebook 10.4)."""
        self.parent_day = [ordinal] * len(self.plans)
        if self.parent is None:
            return
        for i, parent in enumerate(self.parent.tolist()):
            if parent >= 0 and day.level[parent] <= waterfall.REDUCED:
                self.state.parent_value[i] = self._units(parent, day)

    def _publishable(self, d: int, i: int, p: Plan, day: det.Day) -> None:
        level = int(day.level[i])
        units: int | None = None
        if level <= waterfall.CARRIED_INPUT:
            units = self._units(i, day)
            if self.link_value[i] == 0:
                start = LEVEL_BASE * 10**self.rules.precision.level_decimals
                self.link_level[i], self.link_value[i] = start, units
                self.is_switched[i] = False
            else:
                self._relink(i, d, day, units)
            self.value[i] = units
            self.level[i] = round_half_up(self.link_level[i] * units, self.link_value[i])
        elif level == waterfall.MODEL and self.parent is not None:
            before = int(self.parent_before[i])
            now = self._units(int(self.parent[i]), day)
            units = waterfall.moved_with_parent(self.value[i], before, now, self.rules.waterfall)
            self.value[i] = units
        elif level == waterfall.CARRY:
            units = self.value[i]
        chained = self.level[i]
        if level in (waterfall.MODEL, waterfall.CARRY) and p.definition.parent:
            # The level of the last determined value stays what the next link starts from.
            chained = round_half_up(self.link_level[i] * self.value[i], self.link_value[i])
        vintage = self.vintage[i]
        self.out.append(
            {
                "index_id": p.index_id,
                "ref_date": self.index_days[d],
                "vintage": vintage.id if vintage else None,
                "waterfall": waterfall.LEVELS[level],
                "numerator": day.numerator[i] if units is not None else 0,
                "denominator": day.denominator[i],
                "value_units": units,
                "decimals": p.decimals,
                "chained_level": chained if units is not None else None,
                "groups": int(day.groups[i]),
                "panel": len(vintage.groups) if vintage else 0,
                "weight": int(day.weight[i]),
                "fresh": int(day.fresh[i]),
                "evidenced": int(day.evidenced[i]),
                "is_dispersed": bool(day.dispersed[i]),
                "has_panel_break": bool(day.panel_break[i]),
                "has_held": bool((day.status[i] == det.HELD).any()),
                "has_imputed": bool((day.status[i] == det.IMPUTED).any()),
                "is_confirmed_same_path": bool((day.reason[i] == det.R_CONFIRMED).any()),
                "is_covered": bool(p.covered[d]),
            }
        )

    def state_of(self, i: int, ordinal: int) -> PanelState:
        """Return one index's state after a day, as a record can keep it."""
        state, vintage = self.state, self.vintage[i]
        served = dict(zip(vintage.groups, vintage.sources, strict=True)) if vintage else {}
        groups = {}
        for n, g in enumerate(self.groups[i]):
            if state.sighted_day[i, n] < 0 and g not in served:
                continue
            groups[g] = {
                "source": served.get(g),
                "previous": int(state.previous[i, n]),
                "previous_day": max(0, int(state.previous_day[i, n])),
                "used": int(state.used[i, n]),
                "seen_day": max(0, int(state.seen_day[i, n])),
                "sighted_day": max(0, int(state.sighted_day[i, n])),
                "held": int(state.held[i, n]),
                "excluded": bool(state.excluded[i, n]),
                "dropped": bool(state.dropped[i, n]),
            }
        return PanelState(
            index_id=self.plans[i].index_id,
            ref_day=ordinal,
            vintage=vintage.id if vintage else "",
            groups=groups,
            value_day=max(0, int(state.value_day[i])),
            carried=int(state.carried[i]),
            value=self.value[i],
            link_level=self.link_level[i],
            link_value=self.link_value[i],
            level=self.level[i],
            is_switched=self.is_switched[i],
            modelled=int(state.modelled[i]) if self.plans[i].definition.parent else None,
            parent_value=int(state.parent_value[i]) if self.plans[i].definition.parent else None,
        )

    def result(self) -> Series:
        """Return everything as one :class:`Series`."""
        fixings = pl.DataFrame(self.out, schema=FIXING_SCHEMA, strict=True)
        return Series(
            plans=self.plans,
            index_days=self.index_days,
            groups=self.groups,
            fixings=fixings,
            price=self.o_price,
            kept=self.o_kept,
            used_weight=self.o_weight,
            status=self.o_status,
            reason=self.o_reason,
            states=self.states,
            links=self.links,
        )
