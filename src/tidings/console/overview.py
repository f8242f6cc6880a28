"""The first page: what needs somebody, how far everybody is, what came last."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from tidings import __version__
from tidings.app.receiving import receivers_of
from tidings.console.entries import cells
from tidings.console.visit import Visit
from tidings.operations import inspect
from tidings.operations.endpoint_shown import Shown
from tidings.operations.lag import ConsumerLag, lag
from tidings.reconciliation.asof import Bounds
from tidings.store.letters import COUNTED, DeadCount

LAST = 8
ENDPOINTS = 1_000


async def show(visit: Visit) -> Response:
    """Show as much of it as the caller may see."""
    visit.query(())
    opened = visit.opened
    consumers = await _consumers(visit)
    entries, head = await inspect.tail(opened.log, limit=LAST)
    return await visit.show(
        "overview.html",
        consumers=consumers,
        rows=[cells(visit, entry) for entry in reversed(entries)] if visit.may("events:read") else [],
        head=head,
        behind=[each for each in consumers if _is_stuck(each)],
        paused=[each for each in consumers if each.state == "paused"],
        with_dead=[each for each in consumers if each.dead],
        failing=opened.crew.failing if visit.may("consumers:read") else {},
        endpoints=await _troubled(visit),
        silent=await receivers_of(opened).silent() if visit.may("receivers:read") else (),
        others=await _others(visit),
        scopes=await _scopes(visit),
        holds={name: each.holds for name, each in opened.scopes.items()},
        now=opened.ports.clock.now_us(),
        most=COUNTED,
        types=len(opened.catalog.types()),
        services=[service.name for service in opened.services],
        database=opened.settings.place,
        release=__version__,
    )


async def _scopes(visit: Visit) -> Sequence[Bounds]:
    """Return those of which deletes are held, whose bounds stand still, or that were not proved right for too long."""
    if not visit.may("reconciliations:read"):
        return ()
    now = visit.opened.ports.clock.now_us()
    found = [await each.asof() for each in visit.opened.scopes.values()]
    held = {each.scope for each in found if each.run is not None and each.run.state == "held"}
    return [each for each in found if each.is_overdue(now) or each.is_stopped or each.scope in held]


async def _others(visit: Visit) -> DeadCount:
    """Return how many dead letters there are that are of no handler."""
    found = await visit.opened.store.count_letters()
    may_see_all, may_see_deliveries = visit.may("dead-letters:read"), visit.may("deliveries:read")
    deliveries = found.deliveries if may_see_all or may_see_deliveries else 0
    return DeadCount(deliveries=deliveries, receipts=found.receipts if may_see_all else 0)


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
