"""Rules by version and digest, and which version may follow which (rulebook 23)."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from methodology import definition, rulebooks, versions
from methodology.errors import DefinitionError
from methodology.parameters import Change, Methodology
from methodology.rulebooks import Rulebook, rulebook

RULES = Path(definition.__file__).parent / "rules"
OLD = rulebook("1.0.0")


@pytest.mark.parametrize("entry", rulebooks.history(), ids=lambda entry: entry.version)
def test_no_file_of_any_version_was_lost_or_edited(entry: rulebooks.Entry) -> None:
    book = rulebook(entry.version)
    listed = dict(line.split("  ")[::-1] for line in book.listing.splitlines())
    assert {p: hashlib.sha256(t.encode()).hexdigest() for p, t in book.texts.items()} == listed
    assert book.methodology.version == entry.version
    assert rulebook(book.digest) is not None
    assert rulebook(book.digest).definitions == book.definitions


def test_the_rules_of_1_0_0_are_those_it_was_released_with() -> None:
    """67 files: parameters, 8 GPU rates, 54 of tokens, 3 composites, a unit value."""
    assert OLD.digest.startswith("sha256:5b7ed01b33f2c0b9e1b7db5708d9dfbf")
    assert len(OLD.texts) == 67 == len(OLD.listing.splitlines())
    assert len([n for d in OLD.definitions for n in d.index_ids]) == 172


def test_each_version_may_follow_the_one_before() -> None:
    books = [rulebook(entry.version) for entry in rulebooks.history()]
    assert len(books) >= 2
    for old, new in itertools.pairwise(books):
        rulebooks.check_succession(old, new)


def test_an_unknown_version_or_digest_is_an_error() -> None:
    for which in ("9.9.9", "sha256:" + "0" * 64):
        with pytest.raises(DefinitionError, match="no version of this software has them"):
            rulebook(which)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the rules that a test may spoil."""
    shutil.copytree(RULES, tmp_path / "rules")
    monkeypatch.setattr(definition, "_folder", lambda: tmp_path / "rules")
    rulebook.cache_clear()
    yield tmp_path / "rules"
    rulebook.cache_clear()


FILE = "tkr/glm-5.toml"


def test_an_edited_file_is_named_and_its_old_bytes_mend_it(shelf: Path) -> None:
    kept = (shelf / FILE).read_bytes()
    (shelf / FILE).write_bytes(kept + b"# a word more\n")
    with pytest.raises(DefinitionError, match=r"1\.0\.0: tkr/glm-5\.toml has other bytes") as error:
        rulebook("1.0.0")
    assert "past/1.0.0/tkr/glm-5.toml" in str(error.value)
    (shelf / "past" / "1.0.0" / "tkr").mkdir(parents=True)
    (shelf / "past" / "1.0.0" / FILE).write_bytes(kept)
    assert rulebook("1.0.0").definitions == OLD.definitions


def test_a_lost_file_is_named(shelf: Path) -> None:
    (shelf / FILE).unlink()
    with pytest.raises(DefinitionError, match=r"1\.0\.0: tkr/glm-5\.toml is missing"):
        rulebook("1.0.0")


def test_an_edited_listing_is_named(shelf: Path) -> None:
    listing = shelf / "past" / "1.0.0.sha256"
    listing.write_text(listing.read_text("utf-8").replace("a", "b", 1), "utf-8")
    with pytest.raises(DefinitionError, match=r"past/1\.0\.0\.sha256 is missing or edited"):
        rulebook("1.0.0")


def test_a_history_that_does_not_rise_is_refused(shelf: Path) -> None:
    file = shelf / "past" / "VERSIONS.toml"
    file.write_text(file.read_text("utf-8").replace('"1.0.0"', '"1.3.0"'), "utf-8")
    with pytest.raises(DefinitionError, match=r"1\.1\.0 stands below 1\.3\.0"):
        rulebooks.history()


def test_a_ledger_text_with_another_digest_is_refused() -> None:
    texts = {**OLD.texts, FILE: OLD.texts[FILE] + "\n"}
    with pytest.raises(DefinitionError, match=r"the text of tkr/glm-5\.toml has not the digest"):
        rulebooks.from_texts("1.0.0", OLD.listing, texts)
    whole = rulebooks.from_texts("1.0.0", OLD.listing, OLD.texts)
    assert whole.definitions == OLD.definitions


# --- what a number promises --------------------------------------------------------------------


def later(version: str, change: Any = None, **tables: Any) -> Methodology:
    update = {"version": version, "change": change, **tables}
    return OLD.methodology.model_copy(update=update)


JUMP = OLD.methodology.jump.model_copy(update={"crowd_groups": 3})
MORE = rulebook().methodology.marketplace

