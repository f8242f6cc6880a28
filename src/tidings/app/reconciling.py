"""What is reconciled in an open application: its scopes, the consumers that keep their copies, and when each runs."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, TypeAlias

from tidings.app.declared import Known
from tidings.errors import RefusedError, UnknownTypeError, VersionUnreadableError
from tidings.events.declaration import declared_class
from tidings.events.envelope import Entry, Envelope
from tidings.operations.reconciling import overdue_told
from tidings.ports import Ports
from tidings.reconciliation.assembling import Ground, of_copy, of_endpoint, of_party
from tidings.reconciliation.copy.mirror import Mirror
from tidings.reconciliation.kept.records import Run
from tidings.reconciliation.listing import CopyScope, EndpointScope, Scope
from tidings.reconciliation.outbound.party.holds import PartyScope
from tidings.reconciliation.outbound.party.pushing import Pushing
from tidings.reconciliation.runs.budget import Budget
from tidings.reconciliation.scope import Reconciliation
from tidings.services.functions import Function
from tidings.services.service import Service
from tidings.store.endpoint_deliveries import EndpointDelivery
from tidings.store.rows import ViewTable
from tidings.versions.step import Unreadable, adapt
from tidings.views.current import CurrentTables
from tidings.views.declaration import ViewSpec
from tidings.webhooks.deliver.sendings import NEW_IDS
from tidings.webhooks.deliver.signing import message_id

LOOK_SECONDS = 1.0
TELL_SECONDS = 10.0
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
Looks: TypeAlias = Callable[[Reconciliation, asyncio.Event], Awaitable[None]]
_log = logging.getLogger("tidings.reconciliation")


def reconciliations(
    scopes: Sequence[Scope], views: Sequence[ViewSpec], known: Known, ground: Ground, tables: CurrentTables
) -> Mapping[str, Reconciliation]:
    """Return the scopes of an application by name. Those of one account share what it may be asked."""
    budgets: dict[str, Budget] = {}
    found: dict[str, Reconciliation] = {}
    for scope in scopes:
        account, rate = scope.account or scope.name, scope.listing.facts.rate
        budget = budgets.setdefault(account, Budget(account, rate, ground.ports, ground.store))
        if isinstance(scope, EndpointScope):
            found[scope.name] = of_endpoint(scope, ground, budget=budget, names=_message)
        elif isinstance(scope, PartyScope):
            found[scope.name] = of_party(scope, ground, budget=budget)
        elif isinstance(scope, CopyScope):
            [view] = [each for each in views if each.row is scope.view]
            reads, table = _reading(known, scope), _table_of(tables, view)
            found[scope.name] = of_copy(scope, view, ground, budget=budget, reads=reads, table=table)
    return MappingProxyType(found)


def _message(delivery: EndpointDelivery, envelope: Envelope) -> str | None:
    """Return the `webhook-id` of what was delivered; None of a replay whose messages were to be taken for new ones."""
    return None if delivery.run.startswith(NEW_IDS) else message_id(envelope.source, envelope.id)


def _table_of(tables: CurrentTables, view: ViewSpec) -> Callable[[], Any]:
    async def table() -> ViewTable | None:
        record = await tables.of(view)
        return None if record is None or record.shape != view.shape else record.table

    return table


def _reading(known: Known, scope: CopyScope) -> Callable[[Entry], Any]:
    """Return what reads an entry as an event of the classes that a scope names."""
    events = [declared_class(each) for each in scope.events]
    natives = {(each.type, each.version) for each in events}
    types = {each.type for each in events}
    reader = known.versions.reader(events)

    def read(entry: Entry) -> Any:
        envelope = entry.envelope
        if (envelope.type, envelope.version) in natives:
            return known.catalog.decode(envelope)
        if envelope.type not in types:
            raise UnknownTypeError(f"{scope.name} does not read {envelope.type}")
        found = adapt(entry, reader)
        if isinstance(found, Unreadable):
            why = f"event {envelope.source!r} {envelope.id!r} at position {entry.position}: {found.why}"
            raise VersionUnreadableError(why, position=entry.position, errors=[("/dataversion", why)])
        return found.event

    return read


def pushings(scopes: Mapping[str, Reconciliation], service: Service) -> Mapping[str, Pushing]:
    """Return, by the name of each delivery of a service that pushes to a party, what notes it."""
    its = [each.pushing for each in scopes.values() if each.pushing is not None and each.scope.service == service.name]
    return {name: pushing for pushing in its for name in pushing.functions}


def functions_of(scopes: Mapping[str, Reconciliation], service: Service) -> Mapping[str, Function]:
    """Return the deliveries of a service, with what is noted of those that push to a party."""
    around = pushings(scopes, service)
    return {
        name: around[name].around(function) if name in around else function
        for name, function in service.functions.items()
    }


class Schedule:
    """Runs each scope when its time has come, in one process of all. See `tidings.app.crew.Runner`."""

    name = "reconcile"

    def __init__(self, scopes: Sequence[Reconciliation], ports: Ports) -> None:
        self._scopes = tuple(scopes)
        self._ports = ports
        self._told: set[str] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Run what is due until `stopping` is set; a run that is under way is left where it stands."""
        async with asyncio.TaskGroup() as group:
            for scope in self._scopes:
                group.create_task(self._keep(scope, stopping))
            group.create_task(self._watch(stopping))

    async def _watch(self, stopping: asyncio.Event) -> None:
        """Beside the runs: what is to be told of one that hangs is not told by it."""
        while not stopping.is_set():
            for scope in self._scopes:
                await self.tell(scope)
                await scope.count_drift()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), TELL_SECONDS)

    async def tell(self, scope: Reconciliation) -> None:
        """Warn, once until it is proved again, of a copy that was not proved right for twice as long as it should."""
        name, now = scope.scope.name, self._ports.clock.now_us()
        bounds = await scope.asof()
        if not bounds.is_overdue(now):
            self._told.discard(name)
        elif name not in self._told:
            self._told.add(name)
            _log.warning("%s %s", name, overdue_told(bounds, now))

    async def _keep(self, scope: Reconciliation, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for look in (self.look, self.look_for_changes):
                group.create_task(_looking(look, scope, stopping))

    async def look(self, scope: Reconciliation, stopping: asyncio.Event) -> None:
        """Read the items that have to be read, and make the run that was begun, or whose time has come."""
        await scope.read_dirty()
        every = scope.scope.every
        if every is not None:
            await scope.begin_next(every)
        mode = await scope.waiting()
        if mode is not None:
            await _ran(scope, scope.run(mode, stopping))

    async def look_for_changes(self, scope: Reconciliation, stopping: asyncio.Event) -> None:
        """Read what has changed if its time has come."""
        every = scope.scope.changes_every
        if every is not None and await scope.begin_next(every, changes=True):
            await _ran(scope, scope.run_changed(stopping))


async def _looking(look: Looks, scope: Reconciliation, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await look(scope, stopping)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)


async def _ran(scope: Reconciliation, running: Awaitable[Run]) -> None:
    try:
        run = await running
    except RefusedError:
        return  # another process runs it, or it was not proved whole yet
    if run.state in ("held", "failed", "incomplete"):
        _log.warning("%s: the run %s is %s: %s", scope.scope.name, run.id, run.state, run.why)


def mirrors(scopes: Mapping[str, Reconciliation], services: Sequence[Service]) -> Sequence[Mirror]:
    """Return the consumers that keep the copies of these services."""
    return [each.mirror for each in _of(scopes, services) if each.mirror is not None]


def schedules(scopes: Mapping[str, Reconciliation], services: Sequence[Service], ports: Ports) -> Sequence[Schedule]:
    """Return what runs the scopes of these services, if there are any."""
    here = _of(scopes, services)
    return [Schedule(here, ports)] if here else []


def _of(scopes: Mapping[str, Reconciliation], services: Sequence[Service]) -> list[Reconciliation]:
    names = {service.name for service in services}
    return [each for each in scopes.values() if not each.scope.service or each.scope.service in names]
