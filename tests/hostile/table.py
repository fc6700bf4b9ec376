"""The table: what a server does, and what must come of it.

Each row is read as a source of its own, on a host of its own, all at once. A verdict is a reason
code of the fetcher, ``OK``, or ``parse:`` and the code with which the parser of a real source
refuses the body that came.
"""

# ruff: noqa: E501 (a row reads as a row only on one line)

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import Any

from collectors.base import Capture, Request
from tests import loopback as lb
from tests.fetching import CANARY, GOOD

MIB = 2**20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
JSON = b"Content-Type: application/json\r\n"
GZIP = JSON + b"Content-Encoding: gzip\r\n"
LOOP = ("127.0.0.1",)


@dataclass(frozen=True)
class Row:
    """One behaviour.

    ``server`` is the kind of server, ``scheme`` what it is asked by; ``answers`` what the resolver
    says, look-up by look-up (an exception is raised, a number of seconds slept). ``bodies`` are
    the bodies that must have come, where the verdict alone would not show it. ``more`` are routes
    below the row's own path.
    """

    name: str
    verdict: str
    behaviour: lb.Behaviour | None = None
    server: str = "plain"
    scheme: str = "http"
    answers: Sequence[Any] = (LOOP,)
    source: Mapping[str, Any] = field(default_factory=dict)
    bodies: tuple[bytes, ...] | None = None
    held: bytes | None = None
    has_key: bool = False
    more: Mapping[str, lb.Behaviour] = field(default_factory=dict)


def two_pages(base: str) -> Generator[Request, Capture, None]:
    yield Request(base)
    yield Request(f"{base}/two")


def all_pages(base: str) -> Generator[Request, Capture, None]:
    while True:
        yield Request(base)


def deflate_zeros(total: int) -> Any:
    pack = zlib.compressobj(9, zlib.DEFLATED, 15)
    for _ in range(total // MIB):
        yield pack.compress(bytes(MIB)) + pack.flush(zlib.Z_SYNC_FLUSH)


def redirect(to: str) -> lb.Behaviour:
    return lb.reply(status=302, location=to)


def endless_redirects() -> lb.Behaviour:
    numbers = count()

    async def say(asked: lb.Asked, writer: Any) -> None:
        await redirect(f"/redirects_without_end?{next(numbers)}")(asked, writer)

    return say


def encoded(body: bytes, encoding: str) -> lb.Behaviour:
    return lb.reply(body, content_encoding=encoding)


def cut(body: bytes, length: int) -> lb.Behaviour:
    return lb.raw(HEAD + b"Content-Length: %d\r\n\r\n" % length, body)


def cookies(number: int, size: int) -> lb.Behaviour:
    jar = b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"x" * size) for n in range(number))
    return lb.raw(HEAD + jar + b"Content-Length: 21\r\n\r\n" + GOOD)


def smuggler(asked: lb.Asked, writer: Any) -> Any:
    """Answer the first page, and with the same breath a second question nobody asked."""
    evil = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n"no"'
    return lb.reply(GOOD + b"")(asked, _Twice(writer, evil))


class _Twice:
    def __init__(self, writer: Any, extra: bytes) -> None:
        self._writer, self._extra = writer, extra

    def write(self, data: bytes) -> None:
        self._writer.write(data + self._extra)


def confirmer(answer: bytes) -> lb.Behaviour:
    """Answer a conditional question with these bytes, any other with the good body."""

    async def say(asked: lb.Asked, writer: Any) -> None:
        if "if-none-match" in asked.headers:
            writer.write(answer)
        else:
            await lb.reply(GOOD, etag='"v1"')(asked, writer)

    return say


def parsed(name: str, body: bytes, verdict: str = "NOT_JSON") -> Row:
    return Row(name, f"parse:{verdict}", lb.reply(body))


def resolved(name: str, verdict: str, *answers: Any) -> Row:
    return Row(name, verdict, lb.reply(GOOD), answers=answers)


