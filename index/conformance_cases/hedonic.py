"""Time-dummy hedonic regressions (TV10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from index.conformance_cases.sheet import NotUnderstood, Sheet, by_column
from index.conformance_cases.tables import NAMES, column, number, ordered, rows_of
from methodology.bilateral import Floats
from methodology.quality_adjusted import Hedonic, time_dummy_hedonic

_TRUE = {"true", "yes", "t", "y", "open"}
_FALSE = {"false", "no", "f", "n", "closed"}
_SPENT: Final = ("expenditure", "spend", "spending", "revenue", "sales", "turnover", "value")
_WEIGHT: Final = ("weight", "w", "weights", "share", "expenditure_share", "exp_share", "s")
_LOG = re.compile(r"^(?:np\.)?(?:ln|log)[ _(]*(.*?)\)?$")


def hedonic(sheet: Sheet) -> None:
    """Check indices and coefficients of the regression of ln p on periods and characteristics."""
    sheet.each(_one)


def _one(sheet: Sheet, part: Mapping[str, Any], prefix: str) -> None:
    rows = rows_of(sheet, part)
    words = _words(part) + " " + _words(sheet.told)
    when = column(rows, "period")
    if when is None:
        raise NotUnderstood(f"no column for the period among {', '.join(rows[0])}")
    price = _price(rows)
    traits = _traits(rows, when, words, part, sheet.told)
    weights, weighting = _weights(rows, when, price, words)
    periods = ordered([r[when] for r in rows])
    if all(isinstance(p, float) and p.is_integer() for p in periods):
        periods = [int(p) for p in periods]
    fits: dict[str, Hedonic] = {}
    names = [n for n in part if n.startswith("expected") or n in ("coefficients", "index")]
    if part is sheet.told:
        sheet.take(
            *names, "characteristics", "covariates", "weights", "formula", "model", "n", "rows"
        )
    for path, told in _leaves({n: part[n] for n in names}):
        kind = "wls" if re.search(r"wls|weighted(?<!unweighted)", ".".join(path).lower()) else "ols"
        case = prefix + ".".join(path)
        if isinstance(told, str):
            continue
        if kind == "wls" and weights is None:
            sheet.unknown(case, told, "no column that weighs the rows")
            continue
        if kind not in fits:
            try:
                fits[kind] = time_dummy_hedonic(
                    periods, price, traits, weights if kind == "wls" else None
                )
            except ValueError as error:
                raise NotUnderstood(str(error)) from None
        note = f"{kind.upper()} of ln p on period, {', '.join(traits)}"
        _check(sheet, case, path, told, fits[kind], note + (f"; {weighting}" * (kind == "wls")))


_WORDS: Final = (
    "what",
    "formula",
    "model",
    "spec",
    "weights",
    "weighting",
    "wls_weights",
    "conventions",
    "convention",
    "how",
    "note",
    "rule",
    "regression",
    "input",
)


def _words(part: Mapping[str, Any]) -> str:
    """Return what a vector says of its regression, as one text."""
    return " ".join(str(part[n]) for n in _WORDS if isinstance(part.get(n), str | Mapping))


def _price(rows: Sequence[Mapping[str, Any]]) -> Floats:
    name = column(rows, "price")
    if name is not None:
        return np.array([_need(r[name], name) for r in rows])
    for logged in ("ln_p", "log_p", "ln_price", "log_price", "lnp"):
        if logged in rows[0]:
            made: Floats = np.exp(np.array([_need(r[logged], logged) for r in rows]))
            return made
    raise NotUnderstood(f"no column for the price among {', '.join(rows[0])}")


def _need(cell: Any, name: str) -> float:
    value = _trait(cell)
    if value is None:
        raise NotUnderstood(f"column {name}: {cell!r} is not a number")
    return value


def _trait(cell: Any) -> float | None:
    if isinstance(cell, bool):
        return float(cell)
    text = str(cell).strip().lower()
    return 1.0 if text in _TRUE else 0.0 if text in _FALSE else number(cell)


def _traits(
    rows: Sequence[Mapping[str, Any]],
    when: str,
    words: str,
    part: Mapping[str, Any],
    told: Mapping[str, Any],
) -> dict[str, Floats]:
    """Return the characteristics as they enter: those the file's words name, else all."""
    columns = {c.lower(): c for c in rows[0]}
    terms = part.get("characteristics", told.get("characteristics", told.get("covariates")))
    if not isinstance(terms, list):
        terms = _terms(words, columns, when)
    found: dict[str, Floats] = {}
    for term in terms or _all(rows, when):
        name, is_logged = _column_of(str(term).strip().lower(), columns)
        if not name:
            raise NotUnderstood(f"characteristic {term!r} is no column among {', '.join(rows[0])}")
        values = np.array([_need(r[name], name) for r in rows])
        found[f"ln_{name}" if is_logged else name] = np.log(values) if is_logged else values
    return found


