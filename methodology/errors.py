"""Every error this project raises on purpose, in one tree.

::

    SpotfixError                 exit code 1 unless a leaf says otherwise
    ├── UsageError               2   a command was called with something it cannot use
    ├── ConfigError              3   a definition, register or setting is wrong
    │   └── DefinitionError          a TOML file of the rulebook does not say what it must
    ├── SourceError              –   one source failed; recorded, never fatal to a run
    │   ├── FetchError               no body was obtained
    │   └── ParseError               a body was obtained and is not what the source promised
    ├── PriceError               –   one figure cannot become fixed point
    ├── CoverageError            –   a day was asked for that the data do not cover
    ├── VerificationError        20  something recomputed differs from what was published
    ├── LogInconsistent          21  the log on disk contradicts itself
    └── LockHeld                 75  another process is publishing

Each message names the source or file, the field, the value seen and the next step, because the
person who reads it has a deadline.
"""

from __future__ import annotations


class SpotfixError(Exception):
    """Base of every deliberate error. ``exit_code`` is what the command returns."""

    exit_code = 1


class UsageError(SpotfixError):
    """A command was called with an argument it cannot use."""

    exit_code = 2


class ConfigError(SpotfixError):
    """A setting, register or definition is wrong; nothing was computed."""

    exit_code = 3


class DefinitionError(ConfigError):
    """A TOML file of the rulebook is malformed, has an unknown key, or contradicts another."""


class SourceError(SpotfixError):
    """One source failed. ``source`` and ``reason`` go into the record of the day."""

    def __init__(self, source: str, reason: str, detail: str) -> None:
        super().__init__(f"{source}: {reason}: {detail}")
        self.source = source
        self.reason = reason
        self.detail = detail


class FetchError(SourceError):
    """No usable body was obtained from a source (time, size, status, redirect, address)."""


class ParseError(SourceError):
    """A body was obtained but is not what the source promised: the source is quarantined."""


class PriceError(SpotfixError):
    """One figure cannot become fixed point; ``reason`` is the rejection code of its row."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class CoverageError(SpotfixError):
    """A day was asked for that the data at hand do not cover."""


class VerificationError(SpotfixError):
    """Something recomputed, or a stored byte, differs from what was published."""

    exit_code = 20


class LogInconsistent(SpotfixError):
    """The log on disk contradicts itself or an earlier checkpoint: nothing may be appended."""

    exit_code = 21


class LockHeld(SpotfixError):
    """Another process holds the publisher's lock; try again when it is done."""

    exit_code = 75
