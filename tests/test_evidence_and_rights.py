"""Who may count: tiers are ranked inside a group, and a source needs a right on record."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from collectors import panel
from methodology import rights as rights_of
from methodology.definition import load_definitions, load_methodology
from methodology.errors import DefinitionError
from methodology.rights import load_rights, parse_rights, refusal
from tests import small_market as sm

OLD = load_methodology("1.0.0")
SOURCES = ("list", "mirror", "trades")
TIERS = {"list": "E3", "mirror": "E4", "trades": "E1"}
REGISTER = {name: sm.right(name, tier) for name, tier in TIERS.items()}
RATE = sm.gpu_rate(sources=SOURCES)


def on(source: str, n: int, seller: str, price: str | None, **more: object) -> dict[str, object]:
    return sm.shown(n, seller, price, source=source, tier=TIERS[source], **more)


THREE = [on("list", 0, s, p) for s, p in (("ash", "2.00"), ("birch", "2.20"), ("cedar", "2.50"))]
"""Three sellers' own lists: the median is 2.20."""


def test_an_executed_price_outranks_the_list_and_the_mirror_of_its_seller() -> None:
    rows = [
        *THREE,
        on("mirror", 0, "birch", "2.90"),
        on("trades", 2, "birch", "2.05"),
        on("trades", 3, "birch", None),
    ]
    plan = sm.plan_of(rows, RATE, 5, REGISTER)
    found = sm.determined([plan])
    # Days 0 and 1: 2.00, 2.20, 2.50. Day 2: birch was bought at 2.05 and its list of 2.20 has no
    # effect: 2.00, 2.05, 2.50. From day 3 on the list speaks again.
    assert [sm.value(found, n)[1] for n in range(5)] == [
        "2.2000", "2.2000", "2.0500", "2.2000", "2.2000",
    ]  # fmt: skip
    assert sm.reasons(plan, 1)["mirror", "birch"] == "OUTRANKED"
    assert sm.reasons(plan, 2) == {
        ("list", "ash"): None,
        ("list", "birch"): "OUTRANKED",
        ("list", "cedar"): None,
        ("mirror", "birch"): "OUTRANKED",
        ("trades", "birch"): None,
    }


def test_with_an_executed_price_present_a_move_of_the_list_has_no_effect() -> None:
    still = [*THREE, on("trades", 0, "birch", "2.05")]
    moving = [*still, on("list", 2, "birch", "3.90")]
    for rows in (still, moving):
        found = sm.determined([sm.plan_of(rows, RATE, 5, REGISTER)])
        assert [sm.value(found, n)[1] for n in range(5)] == ["2.0500"] * 5


def test_the_line_of_a_fixing_names_the_source_that_spoke() -> None:
    rows = [*THREE, on("trades", 2, "birch", "2.05")]
    plan = sm.plan_of(rows, RATE, 3, REGISTER)
    told = sm.determined([plan]).contributions(plan.index_id, sm.day(2), sm.offers_on(plan, 2))
    birch = told.filter(pl.col("group") == "birch").select("source", "tier", "status", "reason")
    assert birch.rows() == [
        ("trades", "E1", "OBSERVED", ""),
        ("list", "E3", "REFUSED", "OUTRANKED"),
    ]


def test_a_silent_list_is_stood_in_for_by_its_mirror_and_never_by_another_list() -> None:
    rows = [*THREE, on("mirror", 0, "birch", "2.30"), on("list", 2, "birch", None)]
    found = sm.determined([sm.plan_of(rows, RATE, 4, REGISTER)])
    # Day 2: 2.00, 2.30 from the mirror, 2.50.
    assert [sm.value(found, n)[1] for n in range(4)] == ["2.2000", "2.2000", "2.3000", "2.3000"]
    twins = {**REGISTER, "mirror": sm.right("mirror", "E3")}
    same = [{**row, "tier": "E3"} for row in rows]
    plan = sm.plan_of(same, RATE, 4, twins)
    found = sm.determined([plan])
    assert sm.value(found, 2)[0] == "CARRIED_INPUT"
    birch = found.contributions(plan.index_id, sm.day(2), sm.offers_on(plan, 2))
    assert birch.filter(pl.col("group") == "birch")["status"].to_list() == ["IMPUTED", "REFUSED"]


def test_the_price_that_stands_in_is_screened_for_jumps() -> None:
    rows = [*THREE, on("trades", 2, "birch", "1.60")]  # 2.20/1.60 is above 5/4, and not confirmed
    plan = sm.plan_of(rows, RATE, 3, REGISTER)
    table = plan.rows.with_columns(
        pl.when(pl.col("source") == "trades")
        .then(False)
        .otherwise("is_confirmed")
        .alias("is_confirmed")
    )
    held = type(plan)(**{**vars(plan), "rows": table})
    found = sm.determined([held])
    assert sm.value(found, 2)[1] == "2.2000"
    assert bool(found.fixings.filter(pl.col("ref_date") == sm.day(2))["has_held"][0])


