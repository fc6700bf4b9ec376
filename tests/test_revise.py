"""A wrong day put right: what changes, when it may, who signs, and that all of it recomputes.

The figures are worked by hand in ``tests/revision_world.py``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from collectors.base import Capture, Parsed
from index import (
    corrections,
    gate,
    intake,
    officers,
    projections,
    replay,
    restating,
    revising,
    schedule,
    verify_targets,
)
from index.config import Settings
from index.gate import Difference
from index.revision_plan import Plan
from index.shop import look, open_shop
from index.verifying import Findings, Trust
from methodology.errors import ConfigError, VerificationError
from tests import live_world as lw
from tests import loopback as lb
from tests import revision_world as rw
from tests.published_trees import read_files, target_of


@dataclass
class Office:
    """The published wrong day, two officers' keys, and the correction file."""

    settings: Settings
    alice: Path
    bob: Path
    correction: Path

    def revise(self, *words: object, index_id: str = lw.DEEP) -> tuple[int, str]:
        """Run ``spotfix revise`` on the day; return exit code and what was printed."""
        done = rw.spotfix(self.settings, "revise", index_id, rw.DAY, "--reason", rw.REASON, *words)
        return done.exit_code, done.stdout + done.stderr

    def signed(self) -> list[object]:
        return ["--correction", self.correction, "--key", self.alice, "--cosign", self.bob]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    rw.only_these_indices(monkeypatch)
    monkeypatch.setattr(projections, "is_current", lambda settings: True)
    at(monkeypatch, rw.IN_TIME)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(schedule, "utc_now", lambda: moment)


@pytest.fixture(scope="module")
def wrong_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("revise")
    with pytest.MonkeyPatch.context() as patch:
        rw.only_these_indices(patch)
        settings = rw.publish_a_wrong_day(folder / "out")
        alice, bob = (rw.officer(settings, folder, name) for name in ("alice", "bob"))
        correction = folder / "unit.toml"
        correction.write_text(rw.UNIT_ERROR, "utf-8")
        yield Office(settings, alice, bob, correction)


