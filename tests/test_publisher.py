"""Drop and site follow from the log: every byte a leaf, nothing overwritten, manifests last."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from index.config import Settings
from index.ledger.canonical import canonical
from index.ledger.log import Log
from index.publication import drop, notes, proofs, tree
from index.publication.publisher import Publisher
from methodology.errors import VerificationError
from tests import fixing_records as made
from tests.fixing_records import publish

FOLDER = "v1/2026/11/20/NYC"
OTHER = "fixing-0123456789abcdef"
FIRST = "fixing_TKR-one-OUT_20261120_NYC_r0_P"


def day(settings: Settings) -> tuple[Log, Publisher]:
    """Publish keys, then a provisional print of two indices, then a final and a notice."""
    two = made.fixing(5, index_id="TKR-two-OUT")
    final = made.fixing(
        6,
        revision=1,
        status="FINAL",
        supersedes="sha256:" + hashlib.sha256(canonical(made.fixing(4))).hexdigest(),
    )
    notice = {**made.incident(7), "type": "notice"}
    return publish(
        settings,
        made.opening(made.ring()),
        [made.fixing(4), two],
        [final, notice, made.incident(8)],
    )


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def without_proofs(found: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out what a new signature of a checkpoint changes."""
    return {k: v for k, v in found.items() if "proof" not in k and "MANIFEST" not in k}


# What is there ---------------------------------------------------------------------------------


def test_names_of_a_day(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    day(settings)
    found = {path.name for path in (settings.drop / FOLDER).iterdir()}
    suffixes = (".json", ".json.sig", ".csv", ".xml", ".fix", ".tlog-proof")
    stems = (FIRST, "fixing_TKR-two-OUT_20261120_NYC_r0_P", FIRST.replace("r0_P", "r1_F"))
    manifests = {f"MANIFEST_000{n}.json{s}" for n in (1, 2) for s in ("", ".sig")}
    tables = {f"ctp_20261120_NYC_000{n}.csv" for n in (1, 2)}
    assert found == {stem + s for stem in stems for s in suffixes} | manifests | tables
    assert {path.name for path in (settings.drop / "v1/notices").iterdir()} >= {
        "key_0.json", "key_0.json.sig", "key_0.tlog-proof", "notice_7.json", "MANIFEST_0002.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "letter"),
    [
        pytest.param({"status": "PROVISIONAL"}, "P", id="provisional"),
        pytest.param({"status": "FINAL"}, "F", id="final"),
        pytest.param({"status": "REVISED"}, "R", id="revised"),
        pytest.param({"status": "NO_FIX"}, "N", id="no_value"),
        pytest.param({"status": "WITHDRAWN"}, "W", id="withdrawn"),
    ],
)
def test_the_last_letter_is_the_status(changes: dict[str, Any], letter: str) -> None:
    place = drop.place_of(made.fixing(4, **changes))
    assert place is not None
    assert (place.folder, place.stem[-1]) == (FOLDER, letter)


def test_a_settlement_has_a_folder_of_its_rule_and_period() -> None:
    record = {
        "type": "settlement",
        "seq": 9,
        "rule_id": "MEAN_MONTH_BD",
        "period": "2026-11",
        "index_id": "TKR-one-OUT",
    }
    assert drop.place_of(record) == drop.Place(
        "v1/settlements/MEAN_MONTH_BD/2026-11", "settlement_TKR-one-OUT_MEAN_MONTH_BD_2026-11_9"
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"index_id": "../../etc"}, id="a_path"),
        pytest.param({"session": "NYC/.."}, id="a_slash"),
        pytest.param({"ref_date": "2026-1-1"}, id="no_date"),
        pytest.param({"index_id": ""}, id="nothing"),
        pytest.param({"index_id": "a\n"}, id="a_line_break"),
        pytest.param({"status": "GUESS"}, id="no_status"),
    ],
)
def test_no_field_leads_out_of_the_drop(changes: dict[str, Any]) -> None:
    with pytest.raises(VerificationError, match=f"record 4.*{next(iter(changes))}"):
        drop.place_of(made.fixing(4, **changes))


