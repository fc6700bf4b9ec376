"""The release gate: a second engine agrees before a final is released (rulebook 22).

It reads what the fixing cites, as bytes: its contribution lines, its basket, the state it left. It
counts in plain Python integers and shares no line with the engine that determined the value: it
imports nothing of the rulebook's arithmetic, its rounding included. Whatever the two disagree on
stops that final, and only that one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

TRIMS = {"trimmed_mean_25": (1, 4), "trimmed_mean_40": (2, 5)}
MEDIAN = "weighted_median"
WHOLE = 10**8
"""Units of weight in a whole panel."""
HIGHEST_PRICE, MOST_MEMBERS = 10**15, 512
"""What the rulebook lets into a panel (3.4); beyond it there is no rate, whatever it would be."""

Line = dict[str, Any]


class NotCovered(Exception):
    """The second engine has no road for this kind of value; the record says which kind it is."""


@dataclass(frozen=True)
class Evidence:
    """The bodies a fixing cites by digest, as they are stored."""

    contributions: bytes
    basket: bytes
    panel_state: bytes

    def lines(self) -> list[Line]:
        """Return the contribution lines."""
        return [json.loads(line) for line in self.contributions.splitlines()]


@dataclass(frozen=True)
class Difference:
    """One figure on which the engines disagree: what the record says and what this one finds."""

    field: str
    first: str | None
    second: str | None

    @property
    def text(self) -> str:
        """One sentence."""
        return f"{self.field}: the first engine says {self.first}, the second {self.second}"


def differences(record: Mapping[str, Any], evidence: Evidence) -> list[Difference]:
    """Return every figure of a fixing that the second engine does not find again; none is good.

    Args:
        record: the fixing, complete.
        evidence: what it cites.

    Raises:
        NotCovered: a kind of value that this engine cannot make from the cited bodies alone.
    """
    if record["value"] is None:
        return []
    found = _engine(record)(record, evidence)
    told = {"value": record["value"], **{_alt(a): a["value"] for a in record["alt"]}}
    return [
        Difference(name, told.get(name), found.get(name))
        for name in sorted({*told, *found})
        if told.get(name) != found.get(name)
    ]


def stops(record: Mapping[str, Any], evidence: Evidence) -> list[Difference]:
    """Return what keeps a final or a restatement from being released: nothing, as a rule (22.1).

    A kind of value without a second engine may go out unless a contract could settle on it; an
    engine that fails has found no value.
    """
    try:
        return differences(record, evidence)
    except NotCovered as error:
        if not record["settlement_eligible"]:
            return []
        return [Difference("value", record["value"], f"none: {error}")]
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return [Difference("value", record["value"], f"none: {type(error).__name__}: {error}")]


def _engine(
    record: Mapping[str, Any],
) -> Callable[[Mapping[str, Any], Evidence], dict[str, str | None]]:
    family, level = record["index_id"].partition("-")[0], record["waterfall"]
    if level == "CARRY" and family in ("TKR", "GPR", "TKX"):
        return _carried
    if level not in ("FULL", "REDUCED", "CARRIED_INPUT"):
        raise NotCovered(f"{record['index_id']}: level {level} has no second engine")
    engines = {
        "TKR": _rate,
        "GPR": _rate,
        "TKX": _level,
        "TEX": _unit_value,
        "SPK": _spread,
        "USE": _usage,
    }
    if family not in engines:
        raise NotCovered(f"{record['index_id']}: family {family} has no second engine")
    return engines[family]


def _alt(alternate: Mapping[str, Any]) -> str:
    return f"alt {alternate['currency']}"


# --- rates -------------------------------------------------------------------------------------


def kept_weights(weights: Sequence[int], estimator: str) -> list[int]:
    """Return the kept weights of members in order of price (rulebook 7.1 to 7.4).

    Args:
        weights: positive, in units of 1e-8.
        estimator: as the basket names it.
    """
    whole, many = sum(weights), len(weights)
    if estimator in TRIMS:
        n, d = TRIMS[estimator]
        kept, below = [], 0
        for weight in weights:
            upper = min(d * (below + weight), (d - n) * whole)
            lower = max(d * below, n * whole)
            kept.append(upper - lower if upper > lower else 0)
            below += weight
        return kept
    if estimator != MEDIAN:
        raise NotCovered(f"estimator {estimator} has no second engine")
    kept, below = [0] * many, 0
    sums = []
    for weight in weights:
        below += weight
        sums.append(below)
    half = [place for place, c in enumerate(sums) if abs(2 * c - whole) <= 2 * many]
    if half and half[0] + 1 < many:
        kept[half[0]] = kept[half[0] + 1] = 1
    elif half:
        kept[half[0]] = 2
    else:
        kept[next(place for place, c in enumerate(sums) if 2 * c > whole)] = 2
    return kept


def exact_rate(members: Sequence[tuple[int, str, int]], estimator: str) -> tuple[int, int]:
    """Return a panel's rate as an exact ratio of nano-units.

    Args:
        members: price in nano-units, group, weight in units of 1e-8; those with a weight and a
            price stand, in any order.
        estimator: as the basket names it.

    Raises:
        OverflowError: a price or a weight is negative or above its bound, or there are more
            members than a panel can have. Here they could be counted; no other engine could.
    """
    for price, group, weight in members:
        if not (0 <= price <= HIGHEST_PRICE and 0 <= weight <= WHOLE):
            raise OverflowError(
                f"{group}: price {price}, weight {weight}; prices are 0 to {HIGHEST_PRICE} nano,"
                f" weights 0 to {WHOLE}"
            )
    if len(members) > MOST_MEMBERS:
        raise OverflowError(f"{len(members)} members; a panel has at most {MOST_MEMBERS}")
    standing = sorted(m for m in members if m[0] > 0 and m[2] > 0)
    if not standing:
        return 0, 1
    kept = kept_weights([weight for _, _, weight in standing], estimator)
    top = sum(price * k for (price, _, _), k in zip(standing, kept, strict=True))
    return top, sum(kept)


def half_up(top: int, bottom: int) -> int:
    """Return a ratio rounded half up, below zero too: minus one half becomes zero."""
    whole, rest = divmod(top, bottom)
    return whole + (1 if 2 * rest >= bottom else 0)


def text_of(units: int, decimals: int) -> str:
    """Return integer units as decimal text."""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    body = digits if decimals == 0 else f"{digits[:-decimals]}.{digits[-decimals:]}"
    return f"-{body}" if units < 0 else body


def _units(text: str) -> int:
    return int(text.replace(".", ""))


def _rate(record: Mapping[str, Any], evidence: Evidence) -> dict[str, str | None]:
    basket = json.loads(evidence.basket)
    members = [one for one in evidence.lines() if one["status"] != "REFUSED"]
    standing = sorted(
        ((one["price_nano"], one["group"], one["weight_e8"], one["kept"]) for one in members
         if one["price_nano"] and one["weight_e8"]),
    )  # fmt: skip
    top, bottom = exact_rate([s[:3] for s in standing], basket["estimator"])
    decimals = record["decimals"]
    step = 10 ** (9 - decimals)
    found: dict[str, str | None] = {"value": text_of(half_up(top, bottom * step), decimals)}
    for one in record["alt"]:
        rate = _units(one["fx_rate"])
        scale = 10 ** len(one["fx_rate"].partition(".")[2])
        found[_alt(one)] = text_of(half_up(top * rate, bottom * scale * step), decimals)
    kept = kept_weights([s[2] for s in standing], basket["estimator"])
    if [s[3] for s in standing] != kept:
        found["kept weights"] = json.dumps(kept)
    if sum(s[2] for s in standing) != WHOLE:
        found["weights"] = f"sum to {sum(s[2] for s in standing)}"
    frozen = {m["group"]: _units(m["weight"]) for m in basket["members"]}
    if {s[1] for s in standing} == set(frozen) and any(s[2] != frozen[s[1]] for s in standing):
        found["weights"] = "are not those of the basket"
    return found


def _carried(record: Mapping[str, Any], evidence: Evidence) -> dict[str, str | None]:
    """A carried value is the one that the state remembers; it is never shown in another money."""
    state = json.loads(evidence.panel_state)
    units = state["value_units"] if "value_units" in state else state["value"]
    return {"value": text_of(units, record["decimals"])}


# --- composites --------------------------------------------------------------------------------


def _level(record: Mapping[str, Any], evidence: Evidence) -> dict[str, str | None]:
    basket, decimals = json.loads(evidence.basket), record["decimals"]
    linked_today = basket["linked_on"] == record["ref_date"] != record["base_date"]
    if linked_today:
        # The lines are those of the basket that ended today; the new one starts at its level.
        pairs = [(c["quantity_e12"], c["link_price_nano"]) for c in basket["constituents"]]
    else:
        pairs = [(one["quantity_e12"], one["price_nano"]) for one in evidence.lines()]
    worth = sum(int(quantity) * int(price) for quantity, price in pairs)
    units = half_up(worth * 10 ** (15 + decimals), int(basket["divisor_e15"]) * 10**21)
    found: dict[str, str | None] = {"value": text_of(units, decimals)}
    held = {c["model"]: c["quantity_e12"] for c in basket["constituents"]}
    said = {one["model"]: one["quantity_e12"] for one in evidence.lines()}
    if not linked_today and said != held:
        found["quantities"] = "are not those of the basket"
    return found


def _unit_value(record: Mapping[str, Any], evidence: Evidence) -> dict[str, str | None]:
    state, decimals = json.loads(evidence.panel_state), record["decimals"]
    units = half_up(int(state["spend_nano"]), int(state["tokens"]) * 10 ** (9 - decimals))
    return {"value": text_of(units, decimals)}


def _spread(record: Mapping[str, Any], evidence: Evidence) -> dict[str, str | None]:
    """Price of the tokens less that of the GPU-hours, from the two legs as they were published."""
    lines, decimals = evidence.lines(), record["decimals"]
    worth = sum(int(one["price_nano"]) * int(one["quantity_e12"]) for one in lines)
    units = half_up(worth, 10 ** (12 + 9 - decimals))
    found: dict[str, str | None] = {"value": text_of(units, decimals)}
    token = next(one for one in lines if one["meter"] != "GPU_H")
    gpu = next(one for one in lines if one["meter"] == "GPU_H")
    hours = _gpu_hours_e6(json.loads(evidence.basket)["heat_rate"], token["meter"])
    if (int(token["quantity_e12"]), int(gpu["quantity_e12"])) != (10**12, -hours * 10**6):
        found["quantities"] = f"GPU-hours per million tokens are {text_of(hours, 6)}"
    return found


def _usage(record: Mapping[str, Any], evidence: Evidence) -> dict[str, str | None]:
    """Tokens of the period by its days; a disclosure's own period is not among what is cited."""
    basket, decimals = json.loads(evidence.basket), record["decimals"]
    if "volume_from" not in basket:
        raise NotCovered(f"{record['index_id']}: a disclosed figure has no second engine")
    first, last = (date.fromisoformat(basket[key]) for key in ("volume_from", "volume_to"))
    tokens = sum(int(one["quantity_e12"]) for one in evidence.lines())
    days = (last - first).days + 1
    return {"value": text_of(half_up(tokens, days * 10 ** (12 - decimals)), decimals)}


def _gpu_hours_e6(line: Mapping[str, Any], meter: str) -> int:
    """Return GPU-hours per million tokens in millionths, from a documented throughput."""

    def of(speed: str) -> int:
        whole, _, part = speed.partition(".")
        return half_up(line["gpus"] * 10 ** (12 + len(part)), int(whole + part) * 3600)

    if meter != "BLD":
        return of(line[f"{meter.lower()}_tokens_per_second"])
    return half_up(3 * of(line["in_tokens_per_second"]) + of(line["out_tokens_per_second"]), 4)


__all__ = [
    "Difference",
    "Evidence",
    "NotCovered",
    "differences",
    "exact_rate",
    "half_up",
    "kept_weights",
    "text_of",
]