def secure(name: str, verdict: str, server: str) -> Row:
    return Row(name, verdict, lb.reply(GOOD), server=server, scheme="https")


def echo(name: str, behaviour: lb.Behaviour, verdict: str = "SECRET_ECHOED") -> Row:
    return Row(name, verdict, behaviour, has_key=True)


BOMBS = [
    Row("gzip_bomb_of_5_gb", "TOO_LARGE_DECODED", lb.endless(GZIP, lb.gzip_zeros(5 * 10**9))),
    Row(
        "deflate_bomb",
        "TOO_LARGE_DECODED",
        lb.endless(JSON + b"Content-Encoding: deflate\r\n", deflate_zeros(10**9)),
    ),
    Row("bomb_within_a_bomb", "BAD_ENCODING",
        encoded(gzip.compress(gzip.compress(bytes(10 * MIB))), "gzip, gzip")),
    Row("bomb_behind_a_small_length", "TOO_LARGE_DECODED", encoded(gzip.compress(bytes(40 * MIB)), "gzip")),
    Row("bomb_of_many_members", "TOO_LARGE_DECODED", lb.endless(GZIP, repeat(gzip.compress(bytes(MIB))))),
    Row("members_of_nothing_without_end", "TOO_LARGE_RAW",
        lb.endless(GZIP, repeat(gzip.compress(b"") * 500)), source={"max_raw_bytes": MIB}),
    Row("body_without_end", "TOO_LARGE_RAW", lb.endless(JSON, repeat(b" " * 65536))),
    Row("pages_of_bombs", "TOO_LARGE_DECODED",
        encoded(gzip.compress(bytes(10 * MIB)), "gzip"), source={"requests": all_pages}),
]  # fmt: skip

SLOW = [
    Row("hangs_after_the_request", "TIMEOUT", lb.hang()),
    Row("drips_a_status_line", "TIMEOUT", lb.drip(b"HTTP/1.1 200 ", b"O")),
    Row("drips_headers", "TIMEOUT", lb.drip(HEAD, b"X-A: b\r\n", 0.05)),
    Row("drips_one_header", "TIMEOUT", lb.drip(HEAD + b"X-A: ", b"a")),
    Row("drips_a_body_of_known_length", "TIMEOUT", lb.drip(HEAD + b"Content-Length: 9999\r\n\r\n", b" ")),
    Row("drips_chunks", "TIMEOUT", lb.drip(CHUNKED, b"1\r\n \r\n")),
    Row("drips_gzip", "TIMEOUT",
        lb.drip(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(GOOD)[:10], b"\0\0\0\xff\xff")),
    Row("never_shakes_hands", "TIMEOUT", server="silent", scheme="https"),
    Row("floods_100_continue", "PROTOCOL", lb.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99, 0)),
    Row("drips_100_continue", "TIMEOUT", lb.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.7)),
    Row("floods_100_with_fields", "PROTOCOL",
        lb.drip(b"", b"HTTP/1.1 103 Hints\r\nLink: " + b"x" * 60_000 + b"\r\n\r\n", 0)),
]  # fmt: skip