def _column_of(term: str, columns: Mapping[str, str]) -> tuple[str, bool]:
    """Return the column of a term such as ``ln(context)``, and whether it is still to be logged.

    The column is empty when there is none.
    """
    inner = _LOG.match(term)
    bare = (inner[1] if inner else term).strip(" _()").replace(" ", "_")
    logged = [f"{log}_{bare}" for log in ("ln", "log")] if inner else []
    for name in (term, term.replace(" ", "_"), *logged):
        if name in columns:
            return columns[name], False
    longer = [column for name, column in columns.items() if name.startswith(bare + "_")]
    found = columns.get(bare, longer[0] if len(longer) == 1 else "")
    return found, inner is not None


def _terms(words: str, columns: Mapping[str, str], when: str) -> list[str]:
    """Return the terms of a formula ``ln p ~ ...`` or of a text ``ln p on period, ...``."""
    found = re.search(r"~([^;:.]*?(?:\([^)]*\)[^;:.]*?)*)(?:[;.]|$)", words) or re.search(
        r"(?:\bp|price\)?) on ((?:[^;.:()]|\b(?:ln|log)\([^)]*\))*)", words
    )
    if not found:
        return []
    terms = [one.strip() for one in re.split(r"[+,]|\band\b", found[1])]
    kept = []
    for term in terms:
        plain = re.sub(r"^(?:factor|c|as\.factor)\((.*)\)$", r"\1", term.lower())
        if plain in ("", "1", "0", when.lower()) or re.search(r"period|dumm|\btime\b|month", plain):
            continue
        if not _column_of(plain, columns)[0]:
            return []
        kept.append(plain)
    return kept


def _all(rows: Sequence[Mapping[str, Any]], when: str) -> list[str]:
    """Return every column of numbers that is no period, good, price, quantity or weight."""
    skip = {when.lower(), *NAMES["product"], *NAMES["price"], *NAMES["quantity"], *_WEIGHT, *_SPENT}
    skip |= {"ln_p", "log_p", "ln_price", "log_price", "lnp", "developer", "provider"}
    found = []
    for name in rows[0]:
        cells = [_trait(r[name]) for r in rows]
        if name.lower() in skip or any(c is None for c in cells):
            continue
        is_size = (
            name.lower().startswith(("context", "ctx"))
            and min(c for c in cells if c is not None) > 0
        )
        found.append(f"ln({name})" if is_size else name)
    return found


