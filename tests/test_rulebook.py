"""The rulebook against the parameters and the code: neither can change alone.

Figures of chapter 15 were worked by hand on the page; the code must give the same.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from index import words
from methodology import composite, eligibility, series, waterfall, weights
from methodology import definition as definitions
from methodology import determination as det
from methodology.definition import load_methodology
from methodology.derived_definitions import QualityDefinition, SpreadDefinition, UsageDefinition
from methodology.estimators import CODES, MEDIAN, TRIM25
from methodology.panels import Vintage, weights_for

ROOT = Path(__file__).resolve().parent.parent
RULEBOOK = (ROOT / "methodology" / "README.md").read_text("utf-8")
RULES = load_methodology()

STATED = re.compile(r"`([A-Za-z_][A-Za-z0-9_.]*)` = ([^\s|;,)]+)")
CLAUSE = re.compile(r"^#{2,3} (\d+(?:\.\d+)?) ", re.MULTILINE)
CITED = re.compile(r"rulebook\s+((?:\d+(?:\.\d+)?(?:\s*(?:,|to|and|-)\s*)?)+)")


def text_of(value: object) -> str:
    """Return a TOML value the way the rulebook writes it."""
    if isinstance(value, list):
        return "/".join(str(part) for part in value)
    return value.isoformat() if isinstance(value, date) else str(value)


def flat(table: dict[str, object], path: str = "") -> dict[str, str]:
    """Return every leaf of a TOML table by its dotted path."""
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= flat(value, f"{path}{key}.")
        else:
            found[path + key] = text_of(value)
    return found


PARAMETERS = flat(
    tomllib.loads((ROOT / "methodology/rules/methodology-1.1.0.toml").read_text("utf-8"))
)


def stated() -> dict[str, set[str]]:
    """Return every parameter the rulebook states, with the values it gives."""
    found: dict[str, set[str]] = {}
    for name, value in STATED.findall(RULEBOOK):
        found.setdefault(name, set()).add(value.rstrip(".:"))
    return found


def clauses() -> set[str]:
    return set(CLAUSE.findall(RULEBOOK))


def cited() -> dict[str, str]:
    """Return every clause that a file of the project cites, with one file that does."""
    found: dict[str, str] = {}
    for folder in ("methodology", "collectors", "index", "tests"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix not in (".py", ".toml", ".sql") or file == Path(__file__):
                continue
            for match in CITED.finditer(file.read_text("utf-8")):
                for number in re.findall(r"\d+(?:\.\d+)?", match[1]):
                    found.setdefault(number, file.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize("path", sorted(PARAMETERS))
def test_every_parameter_stands_in_the_rulebook_with_its_value(path: str) -> None:
    assert stated().get(path) == {PARAMETERS[path]}, f"rulebook and rules differ on {path}"


def test_every_parameter_the_rulebook_states_exists() -> None:
    named = {name for name in stated() if not name.startswith("methodology.")}
    assert named - set(PARAMETERS) == set()


def test_every_parameter_the_rulebook_mentions_exists() -> None:
    tables = {path.partition(".")[0] for path in PARAMETERS if "." in path}
    mentioned = set(re.findall(r"`([a-z_0-9]+\.[A-Za-z_0-9.]+)`", RULEBOOK))
    parameters = {name for name in mentioned if name.partition(".")[0] in tables}
    assert parameters
    assert parameters - set(PARAMETERS) == set()


CONSTANTS = sorted(name for name in stated() if name.startswith("methodology."))


@pytest.mark.parametrize("path", CONSTANTS)
def test_every_figure_fixed_in_code_is_the_one_stated(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert stated()[path] == {str(getattr(importlib.import_module(module), name))}


def test_the_rulebook_states_the_figures_fixed_in_code() -> None:
    assert {c.rpartition(".")[2] for c in CONSTANTS} == {
        "NANO",
        "MAX_RELATIVE_ERROR",
        "MAX_PRICE_NANO",
        "ROOT_SCALE",
        "WEIGHT_UNITS",
        "LEVEL_BASE",
        "DIVISOR_UNITS",
        "ENTRY_DAYS",
        "MIN_SELLERS",
        "TOLERANCE",
    }


def test_every_clause_that_code_cites_exists() -> None:
    missing = {number: file for number, file in cited().items() if number not in clauses()}
    assert missing == {}


def test_citations_are_found_at_all() -> None:
    assert {"1", "2.5", "5.1", "5.4", "7.4", "8.4", "11.1", "13.7"} <= set(cited())


def test_no_clause_stands_twice() -> None:
    numbers = CLAUSE.findall(RULEBOOK)
    assert sorted(numbers) == sorted(set(numbers))


def test_every_clause_the_rulebook_refers_to_exists() -> None:
    referred = set(re.findall(r"(?<![\d.,/·$=] )\((\d+\.\d+)\)", RULEBOOK))
    assert referred
    assert referred - clauses() == set()


def test_every_key_of_a_definition_is_explained() -> None:
    keys = {
        field.alias or name
        for model in (
            definitions.RateDefinition,
            definitions.CompositeDefinition,
            SpreadDefinition,
            UsageDefinition,
            QualityDefinition,
        )
        for name, field in model.model_fields.items()
        if name != "digest"
    }
    chapter = RULEBOOK.partition("### 1.4")[2].partition("### 1.5")[0]
    assert {key for key in keys if f"`{key}`" not in chapter} == set()


def test_every_reason_code_is_explained() -> None:
    source = "".join(
        (ROOT / "methodology" / f"{name}.py").read_text("utf-8")
        for name in ("units", "eligibility", "admission", "rights", "panels", "plans")
    )
    codes = set(re.findall(r'"([A-Z]+_[A-Z_]+[A-Z])"', source)) | set(det.REASONS) - {""}
    codes -= {"NO_FIX"}
    codes |= set(re.findall(r'PriceError\("([A-Z_]+)"', source))
    assert {"UNMAPPED_LISTING", "CONFLICTING_ROWS", "NOT_IN_PANEL", "ZERO_PRICE"} <= codes
    assert {code for code in codes if code not in RULEBOOK} == set()


def test_every_status_of_a_contribution_is_explained() -> None:
    section = RULEBOOK.partition("### 2.7")[2].partition("### 2.8")[0]
    named = set(re.findall(r"`([A-Z_]+)`", section))
    assert named == set(det.STATES) | {"REFUSED"}


def test_every_flag_of_a_fixing_is_explained() -> None:
    section = RULEBOOK.partition("### 11.5")[2].partition("### 11.6")[0]
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))
    drafts = "".join(file.read_text("utf-8") for file in (ROOT / "index").glob("*.py"))
    raised = set(re.findall(r'^ {8}\("([A-Z][A-Z_]+)", ', drafts, re.MULTILINE))
    assert "PANEL_BREAK" in raised
    assert raised <= told
    assert told == set(words.FLAGS)


def test_every_level_of_the_waterfall_is_explained() -> None:
    section = RULEBOOK.partition("### 10.1")[2].partition("### 10.2")[0]
    assert tuple(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE)) == waterfall.LEVELS


def test_units_of_code_agree_with_the_published_decimals() -> None:
    precision = RULES.precision
    assert 10**precision.weight_decimals == weights.WEIGHT_UNITS
    assert 10**precision.points_decimals == composite.POINT_UNITS
    assert 10**RULES.composite.quantity_decimals == composite.QUANTITY_UNITS
    for family, decimals in (("GPR", precision.gpu_decimals), ("TKR", precision.token_decimals)):
        rate = next(d for d in definitions.load_definitions() if d.family == family)
        assert isinstance(rate, definitions.RateDefinition)
        assert series.decimals_of(rate, RULES) == decimals


def test_first_vintage_and_first_estimator_need_the_same_groups() -> None:
    assert RULES.estimator.median == RULES.vintage.start_groups == RULES.waterfall.reduced_groups
    assert RULES.estimator.small_panel == RULES.waterfall.small_groups


def test_currencies_of_the_rulebook_are_those_of_the_code() -> None:
    assert eligibility.CURRENCIES == ("USD", "CNY", "EUR")


# Chapter 15, worked on the page.

FIVE = ("ash", "birch", "cedar", "elm", "fir")
VOLUMES = (900, 400, 100, None, 25)


def frozen(vintage: Vintage) -> det.Frozen:
    n = len(vintage.groups)
    yes = np.array([True])
    return det.Frozen(
        weight=np.array([vintage.weights], np.int64),
        estimator=np.array([CODES[vintage.estimator]], np.int8),
        jump_ratio=np.array([RULES.jump.gpu_ratio.as_integer_ratio()], np.int64),
        is_small=~yes,
        is_capped=yes,
        is_covered=yes,
        vintages=[vintage],
        places=[np.arange(n)],
    )


def vintage_of(volumes: tuple[int | None, ...], basis: str, estimator: str) -> Vintage:
    names = FIVE if len(volumes) == 5 else tuple(f"seller{n:02d}" for n in range(1, 11))
    made = weights_for(volumes, basis, estimator, RULES)
    sources = ("catalogue",) * len(volumes)
    return Vintage("2026-08", date(2026, 5, 1), names, sources, made, volumes, basis, estimator)


def one_day(day: int, texts: list[str], panel: det.Frozen, state: det.State) -> tuple:
    price = np.array([[int(Fraction(t) * 10**9) for t in texts]], np.int64)
    sure, never = price > 0, np.zeros(price.shape, np.bool_)
    return det.determine(day, det.Prices(price, sure, never, sure, sure), panel, state, RULES)


def test_five_sellers_by_hand() -> None:
    vintage = vintage_of(VOLUMES, "V2", MEDIAN)
    assert vintage.weights == (24_000_000, 24_000_000, 24_000_000, 14_000_000, 14_000_000)
    panel = frozen(vintage)
    first, state = one_day(
        1, ["2.10", "2.40", "1.99", "2.79", "3.50"], panel, det.State.empty(1, 5)
    )
    assert Fraction(first.numerator[0], first.denominator[0]) == 2_400_000_000
    second, _ = one_day(2, ["2.00", "2.20", "1.90", "0", "3.50"], panel, state)
    assert det.STATES[second.status[0, 3]] == "IMPUTED"
    assert second.price[0, 3] == 2_657_142_857
    assert Fraction(second.numerator[0], second.denominator[0]) == 2_200_000_000
    others = det.weights_of(0, np.array([True, True, True, False, True]), panel, RULES)
    assert others.tolist() == [30_000_000, 30_000_000, 26_666_667, 0, 13_333_333]
    page = RULEBOOK.partition("### 15.1")[2].partition("### 15.2")[0]
    for figure in ("**2.4000**", "2.657142857", "**2.2000**", "0.26666667", "0.13333333"):
        assert figure in page


TEN = ["0.10", "0.20", "0.24", "0.25", "0.27", "0.28", "0.30", "0.38", "0.60", "0.90"]


def test_ten_sellers_by_hand() -> None:
    vintage = vintage_of((None,) * 10, "V4", TRIM25)
    assert vintage.weights == (10_000_000,) * 10
    panel = frozen(vintage)
    first, state = one_day(1, TEN, panel, det.State.empty(1, 10))
    assert Fraction(first.numerator[0], first.denominator[0]) == 282_000_000
    kept = [0, 0, 20_000_000, *[40_000_000] * 4, 20_000_000, 0, 0]
    assert first.kept[0].tolist() == kept
    second, _ = one_day(2, [*TEN[:9], "9.00"], panel, state)
    assert det.REASONS[second.reason[0, 9]] == "GROSS_ERROR"
    assert second.price[0, 9] == 900_000_000
    assert Fraction(second.numerator[0], second.denominator[0]) == 282_000_000
    page = RULEBOOK.partition("### 15.2")[2]
    assert "  ".join(TEN) in page
    assert "**0.282000**" in page
