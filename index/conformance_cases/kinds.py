"""Which rule works through which vector: by its id, else by the fields it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from index.conformance_cases.hedonic import hedonic
from index.conformance_cases.indices import indices, method_of
from index.conformance_cases.linked import linked
from index.conformance_cases.markets import deduplicated
from index.conformance_cases.orders import capping, head_counts, influence, partitioned, samples
from index.conformance_cases.prices import hysteresis, restated, rounding
from index.conformance_cases.settling import exits, look_back, monthly
from index.conformance_cases.sheet import Sheet
from index.conformance_cases.tariffs import tariff

Rule = Callable[[Sheet], None]

BY_ID: Final[dict[str, Rule]] = {
    "TV01": indices,
    "TV02": indices,
    "TV03": indices,
    "TV04": indices,
    "TV05": samples,
    "TV06": samples,
    "TV07": capping,
    "TV08": linked,
    "TV09": monthly,
    "TV10": hedonic,
    "TV11": samples,
    "TV12": partitioned,
    "TV13": restated,
    "TV14": head_counts,
    "TV15": look_back,
    "TV16": influence,
    "TV17": rounding,
    "TV18": tariff,
    "TV19": hysteresis,
    "TV20": deduplicated,
    "SD01": exits,
}
"""Id of a vector to its rule."""

WHOLE: Final = (tariff, exits, partitioned, monthly, hysteresis, deduplicated)
"""Rules of one subject each: where such a file has ``cases``, each is a vector of its own."""

_ID: Final = re.compile(r"(?:^|[^A-Za-z])(TV|SD)(\d\d)")


def rule_of(told: dict[str, Any], stem: str) -> Rule | None:
    """Return the rule for a vector file; ``None`` when neither id nor fields tell."""
    for text in (str(told.get("id", "")), stem):
        found = _ID.search(text)
        if found and found[1] + found[2] in BY_ID:
            return BY_ID[found[1] + found[2]]
    return _by_fields(told)


def _by_fields(told: dict[str, Any]) -> Rule | None:
    cases = told.get("cases")
    first = cases[0] if isinstance(cases, list) and cases and isinstance(cases[0], dict) else {}
    names = {*told, *first}
    table: tuple[tuple[set[str], Rule], ...] = (
        ({"quantum", "value"}, rounding),
        ({"corrected", "restate"}, restated),
        ({"t0", "t1_observed"}, exits),
        ({"x", "w", "relative_change"}, influence),
        ({"w", "c"}, capping),
        ({"expected_partition_medians"}, partitioned),
        ({"expected_after_dedup"}, deduplicated),
        ({"expected_atc"}, tariff),
        ({"expected_fixed_base"}, indices),
        ({"expected_chained"}, indices),
    )
    for wanted, rule in table:
        if wanted <= names:
            return rule
    steps, rows = told.get("steps"), told.get("rows")
    if isinstance(steps, list) and steps and "dev" in steps[0]:
        return hysteresis
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        if "contributors" in rows[0]:
            return head_counts
        if "E0" in rows[0] or "scenario" in rows[0]:
            return look_back
    if "x" in names and any(n.startswith(("expected", "by_convention")) for n in names):
        return samples
    expected = told.get("expected")
    if isinstance(expected, dict):
        if all(re.fullmatch(r"\d{4}-\d\d", str(k)) for k in expected):
            return monthly
        if {"ols", "wls"} & {str(k).lower() for k in expected}:
            return hedonic
        if any(method_of(str(k).lower()) for k in expected):
            return indices
    return None