LENGTHS = [
    Row("length_longer_than_the_body", "TRUNCATED", cut(GOOD, 50)),
    Row("length_shorter_than_the_body", "parse:NOT_JSON", cut(GOOD, 5)),
    Row("no_length_at_all", "TRUNCATED", lb.raw(HEAD + b"\r\n", GOOD)),
    Row("two_lengths", "PROTOCOL", lb.raw(HEAD + b"Content-Length: 2\r\nContent-Length: 21\r\n\r\n", GOOD)),
    Row("length_and_chunks", "PROTOCOL",
        lb.raw(HEAD + b"Content-Length: 21\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n")),
    Row("negative_length", "PROTOCOL", cut(GOOD, -5)),
    Row("length_in_hex", "PROTOCOL", lb.raw(HEAD + b"Content-Length: 0x15\r\n\r\n", GOOD)),
    Row("length_beyond_the_cap", "TOO_LARGE_RAW", cut(GOOD, 9 * 10**9)),
    Row("negative_chunk", "PROTOCOL", lb.raw(CHUNKED, b"-5\r\n{}\r\n0\r\n\r\n")),
    Row("huge_chunk", "PROTOCOL", lb.raw(CHUNKED, b"f" * 40 + b"\r\n{}")),
    Row("chunk_of_rubbish", "PROTOCOL", lb.raw(CHUNKED, b"zz\r\n{}\r\n0\r\n\r\n")),
    Row("chunk_longer_than_said", "PROTOCOL", lb.raw(CHUNKED, b"1\r\n{}{}{}\r\n0\r\n\r\n")),
    Row("no_last_chunk", "TRUNCATED", lb.raw(CHUNKED, b"2\r\n{}\r\n")),
    Row("flood_of_chunk_extensions", "TOO_LARGE_RAW",
        lb.drip(CHUNKED, (b"1;" + b"x" * 8000 + b"\r\n \r\n") * 8, 0), source={"max_raw_bytes": MIB}),
    Row("chunk_extension_of_a_megabyte", "PROTOCOL", lb.raw(CHUNKED, b"1;" + b"x" * MIB + b"\r\n \r\n")),
    Row("flood_of_trailers", "PROTOCOL", lb.raw(CHUNKED, b"2\r\n{}\r\n0\r\n", b"x: y\r\n" * 50_000)),
    Row("packed_transfer", "PROTOCOL", lb.raw(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"0\r\n\r\n")),
    Row("reset_in_the_body", "TRUNCATED", lb.raw(HEAD + b"Content-Length: 99\r\n\r\n{", pause=0.05)),
    Row("reset_before_an_answer", "CONNECT", lb.reset()),
]  # fmt: skip

REDIRECTS = [
    Row("redirect_to_loopback", "REDIRECT_REFUSED", redirect("http://127.0.0.1:1/p")),
    Row("redirect_to_metadata", "REDIRECT_REFUSED", redirect("http://169.254.169.254/latest/")),
    Row("redirect_to_private", "REDIRECT_REFUSED", redirect("https://10.0.0.1/")),
    Row("redirect_to_mapped_ipv6", "REDIRECT_REFUSED", redirect("http://[::ffff:169.254.169.254]/")),
    Row("redirect_to_another_scheme", "REDIRECT_REFUSED", redirect("ftp://redirect.test/p")),
    Row("redirect_to_another_host", "REDIRECT_REFUSED", redirect("https://evil.example/p")),
    Row("redirect_without_a_scheme", "REDIRECT_REFUSED", redirect("//evil.example/p")),
    Row("redirect_to_a_file", "REDIRECT_REFUSED", redirect("file:///etc/hosts")),
    Row("redirect_with_a_password", "REDIRECT_REFUSED", redirect("http://a:b@evil.example/")),
    Row("redirect_to_nonsense", "REDIRECT_REFUSED", redirect("http://[::")),
    Row("redirect_to_itself", "REDIRECT_REFUSED", redirect("/redirect_to_itself")),
    Row("redirects_without_end", "REDIRECT_REFUSED", endless_redirects()),
    Row("redirect_to_nowhere", "HTTP_STATUS", lb.reply(status=302)),
    Row("redirect_to_many_choices", "HTTP_STATUS", lb.reply(status=300, location="/good")),
]  # fmt: skip

