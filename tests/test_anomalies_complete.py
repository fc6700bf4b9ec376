"""The list of traps seen in real bodies, and the test that shows what an index does with each.

The list is ours, in our words; a trap without a test, or a test that is not collected under the
id stated here, fails.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

T, G = "test_anomalies_tokens.py::", "test_anomalies_gpus.py::"
D, M = "test_anomalies_tokens_days.py::", "test_anomalies_markets.py::"
SLIP = f"{T}test_a_slip_of_units_moves_no_value"
TOKENS, GPUS = f"{T}test_the_index_stands", f"{G}test_the_index_stands"

TRAPS: dict[str, tuple[str, ...]] = {
    # token prices
    "a unit slips by a power of ten": (
        f"{SLIP}[ten times too high, five months]",
        f"{SLIP}[a hundred times too low, five months]",
        f"{SLIP}[a thousand times too high, half a year]",
        f"{SLIP}[ten thousand times too high, four days]",
        f"{SLIP}[a hundred thousand times too high, ten months]",
        f"{SLIP}[a million times too high]",
        f"{SLIP}[ten times too low, four weeks]",
        f"{SLIP}[a million times too low: per token in a field per million]",
        f"{TOKENS}[a slip of eight thousand is in the panel from its first day and never stands]",
        f"{D}test_a_slip_of_ten_where_two_sellers_are_out_already",
    ),
    "a slip lasts for months": (
        f"{TOKENS}[two slips that last for months never stand, and their end moves no level]",
    ),
    "one side alone is wrong": (
        f"{TOKENS}[one side wrong for months: an output below half of its input never counts]",
        f"{TOKENS}[one side only: an output of 0.15 for 15 is held, then moved with the others]",
        f"{TOKENS}[the price of cached input in the field of input for nine days]",
    ),
    "a paid model is free for a day": (
        f"{TOKENS}[a paid model at zero for a day, at a router that no rate counts]",
        f"{TOKENS}[a paid model at zero for a day, at a member]",
    ),
    "minus one says that the price varies": (
        f"{TOKENS}[minus one for a price decided per request is no price]",
    ),
    "free, batch and latest stand beside the model": (
        f"{TOKENS}[free and batch variants beside the listing are other goods]",
        f"{TOKENS}[an alias whose target changes under a fixed id is read nowhere]",
    ),
    "two models swap prices for three days": (
        f"{TOKENS}[two models' prices swapped for three days: the small one]",
        f"{TOKENS}[two models' prices swapped for three days: the large one]",
    ),
    "three prices in a day": (
        f"{TOKENS}[three prices in one day: the one of five hours never counts, the last one "
        "moves it]",
    ),
    "the currency is labelled wrong": (
        f"{TOKENS}[yuan in a column of dollars]",
        f"{TOKENS}[dollars labelled yuan]",
    ),
    "a catalogue turns from off-peak to peak": (
        f"{D}test_a_catalogue_that_turns_from_off_peak_to_peak_moves_no_composite",
    ),
    "tier bounds change their unit": (f"{TOKENS}[tier bounds change their unit]",),
    "an hourly fee stands in a token field": (
        f"{TOKENS}[an hourly fee for storage in a field of tokens]",
    ),
    "a decimal does not end": (f"{TOKENS}[a figure without an end is rounded once and counts]",),
    "input and output are driven apart": (
        f"{TOKENS}[input driven to nearly nothing and output raised: the input rate]",
        f"{TOKENS}[input driven to nearly nothing and output raised: the blend]",
        f"{TOKENS}[an output at an eighth of its input]",
    ),
    "a source changes its shape; tariff hours wrap midnight": (
        f"{D}test_new_shapes_of_openrouters_list_change_no_price_and_windows_become_their_mean",
    ),
    "a price is dated ahead": (f"{D}test_a_price_dated_2027_01_01_is_held_until_then",),
    "a token price really moves": (
        f"{D}test_a_catalogues_correction_moves_a_small_panel_when_it_is_confirmed",
        "test_real_moves_tokens.py::"
        "test_the_dollar_composite_moves_on_the_day_by_the_two_weights_times_the_two_moves",
    ),
    # GPU-hours
    "machine and GPU are taken for each other, by all at once": (
        f"{GPUS}[every price turns from a GPU to a machine for two days]",
        f"{GPUS}[every price turns from a machine to a GPU and stays]",
    ),
    "machine and GPU are taken for each other, by one": (
        f"{GPUS}[one seller's price of a machine beside the others' of a GPU]",
        f"{GPUS}[a pod of eight in the field of one GPU]",
    ),
    "a reserved price is read as on demand": (
        f"{GPUS}[a reserved column read as on demand for a day]",
    ),
    "new rows raise the median": (
        f"{GPUS}[new sellers enter and every matched row stands still]",
        "test_real_moves.py::test_the_growth_moves_no_chained_series",
    ),
    "one machine is listed in several sizes": (
        f"{M}test_the_depth_of_a_marketplace_stands[one machine listed as eight, four, two and "
        "one]",
    ),
    "a name that finds nothing": (
        f"{M}test_a_market_that_answers_under_another_name_has_no_price",
    ),
    "a list is cut at 64 rows": (
        f"{M}test_a_list_cut_at_64_rows_on_every_day_moves_nothing_between_days",
    ),
    "40 and 80 GB under one name": (f"{GPUS}[40 and 80 GB under one name are two goods]",),
    "zero means not offered": (f"{GPUS}[zero for what is not offered]",),
    "a placeholder where the tier is off": (
        f"{GPUS}[a placeholder of 0.5 where the tier is not offered]",
        f"{GPUS}[community machines are neither on demand nor spot]",
    ),
    "a GPU at the cost of its processors": (
        f"{GPUS}[a region's GPU at the cost of its processors for one day]",
        "test_bundled_history.py::test_one_machine_at_a_fifth_for_a_day_never_speaks_for_google",
    ),
    "absurd asks stand for days": (
        f"{M}test_the_depth_of_a_marketplace_stands[an ask of 40 dollars that stands for days]",
    ),
    "rows that never move": (f"{GPUS}[a row that never moves, written into somebody's code]",),
    "rows carried forward": (f"{GPUS}[rows carried forward for ten days under a new date]",),
    "form factors are mislabelled": (
        f"{GPUS}[a form factor that its memory contradicts]",
        f"{GPUS}[an NVL under an SXM key stands at the end that the median leaves out]",
    ),
    "a plain H100 says no form": (
        f"{GPUS}[a plain H100 is of no stated form and stands in no SXM rate]",
    ),
    "a rent really moves": (
        f"{GPUS}[a real move of one seller is held a day, then moves the rate]",
        "test_bundled_history.py::test_amazons_cut_is_held_one_day_then_moves_the_hyperscalers",
    ),
}


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The ids that pytest collects from every file named above."""
    files = sorted({one.partition("::")[0] for tests in TRAPS.values() for one in tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts="]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *(f"tests/{file}" for file in files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.removeprefix("tests/") for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_a_test_on_real_figures(trap: str, collected: set[str]) -> None:
    bare = {one.partition("[")[0] for one in collected}
    assert not [one for one in TRAPS[trap] if one not in collected and one not in bare]


def test_every_test_of_a_trap_is_listed(collected: set[str]) -> None:
    listed = {one for tests in TRAPS.values() for one in tests}
    control = f"{M}test_the_depth_of_a_marketplace_stands[the seven hosts of 2026-03-02]"
    ours = {one for one in collected if one.startswith((T, D, G, M))} - {control}
    assert not {o for o in ours if o not in listed and o.partition("[")[0] not in listed}
