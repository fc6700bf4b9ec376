"""Rule files: what is shipped loads, what is wrong is refused by file and key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from methodology import definition
from methodology.definition import (
    CompositeDefinition,
    RateDefinition,
    load_definition,
    load_definitions,
    load_methodology,
)
from methodology.errors import ConfigError, DefinitionError

RULES = Path(definition.__file__).parent / "rules"
FILES = sorted(f for f in RULES.glob("*/*.toml") if f.parent.name != "past")
RATE = (RULES / "tkr" / "deepseek-r1-0528.toml").read_text("utf-8")
GPU = (RULES / "gpr" / "a100-sxm-80-od-hyp-us.toml").read_text("utf-8")
COMPOSITE = next(f for f in FILES if f.parent.name == "tkx").read_text("utf-8")
METHODOLOGY = (RULES / "methodology-1.1.0.toml").read_text("utf-8")


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_every_shipped_file_loads(file: Path) -> None:
    found = load_definition(file)
    assert found.family.lower() == file.parent.name
    assert found.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert load_methodology(found.methodology).version == found.methodology
    assert all(index_id.startswith(f"{found.family}-") for index_id in found.index_ids)


def test_shipped_ids_are_unique_and_complete() -> None:
    ids = [index_id for d in load_definitions() for index_id in d.index_ids]
    assert len(ids) == len(set(ids))
    single = [f for f in FILES if "\ninstruments = [" not in f.read_text("utf-8")]
    several = {f.name: len(load_definition(f).index_ids) for f in FILES if f not in single}
    assert several == {"agentic.toml": 40, "cached-small.toml": 11, "batch.toml": 2}
    assert len(load_definitions()) == len(single) + 20 + 11 + 2


def test_parameters_are_exact() -> None:
    rules = load_methodology()
    assert rules.jump.token_ratio == Fraction(8, 5)
    assert rules.jump.gpu_ratio == Fraction(5, 4)
    assert rules.weights.cap_floor == Fraction(8, 100)
    assert rules.weights.cap_numerator == Fraction(12, 10)
    assert rules.gross.mad_scale == Fraction(14826, 10000)
    blends = {name: rules.blend[name] for name in ("BLD", "AGT", "BAT")}
    assert blends == {
        "BLD": {"IN": 3, "OUT": 1},
        "AGT": {"IN": 2, "CIN": 7, "OUT": 1},
        "BAT": {"BAT_IN": 3, "BAT_OUT": 1},
    }


def edited(text: str, old: str, new: str) -> str:
    assert old in text, f"the shipped file no longer says {old!r}"
    return text.replace(old, new, 1)


def line(text: str, key: str) -> str:
    return next(row for row in text.splitlines() if row.startswith(f"{key} ="))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param(RATE + 'colour = "blue"\n', "colour", id="unknown key"),
        pytest.param(edited(RATE, line(RATE, "session"), ""), "session", id="missing key"),
        pytest.param(
            edited(RATE, line(RATE, "session"), 'session = "LON"'), "session", id="unknown session"
        ),
        pytest.param(
            edited(RATE, line(RATE, "admission"), 'admission = "maybe"'),
            "admission",
            id="admission",
        ),
        pytest.param(edited(RATE, line(RATE, "meters"), "meters = []"), "meters", id="no meter"),
        pytest.param(
            edited(RATE, line(RATE, "meters"), 'meters = ["TON"]'), "meters", id="unknown meter"
        ),
        pytest.param(
            edited(RATE, line(RATE, "sources"), "sources = []"), "sources", id="no source"
        ),
        pytest.param(edited(RATE, line(RATE, "title"), "title = 7"), "title", id="wrong type"),
        pytest.param(
            edited(RATE, line(RATE, "schema"), 'schema = "definition/9.9"'), "schema", id="schema"
        ),
        pytest.param(
            edited(RATE, line(RATE, "family"), 'family = "ABC"'), "family", id="unknown family"
        ),
        pytest.param(edited(RATE, line(RATE, "family"), ""), "family", id="no family"),
        pytest.param(
            edited(GPU, line(GPU, "classes"), 'classes = ["NEO", "HYP"]'),
            "never pooled",
            id="pooled GPU classes",
        ),
        pytest.param(
            edited(GPU, line(GPU, "meters"), 'meters = ["IN"]'), "GPU_H", id="a GPU index of tokens"
        ),
        pytest.param(
            edited(COMPOSITE, line(COMPOSITE, "currency"), 'currency = "EUR"'),
            "currency",
            id="a currency that is not pinned",
        ),
    ],
)
def test_a_wrong_definition_names_its_file_and_key(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "planted.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_definition(file)
    assert "planted.toml" in str(caught.value)
    assert key in str(caught.value)
    assert isinstance(caught.value, ConfigError)


@pytest.mark.parametrize(
    "body", [b"family = ", b"\xff\xfe", b"[[[", b'family = "TKR"\nfamily = "TKR"']
)
def test_what_is_no_toml_is_refused(tmp_path: Path, body: bytes) -> None:
    file = tmp_path / "planted.toml"
    file.write_bytes(body)
    with pytest.raises(DefinitionError, match=r"planted\.toml: not valid TOML"):
        load_definition(file)


def test_a_settlement_index_has_no_small_panel(tmp_path: Path) -> None:
    text = edited(RATE, line(RATE, "admission"), 'admission = "settlement"\nsmall_panel = true')
    file = tmp_path / "planted.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(DefinitionError, match="small panel is reference only"):
        load_definition(file)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A folder of rules in place of the shipped one; call it to write a file there."""
    monkeypatch.setattr(definition, "_folder", lambda: tmp_path)
    load_methodology.cache_clear()
    load_definitions.cache_clear()
    monkeypatch.setattr(definition, "load_methodology", load_methodology.__wrapped__)
    monkeypatch.setattr(definition, "load_definitions", load_definitions.__wrapped__)

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")

    return write


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        pytest.param("crowd_ratio = [11, 10]", "crowd_ratio = 1.1", "jump.crowd_ratio", id="float"),
        pytest.param(
            "crowd_ratio = [11, 10]",
            "crowd_ratio = [1.1, 1]",
            "jump.crowd_ratio",
            id="float inside",
        ),
        pytest.param(
            "crowd_ratio = [11, 10]", "crowd_ratio = true", "jump.crowd_ratio", id="truth"
        ),
        pytest.param(
            "crowd_ratio = [11, 10]", 'crowd_ratio = "11:10"', "jump.crowd_ratio", id="words"
        ),
        pytest.param(
            "crowd_ratio = [11, 10]", "crowd_ratio = [11, 10, 9]", "jump.crowd_ratio", id="three"
        ),
        pytest.param(
            "max_held_days = 1", "max_held_days = 1\ngrace = 2", "jump.grace", id="unknown"
        ),
        pytest.param("max_held_days = 1", "", "jump.max_held_days", id="missing"),
        pytest.param('cap_floor = "0.08"', "cap_floor = 0.08", "weights.cap_floor", id="float cap"),
        pytest.param("[fx] ", "[forex] ", "fx", id="a whole section misspelled"),
    ],
)
def test_a_wrong_parameter_names_its_file_and_key(
    folder: Callable[[str, str], None], old: str, new: str, key: str
) -> None:
    folder("methodology-1.1.0.toml", edited(METHODOLOGY, old, new))
    with pytest.raises(DefinitionError) as caught:
        definition.load_methodology()
    assert "methodology-1.1.0.toml" in str(caught.value)
    assert f"'{key}'" in str(caught.value)


