"""What every table, view and column of the analysts' file means, with its unit.

Columns that come from a frame of ``methodology.schemas`` are described there; the rest is here.
A file with an undescribed column is never written.
"""

from __future__ import annotations

from typing import Final

from index.warehouse import records, resistance, triple
from methodology import schemas

_MONEY = "in the row's currency and unit"

_KEY: Final = {
    "index_id": "index: TKR rate of one model, TKX composite, TEX unit value, GPR GPU-hour rate, "
    "SPK spread, QAX quality-adjusted, USE usage",
    "session": "fixing of the day: SHA 15:00 Asia/Shanghai, NYC 16:00 America/New_York",
    "ref_date": "index day, local to the session",
    "revision": "0 provisional, 1 final, 2 restated; a number",
}

_FIXING: Final = {
    **_KEY,
    "value": "the fixing, per unit in currency; null when there is no fix",
    "currency": "ISO 4217 code of value and of every other price of the row",
    "unit": "what one value buys: USD/1e6tok a million tokens, USD/gpu-h a GPU-hour, or points",
    "decimals": "decimals the value is published with; the column holds nine; a number",
    "level": "chained level, base 1000; points",
    "status": "PROVISIONAL, FINAL, REVISED, NO_FIX or WITHDRAWN",
    "waterfall": "FULL, REDUCED, CARRIED_INPUT, MODEL, CARRY or NO_FIX (rulebook 10)",
    "grade": "A to D (rulebook 12)",
    "flags": "what a user must know: codes with a blank between, empty when none",
    "no_fix_reason": "why there is no value; null when there is one",
    "label": "admission of the index: settlement, reference or internal",
    "settlement_eligible": "whether a contract may settle on this row",
    "obs_status": "SDMX code: A normal, P provisional, I imputed, U low reliability, L not "
    "collected",
    "revision_reason": "why the value was restated; null otherwise",
    "footnotes": "notes attached to the row, one a line; empty when none",
    "prev_value": f"value of the index day before, {_MONEY}",
    "change_pct": "change from prev_value; percent",
    "base_date": "first day with a value; composites: inception",
    "p1": f"1st weighted percentile of panel prices, {_MONEY}",
    "p25": f"25th weighted percentile of panel prices, {_MONEY}",
    "p50": f"weighted median of panel prices, {_MONEY}",
    "p75": f"75th weighted percentile of panel prices, {_MONEY}",
    "p99": f"99th weighted percentile of panel prices, {_MONEY}",
    "min": f"lowest panel price, {_MONEY}",
    "max": f"highest panel price, {_MONEY}",
    "dispersion": "median absolute deviation over median of panel prices; ratio",
    "ci_low": f"lower end of a sampling band; null for a census of sellers, {_MONEY}",
    "ci_high": f"upper end of a sampling band; null for a census of sellers, {_MONEY}",
    "loo_low": f"lowest value with any one group left out, {_MONEY}",
    "loo_high": f"highest value with any one group left out, {_MONEY}",
    "volume": "volume behind the fixing, in volume_unit; null when none was observed",
    "volume_unit": "unit of volume: 1e9tok/d or gpu-h/d",
    "volume_basis": "where weights come from: OBSERVED, SAMPLED or FIXED_WEIGHT",
    "n_collected": "offers considered; a count",
    "n_used": "offers or constituents that counted; a count",
    "n_excluded": "offers considered that did not count; a count",
    "n_sources": "sources of what counted; a count",
    "n_providers": "independent owners of what counted; a count",
    "top_weight": "largest weight; share of 1",
    "effective_n": "one over the sum of squared weights; a number of groups",
    "executable_share": "weight of executable prices; share of 1",
    "weight_share": "weight of the panel that had a price; share of 1",
    "fresh_share": "part of that weight with a price of the day; share of 1",
    "grade_weight": "grade component: weight present; 0 to 1",
    "grade_fresh": "grade component: freshness; 0 to 1",
    "grade_evidence": "grade component: evidence tiers; 0 to 1",
    "grade_effective_n": "grade component: effective number of groups; 0 to 1",
    "grade_spread": "grade component: spread of prices; 0 to 1",
    "grade_concentration": "grade component: largest weight; 0 to 1",
    "window_open": "start of the 24 h observation window, UTC",
    "cutoff_at": "end of the window, UTC",
    "calculated_at": "when the value was calculated, UTC; BUNDLED: when it was due",
    "published_at": "when this revision was published, UTC; BUNDLED: when it was due",
    "final_at": "after this moment the value is not restated, UTC",
    "next_publication_at": "when to look again, UTC",
    "calendar_id": "calendar of index days",
    "methodology_id": "rulebook",
    "methodology_version": "version of the rulebook",
    "methodology_digest": "sha256 of the parameters in force",
    "definition_digest": "sha256 of the definition of the index",
    "basket_version": "vintage of the panel, or link day of the basket",
    "basket_digest": "sha256 of the panel or basket; see table basket",
    "software": "name and version of the software that determined the value",
    "input_digest": "root of the RFC 6962 tree over the inputs, sha256",
    "input_count": "inputs under that root; a count",
    "input_uri": "path of the inputs below the ledger",
    "commit_seq": "log place of the commitment to these inputs; see table commitment",
    "contributions_digest": "sha256 of the contributions; see table contribution",
    "panel_state_digest": "sha256 of the state the panel was left in",
    "panel_state_before_digest": "sha256 of the state the panel started from; null: from nothing",
    "manifest_digest": "sha256 of the manifest of what was collected",
    "type": "kind of record: fixing",
    "schema": "schema of the record",
    "seq": "place in the log, from 0; a number",
    "log_origin": "name of the log",
    "administrator_id": "who is responsible for the value",
    "family": "TOKEN or GPU",
    "supersedes": "record_digest of the revision before; null for the first",
    "record_digest": "sha256 of the record's exact bytes in the log",
    "licence": "licence of the row",
    "disclaimer_id": "disclaimer that applies",
}

