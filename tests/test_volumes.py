"""Host volumes: parsed from the stored table, summed per legal group, turned into weights."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.volumes import openrouter_activity
from methodology.definition import load_methodology
from methodology.panels import weights_for
from methodology.volumes import host_volumes

HEADER = (
    "scrape_date,scraped_at,model_slug,permaslug,variant,weighted_input_price,"
    "weighted_output_price,weighted_cache_hit_rate,provider_name,provider_slug,"
    "effective_input_price,effective_output_price,cache_hit_rate,total_tokens\n"
)


def body(*rows: tuple[str, str, str, str]) -> bytes:
    lines = [
        f"{day},{day}T18:03:14+00:00,{model},x,standard,0,0,0,{host},s,1,2,0.5,{tokens}\n"
        for day, model, host, tokens in rows
    ]
    return (HEADER + "".join(lines)).encode()


def parse(content: bytes):
    when = datetime(2026, 8, 7, 16, tzinfo=UTC)
    return openrouter_activity.parse(Capture("openrouter_activity", "file", content, when))


def test_the_scrapes_of_one_group_are_summed_and_glm_5_turbo_is_another_good():
    parsed = parse(
        body(
            ("2026-07-19", "z-ai/glm-5", "DeepInfra", "700"),
            ("2026-07-21", "z-ai/glm-5", "DeepInfra", "300"),
            ("2026-07-21", "z-ai/glm-5", "Novita", "50"),
            ("2026-07-21", "z-ai/glm-5-turbo", "Novita", "9"),
        )
    )
    sums = host_volumes(parsed.volumes, date(2026, 8, 1))
    assert sums == {"glm-5": {"deepinfra": 1000, "ppio": 50}}


@pytest.mark.parametrize(
    ("frozen_on", "expected"),
    [
        pytest.param(date(2026, 7, 28), 5, id="seven_days_before_the_freeze_still_count"),
        pytest.param(date(2026, 7, 27), None, id="six_days_before_the_freeze_do_not"),
        pytest.param(date(2026, 8, 24), 5, id="the_first_of_28_days_counts"),
        pytest.param(date(2026, 8, 25), None, id="the_29th_day_back_does_not"),
    ],
)
def test_the_period_is_28_days_ending_7_before_the_freeze(frozen_on, expected):
    parsed = parse(body(("2026-07-21", "z-ai/glm-5", "DeepInfra", "5")))
    assert host_volumes(parsed.volumes, frozen_on).get("glm-5", {}).get("deepinfra") == expected


def test_rows_without_a_host_or_a_count_are_refused_with_a_reason():
    parsed = parse(
        body(
            ("2026-07-21", "z-ai/glm-5", "", "5"),
            ("2026-07-21", "z-ai/glm-5", "DeepInfra", "1.5"),
            ("2026-07-21", "z-ai/glm-5", "Novita", "7"),
            ("2026-07-21", "z-ai/glm-5", "Novita", "8"),
        )
    )
    assert parsed.rejections["reason"].to_list() == ["NO_HOST", "NOT_A_COUNT", "DUPLICATE_ROW"]
    assert parsed.volumes["quantity"].to_list() == [7]


def test_weights_from_router_volumes_are_rooted_and_capped():
    # By hand: roots of 90000, 10000, 2500, 400 are 300, 100, 50, 20 (sum 470). The cap of a
    # panel of four is 1.2/4 = 0.3: 300/470 exceeds it. Of the 0.7 left, 100/170 = 0.4118 exceeds
    # it too; of the 0.4 then left, 50/70 = 0.2857 and 20/70 = 0.1143 stand.
    weights = weights_for([90000, 10000, 2500, 400], "V2", "weighted_median", load_methodology())
    fourth = round(Fraction(4, 10) * Fraction(2, 7) * 10**8)
    assert weights == (30000000, 30000000, 10**8 - 60000000 - fourth, fourth)


def test_the_stored_tables_give_volume_weights_for_a_real_panel():
    default = Path(__file__).parents[2] / "shared" / "payloads"
    folder = Path(os.environ.get("SPOTFIX_PAYLOADS", default)) / "volume"
    files = sorted((folder / "openrouter_effective_pricing").glob("*.csv.gz"))
    if not files:
        pytest.skip("recorded bodies are not here: set SPOTFIX_PAYLOADS to their folder")
    tables = [parse(gzip.decompress(file.read_bytes())) for file in files]
    for table in tables:
        assert table.seen == table.volumes.height + table.rejections.height
    volumes = tables[0].volumes.vstack(tables[-3].volumes)
    sums = host_volumes(volumes, date(2026, 8, 11))
    groups = sums["glm-5.2"]
    assert len(groups) >= 10
    quantities = [groups[g] for g in sorted(groups)]
    weights = weights_for(quantities, "V2", "trimmed_mean_25", load_methodology())
    assert sum(weights) == 10**8
    assert max(weights) == 8 * 10**6  # the 8% floor of the cap binds for 22 groups
    assert weights[quantities.index(max(quantities))] == max(weights)