@pytest.mark.parametrize("written", ["[11, 0]", '"11/0"'])
def test_a_ratio_over_nothing_is_refused(folder: Callable[[str, str], None], written: str) -> None:
    text = edited(METHODOLOGY, "crowd_ratio = [11, 10]", f"crowd_ratio = {written}")
    folder("methodology-1.1.0.toml", text)
    with pytest.raises(DefinitionError, match=r"jump\.crowd_ratio"):
        definition.load_methodology()


def test_an_unknown_methodology_is_an_error() -> None:
    with pytest.raises(DefinitionError, match=r"methodology-9\.9\.9\.toml"):
        load_methodology("9.9.9")


def test_one_id_defined_twice_is_an_error(folder: Callable[[str, str], None]) -> None:
    folder("tkr/one.toml", RATE)
    assert len(definition.load_definitions()) == 1
    folder("tkr/two.toml", RATE)
    with pytest.raises(DefinitionError, match=r"two\.toml: TKR-.* is defined twice, .* one\.toml"):
        definition.load_definitions()


def test_a_file_of_several_instruments_is_one_definition_for_each(
    folder: Callable[[str, str], None],
) -> None:
    text = edited(RATE, line(RATE, "instrument"), 'instruments = ["glm-5", "kimi-k3"]')
    text = edited(text, line(text, "title"), 'title = "{instrument}, planted"')
    folder("tkr/two.toml", text)
    found = definition.load_definitions()
    assert [d.index_ids for d in found] == [
        tuple(f"TKR-{model}-{meter}" for meter in ("IN", "OUT", "BLD"))
        for model in ("glm-5", "kimi-k3")
    ]
    assert [d.title for d in found] == ["glm-5, planted", "kimi-k3, planted"]
    assert {d.digest for d in found} == {hashlib.sha256(text.encode()).hexdigest()}
    assert [d.instruments for d in found if isinstance(d, RateDefinition)] == [(), ()]


