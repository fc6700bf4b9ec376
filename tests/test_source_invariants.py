"""What every source of the panel must do, whoever wrote it and whatever it reads.

One list, tried on each source with the bodies of its own folder of ``tests/payloads`` and with
bodies that no seller means to send. A new source is held to it from its first day.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from collectors import panel
from collectors.base import Capture, Parsed
from collectors.jobs import Limits
from index import collecting, config
from methodology.errors import ParseError, SourceError
from methodology.rights import load_rights
from tests import real_bodies
from tests.fuzzing import campaign, corpus
from tests.fuzzing.mutate import kind_of

ROOT = Path(__file__).resolve().parents[1]
PAYLOADS = ROOT / "tests" / "payloads"
IDS = sorted(panel.SOURCES)
KINDS = ("tokens", "gpus", "volumes", "fx")
FETCHED_AT = campaign.FETCHED_AT
MAP = re.compile(
    r"(?:Column|Field|Table)s? (?:map|used)|^Map: |has the map|^={4,} +={4,}", re.MULTILINE
)
DAY = re.compile(r"\b20[0-9]{2}-[01][0-9]-[0-3][0-9]\b")

every_source = pytest.mark.parametrize("source_id", IDS)
Parser = Callable[[Capture], Parsed]


def captured(source_id: str, body: bytes, url: str = "body") -> Capture:
    return Capture(source_id, url, body, FETCHED_AT)


def own_files(source_id: str) -> list[Path]:
    folder = PAYLOADS / panel.SOURCES[source_id].module.rpartition(".")[2]
    return sorted(path for path in folder.rglob("*") if path.is_file())


def taken(source_id: str, body: bytes) -> Iterator[tuple[Parser, Parsed]]:
    """Yield each parser of the source's file that takes a body, with what it makes of it."""
    for parse in campaign.parsers_of(source_id):
        try:
            yield parse, parse(captured(source_id, body))
        except SourceError:
            continue


def own_bodies(source_id: str) -> list[tuple[str, bytes, Parser, Parsed]]:
    """Return name, bytes, parser and rows of each own body that a parser of the source takes."""
    return [
        (path.name, body, parse, found)
        for path in own_files(source_id)
        for body in [real_bodies.plain(path)]
        for parse, found in taken(source_id, body)
    ]


def docs(source_id: str) -> str:
    """Return what the source's file says of itself."""
    return str(importlib.import_module(panel.SOURCES[source_id].module).__doc__)


# --- what it says of itself ----------------------------------------------------------------------


@every_source
def test_its_file_tells_address_date_and_column_map(source_id: str) -> None:
    told = docs(source_id)
    source = panel.load(source_id)
    host = httpx.URL(source.url).host
    no_address = not source.is_live and "no address" in told
    assert host in told or no_address, f"the docstring names no address on {host}"
    assert DAY.search(told), "the docstring has no day (20YY-MM-DD) on which the shape was read"
    assert MAP.search(told), "the docstring has no map of columns or fields"


@every_source
def test_its_terms_carry_the_day_they_were_read(source_id: str) -> None:
    days = DAY.findall(panel.load(source_id).terms)
    assert days, "the terms have no day"
    assert max(days) <= date.today().isoformat()


@every_source
def test_its_key_is_named_where_its_file_says_that_it_needs_one(source_id: str) -> None:
    name, told = panel.load(source_id).auth_env, docs(source_id)
    if name is not None:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", name)
        assert f"``{name}``" in told, f"the docstring does not name {name}"
    else:
        assert not re.search(r"key (?:stands )?in ``[A-Z_]+``", told)


@every_source
def test_its_evidence_is_that_of_the_register_of_rights(source_id: str) -> None:
    source, lines = panel.load(source_id), load_rights()
    assert source_id in lines, "no line in methodology/instruments/rights.toml"
    assert (source.tier, source.path or source_id) == (
        lines[source_id].tier,
        lines[source_id].path or source_id,
    )


