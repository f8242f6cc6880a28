from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.consumers.room import until_idle
from tests.unit.services.shop import IN_MEMORY, Confirmed, Placed, Shop
from tidings import App, Context, DeclarationError, Envelope, InvalidDataError, Service, event, upcaster
from tidings.errors import AppendInUnitError
from tidings.events.timestamp import time_us


async def test_a_handler_is_given_its_event_where_it_stands_and_when_it_happened() -> None:
    seen: list[Any] = []
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        seen.append((event.order_id, ctx.envelope.id, ctx.position, ctx.time.tzinfo is not None))

    shop.act = act
    async with shop.open():
        position = await shop.place("7", id="e1")
        await shop.carry()
    assert seen == [("7", "e1", position, True)]


async def test_rows_that_a_handler_puts_are_there_and_one_that_it_deletes_is_not() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        before = await ctx.get(shop.Order, order_id=event.order_id)
        if event.cents:
            await ctx.put(shop.Order(event.order_id, event.cents + (before.cents if before else 0)))
        else:
            await ctx.delete(shop.Order, order_id=event.order_id)

    shop.act = act
    async with shop.open():
        await shop.place(id="e1", cents=5)
        await shop.place(id="e2", cents=2)
        await shop.carry()
        assert await shop.order() == shop.Order("1", 7)
        await shop.place(id="e3", cents=0)
        await shop.carry()
        assert await shop.order() is None


async def test_all_that_a_failing_handler_did_is_rolled_back() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        await ctx.put(shop.Order(event.order_id, event.cents))
        await ctx.sql.execute("CREATE TABLE IF NOT EXISTS mine (a TEXT)")
        await ctx.sql.execute("INSERT INTO mine VALUES (?)", (event.order_id,))
        await ctx.emit(Confirmed(event.order_id))
        await ctx.deliver(shop.tell, {"to": "me"})
        if event.cents < 0:
            raise ValueError("no")

    shop.act = act
    async with shop.open():
        await shop.place("1", id="e1", cents=5)
        await shop.place("2", id="e2", cents=-5)
        await shop.carry()
        assert await shop.order("1") == shop.Order("1", 5)
        assert await shop.order("2") is None
        assert [type for type, _ in await shop.log()] == ["placed", "placed", "confirmed"]
        assert len(await shop.opened.store.deliveries()) == 1
        async with shop.app.unit("shop") as ctx:
            assert await ctx.sql.fetch("SELECT a FROM mine") == [("1",)]


async def test_what_is_emitted_comes_after_its_cause_in_the_order_in_which_it_was_emitted() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        await ctx.emit(Confirmed(event.order_id, 1))
        await ctx.emit(Confirmed(event.order_id, 2))

    shop.act = act
    async with shop.open():
        await shop.place(id="e1")
        await shop.carry()
        page = await shop.opened.log.read(after=0, limit=10)
    cause, first, second = (time_us(entry.envelope.time or "") for entry in page.entries)
    assert (first, second) == (cause + 1, cause + 2)


async def test_ids_and_randomness_are_the_same_on_each_retry() -> None:
    seen: list[tuple[Any, ...]] = []
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        seen.append((ctx.uuid(), ctx.uuid(1), ctx.random.random(), await ctx.emit(Confirmed(event.order_id))))
        if len(seen) < 3:
            raise ValueError("no")

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
        await shop.opened.store.schedule_redrive("shop", "1", at=0)
        await shop.carry()
        assert [type for type, _ in await shop.log()] == ["placed", "confirmed"]
        assert (await shop.log())[1][1] == seen[-1][-1]
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert seen[0][0] != seen[0][1]


async def test_what_is_emitted_names_its_cause() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        await ctx.emit(Confirmed(event.order_id))

    shop.act = act
    async with shop.open():
        await shop.place(id="e1")
        await shop.carry()
        page = await shop.opened.log.read(after=1, limit=1)
    envelope = page.entries[0].envelope
    assert (envelope.source, envelope.causation_id, envelope.correlation_id) == ("/shop", "e1", "e1")


async def test_a_delivery_is_intended_once_however_often_its_handler_runs() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        await ctx.deliver(shop.tell, {"to": "me"})

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
        [first] = await shop.opened.store.deliveries()
        await shop.opened.store.rewind("shop", to=0)
        await shop.carry()
        assert await shop.opened.store.deliveries() == [first]


