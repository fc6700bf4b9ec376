"""What an unmapped listing could be: a line for a person to check, never a mapping.

Mapping is by exact id and by review (rulebook 2.3). This module only spares the typing: it compares
the words of a listing with those of every listing and name the registers know. Words that make
another good must be the same on both sides: every number, every word such as ``turbo`` or ``mini``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from methodology import register

LEAST = 0.72
"""Below this likeness (0 to 1, ``difflib``) nothing is suggested."""

OTHER_GOODS = frozenset(
    ("air", "audio", "base", "batch", "chat", "code", "coder", "distill", "embed", "exp", "fast",
     "flash", "fp4", "free", "highspeed", "image", "instruct", "lite", "lora", "max", "mini",
     "nano", "nitro", "nvl", "omni", "pcie", "plus", "preview", "pro", "realtime", "search",
     "small", "spot", "sxm", "terminus", "thinking", "turbo", "ultra", "vision", "vl")
)  # fmt: skip
"""Words that make another good of a name: they must stand on both sides or on neither."""

_FORMS = {"sxm2": "sxm", "sxm4": "sxm", "sxm5": "sxm", "sxm6": "sxm", "nvlink": "sxm"}
_NOISE = frozenset(
    ("accounts", "ai", "amd", "fireworks", "geforce", "gb", "gpu", "hgx", "instance", "models",
     "nvidia", "on", "demand", "standard", "tensor", "core", "unknown", "usd", "x1")
)  # fmt: skip
_MEMORIES = frozenset(
    ("16", "24", "32", "40", "48", "80", "94", "96", "141", "143", "180", "192", "256", "288")
)
_CHIP = re.compile(r"(?:gh|gb|mi|[abhltv])[0-9]{1,3}[sx]?")
_WORD = re.compile(r"[a-z]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An instrument a listing could be: how alike (0 to 1), and the line to review.

    ``register`` is the file of ``methodology/instruments`` the line belongs in; ``line`` ends with
    what only a person can know, left open as ``reviewed = YYYY-MM-DD``.
    """

    instrument: str
    likeness: float
    like: str
    register: str
    line: str


def words(text: str) -> tuple[str, ...]:
    """Return the words and numbers of a name that matter, lower case, in their order.

    What stands before the last slash names a seller or a folder and is left out; so is the
    precision after a bar.
    """
    name = text.lower().split("|")[0] if "/" in text else text.lower().replace("|", " ")
    name = name.rpartition("/")[2]
    name = re.sub(r"([a-z])p([0-9]+)\b|([0-9])p([0-9])", r"\1\3.\2\4", name)
    name = re.sub(r"(?<![a-z0-9])[0-9]+ ?x(?![a-z])", " ", name)  # how many, not which
    found = re.findall(r"sxm[0-9]?|[a-z]+[0-9]+[a-z]*|[a-z]+|[0-9]+", name)
    split = [part for word in found for part in _parts(_FORMS.get(word, word))]
    return tuple(word for word in split if word not in _NOISE)


def _parts(word: str) -> list[str]:
    return [word] if word in OTHER_GOODS or _CHIP.fullmatch(word) else _WORD.findall(word)


def _agree(kind: str, mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    if OTHER_GOODS.intersection(mine) != OTHER_GOODS.intersection(theirs):
        return False
    ours, others = (
        sorted(w for w in one if w[-1].isdigit() or _CHIP.fullmatch(w)) for one in (mine, theirs)
    )
    if ours == others or kind != "gpus":
        return ours == others
    # A machine's name may leave out the memory of its GPUs: a person will see it in the line.
    memory, other_memory = (_MEMORIES.intersection(numbers) for numbers in (ours, others))
    if memory and other_memory:
        return False
    return [n for n in ours if n not in _MEMORIES] == [n for n in others if n not in _MEMORIES]


def _contradicts(mine: tuple[str, ...], instrument: str) -> bool:
    """Return whether both state a memory of the GPU and the two differ."""
    stated, known = (_MEMORIES.intersection(one) for one in (mine, words(instrument)))
    return bool(stated and known and stated != known and _CHIP.search(instrument.lower()))


@lru_cache(maxsize=1)
def _known() -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return what the registers call each good: per kind, (instrument, its words)."""
    tokens = {(m.id, words(m.id)) for m in register.load_models()}
    tokens |= {(m.id, words(m.name)) for m in register.load_models()}
    for model in register.load_models():
        for ids in model.listings.values():
            tokens |= {(model.id, words(one)) for one in ids}
    gpus = {(g.instrument, words(g.listing)) for g in register.load_gpus()}
    gpus |= {(g.instrument, words(g.instrument)) for g in register.load_gpus()}
    return {"tokens": tuple(sorted(tokens)), "gpus": tuple(sorted(gpus))}


def suggest(kind: str, source: str, provider: str, listing: str) -> Suggestion | None:
    """Return the good a listing is most alike, or None where nothing is near enough.

    Args:
        kind: ``tokens`` or ``gpus``; anything else has no goods.
        source: id of the source.
        provider: seller as the source spells it.
        listing: the listing id.
    """
    mine = words(listing)
    text = " ".join(mine)
    best: tuple[float, str, str] | None = None
    for instrument, theirs in _known().get(kind, ()):
        if not mine or not _agree(kind, mine, theirs) or _contradicts(mine, instrument):
            continue
        other = " ".join(theirs)
        likeness = SequenceMatcher(None, text, other, autojunk=False).ratio()
        # Of two that are equally alike the first by name, so that the answer never changes.
        if likeness >= LEAST and (best is None or likeness > best[0]):
            best = (likeness, instrument, other)
    if best is None:
        return None
    likeness, instrument, like = best
    place, line = _line(kind, source, provider, listing, instrument)
    return Suggestion(instrument, round(likeness, 2), like, place, line)


def _line(kind: str, source: str, provider: str, listing: str, instrument: str) -> tuple[str, str]:
    if kind == "gpus":
        told = (
            f'{{ source = "{_text(source)}", provider = "{_text(provider)}", '
            f'listing = "{_text(listing)}", instrument = "{instrument}", '
            'url = "", reviewed = YYYY-MM-DD, why = "" },'
        )
        return "gpus.toml", told
    return "models.toml", f'[model.listings] of {instrument}: {source} = [..., "{_text(listing)}"]'


def _text(value: str) -> str:
    """Return a text as it stands between the quotes of TOML."""
    kept = value.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in kept)


def suggest_seller(provider: str, known: Iterable[str]) -> str | None:
    """Return the register's seller whose name is most alike a spelling, or None."""
    wanted = re.sub(r"[^a-z0-9]", "", provider.lower())
    best: tuple[float, str] | None = None
    for name in sorted(known):
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        likeness = SequenceMatcher(None, wanted, plain, autojunk=False).ratio()
        if likeness >= LEAST and (best is None or likeness > best[0]):
            best = (likeness, name)
    return best[1] if best else None
