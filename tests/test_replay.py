"""Whatever is changed in what was published, verifying finds it and says what it is.

A log forged here has a sound tree: every record is appended anew, so that only what the records
mean can give it away.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Capture, Parsed
from index import intake, replay
from index.config import Settings
from index.ledger.batches import Batches
from index.ledger.canonical import canonical
from index.ledger.log import Log
from methodology.errors import CoverageError, ParseError, VerificationError
from tests import live_world as lw
from tests import loopback as lb

KINDS = (
    "basket", "calendar", "contributions", "inputs", "manifest", "observations", "panel_state",
    "rates", "rejections", "resistance", "rules", "volumes",
)  # fmt: skip
LOG_FILES = ("log/checkpoint", "log/heads", "log/tile/0/", "log/tile/entries/")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "small_ledger" not in request.fixturenames:  # the whole rulebook, verified once
        lw.watch_few_indices(monkeypatch)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two days of live collection; do not write to it."""
    out = tmp_path_factory.mktemp("live") / "out"
    begun = datetime(2026, 8, 12, 7, 30)
    with pytest.MonkeyPatch.context() as patch, lb.Server(lw.healthy()) as server:
        lw.watch_few_indices(patch)
        world = lw.World(server, lw.settings(out, server.url))
        for n, body in enumerate((lw.gpus(), lw.gpus("2026-08-13", nebius="3.95"))):
            for hours in (0, 15):
                world.run(begun + timedelta(days=n, hours=hours), gpurentalprices=body)
    return world.settings


