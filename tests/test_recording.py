"""``spotfix record``: one source asked once over loopback, or a body saved by hand.

The figures are those of ``tests.live_world``: DeepInfra's two models, four prices.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import threading
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from collectors import panel
from collectors.base import Capture, Request
from collectors.secret import Secret
from index import recorded
from index.cli import app
from tests import live_world as lw
from tests import loopback as lb
from tests.fetching import CANARY

PAYLOADS = Path(__file__).parent / "payloads"


def call(out: Path, *words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, ["record", *words, "--out", str(out)], env=env)


def at(server: lb.Server, source: str, path: str) -> dict[str, str]:
    """Return the environment in which a source lives on the loopback server."""
    return {
        f"SPOTFIX_SOURCES__{source.upper()}__URL": f"{server.url}{path}",
        "SPOTFIX_ALLOW_LOOPBACK": "true",
    }


def recorded_litellm(
    out: Path, *words: str, body: bytes = b"", **more: str
) -> tuple[Result, list[lb.Asked]]:
    with lb.Server({"/prices.json": lb.reply(body or lw.litellm(), **more)}) as server:
        result = call(out, "litellm", *words, env=at(server, "litellm", "/prices.json"))
        return result, list(server.asked)


def files(out: Path) -> set[str]:
    folder = out / "recorded"
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def test_the_body_its_facts_and_the_drafts_stand_side_by_side(tmp_path: Path) -> None:
    result, asked = recorded_litellm(tmp_path, etag='"7"', set_cookie="session=1")
    day = today()
    assert result.exit_code == 0, result.output
    names = {"json", "meta.json", "quotes.csv", "rejections.csv"}
    assert files(tmp_path) == {f"litellm/{day}.{name}" for name in names}
    folder = tmp_path / "recorded" / "litellm"
    body = (folder / f"{day}.json").read_bytes()
    assert body == lw.litellm()
    facts = json.loads((folder / f"{day}.meta.json").read_text())
    assert facts["sha256"] == hashlib.sha256(body).hexdigest()
    assert (facts["bytes"], facts["status"], facts["source"]) == (len(body), 200, "litellm")
    assert facts["url"].endswith("/prices.json")
    assert facts["headers"]["etag"] == '"7"'
    assert "session" not in json.dumps(facts)
    assert datetime.fromisoformat(facts["fetched_at"]).tzinfo is not None
    with (folder / f"{day}.quotes.csv").open(newline="") as file:
        rows = [(r["listing_id"], r["meter"], r["price_text"]) for r in csv.DictReader(file)]
    assert sorted(rows) == [
        ("deepinfra/deepseek-ai/DeepSeek-V3.2", "IN", "2.6e-07"),
        ("deepinfra/deepseek-ai/DeepSeek-V3.2", "OUT", "3.8e-07"),
        ("deepinfra/openai/gpt-oss-120b", "IN", "3.7e-08"),
        ("deepinfra/openai/gpt-oss-120b", "OUT", "1.7e-07"),
    ]
    assert [one.method for one in asked] == ["GET"]
    assert not (tmp_path / "raw").exists()


def test_the_person_is_told_what_to_do_next(tmp_path: Path) -> None:
    shown = " ".join(recorded_litellm(tmp_path)[0].stdout.split())
    assert "4 quotes" in shown
    assert "1. compare each row" in shown
    assert "tests/payloads/litellm/" in shown
    assert f'proven_on="{today()}"' in shown


def test_a_second_record_of_a_day_overwrites_nothing(tmp_path: Path) -> None:
    recorded_litellm(tmp_path)
    folder, day = tmp_path / "recorded" / "litellm", today()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    recorded_litellm(tmp_path, body=lw.litellm("3e-07"))
    recorded_litellm(tmp_path)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert b"3e-07" in (folder / f"{day}.2.json").read_bytes()
    assert b"3e-07" in (folder / f"{day}.2.quotes.csv").read_bytes()
    assert (folder / f"{day}.3.meta.json").exists()


def test_a_number_is_not_taken_twice_by_a_body_of_another_kind(tmp_path: Path) -> None:
    """What a person left of a day counts, whatever its ending; other days and names do not."""
    for name in ("2026-08-12.html", "2026-08-12.4.md", "2026-08-11.9.json", "notes.7.json"):
        (tmp_path / name).write_bytes(b"")
    body = Capture("a", "b", b"{}", datetime(2026, 8, 12, 1, tzinfo=UTC))
    assert recorded.keep(tmp_path, body).file.name == "2026-08-12.5.json"


def test_bodies_kept_at_the_same_time_get_names_of_their_own(tmp_path: Path) -> None:
    moment = datetime(2026, 8, 12, tzinfo=UTC)
    made: list[str] = []

    def work(number: int) -> None:
        for turn in range(5):
            body = f"{{{number}{turn}}}".encode()
            kept = recorded.keep(tmp_path, Capture("a", "b", body, moment))
            assert kept.file.read_bytes() == body
            made.append(kept.stem)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(set(made)) == len(made) == 20
    assert not list(tmp_path.glob(".*"))


def test_a_body_that_does_not_parse_is_kept_with_the_error(tmp_path: Path) -> None:
    result, _ = recorded_litellm(tmp_path, "--json", body=b'{"a": NaN}')
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    [body] = told["bodies"]
    assert "NaN" in body["error"]
    assert (body["rows"], body["drafts"], told["next"]) == (None, [], [])
    assert Path(body["file"]).read_bytes() == b'{"a": NaN}'
    assert files(tmp_path) == {f"litellm/{today()}.json", f"litellm/{today()}.meta.json"}
    assert json.loads(result.stderr)["error"]["type"] == "ParseError"


def test_what_the_fetcher_refuses_is_refused_here(tmp_path: Path) -> None:
    """Same caps, same content types, same statuses as a round; nothing is left behind."""
    result, _ = recorded_litellm(tmp_path, content_type="text/html")
    assert (result.exit_code, files(tmp_path)) == (1, set())
    assert "CONTENT_TYPE" in result.output
    with lb.Server({"/p": lb.reply(b"{}", status=403)}) as server:
        result = call(tmp_path, "litellm", env=at(server, "litellm", "/p"))
    assert (result.exit_code, files(tmp_path)) == (1, set())
    assert "HTTP_STATUS" in result.output


def test_pages_before_a_failure_are_kept_and_the_failure_is_told(tmp_path: Path) -> None:
    page = {
        "data": [
            {
                "id": "a",
                "serverless_mode": "default",
                "pricing": [
                    {"sku": "LLM input tokens (uncached)", "amount": "1", "unit": "1M tokens"},
                    {"sku": "LLM output tokens", "amount": "2", "unit": "1M tokens"},
                ],
            }
        ],
        "nextPageToken": "two",
    }
    body = json.dumps(page).encode()
    answers = lb.in_turn(lb.reply(body), lb.reply(b"gone", status=404))
    with lb.Server({"/p": answers}) as server:
        env = {**at(server, "fireworks", "/p"), "FIREWORKS_API_KEY": CANARY}
        result = call(tmp_path, "fireworks", env=env)
        assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert result.exit_code == 1
    assert "HTTP_STATUS" in result.output
    assert f"fireworks/{today()}.quotes.csv" in files(tmp_path)
    kept = b"".join((tmp_path / "recorded" / name).read_bytes() for name in files(tmp_path))
    assert CANARY.encode() not in kept
    assert CANARY not in result.output


def test_a_listing_without_a_line_is_told_with_what_it_could_be(tmp_path: Path) -> None:
    body = lw.litellm().replace(b"deepinfra/openai/gpt-oss-120b", b"deepinfra/acme/gpt-oss-120b")
    told = json.loads(recorded_litellm(tmp_path, "--json", body=body)[0].stdout)
    assert [(r["reason"], r["listing_id"], r["rows"]) for r in told["unmapped"]] == [
        ("UNMAPPED_LISTING", "deepinfra/acme/gpt-oss-120b", 2)
    ]
    assert told["unmapped"][0]["suggestion"]["instrument"] == "gpt-oss-120b"


@pytest.fixture
def switched(monkeypatch: pytest.MonkeyPatch) -> None:
    real = panel.load
    terms = "Automated collection is not permitted (section 4)."
    monkeypatch.setattr(
        panel,
        "load",
        lambda name: replace(real(name), switch=terms) if name == "litellm" else real(name),
    )


@pytest.mark.usefixtures("switched")
def test_a_source_whose_terms_forbid_is_refused_with_the_reason(tmp_path: Path) -> None:
    result, asked = recorded_litellm(tmp_path)
    assert (result.exit_code, asked, files(tmp_path)) == (3, [], set())
    assert "section 4" in " ".join(result.stderr.split())
    assert "ACCEPT_TERMS" in result.stderr


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "no such source": (["acme"], 2, "not admitted"),
    "a file of the history": (["aws_history"], 2, "give a body with --from-file"),
    "a source without its key": (["fireworks"], 1, "NO_KEY"),
    "a time without a file": (["ecb", "--fetched-at", "2026-11-20"], 2, "goes with --from-file"),
    "no such file": (["ecb", "--from-file", "nowhere.xml"], 2, "name a saved body"),
    "a time to come": (
        ["ecb", "--from-file", str(PAYLOADS / "ecb" / "eurofxref-daily.xml"),
         "--fetched-at", "2999-01-01"], 2, "still to come"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "code", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_recorded_says_why(
    words: list[str], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIREWORKS_API_KEY", raising=False)
    monkeypatch.setattr("collectors.fetch.collect", None)
    result = call(tmp_path, *words)
    assert result.exit_code == code, result.output
    assert told in " ".join(result.stderr.split())
    assert files(tmp_path) == set()


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzipped"])
def test_a_body_saved_by_hand_is_kept_without_a_network(
    is_packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.fetch.collect", None)
    body = lw.litellm()
    file = tmp_path / "saved page.json"
    file.write_bytes(gzip.compress(body) if is_packed else body)
    result = call(
        tmp_path, "litellm", "--from-file", str(file), "--fetched-at", "2026-08-12T09:30:00+02:00"
    )
    assert result.exit_code == 0, result.output
    folder = tmp_path / "recorded" / "litellm"
    assert (folder / "2026-08-12.json").read_bytes() == body
    facts = json.loads((folder / "2026-08-12.meta.json").read_text())
    assert facts["fetched_at"] == "2026-08-12T07:30:00Z"
    assert (facts["url"], facts["saved_by_hand"], facts["status"]) == (None, file.name, None)


def test_a_body_saved_by_hand_is_dated_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(lw.litellm())
    moment = datetime(2026, 8, 12, 7, 30, tzinfo=UTC).timestamp()
    os.utime(file, (moment, moment))
    result = call(tmp_path, "litellm", "--from-file", str(file))
    assert "the file's time" in result.stderr
    assert "litellm/2026-08-12.json" in files(tmp_path)


def test_a_body_saved_by_hand_obeys_the_cap_and_holds_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(b'{"data": [], "you": "' + CANARY.encode() + b'"}')
    result = call(
        tmp_path, "fireworks", "--from-file", str(file), env={"FIREWORKS_API_KEY": CANARY}
    )
    assert (result.exit_code, files(tmp_path)) == (1, set())
    assert "SECRET_ECHOED" in result.stderr
    small = replace(panel.load("ecb"), max_decoded_bytes=10)
    monkeypatch.setattr(panel, "load", lambda name: small)
    result = call(tmp_path, "ecb", "--from-file", str(file))
    assert (result.exit_code, files(tmp_path)) == (1, set())
    assert "TOO_LARGE_DECODED" in result.stderr


def test_the_pages_of_one_catalogue_are_kept_and_read_joined(tmp_path: Path) -> None:
    """GCP's catalogue comes in pages that mean nothing alone: each is kept, the join is parsed."""
    pages = [(PAYLOADS / "gcp_list" / f"page{n}.json").read_bytes() for n in (1, 2)]
    token = json.loads(pages[0])["nextPageToken"]
    source = panel.load("gcp_list")
    with lb.Server({"/skus": lb.in_turn(*(lb.reply(page) for page in pages))}) as server:
        env = {**at(server, "gcp_list", "/skus"), str(source.auth_env): CANARY}
        result = call(tmp_path, "gcp_list", "--json", env=env)
        targets = [one.target for one in server.asked]
    told: dict[str, Any] = json.loads(result.stdout)
    assert [token in target for target in targets] == [False, True]
    assert [body["rows"] is None for body in told["bodies"]] == [True, True, False]
    assert told["seen"] > 0
    assert result.exit_code == 0


