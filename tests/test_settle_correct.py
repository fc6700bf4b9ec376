"""``spotfix settle --correct``: a price published in error is made again, signed, until 18:00.

The months are those of ``tests/test_settlements.py``. In London 18:00 on 1 June 2026 is 17:00 UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from index import opening, replay, schedule, settlement_corrections, settlements
from index.config import Settings
from index.ledger.canonical import canonical, digest
from index.publication import record, schema
from index.settlement_corrections import CORRECT, SAME, STANDS
from index.shop import open_shop
from methodology import contracts
from methodology.errors import ConfigError, CoverageError
from tests import live_world as lw
from tests import revision_world as rw
from tests.test_settlements import H100, at, made, shop

CONTRACT = contracts.load_contracts()["H100-MEAN-CALENDAR"]
MAY = date(2026, 5, 1)


def world(**wrong: Any) -> Any:
    """Return a log whose price of May was published with something wrong in it."""
    one = shop(H100, {date(2026, 5, n): "2.5000" for n in range(1, 32)})
    [told] = made(one, "2026-06-01 09:00")
    assert told["value"] == "2.500"
    told.update(wrong)
    return one


def plan(one: Any, when: str) -> settlement_corrections.Plan:
    return settlement_corrections.plan(one, CONTRACT, MAY, "a wrong tick", at(when))


def corrected(one: Any, when: str) -> dict[str, Any]:
    """Log a correction, whoever signed it, and return it."""
    found = {**plan(one, when).decision(), "seq": 9100}
    one.published.settlements.append(found)
    return found


@pytest.mark.parametrize(
    ("when", "outcome"),
    [
        pytest.param("2026-06-01 09:00:00", CORRECT, id="at_once"),
        pytest.param("2026-06-01 17:00:00", CORRECT, id="at_18_00_sharp"),
        pytest.param("2026-06-01 17:00:00.001", STANDS, id="a_millisecond_later"),
    ],
)
def test_a_wrong_price_is_corrected_until_18_00(when: str, outcome: str) -> None:
    found = plan(world(value="2.600"), when)
    assert (found.outcome, found.changed, found.made["value"]) == (outcome, ["value"], "2.500")


def test_a_correction_is_a_revision_that_names_the_record_before_it() -> None:
    one = world(value="2.600")
    first = one.published.settlements[0]
    assert "value was published as '2.600'" in "; ".join(settlements.check(one.published))
    found = corrected(one, "2026-06-01 12:00")
    assert (found["revision"], found["supersedes"], found["reason"]) == (
        1, digest(canonical(first)), "a wrong tick",
    )  # fmt: skip
    assert (found["value"], found["inputs"]) == ("2.500", first["inputs"])
    assert list(settlements.check(one.published)) == []
    assert made(one, "2026-06-01 14:00") == []  # the month has its price
    assert plan(one, "2026-06-01 12:30").outcome == SAME


def test_what_was_right_stays_and_what_is_not_there_is_told() -> None:
    assert plan(world(), "2026-06-01 12:00").outcome == SAME
    with pytest.raises(CoverageError, match="no price is published"):
        plan(shop(H100, {}), "2026-06-01 12:00")
    with pytest.raises(ConfigError, match="its terms are others"):
        plan(world(rule_digest="sha256:" + "0" * 64), "2026-06-01 12:00")
    with pytest.raises(ConfigError, match="before the price was published"):
        plan(world(), "2026-06-01 08:59")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(lambda r: r.update(value="2.400"), "value was published as", id="a_price"),
        pytest.param(lambda r: r.update(supersedes=None), "supersedes None", id="no_chain"),
        pytest.param(lambda r: r.update(revision=2), "after revision 0", id="a_gap"),
        pytest.param(lambda r: r.update(revision=0), "was published before", id="a_second_first"),
        pytest.param(
            lambda r: r.update(published_at="2026-06-01T17:00:00.001Z"), "was corrected at",
            id="after_18_00",
        ),
    ],
)  # fmt: skip
def test_a_false_correction_is_found(change: Change, told: str) -> None:
    one = world(value="2.600")
    change(corrected(one, "2026-06-01 12:00"))
    assert told in "; ".join(settlements.check(one.published))


def test_a_correction_of_what_was_right_is_found() -> None:
    one = world()
    corrected(one, "2026-06-01 12:00")
    assert "which was right" in "; ".join(settlements.check(one.published))


# With keys, files and the command ---------------------------------------------------------------

JULY = date(2026, 7, 1)
"""Nothing was published in it, so that there is no price; 18:00 on 3 August is 17:00 UTC."""


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a live log with a price that says that five days count."""
    mine = lw.settings(tmp_path / "out")
    lw.watch_few_indices(monkeypatch)
    when = datetime(2026, 8, 3, 9, 30)
    monkeypatch.setattr(schedule, "utc_now", lambda: when)
    with open_shop(mine) as one:
        opening.append(one, when)
        content = settlements.content(one.published, CONTRACT, JULY, when, batches=one.batches)
        wrong = {**content, "count": 5, "log_origin": one.log.origin, "administrator_id": "x"}
        one.append([lambda seq: record.settlement({**wrong, "seq": seq})])
    return mine


