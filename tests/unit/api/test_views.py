from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from tests.unit.api.scopes import Reply, ask
from tests.unit.api.shop import Shop, open_shop

from tidings.api.application import Application
from tidings.api.reached import Reached
from tidings.events.envelope import Envelope
from tidings.store.rows import Rank, Row
from tidings.views.declaration import consumer_name

TIME = "2026-03-01T10:00:00Z"


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


async def get(shop: Shop, target: str, **headers: str) -> Reply:
    return await ask(shop.http, "GET", target, {name.replace("_", "-"): value for name, value in headers.items()})


async def test_the_views_are_listed_as_they_are_declared(shop: Shop) -> None:
    views: list[dict[str, Any]] = (await get(shop, "/views")).json["views"]
    assert [(view["service"], view["view"], view["mode"], view["key"]) for view in views] == [
        ("stock", "line", "inline", ["customer", "order_id"]),
        ("stock", "order", "live", ["order_id"]),
        ("stock", "total", "async", ["order_id"]),
        ("watch", "seen", "async", ["order_id"]),
        ("desk", "noted", "async", ["name"]),
    ]
    assert views[1]["columns"] == [
        {"name": "order_id", "kind": "text", "nullable": False},
        {"name": "amount", "kind": "integer", "nullable": False},
    ]
    assert (views[1]["version"], views[1]["types"], views[3]["types"]) == (1, ["order-placed"], [])


async def test_rows_come_by_key_and_page_by_page(shop: Shop) -> None:
    for order, customer in [("3", "bob"), ("1", "bob"), ("2", "ann"), ("4", "cid")]:
        await shop.place(order, customer=customer)
    keys, target = [], "/views/stock/line?limit=2"
    while target:
        page = (await get(shop, target)).json
        keys += [(row["customer"], row["order_id"]) for row in page["rows"]]
        target = page["next"] and f"/views/stock/line?limit=2&after={page['next']}"
    assert keys == [("ann", "2"), ("bob", "1"), ("bob", "3"), ("cid", "4")]


async def test_rows_are_filtered_by_equal_columns(shop: Shop) -> None:
    for order, customer, amount in [("1", "bob", 7), ("2", "bob", 8), ("3", "ann", 7)]:
        await shop.place(order, customer=customer, amount=amount)
    page = (await get(shop, "/views/stock/line?customer=bob&amount=7&paid=false")).json
    assert page == {
        "rows": [{"customer": "bob", "order_id": "1", "amount": 7, "paid": False, "at": None, "note": None}],
        "next": None,
    }
    assert (await get(shop, "/views/stock/line?customer=")).json == {"rows": [], "next": None}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("colour=red", "'colour' is not known here"),
        ("customer=a&customer=b", "'customer' was given 2 times"),
        ("amount=much", "amount: 'much' is not a whole number"),
        ("after=x", "after: 'x' is no cursor"),
        ("after=", "after: '' is no cursor"),
        ("limit=0", "limit: '0' is no number from 1 to 1000"),
    ],
)
async def test_a_question_that_cannot_be_asked_is_refused_unwaited_for(shop: Shop, query: str, told: str) -> None:
    far = (await get(shop, "/views/stock/line")).headers["tidings-position"] + "9"
    reply = await get(shop, f"/views/stock/line?{query}", tidings_min_position=far)
    assert (reply.status, reply.slug) == (400, "malformed-request")
    assert told in reply.json["detail"]


async def test_one_row_is_named_by_a_segment_for_each_key_column(shop: Shop) -> None:
    body = b'{"order_id":"o/1","customer":"\xc3\xbc /","amount":3}'
    headers = {"ce-type": "order-placed", "content-type": "application/json"}
    assert (await ask(shop.http, "PUT", "/events/web/slash", headers, body)).status == 201
    reply = await get(shop, "/views/stock/line/%C3%BC%20%2F/o%2F1")
    assert (reply.status, reply.json["row"]["amount"]) == (200, 3)
    for target in ("/views/stock/line/x", "/views/stock/line/x/y/z", "/views/stock/line/nobody/1"):
        assert (await get(shop, target)).slug == "not-found"