KINDS = {
    "Parquet by its bytes": (b"PAR1...", "https://a/b.json", {}, "parquet"),
    "a type before the address": (b"a,b", "https://a/b.json", {"content-type": "text/csv"}, "csv"),
    "HTML": (b"<!doctype html>", "https://a/b", {"content-type": "text/html; x=y"}, "html"),
    "the address where the type says nothing": (
        b"# a", "https://a/b.md?x=1", {"content-type": "text/plain"}, "md"),
    "XML by its bytes": (b"<?xml version='1.0'?>", "https://a/", {}, "xml"),
    "JSON by its bytes": (b" [1]", "https://a/v1", {}, "json"),
    "an address that would name the facts": (b"x", "https://a/b.meta", {}, "txt"),
    "a path in an ending": (b"x", "https://a/b.j%2Fson", {}, "txt"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "url", "headers", "wanted"), KINDS.values(), ids=KINDS.keys())
def test_a_body_is_named_for_what_it_is(
    body: bytes, url: str, headers: dict[str, str], wanted: str
) -> None:
    moment = datetime(2026, 8, 12, tzinfo=UTC)
    assert recorded.extension(Capture("a", url, body, moment, headers=headers)) == wanted


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://a.example/b?api_key=0123&page=2", "https://a.example/b?api_key=***&page=2"),
        ("https://a.example/b?Token=x", "https://a.example/b?Token=***"),
        ("https://a.example/b?pageToken=x%2Fy", "https://a.example/b?pageToken=x%2Fy"),
        ("https://a.example/b?x=1&x=&y", "https://a.example/b?x=1&x=&y"),
    ],
)
def test_no_key_stays_in_an_address(url: str, wanted: str) -> None:
    assert recorded.public_url(url) == wanted


