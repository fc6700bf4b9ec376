"""The command without a ledger: help, errors, settings, saved bodies, the table of commands."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

from index.cli import app
from index.commands_table import BEGIN, END, commands_table
from index.ledger.log import Log
from index.words import FLAGS
from tests.offline import plain_environment

ROOT = Path(__file__).resolve().parents[1]
BODIES = ROOT / "tests" / "payloads"


def call(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, list(words), env=env)


def all_commands() -> list[tuple[list[str], Any]]:
    found: list[tuple[list[str], Any]] = []

    def walk(group: Any, before: list[str]) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, [*before, name])
            else:
                found.append(([*before, name], command))

    walk(typer.main.get_command(app), [])
    return found


COMMANDS = all_commands()


@pytest.mark.parametrize("words", [c[0] for c in COMMANDS], ids=[" ".join(c[0]) for c in COMMANDS])
def test_every_command_has_help_with_an_example_and_can_speak_json(words: list[str]) -> None:
    result = call(*words, "--help")
    assert result.exit_code == 0
    assert f"\n    spotfix {words[0]}" in result.stdout
    assert "--json" in result.stdout


def test_no_line_of_the_overview_is_cut() -> None:
    text = call("--help").stdout.partition("Commands:")[2]
    assert all(" ".join(words[:1]) in text for words, _ in COMMANDS)
    assert "..." not in text


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom index.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'polars', 'duckdb', 'pandera', 'numpy', 'pydantic', 'rich', 'httpx', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stderr.strip() == "[]"


def test_version_and_module_are_ways_in() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "index", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.startswith("spotfix ")


def test_the_table_of_commands_in_the_readme_is_the_one_of_the_command() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert BEGIN in text
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == commands_table().strip()


def test_every_flag_a_record_can_carry_has_words() -> None:
    raised: set[str] = set()
    for file in (ROOT / "index").glob("*.py"):
        text = file.read_text("utf-8")
        for block in re.findall(r"\n    flags = ([\[(].*?)\n    (?:[\])]|\w)", text, re.DOTALL):
            raised |= set(re.findall(r'[( ]"([A-Z_]{3,})",? ?', block))
        raised |= set(re.findall(r'flags\.append\("([A-Z_]+)"\)', text))
    raised -= {"CNY", "USD"}
    assert {"MIRRORED_EVIDENCE", "PANEL_BREAK", "BUNDLED"} <= raised
    assert raised <= set(FLAGS)


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        pytest.param(["shw"], 2, "Did you mean 'show'", id="a_typing_error_gets_an_offer"),
        pytest.param(["show"], 2, "Missing argument 'INDEX'", id="a_missing_word_is_named"),
        pytest.param(["list", "--nope"], 2, "--nope", id="an_unknown_option_is_named"),
        pytest.param(["show", "X"], 2, "spotfix list", id="an_unknown_index_leads_to_the_list"),
        pytest.param(["run", "--at", "2026-01-01"], 2, "--live", id="at_needs_live"),
        pytest.param(["run", "--live", "--due"], 2, "one of them", id="live_or_due"),
        pytest.param(["run", "--live", "--at", "noon"], 2, "write it like", id="no_time"),
        pytest.param(["run", "--bundle", "nowhere"], 3, "MANIFEST.json", id="no_bundle"),
        pytest.param(["verify"], 1, "spotfix run", id="nothing_to_verify"),
        pytest.param(["rebuild"], 1, "spotfix run", id="nothing_to_rebuild"),
        pytest.param(["show", "TKX-ALL-BLD"], 1, "spotfix run", id="nothing_to_show"),
        pytest.param(["history", "TKX-ALL-BLD"], 1, "spotfix run", id="no_history"),
        pytest.param(["bundle", "nowhere"], 2, "no such folder", id="no_bodies"),
        pytest.param(["parse", "nope", "x"], 2, "not admitted", id="no_such_source"),
        pytest.param(["sources", "litelm"], 2, "did you mean litellm", id="a_source_misspelt"),
        pytest.param(["record", "nope"], 2, "`spotfix sources`", id="no_such_source_to_record"),
        pytest.param(["verify", "ftp://a"], 2, "https://", id="no_such_kind_of_address"),
        pytest.param(["bundle", "."], 2, "is missing from", id="no_bodies_in_the_folder"),
        pytest.param(["replay"], 1, "spotfix run", id="nothing_to_replay"),
        pytest.param(["parse", "ecb", "nowhere"], 2, "nowhere", id="no_such_body"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["as_a_line", "as_json"])
def test_an_error_is_one_line_with_the_next_step(
    words: list[str],
    code: int,
    part: str,
    as_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*words, *["--json"] * as_json)
    assert result.exit_code == code
    assert result.stdout == ""
    if as_json:
        told = json.loads(result.stderr[result.stderr.index("{") :])["error"]
        assert part in told["message"]
        assert told["exit_code"] == code
        return
    lines = [x for x in result.stderr.splitlines() if not x.startswith("spotfix: ")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert part in lines[0]

    assert list(tmp_path.iterdir()) == []  # a refused command leaves nothing behind


@pytest.mark.parametrize(
    ("text", "variables", "parts"),
    [
        pytest.param(
            b'outt = "x"', {}, ["'outt'", "did you mean out", "spotfix.toml"], id="a_name_misspelt"
        ),
        pytest.param(b"garbage[[[", {}, ["spotfix.toml", "line 1"], id="no_toml"),
        pytest.param(b"\xff\xfe", {}, ["spotfix.toml", "0xff"], id="no_text"),
        pytest.param(b"deadline_seconds = inf", {}, ["deadline_seconds", "inf"], id="for_ever"),
        pytest.param(b'log_origin = "a b"', {}, ["'log_origin'", "a b"], id="no_name_of_a_log"),
        pytest.param(
            b"[sources.vats]\nenabled = false",
            {},
            ["'sources.vats'", "did you mean vast", "spotfix.toml"],
            id="a_source_misspelt_would_still_be_asked",
        ),
        pytest.param(
            b"", {"SPOTFIX_OUT": ""}, ["'out'", "variable SPOTFIX_OUT"], id="an_empty_variable"
        ),
        pytest.param(
            b"", {"SPOTFIX_SOURCES": "x"}, ["SPOTFIX_SOURCES", "not JSON", "'x'"], id="no_json"
        ),
        pytest.param(
            b"",
            {"SPOTFIX_SOURCES__vast__ENABLED": "maybe"},
            ["'sources.vast.enabled'", "'maybe'", "variable SPOTFIX_SOURCES__vast__ENABLED"],
            id="no_switch",
        ),
    ],
)
def test_a_wrong_setting_ends_with_3_and_says_where_it_stands(
    text: bytes,
    variables: dict[str, str],
    parts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spotfix.toml").write_bytes(text)
    result = call("list", env=variables)
    assert result.exit_code == 3
    assert [part for part in parts if part not in result.stderr] == []


def test_a_variable_that_is_no_setting_is_told_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("config", "show", "--json", env={"SPOTFIX_WITNES_QUORUM": "3"})
    assert result.exit_code == 0
    assert "SPOTFIX_WITNES_QUORUM is no setting" in result.stderr
    assert "did you mean SPOTFIX_WITNESS_QUORUM" in result.stderr
    assert {r["name"]: r["value"] for r in json.loads(result.stdout)}["witness_quorum"] == 0


def test_a_tilde_in_the_file_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("spotfix.toml").write_text('out = "~/state"\n')
    found = {r["name"]: r["value"] for r in json.loads(call("config", "show", "--json").stdout)}
    assert found["out"] == str(tmp_path / "state")
    assert found["keys"] == str(tmp_path / "state" / "keys")


def test_no_command_at_all_is_answered_with_the_help_as_it_is_written() -> None:
    result = call()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")
    assert "\nCommands:\n" in result.stderr


def test_a_refusal_of_the_system_names_file_and_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    result = call("run", "--out", "file/out")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "error: file/out: not a directory; name a folder"


def test_a_log_that_was_only_begun_is_nothing_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Log.create(Path("out/ledger"), "spotfix-dev/log")
    for words in (["verify"], ["show", "TKX-ALL-BLD"], ["history", "TKX-ALL-BLD"], ["replay"]):
        result = call(*words)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "spotfix run" in result.stderr


@pytest.mark.parametrize("words", [["list"], ["list", "--json"]], ids=["text", "json"])
def test_a_terminal_of_few_characters_is_no_error(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "index", *words],
        cwd=tmp_path,
        env=plain_environment(
            PYTHONPATH=str(ROOT), PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C"
        ),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    if "--json" in words:
        assert json.loads(done.stdout)


def test_a_fault_of_ours_shows_a_traceback_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("index.reading.listed", broken)
    monkeypatch.delenv("SPOTFIX_DEBUG", raising=False)
    result = call("list")
    assert result.exit_code == 1
    assert "ZeroDivisionError: on purpose" in result.stderr
    assert "Traceback" not in result.stderr
    monkeypatch.setenv("SPOTFIX_DEBUG", "1")
    assert isinstance(call("list").exception, ZeroDivisionError)


def test_a_stop_is_told_with_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("index.reading.listed", stopped)
    result = call("list")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "stopped; the same command takes up" in result.stderr


def test_a_schedule_that_could_never_publish_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("schedule")
    assert result.exit_code == 3
    assert "administrator_id" in result.stderr


def test_settings_say_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spotfix.toml").write_text(
        'contact = "ops@example.org"\nadministrator_id = "file"\n[sources.ecb]\nenabled = false\n'
    )
    env = {"SPOTFIX_ADMINISTRATOR_ID": "env", "SPOTFIX_SOURCES__ECB__URL": "https://a.example/"}
    result = call("config", "show", "--out", "elsewhere", "--json", env=env)
    found = {r["name"]: (r["value"], r["from"]) for r in json.loads(result.stdout)}
    assert found["out"] == ("elsewhere", "flag")
    assert found["administrator_id"] == ("env", "env")
    assert found["contact"] == ("ops@example.org", "file")
    assert found["bundle"] == (str(ROOT / "data" / "bundled"), "default")
    assert found["sources.ecb.enabled"] == (False, "file")
    assert found["sources.ecb.url"] == ("https://a.example/", "env")
    assert "elsewhere" in call("config", "show", "--out", "elsewhere").stdout


def test_sources_are_the_panel_with_their_terms() -> None:
    from collectors import panel

    rows = json.loads(call("sources", "--json").stdout)
    assert [r["id"] for r in rows] == list(panel.SOURCES)
    assert all(r["data_right"] and r["code_licence"] and r["url"] for r in rows)
    assert not next(r for r in rows if r["id"] == "aws_history")["is_asked_live"]
    told = call("sources").stdout
    assert "last success" in told
    assert "tier E4, proven 2026-08-22, asked live, no key" in told  # gpurentalprices
    assert f"{len(panel.SOURCES)} sources: " in told
    (one,) = json.loads(call("sources", "ecb", "--json").stdout)
    assert (one["id"], one["proven_on"]) == ("ecb", "2026-10-30")
    assert "ECB" in call("sources", "ecb").stdout or "European" in call("sources", "ecb").stdout


def test_the_schedule_says_when_both_sessions_are_next_due() -> None:
    assert set(json.loads(call("schedule", "--next", "--json").stdout)) == {"SHA", "NYC"}


@pytest.mark.parametrize(
    ("source", "file", "parser", "counts"),
    [
        # counted by hand in the small bodies: quotes, volumes, rates, refused
        pytest.param("gpurentalprices", "2026-08-02.json", "parse", None, id="a_snapshot"),
        pytest.param("aws_list", "history.csv", "parse_history", None, id="a_dated_mirror"),
        pytest.param(
            "openrouter_endpoints", "2026-08-07.panel.csv", "parse_panel_csv", None, id="a_panel"
        ),
        pytest.param(
            "openrouter_activity", "model_activity.csv", "parse", (0, 4, 0, 3), id="volumes"
        ),
        pytest.param("ecb", "eurofxref-daily.xml", "parse", None, id="rates"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_saved_body_is_read_by_the_parser_it_calls_for(
    source: str,
    file: str,
    parser: str,
    counts: tuple[int, ...] | None,
    packed: bool,
    tmp_path: Path,
) -> None:
    path = BODIES / source / file
    if packed:
        small = tmp_path / (file + ".gz")
        small.write_bytes(gzip.compress(path.read_bytes()))
        path = small
    at = ["--fetched-at", "2026-08-08T00:00:00Z"]
    told = json.loads(call("parse", source, str(path), "--json", *at).stdout)
    frames = [told[name] for name in ("quotes", "volumes", "rates", "rejections")]
    assert told["parser"] == parser
    assert told["seen"] == sum(map(len, frames)) > 0
    assert told["fetched_at"].startswith("2026-08-08T00:00:00")
    if counts:
        assert tuple(map(len, frames)) == counts
    text = call("parse", source, str(path), *at).stdout
    assert f"{told['seen']:,} candidate rows" in text
    assert all(r["reason"] in text for r in told["rejections"])
    rows = call("parse", source, str(path), "--csv", *at)
    assert len(rows.stdout.splitlines()) == 1 + max(map(len, frames[:3]))


@pytest.mark.parametrize(
    ("body", "code", "part"),
    [
        pytest.param(b"<html>", 1, "NOT_JSON", id="another_shape_is_named"),
        pytest.param(b"\x1f\x8b\x08broken", 2, "damaged gzip", id="damaged_gzip"),
        pytest.param(gzip.compress(b"{}" * 99)[:-9], 2, "cut short", id="gzip_cut_short"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(
    body: bytes, code: int, part: str, tmp_path: Path
) -> None:
    file = tmp_path / "body"
    file.write_bytes(body)
    result = call("parse", "models_dev", str(file), "--fetched-at", "2026-08-08")
    assert result.exit_code == code
    assert part in result.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = f"{sys.executable} -m index list --out nowhere | head -1"
    done = subprocess.run(code, shell=True, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "Token composites, points\n"
    assert done.stderr == ""


def test_sources_that_fail_are_told_by_name_and_doctor_remembers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collectors import panel

    for source in panel.SOURCES:
        if source != "gcp_list":
            monkeypatch.setenv(f"SPOTFIX_SOURCES__{source}__ENABLED", "false")
    monkeypatch.delenv("GCP_API_KEY", raising=False)
    monkeypatch.setenv("SPOTFIX_ALLOW_DEMO_LIVE", "true")
    words = ["--out", str(tmp_path / "out")]
    result = call("run", "--live", *words)
    assert result.exit_code == 0, result.stderr
    line = next(x for x in result.stdout.splitlines() if "GCP_API_KEY" in x)
    assert line.split()[:2] == ["gcp_list", "NO_KEY:"]
    assert "nothing published" in result.stdout
    checks = json.loads(call("doctor", "--json", *words).stdout)["checks"]
    told = next(c for c in checks if c["name"].strip() == "gcp_list")
    assert told["state"] == "warn"
    assert "NO_KEY" in told["told"]


def test_the_schedule_stops_cleanly_when_told_to(tmp_path: Path) -> None:
    import os
    import signal

    from collectors import panel

    off = {f"SPOTFIX_SOURCES__{s}__ENABLED": "false" for s in panel.SOURCES}
    off["SPOTFIX_ALLOW_DEMO_LIVE"] = "true"
    with subprocess.Popen(
        [sys.executable, "-m", "index", "schedule", "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **off},
    ) as running:
        assert running.stderr is not None
        seen = [next(x for x in running.stderr if "published" in x)]
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
        assert "Traceback" not in "".join([*seen, *running.stderr])
