"""Changes of meaning in a few bodies; ``make campaign-meaning`` tries all (some 13,000)."""

from __future__ import annotations

import pytest

from collectors.base import Capture, Parsed
from collectors.page_rows import PageRows
from tests.meaning import campaign, columns


@pytest.mark.parametrize("source", ["groq", "minimax", "tencent_hunyuan", "volcengine"])
def test_no_change_of_meaning_is_passed_over(source: str) -> None:
    tried, found = campaign.run(source)
    assert tried["changes"] > 10
    assert campaign.silent(found) == []


def test_a_parser_that_takes_columns_as_they_stand_is_found() -> None:
    def parse(capture: Capture) -> Parsed:
        rows = PageRows(capture, "anyone")
        for line in capture.body.decode().splitlines()[2:]:
            name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            for meter, cell in zip(("IN", "OUT"), cells, strict=False):
                rows.quote("anyone", name, meter, cell.strip("$*~").partition(" ")[0])
        return rows.parsed()

    body = b"| Model | Input | Output |\n|---|---|---|\n| m | $1 | $2 |\n| n | $3 | $4 |\n"
    outcome = campaign.outcome_of("groq", parse)
    passed_over = {
        change.name
        for change in columns.of_tables(body, "md", outcome)
        for rule in change.rules
        if rule != "guard" and campaign.judged(rule, outcome(body), outcome(change.body))
    }
    assert "two heads exchanged" in passed_over
    assert "two columns moved" in passed_over
    assert "head renamed Promo {}" in passed_over
    assert "a promo column" in passed_over
    assert "a cell struck out in Markdown" in passed_over
    assert "a cell per month" in passed_over
