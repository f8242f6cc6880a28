from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.api.scopes import Reply, ask
from tests.unit.api.shop import JSON, Shop, shop

from tidings import Settings
from tidings.api.application import application
from tidings.api.rates import BURST_SECONDS, NAMES_MAX, Rate, network_of, take
from tidings.operations import keys
from tidings.operations.keys import Asked
from tidings.ports import Ports, SystemClock


class HandClock(SystemClock):
    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@asynccontextmanager
async def limited(clock: SystemClock, *, address: float = 0, key: float = 0, source: float = 0) -> AsyncIterator[Shop]:
    settings = Settings(database_url="sqlite:///:memory:", address_rate=address, key_rate=key, source_rate=source)
    async with shop().open(settings, ports=Ports(clock=clock), consume=False) as opened:
        yield Shop(opened, await application(opened))


@given(
    per_second=st.floats(0.01, 1_000),
    steps=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 3)), min_size=1, max_size=60),
)
def test_no_more_is_taken_than_the_rate_and_one_burst_allow(per_second: float, steps: list[tuple[float, int]]) -> None:
    full_at, now, taken, last = float("-inf"), 0.0, 0, 0
    for pause, count in steps:
        now += pause
        full_at, wait = take(full_at, now, count, per_second=per_second)
        if not wait:
            taken, last = taken + count, count
    assert taken <= now * per_second + max(BURST_SECONDS * per_second, 1) + last - 1 + 1e-3


@given(per_second=st.floats(0.01, 1_000), owed=st.floats(0.01, 5_000))
def test_who_waits_as_long_as_is_said_is_taken(per_second: float, owed: float) -> None:
    now = 10.0
    full_at = now + max(BURST_SECONDS, 1 / per_second) + owed / per_second
    same, wait = take(full_at, now, 1, per_second=per_second)
    assert wait > 0
    assert same == full_at
    assert take(full_at, now + wait, 1, per_second=per_second)[1] == 0


def test_a_burst_is_five_seconds_worth_and_then_it_is_the_rate() -> None:
    rate = Rate(2)
    assert [rate.take("a", 7.0) for _ in range(11)] == [0] * 10 + [0.5]
    assert (rate.take("b", 7.0), rate.take("a", 7.5), rate.take("a", 7.5)) == (0, 0, 0.5)


def test_a_batch_larger_than_the_bucket_is_taken_and_paid_for_later() -> None:
    rate = Rate(2)
    assert rate.take("a", 0.0, 100) == 0
    assert rate.take("a", 0.0) == 45.5
    assert rate.take("a", 45.5) == 0


def test_million_addresses_use_constant_memory() -> None:
    """Those beyond the table's room share one bucket, and whoever was there before keeps its own."""
    rate = Rate(1)
    assert rate.take("regular", 0.0) == 0
    for n in range(NAMES_MAX - 1):
        rate.take(f"10.{n}", 0.0)
    gc.collect()
    tracemalloc.start()
    try:
        refused = sum(rate.take(f"11.{n}", 0.0) > 0 for n in range(100_000))
        assert tracemalloc.get_traced_memory()[0] < 50_000
    finally:
        tracemalloc.stop()
    refused += sum(rate.take(f"12.{n}", 0.0) > 0 for n in range(900_000))
    assert (refused, len(rate)) == (1_000_000 - 5, NAMES_MAX)
    assert rate.take("regular", 0.0) == 0


def test_who_was_quiet_for_long_makes_room_and_who_owes_does_not() -> None:
    rate = Rate(1, names_max=2)
    assert [rate.take("owes", 0.0) for _ in range(6)] == [0] * 5 + [1]
    rate.take("quiet", 0.0)
    rate.take("owes", 1.5)
    rate.take("new", 3.0)
    assert [rate.take("new", 3.0) for _ in range(5)] == [0] * 4 + [1], "it has a bucket of its own"
    assert rate.take("owes", 1.5) > 0, "it is remembered"


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_subscriber_is_one_address(host: str, counted: str) -> None:
    assert network_of(host) == counted


