"""Guards on what comes over the wire: nothing here opens a socket.

An address is judged before it is connected to, a body is unpacked in small pieces so that a bomb
stops at its cap, and a body too long to keep is cut down to the lines that matter while the digest
of the whole is still taken. ``collectors.fetch`` puts these between the network and the archive.
"""

from __future__ import annotations

import hashlib
import io
import ipaddress
import zlib
from collections.abc import Callable, Iterator

PIECE = 256 * 1024
"""Largest piece of unpacked body held at once, in bytes."""

MAX_LINE = 2**20
"""Longest line of a filtered body, in bytes: a price list has none near it."""

LineFilter = Callable[[bytes, bytes], bool]
"""``line_filter(header, line)``: whether a line is kept.

``header`` is the last of the header lines, the one that names the columns. Both still end with
their newline.
"""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """A guard said no. ``reason`` is the code of the :class:`~methodology.errors.FetchError`.

    ``status`` is the HTTP status where that is what was refused.
    """

    def __init__(self, reason: str, detail: str, status: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.status = status


class Again(Refused):
    """A refusal worth another try, after ``after`` seconds when the server said so."""

    def __init__(
        self, reason: str, detail: str, after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(reason, detail, status)
        self.after = after


def _carried(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses hidden inside an IPv6 one (mapped, 6to4, Teredo, NAT64)."""
    if not isinstance(address, ipaddress.IPv6Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


def vet_address(text: str, allow_loopback: bool) -> str:
    """Return ``text`` when it is a public address, or loopback where that is allowed.

    Private, link-local, shared (100.64.0.0/10), multicast, reserved and unspecified addresses are
    never allowed, nor an IPv6 address that carries such an IPv4 one inside.

    Raises:
        Refused: ADDRESS_REFUSED, naming the address.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError as problem:
        raise Refused("ADDRESS_REFUSED", f"{text!r} is not an IP address") from problem
    if address.is_loopback and allow_loopback:
        return text
    for seen in (address, *_carried(address)):
        if not seen.is_global or seen.is_multicast or seen.is_reserved:
            raise Refused(
                "ADDRESS_REFUSED",
                f"{text} is not a public address; a price source is never read from inside",
            )
    return text


def is_loopback_literal(host: str) -> bool:
    """Return whether ``host`` is itself a loopback address, not a name that leads to one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Unpacker:
    """Undo one content encoding, in pieces of at most :data:`PIECE` bytes.

    ``feed`` yields pieces of unpacked body; the caller counts them and stops when it has enough,
    so what a bomb would become is never held. ``finish`` says whether the packed stream was whole.
    """

    def __init__(self, encoding: str) -> None:
        self._bits = {"identity": 0, "gzip": 31, "x-gzip": 31, "deflate": 15}.get(encoding, -1)
        if self._bits < 0:
            raise Refused(
                "BAD_ENCODING",
                f"content-encoding {encoding[:80]!r}: one of gzip, deflate or identity is read",
            )
        self._inflate = zlib.decompressobj(self._bits) if self._bits else None
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the unpacked bytes that ``data`` brings.

        Raises:
            Refused: BAD_ENCODING when the bytes are not in the declared encoding.
        """
        if self._inflate is None:
            if data:
                yield data
            return
        while data:
            self._begun = True
            if self._inflate.eof:
                # RFC 1952 2.2 lets gzip members follow one another; zlib streams do not.
                if self._bits != 31:
                    raise Refused("BAD_ENCODING", "bytes after the end of a deflate stream")
                self._inflate = zlib.decompressobj(self._bits)
            piece = self._take(self._inflate, data)
            # A full piece may leave output inside zlib although all input was taken.
            while piece:
                yield piece
                data = self._inflate.unconsumed_tail
                if not data and (self._inflate.eof or len(piece) < PIECE):
                    break
                piece = self._take(self._inflate, data)
            data = self._inflate.unused_data

    @staticmethod
    def _take(inflate: zlib._Decompress, data: bytes) -> bytes:
        try:
            return inflate.decompress(data, PIECE)
        except zlib.error as problem:
            raise Refused("BAD_ENCODING", f"the packed body is damaged: {problem}") from problem

    def finish(self) -> None:
        """Check that the stream ended where its format says.

        Raises:
            Refused: TRUNCATED when a packed body stops early.
        """
        if self._inflate is not None and not (self._begun and self._inflate.eof):
            raise Refused("TRUNCATED", "the packed body stops before its own end mark")


class Keeper:
    """Collect an unpacked body, whole or by line, under a cap.

    Without a filter everything is kept. With one, the first ``header_lines`` lines and the lines
    that pass are kept, while :attr:`whole_sha256` and :attr:`whole_bytes` describe the body as
    the server sent it (decision 29). ``room`` bounds the kept bytes, ``whole_room`` all of them.
    """

    def __init__(
        self,
        room: int,
        whole_room: int,
        line_filter: LineFilter | None = None,
        header_lines: int = 1,
    ) -> None:
        self._room = room
        self._whole_room = whole_room
        self._filter = line_filter
        self._header_left = header_lines
        self._header = b""
        self._rest = b""
        self._digest = hashlib.sha256()
        self._kept = io.BytesIO()  # gives its bytes up without a second copy
        self.whole_bytes = 0

    @property
    def whole_sha256(self) -> str:
        """SHA-256 of everything fed, 64 hex digits."""
        return self._digest.hexdigest()

    def feed(self, piece: bytes) -> None:
        """Take one piece.

        Raises:
            Refused: TOO_LARGE_DECODED when the kept bytes, all bytes, or one line pass their cap.
        """
        self.whole_bytes += len(piece)
        if self.whole_bytes > self._whole_room:
            raise Refused("TOO_LARGE_DECODED", f"more than {self._whole_room} bytes once unpacked")
        if self._filter is None:
            self._keep(piece)
            return
        self._digest.update(piece)
        # split, not splitlines: a lone carriage return does not end a line.
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise Refused("TOO_LARGE_DECODED", f"a line is longer than {MAX_LINE} bytes")
        for line in lines:
            self._line(line + b"\n")

    def finish(self) -> bytes:
        """Return the kept body; a last line without a newline counts as a line."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        return self._kept.getvalue()

    def _line(self, line: bytes) -> None:
        if self._header_left:
            self._header_left -= 1
            self._header = line  # the last one names the columns
            self._keep(line)
        elif self._filter is not None and self._filter(self._header, line):
            self._keep(line)

    def _keep(self, piece: bytes) -> None:
        if self._kept.tell() + len(piece) > self._room:
            raise Refused("TOO_LARGE_DECODED", f"more than {self._room} bytes to keep")
        self._kept.write(piece)
