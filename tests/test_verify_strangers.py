"""A stranger against whoever holds the daily keys of a log: what is seen, what is said."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from index import verify_heads, verify_targets, verify_witnesses
from index.config import Settings
from index.known_heads import Heads
from index.ledger.canonical import canonical
from index.ledger.tiles import Head, checkpoint_text
from index.outside import Outside
from index.publication import timestamps
from index.publication.keys import DemoSigner
from index.shelves import Held, Served, Within
from index.verify_copies import Asking, check_copies
from index.verify_drop import ALL, check_bodies, check_files
from index.verify_targets import Outcome
from index.verifying import Findings, Seen, Trust
from methodology import clock
from tests.published_trees import ORIGIN, Published, make_tree, target_of
from tests.tampering import logged
from tests.test_publication_timestamps import authority, openssl

ROOT = Trust((DemoSigner("root").public,))


@pytest.fixture(scope="module")
def tree(small_ledger: Settings, tmp_path_factory: pytest.TempPathFactory) -> Published:
    return make_tree(small_ledger.ledger, tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def final(tree: Published) -> dict[str, Any]:
    """Return the final of a rate with a value."""
    found = [tree.record(seq) for seq in range(26, 36)]
    return next(r for r in found if r["index_id"][:3] == "TKR" and r["value"])


def seen_in(tree: Published, trust: Trust = ROOT) -> Seen:
    log = target_of(tree.files).log
    seen = verify_targets.verify(verify_targets.Target("log", "x", log), trust).seen
    assert seen is not None
    return seen


def said_of(tree: Published, changed: dict[str, Any], *more: dict[str, Any]) -> list[str]:
    """Return what is said of a changed record in a log that is sound and signed by its own keys."""
    bodies = list(tree.bodies)
    for one in (changed, *more):
        bodies[one["seq"]] = canonical(one)
    target = target_of(logged(tree.files, bodies))
    found = Findings()
    log = verify_targets.Target("log", "x", target.log)
    seen = verify_targets.verify(log, ROOT, [], found).seen
    if seen is not None and target.site is not None:
        check_bodies(Within(target.site, "batches"), seen, found)
    return [str(one) for one in found.problems if f"seq {changed['seq']}" in str(one)]


FORGED: dict[str, Any] = {
    "final_at": "2026-09-13T03:59:59.000Z", "settlement_eligible": True, "label": "settlement",
    "published_at": "2026-08-12T22:04:00.000Z", "loo_low": "0.200000", "max": "0.500000",
    "effective_n": "12.000000", "p25": "0.200000", "alt": [], "basket_version": "2026-07",
    "n_collected": 47, "n_excluded": 34, "n_providers": 12, "n_sources": 3,
    "dispersion": "0.300000", "level": "975.4403", "fresh_share": "1.00000001",
    "executable_share": "1.00000000", "licence": "CC0-1.0", "disclaimer_id": "none",
    "methodology_id": "other", "volume_unit": "tok",
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_field_that_holders_of_the_daily_keys_forged_is_named(
    tree: Published, final: dict[str, Any], name: str
) -> None:
    assert final[name] != FORGED[name]
    assert said_of(tree, {**final, name: FORGED[name]})


@pytest.mark.parametrize("name", ["software", "administrator_id"])
def test_one_fixing_made_by_somebody_else_than_the_rest_of_its_print_is_named(
    tree: Published, name: str
) -> None:
    finals = [tree.record(seq) for seq in range(26, 36)]
    day = max({r["ref_date"] for r in finals}, key=[r["ref_date"] for r in finals].count)
    one, *others = (r for r in finals if r["ref_date"] == day and r["session"] == "NYC")
    assert len(others) > 1
    said = said_of(tree, {**one, name: "spotfix/9.9.9"})
    assert any(f"{name}: it says spotfix/9.9.9; record {others[0]['seq']} of" in s for s in said)


@pytest.mark.parametrize("part", ["kind", "size"])
def test_a_citation_that_says_other_than_its_body_is_named(
    tree: Published, final: dict[str, Any], part: str
) -> None:
    other = {"kind": "panel_state", "size": final["contributions"]["size"] + 1}
    cited = {**final["contributions"], part: other[part]}
    assert said_of(tree, {**final, "contributions": cited})


def test_a_rate_of_exchange_other_than_the_rest_of_its_print_is_named(
    tree: Published, final: dict[str, Any]
) -> None:
    beside = [{**final, "seq": seq, "index_id": f"TKR-other-{seq}"} for seq in (31, 32)]
    forged = {**final, "alt": [{**final["alt"][0], "fx_date": "2026-07-01"}]}
    what = "record 31 of the same publication says other"
    assert any(f"alt: it says ('{final['alt'][0]['fx_rate']}', 'ECB', '2026-07-01'); {what}" in one
               for one in said_of(tree, forged, *beside))  # fmt: skip
    assert not any(what in one for one in said_of(tree, final, *beside))


def test_counts_of_a_tree_that_nobody_forged_are_right(
    tree: Published, final: dict[str, Any]
) -> None:
    assert said_of(tree, final) == []


def test_a_late_print_without_its_flag_is_named(tree: Published, final: dict[str, Any]) -> None:
    flags = [one for one in final["flags"] if one != "BUNDLED"]
    at = "2026-08-12T22:30:00.000Z"
    late = {**final, "flags": flags, "published_at": at, "calculated_at": at}
    assert any("and it was late" in one for one in said_of(tree, late))


def test_a_live_print_before_it_was_due_is_named(tree: Published, final: dict[str, Any]) -> None:
    flags = [one for one in final["flags"] if one != "BUNDLED"]
    at = "2026-08-12T21:59:00.000Z"
    early = {**final, "flags": flags, "published_at": at, "calculated_at": at}
    bodies = list(tree.bodies)
    bodies[final["seq"]] = canonical(early)
    found = Findings()
    log = target_of(logged(tree.files, bodies)).log
    verify_targets.verify(verify_targets.Target("log", "x", log), ROOT, [], found)
    assert any("when it was due" in str(one) for one in found.problems)


# --- heads ---------------------------------------------------------------------------------------


def kept(heads: Heads, seen: Seen, given: list[str]) -> Any:
    heads.remember(
        seen.origin, seen.head, seen.note, "a mirror", "2026-11-20T08:00:00.000Z",
        is_pinned=verify_heads.is_pinned(seen, given),
    )  # fmt: skip
    return heads.last(seen.origin)


def test_a_head_taken_on_trust_gives_way_to_a_pinned_log_of_other_keys(
    tree: Published, tmp_path: Path
) -> None:
    heads, seen = Heads(tmp_path / "heads.json"), seen_in(tree)
    note = b"\n".join([ORIGIN.encode(), b"36", b"A" * 43 + b"=", b"", b""])
    heads.remember(ORIGIN, Head(36, b"\0" * 32), note, "a mirror", "2026-11-20T08:00:00.000Z")
    last = heads.last(ORIGIN)
    assert last is not None
    assert not last.is_pinned
    outcome = Outcome(Findings(), seen)
    assert verify_heads.settle(outcome, last, [], heads)
    [warning] = outcome.found.warnings
    assert "with nothing pinned" in warning
    assert "not signed by this log's keys" in warning
    assert outcome.found.problems == []
    assert len(list(tmp_path.glob("evidence-*"))) == 1
    # Nothing was pinned now either: it is a contradiction like any other.
    outcome = Outcome(Findings(), seen_in(tree, Trust()))
    assert not verify_heads.settle(outcome, last, [], heads)
    assert outcome.evidence is not None


def test_two_histories_by_one_key_are_a_fork_whatever_was_pinned(
    tree: Published, final: dict[str, Any], tmp_path: Path
) -> None:
    bodies = [*tree.bodies[:-1], canonical({**tree.record(35), "software": "spotfix/9"})]
    log = target_of(logged(tree.files, bodies)).log
    fork = verify_targets.verify(verify_targets.Target("log", "x", log), Trust()).seen
    assert fork is not None
    last = kept(Heads(tmp_path / "heads.json"), fork, [])
    outcome = Outcome(Findings(), seen_in(tree))
    assert not verify_heads.settle(outcome, last, [], Heads(tmp_path / "heads.json"))
    assert any("showed two histories" in str(one) for one in outcome.found.problems)
    assert outcome.evidence is not None


def test_a_pinned_look_pins_the_head_that_was_kept(tree: Published, tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads.json")
    assert not kept(heads, seen_in(tree, Trust()), []).is_pinned
    assert kept(heads, seen_in(tree), []).is_pinned
    assert kept(heads, seen_in(tree, Trust()), []).is_pinned  # and stays so


# --- second copies -------------------------------------------------------------------------------


def copies(tree: Published, asking: Asking, changed: dict[str, bytes], quota: int) -> Findings:
    """Return what is found of copies on a server that answers ``quota`` requests at a time."""
    left = [quota]

    def answer(request: httpx.Request) -> httpx.Response:
        if left[0] == 0:
            left[0] = quota
            return httpx.Response(429, headers={"retry-after": "7"}, stream=httpx.ByteStream(b""))
        left[0] -= 1
        name = request.url.path.lstrip("/")
        body = changed.get(name, tree.site[name])
        return httpx.Response(200, stream=httpx.ByteStream(body))

    found, seen = Findings(), seen_in(tree)
    with Outside(transport=httpx.MockTransport(answer)) as outside:
        shelf = Served(outside, "https://index.example")
        check_copies(shelf, seen, found, asking, lambda *a: check_files(*a, seen, found), ALL)
    return found


def test_copies_are_asked_as_fast_as_the_server_allows_and_counted(tree: Published) -> None:
    waited: list[float] = []
    found = copies(tree, Asking(2, 100, 1, waited.append), {}, 10)
    assert found.problems == []
    [warning] = found.warnings
    newest = int(warning.split(" of ")[0].split()[-1]) - 12
    assert f"of 120 second copies compared: {newest // 6} of {newest // 6} fixings" in warning
    assert "drawn with seed 1;" in warning
    assert waited == [7.0] * ((newest + 12 - 1) // 10)


def test_a_quota_that_takes_too_long_ends_the_comparison_and_is_said(tree: Published) -> None:
    found = copies(tree, Asking(30, 15, 1, lambda seconds: None), {}, 10)
    assert found.counts["copies"] == 30
    assert "30 of 120 second copies compared" in found.warnings[0]
    assert "more than 15 s of waiting" in found.warnings[0]


def test_a_changed_copy_of_the_newest_day_is_named(tree: Published) -> None:
    newest = max(n.split("/")[4] for n in tree.site if n.startswith("v1/") and "/NYC/" in n)
    day = next(n for n in sorted(tree.site) if f"/NYC/{newest}/r1.csv" in n)
    found = copies(tree, Asking(0, 0, 1), {day: b"other\n"}, 1000)
    assert [one.where for one in found.problems] == [f"https://index.example/{day}"]


# --- outside dates -------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
def test_a_time_stamp_counts_only_under_a_certificate_that_was_given(
    tree: Published, tmp_path: Path
) -> None:
    pytest.importorskip("rfc3161_client", reason="rfc3161-client is not installed")
    folder = authority(tmp_path)
    head = tree.heads[-1]
    imprint = hashlib.sha256(checkpoint_text(ORIGIN, head).encode()).digest()
    (folder / "q.tsq").write_bytes(timestamps.request(imprint))
    told = openssl(folder, "ts -reply -config tsa.cnf -queryfile q.tsq -out r.tsr")
    assert told.returncode == 0, told.stderr
    token, root = (folder / "r.tsr").read_bytes(), (folder / "ca.pem").read_bytes()
    stamp = timestamps.check(token, imprint, [root])
    record = {
        "type": "witness", "schema": "witness/1.0", "log_origin": ORIGIN, "size": 36,
        "root": base64.b64encode(head.root).decode(), "kind": "RFC3161", "by": stamp.by,
        "key": None, "evidence": base64.b64encode(token).decode(), "quorum": 1,
        "at": clock.iso(stamp.at.replace(tzinfo=None)), "seq": 36,
    }  # fmt: skip

    def look(record: dict[str, Any], trust: Trust) -> Outcome:
        files = logged(tree.files, [*tree.bodies, canonical(record)])
        log = Held({n[9:]: b for n, b in files.items() if n.startswith("site/log/")}, "log/")
        return verify_targets.verify(verify_targets.Target("log", "x", log), trust)

    unchecked = look(record, ROOT)
    assert any("not checked, no certificate given" in one for one in unchecked.found.warnings)
    assert {one.trusted for one in unchecked.bounds} == {None}
    trust = Trust(ROOT.pinned, {}, (root,))
    checked = look(record, trust)
    assert checked.found.counts["time stamps"] == 1
    assert {one["seen_by"] for one in verify_witnesses.told(checked.bounds)} == {stamp.by}
    assert "dated by others whom you trust" in verify_witnesses.summary(checked.bounds)[0]
    redated = look({**record, "at": "2026-08-12T22:00:00.000Z"}, trust)
    assert any("its evidence is dated" in str(one) for one in redated.found.problems)
    other = base64.b64encode(token.replace(imprint, b"\1" * 32)).decode()
    assert any(
        "is not over sha256:" in str(one)
        for one in look({**record, "evidence": other}, ROOT).found.problems
    )


def test_days_without_an_outside_date_are_told(tree: Published) -> None:
    log = target_of(tree.files).log
    bounds = verify_targets.verify(verify_targets.Target("log", "x", log), ROOT).bounds
    [line] = verify_witnesses.summary(bounds)
    assert line.startswith(f"{len(bounds)} of {len(bounds)} days have no outside date")
    assert json.dumps(verify_witnesses.told(bounds)[0]["seen_by_others_at"]) == "null"
