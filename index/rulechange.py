"""Which rules hold for a record, and whether others may follow them in this log (rulebook 23)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from index.records import rules_digest
from index.shop import Shop
from methodology import rulebooks
from methodology.definition import Definition, Methodology
from methodology.errors import DefinitionError
from methodology.rulebooks import Rulebook
from methodology.versions import Version


@dataclass(frozen=True)
class Rules:
    """The rules that hold for part of a log: parameters and definitions by index id."""

    methodology: Methodology
    definitions: Mapping[str, Definition]


def rules_of(digest: str, in_force: Methodology, definitions: Mapping[str, Definition]) -> Rules:
    """Return the rules that a record names, those in force or an earlier version's.

    Args:
        digest: of the listing, as a ``methodology`` record states it.
        in_force: the parameters in force here.
        definitions: the definitions in force here, by index id.

    Raises:
        DefinitionError: no version of this software has these rules, or a file of theirs is lost.
    """
    if digest == rules_digest():
        return Rules(in_force, definitions)
    book = rulebooks.rulebook(digest)
    return Rules(book.methodology, {n: d for d in book.definitions for n in d.index_ids})


def check(shop: Shop, due: Mapping[str, date]) -> None:
    """Refuse to publish under rules that may not follow those of the log (rulebook 23.2, 23.3).

    Args:
        shop: the open ledger.
        due: index day of every index about to be published.

    Raises:
        DefinitionError: a file in force was edited; a change is larger than its version says; a
            new major version skipped a step of change control, would hold in a month whose
            vintage was frozen when notice was given, or is not yet in force on a day that is due.
    """
    last = shop.published.rules_in_force()
    if last is None or last == rules_digest():
        return
    old, new = _book_of_log(shop, last), rulebooks.rulebook(rules_digest())
    rulebooks.check_succession(old, new)
    was = {name: d for d in old.definitions for name in d.index_ids}
    for name, day in sorted(due.items()):
        pairs: list[tuple[str, Definition | Methodology, Definition | Methodology]] = [
            ("methodology", old.methodology, shop.rules)
        ]
        if name in was:
            pairs.append((name, was[name], shop.definitions[name]))
        for what, before, after in pairs:
            is_major = Version.of(after.version).major > Version.of(before.version).major
            if is_major and day < after.effective_from:
                raise DefinitionError(
                    f"{what} {after.version}: holds from {after.effective_from}; {name} of {day} "
                    "is published by the release before it (rulebook 23.3)"
                )


def _book_of_log(shop: Shop, digest: str) -> Rulebook:
    """Return the rules that the log was last made under: packaged, or from its own artefact."""
    try:
        return rulebooks.rulebook(digest)
    except DefinitionError:
        seq = next(s for s, d in reversed(shop.published.rules.items()) if d == digest)
        record = json.loads(shop.log.entry(seq))
        content = json.loads(shop.batches.get("rules", record["artefact"]["sha256"]))
        if "files" not in content:
            raise
        return rulebooks.from_texts(
            record["methodology_version"], content["frozen"], content["files"]
        )