@every_source
def test_it_is_pinned_to_currencies_and_keeps_to_them(source_id: str) -> None:
    source = panel.load(source_id)
    assert source.currencies
    assert all(re.fullmatch(r"[A-Z]{3}", one) for one in source.currencies)
    seen = {c for *_, found in own_bodies(source_id) for c in found.quotes["currency"]}
    assert seen <= set(source.currencies)


@every_source
def test_terms_against_collecting_keep_it_off_until_they_are_accepted(source_id: str) -> None:
    source = panel.load(source_id)
    if source.switch is None:
        assert not re.search(r"\b(?:see|their|its) switch\b", source.terms)
        return
    told = collecting.off_because(source, config.Settings(sources={}))
    assert told is not None
    accepted = config.Settings(sources={source_id: config.SourceSettings(accept_terms=True)})
    assert source.switch in told or not source.is_live
    assert (collecting.off_because(source, accepted) is None) == source.is_live


@every_source
def test_it_is_proven_only_by_a_whole_body_and_not_tomorrow(source_id: str) -> None:
    day = panel.SOURCES[source_id].proven_on
    if day is None:
        return
    assert date.fromisoformat(day) <= date.today()
    assert own_files(source_id)
    if not real_bodies.FOLDER.is_dir():
        pytest.skip(real_bodies.NO_BODIES)
    assert corpus._captured().get(source_id) or source_id in STORED, "no whole body is at hand"


STORED = {"cfets"}


# --- what it reads -------------------------------------------------------------------------------


REFUSED = {"openrouter_rankings_scrape/2026-04-01.json": "another chart of the same page"}
"""Payloads that are there to be refused, and why."""


@pytest.mark.parametrize(
    "path",
    sorted(p for p in PAYLOADS.rglob("*") if p.is_file()),
    ids=lambda p: f"{p.parent.name}/{p.name}",
)
def test_every_payload_is_read_by_a_source_of_its_folder(path: Path) -> None:
    if f"{path.parent.name}/{path.name}" in REFUSED:
        return
    sources = [i for i, one in panel.SOURCES.items() if one.module.endswith(f".{path.parent.name}")]
    body = real_bodies.plain(path)
    assert any(True for source_id in sources for _ in taken(source_id, body))


@every_source
def test_the_same_bytes_give_the_same_rows_in_the_same_order(source_id: str) -> None:
    bodies = own_bodies(source_id)
    assert bodies, "no own body is taken by any parser of the source"
    for name, body, parse, found in bodies:
        again = parse(captured(source_id, body))
        for frame in campaign.FRAMES:
            assert getattr(found, frame).equals(getattr(again, frame)), f"{name}: {frame}"


DIGESTS = """
import sys
from tests import test_source_invariants as ours
for source_id in ours.IDS:
    print(source_id, ours.digest_of(source_id))
"""


def digest_of(source_id: str) -> str:
    """Return a digest of every row of every own body, in order."""
    sums = hashlib.sha256()
    for *_, found in own_bodies(source_id):
        for frame in campaign.FRAMES:
            sums.update(getattr(found, frame).write_csv().encode())
    return sums.hexdigest()


