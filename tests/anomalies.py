"""Real anomalies driven through the whole road of a rate: quotes, panels, determinations.

A test takes the quotes that the bundle holds of one good, adds or replaces the few that carry the
anomaly, and determines a packaged definition, or a twin of it with another first day or other
sources, over the days around it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from index import determine, intake
from index.outcome import Inputs
from methodology import clock, register, representative, rights, schemas, series
from methodology.definition import RateDefinition
from methodology.eligibility import Registers, normalise
from methodology.plans import Plan, Series
from methodology.segments import Coverage, segments
from methodology.unit_shift import without_shifted
from tests.bundled_history import BUNDLE, packaged, rules, taken

MOMENT = pl.Datetime("us")


@cache
def bundled_quotes(source: str) -> pl.DataFrame:
    """Return the bundle's quotes of one source, parsed as a publishing run parses them."""
    found = [c for c in intake.bundled_captures(BUNDLE) if c.source == source]
    return pl.concat([intake.parse_capture(c).quotes for c in found])


@cache
def quotes_of(source: str, *instruments: str) -> pl.DataFrame:
    """Return the bundle's quotes of some goods: what reviewed lines map to them."""
    lines = register.listing_map().filter(
        (pl.col("source") == source) & pl.col("instrument_id").is_in(instruments)
    )
    known = lines.select(pl.col("spelling").alias("provider"), "listing_id")
    rows = bundled_quotes(source)
    by_seller = rows.join(known, on=["provider", "listing_id"], how="semi")
    anyone = known.filter(pl.col("provider") == register.ANY_PROVIDER)
    return pl.concat([by_seller, rows.join(anyone, on="listing_id", how="semi")])


def at(text: str) -> datetime:
    """Return ``2026-08-12 06:46`` as a naive UTC time."""
    return datetime.fromisoformat(text)


def aware(text: str) -> datetime:
    """Return the same moment with its zone, as captures carry it."""
    return at(text).replace(tzinfo=UTC)


def quote(
    source: str, provider: str, listing: str, meter: str, price: str | None, seen: str, **more: Any
) -> dict[str, Any]:
    """Return one row as a parser yields it; ``price`` per million tokens or per GPU-hour."""
    return {
        "source": source,
        "provider": provider,
        "listing_id": listing,
        "meter": meter,
        "price_text": price,
        "quoted_unit": "per_gpu_hour" if meter == "GPU_H" else "per_mtok",
        "currency": "USD",
        "tenor": "on_demand",
        "is_official_date": False,
        "status": "offered" if price is not None else "unknown",
        "observed_at": at(seen),
        "tier": "E4",
        "capture_sha256": "0" * 64,
    } | more


def frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows of :func:`quote` as a frame that satisfies ``schemas.Quote``."""
    made = schemas.frame(schemas.Quote, [dict(row) for row in rows])
    return schemas.validate(schemas.Quote, made, "anomaly")


def replaced(quotes: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return quotes with some said otherwise: same seller, listing, meter, tenor and moment."""
    key = ["source", "provider", "listing_id", "meter", "tenor", "observed_at"]
    return pl.concat([quotes.join(rows, on=key, how="anti"), rows])