_BACKCAST: Final = {
    "index_id": _KEY["index_id"],
    "ref_date": _KEY["ref_date"],
    "value": "value in the index's currency and unit (see table fixing); null: no fix",
    "level": "chained level, base 1000; points",
    "waterfall": _FIXING["waterfall"],
    "flag": "_BT: computed later by the rules of today from dated evidence, never published",
    "groups": "groups (TKX: models) that had a price; a count",
    "weight": "weight of the panel that had a price; share of 1",
    "vintage": _FIXING["basket_version"],
    "is_covered": "whether the sources speak about this day",
    "has_held": "whether a jump was held back that day",
    "has_imputed": "whether a missing price was imputed that day",
}

_HISTORY: Final = {
    **{k: _BACKCAST[k] for k in ("index_id", "ref_date", "value", "level", "waterfall")},
    "flag": "_BT: back-cast; null: published",
    "groups": _BACKCAST["groups"],
    "vintage": _BACKCAST["vintage"],
}

_OBSERVATION: Final = {
    **{"legal_group" if k == "group" else k: v for k, v in schemas.describe(
        schemas.Observation).items() if k != "price_nano"},
    "price": "price per unit, currency as in unit; null unless status is offered",
    "effective_from": "stated start of validity, UTC",
    "effective_to": "stated end of validity, exclusive, UTC",
    "observed_at": "when the source showed it, UTC",
}  # fmt: skip

_SEEN: Final = _OBSERVATION

_CONTRIBUTION: Final = {
    **_KEY,
    "place": "place in the published list of contributions, from 0; a number",
    "status": "OBSERVED, HELD, IMPUTED, MISSING and so on, or REFUSED before the panel; null for "
    "TEX",
    "reason": "why it did not count, a code; null when it did",
    "legal_group": "legal group of the seller; TKX: the developer",
    "provider": _SEEN["provider"],
    "instrument_id": "TKX and TEX: the model; null for a rate, whose index names the good",
    "listing_id": _SEEN["listing_id"],
    "meter": "TEX: metered good; null otherwise, the index names it",
    "source": _SEEN["source"],
    "tier": _SEEN["tier"],
    "currency": "ISO 4217 code of quoted and price",
    "quoted": "representative price of the day per unit of the index, in currency; null: none",
    "price": "price that counted per unit of the index, in currency; null: none did",
    "weight": "published weight it entered with; share of 1",
    "kept": "weight the estimator kept, in its own integer units; 0: trimmed; null: not a rate",
    "quantity": "TKX: fixed quantity; millions of tokens per basket",
    "is_confirmed": "TEX: whether a second source showed the same price",
    "is_suspect": "TEX: whether a screen doubted the price",
    "seen_at": "TEX: when the price was last seen, UTC",
    "observation_id": "observations the price was made from, joined by +; see table observation",
}

_BASKET: Final = {
    "index_id": _KEY["index_id"],
    "vintage": "name of the panel; TKX: day the basket was linked",
    "basket_digest": "sha256 of the panel or basket",
    "frozen_on": "day it was frozen or linked",
    "place": "place in the panel or basket, from 0; a number",
    "legal_group": "legal group with one vote; TKX: the developer",
    "instrument_id": "TKX: the model; null for a rate's panel",
    "source": "source the price is taken from",
    "weight": "published weight; share of 1",
    "volume": "quantity behind the weight; tokens; null: equal weights, or TKX",
    "volume_rank": "rank of the volume evidence; V4: equal weights",
    "estimator": "estimator fixed for the vintage by the size of the panel",
    "link_price": "TKX: price on the link day per million tokens, in the index's currency",
    "quantity": "TKX: fixed quantity; millions of tokens per basket",
    "divisor": "TKX: divisor that keeps the level unbroken on the link day; worth per point",
    "volume_from": "TKX: first day of the volume period, UTC",
    "volume_to": "TKX: last day of the volume period, UTC",
}

