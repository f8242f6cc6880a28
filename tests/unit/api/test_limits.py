"""How much a body may hold, by the numbers that are promised, whatever the code calls them."""

from __future__ import annotations

import json

import pytest
from tests.unit.api.scopes import Reply, ask
from tests.unit.api.shop import Shop, open_shop

BATCH = {"content-type": "application/cloudevents-batch+json"}
MIB = 1_048_576


async def post(shop: Shop, body: bytes) -> Reply:
    return await ask(shop.http, "POST", "/events", BATCH, body)


def batch(count: int) -> bytes:
    placed = {"specversion": "1.0", "source": "web", "type": "order-placed"}
    data = {"order_id": "1", "customer": "ann", "amount": 1}
    return json.dumps([{**placed, "id": str(n), "data": data} for n in range(count)]).encode()


@pytest.mark.parametrize(("count", "status"), [(500, 201), (501, 413)])
async def test_a_batch_has_500_events_at_most(count: int, status: int) -> None:
    async with open_shop() as shop:
        reply = await post(shop, batch(count))
        assert reply.status == status
        assert (await shop.opened.log.head()).position == (count if status == 201 else 0)


@pytest.mark.parametrize(("size", "status"), [(8 * MIB, 201), (8 * MIB + 1, 413)])
async def test_a_batch_has_8_mebibytes_at_most(size: int, status: int) -> None:
    async with open_shop() as shop:
        reply = await post(shop, batch(3).ljust(size))
        assert reply.status == status
        assert (await shop.opened.log.head()).position == (3 if status == 201 else 0)


@pytest.mark.parametrize(("size", "status"), [(262_144, 201), (262_145, 413)])
async def test_an_event_has_256_kibibytes_of_data_at_most(size: int, status: int) -> None:
    async with open_shop() as shop:
        rest = len('{"order_id":"1","customer":"ann","amount":1,"note":""}')
        body = f'{{"order_id":"1","customer":"ann","amount":1,"note":"{"x" * (size - rest)}"}}'.encode()
        assert len(body) == size
        headers = {"ce-type": "order-placed", "content-type": "application/json"}
        assert (await ask(shop.http, "PUT", "/events/web/1", headers, body)).status == status


@pytest.mark.parametrize(("path", "name"), [("/events", "entries"), ("/views/stock/line", "rows")])
async def test_a_page_of_large_items_ends_after_4_mebibytes_and_the_next_one_goes_on(path: str, name: str) -> None:
    async with open_shop() as shop:
        headers = {"ce-type": "order-placed", "content-type": "application/json"}
        for n in range(100):
            data = {"order_id": str(n), "customer": "ann", "amount": 1, "note": "x" * 100_000}
            sent = await ask(shop.http, "PUT", f"/events/web/{n}", headers, json.dumps(data).encode())
            assert sent.status == 201
        pages = []
        after = ""
        while not pages or pages[-1][name]:
            reply = await ask(shop.http, "GET", f"{path}?limit=1000{after}")
            pages.append(reply.json)
            assert len(reply.body) < 5 * MIB
            if reply.json["next"] is None:
                break
            after = f"&after={reply.json['next']}"
    assert [len(page[name]) for page in pages[:2]] == [42, 42]
    assert sum(len(page[name]) for page in pages) == 100
