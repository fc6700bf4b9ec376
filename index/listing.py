"""The admitted sources as people ask for them: what, where, on which terms, how well known."""

from __future__ import annotations

from collections.abc import Iterable

from collectors import panel
from index import collecting, doctor, guarding
from index.config import Settings
from index.reading import Row
from index.terminal import DIM, HEAD, WARN, Screen
from methodology import clock
from methodology.errors import LogInconsistent


def rows(settings: Settings, names: Iterable[str] = ()) -> list[Row]:
    """Return one row per source, in the order of the panel; ``names`` narrows them.

    ``proven_on`` is the day of the newest whole body that was compared, null: unproven.
    ``last_success`` is when it last gave a body over the network. ``quarantined`` is why the
    guards refuse all of it now, else null.

    Raises:
        ConfigError: a name that is not admitted.
    """
    wanted = list(names)
    for name in wanted:
        panel.load(name)
    seen = doctor.last_seen(settings)
    held = quarantined(settings)
    found = []
    for source in panel.load_all():
        if wanted and source.id not in wanted:
            continue
        off = collecting.off_because(source, settings)
        found.append(
            {
                "id": source.id,
                "kind": source.kind,
                "mode": source.mode,
                "tier": source.tier,
                "proven_on": panel.SOURCES[source.id].proven_on,
                "url": source.url,
                "auth_env": source.auth_env,
                "code_licence": source.code_licence,
                "data_right": source.data_right,
                "terms": source.terms,
                "currencies": list(source.currencies),
                "path": source.path or source.id,
                "is_asked_live": off is None,
                "off_because": off,
                "quarantined": held.get(source.id),
                "last_success": clock.iso(seen[source.id]) if source.id in seen else None,
            }
        )
    return found


def quarantined(settings: Settings) -> dict[str, str]:
    """Return why the guards refuse all of a source now, by source; empty before the first round."""
    path = settings.data / guarding.FILE
    if not path.is_file():
        return {}
    try:
        book = guarding.Book.from_bytes(path.read_bytes())
    except LogInconsistent:
        return {}  # it is made again from the archive by the next round
    return {name: reason for name, (reason, _, _) in guarding.quarantined(book).items()}


def show(screen: Screen, found: list[Row], *, with_terms: bool) -> None:
    """Print one block a source and, below all, how many there are."""
    for r in found:
        known = f"proven {r['proven_on']}" if r["proven_on"] else "unproven"
        live = "asked live" if r["is_asked_live"] else "not asked live"
        key = f"key {r['auth_env']}" if r["auth_env"] else "no key"
        told = ", ".join((r["kind"], r["mode"], f"tier {r['tier']}", known, live, key))
        screen.line((r["id"], HEAD), (f"   {told}", DIM))
        screen.pair("url", r["url"])
        screen.pair("licence", r["code_licence"])
        screen.pair("data", r["data_right"])
        if with_terms:
            screen.pair("terms", r["terms"])
            screen.pair("currencies", ", ".join(r["currencies"]))
        if r["off_because"]:
            screen.pair("off", r["off_because"])
        if r["quarantined"]:
            screen.line(("  quarantined: ", WARN), r["quarantined"])
        screen.pair("last success", r["last_success"] or "none over the network yet")
    asked = sum(r["is_asked_live"] for r in found)
    proven = sum(r["proven_on"] is not None for r in found)
    screen.line()
    screen.line(f"{len(found)} sources: {asked} asked live, {proven} proven")