_COMMITMENT: Final = {
    **{k: _FIXING[k] for k in ("seq", "log_origin", "index_id", "session", "ref_date")},
    "committed_at": "when the commitment was made, UTC; BUNDLED: the cut-off",
    "input_digest": _FIXING["input_digest"],
    "inputs_digest": "sha256 of the inputs' lines",
    "methodology_digest": _FIXING["methodology_digest"],
    "definition_digest": _FIXING["definition_digest"],
    "basket_digest": "sha256 of the panel or basket; null for a composite, linked afterwards",
    "manifest_digest": _FIXING["manifest_digest"],
}

_INCIDENT: Final = {
    "seq": _FIXING["seq"],
    "log_origin": _FIXING["log_origin"],
    "kind": "what happened: SOURCE_FAILED and others",
    "source": "id of the source, if it was one",
    "reason": "reason code",
    "detail": "field and value, in words",
    "occurred_at": "when, UTC",
    "record": "the whole record as JSON",
}

TABLES: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "fixing": (
        "Every revision of every fixing, one row each, as logged (schema fixing/1.0).",
        _FIXING,
    ),
    "fixing_alternate": (
        "Values of fixings in other currencies: the exact rate times a published currency rate.",
        {
            **_KEY,
            "currency": "ISO 4217 code of value",
            "value": "the fixing per unit, in this currency",
            "fx_rate": "units of this currency per US dollar",
            "fx_source": "publisher of the currency rate",
            "fx_date": "day the currency rate is for",
        },
    ),
    "backcast": (
        "The newest back-cast, one row per index and day; none was a fixing.",
        _BACKCAST,
    ),
    "contribution": (
        "Every price considered for the highest revision of each fixing, and what became of it.",
        _CONTRIBUTION,
    ),
    "observation": ("Every canonical price of the newest manifest, one row each.", _OBSERVATION),
    "rejection": (
        "Every row of the newest manifest that was refused, with the reason.",
        {
            **schemas.describe(schemas.Rejection),
            "stage": "where it was refused: parse, validate, normalise or eligibility",
        },
    ),
    "volume": (
        "Quantities sold or used, of the newest manifest; the raw material of weights.",
        {
            **schemas.describe(schemas.Volume),
            "as_of": "when the source stated this figure, UTC",
        },
    ),
    "fx_rate": (
        "Currency reference rates of the newest manifest: one base costs rate quote.",
        {
            **schemas.describe(schemas.Rate),
            "rate": "units of quote per one base; null when nine decimals cannot hold it",
        },
    ),
    "basket": ("Members of every panel and basket a current fixing stands on.", _BASKET),
    "commitment": (
        "What each fixing would be computed from, logged before any value existed.",
        _COMMITMENT,
    ),
    "incident": ("What went wrong: sources that failed, recoveries, fixings missed.", _INCIDENT),
    **{name: (told, dict(columns)) for name, (told, columns) in records.COMMENTS.items()},
    **resistance.COMMENTS,
    **triple.COMMENTS,
    "log_head": (
        "The log this file was made from; one row.",
        {
            "origin": "name of the log",
            "size": "records in the log; a count",
            "root": "root of the RFC 6962 tree over them; 64 hex digits",
        },
    ),
}
"""Table to its comment and the comments of its columns."""

VIEWS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "fixing_current": ("The highest revision of each fixing.", _FIXING),
    "fixing_first_print": ("The first revision of each fixing, as users first saw it.", _FIXING),
    "fixing_vintage": (
        "Every revision with the time it stood: valid_from <= moment < valid_to.",
        {
            "valid_from": "when this revision was published, UTC",
            "valid_to": "when the next one replaced it, UTC; 9999-12-31 while it stands",
            **_FIXING,
        },
    ),
    "history": (
        "One value per index and day: the published fixing, else the back-cast.",
        _HISTORY,
    ),
    **triple.VIEWS,
}
"""View to its comment and the comments of its columns."""


def statements() -> list[str]:
    """Return the COMMENT statements of every table, view and column."""
    made = []
    for kind, held in (("TABLE", TABLES), ("VIEW", VIEWS)):
        for name, (told, columns) in held.items():
            made.append(f"COMMENT ON {kind} {name} IS {_quoted(told)}")
            for column, text in columns.items():
                made.append(f'COMMENT ON COLUMN {name}."{column}" IS {_quoted(text)}')
    return made


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
