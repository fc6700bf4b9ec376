"""What the doctor says of sources: which are unproven, which are quarantined, what to do."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from collectors import panel
from index import config, doctor
from tests import live_world as lw
from tests.test_guarding import rounds, times

AT = datetime(2026, 8, 13, 23, 0)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    lw.watch_few_indices(monkeypatch)


def told(checks: list[doctor.Check], name: str) -> list[tuple[str, str, str]]:
    return [(one.state, one.told, one.fix) for one in checks if one.name.strip() == name]


def test_unproven_sources_are_named_with_what_proves_them(tmp_path: Path) -> None:
    ((state, text, fix),) = told(doctor.examine(config.load(out=tmp_path), AT), "proofs")
    assert state == "warn"
    asked = {name for name in panel.SOURCES if panel.load(name).is_live}
    for name in asked:
        switched_off = panel.load(name).switch is not None
        is_told = f" {name}," in f"{text.rpartition(':')[2]},"
        assert is_told == (not panel.is_proven(name) and not switched_off), name
    assert "spotfix record" in fix


def test_nothing_is_guarded_before_the_first_round(tmp_path: Path) -> None:
    assert told(doctor.examine(config.load(out=tmp_path), AT), "guards") == [
        ("ok", "nothing to guard yet", "")
    ]


def test_a_quarantined_source_and_the_way_out_are_named(tmp_path: Path) -> None:
    settings = rounds(tmp_path / "out", lw.gpus(), lw.gpus("2026-08-13", **times("8")))
    checks = doctor.examine(settings, AT)
    ((state, text, _),) = told(checks, "guards")
    assert state == "warn"
    assert "1 quarantined, 0 single prices refused" in text
    (quarantine,) = [one for one in told(checks, "gpurentalprices") if "quarantined" in one[1]]
    assert quarantine[1] == ("quarantined since 2026-08-13T07:30:00.000Z (2 bodies): UNIT_SWITCH")
    assert "releases.toml" in quarantine[2]


def test_single_refused_prices_are_counted(tmp_path: Path) -> None:
    settings = rounds(tmp_path / "out", lw.gpus(), lw.gpus("2026-08-13", nebius="38.5"))
    checks = doctor.examine(settings, AT)
    assert "0 quarantined, 1 single prices refused" in told(checks, "guards")[0][1]
    assert any("1 prices refused in the last round" in t for _, t, _ in
               told(checks, "gpurentalprices"))  # fmt: skip
