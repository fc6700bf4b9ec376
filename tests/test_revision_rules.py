"""When a value is restated, to the second and to the unit; who may sign; what a file may say."""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from index import corrections, officers
from index.config import Settings
from index.publication import key_records, keyring
from index.publication.key_records import KeyHistory
from index.publication.keys import PemSigner, create_pem
from index.revision_plan import decide, delta_pct
from methodology import clock
from methodology.errors import ConfigError
from tests.vectors import vector

ROOT = Path(__file__).resolve().parents[1]
NOON = datetime(2026, 8, 12, 12)
OPEN = datetime(2026, 8, 12, 15, 59, 59)


# --- the window ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "day", "last_second"),
    [
        pytest.param("SHA", "2026-11-20", "2026-11-20T15:59:59", id="Shanghai is UTC+8 all year"),
        pytest.param("NYC", "2026-08-12", "2026-08-13T03:59:59", id="New York in summer"),
        pytest.param("NYC", "2026-01-15", "2026-01-16T04:59:59", id="New York in winter"),
        pytest.param("NYC", "2026-03-07", "2026-03-08T04:59:59", id="a day before 23 hours"),
        pytest.param("NYC", "2026-03-08", "2026-03-09T03:59:59", id="the day of 23 hours"),
        pytest.param("NYC", "2026-10-31", "2026-11-01T03:59:59", id="a day before 25 hours"),
        pytest.param("NYC", "2026-11-01", "2026-11-02T04:59:59", id="the day of 25 hours"),
        pytest.param("NYC", "2028-02-29", "2028-03-01T04:59:59", id="a leap day"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("later", "outcome"),
    [
        pytest.param(timedelta(0), "RESTATE", id="in its last second"),
        pytest.param(timedelta(milliseconds=999), "RESTATE", id="at the end of its last second"),
        pytest.param(timedelta(seconds=1), "TOO_LATE", id="a second later"),
    ],
)
def test_the_window_closes_with_the_local_day(
    session: str, day: str, last_second: str, later: timedelta, outcome: str
) -> None:
    until = clock.restatement_until(session, date.fromisoformat(day))
    assert until == datetime.fromisoformat(last_second)
    assert decide("2.0000", "2.1000", until + later, until) == outcome


# --- the threshold -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        pytest.param("2.0000", "2.0020", "NOT_MATERIAL", id="exactly 0.10% up is not more"),
        pytest.param("2.0000", "2.0021", "RESTATE", id="one unit above 0.10%"),
        pytest.param("2.0000", "2.0019", "NOT_MATERIAL", id="one unit below 0.10%"),
        pytest.param("2.0000", "1.9980", "NOT_MATERIAL", id="exactly 0.10% down is not more"),
        pytest.param("2.0000", "1.9979", "RESTATE", id="one unit more than 0.10% down"),
        pytest.param("0.000001", "0.000002", "RESTATE", id="the smallest value, one unit up"),
        pytest.param("999999999999.999999", "1000999999999.999998", "NOT_MATERIAL",
                     id="a value that no float holds, at its limit"),
        pytest.param("999999999999.999999", "1000999999999.999999", "RESTATE",
                     id="a value that no float holds, one unit beyond"),
        pytest.param("-2.0000", "-2.0020", "NOT_MATERIAL", id="a spread below zero, exactly 0.10%"),
        pytest.param("-2.0000", "-2.0021", "RESTATE", id="a spread below zero, one unit beyond"),
        pytest.param("-2.0000", "2.0000", "RESTATE", id="a spread that changes sides"),
        pytest.param("0.0000", "0.0001", "RESTATE", id="from zero everything is more"),
        pytest.param("0.0000", "0.0000", "NOT_MATERIAL", id="zero that stays"),
        pytest.param(None, "2.0000", "RESTATE", id="a value where there was none"),
        pytest.param("2.0000", None, "RESTATE", id="no value where there was one"),
        pytest.param(None, None, "NOT_MATERIAL", id="none, as before"),
    ],
)  # fmt: skip
def test_a_value_is_restated_when_it_moves_by_more_than_a_tenth_of_a_percent(
    before: str | None, after: str | None, outcome: str
) -> None:
    assert decide(before, after, NOON, OPEN) == outcome
    late = "TOO_LATE"
    assert decide(before, after, OPEN + timedelta(seconds=1), OPEN) == late
    assert decide(before, after, NOON, OPEN, revision=2) == "REVISED_BEFORE"


