"""The back-test's report: events, screens off, page and JSON."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import backtesting
from index.backtest import anomalies, events, passes
from index.backtest.charts import Chart, Line, line_chart, steps
from index.backtest.page import render
from index.cli import app
from methodology import determination as det
from methodology.definition import load_methodology
from methodology.errors import DefinitionError, UsageError
from tests.bundled_history import BUNDLE, packaged

Row = dict[str, Any]
FIRST, LAST = date(2026, 1, 1), date(2026, 6, 18)

EVENT_INDICES = (
    "GPR-H100-SXM-80-OD-HYP-US",
    "GPR-A100-SXM-80-OD-HYP-US",
    "GPR-H100-SXM-80-OD-NEO-GLB",
    "GPR-H100-ANY-OD-NEO-GLB",
    "GPR-H200-ANY-OD-NEO-GLB",
    "GPR-B200-ANY-OD-NEO-GLB",
    "GPR-A100-SXM-80-OD-NEO-GLB",
    "TKX-ALL-BLD",
    "TKX-CN-BLD",
    "TKX-US-BLD",
    "TKR-deepseek-v3.2-BLD",
)


def silent(stage: str, what: str) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def history() -> passes.History:
    """The whole bundle for the indices of the events."""
    return passes.read(BUNDLE, None, packaged(*EVENT_INDICES))


@pytest.fixture(scope="module")
def both(history: passes.History) -> tuple[Any, bytes, Any, bytes]:
    """Outcome and back-cast as published, and without screens."""
    made = passes.determined(history, history.rules)
    off = passes.determined(history, anomalies.without_screens(history.rules))
    return (*made, *off)


@pytest.fixture(scope="module")
def told(small_bundle: Path) -> Row:
    """The report of the small bundle."""
    return backtesting.make(small_bundle, FIRST, LAST, silent)


# --- events -------------------------------------------------------------------------------------


def test_every_event_lands_as_worked_by_hand(both: tuple[Any, bytes, Any, bytes]) -> None:
    happened, _ = events.load()
    published = anomalies.values_of(both[1])
    found = events.compared(happened, published, date(2024, 1, 1), date(2026, 11, 19))
    assert len(found) == len(happened) == 9
    checks = [m for e in found for m in (*e["moves"], *e["stays"])]
    assert [c for c in checks if c["as_expected"] is not True] == []
    assert len(checks) == 20


@pytest.mark.parametrize(
    ("title", "moves"),
    [
        # as in test_bundled_history, test_real_moves and test_real_moves_tokens
        pytest.param(
            "AWS cuts p5",
            [("2025-06-24", "11.0612", "11.0610"), ("2025-06-24", "5.0688", "4.0963")],
            id="Amazon's cut shows on the 24th",
        ),
        pytest.param(
            "DeepSeek V4: prices",
            [("2026-08-17", "1000.00", "1069.01"), ("2026-08-18", "998.52", "1273.23")],
            id="DeepSeek's tariff shows in New York on the day, in Shanghai a day later",
        ),
        pytest.param(
            "RunPod's plain H100",
            [("2026-08-18", "3.4450", "3.9000")],
            id="RunPod's exit shows after thirty days",
        ),
        pytest.param("OpenAI cuts o3", [], id="nothing measures o3"),
        pytest.param("DigitalOcean", [], id="DigitalOcean is in no panel"),
    ],
)
def test_the_register_says_what_the_tests_of_real_moves_say(
    title: str, moves: list[tuple[str, str, str]]
) -> None:
    (event,) = (e for e in events.load()[0] if e["title"].startswith(title))
    told = [(m["day"].isoformat(), m["before"], m["after"]) for m in event["moves"]]
    assert told == moves


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("event = [", "not valid TOML", id="no TOML"),
        pytest.param("[[happening]]\nday = 2026-01-01", "only", id="an unknown table"),
        pytest.param("[[event]]\nday = 2026-01-01", "keys", id="missing keys"),
        pytest.param(
            '[[event]]\nday = "x"\ntitle = "t"\nwhat = "w"\nsource = "s"\nmoves = []\nstays = []',
            "is no date",
            id="a day as text",
        ),
    ],
)
def test_a_register_that_is_wrong_says_where(text: str, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        events.load(text)


@pytest.mark.parametrize(
    ("value", "distance"),
    [
        pytest.param("3.20", "0.000000", id="inside"),
        pytest.param("3.60", "0.000000", id="on the upper end"),
        pytest.param("3.96", "10.000000", id="a tenth above"),
        pytest.param("2.25", "-10.000000", id="a tenth below"),
    ],
)
def test_a_value_is_outside_a_level_by_the_way_to_its_nearer_end(value: str, distance: str) -> None:
    level = {
        "title": "t", "low": "2.50", "high": "3.60", "from": FIRST, "to": FIRST, "unit": "u",
        "indices": ["X"], "source": "s",
    }  # fmt: skip
    (row,) = events.levels([level], {("X", "2026-01-01"): value}, FIRST, FIRST)
    assert row["beside"][0]["distance_pct"] == distance


# --- screens off --------------------------------------------------------------------------------


def test_the_pass_without_screens_decides_nothing(both: tuple[Any, bytes, Any, bytes]) -> None:
    assert both[2].rates
    for series in both[2].rates.values():
        assert not (series.status == det.HELD).any()
        assert not np.isin(series.reason, anomalies.SCREENED).any()


def test_without_screens_changes_only_parameters_of_screens() -> None:
    rules = load_methodology()
    off = anomalies.without_screens(rules)
    changed = {
        name for name in type(rules).model_fields if getattr(off, name) != getattr(rules, name)
    }
    assert changed == {"jump", "gross", "bounds"}
    assert off.bounds.token_max == rules.bounds.token_max
    assert off.bounds.gpu_min == rules.bounds.gpu_min
    assert off.jump.max_held_days == rules.jump.max_held_days


def test_values_differ_only_where_an_anomaly_is_listed(
    history: passes.History, both: tuple[Any, bytes, Any, bytes]
) -> None:
    first = date(2023, 1, 1)
    published, without = anomalies.values_of(both[1]), anomalies.values_of(both[3])
    rows = anomalies.anomalies(both[0], history.until, first, published, without)
    listed = {(r["index_id"], r["day"]) for r in rows}
    differing = {key for key, value in published.items() if without[key] != value}
    assert differing
    after = anomalies.after_effects(rows, published, without, first)
    told = {(r["index_id"], r["day"]): r["since"] for r in after}
    assert differing - listed == set(told)
    for (name, day), since in told.items():
        assert since is not None, (name, day)
        assert since < day, name


def test_amazons_cut_is_a_row_with_the_value_it_would_have_made(
    history: passes.History, both: tuple[Any, bytes, Any, bytes]
) -> None:
    published, without = anomalies.values_of(both[1]), anomalies.values_of(both[3])
    rows = anomalies.anomalies(both[0], history.until, date(2025, 6, 1), published, without)
    (row,) = (r for r in rows if r["index_id"] == "GPR-A100-SXM-80-OD-HYP-US")
    # 27.44705 and 40.96575 for eight GPUs; the middle of 4.09625, 5.0688, 5.1207, then of
    # 3.4309, 4.09625, 5.0688: 4.0963 / 5.0688 - 1 = -19.186001%
    assert row == {
        "index_id": "GPR-A100-SXM-80-OD-HYP-US", "day": "2025-06-23", "group": "amazon",
        "source": "aws_history", "quoted": "3.43088125", "stood": "5.12071875",
        "status": "HELD", "reason": "JUMP_UNCONFIRMED", "published": "5.0688",
        "without_screens": "4.0963", "difference_pct": "-19.186001", "afterwards": "accepted",
    }  # fmt: skip


def test_runs_join_days_of_one_story_and_rank_by_size() -> None:
    def row(day: str, group: str, difference: str | None) -> Row:
        same = dict.fromkeys(anomalies.COLUMNS)
        return {**same, "index_id": "X", "day": day, "group": group, "difference_pct": difference}

    rows = [
        row("2026-01-01", "a", "1.0"),
        row("2026-01-01", "b", None),
        row("2026-01-02", "a", "1.0"),
        row("2026-01-03", "a", "-2.0"),
        row("2026-01-05", "a", "1.0"),
    ]
    told = [(r["group"], r["day"], r["last"], r["days"]) for r in anomalies.runs(rows)]
    assert told == [
        ("a", "2026-01-03", "2026-01-03", 1),
        ("a", "2026-01-01", "2026-01-02", 2),
        ("a", "2026-01-05", "2026-01-05", 1),
        ("b", "2026-01-01", "2026-01-01", 1),
    ]


# --- page and JSON ------------------------------------------------------------------------------


def texts(value: Any) -> set[str]:
    """Return every figure and word of a report, as the page writes them."""
    if isinstance(value, dict):
        return set().union(*(texts(v) | {str(k)} for k, v in value.items()), set())
    if isinstance(value, list):
        return set().union(*(texts(v) for v in value), set())
    if isinstance(value, bool):
        return {"yes" if value else "no"}
    if isinstance(value, int):
        return {f"{value:,}", str(value)}
    return {"–" if value is None else str(value)}


def test_every_figure_in_a_table_stands_in_the_json(told: Row) -> None:
    known = texts(json.loads(json.dumps(told)))
    figures = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
    cells = re.findall(r"<td[^>]*>(.*?)</td>", render(told), re.S)
    assert len(cells) > 500
    loose = set()
    for cell in map(unescape, cells):
        if cell not in known:
            loose |= {x for part in cell.split(" to ") for x in figures.findall(part)} - known
    numbers = {str(n) for n in range(1, len(told["events"]) + 1)}
    words = {x for text in known for x in figures.findall(text)}
    assert loose - numbers - words == set()


def test_the_page_is_well_formed_loads_nothing_and_runs_nothing(told: Row) -> None:
    page = render(told)
    root = ET.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    tags = {element.tag for element in root.iter()}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "video", "audio"}
    for element in root.iter():
        assert not set(element.attrib) & {"src", "srcset", "data", "xlink:href", "action"}
        assert element.attrib.get("href", "#").startswith("#"), element.attrib
        assert not [name for name in element.attrib if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?://", page)
    ids = {e.attrib["id"] for e in root.iter() if "id" in e.attrib}
    assert {e.attrib["href"][1:] for e in root.iter("a")} <= ids


def test_every_chart_has_a_name_and_a_table(told: Row) -> None:
    root = ET.fromstring(render(told).removeprefix("<!DOCTYPE html>\n"))
    charts = list(root.iter("svg"))
    assert charts
    assert all(e.attrib.get("role") == "img" and e.attrib.get("aria-label") for e in charts)
    body = [e.tag for e in root.iter() if e.tag in ("svg", "table")]
    assert "table" in body[body.index("svg") :]


def test_the_small_report_holds_what_its_bundle_holds(told: Row) -> None:
    assert told["schema"] == "backtest/1.0"
    assert told["from"] == "2026-01-01"
    # The small bundle begins on 2026-05-01, after Amazon's cut: only its level is left to see.
    values = told["series"]["GPR-H100-SXM-80-OD-HYP-US"]
    assert set(values["values"]) == {"11.0610"}
    assert values["days"][-1] == "2026-06-18"
    assert told["anomalies"]["count"] == len(told["anomalies"]["rows"])


# --- charts -------------------------------------------------------------------------------------


def test_a_gap_is_never_drawn_through() -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]
    drawn = line_chart(Chart("t", "u", [Line("a", days, ["1", "1", None, "2", "3"])]))
    path = re.search(r'class="line c0 " d="([^"]+)"', drawn)
    assert path is not None
    assert re.sub(r"[\d. ]+", "", path[1]) == "MHMHVH"  # two pieces, one step in the second


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        pytest.param(0.0, 5.0, [0, 1, 2, 3, 4, 5], id="ones"),
        pytest.param(990.0, 1300.0, [900, 1000, 1100, 1200, 1300], id="hundreds"),
        pytest.param(0.0, 0.8, [0, 0.2, 0.4, 0.6, 0.8], id="fifths"),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert steps(low, high) == pytest.approx(ticks)


# --- the command --------------------------------------------------------------------------------


def test_the_command_writes_both_files_and_the_same_bundle_gives_the_same_bytes(
    told: Row, small_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ["--from", "2026-01-01", "--to", "2026-06-18"]
    with pytest.raises(SystemExit) as stopped:
        app(["backtest", *span, "--bundle", str(small_bundle), "--out", str(tmp_path)])
    assert stopped.value.code == 0
    assert "2026-01-01 to 2026-06-18" in capsys.readouterr().out
    made = sorted((tmp_path / "site").iterdir())
    assert [p.name for p in made] == ["backtest.html", "backtest.json"]
    found = json.loads(made[1].read_text("utf-8"))
    assert (found["from"], found["to"]) == ("2026-01-01", "2026-06-18")
    before = sorted(backtesting.write(tmp_path / "before", told))
    assert [p.read_bytes() for p in before] == [p.read_bytes() for p in made]
    assert found == json.loads(json.dumps(told))


def test_without_a_last_day_each_index_ends_with_the_bundle(small_bundle: Path) -> None:
    """GPU prices of the small bundle end on 2026-06-18, token prices run on to 2026-11-19."""
    whole, cut = (passes.read(small_bundle, last) for last in (None, LAST))
    ends = [{day for day in found.until.values() if day} for found in (whole, cut)]
    assert max(ends[0]) == date(2026, 11, 19)
    assert max(ends[1]) == LAST


def test_days_that_make_no_span_are_refused(small_bundle: Path) -> None:
    with pytest.raises(UsageError, match="every index ends before"):
        backtesting.make(small_bundle, date(2030, 1, 1), None, silent)
    with pytest.raises(UsageError, match="is after"):
        backtesting.backtest("2026-02-01", "2026-01-01")
