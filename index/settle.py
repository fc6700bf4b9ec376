"""``spotfix settle``: what a contract would settle at, with every day of its working."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.app import JsonOption, OutOption, day_of, screen_of, settings_of
from index.revise_cli import CosignOption, KeyOption, SignatureOption, StatementOption
from methodology.errors import UsageError

if TYPE_CHECKING:
    from index.daily_values import Series
    from index.terminal import Screen
    from methodology.calendars import Lists
    from methodology.contracts import Contract

Row = dict[str, Any]


def settle(
    contract: Annotated[
        str | None, typer.Argument(metavar="CONTRACT", help="A template; --list names them.")
    ] = None,
    month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help="The delivery month.")
    ] = None,
    week: Annotated[
        str | None, typer.Option("--week", metavar="YYYY-Www", help="Event: the ISO week.")
    ] = None,
    day: Annotated[
        str | None, typer.Option("--day", metavar="DAY", help="Event: the determination day.")
    ] = None,
    strike: Annotated[
        str | None, typer.Option("--strike", metavar="PRICE", help="Event: the strike.")
    ] = None,
    index_id: Annotated[
        str | None,
        typer.Option("--index", metavar="INDEX", help="Another index that the contract names."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="DAY", help="Last day that is over; default: by the clock."
        ),
    ] = None,
    use_back_cast: Annotated[
        bool, typer.Option("--back-cast", help="Illustrate with back-cast values; settles nothing.")
    ] = False,
    values: Annotated[
        Path | None,
        typer.Option("--values", metavar="FILE", help="CSV date,value[,level] instead of a log."),
    ] = None,
    calendar: Annotated[
        str | None,
        typer.Option("--calendar", metavar="NAME", help="With --values: another calendar, or CAL."),
    ] = None,
    tick: Annotated[
        str | None, typer.Option("--tick", metavar="STEP", help="With --values: another tick.")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Name the templates.")] = False,
    is_correction: Annotated[
        bool, typer.Option("--correct", help="Make a published price again (rulebook 17.7).")
    ] = False,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="With --correct: what was wrong; public."),
    ] = None,
    key: KeyOption = None,
    cosign: CosignOption = None,
    signature: SignatureOption = None,
    statement: StatementOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --correct: show it, change nothing.")
    ] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Settle a contract: the price of a month, day by day.

    With --correct a price that the program got wrong is made again from the same fixings, until
    18:00 of the day on which it was due; two officers sign. No price can be given. Exit code 0
    corrected, 13 the time for corrections is over, 14 nothing changes.

    \b
    Example:
      spotfix settle --list
      spotfix settle H100-MEAN-BUSINESS --month 2026-08
      spotfix settle TKX-CN-LAST-3 --month 2026-10 --back-cast
      spotfix settle H100-WEEK-ABOVE --week 2026-W34 --strike 3.20
      spotfix settle H100-MEAN-CALENDAR --month 2026-05 --values daily.csv
      spotfix settle H100-MEAN-CALENDAR --month 2026-11 --correct --dry-run \\
          --reason "rounded at the wrong tick"
      spotfix settle H100-MEAN-CALENDAR --month 2026-11 --correct \\
          --reason "rounded at the wrong tick" --key a.pem --cosign b.pem
    """
    from index import daily_values, settling
    from methodology.contracts import load_contracts

    screen = screen_of(as_json)
    known = load_contracts()
    if show_list:
        rows = [_listed(one) for one in known.values()]
        screen.json(rows) if as_json else _print_list(screen, rows)
        return
    chosen = _contract(contract, known)
    if (calendar or tick) and values is None:
        raise UsageError("--calendar and --tick go with --values; a contract's own are frozen")
    if values is not None and (use_back_cast or index_id):
        raise UsageError("--values stands alone: without --back-cast and --index")
    when = _when(chosen, month, week, day, strike)
    signing = (reason, key, cosign, signature, statement, dry_run or None)
    if is_correction:
        if reason is None or values or use_back_cast or index_id or as_of:
            raise UsageError("--correct needs --month and --reason; no value can be given")
        from index import settle_correct

        wish = settle_correct.Wish(reason, (key, cosign), signature or (), statement, dry_run)
        found = settle_correct.correct(settings_of(out=out), chosen, when, wish)
        screen.json(found) if as_json else settle_correct.show(screen, found, statement)
        raise typer.Exit(found["exit_code"])
    if any(one is not None for one in signing):
        raise UsageError("--reason, --dry-run and what is signed go with --correct")
    step, lists = _tick(tick), None
    if values is not None:
        series = daily_values.from_file(values, chosen, day_of(as_of, "--as-of"))
    else:
        last = day_of(as_of, "--as-of")
        series, lists = _from_ledger(chosen, index_id, last, use_back_cast, out)
    if chosen.kind == "average":
        told = settling.price(chosen, when, series, calendar=calendar, tick=step, lists=lists)
        screen.json(told) if as_json else _print_price(screen, told)
        if series.origin == "published" and not told["count"]:
            screen.say("no day of this month counts; --back-cast illustrates, where there is one")
    else:
        told = settling.answer(chosen, when, strike or "", series, lists)
        screen.json(told) if as_json else _print_answer(screen, told)


