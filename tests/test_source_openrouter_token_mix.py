"""Weeks of the ten busiest models: totals as stated, splits only where they belong to them."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.volumes.openrouter_token_mix import SOURCE, parse
from methodology import schemas
from methodology.errors import ParseError

ROOT = Path(__file__).resolve().parents[1]
BODY = (Path(__file__).parent / "payloads" / SOURCE.id / "2026-02-23.json").read_bytes()


def captured() -> list[Path]:
    found = Path(os.environ.get("SPOTFIX_PAYLOADS", ROOT.parent / "shared" / "payloads"))
    folder = found / "volume/openrouter_weekly_token_mix"
    if not folder.is_dir():
        pytest.skip(f"no captured bodies at {folder}; set SPOTFIX_PAYLOADS")
    return sorted(folder.glob("2*.json"))


def capture(body: bytes) -> Capture:
    return Capture(SOURCE.id, "week", body, datetime(2026, 11, 20, tzinfo=UTC))


def row(**changed: object) -> dict[str, object]:
    split = {"prompt_tokens": 90, "completion_tokens": 10, "reasoning_tokens": 4}
    return {"slug": "a/b", "total_tokens": 100, **split, "cached_tokens": 60, **changed}


def week(*rows: dict[str, object], **more: object) -> bytes:
    total = sum(t for r in rows if isinstance(t := r.get("total_tokens"), int))
    return json.dumps(
        {"date": "2026-02-23", "models": rows, "total_tokens": total, **more}
    ).encode()


def test_a_week_ends_with_the_day_it_is_dated() -> None:
    found = parse(capture(BODY))
    schemas.validate(schemas.Volume, found.volumes, SOURCE.id)
    schemas.validate(schemas.Rejection, found.rejections, SOURCE.id)
    assert found.volumes.select("subject", "meter", "quantity").rows() == [
        ("minimax/minimax-m2.5-20260211", "total", 2_570_000_000_000),
        ("minimax/minimax-m2.5-20260211", "prompt", 2_548_635_442_059),
        ("minimax/minimax-m2.5-20260211", "completion", 22_527_913_370),
        ("minimax/minimax-m2.5-20260211", "reasoning", 7_539_315_774),
        ("minimax/minimax-m2.5-20260211", "cached", 2_078_083_599_306),
        ("z-ai/glm-5-20260211", "total", 803_000_000_000),
        ("z-ai/glm-5-20260211", "prompt", 790_293_144_886),
        ("z-ai/glm-5-20260211", "completion", 13_131_135_555),
        ("z-ai/glm-5-20260211", "reasoning", 5_817_866_179),
        ("z-ai/glm-5-20260211", "cached", 462_833_125_517),
    ]
    assert set(found.volumes.select("period_start", "period_end", "as_of").rows()) == {
        (date(2026, 2, 16), date(2026, 2, 23), datetime(2026, 2, 23))
    }
    assert found.rejections.select("listing_id", "reason").rows() == [
        ("arcee-ai/trinity-large-preview:free", "FREE_VARIANT")
    ]


SPLITS = {
    "a hundredth off still belongs": (row(prompt_tokens=89), []),
    "more than a hundredth off does not": (row(prompt_tokens=88), ["PART_MISSING"]),
    "more than a hundredth above does not": (row(prompt_tokens=92), ["PART_MISSING"]),
    "a split of zeros is none": (row(prompt_tokens=0, completion_tokens=0), ["PART_MISSING"]),
}


@pytest.mark.parametrize(("one", "reasons"), SPLITS.values(), ids=SPLITS.keys())
def test_a_split_stands_only_beside_a_total_it_belongs_to(
    one: dict[str, object], reasons: list[str]
) -> None:
    found = parse(capture(week(one)))
    assert found.rejections["reason"].to_list() == reasons
    assert found.volumes.height == (1 if reasons else 5)


FREE = {
    "by its ending, whatever the flag says": row(slug="a/b:free", is_free=False),
    "by the flag of a model without the ending": row(is_free=True),
}


@pytest.mark.parametrize("one", FREE.values(), ids=FREE.keys())
def test_use_at_no_price_is_refused(one: dict[str, object]) -> None:
    found = parse(capture(week(one)))
    assert found.volumes.is_empty()
    assert found.rejections["reason"].to_list() == ["FREE_VARIANT"]


def test_figures_that_are_no_counts_are_refused() -> None:
    found = parse(capture(week(row(cached_tokens=1.5))))
    assert found.rejections["reason"].to_list() == ["NOT_A_COUNT"]
    rounded = parse(capture(week(row(total_tokens="2.57T"), total_tokens=0)))
    assert rounded.rejections["reason"].to_list() == ["NOT_A_COUNT"]
    assert rounded.volumes.is_empty()


HOSTILE = {
    "html": b"<html></html>",
    "a list": b"[]",
    "no models": week(),
    "no date": week(row(), date=None),
    "no such day": week(row(), date="2026-02-30"),
    "a week that is not over": week(row(), date="2026-11-21"),
    "a sum that the models do not make": week(row(), total_tokens=101),
    "a model without a slug": week({"total_tokens": 5}),
    "a model without tokens": week({"slug": "a/b"}),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_body_that_is_something_else_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError, match=SOURCE.id):
        parse(capture(body))


def test_all_captured_weeks_parse_with_rows_as_counted_apart() -> None:
    files = captured()
    seen, counts = Counter[str](), Counter[str]()
    for path in files:
        found = parse(capture(path.read_bytes()))
        models = json.loads(path.read_bytes())["models"]
        paid = [m for m in models if not m["is_free"] and not m["slug"].endswith(":free")]
        split = [
            m
            for m in paid
            if abs(m["prompt_tokens"] + m["completion_tokens"] - m["total_tokens"])
            <= m["total_tokens"] / 100
        ]
        assert found.volumes.height == len(paid) + 4 * len(split)
        seen.update(found.rejections["reason"].to_list())
        counts.update(models=len(models), split=len(split), paid=len(paid))
    assert len(files) == 26
    assert counts == {"models": 247, "paid": 220, "split": 203}
    assert seen == {"FREE_VARIANT": 27, "PART_MISSING": 17}


def test_the_first_and_the_last_week_have_no_split_that_belongs_to_them() -> None:
    for path in (captured()[0], captured()[-1]):
        found = parse(capture(path.read_bytes()))
        assert found.rejections.filter(reason="PART_MISSING").height >= 8
