"""Tables out of pages: what a reader sees is what is read, and nothing that is not understood."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.base import Capture
from collectors.pages import (
    Money,
    Table,
    clean,
    html_tables,
    known_table,
    markdown_tables,
    money,
    moneys,
    without_marks,
)
from methodology.errors import ParseError, PriceError

PAYLOADS = Path(
    os.environ.get("SPOTFIX_PAYLOADS") or Path(__file__).parents[2] / "shared" / "payloads"
)


def page(text: str | bytes) -> Capture:
    body = text.encode() if isinstance(text, str) else text
    return Capture("a_page", "https://example.org/p", body, datetime(2026, 11, 20, tzinfo=UTC))


def only(text: str) -> Table:
    (table,) = html_tables(page(text))
    return table


@pytest.mark.parametrize(
    ("inside", "read"),
    [
        ("$3", "$3"),
        ("<span>$</span><b>3</b>", "$3"),
        ("<del>$3</del> $2", "$2"),
        ("<s>$3</s>$2", "$2"),
        ("<strike><b>$3</b></strike> $2", "$2"),
        ('<span style="color:red; Text-Decoration: line-through">$3</span> $2', "$2"),
        ('<span class="old line-through">$3</span> $2', "$2"),
        ('<span class="hidden">$3</span> $2', "$2"),
        ('<span class="hidden md:inline">$3</span>', "$3"),
        ('<span class="invisible">$3</span> $2', "$2"),
        ('<span style="opacity: 0">$3</span> $2', "$2"),
        ('<span style="opacity: 0.8">$3</span>', "$3"),
        ('<span style="font-size:0px; color:red">$3</span> $2', "$2"),
        ('<span style="display : none">$3</span>$2', "$2"),
        ('<span hidden>$3</span>$2<script>"$1"</script>', "$2"),
        ("$3<br>$2", "$3 $2"),
        ("<p>$3</p><p>$2</p>", "$3 $2"),
        ("$3&nbsp;/\u2009MTok", "$3 / MTok"),
        ("$3\u200b.\ufeff5", "$3.5"),
        ("$\u202e5.31", "$\ufffd5.31"),
        ("model<sup>(1)</sup>", "model"),
        ("$3 <sup>1</sup>", "$3"),
        ("$3<sup>1</sup>", "$3^1"),
        ("10<sup>6</sup> tokens", "10^6 tokens"),
        ("a<table><tr><td>b</table>c", "a c"),
    ],
)
def test_a_cell_is_what_a_reader_sees(inside: str, read: str) -> None:
    (table, *_) = html_tables(page(f"<table><tr><th>h<tr><td>{inside}</td></tr></table>"))
    assert table.rows == ((read,),)


def test_spans_stand_in_every_row_and_column_they_cover() -> None:
    table = only(
        "<table><tr><td colspan=2>Model</td><td>a</td><td>b</td></tr>"
        "<tr><td rowspan=3>Price</td><td rowspan='2'>in</td><td>1</td><td>2</td></tr>"
        "<tr><td colspan=2>3</td></tr>"
        "<tr><td>out</td><td>4</td><td rowspan=9>5</td></tr></table>"
    )
    assert table.header == ("Model", "Model", "a", "b")
    assert table.rows == (
        ("Price", "in", "1", "2"),
        ("Price", "in", "3", "3"),
        ("Price", "out", "4", "5"),
    )


def test_a_short_row_stays_short() -> None:
    assert only("<table><tr><td>a<td>b<tr><td>1</table>").rows == (("1",),)


def test_headings_above_a_table_are_its_path() -> None:
    tables = html_tables(
        page(
            "<h1>Pricing</h1><h2>Models</h2><h4>Old <em>ones</em></h4><table><tr><td>a</table>"
            "<h3>Batch</h3><div><table><caption>USD</caption><tr><td>b</table></div>"
            "<h2>Tools</h2><table><tr><td>c</table>"
        )
    )
    assert [table.headings for table in tables] == [
        ("Pricing", "Models", "Old ones"),
        ("Pricing", "Models", "Batch", "USD"),
        ("Pricing", "Tools"),
    ]


@pytest.mark.parametrize(
    ("body", "header", "rows"),
    [
        ("<thead><tr><td>a</thead><tr><th>1", ("a",), (("1",),)),
        ("<tr><th>a<th>b<tr><th>x<td>1", ("a", "b"), (("x", "1"),)),
        (
            "<tr><th rowspan=2>Model<th colspan=2>Short<tr><th>In<th>Out<tr><td>m<td>1<td>2",
            ("Model", "Short | In", "Short | Out"),
            (("m", "1", "2"),),
        ),
        ("<tr><td>a<tr><td>1", ("a",), (("1",),)),
        ("<tr><th>a<tr><th>1", ("a",), (("1",),)),
    ],
    ids=["thead", "a row of th", "two rows of heads", "plain cells", "nothing but th"],
)
def test_the_head_of_a_table(body: str, header: object, rows: object) -> None:
    table = only(f"<table>{body}</table>")
    assert (table.header, table.rows) == (header, rows)


def test_hidden_and_struck_tables_are_not_read_and_nested_ones_are_their_own() -> None:
    inner = "<table><tr><td>inner</table>"
    tables = html_tables(
        page(
            f"<div hidden>{inner}</div><del>{inner}</del><template>{inner}</template>"
            f"<!-- {inner} --><table></table><table><tr><td>outer {inner}</table>"
        )
    )
    assert [table.header for table in tables] == [("outer",), ("inner",)]


@pytest.mark.parametrize(
    "body",
    [
        "<td colspan=1000000000>x",
        "<td rowspan=0>x",
        "<td colspan=-1>x",
        "<td colspan=\u0663>x",
        "<td colspan=''>x",
        "<td rowspan=200 colspan=200>x<td rowspan=200 colspan=200>x",
        "<td>" + "x" * 8001,
        "<td>x" * 50_001,
        "<td>a<td rowspan=2>b<tr><td colspan=2>c",
        "<div>" * 40_001,
    ],
    ids=[
        *("a colspan of a thousand million", "rowspan 0", "a negative span", "Arabic digits"),
        *("an empty span", "spans that multiply", "a cell without end", "too many cells"),
        *("overlapping cells", "too many tags"),
    ],
)
def test_a_hostile_page_is_refused(body: str) -> None:
    with pytest.raises(ParseError, match="SHAPE"):
        html_tables(page(f"<table><tr>{body}"))


def test_a_page_that_is_no_text_is_refused() -> None:
    for read in (html_tables, markdown_tables):
        with pytest.raises(ParseError, match="NOT_TEXT"):
            read(page(b"<table>\xff\xfe"))


def test_a_markdown_table() -> None:
    (table,) = markdown_tables(
        page(
            "\ufeff# Pricing\n## Old\n### a\n## Model `x` pricing ##\n\nwords | words\n\n"
            "| Model | In \\| hit |Out|\n|:--|---:|:-:|\n"
            "| **Opus** ([old](/docs/a_(b))) | `$3` | ~~$9~~ $8[^1] |\n"
            "| gpt_4_x | $3 / MTok<sup>(1)</sup> | <del>$9</del>&nbsp;$8 |\n"
            "| *a* | |\n\n| not | a table |\n"
        )
    )
    assert table.headings == ("Pricing", "Model x pricing")
    assert table.header == ("Model", "In | hit", "Out")
    assert table.rows == (
        ("Opus (old)", "$3", "$8"),
        ("gpt_4_x", "$3 / MTok", "$8"),
        ("a", ""),
    )


@pytest.mark.parametrize(
    "text",
    [
        "```\n|a|\n|-|\n|1|\n```",
        "~~~md\n|a|\n|-|\n~~~\n",
        "<!--\n|a|\n|-|\n|1|\n-->",
        "<!-- |a|\n|-|\n|1|\n",
        "|a|b|\n|-|\n|1|2|",
        "|a|",
        "",
    ],
    ids=[
        *("fenced", "fenced with tildes", "commented out", "an open comment"),
        *("a ruler of another width", "a head alone", "nothing"),
    ],
)
def test_what_is_no_markdown_table(text: str) -> None:
    assert markdown_tables(page(text)) == []


def test_comparisons_in_markdown_cells_survive() -> None:
    (table,) = markdown_tables(page("| ≤ 200K | < 200K | a <= b | a > b & c |\n|-|-|-|-|\n"))
    assert table.header == ("≤ 200K", "< 200K", "a <= b", "a > b & c")


def test_hostile_markdown_is_refused() -> None:
    for body in ("|a|\n|-|\n" + "|1|1|1|1|1|\n" * 10_001, "|a|\n|-|\n|" + "x" * 9000 + "|"):
        with pytest.raises(ParseError, match="SHAPE"):
            markdown_tables(page(body))


TABLES = [
    Table(("Pricing", "Models"), ("Model", "Input (1)", "Output"), (("a", "1", "2"),)),
    Table(("Pricing", "Batch"), ("Model", "Input", "Output"), (("a", "3", "4"),)),
]


def test_the_known_table_is_found_by_head_and_heading() -> None:
    head = ("MODEL", " input ", "Output")
    assert known_table(page(""), TABLES, header=head, under="batch").rows == (("a", "3", "4"),)
    assert known_table(page(""), TABLES, header=("Model", ...), under="Models").rows[0][1] == "1"


@pytest.mark.parametrize(
    ("header", "under"),
    [
        (("Model", "Input", "Output"), None),
        (("Model", "Input"), "Models"),
        (("Model", "Output", "Input"), "Models"),
        (("Model", "Input", "Output", "Cache"), "Models"),
        (("Model", "Input", "Output"), "Model"),
        ((...,), "Fine tuning"),
    ],
    ids=[
        *("two fit", "a column more", "columns in another order", "a column less"),
        *("a heading that only begins so", "no such heading"),
    ],
)
def test_a_page_with_another_table_is_refused_by_name(header: tuple[str], under: str) -> None:
    with pytest.raises(ParseError, match="TABLE_CHANGED") as caught:
        known_table(page(""), TABLES, header=header, under=under)
    assert "Models: ['Model', 'Input (1)', 'Output']" in caught.value.detail
    assert under is None or repr(under) in caught.value.detail


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("$3 / MTok", ("3", "USD", "per_mtok")),
        ("$0.30", ("0.30", "USD", None)),
        ("US$ 3 per 1M tokens", ("3", "USD", "per_mtok")),
        ("0.8元", ("0.8", "CNY", None)),
        ("¥2/百万tokens", ("2", "CNY", "per_mtok")),
        ("￥2 / 百万 Tokens", ("2", "CNY", "per_mtok")),
        ("0.004元/千tokens", ("0.004", "CNY", "per_ktok")),
        ("3 USD", ("3", "USD", None)),
        ("€0.90", ("0.90", "EUR", None)),
    ],
)
def test_a_price_of_a_page(text: str, read: tuple[str, str, str | None]) -> None:
    assert money(text) == Money(*read)


@pytest.mark.parametrize("text", ["", "-", "–", "—", "N/A", "不支持"])
def test_a_cell_that_says_there_is_no_price(text: str) -> None:
    assert money(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("免费", "FREE_OFFER"),
        ("Free of charge", "FREE_OFFER"),
        ("$0.00", "FREE_OFFER"),
        ("$3 $2", "TWO_PRICES"),
        ("$3$2", "TWO_PRICES"),
        ("0.8元 / 0.4元", "TWO_PRICES"),
        ("$1.25 (<= 200k) $2.50 (> 200k)", "TWO_PRICES"),
        ("$3 / hour", "UNKNOWN_UNIT"),
        ("$1,000", "NOT_A_NUMBER"),
        ("$3^1", "NOT_A_NUMBER"),
        ("$3¹", "NOT_A_NUMBER"),
        ("$3.", "NOT_A_NUMBER"),
        ("$03", "NOT_A_NUMBER"),
        ("$-3", "NOT_A_NUMBER"),
        ("$3-5", "NOT_A_NUMBER"),
        ("$3e2", "NOT_A_NUMBER"),
        ("from $3", "NOT_A_NUMBER"),
        ("A$3", "NOT_A_NUMBER"),
        ("HK$3", "NOT_A_NUMBER"),
        ("3", "NOT_A_NUMBER"),
        ("$٣", "NOT_A_NUMBER"),
        ("$\ufffd5.31", "NOT_A_NUMBER"),
    ],
)
def test_what_is_no_price(text: str, reason: str) -> None:
    with pytest.raises(PriceError) as caught:
        money(text)
    assert caught.value.reason == reason


def test_prices_with_their_words() -> None:
    text = "$1.25, prompts <= 200k tokens $2.50, prompts > 200k tokens"
    assert moneys(text) == [
        (Money("1.25", "USD", None), "prompts <= 200k tokens"),
        (Money("2.50", "USD", None), "prompts > 200k tokens"),
    ]
    assert moneys("$0.30 (text) 0.4元") == [
        (Money("0.30", "USD", None), "(text)"),
        (Money("0.4", "CNY", None), ""),
    ]


@pytest.mark.parametrize("text", ["", "no price", "was $3 now $2", "$3 A$2", "$3 $1,000", "$3²"])
def test_a_list_of_prices_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(PriceError, match="NOT_A_NUMBER"):
        moneys(text)


def test_blanks_and_marks() -> None:
    assert clean(" a\u00a0\u3000b\u200dc\n") == "a bc"
    assert without_marks("价格(3)") == "价格"
    assert without_marks("$3 \u00b2") == without_marks("$3 / MTok\u00b2")[:2] == "$3"
    assert without_marks("$3\u00b2") == "$3\u00b2"  # a footnote or an exponent
    assert without_marks("$3\u00b9\u00b2") == "$3\u00b9\u00b2"
    assert without_marks("deepseek-flash \uff081\uff09 [2]*") == "deepseek-flash"
    assert without_marks("Sonnet 4 (deprecated)") == "Sonnet 4 (deprecated)"
    assert without_marks("v3(324)") == "v3(324)"


def test_a_price_page_as_it_was_clipped() -> None:
    body = PAYLOADS / "tokens" / "official_pages" / "deepseek_zh_2026-08-01.md"
    if not body.exists():
        pytest.skip("the recorded bodies are not at hand (SPOTFIX_PAYLOADS)")
    (table,) = html_tables(page(body.read_bytes()))
    assert table.header == ("模型", "模型", "deepseek-v4-flash", "deepseek-v4-pro")
    assert table.rows[-2] == ("价格", "百万tokens输出", "2元", "6元")


def test_a_zero_byte_that_a_browser_passes_over_refuses_the_page() -> None:
    with pytest.raises(ParseError) as caught:
        html_tables(page("<table><tr><th>a</th></tr><tr><td>$9.\x0000</td></tr></table>"))
    assert caught.value.reason == "NOT_TEXT"


@pytest.mark.parametrize("figure", ["9" * 5000, "0." + "0" * 60 + "1"], ids=["long", "tiny"])
def test_a_figure_with_more_digits_than_a_price_is_none(figure: str) -> None:
    with pytest.raises(PriceError) as caught:
        money(f"${figure}")
    assert caught.value.reason == "NOT_A_NUMBER"
    assert len(str(caught.value)) < 300
