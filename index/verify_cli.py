"""The command `spotfix verify`: recompute what is here, or check what somebody else published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import JsonOption, OutOption, screen_of, settings_of
from index.verify_telling import tell_outcome, tell_problems
from methodology.errors import ConfigError, UsageError, VerificationError

if TYPE_CHECKING:
    from index.config import Settings
    from index.known_heads import Known
    from index.terminal import Screen
    from index.verify_copies import Asking
    from index.verify_targets import Outcome
    from index.verifying import Findings, Trust


def verify(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            help="A record's file, drop folder, site, log, tables, audit bundle; or an address.",
        ),
    ] = None,
    trusted_key: Annotated[
        list[Path] | None,
        typer.Option("--trusted-key", metavar="PEM", help="A public key you got elsewhere."),
    ] = None,
    known_head: Annotated[
        list[str] | None,
        typer.Option("--known-head", metavar="FILE|SIZE:ROOT", help="A head you hold yourself."),
    ] = None,
    heads: Annotated[
        Path | None, typer.Option("--heads", metavar="FILE", help="Where heads seen are kept.")
    ] = None,
    log: Annotated[
        str | None, typer.Option("--log", metavar="LOG", help="Folder or address of the log.")
    ] = None,
    tsa_cert: Annotated[
        list[Path] | None,
        typer.Option("--tsa-cert", metavar="PEM", help="Root of a time-stamp authority."),
    ] = None,
    copies: Annotated[
        int, typer.Option("--copies", min=0, help="Of an address: so many second copies, drawn.")
    ] = 24,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds to wait for its quota, at most.")
    ] = 120.0,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plain http to other machines.")
    ] = False,
    from_archive: Annotated[
        bool, typer.Option("--from-archive", help="Parse the archived bodies again, too.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every file, recompute every published value.

    Without TARGET: what was published here. With it: what anybody published, by its signatures,
    the log, and the head seen last time. A difference is named and ends with exit code 20, a
    server that does not answer with 75.

    \b
    Example:
      spotfix verify
      spotfix verify --from-archive --out copy-of-out
      spotfix verify out/drop --trusted-key root.pem
      spotfix verify https://index.example/drop/v1/2026/11/20/SHA/
      spotfix verify https://index.example --trusted-key root.pem --tsa-cert tsa-root.pem
    """
    screen = screen_of(as_json)
    trust = _trust(trusted_key, tsa_cert)
    if target is None:
        if known_head or heads or log:
            raise UsageError("--known-head, --heads and --log go with a TARGET")
        _here(screen, settings_of(out=out), trust, from_archive, as_json)
        return
    if from_archive or out is not None:
        raise UsageError("--from-archive and --out go without a TARGET")
    from index.verify_copies import Asking

    asking = Asking(copies, wait)
    _there(screen, target, trust, known_head or [], heads, log, insecure, asking, as_json)


# What was published here ------------------------------------------------------------------------


def _here(
    screen: Screen, settings: Settings, trust: Trust, from_archive: bool, as_json: bool
) -> None:
    """Recompute the ledger, then check drop and site against it."""
    from index import reading, replay
    from index.terminal import GOOD, WARN, Bars
    from index.verifying import EVERYONES, Findings

    reading.require_ledger(settings)
    found = Findings()
    try:
        with Bars(screen) as bars:
            report = replay.verify(settings, from_archive=from_archive, tell=bars.tell)
            if (settings.site / "log").exists():
                bars.tell("published", "drop and site")
                _published(settings, trust, found)
                found.refuse()
    except VerificationError as error:
        tell_problems(screen, error, as_json)
        raise
    if as_json:
        told = {"ok": True, **vars(report)}
        if found.counts:
            told["published"] = {**found.counts, "warnings": found.warnings}
        screen.json(told)
        return
    for count, text in (
        (report.files, "files have the digests in their names and records"),
        (report.records, f"records stand in the tree, root {report.root}"),
        (report.manifests, "intakes read" + (", archived bodies parsed again" * from_archive)),
        (report.recomputed, f"of {report.fixings} fixings recomputed, byte for byte"),
        (report.back_cast_rows, "days of the back-cast recomputed"),
        (report.artefacts, "artefacts of runs recomputed, byte for byte"),
        (report.second_engine, "fixings found again by the second engine"),
        (found.counts["files"], "files of the drop are those of the log, chained and signed"),
        (found.counts["checkpoints"], "signed checkpoints are the log's"),
    ):
        if count or text.startswith(
            ("files have", "records", "intakes", "of ", "days", "artefact")
        ):
            screen.line((" ✓ ", GOOD), f"{count:>9,}  {text}")
    for warning in found.warnings:
        if warning.startswith(EVERYONES):
            screen.line((" ! ", WARN), warning)
    screen.line(("OK", GOOD))


def _published(settings: Settings, trust: Trust, found: Findings) -> None:
    """Check that drop and site show the ledger's log, all of it."""
    from index import evidence, manifest_stamps, verify_log, verify_targets
    from index.ledger.log import Log
    from index.ledger.tiles import Head
    from index.shelves import Folder, Within

    if settings.timestamp_roots is not None:
        stated = evidence.roots_of(settings)
        trust = replace(trust, authorities=(*trust.authorities, stated))
    log, site = Log.open(settings.ledger, read_only=True), Folder(settings.site)
    head = Head(log.size, log.root)
    target = verify_targets.Target(
        "site", str(settings.site), Within(site, "log"), site, Folder(settings.drop)
    )
    outcome = verify_targets.verify(target, trust, [], found)
    seen = outcome.seen
    if seen is not None and seen.head.size < head.size:
        found.add(
            seen.shelf.where("checkpoint"),
            f"is of size {seen.head.size}; the ledger has {head.size} records: `spotfix run` "
            "publishes the rest",
        )
    elif seen is not None and seen.head != head:
        verify_log.check_head(seen, head, "the ledger", found)
    manifest_stamps.check(settings, trust.authorities, found)


