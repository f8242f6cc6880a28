from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
from aiohttp import web
from msgspec import structs

from tests.unit.webhooks.deliver.desk import Desk, Got, Sink, always, desk, eventually, fine, sink
from tidings.consumers.rounds import Rounds
from tidings.errors import CheckpointMovedError, RefusedError, StoreUnavailableError
from tidings.operations import deliveries as operating
from tidings.ports import SystemClock
from tidings.store.deliveries import DeliveryFilter
from tidings.store.endpoint_deliveries import Ending, Range, Turned
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver.dispatcher import Dispatcher
from tidings.webhooks.deliver.secrets import secret_of
from tidings.webhooks.deliver.signing import message_id, signature

BOTH = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
async def to() -> AsyncIterator[Sink]:
    async with sink() as made:
        yield made


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """The URL of a database: in memory, or on a server."""
    is_here = getattr(request, "param", "sqlite") == "sqlite"
    return "sqlite:///:memory:" if is_here else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def at(place: str) -> AsyncIterator[Desk]:
    async with desk(place) as made:
        yield made


@BOTH
async def test_an_event_is_sent_to_each_endpoint_that_wants_it_signed_and_once(at: Desk, to: Sink) -> None:
    made = await at.endpoints.add({"url": to.url("/a"), "pattern": {"type": ["said"]}}, id="a")
    await at.add(to.url("/b"), "b", pattern={"type": ["sold"]})
    await at.say("1")
    [row] = await at.until("delivered")
    [got] = to.got
    assert (row["endpoint"], row["attempts"], got.path) == ("a", 1, "/a")
    assert got.id == message_id("/test", "1")
    content = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
    assert got.headers["webhook-signature"] == signature(secret_of(made.secret), content)
    assert json.loads(got.body)["id"] == "1"


async def test_the_header_of_a_trace_is_sent_where_the_event_has_one_that_is_valid(at: Desk, to: Sink) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await at.add(to.url())
    for n, said in enumerate([parent, "\u2003", "00-1", f"{parent}-x", "é"]):
        await at.say(str(n), traceparent=said)
    await at.until(*["delivered"] * 5)
    got = {json.loads(got.body)["id"]: got.headers.get("traceparent") for got in to.got}
    assert got == {"0": parent, **dict.fromkeys("1234")}


@BOTH
async def test_every_try_leaves_an_attempt_row(at: Desk, to: Sink) -> None:
    to.answer = always(500)
    await at.add(to.url())
    await at.say("1")
    [row] = await at.until("dead", type="said")
    tried = await at.store.attempts(row["key"])
    assert [(each.number, each.outcome) for each in tried] == [(n, "http-error") for n in (1, 2, 3, 4)]
    assert [json.loads(each.answer or b"")["status"] for each in tried] == [500] * 4
    assert [got.attempt for got in to.got] == [1, 2, 3, 4]
    assert len({got.id for got in to.got}) == 1


@BOTH
async def test_retry_budget_ends_in_a_dead_letter(at: Desk, to: Sink) -> None:
    to.answer = always(503)
    await at.add(to.url())
    await at.add(to.url("/told"), "told", pattern={"type": ["delivery.exhausted"]})
    await at.say("1")
    [row] = await at.until("dead", endpoint="e")
    assert (row["reason"], row["attempts"]) == ("exhausted", 4)
    await eventually(lambda: _has(to, "/told"))
    assert json.loads(to.to("/told")[0].body)["data"]["delivery"] == row["key"]


async def _holds(condition: bool) -> bool:
    return condition


async def _has(to: Sink, path: str, count: int = 1) -> bool:
    return len(to.to(path)) >= count


@BOTH
async def test_second_manual_retry_is_not_swallowed(place: str, to: Sink) -> None:
    to.answer = always(500)
    async with desk(place, delivery_delays="0,0.05") as at:  # ten failures would make it degraded
        await at.add(to.url())
        await at.say("1")
        [row] = await at.until("dead", type="said")
        for times in (2, 3):
            await operating.retry(at.store, row["key"], at.opened.ports.clock, who="cli")
            await eventually(lambda times=times: _has(to, "/", 2 * times))  # type: ignore[misc]
            await at.until("dead", type="said")