async def test_an_address_that_asks_too_often_is_429_and_others_are_not() -> None:
    clock = HandClock()
    async with limited(clock, address=0.2) as opened:
        assert (await ask(opened.http, "GET", "/views")).status == 200
        reply = await ask(opened.http, "GET", "/views")
        assert (reply.status, reply.slug, reply.headers["retry-after"]) == (429, "rate-limited", "5")
        assert (await ask(opened.http, "GET", "/healthz")).status == 200
        assert (await ask(opened.http, "GET", "/views", client=("::1", 1))).status == 200
        assert 'tidings_limited_total{by="address"} 1.0' in await scraped(opened, ("127.0.0.3", 1))
        clock.now += 5
        assert (await ask(opened.http, "GET", "/views")).status == 200


async def scraped(opened: Shop, client: tuple[str, int]) -> str:
    return (await ask(opened.http, "GET", "/metrics", client=client)).body.decode()


async def test_strangers_are_counted_before_their_key_is_looked_at() -> None:
    async with limited(HandClock(), address=0.2) as opened:
        await keys.add(opened.opened.store, Ports(), Asked(owner="us", scopes=["views:read"]), who="cli")
        statuses = [(await ask(opened.http, "GET", "/views")).status for _ in range(3)]
        assert statuses == [401, 429, 429]


async def test_a_key_that_asks_too_often_is_429_from_wherever_it_asks() -> None:
    clock = HandClock()
    async with limited(clock, key=0.4) as opened:
        made = [
            await keys.add(opened.opened.store, Ports(), Asked(owner=owner, scopes=["views:read"]), who="cli")
            for owner in ("us", "them")
        ]
        ours, theirs = ({"authorization": f"Bearer {each.token}"} for each in made)
        clock.now += 2
        statuses = [
            (await ask(opened.http, "GET", "/views", ours, client=(f"192.0.2.{n}", 1))).status for n in range(3)
        ]
        assert statuses == [200, 200, 429]
        assert (await ask(opened.http, "GET", "/views", theirs)).status == 200
        assert (await ask(opened.http, "GET", "/views")).status == 401


def batch(source: str, *ids: str) -> bytes:
    placed = {"specversion": "1.0", "source": source, "type": "order-placed"}
    data = {"order_id": "1", "customer": "ann", "amount": 1}
    return json.dumps([{**placed, "id": id, "data": data} for id in ids]).encode()


async def test_a_source_that_says_too_much_is_429_and_nothing_of_it_is_kept() -> None:
    clock = HandClock()

    async def post(opened: Shop, source: str, *ids: str, **headers: str) -> Reply:
        kind = {"content-type": "application/cloudevents-batch+json", **headers}
        return await ask(opened.http, "POST", "/events", kind, batch(source, *ids))

    async with limited(clock, source=1) as opened:
        assert (await post(opened, "web", "1", "2", "3", "4", "5", "6")).status == 201
        reply = await post(opened, "web", "7", **{"idempotency-key": "k"})
        assert (reply.status, reply.slug, reply.headers["retry-after"]) == (429, "rate-limited", "2")
        placed = {"ce-type": "order-placed", **JSON}
        put = await ask(opened.http, "PUT", "/events/web/8", placed, b'{"order_id":"1","customer":"a","amount":1}')
        assert put.status == 429
        assert (await opened.opened.log.head()).position == 6
        assert (await post(opened, "app", "1")).status == 201
        clock.now += 2
        assert (await post(opened, "web", "7", **{"idempotency-key": "k"})).status == 201


async def test_without_settings_nobody_is_limited() -> None:
    async with limited(HandClock()) as opened:
        assert {(await ask(opened.http, "GET", "/views")).status for _ in range(500)} == {200}