def test_the_rows_do_not_depend_on_the_order_of_a_hash() -> None:
    told = []
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(
            [sys.executable, "-c", DIGESTS], cwd=ROOT, env=env, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        told.append(run.stdout.splitlines())
    assert len(told[0]) == len(IDS)
    assert told[0] == told[1]


@every_source
def test_an_independent_judge_finds_no_fault_in_what_it_accepts(source_id: str) -> None:
    """Among the faults: an accepted body of which nothing is told, neither a row nor a refusal."""
    for name, body, _, found in own_bodies(source_id):
        assert campaign.judged(captured(source_id, body), found, kind_of(body)) == [], name


@every_source
def test_no_row_claims_better_evidence_than_its_source(source_id: str) -> None:
    tier = panel.load(source_id).tier
    assert all(min(f.quotes["tier"], default=tier) >= tier for *_, f in own_bodies(source_id))


# --- what it asks for ----------------------------------------------------------------------------


@every_source
@pytest.mark.parametrize("answer", ["its own bodies", "an empty object", "an empty list", "a page"])
def test_it_asks_on_its_own_host_and_comes_to_an_end(source_id: str, answer: str) -> None:
    source = panel.load(source_id)
    home = httpx.URL(source.url)
    answers = {
        "an empty object": [b"{}"],
        "an empty list": [b"[]"],
        "a page": [ERROR_PAGE],
        "its own bodies": [body for _, body, *_ in own_bodies(source_id)],
    }[answer]
    flow = source.requests(source.url)
    try:
        request = next(flow)
        for turn in range(Limits().max_pages + 1):
            asked = httpx.URL(request.url)
            assert (asked.scheme, asked.netloc) == (home.scheme, home.netloc)
            assert not asked.userinfo
            request = flow.send(captured(source_id, answers[turn % len(answers)], request.url))
        pytest.fail("it asks for more pages than a run reads")
    except (StopIteration, ParseError):
        pass  # it ended, or refused the answer


# --- bodies no seller means to send --------------------------------------------------------------

ERROR_PAGE = (
    b"<!doctype html><html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"
)

SENT = {
    "nothing": b"",
    "one line end": b"\n",
    "null": b"null",
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a text": b'"ok"',
    "a number": b"1",
    "NaN": b"NaN",
    "a list of NaN": b"[NaN]",
    "a key twice": b'{"data": [], "data": {}}',
    "an error of an interface": b'{"error": {"code": 401, "message": "no key"}}',
    "an error page": ERROR_PAGE,
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "deep elements": b"<div>" * 20_000,
    "ten million blanks": b" " * 10_000_000,
    "zero bytes": b"\x00" * 4096,
    "bytes that are no text": b"\xff\xfe\xfd" * 100,
    "a byte order mark alone": b"\xef\xbb\xbf",
}


def outcome(parse: Parser, capture: Capture) -> str:
    """Return ``refused``, ``told`` (rejections and nothing else), or what went wrong."""
    try:
        found = parse(capture)
    except ParseError as error:
        names = (error.source, bool(re.fullmatch(r"[A-Z][A-Z0-9_]+", error.reason)))
        good = names == (capture.source, True) and bool(error.detail)
        return "refused" if good else f"{error!r} names no source, reason or detail"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return f"{type(error).__name__}: {str(error)[:200]}"
    kept = found.seen - found.rejections.height
    return "told" if found.seen and not kept else f"accepted with {kept} rows of {found.seen}"


@every_source
@pytest.mark.parametrize("body", SENT.values(), ids=SENT.keys())
def test_what_is_no_body_of_it_is_refused_with_a_parse_error(source_id: str, body: bytes) -> None:
    """Parsers of stored histories may tell a strange body line by line; they keep nothing."""
    own, *others = campaign.parsers_of(source_id)
    assert outcome(own, captured(source_id, body)) == "refused"
    assert {outcome(parse, captured(source_id, body)) for parse in others} <= {"refused", "told"}


@every_source
@pytest.mark.parametrize(
    "body",
    [b"[[], [[]]]", b'[null, 1, true, "a"]', b'{"data": [null, 1, []]}', b'{"data": "a"}'],
    ids=["lists in a list", "no objects in a list", "no objects in data", "a text as data"],
)
def test_rows_that_are_no_rows_are_refused_whole_or_one_by_one(source_id: str, body: bytes) -> None:
    told = {outcome(p, captured(source_id, body)) for p in campaign.parsers_of(source_id)}
    assert told <= {"refused", "told"}


def spoiled(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield ways to spoil a body of a source so that it is none any more."""
    is_json = body.lstrip()[:1] in (b"{", b"[") and b"\n{" not in body
    if body[:4] != b"PAR1":
        yield "in UTF-16", body.decode().encode("utf-16")
    if not is_json:
        return
    yield "its first half", body[: len(body) // 2]
    yield "without its last byte", body.rstrip()[:-1]
    yield "with more after its end", body + b"{}"
    yield "in Latin-1", json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8") + b"\xe9"
    number = re.search(rb"(?<=: )-?[0-9.]+(?=[,\s}])|(?<=:)-?[0-9.]+(?=[,\s}])", body)
    if number:
        yield "a NaN in it", body[: number.start()] + b"NaN" + body[number.end() :]
    key = re.search(rb'\{\s*("[^"\\]*")\s*:', body)
    if key:
        yield "a key twice", body[: key.end(1)] + b': "other", ' + key[1] + body[key.end(1) :]


@every_source
def test_a_spoiled_body_of_its_own_is_refused_with_a_parse_error(source_id: str) -> None:
    told = []
    for name, body, parse, _ in own_bodies(source_id):
        for how, made in spoiled(body):
            if how == "a key twice" and source_id in campaign.REPEATS_ARE_JUDGED:
                continue
            try:
                parse(captured(source_id, made))
            except ParseError:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                told.append(f"{name} {how}: {type(error).__name__}: {str(error)[:200]}")
            else:
                told.append(f"{name} {how}: accepted")
    assert told == []


@every_source
def test_half_of_a_table_is_refused_or_told_row_by_row(source_id: str) -> None:
    """A table cut between two lines may look whole; then each of its lines is still told."""
    for name, body, parse, _ in own_bodies(source_id):
        for part in range(1, 8):
            cut = body[: len(body) * part // 8]
            try:
                found = parse(captured(source_id, cut))
            except ParseError:
                continue
            assert found.seen, f"{name}, {part}/8: accepted, and nothing is told"


# --- pure ----------------------------------------------------------------------------------------

CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns", "localtime", "gmtime"}
OUTSIDE = {
    "os",
    "time",
    "socket",
    "random",
    "secrets",
    "subprocess",
    "tempfile",
    "pathlib",
    "locale",
}
OUTSIDE |= {"shutil", "httpx", "urllib.request", "threading", "asyncio"}
OPENS = {"open", "input", "read_text", "read_bytes", "write_text", "getenv", "scan_csv", "print"}
ALLOWED = {
    ("tokens/genai_prices.py", "read_bytes"): "the packaged list, read beside the parser",
    ("fx/cfets.py", "now"): "its address asks for a span of days; its parser reads no clock",
}
HELPERS = (
    "model_lists",
    "page_html",
    "page_markdown",
    "page_money",
    "page_rows",
    "pages",
    "rows",
    "strict",
)


def source_files() -> list[Path]:
    folder = ROOT / "collectors"
    found = [path for kind in KINDS for path in (folder / kind).glob("*.py")]
    return sorted(found + [folder / f"{name}.py" for name in HELPERS])


def reaches_outside(path: Path) -> list[str]:
    """Return what a file calls or imports that gives more than its arguments do."""
    told = []
    place = str(path.relative_to(ROOT / "collectors"))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            told += [f"import {a.name}" for a in node.names if a.name in OUTSIDE]
        elif isinstance(node, ast.ImportFrom) and node.module in OUTSIDE:
            told.append(f"from {node.module}")
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            # A member of a zip is opened in memory; a bare read_text is our own reader of bytes.
            is_ours = called.endswith(".open") or called == "read_text"
            name = "" if is_ours else called.rpartition(".")[2]
            if name in CLOCKS | OPENS and (place, name) not in ALLOWED:
                told.append(f"line {node.lineno}: {ast.unparse(node.func)}()")
    return told


@pytest.mark.parametrize("path", source_files(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_no_source_reads_a_clock_a_file_or_the_environment(path: Path) -> None:
    assert reaches_outside(path) == []


@pytest.mark.parametrize(
    "line",
    ["import os", "from os import environ", "datetime.now(UTC)", "date.today()", "open('a')",
     "Path('a').read_bytes()"],
)  # fmt: skip
def test_the_check_sees_each_way_outside(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "collectors" / "tokens" / "acme.py"
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert reaches_outside(path)