def test_the_key_itself_stays_in_no_address(tmp_path: Path) -> None:
    """An operator may have put it into the address, against advice, under any name."""
    capture = Capture(
        "a", f"https://a.example/{CANARY}/b", b"{}", datetime(2026, 8, 12, tzinfo=UTC)
    )
    kept = recorded.keep(tmp_path, capture, Secret(CANARY))
    assert json.loads(kept.meta.read_text())["url"] == "https://a.example/***/b"


def test_a_name_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "2026-08-12.quotes.csv"
    path.write_bytes(b"checked by hand")
    with pytest.raises(FileExistsError):
        recorded.place(path, b"drafted")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [
        ("2026-08-12.quotes.csv", b"checked by hand")
    ]


def test_a_draft_leaves_out_what_is_empty_in_every_row(tmp_path: Path) -> None:
    recorded_litellm(tmp_path)
    [path] = (tmp_path / "recorded" / "litellm").glob("*.quotes.csv")
    head = path.read_text().partition("\n")[0].split(",")
    assert {"provider", "listing_id", "meter", "price_text", "currency"} <= set(head)
    assert not {"source", "capture_sha256", "region", "effective_to"} & set(head)


def test_a_source_that_asks_for_nothing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(base: str) -> Generator[Request, Capture, None]:
        yield from ()

    quiet = replace(panel.load("ecb"), requests=nothing)
    monkeypatch.setattr(panel, "load", lambda name: quiet)
    with lb.Server({}) as server:
        result = call(tmp_path, "ecb", env=at(server, "ecb", "/p"))
    assert result.exit_code == 2
    assert "asks for nothing by itself" in result.stderr