async def test_a_row_is_sent_again_only_when_it_has_changed(shop: Shop) -> None:
    await shop.place("1")
    for target in ("/views/stock/line/ann/1", "/views/stock/order/1"):
        first = await get(shop, target)
        again = await get(shop, target, if_none_match=first.headers["etag"])
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert "tidings-position" in again.headers
        assert "content-length" not in again.headers
        assert (await get(shop, target, if_none_match='"other"')).status == 200


async def test_a_live_view_has_rows_by_key_and_no_list(shop: Shop) -> None:
    await shop.place("1", amount=5)
    assert (await get(shop, "/views/stock/order/1")).json == {"row": {"order_id": "1", "amount": 5}}
    reply = await get(shop, "/views/stock/order")
    assert (reply.status, reply.slug) == (404, "not-found")
    assert "GET /views/stock/order/{order_id}" in reply.json["detail"]


async def test_a_fold_that_fails_when_it_is_read_is_not_the_readers_mistake(shop: Shop) -> None:
    await shop.place("1", amount=-1)
    reply = await get(shop, "/views/stock/order/1")
    assert (reply.status, reply.slug) == (500, "internal")
    assert "owed" not in reply.body.decode()
    assert "the fold of the view" in reply.json["detail"]
    assert "who wrote the application" in reply.json["detail"]


