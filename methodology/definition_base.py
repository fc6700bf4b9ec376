"""What every definition states, whatever its family (rulebook 1.4)."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from methodology.parameters import Change, Strict

Admission = Literal["settlement", "reference", "internal"]
SessionId = Literal["SHA", "NYC"]


class BaseDefinition(Strict):
    """The keys that all definition files share."""

    schema_id: Literal["definition/1.0"] = Field(alias="schema")
    version: str
    methodology: str
    effective_from: date
    title: str
    session: SessionId
    admission: Admission
    suffix: str = ""
    sources: tuple[str, ...] = Field(min_length=1)
    change: Change | None = None
    digest: str

    def is_due(self, day: date) -> bool:
        """Return whether an index day has a fixing: every day, unless the family says otherwise."""
        return True