async def test_a_replay_emits_and_delivers_nothing_but_writes_its_rows() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        await ctx.put(shop.Order(event.order_id, 1))

    async def more(event: Any, ctx: Context) -> None:
        await ctx.put(shop.Order(event.order_id, 2))
        await ctx.emit(Confirmed(event.order_id))
        await ctx.deliver(shop.tell, {"to": "me"})

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
        shop.act = more
        await shop.opened.store.rewind("shop", to=0)
        await shop.carry()
        assert [type for type, _ in await shop.log()] == ["placed"]
        assert await shop.opened.store.deliveries() == []


async def test_an_event_whose_data_does_not_fit_is_parked_at_once() -> None:
    shop = Shop()
    async with shop.open():
        bad = Envelope(id="e1", source="/web", type="placed", subject="1", data=b'{"order_id": 5}')
        await shop.opened.log.append([bad])
        await shop.carry()
        [parked] = await shop.opened.store.parked("shop")
    assert (parked.state, parked.reason) == ("dead", "undecodable")


async def test_appending_to_the_log_inside_a_handler_is_the_handlers_failure() -> None:
    shop = Shop()

    async def act(event: Any, ctx: Context) -> None:
        await shop.app.publish(Confirmed("1"), source="/shop")

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
        [error] = await shop.parked()
    assert error.startswith(AppendInUnitError.__name__)


async def test_emitting_a_class_that_the_app_does_not_know_says_what_to_write() -> None:
    @event("unknown")
    class Unknown:
        a: int

    shop = Shop()

    async def act(happened: Any, ctx: Context) -> None:
        await ctx.emit(Unknown(1))

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
        [error] = await shop.parked()
    assert "emits=[Unknown]" in error


async def test_handlers_of_one_event_are_called_in_the_order_of_their_declaration() -> None:
    calls: list[str] = []
    service = Service("two")

    @service.on(Placed)
    async def first(happened: Placed, ctx: Context) -> None:
        calls.append("first")

    @service.on(Placed)
    def second(happened: Placed, ctx: Context) -> None:
        calls.append("second")

    app = App(service)
    async with app.open(IN_MEMORY, consume=False) as opened:
        await app.publish(Placed("1"), source="/web")
        await until_idle((await opened.carrying.consumers())["two"])
    assert calls == ["first", "second"]


async def test_a_delivery_is_checked_when_it_is_intended() -> None:
    shop = Shop()
    errors: list[BaseException] = []

    async def act(event: Any, ctx: Context) -> None:
        for function, payload in ((shop.tell, {"to": 5}), (print, {"to": "me"})):
            try:
                await ctx.deliver(function, payload)
            except Exception as error:
                errors.append(error)

    shop.act = act
    async with shop.open():
        await shop.place()
        await shop.carry()
    assert [type(error) for error in errors] == [InvalidDataError, DeclarationError]


async def test_a_view_that_folds_write_is_not_written_by_hand() -> None:
    shop = Shop()

    @shop.service.view(key=("order_id",))
    class Folded:
        order_id: str

    @shop.service.fold(Folded, Placed)
    def placed(row: Any, happened: Placed) -> Folded:
        return Folded(happened.order_id)

    app = App(shop.service)
    async with app.open(IN_MEMORY, consume=False):
        with pytest.raises(DeclarationError, match="written by its folds alone"):
            async with app.unit("shop") as ctx:
                await ctx.put(Folded("1"))


async def test_a_ranked_row_is_not_deleted_by_hand_for_a_delete_has_no_rank() -> None:
    shop = Shop()

    @shop.service.view(key=("order_id",), rank="cents")
    class Ranked:
        order_id: str
        cents: int

    async def act(event: Any, ctx: Context) -> None:
        await ctx.delete(Ranked, order_id=event.order_id)

    shop.act = act
    shop.app = App(shop.service)
    async with shop.open():
        await shop.place()
        await shop.carry()
        [error] = await shop.parked()
        async with shop.app.unit("shop") as ctx:
            with pytest.raises(DeclarationError, match="put a row that says it is gone"):
                await ctx.delete(Ranked, "1")
    assert error.startswith("DeclarationError: ")
    assert "is ordered by 'cents'" in error


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_handler_that_exits_is_a_failure_of_its_event(kind: str) -> None:
    service = Service("two")

    async def later(happened: Placed, ctx: Context) -> None:
        sys.exit(1)

    def at_once(happened: Placed, ctx: Context) -> None:
        sys.exit(1)

    service.on(Placed)(later if kind == "async" else at_once)
    app = App(service)
    async with app.open(IN_MEMORY, consume=False) as opened:
        await app.publish(Placed("1"), source="/web")
        await until_idle((await opened.carrying.consumers())["two"])
        [parked] = await opened.store.parked()
    assert parked.reason == "handler-failed"
    assert "SystemExit: 1" in parked.error


