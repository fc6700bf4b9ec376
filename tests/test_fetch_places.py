"""Where the fetcher may go, to whom it speaks, and what it never shows."""

from __future__ import annotations

import logging
import shutil
import ssl
import subprocess
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import pytest

from collectors.base import Capture, Request
from collectors.fetch import Job, Limits, Secret, collect, tls_context
from collectors.wire import Refused, vet_address
from tests import loopback as lb
from tests.fetching import CANARY, GOOD, make_source, outcome, read, served

# --- where it may go ---------------------------------------------------------------------------


def test_a_redirect_within_the_host_is_followed_by_hand() -> None:
    routes = {
        "/p": lb.reply(status=302, location="/q?page=2#top"),
        "/q": lb.reply(GOOD),
    }
    with lb.Server(routes) as server:
        result = read(f"{server.url}/p")
        assert server.paths() == ["/p", "/q?page=2"]
    assert result.captures[0].url == f"{server.url}/q?page=2"
    assert result.attempts == 2


def test_a_fourth_redirect_is_refused() -> None:
    routes = {f"/{n}": lb.reply(status=302, location=f"/{n + 1}") for n in range(4)}
    with lb.Server({**routes, "/4": lb.reply(GOOD)}) as server:
        assert outcome(read(f"{server.url}/1")) == "OK"
        assert outcome(read(f"{server.url}/0")) == "REDIRECT_REFUSED"


def test_a_redirect_to_another_server_never_reaches_it() -> None:
    with (
        lb.Server({"/p": lb.reply(GOOD)}) as other,
        lb.Server({"/p": lb.reply(status=302, location=f"{other.url}/p")}) as server,
    ):
        assert outcome(read(f"{server.url}/p")) == "REDIRECT_REFUSED"
        assert other.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://evil.example/p", id="another_host"),
        pytest.param("http://127.0.0.1:1/p", id="another_port"),
        pytest.param("https://127.0.0.1/p", id="another_scheme"),
        pytest.param("http://me:key@127.0.0.1/p", id="a_password_in_the_url"),
        pytest.param("file:///etc/hosts", id="a_file"),
        pytest.param("/p", id="no_host"),
        pytest.param("http://[/", id="not_a_url"),
    ],
)
def test_a_page_elsewhere_is_refused(url: str) -> None:
    def pages(base: str) -> Generator[Request, Capture, None]:
        yield Request(base)
        yield Request(url)

    with lb.Server({"/p": lb.reply(GOOD)}) as server:
        result = read(f"{server.url}/p", make_source(requests=pages))
    assert (outcome(result), len(result.captures)) == ("ADDRESS_REFUSED", 1)


@pytest.mark.parametrize(
    ("address", "loopback", "allowed"),
    [
        pytest.param("1.1.1.1", False, True, id="public"),
        pytest.param("2606:4700:4700::1111", False, True, id="public_v6"),
        pytest.param("127.0.0.1", False, False, id="loopback"),
        pytest.param("127.0.0.1", True, True, id="loopback_where_allowed"),
        pytest.param("::1", True, True, id="loopback_v6_where_allowed"),
        pytest.param("10.0.0.1", True, False, id="private_is_never_allowed"),
        pytest.param("172.16.0.1", False, False, id="private_172"),
        pytest.param("192.168.1.1", False, False, id="private_192"),
        pytest.param("100.64.0.1", False, False, id="shared_by_carriers"),
        pytest.param("169.254.169.254", False, False, id="link_local_metadata_service"),
        pytest.param("0.0.0.0", False, False, id="unspecified"),
        pytest.param("224.0.0.1", False, False, id="multicast"),
        pytest.param("255.255.255.255", False, False, id="broadcast"),
        pytest.param("::1", False, False, id="loopback_v6"),
        pytest.param("fe80::1%eth0", False, False, id="link_local_v6"),
        pytest.param("fd00::1", False, False, id="unique_local_v6"),
        pytest.param("::ffff:10.0.0.1", False, False, id="private_mapped_into_v6"),
        pytest.param("::ffff:127.0.0.1", False, False, id="loopback_mapped_into_v6"),
        pytest.param("64:ff9b::a00:1", False, False, id="private_behind_nat64"),
        pytest.param("2002:a00:1::1", False, False, id="private_behind_6to4"),
        pytest.param("0x7f.1", False, False, id="not_an_address"),
    ],
)
def test_addresses_are_vetted(address: str, loopback: bool, allowed: bool) -> None:
    if allowed:
        assert vet_address(address, loopback) == address
    else:
        with pytest.raises(Refused, match="ADDRESS_REFUSED"):
            vet_address(address, loopback)


@pytest.mark.parametrize(
    ("url", "addresses", "reason"),
    [
        pytest.param("https://a.example/", ["127.0.0.1"], "ADDRESS_REFUSED", id="leads_inside"),
        pytest.param("https://a.example/", ["1.1.1.1", "10.0.0.1"], "ADDRESS_REFUSED", id="mixed"),
        pytest.param("https://10.0.0.1/", [], "ADDRESS_REFUSED", id="private_by_number"),
        pytest.param("https://169.254.169.254/", [], "ADDRESS_REFUSED", id="metadata_by_number"),
        pytest.param("https://[fe80::1]/", [], "ADDRESS_REFUSED", id="link_local_by_number"),
        pytest.param("https://localhost/", ["127.0.0.1"], "ADDRESS_REFUSED", id="localhost"),
        pytest.param("http://a.example/", ["1.1.1.1"], "TLS", id="plain_http_outside"),
        pytest.param("https://a.example/", [], "CONNECT", id="no_address"),
        pytest.param("https://u:p@a.example/", [], "ADDRESS_REFUSED", id="password_in_the_base"),
    ],
)
def test_a_base_url_must_lead_to_a_public_place(
    url: str, addresses: Sequence[str], reason: str
) -> None:
    [result] = collect([Job(make_source(), url)], 20, resolve=lambda host, port: addresses)
    assert (outcome(result), result.attempts) == (reason, 0)


