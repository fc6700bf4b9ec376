"""What the doctor says of keys, of the published tree and of witnesses."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from index import cli, doctor_published, opening
from index.config import Settings, WitnessSettings, load
from index.shop import open_shop
from methodology.errors import ConfigError

AT = datetime(2026, 11, 21)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation with keys of its own and the first records of its log published."""
    monkeypatch.setenv("SPOTFIX_LOG_ORIGIN", "example.org/log")
    monkeypatch.setenv("SPOTFIX_ADMINISTRATOR_ID", "example.org")
    monkeypatch.setenv("SPOTFIX_OUT", str(tmp_path / "out"))
    assert make_keys(tmp_path / "safe.pem").exit_code == 0
    with open_shop(load()) as shop:
        opening.append(shop, AT)
    return load()


def make_keys(root: Path) -> Result:
    return CliRunner().invoke(cli.app, ["keys", "create", "--root", str(root)])


def test_a_demonstration_key_is_told_with_the_way_to_a_real_one(tmp_path: Path) -> None:
    assert list(doctor_published.keys(load(out=tmp_path))) == [
        (
            "key",
            "warn",
            "demonstration key in use - not for publication",
            "spotfix keys create --root FILE",
        )
    ]


def test_an_own_key_and_a_current_tree_are_well(own: Settings) -> None:
    ((_, state, told, _),) = doctor_published.keys(own)
    assert (state, told[:7], told[23:]) == ("ok", "fixing-", f" signs (file {own.keys}/fixing.pem)")
    ((_, state, told, _),) = doctor_published.published(own)
    assert state == "ok"
    assert told.startswith("checkpoint of size ")
    assert told.endswith("; drop and site are current")
    assert told.count("log-") == 2


def test_a_key_that_the_log_does_not_name_is_to_be_mended(own: Settings, tmp_path: Path) -> None:
    shutil.rmtree(own.keys)
    refused = make_keys(tmp_path / "other.pem")
    assert refused.exit_code == 3
    assert "names its keys for ever" in refused.stderr
    assert not own.keys.exists()
    aside = own.ledger.rename(tmp_path / "aside")
    assert make_keys(tmp_path / "other.pem").exit_code == 0
    aside.rename(own.ledger)
    ((_, state, told, _),) = doctor_published.keys(own)
    assert state == "bad"
    assert "is at hand and the log names fixing-" in told


def test_a_tree_that_is_behind_or_wrong_is_told(own: Settings, tmp_path: Path) -> None:
    checkpoint = own.site / "log" / "checkpoint"
    before = checkpoint.read_bytes()
    officer, root = str(tmp_path / "a.pem"), str(tmp_path / "safe.pem")
    for words in (
        ("create", "officer", "--to", officer),
        ("admit", "officer", "--name", "alice", "--key", officer, "--root-key", root),
    ):
        assert CliRunner().invoke(cli.app, ["keys", *words]).exit_code == 0
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(before)
    ((_, state, told, fix),) = doctor_published.published(own)
    assert (state, fix) == ("warn", "spotfix run, or spotfix run --due")
    assert told.endswith("; 1 records of the log are not published")
    origin, size, rest = whole.split(b"\n", 2)
    checkpoint.write_bytes(b"\n".join((origin, b"%d" % (int(size) + 1), rest)))
    assert [one[1] for one in doctor_published.published(own)] == ["bad"]
    checkpoint.unlink()
    assert [one[3] for one in doctor_published.published(own)] == ["spotfix run"]


def test_whoever_sees_commitments_is_told(own: Settings) -> None:
    assert "COMMIT_UNWITNESSED" in next(doctor_published.witnesses(own))[2]
    one = WitnessSettings(url="http://127.0.0.1:1", key="w+00000000+AA==")
    named = own.model_copy(update={"witnesses": [one]})
    assert next(doctor_published.witnesses(named))[1:3] == ("ok", "1 named, none yet")


def test_keys_for_a_name_that_cannot_go_live_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOTFIX_OUT", str(tmp_path / "out"))
    told = make_keys(tmp_path / "safe.pem").stderr
    assert "names that cannot publish live" in told
    monkeypatch.setenv("SPOTFIX_LOG_ORIGIN", "example.org/log")
    again = CliRunner().invoke(
        cli.app, ["keys", "opening", "--root-key", str(tmp_path / "safe.pem")]
    )
    assert again.exit_code == 3
    assert "the opening of log spotfix-dev/log is signed already" in again.stderr
    with open_shop(load()) as shop, pytest.raises(ConfigError, match="at hand is of log 'spotfix-"):
        opening.append(shop, AT)