def _contract(name: str | None, known: dict[str, Contract]) -> Contract:
    if name is None:
        raise UsageError(f"name a contract: {', '.join(known)}; `spotfix settle --list` tells more")
    for one in known.values():
        if one.id.casefold() == name.casefold():
            return one
    raise UsageError(f"no contract {name!r}; there are {', '.join(known)}")


def _when(
    contract: Contract, month: str | None, week: str | None, day: str | None, strike: str | None
) -> date:
    """Return the first of the month, or the determination day of an event.

    Raises:
        UsageError: what the contract needs is missing, what it cannot use is there, or not a date.
    """
    if contract.kind == "average":
        if month is None or week or day or strike:
            raise UsageError(f"{contract.id} averages a month: give --month and nothing else")
        try:
            return date.fromisoformat(f"{month}-01")
        except ValueError:
            raise UsageError(f"--month {month!r} is not a month; write it like 2026-08") from None
    if month or (week is None) == (day is None) or strike is None:
        raise UsageError(f"{contract.id} is an event: give --strike, and --week or --day")
    if day is not None:
        return day_of(day, "--day") or date.min
    from methodology.contracts import WEEKDAYS

    year, mark, number = (week or "").partition("-W")
    try:
        if not mark or contract.event is None:
            raise ValueError
        weekday = WEEKDAYS.index(contract.event.weekday) + 1
        return date.fromisocalendar(int(year), int(number), weekday)
    except ValueError:
        raise UsageError(f"--week {week!r} is not an ISO week; write it like 2026-W34") from None


def _tick(text: str | None) -> Fraction | None:
    from methodology.errors import PriceError
    from methodology.units import exact

    if text is None:
        return None
    try:
        found = exact(text)
    except PriceError as error:
        raise UsageError(f"--tick {error}; write it like 0.001") from None
    if not found:
        raise UsageError("--tick 0: a tick is above zero")
    return found


def _from_ledger(
    contract: Contract,
    wanted: str | None,
    as_of: date | None,
    use_back_cast: bool,
    out: Path | None,
) -> tuple[Series, Lists]:
    """Return the daily values, and the lists of sessions that hold in the log."""
    from index import calendar_records, daily_values, schedule
    from index.reading import definitions_by_id, open_ledger

    index_id = daily_values.chosen_index(contract, wanted)
    ledger = open_ledger(settings_of(out=out))
    lists = calendar_records.in_force(ledger.published, ledger.batches)
    if use_back_cast:
        return daily_values.back_cast(ledger, contract, wanted, as_of), lists
    session = definitions_by_id()[index_id].session
    closed = daily_values.last_closed(session, schedule.utc_now())
    if as_of is not None and as_of > closed:
        raise UsageError(f"--as-of {as_of} is not over; the last day that is over is {closed}")
    return daily_values.published(ledger, contract, index_id, as_of or closed), lists


# What a person sees -----------------------------------------------------------------------------


def _listed(one: Contract) -> Row:
    from methodology.settlement import ticks_text

    rule, size = one.averaging, one.size
    return {
        "id": one.id,
        "version": one.version,
        "digest": f"sha256:{one.digest}",
        "title": one.title,
        "kind": one.kind,
        "label": one.label,
        "settles_on": one.settles_on,
        "indicative_on": list(one.indicative_on),
        "days": rule.days if rule else None,
        "k": rule.k if rule else None,
        "calendar": rule.calendar if rule else None,
        "tick": ticks_text(1, rule.tick) if rule else None,
        "size": f"{size.quantity or 'UTC hours of the month,'} {size.unit}" if size else None,
    }


def _print_list(screen: Screen, rows: list[Row]) -> None:
    from index.terminal import table

    columns = [("contract", "<"), ("label", "<"), ("days", "<"), ("tick", ">"), ("size", "<")]
    cells = [
        [
            r["id"], r["label"],
            "event" if r["days"] is None
            else f"{r['days']} {r['k'] or ''} {r['calendar']}".replace("  ", " ")
            if r["days"] != "CAL" else "CAL",
            r["tick"] or "", r["size"] or "", r["title"],
        ]
        for r in rows
    ]  # fmt: skip
    screen.grid(table([*columns, ("", "~")], cells))


BASES = {
    "settlement": "",
    "indicative": "INDICATIVE: not fit to settle",
    "illustration": "ILLUSTRATION: settles nothing",
}


