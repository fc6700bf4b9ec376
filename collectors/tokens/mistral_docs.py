"""Mistral: the price of each model, from the files its documentation is built of, USD per Mtok.

Address: ``https://raw.githubusercontent.com/mistralai/platform-docs-public/main/src/schema/models/
models/<slug>.ts``, no key: one TypeScript file a model. The seller's own price page is drawn by
scripts and has no table to read; these files are what draws the tables of its documentation. Tier
E3, path ``mistral``. Nothing is run: a file is read as the one object literal that it is.

At hand: whole files of seven models in stored versions of 2026-05 to 2026-10 and the schema
(``schema.ts``) that names every field, read 2026-11-21. Not recorded live, so unproven.

Field map:

* ``slug``: listing id; names in ``identifiers`` such as ``mistral-small-latest`` move between
  models and are ignored.
* ``status``: ``GA``, ``Active`` (before 2026-07), ``PublicPreview`` and ``Deprecated`` are sold;
  ``Retired`` is ``RETIRED``, anything else ``UNKNOWN_CONDITION``.
* ``capabilities.output`` without ``text`` (embeddings, scores, audio): ``MODE_NOT_TEXT``.
* ``pricing.free`` true: ``FREE_OFFER``. ``pricing.type`` other than ``custom`` is not used by any
  model that gives text: ``UNKNOWN_CONDITION``.
* ``pricing.input[]``, ``pricing.output[]``: ``denominator`` must be ``/M Tokens``; minutes, pages
  and characters are ``NOT_A_MEASURED_METER``. ``label`` ``Input`` or none IN, ``Cached input`` CIN,
  ``Output`` or none OUT; another label is no measured meter. Two figures for one meter:
  ``AMBIGUOUS_LISTING``, both.
* ``price``: USD. ``originalPrice`` is what stood there before a discount without a stated end: the
  price of today is ``price``. ``priceEur``: the same in euro, ``OTHER_CURRENCY``.
* ``describe``, ``weights``, ``ratings`` and the rest describe the model: ignored.

Models are named in :data:`MODELS`, since a new one needs a reviewed line anyway.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import Any

from collectors.base import Capture, Parsed, Request, Source
from collectors.rows import Rows, shape_error
from collectors.strict import MAX_DEPTH, Number
from methodology.errors import ParseError

PROVIDER = "mistral"
MODELS = (
    "mistral-large-3-25-12",
    "mistral-large-4-0",
    "mistral-medium-3-5-26-04",
    "mistral-nemo-12b-24-07",
    "mistral-small-3-2-25-06",
    "mistral-small-4-0-26-03",
    "codestral-25-08",
    "devstral-2-25-12",
    "zai-glm-5-2",
    "zai-glm-5-3",
)
"""Slugs that are asked for: the models that sell text (documentation's index, read 2026-11-21)."""

SOLD = ("GA", "Active", "PublicPreview", "Deprecated")
METERS = {
    ("input", None): "IN",
    ("input", "Input"): "IN",
    ("input", "Cached input"): "CIN",
    ("output", None): "OUT",
    ("output", "Output"): "OUT",
}

_FRAME = re.compile(
    r"\s*import \{ StaticModel \} from '\.\./schema';\s*export default (\{.*\})"
    r" as const satisfies StaticModel;\s*",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)"""
    r"""|(?P<text>'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"|`(?:[^`\\$]|\\.)*+`)"""
    r"""|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.]))"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<mark>=>|[{}\[\](),:.])""",
    re.ASCII,
)
_WORDS = {"true": True, "false": False, "null": None, "undefined": None}
_CODE = object()
"""Stands for a value that is code and not data."""


def requests(base_url: str) -> Generator[Request, Capture, None]:
    """Yield one request per model of :data:`MODELS`."""
    for slug in MODELS:
        yield Request(url=f"{base_url.rstrip('/')}/{slug}.ts")


def parse(capture: Capture) -> Parsed:
    """Return one quote per measured meter of one model, USD per million tokens, tier E3.

    Rejections: ``RETIRED``, ``UNKNOWN_CONDITION``, ``MODE_NOT_TEXT``, ``FREE_OFFER`` per model;
    ``NOT_A_MEASURED_METER``, ``AMBIGUOUS_LISTING``, ``OTHER_CURRENCY``, ``NOT_A_NUMBER``,
    ``PRICE_MISSING`` per figure.

    Raises:
        ParseError: ``NOT_TEXT``, or ``SHAPE`` when the file is not one object literal with slug,
            status, prices and capabilities.
    """
    model = _model(capture)
    rows = Rows(capture, "per_mtok", "E3")
    slug, status, pricing = (model.get(key) for key in ("slug", "status", "pricing"))
    gives = model.get("capabilities")
    gives = gives.get("output") if isinstance(gives, dict) else None
    if type(slug) is not str or not slug or type(status) is not str or not isinstance(gives, list):
        raise shape_error(capture, "no slug, status or capabilities.output")
    if not isinstance(pricing, dict) or type(pricing.get("free")) is not bool:
        raise shape_error(capture, f"{slug}: pricing is {str(pricing)[:80]!r}")
    if status not in SOLD:
        reason = "RETIRED" if status == "Retired" else "UNKNOWN_CONDITION"
        rows.reject(PROVIDER, slug, reason, f"status is {status[:80]!r}")
    elif "text" not in gives:
        rows.reject(PROVIDER, slug, "MODE_NOT_TEXT", f"capabilities.output is {gives!s:.80}")
    elif pricing["free"]:
        rows.reject(PROVIDER, slug, "FREE_OFFER", "pricing.free is true")
    elif pricing.get("type") != "custom":
        told = f"pricing.type is {str(pricing.get('type'))[:80]!r}"
        rows.reject(PROVIDER, slug, "UNKNOWN_CONDITION", told)
    else:
        _prices(capture, rows, slug, pricing)
    return rows.parsed()


def _prices(capture: Capture, rows: Rows, slug: str, pricing: Mapping[str, Any]) -> None:
    found: dict[str, list[tuple[str, Any]]] = {"IN": [], "OUT": []}
    for side in ("input", "output"):
        entries = pricing.get(side)
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise shape_error(capture, f"{slug}: pricing.{side} is {str(entries)[:80]!r}")
        for entry in entries:
            price, label, per = (entry.get(key) for key in ("price", "label", "denominator"))
            field = f"pricing.{side} {str(label)[:40]!r} {str(per)[:40]!r}"
            known = (side, label) if label is None or type(label) is str else None
            meter = METERS.get(known) if known else None
            if meter is None or per != "/M Tokens":
                told = f"{field}: {str(price)[:80]!r}"
                rows.reject(PROVIDER, slug, "NOT_A_MEASURED_METER", told)
                continue
            found.setdefault(meter, []).append((field, price))
            if "priceEur" in entry:
                told = f"{field}: priceEur is {str(entry['priceEur'])[:80]!r}; USD is read"
                rows.reject(PROVIDER, slug, "OTHER_CURRENCY", told)
    for meter, figures in found.items():
        if not figures:
            rows.reject(PROVIDER, slug, "PRICE_MISSING", f"no figure for {meter}")
        for field, price in figures:
            if len(figures) > 1:
                told = f"{field}: {str(price)[:80]!r}, one of {len(figures)} for {meter}"
                rows.reject(PROVIDER, slug, "AMBIGUOUS_LISTING", told)
            else:
                figure = price if isinstance(price, Number) else None
                rows.price(PROVIDER, slug, meter, field, figure)


def _model(capture: Capture) -> dict[str, Any]:
    try:
        text = capture.body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(capture.source, "NOT_TEXT", f"{capture.url}: {error}") from error
    found = _FRAME.fullmatch(text)
    if found is None:
        raise shape_error(capture, "not the file of one model")
    try:
        reader = _Reader(found[1])
        model = reader.value(0)
        if not isinstance(model, dict) or reader.tokens:
            raise ValueError("more than one object")
    except (ValueError, IndexError) as error:
        raise shape_error(capture, f"not one object literal: {error or 'it ends early'}") from error
    return model


class _Reader:
    """Reads one literal: objects, lists, texts, numbers, words; code is passed over."""

    def __init__(self, text: str) -> None:
        kept: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"{text[at : at + 20]!r} is no part of a literal")
            if found.lastgroup != "space":
                kept.append((str(found.lastgroup), found[0]))
            at = found.end()
        self.tokens = kept[::-1]

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        kind, text = self.tokens.pop()
        after = self.tokens[-1][1] if self.tokens else ""
        if kind == "mark" and text == "{":
            return self._object(depth)
        if kind == "mark" and text == "[":
            return self._list(depth)
        if kind == "text" and after in ",}]" and "\\" not in text:
            return text[1:-1]
        if kind == "number" and after in ",}]":
            return Number(text)
        if kind == "name" and text in _WORDS and after in ",}]":
            return _WORDS[text]
        self.tokens.append((kind, text))
        return self._code()

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.tokens[-1][1] != "}":
            kind, key = self.tokens.pop()
            if kind not in ("name", "text") or self.tokens.pop()[1] != ":":
                raise ValueError(f"{key[:40]!r} is no key")
            key = key.strip("'\"")
            if key in found:
                raise ValueError(f"key {key[:40]!r} appears twice")
            found[key] = self.value(depth + 1)
            self._comma("}")
        self.tokens.pop()
        return found

    def _list(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while self.tokens[-1][1] != "]":
            found.append(self.value(depth + 1))
            self._comma("]")
        self.tokens.pop()
        return found

    def _comma(self, end: str) -> None:
        text = self.tokens[-1][1]
        if text == ",":
            self.tokens.pop()
        elif text != end:
            raise ValueError(f"{text[:40]!r} where a comma or {end} belongs")

    def _code(self) -> object:
        """Pass over what is no data, to the comma or bracket that ends it."""
        depth = 0
        while depth or self.tokens[-1][1] not in (",", "}", "]"):
            kind, text = self.tokens.pop()
            if kind == "mark":
                depth += (text in "({[") - (text in ")}]")
        return _CODE


SOURCE = Source(
    id="mistral_docs",
    kind="tokens",
    url=(
        "https://raw.githubusercontent.com/mistralai/platform-docs-public/main"
        "/src/schema/models/models"
    ),
    parse=parse,
    requests=requests,
    tier="E3",
    code_licence="none found in what was stored of the repository",
    data_right="prices are facts; no licence stated",
    terms=(
        "The seller's public documentation repository, no key; no licence or terms for collecting "
        "it were at hand on 2026-11-21. Single prices, quoted with address and date."
    ),
    content_types=("text/plain",),
    max_raw_bytes=2 * 2**20,
    max_decoded_bytes=4 * 2**20,
    path="mistral",
)
