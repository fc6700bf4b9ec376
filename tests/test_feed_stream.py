"""The event stream over loopback: replay, live, the seam between them, and readers that stall."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest

from index.feed import ring, stream
from index.feed.ring import Ring, Selection
from index.feed.stream import Hub
from tests.sse import Memory, ask, feed, memory, until


def ids(events: list[dict[str, str]]) -> list[int]:
    return [int(event["id"]) for event in events]


def test_a_stream_replays_from_the_place_asked_for_and_then_goes_on_live() -> None:
    async def go() -> None:
        store = memory(5)
        async with feed(store) as (port, _), ask(port, "/v1/stream?after=1") as answer:
            assert answer.status == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-accel-buffering"] == "no"
            assert ids(await answer.take(3)) == [2, 3, 4]
            added = store.append("notice", text="Straße \u2028 7,1000")
            (event,) = await answer.take(1)
            assert (event["id"], event["event"]) == ("5", "notice")
            assert event["data"].encode() == added

    asyncio.run(go())


def test_without_a_place_only_what_comes_is_sent_and_the_head_is_told_at_once() -> None:
    async def go() -> None:
        store = memory(3)
        async with feed(store) as (port, _), ask(port, "/v1/stream") as answer:
            blocks = answer.blocks()
            opening = await anext(blocks)  # one event: a block without data is one to some clients
            assert opening.startswith(b'retry: 2000\nevent: heartbeat\ndata: {"head":2,')
            store.append()
            assert (await anext(blocks)).startswith(b"id: 3\n")

    asyncio.run(go())


def test_no_record_is_lost_or_doubled_while_others_are_appended_during_a_replay() -> None:
    """Records go on being appended until long after the reader has overtaken the replay."""

    async def go() -> None:
        store = memory(3_000, padding="x" * 300)

        async def publish() -> None:
            for _ in range(1_000):
                store.append(index_id="TKX-ALL-BLD")
                if len(store.waiting) > 3:
                    await asyncio.sleep(0.0005)

        async with (
            feed(store, poll_seconds=0.0005) as (port, _),
            ask(port, "/v1/stream?after=-1") as answer,
        ):
            publisher = asyncio.create_task(publish())
            assert ids(await answer.take(4_000)) == list(range(4_000))
            await publisher

    asyncio.run(go())


def test_a_cut_connection_resumed_by_last_event_id_misses_nothing() -> None:
    async def go() -> None:
        store, seen = memory(0), list[int]()
        async with feed(store) as (port, _):
            while len(seen) < 60:
                store.append()
                last = seen[-1] if seen else -1
                async with ask(port, "/v1/stream", headers=(f"Last-Event-ID: {last}",)) as answer:
                    store.append()
                    seen += ids(await answer.take(1))
        assert seen == list(range(60))

    asyncio.run(go())


@pytest.mark.parametrize(
    ("query", "header", "first"),
    [
        ("after=3", None, 4),
        ("after=-1", None, 0),
        ("after=1", "3", 4),
        ("", "-1", 0),
        ("", "0", 1),
    ],
    ids=["after", "after none", "the header wins", "header none", "header"],
)
def test_the_place_is_read_from_the_header_or_the_query(
    query: str, header: str | None, first: int
) -> None:
    async def go() -> None:
        async with feed(memory(6)) as (port, _):
            headers = (f"Last-Event-ID: {header}",) if header else ()
            async with ask(port, f"/v1/stream?{query}".rstrip("?"), headers=headers) as answer:
                assert ids(await answer.take(1)) == [first]

    asyncio.run(go())


@pytest.mark.parametrize(
    ("query", "headers", "status", "kind", "told"),
    [
        ("afer=1", (), 400, "unknown-parameter", "afer"),
        ("after=1&after=2", (), 400, "duplicate-parameter", "after"),
        ("after=01", (), 400, "invalid-parameter", "01"),
        ("after=-2", (), 400, "invalid-parameter", "-2"),
        ("after=1.0", (), 400, "invalid-parameter", "1.0"),
        ("after=%D9%A1", (), 400, "invalid-parameter", "after"),
        ("after=", (), 400, "invalid-parameter", "after"),
        ("after=99999999999999999999", (), 400, "invalid-parameter", "after"),
        ("after=3", (), 400, "invalid-parameter", "beyond the head, 2"),
        ("", ("Last-Event-ID: 3",), 400, "invalid-parameter", "beyond the head, 2"),
        ("", ("Last-Event-ID: zwei",), 400, "invalid-parameter", "zwei"),
        ("after=1", ("Last-Event-ID: zwei",), 400, "invalid-parameter", "zwei"),
        ("after=zwei", ("Last-Event-ID: 1",), 400, "invalid-parameter", "zwei"),
        ("", ("Last-Event-ID: 1", "Last-Event-ID: 2"), 400, "duplicate-parameter", "Last-Event-ID"),
        ("types=fixings", (), 400, "invalid-parameter", "fixings"),
        ("types=", (), 400, "invalid-parameter", "types"),
        ("index=TKX-ALL-BDL", (), 404, "unknown-index", "TKX-ALL-BDL"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_name(
    query: str, headers: tuple[str, ...], status: int, kind: str, told: str
) -> None:
    async def go() -> None:
        async with (
            feed(memory(3)) as (port, _),
            ask(port, f"/v1/stream?{query}".rstrip("?"), headers=headers) as answer,
        ):
            problem = await answer.problem()
            assert (answer.status, problem["type"]) == (status, f"/v1/problems/{kind}")
            assert told in problem["detail"]
            if "beyond" in told:
                assert problem["head"] == 2

    asyncio.run(go())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("types=fixing", [0, 1, 4]),
        ("types=notice,settlement", [2, 3, 5]),
        ("index=GPR-H100", [1, 3, 5]),
        ("index=GPR-H100&types=fixing", [1]),
        ("index=GPR-H100,TKX-ALL-BLD", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_filter_leaves_out_other_records_and_keeps_those_that_concern_everybody(
    query: str, expected: list[int]
) -> None:
    async def go() -> None:
        store = Memory()
        store.append("fixing", index_id="TKX-ALL-BLD")
        store.append("fixing", index_id="GPR-H100")
        store.append("notice", index_id="TKX-ALL-BLD")
        store.append("notice", index_id=None)
        store.poll()
        async with feed(store) as (port, _), ask(port, f"/v1/stream?after=-1&{query}") as answer:
            await answer.heartbeat()
            store.append("fixing", index_id="TKX-ALL-BLD")
            store.append("settlement", rule_id="LAST")
            assert ids(await answer.take(len(expected))) == expected

    asyncio.run(go())


def test_heartbeats_tell_head_and_time_and_when_the_next_print_is_due() -> None:
    async def go() -> None:
        store = memory(1, next_publication_at="2026-11-21T07:45:00.000Z")
        store.append(index_id="GPR-H100", next_publication_at="2026-11-21T05:00:00.000Z")
        store.poll()
        now = datetime(2026, 11, 21, 6, 0, 0, 250_000)
        async with (
            feed(store, heartbeat_seconds=0.02, now=lambda: now) as (port, _),
            ask(port, "/v1/stream") as answer,
        ):
            first = await answer.heartbeat()
            assert first == {
                "head": 1,
                "now": "2026-11-21T06:00:00.250Z",
                "next_publication_at": "2026-11-21T07:45:00.000Z",
            }
            store.append()
            async with asyncio.timeout(60):
                while (told := await answer.heartbeat())["head"] == 1:
                    pass
            assert told["head"] == 2

    asyncio.run(go())


def test_a_reader_that_falls_behind_is_disconnected_and_can_resume(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hub looks once a second; here the test looks in its stead, when it is time."""

    async def never(hub: Hub) -> None:
        await asyncio.Event().wait()

    def is_stuck(hub: Hub) -> bool:
        [one] = hub._subscribers
        return one.sending_since is not None and hub.ring.behind(one.cursor) > 2**20

    monkeypatch.setattr(Hub, "_look_for_stalled", never)

    async def go() -> None:
        store = memory(1)
        async with feed(store, max_behind=2**20) as (port, hub):
            async with ask(port, "/v1/stream?after=-1") as stalled:
                assert ids(await stalled.take(1)) == [0]
                stalled.writer.transport.pause_reading()  # type: ignore[attr-defined]
                while not is_stuck(hub):  # what the system buffers differs between machines
                    for _ in range(25):
                        store.append(padding="x" * 8_000)
                    await until(lambda: not store.waiting)
                    await until(lambda: hub.ring.size == len(store.entries))
                hub.drop_stalled(1)
                assert hub.figures.dropped == 0, "it had no time to read what came since"
                hub.drop_stalled(hub.ring.size)
                assert hub.figures.dropped == 1
                await until(lambda: hub.figures.subscribers == 0)
            count = len(store.entries)
            async with ask(port, "/v1/stream", headers=("Last-Event-ID: 0",)) as again:
                assert ids(await again.take(count - 1)) == list(range(1, count))

    asyncio.run(go())


