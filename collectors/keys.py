"""Keys of sources: from the environment or a file, and never shown.

``ACME_KEY`` holds the key, or ``ACME_KEY_FILE`` names a file that does. The file must be readable
by its owner alone; a key others can read is a key others have.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from collectors.secret import Secret
from collectors.wire import Refused

FILE = "_FILE"
_LONGEST = 4096


def read_key(name: str, environment: Mapping[str, str]) -> Secret:
    """Return the key that the variable ``name``, or the file ``name_FILE`` names, holds.

    A line end after the key in a file is not part of it.

    Raises:
        Refused: NO_KEY when neither is set; BAD_KEY when both are, when the file cannot be read,
            is not a plain file of ours or root's, is readable by others, or holds what cannot be
            a key. No message shows any of what was found.
    """
    text, file = environment.get(name, ""), environment.get(name + FILE, "")
    if not text and not file:
        raise Refused("NO_KEY", f"set {name} or {name}{FILE}, or switch the source off")
    if text and file:
        raise Refused("BAD_KEY", f"{name} and {name}{FILE} are both set; keep one of them")
    where = name if text else f"the file {name}{FILE} names"
    try:
        return Secret(text or _from_file(file, where))
    except ValueError as problem:
        raise Refused("BAD_KEY", f"{where}: {problem}") from None


def _from_file(file: str, where: str) -> str:
    try:
        # Not blocking: a pipe put in the file's place would otherwise hold the run.
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as problem:
        told = getattr(problem, "strerror", None) or "not a path"
        raise ValueError(f"it cannot be read: {told}") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is not a plain file")
        if facts.st_uid not in (os.geteuid(), 0):
            raise ValueError("it belongs to another user")
        if facts.st_mode & 0o077:
            raise ValueError("others may read it; run chmod 600 on it")
        data = os.read(handle, _LONGEST + 1)
    finally:
        os.close(handle)
    if len(data) > _LONGEST:
        raise ValueError(f"it holds more than {_LONGEST} bytes")
    try:
        return data.decode("ascii").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError("a key is printable ASCII without spaces") from None
