"""The listings that no reviewed line maps, each with what it could be."""

from __future__ import annotations

from collections import Counter

from collectors import panel
from index.reading import Ledger, Row
from index.suggest import suggest, suggest_seller
from methodology.register import load_gpu_providers, load_providers


def unmapped(ledger: Ledger) -> list[Row]:
    """Return the rows of the newest intake that no reviewed line maps, with how often each was.

    ``suggestion`` is what ``index.suggest`` makes of it (a line to check, or null): the seller a
    spelling is most alike, or the good a listing is.
    """
    counts: Counter[tuple[str, str, str, str]] = Counter(
        (r["reason"], r["source"], r["provider"], r["listing_id"])
        for r in ledger.rejections()
        if r["reason"].startswith("UNMAPPED_")
    )
    return [
        {
            "reason": k[0],
            "source": k[1],
            "provider": k[2],
            "listing_id": k[3],
            "rows": n,
            "suggestion": suggestion_for(*k),
        }
        for k, n in sorted(counts.items())
    ]


def could_be(row: Row) -> str:
    """Return the good (or the register) that an unmapped row is most alike, or a dash."""
    one = row["suggestion"]
    if one is None:
        return "–"
    return f"{one['instrument']} ({one['likeness']})" if one["instrument"] else "a seller's line"


def suggestion_for(reason: str, source: str, provider: str, listing: str) -> Row | None:
    """Return the line that would map an unmapped seller or listing, for a person to check."""
    kind = panel.load(source).kind if source in panel.SOURCES else ""
    if reason == "UNMAPPED_PROVIDER":
        sellers = load_gpu_providers() if kind == "gpus" else load_providers()
        name = suggest_seller(provider, (seller.id for seller in sellers))
        if name is None:
            return None
        file = "gpu_providers.toml" if kind == "gpus" else "providers.toml"
        line = f'[provider.spellings] of {name}: {source} = [..., "{provider}"]'
        return {"instrument": None, "likeness": None, "register": file, "line": line}
    found = suggest(kind, source, provider, listing)
    if found is None:
        return None
    return {
        "instrument": found.instrument,
        "likeness": found.likeness,
        "register": found.register,
        "line": found.line,
    }