def test_the_worked_example_of_another_administrator() -> None:
    """TV13: 1234.56 is restated above 1235.79 and below 1233.33, cents as published."""
    told = vector("TV13_cf_restatement.json")
    for case in told["cases"]:
        outcome = "RESTATE" if case["restate"] else "NOT_MATERIAL"
        assert decide(str(told["published"]), case["corrected"], NOON, OPEN) == outcome


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        ("0.300000", "0.284500", "-5.1667"),
        ("2.0000", "2.0021", "0.1050"),
        ("3", "3.000001", "0.0000"),
        ("-2.0000", "-2.0021", "-0.1050"),
        ("8", "8.000004", "0.0001"),  # 0.00005 exactly, half up
        ("0.0000", "0.0001", None),
        (None, "1", None),
        ("1", None, None),
    ],
)
def test_by_how_much_a_value_moves(before: str | None, after: str | None, share: str) -> None:
    assert delta_pct(before, after) == share


# --- officers ------------------------------------------------------------------------------------

TEXT = b'{"decisions":[]}'


class Bureau:
    """Officers' keys by name, and the history of a log that begins at record 10 with them."""

    def __init__(self, folder: Path) -> None:
        ring = keyring.demo()
        at = datetime(2026, 8, 12)
        self.files: dict[str, Path] = {}
        made = [one(n) for n, one in enumerate(key_records.opening(ring, "t/log", at))]
        for name, person, seq in (
            ("alice", "alice", 10), ("bob", "bob", 11), ("alice2", "alice", 12),
            ("fired", "fired", 13), ("new", "new", 30),
        ):  # fmt: skip
            self.files[name] = folder / f"{name}.pem"
            create_pem(self.files[name])
            signer = PemSigner(self.files[name], name=person, purpose="officer")
            new = key_records.create(
                signer, origin="t/log", at=at, effective_seq=seq, root=ring.root_signer
            )
            made.append({**new, "seq": seq})
            if name == "fired":
                gone = key_records.revoke(
                    signer.public, origin="t/log", at=at, effective_seq=14, reason="left",
                    root=ring.root_signer,
                )  # fmt: skip
                made.append({**gone, "seq": 14})
        self.fixing = ring.fixing
        self.history = KeyHistory.read(made, origin="t/log")

    def sign(self, name: str, text: bytes = TEXT) -> tuple[str, bytes]:
        if name == "fixing":
            return self.fixing.public.id, self.fixing.sign(text)
        return officers.sign(self.files[name], text)


@pytest.fixture(scope="module")
def bureau(tmp_path_factory: pytest.TempPathFactory) -> Bureau:
    return Bureau(tmp_path_factory.mktemp("officers"))


def test_two_officers_in_force_are_enough(bureau: Bureau) -> None:
    found = officers.accept(TEXT, [bureau.sign("alice"), bureau.sign("bob")], bureau.history, 20)
    assert [one.name for one in found] == ["alice", "bob"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        pytest.param([], "signed by nobody", id="nobody signs"),
        pytest.param(["alice"], "2 officers must sign", id="one officer signs"),
        pytest.param(["alice", "alice"], "signed twice", id="one key signs twice"),
        pytest.param(["alice", "alice2"], "another key", id="one officer signs with two keys"),
        pytest.param(["alice", "fired"], "revoked from seq 14", id="a key was revoked"),
        pytest.param(["alice", "new"], "it holds from seq 30 on", id="an officer of later"),
        pytest.param(["alice", "fixing"], "it is a key for fixing", id="no officer's key"),
    ],
)  # fmt: skip
def test_signatures_that_do_not_count_are_refused(
    bureau: Bureau, names: list[str], told: str
) -> None:
    given = [bureau.sign(name) for name in names]
    with pytest.raises(ConfigError, match=told):
        officers.accept(TEXT, given, bureau.history, 20)