def test_two_officers_correct_a_price_by_command(
    published: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    when = datetime(2026, 8, 3, 10, 0)
    alice, bob = (rw.officer(published, tmp_path, name, when) for name in ("alice", "bob"))
    words = ["settle", CONTRACT.id, "--month", "2026-07", "--correct", "--reason", "five is none"]
    before = rw.files(published)
    told = rw.spotfix(published, *words, "--dry-run", "--json")
    assert (told.exit_code, json.loads(told.stdout)["changed"]) == (0, ["count"]), told.output
    assert rw.spotfix(published, *words, "--key", alice).exit_code == 3
    assert rw.spotfix(published, *words, "--key", alice, "--cosign", alice).exit_code == 3
    assert rw.files(published) == before
    # What is signed elsewhere at ten holds at noon: the time is not part of it.
    text = tmp_path / "statement"
    assert rw.spotfix(published, *words, "--statement", text).exit_code == 0
    monkeypatch.setattr(schedule, "utc_now", lambda: datetime(2026, 8, 3, 12, 0))
    signature = tmp_path / "bob.sig"
    signature.write_bytes(rw.PemSigner(bob, name="x", purpose="officer").sign(text.read_bytes()))
    given = f"{rw.key_id(bob)}={signature}"
    told = rw.spotfix(published, *words, "--key", alice, "--signature", given)
    assert told.exit_code == 0, told.output
    assert "count 5 -> 0" in " ".join(told.stdout.split())
    last = json.loads(rw.bodies(published)[-1])
    schema.check(last)
    assert (last["type"], last["revision"], last["count"]) == ("settlement", 1, 0)
    assert [one["name"] for one in last["signatures"]] == ["alice", "bob"]
    replay.verify(published)
    assert rw.spotfix(published, "verify").exit_code == 0
    assert rw.spotfix(published, *words, "--key", alice, "--cosign", bob).exit_code == 14


def test_after_18_00_it_stands_and_nothing_is_logged(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "utc_now", lambda: datetime(2026, 8, 3, 17, 0, 1))
    before = rw.files(published)
    words = ["settle", CONTRACT.id, "--month", "2026-07"]
    told = rw.spotfix(published, *words, "--correct", "--reason", "five is none")
    assert (told.exit_code, "the time for corrections is over" in told.stdout) == (13, True)
    assert rw.files(published) == before
    assert rw.spotfix(published, *words, "--reason", "no --correct").exit_code == 2
    event = ["settle", "H100-WEEK-ABOVE", "--week", "2026-W30", "--strike", "3.20"]
    assert rw.spotfix(published, *event, "--correct", "--reason", "x").exit_code == 2
