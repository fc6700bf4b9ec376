"""From a published value to clause, parameter, function and the source's own text."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index import clauses, config, explain, reading
from index.cli import app
from index.config import Settings
from methodology.definition import load_methodology
from tests.test_golden import unpack

RULES = load_methodology()
GOLDEN = Path(__file__).parent / "golden" / "1.0.0" / "ledger.tar.xz"


def told(settings: Settings, index_id: str) -> dict[str, object]:
    ledger = reading.open_ledger(settings)
    record = reading.fixing_of(ledger, index_id, None, None)
    return explain.explain(ledger, explain.read(ledger, record))


def test_the_sum_shown_is_the_value_published(small_ledger: Settings) -> None:
    found = told(small_ledger, "TKR-gpt-oss-120b-BLD")
    total = sum(int(r["product"]) for r in found["panel"])
    kept = sum(r["kept"] for r in found["panel"])
    whole = (2 * total + kept * 1000) // (2 * kept * 1000)
    assert found["value"] == f"{whole // 10**6}.{whole % 10**6:06d}"
    assert any(f"{total} / {kept}" in step["told"] for step in found["steps"])


def test_the_blend_is_worked_from_its_parts(small_ledger: Settings) -> None:
    steps = {s["what"]: s for s in told(small_ledger, "TKR-gpt-oss-120b-BLD")["steps"]}
    # Amazon on 2026-08-12: 0.15 in, 0.60 out, so (3*0.15 + 0.60) / 4 = 0.2625.
    assert steps["blend"]["told"].endswith("amazon: (3*0.15 + 1*0.60) / 4 = 0.2625")
    assert steps["blend"]["parameters"] == {"blend.BLD.IN": "3", "blend.BLD.OUT": "1"}


def test_the_source_line_holds_the_price(small_ledger: Settings) -> None:
    found = told(small_ledger, "GPR-H100-ANY-OD-NEO-GLB")
    rows = {r["group"]: r for r in found["sources"]}
    # data/bundled/gpus_gpurentalprices.csv, body of 2026-08-22.
    assert rows["coreweave"]["price_text"] == "6.155"
    for row in rows.values():
        assert row["missing"] is None
        line = Path(row["file"]).read_text("utf-8").splitlines()[row["line"] - 1].split(",")
        assert row["price_text"] in line
        assert row["listing_id"] in line
        assert row["body_sha256"] in line


def test_a_price_in_scientific_notation_is_shown_as_it_was_written(small_ledger: Settings) -> None:
    rows = told(small_ledger, "TKR-gpt-oss-120b-BLD")["sources"]
    azure = {r["meter"]: r for r in rows if r["listing_id"] == "azure_ai/gpt-oss-120b"}
    assert (azure["IN"]["price_text"], azure["IN"]["quoted_unit"]) == ("1.5e-07", "per_token")
    assert azure["IN"]["price"] == "0.15"


def test_without_the_archive_the_words_are_said_to_be_missing(small_copy: Settings) -> None:
    shutil.rmtree(small_copy.raw)
    rows = told(small_copy, "GPR-H100-ANY-OD-NEO-GLB")["sources"]
    assert rows
    assert {r["missing"] for r in rows} == {
        "the archive does not hold the body, or it no longer parses"
    }


def test_every_step_of_every_fixing_names_what_exists(small_ledger: Settings) -> None:
    ledger = reading.open_ledger(small_ledger)
    names = {key[0] for key in ledger.published.fixings}
    seen = set()
    for name in sorted(names):
        family = reading.family_of(name)
        record = reading.fixing_of(ledger, name, None, None)
        kind = (family, record["waterfall"], record["value"] is None, record["basket_version"])
        if kind in seen:
            continue
        seen.add(kind)
        found = explain.explain(ledger, explain.read(ledger, record))
        assert found["steps"], name
        for step in found["steps"]:
            assert step["rulebook"].startswith("methodology/README.md:")
            assert step["told"]
    assert {family for family, *_ in seen} >= {"TKR", "GPR", "TKX", "TEX"}


def test_a_day_without_a_value_says_which_rule_refused_it(small_ledger: Settings) -> None:
    found = told(small_ledger, "TKX-ALL-BLD")
    assert found["value"] is None
    (step,) = found["steps"]
    assert step["clause"] == "13.4"
    assert step["parameters"] == {
        "composite.min_models": "6",
        "composite.min_developers": "4",
    }


def test_the_command_prints_the_three_steps(small_ledger: Settings) -> None:
    made = CliRunner().invoke(
        app,
        ["explain", "gpr-h100-any-od-neo-glb", "2026-08-22", "--out", str(small_ledger.out)],
    )
    assert made.exit_code == 0, made.output
    for part in (
        "7.4 Weighted median (methodology/README.md:",
        "gross.exclude_ratio = 4",
        "methodology.estimators.kept_at_quantile (methodology/estimators.py:",
        "6.155 USD per_gpu_hour",
    ):
        assert part in made.output


def test_the_command_gives_everything_as_json(small_ledger: Settings) -> None:
    made = CliRunner().invoke(app, ["explain", "TEX-ALL", "--json", "--out", str(small_ledger.out)])
    found = json.loads(made.stdout)
    assert {s["function"] for s in found["steps"]} >= {"methodology.composite.unit_value_nano"}
    assert found["sources"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("jump.gpu_ratio", "5/4", id="a ratio"),
        pytest.param("composite.developer_cap", "1/4", id="a quarter written as text"),
        pytest.param("weights.cap_floor", "0.08", id="decimal text"),
        pytest.param("blend.BLD.IN", "3", id="a part of a blend"),
        pytest.param("waterfall.carried_input_hours", "72", id="a whole number"),
    ],
)
def test_a_parameter_is_written_exactly(path: str, text: str) -> None:
    assert clauses.value_at(RULES, path) == text


def test_a_parameter_or_function_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"no parameter 'jump\.mood'"):
        clauses.value_at(RULES, "jump.mood")
    with pytest.raises(LookupError, match="no function"):
        clauses.place_of("methodology.units.round_to_taste")


def test_a_spread_is_worked_from_its_legs(small_ledger: Settings) -> None:
    found = told(small_ledger, "SPK-deepseek-r1-H100-SXM-80")
    assert found["steps"][-1]["clause"] == "18.4"  # the small bundle has no R1: the leg is named
    assert "TKR-deepseek-r1-OUT" in found["steps"][-1]["told"]


def test_a_disclosed_figure_is_followed_to_its_line(small_ledger: Settings) -> None:
    found = told(small_ledger, "USE-CN-DISCLOSED")
    (row,) = found["volumes"]
    line = Path(row["file"]).read_text("utf-8").splitlines()[row["line"] - 1]
    # 140 trillion a day in March 2026, 31 days.
    assert str(140 * 10**12 * 31) in line
    assert [s["clause"] for s in found["steps"]] == ["20.4", "20.4"]


def test_a_fixing_of_the_first_rules_is_explained_by_them(tmp_path: Path) -> None:
    with tarfile.open(GOLDEN) as archive:
        unpack(archive, tmp_path)
    found = told(config.load(out=tmp_path), "GPR-H100-ANY-OD-NEO-GLB")
    assert found["rules"]["version"] == "1.0.0"
    level = next(s for s in found["steps"] if s["what"] == "level of the waterfall")
    assert level["parameters"]["waterfall.full_groups"] == "10"
