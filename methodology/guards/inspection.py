"""One round of one source through the guards: state and quotes in, state and quotes out (2.11)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from methodology import schemas
from methodology.eligibility import Registers
from methodology.guards import moves, rows, whole
from methodology.guards.figures import KEY, figures, standing
from methodology.guards.memory import noted, remembered
from methodology.guards.releases import Release
from methodology.guards.state import GuardState, Memory, Round
from methodology.guards.thresholds import DEFAULT, Thresholds


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a whole source is refused, since when, and by how many bodies in a row."""

    source: str
    reason: str
    detail: str
    since: datetime
    bodies: int


@dataclass(frozen=True)
class Inspection:
    """What the guards made of a round.

    ``quotes``: the same rows in the same order; a refused one has no price and status ``unknown``,
    which ends the older price (2.4). ``rejections``: one ``schemas.Rejection`` of stage
    ``validate`` per refused price. ``notes``: source, provider, listing_id, code, detail: what was
    seen and refuses nothing. ``verdict``: set when every price was refused.
    """

    state: GuardState
    quotes: pl.DataFrame
    rejections: pl.DataFrame
    verdict: Verdict | None
    notes: pl.DataFrame


def inspect(
    state: GuardState,
    quotes: pl.DataFrame,
    facts: Round,
    registers: Registers,
    others: pl.DataFrame,
    releases: Iterable[Release] = (),
    limits: Thresholds = DEFAULT,
) -> Inspection:
    """Return what may be believed of one round of one source, and what to remember of it.

    Args:
        state: the source's memory after the round before; ``GuardState.new`` for the first one.
        quotes: ``schemas.Quote`` rows of the round, in a fixed order. A market of asks comes as
            the quotes that its depth makes.
        facts: the source and the round.
        registers: reviewed lines.
        others: ``crowd.peers`` of the other sources; rows of the source's own path are left out.
        releases: ``releases.load_releases()``.
        limits: the figures of 2.11, with the currency rates of the day.

    Raises:
        ValueError: quotes of another source, or a round before the last one seen.
    """
    if quotes.select((pl.col("source") != facts.source).any()).item():
        raise ValueError(f"quotes of another source than {facts.source}")
    last = state.memory.captured_at
    if last is not None and facts.captured_at < last:
        raise ValueError(f"{facts.source}: a body of {facts.captured_at} after one of {last}")
    told = figures(quotes, registers)
    now = standing(told, facts.captured_at)
    before = current(state, facts, limits)
    far = others.filter(pl.col("path") != (facts.path or facts.source))
    compared = moves.compared(now, before, far, limits)
    judged, shared = judge(compared, limits)
    judged = released(judged, state, facts, releases)
    reason, detail = _whole(state, now, facts, shared, releases, limits)
    refused = _refused(told, judged, state, facts, reason, detail)
    refused = refused.sort("row")
    memory = _memory(state, facts, reason, now.height)
    offers = remembered(state.offers, now, refused, facts.captured_at, limits)
    notes = noted(state, now, quotes, judged, shared, facts, registers, limits)
    verdict = None
    if reason is not None and memory.since is not None:
        verdict = Verdict(facts.source, reason, detail, memory.since, memory.bodies)
    return Inspection(GuardState(memory, offers), *_applied(quotes, refused), verdict, notes)


def current(state: GuardState, facts: Round, limits: Thresholds) -> pl.DataFrame:
    """Return the remembered offers, with a price only where it counts as history at a round.

    A price counts while the source speaks of the offer; one that is refused for months is still
    measured by what stood before. ``today`` is empty where it speaks of another day.
    """
    oldest = facts.captured_at - timedelta(days=limits.memory_days)
    counts = pl.col("shown_at") >= oldest
    none = pl.lit([], pl.List(pl.Int64))
    return state.offers.with_columns(
        pl.when(counts).then("nano").alias("nano"),
        pl.when(pl.col("day") == facts.captured_at.date())
        .then("today")
        .otherwise(none)
        .alias("today"),
    )