# What somebody published ------------------------------------------------------------------------


def _there(
    screen: Screen,
    text: str,
    trust: Trust,
    given: list[str],
    heads_file: Path | None,
    log: str | None,
    insecure: bool,
    asking: Asking,
    as_json: bool,
) -> None:
    from index import verify_heads, verify_targets
    from index.known_heads import Heads, default_path
    from index.outside import Outside
    from index.publication.keyring import DEV_ORIGIN
    from index.terminal import Bars

    heads, is_instead = Heads(heads_file or default_path()), False
    with Outside(is_insecure=insecure) as outside, Bars(screen) as bars:
        target = verify_targets.locate(text, outside, log)
        bars.tell("verify", text)
        if target.kind == "bundle":
            outcome = _bundle(target.path or Path(text), trust, given)
            last = None
        else:
            known, last = _known(target, given, heads)
            if last is not None and (last.is_pinned or not (trust.pinned or given)):
                known.append(last)
            outcome = verify_targets.verify(target, trust, known, asking=asking)
            if last is not None and last not in known:
                is_instead = verify_heads.settle(outcome, last, given, heads)
            if target.kind == "tables" and outcome.seen is not None:
                from index import verify_tables

                assert target.path is not None
                verify_tables.check_tables(target.path, target.site, outcome.seen, outcome.found)
    if outcome.evidence is not None and target.log is not None:
        shown = outcome.evidence
        note = target.log.read("checkpoint") or b""
        kept = heads.keep_evidence(shown.origin, shown.newer, note)
        screen.say(f"the checkpoint shown now is kept: {kept}; the one seen before: {heads.path}")
        if last is not None and last in known and not last.is_pinned:
            screen.say(
                "neither look was pinned: one of the two, or both, is not the true log; pin its "
                "root with --trusted-key, or a head you hold with --known-head, to tell which"
            )
        if shown.origin == DEV_ORIGIN:
            screen.say(
                f"{DEV_ORIGIN} is the demonstration log that every installation makes for itself, "
                "and two versions of the software make two: for another one, --heads FILE"
            )
    try:
        outcome.found.refuse(outcome.evidence)
    except VerificationError as error:
        tell_problems(screen, error, as_json)
        raise
    seen = outcome.seen
    if seen is not None:
        from index import schedule
        from methodology import clock

        at = clock.iso(schedule.utc_now())
        heads.remember(
            seen.origin,
            seen.head,
            seen.note,
            seen.shelf.where("checkpoint"),
            at,
            is_pinned=verify_heads.is_pinned(seen, given),
            is_instead=is_instead,
        )
        head = verify_heads.told(seen, last, given, is_instead)
        tell_outcome(screen, outcome, last, as_json, head, verify_heads.is_pinned(seen, given))
    else:
        tell_outcome(screen, outcome, last, as_json)


def _known(target: Any, given: list[str], heads: Any) -> tuple[list[Known], Known | None]:
    """Return the heads to compare with, and the one that this machine saw last."""
    from index.known_heads import read_known

    if target.log is None:
        if given:
            raise UsageError("--known-head: the log is out of reach; name it with --log")
        return [], None
    note = target.log.read("checkpoint") or b""
    origin = note.partition(b"\n")[0].decode("utf-8", "replace")
    known = []
    for text in given:
        of, one = read_known(text)
        if of not in (None, origin):
            raise UsageError(f"--known-head {text}: is of the log {of}, and this one is {origin}")
        known.append(one)
    return known, heads.last(origin)


def _bundle(path: Path, trust: Trust, given: list[str]) -> Outcome:
    """Check an audit bundle with the script that auditors run."""
    from index.known_heads import read_known
    from index.verify_bundles import check_bundle
    from index.verify_targets import Outcome
    from index.verifying import Findings

    found = Findings()
    check_bundle(path, trust, read_known(given[0])[1] if given else None, found)
    return Outcome(found)


def _trust(paths: list[Path] | None, certificates: list[Path] | None) -> Trust:
    """Return the pinned keys of ``--trusted-key`` and the certificates of ``--tsa-cert``."""
    from index.verifying import Trust, pinned_key, purpose_in_name

    keys, purposes = [], {}
    for path in paths or []:
        try:
            key = pinned_key(path.read_bytes())
            stated = purpose_in_name(path.name, key)
        except OSError as error:
            raise UsageError(f"--trusted-key {path}: {error.strerror}") from error
        except ConfigError as error:
            raise UsageError(
                f"--trusted-key {path}: not a public key in PEM (-----BEGIN PUBLIC KEY-----), or "
                "not the one its name says: it holds another key"
            ) from error
        keys.append(key)
        if stated is not None:
            purposes[key.raw] = stated
    roots = []
    for path in certificates or []:
        try:
            roots.append(path.read_bytes())
        except OSError as error:
            raise UsageError(f"--tsa-cert {path}: {error.strerror}") from error
        if b"-----BEGIN CERTIFICATE-----" not in roots[-1]:
            raise UsageError(f"--tsa-cert {path}: not a certificate in PEM")
    return Trust(tuple(keys), purposes, tuple(roots))
