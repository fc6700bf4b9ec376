"""Segments of the composites: capability to tiers, licence, meter, mix; worked by hand."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from methodology import baskets, representative
from methodology.baskets import Good, ModelPrice
from methodology.definition import (
    CompositeDefinition,
    load_definitions,
    load_methodology,
)
from methodology.errors import CoverageError, DefinitionError
from methodology.register import load_models, token_listing_map
from methodology.register_evaluations import (
    Reading,
    capabilities,
    load_evaluations,
    parse_evaluations,
    tiers_on,
)

RULES = load_methodology()
COMPOSITES = {d.index_id: d for d in load_definitions() if isinstance(d, CompositeDefinition)}
DAY = date(2026, 7, 22)
THREE = ("x", "y", "z")


def reading(scores: dict[str, tuple[object, ...]], day: date = DAY, names=THREE) -> Reading:  # type: ignore[no-untyped-def]
    told = {m: tuple(Fraction(str(s)) for s in values) for m, values in scores.items()}
    return Reading(day, "somebody", "", "", "", names, told)


def test_capability_by_hand() -> None:
    """Best scores 80, 50, 40. a: (80/80 + 40/50 + 40/40)/3 = 2.8/3; b: (0.5 + 1 + 0.25)/3."""
    found = capabilities(reading({"a": (80, 40, 40), "b": (40, 50, 10)}))
    assert found == {"a": Fraction(14, 15), "b": Fraction(7, 12)}


def test_the_scale_of_an_evaluation_does_not_matter() -> None:
    plain = {"a": (80, 40, 40), "b": (40, 50, 10), "c": (10, 10, 10)}
    scaled = {m: (s[0], s[1] * 1000, Fraction(s[2], 7)) for m, s in plain.items()}
    assert capabilities(reading(plain)) == capabilities(
        Reading(DAY, "", "", "", "", THREE, {m: tuple(map(Fraction, s)) for m, s in scaled.items()})
    )


@pytest.mark.parametrize(
    ("percent", "tier"),
    [
        (100, "frontier"),
        (90, "frontier"),
        ("89.999", "mid"),
        (65, "mid"),
        ("64.999", "small"),
        (1, "small"),
    ],
)
def test_borders_belong_to_the_tier_above(percent: object, tier: str) -> None:
    made = reading({"best": (100, 100, 100), "m": (percent, percent, percent)})
    assert tiers_on(DAY, RULES.tiers, [made])["m"] == tier


@pytest.mark.parametrize(
    ("first", "second", "tier"),
    [
        (89, 92, "mid"),
        (89, 93, "frontier"),
        (91, 88, "frontier"),
        (91, 87, "frontier"),
        (91, "86.9", "mid"),
        (66, 62, "mid"),
        (66, "61.9", "small"),
        (64, 67, "small"),
        (64, 68, "mid"),
        (64, 95, "frontier"),
        (64, 91, "mid"),
        (95, 64, "mid"),
        (95, 60, "small"),
    ],
    ids=lambda value: str(value),
)
def test_a_tier_is_kept_inside_the_buffer(first: object, second: object, tier: str) -> None:
    """Borders 90 and 65, buffer 3; a move over both needs to be beyond the farther one by 3."""
    later = DAY + timedelta(days=31)
    readings = [
        reading({"best": (100,) * 3, "m": (first,) * 3}),
        reading({"best": (100,) * 3, "m": (second,) * 3}, later),
    ]
    assert tiers_on(later, RULES.tiers, readings)["m"] == tier
    assert tiers_on(later - timedelta(days=1), RULES.tiers, readings) == tiers_on(
        DAY, RULES.tiers, readings
    )


def test_who_has_no_tier() -> None:
    two = reading({"best": (100, 100)}, names=("x", "y"))
    assert tiers_on(DAY, RULES.tiers, [two]) == {}
    assert tiers_on(DAY - timedelta(days=1), RULES.tiers, [reading({"m": (1, 1, 1)})]) == {}
    assert tiers_on(DAY, None, [reading({"m": (1, 1, 1)})]) == {}
    later = [reading({"m": (1, 1, 1)}), reading({"n": (1, 1, 1)}, DAY + timedelta(days=9))]
    assert tiers_on(DAY + timedelta(days=9), RULES.tiers, later) == {"n": "frontier"}


TEXT = """
[[reading]]
read_on = 2026-07-22
evaluator = "somebody"
source = "https://example.org"
origin = "a body"
body_sha256 = "00"
evaluations = ["x", "y", "z"]
[reading.scores]
"m" = ["1", "2.5", "3"]
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace('"2.5"', "2.5"), "score 2.5 is not decimal text"),
        (TEXT.replace('"2.5"', '"-1"'), "score '-1' is not decimal text above zero"),
        (TEXT.replace('"2.5"', '"NaN"'), "score 'NaN' is not decimal text above zero"),
        (TEXT.replace('"2.5"', '"two"'), "score 'two' is not decimal text"),
        (TEXT.replace('"2.5", ', ""), "m: 2 scores for 3 evaluations"),
        (TEXT + TEXT, "stands out of order"),
        (TEXT.replace('origin = "a body"\n', ""), "keys .'origin'. differ"),
        ("[readings]\n", "unknown table .'readings'"),
        ("[[reading", "not valid TOML"),
    ],
    ids=["float", "negative", "nan", "word", "too few", "order", "key", "table", "no TOML"],
)
def test_a_wrong_reading_is_refused(text: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        parse_evaluations(text)


def test_the_packaged_readings_are_of_the_register() -> None:
    known = {m.id for m in load_models()}
    for one in load_evaluations():
        assert set(one.scores) <= known
        assert len(one.evaluations) >= 3
    tiers = list(tiers_on(DAY, RULES.tiers).values())
    counted = {t: tiers.count(t) for t in ("frontier", "mid", "small")}
    assert counted == {"frontier": 6, "mid": 19, "small": 39}
    assert len(known) - len(tiers) == 35


PAYLOADS = Path(
    os.environ.get("SPOTFIX_PAYLOADS", Path(__file__).resolve().parents[2] / "shared" / "payloads")
)


def test_every_score_stands_in_the_body_it_was_read_from() -> None:
    folder = PAYLOADS / "tokens" / "openrouter_models"
    if not folder.is_dir():
        pytest.skip("no captured bodies: set SPOTFIX_PAYLOADS")
    model_of = {
        listing: model
        for source, listing, model in token_listing_map().iter_rows()
        if source == "openrouter_models"
    }
    for one in load_evaluations():
        body = gzip.decompress((folder / f"{one.read_on}.json.gz").read_bytes())
        assert hashlib.sha256(body).hexdigest() == one.body_sha256
        stated = {}
        for row in json.loads(body, parse_float=Fraction, parse_int=Fraction)["data"]:
            told = (row.get("benchmarks") or {}).get("artificial_analysis") or {}
            scores = [told.get(name) for name in one.evaluations]
            if row["id"] in model_of and None not in scores:
                stated[model_of[row["id"]]] = tuple(scores)
        assert one.scores == stated


# --- who belongs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index_id", "expected"),
    [
        ("TKX-ALL-IN", {"us-open", "us-closed", "cn-open", "fr-none"}),
        ("TKX-OPEN-BLD", {"us-open", "cn-open", "fr-none"}),
        ("TKX-CLOSED-BLD", {"us-closed"}),
        ("TKX-FRONTIER-BLD", {"us-closed"}),
        ("TKX-MID-BLD", {"cn-open"}),
        ("TKX-SMALL-BLD", {"us-open"}),
        ("TKX-US-AGT", {"us-open", "us-closed"}),
        ("TKX-CN-AGT", {"cn-open"}),
        ("TEX-OPEN", {"us-open", "cn-open", "fr-none"}),
        ("TEX-US", {"us-open", "us-closed"}),
    ],
)
def test_who_belongs_to_a_segment(index_id: str, expected: set[str]) -> None:
    goods = [
        Good("us-open", "a", "US", True),
        Good("us-closed", "b", "US", False),
        Good("cn-open", "c", "CN", True),
        Good("fr-none", "d", "FR", True),
    ]
    tiers = {"us-open": "small", "us-closed": "frontier", "cn-open": "mid"}
    found = {g.model for g in goods if baskets.in_segment(g, COMPOSITES[index_id], tiers)}
    assert found == expected