PLACES = [
    resolved("name_leads_to_private", "ADDRESS_REFUSED", ("10.0.0.1",)),
    resolved("name_leads_to_metadata", "ADDRESS_REFUSED", ("169.254.169.254",)),
    resolved("name_leads_to_mapped_ipv6", "ADDRESS_REFUSED", ("::ffff:192.168.0.1",)),
    resolved("name_leads_to_nat64", "ADDRESS_REFUSED", ("64:ff9b::a00:1",)),
    resolved("name_leads_to_6to4", "ADDRESS_REFUSED", ("2002:a00:1::",)),
    resolved("name_leads_to_link_local", "ADDRESS_REFUSED", ("fe80::1",)),
    resolved("name_leads_to_unique_local", "ADDRESS_REFUSED", ("fd00::1",)),
    resolved("name_leads_to_shared_space", "ADDRESS_REFUSED", ("100.64.0.1",)),
    resolved("name_leads_to_the_unspecified", "ADDRESS_REFUSED", ("0.0.0.0",)),
    resolved("name_leads_to_multicast", "ADDRESS_REFUSED", ("224.0.0.1",)),
    resolved("one_of_two_addresses_is_private", "ADDRESS_REFUSED", ("127.0.0.1", "10.0.0.1")),
    resolved("address_is_rubbish", "ADDRESS_REFUSED", ("localhost",)),
    resolved("name_has_no_address", "CONNECT", ()),
    resolved("look_up_fails", "CONNECT", OSError("no such name")),
    resolved("look_up_hangs", "TIMEOUT", 20.0),
    Row("name_is_rebound_to_metadata", "OK",
        lb.reply(GOOD, connection="close"), answers=(LOOP, ("169.254.169.254",)),
        source={"requests": two_pages}, more={"/two": lb.reply(GOOD)}, bodies=(GOOD, GOOD)),
    Row("nobody_listens", "CONNECT", server="nobody"),
    Row("first_of_two_addresses_is_dead", "OK",
        lb.reply(GOOD), answers=(("127.0.0.9", "127.0.0.1"),), bodies=(GOOD,)),
]  # fmt: skip

TLS = [
    Row("tls_as_it_should_be", "OK", lb.reply(GOOD), server="good", scheme="https", bodies=(GOOD,)),
    secure("certificate_signed_by_itself", "TLS", "self_signed"),
    secure("certificate_of_another_name", "TLS", "wrong_name"),
    secure("certificate_too_old", "TLS", "expired"),
    secure("tls_1_1", "TLS", "tls_1_1"),
    secure("plain_http_where_tls_should_be", "TLS", "chatty"),
    secure("reset_in_the_handshake", "CONNECT", "broken"),
]

CONTENT = [
    Row("html_with_200", "CONTENT_TYPE", lb.reply(b"<html>", content_type="text/html")),
    Row("no_content_type", "CONTENT_TYPE", lb.reply(GOOD, content_type="")),
    Row("two_content_types", "CONTENT_TYPE",
        lb.raw(HEAD + b"Content-Type: text/html\r\nContent-Length: 21\r\n\r\n", GOOD)),
    Row("json_in_another_charset", "CONTENT_TYPE",
        lb.reply(GOOD.decode().encode("utf-16"), content_type="application/json; charset=utf-16")),
    parsed("utf_16_unannounced", GOOD.decode().encode("utf-16")),
    parsed("byte_order_mark", b"\xef\xbb\xbf{}"),
    parsed("latin_1_bytes", b'{"caf\xe9": 1}'),
    parsed("lone_surrogate", b'{"a": "\\ud800"}'),
    parsed("deep_nesting", b"[" * 100_000 + b"]" * 100_000),
    parsed("not_a_number", b'{"price": NaN}'),
    parsed("infinity", b'{"price": -Infinity}'),
    parsed("keys_twice", b'{"a": 1, "a": 2}'),
    parsed("number_of_5000_digits", b'{"a": ' + b"9" * 5000 + b"}"),
    parsed("body_of_nothing", b""),
    parsed("empty_list", b"[]", "SHAPE"),
    parsed("empty_object", b"{}", "SHAPE"),
    parsed("error_with_200", b'{"error": "rate limited"}', "SHAPE"),
    parsed("price_of_1e309",
           b'{"x": {"id": "x", "models": {"m": {"id": "m", "cost": {"input": 1e309, "output": 1}}}}}',
           "REJECTED"),
    Row("brotli_unasked", "BAD_ENCODING", encoded(GOOD, "br")),
    Row("zstd_unasked", "BAD_ENCODING", encoded(GOOD, "zstd")),
    Row("two_encodings", "BAD_ENCODING", encoded(GOOD, "deflate, gzip")),
    Row("says_gzip_and_is_not", "BAD_ENCODING", encoded(GOOD, "gzip")),
    Row("says_nothing_and_is_gzip", "parse:NOT_JSON", lb.reply(gzip.compress(GOOD))),
    Row("gzip_cut_off", "TRUNCATED", encoded(gzip.compress(GOOD)[:-3], "gzip")),
    Row("gzip_with_a_wrong_checksum", "BAD_ENCODING", encoded(gzip.compress(GOOD)[:-8] + bytes(8), "gzip")),
    Row("rubbish_after_gzip", "BAD_ENCODING", encoded(gzip.compress(GOOD) + b"rubbish", "gzip")),
    Row("nothing_called_gzip", "TRUNCATED", encoded(b"", "gzip")),
]  # fmt: skip

