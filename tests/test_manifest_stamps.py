"""Tokens beside manifests: asked for, kept, restored, checked by OpenSSL and by ourselves.

The authority is OpenSSL behind a loopback server; the log is a live one with its first records,
which are one publication in ``v1/notices``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from index import (
    doctor_published,
    manifest_stamps,
    opening,
    oversight,
    oversight_log,
    verify_cli,
)
from index.config import Settings
from index.ledger.check import check_files
from index.publication import timestamps
from index.shop import open_shop
from index.verifying import Findings, Trust
from methodology.errors import LogInconsistent
from tests import live_world as lw
from tests import loopback as lb
from tests.test_evidence import AT, authority, stamper

assert authority  # a fixture

FEED = Path(__file__).parents[1] / "docs" / "FEED.md"
SERVES = "drop/v1/notices/MANIFEST_0001.json"


@dataclass
class World:
    """A live log and its authority: ``roots`` is the certificate that it hangs on."""

    settings: Settings
    server: lb.Server
    authority: Path

    @property
    def manifest(self) -> Path:
        return self.settings.out / SERVES

    @property
    def token(self) -> Path:
        return self.manifest.with_name(self.manifest.name + ".tsr")

    @property
    def roots(self) -> list[bytes]:
        return [(self.authority / "ca.pem").read_bytes()]

    def stamp(self) -> list[dict[str, Any]]:
        """Ask as a live run does at its end; return the incidents it logged."""
        with open_shop(self.settings) as shop:
            opening.append(shop, AT)
            before = len(shop.published.incidents)
            manifest_stamps.stamp(shop, AT)
            return shop.published.incidents[before:]

    def problems(self) -> str:
        """Return what verification of the own tree finds."""
        found = Findings()
        verify_cli._published(self.settings, Trust(), found)
        return "; ".join(map(str, found.problems))

    def doctor(self) -> tuple[str, str]:
        """Return the doctor's state and words."""
        [line] = doctor_published.stamps(self.settings)
        return line[1], line[2]


@pytest.fixture
def world(tmp_path: Path, authority: Path) -> Iterator[World]:
    with lb.Server({"/tsa": stamper(authority)}) as server:
        mine = lw.settings(
            tmp_path / "out", timestamp_authority=f"{server.url}/tsa",
            timestamp_roots=authority / "ca.pem", witness_seconds=30.0,
        )  # fmt: skip
        yield World(mine, server, authority)


def test_a_manifest_gets_a_token_that_openssl_verifies_as_the_guide_says(world: World) -> None:
    assert world.stamp() == []
    first = world.token.read_bytes()
    block = next(b for b in re.findall(r"```sh\n(.*?)```", FEED.read_text("utf-8"), re.S)
                 if "openssl ts -verify" in b)  # fmt: skip
    line = block.replace("tsa-root.pem", str(world.authority / "ca.pem"))
    manifest = f"manifest={world.manifest}\n"

    def openssl() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", manifest + line], capture_output=True, text=True, check=False
        )

    told = openssl()
    assert (told.returncode, told.stdout.strip()) == (0, "Verification: OK"), told.stderr
    assert world.doctor()[0] == "ok"
    assert "1 of 1 manifests" in world.doctor()[1]
    assert world.problems() == ""
    assert check_files(world.settings.ledger) == []
    # Nothing is asked twice, and nothing is overwritten.
    world.server.routes["/tsa"] = lb.reply(b"never asked")
    assert world.stamp() == []
    assert world.token.read_bytes() == first
    # Over other bytes it proves nothing.
    world.manifest.write_bytes(world.manifest.read_bytes() + b" ")
    assert openssl().returncode != 0


def record_notice(settings: Settings) -> dict[str, Any]:
    """Log a notice as ``spotfix oversight notice`` does."""
    return oversight_log.log(settings, lambda shop, at: oversight.notice(shop, "OTHER", "Told."))


def test_a_command_asks_at_its_end_and_nothing_comes_of_a_refusal(world: World) -> None:
    sound = world.server.routes["/tsa"]
    world.server.routes["/tsa"] = lb.reply(b"busy", status=503)
    with open_shop(world.settings) as shop:
        opening.append(shop, AT)
    first = record_notice(world.settings)
    assert [path.name for path in world.manifest.parent.glob("*.tsr")] == []
    world.server.routes["/tsa"] = sound
    again = record_notice(world.settings)
    assert again["seq"] == first["seq"] + 1  # the refusal was not logged
    names = [path.name for path in sorted(world.manifest.parent.glob("*.tsr"))]
    assert names == [f"MANIFEST_000{n}.json.tsr" for n in (1, 2, 3)]
    assert world.problems() == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(lb.reply(b"busy", status=503), "HTTP_503", id="is_down"),
        pytest.param(lb.reply(b"\x30\x03\x02\x01\x00"), "NO_TIME_STAMP", id="answers_nonsense"),
    ],
)
def test_an_authority_that_fails_is_told_once_and_asked_again(
    world: World, answer: Any, reason: str
) -> None:
    sound = world.server.routes["/tsa"]
    world.server.routes["/tsa"] = answer
    [incident] = world.stamp()
    assert (incident["kind"], incident["reason"]) == ("STAMP_FAILED", reason)
    assert incident["detail"].startswith("v1/notices/MANIFEST_0001.json: ")
    assert not world.token.exists()
    assert world.stamp() == []  # the same publication, the same reason
    assert (world.doctor()[0], reason in world.doctor()[1]) == ("warn", True)
    assert world.problems() == ""
    world.server.routes["/tsa"] = sound
    assert world.stamp() == []
    assert timestamps.check_over(world.token.read_bytes(), world.manifest.read_bytes(), world.roots)
    assert world.doctor()[0] == "ok"


def test_a_lost_drop_gets_its_tokens_back_from_the_ledger(world: World) -> None:
    world.stamp()
    before = {p.name: p.read_bytes() for p in world.manifest.parent.iterdir()}
    world.server.routes["/tsa"] = lb.reply(b"", status=500)
    shutil.rmtree(world.settings.drop)
    with open_shop(world.settings):
        pass
    assert {p.name: p.read_bytes() for p in world.manifest.parent.iterdir()} == before
    assert world.token.name in before
    # Killed between shelf and drop: the next run puts it there without asking.
    world.token.unlink()
    assert "is missing; the next live run takes it from the ledger" in world.problems()
    assert world.stamp() == []
    assert world.token.read_bytes() == before[world.token.name]


def test_a_tampered_token_is_found_and_kept(world: World) -> None:
    world.stamp()
    shelved = timestamps.shelved(world.settings.ledger, world.manifest.read_bytes())
    sound = world.token.read_bytes()
    for place in range(0, len(sound), 131):
        bent = bytearray(sound)
        bent[place] ^= 0x10
        world.token.write_bytes(bent)
        assert f"{world.token.name}: is another token than the one" in world.problems(), place
    world.token.write_bytes(sound)
    # In both places at once, it is the signature that speaks against it.
    bent = bytearray(sound)
    bent[-9] ^= 1
    for path in (world.token, shelved):
        path.write_bytes(bent)
    assert world.problems().count("time stamp: ") == 2
    # A stranger's folder has a token that belongs to another file.
    body = world.manifest.read_bytes()
    with pytest.raises(Exception, match="it is not over sha256:"):
        timestamps.check_over(sound, body + b" ", [])
    shelved.write_bytes(b"nothing")
    assert [one.path for one in check_files(world.settings.ledger)] == [f"stamps/{shelved.name}"]
    with pytest.raises(LogInconsistent, match="it was kept"):
        timestamps.keep(world.settings.ledger, body, sound)