GOOD = Change(
    consultation="2027-1: trims of large panels",
    consultation_from=date(2026, 12, 1),
    consultation_to=date(2027, 1, 30),
    notice=date(2027, 2, 1),
    parallel_from=date(2027, 3, 1),
    parallel_to=date(2027, 3, 21),
    evidence="a" * 64,
)
"""60 days of consultation; notice on 1 February; the vintage of June is frozen on 1 March."""
FROM = date(2027, 6, 1)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        pytest.param(later("1.0.1"), None, id="a_patch_that_changes_nothing"),
        pytest.param(later("1.1.0", marketplace=MORE), None, id="a_minor_with_a_new_table"),
        pytest.param(later("1.0.1", marketplace=MORE), "takes a new minor", id="a_patch_with_one"),
        pytest.param(later("1.1.0", jump=JUMP), r"jump\.crowd_groups .* new major", id="a_figure"),
        pytest.param(later("0.9.0"), "only ever rises", id="a_lower_version"),
        pytest.param(later("1.0"), "three whole numbers", id="two_numbers"),
        pytest.param(later("1.01.0"), "three whole numbers", id="a_leading_zero"),
        pytest.param(later("2.0.0", jump=JUMP), r"has a table \[change\]", id="a_bare_major"),
        pytest.param(
            later("2.0.0", GOOD, jump=JUMP, effective_from=FROM), None, id="a_major_that_is_right"
        ),
    ],
)
def test_a_version_changes_no_more_than_its_number_says(new: Methodology, said: str | None) -> None:
    if said is None:
        versions.check_methodology(OLD.methodology, new)
        return
    with pytest.raises(DefinitionError, match=said):
        versions.check_methodology(OLD.methodology, new)


@pytest.mark.parametrize(
    ("update", "effective", "said"),
    [
        pytest.param({"consultation_from": date(2026, 12, 2)}, FROM, "consultation", id="59_days"),
        pytest.param({"parallel_to": date(2027, 3, 20)}, FROM, "parallel run", id="19_days"),
        pytest.param({"notice": date(2027, 1, 29)}, FROM, "after the consultation", id="too_early"),
        pytest.param({}, date(2027, 5, 1), "let it hold from 2027-06-01", id="a_frozen_month"),
        pytest.param({}, date(2027, 6, 2), "first day of a later month", id="inside_a_month"),
        pytest.param({"notice": date(2027, 5, 3)}, FROM, "notice from", id="29_days_of_notice"),
    ],
)
def test_a_major_that_skips_a_step_is_refused(
    update: dict[str, Any], effective: date, said: str
) -> None:
    change = GOOD.model_copy(update=update)
    with pytest.raises(DefinitionError, match=said):
        versions.check_major("methodology 2.0.0", change, effective, 3)


@pytest.mark.parametrize(
    ("day", "first"),
    [
        # On 1 November the vintage of February is frozen, that of March is not.
        (date(2026, 11, 1), date(2027, 3, 1)),
        (date(2026, 11, 30), date(2027, 3, 1)),
        (date(2026, 12, 1), date(2027, 4, 1)),
    ],
)
def test_the_first_month_that_is_free(day: date, first: date) -> None:
    assert versions.first_free_month(day, 3) == first


GLM = next(d for d in OLD.definitions if "TKR-glm-5-IN" in d.index_ids)


def with_one(**update: Any) -> Rulebook:
    changed = GLM.model_copy(update=update)
    others = tuple(changed if d is GLM else d for d in OLD.definitions)
    book = replace(OLD, version="1.1.0", digest="sha256:new", definitions=others)
    return replace(book, methodology=later("1.1.0"))


MORE_SOURCES = (*GLM.sources, "somebody")


@pytest.mark.parametrize(
    ("new", "said"),
    [
        pytest.param(with_one(title="in other words"), None, id="another_title"),
        pytest.param(
            with_one(sources=MORE_SOURCES, version="1.1.0"), None, id="a_new_source_behind"
        ),
        pytest.param(with_one(sources=MORE_SOURCES), "new minor", id="a_new_source_untold"),
        pytest.param(
            with_one(sources=("somebody", *GLM.sources), version="1.1.0"),
            "'sources' differs",
            id="a_new_source_in_front",
        ),
        pytest.param(with_one(classes=("host",)), "'classes' differs", id="other_classes"),
        pytest.param(
            with_one(classes=("host",), version="2.0.0"), r"table \[change\]", id="a_bare_major"
        ),
        pytest.param(
            replace(with_one(), definitions=OLD.definitions[1:]), "no longer defined", id="an_end"
        ),
        pytest.param(
            replace(OLD, digest="sha256:new"), "a file in force is not edited", id="an_edit"
        ),
    ],
)
def test_a_definition_changes_no_more_than_its_number_says(new: Rulebook, said: str | None) -> None:
    if said is None:
        rulebooks.check_succession(OLD, new)
        return
    with pytest.raises(DefinitionError, match=said):
        rulebooks.check_succession(OLD, new)


def test_the_rulebook_states_the_days_that_the_code_holds() -> None:
    text = (RULES.parent / "README.md").read_text("utf-8").partition("### 23.3")[2]
    for days in (versions.CONSULTATION_DAYS, versions.NOTICE_DAYS, versions.PARALLEL_DAYS):
        assert f"at least {days} days" in text
