"""A live jump is confirmed by another path: a statement that is not the same one read twice."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from methodology import panels
from methodology.rights import Right, Rights, path_of

DAY = date(2026, 11, 20)


def right(source: str, path: str | None = None) -> Right:
    return Right(id=source, tier="E3", use=False, redistribute=True, path=path, right="facts",
                 reviewed=DAY, why="made for the test")  # fmt: skip


RIGHTS: Rights = {
    "api": right("api", "acme"),
    "page": right("page", "acme"),
    "mirror": right("mirror"),
}


def confirmed(*rows: tuple[str, str, int]) -> list[bool]:
    frame = pl.DataFrame(
        [(0, group, source, price, False, False) for group, source, price in rows],
        schema=["day", "group", "source", "price_nano", "is_official", "is_confirmed"],
        orient="row",
    )
    found = panels._confirmed_by_another(frame, RIGHTS)
    assert found.columns == frame.columns
    return found["is_confirmed"].to_list()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([("acme", "api", 2000)], [False], id="alone"),
        pytest.param(
            [("acme", "api", 2000), ("acme", "mirror", 2000)], [True, True], id="two paths"
        ),
        pytest.param(
            [("acme", "api", 2000), ("acme", "page", 2000)], [False, False],
            id="the API and the page of one seller are one statement",
        ),
        pytest.param(
            [("acme", "api", 2000), ("acme", "unlisted", 2000)], [True, True],
            id="a source without a line is its own path",
        ),
        pytest.param(
            [("acme", "api", 2000), ("other", "mirror", 2000)], [False, False],
            id="another seller's price confirms nothing",
        ),
        pytest.param(
            # 0.5% of 2000 is 10; of 1990 it is 9.95
            [("acme", "api", 2000), ("acme", "mirror", 1990)], [True, False], id="within 0.5%"
        ),
        pytest.param(
            [("acme", "api", 2000), ("acme", "mirror", 2011)], [False, False], id="beyond 0.5%"
        ),
    ],
)  # fmt: skip
def test_a_price_is_confirmed_on_another_path(
    rows: list[tuple[str, str, int]], expected: list[bool]
) -> None:
    assert confirmed(*rows) == expected


def test_a_source_is_its_own_path_unless_its_line_says_otherwise() -> None:
    assert [path_of(s, RIGHTS) for s in ("api", "page", "mirror", "nobody")] == [
        "acme", "acme", "mirror", "nobody",
    ]  # fmt: skip
