"""The command `spotfix witness`: sign that somebody's log only ever grew."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import JsonOption, screen_of
from methodology.errors import ConfigError, SpotfixError, UsageError, VerificationError

if TYPE_CHECKING:
    from index.outside import Outside
    from index.publication.keys import PublicKey
    from index.shelves import Shelf
    from index.terminal import Screen
    from index.witness import Watch, Witness


def witness(
    key: Annotated[
        list[Path], typer.Option("--key", metavar="PEM", help="Your private key; repeatable.")
    ],
    log: Annotated[
        str | None, typer.Option("--log", metavar="URL", help="The log to watch.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="On your lines; default: the key's file."),
    ] = None,
    log_key: Annotated[
        list[str] | None,
        typer.Option("--log-key", metavar="PEM|VKEY", help="The log's keys, got elsewhere."),
    ] = None,
    state: Annotated[
        Path, typer.Option("--state", metavar="DIR", help="Where the last head is kept.")
    ] = Path("witness"),
    every: Annotated[float, typer.Option("--every", min=1, help="Seconds between looks.")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    serve: Annotated[
        str | None,
        typer.Option("--serve", metavar="HOST:PORT", help="Answer add-checkpoint requests."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow plain http to other machines.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Countersign a log's checkpoints while it only grows.

    What is signed is on the disk first. Two histories are never signed: a fork ends with exit code
    20, both checkpoints kept as evidence; a log that does not answer with 75 (--once).

    \b
    Example:
      spotfix witness --log https://index.example/log --key venue.pem --once
      spotfix witness --key venue.pem --log-key index.example.vkey --serve 127.0.0.1:7080
    """
    from index.ledger.lock import PublisherLock
    from index.outside import Outside
    from index.witness import Watch

    if log is None and (serve is None or not log_key):
        raise UsageError("name the log with --log, or give --serve and the log's --log-key")
    if serve is not None and once:
        raise UsageError("--serve and --once: give one of them")
    screen = screen_of(as_json)
    with ExitStack() as held:
        held.enter_context(PublisherLock(state / "witness.lock"))
        outside = held.enter_context(Outside(is_insecure=insecure, total=sys.maxsize))
        shelf = _shelf(log, outside)
        origin = _origin(shelf) if shelf is not None else None
        keys = _log_keys(log_key or [], origin, shelf, state, screen)
        witness = _witness(key, name, state, keys)
        watch = Watch(witness, shelf, origin) if shelf is not None and origin else None
        for signer in witness.signers:
            screen.say(f"witness {_vkey(signer.public)}")
        if serve is not None:
            _serve(witness, watch, serve, every, screen)
            return
        assert watch is not None
        if once:
            _tell(screen, witness, watch.origin, watch.look(), as_json)
            return
        _watch(watch, witness, every, screen, as_json)


def _watch(watch: Watch, witness: Witness, every: float, screen: Screen, as_json: bool) -> None:
    """Look again and again; a fork ends it, a log that does not answer does not."""
    size = -1
    while True:
        note = _look(watch, screen)
        now = witness.head(watch.origin).size
        if note is not None and now != size:
            _tell(screen, witness, watch.origin, note, as_json)
            size = now
        time.sleep(every)


def _look(watch: Watch, screen: Screen) -> bytes | None:
    """Return the cosigned checkpoint; ``None``, and why, when the log could not be read."""
    try:
        return watch.look()
    except VerificationError as error:
        if getattr(error, "evidence", None) is not None:
            raise
        screen.say(f"not signed: {error}")
    except SpotfixError as error:
        if error.exit_code != 75:
            raise
        screen.say(f"not reached: {error}")
    return None


def _serve(witness: Witness, watch: Watch | None, at: str, every: float, screen: Screen) -> None:
    """Answer add-checkpoint requests until stopped; look at the log meanwhile if one is named."""
    import asyncio

    from index.feed import server
    from index.witness import make_app

    host, colon, port = at.rpartition(":")
    if not colon or not port.isdecimal():
        raise UsageError(f"--serve {at!r}: write HOST:PORT, such as 127.0.0.1:7080")

    async def look() -> None:
        while watch is not None:
            await asyncio.to_thread(_look, watch, screen)
            await asyncio.sleep(every)

    server.run(
        lambda: make_app(witness),
        host.strip("[]"),
        int(port),
        told=lambda port: screen.say(f"listening on {host}:{port}, POST /add-checkpoint"),
        also=look if watch is not None else None,
    )


