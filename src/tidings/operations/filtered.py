"""Names that things are looked for by: one that there is not is refused, for it must not look like a quiet day."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tidings.consumers.relay import OUTBOX
from tidings.errors import MovedError, NotFoundError
from tidings.operations.roster import roster
from tidings.services.service import Service
from tidings.store.deliveries import DeliveryFilter
from tidings.store.driver import StoreDriver
from tidings.store.endpoints import EndpointRecord, no_endpoint
from tidings.webhooks.deliver.fanout import NAME as ENDPOINTS

LISTED = 1_000


def check_known(what: str, name: str, there: Collection[str]) -> None:
    """NotFoundError, with those there are and the nearest of them, if `name` is none of them. `what`: a "consumer"."""
    if name not in there:
        raise NotFoundError(what, name, there)


async def find_endpoint(store: StoreDriver, id: str) -> EndpointRecord:
    """Return the endpoint of this id; NotFoundError, with those there are, if there is none."""
    found = await store.endpoint(id)
    if found is None:
        raise no_endpoint(id, [each.id for each in await store.endpoints(limit=LISTED)])
    return found


async def check_delivered(store: StoreDriver, services: Sequence[Service] | None, where: DeliveryFilter) -> None:
    """NotFoundError for a service, a function or an endpoint that is not there and never had a delivery.

    `services`: those of the application at hand, None if there is none; then nobody knows which functions there are.
    """
    if where.service is not None and not await _had(store, DeliveryFilter(service=where.service)):
        check_known("service", where.service, await _services(store, services) | await _seen(store, "service"))
    of_function = DeliveryFilter(service=where.service, function=where.function)
    if where.function is not None and services is not None and not await _had(store, of_function):
        of = [each for each in services if where.service in (None, each.name)]
        declared = {name for each in of for name in each.functions}
        check_known("function", where.function, declared | await _seen(store, "function", of_function.service))
    if where.endpoint is not None and await store.endpoint(where.endpoint) is None:
        there = {each.id for each in await store.endpoints(limit=LISTED)} | await _seen(store, "endpoint")
        if not await _had(store, DeliveryFilter(endpoint=where.endpoint)):
            check_known("endpoint", where.endpoint, there)


async def _seen(store: StoreDriver, what: str, service: str | None = None) -> set[str]:
    """Return what is named in the oldest deliveries, for whoever is told what there is."""
    found = await store.deliveries(None, where=DeliveryFilter(service=service), limit=LISTED)
    return {each[what] for each in found if each[what] is not None}


async def _had(store: StoreDriver, where: DeliveryFilter) -> bool:
    return bool(await store.deliveries(None, where=where, limit=1))


async def _services(store: StoreDriver, services: Sequence[Service] | None) -> set[str]:
    readers = {reader.name.partition(".")[0] for reader in await roster(store, services)}
    return {service.name for service in services or ()} | readers - {OUTBOX, ENDPOINTS}


def moved_endpoint(id: str) -> MovedError:
    return MovedError(f"the endpoint {id!r} was changed since it was read: read it again, and decide anew")
