"""Others see the commitments before a value is made: asked once, checked, and never waited for.

The witness that answers here is the one of ``index/witness.py``, which knows nothing of the asker;
time stamps are made by OpenSSL.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from index import evidence, opening, replay
from index.config import Settings, WitnessSettings
from index.ledger.log import Log
from index.publication.keyring import demo
from index.publication.keys import ML_DSA_44, DemoSigner
from index.publication.note_text import COSIGNATURE, SUBTREE, vkey
from index.published import Published
from index.records import was_witnessed
from index.shop import Shop, open_shop
from index.witness import Refusal, Witness, parse_request
from methodology.errors import VerificationError
from tests import live_world as lw
from tests import loopback as lb

AT = datetime(2026, 8, 12, 20, 45)
SEEN = datetime(2026, 8, 12, 20, 45, 7, tzinfo=UTC)
FIRST = DemoSigner("witness", name="venue.example/w1")
SECOND = DemoSigner("witness", ML_DSA_44, name="bank.example/w2")
KEYS = {
    FIRST: vkey(FIRST.public, COSIGNATURE),
    SECOND: vkey(SECOND.public, SUBTREE),
}


def witness(folder: Path, signer: DemoSigner) -> lb.Behaviour:
    """Answer ``add-checkpoint`` as C2SP says."""
    ours = Witness(folder, [signer], {"spotfix-dev/log": demo().log_keys}, lambda: SEEN)

    async def say(asked: lb.Asked, writer: asyncio.StreamWriter) -> None:
        kind = "text/plain"
        try:
            status, body = 200, ours.add(parse_request(asked.body))
        except Refusal as error:
            status, body, kind = error.status, (error.text + "\n").encode(), error.content_type
        await lb.reply(body, status, content_type=kind)(asked, writer)

    return say


@pytest.fixture
def server(tmp_path: Path) -> Iterator[lb.Server]:
    routes = {
        "/one/add-checkpoint": witness(tmp_path / "w1", FIRST),
        "/two/add-checkpoint": witness(tmp_path / "w2", SECOND),
    }
    with lb.Server(routes) as running:
        yield running


def settings(tmp_path: Path, server: lb.Server, *places: str, **more: Any) -> Settings:
    asked = [
        WitnessSettings(url=f"{server.url}/{place}/", key=KEYS[SECOND if place == "two" else FIRST])
        for place in places
    ]
    return lw.settings(tmp_path / "out", witnesses=asked, witness_seconds=5.0, **more)


def gathered(shop: Shop) -> list[dict[str, Any]]:
    """Open the log, ask for its first record, return what was logged about that."""
    opening.append(shop, AT)
    size = shop.log.size
    evidence.gather(shop, [size - 1], AT)
    return [json.loads(body) for body in shop.log.entries(size)]


def test_two_witnesses_answer_and_their_lines_stand_in_the_log(
    tmp_path: Path, server: lb.Server
) -> None:
    with open_shop(settings(tmp_path, server, "one", "two", witness_quorum=2)) as shop:
        made = gathered(shop)
        assert [(r["type"], r["by"], r["size"], r["quorum"]) for r in made] == [
            ("witness", FIRST.public.id, 8, 2),
            ("witness", SECOND.public.id, 8, 2),
        ]
        assert {r["root"] for r in made} == {base64.b64encode(shop.log.root_at(8)).decode()}
        assert {r["at"] for r in made} == {"2026-08-12T20:45:07.000Z"}
        assert list(evidence.check(shop.published, shop.log, shop.settings)) == []
        assert was_witnessed(shop.published, 7, shop.log.size)
        # A tree of 8 records holds records 0 to 7.
        assert not was_witnessed(shop.published, 8, shop.log.size)
        # One of the two stands before record 9.
        assert not was_witnessed(shop.published, 7, 9)
        assert evidence.gather(shop, [7], AT) == 0
        # The log grew by two; its growth since 8 is proved to both.
        assert evidence.gather(shop, [8], AT) == 2
        assert [one["size"] for one in shop.published.witnesses] == [8, 8, 10, 10]


def test_one_of_two_is_not_enough_for_a_quorum_of_two(tmp_path: Path, server: lb.Server) -> None:
    with open_shop(settings(tmp_path, server, "one", witness_quorum=2)) as shop:
        assert len(gathered(shop)) == 1
        assert not was_witnessed(shop.published, 7, shop.log.size)


def test_a_witness_that_knows_more_of_the_log_tells_its_size(
    tmp_path: Path, server: lb.Server
) -> None:
    """The record of what it saw was lost with the machine; it says 409 and 8, and is asked anew."""
    mine = settings(tmp_path, server, "one")
    with open_shop(mine) as shop:
        assert len(gathered(shop)) == 1
        shop.published.witnesses.clear()
        assert evidence.gather(shop, [7], AT) == 1
        assert [r["size"] for r in shop.published.witnesses] == [9]
    assert [a.body.split(b"\n")[0] for a in server.asked] == [b"old 0", b"old 0", b"old 8"]


def test_nobody_configured_is_nobody_asked(tmp_path: Path, server: lb.Server) -> None:
    with open_shop(settings(tmp_path, server)) as shop:
        assert gathered(shop) == []
    assert server.asked == []


SILENT = {
    "refuses": (lb.reply(b"no such log\n", 404), "HTTP_404"),
    "says_nothing_of_use": (lb.reply(b"<html>"), "NO_COSIGNATURE"),
    "answers_empty": (lb.reply(b""), "NO_COSIGNATURE"),
    "is_gone": (lb.reset(), "UNREACHABLE"),
    "hangs": (lb.hang(), "DEADLINE or UNREACHABLE"),
    "sends_too_much": (lb.reply(b"x" * 300_000), "UNREACHABLE"),
    "contradicts_itself": (lb.reply(b"999999\n", 409), "HTTP_409"),
    "counts_in_circles": (lb.reply(b"3\n", 409), "HTTP_409"),
}


@pytest.mark.parametrize("what", SILENT)
def test_a_witness_that_fails_is_an_incident_and_is_not_waited_for(
    tmp_path: Path, server: lb.Server, what: str
) -> None:
    server.routes["/bad/add-checkpoint"], reason = SILENT[what]  # type: ignore[index]
    mine = settings(tmp_path, server, "bad").model_copy(update={"witness_seconds": 1.0})
    with open_shop(mine) as shop:
        begun = time.monotonic()
        [made] = gathered(shop)
        assert time.monotonic() - begun < 8
        assert (made["kind"], made["witness"]) == ("WITNESS_FAILED", FIRST.public.name)
        assert made["reason"] in reason
        assert not was_witnessed(shop.published, 7, shop.log.size)


def test_one_that_hangs_does_not_take_the_other_with_it(tmp_path: Path, server: lb.Server) -> None:
    server.routes["/bad/add-checkpoint"] = lb.hang()  # type: ignore[index]
    mine = settings(tmp_path, server, "bad", "two").model_copy(update={"witness_seconds": 2.0})
    with open_shop(mine) as shop:
        assert {r["type"] for r in gathered(shop)} == {"incident", "witness"}
        assert was_witnessed(shop.published, 7, shop.log.size)


def test_a_line_by_another_key_is_no_cosignature(tmp_path: Path, server: lb.Server) -> None:
    stranger = DemoSigner("witness", name="venue.example/w0")
    server.routes["/bad/add-checkpoint"] = witness(tmp_path / "w0", stranger)  # type: ignore[index]
    with open_shop(settings(tmp_path, server, "bad")) as shop:
        [made] = gathered(shop)
        assert (made["reason"], made["witness"]) == ("NO_COSIGNATURE", FIRST.public.name)


def test_forged_witness_records_are_found(tmp_path: Path, server: lb.Server) -> None:
    with open_shop(settings(tmp_path, server, "one")) as shop:
        [made] = gathered(shop)

        def problems(**changes: Any) -> str:
            found = Published(keys=shop.published.keys, witnesses=[{**made, **changes}])
            return "; ".join(evidence.check(found, shop.log, shop.settings))

        assert problems() == ""
        assert "beyond its own place" in problems(size=9)
        assert "root" in problems(size=7)
        other = base64.b64encode(hashlib.sha256(b"").digest()).decode()
        assert "is not that of the first 8 records" in problems(root=other)
        assert "dated 2026-08-12T20:45:07.000Z" in problems(at="2026-08-12T20:45:00.000Z")
        assert "its key is" in problems(key=KEYS[SECOND])
        assert "no line by that key" in problems(key=KEYS[SECOND], by=SECOND.public.id)
        torn = base64.b64decode(made["evidence"]).replace(b"\n8\n", b"\n7\n")
        assert "another checkpoint" in problems(evidence=base64.b64encode(torn).decode())
        line = bytearray(base64.b64decode(made["evidence"]))
        line[-20] = ord("A") if line[-20] != ord("A") else ord("B")
        assert f"record 8 (witness/1.0): evidence of {FIRST.public.id}" in problems(
            evidence=base64.b64encode(bytes(line)).decode()
        )


# --- a live day -----------------------------------------------------------------------------------


def test_a_witnessed_day_is_not_flagged_and_verifies(
    tmp_path: Path, server: lb.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lw.watch_few_indices(monkeypatch)
    server.routes.update(lw.healthy())  # type: ignore[attr-defined]
    asked = [WitnessSettings(url=f"{server.url}/one", key=KEYS[FIRST])]
    mine = lw.settings(tmp_path / "out", server.url, witnesses=asked)
    world = lw.World(server, mine)
    world.run(datetime(2026, 8, 12, 7, 30))
    world.run(datetime(2026, 8, 12, 22, 30))
    logged = lw.records(mine)
    [seen] = [r for r in logged if r["type"] == "witness"]
    fixings = [r for r in logged if r["type"] == "fixing"]
    commitments = [r["seq"] for r in logged if r["type"] == "commitment"]
    assert max(commitments) < seen["size"] <= seen["seq"] < min(f["seq"] for f in fixings)
    assert not [f for f in fixings if "COMMIT_UNWITNESSED" in f["flags"]]
    assert replay.verify(mine).problems == []

    # Without the witness's record the flags that the fixings lack are missed.
    forged = Published.read(Log.open(mine.ledger, read_only=True))
    forged.witnesses.clear()
    monkeypatch.setattr(replay, "was_witnessed", lambda *_: False)
    with pytest.raises(VerificationError, match="flags was published as"):
        replay.verify(mine)


# --- time stamps ----------------------------------------------------------------------------------

TSA_CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[stamp]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a root, a time-stamping certificate and what OpenSSL needs to stamp."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make time stamps with")
    pytest.importorskip("rfc3161_client")
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(TSA_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    for line in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=Root "
        "-config tsa.cnf -extensions ca",
        "req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=Stamper "
        "-config tsa.cnf",
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 3650 "
        "-extfile tsa.cnf -extensions stamp",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


def stamper(folder: Path) -> lb.Behaviour:
    async def say(asked: lb.Asked, writer: asyncio.StreamWriter) -> None:
        (folder / "query.tsq").write_bytes(asked.body)
        words = "ts -reply -queryfile query.tsq -signer tsa.pem -inkey tsa.key -config tsa.cnf"
        words += " -out a.tsr"
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
        body = (folder / "a.tsr").read_bytes()
        await lb.reply(body, content_type="application/timestamp-reply")(asked, writer)

    return say


def test_a_time_stamp_counts_as_one_who_saw(
    tmp_path: Path, server: lb.Server, authority: Path
) -> None:
    server.routes["/tsa"] = stamper(authority)  # type: ignore[index]
    mine = settings(
        tmp_path, server, timestamp_authority=f"{server.url}/tsa",
        timestamp_roots=authority / "ca.pem",
    )  # fmt: skip
    with open_shop(mine) as shop:
        [made] = gathered(shop)
        assert (made["type"], made["kind"], made["key"]) == ("witness", "RFC3161", None)
        assert "Stamper" in made["by"]
        assert list(evidence.check(shop.published, shop.log, mine)) == []
        assert was_witnessed(shop.published, 7, shop.log.size)
        # Whoever has other certificates learns that these do not stand behind it.
        other = mine.model_copy(update={"timestamp_roots": authority / "tsa.csr"})
        assert "evidence of" in "; ".join(evidence.check(shop.published, shop.log, other))
        shop.published.witnesses[0]["evidence"] = base64.b64encode(b"30" * 100).decode()
        assert "it is not over sha256:" in "; ".join(evidence.check(shop.published, shop.log, mine))


def test_an_authority_that_stamps_something_else_is_an_incident(
    tmp_path: Path, server: lb.Server, authority: Path
) -> None:
    server.routes["/tsa"] = lb.reply(b"\x30\x03\x02\x01\x00")  # type: ignore[index]
    mine = settings(
        tmp_path, server, timestamp_authority=f"{server.url}/tsa",
        timestamp_roots=authority / "ca.pem",
    )  # fmt: skip
    with open_shop(mine) as shop:
        [made] = gathered(shop)
        assert (made["kind"], made["reason"]) == ("WITNESS_FAILED", "NO_TIME_STAMP")