STATUS = [
    Row("429_then_a_body", "OK", lb.in_turn(lb.reply(status=429), lb.reply(GOOD)), bodies=(GOOD,)),
    Row("429_wants_a_second", "OK",
        lb.in_turn(lb.reply(status=429, retry_after="1"), lb.reply(GOOD)), bodies=(GOOD,)),
    Row("429_wants_a_date", "OK",
        lb.in_turn(lb.reply(status=429, retry_after="Fri, 20 Nov 2026 12:00:01 GMT"), lb.reply(GOOD))),
    Row("429_wants_a_year", "HTTP_STATUS", lb.reply(status=429, retry_after="31536000")),
    Row("429_wants_nonsense", "HTTP_STATUS", lb.reply(status=429, retry_after="9" * 400)),
    Row("500_then_a_body", "OK", lb.in_turn(lb.reply(status=500), lb.reply(GOOD)), bodies=(GOOD,)),
    Row("503_for_ever", "HTTP_STATUS", lb.reply(status=503)),
    Row("401_with_a_key", "HTTP_STATUS", lb.reply(status=401), has_key=True),
    Row("404", "HTTP_STATUS", lb.reply(status=404)),
    Row("203_changed_on_the_way", "HTTP_STATUS", lb.reply(GOOD, status=203)),
    Row("204_without_a_body", "HTTP_STATUS", lb.raw(b"HTTP/1.1 204 No Content\r\n\r\n")),
    Row("206_a_part", "HTTP_STATUS", lb.reply(GOOD, status=206)),
    Row("101_switches", "PROTOCOL", lb.raw(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n")),
    Row("304_unasked", "HTTP_STATUS", lb.raw(b"HTTP/1.1 304 Not Modified\r\n\r\n")),
    Row("304_with_a_body", "OK",
        confirmer(b'HTTP/1.1 304 N\r\nETag: "v1"\r\nContent-Length: 21\r\n\r\n{"evil": [6, 6, 6, 6]}'),
        held=b"[1]", bodies=(b"[1]",)),
    Row("304_for_another_body", "OK", confirmer(b'HTTP/1.1 304 N\r\nETag: "v9"\r\n\r\n'),
        held=b"[1]", bodies=(GOOD,)),
    Row("304_that_is_stale", "STALE_RESPONSE",
        confirmer(b'HTTP/1.1 304 N\r\nETag: "v1"\r\nAge: 90000\r\n\r\n'), held=b"[1]"),
    Row("stale_by_date", "STALE_RESPONSE", lb.reply(GOOD, date="Thu, 19 Nov 2026 12:00:00 GMT")),
    Row("stale_by_age", "STALE_RESPONSE", lb.reply(GOOD, age="90000")),
    Row("made_in_the_future", "STALE_RESPONSE", lb.reply(GOOD, date="Sat, 21 Nov 2026 12:00:00 GMT")),
]  # fmt: skip

HTTP = [
    Row("http_1_0_with_a_length", "OK",
        lb.raw(HEAD.replace(b"1.1", b"1.0") + b"Content-Length: 21\r\n\r\n", GOOD), bodies=(GOOD,)),
    Row("http_1_0_in_chunks", "PROTOCOL", lb.raw(CHUNKED.replace(b"1.1", b"1.0"), b"2\r\n{}\r\n0\r\n\r\n")),
    Row("http_0_9", "PROTOCOL", lb.raw(GOOD)),
    Row("http_2_unasked", "PROTOCOL", lb.raw(b"\0\0\x12\x04\0\0\0\0\0" + bytes(18))),
    Row("status_line_of_junk", "PROTOCOL", lb.raw(b"HTTP/1.1 twohundred OK\r\n\r\n")),
    Row("status_of_four_digits", "PROTOCOL", lb.raw(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n")),
    Row("another_protocol", "PROTOCOL", lb.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")),
    Row("header_of_a_megabyte", "PROTOCOL", lb.raw(HEAD + b"X: " + b"a" * MIB + b"\r\n\r\n")),
    Row("headers_without_end", "PROTOCOL", lb.drip(HEAD, b"X: " + b"a" * 65000 + b"\r\n", 0)),
    Row("two_hundred_headers", "PROTOCOL", lb.raw(HEAD + b"X: y\r\n" * 200 + b"\r\n")),
    Row("header_with_a_zero_byte", "PROTOCOL", lb.raw(HEAD + b"X: a\0b\r\n\r\n")),
    Row("header_with_a_blank_in_its_name", "PROTOCOL", lb.raw(HEAD + b"X y: a\r\n\r\n")),
    Row("bomb_of_200_cookies", "PROTOCOL", cookies(200, 100)),
    Row("cookies_that_fit_are_not_kept", "OK", cookies(100, 400), bodies=(GOOD,)),
    Row("second_answer_smuggled_in", "OK", smuggler, source={"requests": two_pages},
        more={"/two": lb.reply(b"[2]")}, bodies=(GOOD, b"[2]")),
    Row("pages_without_end", "PROTOCOL", lb.reply(b"[]"), source={"requests": all_pages}),
]  # fmt: skip

KEYS = [
    echo("key_in_the_body", lb.reply(b'{"you": "%s"}' % CANARY.encode())),
    echo("key_in_a_packed_body", encoded(gzip.compress(CANARY.encode()), "gzip")),
    echo("key_in_base64", lb.reply(base64.b64encode(b"Bearer " + CANARY.encode()))),
    echo("key_across_two_chunks",
         lb.raw(CHUNKED, b"a\r\n%s\r\na\r\n%s\r\n0\r\n\r\n" % (CANARY[:10].encode(), CANARY[10:20].encode()))),
    echo("key_in_the_status_line", lb.raw(b"HTTP/1.1 999%s\r\n\r\n" % CANARY.encode()), "PROTOCOL"),
    echo("key_in_a_kept_header", lb.reply(GOOD, etag=f'"{CANARY}"'), "OK"),
    echo("key_in_a_redirect", redirect(f"/x?{CANARY}"), "REDIRECT_REFUSED"),
    echo("key_in_a_redirect_off_host", redirect(f"https://{CANARY}.example/"), "REDIRECT_REFUSED"),
]  # fmt: skip

ROWS = [*BOMBS, *SLOW, *LENGTHS, *REDIRECTS, *PLACES, *TLS, *CONTENT, *STATUS, *HTTP, *KEYS]