def test_a_name_is_looked_up_once_even_when_its_answer_changes() -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    def pages(base: str) -> Generator[Request, Capture, None]:
        yield Request(base)
        yield Request(base)

    with lb.Server(
        {"/p": lb.in_turn(lb.reply(GOOD, connection="close"), lb.reply(GOOD))}
    ) as server:
        [result] = collect(
            [Job(make_source(requests=pages), f"http://rebind.test:{server.port}/p")],
            20,
            limits=Limits(allow_loopback=True),
            resolve=lambda host, port: next(answers),
        )
        hosts = {asked.headers["host"] for asked in server.asked}
    assert (outcome(result), len(result.captures)) == ("OK", 2)
    assert hosts == {f"rebind.test:{server.port}"}
    assert next(answers) == ["10.0.0.1"]


def test_proxy_variables_of_the_environment_are_not_obeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with lb.Server({}) as trap, lb.Server({"/p": lb.reply(GOOD)}) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, trap.url)
            monkeypatch.setenv(name.lower(), trap.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert outcome(read(f"{server.url}/p")) == "OK"
        assert trap.connections == 0


def test_a_port_nobody_listens_on_is_a_connect_failure() -> None:
    with lb.Server({}) as server:
        gone = server.url
    result = read(f"{gone}/p")
    assert (outcome(result), result.attempts) == ("CONNECT", 3)


# --- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away key and certificate for prices.test, which is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command makes the certificates of these tests")
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    words += " -subj /CN=prices.test -addext subjectAltName=DNS:prices.test"
    words += f" -keyout {folder}/key.pem -out {folder}/cert.pem"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    return folder


def tls_server(authority: Path) -> lb.Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    return lb.Server({"/p": lb.reply(GOOD)}, tls=context)


@pytest.mark.parametrize(
    ("host", "known", "expected"),
    [
        pytest.param("prices.test", True, "OK", id="known_authority_and_name"),
        pytest.param("other.test", True, "TLS", id="certificate_of_another_name"),
        pytest.param("127.0.0.1", True, "TLS", id="asked_by_number"),
        pytest.param("prices.test", False, "TLS", id="unknown_authority"),
    ],
)
def test_certificates_are_checked_against_the_name(
    authority: Path, host: str, known: bool, expected: str
) -> None:
    tls = tls_context(str(authority / "cert.pem")) if known else tls_context()
    with tls_server(authority) as server:
        [result] = collect(
            [Job(make_source(), f"https://{host}:{server.port}/p")],
            20,
            limits=Limits(allow_loopback=True),
            resolve=lambda host, port: ["127.0.0.1"],
            tls=tls,
        )
    assert outcome(result) == expected
    assert result.attempts == 1  # a bad certificate is not asked again


def test_old_tls_and_session_key_files_are_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = tls_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.keylog_filename is None


# --- secrets -----------------------------------------------------------------------------------


def test_a_key_goes_to_the_server_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers: Iterator[lb.Behaviour] = iter(
        [
            lb.reply(GOOD),
            lb.reply(status=302, location=f"https://{CANARY}.example/"),
            lb.reply(GOOD, content_type=CANARY),
            lb.raw(f"HTTP/1.1 200 {CANARY}\x00\r\n\r\n".encode()),
            lb.reply(GOOD, content_encoding=CANARY),
        ]
    )
    shown: list[str] = []
    reasons: list[str] = []
    for answer in answers:
        with lb.Server({"/p": answer}) as server:
            source = make_source(auth_env="ACME_KEY")
            result = read(f"{server.url}/p?page=1", source, secret=Secret(CANARY))
            assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"
        reasons.append(outcome(result))
        shown += [repr(result), str(result.error), repr(Job(source, secret=Secret(CANARY)))]
    assert reasons == ["OK", "REDIRECT_REFUSED", "CONTENT_TYPE", "PROTOCOL", "BAD_ENCODING"]
    assert CANARY not in "".join(shown)
    assert CANARY not in caplog.text
    assert "page=1" not in caplog.text  # httpx and httpcore would log the whole URL


def test_a_refused_key_names_the_variable_to_check() -> None:
    result = served(lb.reply(status=401), auth_env="ACME_KEY")
    assert result.error is not None
    assert "ACME_KEY" in str(result.error)


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX: y", "clé"])
def test_a_key_that_could_not_be_a_header_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as problem:
        Secret(text)
    assert not text or text not in str(problem.value)


def test_a_secret_hides_in_every_rendering() -> None:
    secret = Secret(CANARY)
    renderings: list[Callable[[Secret], str]] = [repr, str, "{}".format, lambda s: f"{s!r:>40}"]
    assert all(CANARY not in render(secret) for render in renderings)
    assert secret.reveal() == CANARY
