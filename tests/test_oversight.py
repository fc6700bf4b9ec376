"""Complaints, cessations, errata in words, notices and the monthly list, from intake to verify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from index import oversight, projections, replay, schedule
from index.config import Settings
from index.published import Published
from index.shop import look
from methodology.errors import ConfigError, CoverageError, UsageError, VerificationError
from tests import live_world as lw
from tests import revision_world as rw

NOW = datetime(2026, 8, 20, 12)


class Desk:
    """One copy of the published day, and the officers' keys by name."""

    def __init__(self, settings: Settings, keys: dict[str, Path]) -> None:
        self.settings, self.keys = settings, keys

    def __call__(self, *words: object, code: int = 0) -> str:
        done = rw.spotfix(self.settings, "oversight", *(self.keys.get(str(w), w) for w in words))
        assert done.exit_code == code, done.output
        return done.stdout + done.stderr

    def json(self, *words: object) -> Any:
        return json.loads(rw.spotfix(self.settings, "oversight", *words, "--json").stdout)

    def last(self) -> dict[str, Any]:
        return lw.records(self.settings)[-1]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    rw.only_these_indices(monkeypatch)
    monkeypatch.setattr(projections, "is_current", lambda settings: True)
    monkeypatch.setattr(schedule, "utc_now", lambda: NOW)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A day published wrong, and restated by Alice and Bob."""
    folder = tmp_path_factory.mktemp("oversight")
    with pytest.MonkeyPatch.context() as patch:
        rw.only_these_indices(patch)
        patch.setattr(projections, "is_current", lambda settings: True)
        patch.setattr(schedule, "utc_now", lambda: rw.IN_TIME)
        settings = rw.publish_a_wrong_day(folder / "out")
        names = ("alice", "bob", "carol")
        keys = {f"@{name}": rw.officer(settings, folder, name) for name in names}
        file = folder / "unit.toml"
        file.write_text(rw.UNIT_ERROR, "utf-8")
        words = ("--reason", rw.REASON, "--correction", file)
        signed = ("--key", keys["@alice"], "--cosign", keys["@bob"])
        done = rw.spotfix(settings, "revise", lw.DEEP, rw.DAY, *words, *signed)
        assert done.exit_code == 0, done.output
        yield Desk(settings, keys)


@pytest.fixture
def desk(office: Desk, tmp_path: Path) -> Desk:
    return Desk(rw.copied(office.settings, tmp_path / "out"), office.keys)


COMPLAINT = ("complaint", "receive", "--index", lw.DEEP, "--date", rw.DAY, "--text", "too low")


def test_a_complaint_is_bound_to_its_value_answered_by_another_officer_and_verifies(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = desk(*COMPLAINT, "--by", "a member")
    assert "C2026-0001 received about TKR-deepseek-v3.2-IN 2026-08-12, 0.284500" in told
    stands = lw.fixing(desk.settings, lw.DEEP, rw.DAY)
    first = desk.last()
    assert (first["concerns"], first["value"], first["state"]) == (
        stands["seq"], "0.284500", "RECEIVED",
    )  # fmt: skip
    assert "received already" in desk(*COMPLAINT, code=2)
    [row] = desk.json("list")["complaints"]
    assert (row["state"], row["answer_due"]) == ("WAITING", "2026-09-19T12:00:00.000Z")
    monkeypatch.setattr(schedule, "utc_now", lambda: NOW + timedelta(days=30, seconds=1))
    assert desk.json("list")["complaints"][0]["state"] == "OVERDUE"
    # Alice signed the restatement of that very value.
    answer = ("complaint", "answer", "C2026-0001", "--findings", "recomputed: it stands")
    assert "somebody else reviews it" in desk(*answer, "--key", "@alice", code=3)
    assert "say who reviews" in desk(*answer, code=2)
    desk(*answer, "--key", "@carol")
    last = desk.last()
    assert (last["state"], last["answers"], last["received_at"]) == (
        "ANSWERED", first["seq"], first["received_at"],
    )  # fmt: skip
    assert last["reviewer"] == rw.key_id(desk.keys["@carol"])
    assert "was answered" in desk(*answer, "--key", "@carol", code=2)
    [row] = desk.json("list")["complaints"]
    assert (row["state"], row["findings"]) == ("ANSWERED", "recomputed: it stands")
    assert replay.verify(desk.settings).problems == []


def test_a_complaint_about_nothing_published_is_refused(desk: Desk) -> None:
    words = ("complaint", "receive", "--text", "too low", "--index", lw.DEEP)
    assert "nothing is published" in desk(*words, "--date", "2026-08-11", code=1)
    assert "about an index and a day" in desk(*words, code=2)
    assert "there is no complaint" in desk(
        "complaint", "answer", "C1", "--findings", "x", "--key", "@carol", code=2
    )


@pytest.mark.parametrize(
    ("announced", "last", "is_emergency", "refused"),
    [
        pytest.param("2026-11-21", "2027-11-21", False, None, id="twelve months to the day"),
        pytest.param("2026-11-21", "2027-11-20", False, "12 months", id="a day less"),
        pytest.param("2026-11-21", "2027-11-20", True, None, id="a day less, in an emergency"),
        pytest.param("2026-11-21", "2027-11-21", True, "leave --emergency", id="no emergency"),
        pytest.param("2028-02-29", "2029-02-28", False, "12 months", id="a leap day, too early"),
        pytest.param("2028-02-29", "2029-03-01", False, None, id="from a leap day"),
        pytest.param("2026-11-21", "2026-11-20", True, "is over", id="a day that is over"),
        pytest.param("2026-11-21", "2026-11-21", True, None, id="today, in an emergency"),
    ],
)  # fmt: skip
def test_an_index_ends_twelve_months_after_its_announcement(
    office: Desk, announced: str, last: str, is_emergency: bool, refused: str | None
) -> None:
    shop, at = look(office.settings), datetime.fromisoformat(f"{announced}T13:00:00")
    day = date.fromisoformat(last)
    if refused:
        with pytest.raises(ConfigError, match=refused):
            oversight.cessation(shop, at, lw.OUT, day, "no use", is_emergency=is_emergency)
        return
    made = oversight.cessation(shop, at, lw.OUT, day, "no use", is_emergency=is_emergency)
    assert (made["last_ref_date"], made["is_emergency"]) == (last, is_emergency)


def test_a_cessation_links_published_values_and_ends_the_index(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("cessation", lw.DEEP, "--last", "2027-08-31", "--reason", "no use")
    assert "2 officers must sign" in desk(*words, "--key", "@alice", code=3)
    desk(*words, "--successor", lw.IN, "--key", "@alice", "--cosign", "@carol")
    made = desk.last()
    # 0.2845 (restated) over 0.1305: 2.180076628…
    assert (made["link_factor"], made["linked_on"]) == ("2.18007663", rw.DAY)
    assert "announced already" in desk(*words, "--key", "@alice", "--cosign", "@bob", code=2)
    published = look(desk.settings).published
    ends = [published.has_ended(lw.DEEP, date(2027, m, d)) for m, d in ((8, 31), (9, 1))]
    assert ends == [False, True]
    assert not published.has_ended(lw.IN, date(2027, 9, 1))
    assert replay.verify(desk.settings).problems == []


def test_an_index_that_ended_is_due_no_more() -> None:
    published = Published(
        cessations=[{"index_id": name, "last_ref_date": rw.DAY} for name in (lw.DEEP, lw.OUT)]
    )
    some = {n: d for one in lw.few_indices() for n in one.index_ids for d in [one]}
    mine = {n: some[n] for n in (lw.DEEP, lw.OUT)}
    for day, due in ((12, 1), (13, 0)):
        rounds = [datetime(2026, 8, day, 12)]
        found = schedule.due_now(datetime(2026, 8, day, 22, 30), mine, published, rounds)
        assert len(found) == due


def test_a_successor_without_a_common_day_has_no_link(office: Desk) -> None:
    published = look(office.settings).published
    with pytest.raises(CoverageError, match="no day on which both"):
        oversight.link_factor(published, lw.DEEP, "TKX-ALL-BLD")
    with pytest.raises(UsageError, match="does not follow itself"):
        oversight.link_factor(published, lw.DEEP, lw.DEEP)


def test_an_erratum_in_words_states_no_value_and_is_listed(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("the page as it was", "utf-8")
    words = ("erratum", lw.OUT, rw.DAY, "--cause", "a footnote names the wrong source")
    desk(*words, "--evidence", tmp_path / "page.txt", "--key", "@alice", "--cosign", "@bob")
    made = desk.last()
    assert (made["value"], made["should_be"], made["outcome"], made["manifest"]) == (
        "0.514167", None, "TOLD", None,
    )  # fmt: skip
    listed = desk.json("errors", "--month", "2026-08")["errors"]
    assert [(r["index_id"][-3:], r["became"], r["delta_pct"]) for r in listed] == [
        ("AGT", "RESTATED", "-1.5873"), ("BLD", "RESTATED", "-6.4516"),
        ("-IN", "RESTATED", "-5.1667"), ("OUT", "TOLD", None),
    ]  # fmt: skip
    assert desk.json("errors", "--month", "2026-09")["errors"] == []
    told = desk("errors", "--month", "2026-08")
    assert "0.284500" in told
    assert "a footnote names the wrong source" in told
    assert "write it like" in desk("errors", "--month", "08/2026", code=2)
    assert replay.verify(desk.settings).problems == []


@pytest.mark.parametrize(
    ("before", "after", "is_listed"),
    [
        pytest.param("1.0000", "1.0001", False, id="exactly 0.01% is not more"),
        pytest.param("1.00000", "1.00011", True, id="a little more than 0.01%"),
        pytest.param("-1.0000", "-1.0002", True, id="below zero, by its amount"),
        pytest.param("1.0", None, True, id="no value any more"),
        pytest.param(None, None, False, id="none, as before"),
    ],
)
def test_errors_of_more_than_a_hundredth_of_a_percent_are_listed(
    before: str | None, after: str | None, is_listed: bool
) -> None:
    assert oversight.is_listed(before, after) == is_listed


def test_a_notice_changes_nothing_and_only_two_kinds_are_for_people(desk: Desk) -> None:
    desk("notice", "--kind", "CHANGE", "--text", "a new source from September on")
    made = desk.last()
    assert (made["kind"], made["index_id"], made["concerns"]) == ("CHANGE", None, None)
    assert "one of CHANGE, OTHER" in desk("notice", "--kind", "DELAYED", "--text", "x", code=2)
    assert "names its index" in desk("notice", "--text", "x", "--date", rw.DAY, code=2)
    assert "notice CHANGE 2026-08-20" in desk("list")


def test_what_was_signed_elsewhere_is_a_statement_and_nothing_is_logged(
    desk: Desk, tmp_path: Path
) -> None:
    before, file = rw.bodies(desk.settings), tmp_path / "statement"
    words = ("cessation", lw.OUT, "--last", "2028-01-01", "--reason", "no use")
    desk(*words, "--statement", file)
    assert rw.bodies(desk.settings) == before
    [decision] = json.loads(file.read_bytes())["decisions"]
    assert (decision["type"], decision["last_ref_date"]) == ("cessation", "2028-01-01")
    assert {"seq", "at", "signatures"} & set(decision) == set()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        pytest.param("link_factor", "9.0", "the published values give", id="another link factor"),
        pytest.param("is_emergency", True, "not what it says", id="an emergency that is none"),
    ],
)
def test_a_cessation_that_says_something_else_does_not_verify(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, field: str, value: object, told: str
) -> None:
    """Even if two officers signed it."""
    true = oversight.cessation
    monkeypatch.setattr(oversight, "cessation", lambda *a, **k: {**true(*a, **k), field: value})
    words = ("cessation", lw.DEEP, "--last", "2027-08-31", "--reason", "no use")
    desk(*words, "--successor", lw.IN, "--key", "@alice", "--cosign", "@carol")
    with pytest.raises(VerificationError, match=told):
        replay.verify(desk.settings)
