"""What follows from an event: ids that are its own on every retry, and the chain and the trace that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.consumers.room import until_idle
from tests.unit.services.shop import IN_MEMORY, Confirmed, Placed, Shop
from tidings import App, Context, Service, event
from tidings.app.opened import Opened
from tidings.events.envelope import AttributeValue, Entry, Envelope
from tidings.services.origin import Cause

TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "vendor=1"}


def cause(
    *,
    service: str = "shop",
    handler: str = "handle",
    source: str = "/web",
    id: str = "e1",
    recorded: int = 1_700_000_000_000_000,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Cause:
    envelope = Envelope(source=source, id=id, type="placed", attributes=attributes or {})
    return Cause(service=service, handler=handler, entry=Entry(1, recorded, envelope))


def drawn(origin: Cause) -> tuple[object, ...]:
    """Return one of each thing that follows from it."""
    return origin.event_id(0), origin.made_id("uuid", 0), origin.made_id("delivery", 0), origin.random().random()


def test_what_follows_from_an_event_is_the_same_each_time() -> None:
    assert drawn(cause()) == drawn(cause())


@pytest.mark.parametrize(
    "other",
    [
        {"handler": "another"},
        {"service": "another"},
        {"source": "/another"},
        {"id": "another"},
        {"recorded": 1_700_000_000_001_000},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_follows_for_another_handler_or_from_another_event_is_different(other: Any) -> None:
    assert all(mine != theirs for mine, theirs in zip(drawn(cause()), drawn(cause(**other)), strict=True))


def test_no_two_things_that_follow_from_one_event_have_one_id() -> None:
    origin = cause()
    ids = [origin.event_id(n) for n in range(20)]
    ids += [origin.made_id(kind, n) for kind in ("uuid", "delivery") for n in range(20)]
    assert len(set(ids)) == 60


def test_the_first_of_a_chain_gives_it_its_correlation_id() -> None:
    assert cause(id="e1").attributes == {"correlationid": "e1", "causationid": "e1"}
    assert cause(id="e2", attributes={"correlationid": "e1", "causationid": "e1"}).attributes == {
        "correlationid": "e1",
        "causationid": "e2",
    }


def test_the_trace_is_carried_on_and_nothing_else_is() -> None:
    carried = cause(attributes={**TRACE, "partitionkey": "p", "tenant": "t"}).attributes
    assert carried == {"correlationid": "e1", "causationid": "e1", **TRACE}
    half = {"traceparent": TRACE["traceparent"]}
    assert cause(attributes=half).attributes == {"correlationid": "e1", "causationid": "e1", **half}


@event("shipped", subject="order_id")
class Shipped:
    order_id: str


async def carry(opened: Opened) -> None:
    """Have the handlers react to all there is, and to what they emit."""
    for consumer in (await opened.carrying.consumers()).values():
        await until_idle(consumer)
        await consumer.release()


async def envelopes(opened: Opened) -> list[Envelope]:
    return [entry.envelope for entry in (await opened.log.read(after=0, limit=100)).entries]


async def test_two_handlers_of_one_event_that_emit_the_same_class_emit_two_events() -> None:
    seen: list[tuple[object, ...]] = []
    services = [Service("billing", emits=[Confirmed]), Service("mail", emits=[Confirmed])]

    async def confirm(event: Placed, ctx: Context) -> None:
        seen.append((await ctx.emit(Confirmed(event.order_id)), ctx.uuid(), ctx.random.random()))

    for service in services:
        service.on(Placed)(confirm)
    app = App(*services)
    async with app.open(IN_MEMORY, consume=False) as opened:
        await app.publish(Placed("1"), source="/web", id="e1")
        await carry(opened)
        said = await envelopes(opened)
    assert [(each.type, each.source) for each in said[1:]] == [("confirmed", "/billing"), ("confirmed", "/mail")]
    assert [each.id for each in said[1:]] == [id for id, *_ in seen]
    assert all(first != second for first, second in zip(*seen, strict=True))


async def test_two_handlers_of_one_service_share_no_id_and_no_randomness() -> None:
    seen: dict[str, tuple[object, ...]] = {}
    service = Service("shop", emits=[Confirmed])

    @service.on(Placed)
    async def bill(event: Placed, ctx: Context) -> None:
        seen["bill"] = await ctx.emit(Confirmed(event.order_id, 1)), ctx.uuid(), ctx.random.random()

    @service.on(Placed)
    async def mail(event: Placed, ctx: Context) -> None:
        seen["mail"] = await ctx.emit(Confirmed(event.order_id, 2)), ctx.uuid(), ctx.random.random()

    app = App(service)
    async with app.open(IN_MEMORY, consume=False) as opened:
        await app.publish(Placed("1"), source="/web", id="e1")
        await carry(opened)
        said = await envelopes(opened)
        assert await opened.store.parked() == []
    assert [each.id for each in said[1:]] == [seen["bill"][0], seen["mail"][0]]
    assert all(first != second for first, second in zip(seen["bill"], seen["mail"], strict=True))


async def test_a_chain_of_three_keeps_the_first_correlation_id_and_the_trace() -> None:
    service = Service("shop", emits=[Confirmed, Shipped])

    @service.on(Placed)
    async def confirm(event: Placed, ctx: Context) -> None:
        await ctx.emit(Confirmed(event.order_id))

    @service.on(Confirmed)
    async def ship(event: Confirmed, ctx: Context) -> None:
        await ctx.emit(Shipped(event.order_id))

    async with App(service).open(IN_MEMORY, consume=False) as opened:
        first = Envelope(id="e1", source="/web", type="placed", subject="1", attributes=TRACE, data=b'{"order_id":"1"}')
        await opened.log.append([first])
        await carry(opened)
        said = await envelopes(opened)
    assert [each.type for each in said] == ["placed", "confirmed", "shipped"]
    assert [each.attributes.get("correlationid") for each in said] == [None, "e1", "e1"]
    assert [each.attributes.get("causationid") for each in said] == [None, "e1", said[1].id]
    assert [{name: each.attributes.get(name) for name in TRACE} for each in said] == [TRACE] * 3


async def test_a_handler_that_is_run_again_draws_the_same_ids_and_the_same_randomness() -> None:
    seen: list[tuple[object, ...]] = []
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        seen.append((ctx.uuid(), ctx.uuid(1), ctx.random.random(), ctx.random.random()))
        if len(seen) == 1:
            raise ValueError("no")

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 4