def test_a_key_no_record_names_is_refused(bureau: Bureau, tmp_path: Path) -> None:
    create_pem(tmp_path / "stranger.pem")
    given = [bureau.sign("alice"), officers.sign(tmp_path / "stranger.pem", TEXT)]
    with pytest.raises(ConfigError, match="no record of the log creates this key"):
        officers.accept(TEXT, given, bureau.history, 20)


def test_a_signature_over_something_else_is_refused(bureau: Bureau) -> None:
    given = [bureau.sign("alice"), bureau.sign("bob", TEXT + b"\n")]
    with pytest.raises(ConfigError, match="is not over this statement"):
        officers.accept(TEXT, given, bureau.history, 20)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("log_origin", "other/log", "no statement of this log"),
        ("value_after", "9.9", "does not hold this record"),
        ("signatures", [], "signed by nobody"),
    ],
)
def test_a_logged_record_that_was_not_signed_as_it_stands_is_a_problem(
    bureau: Bureau, field: str, value: object, told: str
) -> None:
    content = {"type": "restatement", "log_origin": "t/log", "value_after": "1.0"}
    text = officers.statement("t/log", [content])
    signed = officers.accept(
        text, [bureau.sign(n, text) for n in ("alice", "bob")], bureau.history, 20
    )
    logged = {**content, "seq": 20, "at": "x", "signatures": [one.as_record() for one in signed]}
    assert officers.problems_of(logged, text, bureau.history, 2) == []
    [problem] = officers.problems_of({**logged, field: value}, text, bureau.history, 2)
    assert told in problem


def test_a_name_that_is_not_that_of_the_key_is_a_problem(bureau: Bureau) -> None:
    text = officers.statement("t/log", [{"type": "erratum", "log_origin": "t/log"}])
    key_id, raw = bureau.sign("alice", text)
    rows = [{"key_id": key_id, "name": "bob", "signature": base64.b64encode(raw).decode()}]
    logged = {"type": "erratum", "log_origin": "t/log", "seq": 20, "signatures": rows}
    [problem] = officers.problems_of(logged, text, bureau.history, 1)
    assert "not that of its key" in problem


# --- correction files ----------------------------------------------------------------------------

GOOD = """schema = "correction/1.0"
[[correction]]
action = "refuse-listing"
source = "vast"
listing = "h100"
reason = "ten times the price"
evidence = "https://example.org/"
evidence_date = 2026-08-12
status = "reviewed"
"""


