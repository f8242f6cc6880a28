"""The first page: what needs somebody, how far everybody is, what came last."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from tidings import __version__
from tidings.console.entries import cells
from tidings.console.visit import Visit
from tidings.operations import inspect
from tidings.operations.endpoint_shown import Shown
from tidings.operations.lag import ConsumerLag, lag

LAST = 8
DELIVERIES = 1_000
ENDPOINTS = 1_000


async def show(visit: Visit) -> Response:
    """Show as much of it as the caller may see."""
    visit.query(())
    opened = visit.opened
    consumers = await _consumers(visit)
    entries, head = await inspect.tail(opened.log, limit=LAST)
    given_up = await opened.store.deliveries("dead", limit=DELIVERIES) if visit.may("deliveries:read") else ()
    return await visit.show(
        "overview.html",
        consumers=consumers,
        rows=[cells(visit, entry) for entry in reversed(entries)] if visit.may("events:read") else [],
        head=head,
        behind=[each for each in consumers if _is_stuck(each)],
        paused=[each for each in consumers if each.state == "paused"],
        with_dead=[each for each in consumers if each.dead],
        dead_letters=sum(each.dead_letters for each in consumers),
        retrying=sum(each.retrying for each in consumers),
        failing=opened.crew.failing if visit.may("consumers:read") else {},
        endpoints=await _troubled(visit),
        given_up=len(given_up),
        most=DELIVERIES,
        types=len(opened.catalog.types()),
        services=[service.name for service in opened.services],
        database=opened.settings.place,
        release=__version__,
    )


async def _troubled(visit: Visit) -> Sequence[Shown]:
    """Return the endpoints that are not sent to, or fail."""
    if not visit.may("endpoints:read"):
        return ()
    return [each for each in await visit.opened.endpoints.list(limit=ENDPOINTS) if each.state != "active"]


async def _consumers(visit: Visit) -> tuple[ConsumerLag, ...]:
    opened = visit.opened
    if not visit.may("consumers:read"):
        return ()
    return await lag(opened.log, opened.store, opened.ports.clock, opened.services)


def _is_stuck(consumer: ConsumerLag) -> bool:
    return consumer.state in ("new", "stopped") and consumer.entries > 0
