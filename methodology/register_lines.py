"""The text of the reviewed registers to frozen lines (rulebook 1.3, 2.2).

What is malformed, unknown or ambiguous is an error that names the file and quotes the line: a
register decides who has a vote. ``methodology.register`` loads the packaged files with this.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from methodology.errors import DefinitionError

PROVIDER_CLASSES = (
    "first_party",
    "host",
    "router",
    "subscription",
    "platform",
    "local",
    "converted",
)
"""What a seller of tokens is; only ``first_party`` and ``host`` are counted."""

GPU_CLASSES = ("HYP", "NEO", "MKT", "BROKER", "CLOUD")
"""Classes of sellers of GPU-hours; HYP, NEO and MKT are counted, each apart (rulebook 7.3)."""

LISTING_SOURCES = (
    "models_dev",
    "litellm",
    "genai_prices",
    "openrouter_models",
    "openrouter_endpoints",
    "openrouter_activity",
    "chutes",
    "deepinfra",
    "fireworks",
    "groq",
    "huggingface_router",
    "kilo",
    "novita",
    "poe",
    "requesty",
    "together",
    "vercel_gateway",
    "anthropic_page",
    "deepseek_page",
    "deepseek_page_zh",
    "google_page",
    "openai_page",
    "xai_api",
    "aws_bedrock",
    "azure_openai",
    "catwalk",
    "llmabacus",
    "lobehub_cny",
    "modelpricewatch",
    "simonw_llm_prices",
    "alibaba_bailian",
    "baidu_qianfan",
    "minimax",
    "mistral_docs",
    "moonshot",
    "siliconflow",
    "tencent_hunyuan",
    "volcengine",
    "zhipu",
)
"""Sources whose listing ids ``models.toml`` may name."""

SPELLING_SOURCES = tuple(
    s for s in LISTING_SOURCES if s not in ("openrouter_models", "openrouter_activity")
)
"""Sources whose spellings of sellers ``providers.toml`` may name."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One seller. ``group`` is its legal group: one vote. ``spellings``: source to spellings."""

    id: str
    group: str
    name: str
    provider_class: str
    domicile: str
    reviewed: date
    why: str
    spellings: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Model:
    """One standard token good. ``first_party``: (source, provider spelling, listing id), best
    first: where the developer's own posted price stands; empty when it posts none."""

    id: str
    name: str
    developer: str
    domicile: str
    open_weights: bool
    licence: str | None
    reviewed: date
    listings: Mapping[str, tuple[str, ...]]
    first_party: tuple[tuple[str, str, str], ...]
    note: str | None


@dataclass(frozen=True, slots=True)
class GpuMap:
    """One reviewed GPU listing: ``provider`` is a spelling or ``*``; ``gpu_count`` if reviewed."""

    source: str
    provider: str
    listing: str
    instrument: str
    gpu_count: int | None
    url: str
    reviewed: date
    why: str


def parse_providers(
    text: str,
    where: str = "providers.toml",
    classes: tuple[str, ...] = PROVIDER_CLASSES,
    sources: tuple[str, ...] | None = SPELLING_SOURCES,
) -> tuple[Provider, ...]:
    """Return the sellers of a provider register, in file order.

    Args:
        text: the TOML text.
        where: file name for messages.
        classes: permitted values of ``class``.
        sources: permitted sources of spellings; ``None`` permits any.

    Raises:
        DefinitionError: not TOML, an unknown or missing key, a wrong type, an unknown class or
            source, an id or a spelling listed twice. The message holds the offending line.
    """
    fail = _failure(text, where)
    found: list[Provider] = []
    ids: set[str] = set()
    taken: set[tuple[str, str]] = set()
    keys = {"id", "group", "name", "class", "domicile", "reviewed", "why", "spellings"}
    for row in _rows(text, where, "provider"):
        _check_keys(row, keys, set(), fail)
        _once(ids, _text(row, "id", fail), fail)
        if row["class"] not in classes:
            raise fail(f"class {row['class']!r} is none of {classes}", row["class"])
        spellings = {}
        for source, names in _table(row, "spellings", fail).items():
            if sources is not None and source not in sources:
                raise fail(f"{row['id']}: source {source!r} is none of {sources}", source)
            spellings[source] = _texts(source, names, fail)
            for name in spellings[source]:
                _once(taken, (source, name), fail)
        found.append(
            Provider(
                id=row["id"],
                group=_text(row, "group", fail),
                name=_text(row, "name", fail),
                provider_class=row["class"],
                domicile=_text(row, "domicile", fail),
                reviewed=_day(row, fail),
                why=_text(row, "why", fail),
                spellings=spellings,
            )
        )
    return tuple(found)


