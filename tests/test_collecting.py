"""A round of collecting: who is asked, who is not and why, and what may leave the archive."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collectors import panel
from collectors.archive import Archive
from collectors.base import Capture
from index import collecting, config, liverun
from index.cli import app
from tests import live_world as lw
from tests import loopback as lb

TERMS = "Automated collection is not permitted (section 4)."
MORNING = datetime(2026, 8, 12, 7, 30)


@pytest.fixture
def switched(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM's file, as if its terms forbade to collect it."""
    real = panel.load
    monkeypatch.setattr(
        panel,
        "load",
        lambda name: replace(real(name), switch=TERMS) if name == "litellm" else real(name),
    )


@pytest.mark.usefixtures("switched")
def test_a_source_whose_terms_forbid_is_not_asked_until_the_operator_accepts(
    tmp_path: Path,
) -> None:
    with lb.Server(lw.healthy()) as server:
        settings = lw.settings(tmp_path, server.url)
        told: list[tuple[str, str]] = []
        failures = collecting.collect_round(
            settings, Archive(settings.raw), MORNING, lambda *words: told.append(words)
        )
        assert "/litellm" not in server.paths()
        assert (failures, told[0]) == ([], ("collect", "4 sources"))
        sources = {
            **settings.sources,
            "litellm": config.SourceSettings(url=f"{server.url}/litellm", accept_terms=True),
        }
        licensed = settings.model_copy(update={"sources": sources})
        collecting.collect_round(licensed, Archive(settings.raw), MORNING, lambda *words: None)
        assert "/litellm" in server.paths()


@pytest.mark.usefixtures("switched")
def test_the_list_of_sources_says_that_it_is_off_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> dict[str, dict[str, object]]:
        made = CliRunner().invoke(app, ["sources", "--json", "--out", str(tmp_path)])
        return {row["id"]: row for row in json.loads(made.stdout)}

    mine = listed()["litellm"]
    assert not mine["is_asked_live"]
    assert TERMS in str(mine["off_because"])
    assert "SPOTFIX_SOURCES__litellm__ACCEPT_TERMS=true" in str(mine["off_because"])
    shown = CliRunner().invoke(app, ["sources", "--out", str(tmp_path)]).stdout
    assert "its terms stand against collecting" in shown
    monkeypatch.setenv("SPOTFIX_SOURCES__litellm__ACCEPT_TERMS", "true")
    mine = listed()["litellm"]
    assert (mine["is_asked_live"], mine["off_because"]) == (True, None)
    assert listed()["aws_history"]["off_because"] == "a file of the bundled history, no live source"


def test_the_second_round_asks_only_for_what_is_new(tmp_path: Path) -> None:
    routes = lw.healthy()
    first = routes["/litellm"]
    routes["/litellm"] = lb.reply(lw.litellm(), etag='"7"')
    with lb.Server(routes) as server:
        settings = lw.settings(tmp_path, server.url)
        archive = Archive(settings.raw)
        collecting.collect_round(settings, archive, MORNING, lambda *words: None)
        server.routes["/litellm"] = lb.raw(b'HTTP/1.1 304 Not Modified\r\nETag: "7"\r\n\r\n')
        later = MORNING.replace(hour=8)
        assert collecting.collect_round(settings, archive, later, lambda *words: None) == []
    assert first is not None
    mine = archive.entries("litellm")
    assert [entry.status for entry in mine] == [200, 304]
    assert len({entry.sha256 for entry in mine}) == 1
    cut = datetime(2026, 8, 12, 20)
    captures = [c for c in liverun.live_captures(archive, cut) if c.source == "litellm"]
    assert [(c.body, c.fetched_at.hour) for c in captures] == [(lw.litellm(), 7), (lw.litellm(), 8)]


def test_what_a_manifest_lists_is_never_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every source is of the class that may go; the published day keeps its five bodies."""
    lw.watch_few_indices(monkeypatch)
    real = panel.load
    monkeypatch.setattr(panel, "load", lambda name: replace(real(name), retention="five_years"))
    with lb.Server(lw.healthy()) as server:
        settings = lw.settings(tmp_path, server.url)
        liverun.run_live(settings, MORNING)
        liverun.run_due(settings, datetime(2026, 8, 12, 22))
    archive = Archive(settings.raw)
    cited = {entry.sha256 for entry in archive.entries()}
    assert len(cited) == 5
    loose = archive.put(
        Capture("litellm", "https://x.example/", b"{}", datetime(2026, 1, 1, tzinfo=UTC))
    )
    assert collecting.expire_bodies(settings, datetime(2030, 12, 31)) == []
    assert collecting.expire_bodies(settings, datetime(2031, 12, 31)) == [loose]
    assert {e.sha256 for e in archive.entries() if archive.path(e.sha256).is_file()} == cited
    assert archive.check() == []
