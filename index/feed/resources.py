"""Fixings over HTTP: the newest, of a day, of a revision, and the files beside each one.

The body of a record is the log leaf, byte for byte. ``latest`` and a day's address return the
same bytes as the revision's own, which ``Content-Location`` names and which never change.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from starlette.types import Scope

from index.feed import queries
from index.feed.headers import IMMUTABLE, JSON, Line, Reply, moving, prepare
from index.feed.problems import Problem
from index.feed.queries import read
from index.feed.store import Entry, Series, Store
from index.feed.timetable import LATE, Timetable, provisional_due, wait
from index.publication.drop import place_of
from methodology import clock

FILES: Final = {
    "json.sig": b"application/octet-stream",
    "csv": b"text/csv; charset=utf-8; header=present",
    "xml": b"application/xml",
    "fix": b"application/octet-stream",
    "tlog-proof": b"text/plain; charset=utf-8",
}
"""Media type of each file beside a record."""

_FILE = re.compile(r"r(0|[1-9][0-9]{0,5})\.(json|json\.sig|csv|xml|fix|tlog-proof)")
_REVISION = re.compile(r"r(0|[1-9][0-9]{0,5})")
_LATEST: Final = {"max_age": queries.duration, "status": queries.statuses}
_HEX = re.compile(r"[0-9a-f]{64}")
_SHOWN: Final = 60


class Feed:
    """What every resource works with: the store, the timetable and a clock.

    Args:
        store: the verified published tree.
        now: the present moment, naive UTC.
    """

    def __init__(self, store: Store, now: Callable[[], datetime] = queries.utc_now) -> None:
        self.store = store
        self.now = now
        self.timetable = Timetable()

    # Looking up -----------------------------------------------------------------------------------

    def known_index(self, index_id: str) -> list[str]:
        """Return the sessions of an index; raises Problem ``unknown-index``."""
        sessions = self.store.sessions.get(index_id)
        if sessions is None:
            raise Problem(
                "unknown-index",
                f"no index {index_id[:_SHOWN]!r} was ever published; /v1/indices lists them",
            )
        return sessions

    def of(self, index_id: str, session: str) -> Series:
        """Return a series; raises Problem ``unknown-index`` or ``unknown-session``."""
        found = self.store.series.get((index_id, session))
        if found is None:
            sessions = self.known_index(index_id)
            raise Problem(
                "unknown-session",
                f"{index_id} has no session {session[:_SHOWN]!r}; it is fixed in "
                f"{', '.join(sessions)}",
                sessions=sessions,
            )
        return found

    def revisions(self, series: Series, day: str) -> list[Entry]:
        """Return the revisions of a day, or raise the Problem that says why there is none."""
        found = series.by_day.get(queries.day("date", day))
        if found:
            return found
        first, last, now = series.days[0], series.days[-1], self.now()
        more: dict[str, Any] = {"first_date": first, "last_date": last}
        due = provisional_due(series.session, day)
        if day > last and due is not None and now - due < LATE and not self._ceased(series, day):
            is_late = due <= now
            raise Problem(
                "not-yet-published",
                f"{series.index_id} {series.session} {day} {'was' if is_late else 'is'} due at "
                f"{clock.iso(due)}{' and is not there yet' * is_late}",
                headers={"Retry-After": "30" if is_late else wait(now, due)},
                next_publication_at=clock.iso(due),
                **more,
            )
        raise Problem(
            "not-a-publication-day",
            f"{series.index_id} {series.session} has no fixing of {day}; the first is of {first}, "
            f"the last of {last}",
            **more,
        )

    def _ceased(self, series: Series, day: str) -> bool:
        """Return whether a cessation says that there is no print of that day."""
        for entry in self.store.of_type.get("cessation", ()):
            record = entry.record()
            if record["index_id"] == series.index_id and day > record["last_ref_date"]:
                return True
        return False

    # Responses ------------------------------------------------------------------------------------

    def keep(self, session: str) -> Line:
        """Return the cache line of a resource that moves with a session."""
        return moving(self.timetable.keep(session, self.now()))

    def prepared(self, entry: Entry) -> Reply:
        """Return the response of a record without its cache line; made once and kept."""
        if entry.prepared is None:
            entry.prepared = prepare(entry.body, JSON, *self._lines(entry), digest=entry.sha256)
        return entry.prepared

    def _lines(self, entry: Entry) -> list[Line]:
        described = f'</v1/schemas/{entry.type}.json>; rel="describedby"'
        proof = f'</v1/log/proof/{entry.seq}>; rel="proof"'
        lines = [(b"link", described.encode()), (b"spot-seq", b"%d" % entry.seq)]
        links = [proof]
        if entry.type == "fixing":
            day = day_path(entry)
            links.insert(0, f'<{day}>; rel="latest-version"')
            if entry.revision:
                links.insert(1, f'<{day}/r{entry.revision - 1}.json>; rel="predecessor-version"')
        elif (place := place_of(entry.record())) is not None:
            # Its own address, whose bytes never change: the file in the drop.
            where = f"/drop/{place.folder}/{place.stem}.json"
            lines.append((b"content-location", where.encode()))
        lines += [(b"link", text.encode()) for text in links]
        signature = self.signature(entry)
        if signature is not None:
            keyid, raw = signature
            text = f'keyid="{keyid}";ed25519=:{base64.b64encode(raw).decode()}:'
            lines.append((b"spot-signature", text.encode()))
        return lines

    def signature(self, entry: Entry) -> tuple[str, bytes] | None:
        """Return key id and signature of a record, ``None`` when the tree has none."""
        if entry.signature is None:
            keys = self.store.keys.at("fixing", entry.seq)
            if entry.type == "fixing":
                path = self.store.site / (day_path(entry)[1:] + f"/r{entry.revision}.json.sig")
            elif (place := place_of(entry.record())) is not None:
                path = self.store.drop / place.folder / f"{place.stem}.json.sig"
            else:
                return None
            raw = path.read_bytes() if path.is_file() else b""
            made = [key.id for key in keys if key.verify(entry.body, raw)]
            if not made:
                return None
            entry.signature = made[0], raw
        return entry.signature


def day_path(entry: Entry) -> str:
    """Return the address of a fixing's day."""
    return f"/v1/fixings/{entry.index_id}/{entry.session}/{entry.ref_date}"


