"""How one fixing looks to a person: value, band, panel, who was refused and why, proof."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rich.text import Text

from index import reading, words
from index.config import Settings
from index.publication.record import ratio_text
from index.reading import Row, family_of, nano
from index.terminal import DIM, HEAD, WARN, Screen, table


def fixing(screen: Screen, told: Row, settings: Settings, every: bool) -> None:
    """Print one fixing: value, band, panel, refused offers, flags, proof."""
    r = told["record"]
    screen.line((r["index_id"], HEAD), f"   {told['title']}")
    screen.line(
        (
            f"{r['label']}   {r['session']} {r['ref_date']}   revision {r['revision']} "
            f"{r['status']}   {r['waterfall']}   grade {r['grade']}",
            DIM,
        )
    )
    screen.line()
    if r["value"] is None:
        screen.pair("value", ("—  NO_FIX  ", WARN), r["no_fix_reason"] or "")
    else:
        moved = f"   {_signed(r['change_pct'])}% from {r['prev_value']}" if r["change_pct"] else ""
        screen.pair("value", (r["value"], HEAD), f" {r['unit']}", (moved, DIM))
    acts(screen, told["acts"])
    for one in r["alt"]:
        rate = f"   at {one['fx_rate']} ({one['fx_source']} {one['fx_date']})"
        screen.pair("", f"{one['value']} {one['currency']}", (rate, DIM))
    if r["level"] is not None and r["unit"] != "points":
        screen.pair("level", r["level"], (f"   {r['base_date']} = 1000", DIM))
    if r["loo_low"] is not None:
        screen.pair("band", f"{r['loo_low']} – {r['loo_high']}", ("   leaving one out", DIM))
    if r["p25"] is not None:
        screen.pair("p25–p75", f"{r['p25']} – {r['p75']}", (_spread(r), DIM))
    basis = words.say(r["volume_basis"] or "", words.BASES)
    version = f"   {r['basket_version']}" if r["basket_version"] else ""
    screen.pair("weights", basis, (version, DIM))
    _panel(screen, told, every)
    _refused(screen, told["refused"], every)
    _resistance(screen, told["resistance"], every)
    screen.line()
    screen.line(("Flags", HEAD))
    for code, means in told["flags"].items():
        screen.line(f"  {code:<21}", (means, DIM))
    _proof(screen, told, settings)


def acts(screen: Screen, rows: Sequence[Row]) -> None:
    """Print what officers decided about a fixing: restated from what, or wrong by how much, why."""
    for one in rows:
        moved = f"   {_signed(one['delta_pct'])}%" if one["delta_pct"] else ""
        if one["type"] == "restatement":
            before = one["before"] or "no value"
            screen.pair("restated", (f"from {before}", WARN), (moved, DIM), f"   {one['reason']}")
        else:
            after = one["after"] or "no value"
            said = f"should have been {after}" if one["is_determined"] else "not determined again"
            screen.pair("stands, wrong", (said, WARN), (moved, DIM), f"   {one['reason']}")
        who = " and ".join(one["signed_by"])
        screen.pair("", (f"signed by {who}, {one['at']}, record {one['record']}", DIM))


def _signed(text: str) -> str:
    return text if text.startswith("-") else f"+{text}"


def _spread(r: Row) -> str:
    return f"   all {r['min']} – {r['max']}   dispersion {r['dispersion']}"


def _panel(screen: Screen, told: Row, every: bool) -> None:
    rows, r = told["panel"], told["record"]
    family = family_of(r["index_id"])
    screen.line()
    facts = f"   {r['n_used']} of {r['n_collected']} prices count, {r['n_providers']} providers"
    if r["effective_n"]:
        facts += f", effective {r['effective_n']}, {r['weight_share']} of the weight"
    screen.line(("Panel", HEAD), (facts, DIM))
    if not rows:
        screen.line(("  nobody", WARN))
        return
    limit = None if every or family not in ("TKX", *reading.DERIVED) else 15
    if family == "TEX":
        columns = [("developer", "<"), ("prices", ">")]
        cells: list[list[str | Text]] = [[p["group"], str(p["prices"])] for p in rows]
    elif family in reading.DERIVED:
        columns = [
            ("input", "<"), ("price", ">"), ("times", ">"), ("weight %", ">"), ("status", "<"),
            ("source", "<"),
        ]  # fmt: skip
        cells = [
            [
                p["input"] or "", p["price"] or "—", p["quantity"] or "—", p["weight"] or "",
                _status(p), p["source"] or "",
            ]
            for p in rows[:limit]
        ]  # fmt: skip
    elif family == "TKX":
        columns = [
            ("model", "<"), ("developer", "<"), ("price", ">"), ("at link %", ">"),
            ("today %", ">"), ("status", "<"), ("source", "<"),
        ]  # fmt: skip
        cells = [
            [
                p["model"], p["developer"], p["price"] or "—", p["weight"] or "",
                p["share"] or "", _status(p), p["source"] or "",
            ]
            for p in rows[:limit]
        ]  # fmt: skip
    else:
        columns = [
            ("provider", "<"), ("price", ">"), ("weight %", ">"), ("counts %", ">"),
            ("status", "<"), ("listing", "~"), ("source", "<"),
        ]  # fmt: skip
        cells = [
            [
                p["group"], p["price"] or "—", p["weight"] or "", p["share"] or "", _status(p),
                p["listing_id"] or "", p["source"] or "",
            ]
            for p in rows
        ]  # fmt: skip
    screen.grid(table(columns, cells))
    if limit and len(rows) > limit:
        screen.line((f"  and {len(rows) - limit} more; --all lists them", DIM))


def _status(row: Row) -> Text:
    text = row["status"] + (f" {row['reason']}" if row["reason"] else "")
    return Text(text, "" if row["status"] == "OBSERVED" else WARN)


def _refused(screen: Screen, refused: Sequence[Row], every: bool) -> None:
    if not refused:
        return
    count = sum(one["count"] for one in refused)
    screen.line()
    hint = "" if every else "   --all lists their prices"
    screen.line(("Not counted", HEAD), (f"   {count} offers{hint}", DIM))
    for one in refused:
        screen.line(f"  {one['count']:>4}  {one['reason']}", (f"   {one['means']}", DIM))
        if every:
            columns = [("", "<"), ("", "<"), ("", "~"), ("", ">"), ("", "<")]
            cells = [
                [o["group"], o["provider"], o["listing_id"], o["quoted"] or "—", o["source"]]
                for o in one["offers"]
            ]
            made = table(columns, cells, indent=8)
            made.show_header = False
            screen.grid(made)
        else:
            names = ", ".join(dict.fromkeys(o["group"] for o in one["offers"]))
            made = table([("", "~")], [[Text(names, DIM)]], indent=8)
            made.show_header = False
            screen.grid(made)


NO_BOUND = "no bound"


def _resistance(screen: Screen, told: Row | None, every: bool) -> None:
    """Print what one seller could do to the value (rulebook 16); nothing where it is not stated."""
    if told is None or not told["groups"]:
        return
    rows = sorted(told["groups"], key=_own_influence)
    screen.line()
    screen.line(("Resistance", HEAD), ("   what one seller could do to this value", DIM))
    columns = [
        ("provider", "<"),
        (f"own price ±{_whole(told['own_move_pct'])} %", ">"),
        ("any price %", ">"),
        ("left out %", ">"),
    ]
    cells: list[list[str | Text]] = [
        [
            r["group"],
            f"{_short(r['own_down_pct'])} / {_short(r['own_up_pct'])}",
            NO_BOUND if r["is_unbounded"] else _short(r["any_price_pct"]),
            _short(r["left_out_pct"]),
        ]
        for r in (rows if every else rows[:3])
    ]
    screen.grid(table(columns, cells))
    if not every and len(rows) > 3:
        screen.line((f"  and {len(rows) - 3} more; --all lists them", DIM))
    for name, meaning, who in (
        ("mi1", "one, any price", told["mi1_group"]),
        ("mi2", "two together", ", ".join(told["mi2_groups"])),
    ):
        if who:
            far = NO_BOUND if told[f"{name}_is_unbounded"] else f"{_short(told[f'{name}_pct'])} %"
            screen.pair(meaning, far, (f"   {who}", DIM))
    if told["breakdown_groups"]:
        share = 100 * Fraction(told["breakdown_weight"])
        weight = ratio_text(share.numerator, share.denominator, 2)
        who = "group" if told["breakdown_groups"] == 1 else "groups together"
        screen.pair(
            "no bound from",
            f"{told['breakdown_groups']} {who}",
            (f"   {weight} % of the weight", DIM),
        )
    if told["cost_per_unit_min"]:
        screen.pair("cost", *_cost(told))
    if told["weights"]:
        w = told["weights"]
        band = (f"   width {_short(w['width_pct'], signed=False)} %", DIM)
        alarm = ("   beyond the limit", WARN) if w["weights_divergence"] else ""
        screen.pair("weightings", f"{w['low']} – {w['high']}", band, alarm)


def _own_influence(row: Row) -> tuple[Fraction, str]:
    moves = [abs(Fraction(row[f"own_{way}_pct"])) for way in ("up", "down")]
    return -max(moves), row["group"]


def _short(text: str | None, *, signed: bool = True) -> str:
    """Return a percentage with two places, a sign before it; a dash for none."""
    if text is None:
        return "—"
    value = Fraction(text)
    short = ratio_text(value.numerator, value.denominator, 2)
    return f"+{short}" if signed and value > 0 and short != "0.00" else short


def _whole(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _cost(told: Row) -> list[str | tuple[str, str]]:
    """Return the words for what a month of the target move costs and earns."""
    percent = ratio_text(told["target_bp"], 100, 2)
    each = nano(int(told["cost_per_unit_min"].replace(".", "")))
    parts: list[str | tuple[str, str]] = [
        f"{each} per unit of daily volume moves it {percent} % for {told['days']} days",
        (f"   {told['cost_per_unit_group']}", DIM),
    ]
    if told["break_even_volume"]:
        parts.append((f"   pays below {told['break_even_volume']} GPU-h a day", DIM))
    if told["alert"]:
        parts.append(("   gain exceeds cost", WARN))
    return parts


def _proof(screen: Screen, told: Row, settings: Settings) -> None:
    r = told["record"]
    screen.line()
    screen.line(("Proof", HEAD))
    screen.pair(
        "record",
        f"seq {r['seq']} of log {r['log_origin']} (size {told['log_size']}), "
        f"committed at seq {r['commit_seq']}",
    )
    screen.pair("root", told["log_root"])
    screen.pair("inputs", f"{r['input_digest']}   {r['input_count']} lines")
    for name in ("contributions", "panel_state", "manifest"):
        screen.pair(name, r[name]["sha256"])
    screen.pair("rules", f"{r['methodology_version']}   {r['methodology_digest']}")
    screen.pair("definition", r["definition_digest"])
    screen.pair("published", f"{r['published_at']}   by {r['administrator_id']}, {r['software']}")
    folder = settings.ledger / "batches"
    screen.pair("files", f"{folder}/<kind>/<digest>.jsonl")
    screen.pair("check", "spotfix verify   recomputes this value from its recorded inputs")