@BOTH
async def test_redrive_starts_with_a_full_budget(at: Desk, to: Sink) -> None:
    to.answer = always(500)
    await at.add(to.url())
    await at.say("1")
    await at.until("dead", endpoint="e")
    done = await at.endpoints.recover("e", Range(after=0, to=99))
    assert done.count == 1
    await eventually(lambda: _has(to, "/", 8))
    assert [got.attempt for got in to.got] == [1, 2, 3, 4] * 2


async def test_dns_failure_is_retried(at: Desk) -> None:
    await at.add("http://there-is-no-such-host.invalid/")
    await at.say("1")
    [row] = await at.until("dead", type="said")
    assert [each.outcome for each in await at.store.attempts(row["key"])] == ["dns"] * 4


async def test_refused_address_is_not_retried(place: str, to: Sink) -> None:
    async with desk(place, delivery_subnets="127.0.0.2/32") as at:
        await at.add("http://127.0.0.2:1/")
        record = await at.store.endpoint("e")
        assert record is not None
        await at.store.change_endpoint(_elsewhere(record, to.url()))
        await at.say("1", "2")
        first, second = await at.until("dead", "held")
        assert (first["reason"], first["attempts"], second["attempts"]) == ("address-refused", 1, 0)
        shown = await at.endpoints.show("e")
        assert (shown.state, shown.reason) == ("paused", "address-refused")
        assert to.got == []


def _elsewhere(record: EndpointRecord, url: str) -> EndpointRecord:
    config = {**json.loads(record.config), "url": url, "slots": 1, "reserved": 0}
    return structs.replace(
        record, config=json.dumps(config).encode(), pacing=replace(record.pacing, slots=1, reserved=0)
    )


async def test_an_unreadable_secret_pauses_and_nothing_is_sent_unsigned(at: Desk, to: Sink) -> None:
    await at.add(to.url(), slots=1)
    record = await at.store.endpoint("e")
    assert record is not None
    spoilt = record.secrets.replace(b"plain$", b"aes256gcm$nokey$")
    await at.store.change_endpoint(structs.replace(record, secrets=spoilt))
    await at.say("1", "2")
    await at.until("dead", "held")
    assert ((await at.endpoints.show("e")).reason, to.got) == ("secret-unreadable", [])


@BOTH
async def test_410_disables_the_endpoint_and_only_an_operator_resumes_it(at: Desk, to: Sink) -> None:
    to.answer = always(410)
    await at.add(to.url(), slots=1)
    await at.say("1", "2")
    await at.until("dead", "held", type="said")
    assert await at.fares() == "disabled"
    to.answer = always(200)
    await at.endpoints.resume("e")
    await at.until("dead", "delivered", type="said")


@BOTH
async def test_429_moves_the_whole_endpoint(at: Desk, to: Sink) -> None:
    to.answer = always(429, retry_after="3600")
    await at.add(to.url(), slots=1)
    await at.say("1", "2")
    await eventually(lambda: _has(to, "/"))
    await eventually(lambda: _moved(at))
    assert len(to.got) == 1


@pytest.mark.parametrize(
    ("said", "least_s"), [("7200", 7_199), ("0", 2_879), ("Mon, 01 Jan 2024 00:00:00 GMT", 2_879), ("soon", 2_879)]
)
async def test_retry_after_only_lengthens(place: str, to: Sink, said: str, least_s: int) -> None:
    to.answer = always(503, retry_after=said)
    async with desk(place, delivery_delays="0,3600") as at:  # a fifth more or less
        await at.add(to.url())
        begun = at.opened.ports.clock.now_us()
        await at.say("1")
        await eventually(lambda: _is_due_later(at))
        [row] = await at.rows()
        assert row["next_at"] - begun >= least_s * 1_000_000


async def _is_due_later(at: Desk) -> bool:
    return [(row["state"], row["attempts"]) for row in await at.rows()] == [("due", 1)]


async def _moved(at: Desk) -> bool:
    return (await at.endpoints.show("e")).not_before > at.opened.ports.clock.now_us() + 3_000_000_000


