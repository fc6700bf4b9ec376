"""Codes in words: what a flag, a reason, a status says, for people who read one fixing."""

from __future__ import annotations

FLAGS = {
    "BOOTSTRAP_VINTAGE": "panel frozen on the index's first eligible day; not for settlement",
    "BUNDLED": "made from the bundled history; its times are the scheduled ones of that day",
    "COMMIT_UNWITNESSED": "nobody outside saw the commitment before the value was made",
    "CONFIRMED_SAME_PATH": "a jump that stood, or was dated by the seller; no second source",
    "DERIVED": "computed from other values or from volumes, not from prices of a panel",
    "DISCLOSED": "a figure somebody disclosed, rounded by them and often meant as 'more than'",
    "DISPERSED": "too much weight far from the middle: nobody was excluded as a gross error",
    "FX_CONVERTED_INPUTS": "prices were converted to the index currency",
    "HELD": "at least one price was held at its last value for one day",
    "IMPUTED": "at least one missing price was moved with those that were seen",
    "LATE": "published ten minutes or more after its time; published_at says when",
    "LINK_SKIPPED": "no new basket could be made on a link day; the one before it stayed",
    "MIRRORED_EVIDENCE": "prices come from public mirrors of the sellers' lists (tier E4)",
    "MOCK": "repeated by a mock feed, perhaps with a planted fault; it means nothing",
    "NO_FX": "no currency rate was fresh enough for the CNY value",
    "OUTLIER": "a price is far out for this panel; it stays, the trim or median disregards it",
    "OVERSIGHT_NOTICE": "no value was determined for three days or more",
    "PANEL_BREAK": "a member left for good within its vintage; weights were formed anew",
    "SMALL_PANEL": "three or four sellers are all there are: weighted median, reference only",
    "STALE_DISCLOSURE": "the disclosed figure is old; a footnote says how old",
    "UNIT_VALUE": "spend over tokens: it moves with the mix of models, not only with prices",
}
"""Each flag of a fixing."""

REASONS = {
    "ABSURD_RATIO": "output and input prices contradict each other",
    "CARRIED_FORWARD": "its source saw it long ago",
    "CLASS_BROKER": "a broker: shows prices of others",
    "CLASS_CONVERTED": "a USD figure that somebody else converted from the seller's own list",
    "CLASS_MKT": "a marketplace: not pooled with sellers of this class",
    "CLASS_PLATFORM": "a suite with credits of its own, or no seller of tokens at all",
    "CLASS_ROUTER": "a router: passes on what hosts sell",
    "CLASS_SUBSCRIPTION": "a flat fee or plan: no price for one unit",
    "CONFIRMED_SAME_PATH": "a jump that stood, or was dated by the seller; no second source",
    "CONFIRMED_TWO_PATHS": "a jump that a second source shows too, or the seller dated",
    "CONFUSABLE_NAME": "a name that can be mistaken for another",
    "CURRENCY_SWITCH": "in another currency, or moved by a currency rate",
    "CUT_AT_CAP": "of an answer that was cut: the rest of the market is not in it",
    "DISCLOSURE_TOO_OLD": "stated too long ago to stand for this day",
    "DUPLICATE_SLICE": "one machine offered in several sizes",
    "EVIDENCE_E4_NOT_ADMISSIBLE": "a mirrored price; settlement prints do not admit it",
    "EXITED": "left, or its id prices another product by now",
    "GROSS_ERROR": "too far from all others",
    "HARD_CODED": "stood for a month in which the rest of its source moved",
    "HOLIDAY_TARIFF": "hours that skip public holidays; they count as in a week without one",
    "IMPUTED_TOO_LONG": "no price for too long",
    "JUMP_UNCONFIRMED": "a jump nobody else showed; held for a day",
    "LEG_NO_FIX": "this leg has no value, so the spread has none",
    "LIMITED_AVAILABILITY": "not for anybody who pays it",
    "MANY_PRICES": "the third price of one day",
    "MOVED_WITH_CROWD": "a jump in step with the others",
    "NAME_DRIFT": "was there in the body before, and is named no more",
    "NOT_AN_OFFER": "a figure over several offers, or of no named seller",
    "NOT_IN_PANEL": "not a member of the panel in force",
    "NO_OFFERS": "a search that returned nothing; the name may be misspelt",
    "NO_PRICE": "showed no price in the window",
    "NO_RIGHT_TO_REDISTRIBUTE": "its source has no right on record to publish its figures again",
    "NO_RIGHT_TO_USE": "its source has no right on record for a benchmark that settles",
    "NO_VERIFIED_DEPTH": "a marketplace price that shows no machines and hosts",
    "ONE_SIDED": "input or output slipped alone",
    "OTHER_OFFER_OF_GROUP": "the group counts once, with another offer",
    "OUT_BELOW_HALF_IN": "output below half of input: a mix-up is likely",
    "OUTRANKED": "the group shows better evidence that day",
    "PARTIAL_GPU": "a share of a GPU, which is another good",
    "REGION_NOT_IN_INDEX": "sold in a region this index does not cover",
    "RETIRED": "shown for a model that is no longer sold",
    "ROW_COUNT": "far fewer, or far more, offers than the body before",
    "SENTINEL": "a filler, not a price",
    "SPOT_ADMINISTERED": "a fixed share of the seller's on-demand price: no market made it",
    "SWAPPED_METERS": "two prices of one listing changed places",
    "SWAPPED_MODELS": "two listings changed prices with each other",
    "TAKEN_OUT": "a wrong figure; two officers signed that it is taken out",
    "TRUNCATED_AT_CAP": "of a body that was cut at its known cap",
    "TWO_PRICES": "two figures in one cell, and nothing says which holds",
    "UNIFORM_MOVE": "one seller changed all its prices alike",
    "UNIT_SWITCH": "moved as a change of unit would move it",
    "UNMAPPED_LISTING": "no reviewed line maps this listing to a standard good",
    "UNMAPPED_PROVIDER": "no reviewed line maps this seller",
}
"""Reasons why an offer was refused or a price not taken as it stood."""

BASES = {
    "FIXED_WEIGHT": "equal weights: no volume per seller was known",
    "SAMPLED": "weights from sampled volumes",
    "OBSERVED": "weights from observed volumes",
}
"""What the weights rest on."""

GOODS = {
    "TKX": "Token composites", "TEX": "Unit values", "QAX": "Quality-adjusted prices",
    "SPK": "Token-compute spreads", "USE": "Usage", "GPR": "GPU hours", "TKR": "Token rates",
}  # fmt: skip
"""Families in the order in which they are shown."""

UNITS = {
    "TKX": "points", "TEX": "USD/1e6tok", "QAX": "points", "SPK": "USD/1e6tok", "USE": "Mtok/day",
    "GPR": "USD/gpu-h", "TKR": "USD/1e6tok",
}  # fmt: skip
"""Unit of each family, for an index that has published nothing yet."""


def say(code: str, words: dict[str, str]) -> str:
    """Return what a code says, or the code itself in lower case."""
    return words.get(code, code.replace("_", " ").lower())
