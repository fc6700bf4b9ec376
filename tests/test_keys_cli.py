"""``spotfix keys`` from the making of the keys to the revocation of a stolen one."""

from __future__ import annotations

import json
import os
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from index import cli, opening
from index.config import Settings, load
from index.ledger.log import Log
from index.publication.key_records import KeyHistory
from index.publication.keyring import check_live
from index.publication.keyring import load as load_keyring
from index.publication.keys import PublicKey
from index.publication.notes import parse_vkey, verify_checkpoint
from index.shop import Shop, open_shop
from methodology.errors import ConfigError

ENVIRONMENT = {"SPOTFIX_LOG_ORIGIN": "example.org/log", "SPOTFIX_ADMINISTRATOR_ID": "example.org"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which keys were made and a log was opened with them."""
    for name, value in {**ENVIRONMENT, "SPOTFIX_OUT": str(tmp_path / "out")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    good("create", "--root", "safe.pem")
    with open_shop(load()) as shop:
        opening.append(shop, datetime(2026, 11, 21))
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["keys", *words])


def good(*words: str) -> Any:
    result = call(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def bad(*words: str) -> str:
    result = call(*words)
    assert result.exit_code in (2, 3, 20), result.output
    return result.stderr


def rows() -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in good("list")}


def one(purpose: str, state: str = "IN_FORCE") -> str:
    found = [k for k, row in rows().items() if (row["purpose"], row["state"]) == (purpose, state)]
    return found[-1]


def history(settings: Settings) -> KeyHistory:
    log = Log.open(settings.ledger, read_only=True)
    records = [json.loads(body) for body in log.entries()]
    return KeyHistory.read(records, origin="example.org/log")


def test_all_keys_are_made_at_once_and_the_root_is_elsewhere(place: Path) -> None:
    folder = place / "out" / "keys"
    private = [place / "safe.pem", *(folder / f"{n}.pem" for n in ("fixing", "log", "log_pq"))]
    assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o600] * 4
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = rows()
    assert [row["state"] for row in found.values()] == ["IN_FORCE"] * 4
    assert {row["private"].split()[0] for row in found.values()} == {"offline", "file"}
    check_live(load_keyring(load()), load())
    body = (place / "safe.pem").read_text("utf-8").splitlines()[1]
    others = [path for path in (place / "out").rglob("*") if path.is_file()]
    assert not [path for path in others if body.encode() in path.read_bytes()]


def test_nothing_is_overwritten_and_nothing_half_made(place: Path) -> None:
    before = {p: p.read_bytes() for p in (place / "out" / "keys").iterdir()}
    assert "never overwritten, none was made" in bad("create", "--root", "other.pem")
    assert not (place / "other.pem").exists()
    assert {p: p.read_bytes() for p in (place / "out" / "keys").iterdir()} == before
    good("create", "officer", "--to", "a.pem")
    assert "never overwritten" in bad("create", "officer", "--to", "a.pem")


@pytest.mark.parametrize(
    "words",
    [
        ("create",), ("create", "fixing"), ("create", "--root", "a", "--to", "b"),
        ("create", "--to", "a"), ("create", "nothing", "--to", "a"),
        ("rotate", "fixing", "--key", "a"), ("rotate", "all", "--key", "a", "--root-key", "r"),
        ("rotate", "fixing", "--key", "a", "--root-key", "r", "--signed", "s"),
        ("revoke", "x", "--from-seq", "1", "--reason", " ", "--root-key", "r"),
        ("admit", "fixing", "--name", "n", "--key", "a", "--root-key", "r"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_that_says_too_little_or_too_much_is_told_so(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPOTFIX_OUT", str(tmp_path / "out"))
    assert call(*words).exit_code in (2, 3)
    assert not list(tmp_path.iterdir())


def test_a_rotation_is_signed_elsewhere_and_logged_when_it_comes_back(place: Path) -> None:
    old = one("fixing")
    good("create", "fixing", "--to", "out/keys/fixing-2.pem")
    rotate = ("rotate", "fixing", "--key", "out/keys/fixing-2.pem")
    size = Log.open(load().ledger, read_only=True).size
    good(*rotate, "--statement", "change.json")
    assert Log.open(load().ledger, read_only=True).size == size
    assert "did not sign it" in bad(*rotate, "--signed", "change.json")
    # Meanwhile the log grows; what the root signs stays true.
    good("create", "officer", "--to", "alice.pem")
    good("admit", "officer", "--name", "alice", "--key", "alice.pem", "--root-key", "safe.pem")
    good("sign", "change.json", "--key", "safe.pem", "--to", "signed.json")
    good(*rotate, "--signed", "signed.json")
    found = rows()
    assert (found[old]["state"], found[old]["until_seq"]) == ("REPLACED", size + 1)
    assert found[one("fixing")]["first_seq"] == size + 1
    assert one("officer") in found
    assert "cannot take over from itself" in bad(*rotate, "--signed", "signed.json")


@pytest.mark.parametrize("slot", ["fixing", "root"])
def test_a_rotation_cut_short_is_done_again(
    place: Path, slot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the keyring names the new key and before the log does."""

    def stopped(*_: object) -> int:
        raise KeyboardInterrupt

    good("create", slot, "--to", "next.pem")
    rotate = ("rotate", slot, "--key", "next.pem", "--root-key", "safe.pem")
    with monkeypatch.context() as patch:
        patch.setattr(Shop, "append", stopped)
        assert call(*rotate).exit_code == 130
    keys = {row["purpose"]: row for row in rows().values() if row["state"] == "NOT_LOGGED"}
    assert list(keys) == [slot]
    if slot == "fixing":
        with open_shop(load()) as shop, pytest.raises(ConfigError, match="`spotfix keys rotate`"):
            opening.append(shop, datetime(2026, 11, 22))
    good(*rotate)
    assert rows()[keys[slot]["id"]]["state"] == "IN_FORCE"


def test_what_follows_a_rotation_is_signed_by_the_new_keys(place: Path) -> None:
    for slot, algorithm in (("log", "ed25519"), ("log_pq", "ml-dsa-44")):
        made = good("create", slot, "--to", f"{slot}-2.pem")
        assert made[0]["algorithm"] == algorithm
        good("rotate", slot, "--key", f"{slot}-2.pem", "--root-key", "safe.pem")
    settings = load()
    known = history(settings)
    sizes = sorted(int(path.name) for path in (settings.site / "log" / "checkpoints").iterdir())
    signers = set()
    for size in sizes:
        note = (settings.site / "log" / "checkpoints" / str(size)).read_bytes()
        signers.add(tuple(verify_checkpoint(note, known.checkpoint_keys(size)).signed_by))
    assert len(sizes) == len(signers) == 3


def test_a_stolen_key_is_revoked_from_where_it_was_stolen(place: Path) -> None:
    old = one("fixing")
    words = ("revoke", old, "--from-seq", "5", "--reason", "copied", "--root-key", "safe.pem")
    assert "nobody could sign what follows" in bad(*words)
    good("create", "fixing", "--to", "next.pem")
    good(*words, "--replacement", "next.pem")
    state = rows()[old]
    assert (state["state"], state["revoked_from_seq"], state["reason"]) == ("REVOKED", 5, "copied")
    known = history(load())
    assert [key.id for key in known.at("fixing", 4)] == [old]
    assert known.at("fixing", 5) == ()
    assert "no record of the log creates it" in bad("revoke", "fixing-00", *words[2:])
    last = load_keyring(load()).fixing
    assert known.verify("fixing", 99, b"m", last.sign(b"m")) == one("fixing")


def test_a_signed_file_is_used_for_what_it_says_alone(place: Path) -> None:
    good("create", "officer", "--to", "alice.pem")
    good("admit", "officer", "--name", "alice", "--key", "alice.pem", "--root-key", "safe.pem")
    alice = one("officer")
    revoke = ("revoke", alice, "--reason", "left")
    good(*revoke, "--from-seq", "9", "--statement", "s.json")
    good("sign", "s.json", "--key", "safe.pem")
    told = bad(*revoke, "--from-seq", "3", "--signed", "s.json.signed")
    assert "from seq 9 was signed and from 3 is asked for now" in told
    good(*revoke, "--from-seq", "9", "--signed", "s.json.signed")
    assert rows()[alice]["state"] == "REVOKED"


def test_another_root_signs_nothing(place: Path) -> None:
    good("create", "root", "--to", "stranger.pem")
    good("create", "fixing", "--to", "next.pem")
    rotate = ("rotate", "fixing", "--key", "next.pem")
    assert "the log's root is root-" in bad(*rotate, "--root-key", "stranger.pem")
    good(*rotate, "--statement", "s.json")
    good("sign", "s.json", "--key", "stranger.pem")
    assert "which no record of the log creates" in bad(*rotate, "--signed", "s.json.signed")
    assert one("fixing", "IN_FORCE") == next(iter(k for k in rows() if k.startswith("fixing")))


def test_a_new_root_takes_over_and_is_offline_as_well(place: Path) -> None:
    good("create", "root", "--to", "safe-2.pem")
    good("rotate", "root", "--key", "safe-2.pem", "--root-key", "safe.pem")
    row = rows()[one("root")]
    assert (row["private"], row["first_seq"] > 0) == ("offline", True)
    good("create", "officer", "--to", "bob.pem")
    admit = ("admit", "officer", "--name", "bob", "--key", "bob.pem", "--root-key")
    assert "the log's root is" in bad(*admit, "safe.pem")
    good(*admit, "safe-2.pem")


def test_public_keys_are_exported_for_openssl(place: Path) -> None:
    written = [Path(text) for text in good("export", "public")]
    paths = [path for path in written if path.suffix == ".pem"]
    assert sorted(path.name for path in paths) == sorted(f"{key}.pem" for key in rows())
    told = {path.stem: path.read_text("utf-8") for path in written if path.suffix == ".vkey"}
    assert list(told) == [key for key in rows() if key.startswith("log-")]
    for key_id, text in told.items():
        assert parse_vkey(text.strip(), purpose="log")[0].id == key_id
        assert text.startswith("example.org/log+")
    for path in paths:
        purpose = path.name.split("-")[0]
        key = PublicKey.from_pem(path.read_bytes(), name="n", purpose=purpose)
        assert f"{key.id}.pem" == path.name
    assert good("export", "public")  # again: the same bytes stay


def test_demonstration_keys_are_neither_rotated_nor_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPOTFIX_OUT", str(tmp_path / "out"))
    assert {row["private"] for row in good("list")} == {"demo"}
    good("create", "fixing", "--to", "a.pem")
    told = bad("rotate", "fixing", "--key", "a.pem", "--root-key", "a.pem")
    assert "demonstration keys" in told


def test_the_list_is_a_table_for_people(place: Path) -> None:
    os.environ["COLUMNS"] = "200"
    try:
        told = call("list")
    finally:
        del os.environ["COLUMNS"]
    assert told.exit_code == 0
    for word in ("private part", "revoked from", "offline", "example.org/fixing", "ml-dsa-44"):
        assert word in told.stdout