@pytest.fixture
def copy(published: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(published.out, tmp_path / "out", copy_function=shutil.copyfile)
    return published.model_copy(update={"out": tmp_path / "out"})


def refusal(settings: Settings, **how: Any) -> str:
    with pytest.raises(VerificationError) as found:
        replay.verify(settings, **how)
    assert found.value.exit_code == 20
    return str(found.value)


# --- all is well -------------------------------------------------------------------------------


@pytest.mark.parametrize("from_archive", [False, True], ids=["from_batches", "from_the_archive"])
def test_every_live_fixing_is_recomputed(published: Settings, from_archive: bool) -> None:
    report = replay.verify(published, from_archive=from_archive)
    found = lw.records(published)
    fixings = sum(r["type"] == "fixing" for r in found)
    # Eight indices in New York on two days, each twice.
    assert report.recomputed == report.fixings == fixings >= 32
    assert (report.records, report.problems) == (len(found), [])
    assert report.manifests == sum(
        r["type"] == "batch" and r["artefact"]["kind"] == "manifest" for r in found
    )
    assert report.root == Log.open(published.ledger, read_only=True).root.hex()


def test_bundled_fixings_and_back_cast_recompute_in_both_engines(small_ledger: Settings) -> None:
    report = replay.verify(small_ledger)
    assert report.recomputed == report.fixings > 100
    assert (report.manifests, report.problems) == (1, [])
    assert report.second_engine + report.second_engine_has_no_road == report.fixings
    assert report.second_engine > 0.9 * report.fixings
    [stored] = (small_ledger.ledger / "batches" / "backcast").iterdir()
    assert report.back_cast_rows == len(stored.read_bytes().splitlines()) > 1000


def test_verifying_writes_nothing(copy: Settings) -> None:
    before = {p: p.stat().st_mtime_ns for p in copy.out.rglob("*")}
    replay.verify(copy)
    assert {p: p.stat().st_mtime_ns for p in copy.out.rglob("*")} == before


def test_nothing_published_is_no_difference(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match="no ledger here; run `spotfix run` first"):
        replay.verify(lw.settings(tmp_path / "out"))


# --- one byte ----------------------------------------------------------------------------------


def flipped(path: Path) -> Iterator[None]:
    """Change a byte at the start, the middle and the end; an empty file gets one."""
    body = path.read_bytes()
    if not body:
        path.write_bytes(b"\n")
        yield
    for place in {0, len(body) // 2, len(body) - 1} if body else ():
        changed = bytearray(body)
        changed[place] ^= 1
        path.write_bytes(changed)
        yield
    path.write_bytes(body)


@pytest.mark.parametrize("kind", [*LOG_FILES, *(f"batches/{k}/" for k in KINDS)])
def test_one_byte_changed_in_the_ledger_names_the_file(copy: Settings, kind: str) -> None:
    names = [p.relative_to(copy.ledger).as_posix() for p in copy.ledger.rglob("*") if p.is_file()]
    mine = max(
        (n for n in names if n.startswith(kind)), key=lambda n: (copy.ledger / n).stat().st_size
    )
    for _ in flipped(copy.ledger / mine):
        assert f"ledger/{mine}" in refusal(copy)


def test_the_kinds_above_are_all_there_are(published: Settings) -> None:
    # The guards refused nothing here: their batch is empty (tests/test_guarding.py changes one).
    kinds = {p.name for p in (published.ledger / "batches").iterdir()}
    assert kinds == {*KINDS, "refusals"}


def test_one_byte_changed_in_the_back_cast_names_the_file(few_copy: Settings) -> None:
    [stored] = (few_copy.ledger / "batches" / "backcast").iterdir()
    for _ in flipped(stored):
        assert f"ledger/batches/backcast/{stored.name}" in refusal(few_copy)


def test_one_byte_changed_in_an_archived_body_is_named_by_from_archive(copy: Settings) -> None:
    bodies = [p for p in copy.raw.glob("??/*") if p.is_file()]
    assert len(bodies) == 6  # five sources, one of them twice
    for _ in flipped(bodies[0]):
        assert bodies[0].name in refusal(copy, from_archive=True)
    for _ in flipped(copy.raw / "captures.jsonl"):
        assert "captures.jsonl" in refusal(copy, from_archive=True)


def test_an_archived_body_that_is_gone_is_named_by_from_archive(copy: Settings) -> None:
    body = next(copy.raw.glob("??/*"))
    body.unlink()
    assert body.name in refusal(copy, from_archive=True)


# --- forged logs -------------------------------------------------------------------------------

Forge = Callable[[list[dict[str, Any]], Settings], None]


def forged(settings: Settings, change: Forge) -> Settings:
    """Write the log anew with changed records, each at its place in a sound tree."""
    origin = Log.open(settings.ledger, read_only=True).origin
    found = lw.records(settings)
    change(found, settings)
    shutil.rmtree(settings.ledger / "log")
    Log.create(settings.ledger, origin).append([canonical(r) for r in found], expected_first=0)
    return settings


def one(found: list[dict[str, Any]], day: str = "2026-08-13", revision: int = 1) -> dict[str, Any]:
    """Return the fixing that is forged: nothing later cites it."""
    return next(
        r
        for r in found
        if r["type"] == "fixing"
        and (r["index_id"], r["ref_date"], r["revision"]) == (lw.H100_ANY, day, revision)
    )


def put(name: str, value: Any) -> Forge:
    return lambda found, settings: one(found).update({name: value})


def commit_later(found: list[dict[str, Any]], settings: Settings) -> None:
    later = next(
        r["seq"]
        for r in found
        if r["type"] == "commitment"
        and (r["index_id"], r["ref_date"]) == (lw.H100_ANY, "2026-08-13")
    )
    for revision in (0, 1):
        one(found, "2026-08-12", revision)["commit_seq"] = later


def publish_again(found: list[dict[str, Any]], settings: Settings) -> None:
    found.append({**one(found), "seq": len(found)})


def other_manifest(found: list[dict[str, Any]], settings: Settings) -> None:
    stored = Batches(settings.ledger).put("manifest", b'{"schema":"manifest/1.0"}\n')
    one(found)["manifest"] = stored.reference()


def other_contributions(found: list[dict[str, Any]], settings: Settings) -> None:
    mine = one(found)
    rows = lw.lines(settings, mine["contributions"])
    rows[0]["price_nano"] += 1
    body = b"".join(canonical(row) + b"\n" for row in rows)
    mine["contributions"] = Batches(settings.ledger).put("contributions", body).reference()


def state_of_another_day(found: list[dict[str, Any]], settings: Settings) -> None:
    provisional = one(found, "2026-08-12", 0)
    reference = {"record": provisional["seq"], **provisional["panel_state"]}
    one(found)["panel_state_before"] = reference


def another_state(found: list[dict[str, Any]], settings: Settings) -> None:
    mine = one(found)
    mine["panel_state_before"] = {**mine["panel_state_before"], **mine["panel_state"]}


WHAT = f"{lw.H100_ANY} 2026-08-13 r1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            put("value", "3.9100"),
            (WHAT, "value was published as '3.9100' and recomputes to '3.9000'"),
            id="a_value_names_index_day_field_and_both_values",
        ),
        pytest.param(put("grade", "D"), (WHAT, "grade was published as 'D'"), id="a_grade"),
        pytest.param(put("flags", []), (WHAT, "flags was published as []"), id="flags_dropped"),
        pytest.param(
            put("published_at", "2026-08-13T21:59:59.000Z"),
            (WHAT, "is before 2026-08-13T22:00:00.000Z, when it was due"),
            id="a_late_print_dated_before_it_was_due",
        ),
        pytest.param(
            put("published_at", "2026-08-13T22:00:00.000Z"),
            (WHAT, "is before 2026-08-13T22:30:00.000Z, when the revision that it replaces"),
            id="a_late_print_dated_when_it_was_due",
        ),
        pytest.param(
            put("calculated_at", "2026-08-13T22:00:00.000Z"),
            (WHAT, "calculated_at was published as"), id="a_late_value_dated_when_it_was_due",
        ),
        pytest.param(
            put("settlement_eligible", True), ("(fixing/1.0): field settlement_eligible = True",),
            id="eligibility_that_a_reference_cannot_have",
        ),
        pytest.param(
            put("log_origin", "example.org/other"), ("of the log example.org/other",),
            id="a_record_of_another_log",
        ),
        pytest.param(
            put("definition_digest", "sha256:" + "0" * 64),
            (WHAT, "differs from what it committed to in definition_digest"),
            id="rules_other_than_committed",
        ),
        pytest.param(
            put("basket_digest", "sha256:" + "0" * 64),
            (WHAT, "differs from what it committed to in basket_digest"),
            id="a_panel_other_than_committed",
        ),
        pytest.param(
            other_contributions, (WHAT, "contributions was published as"),
            id="contributions_that_do_not_follow_from_the_inputs",
        ),
        pytest.param(
            put("input_digest", "sha256:" + "0" * 64),
            (WHAT, "differs from what it committed to in input_digest"),
            id="inputs_other_than_committed",
        ),
        pytest.param(
            commit_later, (f"{lw.H100_ANY} 2026-08-12 r0", "is no commitment before it"),
            id="a_commitment_logged_after_its_fixing",
        ),
        pytest.param(
            put("commit_seq", 10**6), (WHAT, "record 1000000 is no commitment"),
            id="a_commitment_that_is_not_in_the_log",
        ),
        pytest.param(
            put("commit_seq", None), ("(fixing/1.0): field commit_seq = None",), id="no_commitment"
        ),
        pytest.param(
            put("supersedes", None), (WHAT, "supersedes None, the log has sha256:"),
            id="a_revision_that_hides_what_it_replaces",
        ),
        pytest.param(publish_again, (lw.H100_ANY, "was published before"), id="published_twice"),
        pytest.param(
            other_manifest, (WHAT, "no record lists its manifest"),
            id="a_manifest_that_the_log_does_not_list",
        ),
        pytest.param(
            put("panel_state_before", None), (WHAT, "continues from None"),
            id="started_afresh_instead_of_from_the_day_before",
        ),
        pytest.param(
            state_of_another_day, (WHAT, "the newest state before it is"),
            id="continued_from_the_provisional_instead_of_the_final",
        ),
        pytest.param(
            another_state, (WHAT, "the newest state before it is"),
            id="continued_from_a_state_that_the_day_before_did_not_leave",
        ),
        pytest.param(
            put("index_id", "TKR-nobody-IN"), ("TKR-nobody-IN 2026-08-13", "no index of that id"),
            id="an_index_without_a_definition",
        ),
        pytest.param(
            put("session", "SHA"), (lw.H100_ANY, "session SHA"), id="another_session"
        ),
        pytest.param(
            put("note", "by hand"), ("(fixing/1.0): field note = 'by hand': is not a field",),
            id="a_field_that_the_schema_does_not_have",
        ),
        pytest.param(put("seq", 7), ("seq 7",), id="a_record_that_was_moved"),
    ],
)  # fmt: skip
def test_a_forged_record_in_a_sound_tree_is_found(
    copy: Settings, change: Forge, said: tuple[str, ...]
) -> None:
    message = refusal(forged(copy, change))
    for part in said:
        assert part in message