async def test_an_event_class_that_exits_is_a_failure_of_its_event() -> None:
    @event("exiting", subject="order_id")
    @dataclass(frozen=True)
    class Exiting:
        order_id: str

        def __post_init__(self) -> None:
            if self.order_id == "bad":
                sys.exit(1)

    service = Service("two")

    @service.on(Exiting)
    async def handle(happened: Exiting, ctx: Context) -> None: ...

    app = App(service)
    async with app.open(IN_MEMORY, consume=False) as opened:
        bad = Envelope(id="e1", source="/web", type="exiting", subject="bad", data=b'{"order_id":"bad"}')
        await opened.log.append([bad])
        await until_idle((await opened.carrying.consumers())["two"])
        [parked] = await opened.store.parked()
    assert "SystemExit: 1" in parked.error


async def test_a_handler_is_called_for_what_its_pattern_matches_as_the_version_of_its_class_has_it() -> None:
    @event("rated", version=2)
    class Rated:
        tenths: int

    @upcaster(Rated, from_version=1)
    def in_tenths(data: dict[str, Any]) -> dict[str, Any]:
        return {"tenths": data["whole"] * 10}

    rating, good, every = Service("rating"), list[int](), list[int]()

    @rating.on(Rated, pattern={"data": {"tenths": [{"numeric": [">", 40]}]}, "dataversion": [2]})
    async def praise(event: Rated, ctx: Context) -> None:
        good.append(event.tenths)

    @rating.on(Rated)
    async def keep(event: Rated, ctx: Context) -> None:
        every.append(event.tenths)

    written = ((1, b'{"whole":4}'), (1, b'{"whole":5}'), (2, b'{"tenths":40}'), (2, b'{"tenths":41}'))
    async with App(rating).open(IN_MEMORY, consume=False) as opened:
        for n, (version, data) in enumerate(written):
            await opened.log.append([Envelope(source="/web", id=str(n), type="rated", version=version, data=data)])
        consumer = (await opened.carrying.consumers())["rating"]
        await until_idle(consumer)
        await consumer.release()
    assert (good, every) == ([50, 41], [40, 50, 40, 41])


@dataclass
class Place:
    shelf: str = "new"
    row: int = 1


async def test_a_pattern_sees_what_is_left_out_as_the_class_has_it_and_all_else_as_it_was_written() -> None:
    @event("kept", version=2)
    class Kept:
        places: list[Place]
        folder: str = "all"
        note: str | None = None

    @upcaster(Kept, from_version=1)
    def with_places(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "places": [{}]}

    patterns: list[dict[str, Any]] = [
        {"folder": ["all"]},
        {"folder": [{"exists": False}]},
        {"note": [None]},
        {"places": {"shelf": ["new"], "row": [2]}},
        {"price": [0.1]},
    ]
    keeping, seen = Service("keeping"), [list[str]() for _ in patterns]
    for n, pattern in enumerate(patterns):

        async def note(event: Kept, ctx: Context, n: int = n) -> None:
            seen[n].append(ctx.envelope.id)

        note.__name__ = f"note_{n}"
        keeping.on(Kept, pattern={"data": pattern})(note)
    written = {
        "left out": (2, b'{"places":[]}'),
        "other": (2, b'{"places":[{"row":2}],"folder":"x","note":"n"}'),
        "apart": (2, b'{"places":[{"shelf":"old","row":2},{}],"folder":"all","price":0.1}'),
        "older": (1, b"{}"),
    }
    async with App(keeping).open(IN_MEMORY, consume=False) as opened:
        for id, (version, data) in written.items():
            await opened.log.append([Envelope(source="/web", id=id, type="kept", version=version, data=data)])
        consumer = (await opened.carrying.consumers())["keeping"]
        await until_idle(consumer)
        await consumer.release()
    assert seen == [["left out", "apart", "older"], [], ["left out", "apart", "older"], ["other"], ["apart"]]
