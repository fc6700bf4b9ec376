"""A table too wide for the terminal grows over its edge; it never cuts a figure."""

from __future__ import annotations

import pytest

from index.terminal import Screen, table

FIGURES = ["TKR-gpt-oss-120b-BLD", "0.132167", "1059.73", "403, 405–406"]


@pytest.mark.parametrize("width", ["40", "70", "200"])
def test_every_figure_is_printed_whole_at_any_width(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    columns = [("index", "<"), ("IN", ">"), ("level", ">"), ("seq", "<"), ("why", "~")]
    Screen().grid(table(columns, [[*FIGURES, "no admissible evidence"]]))
    printed = capsys.readouterr().out
    for figure in FIGURES:
        assert figure in printed
    assert "no" in printed
    assert "evidence" in printed