def test_a_tier_of_three_developers_has_no_basket() -> None:
    link = date(2026, 8, 1)
    models = ("a1", "a2", "a3", "b1", "b2", "c1", "d1", "d2")
    days = [link - timedelta(days=n) for n in range(45)]
    prices = {"litellm": {(m, d): ModelPrice(10**9, True, "") for m in models for d in days}}
    volumes = {(m, d): 10**6 for m in models for d in days}
    tiers = dict.fromkeys(models[:6], "frontier") | dict.fromkeys(models[6:], "mid")
    goods = [Good(m, m[0], "US", False) for m in models]
    frontier = COMPOSITES["TKX-FRONTIER-BLD"]
    with pytest.raises(CoverageError, match="6 models of 3 developers"):
        baskets.make_basket(frontier, goods, prices, volumes, link, RULES, tiers=tiers)
    with pytest.raises(CoverageError, match="0 models of 0 developers"):
        baskets.make_basket(frontier, goods, prices, volumes, link, RULES)
    basket = baskets.make_basket(
        frontier, goods, prices, volumes, link, RULES, tiers=tiers | {"d1": "frontier"}
    )
    # Four developers reach their ceilings together: 25, 25, 20, 20 sum to 90, scaled by 10/9.
    weights = {c.model: Fraction(c.weight_e8, 10**8) for c in basket.constituents}
    for developer, share in {"a": 25, "b": 25, "c": 20, "d": 20}.items():
        own = sum(w for m, w in weights.items() if m[0] == developer)
        assert abs(own - Fraction(share, 90)) < Fraction(1, 10**7)


