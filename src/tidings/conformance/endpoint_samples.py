"""What the chapters about endpoints need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from tidings.conformance.store_harness import START_US
from tidings.conformance.store_samples import OWNER, TTL
from tidings.store.deliveries import OPEN
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Claiming, EndpointDelivery, Result, Settled
from tidings.store.endpoints import Condition, EndpointRecord, Pacing

DELIVERED = Result(state="delivered", outcome="delivered")
DEAD = Result(state="dead", outcome="http-500", reason="exhausted", error="500")


def endpoint(id: str = "e", *, starts_after: int = 0, **pacing: Any) -> EndpointRecord:
    return EndpointRecord(
        id=id, config=b'{"url":"https://a.test"}', starts_after=starts_after, created=START_US, pacing=Pacing(**pacing)
    )


def sent(position: int, to: str = "e", *, subject: str | None = None, **more: Any) -> EndpointDelivery:
    return EndpointDelivery(endpoint=to, position=position, type="said", subject=subject, **more)


def again(at: int, **more: Any) -> Result:
    return Result(state="due", outcome="http-500", next_at=at, reason="http-500", error="500", **more)


async def keep(store: StoreDriver, *endpoints: EndpointRecord) -> None:
    for each in endpoints:
        assert await store.add_endpoint(each)


async def deliver(store: StoreDriver, *deliveries: EndpointDelivery) -> int:
    async with store.unit() as unit:
        return await unit.deliver(deliveries)


async def take(
    store: StoreDriver, *, owner: str = OWNER, limit: int = 200, late: int = 100
) -> list[ClaimedEndpointDelivery]:
    claims = await store.claim_endpoint_deliveries(Claiming(owner=owner, limit=limit, late=late), ttl=TTL)
    return [each for claim in claims for each in claim.deliveries]


def positions(claimed: Sequence[ClaimedEndpointDelivery]) -> list[int]:
    return [each.delivery.position for each in claimed]


async def settle(store: StoreDriver, claimed: ClaimedEndpointDelivery, result: Result = DELIVERED) -> Settled:
    return await store.settle_endpoint_deliveries([claimed], lambda _: result)


def faring(result: Result, **condition: Any) -> Callable[[EndpointRecord], Result]:
    """Return what says this of an attempt, and changes these members of its endpoint's condition."""
    return lambda endpoint: replace(result, condition=replace(endpoint.condition, **condition))


async def states(store: StoreDriver, *more: str) -> dict[int, Any]:
    """Return the state of each delivery by its position, and these columns."""
    found = await store.deliveries(limit=10_000)
    assert all((each["closed"] is None) == (each["state"] in OPEN) for each in found)
    return {
        each["position"]: tuple(each[name] for name in ("state", *more)) if more else each["state"] for each in found
    }


async def condition(store: StoreDriver, id: str = "e") -> Condition:
    found = await store.endpoint(id)
    assert found is not None
    return found.condition