def test_a_correction_is_recorded_and_read_as_it_was_signed(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(GOOD + "from = 2026-08-12T09:00:00+02:00\n", "utf-8")
    actions = corrections.read_file(tmp_path / "c.toml")
    assert actions[0].as_record()["from"] == "2026-08-12T07:00:00.000000Z"
    wanted = corrections.Correction(actions, parsed_again=True)
    again = corrections.Correction.of(json.loads(wanted.body({"kind": "manifest"})))
    assert again == wanted


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(("listing", "price"), "price", id="it names a price"),
        pytest.param(('"refuse-listing"', '"set-value"'), "action", id="it would set a value"),
        pytest.param(('listing = "h100"', ""), "needs 'listing'", id="no listing"),
        pytest.param(('"refuse-listing"', '"refuse-capture"'), "needs 'capture'", id="no capture"),
        pytest.param(('"ten times the price"', '"?"'), "reason", id="no reason to speak of"),
        pytest.param(("https://example.org/", "a mail"), "evidence", id="evidence nobody can open"),
        pytest.param(('"reviewed"', '"done"'), "status", id="an unknown status"),
        pytest.param(("correction/1.0", "correction/2"), "begins with", id="another schema"),
        pytest.param(("2026-08-12", "2026-13-12"), "not TOML", id="no date"),
        pytest.param(("status", "from = 2026-08-12T09:00:00\nstatus"), "zone", id="no zone"),
        pytest.param(("status", "value = 3\nstatus"), "value", id="a value"),
    ],
)  # fmt: skip
def test_a_file_that_says_something_else_is_refused(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    (tmp_path / "c.toml").write_text(GOOD.replace(*change), "utf-8")
    with pytest.raises(ConfigError, match=told):
        corrections.read_file(tmp_path / "c.toml")


# --- no way in -----------------------------------------------------------------------------------

FIGURES = {"value", "level", "alt", "price_nano", "weight_e8", "value_units"}
"""What nobody may give: no option, setting or field of a correction has such a name."""

WRITERS = {
    "index/draft_rates.py", "index/draft_composites.py", "index/draft_derived.py",
}  # fmt: skip
"""Where a determination becomes the figures of a fixing; everything else reads them."""


@cache
def code() -> tuple[tuple[str, ast.AST], ...]:
    """Every module of ``index``, except the invented market of the mock feed and its own log."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8")))
        for path in sorted((ROOT / "index").rglob("*.py"))
        if not path.name.startswith("mock_")
    )


def test_no_command_has_an_option_for_a_figure() -> None:
    """IOSCO 3: whatever is typed, no published figure comes from it."""
    found = []
    for file, tree in code():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Option"):
                continue
            words = [a.value for a in node.args if isinstance(a, ast.Constant)]
            flags = {str(w).strip("-") for w in words if isinstance(w, str) and w.startswith("--")}
            found += [f"{file}: --{flag}" for flag in flags & {*FIGURES, "price", "weight", "set"}]
    assert found == []


def test_a_correction_has_no_field_for_a_figure() -> None:
    assert set(corrections.Action.model_fields) & {*FIGURES, "price", "weight"} == set()


def test_no_setting_is_a_figure() -> None:
    assert set(Settings.model_fields) & {*FIGURES, "price", "weight"} == set()


def makers(tree: ast.AST) -> Iterator[str]:
    """Yield the functions that call ``record.fixing``, the one way to make a fixing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Call) and ast.unparse(inner.func) == "record.fixing":
                    yield node.name


def test_a_fixing_is_made_in_one_place_and_its_figures_are_those_of_the_draft() -> None:
    """And that place gives ``**draft.fields`` first and sets none of the figures after it."""
    found = {(file, name) for file, tree in code() for name in makers(tree)}
    assert found == {("index/records.py", "fixing_record")}
    tree = dict(code())["index/records.py"]
    calls = [
        n for n in ast.walk(tree)
        if isinstance(n, ast.Call) and ast.unparse(n.func) == "record.fixing"
    ]  # fmt: skip
    [fields] = calls[0].args
    assert isinstance(fields, ast.Dict)
    assert fields.keys[0] is None
    assert ast.unparse(fields.values[0]) == "draft.fields"
    named = {key.value for key in fields.keys if isinstance(key, ast.Constant)}
    assert named & FIGURES == set()


def test_figures_of_a_draft_are_written_where_they_are_determined_and_nowhere_else() -> None:
    """No module assigns to ``….fields[…]`` of a draft."""
    found = []
    for file, tree in code():
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AugAssign) else targets
            found += [
                f"{file}: {ast.unparse(one)}"
                for one in targets
                if isinstance(one, ast.Subscript) and ast.unparse(one.value).endswith(".fields")
            ]
    assert found == []
    makers_of_drafts = {
        file for file, tree in code() for n in ast.walk(tree)
        if isinstance(n, ast.Call) and ast.unparse(n.func) == "Draft"
    }  # fmt: skip
    assert makers_of_drafts == WRITERS


def test_no_module_that_makes_figures_asks_the_environment() -> None:
    asked = {"environ", "getenv", "Settings"}
    for file, tree in code():
        if file in {*WRITERS, "index/prints.py", "index/determine.py", "index/records.py"}:
            names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
            names |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
            assert names & asked == set(), file
