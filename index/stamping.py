"""One parse for many captures of one body: the same rows at another time, where that is exact.

A source that is asked every hour mostly gives the body of the hour before. What a parser makes of
a body depends on the capture's time in two ways: rows carry it (:data:`STAMPS`), and some
parsers compare it with times in the body (a promotion that ended, a row seen in future).

Contract of a source named in :data:`ONCE`: beside the stamps, its parser uses the capture's time
only in ways that *do not return*. If one body gives the same rows at two times, stamps apart, it
gives the same rows at all times between. Comparisons with one bound satisfy this, and rows that
carry the day; a condition that holds from one stated time to another does not. So a body is parsed
at the first and the last time it was seen; when the two differ in more than the stamps, the time
in the middle is parsed too, and so on. A source that is not named is parsed for each capture.

Neither address nor headers matter beyond the address as a whole: a replay has no headers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from collectors.base import Capture, Parsed
from methodology.errors import SourceError

STAMPS = {"quotes": "observed_at", "asks": "observed_at", "volumes": "as_of"}
"""The columns that hold the capture's time, unless the body states one of its own."""

ONCE = frozenset(
    (
        *("alibaba_bailian", "anthropic_page", "azure_openai", "baidu_qianfan", "catwalk"),
        *("chutes", "deepinfra", "deepseek_page", "deepseek_page_zh", "fireworks", "google_page"),
        *("groq", "huggingface_router", "kilo", "litellm"),
        *("minimax", "modelpricewatch", "models_dev", "moonshot", "novita"),
        *("openai_page", "openrouter_endpoints", "openrouter_models", "openrouter_providers"),
        *("poe", "requesty", "siliconflow", "tencent_hunyuan", "together", "vercel_gateway"),
        *("volcengine", "xai_api", "zhipu"),
        *("akash", "azure_retail", "crusoe", "cudo", "digitalocean", "gpurentalprices"),
        *("hyperstack", "jarvislabs", "lambda_cloud", "nebius", "oci", "primeintellect", "runpod"),
        *("scaleway", "seeweb", "shadeform", "vast", "verda", "vultr"),
    )
)
"""Sources whose parsers satisfy the contract; tests/test_stamping.py tries each."""

Key = tuple[str, str, str]
"""Source, address and digest: what makes two captures the same body of the same thing."""

Outcome = Parsed | SourceError


class Digests:
    """Digests of captures, each body hashed once as long as the same object holds it."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[bytes, str]] = {}

    def of(self, capture: Capture) -> str:
        """Return ``capture.sha256``."""
        known = self._known.get(id(capture.body))
        if known is None or known[0] is not capture.body:
            known = self._known[id(capture.body)] = (capture.body, capture.sha256)
        return known[1]


class Parses:
    """What captures yield, each distinct body parsed as few times as is exact.

    Args:
        sightings: key and time (naive UTC) of every capture that will be asked for.
        parse: what makes rows of a capture; it may raise a ``SourceError``.
    """

    def __init__(
        self, sightings: Iterable[tuple[Key, datetime]], parse: Callable[[Capture], Parsed]
    ) -> None:
        self._parse = parse
        self._left: Counter[Key] = Counter()
        times: dict[Key, set[datetime]] = {}
        for key, at in sightings:
            if key[0] in ONCE:
                times.setdefault(key, set()).add(at)
                self._left[key] += 1
        self._times = {key: sorted(found) for key, found in times.items() if len(found) > 2}
        self._made: dict[Key, dict[datetime, Outcome]] = {}
        self._same: dict[tuple[Key, datetime, datetime], bool] = {}

    def of(self, capture: Capture, sha256: str) -> Parsed:
        """Return what ``parse`` makes of a capture.

        Raises:
            SourceError: as ``parse`` does.
        """
        key = (capture.source, capture.url, sha256)
        times, at = self._times.get(key), capture.observed_at
        if times is None or times[bisect_left(times, at) % len(times)] != at:
            return self._parse(capture)
        found = self._at(key, capture, times, at)
        self._left[key] -= 1
        if not self._left[key]:  # the last one: nothing of this body is kept
            del self._made[key]
        if isinstance(found, SourceError):
            raise found.with_traceback(None)
        return found

    def _at(self, key: Key, capture: Capture, times: Sequence[datetime], at: datetime) -> Outcome:
        low, high = 0, len(times) - 1
        while True:
            first = self._outcome(key, capture, times[low])
            if times[low] == at:
                return first
            last = self._outcome(key, capture, times[high])
            if times[high] == at:
                return last
            ends = (key, times[low], times[high])
            if ends not in self._same:
                self._same[ends] = is_same(restamped(first, times[low], times[high]), last)
            if self._same[ends]:
                return restamped(first, times[low], at)
            middle = (low + high) // 2
            low, high = (low, middle) if at <= times[middle] else (middle, high)

    def _outcome(self, key: Key, capture: Capture, at: datetime) -> Outcome:
        made = self._made.setdefault(key, {})
        if at not in made:
            try:
                made[at] = self._parse(replace(capture, fetched_at=at.replace(tzinfo=UTC)))
            except SourceError as error:
                made[at] = error
        return made[at]


def restamped(found: Outcome, old: datetime, new: datetime) -> Outcome:
    """Return the same rows with ``new`` in place of ``old`` in the columns of :data:`STAMPS`.

    A time that the body states itself, and that is not ``old``, stays. An error stays.
    """
    if isinstance(found, SourceError):
        return found
    changed = {}
    for name, column in STAMPS.items():
        rows: pl.DataFrame = getattr(found, name)
        if not rows.is_empty():
            is_stamp = pl.col(column) == pl.lit(old, pl.Datetime("us"))
            stamp = pl.when(is_stamp).then(pl.lit(new, pl.Datetime("us"))).otherwise(column)
            changed[name] = rows.with_columns(stamp.alias(column))
    return replace(found, **changed) if changed else found


def is_same(one: Outcome, other: Outcome) -> bool:
    """Return whether two outcomes are the same rows in the same order, or the same error."""
    if isinstance(one, SourceError) or isinstance(other, SourceError):
        told = (type(one), str(one), getattr(one, "reason", None), getattr(one, "detail", None))
        return told == (
            *(type(other), str(other)),
            *(getattr(other, "reason", None), getattr(other, "detail", None)),
        )
    return all(
        getattr(one, name).equals(getattr(other, name), null_equal=True)
        for name in ("quotes", "volumes", "rates", "rejections", "asks")
    )
