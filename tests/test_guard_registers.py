"""The guards' memory as bytes, the register of releases, and the figures of rulebook 2.11."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from index import words
from methodology.errors import DefinitionError, LogInconsistent
from methodology.guards import releases
from methodology.guards.state import GuardState
from methodology.guards.thresholds import DEFAULT
from tests.guard_rounds import LIST, body, gpus, look, times, token

ROOT = Path(__file__).resolve().parents[1]
RULEBOOK = (ROOT / "methodology" / "README.md").read_text("utf-8")


def some_state() -> GuardState:
    """A state with an accepted, a held, a never accepted and a repriced offer."""
    first = {**LIST, ("oci", "grok"): token("3", "0.15")}
    state = look(None, body(first)).state
    then = {**first, ("novita", "a"): token("27", "40"), ("novita", "b"): token("0.25", "1")}
    return look(state, body(then, 1), 1).state


def test_a_state_goes_to_bytes_and_back_exactly() -> None:
    state = some_state()
    assert set(state.offers["held"].drop_nulls()) == {"UNIT_SWITCH", "ABSURD_RATIO"}
    text = state.to_bytes()
    back = GuardState.from_bytes(text)
    assert back.memory == state.memory
    assert back.offers.equals(state.offers)
    assert back.to_bytes() == text


def test_the_bytes_are_canonical_json_lines_in_a_fixed_order() -> None:
    lines = some_state().to_bytes().decode().splitlines()
    assert all(
        json.dumps(json.loads(x), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == x
        for x in lines
    )
    head, *offers = map(json.loads, lines)
    assert head["schema"] == "guard_state/1.0"
    assert head["captured_at"] == "2026-08-02T12:00:00.000000Z"
    assert [o["listing_id"] for o in offers] == sorted(o["listing_id"] for o in offers)
    assert next(o for o in offers if (o["listing_id"], o["meter"]) == ("b", "IN")) == {
        "source": "mirror", "provider": "novita", "listing_id": "b", "meter": "IN",
        "tenor": "on_demand", "region": None, "gpu_count": None, "window_start_min": None,
        "window_end_min": None, "currency": "USD", "nano": 250_000_000,
        "good_at": "2026-08-02T12:00:00.000000Z", "since": "2026-08-02T12:00:00.000000Z",
        "streak": 1, "recent": [300_000_000], "day": "2026-08-02", "today": [250_000_000],
        "shown": 250_000_000, "shown_at": "2026-08-02T12:00:00.000000Z",
        "held": None, "held_since": None,
    }  # fmt: skip


def test_the_order_of_the_rows_of_a_body_changes_nothing() -> None:
    rows = body({**LIST, **gpus()})
    assert look(None, rows.reverse()).state.to_bytes() == look(None, rows).state.to_bytes()


def test_a_state_that_was_read_back_judges_alike() -> None:
    state = some_state()
    then = body(times(LIST, "1000"), 2)
    one, two = (look(s, then, 2) for s in (state, GuardState.from_bytes(state.to_bytes())))
    assert one.state.to_bytes() == two.state.to_bytes()
    assert one.rejections.equals(two.rejections)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"guard_state/1.0", b"guard_state/9.0", id="another schema"),
        pytest.param(b'"nano":250000000', b'"nano":"x"', id="a price that is none"),
        pytest.param(b'"nano":250000000', b'"nano": 250000000', id="a blank more"),
        pytest.param(b'"streak":1,', b"", id="a column less"),
        pytest.param(b'{"bodies"', b'["bodies"', id="not JSON"),
        pytest.param(b"T12:00:00.000000Z", b"T12:00:00Z", id="a time written otherwise"),
    ],
)
def test_bytes_that_are_not_a_states_own_are_refused(old: bytes, new: bytes) -> None:
    text = some_state().to_bytes()
    assert old in text
    with pytest.raises(LogInconsistent, match=r"guard state.*restore"):
        GuardState.from_bytes(text.replace(old, new))


def test_lines_in_another_order_are_refused() -> None:
    head, *rest = some_state().to_bytes().splitlines(keepends=True)
    with pytest.raises(LogInconsistent, match="not canonical"):
        GuardState.from_bytes(head + b"".join(rest[::-1]))


LINE = """[[release]]
source = "litellm"
reason = "UNIT_SWITCH"
listing = "azure_ai/grok-code-fast-1"
from = 2026-01-20
who = "reviewer"
why = "the seller's page shows 0.2 and 1.5"
url = "https://azure.microsoft.com/pricing"
"""


def test_a_line_of_releases_is_read_as_written() -> None:
    (found,) = releases.parse_releases(LINE)
    assert (found.source, found.reason, found.listing, found.day) == (
        "litellm", "UNIT_SWITCH", "azure_ai/grok-code-fast-1", date(2026, 1, 20),
    )  # fmt: skip
    (whole,) = releases.parse_releases(re.sub(r"listing = .*\n", "", LINE))
    assert whole.listing == releases.ANY_LISTING


def test_the_packaged_register_is_sound() -> None:
    assert releases.load_releases() == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("UNIT_SWITCH", "NAME_DRIFT", "is none of", id="a reason no line can end"),
        pytest.param("2026-01-20", '"2026-01-20"', "not a date", id="a day as a text"),
        pytest.param('"reviewer"', '""', "who '' is not a text", id="nobody reviewed it"),
        pytest.param("https://", "http://", "no https address", id="no evidence"),
        pytest.param("who =", "whom =", "unknown key 'whom'", id="an unknown key"),
        pytest.param(
            'why = "the seller\'s page shows 0.2 and 1.5"\n', "", "'why' is missing", id="no reason"
        ),
        pytest.param("[[release]]", "[[releases]]", "unknown table", id="an unknown table"),
        pytest.param("from =", "from", "not valid TOML", id="not TOML"),
    ],
)
def test_a_faulty_line_is_an_error_that_names_it(old: str, new: str, told: str) -> None:
    assert old in LINE
    with pytest.raises(DefinitionError, match=r"releases\.toml: ") as caught:
        releases.parse_releases(LINE.replace(old, new))
    assert told in str(caught.value)


def test_the_same_line_twice_is_an_error() -> None:
    with pytest.raises(DefinitionError, match="released twice"):
        releases.parse_releases(LINE + LINE)


def test_the_rulebook_states_the_figures_of_the_guards() -> None:
    section = RULEBOOK.partition("### 2.11")[2].partition("### 2.12")[0].partition("## 3 ")[0]
    told = dict(re.findall(r"^\| `([a-z_]+)` \| ([0-9/]+) \|$", section, re.MULTILINE))
    assert len(told) == 17
    for name, figure in told.items():
        held = getattr(DEFAULT, name)
        if "tolerance" in name:
            assert Fraction(1, held) == Fraction(figure)
        elif held >= 1000 or name == "out_in_min":
            assert Fraction(held, 1000) == Fraction(figure)
        else:
            assert held == int(figure)
    assert "three fifths" in section
    assert (DEFAULT.share_numerator, DEFAULT.share_denominator) == (3, 5)
    assert (DEFAULT.rows, DEFAULT.matched, DEFAULT.moved) == ((7, 10), 4, 1020)
    assert (DEFAULT.stale_hours, DEFAULT.fixed_days, DEFAULT.prices_a_day) == (26, 30, 2)
    for name in re.findall(r"`([a-z_]+)`", section):
        assert hasattr(DEFAULT, name) or name == "unknown", name


def test_every_code_of_the_guards_is_explained() -> None:
    source = "".join(f.read_text("utf-8") for f in (ROOT / "methodology/guards").glob("*.py"))
    codes = set(re.findall(r'"([A-Z]+_[A-Z_]+[A-Z]|SENTINEL)"', source)) - {
        "GPU_H",
        "BAT_OUT",
        "BAT_IN",
    }
    assert {"UNIT_SWITCH", "UNIFORM_MOVE", "DUPLICATE_SLICE", "SENTINEL"} <= codes
    assert {code for code in codes if f"`{code}`" not in RULEBOOK} - {"NEGATIVE_PRICE"} == set()
    assert codes - set(words.REASONS) <= {"NEGATIVE_PRICE"}


def test_a_day_without_memory_is_a_new_source() -> None:
    state = GuardState.new("mirror")
    assert GuardState.from_bytes(state.to_bytes()).offers.equals(state.offers)
    assert state.offers.schema == pl.Schema(some_state().offers.schema)
    assert datetime(2026, 8, 2, 12) == some_state().memory.captured_at
