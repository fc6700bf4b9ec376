"""The first pages against the project: indices, exit codes, digests, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collectors import panel
from index.publication import record
from methodology import errors
from methodology.definition import RateDefinition, frozen_listing, load_definitions

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "NOTICE",
    "methodology/README.md",
    "methodology/CHANGES.md",
    "methodology/IOSCO.md",
    "methodology/instruments/README.md",
    "data/README.md",
    "docs/FEED.md",
    "deploy/README.md",
]


def rows() -> list[list[str]]:
    """Return the rows of the table of indices as cells."""
    table = README.partition("## The indices")[2].partition("## Commands")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_index_stands_in_the_table_with_its_session_and_admission() -> None:
    told = {row[1].strip("`"): (row[4].strip("`"), row[5]) for row in rows() if "<" not in row[1]}
    expected = {
        index_id: (d.session, d.admission)
        for d in load_definitions()
        if d.family != "TKR" or d.admission == "settlement"
        for index_id in d.index_ids
    }
    assert told == expected


def test_the_number_of_models_and_their_meters_are_those_of_the_rules() -> None:
    mine = [
        d
        for d in load_definitions()
        if isinstance(d, RateDefinition) and d.family == "TKR" and d.admission == "reference"
    ]
    models = {d.instrument for d in mine}
    told = [row for row in rows() if "<model>" in row[1]]
    assert f"{len(models)} models" in told[0][2]
    named = {meter for row in told for meter in re.findall(r"-[A-Z]+(?=`)", row[1])}
    assert named == {f"-{meter}" for d in mine for meter in d.meters}
    assert {d.session for d in mine} == {row[4].strip("`") for row in told}
    count = {m: sum(m in d.meters for d in mine) for m in ("CIN", "AGT", "BAT")}
    assert f"{count['AGT']} models" in told[1][2]
    assert f"{count['CIN'] - count['AGT']} more" in told[1][2]
    assert f"{count['BAT']} models" in told[2][2]
    assert f"{len(models)} open-weights models" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_exit_code_of_an_error_is_explained() -> None:
    table = README.partition("| Exit code |")[2].partition("## Where")[0]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.SpotfixError)
    }
    assert told == raised | {0, 10, 11, 12}


def test_the_digests_in_force_are_those_of_the_rule_files() -> None:
    kept = (ROOT / "methodology/rules/FROZEN.sha256").read_text("utf-8")
    assert kept == frozen_listing(), "a rule file changed: see CONTRIBUTING.md, refresh the digests"


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = [t for t in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in t]
    assert [t for t in links if not ((ROOT / page).parent / t).exists()] == []


def test_links_inside_the_rulebook_lead_to_chapters() -> None:
    text = (ROOT / "methodology/README.md").read_text("utf-8")
    heads = {
        re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) - heads == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_file_named_in_a_page_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    folder = r"(?:methodology|collectors|index|tests|data)"
    named = re.findall(rf"`({folder}/[A-Za-z0-9_./-]+\.(?:py|toml|md|json|csv|sha256))`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_licence_is_the_one_the_package_declares() -> None:
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert licence.split()[:5] == ["Apache", "License", "Version", "2.0,", "January"]
    assert "END OF TERMS AND CONDITIONS" in licence
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_every_field_the_iosco_page_points_at_is_in_a_fixing() -> None:
    text = (ROOT / "methodology/IOSCO.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z_]+)`", text))
    others = {"incident", "methodology", "inputs", "rejections", "tier"}  # records, batches
    assert "executable_share" in named
    assert named - set(record.FIXING_FIELDS) - others == set()


def test_the_iosco_page_has_all_nineteen_principles() -> None:
    text = (ROOT / "methodology/IOSCO.md").read_text("utf-8")
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == [str(n) for n in range(1, 20)]


def test_every_bundled_table_is_credited() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    tables = [path.name for path in (ROOT / "data/bundled").glob("*.csv")]
    assert tables
    assert [name for name in tables if name not in notice] == []


def test_the_table_of_sources_counts_the_panel() -> None:
    lines = README.partition("## Live collection")[2].partition("## Data")[0].splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if "| " in line]
    told = {row[0]: [int(c) for c in row[1:]] for row in cells if row[-1].isdigit()}
    names = {
        "prices of tokens": "tokens",
        "prices of GPU-hours": "gpus",
        "volumes": "volumes",
        "exchange rates": "fx",
    }
    found = {}
    for name, kind in names.items():
        mine = [source for source in panel.load_all() if source.kind == kind]
        found[name] = [
            len(mine),
            sum(source.is_live for source in mine),
            sum(panel.is_proven(source.id) for source in mine),
            sum(source.is_page for source in mine),
        ]
    assert told == found
    assert sum(row[0] for row in found.values()) >= 45
