"""The samples for operators: keys only, read only, and nothing of what is private."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
SFTP = DEPLOY / "sftp/sshd_config.d/spotfix-drop.conf"


def block() -> dict[str, str]:
    """Return the keywords inside the group's Match block."""
    _, _, rest = SFTP.read_text("utf-8").partition("Match Group spotfix-drop\n")
    inside, _, after = rest.partition("Match All")
    assert after.strip() == ""
    lines = [line.split(None, 1) for line in inside.splitlines() if line and line[0] == " "]
    assert len({word.lower() for word, _ in lines}) == len(lines)  # the first of two would hold
    return dict(lines)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        pytest.param("AuthenticationMethods", "publickey", id="keys_only"),
        pytest.param("PasswordAuthentication", "no", id="no_passwords"),
        pytest.param("KbdInteractiveAuthentication", "no", id="no_prompts"),
        pytest.param("ChrootDirectory", "/srv/spotfix", id="nothing_else_is_seen"),
        pytest.param("AllowTcpForwarding", "no", id="no_tunnels"),
        pytest.param("AllowStreamLocalForwarding", "no", id="no_sockets"),
        pytest.param("AllowAgentForwarding", "no", id="no_agents"),
        pytest.param("PermitTTY", "no", id="no_terminal"),
    ],
)
def test_the_sftp_sample_lets_clients_read_and_nothing_more(keyword: str, value: str) -> None:
    assert block()[keyword] == value


def test_the_sftp_server_is_the_built_in_one_and_read_only() -> None:
    words = block()["ForceCommand"].split()
    assert words[0] == "internal-sftp"  # a chroot holds no other program
    assert "-R" in words


def test_sshd_accepts_the_sample(tmp_path: Path) -> None:
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if sshd is None:
        pytest.skip("no sshd here")
    key, whole = tmp_path / "key", tmp_path / "sshd_config"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    whole.write_text(f"HostKey {key}\n{SFTP.read_text('utf-8')}", "utf-8")
    done = subprocess.run([sshd, "-t", "-f", whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readme_says_what_sshd_demands_of_the_chroot() -> None:
    text = (DEPLOY / "sftp/README.md").read_text("utf-8")
    assert "install -d -o root -g root -m 755 /srv/spotfix" in text
    assert "bind,ro" in text
    assert block()["AuthorizedKeysFile"].rsplit("/", 1)[0] in text


def test_the_web_sample_serves_drop_and_site_alone() -> None:
    text = (DEPLOY / "http/nginx.conf").read_text("utf-8")
    places = re.findall(r"location\s+(=\s+)?(/\S+)\s*\{\s*root\s+(\S+);", text)
    assert {(path.split("/")[1], root.rsplit("/", 1)[-1]) for _, path, root in places} == {
        ("log", "site"), ("keys", "site"), ("batches", "site"), ("v1", "site"), ("drop", "out"),
    }  # fmt: skip
    assert text.count("{") == text.count("}")
    for moving in ("/log/checkpoint", "/keys/keys.json"):
        (line,) = re.findall(rf"location = {moving} .*", text)
        assert "no-cache" in line


def test_the_proxy_sample_vouches_for_certificates_and_hides_the_rest() -> None:
    text = (DEPLOY / "http/feed.conf").read_text("utf-8")
    plain = "\n".join(line.partition("#")[0] for line in text.splitlines())
    assert plain.count("{") == plain.count("}")
    assert re.search(r"ssl_verify_client (optional|on);", plain)
    # Set on every request, so that what a client sends in them never arrives; nginx inherits
    # these lines only by places that set none of their own.
    outside = re.sub(r"location[^{]*\{[^}]*\}", "", plain)
    assert "proxy_set_header Client-Cert $ssl_client_escaped_cert;" in outside
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in outside
    assert plain.count("proxy_set_header") == outside.count("proxy_set_header")
    (stream,) = re.findall(r"location = /v1/stream \{[^}]*\}", plain)
    assert "proxy_buffering off;" in stream
    assert "location = /metrics { return 404; }" in plain
    header = re.search(r"--client-cert-header (\S+)", text)
    assert header is not None
    assert header[1] == "Client-Cert"
