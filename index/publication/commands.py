"""A signer that is another program: the bridge to PKCS#11 tokens and key services.

The program reads the message on its standard input and writes the raw signature, and nothing
else, on its standard output. What it wrote is verified with the public key before it is used, so
a wrong slot, a wrong key or a half answer cannot reach a record.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence

from index.publication.keys import SIGNATURE_BYTES, PublicKey
from methodology.errors import ConfigError


class CommandSigner:
    """A key that a program signs with.

    Args:
        public: the key the program's signatures are verified with.
        argv: the program and its arguments; no shell is involved.
        timeout_seconds: after this long the program and its children are killed.
    """

    __slots__ = ("_argv", "_timeout", "public")

    def __init__(
        self, public: PublicKey, argv: Sequence[str], timeout_seconds: float = 10.0
    ) -> None:
        if not argv or timeout_seconds <= 0:
            raise ConfigError(f"key {public.id}: a command and a time above 0 s are needed")
        self.public = public
        self._argv = tuple(argv)
        self._timeout = timeout_seconds

    def __repr__(self) -> str:
        # Arguments may hold a PIN: only the program is named.
        return f"CommandSigner({self.public.id}, {self._argv[0]!r})"

    def sign(self, message: bytes) -> bytes:
        """Return the program's signature over ``message``, verified.

        Raises:
            ConfigError: the program cannot be started, fails, hangs, writes anything but one
                signature, or one that does not verify. What it wrote is in no message.
        """
        wanted = SIGNATURE_BYTES[self.public.algorithm]
        try:
            process = subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # it may quote what no log should hold
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise self._failed(f"cannot be started ({error})") from error
        late = threading.Event()

        def stop() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(self._timeout, stop)
        timer.start()
        feeder = threading.Thread(target=_feed, args=(process, message), daemon=True)
        feeder.start()
        try:
            assert process.stdout is not None
            signature = process.stdout.read(wanted + 1)  # one byte more shows that it went on
            if len(signature) > wanted:
                raise self._failed(f"wrote more than the {wanted} bytes of a signature")
            code = process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
            feeder.join()
            assert process.stdout is not None
            process.stdout.close()
        if late.is_set():
            raise self._failed(f"did not finish within {self._timeout:g} s and was killed")
        if code != 0:
            raise self._failed(f"ended with exit code {code}")
        if len(signature) != wanted:
            raise self._failed(f"wrote {len(signature)} bytes where a signature has {wanted}")
        if not self.public.verify(message, signature):
            raise self._failed("wrote a signature that this public key does not verify")
        return signature

    def _failed(self, what: str) -> ConfigError:
        return ConfigError(
            f"key {self.public.id}: signer command {self._argv[0]!r} {what}; nothing was signed. "
            "Run it by hand with a message on its standard input"
        )


def _feed(process: subprocess.Popen[bytes], message: bytes) -> None:
    """Write the message; a program that stops reading is judged by what it answers."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(message)
    with contextlib.suppress(OSError):
        process.stdin.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the program's whole group: a wrapper's child may hold the pipe open."""
    if process.returncode is None:  # not reaped yet, so its number is still its own
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