def judge(compared: pl.DataFrame, limits: Thresholds) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return compared rows with ``reason`` and ``detail``, and the moves that many share.

    The rows may be of any number of sources; each is judged by its own.
    """
    shared = whole.shared_moves(compared, limits)
    judged = moves.slipped(compared, limits)
    judged = rows.with_placeholders(judged, limits)
    judged = rows.with_swaps(judged, limits)
    judged = rows.with_exchanged(judged, limits)
    judged = rows.with_absurd(judged, limits)
    judged = rows.with_third_prices(judged, limits)
    sellers = (
        shared.filter(pl.col("provider").is_not_null() & ~pl.col("is_note"))
        .sort("side", nulls_last=False)
        .unique(["source", "provider"], keep="first", maintain_order=True)
        .select("source", "provider", _reason="reason", _detail="detail")
    )
    judged = judged.join(sellers, on=["source", "provider"], how="left", maintain_order="left")
    return (
        judged.with_columns(
            pl.coalesce("_reason", "reason").alias("reason"),
            pl.coalesce("_detail", "detail").alias("detail"),
        ).drop("_reason", "_detail"),
        shared,
    )


def released(
    judged: pl.DataFrame, state: GuardState, facts: Round, releases: Iterable[Release]
) -> pl.DataFrame:
    """Return judged rows without the reasons that a reviewed line ended."""
    lines = [r for r in releases if r.source == facts.source]
    if not lines:
        return judged
    since = state.offers.filter(pl.col("held").is_not_null()).select(
        *KEY, pl.col("held").alias("_held"), pl.col("held_since").dt.date().alias("_since")
    )
    found = judged.join(since, on=list(KEY), how="left", nulls_equal=True, maintain_order="left")
    ended = pl.any_horizontal(
        ((pl.col("reason") == r.reason) | (pl.col("_held") == r.reason))
        & (pl.col("_since") <= r.day)
        & (pl.lit(r.listing == "*") | (pl.col("listing_id") == r.listing))
        for r in lines
    ).fill_null(False)
    return found.with_columns(
        pl.when(~ended).then("reason").alias("reason"),
        pl.when(~ended).then("detail").alias("detail"),
    ).drop("_since", "_held")


def _whole(
    state: GuardState,
    now: pl.DataFrame,
    facts: Round,
    shared: pl.DataFrame,
    releases: Iterable[Release],
    limits: Thresholds,
) -> tuple[str | None, str]:
    """Return why the whole source is refused (None: it is not), and the detail."""
    memory, seen = state.memory, now.height
    reasons: list[tuple[str, str]] = []
    if facts.page_cap is not None and facts.page_cap in facts.pages:
        reasons.append(
            ("TRUNCATED_AT_CAP", f"a body has exactly {facts.page_cap} rows, where the source cuts")
        )
    priced = state.offers["nano"].count() if memory.captured_at else 0
    if now.is_empty() and priced:
        reasons.append(
            ("NAME_DRIFT", f"no price in {sum(facts.pages)} rows; {priced} offers had prices")
        )
    least, whole_count = limits.rows
    if memory.rows is not None and memory.rows >= limits.rows_from:
        short = seen * whole_count < memory.rows * least
        again = memory.rows_held is not None and (
            seen * whole_count >= memory.rows_held * least
            and memory.rows_held * whole_count >= seen * least
        )
        if short and not again:
            reasons.append(("ROW_COUNT", f"{seen} offers after {memory.rows}"))
    found = shared.filter(pl.col("provider").is_null() & ~pl.col("is_note"))
    if found["side"].drop_nulls().len() == 1:  # one side moved: that says more than the whole
        found = found.filter(pl.col("side").is_not_null())
    for reason, side, detail in found.select("reason", "side", "detail").iter_rows():
        reasons.append((reason, detail if side is None else f"side {side}: {detail}"))
    ended = {
        r.reason
        for r in releases
        if r.source == facts.source
        and r.listing == "*"
        and memory.since is not None
        and memory.since.date() <= r.day
    }
    reasons = [each for each in reasons if each[0] not in ended]
    return reasons[0] if reasons else (None, "")


def _refused(
    told: pl.DataFrame,
    judged: pl.DataFrame,
    state: GuardState,
    facts: Round,
    reason: str | None,
    detail: str,
) -> pl.DataFrame:
    """Return ``row``, ``reason``, ``detail`` of every refused price, one line each."""
    priced = told.filter(pl.col("text").is_not_null())
    was = state.offers.select(*KEY, was="nano", was_in="currency")
    seen = priced.join(was, on=list(KEY), how="left", nulls_equal=True, maintain_order="left").join(
        judged.filter(pl.col("reason").is_not_null()).select(
            *KEY, "nano", _reason="reason", _detail="detail"
        ),
        on=[*KEY, "nano"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    filler = pl.col("is_below_zero") | (pl.col("nano") == 0)
    causes = [
        (rows.confusable(), "CONFUSABLE_NAME", pl.format("{} of {}", "listing_id", "provider")),
        (
            ~pl.col("currency").is_in(list(facts.currencies)),
            "CURRENCY_SWITCH",
            pl.format("currency {}; pinned to {}", "currency", pl.lit("/".join(facts.currencies))),
        ),
        (
            (pl.col("was").is_not_null() & (pl.col("was_in") != pl.col("currency"))).fill_null(
                False
            ),
            "CURRENCY_SWITCH",
            pl.format("currency {}, until now {}", "currency", "was_in"),
        ),
        (
            (filler & pl.col("was").is_not_null()).fill_null(False),
            "SENTINEL",
            pl.format("price_text {} after {} nano", "text", "was"),
        ),
    ]
    if reason is not None:
        causes.append((pl.lit(True), reason, pl.lit(detail)))
    first = pl.coalesce(
        *(pl.when(hit).then(pl.lit(code)) for hit, code, _ in causes), pl.col("_reason")
    )
    words = pl.coalesce(*(pl.when(hit).then(text) for hit, _, text in causes), pl.col("_detail"))
    return (
        seen.with_columns(first.alias("reason"), words.alias("detail"))
        .filter(pl.col("reason").is_not_null())
        .select("row", *KEY, "text", "nano", "reason", "detail")
    )


def _applied(quotes: pl.DataFrame, refused: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return quotes without the refused prices, and their rejections."""
    marked = quotes.with_row_index("row").join(
        refused.select("row", "reason", "detail"), on="row", how="left", maintain_order="left"
    )
    hit = pl.col("reason").is_not_null()
    rejections = marked.filter(hit).select(
        "source",
        "provider",
        "listing_id",
        pl.lit("validate").alias("stage"),
        "reason",
        pl.format("{} {}: {}", "meter", "price_text", "detail").alias("detail"),
        "capture_sha256",
    )
    kept = marked.with_columns(
        pl.when(~hit).then("price_text").alias("price_text"),
        pl.when(hit).then(pl.lit("unknown")).otherwise("status").alias("status"),
    )
    return kept.select(quotes.columns), rejections.select(
        list(schemas.schema_of(schemas.Rejection))
    )


def _memory(state: GuardState, facts: Round, reason: str | None, seen: int) -> Memory:
    """Return what is remembered of the source as a whole after a round."""
    memory = state.memory
    same = reason is not None and memory.reason is not None
    return replace(
        memory,
        path=facts.path or facts.source,
        is_proven=facts.is_proven,
        captured_at=facts.captured_at,
        digest=facts.digest,
        rows=seen if reason is None else memory.rows,
        rows_held=seen if reason == "ROW_COUNT" else None,
        reason=reason,
        since=None if reason is None else memory.since if same else facts.captured_at,
        bodies=0 if reason is None else memory.bodies + 1 if same else 1,
    )
