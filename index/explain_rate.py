"""The steps of a rate, in the order in which its value came about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from index.explain_step import Step
from index.reading import nano
from methodology.definition import Methodology, RateDefinition
from methodology.units import round_half_up

Rows = Sequence[Mapping[str, Any]]

_ACCEPTED = ("MOVED_WITH_CROWD", "CONFIRMED_SAME_PATH", "CONFIRMED_TWO_PATHS")

_ESTIMATORS = {
    "weighted_median": ("7.4", (), "methodology.estimators.kept_at_quantile"),
    "trimmed_mean_25": ("7.2", ("estimator.trimmed_25",), "methodology.estimators.kept_trimmed"),
    "trimmed_mean_40": ("7.2", ("estimator.trimmed_40",), "methodology.estimators.kept_trimmed"),
}


def rate_steps(
    record: Mapping[str, Any],
    rows: Rows,
    vintage: Mapping[str, Any],
    definition: RateDefinition,
    rules: Methodology,
    legs: Mapping[str, Mapping[str, Any]],
) -> list[Step]:
    """Return the steps of one rate index's fixing.

    Args:
        record: the fixing.
        rows: its contribution lines.
        vintage: the panel in force, as the basket it cites.
        definition: the index.
        rules: the parameters of its day.
        legs: observations by id.
    """
    members = [r for r in rows if r["status"] != "REFUSED"]
    meter = next(m for m in definition.meters if definition.index_id(m) == record["index_id"])
    steps = [
        Step(
            "input window",
            f"{record['window_open']} to {record['cutoff_at']} ({record['session']})",
            "4.2",
            (),
            "methodology.clock.window",
        ),
        Step(
            "who was looked at",
            f"{record['n_collected']} offers: {_counts(rows)}",
            "2.7",
            (),
            "methodology.panels.candidates",
        ),
        Step(
            "evidence",
            f"{definition.admission}: tiers "
            + (", ".join(sorted({r["tier"] for r in members if r["tier"]})) or "none"),
            "2.5",
            (),
            "methodology.panels.candidates",
        ),
        Step(
            "representative price",
            "of each offer the price that held for more than half of the window",
            "4.3",
            ("window.max_fetch_age_hours",),
            "methodology.representative.representative_prices",
        ),
    ]
    if meter in rules.blend:
        steps.append(_blend(meter, members, rules, legs))
    steps += _panel_steps(record, vintage, rules)
    steps += _screen_steps(members, definition)
    if vintage.get("estimator"):
        steps += _value_steps(record, members, vintage["estimator"], definition)
    steps += _closing_steps(record, definition)
    return steps


def _counts(rows: Rows) -> str:
    found = Counter(r["reason"] if r["status"] == "REFUSED" else r["status"] for r in rows)
    return ", ".join(f"{n} {name}" for name, n in sorted(found.items())) or "none"


def _blend(
    meter: str, members: Rows, rules: Methodology, legs: Mapping[str, Mapping[str, Any]]
) -> Step:
    parts = rules.blend[meter]
    formula = f"({' + '.join(f'{n}*{m}' for m, n in parts.items())}) / {sum(parts.values())}"
    example = ""
    for row in members:
        prices = {
            legs[name]["meter"]: legs[name]["price_nano"]
            for name in (row["observation_id"] or "").split("+")
            if name in legs
        }
        if row["kept"] and set(parts) <= set(prices):
            total = sum(n * prices[m] for m, n in parts.items())
            made = round_half_up(total, sum(parts.values()))
            if made == row["price_nano"]:
                terms = " + ".join(f"{n}*{nano(prices[m])}" for m, n in parts.items())
                example = f"; {row['group']}: ({terms}) / {sum(parts.values())} = {nano(made)}"
                break
    paths = tuple(f"blend.{meter}.{m}" for m in parts)
    return Step("blend", formula + example, "2.3", paths, "methodology.representative.blend")


def _panel_steps(
    record: Mapping[str, Any], vintage: Mapping[str, Any], rules: Methodology
) -> list[Step]:
    if not vintage.get("members"):
        return [
            Step(
                "panel", "none could be frozen", "8.1",
                ("vintage.months_ahead", "vintage.start_groups"), "methodology.panels.vintages",
            )
        ]  # fmt: skip
    weights = [one["weight"] for one in vintage["members"]]
    many = len(weights) >= rules.estimator.trimmed_40
    cap = (
        ("weights.cap_largest_panels",) if many else ("weights.cap_floor", "weights.cap_numerator")
    )
    return [
        Step(
            "panel",
            f"vintage {record['basket_version']}, frozen on {vintage['frozen_on']}, "
            f"{len(weights)} groups",
            "8.1",
            ("vintage.months_ahead", "vintage.start_groups"),
            "methodology.panels.freeze",
        ),
        Step(
            "volumes",
            f"rank {vintage['volume_rank']}, {record['volume_basis']}",
            "5.1",
            (),
            "methodology.panels.weights_for",
        ),
        Step(
            "weights",
            f"capped, from {min(weights)} to {max(weights)}, published with eight decimals",
            "5.3",
            cap,
            "methodology.weights.capped_shares",
        ),
    ]


def _screen_steps(members: Rows, definition: RateDefinition) -> list[Step]:
    kind = "gpu" if definition.family == "GPR" else "token"

    def named(*reasons: str) -> str:
        hit = [f"{r['group']} ({r['reason']})" for r in members if r["reason"] in reasons]
        return ", ".join(hit) or "nobody"

    imputed = [r for r in members if r["status"] == "IMPUTED"]
    steps = [
        Step(
            "jumps",
            "held or missing: " + named("JUMP_UNCONFIRMED")
            + "; accepted: " + named(*_ACCEPTED),
            "6.2",
            (f"jump.{kind}_ratio", "jump.crowd_ratio", "jump.crowd_groups", "jump.max_held_days"),
            "methodology.screens.jumps",
        ),
        Step(
            "gross errors",
            "excluded: " + named("GROSS_ERROR"),
            "6.3",
            ("gross.exclude_ratio", "gross.reenter_ratio", "gross.max_excluded_share"),
            "methodology.screens.gross_errors",
        ),
    ]  # fmt: skip
    dropped = [r["group"] for r in members if r["status"] == "DROPPED"]
    if dropped:
        told = f"{', '.join(dropped)}: out, the weights of the others computed anew"
        steps.append(
            Step(
                "dropped", told, "8.5", ("imputation.max_days",),
                "methodology.determination.weights_of",
            )
        )  # fmt: skip
    if imputed:
        told = ", ".join(f"{r['group']} at {nano(r['price_nano'])}" for r in imputed)
        steps.append(
            Step(
                "imputed", told, "8.4", ("imputation.max_days",),
                "methodology.determination.determine",
            )
        )  # fmt: skip
    return steps


def _value_steps(
    record: Mapping[str, Any], members: Rows, estimator: str, definition: RateDefinition
) -> list[Step]:
    clause, parameters, function = _ESTIMATORS[estimator]
    kept = sum(r["kept"] for r in members)
    total = sum((r["price_nano"] or 0) * r["kept"] for r in members)
    weighing = [r for r in members if r["kept"]]
    steps = [
        Step(
            "estimator",
            f"{estimator.replace('_', ' ')} over {sum(1 for r in members if r['weight_e8'])}; "
            f"{len(weighing)} weigh: {', '.join(r['group'] for r in weighing[:8])}"
            + (" ..." if len(weighing) > 8 else ""),
            clause,
            parameters,
            function,
        )
    ]
    if kept and record["value"] is not None:
        decimals = record["decimals"]
        units = round_half_up(total, kept * 10 ** (9 - decimals))
        whole, part = divmod(units, 10**decimals)
        steps += [
            Step(
                "one division",
                f"sum(p*k) / sum(k) = {total} / {kept} nano",
                "7.1",
                (),
                "methodology.estimators.exact_sums",
            ),
            Step(
                "one rounding",
                f"half up to {decimals} decimals: {whole}.{part:0{decimals}d}",
                "3.2",
                ("precision.gpu_decimals" if definition.family == "GPR" else
                 "precision.token_decimals",),
                "methodology.units.round_half_up",
            ),
        ]  # fmt: skip
    return steps


def _closing_steps(record: Mapping[str, Any], definition: RateDefinition) -> list[Step]:
    groups = "waterfall.small_groups" if definition.small_panel else "waterfall.reduced_groups"
    steps = [
        Step(
            "level of the waterfall",
            f"{record['waterfall']}: {record['n_used']} prices of {record['n_providers']} groups, "
            f"weight {record['weight_share']}, fresh {record['fresh_share']}"
            + (f"; {record['no_fix_reason']}" if record["no_fix_reason"] else ""),
            "10.1",
            ("waterfall.full_groups", groups, "waterfall.reduced_weight",
             "waterfall.carried_input_hours", "waterfall.carry_max_days"),
            "methodology.waterfall.level_from_inputs",
        ),
    ]  # fmt: skip
    if record["grade_components"]:
        parts = ", ".join(f"{k} {v}" for k, v in record["grade_components"].items())
        steps.append(
            Step(
                "grade", f"{record['grade']}: {parts}", "12.3",
                ("grade.a_score", "grade.b_score", "grade.c_score"), "methodology.quality.grade",
            )
        )  # fmt: skip
    if record["level"] is not None:
        steps.append(
            Step(
                "chained level", f"{record['level']}, {record['base_date']} = 1000", "8.3",
                ("precision.level_decimals",), "methodology.series.determine_series",
            )
        )  # fmt: skip
    for one in record["alt"]:
        steps.append(
            Step(
                "currency",
                f"exact rate x {one['fx_rate']} ({one['fx_source']} of {one['fx_date']}) = "
                f"{one['value']} {one['currency']}",
                "9.4",
                ("fx.max_age_days",),
                "methodology.fx.rate_for",
            )
        )
    return steps
