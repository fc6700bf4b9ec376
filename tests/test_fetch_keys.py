"""Keys: where they come from, how they are sent, and that nobody gets to see them."""

from __future__ import annotations

import base64
import pickle
import urllib.parse
from pathlib import Path

import pytest

from collectors.base import Auth, Capture
from collectors.fetch import Job, Secret, collect
from collectors.keys import read_key
from collectors.wire import Refused
from tests import loopback as lb
from tests.fetching import CANARY, GOOD, QUICK, make_source, outcome, read

ODD = "sk+canary/0123\"45'67=="


def refused(environment: dict[str, str]) -> Refused:
    with pytest.raises(Refused) as problem:
        read_key("ACME_KEY", environment)
    return problem.value


# --- where they come from ----------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_key_may_come_from_a_file_of_its_owner(tmp_path: Path, end: str) -> None:
    file = tmp_path / "key"
    file.write_text(CANARY + end)
    file.chmod(0o600)
    assert read_key("ACME_KEY", {"ACME_KEY_FILE": str(file)}).reveal() == CANARY


def test_a_key_may_come_from_the_environment() -> None:
    assert read_key("ACME_KEY", {"ACME_KEY": CANARY}).reveal() == CANARY


def test_no_key_says_what_to_set() -> None:
    problem = refused({"OTHER_KEY": CANARY})
    assert problem.reason == "NO_KEY"
    assert "set ACME_KEY or ACME_KEY_FILE" in problem.detail


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(CANARY)
    file.chmod(mode)
    problem = refused({"ACME_KEY_FILE": str(file)})
    assert problem.reason == "BAD_KEY"
    assert "chmod 600" in problem.detail
    assert CANARY not in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "two words of it",
        CANARY + "\n\n",
        CANARY + "\nX: y",
        "clé-canary-0123",
        "x" * 5000,
    ],
)
def test_a_file_that_holds_no_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    problem = refused({"ACME_KEY_FILE": str(file)})
    assert problem.reason == "BAD_KEY"
    assert "ACME_KEY_FILE" in problem.detail
    assert not text or text not in str(problem)
    assert CANARY not in str(problem)


def test_a_path_that_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "gone", "", "nul\0"):
        problem = refused({"ACME_KEY_FILE": str(tmp_path / name)})
        assert problem.reason == "BAD_KEY"


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    problem = refused({"ACME_KEY": CANARY, "ACME_KEY_FILE": str(tmp_path)})
    assert (problem.reason, CANARY in str(problem)) == ("BAD_KEY", False)


# --- how they are sent -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        pytest.param(Auth(), "authorization", f"Bearer {CANARY}", id="bearer"),
        pytest.param(Auth("x-api-key", ""), "x-api-key", CANARY, id="a_header_of_its_own"),
        pytest.param(
            Auth("Authorization", "Token "), "authorization", f"Token {CANARY}", id="token"
        ),
    ],
)
def test_the_key_goes_in_the_header_the_source_names(auth: Auth, header: str, value: str) -> None:
    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        source = make_source(auth_env="ACME_KEY", auth=auth)
        assert outcome(read(f"{server.url}/p", source, secret=Secret(CANARY))) == "OK"
        [asked] = server.asked
    assert asked.headers[header] == value
    assert sum(CANARY in text for text in asked.headers.values()) == 1
    assert CANARY not in asked.target


# --- a server that shows them ------------------------------------------------------------------

SPELLINGS = {
    "plain": lambda key: key.encode(),
    "capitals": lambda key: key.upper().encode(),
    "in a URL": lambda key: urllib.parse.quote(key, safe="").encode(),
    "as JSON": lambda key: __import__("json").dumps(key).encode(),
    "as JSON with slashes": lambda key: key.replace('"', '\\"').replace("/", "\\/").encode(),
    "base64": lambda key: base64.b64encode(key.encode()),
    "base64 of the header": lambda key: base64.b64encode(f"Bearer {key}".encode()),
    "base64 of a pair": lambda key: base64.b64encode(f"ab:{key}:c".encode()),
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(f"u:{key}".encode()),
    "UTF-16": lambda key: key.encode("utf-16-le"),
}


@pytest.mark.parametrize("key", [CANARY, ODD])
@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda name: name.replace(" ", "_"))
def test_a_body_that_holds_the_key_is_refused_before_it_is_kept(spelling: str, key: str) -> None:
    kept: list[Capture] = []
    body = b'{"you sent": "' + SPELLINGS[spelling](key) + b'", "more": 1}'
    with lb.Server({"/p": lb.reply(body)}) as server:
        [result] = collect(
            [Job(make_source(auth_env="K"), f"{server.url}/p", secret=Secret(key))],
            20,
            limits=QUICK,
            archive=kept.append,
        )
    assert (outcome(result), kept) == ("SECRET_ECHOED", [])
    assert key not in repr(result) + str(result.error)


def test_the_same_body_without_a_key_is_a_body() -> None:
    with lb.Server({"/p": lb.reply(CANARY.encode())}) as server:
        assert outcome(read(f"{server.url}/p", secret=Secret("another-key-of-ours"))) == "OK"


def test_kept_headers_and_cut_messages_are_scrubbed() -> None:
    """A message is cut after it was scrubbed: half a key would be a key for whoever guesses."""
    long = "x" * 70 + CANARY
    answers = [
        lb.reply(GOOD, etag=f'"{CANARY}"', last_modified=CANARY.upper()),
        lb.reply(GOOD, content_type=long),
        lb.reply(GOOD, content_encoding=long),
        lb.reply(GOOD, content_type=f"application/json; charset={long}"),
        lb.reply(GOOD, age=long),
        lb.raw(b"HTTP/1.1 200 " + CANARY.encode() + b"\x00" + b"\r\n\r\n"),
        lb.raw(b"x" * 480 + CANARY.encode() + b"\r\n\r\n"),
        lb.reply(status=302, location=f"/p?key={CANARY}"),
        lb.reply(status=302, location=f"https://{CANARY.upper()}.example/"),
    ]
    reasons, shown = [], ""
    for answer in answers:
        with lb.Server({"/p": answer}) as server:
            result = read(f"{server.url}/p", make_source(auth_env="K"), secret=Secret(CANARY))
            assert all(CANARY not in path for path in server.paths())
        reasons.append(outcome(result))
        shown += repr(result) + str(result.error)
    assert reasons == [
        "OK", "CONTENT_TYPE", "BAD_ENCODING", "CONTENT_TYPE", "STALE_RESPONSE", "PROTOCOL",
        "PROTOCOL", "REDIRECT_REFUSED", "REDIRECT_REFUSED",
    ]  # fmt: skip
    for length in range(len("sk-canary-"), len(CANARY) + 1):
        assert CANARY[:length].lower() not in shown.lower()


def test_a_key_cannot_be_pickled_copied_or_printed() -> None:
    secret = Secret(CANARY)
    with pytest.raises(TypeError, match="not written down"):
        pickle.dumps(secret)
    assert CANARY not in repr(secret) + str(secret) + repr(Job(make_source(), secret=secret))