def _weights(
    rows: Sequence[Mapping[str, Any]], when: str, price: Floats, words: str
) -> tuple[Floats | None, str]:
    """Return the weights of the weighted fit, and in words what they are."""
    columns = {c.lower(): c for c in rows[0]}
    own = next((columns[c] for c in _WEIGHT if c in columns), None)
    spent = next((columns[c] for c in _SPENT if c in columns), None)
    sold = next((columns[c] for c in NAMES["quantity"] if c in columns), None)
    name = own or spent or sold
    if name is None:
        return None, ""
    base = np.array([_need(r[name], name) for r in rows])
    says_share, says_raw = "share" in words.lower(), "raw" in words.lower()
    if own is None and spent is None:
        if re.search(r"weights?\W+(?:are |= ?|by )?(?:the )?quantit", words.lower()):
            return base, f"weights = {name}"
        base, name = price * base, f"price times {name}"
    is_share = (own is None or says_share) and not says_raw and "share" not in name
    if own is None and spent is not None and not says_share:
        is_share = False
    if is_share:
        at = np.array([str(r[when]) for r in rows])
        total = {p: base[at == p].sum() for p in set(at)}
        return base / np.array([total[p] for p in at]), f"weights = share of {name} in the period"
    return base, f"weights = {name}"


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    tree = by_column(tree)
    if isinstance(tree, Mapping):
        values = list(tree.values())
        is_series = values and all(isinstance(v, int | Decimal | float) for v in values)
        if is_series and all(re.fullmatch(r"[pt]?\d+(-\d\d)*", str(k)) for k in tree):
            yield path, values
            return
        for name, value in tree.items():
            yield from _leaves(value, (*path, str(name)))
    else:
        yield path, tree


def _check(
    sheet: Sheet, case: str, path: tuple[str, ...], told: Any, fit: Hedonic, note: str
) -> None:
    text, last = " ".join(path).lower(), path[-1].lower()
    is_log = bool(re.search(r"coef|dumm|delta|param|gamma|log|(^|[ _])ln([ _]|$)", text))
    count = len(fit.periods)
    if isinstance(told, list):
        if is_log and "index" not in last:
            all_of = list(fit.coefficients.values())
            dummies = [0.0, *all_of[1:count]]
            table = {len(all_of): all_of, count: dummies, count - 1: dummies[1:]}
            if "dumm" in text or "delta" in text or "period" in last:
                table = {count: dummies, count - 1: dummies[1:]}
            got = table.get(len(told), dummies)
        else:
            scale = float(told[0]) if told and told[0] in (100, 1000) else 1.0
            index = [float(one) * scale for one in fit.index]
            got = index if len(told) != count - 1 else index[1:]
        sheet.check(case, told, got, note)
        return
    if re.fullmatch(r"r_?(2|sq|squared)|r\^2|rsquared", last):
        sheet.check(case, told, fit.r_squared, note)
        return
    if re.fullmatch(r"n|nobs|n_obs|rows|observations", last):
        return
    name = _coefficient(last, fit)
    if name is not None and re.search(r"(^|[ _.])(se|bse|std|stderr)", text):
        sheet.check(case, told, fit.errors[name], f"{note}; standard error of {name}")
        return
    if name is None:
        sheet.unknown(case, told, "no coefficient of this name is built here")
        return
    value = fit.coefficients[name]
    is_index = name.startswith("period_") and not is_log
    sheet.check(case, told, float(np.exp(value)) if is_index else value, f"{note}; {name}")


def _coefficient(name: str, fit: Hedonic) -> str | None:
    """Return which coefficient a field means, whatever software it was printed by."""
    if re.fullmatch(r"\(?intercept\)?|const(ant)?", name):
        return "intercept"
    plain = re.sub(r"true$|\[t\..*\]$", "", name)
    inner = _LOG.match(plain)
    bare = inner[1].strip(" _()") if inner else plain
    for known in fit.coefficients:
        low = known.lower()
        if low in (plain, bare, f"ln_{bare}") or low.removeprefix("ln_") == bare:
            return known
    found = re.search(r"(\d{4}-\d\d|\d+)\]?$", name)
    if found and re.search(r"period|factor|^[cdt]|delta|month|dummy", name):
        low = f"period_{found[1]}"
        return next((k for k in fit.coefficients if k == low), None)
    return None
