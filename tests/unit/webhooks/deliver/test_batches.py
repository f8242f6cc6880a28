from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from tests.unit.webhooks.deliver.desk import Desk, Got, Sink, desk, settings, sink
from tidings import App, Service
from tidings.events.envelope import Entry, Envelope
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Claiming, EndpointDelivery
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.endpoint import Batch, Endpoint
from tidings.webhooks.deliver.records import endpoint_of_record
from tidings.webhooks.deliver.sendings import Sending, parted, sendings_of

BYTES = 65_536
BOTH = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
async def to() -> AsyncIterator[Sink]:
    async with sink() as made:
        yield made


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """The URL of a database: in memory, or on a server."""
    return "sqlite:///:memory:" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that outlives who opens it."""
    is_file = request.param == "sqlite"
    return f"sqlite:///{tmp_path / 'x.db'}" if is_file else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def at(place: str) -> AsyncIterator[Desk]:
    async with desk(place) as made:
        yield made


def failing_once(meanwhile: Callable[[], Awaitable[object]]) -> Callable[[Got], Awaitable[web.StreamResponse]]:
    """Return what fails each first attempt, once this was done at the very first one."""
    begun: list[Got] = []

    async def answer(got: Got) -> web.StreamResponse:
        begun.append(got)
        if len(begun) == 1:
            await meanwhile()
        return web.Response(status=500 if got.attempt == 1 else 200)

    return answer


def events_of(to: Sink) -> list[list[str]]:
    """Return the events of each request; no `webhook-id` has stood for two sets of them."""
    events = [[event["id"] for event in json.loads(got.body)] for got in to.got]
    sets = {(got.id, tuple(some)) for got, some in zip(to.got, events, strict=True)}
    assert len({id for id, _ in sets}) == len(sets)
    return events


def sending(*positions: int, attempt: int = 1, body_hash: bytes | None = None) -> Sending:
    return Sending(
        record=EndpointRecord(id="e", config=b"{}", starts_after=0, created=0),
        claimed=[
            ClaimedEndpointDelivery(
                delivery=EndpointDelivery(endpoint="e", position=at, type="said"),
                n=at,
                attempt=attempt,
                epoch=attempt,
                body_hash=body_hash,
                batch="e:1#1",
            )
            for at in positions
        ],
        entries=[Entry(at, 0, Envelope(id=str(at), source="/test", type="said", data=b"{}")) for at in positions],
    )


@BOTH
async def test_a_batch_whose_member_was_cancelled_goes_on_under_another_id(
    at: Desk, to: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    await at.add(to.url(), batch={"size": 3, "linger_ms": 5_000})
    to.answer = failing_once(lambda: at.store.cancel_delivery("e:2", at=at.opened.ports.clock.now_us()))
    await at.say("1", "2", "3")
    await at.until("delivered", "cancelled", "delivered")
    assert events_of(to) == [["1", "2", "3"], ["1", "3"]]
    assert "some of its batch" in caplog.text


@BOTH
async def test_a_batch_whose_members_must_wait_for_each_other_now_goes_under_other_ids(at: Desk, to: Sink) -> None:
    await at.add(to.url(), batch={"size": 2, "linger_ms": 5_000})
    to.answer = failing_once(lambda: at.endpoints.pause("e"))
    await at.say("1", "2", subject="s")
    await at.until("held", "held")
    await at.endpoints.change("e", {"ordering": "key"})
    await at.endpoints.resume("e")
    await at.until("delivered", "delivered")
    assert events_of(to) == [["1", "2"], ["1"], ["2"]]


def test_the_id_of_a_batch_follows_from_all_that_go_in_it() -> None:
    ids = {sending(*members).message for members in ((1, 2, 3), (1, 2), (2, 3), (1, 3), (1,), (2,))}
    assert len(ids) == 6
    assert sending(1, 2).message == sending(1, 2, attempt=2).message == sending(2, 1).message


@pytest.mark.parametrize("kept", ["sqlite", "postgresql"], indirect=True)
async def test_a_batch_that_was_cut_goes_as_it_went_where_its_process_died_before_it_gave_back_the_rest(
    kept: str, to: Sink
) -> None:
    async with desk(kept) as at:
        await at.add(to.url(), batch={"size": 4, "bytes": BYTES, "linger_ms": 0})
        await at.endpoints.pause("e")
        data = b'"%s"' % (b"x" * (BYTES // 3))
        await at.opened.log.append([Envelope(id=id, source="/test", type="said", data=data) for id in "1234"])
        await at.until("held", "held", "held", "held")
    async with App(Service("said")).open(settings(kept), consume=False) as opened:
        await opened.endpoints.resume("e")
        lost = Claiming(owner="gone", limit=1, late=1)
        [claim] = await opened.store.claim_endpoint_deliveries(lost, ttl=timedelta(microseconds=1))
        entries = await opened.log.at([each.delivery.position for each in claim.deliveries])
        [whole] = sendings_of(claim, {each.position: each for each in entries})
        sent, rest = parted(whole, endpoint_of_record(claim.endpoint, now=0))
        assert (len(sent.claimed), len(rest)) == (2, 2)
    async with desk(kept) as at:
        await at.until("delivered", "delivered", "delivered", "delivered")
    assert events_of(to)[0] == ["1", "2"]
    assert sorted(id for events in events_of(to)[1:] for id in events) == ["3", "4"]
    assert to.got[0].id == sent.message
    assert all(len(got.body) <= BYTES for got in to.got)


def test_what_was_too_large_for_the_first_attempt_is_none_of_its_id() -> None:
    endpoint = Endpoint(id="e", health=health.new(0), batch=Batch(size=3, bytes=500))
    for attempt in (1, 2):  # of a process that died before it gave back the rest
        first, rest = parted(sending(1, 2, 3, attempt=attempt), endpoint)
        assert ([each.n for each in first.claimed], [each.n for each in rest]) == ([1, 2], [3])
        assert first.message == sending(1, 2, attempt=3).message


def test_a_batch_that_went_whole_is_never_cut() -> None:
    smaller = Endpoint(id="e", health=health.new(0), batch=Batch(size=3, bytes=10))
    whole = sending(1, 2, 3, attempt=2, body_hash=b"seen")
    assert parted(whole, smaller) == (whole, ())
