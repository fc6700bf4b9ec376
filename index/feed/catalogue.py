"""What there is: indices, baskets, settlements, calendar, keys, state, proofs, schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starlette.types import Scope

from index.feed import formats, openapi, problems, queries
from index.feed.formats import ICS
from index.feed.headers import (
    JSON,
    NDJSON,
    NO_STORE,
    Reply,
    moving,
    prepare,
)
from index.feed.problems import Problem
from index.feed.queries import read
from index.feed.resources import Feed, cited_body, day_path
from index.feed.store import Entry, Series
from index.publication import proofs, schema, xsd
from methodology import clock

TEXT: Final = b"text/plain; charset=utf-8"
_DAY: Final = moving(86_400)
_HEADLINE: Final = (
    "seq", "ref_date", "revision", "status", "value", "grade", "waterfall",
    "settlement_eligible", "published_at",
)  # fmt: skip
_OF_INDEX: Final = (
    "family", "currency", "unit", "decimals", "label", "calendar_id", "methodology_version",
    "definition_digest", "licence",
)  # fmt: skip


class Catalogue:
    """The resources that tell what there is. Each method is a handler."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._made: dict[str, tuple[int, bytes]] = {}

    # Indices --------------------------------------------------------------------------------------

    def indices(self, scope: Scope) -> Reply:
        """Answer ``/v1/indices``: every index ever published, by id."""
        read(scope["query_string"], {})
        body = self._once("indices", self._all_indices)
        return prepare(body, JSON, moving(self.feed.timetable.keep_all(self.feed.now())))

    def _all_indices(self) -> bytes:
        data = [self._index(name) for name in sorted(self.feed.store.sessions)]
        told = {"as_of_seq": self.feed.store.head.size - 1, "data": data, "next_cursor": None}
        return _json(told)

    def index(self, scope: Scope) -> Reply:
        """Answer ``/v1/indices/{index}``."""
        read(scope["query_string"], {})
        name = scope["path_params"]["index"]
        sessions = self.feed.known_index(name)
        body = self._once("index " + name, lambda: _json(self._index(name)))
        return prepare(body, JSON, moving(min(map(self._seconds, sessions))))

    def _seconds(self, session: str) -> int:
        return self.feed.timetable.keep(session, self.feed.now())

    def _index(self, name: str) -> dict[str, Any]:
        series = [self.feed.store.series[name, s] for s in self.feed.store.sessions[name]]
        newest = max((one.newest for one in series), key=lambda e: e.seq).record()
        return {
            "index_id": name,
            **{field: newest.get(field) for field in _OF_INDEX},
            "sessions": [_of_session(one) for one in series],
            "basket_url": f"/v1/indices/{name}/basket",
            "definition_of_fields": "/v1/schemas/fixing.json",
        }

    def basket(self, scope: Scope) -> Reply:
        """Answer ``/v1/indices/{index}/basket?as_of=``: the panel or basket then in force.

        It is the one that the last fixing known at that moment was determined with.
        """
        asked = read(scope["query_string"], {"as_of": queries.instant})
        name = scope["path_params"]["index"]
        sessions = self.feed.known_index(name)
        moment, now = asked.get("as_of"), self.feed.now()
        if moment is not None and moment > now:
            said = f"as_of {clock.iso(moment)} is later than now, {clock.iso(now)}"
            raise Problem("future-as-of", said, parameter="as_of")
        entry = self._last_with_basket(name, sessions, moment)
        digest = entry.record()["basket_digest"].removeprefix("sha256:")
        where = f"/batches/basket/{digest}.jsonl".encode()
        body = cited_body(self.feed.store.site, "basket", digest)
        cited = f'<{day_path(entry)}/r{entry.revision}.json>; rel="cited-by"'.encode()
        keep = moving(min(map(self._seconds, sessions)))
        return prepare(body, NDJSON, keep, (b"content-location", where), (b"link", cited))

    def _last_with_basket(self, name: str, sessions: list[str], moment: datetime | None) -> Entry:
        store = self.feed.store
        shown = store.size_at(moment) if moment is not None else 0
        found = [
            entry
            for session in sessions
            for revisions in store.series[name, session].by_day.values()
            for entry in revisions
            if moment is None or store.is_known(entry, moment, shown)
        ]
        for entry in sorted(found, key=lambda e: (e.ref_date or "", e.seq), reverse=True):
            if entry.record().get("basket_digest"):
                return entry
        raise Problem("not-found", f"{name} had no basket at that moment")

    # Settlements, calendar ------------------------------------------------------------------------

    def settlement(self, scope: Scope) -> Reply:
        """Answer ``/v1/settlements/{rule}/{period}?index=``: the newest record of it."""
        asked = read(scope["query_string"], {"index": queries.plain})
        rule, period = scope["path_params"]["rule"], scope["path_params"]["period"]
        newest: dict[str, Entry] = {}
        for entry in self.feed.store.of_type.get("settlement", ()):
            record = entry.record()
            if (record["rule_id"], record["period"]) == (rule, period):
                newest[str(record.get("index_id"))] = entry
        wanted = asked.get("index")
        if wanted is not None:
            newest = {name: entry for name, entry in newest.items() if name == wanted}
        if not newest:
            of = f" of {wanted[:60]!r}" if wanted else ""
            raise Problem(
                "not-found",
                f"no settlement{of} by rule {rule[:60]!r} for {period[:40]!r} is logged",
            )
        if len(newest) > 1:
            raise Problem(
                "missing-parameter",
                f"several indices settle by {rule} for {period}; give index=, one of "
                f"{', '.join(sorted(newest))}",
                parameter="index",
                indices=sorted(newest),
            )
        keep = moving(self.feed.timetable.keep_all(self.feed.now()))
        return self.feed.prepared(next(iter(newest.values()))).plus(keep)

    def calendar(self, scope: Scope) -> Reply:
        """Answer ``/v1/calendar/{name}/{version}?year=`` and the same with ``.ics``."""
        asked = read(scope["query_string"], {"year": queries.year})
        params = scope["path_params"]
        version, _, suffix = params["version"].partition(".")
        known = f"{params['name']}/{version}"
        if known != formats.CALENDAR or suffix not in ("", "ics"):
            raise Problem(
                "not-found", f"no calendar {known[:60]!r}; there is {formats.CALENDAR}, also .ics"
            )
        year = asked.get("year", self.feed.now().year)
        if suffix:
            return prepare(formats.calendar_ics(year), ICS, _DAY)
        return prepare(formats.calendar_json(year), JSON, _DAY)

    def logged_calendar(self, scope: Scope) -> Reply:
        """Answer ``/v1/calendar/{name}?edition=`` and the same with ``.ics``.

        It is the record of a calendar that contracts use: the newest, or that of an edition, by
        version or digest. With ``.ics`` it is its list of sessions.
        """
        wanted = read(scope["query_string"], {"edition": queries.edition}).get("edition")
        asked = scope["path_params"]["name"]
        name = asked.removesuffix(".ics")
        logged = self.feed.store.of_type.get("calendar", ())
        mine = [entry for entry in reversed(logged) if entry.record()["calendar_id"] == name]
        for entry in mine:
            record = entry.record()
            if wanted not in (None, record["version"], record.get("digest")):
                continue
            keep = _DAY if wanted else moving(self.feed.timetable.keep_all(self.feed.now()))
            if name == asked:
                return self.feed.prepared(entry).plus(keep)
            cited = record["artefact"]["sha256"].removeprefix("sha256:")
            body = cited_body(self.feed.store.site, "calendar", cited)
            return prepare(formats.sessions_ics(record, body), ICS, keep)
        if mine:
            there = ", ".join(entry.record()["version"] for entry in mine)
            raise Problem("not-found", f"no edition {wanted} of {name[:60]}; the log has {there}")
        known = sorted({str(entry.record()["calendar_id"]) for entry in logged})
        more = f"; the log has {', '.join(known)}" if known else ""
        raise Problem("not-found", f"no calendar {name[:60]!r}; there is {formats.CALENDAR}{more}")

    # State ----------------------------------------------------------------------------------------

    def keys(self, scope: Scope) -> Reply:
        """Answer ``/v1/keys``: every key there was, what for and from which seq to which."""
        read(scope["query_string"], {})
        path = self.feed.store.site / "keys" / "keys.json"
        keep = moving(self.feed.timetable.keep_all(self.feed.now()))
        return prepare(_bytes(path), JSON, keep)

    def status(self, scope: Scope) -> Reply:
        """Answer ``/v1/status``: the log's head, what is out and what comes next."""
        read(scope["query_string"], {})
        store, now = self.feed.store, self.feed.now()
        signed_at = store.checkpoint.signed_at
        sessions = {}
        for session in sorted({s for _, s in store.series}):
            last, following = self.feed.timetable.around(session, now)
            newest = max((x.newest for k, x in store.series.items() if k[1] == session),
                         key=lambda e: e.seq)  # fmt: skip
            sessions[session] = {
                "last_published_at": clock.iso(newest.published_at),
                "last_ref_date": newest.ref_date,
                "last_due_at": clock.iso(last),
                "next_publication_at": clock.iso(following),
            }
        told = {
            "status": "ok" if store.fault is None else "degraded",
            "fault": store.fault,
            "now": clock.iso(now.replace(microsecond=now.microsecond // 1000 * 1000)),
            "log": {
                "origin": store.origin,
                "size": store.head.size,
                "root": store.head.root.hex(),
                "checkpoint_signed_at": _iso(signed_at),
                "signed_by": store.checkpoint.signed_by,
                "cosigned_by": [name for name, _ in store.checkpoint.cosigned],
            },
            "sessions": sessions,
        }
        return prepare(_json(told), JSON, NO_STORE)

    def health(self, scope: Scope) -> Reply:
        """Answer ``/healthz``: 200 while the tree verifies, 503 otherwise."""
        read(scope["query_string"], {})
        store = self.feed.store
        if store.fault is not None:
            raise Problem("unavailable", store.fault, headers={"Retry-After": "5"})
        return prepare(_json({"status": "ok", "size": store.head.size}), JSON, NO_STORE)

    def proof(self, scope: Scope) -> Reply:
        """Answer ``/v1/log/proof/{seq}``: the record's proof under the newest checkpoint."""
        read(scope["query_string"], {})
        text = scope["path_params"]["seq"]
        seq = queries.whole("seq", text)
        entry = self.feed.store.entry(seq)
        if entry is None:
            size = self.feed.store.head.size
            raise Problem("not-found", f"record {seq}: the log has {size}, from 0", log_size=size)
        body = proofs.make(self.feed.store, seq, self.feed.store.note)
        return prepare(body, TEXT, moving(1), (b"spot-seq", b"%d" % seq))

    # Descriptions ---------------------------------------------------------------------------------

    def schema(self, scope: Scope) -> Reply:
        """Answer ``/v1/schemas/{type}.json``; ``fixing.json`` and ``fixing-1.0.json`` are one."""
        read(scope["query_string"], {})
        name = scope["path_params"]["type"].removesuffix("-1.0")
        if name not in schema.SCHEMAS:
            raise Problem(
                "not-found", f"no schema {name[:60]!r}; there are {', '.join(schema.SCHEMAS)}"
            )
        body = schema.schema_text(name).encode()
        return prepare(body, b"application/schema+json", _DAY)

    def xsd(self, scope: Scope) -> Reply:
        """Answer ``/v1/schemas/publication.xsd``: the XML Schema of fixings in XML."""
        read(scope["query_string"], {})
        return prepare(xsd.document(), b"application/xml", _DAY)

    def openapi(self, scope: Scope) -> Reply:
        """Answer ``/v1/openapi.json``: the contract of ``/v1``."""
        read(scope["query_string"], {})
        return prepare(openapi.text(), JSON, _DAY)

    def problem(self, scope: Scope) -> Reply:
        """Answer ``/v1/problems/{name}``: what a problem type means."""
        read(scope["query_string"], {})
        name = scope["path_params"]["name"]
        found = problems.described(name)
        if found is None:
            known = ", ".join(problems.KINDS)
            raise Problem("not-found", f"no problem type {name[:60]!r}; there are {known}")
        return prepare(_json(found), JSON, _DAY)

    def _once(self, name: str, make: Any) -> bytes:
        """Return what was made since the log last changed, or make it."""
        changes = self.feed.store.changes
        found = self._made.get(name)
        if found is None or found[0] != changes:
            found = self._made[name] = changes, make()
        return found[1]


def _of_session(series: Series) -> dict[str, Any]:
    newest = series.newest.record()
    base = f"/v1/fixings/{series.index_id}/{series.session}"
    return {
        "session": series.session,
        "first_date": series.days[0],
        "last_date": series.days[-1],
        "days": len(series.days),
        "newest": {name: newest.get(name) for name in _HEADLINE},
        "next_publication_at": newest.get("next_publication_at"),
        "latest_url": f"{base}/latest",
        "list_url": base,
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Problem("not-found", f"{path.name} is not published") from None


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return clock.iso(moment.astimezone(UTC).replace(tzinfo=None))
