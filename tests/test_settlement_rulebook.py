"""Chapter 17 of the rulebook against contracts, calendars and code: neither can change alone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from index import settling
from methodology import settlement
from methodology.calendars import load_calendars
from methodology.contracts import load_contracts

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "methodology" / "contracts"
TEXT = (ROOT / "methodology" / "README.md").read_text("utf-8")
CHAPTER = re.split(r"^## ", TEXT.partition("\n## 17 ")[2], maxsplit=1, flags=re.MULTILINE)[0]


def clause(number: str) -> str:
    return CHAPTER.partition(f"### {number} ")[2].partition("\n### ")[0]


def flat(table: dict[str, Any], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= flat(value, f"{path}{key}.")
        else:
            found[path + key] = str(value)
    return found


def files() -> dict[str, dict[str, str]]:
    read = (tomllib.loads(f.read_text("utf-8")) for f in sorted(FOLDER.glob("*.toml")))
    return {one["id"]: flat(one) for one in read}


def table() -> dict[str, dict[str, str]]:
    """Return what clause 17.11 says, by contract and key; empty cells are absent keys."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in clause("17.11").splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    (_, *names), *body = rows
    return {
        name: {key: cells[place] for key, *cells in body if cells[place]}
        for place, name in enumerate(names)
    }


WORDS_ONLY = {
    "schema", "id", "version", "title", "kind", "settles_on", "indicative_on", "currency",
    "size.unit", "event.comparison", "event.is_filled_admitted", "fallback.text",
}  # fmt: skip
"""Keys whose content the rulebook says in words, or which are ids."""


@pytest.mark.parametrize("name", sorted(files()))
def test_every_figure_of_a_template_stands_in_the_rulebook(name: str) -> None:
    told = {key: value for key, value in files()[name].items() if key not in WORDS_ONLY}
    assert table()[name] == told


def test_the_rulebook_names_every_template() -> None:
    assert set(table()) == set(files()) == set(load_contracts())


def test_words_of_the_events_clause_are_those_of_the_template() -> None:
    event = load_contracts()["H100-WEEK-ABOVE"].event
    assert event is not None
    assert (event.comparison, event.is_filled_admitted) == ("strictly_greater", False)
    for words in ("strictly greater", "the day before", f"to {event.places} decimals"):
        assert words in clause("17.9")


def test_a_contract_that_says_nothing_lives_by_the_shares_of_every_template() -> None:
    default = settlement.Missing()
    for one in load_contracts().values():
        if one.missing is not None:
            assert one.missing.rules == default


def test_every_code_is_explained() -> None:
    states = set(re.findall(r"^\| `([A-Z_]+)` \|", clause("17.4"), re.MULTILINE))
    assert states == set(settlement.STATES) == set(get_args(settlement.State)) == set(settling.WHY)
    statuses = set(re.findall(r"^\| `([A-Z_]+)` \|", clause("17.6"), re.MULTILINE))
    assert statuses == set(get_args(settlement.Status))
    for failure in set(get_args(settlement.Failure)) - {""}:
        assert f"`{failure}`" in clause("17.6")
    for answer in get_args(settlement.Answer):
        assert f"`{answer}`" in clause("17.9")
    for level in settlement.FILLED:
        assert f"`{level}`" in clause("17.4")


def test_every_basis_is_explained() -> None:
    from index.settle import BASES

    told = set(re.findall(r"^\| `([a-z]+)` \|", clause("17.10"), re.MULTILINE))
    assert told == set(BASES)


def test_every_calendar_and_rule_of_days_is_named() -> None:
    for name in load_calendars():
        assert f"`{name}`" in clause("17.2")
    for days in ("CAL", "BUS", "LAST_K"):
        assert f"| `{days}` |" in clause("17.2")
    assert "2026-04-03" in clause("17.2")


def test_publication_times_are_those_of_every_template() -> None:
    for one in load_contracts().values():
        assert f"due at {one.publication.time:%H:%M} " in clause("17.7")
        assert f"Until {one.publication.corrections_until:%H:%M} " in clause("17.7")


def test_fallback_clauses_exist() -> None:
    for one in load_contracts().values():
        assert clause(one.fallback.clause), one.id


def test_the_example_stands_as_it_is_computed() -> None:
    for figure in ("23.0000 / 8 = 2.875", "**2.88**", "= 2.86375", "**2.86**"):
        assert figure in clause("17.12")