class Fixings:
    """The resources of single fixings. Each method is a handler: scope in, reply out."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.site = feed.store.site

    def latest(self, scope: Scope) -> Reply:
        """Answer ``/v1/fixings/{index}/{session}/latest?max_age=&status=``."""
        params = scope["path_params"]
        asked = read(scope["query_string"], _LATEST)
        series = self.feed.of(params["index"], params["session"])
        wanted = asked.get("status")
        entry = series.newest if wanted is None else self._newest(series, wanted)
        self._refuse_withdrawn(entry, wanted)
        oldest = asked.get("max_age")
        if oldest is not None:
            now = self.feed.now()
            age = now - _aged_from(entry)
            if age > oldest:
                raise Problem(
                    "stale",
                    f"the newest record of {series.index_id} {series.session} is of "
                    f"{entry.ref_date}, published at {clock.iso(entry.published_at)}, "
                    f"{int(age.total_seconds())} s old; max_age is "
                    f"{int(oldest.total_seconds())} s",
                    published_at=clock.iso(entry.published_at),
                    age_seconds=int(age.total_seconds()),
                    next_publication_at=clock.iso(self._next(series.session, now)),
                    record_url=f"{day_path(entry)}/r{entry.revision}.json",
                )
        return self._moving(entry)

    def _newest(self, series: Series, wanted: frozenset[str]) -> Entry:
        for day in reversed(series.days):
            entry = series.by_day[day][-1]
            if entry.status in wanted:
                return entry
        now = self.feed.now()
        following = self._next(series.session, now)
        raise Problem(
            "not-yet-published",
            f"no day of {series.index_id} {series.session} has a current record with status "
            f"{' or '.join(sorted(wanted))}",
            headers={"Retry-After": wait(now, following)},
            next_publication_at=clock.iso(following),
        )

    def _next(self, session: str, now: datetime) -> datetime:
        return self.feed.timetable.around(session, now)[1]

    def of_day(self, scope: Scope) -> Reply:
        """Answer ``/v1/fixings/{index}/{session}/{date}``: the current revision of a day."""
        params = scope["path_params"]
        read(scope["query_string"], {})
        series = self.feed.of(params["index"], params["session"])
        entry = self.feed.revisions(series, params["date"])[-1]
        self._refuse_withdrawn(entry, None)
        return self._moving(entry)

    def _moving(self, entry: Entry) -> Reply:
        reply = self.feed.prepared(entry)
        where = f"{day_path(entry)}/r{entry.revision}.json".encode()
        keep = self.feed.keep(entry.session or "")
        return reply.plus(keep, (b"content-location", where))

    def _refuse_withdrawn(self, entry: Entry, wanted: frozenset[str] | None) -> None:
        if entry.status == "WITHDRAWN" and (wanted is None or "WITHDRAWN" not in wanted):
            record = entry.record()
            raise Problem(
                "withdrawn",
                f"{entry.index_id} {entry.session} {entry.ref_date} was withdrawn by revision "
                f"{entry.revision}: {record.get('revision_reason')}",
                record_url=f"{day_path(entry)}/r{entry.revision}.json",
                withdrawn_at=record.get("published_at"),
            )

    def of_revision(self, scope: Scope) -> Reply:
        """Answer ``/v1/fixings/{index}/{session}/{date}/r{n}.json`` and the files beside it."""
        params = scope["path_params"]
        read(scope["query_string"], {})
        found = _FILE.fullmatch(params["file"])
        if not found:
            raise Problem(
                "not-found",
                f"{params['file'][:_SHOWN]!r} is no file of a revision; they are r0.json, "
                + ", ".join("r0." + suffix for suffix in FILES),
            )
        entry = self.revision(params, int(found[1]))
        if found[2] == "json":
            return self.feed.prepared(entry).plus(IMMUTABLE)
        path = self.site / f"{day_path(entry)[1:]}/{params['file']}"
        try:
            return beside(str(path), FILES[found[2]])
        except FileNotFoundError:
            raise Problem(
                "not-found", f"{params['file']} of {entry.ref_date} was not published"
            ) from None

    def revision(self, params: dict[str, str], number: int) -> Entry:
        """Return one revision, or raise the Problem that says why there is none."""
        series = self.feed.of(params["index"], params["session"])
        found = self.feed.revisions(series, params["date"])
        if number < len(found):
            return found[number]
        current, now = found[-1], self.feed.now()
        what = f"{series.index_id} {series.session} {params['date']} r{number}"
        more: dict[str, Any] = {"current_revision": current.revision}
        if number == 1 and current.revision == 0 and now < current.next_at:
            due = current.next_at
            raise Problem(
                "not-yet-published",
                f"{what} is due at {clock.iso(due)}",
                headers={"Retry-After": wait(now, due)},
                next_publication_at=clock.iso(due),
                **more,
            )
        raise Problem(
            "unknown-revision", f"{what}: the current revision is r{current.revision}", **more
        )

    def inputs_of(self, scope: Scope) -> tuple[dict[str, Any], bytes, bytes]:
        """Return record, inputs and contributions of the revision that a request names."""
        params = scope["path_params"]
        read(scope["query_string"], {})
        found = _REVISION.fullmatch(params["revision"])
        if not found:
            raise Problem("not-found", f"{params['revision'][:_SHOWN]!r} is no revision r<n>")
        entry = self.revision(params, int(found[1]))
        record = json.loads(entry.body)
        uri = str(record["input_uri"])
        inputs = cited_body(self.site, "inputs", uri.rpartition("/")[2].removesuffix(".jsonl"))
        cited = cited_body(self.site, "contributions", record["contributions"]["sha256"])
        return record, inputs, cited


def _aged_from(entry: Entry) -> datetime:
    """Return the moment from which a fixing grows old (naive UTC), for ``max_age``.

    A print that came late does not make its day any younger: at most when its final was due.
    """
    cut = datetime.fromisoformat(entry.record()["cutoff_at"]).replace(tzinfo=None)
    return min(entry.published_at, cut + clock.FINAL_AFTER)


def cited_body(site: Path, kind: str, digest: str) -> bytes:
    """Return a body that a record cites, its digest checked.

    Raises:
        Problem: ``not-found``; ``unavailable`` when its bytes are not what the record cites.
    """
    bare = digest.removeprefix("sha256:")
    try:
        if not _HEX.fullmatch(bare):
            raise FileNotFoundError(bare)
        body = (site / "batches" / kind / f"{bare}.jsonl").read_bytes()
    except FileNotFoundError:
        raise Problem("not-found", f"the {kind} {digest[:80]!r} are not published") from None
    if hashlib.sha256(body).hexdigest() != bare:
        raise Problem(
            "unavailable",
            f"the {kind} {bare} were changed on this server; take them from another",
            headers={"Retry-After": "3600"},
        )
    return body


@lru_cache(maxsize=512)
def beside(path: str, media_type: bytes) -> Reply:
    """Return the response of a write-once file; raises FileNotFoundError."""
    return prepare(Path(path).read_bytes(), media_type, IMMUTABLE)