@pytest.fixture(scope="module")
def restated(wrong_day: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The day restated: Alice signs here, Bob somewhere else."""
    folder = tmp_path_factory.mktemp("restated")
    mine = rw.copied(wrong_day.settings, folder / "out")
    office = Office(mine, wrong_day.alice, wrong_day.bob, wrong_day.correction)
    with pytest.MonkeyPatch.context() as patch:
        rw.only_these_indices(patch)
        patch.setattr(projections, "is_current", lambda settings: True)
        at(patch, rw.IN_TIME)
        correction, statement = ("--correction", office.correction), folder / "statement"
        before = rw.bodies(mine)
        assert office.revise(*correction, "--statement", statement)[0] == 0
        assert rw.bodies(mine) == before
        key_id, signature = officers.sign(office.bob, statement.read_bytes())
        (folder / "bob.sig").write_bytes(base64.b64encode(signature) + b"\n")
        elsewhere = f"{key_id}={folder / 'bob.sig'}"
        code, told = office.revise(*correction, "--key", office.alice, "--signature", elsewhere)
        assert (code, "restated" in told) == (0, True), told
        yield office


@pytest.fixture
def office(wrong_day: Office, tmp_path: Path) -> Office:
    """A copy that one test may change."""
    mine = rw.copied(wrong_day.settings, tmp_path / "out")
    return Office(mine, wrong_day.alice, wrong_day.bob, wrong_day.correction)


def of_type(settings: Settings, *kinds: str) -> list[dict[str, Any]]:
    return [r for r in lw.records(settings) if r["type"] in kinds]


# --- shown, and nothing changed ------------------------------------------------------------------


def test_a_dry_run_shows_window_and_difference_and_changes_no_byte(wrong_day: Office) -> None:
    before = rw.files(wrong_day.settings)
    code, told = wrong_day.revise("--correction", wrong_day.correction, "--dry-run")
    assert code == 0
    assert rw.files(wrong_day.settings) == before
    # The final came at 22:30 UTC, 18:30 in New York, whose day ends at 04:00 UTC in summer.
    assert "2026-08-12 18:30:00 to 2026-08-12 23:59:59 America/New_York" in told
    assert "2026-08-12T22:30:00.000Z to 2026-08-13T03:59:59.000Z" in told
    row = next(line.split() for line in told.splitlines() if line.split()[:1] == [lw.DEEP])
    assert row[1:4] == ["0.300000", "0.284500", "-5.1667"] or row[0] == lw.DEEP
    assert "0.300000" in told
    assert "-5.1667" in told
    assert "siliconflow" in told


def test_the_dependent_indices_of_the_day_are_shown_and_the_others_are_not(
    wrong_day: Office,
) -> None:
    words = ("--reason", rw.REASON, "--correction", wrong_day.correction, "--dry-run", "--json")
    told = rw.spotfix(wrong_day.settings, "revise", lw.DEEP, rw.DAY, *words)
    found = {c["index_id"]: c for c in json.loads(told.stdout)["changes"]}
    assert sorted(found) == [f"TKR-deepseek-v3.2-{m}" for m in ("AGT", "BLD", "IN")]
    # BLD is (3 * input + output) / 4 per host: without SiliconFlow's (3 * 0.45 + 0.42) / 4 = 0.4425
    # the middle of six: 0.30175 of Novita and 0.3375 of Nebius, 0.3875 of DigitalOcean above.
    assert (found["TKR-deepseek-v3.2-BLD"]["value_before"], found[lw.DEEP]["outcome"]) == (
        "0.387500", "RESTATE",
    )  # fmt: skip
    gone = [c for c in found[lw.DEEP]["contributions"] if c["after"] is None]
    assert [c["before"]["price_nano"] for c in gone] == [450_000_000]


# --- restated ------------------------------------------------------------------------------------


def test_the_revision_says_what_it_replaces_why_and_who_signed(restated: Office) -> None:
    first = lw.fixing(restated.settings, lw.DEEP, rw.DAY, 1)
    after = lw.records(restated.settings)
    names = [r["index_id"] for r in after if r["type"] == "restatement"]
    assert names == [f"TKR-deepseek-v3.2-{m}" for m in ("AGT", "BLD", "IN")]
    new = lw.fixing(restated.settings, lw.DEEP, rw.DAY)
    assert (new["revision"], new["status"], new["value"]) == (2, "REVISED", "0.284500")
    assert (new["published_at"], new["revision_reason"]) == (
        "2026-08-12T23:15:00.000Z", rw.REASON,
    )  # fmt: skip
    assert new["supersedes"] == lw.digest_of(rw.bodies(restated.settings)[first["seq"]])
    act = after[new["seq"] - 1]
    assert (act["value_before"], act["value_after"], act["delta_pct"]) == (
        "0.300000", "0.284500", "-5.1667",
    )  # fmt: skip
    assert [s["name"] for s in act["signatures"]] == ["alice", "bob"]
    assert act["concerns"] == first["seq"]


@pytest.mark.parametrize("command", ["show", "explain"])
def test_a_restated_value_is_shown_with_its_reason_and_who_signed(
    restated: Office, command: str
) -> None:
    shown = rw.spotfix(restated.settings, command, lw.DEEP).stdout
    said = " ".join(shown.split())
    assert f"restated from 0.300000 -5.1667% {rw.REASON} signed by alice and bob" in said
    first = rw.spotfix(restated.settings, command, lw.DEEP, "--revision", 1)
    assert (first.exit_code, "signed by" in first.stdout) == (0, False)


def test_a_restated_day_verifies_from_the_archived_bodies(restated: Office) -> None:
    report = replay.verify(restated.settings, from_archive=True)
    assert (report.problems, report.recomputed) == ([], report.fixings)


def test_the_same_revision_again_says_that_it_is_done(restated: Office) -> None:
    before = rw.bodies(restated.settings)
    code, told = restated.revise(*restated.signed())
    assert (code, "signed alice, bob" in told) == (0, True)
    assert rw.bodies(restated.settings) == before


def test_what_is_found_later_is_told_and_the_next_day_goes_on_and_reads_less(
    restated: Office, tmp_path: Path
) -> None:
    office = Office(
        rw.copied(restated.settings, tmp_path / "out"),
        restated.alice, restated.bob, tmp_path / "other.toml",
    )  # fmt: skip
    office.correction.write_text(rw.UNIT_ERROR.replace('"siliconflow"', '"friendli"'), "utf-8")
    assert office.revise(*office.signed())[0] == 13
    told = next(r for r in of_type(office.settings, "erratum") if r["index_id"] == lw.DEEP)
    # Five remain: 0.25 0.26 0.269 0.3 0.62.
    assert (told["value"], told["should_be"], told["outcome"]) == (
        "0.284500", "0.269000", "REVISED_BEFORE",
    )  # fmt: skip
    with lb.Server(lw.healthy("2026-08-13")) as server:
        live = lw.settings(office.settings.out, server.url, allow_demo_live=True)
        lw.World(server, live).run(datetime(2026, 8, 13, 22, 30))
    # All that day's window shows the captures of the evening before, which still say 0.45.
    found = lw.fixing(office.settings, lw.DEEP, "2026-08-13")
    new = lw.fixing(office.settings, lw.DEEP, rw.DAY)
    assert found["panel_state_before"]["record"] == new["seq"]
    manifest = lw.lines(office.settings, found["manifest"])[0]
    act = of_type(office.settings, "restatement")[0]
    assert manifest["corrections"] == [act["correction"], *told["evidence"]]
    refused = lw.lines(office.settings, manifest["batches"]["refusals"])
    assert {(r["provider"], r["meter"], r["reason"]) for r in refused} == {
        ("siliconflow", "IN", "TAKEN_OUT"), ("friendli", "IN", "TAKEN_OUT"),
    }  # fmt: skip
    assert replay.verify(office.settings).problems == []


def test_a_day_that_has_no_value_any_more_is_withdrawn(office: Office, tmp_path: Path) -> None:
    """Without the one capture of models.dev a single host of each model is left."""
    body = lw.models_dev(deepseek={"siliconflow": "0.45"})
    text = rw.UNIT_ERROR.replace("refuse-listing", "refuse-capture")
    lines = [x for x in text.splitlines() if not x.startswith(("provider", "listing", "meter"))]
    lines.append(f'capture = "sha256:{hashlib.sha256(body).hexdigest()}"')
    file = tmp_path / "capture.toml"
    file.write_text("\n".join(lines), "utf-8")
    code, _ = office.revise("--correction", file, "--key", office.alice, "--cosign", office.bob)
    assert code == 0
    new = lw.fixing(office.settings, lw.DEEP, rw.DAY)
    assert (new["value"], new["status"], new["waterfall"]) == (None, "WITHDRAWN", "NO_FIX")
    act = next(r for r in of_type(office.settings, "restatement") if r["index_id"] == lw.DEEP)
    assert (act["value_after"], act["delta_pct"]) == (None, None)
    assert replay.verify(office.settings).problems == []


# --- told ----------------------------------------------------------------------------------------


def test_after_the_window_the_value_stands_and_an_erratum_says_what_it_should_have_been(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, rw.LATE)
    code, told = office.revise(*office.signed())
    assert (code, "should have been 0.284500" in told) == (13, True)
    assert of_type(office.settings, "restatement") == []
    assert lw.fixing(office.settings, lw.DEEP, rw.DAY)["value"] == "0.300000"
    erratum = next(r for r in of_type(office.settings, "erratum") if r["index_id"] == lw.DEEP)
    assert (erratum["value"], erratum["should_be"], erratum["outcome"]) == (
        "0.300000", "0.284500", "TOO_LATE",
    )  # fmt: skip
    notice = lw.records(office.settings)[erratum["seq"] + 1]
    assert (notice["kind"], notice["concerns"]) == ("CORRECTION", erratum["concerns"])
    said = " ".join(rw.spotfix(office.settings, "show", lw.DEEP).stdout.split())
    assert f"should have been 0.284500 -5.1667% {rw.REASON} signed by alice and bob" in said
    assert replay.verify(office.settings).problems == []


# --- forged --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planned(wrong_day: Office) -> Plan:
    with pytest.MonkeyPatch.context() as patch:
        rw.only_these_indices(patch)
        wanted = corrections.Correction(corrections.read_file(wrong_day.correction))
        day, shop = date.fromisoformat(rw.DAY), look(wrong_day.settings)
        return revising.plan(shop, lw.DEEP, day, rw.REASON, wanted, rw.IN_TIME)


def carry_out(office: Office, made: Plan) -> None:
    with open_shop(office.settings) as shop:
        files = (office.alice, office.bob)
        signed = officers.gather(shop, made.statement(), files, ())
        restating.carry_out(made, signed, shop)


def test_a_value_that_no_engine_determined_does_not_verify(office: Office, planned: Plan) -> None:
    """Two officers and the whole program together cannot put a figure of their own there."""
    planned.decide(rw.LATE)
    fields = next(c for c in planned.changes if c.index_id == lw.DEEP).draft.fields
    true = fields["value"]
    try:
        fields["value"] = "0.250000"
        carry_out(office, planned)
    finally:
        fields["value"] = true
    with pytest.raises(VerificationError, match=r"should have been 0\.25.*recomputes to 0\.284500"):
        replay.verify(office.settings)


def test_a_restatement_outside_the_window_does_not_verify(office: Office, planned: Plan) -> None:
    planned.decide(rw.IN_TIME)
    planned.at = rw.LATE
    carry_out(office, planned)
    with pytest.raises(VerificationError, match="TOO_LATE: the value had to stand"):
        replay.verify(office.settings)


def test_a_statement_that_was_signed_in_time_says_something_else_than_one_too_late(
    planned: Plan,
) -> None:
    """Who signed a restatement has not signed the erratum that it becomes after midnight."""
    planned.decide(rw.IN_TIME)
    in_time = planned.statement()
    planned.decide(rw.LATE)
    assert planned.statement() != in_time


def test_a_clock_before_the_final_is_refused(wrong_day: Office, planned: Plan) -> None:
    planned.decide(rw.EVENING - timedelta(hours=1))
    with pytest.raises(ConfigError, match="clock says 2026-08-12T21:30"):
        restating.carry_out(planned, (), look(wrong_day.settings))


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param([], 2, "a value cannot be given", id="nothing says what was wrong"),
        pytest.param(["unit"], 3, "2 officers must sign", id="only one officer signs"),
        pytest.param(["draft"], 2, "draft", id="the correction is a draft"),
        pytest.param(["acme"], 2, "read nothing of that", id="the correction hits nothing"),
        pytest.param(["price"], 3, "price", id="the correction names a price"),
    ],
)
def test_what_is_refused_changes_nothing(
    wrong_day: Office, tmp_path: Path, words: list[str], code: int, told: str
) -> None:
    (tmp_path / "unit").write_text(rw.UNIT_ERROR, "utf-8")
    (tmp_path / "draft").write_text(rw.UNIT_ERROR.replace('"reviewed"', '"draft"'), "utf-8")
    (tmp_path / "acme").write_text(rw.UNIT_ERROR.replace('"siliconflow"', '"acme"'), "utf-8")
    (tmp_path / "price").write_text(rw.UNIT_ERROR + 'price = "0.27"\n', "utf-8")
    before = rw.bodies(wrong_day.settings)
    given = [part for word in words for part in ("--correction", tmp_path / word)]
    found, output = wrong_day.revise(*given, "--key", wrong_day.alice)
    assert (found, told in output) == (code, True), output
    assert rw.bodies(wrong_day.settings) == before


def test_bodies_that_parse_as_they_did_change_nothing(wrong_day: Office) -> None:
    before = rw.bodies(wrong_day.settings)
    code, told = wrong_day.revise("--from-archive")
    assert (code, "nothing is logged" in told) == (14, True)
    assert rw.bodies(wrong_day.settings) == before


def test_a_day_without_a_final_has_nothing_to_restate(wrong_day: Office) -> None:
    words = ("revise", lw.DEEP, "2026-08-11", "--reason", rw.REASON, "--from-archive")
    done = rw.spotfix(wrong_day.settings, *words)
    assert done.exit_code == 1
    assert "no final is published" in done.stderr


# --- a mended parser -----------------------------------------------------------------------------


def test_a_mended_parser_restates_the_day_and_both_prints_verify(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser that took another model's price is mended: it refuses SiliconFlow's row."""
    as_it_was = intake.parse_capture

    def mended(capture: Capture) -> Parsed:
        parsed = as_it_was(capture)
        is_wrong = (pl.col("provider") == "siliconflow") & (pl.col("price_text") == "0.45")
        is_mine = is_wrong & pl.col("listing_id").str.starts_with("deepseek")
        return replace(parsed, quotes=parsed.quotes.filter(~is_mine))

    monkeypatch.setattr(intake, "parse_capture", mended)
    with pytest.raises(VerificationError, match="a parser or register changed"):
        replay.verify(office.settings, from_archive=True)
    code, told = office.revise(*office.signed())
    assert (code, "say --from-archive" in told) == (2, True)
    officers_sign = ("--key", office.alice, "--cosign", office.bob)
    assert office.revise("--from-archive", *officers_sign)[0] == 0
    new = lw.fixing(office.settings, lw.DEEP, rw.DAY)
    assert (new["revision"], new["value"]) == (2, "0.284500")
    report = replay.verify(office.settings, from_archive=True)
    assert (report.problems, report.known_differences) == ([], 0)


def test_every_new_value_of_a_plan_has_passed_the_second_engine(
    wrong_day: Office, planned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [one.stopped for one in planned.changes] == [[]] * len(planned.changes)
    rw.only_these_indices(monkeypatch)
    other = Difference("value", "0.284500", "0.284501")
    monkeypatch.setattr(gate, "differences", lambda record, evidence: [other])
    wanted = corrections.Correction(corrections.read_file(wrong_day.correction))
    day, shop = date.fromisoformat(rw.DAY), look(wrong_day.settings)
    made = revising.plan(shop, lw.DEEP, day, rw.REASON, wanted, rw.IN_TIME)
    assert [one.stopped for one in made.changes] == [[other]] * len(planned.changes)


def test_a_new_value_that_two_engines_do_not_agree_on_is_not_released(
    office: Office, planned: Plan
) -> None:
    one = next(c for c in planned.changes if c.index_id == lw.DEEP)
    one.stopped = [Difference("value", one.after, "0.284501")]
    planned.decide(rw.IN_TIME)
    try:
        carry_out(office, planned)
    finally:
        one.stopped = []
    made = [r for r in lw.records(office.settings) if r.get("index_id") == lw.DEEP]
    incident, erratum = (r for r in made if r["type"] in ("incident", "erratum"))
    assert (incident["kind"], incident["revision"]) == ("ENGINE_DIFFERENCE", 2)
    assert (erratum["outcome"], erratum["value"]) == ("BLOCKED", "0.300000")
    assert lw.fixing(office.settings, lw.DEEP, rw.DAY)["revision"] == 1
    assert lw.fixing(office.settings, "TKR-deepseek-v3.2-BLD", rw.DAY)["revision"] == 2


def test_an_intake_that_lacks_more_than_its_correction_names_does_not_verify(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody changes the program so that it quietly drops a source as well."""
    true = corrections.apply

    def greedy(*arguments: Any) -> corrections.Applied:
        found = true(*arguments)
        return replace(found, captures=[c for c in found.captures if c.source != "litellm"])

    monkeypatch.setattr(corrections, "apply", greedy)
    assert office.revise(*office.signed())[0] == 0
    with pytest.raises(VerificationError, match="its captures are not those before it"):
        replay.verify(office.settings)


def test_a_stranger_sees_that_two_officers_signed_a_restatement(office: Office) -> None:
    """What they signed is published: the keys of the server alone restate nothing."""
    code, told = office.revise(*office.signed())
    assert code == 0, told
    files = {f"site/{n}": b for n, b in read_files(office.settings.site).items()}
    files |= {f"drop/{n}": b for n, b in read_files(office.settings.drop).items()}
    [name] = (name for name in files if "/statement/" in name)

    def said(of: dict[str, bytes]) -> Findings:
        found = Findings()
        verify_targets.verify(target_of(of), Trust(), [], found)
        return found

    sound = said(files)
    assert (sound.problems, sound.counts["officers' acts"]) == ([], 3)
    for other in ({**files, name: files[name] + b"\n"}, {n: files[n] for n in files if n != name}):
        assert all(name == one.where for one in said(other).problems)
        assert said(other).problems
