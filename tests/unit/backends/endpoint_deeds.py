"""All that is done with endpoints and their deliveries, for those who look at how it is done."""

from __future__ import annotations

from datetime import timedelta

from tidings.conformance.endpoint_samples import DEAD, DELIVERED, again, sent, settle, take
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Claiming, Ending, Range

MONTH = timedelta(days=30)


async def everything(store: StoreDriver) -> None:
    """Do it on a store with the endpoints n, k and f, of each ordering, for which much is kept in every state."""
    async with store.unit() as unit:
        await unit.endpoints()
        await unit.deliver([sent(n, to, subject="9") for n in (50_000, 50_001) for to in "nkf"])
    await store.next_endpoint_delivery()
    await store.backlogs("f", "n")
    await store.last_deliveries("k", limit=10)
    await store.deliveries_of(50_000, limit=10)
    await store.count_letters()
    await store.count_letters_of()
    first, second, *_ = await take(store)
    await settle(store, first, again(0))
    await settle(store, second, DEAD)
    for id in "nkf":
        await _operate(store, id)
    await _turn(store)
    await store.sweep_endpoint_deliveries(stale=MONTH, limit=10)
    await store.arrange_endpoint_deliveries(limit=10)


async def _turn(store: StoreDriver) -> None:
    claimed = await take(store, limit=1)
    claiming = Claiming(owner="o", limit=3, late=1)
    ending = Ending([([each], lambda _: DELIVERED) for each in claimed], lambda _: False)
    assert await store.turn_endpoint_deliveries(ending, claiming, ttl=MONTH) is not None


async def _operate(store: StoreDriver, id: str) -> None:
    within = Range(after=100, to=400)
    await store.count_dead(id, within)
    await store.recover_endpoint(id, within, at=0, limit=10)
    await store.add_replayed([sent(5, id, run="r")], missing_only=True)
    await store.pause_endpoint(id, at=0, why="by hand")
    await store.resume_endpoint(id, at=0)
    await store.release_unreadable([each.n for each in await store.unreadable(limit=10)], at=0)
    [claimed, *_] = await take(store)
    await settle(store, claimed, DEAD)
    await store.retry_delivery(claimed.delivery.key, at=0)
    await store.cancel_delivery(claimed.delivery.key, at=0)