@BOTH
async def test_subject_order_is_kept_over_retries(at: Desk, to: Sink) -> None:
    failing = {"1"}

    async def answer(got: Got) -> web.StreamResponse:
        id = json.loads(got.body)["id"]
        return web.Response(status=500 if id in failing and got.attempt < 3 else 200)

    to.answer = answer
    await at.add(to.url(), ordering="key")
    await at.say("1", "2", "3", subject="s")
    await at.say("x", subject="t")
    await at.until(*["delivered"] * 4, type="said")
    assert [json.loads(got.body)["id"] for got in to.got if b'"s"' in got.body] == ["1", "1", "1", "2", "3"]


@BOTH
async def test_deleted_endpoint_cancels_open_deliveries(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    await at.endpoints.pause("e")
    await at.say("1")
    await at.until("held", type="said")
    assert await at.endpoints.remove("e") >= 1
    assert set(await at.states()) == {"cancelled"}
    await at.say("2")
    assert to.got == []


async def test_failing_endpoint_does_not_slow_others(at: Desk, to: Sink) -> None:
    async def answer(got: Got) -> web.StreamResponse:
        if got.path == "/hangs":
            await asyncio.sleep(60)
        return web.Response()

    to.answer = answer
    await at.add(to.url("/hangs"), "a")
    await at.add(to.url("/fine"), "b")
    await at.say(*map(str, range(50)))
    await at.until(*["delivered"] * 50, endpoint="b")
    assert len(to.to("/hangs")) <= 4


async def test_saturated_endpoint_causes_no_spin(at: Desk, to: Sink) -> None:
    released = asyncio.Event()

    async def answer(got: Got) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    to.answer = answer
    clock = only_woken(at)
    await at.add(to.url(), slots=1)
    await at.say("1", "2", "3")
    await eventually(lambda: _has(to, "/"))
    await eventually(lambda: _looks_no_more(at))
    assert clock.asked[-1] >= 0.5
    released.set()
    await at.until(*["delivered"] * 3)


@BOTH
async def test_a_result_that_is_told_of_wakes_once_it_is_written(place: str, to: Sink) -> None:
    to.answer = always(500)
    async with desk(place, delivery_delays="0") as at:
        only_woken(at)
        await at.add(to.url(), slots=1)
        await at.say("1", "2", "3")
        await at.until(*["dead"] * 3, type="said")


@pytest.mark.parametrize("error", [StoreUnavailableError("gone"), CheckpointMovedError("taken")])
async def test_a_write_that_fails_wakes(at: Desk, to: Sink, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:

    failed = list[int]()

    async def broken(ending: Ending) -> Turned | None:
        failed.append(dispatcher._changes)
        raise error

    monkeypatch.setattr("tidings.webhooks.deliver.results.retry_delay", lambda *_: 0.0)
    dispatcher = at.opened.webhooks.dispatcher
    monkeypatch.setattr(dispatcher._results, "_turn", broken)
    only_woken(at)
    await at.add(to.url())
    await at.say("1")
    await eventually(lambda: _is_woken_after(dispatcher, failed))


class Asleep(SystemClock):
    """A clock by which no rest ends but that after a failure; `asked`: for how many seconds each was to be."""

    def __init__(self, rounds: Rounds) -> None:
        self.asked: list[float] = []
        self._rounds = rounds

    async def sleep(self, seconds: float) -> None:
        if self._rounds._failures:  # a store that was out of reach wakes nobody when it is back
            await super().sleep(seconds)
            return
        self.asked.append(seconds)
        await asyncio.Event().wait()


def only_woken(at: Desk) -> Asleep:
    """Have the dispatcher rest until it is woken, whatever the time is."""
    rounds = at.opened.webhooks.dispatcher._rounds
    clock = Asleep(rounds)
    rounds._ports = replace(rounds._ports, clock=clock)
    rounds.wake()
    return clock


async def _looks_no_more(at: Desk) -> bool:
    """Say whether the dispatcher looks at nothing while others read the store often."""
    looks, rounds = [0], at.opened.webhooks.dispatcher._rounds
    look = rounds._look

    async def counted() -> float:
        looks.append(1)
        return await look()

    rounds._look = counted
    for _ in range(50):
        await at.store.deliveries(limit=1)
    rounds._look = look
    return looks == [0]


@BOTH
async def test_no_wake_up_is_lost_after_an_empty_poll(at: Desk, to: Sink) -> None:
    only_woken(at)
    rounds, left = at.opened.webhooks.dispatcher._rounds, [str(n) for n in range(5)]
    look = rounds._look

    async def looked() -> float:
        seconds = await look()
        if left and seconds > 0 and not len(rounds):  # it found nothing, and is about to rest
            rounds._woken.clear()
            await at.say(left.pop())
            await eventually(lambda: _is_woken(rounds))
        return seconds

    await at.add(to.url())  # first: nobody is sent what was said before
    rounds._look = looked
    rounds.wake()
    await eventually(lambda: _has(to, "/", 5))


async def _is_woken_after(dispatcher: Dispatcher, failed: list[int]) -> bool:
    return bool(failed) and dispatcher._changes > failed[-1]


async def _is_woken(rounds: Rounds) -> bool:
    return rounds._woken.is_set()


@BOTH
async def test_what_a_private_target_answers_is_not_shown(at: Desk, to: Sink) -> None:
    async def answer(got: Got) -> web.StreamResponse:
        return web.Response(status=500, text="canary", headers={"x-inside": "canary"})

    to.answer = answer
    await at.add(to.url())
    await at.say("1")
    [row] = await at.until("dead")
    for tried in await at.store.attempts(row["key"]):
        kept = json.loads(tried.answer or b"")
        assert (kept["status"], kept["withheld"]) == (500, True)
        assert "canary" not in repr(tried)


@BOTH
async def test_huge_response_is_truncated_and_recorded(at: Desk, to: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidings.webhooks.deliver.addresses.REFUSED", ())  # so that this machine is in public

    async def answer(got: Got) -> web.StreamResponse:
        return web.Response(body=b"x" * 10_000_000)

    to.answer = answer
    await at.add(to.url())
    await at.say("1")
    [row] = await at.until("delivered")
    [tried] = await at.store.attempts(row["key"])
    body = json.loads(tried.answer or b"")["body"]
    assert body["truncated"]
    assert len(body["text"]) <= 16_384


async def test_shutdown_in_a_batch_repeats_nothing(place: str, to: Sink, tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/t.db"

    async def answer(got: Got) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return web.Response()

    to.answer = answer
    async with desk(url) as at:
        await at.add(to.url(), batch={"size": 2, "linger_ms": 0})
        await at.say("1", "2")
        await eventually(lambda: _has(to, "/"))
    async with desk(url) as at:
        assert await at.states() == ["delivered"] * 2
        await asyncio.sleep(0.2)
    ids = [event["id"] for got in to.got for event in json.loads(got.body)]
    assert sorted(ids) == ["1", "2"]


async def test_what_raises_is_reported_and_takes_no_room(
    at: Desk, to: Sink, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher = at.opened.webhooks.dispatcher
    with monkeypatch.context() as broken:
        broken.setattr(dispatcher._attempting, "_decide", None)
        await at.add(to.url())
        await at.say("1")
        await eventually(lambda: _holds("made again once its lease ends" in caplog.text))
    assert len(dispatcher._rounds) == 0
    await at.say("2")
    await at.until("leased", "delivered")


async def test_what_is_broken_off_has_no_result_and_stays_leased(at: Desk, to: Sink) -> None:
    async def answer(got: Got) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    to.answer = answer
    await at.add(to.url())
    await at.say("1")
    await eventually(lambda: _has(to, "/"))
    dispatcher = at.opened.webhooks.dispatcher
    await dispatcher._results.end()
    await dispatcher._posting.close()
    assert (len(dispatcher._rounds), len(dispatcher._results)) == (0, 0)
    assert await at.states() == ["leased"]


@BOTH
async def test_a_batch_is_frozen_and_retried_under_one_id(at: Desk, to: Sink) -> None:
    async def answer(got: Got) -> web.StreamResponse:
        return web.Response(status=500 if got.attempt == 1 else 200)

    await at.add(to.url(), batch={"size": 3, "linger_ms": 5_000})
    to.answer = answer
    await at.say("1", "2", "3")
    await at.until(*["delivered"] * 3)
    first, second = to.got
    assert (first.id, first.body) == (second.id, second.body)
    assert [event["id"] for event in json.loads(first.body)] == ["1", "2", "3"]


@BOTH
async def test_operational_events_go_only_to_those_that_name_them_and_raise_none(at: Desk, to: Sink) -> None:
    async def answer(got: Got) -> web.StreamResponse:
        return web.Response(status=500 if got.path == "/told" else 410)

    to.answer = answer
    await at.add(to.url("/every"), "every")
    await at.add(to.url("/told"), "told", pattern={"type": ["endpoint.disabled"]})
    await at.say("1")
    await at.until("dead", endpoint="told")
    assert [json.loads(got.body)["type"] for got in to.to("/every")] == ["said"]
    page = await at.opened.log.read(after=0, limit=100)
    assert [entry.envelope.type for entry in page.entries] == ["said", "endpoint.disabled"]
    assert json.loads(page.entries[1].envelope.data or b"")["reason"] == "gone"


@BOTH
async def test_an_endpoint_is_tested_through_the_real_path(at: Desk, to: Sink) -> None:
    await at.add(to.url(), pattern={"type": ["never"]})
    await at.add(to.url("/other"), "other")
    key = await at.endpoints.test("e")
    await at.until("delivered")
    assert [row["key"] for row in await at.rows()] == [key]
    [got] = to.got
    assert json.loads(got.body)["data"] == {"endpoint": "e", "test": True}
    await at.endpoints.pause("e")
    with pytest.raises(RefusedError, match="resume it"):
        await at.endpoints.test("e")


@BOTH
async def test_an_endpoint_that_comes_back_gets_its_queue_in_order(at: Desk, to: Sink) -> None:
    await at.add(to.url(), ordering="fifo")
    await at.endpoints.pause("e", reason="their release")
    await at.say(*map(str, range(20)))
    await at.until(*["held"] * 20, type="said")
    await at.endpoints.resume("e")
    await at.until(*["delivered"] * 20, type="said")
    assert [json.loads(got.body)["id"] for got in to.got] == [str(n) for n in range(20)]


async def test_a_long_queue_comes_whole_and_at_once_after_a_pause(at: Desk, to: Sink) -> None:
    await at.add(to.url(), slots=50)
    await at.endpoints.pause("e", reason="their release")
    await at.say(*map(str, range(1_500)))  # more than a pause and its end move at once
    await eventually(lambda: _counts(at, "held", 1_500))
    await at.endpoints.resume("e")
    await eventually(lambda: _counts(at, "delivered", 1_500))


async def _counts(at: Desk, state: str, count: int) -> bool:
    found = await at.store.deliveries(state, where=DeliveryFilter(type="said"), limit=count)
    return len(found) == count


@BOTH
async def test_no_fan_out_inside_the_request(at: Desk, to: Sink) -> None:
    await at.add(to.url())
    await at.say("0")
    await at.until("delivered")
    await at.store.pause("endpoints", "stopped")
    await asyncio.wait_for(at.say("1"), 5)
    assert await at.states() == ["delivered"]
    await at.store.pause("endpoints", None)
    await at.until("delivered", "delivered")


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
async def test_what_is_still_to_be_sent_of_a_partition_that_was_taken_off_ends_dead(
    at: Desk, place: str, to: Sink
) -> None:
    to.answer = always(500)
    await at.add(to.url("/failing"), "failing")
    await at.say("1")
    [row] = await at.until("dead", endpoint="failing")
    await at.add(to.url("/paused"), "paused")
    await at.endpoints.pause("paused")
    await at.say("2")
    await at.until("held", endpoint="paused", type="said")
    connection = await asyncpg.connect(place)
    await connection.execute("SELECT setval('tidings.position', 1 << 24)")
    await at.say("3")
    await at.until("held", "held", endpoint="paused", type="said")  # so the consumer is past the partition
    await connection.execute("UPDATE tidings.head SET floor_pos = (1 << 24) - 1")
    await connection.execute("ALTER TABLE tidings.log DETACH PARTITION tidings.log_0 CONCURRENTLY")
    await connection.close()
    await at.endpoints.resume("paused")
    await operating.retry(at.store, row["key"], at.opened.ports.clock, who="ann")
    to.got.clear()
    to.answer = fine
    rows = await at.until("dead", "dead", "dead", "delivered", "delivered", type="said")
    assert {(row["reason"], row["error"]) for row in rows[:3]} == {
        ("transform-error", "the log does not have the event any more")
    }
    assert {json.loads(got.body)["id"] for got in to.got} == {"3"}
