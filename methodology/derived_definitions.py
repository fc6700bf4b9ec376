"""Definitions of the derived families: spread, usage, quality-adjusted (rulebook 18, 19, 20).

A derived index is computed from values that other indices published, or from volumes and
disclosures; it never settles anything.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from methodology.definition_base import BaseDefinition


class _Derived(BaseDefinition):
    admission: Literal["reference", "internal"]

    @property
    @abstractmethod
    def index_id(self) -> str:
        """The index id."""

    @property
    def index_ids(self) -> tuple[str, ...]:
        """The one id, as a tuple."""
        return (self.index_id,)


class SpreadDefinition(_Derived):
    """A token-compute spread: one token rate less the GPU-hours it takes (rulebook 18)."""

    family: Literal["SPK"]
    model: str
    sku: str
    precision: str
    meter: Literal["OUT", "BLD"]
    token_index: str
    gpu_index: str

    @property
    def index_id(self) -> str:
        """The index id, e.g. ``SPK-deepseek-r1-H100-SXM-80``."""
        return f"SPK-{self.model}-{self.sku}{self.suffix}"

    @property
    def legs(self) -> tuple[str, str]:
        """The token rate and the GPU rate, by id."""
        return self.token_index, self.gpu_index

    @model_validator(mode="after")
    def _consistent(self) -> SpreadDefinition:
        if not self.token_index.startswith(f"TKR-{self.model}-{self.meter}"):
            raise ValueError(f"token_index must be the TKR of {self.model} and {self.meter}")
        if not self.gpu_index.startswith(f"GPR-{self.sku}-"):
            raise ValueError(f"gpu_index must be a GPR of {self.sku}")
        return self


class UsageDefinition(_Derived):
    """Tokens per day: measured over a matched panel, or as somebody disclosed (rulebook 20)."""

    family: Literal["USE"]
    segment: str
    basis: Literal["measured", "disclosed"]
    volume_source: str
    subject: str = ""
    stale_after_days: int = Field(default=0, ge=0)
    max_age_days: int = Field(default=0, ge=0)

    @property
    def index_id(self) -> str:
        """The index id, e.g. ``USE-ALL`` or ``USE-CN-DISCLOSED``."""
        return f"USE-{self.segment}{self.suffix}"

    @model_validator(mode="after")
    def _consistent(self) -> UsageDefinition:
        if self.basis == "disclosed":
            if not self.subject or not 0 < self.stale_after_days < self.max_age_days:
                raise ValueError("disclosed use names its subject and 0 < stale_after < max_age")
        elif self.subject or self.stale_after_days or self.max_age_days:
            raise ValueError("measured use has no subject and no age: it is never carried")
        return self


class QualityDefinition(_Derived):
    """A quality-adjusted price of a segment: monthly, in points (rulebook 19)."""

    family: Literal["QAX"]
    segment: str
    meter: Literal["BLD"]
    currency: Literal["USD"]
    domiciles: tuple[str, ...] = ()
    volume_source: str
    inception: date

    @property
    def index_id(self) -> str:
        """The index id, e.g. ``QAX-ALL``."""
        return f"QAX-{self.segment}{self.suffix}"

    def is_due(self, day: date) -> bool:
        """Return whether a day is the last of its month."""
        return date.fromordinal(day.toordinal() + 1).day == 1

    @model_validator(mode="after")
    def _consistent(self) -> QualityDefinition:
        if self.inception.day != 1:
            raise ValueError("inception is the first day of a month")
        return self


DerivedDefinition = SpreadDefinition | UsageDefinition | QualityDefinition