def test_methodology_1_0_0_ranks_nothing() -> None:
    rows = [*THREE, on("trades", 2, "birch", "2.05")]
    plan = sm.plan_of(rows, RATE, 4, REGISTER, OLD)
    assert set(sm.reasons(plan, 2).values()) == {None}
    found = sm.determined([plan], OLD)
    assert [sm.value(found, n)[1] for n in range(4)] == ["2.2000"] * 4


def test_refused_offers_do_not_outrank() -> None:
    rows = [*THREE, on("trades", 0, "birch", "2.05", provider_class="BROKER")]
    plan = sm.plan_of(rows, RATE, 2, REGISTER)
    assert sm.reasons(plan, 1)["list", "birch"] is None
    assert sm.reasons(plan, 1)["trades", "birch"] == "CLASS_BROKER"


@pytest.mark.parametrize(
    ("admission", "line", "expected"),
    [
        ("settlement", sm.right("list", "E3"), None),
        ("settlement", sm.right("list", "E3", use=False), "NO_RIGHT_TO_USE"),
        ("settlement", sm.right("list", "E3", redistribute=False), "NO_RIGHT_TO_REDISTRIBUTE"),
        ("settlement", None, "NO_RIGHT_TO_USE"),
        ("reference", sm.right("list", "E3", use=False), None),
        ("reference", sm.right("list", "E3", redistribute=False), "NO_RIGHT_TO_REDISTRIBUTE"),
        ("reference", None, "NO_RIGHT_TO_REDISTRIBUTE"),
        ("internal", sm.right("list", "E3", use=False, redistribute=False), None),
        ("internal", None, None),
    ],
    ids=[
        "settlement with both rights",
        "settlement without the right to use",
        "settlement that could not show its inputs",
        "settlement from a source without a line",
        "reference needs no right to settle",
        "reference must show its inputs",
        "reference from a source without a line",
        "internal from a source with no right",
        "internal from a source without a line",
    ],
)
def test_a_planted_source_counts_only_where_its_right_reaches(
    admission: str, line: rights_of.Right | None, expected: str | None
) -> None:
    register = {"list": line} if line else {}
    rate = sm.gpu_rate(admission=admission)
    rows = [sm.shown(0, f"seller{n}", f"2.{n}0", tier="E3") for n in range(6)]
    plan = sm.plan_of(rows, rate, 2, register)
    assert set(sm.reasons(plan, 1).values()) == {expected}
    assert (plan.vintages[1] is None) == (expected is not None)


def test_rights_bind_from_1_1_0_on() -> None:
    plan = sm.plan_of(THREE, RATE, 2, {}, OLD)
    assert set(sm.reasons(plan, 1).values()) == {None}


def test_every_admitted_source_has_a_line_with_its_own_tier() -> None:
    lines = load_rights()
    wrong = {s.id: s.tier for s in panel.load_all() if s.id not in lines}
    assert wrong == {}, "add a reviewed line to rights.toml"
    assert {s.id: s.tier for s in panel.load_all()} == {
        s.id: lines[s.id].tier for s in panel.load_all()
    }


def test_a_source_without_a_right_to_publish_is_in_no_shipped_print_but_internal_ones() -> None:
    refused = {
        (name, source)
        for d in load_definitions()
        for name in d.index_ids
        for source in d.sources
        if d.family in ("TKR", "GPR") and refusal(source, "reference", load_rights())
    }
    assert refused == set()


def test_sources_without_a_right_are_recorded_as_such_and_are_off_or_unproven() -> None:
    for name in ("vast", "akash"):
        line = load_rights()[name]
        assert (line.use, line.redistribute) == (False, False)
        if name in panel.SOURCES:
            assert panel.load(name).switch or not panel.is_proven(name)


LINE = """
[[source]]
id = "a"
tier = "E3"
use = true
redistribute = true
right = "MIT"
reviewed = 2026-11-20
why = "w"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINE + LINE, "'a' stands twice"),
        (LINE.replace('"E3"', '"E9"'), "tier"),
        (LINE.replace("use = true\n", ""), "use"),
        (LINE + "colour = 1\n", "colour"),
        ("[[source", "not valid TOML"),
    ],
    ids=["twice", "unknown tier", "no key use", "unknown key", "no TOML"],
)
def test_a_wrong_line_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        parse_rights(text)


def test_the_register_is_packaged_beside_the_others() -> None:
    folder = Path(rights_of.__file__).parent / "instruments"
    assert (folder / rights_of.FILE).is_file()
