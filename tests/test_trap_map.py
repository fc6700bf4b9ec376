"""Each trap seen in real bodies, and the tests of a source or a guard that meet it.

``test_anomalies_complete`` says what an *index* does with a trap; here stands what happens before,
where a body is read (``test_source_*``) or compared with what its source said before
(``test_guard_*``). The list is ours, in our words, and the same as there: a trap that one of the
two lacks, or a test that is not collected under the id stated here, fails.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_anomalies_complete import TRAPS as AT_THE_INDEX

ROOT = Path(__file__).resolve().parents[1]

MOVES, ROWS = "test_guard_moves.py::", "test_guard_rows.py::"
OURS = "test_source_traps.py::"


def of(source: str, name: str) -> str:
    """Return the id of a test of a source."""
    return f"test_source_{source}.py::test_{name}"


UNIT = f"{MOVES}test_a_source_that_changes_its_unit_is_refused_whole"
RETURNS = f"{MOVES}test_a_refused_source_stays_refused_until_its_figures_return"

TRAPS: dict[str, tuple[str, ...]] = {
    # token prices
    "a unit slips by a power of ten": (
        f"{UNIT}[ten thousand times (Novita)]",
        f"{UNIT}[per thousand for per million]",
        f"{ROWS}test_a_seller_whose_new_offers_are_far_from_all_others_is_refused_with_the_rest_of"
        "_them",
        of("novita", "seven_thousand_is_seventy_cents"),
        of("xai_api", "thirty_thousand_is_three_dollars"),
        of("deepinfra", "the_list_is_quoted_in_cents_and_cached_input_as_a_multiple"),
        of("azure_openai", "a_thousand_tokens_and_a_million_come_to_the_same_unit"),
        of("oneapi_cny", "the_yuan_of_a_thousand_tokens_are_those_of_a_million"),
        of("llmabacus", "a_file_in_another_unit_is_refused"),
    ),
    "a slip lasts for months": (
        RETURNS,
        f"{ROWS}test_an_output_price_that_slips_alone_is_told_from_a_price_cut",
    ),
    "one side alone is wrong": (
        f"{ROWS}test_an_output_price_that_slips_alone_is_told_from_a_price_cut",
        f"{ROWS}test_an_absurd_ratio_is_refused_at_first_sight_if_the_good_is_followed",
        f"{UNIT}[all output prices]",
        f"{UNIT}[all input prices]",
    ),
    "a paid model is free for a day": (
        f"{OURS}test_a_paid_model_at_zero_for_a_day_is_refused_at_the_router",
        f"{ROWS}test_a_filler_after_a_price_is_refused[0]",
        of("huggingface_router", "a_free_price_of_zero_is_no_price"),
    ),
    "minus one says that the price varies": (
        of("openrouter_models", "what_is_not_our_good_is_counted"),
        of("openrouter_models", "a_figure_that_is_no_price_is_refused[the sentinel]"),
        f"{ROWS}test_a_filler_after_a_price_is_refused[-1]",
    ),
    "free, batch and latest stand beside the model": (
        of("openrouter_models", "what_is_not_our_good_is_counted"),
        of("openrouter_endpoints", "raw_sections_give_the_same_listing_ids"),
        of("deepseek_page", "an_id_that_goes_on_to_another_model_ends_at_that_moment"),
    ),
    "two models swap prices for three days": (
        f"{ROWS}test_two_listings_that_exchange_their_prices_are_refused_for_as_long_as_it_lasts",
    ),
    "three prices in a day": (
        f"{ROWS}test_the_third_price_of_a_day_is_refused_and_the_next_day_is_free",
    ),
    "the currency is labelled wrong": (
        of("lobehub_cny", "a_label_that_does_not_fit_the_seller_is_not_believed"),
        of("llmabacus", "a_figure_whose_label_is_contradicted_is_no_price"),
        of("oneapi_cny", "a_ratio_of_yuan_is_never_read_as_dollars"),
        of("genai_prices", "dollars_converted_from_another_currency_are_refused"),
        of("jarvislabs", "without_usd_stated_gpus_are_counted_and_no_price_is_taken"),
        f"{UNIT}[yuan labelled as dollars]",
        f"{ROWS}test_a_currency_that_is_not_pinned_or_changes_under_an_offer_is_refused",
    ),
    "a catalogue turns from off-peak to peak": (
        f"{MOVES}test_a_list_that_turns_to_peak_prices_is_refused_and_comes_back_by_itself",
        of("modelpricewatch", "what_is_no_price_ends_the_older_one[a tariff by hours]"),
        of("llmabacus", "a_tariff_by_the_hour_has_no_one_price"),
    ),
    "tier bounds change their unit": (
        of("lobehub_cny", "a_bound_that_turned_from_tokens_to_millions_moves_no_price"),
        of("llmabacus", "a_bound_that_turns_from_tokens_to_millions_moves_no_price"),
    ),
    "an hourly fee stands in a token field": (
        f"{OURS}test_an_hourly_fee_for_storage_in_a_field_per_million_tokens_is_no_price_of_tokens",
        of("google_page", "text_is_told_from_audio_and_storage"),
    ),
    "a decimal does not end": (
        f"{OURS}test_a_decimal_that_does_not_end_is_kept_verbatim_and_rounded_once",
        f"{OURS}test_the_storage_of_five_minutes_that_does_not_end_is_no_meter_of_ours",
        of("deepinfra", "binary_noise_of_the_source_is_rounded_once"),
    ),
    "input and output are driven apart": (
        f"{ROWS}test_a_ratio_driven_to_win_a_ranking_is_refused",
    ),
    "a source changes its shape; tariff hours wrap midnight": (
        f"{OURS}test_a_new_head_of_the_list_changes_no_row",
        of("openrouter_models", "tariff_hours_become_windows_and_the_plain_price_has_none"),
        of("openrouter_models", "an_override_that_is_no_tariff_window_is_refused"),
        of("openrouter_models", "hhmm_is_a_minute_of_the_day"),
    ),
    "a price is dated ahead": (
        of("genai_prices", "a_future_date_is_kept_with_its_date"),
        of("aws_bedrock", "a_price_dated_ahead_is_held"),
        of("hyperstack", "a_price_with_dates_is_held_to_them"),
        f"{ROWS}test_a_price_dated_ahead_is_not_compared",
    ),
    "a token price really moves": (
        f"{MOVES}test_real_moves_of_one_offer_pass",
        f"{MOVES}test_the_same_price_on_another_path_confirms_a_move",
        f"{MOVES}test_two_sources_that_both_see_a_real_move_release_each_other",
        of("deepinfra", "between_two_bodies_the_list_price_takes_over_at_the_stated_moment"),
    ),
    # GPU-hours
    "machine and GPU are taken for each other, by all at once": (
        f"{UNIT}[a list of GPU-hours becomes machines]",
        f"{UNIT}[half of every price: two GPUs]",
    ),
    "machine and GPU are taken for each other, by one": (
        of("runpod", "the_price_of_a_pod_of_eight_is_never_read_as_that_of_a_gpu"),
        of("jarvislabs", "the_price_of_one_gpu_is_not_divided_by_the_pod_beside_it"),
        of("primeintellect", "a_price_is_of_all_gpus_of_the_offer"),
        of("lambda_cloud", "cents_of_eight_become_dollars_of_one"),
        of("shadeform", "cents_of_a_machine_of_eight"),
        f"{ROWS}test_a_machine_priced_per_gpu_for_per_machine_is_refused_alone",
    ),
    "a reserved price is read as on demand": (
        of("azure_retail", "a_reservation_total_labelled_one_hour_never_becomes_a_price"),
        of("gpurentalprices", "the_kind_decides_the_tenor"),
        of("digitalocean", "the_slug_says_on_what_terms[under a commitment]"),
        of("oci", "what_is_not_the_price_of_one_gpu_now_leaves_no_price[a commitment is never read "
           "as on demand]"),
    ),
    "new rows raise the median": (
        f"{OURS}test_rows_that_enter_are_no_fault_and_no_move_of_those_that_stand",
    ),
    "one machine is listed in several sizes": (
        of("vast", "fifteen_gpus_are_counted_and_eight_are_real"),
        of("hyperstack", "machines_of_one_two_four_and_eight_are_the_same_gpus"),
        f"{ROWS}test_one_machine_in_several_sizes_counts_once",
    ),
    "a name that finds nothing": (
        of("vast", "a_search_that_returns_nothing_is_an_error_and_no_empty_market"),
        of("vast", "names_are_asked_for_as_the_marketplace_spells_them"),
    ),
    "a list is cut at 64 rows": (
        of("vast", "an_answer_as_long_as_the_cap_is_cut_and_gives_no_depth"),
        of("digitalocean", "a_list_that_cannot_be_whole_is_a_fault"),
        f"{ROWS}test_a_body_with_exactly_the_known_cap_is_refused",
    ),
    "40 and 80 GB under one name": (
        of("vast", "cards_of_40_and_80_gigabytes_are_two_markets_and_a_rebuilt_one_is_refused"),
        of("akash", "cards_of_40_and_80_gb_are_two_goods"),
        of("digitalocean", "a_bad_size_is_refused_and_its_neighbour_kept[cards of 40 GB under a "
           "slug of 80]"),
    ),
    "zero means not offered": (
        of("runpod", "a_bad_row_is_refused_and_its_neighbour_kept[zero is not offered]"),
        of("oci", "a_bad_item_is_refused_and_its_neighbour_kept[zero is not offered]"),
        of("vultr", "a_bad_plan_is_refused_and_its_neighbour_kept[zero is not offered]"),
    ),
    "a placeholder where the tier is off": (
        of("runpod", "a_placeholder_of_one_half_beside_a_false_flag_is_no_price"),
        f"{ROWS}test_a_placeholder_is_known_at_first_sight_by_the_goods_it_stands_for",
    ),
    "a GPU at the cost of its processors": (
        f"{OURS}test_a_machine_at_a_fifth_for_a_day_is_refused_until_it_returns",
        of("gcp_list", "a_gpu_whose_machine_parts_have_no_price_is_refused_not_understated"),
        of("cudo", "a_bad_row_is_refused_and_its_neighbour_kept[a GPU at the price of its CPUs]"),
        of("ratecards_ccir", "a_gpu_without_cores_and_memory_is_no_machine"),
    ),
    "absurd asks stand for days": (
        of("vast", "an_ask_of_forty_dollars_stays_an_ask_that_the_depth_does_not_reach"),
        of("vast", "forty_dollars_stand_on_each_of_the_four_days"),
    ),
    "rows that never move": (
        f"{ROWS}test_a_price_that_never_moves_is_noted_where_the_rest_moves_and_stands",
    ),
    "rows carried forward": (
        of("gpurentalprices", "a_row_of_exactly_26_hours_stands"),
        of("gpurentalprices", "a_bad_offer_is_refused_and_its_neighbour_kept[a row ten days old "
           "was carried forward]"),
        f"{ROWS}test_a_row_that_its_source_saw_long_ago_is_noted",
    ),
    "form factors are mislabelled": (
        of("ratecards_ccir", "an_nvl_that_the_publisher_calls_sxm_maps_by_the_sellers_id"),
    ),
    "a plain H100 says no form": (
        "test_machine_registers.py::test_a_body_becomes_prices_of_one_gpu_hour["
        "23.92 and 15.92 for eight; a plain H100 is of no stated form]",
    ),
    "a rent really moves": (
        f"{MOVES}test_one_seller_that_moves_all_its_prices_alike_is_noted_and_stands",
        f"{MOVES}test_one_seller_that_cuts_three_listings_by_three_quarters_stands",
    ),
}  # fmt: skip


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
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return {line.removeprefix("tests/") for line in done.stdout.splitlines() if "::" in line}


def test_the_traps_are_those_that_the_indices_are_tried_on() -> None:
    assert list(TRAPS) == list(AT_THE_INDEX)


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_is_met_before_an_index_sees_it(trap: str, collected: set[str]) -> None:
    bare = {one.partition("[")[0] for one in collected}
    assert TRAPS[trap]
    assert not [one for one in TRAPS[trap] if one not in collected and one not in bare]


def test_every_test_of_the_file_for_traps_is_named(collected: set[str]) -> None:
    named = {one for tests in TRAPS.values() for one in tests}
    assert {one for one in collected if one.startswith(OURS)} <= named
