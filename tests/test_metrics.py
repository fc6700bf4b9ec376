"""The monitor's file says what log and archive say, in a format a parser of theirs reads."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collectors import panel
from index import config, metrics, reading
from index.config import Settings

AT = datetime(2026, 11, 20, 12)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(path: Path) -> Samples:
    families = text_string_to_metric_families(path.read_text("utf-8"))
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def test_an_empty_installation_has_sources_and_no_log(tmp_path: Path) -> None:
    found = samples(metrics.write(config.load(out=tmp_path), AT))
    assert found["spotfix_written_seconds", ()] == 1795176000.0  # 2026-11-20T12:00:00Z
    names = {labels[0][1] for name, labels in found if name == "spotfix_source_asked"}
    assert names == set(panel.SOURCES)
    assert not [name for name, _ in found if "success" in name or "log" in name]


def test_a_published_log_shows_records_refusals_and_missing_values(small_copy: Settings) -> None:
    found = samples(metrics.write(small_copy, AT))
    ledger = reading.open_ledger(small_copy)
    assert found["spotfix_log_records", ()] == ledger.log.size
    refused = {k: v for k, v in found.items() if k[0] == "spotfix_rows_refused"}
    assert sum(refused.values()) == len(ledger.rejections()) > 0
    missing = {labels[0][1] for (name, labels), value in found.items()
               if name == "spotfix_fixing_is_missing" and value}  # fmt: skip
    assert "TKX-ALL-BLD" in missing
    assert (
        found["spotfix_fixing_day_seconds", (("index", "GPR-H100-ANY-OD-NEO-GLB"),)]
        == (datetime(2026, 8, 22) - datetime(1970, 1, 1)).total_seconds()
    )


def test_a_disk_that_refuses_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.load(out=tmp_path)
    path = metrics.write(settings, AT)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("prometheus_client.exposition.os.rename", full)
    monkeypatch.setattr("prometheus_client.exposition.os.replace", full)
    with pytest.raises(OSError, match="No space"):
        metrics.write(settings, datetime(2026, 11, 21))
    assert path.read_bytes() == before
