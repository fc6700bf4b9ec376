"""The parameters of one methodology version, a class per table of its TOML file (rulebook 1.5).

Ratios are exact fractions. A table that came with a later version is ``None`` under the rules of
an earlier one: what it governs did not exist then.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _fraction(value: object) -> Fraction:
    try:
        if isinstance(value, str):
            return Fraction(value)
        if isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value):
            return Fraction(value[0], value[1])
    except ZeroDivisionError as error:
        raise ValueError("a ratio needs a denominator above zero") from error
    if type(value) is int:
        return Fraction(value)
    raise ValueError("write a ratio as [numerator, denominator] or as decimal text, not as a float")


Ratio = Annotated[Fraction, BeforeValidator(_fraction)]


class Strict(BaseModel):
    """A frozen table in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Window(Strict):
    """Parameters of the input window (rulebook 4)."""

    max_fetch_age_hours: int
    confirm_after_hours: int
    steady_hours: int


class Bounds(Strict):
    """Bounds of a credible price per canonical unit (rulebook 6.1)."""

    token_min: Ratio
    token_max: Ratio
    gpu_min: Ratio
    gpu_max: Ratio
    out_to_in_min: Ratio


class Jump(Strict):
    """Parameters of the jump screen (rulebook 6.2)."""

    token_ratio: Ratio
    gpu_ratio: Ratio
    crowd_ratio: Ratio
    crowd_groups: int
    max_held_days: int


class Gross(Strict):
    """Parameters of the gross-error screen (rulebook 6.3)."""

    exclude_ratio: int
    reenter_ratio: int
    max_excluded_share: Ratio
    outlier_mads: Ratio
    mad_scale: Ratio


class Weights(Strict):
    """Caps on one legal group's weight (rulebook 5.3)."""

    cap_floor: Ratio
    cap_numerator: Ratio
    cap_largest_panels: Ratio


class Estimator(Strict):
    """Panel sizes from which each estimator holds (rulebook 7.1)."""

    small_panel: int
    median: int
    trimmed_25: int
    trimmed_40: int


class Waterfall(Strict):
    """Triggers of the waterfall (rulebook 10)."""

    full_groups: int
    full_weight: Ratio
    full_fresh: Ratio
    full_evidence: Ratio
    reduced_groups: int
    reduced_weight: Ratio
    small_groups: int
    carried_input_hours: int
    model_daily_limit: Ratio
    model_max_days: int
    carry_max_days: int
    notice_days: int | None = None


class Imputation(Strict):
    """How long a missing price may be imputed (rulebook 8.4)."""

    max_days: int


class Vintage(Strict):
    """When a panel is frozen, and how many groups start an index (rulebook 8.1)."""

    months_ahead: int
    start_groups: int


class Grade(Strict):
    """Parameters of the data sufficiency grade (rulebook 12)."""

    tier_scores: dict[str, Ratio]
    effective_n_full: int
    spread_full: Ratio
    spread_floor: Ratio
    concentration_free: Ratio
    concentration_span: Ratio
    a_score: Ratio
    b_score: Ratio
    c_score: Ratio


class Precision(Strict):
    """Published decimals (rulebook 3.5)."""

    token_decimals: int
    gpu_decimals: int
    points_decimals: int
    weight_decimals: int
    level_decimals: int


class Fx(Strict):
    """Currency conversion (rulebook 9)."""

    max_age_days: int


class CompositeRules(Strict):
    """Parameters of composites (rulebook 13)."""

    base: int
    volume_days: int
    volume_lag_days: int
    developer_cap: Ratio
    model_cap: Ratio
    min_models: int
    min_developers: int
    tkr_min_groups: int
    quantity_decimals: int


class Evidence(Strict):
    """What evidence and which rights a price needs, and a full print (rulebook 2.6, 2.8, 10.2)."""

    best_tier_only: bool
    needs_right: bool
    full_share_of: Literal["vintage"]


class Spot(Strict):
    """Which interruptible prices are a market's (rulebook 2.9)."""

    administered_share: Ratio


class Marketplace(Strict):
    """Representative price of a marketplace from the depth it shows (rulebook 4.5)."""

    max_depth_gpus: int
    depth_share: Ratio
    min_gpus: int
    min_hosts: int
    host_cap: Ratio


class Tiers(Strict):
    """Segments by capability (rulebook 13.8)."""

    frontier: Ratio
    mid: Ratio
    buffer: Ratio
    min_evaluations: int


class Continuity(Strict):
    """Entry and exit of a composite's models between links (rulebook 13.9)."""

    fast_entry_share: Ratio
    fast_entry_days: int
    extraordinary_share: Ratio
    extraordinary_days: int
    pro_forma_days: int


class QualityAdjusted(Strict):
    """The quality-adjusted index, which settles nothing (rulebook 19)."""

    window_months: int
    splice: Literal["movement", "window", "half", "mean", "mean_pub", "wisp", "hasp"]


class Resistance(Strict):
    """What is published about how far one seller can move a value (rulebook 16)."""

    own_move: Ratio
    target_bp: int = Field(gt=0)
    days: int = Field(gt=0)
    pair_groups: int = Field(ge=2)
    divergence: Ratio
    position_contracts: int = Field(gt=0)
    contract_hours: int = Field(gt=0)
    alert_ratio: Ratio


class Change(Strict):
    """What a version that may change a value must show for itself (rulebook 23.3).

    ``evidence``: SHA-256 of the table that compares both versions on the days of the parallel run.
    """

    consultation: str = Field(min_length=1)
    consultation_from: date
    consultation_to: date
    notice: date
    parallel_from: date
    parallel_to: date
    evidence: str = Field(pattern="^[0-9a-f]{64}$")


LATER = ("evidence", "spot", "marketplace", "tiers", "continuity", "quality_adjusted", "resistance")
"""Tables that version 1.0.0 did not have."""


class Methodology(Strict):
    """Every parameter of one methodology version; a field per table of the TOML file."""

    schema_id: Literal["methodology/1.0", "methodology/1.1"] = Field(alias="schema")
    version: str
    effective_from: date
    window: Window
    bounds: Bounds
    jump: Jump
    gross: Gross
    weights: Weights
    estimator: Estimator
    waterfall: Waterfall
    imputation: Imputation
    vintage: Vintage
    grade: Grade
    precision: Precision
    fx: Fx
    composite: CompositeRules
    blend: dict[str, dict[str, int]]
    evidence: Evidence | None = None
    spot: Spot | None = None
    marketplace: Marketplace | None = None
    tiers: Tiers | None = None
    continuity: Continuity | None = None
    quality_adjusted: QualityAdjusted | None = None
    resistance: Resistance | None = None
    change: Change | None = None
    digest: str

    @model_validator(mode="after")
    def _complete(self) -> Methodology:
        absent = [name for name in LATER if getattr(self, name) is None]
        if self.schema_id != "methodology/1.0" and absent:
            raise ValueError(f"tables are missing: {', '.join(absent)}")
        return self