def test_files_are_the_leaves(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    log, _ = day(settings)
    for seq, path in {
        4: settings.drop / FOLDER / f"{FIRST}.json",
        6: settings.site / "v1/fixings/TKR-one-OUT/NYC/2026-11-20/r1.json",
        7: settings.drop / "v1/notices/notice_7.json",
    }.items():
        assert path.read_bytes() == log.entry(seq)


def test_a_manifest_names_its_files_and_the_one_before(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    day(settings)
    folder = settings.drop / FOLDER
    first, second = ((folder / f"MANIFEST_000{n}.json").read_bytes() for n in (1, 2))
    told = json.loads(second)
    assert told["previous"] == "sha256:" + hashlib.sha256(first).hexdigest()
    assert json.loads(first)["previous"] is None
    assert (told["log_size"], told["number"], told["folder"]) == (9, 2, FOLDER)
    listed = set()
    for body in (first, second):
        for one in json.loads(body)["files"]:
            file = (folder / one["name"]).read_bytes()
            assert len(file) == one["bytes"]
            assert "sha256:" + hashlib.sha256(file).hexdigest() == one["sha256"]
            listed.add((one["name"], one["seq"]))
    named = {name for name, _ in listed}
    assert named | {n for n in os.listdir(folder) if "MANIFEST" in n} == set(os.listdir(folder))
    assert (f"{FIRST}.xml", 4) in listed
    assert ("ctp_20261120_NYC_0001.csv", None) in listed


@pytest.mark.parametrize("name", [f"{FIRST}.json", "MANIFEST_0001.json"])
def test_stock_openssl_verifies_a_file_of_the_drop(tmp_path: Path, name: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    settings = made.settings(tmp_path)
    day(settings)
    key = settings.site / "keys" / f"{made.ring().fixing.public.id}.pem"
    file = settings.drop / FOLDER / name

    def verify() -> int:
        words = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", file]
        done = subprocess.run(
            [*words, "-sigfile", f"{file}.sig"], capture_output=True, timeout=30, check=False
        )
        return done.returncode

    assert verify() == 0
    file.write_bytes(file.read_bytes().replace(b"2026", b"2027", 1))
    assert verify() != 0


def test_a_proof_leads_from_the_file_to_the_signed_checkpoint(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    day(settings)
    folder = settings.drop / FOLDER
    proof = (folder / f"{FIRST}.tlog-proof").read_bytes()
    keys = made.ring().log_keys
    found = proofs.verify(proof, (folder / f"{FIRST}.json").read_bytes(), keys)
    assert (found.origin, found.size) == (made.ORIGIN, 6)
    with pytest.raises(VerificationError):
        proofs.verify(proof, (folder / f"{FIRST}.csv").read_bytes(), keys)


def test_checkpoints_of_every_size_are_kept_and_signed(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    log, _ = day(settings)
    kept = settings.site / tree.CHECKPOINTS
    assert sorted(os.listdir(kept)) == ["4", "6", "9"]
    for path in kept.iterdir():
        found = notes.verify_checkpoint(path.read_bytes(), made.ring().log_keys)
        assert found.root == log.root_at(found.size)
    assert (settings.site / tree.CHECKPOINT).read_bytes() == (kept / "9").read_bytes()


def test_the_site_holds_the_tiles_keys_and_cited_bodies(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    day(settings)
    assert (settings.site / "log/tile/entries/000.p/9").read_bytes() == (
        settings.ledger / "log/tile/entries/000.p/9"
    ).read_bytes()
    bodies = [path for path in (settings.site / "batches").rglob("*") if path.is_file()]
    assert {path.parent.name for path in bodies} == {
        "contributions", "panel_state", "manifest", "basket",
    }  # fmt: skip
    assert {path.read_bytes() for path in bodies} == {made.BODY}
    listed = json.loads((settings.site / tree.KEYS).read_bytes())["keys"]
    assert [(one["purpose"], one["state"], one["from_seq"]) for one in listed] == [
        ("root", "ACTIVE", 0), ("fixing", "ACTIVE", 1), ("log", "ACTIVE", 2), ("log", "ACTIVE", 3),
    ]  # fmt: skip
    assert {f"{one['id']}.pem" for one in listed} | {"keys.json"} == set(
        os.listdir(settings.site / "keys")
    )


def test_files_of_drop_and_site_are_one_file(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    day(settings)
    one = settings.drop / FOLDER / f"{FIRST}.fix"
    assert os.path.samefile(one, settings.site / "v1/fixings/TKR-one-OUT/NYC/2026-11-20/r0.fix")


# Doing it again --------------------------------------------------------------------------------


def test_nothing_is_written_when_nothing_was_appended(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    log, publisher = day(settings)
    before = content(tmp_path)
    for one in (publisher, Publisher(settings, made.ring())):
        report = one.catch_up(log)
        assert (report.heads, report.files, report.linked) == (0, 0, 0)
    assert content(tmp_path) == before


def test_published_at_once_or_one_by_one_is_the_same(tmp_path: Path) -> None:
    one, other = made.settings(tmp_path / "one"), made.settings(tmp_path / "other")
    log, _ = day(one)
    twin = Log.create(other.ledger, made.ORIGIN)
    for head, after in zip(log.heads, log.heads[1:], strict=False):
        twin.append(list(log.entries(head.size, after.size)), expected_first=head.size)
    Publisher(other, made.ring(), made.at).catch_up(twin)
    assert without_proofs(content(one.drop)) == without_proofs(content(other.drop))
    manifest = f"{FOLDER}/MANIFEST_0002.json"
    names = [
        [line["name"] for line in json.loads((s.drop / manifest).read_bytes())["files"]]
        for s in (one, other)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("lost", ["site", "drop"])
def test_a_lost_tree_is_made_again_byte_for_byte(tmp_path: Path, lost: str) -> None:
    settings = made.settings(tmp_path)
    log, _ = day(settings)
    before = content(settings.drop) | content(settings.site / "v1")
    shutil.rmtree(tmp_path / lost)
    Publisher(settings, made.ring()).catch_up(log)
    assert content(settings.drop) | content(settings.site / "v1") == before


def test_unfinished_files_are_swept(tmp_path: Path) -> None:
    settings = made.settings(tmp_path)
    publish(settings, made.opening(made.ring()))
    left = settings.drop / FOLDER / f".{FIRST}.json.99-1.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"{")
    publish(settings, [made.fixing(4)])
    assert not left.exists()


# A whole run -----------------------------------------------------------------------------------


def test_a_run_publishes_every_record_of_its_log(small_ledger: Settings) -> None:
    log = Log.open(small_ledger.ledger, read_only=True)
    listed: dict[str, set[str]] = {}
    for path in small_ledger.drop.rglob("MANIFEST_*.json"):
        told = json.loads(path.read_bytes())
        listed.setdefault(told["folder"], set()).update(one["name"] for one in told["files"])
    count = 0
    for body in log.entries():
        record = json.loads(body)
        place = drop.place_of(record)
        if place is None:
            continue
        count += 1
        path = small_ledger.drop / place.folder / f"{place.stem}.json"
        assert path.read_bytes() == body
        assert path.name in listed[place.folder]
        if record["type"] == "fixing":
            site = small_ledger.site / f"{drop.site_path(record)}.json"
            assert os.path.samefile(site, path)
    assert count == len([n for names in listed.values() for n in names if n.endswith(".json")])
    newest = notes.parse_note((small_ledger.site / tree.CHECKPOINT).read_bytes()).body
    assert newest.decode() == log.checkpoint_text()


def test_csv_and_xml_of_every_fixing_of_a_run_are_its_json(small_ledger: Settings) -> None:
    """Read by the standard library. ``grade_components`` and the like come back as objects."""
    paths = list(small_ledger.drop.glob("v1/2*/**/fixing_*.json"))
    assert paths
    for path in paths:
        record = json.loads(path.read_bytes())
        (row,) = csv.DictReader(io.StringIO(path.with_suffix(".csv").read_text("utf-8")))
        root = ET.fromstring(path.with_suffix(".xml").read_bytes())
        elements = {one.tag: one for one in root.find("record") or ()}
        assert set(row) == set(elements) == set(record)
        for name, value in record.items():
            if isinstance(value, str):
                assert row[name] == elements[name].text == value
            elif value is None:
                assert (row[name], elements[name].get("nil")) == ("", "true")
            elif isinstance(value, bool | int):
                assert row[name] == elements[name].text == json.dumps(value)
            else:
                assert len(elements[name]) == len(value)