def test_readers_that_stall_do_not_delay_the_others() -> None:
    async def go() -> None:
        store = memory(1)
        async with feed(store) as (port, hub):
            stalled = [ask(port, "/v1/stream") for _ in range(40)]
            for each in stalled:
                (await each.__aenter__()).writer.transport.pause_reading()  # type: ignore[attr-defined]
            async with ask(port, "/v1/stream") as reader:
                await reader.heartbeat()
                for expected in range(1, 40):
                    store.append(padding="x" * 30_000)
                    # The stalled stay as they are: whoever waits for one waits for ever.
                    assert ids(await asyncio.wait_for(reader.take(1), 30)) == [expected]
                assert hub.figures.subscribers == 41
            for each in stalled:
                await each.__aexit__(None, None, None)

    asyncio.run(go())


def test_a_server_that_stops_ends_each_stream_with_a_comment_and_whole() -> None:
    async def go() -> None:
        async with feed(memory(1)) as (port, _):
            opened = ask(port, "/v1/stream?after=-1")
            answer = await opened.__aenter__()
            assert ids(await answer.take(1)) == [0]
        rest = await answer.body()
        assert rest.endswith(b": the server is stopping; resume with Last-Event-ID\n\n")
        await opened.__aexit__(None, None, None)

    asyncio.run(go())


