"""What a run leaves beside its fixings: written once, with the last of them, and made again."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from index import artefacts, pipeline, replay
from index.artefacts import Pass, artefacts_of
from index.config import Settings
from index.ledger.batches import Batches
from index.ledger.canonical import canonical
from index.ledger.log import Log
from methodology.errors import VerificationError
from tests import live_world as lw


def cited(settings: Settings) -> list[dict[str, Any]]:
    found = [r for r in lw.records(settings) if r["type"] == "batch"]
    return [r for r in found if r["artefact"]["kind"] != "manifest"]


def test_each_kind_is_logged_once_after_the_last_fixing(few_ledger: Settings) -> None:
    found = cited(few_ledger)
    kinds = [r["artefact"]["kind"] for r in found]
    assert kinds == [kind for kind in artefacts.KINDS if kind in kinds]
    assert {"backcast", "resistance"} <= set(kinds)
    last = max(r["seq"] for r in lw.records(few_ledger) if r["type"] == "fixing")
    assert [r["seq"] for r in found] == list(range(last + 1, last + 1 + len(found)))


def test_a_pass_without_an_artefact_of_a_kind_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"one": lambda one: b"1\n", "none": lambda one: None, "two": lambda one: b"2\n"}
    monkeypatch.setattr(artefacts, "KINDS", made)
    nothing: Any = None
    one = Pass(nothing, {}, {}, nothing, nothing, {})
    assert list(artefacts_of(one).items()) == [("one", b"1\n"), ("two", b"2\n")]


def put_back(settings: Settings, records: list[dict[str, Any]]) -> None:
    origin = Log.open(settings.ledger, read_only=True).origin
    shutil.rmtree(settings.ledger / "log")
    Log.create(settings.ledger, origin).append([canonical(r) for r in records], expected_first=0)


def test_another_body_in_the_place_of_one_is_found(few_copy: Settings) -> None:
    """The files are sound and the tree too; only making them again shows that they are others."""
    records = lw.records(few_copy)
    kinds = ("backcast", "resistance")
    for kind in kinds:
        mine = next(r for r in records if r["type"] == "batch" and r["artefact"]["kind"] == kind)
        body = Batches(few_copy.ledger).get(kind, mine["artefact"]["sha256"])
        first = json.loads(body.splitlines()[0])
        other = canonical({**first, "value": "1.0000"}) + body[body.index(b"\n") :]
        mine["artefact"] = Batches(few_copy.ledger).put(kind, other).reference()
    put_back(few_copy, records)
    with pytest.raises(VerificationError) as error:
        replay.verify(few_copy)
    problems = getattr(error.value, "report").problems  # noqa: B009
    assert len(problems) == len(kinds)
    for kind, problem in zip(kinds, problems):
        assert re.match(rf"{kind} sha256:\w+: no pass over its intake", problem)


def test_a_ledger_from_before_a_kind_verifies(few_copy: Settings) -> None:
    records = [
        r
        for r in lw.records(few_copy)
        if r["type"] != "batch" or r["artefact"]["kind"] in ("manifest", "backcast")
    ]
    put_back(few_copy, [{**r, "seq": n} for n, r in enumerate(records)])
    assert replay.verify(few_copy).artefacts == 1


def test_artefacts_do_not_depend_on_where_a_run_was_killed(few_copy: Settings) -> None:
    """Cut between two finals and run again: the same bytes, though fewer prints were open."""
    whole = lw.records(few_copy)
    finals = [r["seq"] for r in whole if r["type"] == "fixing" and r["revision"] == 1]
    put_back(few_copy, whole[: finals[-1]])
    # Nothing of the records after the cut was shown to anyone: what is shown follows the log.
    shutil.rmtree(few_copy.site)
    shutil.rmtree(few_copy.drop)
    assert pipeline.run_bundled(few_copy).appended > 0
    assert lw.records(few_copy) == whole


LINES = {
    "a": [{"index_id": "X", "ref_date": "2026-08-11", "n": 1}],
    "b": [
        {"index_id": "X", "ref_date": "2026-08-12", "n": 2},
        {"index_id": "Y", "ref_date": "2026-08-10", "n": 3},
    ],
}


def test_a_live_day_goes_on_from_the_newest_line_before_it(tmp_path: Path) -> None:
    from datetime import date

    from index.published import Published

    batches, published = Batches(tmp_path), Published()
    for seq, rows in enumerate(LINES.values()):
        body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        stored = batches.put("triple", body)
        published.artefacts["triple", stored.sha256, "m"] = 10 * seq
    key = ("X", "NYC", "2026-08-13", 0)

    def numbers(day: date, size: int) -> dict[str, int]:
        found = artefacts.earlier_lines(published, batches, "NYC", day, size)("triple")
        return {name: row["n"] for name, row in found.items()}

    assert numbers(date(2026, 8, 13), 20) == {"X": 2, "Y": 3}
    assert numbers(date(2026, 8, 12), 20) == {"X": 1, "Y": 3}
    assert numbers(date(2026, 8, 13), 5) == {"X": 1}
    published.fixings[key] = {"seq": 5}
    # The day's first print was logged at 5: what came after it does not count.
    assert numbers(date(2026, 8, 13), 20) == {"X": 1}
