"""The page on the IOSCO principles: all nineteen, and nothing named that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from index import cli
from index.publication.record import FIXING_FIELDS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "methodology" / "IOSCO.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| \d+ \|", line)
]
PRINCIPLES = (
    "Overall responsibility of the administrator", "Oversight of third parties",
    "Conflicts of interest", "Control framework for administrators", "Internal oversight",
    "Benchmark design", "Data sufficiency", "Hierarchy of data inputs",
    "Transparency of benchmark determinations", "Periodic review",
    "Content of the methodology", "Changes to the methodology", "Transition",
    "Submitter code of conduct", "Internal controls over data collection",
    "Complaints procedures", "Audits", "Audit trail",
    "Cooperation with regulatory authorities",
)  # fmt: skip
"""As the Final Report of July 2013 (FR07/13) heads them."""

NAMED = sorted(set(re.findall(r"`([^`]+)`", PAGE)))
CODE = "".join(
    file.read_text("utf-8")
    for folder in ("methodology", "collectors", "index")
    for file in (ROOT / folder).rglob("*.py")
)


def test_all_nineteen_principles_are_there_by_name_and_in_order() -> None:
    assert [(int(row[0]), row[1]) for row in ROWS] == list(enumerate(PRINCIPLES, 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"principle_{row[0]}")
def test_each_says_what_is_done_where_and_what_is_missing(row: list[str]) -> None:
    does, where, missing = row[2:]
    assert does
    assert "`" in where or "rulebook" in where
    assert missing not in ("", "–", "nothing")


@pytest.mark.parametrize("name", [n for n in NAMED if re.fullmatch(r"[\w.]+(/[\w.]+)+", n)])
def test_each_named_file_exists(name: str) -> None:
    if not name.startswith("out/"):  # state of an installation
        assert (ROOT / name).exists()


@pytest.mark.parametrize("name", [n for n in NAMED if n.startswith("spotfix ")])
def test_each_named_command_exists(name: str) -> None:
    commands = getattr(get_command(cli.app), "commands")  # noqa: B009
    assert name.removeprefix("spotfix ") in commands


@pytest.mark.parametrize(
    "name", [n for n in NAMED if re.fullmatch(r"[A-Za-z_]+", n) and n not in ("rules",)]
)
def test_each_named_field_flag_or_record_is_one_of_the_code(name: str) -> None:
    assert name in FIXING_FIELDS or re.search(rf"[\"`]{name}[\"`]|def {name}\\b", CODE)


def test_each_clause_referred_to_exists() -> None:
    rulebook = (ROOT / "methodology" / "README.md").read_text("utf-8")
    clauses = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?) ", rulebook, re.MULTILINE))
    cited = re.findall(r"rulebook ((?:\d+(?:\.\d+)?(?:, )?)+)", PAGE)
    assert cited
    for match in cited:
        assert set(re.findall(r"\d+(?:\.\d+)?", match)) <= clauses
