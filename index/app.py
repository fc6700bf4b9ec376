"""The command's frame: errors as one line and an exit code, options that many commands share.

Only typer, the settings-free parts of the standard library and our errors are imported here, so
that ``spotfix --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import io
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from methodology.errors import SpotfixError, UsageError

if TYPE_CHECKING:
    from index.config import Settings
    from index.terminal import Screen

INTERRUPTED = 130
BROKEN_PIPE = 1
"""What typer itself returns when the reader of a pipe has gone."""

OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Folder of all state (default: out).")
]
BundleOption = Annotated[
    Path | None,
    typer.Option(
        "--bundle", metavar="DIR", help="The bundled history (default: data/bundled, else ours)."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
AllOption = Annotated[bool, typer.Option("--all", help="Print every line.")]
IndexArgument = Annotated[
    str, typer.Argument(metavar="INDEX", help="An index id, such as TKX-ALL-BLD.")
]


class Group(TyperGroup):
    """Commands whose every error is one line on stderr and a documented exit code."""

    def main(  # noqa: D102
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        _open_what_the_caller_closed()
        _spell_what_the_terminal_cannot()
        with _exits("--json" in words):
            code = super().main(
                args=words,
                prog_name=prog_name or "spotfix",
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
            sys.stdout.flush()
            if code == INTERRUPTED:  # typer has caught the key and made a code of it
                raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)


@contextlib.contextmanager
def _exits(as_json: bool) -> Iterator[None]:
    """Turn whatever goes wrong into a line and an exit; SPOTFIX_DEBUG=1 shows the traceback."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\n")
        told = SpotfixError("stopped; the same command takes up where this left off")
        _report(told, INTERRUPTED, as_json)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read us has gone. Python would complain when it flushes: give it another place.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except typer.TyperException as error:
        text = error.format_message()
        if type(error).__name__ == "NoArgsIsHelpError":  # a name that typer keeps to itself
            sys.stderr.write(text.rstrip() + "\n")
            sys.exit(error.exit_code)
        asked = getattr(getattr(error, "ctx", None), "command_path", None) or "spotfix"
        wrong = UsageError(f"{text.rstrip('.')}; see `{asked} --help`")
        _fail(wrong, error.exit_code, as_json)
    except SpotfixError as error:
        _fail(error, error.exit_code, as_json)
    except OSError as error:
        if os.environ.get("SPOTFIX_DEBUG"):
            raise
        _fail(SpotfixError(told_of(error)), 1, as_json)
    except Exception as error:
        if os.environ.get("SPOTFIX_DEBUG"):
            raise
        told = SpotfixError(
            f"{type(error).__name__}: {error}; this is a fault of ours: run it again with "
            "SPOTFIX_DEBUG=1 and report what it prints"
        )
        _fail(told, 1, as_json)


_STEPS = {
    errno.ENOENT: "make the folder first, or name another place",
    errno.ENOTDIR: "name a folder",
    errno.EISDIR: "name a file",
    errno.EEXIST: "name another place",
    errno.EACCES: "run as its owner, or name another place (--out DIR for the state)",
    errno.EPERM: "run as its owner, or name another place (--out DIR for the state)",
    errno.EROFS: "name a place that can be written (--out DIR for the state)",
    errno.ENOSPC: "free some space and give the same command again",
    errno.EDQUOT: "free some space and give the same command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EADDRINUSE: "end what listens there, or give another --port",
}


def told_of(error: OSError) -> str:
    """Return what the system refused, with the file and the next step."""
    files = " to ".join(str(f) for f in (error.filename, error.filename2) if f is not None)
    said = error.strerror or str(error) or type(error).__name__
    step = _STEPS.get(error.errno or 0, "SPOTFIX_DEBUG=1 shows where")
    return f"{files + ': ' if files else ''}{said[:1].lower()}{said[1:]}; {step}"


def _open_what_the_caller_closed() -> None:
    """Let a stream that was closed before we began (``>&-``) lead nowhere.

    Python has ``None`` in its place, and the next file to be opened would get its number.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = open(place, "r" if place == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _spell_what_the_terminal_cannot() -> None:
    """Let a stream of a narrow encoding (LC_ALL=C, latin-1) have ``?`` instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and "utf" not in stream.encoding.lower():
            stream.reconfigure(errors="replace")


def _fail(error: Exception, code: int, as_json: bool) -> None:
    if os.environ.get("SPOTFIX_DEBUG"):
        import traceback

        traceback.print_exception(error)
    _report(error, code, as_json)
    sys.exit(code)


def _report(error: Exception, code: int, as_json: bool) -> None:
    from index.terminal import report_error

    report_error(error, code, as_json=as_json)


def settings_of(**flags: object) -> Settings:
    """Return the settings in force; a flag that is ``None`` was not given."""
    from index.config import load, unknown_variables

    for told in unknown_variables(os.environ):
        sys.stderr.write(f"warning: {told}\n")
    return load(**flags)


def source_named(name: str) -> str:
    """Return the id of an admitted source.

    Raises:
        UsageError: no such source; the message offers the nearest ids.
    """
    from collectors.panel import SOURCES

    if name in SOURCES:
        return name
    near = difflib.get_close_matches(name.casefold(), SOURCES, n=3)
    offer = f" (did you mean {', '.join(near)}?)" if near else ""
    raise UsageError(f"source {name!r} is not admitted{offer}; `spotfix sources` lists them")


def screen_of(as_json: bool = False) -> Screen:
    """Return the streams of a command."""
    from index.terminal import Screen

    return Screen(as_json)


def moment_of(text: str | None, option: str) -> datetime | None:
    """Return an ISO time as aware UTC; a time without a zone is taken as UTC.

    Raises:
        UsageError: not an ISO time.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is not an ISO time; write it like 2026-11-20T21:30:00Z"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def day_of(text: str | None, option: str) -> date | None:
    """Return an ISO date.

    Raises:
        UsageError: not an ISO date.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a date; write it like 2026-08-01") from None