def test_a_file_says_all_of_its_ids_when_it_is_read_alone() -> None:
    found = load_definition(RULES / "tkr" / "batch.toml")
    assert found.index_ids == ("TKR-gpt-oss-120b-BAT", "TKR-gpt-oss-20b-BAT")


PARENT = 'instrument = "glm-5"\nparent = "TKR-kimi-k3-BLD"'


@pytest.mark.parametrize(
    ("instrument", "meters", "message"),
    [
        ("", None, "exactly one of instrument and instruments"),
        ('instrument = "a"\ninstruments = ["b"]', None, "exactly one of instrument"),
        ("instruments = []", None, "exactly one of instrument"),
        ('instruments = ["a", "a"]', None, "stands twice in instruments"),
        (PARENT, None, "a parent lends to one index"),
        (PARENT.replace("kimi-k3", "glm-5"), 'meters = ["BLD"]', "not its own parent"),
    ],
    ids=[
        "neither",
        "both",
        "an empty list",
        "one twice",
        "a parent of several meters",
        "its own parent",
    ],
)
def test_instruments_and_parents_that_contradict_are_refused(
    tmp_path: Path, instrument: str, meters: str | None, message: str
) -> None:
    text = edited(RATE, line(RATE, "instrument"), instrument)
    if meters:
        text = edited(text, line(text, "meters"), meters)
    file = tmp_path / "planted.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(DefinitionError, match=message):
        load_definition(file)


@pytest.mark.parametrize("session", [None, "SHA", "NYC"], ids=["absent", "another", "the same"])
def test_a_parent_is_a_rate_of_the_same_session(
    folder: Callable[[str, str], None], session: str | None
) -> None:
    child = edited(RATE, line(RATE, "instrument"), PARENT)
    folder("tkr/child.toml", edited(child, line(child, "meters"), 'meters = ["BLD"]'))
    if session:
        other = edited(RATE, line(RATE, "instrument"), 'instrument = "kimi-k3"')
        folder("tkr/other.toml", edited(other, line(other, "session"), f'session = "{session}"'))
    if session == "NYC":
        assert len(definition.load_definitions()) == 2
        return
    with pytest.raises(DefinitionError, match=r"parent 'TKR-kimi-k3-BLD' is no rate index of"):
        definition.load_definitions()


def test_index_ids_follow_the_naming() -> None:
    by_id = {i: d for d in load_definitions() for i in d.index_ids}
    rates = [d for d in by_id.values() if isinstance(d, RateDefinition)]
    composites = [d for d in by_id.values() if isinstance(d, CompositeDefinition)]
    assert rates
    assert composites
    assert "TKX-ALL-BLD" in by_id
    assert "GPR-H100-SXM-80-OD-NEO-GLB" in by_id
    assert "GPR-H100-SXM-80-OD-HYP-US" in by_id


def test_the_frozen_listing_is_the_digest_of_every_file() -> None:
    rows = definition.frozen_listing().splitlines()
    told = dict(reversed(row.split("  ")) for row in rows)
    shipped = {
        str(f.relative_to(RULES)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in RULES.rglob("*.toml")
        if "past" not in f.relative_to(RULES).parts
    }
    assert told == shipped
    assert list(told) == sorted(told)


def test_the_rules_in_force_are_the_frozen_ones() -> None:
    file = RULES / "FROZEN.sha256"
    if not file.is_file():
        pytest.skip("methodology/rules/FROZEN.sha256 is not written yet")
    assert file.read_text("utf-8") == definition.frozen_listing()