def _tell(screen: Screen, witness: Witness, origin: str, note: bytes, as_json: bool) -> None:
    head = witness.head(origin)
    if as_json:
        told = {"origin": origin, "size": head.size, "root": head.root.hex()}
        screen.json({**told, "checkpoint": note.decode("utf-8")})
        return
    screen.out.file.write(note.decode("utf-8"))
    screen.say(f"cosigned {origin} at size {head.size}")


# What it works with -----------------------------------------------------------------------------


def _shelf(log: str | None, outside: Outside) -> Shelf | None:
    """Return where the log is read: an address, or a folder."""
    from index.outside import check_address
    from index.shelves import Folder, Served

    if log is None:
        return None
    if "://" not in log:
        if not (Path(log) / "checkpoint").is_file():
            raise UsageError(f"--log {log}: neither an address nor the folder of a log")
        return Folder(Path(log))
    return Served(outside, check_address(log, outside.is_insecure))


def _origin(shelf: Shelf) -> str:
    from index.ledger.tiles import parse_checkpoint
    from index.publication.note_text import parse_note

    note = shelf.read("checkpoint")
    if note is None:
        raise UsageError(f"{shelf.where('checkpoint')}: no checkpoint; name the folder of a log")
    try:
        return parse_checkpoint(parse_note(note).body)[0]
    except ValueError as error:
        raise VerificationError(f"{shelf.where('checkpoint')}: {error}") from error


def _witness(
    files: Sequence[Path], name: str | None, state: Path, keys: dict[str, list[PublicKey]]
) -> Witness:
    from datetime import UTC, datetime

    from index.publication.keys import PemSigner
    from index.witness import Witness

    signers = [PemSigner(one, name=name or one.stem, purpose="witness") for one in files]
    return Witness(state, signers, keys, lambda: datetime.now(UTC))


def _log_keys(
    given: Sequence[str], origin: str | None, shelf: Shelf | None, state: Path, screen: Screen
) -> dict[str, list[PublicKey]]:
    """Return the log's keys by origin: as given, as kept, or as the log itself names them."""
    found: dict[str, list[PublicKey]] = {}
    for text in given:
        key = _given_key(text, origin)
        found.setdefault(key.name, []).append(key)
    if found or shelf is None or origin is None:
        if origin is not None and origin not in found:
            raise UsageError(f"--log-key: of {', '.join(found)}, and this log is {origin}")
        return found
    kept = state / "log-keys.json"
    told: dict[str, list[str]] = json.loads(kept.read_bytes()) if kept.exists() else {}
    if origin not in told:
        keys = _at_first_sight(shelf, screen)
        told[origin] = [_vkey(key, is_log=True) for key in keys]
        from index.ledger.files import replace_durably

        replace_durably(kept, json.dumps(told, indent=1).encode() + b"\n")
    return {origin: [_given_key(text, origin) for text in told[origin]]}


def _at_first_sight(shelf: Shelf, screen: Screen) -> Sequence[PublicKey]:
    """Return the keys that the log's own key records name, all of it read and checked."""
    from index.verifying import Findings, Trust, read_log

    found = Findings()
    seen = read_log(shelf, Trust(), found)
    found.refuse()
    if seen is None:
        raise VerificationError(f"{shelf.where('checkpoint')}: the log cannot be read")
    screen.say(f"first sight of {seen.origin}: its keys are kept; --log-key pins others")
    return seen.history.checkpoint_keys(seen.head.size)


def _given_key(text: str, origin: str | None) -> PublicKey:
    """Return a key of the log from a C2SP verifier key, or from a file with one or with a PEM."""
    from index.publication.keys import PublicKey
    from index.publication.note_text import parse_vkey

    path = Path(text)
    body = path.read_text("ascii", "replace") if len(text) < 1024 and path.is_file() else text
    if "-----BEGIN" not in body:
        return parse_vkey(body.strip(), purpose="log")[0]
    if origin is None:
        raise ConfigError(f"--log-key {text}: without --log, a verifier key (name+hash+key)")
    return PublicKey.from_pem(body.encode(), name=origin, purpose="log")


def _vkey(key: Any, is_log: bool = False) -> str:
    from index.publication.keys import ED25519
    from index.publication.note_text import COSIGNATURE, NOTE, SUBTREE, vkey

    first = NOTE if is_log else COSIGNATURE
    return vkey(key, first if key.algorithm == ED25519 else SUBTREE)