@pytest.mark.parametrize(
    ("models", "ceilings"),
    [
        ("a1 a2 b1 b2 c1 d1", {"a": "25/90", "b": "25/90", "c": "20/90", "d": "20/90"}),
        ("a1 a2 a3 b1 c1 d1", {"a": "25/85", "b": "20/85", "c": "20/85", "d": "20/85"}),
        ("a1 a2 b1 b2 c1 c2 d1 d2", dict.fromkeys("abcd", "1/4")),
    ],
    ids=["two and two beside two", "three beside three", "four of two: exactly the ceilings"],
)
@pytest.mark.parametrize("largest", [1, 1000], ids=["alike", "one far ahead"])
def test_four_developers_stand_at_their_ceilings_whatever_they_spend(
    models: str, ceilings: dict[str, str], largest: int
) -> None:
    goods = [Good(m, m[0], "US", True) for m in models.split()]
    spend = {g.model: 10 for g in goods} | {"a1": 10 * largest}
    shares = baskets.basket_shares(goods, spend, RULES)
    assert sum(shares.values()) == 1
    for developer, share in ceilings.items():
        own = sum(s for m, s in shares.items() if m[0] == developer)
        assert own == Fraction(share), developer


# --- meters and the mix --------------------------------------------------------------------------


def leg(meter: str, nano: int) -> dict[str, object]:
    return {
        "offer": 1, "meter": meter, "day": 0, "price_nano": nano, "is_confirmed": True,
        "is_official": True, "is_steady": True, "seen_us": 0, "piece": len(meter),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cached", "agt", "mix"),
    [
        # (2*2.5 + 7*0.25 + 10)/10 = 1.675; (279*2.5 + 689*0.25 + 32*10)/1000 = 1.18975
        (250_000_000, 1_675_000_000, 1_189_750_000),
        # Without a cached price: (2*2.5 + 7*2.5 + 10)/10 = 3.25; (968*2.5 + 320)/1000 = 2.74
        (None, 3_250_000_000, 2_740_000_000),
        # (2*2.5e9 + 7*3 + 1e10)/10 = 1500000002.1; (697.5e9 + 2067 + 320e9)/1000 = 1017500002.067
        (3, 1_500_000_002, 1_017_500_002),
    ],
    ids=["with a cached price", "cached counts as input", "rounded once"],
)
def test_the_blends_by_hand(cached: int | None, agt: int, mix: int) -> None:
    """Input 2.50, output 10 dollars."""
    legs = [leg("IN", 2_500_000_000), leg("OUT", 10**10)]
    legs += [leg("CIN", cached)] if cached is not None else []
    schema = pl.DataFrame(legs).schema
    made = representative.blend(pl.DataFrame(legs, schema=schema), RULES.blend, RULES)
    found = dict(made.select("meter", "price_nano").iter_rows())
    assert (found["AGT"], found["MIX"]) == (agt, mix)
    assert found["BLD"] == 4_375_000_000


def test_the_mix_is_the_one_measured() -> None:
    """Thousandths of 172,415,536,876,448 tokens by largest remainder: 279.00, 689.14, 31.85."""
    prompt, cached, completion = 166_923_422_809_406, 118_818_680_943_767, 5_492_114_067_042
    exact = [Fraction(1000 * n, prompt + completion) for n in (prompt - cached, cached, completion)]
    assert [int(e) for e in exact] == [279, 689, 31]
    assert max(range(3), key=lambda n: exact[n] - int(exact[n])) == 2
    assert RULES.blend["MIX"] == {"IN": 279, "CIN": 689, "OUT": 32}


def test_the_measured_tokens_stand_in_the_captured_table() -> None:
    from datetime import datetime

    from collectors.base import Capture
    from collectors.volumes import openrouter_activity

    file = PAYLOADS / "volume/openrouter_model_activity/model_activity.csv.gz"
    if not file.is_file():
        pytest.skip("no captured bodies: set SPOTFIX_PAYLOADS")
    body = gzip.decompress(file.read_bytes())
    when = datetime(2026, 8, 8, 15, 31, 24)
    parsed = openrouter_activity.parse(Capture("openrouter_activity", "file", body, when))
    named = token_listing_map().rename({"listing_id": "subject"})
    inside = pl.col("period_start").is_between(date(2026, 6, 25), date(2026, 7, 22))
    rows = parsed.volumes.filter(inside).join(named, on=["source", "subject"])
    sums = dict(rows.group_by("meter").agg(pl.col("quantity").sum()).iter_rows())
    assert sums["prompt"] == 166_923_422_809_406
    assert sums["cached"] == 118_818_680_943_767
    assert sums["completion"] == 5_492_114_067_042