async def test_a_fold_that_fails_is_logged_once_for_each_row(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    for order in ("1", "2"):
        await shop.place(order, amount=-1)
        for _ in range(3):
            await get(shop, f"/views/stock/order/{order}")
    failed = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [("'1'" in record.getMessage(), record.exc_info is not None) for record in failed] == [
        (True, True),
        (False, True),
    ]


async def test_an_entry_that_cannot_be_read_is_not_the_readers_mistake_either(shop: Shop) -> None:
    unfit = Envelope(id="1", source="web", type="order-placed", version=1, subject="9", time=TIME, data=b'{"n":1}')
    await shop.opened.log.append([unfit])
    assert (await get(shop, "/views/stock/order/9")).slug == "internal"


async def test_what_is_no_view_is_not_found_and_what_there_is_is_told(shop: Shop) -> None:
    reply = await get(shop, "/views/stock/nothing")
    assert (reply.status, reply.slug) == (404, "not-found")
    assert "stock.line, stock.order" in reply.json["detail"]


async def test_an_answer_nobody_accepts_is_not_made(shop: Shop) -> None:
    for target in ("/views", "/views/stock/line", "/views/stock/line/a/b", "/openapi.json"):
        assert (await get(shop, target, accept="text/html")).slug == "not-acceptable"


async def test_an_inline_and_a_live_view_are_as_new_as_the_log(shop: Shop) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    for target in ("/views/stock/line", "/views/stock/line/ann/1", "/views/stock/order/1", "/views/desk/noted"):
        reply = await get(shop, target, tidings_min_position=token)
        assert (reply.status, reply.headers["tidings-position"]) == (200, token)


async def test_an_async_view_is_as_new_as_its_slowest_partition(shop: Shop) -> None:
    tokens = [(await shop.place(str(n))).headers["tidings-position"] for n in range(3)]
    zero = tokens[0].rpartition("-")[0] + "-0"
    assert (await get(shop, "/views/stock/total")).headers["tidings-position"] == zero
    await shop.come_to(await shop.consumer("total"), 3, 1)
    assert (await get(shop, "/views/stock/total")).headers["tidings-position"] == tokens[0]
    assert (await get(shop, "/views/watch/seen")).headers["tidings-position"] == zero
    await shop.come_to("watch", 2)
    assert (await get(shop, "/views/watch/seen")).headers["tidings-position"] == tokens[1]


async def test_a_position_that_is_not_reached_is_refused_with_the_time_to_ask_again(shop: Shop) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    for target in ("/views/stock/total", "/views/stock/total/1"):
        reply = await get(shop, target, tidings_min_position=token)
        assert (reply.status, reply.slug, reply.headers["retry-after"]) == (412, "position-not-reached", "1")


async def test_a_position_that_is_not_reached_is_refused_with_where_the_view_stands(shop: Shop) -> None:
    tokens = [(await shop.place(str(n))).headers["tidings-position"] for n in range(3)]
    await shop.come_to(await shop.consumer("total"), 2)
    for headers in ({}, {"prefer": "wait=0"}):
        for target in ("/views/stock/total", "/views/stock/total/1"):
            reply = await get(shop, target, tidings_min_position=tokens[2], **headers)
            assert (reply.slug, reply.headers["tidings-position"]) == ("position-not-reached", tokens[1])


async def test_a_read_that_does_not_wait_sees_what_another_process_has_kept_since_the_last_look(shop: Shop) -> None:
    """This process's consumers tell it what they keep; of another's it hears nothing until it looks."""
    consumer, token = await shop.consumer("total"), (await shop.place("1")).headers["tidings-position"]
    await shop.come_to(consumer, 0)
    assert (await get(shop, "/views/stock/total", tidings_min_position=token)).status == 412
    await shop.come_to(consumer, 1)
    reply = await get(shop, "/views/stock/total", tidings_min_position=token)
    assert (reply.status, reply.headers["tidings-position"]) == (200, token)


async def test_a_read_waits_until_the_view_has_come_so_far(shop: Shop) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    headers = {"tidings_min_position": token, "prefer": "wait=30"}
    reads = [asyncio.create_task(get(shop, "/views/stock/total", **headers)) for _ in range(20)]
    await asyncio.wait(reads, timeout=0.05)
    assert not any(read.done() for read in reads)
    await shop.come_to(await shop.consumer("total"), 1)
    for reply in await asyncio.gather(*reads):
        assert (reply.status, reply.headers["tidings-position"]) == (200, token)
        assert reply.headers["preference-applied"] == "wait=30"


async def test_a_read_that_waits_follows_a_rebuilt_view_to_its_new_table(shop: Shop) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    store, view, old = shop.opened.store, shop.view("total"), await shop.consumer("total")
    await shop.come_to(old, 0)
    reading = asyncio.create_task(get(shop, "/views/stock/total/1", tidings_min_position=token, prefer="wait=30"))
    await asyncio.wait([reading], timeout=0.02)
    record = view.record(2, "building")
    await store.create_view(record)
    async with store.unit() as unit:
        await unit.replace(record.table, [Row(("1", 77), Rank(1, 0, 0, 1), 1)])
    await shop.come_to(consumer_name(record.table), 1)
    assert await store.swap_view(record, consumer=consumer_name(record.table), replaced_consumer=old)
    reply = await reading
    assert (reply.status, reply.json["row"]["amount"], reply.headers["etag"][:3]) == (200, 77, '"2.')


class Swapping:
    """The log; while its head is looked up another table takes a view's place, and an event comes behind it."""

    def __init__(self, shop: Shop, mode: Literal["async", "inline"]) -> None:
        self._shop = shop
        self._mode = mode
        self._is_swapped = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shop.opened.log, name)

    async def head(self) -> Any:
        if not self._is_swapped:
            self._is_swapped = True
            store, view = self._shop.opened.store, self._shop.view("line")
            record = dataclasses.replace(view.record(2, "building"), mode=self._mode)
            await store.create_view(record)
            assert await store.swap_view(record, consumer=consumer_name(record.table), replaced_consumer=None)
            await self._shop.place("late")
        return await self._shop.opened.log.head()


async def test_a_table_that_takes_anothers_place_during_the_look_is_the_one_that_is_read(shop: Shop) -> None:
    opened = dataclasses.replace(shop.opened, log=Swapping(shop, "inline"))  # type: ignore[arg-type]
    http = Application(opened, (await shop.place("1")).headers["tidings-position"].rpartition("-")[0])
    reply = await ask(http, "GET", "/views/stock/line/ann/late")
    assert (reply.status, reply.headers["tidings-position"][-2:], reply.headers["etag"][:3]) == (200, "-2", '"2.')


async def test_a_table_of_another_mode_that_takes_anothers_place_is_as_new_as_its_own_consumer(shop: Shop) -> None:
    opened = dataclasses.replace(shop.opened, log=Swapping(shop, "async"))  # type: ignore[arg-type]
    http = Application(opened, (await shop.place("1")).headers["tidings-position"].rpartition("-")[0])
    reply = await ask(http, "GET", "/views/stock/line")
    assert (reply.status, reply.headers["tidings-position"][-2:]) == (200, "-0")


