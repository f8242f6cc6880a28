from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from tests.unit.webhooks.deliver.desk import Desk, Got, Sink, desk, sink
from tidings.events.envelope import Entry, Envelope
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, EndpointDelivery
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver import health
from tidings.webhooks.deliver.endpoint import Batch, Endpoint
from tidings.webhooks.deliver.sendings import Sending, parted

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


def sending(*positions: int, attempt: int = 1) -> Sending:
    return Sending(
        record=EndpointRecord(id="e", config=b"{}", starts_after=0, created=0),
        claimed=[
            ClaimedEndpointDelivery(
                delivery=EndpointDelivery(endpoint="e", position=at, type="said"),
                n=at,
                attempt=attempt,
                epoch=attempt,
                body_hash=None,
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


def test_what_was_too_large_for_the_first_attempt_is_none_of_its_id() -> None:
    whole = sending(1, 2, 3)
    first, rest = parted(whole, Endpoint(id="e", health=health.new(0), batch=Batch(size=2)))
    assert ([each.n for each in first.claimed], [each.n for each in rest]) == ([1, 2], [3])
    again = sending(1, 2, 3, attempt=2)  # of a process that died before it gave back the rest
    assert again.message not in {first.message, sending(1).message}
    assert first.message == sending(1, 2, attempt=2).message