def parse_models(text: str, where: str = "models.toml") -> tuple[Model, ...]:
    """Return the models of a model register, in file order.

    Raises:
        DefinitionError: not TOML, an unknown or missing key, a wrong type, an id listed twice, a
            listing mapped to two models, open weights without a licence, or a first-party pair
            whose listing the model does not hold. The message holds the offending line.
    """
    fail = _failure(text, where)
    found: list[Model] = []
    ids: set[str] = set()
    taken: set[tuple[str, str]] = set()
    needed = {"id", "name", "developer", "domicile", "open_weights", "reviewed", "listings"}
    for row in _rows(text, where, "model"):
        _check_keys(row, needed, {"licence", "first_party", "note"}, fail)
        _once(ids, _text(row, "id", fail), fail)
        if type(row["open_weights"]) is not bool or row["open_weights"] != ("licence" in row):
            raise fail(f"{row['id']}: open_weights is true or false, and true needs a licence", row)
        listings = {}
        for source, names in _table(row, "listings", fail).items():
            if source not in LISTING_SOURCES:
                raise fail(f"{row['id']}: source {source!r} is none of {LISTING_SOURCES}", source)
            listings[source] = _texts(source, names, fail)
            for name in listings[source]:
                _once(taken, (source, name), fail)
        found.append(
            Model(
                id=row["id"],
                name=_text(row, "name", fail),
                developer=_text(row, "developer", fail),
                domicile=_text(row, "domicile", fail),
                open_weights=row["open_weights"],
                licence=row.get("licence"),
                reviewed=_day(row, fail),
                listings=listings,
                first_party=_first_party(row, listings, fail),
                note=row.get("note"),
            )
        )
    return tuple(found)


def parse_gpus(text: str, where: str = "gpus.toml") -> tuple[GpuMap, ...]:
    """Return the GPU listing lines, in file order.

    Raises:
        DefinitionError: not TOML, an unknown or missing key, a wrong type, or the same source,
            provider and listing twice. The message holds the offending line.
    """
    fail = _failure(text, where)
    found: list[GpuMap] = []
    taken: set[tuple[str, str, str]] = set()
    needed = {"source", "provider", "listing", "instrument", "url", "reviewed", "why"}
    for row in _rows(text, where, "map"):
        _check_keys(row, needed, {"gpu_count"}, fail)
        names = {key: _text(row, key, fail) for key in needed - {"reviewed"}}
        count = row.get("gpu_count")
        if count is not None and (type(count) is not int or not 1 <= count <= 1024):
            raise fail(f"gpu_count {count!r} is not a whole number from 1 to 1024", count)
        key = (names["source"], names["provider"], names["listing"])
        if key in taken:
            raise fail(f"{key} is mapped twice", names["listing"])
        taken.add(key)
        found.append(GpuMap(gpu_count=count, reviewed=_day(row, fail), **names))
    return tuple(found)


Failure = Callable[[str, object], DefinitionError]


def _failure(text: str, where: str) -> Failure:
    """Return a maker of errors that quote the last line of ``text`` holding the culprit."""

    def fail(message: str, culprit: object) -> DefinitionError:
        needle = culprit if isinstance(culprit, str) else "\0"
        held = [
            (number, line.strip())
            for number, line in enumerate(text.splitlines(), 1)
            if needle in line
        ]
        exact = [(n, line) for n, line in held if f'"{needle}"' in line] or held
        at = f" (line {exact[-1][0]}: {exact[-1][1][:120]})" if exact else ""
        return DefinitionError(f"{where}: {message}{at}; correct the line")

    return fail


def _rows(text: str, where: str, name: str) -> Iterator[dict[str, Any]]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{where}: not valid TOML: {error}") from error
    if set(content) - {name}:
        raise DefinitionError(f"{where}: unknown table {sorted(set(content) - {name})}")
    rows = content.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DefinitionError(f"{where}: write entries as [[{name}]]")
    yield from rows


def _check_keys(row: dict[str, Any], needed: set[str], optional: set[str], fail: Failure) -> None:
    name = row.get("id", row.get("listing", "an entry"))
    for key in sorted(set(row) - needed - optional):
        raise fail(f"{name}: unknown key {key!r}", key)
    for key in sorted(needed - set(row)):
        raise fail(f"{name}: key {key!r} is missing", name)


def _text(row: dict[str, Any], key: str, fail: Failure) -> str:
    value = row[key]
    if not isinstance(value, str) or not value:
        raise fail(f"{key} {value!r} is not a text", key)
    return value


def _table(row: dict[str, Any], key: str, fail: Failure) -> dict[str, Any]:
    value = row[key]
    if not isinstance(value, dict):
        raise fail(f"{row.get('id')}: {key} is not a table", key)
    return value


def _day(row: dict[str, Any], fail: Failure) -> date:
    value = row["reviewed"]
    if type(value) is not date:
        raise fail(f"reviewed {value!r} is not a date", "reviewed")
    return value


def _texts(key: str, values: object, fail: Failure) -> tuple[str, ...]:
    if not isinstance(values, list) or not values:
        raise fail(f"{key} is not a list of spellings", key)
    for value in values:
        if not isinstance(value, str) or not value:
            raise fail(f"{key}: {value!r} is not a spelling", key)
    return tuple(values)


def _once(taken: set[Any], key: Any, fail: Failure) -> None:
    if key in taken:
        raise fail(f"{key!r} is listed twice", key if isinstance(key, str) else key[-1])
    taken.add(key)


def _first_party(
    row: dict[str, Any], listings: Mapping[str, tuple[str, ...]], fail: Failure
) -> tuple[tuple[str, str, str], ...]:
    if "first_party" not in row:
        return ()
    table = dict(_table(row, "first_party", fail))
    group = table.pop("group", None)
    if group != row["developer"]:
        raise fail(f"{row['id']}: first_party group {group!r} is not the developer", group)
    found = []
    for source, pairs in table.items():
        for pair in _texts(source, pairs, fail):
            spelling, _, listing = pair.partition("/")
            if listing not in listings.get(source, ()):
                raise fail(f"{row['id']}: {listing!r} is no {source} listing of the model", pair)
            found.append((source, spelling, listing))
    return tuple(found)