@pytest.mark.parametrize("target", ["/views/stock/total/1", "/views/stock/total"])
async def test_a_table_that_rebuilds_have_removed_since_it_was_looked_up_is_not_missed(shop: Shop, target: str) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    await shop.come_to(await shop.consumer("total"), 1)
    wanted = {"tidings_min_position": token}
    assert (await get(shop, "/views/stock/total", **wanted)).status == 200
    for _ in range(2):
        await shop.opened.carrying.rebuild(shop.view("total"))
    reply = await get(shop, target, **wanted)
    assert (reply.status, reply.headers["tidings-position"]) == (200, token)
    assert '"amount":1' in reply.body.decode()


async def test_waiting_requests_share_their_looks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    headers = {"tidings_min_position": token, "prefer": "wait=30"}
    looking, most, look = 0, 0, shop.opened.store.checkpoints

    async def counted(consumer: str) -> Any:
        nonlocal looking, most
        looking += 1
        most = max(most, looking)
        try:
            return await look(consumer)
        finally:
            looking -= 1

    begun, until = 0, Reached.until

    def begin(reached: Reached[Any], wanted: int) -> Any:
        nonlocal begun
        begun += 1
        return until(reached, wanted)

    monkeypatch.setattr(Reached, "until", begin)
    monkeypatch.setattr(shop.opened.store, "checkpoints", counted)
    reads = [asyncio.create_task(get(shop, "/views/stock/total", **headers)) for _ in range(20)]
    while begun < len(reads):
        await asyncio.sleep(0)
    monkeypatch.setattr(shop.opened.store, "checkpoints", look)
    asked, parked = 0, shop.opened.store.parked

    async def once(consumer: str) -> Any:
        nonlocal asked
        asked += 1
        return await parked(consumer)

    monkeypatch.setattr(shop.opened.store, "parked", once)
    await shop.come_to(await shop.consumer("total"), 1)
    assert {reply.status for reply in await asyncio.gather(*reads)} == {200}
    assert (most, asked) == (1, 1)


async def test_a_wait_that_was_in_vain_says_how_long_it_was(shop: Shop) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    headers = {"tidings_min_position": token, "prefer": "wait=0"}
    for target in ("/views/stock/total", "/views/stock/total/1"):
        reply = await get(shop, target, **headers)
        assert (reply.slug, reply.headers["preference-applied"]) == ("position-not-reached", "wait=0")
        assert "preference-applied" not in (await get(shop, target, tidings_min_position=token)).headers


async def test_a_server_that_stops_ends_the_waits(shop: Shop) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    reading = asyncio.create_task(get(shop, "/views/stock/total", tidings_min_position=token, prefer="wait=30"))
    await asyncio.wait([reading], timeout=0.02)
    shop.http.waiting.stop()
    assert (await reading).slug == "position-not-reached"


async def test_what_is_set_aside_at_or_below_the_wanted_position_is_told(shop: Shop) -> None:
    consumer = await shop.consumer("total")
    first, second = [(await shop.place(n)).headers["tidings-position"] for n in ("1", "2")]
    body = b'{"order_id":"1","customer":"ann","amount":2}'
    headers = {"ce-type": "order-placed", "content-type": "application/json"}
    third = (await ask(shop.http, "PUT", "/events/web/again", headers, body)).headers["tidings-position"]
    await shop.come_to(consumer, 3)
    await shop.park(consumer, "1")
    for token, told in ((first, "dead-letters=1"), (second, "dead-letters=1"), (third, "dead-letters=2")):
        for target in ("/views/stock/total", "/views/stock/total/2"):
            assert (await get(shop, target, tidings_min_position=token)).headers["tidings-incomplete"] == told
    assert "tidings-incomplete" not in (await get(shop, "/views/stock/total")).headers


async def test_a_row_that_is_not_there_says_as_of_when(shop: Shop) -> None:
    token = (await shop.place("1")).headers["tidings-position"]
    reply = await get(shop, "/views/stock/order/2")
    assert (reply.status, reply.headers["tidings-position"]) == (404, token)