def test_a_client_that_leaves_is_forgotten() -> None:
    async def go() -> None:
        async with feed(memory(1)) as (port, hub):
            opened = ask(port, "/v1/stream")
            await (await opened.__aenter__()).heartbeat()
            assert hub.figures.subscribers == 1
            await opened.__aexit__(None, None, None)
            await until(lambda: hub.figures.subscribers == 0)

    asyncio.run(go())


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 405), ("DELETE", 405)])
def test_only_get_opens_a_stream(method: str, status: int) -> None:
    async def go() -> None:
        async with feed(memory(1)) as (port, hub), ask(port, "/v1/stream", method=method) as answer:
            assert answer.status == status
            assert hub.figures.opened == 0
            if status == 405:
                assert answer.headers["allow"] == "GET, HEAD, OPTIONS"

    asyncio.run(go())


# The ring ---------------------------------------------------------------------------------------


def filled(count: int, **options: Any) -> Ring:
    bodies = [json.dumps({"seq": seq, "index_id": f"I{seq % 3}"}).encode() for seq in range(count)]
    made = Ring(lambda seq: bodies[seq], **options)
    for seq, body in enumerate(bodies):
        made.add(seq, "fixing", body)
    return made


def test_a_frame_is_the_records_bytes_between_two_lines_and_an_empty_one() -> None:
    assert (
        ring.encode(41, "fixing", b'{"seq":41}') == b'id: 41\nevent: fixing\ndata: {"seq":41}\n\n'
    )


@pytest.mark.parametrize("ending", [b"\n", b"\r"])
def test_a_record_with_a_line_break_is_no_record(ending: bytes) -> None:
    with pytest.raises(ValueError, match="record 3 holds a line break"):
        ring.encode(3, "fixing", b"{" + ending + b"}")


def test_a_record_out_of_order_would_be_a_gap_and_is_refused() -> None:
    with pytest.raises(ValueError, match="record 7 after 2"):
        filled(3).add(7, "fixing", b"{}")


def test_a_frame_that_is_no_longer_kept_is_made_again_with_the_same_bytes() -> None:
    short, long = filled(50, kept_bytes=200), filled(50)
    assert [short.frame(seq) for seq in range(50)] == [long.frame(seq) for seq in range(50)]


def test_all_who_stand_at_one_place_are_given_one_object() -> None:
    made = filled(5)
    assert made.chunk(2)[0] is made.chunk(2)[0]
    chosen = Selection(indices=frozenset({"I1"}))
    assert made.chunk(0, chosen)[0] is made.chunk(0, chosen)[0]
    assert made.chunk(0, chosen)[0] == made.frame(1) + made.frame(4)
    assert made.chunk(0, chosen)[1] == 5


@pytest.mark.parametrize("selection", [Selection(), Selection(indices=frozenset({"I2"}))])
def test_chunks_one_after_another_are_every_wanted_frame_once(selection: Selection) -> None:
    made = filled(9_000, kept_bytes=10_000)
    cursor, parts = 0, []
    while cursor < made.size:
        part, cursor = made.chunk(cursor, selection)
        assert len(part) < ring.CHUNK_BYTES + 200
        parts.append(part)
    wanted = [s for s in range(9_000) if selection.takes("fixing", f"I{s % 3}")]
    assert b"".join(parts) == b"".join(made.frame(seq) for seq in wanted)


def test_every_documented_type_can_be_asked_for() -> None:
    assert {"fixing", "settlement", "notice", "restatement", "witness"} <= stream.TYPES
