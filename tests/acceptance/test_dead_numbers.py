"""What is dead in one database is told alike by whoever tells it: how many there are of each kind, and of whom."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.place import Place
from tests.unit.telemetry.scrape import named, read
from tidings.backends.sqlite import open_sqlite
from tidings.conformance.endpoint_samples import DEAD, deliver, endpoint, keep, sent, settle, take
from tidings.conformance.store_receiving import came, receive
from tidings.conformance.store_samples import OWNER, TTL, entry, reason
from tidings.ports import Ports
from tidings.store.deliveries import Delivery

HANDLER, DELIVERY, RECEIPT = 2, 3, 1
EVERY = HANDLER + DELIVERY + RECEIPT


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def url(place: Place) -> Iterator[str]:
    assert place.emit("1", 1, id="order-1").code == 0
    asyncio.run(fill(place.folder))
    with place.serving() as url:
        yield url


async def fill(folder: Path) -> None:
    """Of a handler one is dead and one waits behind it, and so of an endpoint; a call of a function, and a webhook."""
    opened = open_sqlite(str(folder / "tidings.db"), Ports())
    store = opened.store
    async with store.unit() as unit:
        await unit.park("stock", "x", [entry(101, subject="x"), entry(102, subject="x")], reason(None))
        await unit.intend([Delivery(key="k", service="mail", function="send", payload=b"{}")])
    [called] = await store.claim_deliveries(owner=OWNER, services=["mail"], limit=1, ttl=TTL)
    await store.settle_delivery(called, reason(None))
    await keep(store, endpoint(ordering="key"))
    await deliver(store, sent(1, subject="s"), sent(2, subject="s"))
    [claimed] = await take(store)
    await settle(store, claimed, DEAD)
    await store.pause_endpoint("e", at=0, why="nobody is there")
    await receive(store, came("a", outcome="failed"), came("b"))
    await opened.close()


def text(url: str) -> str:
    return str(urllib.request.urlopen(url, timeout=60).read().decode())


def test_every_face_counts_the_same(place: Place, url: str) -> None:
    listed: list[Any] = json.loads(text(f"{url}/dead-letters"))["dead_letters"]
    kinds = Counter[str]()
    for each in listed:
        kinds[each["kind"]] += 1 + each["followers"]
    assert kinds == {"handler": HANDLER, "delivery": DELIVERY, "receipt": RECEIPT}
    assert sum(1 + each["followers"] for each in place.tidings("dead", "list", "--json").json) == EVERY

    overview = text(f"{url}/console/")
    words = " ".join(re.sub("<[^>]*>", " ", overview).split())
    assert re.findall(r'<span class="count">([\d,]+)', overview) == [str(EVERY)]
    assert f"Dead letters {EVERY} Subjects" in words
    assert f"{DELIVERY} deliveries to the outside were given up" in words
    assert f"{RECEIPT} webhook that came in could not be read as events" in words

    looked = place.tidings("doctor")
    assert looked.code == 1
    told = f"{EVERY} dead letters: {HANDLER} of 1 subject (1 dead), {DELIVERY} deliveries, {RECEIPT} receipt: look with"
    assert told in " ".join(looked.out.split())

    samples = read(text(f"{url}/metrics"))
    assert named(samples, "tidings_dead_letters")["stock",] == HANDLER
    assert sum(named(samples, "tidings_endpoint_dead").values()) == DELIVERY - 1  # a function's is of no endpoint
    assert named(samples, "tidings_dead_calls") == {("mail",): 1}
    assert named(samples, "tidings_dead_receipts") == {("till",): RECEIPT}


def test_every_face_says_what_became_of_an_event_for_each_endpoint(place: Place, url: str) -> None:
    dead = {"key": "e:1", "endpoint": "e", "state": "dead", "attempts": 1, "reason": "exhausted"}
    assert json.loads(text(f"{url}/events/%2Fshop/order-1/status"))["deliveries"] == [dead]
    assert place.tidings("log", "show", "/shop", "order-1", "--json").json["deliveries"] == [dead]
    assert re.search(r"e +e:1 +dead +1 +exhausted", place.tidings("log", "show", "/shop", "order-1").out)
    page = text(f"{url}/console/event?source=/shop&id=order-1")
    words = " ".join(re.sub("<[^>]*>", " ", page).split())
    assert "Where it was sent" in words
    assert "e e:1 dead 1 exhausted" in words
    for link in ("/console/endpoints/e", "/console/deliveries/e%3A1"):
        assert f'href="{link}"' in page


def test_where_there_are_none_the_list_says_so(tmp_path: Path) -> None:
    empty = Place(tmp_path)
    assert empty.emit("1", 1, id="order-1").code == 0
    assert empty.tidings("dead", "list").out == "no dead letters\n"
