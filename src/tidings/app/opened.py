"""An application over its opened back ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidings.app.crew import Crew
from tidings.app.declared import Known
from tidings.app.heartbeat import Heartbeat
from tidings.app.instance import Instance
from tidings.app.reconciling import functions_of
from tidings.app.tables import Carrying
from tidings.app.webhooks import Webhooks, allowed, is_local, keyring
from tidings.errors import EnvelopeError, NotFoundError, RefusedError
from tidings.events.catalog import Catalog
from tidings.events.envelope import Envelope
from tidings.events.identity import uuid7
from tidings.events.timestamp import time_text
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.admission import Admission
from tidings.operations.endpoints import Endpoints
from tidings.operations.letter_acts import LetterActs
from tidings.operations.polling import Polling
from tidings.ports import Ports
from tidings.reconciliation.scope import Reconciliation
from tidings.services.command import command
from tidings.services.context import Context, Resources
from tidings.services.functions import Function
from tidings.services.service import Service
from tidings.settings import Settings
from tidings.store.driver import StoreDriver
from tidings.store.host import Host
from tidings.store.staging import staged_text
from tidings.telemetry.telemetry import Telemetry
from tidings.versions.gatekeeper import Gatekeeper
from tidings.versions.retelling import Retelling
from tidings.views.columns import microseconds
from tidings.views.current import CurrentTables
from tidings.views.declaration import ViewSpec
from tidings.webhooks.intake.alarms import Alarms
from tidings.webhooks.intake.intake import Intake
from tidings.webhooks.intake.replaying import Again
from tidings.webhooks.intake.roster import Roster
from tidings.webhooks.intake.translating import Making

_ID_BITS = 74


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What an open application is made of. Everything in it is ready until the block of `App.open` is left.

    `carried`: the services whose handlers, views and deliveries are carried here; the others are by other processes.
    `stopping`: set it to let no further page or delivery begin; leaving the block sets it, and waits for their end.
    """

    settings: Settings
    ports: Ports
    services: Sequence[Service]
    carried: Sequence[Service]
    views: Sequence[ViewSpec]
    scopes: Mapping[str, Reconciliation]
    known: Known
    instance: Instance
    log: Log
    store: StoreDriver
    host: Host
    tables: CurrentTables
    carrying: Carrying
    crew: Crew
    admission: Admission
    resources: Mapping[str, Resources]
    roster: Roster
    intake: Intake
    alarms: Alarms
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    telemetry: Telemetry
    webhooks: Webhooks

    @property
    def functions(self) -> Mapping[str, Mapping[str, Function]]:
        """What deliveries call, by service and name."""
        return {each.name: functions_of(self.scopes, each) for each in self.services}

    @property
    def catalog(self) -> Catalog:
        """The event classes, by type and version."""
        return self.known.catalog

    @property
    def keeper(self) -> Gatekeeper:
        """Which versions may be appended."""
        return self.known.keeper

    @property
    def retelling(self) -> Retelling:
        """Knows again what is told in another version than it is kept in."""
        return Retelling(self.log.find, self.known.versions.lineages)

    def unit(self, service: str, *, key: str | None = None) -> AbstractAsyncContextManager[Context]:
        """See `App.unit`."""
        resources = self.resources.get(service)
        if resources is None:
            raise NotFoundError("service", service, self.resources)
        return command(resources, self.store, self.log, self.ports, key=key)

    async def publish(self, event: Any, *, source: str, id: str | None, time: datetime | None) -> Position:
        """See `App.publish`."""
        with self.keeper.passing():
            envelope = self._envelope(event, source=source, id=id, time=time)
            receipt = await self.retelling.append(self.log.append, (envelope,))
            return receipt.positions[0]

    @property
    def endpoints(self) -> Endpoints:
        """What may be done with the targets of outgoing webhooks."""
        return Endpoints(
            store=self.store,
            log=self.log,
            ports=self.ports,
            append=self.log.append,
            keyring=keyring(self.settings),
            allowed=allowed(self.settings),
            is_local=is_local(self.settings),
            lineages=self.webhooks.manner.lineages,
        )

    @property
    def polling(self) -> Polling:
        """What is read of, and settled for, endpoints that are polled."""
        return Polling(store=self.store, log=self.log, ports=self.ports, manner=self.webhooks.manner)

    def letters(self, services: Sequence[Service] | None) -> LetterActs:
        """Return what may be done with what failed. `services`: of the application at hand, None if there is none."""
        again = Again(
            store=self.store,
            retelling=self.retelling,
            roster=self.roster,
            making=self.making(),
        )
        return LetterActs(log=self.log, store=self.store, clock=self.ports.clock, services=services, again=again)

    def staged(self, event: Any, *, source: str, id: str | None, time: datetime | None) -> str:
        """See `App.staged`."""
        if not self.store.facts.takes_staged:
            raise RefusedError(
                "only on PostgreSQL may others than units stage events: emit in `async with app.unit(…)` instead"
            )
        return staged_text(self._envelope(event, source=source, id=id, time=time))

    def making(self) -> Making:
        """Return what events of a webhook that comes now are made with."""
        now = self.ports.clock.now_us()
        return Making(catalog=self.catalog, now=now, new_id=lambda: uuid7(now, self.ports.random.getrandbits(_ID_BITS)))

    def _envelope(self, event: Any, *, source: str, id: str | None, time: datetime | None) -> Envelope:
        now = self.ports.clock.now_us()
        text = None if time is None else _text_of(time)
        if text is not None:
            self.catalog.check_time(text, now_us=now)
        return self.catalog.envelope(
            event,
            id=uuid7(now, self.ports.random.getrandbits(_ID_BITS)) if id is None else id,
            source=source,
            now_us=now,
            time=text,
        )


def _text_of(time: datetime) -> str:
    try:
        return time_text(microseconds(time))
    except (TypeError, ValueError, OverflowError) as error:
        raise EnvelopeError(f"time: {error}", errors=[("/time", str(error))]) from error