def test_a_log_rewritten_without_a_change_still_verifies(copy: Settings) -> None:
    """So what the tests above find is the change, not the rewriting."""
    assert replay.verify(forged(copy, lambda found, settings: None)).problems == []


def test_all_problems_are_in_the_report(copy: Settings) -> None:
    def change(found: list[dict[str, Any]], settings: Settings) -> None:
        one(found).update({"supersedes": None, "commit_seq": 10**6})

    with pytest.raises(VerificationError, match=r"\(and 1 more\)$") as error:
        replay.verify(forged(copy, change))
    report: Any = getattr(error.value, "report")  # noqa: B009
    assert len(report.problems) == 2


def test_a_bundled_fixing_of_a_day_that_was_not_due_is_named(few_copy: Settings) -> None:
    def change(found: list[dict[str, Any]], settings: Settings) -> None:
        for record in found:
            if record["type"] in ("fixing", "commitment") and record["index_id"] == lw.H100_ANY:
                record["ref_date"] = "2026-07-15"
                if record.get("revision") == 1:
                    record["supersedes"] = lw.digest_of(canonical(found[earlier[-1]]))
                earlier.append(record["seq"])
        del earlier[:]

    earlier: list[int] = []
    message = refusal(forged(few_copy, change))
    assert f"{lw.H100_ANY} 2026-07-15 r" in message
    assert "its sources cover the index until 2026-" in message


