"""What the tests of sellers' price pages share: the page as text, changed, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from collectors.base import Capture, Parsed, Source

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """A hand-written page of a source, as it was seen at a time."""

    source: Source
    parse: Callable[[Capture], Parsed]
    name: str
    then: datetime

    @cached_property
    def body(self) -> str:
        """The page."""
        return (HERE / "payloads" / self.source.id / self.name).read_text("utf-8")

    def capture(self, text: str, at: datetime | None = None) -> Capture:
        """Return a capture of this text, seen when the page was unless another time is given."""
        return Capture(self.source.id, self.source.url, text.encode(), at or self.then)

    def changed(self, old: str, new: str) -> str:
        """Return the page with ``new`` in place of ``old``, which must be in it."""
        assert old in self.body
        return self.body.replace(old, new)

    def prices(self, text: str, at: datetime | None = None) -> list[tuple[str, str, str]]:
        """Return listing, meter and price of each quote, in order."""
        quotes = self.parse(self.capture(text, at)).quotes
        return quotes.select("listing_id", "meter", "price_text").rows()

    def reasons(self, text: str, at: datetime | None = None) -> list[tuple[str, str]]:
        """Return listing and reason of each rejection, in order."""
        rejections = self.parse(self.capture(text, at)).rejections
        return rejections.select("listing_id", "reason").rows()
