"""Every trap seen in real token prices, and what an index does on the days around it.

Figures are quoted from the bodies named in the comments; values are worked by hand from the
panel of the day (rulebook 6 and 7). ``test_anomalies_complete`` holds the list of traps.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from methodology import clock
from tests import anomalies as an
from tests.anomalies import Case, held, imputed, left_out, seen, was
from tests.anomalies_tokens import (
    AFTER,
    AWAY,
    BEFORE,
    DEEP,
    DURING,
    GPT,
    IN,
    LAST,
    OUT,
    SECOND,
    bid,
    day,
    labelled,
    of_bundle,
    one_day,
    parsed,
    tier,
)

# Real slips; each factor is planted here on Nebius' .30 and .45 of DeepSeek-V3.2 for two days.
SLIPS = [
    # models_dev, novita-ai baidu/ernie-4.5-vl-28b-a3b: 1.4 and 5.6 for .14 and .56, 2026-01-14 to
    # 06-16 (models_dev_changes.parquet)
    pytest.param("10", True, id="ten times too high, five months"),
    # litellm, oci/xai.grok-4: .15 for 15, 2025-08-31 to 2026-02-17; there of the output alone
    pytest.param(".01", True, id="a hundred times too low, five months"),
    # models_dev, helicone mistral-small: 75 and 200 for .075 and .2, 2025-12-08 to 2026-05-27
    pytest.param("1000", True, id="a thousand times too high, half a year"),
    # litellm, novita/deepseek/deepseek-v3.2: .00269 a token for 2.69e-07, 2026-01-10 to 01-14
    pytest.param("10000", False, id="ten thousand times too high, four days"),
    # litellm, wandb/openai/gpt-oss-120b: .015 a token for 1.5e-07, 2025-11-30 to 2026-09-29
    pytest.param("100000", False, id="a hundred thousand times too high, ten months"),
    # models_dev, cloudflare-ai-gateway workers-ai/llama-3.1-8b-instruct: 280000 for .28, 2025-12
    pytest.param("1000000", False, id="a million times too high"),
    # catwalk, aihubmix step-3.7-flash: .022 and .132 for .22 and 1.32, 2026-06-11 to 07-07
    pytest.param(".1", True, id="ten times too low, four weeks"),
    # models_dev, openrouter openai/gpt-5.4-mini: 7.5e-07 for .75, until 2026-04-22
    pytest.param(".000001", False, id="a million times too low: per token in a field per million"),
]


@pytest.mark.parametrize(("factor", "is_credible"), SLIPS)
def test_a_slip_of_units_moves_no_value(factor: str, is_credible: bool) -> None:
    slipped = {
        k: float(Decimal(p) * Decimal(factor)) for k, p in (("input", ".3"), ("output", ".45"))
    }
    edits = one_day("nebius", "deepseek-ai/DeepSeek-V3.2", 2, **slipped)
    away = imputed("0.3")
    first, then, back = (away, away, seen("0.3"))
    if is_credible:  # held a day, then beyond four times the others' .2695 or below a quarter
        first, then = held("0.3"), imputed("0.3", "GROSS_ERROR")
    an.check(
        Case(
            lambda: parsed(edits, "TKR-deepseek-v3.2-IN"),
            (
                was(BEFORE, DEEP, nebius=seen("0.3")),
                was(DURING, DEEP, "HELD" if is_credible else "IMPUTED", nebius=first),
                was(SECOND, DEEP, "IMPUTED", nebius=then),
                was(AFTER, DEEP, nebius=back),
            ),
        )
    )


CASES = {
    # litellm, novita/openai/gpt-oss-120b: .0004 a token (400 a million) for 5e-08 from 2026-01-10
    # 00:10 to 01-14 00:11, eight thousand times: the seller's unit is 1e-4 USD per million. The
    # panel of the 11th holds it (group ppio) and SambaNova at 3.0, and neither ever stands: of
    # .05 .15 .15 .15 .15 .15 .15 .25 the two in the middle. On the 14th .05 is a third of .15,
    # inside 4 but not inside 2: still out.
    "a slip of eight thousand is in the panel from its first day and never stands": Case(
        lambda: of_bundle(
            "TKR-gpt-oss-120b-IN",
            "litellm",
            day("2026-01-11"),
            day("2026-01-09"),
            day("2026-01-16"),
        ),
        tuple(
            was(day(d), "0.150000", ppio=left_out(), sambanova=left_out())
            for d in ("2026-01-11", "2026-01-13", "2026-01-14", "2026-01-15")
        ),
    ),
    # litellm, azure_ai/Llama-4-Maverick: input 1.41, output .35 until 2026-09-29 23:59, then .25
    # and 1.0. Panel of 2026-09-01, output: .6 .6 .72 .85 .85 1.15 1.8 and Microsoft.
    "one side wrong for months: an output below half of its input never counts": Case(
        lambda: of_bundle(
            "TKR-llama-4-maverick-OUT",
            "litellm",
            day("2026-09-01"),
            day("2026-08-31"),
            day("2026-10-01"),
        ),
        (
            was(day("2026-09-28"), "0.850000", microsoft=left_out("OUT_BELOW_HALF_IN")),
            was(day("2026-09-29"), "0.850000", microsoft=left_out("OUT_BELOW_HALF_IN")),
            was(day("2026-09-30"), "0.850000", microsoft=seen("1")),
        ),
    ),
    # litellm, oci/xai.grok-3 and grok-4: 3 and .15 for 3 and 15, 2025-08-31 to 2026-02-17. The
    # same hundredth on Cerebras' .35 and .75.
    "one side only: an output of 0.15 for 15 is held, then moved with the others": Case(
        lambda: parsed(
            one_day("cerebras", "gpt-oss-120b", 2, output=0.0075), "TKR-gpt-oss-120b-OUT"
        ),
        (
            was(BEFORE, OUT, cerebras=seen("0.75")),
            was(DURING, OUT, "HELD", cerebras=held("0.75", "OUT_BELOW_HALF_IN")),
            was(SECOND, OUT, "IMPUTED", cerebras=imputed("0.75", "OUT_BELOW_HALF_IN")),
            was(AFTER, OUT, cerebras=seen("0.75")),
        ),
    ),
    # models_dev, openrouter z-ai/glm-5.1: .98 and 3.08, 0 and 0 from 2026-05-20 15:34:30 to the
    # 21st, .98 and 3.08 again. A router's row: CLASS_ROUTER, and none at all while it is zero.
    "a paid model at zero for a day, at a router that no rate counts": Case(
        lambda: of_bundle(
            "TKR-glm-5.1-IN", "models_dev", day("2026-05-15"), day("2026-05-14"), day("2026-05-23")
        ),
        (
            was(
                day("2026-05-19"),
                "1.384091",
                out={("openrouter", "z-ai/glm-5.1"): "CLASS_ROUTER"},
            ),
            was(day("2026-05-21"), "1.384091", out={("openrouter", "z-ai/glm-5.1"): ""}),
            was(
                day("2026-05-23"),
                "1.384091",
                out={("openrouter", "z-ai/glm-5.1"): "CLASS_ROUTER"},
            ),
        ),
    ),
    # OpenRouter's list, moonshotai/kimi-k2.5: 0 and 0 on 2026-04-18, .3827 and 1.72 the day
    # before and after (openrouter_models_full). Here a member of the panel does it.
    "a paid model at zero for a day, at a member": Case(
        lambda: parsed(one_day("baseten", GPT, input=0, output=0)),
        (
            was(BEFORE, IN, baseten=seen("0.1")),
            was(DURING, IN, "IMPUTED", baseten=AWAY),
            was(SECOND, IN, baseten=seen("0.1")),
        ),
    ),
    # OpenRouter's list, openrouter/auto: prompt and completion "-1" in all 1,106 bodies.
    "minus one for a price decided per request is no price": Case(
        lambda: parsed(one_day("baseten", GPT, input=-1, output=-1)),
        (
            was(BEFORE, IN, baseten=seen("0.1")),
            was(DURING, IN, "IMPUTED", baseten=AWAY),
            was(SECOND, IN, baseten=seen("0.1")),
        ),
    ),
    # OpenRouter's list of 2026-08-22: z-ai/glm-5.2:free at 0, openai/gpt-5.6-luna:batch and others
    # at half. The spellings for this model beside the true listing of the same seller.
    "free and batch variants beside the listing are other goods": Case(
        lambda: parsed(
            {
                DURING: {
                    "novita-ai": {
                        f"{GPT}:free": {"input": 0, "output": 0},
                        f"{GPT}:batch": {"input": 0.025, "output": 0.125},
                    }
                }
            }
        ),
        tuple(was(d, IN, ppio=seen("0.05")) for d in (BEFORE, DURING, SECOND)),
    ),
    # OpenRouter's list, ~moonshotai/kimi-latest: .66 and 3.41, from 2026-07-17 00:43 on 3 and 15:
    # the id went from one model to the next.
    "an alias whose target changes under a fixed id is read nowhere": Case(
        lambda: parsed(
            {
                BEFORE: {"novita-ai": {"~moonshotai/kimi-latest": {"input": 0.66, "output": 3.41}}},
                DURING: {"novita-ai": {"~moonshotai/kimi-latest": {"input": 3, "output": 15}}},
            }
        ),
        tuple(was(d, IN, ppio=seen("0.05")) for d in (BEFORE, DURING, SECOND)),
    ),
    # models_dev, azure deepseek-v4-flash at 1.74 and 3.48, deepseek-v4-pro at .19 and .51, from
    # 2026-06-10 00:53:46 to 06-13 16:25:26, then the other way round. Flash: .1 .112 .14 (x5)
    # beside it; 1.74 is twelve times .14.
    "two models' prices swapped for three days: the small one": Case(
        lambda: of_bundle(
            "TKR-deepseek-v4-flash-IN",
            "models_dev",
            day("2026-06-11"),
            day("2026-06-09"),
            day("2026-06-16"),
        ),
        (
            *(
                was(day(d), "0.140000", microsoft=left_out())
                for d in ("2026-06-11", "2026-06-12", "2026-06-13")
            ),
            was(day("2026-06-14"), "0.140000", microsoft=seen("0.19")),
        ),
    ),
    # Pro: .435 1.3 1.392 1.69 1.74 (x6) 1.75; .19 is a ninth of 1.74. Eleven equal members, 2.75
    # cut from each end: (.25*1.392 + 1.69 + 3.5*1.74 + .75*1.74 ...) = 1.715091; with Microsoft at
    # 1.74 twelve, (1.69 + 5*1.74) / 6 = 1.731667. Who comes in moves no level.
    "two models' prices swapped for three days: the large one": Case(
        lambda: of_bundle(
            "TKR-deepseek-v4-pro-IN",
            "models_dev",
            day("2026-06-11"),
            day("2026-06-09"),
            day("2026-06-16"),
        ),
        (
            *(
                was(day(d), "1.715091", microsoft=left_out())
                for d in ("2026-06-11", "2026-06-12", "2026-06-13")
            ),
            was(day("2026-06-14"), "1.731667", microsoft=seen("1.74")),
        ),
    ),
    # models_dev, baseten zai-org/GLM-4.7: input .12 (what it asks for cached input) for .6 from
    # 2026-06-09 03:53:56 to 06-18 09:51:49. Beside it .2989 .43 .6 (x5) 2.25; a fifth of .6.
    "the price of cached input in the field of input for nine days": Case(
        lambda: of_bundle(
            "TKR-glm-4.7-IN", "models_dev", day("2026-06-01"), day("2026-05-31"), day("2026-06-20")
        ),
        (
            was(day("2026-06-08"), "0.600000", baseten=seen("0.6")),
            was(day("2026-06-09"), "0.600000", "HELD", baseten=held("0.6")),
            was(day("2026-06-10"), "0.600000", "IMPUTED", baseten=imputed("0.6", "GROSS_ERROR")),
            was(day("2026-06-18"), "0.600000", "IMPUTED", baseten=imputed("0.6", "GROSS_ERROR")),
            was(day("2026-06-19"), "0.600000", baseten=seen("0.6")),
        ),
    ),
    # litellm, sambanova/gpt-oss-120b: 3.0 and 4.5 for .22 and .59, 2025-11-30 to 2026-06-27
    # 06:34:44; wandb/openai/gpt-oss-120b: 15,000 a million to 2026-09-29. Vintages turn over
    # meanwhile; neither stands once, and SambaNova's entry moves no level: of .05 .1 .15 .. .18
    # .35 the trimmed mean is .15, with .22 it is .1513636.
    "two slips that last for months never stand, and their end moves no level": Case(
        lambda: of_bundle(
            "TKR-gpt-oss-120b-IN",
            "litellm",
            day("2025-12-31"),
            day("2025-12-30"),
            day("2026-09-29"),
        ),
        (
            was(day("2026-01-01"), "0.150000", sambanova=left_out()),
            was(day("2026-06-26"), "0.150000", sambanova=left_out()),
            was(day("2026-06-27"), "0.151364", sambanova=seen("0.22")),
            was(day("2026-09-29"), "0.150000", sambanova=seen("0.22")),
        ),
    ),
    # models_dev, vultr gpt-oss-120b on 2026-03-16: .2 and .2 in the morning, .55 and 2.75 from
    # 15:55:19, .15 and .6 from 21:10:39. NYC closes at 20:00: the 2.75 stood in 5 of 24 hours.
    # Output before: .18 .2 .24 .25 .36 .4 .45 .6 (x5) .69 .75, three and a half cut from each end:
    # (.25/2 + .36 + .4 + .45 + .6*3 + .6/2) / 7; the .6 is a jump, held on the 17th and confirmed
    # on the 18th: (.36/2 + .4 + .45 + .6*4 + .6/2) / 7, 1085.881 of 1000.
    "three prices in one day: the one of five hours never counts, the last one moves it": Case(
        lambda: of_bundle(
            "TKR-gpt-oss-120b-OUT",
            "models_dev",
            day("2026-03-10"),
            day("2026-03-08"),
            day("2026-03-20"),
        ),
        (
            was(day("2026-03-15"), "0.490714", vultr=seen("0.2")),
            was(day("2026-03-16"), "0.490714", vultr=seen("0.2")),
            was(day("2026-03-17"), "0.490714", "HELD", vultr=held("0.2")),
            was(
                day("2026-03-18"),
                "0.532857",
                "CONFIRMED_SAME_PATH",
                chained="1085.8810",
                vultr=seen("0.6", "CONFIRMED_SAME_PATH"),
            ),
        ),
    ),
    # lobehub, siliconcloud deepseek-ai/DeepSeek-V3.2-Exp: 2 and 3 yuan (2026-01-25). The same
    # figures in the dollar column of SiliconFlow, .27 and .42: beyond four times .2845.
    "yuan in a column of dollars": Case(
        lambda: parsed(
            one_day("siliconflow", "deepseek-ai/DeepSeek-V3.2", 2, input=2, output=3),
            "TKR-deepseek-v3.2-IN",
        ),
        (
            was(BEFORE, DEEP, siliconflow=seen("0.27")),
            was(DURING, DEEP, "HELD", siliconflow=held("0.27")),
            was(SECOND, DEEP, "IMPUTED", siliconflow=imputed("0.27", "GROSS_ERROR")),
            was(AFTER, DEEP, siliconflow=seen("0.27")),
        ),
    ),
    # lobehub, aihubmix qwen3-30b-a3b-instruct-2507: .12 and .48 in dollars, from 2025-08-30 on the
    # same figures in yuan. A price in yuan counts in no dollar rate (rulebook 9.4).
    "dollars labelled yuan": Case(
        lambda: labelled("CNY"),
        (
            was(BEFORE, DEEP, siliconflow=seen("0.27")),
            was(DURING, DEEP, "IMPUTED", siliconflow=imputed("0.27")),
            was(SECOND, DEEP, siliconflow=seen("0.27")),
        ),
    ),
    # lobehub, qwen glm-4.5 and others: bounds "[0, 32_000]" until 2025-10-01, "[0, 0.032]" from
    # 2026-01-25 on. volcengine deepseek-v3.2: 2 and 3 yuan, above the bound 4 and 6.
    "tier bounds change their unit": Case(
        lambda: parsed(
            {
                BEFORE: {"baseten": {GPT: {"tiers": [tier(32000)]}}},
                DURING: {"baseten": {GPT: {"tiers": [tier(0.032)]}}},
            }
        ),
        tuple(was(d, IN, baseten=seen("0.1")) for d in (BEFORE, DURING, SECOND)),
    ),
    # lobehub, volcengine doubao-seed-code and deepseek-v3.2: textInput_cacheWrite .017, yuan per
    # million tokens and hour. AGT by hand is (2*IN + 7*CIN + OUT) / 10 with CIN = IN: .044 .0503
    # .07 .088 .09 .14 .19 .195 (x4) .39; the first is excluded, 2.75 of eleven are cut from each
    # end: (.25*.088 + .09 + .14 + .19 + .195 + .195 + .25*.195) / 5.5 = .88075 / 5.5.
    "an hourly fee for storage in a field of tokens": Case(
        lambda: parsed(one_day("baseten", GPT, cache_write=0.017), "TKR-gpt-oss-120b-AGT"),
        tuple(was(d, "0.160136", baseten=seen("0.14")) for d in (BEFORE, DURING, SECOND)),
    ),
    # OpenRouter's list of 2026-08-22: "0.0000000833333333333333" a token (Gemini's storage of
    # five minutes). On DigitalOcean's .055 every day: (.083333333/2 + .1 + .15*3 + .15/2) / 5.
    "a figure without an end is rounded once and counts": Case(
        lambda: parsed(
            {
                d: {"digitalocean": {"openai-gpt-oss-120b": {"input": 0.0833333333333333}}}
                for d in clock.days(BEFORE - timedelta(days=1), LAST)
            }
        ),
        tuple(was(d, "0.133333", digitalocean=seen("0.083333333")) for d in (BEFORE, DURING)),
    ),
    # OpenRouter's list, moonshotai/kimi-k2: .57 and 2.3, from 2025-07-14 .14 and 2.49, a reseller's
    # bid for the first place. On DeepInfra's .5 and 2; beside it 1 1 1 1.35. Four of five groups
    # are fewer than REDUCED needs; and .5 stands at half of 1, not inside: it stays out (6.3).
    "input driven to nearly nothing and output raised: the input rate": Case(
        lambda: bid("IN"),
        (
            was(day("2025-08-02"), "1.000000", deepinfra=seen("0.5")),
            was(day("2025-08-03"), "1.000000", "HELD", deepinfra=held("0.5")),
            *(
                was(
                    day(d),
                    "1.000000",
                    "IMPUTED",
                    waterfall="CARRIED_INPUT",
                    deepinfra=imputed("0.5", "GROSS_ERROR"),
                )
                for d in ("2025-08-04", "2025-08-05")
            ),
        ),
    ),
    # The same in the blend: (3*.5 + 2) / 4 = .875, then (3*.14 + 2.49) / 4 = .7275, no jump; it
    # stays the lowest of five, and the third of five is the value.
    "input driven to nearly nothing and output raised: the blend": Case(
        lambda: bid("BLD"),
        (
            was(day("2025-08-02"), "1.500000", deepinfra=seen("0.875")),
            was(day("2025-08-03"), "1.500000", deepinfra=seen("0.7275")),
            was(day("2025-08-05"), "1.500000", deepinfra=seen("0.875")),
        ),
    ),
    # OpenRouter's list, mistralai/mistral-nemo on 2025-07-14: .008 and .001. On Novita's .05, .25.
    "an output at an eighth of its input": Case(
        lambda: parsed(one_day("novita-ai", GPT, input=0.008, output=0.001)),
        (
            was(BEFORE, IN, ppio=seen("0.05")),
            was(DURING, IN, "HELD", ppio=held("0.05", "OUT_BELOW_HALF_IN")),
            was(SECOND, IN, ppio=seen("0.05")),
        ),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_index_stands(case: Case) -> None:
    an.check(case)
