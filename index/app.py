"""The command's frame: errors as one line and an exit code, options that many commands share.

Only typer, the settings-free parts of the standard library and our errors are imported here, so
that ``spotfix --help`` answers at once.
"""

from __future__ import annotations

import contextlib
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
    typer.Option("--bundle", metavar="DIR", help="The bundled history (default: data/bundled)."),
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
        sys.exit(code if isinstance(code, int) else 0)


@contextlib.contextmanager
def _exits(as_json: bool) -> Iterator[None]:
    """Turn whatever goes wrong into a line and an exit; SPOTFIX_DEBUG=1 shows the traceback."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\nstopped; `spotfix run` takes up where this left off\n")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read us has gone. Python would complain when it flushes: give it another place.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except typer.TyperException as error:
        text = error.format_message()
        if not text:  # no command was named, and the help has been printed
            sys.exit(error.exit_code)
        asked = getattr(getattr(error, "ctx", None), "command_path", None) or "spotfix"
        wrong = UsageError(f"{text.rstrip('.')}; see `{asked} --help`")
        _fail(wrong, error.exit_code, as_json)
    except SpotfixError as error:
        _fail(error, error.exit_code, as_json)
    except OSError as error:
        if os.environ.get("SPOTFIX_DEBUG"):
            raise
        _fail(error, 1, as_json)
    except Exception as error:
        if os.environ.get("SPOTFIX_DEBUG"):
            raise
        told = SpotfixError(
            f"{type(error).__name__}: {error}; this is a fault of ours: run it again with "
            "SPOTFIX_DEBUG=1 and report what it prints"
        )
        _fail(told, 1, as_json)


def _fail(error: Exception, code: int, as_json: bool) -> None:
    from index.terminal import report_error

    if os.environ.get("SPOTFIX_DEBUG"):
        import traceback

        traceback.print_exception(error)
    report_error(error, code, as_json=as_json)
    sys.exit(code)


def settings_of(**flags: object) -> Settings:
    """Return the settings in force; a flag that is ``None`` was not given."""
    from index.config import load

    return load(**flags)


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