def normalised(quotes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return observations and rejections, mapped by the packaged registers."""
    sources = quotes["source"].unique().sort()
    licences = pl.DataFrame({"source": sources}).with_columns(licence_id=pl.lit("facts"))
    registers = Registers(register.provider_map(), register.listing_map(), licences)
    return normalise(quotes, registers, rules().bounds)


def twin(index_id: str, first: date | None = None, **changed: Any) -> RateDefinition:
    """Return a packaged definition, with another first day or other sources where told."""
    (found,) = packaged(index_id)
    assert isinstance(found, RateDefinition)
    return found.model_copy(update=changed | ({"effective_from": first} if first else {}))


def spans(*rows: tuple[str, str, str, str]) -> Coverage:
    """Return coverage declared by hand: source, mode, from, to."""
    columns = {"source": pl.String, "mode": pl.String}
    table = pl.DataFrame(
        [(s, mode, at(a), at(b)) for s, mode, a, b in rows],
        schema=columns | {"covered_from": MOMENT, "covered_to": MOMENT},
        orient="row",
    )
    return Coverage(table, pl.DataFrame(schema={"source": pl.String, "captured_at": MOMENT}))


def bodies(source: str, moments: Sequence[datetime]) -> Coverage:
    """Return the coverage of a source that is read body by body."""
    made = spans((source, "snapshot", "2024-01-01 00:00", "2027-12-31 00:00"))
    taken_at = pl.DataFrame(
        {"source": [source] * len(moments), "captured_at": moments},
        schema={"source": pl.String, "captured_at": MOMENT},
    )
    return Coverage(made.spans, taken_at)


@dataclass(frozen=True)
class Told:
    """What an index said on each day."""

    plan: Plan
    series: Series
    rejections: pl.DataFrame

    def _row(self, day: date) -> dict[str, Any]:
        rows = self.series.fixings.filter(pl.col("ref_date") == day)
        return rows.row(0, named=True)

    def value(self, day: date) -> str | None:
        """Return the published value as text, ``None`` without one."""
        row = self._row(day)
        if row["value_units"] is None:
            return None
        return text(row["value_units"], row["decimals"])

    def values(self, *days: date) -> list[str | None]:
        """Return the values of several days."""
        return [self.value(day) for day in days]

    def level(self, day: date) -> tuple[str, str | None]:
        """Return the level of the waterfall and the chained level in points."""
        row = self._row(day)
        chained = row["chained_level"]
        return row["waterfall"], None if chained is None else text(chained, 4)

    def flags(self, day: date) -> set[str]:
        """Return which of the flags of a rate's determination the day has."""
        row = self._row(day)
        known = {
            "HELD": "has_held",
            "IMPUTED": "has_imputed",
            "DISPERSED": "is_dispersed",
            "CONFIRMED_SAME_PATH": "is_confirmed_same_path",
        }
        return {flag for flag, column in known.items() if row[column]}

    def _lines(self, day: date) -> pl.DataFrame:
        place = self.series.index_days.index(day)
        offers = self.plan.rows.filter(pl.col("day") == place).drop("day")
        return self.series.contributions(self.plan.index_id, day, offers)

    def line(self, day: date, group: str) -> tuple[str, str, str | None]:
        """Return status, reason and standing price of one member."""
        rows = self._lines(day).filter((pl.col("group") == group) & (pl.col("status") != "REFUSED"))
        status, reason, nano = rows.select("status", "reason", "price_nano").row(0)
        return status, reason, None if nano is None else plain(nano)

    def standing(self, day: date) -> dict[str, str | None]:
        """Return the standing price of each member."""
        rows = self._lines(day).filter(pl.col("status") != "REFUSED")
        return {
            group: None if nano is None else plain(nano)
            for group, nano in rows.select("group", "price_nano").iter_rows()
        }

    def refused(self, day: date, group: str) -> dict[str, str]:
        """Return listing and reason of a group's offers that did not reach the panel."""
        rows = self._lines(day).filter((pl.col("group") == group) & (pl.col("status") == "REFUSED"))
        return dict(rows.select("listing_id", "reason").iter_rows())

    def turned_away(self, provider: str) -> set[tuple[str, str]]:
        """Return listing and reason of the rows of a seller that gave no price."""
        rows = self.rejections.filter(pl.col("provider") == provider)
        return set(rows.select("listing_id", "reason").iter_rows())


def text(units: int, decimals: int) -> str:
    """Return published units as text with all decimals."""
    return f"{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"


def plain(nano: int) -> str:
    """Return a price in nano-units as text without closing zeros."""
    return text(nano, 9).rstrip("0").rstrip(".")


def told(
    definition: RateDefinition,
    meter: str,
    quotes: pl.DataFrame,
    first: date,
    last: date,
    coverage: Coverage | None = None,
    *,
    two_paths: bool = False,
) -> Told:
    """Return what an index says from its first day on.

    Args:
        definition: the index; its first vintage is frozen on ``first`` or later.
        meter: one of its meters.
        quotes: everything that was seen of its good.
        first: first index day.
        last: last index day.
        coverage: what the sources speak about; ``None``: as the bundle declares.
        two_paths: jumps need two paths, as in a live run.
    """
    steady, shifted = without_shifted(quotes, rules())
    observations, rejections = normalised(steady)
    declared = taken().inputs.coverage if coverage is None else coverage
    return dataclasses.replace(
        observed(definition, meter, observations, first, last, declared, two_paths=two_paths),
        rejections=pl.concat([shifted, rejections]),
    )


def observed(
    definition: RateDefinition,
    meter: str,
    observations: pl.DataFrame,
    first: date,
    last: date,
    declared: Coverage,
    register_of_sources: rights.Rights | None = None,
    *,
    two_paths: bool = False,
) -> Told:
    """Return the same as :func:`told` from observations on."""
    days = clock.days(first, last)
    none = taken().inputs
    inputs = Inputs(observations, none.volumes.clear(), none.rates.clear(), declared)
    spoken = determine.covered_days(inputs, definition.session, days, rules())
    masks = [spoken[s] for s in definition.sources if s in spoken]
    covered = np.logical_and.reduce(masks)
    windows = representative.window_table(definition.session, days)
    pieces = segments(observations, declared, rules())
    table = representative.price_table(pieces, windows, rules())
    plan = series.plan(
        table,
        definition,
        meter,
        days,
        covered,
        rules(),
        needs_two_paths=two_paths,
        rights=register_of_sources,
    )
    made = series.determine_series([plan], days, windows["cut_us"].to_list(), rules())
    return Told(plan, made, schemas.empty(schemas.Rejection))


@dataclass(frozen=True)
class Shown:
    """What one day of an index has to show.

    ``lines``: status, reason and standing price by group; ``out``: reason by group and listing.
    """

    day: date
    value: str | None
    flags: frozenset[str] = frozenset()
    lines: Mapping[str, tuple[str, str, str | None]] = dataclasses.field(default_factory=dict)
    out: Mapping[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    waterfall: str = "REDUCED"
    chained: str | None = "1000.0000"


@dataclass(frozen=True)
class Case:
    """An anomaly: how the index is told, and the days before, inside and after it."""

    make: Callable[[], Told]
    days: tuple[Shown, ...]


def check(case: Case) -> None:
    """Compare every day of a case with what the index says, all at once."""
    found = case.make()
    said = [
        Shown(
            s.day,
            found.value(s.day),
            frozenset(found.flags(s.day)),
            {g: found.line(s.day, g) for g in s.lines},
            {(g, n): found.refused(s.day, g).get(n, "") for g, n in s.out},
            *found.level(s.day),
        )
        for s in case.days
    ]
    wrong = [f"said {a}\nnot  {b}" for a, b in zip(said, case.days, strict=True) if a != b]
    assert not wrong, "\n".join(wrong)


def was(
    day: date,
    value: str | None,
    *flags: str,
    out: Mapping[tuple[str, str], str] | None = None,
    waterfall: str = "REDUCED",
    chained: str | None = "1000.0000",
    **lines: tuple[str, str, str | None],
) -> Shown:
    """Return one day of a case; a group's dash is written as an underscore."""
    named = {group.replace("_", "-"): line for group, line in lines.items()}
    return Shown(day, value, frozenset(flags), named, out or {}, waterfall, chained)


def seen(price: str, reason: str = "") -> tuple[str, str, str | None]:
    """Return the line of an observed member."""
    return "OBSERVED", reason, price


def held(price: str, reason: str = "JUMP_UNCONFIRMED") -> tuple[str, str, str | None]:
    """Return the line of a held member."""
    return "HELD", reason, price


def imputed(price: str, reason: str = "NO_PRICE") -> tuple[str, str, str | None]:
    """Return the line of an imputed member."""
    return "IMPUTED", reason, price


def left_out(reason: str = "GROSS_ERROR") -> tuple[str, str, str | None]:
    """Return the line of a member that has no price and never stood."""
    return "DROPPED", reason, None