def _heading(screen: Screen, told: Row, period: str) -> None:
    from index.terminal import DIM, HEAD, WARN

    screen.line((told["rule_id"], HEAD), f"  {told['title']}", (f"   {period}", DIM))
    source = told["index_id"] or "a file of values"
    screen.pair("values", f"{source}, {told['origin']}", (f"   as of {told['as_of']}", DIM))
    if told["label"] == "reference":
        screen.pair("label", ("REFERENCE template: never a settlement price", WARN))
    if told["basis"] != "settlement":
        because = ", ".join(told["unfit_because"])
        text = BASES[told["basis"]] + (f" ({because})" if because else "")
        screen.pair("worth", (text, WARN))


def _print_days(screen: Screen, rows: list[Row]) -> None:
    from rich.text import Text

    from index.terminal import GOOD, WARN, table

    columns = [
        ("day", "<"), ("value", ">"), ("rev", ">"), ("level", "<"), ("counted", "<"),
        ("state", "<"), ("seq", ">"), ("why", "~"),
    ]  # fmt: skip
    cells = [
        [
            r["date"], r["value"] or "—",
            "" if r["revision"] is None else f"r{r['revision']}", r["level"] or "",
            Text("yes", GOOD) if r["is_counted"] else Text("no", WARN),
            r["state"], "" if r["seq"] is None else str(r["seq"]), r["why"],
        ]
        for r in rows
    ]  # fmt: skip
    screen.grid(table(columns, cells))


def _print_price(screen: Screen, told: Row) -> None:
    from index.terminal import BAD, DIM, GOOD, HEAD, WARN

    _heading(screen, told, told["period"])
    rule = told["pricing_days"]
    listed = f"{rule['calendar']} {rule['calendar_version'] or ''}".rstrip()
    last = f", last {rule['k']}" if rule["k"] else ""
    span = f"{rule['days']} days, {rule['first']} to {rule['last']}"
    screen.pair("pricing days", f"{span}   list {listed}{last}")
    screen.line()
    _print_days(screen, told["days"])
    if told["looked_back"]:
        screen.line()
        screen.line(("  look-back, the latest first (17.5)", DIM))
        _print_days(screen, told["looked_back"])
    screen.line()
    mean = told["mean"]
    if mean:
        ratio = f"{mean['numerator']}/{mean['denominator']}"
        screen.pair(
            "mean", f"{told['sum']} / {told['count']} = {mean['text']}", (f"   {ratio}", DIM)
        )
    style = {"FINAL": GOOD, "RUNNING": WARN, "FSP_FAIL": BAD}[told["status"]]
    if told["status"] == "FINAL":
        size = told["size"]
        is_price = told["settlement_eligible"]
        name = "price" if is_price else told["basis"]
        screen.pair(
            name, (told["value"], HEAD), f" {told['unit']}", (f"   tick {told['tick']}", DIM)
        )
        worth = f"{told['value']} x {size['quantity']} {size['unit']} = {told['contract_value']}"
        screen.pair("one contract", f"{worth} {told['currency']}")
    screen.pair("status", (told["status"], style), _reason(told))
    meter = told["meter"]
    over, left = meter["days_fixed"], meter["days_left"]
    screen.pair(
        "meter",
        f"{over} of {over + left} days over, {left} left   "
        f"{meter['days_counted']} counted, {meter['days_lost']} lost   "
        f"locked {meter['locked_sum']}",
    )
    if told["status"] == "RUNNING" and mean:
        screen.pair("so far", f"{told['mean_as_it_stands']} {told['unit']}; it predicts nothing")
    _print_publication(screen, told)


def _reason(told: Row) -> str:
    wanted, counted = told["pricing_days"]["days"], told["count"]
    if told["failure"] == "TOO_FEW_DAYS":
        share = Fraction(told["missing"]["accept_share"])
        need = max(1, -(-share.numerator * wanted // share.denominator))
        return f"   {counted} of {wanted} days count, {need} are needed (17.6)"
    if told["failure"] == "LAST_DAY_MISSING":
        return "   the last pricing day does not count (17.6)"
    return ""


def _print_answer(screen: Screen, told: Row) -> None:
    from index.terminal import DIM, HEAD

    _heading(screen, told, told["determined_on"])
    screen.line()
    _print_days(screen, told["days"])
    screen.line()
    if told["value"] is not None:
        screen.pair("question", f"{told['value']} > {told['strike']} {told['unit']}")
    else:
        screen.pair("question", f"value > {told['strike']} {told['unit']}")
    equal = told["value"] == told["strike"]
    screen.pair("answer", (told["answer"], HEAD), ("   equal is not greater" * equal, DIM))
    _print_publication(screen, told)


def _print_publication(screen: Screen, told: Row) -> None:
    from index.terminal import DIM

    plan, after = told["publication"], told["fallback"]
    on = plan["on"] or f"the first session past the end of the {plan['calendar']} list"
    times = f"{plan['time']}, corrections until {plan['corrections_until']}"
    screen.pair("published", f"{on} {times}", (f"   {plan['zone']}, {plan['calendar']}", DIM))
    if told.get("status") == "FSP_FAIL" or told.get("answer") == "NO_DETERMINATION":
        screen.pair("fallback", f"{after['text']} ({after['clause']})")