# --- rules and parsers that changed ------------------------------------------------------------


def test_rules_that_are_not_at_hand_are_said_to_be_the_reason(copy: Settings) -> None:
    def change(found: list[dict[str, Any]], settings: Settings) -> None:
        next(r for r in found if r["type"] == "methodology")["methodology_digest"] = (
            "sha256:" + "0" * 64
        )

    message = refusal(forged(copy, change))
    assert re.match("rules: record [0-9]+ names rule files that are not at hand", message)
    assert "verify the log with a release that has them" in message


def test_a_parser_that_reads_otherwise_shows_only_from_the_archive(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = intake.parse_capture

    def without_the_last(capture: Capture) -> Parsed:
        found = parse(capture)
        if capture.source != "models_dev":
            return found
        return Parsed(found.quotes.head(-1), found.volumes, found.rates, found.rejections)

    monkeypatch.setattr(intake, "parse_capture", without_the_last)
    assert replay.verify(published).problems == []
    message = refusal(published, from_archive=True)
    assert message.startswith("batch observations: the archived bodies now parse to sha256:")
    assert "a parser or register changed" in message


def test_a_parser_that_refuses_an_archived_body_is_named(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(capture: Capture) -> Parsed:
        raise ParseError(capture.source, "SHAPE", "no longer understood")

    monkeypatch.setattr(intake, "parse_capture", refuse)
    message = refusal(published, from_archive=True)
    assert "its archived body no longer parses (SHAPE: no longer understood)" in message


def test_records_are_canonical(published: Settings) -> None:
    for body in Log.open(published.ledger, read_only=True).entries():
        assert canonical(json.loads(body)) == body
