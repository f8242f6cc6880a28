"""Opening an application: its back ends, and everything over them, put together in one place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from tidings.app.crew import Crew, Runner
from tidings.app.declared import Declared, Known, known_of
from tidings.app.engines import BackEnd, open_back_end
from tidings.app.instance import Kept
from tidings.app.joining import instance_of, readings
from tidings.app.opened import Opened
from tidings.app.reconciling import functions_of, mirrors, pushings, reconciliations, schedules
from tidings.app.tables import Carrying
from tidings.app.watched import admitting, passing
from tidings.app.webhooks import keyring, webhooks_of
from tidings.consumers.reaction import Reaction
from tidings.consumers.relay import Relay
from tidings.errors import SettingError
from tidings.log.log import Log
from tidings.operations.admission import Admission
from tidings.operations.pruning import Pruner
from tidings.ports import Ports, this_process
from tidings.reconciliation.assembling import Ground
from tidings.reconciliation.scope import Reconciliation
from tidings.services.context import Resources
from tidings.services.deliverer import Deliverer
from tidings.services.handlers import Handlers
from tidings.services.rows import Shelves
from tidings.services.service import Service
from tidings.settings import Settings
from tidings.telemetry.telemetry import Telemetry
from tidings.versions.retelling import Retelling
from tidings.views.current import CurrentTables
from tidings.views.inline import InlineFolds
from tidings.webhooks.intake.alarms import Alarms
from tidings.webhooks.intake.intake import Intake
from tidings.webhooks.intake.roster import Roster
from tidings.wording import absent


@asynccontextmanager
async def open_services(
    declared: Declared, settings: Settings, ports: Ports, *, consume: bool, prepares: bool = True
) -> AsyncIterator[Opened]:
    """Open the back ends for what is declared; see `App.open`. `prepares`: False to leave the tables of views alone."""
    known = known_of(declared, settings, ports.clock)
    telemetry = Telemetry(
        {type for type, _ in known.catalog.types()}, ports, otel=settings.otel == "on", url=settings.database_url
    )
    back_end = await open_back_end(settings, ports)
    log = telemetry.log(back_end.log)
    try:
        opened = _put_together(declared, settings, known, back_end, log, telemetry)
        opened.store.hold_inline(InlineFolds(opened.views, log, ports))
        telemetry.watch(log, opened.store, back_end.host, declared.services)
        telemetry.scopes.watch(opened.scopes)
        if prepares:
            await opened.carrying.prepare()
            await opened.instance.begin(reads=consume)
        running = asyncio.create_task(opened.crew.run(opened.stopping)) if consume else None
        try:
            with opened.heartbeat.beating():
                yield opened
        finally:
            opened.stopping.set()
            if running is not None:
                await running
            await opened.intake.close()
            await opened.instance.end()
    finally:
        try:
            await log.close()
        finally:
            await back_end.close()


def _put_together(
    declared: Declared, settings: Settings, known: Known, back_end: BackEnd, log: Log, telemetry: Telemetry
) -> Opened:
    services, carried = declared.services, _carried(declared.services, settings)
    reading = {service.name: tuple(view.reading(known.versions) for view in service.views) for service in services}
    ports, store, owner = telemetry.ports, passing(telemetry.store(back_end.store), known.keeper), this_process()
    tables, views = CurrentTables(store), tuple(view for each in reading.values() for view in each)
    ground = Ground(known.catalog, store, log, ports, owner)
    scopes = reconciliations(declared.scopes, views, known, ground, tables)
    deliverer = _deliverer(carried, scopes, ground)
    shelves = {each.name: Shelves(each.name, reading[each.name], tables, log) for each in services}
    resources = {each.name: _resources(each, known, shelves[each.name], deliverer, scopes) for each in services}
    webhooks = webhooks_of(settings, known, log=log, store=store, ports=ports, owner=owner)
    read_here, retelling = readings(carried, reading, known.versions), Retelling(log.find, known.versions.lineages)
    instance = instance_of(known, declared, read_here, Kept(log, store), telemetry, settings)

    def carrying(those: Sequence[Service]) -> Carrying:
        tabled = [view for each in those for view in reading[each.name]]
        told = [*_reactions(those, resources, telemetry), *mirrors(scopes, those)]
        return Carrying(tabled, told, log=log, store=admitting(store, instance), ports=ports, owner=owner)

    everything = carrying(services)
    here = everything if carried is services else carrying(carried)
    webhooks.join(here)
    others = [*_beside_carrying(log, ground, deliverer, retelling), *schedules(scopes, carried, ports)]
    roster = Roster(declared.receivers, store, ports.clock, keyring(settings))
    alarms = Alarms(roster, store, log, ports.clock, on_overdue=telemetry.overdue)
    return Opened(
        settings=settings,
        ports=ports,
        services=services,
        carried=carried,
        views=views,
        scopes=scopes,
        known=known,
        instance=instance,
        log=log,
        store=store,
        host=back_end.host,
        tables=tables,
        carrying=everything,
        crew=Crew(here, [instance, *others, alarms, webhooks.dispatcher], ports, held=lambda: instance.held),
        admission=Admission(store, ports.clock),
        resources=resources,
        roster=roster,
        intake=Intake(store, ports, retelling),
        alarms=alarms,
        telemetry=telemetry,
        webhooks=webhooks,
    )


def _reactions(services: Sequence[Service], resources: Mapping[str, Resources], telemetry: Telemetry) -> list[Reaction]:
    return [Handlers(resources[each.name], telemetry.handlers(each)) for each in services if each.handlers]


def _beside_carrying(log: Log, ground: Ground, deliverer: Deliverer, retelling: Retelling) -> list[Runner]:
    """Return what runs beside what carries entries."""
    store, ports = ground.store, ground.ports
    found: list[Runner] = [Pruner(store, ports.clock)]
    if deliverer.has_work:
        found.append(deliverer)
    if store.facts.takes_staged or not store.facts.shares_transaction_with_log:
        found.append(Relay(store, log, ports, retelling))
    return found


def _deliverer(carried: Sequence[Service], scopes: Mapping[str, Reconciliation], ground: Ground) -> Deliverer:
    called = {each.name: functions_of(scopes, each) for each in carried}
    return Deliverer(called, store=ground.store, ports=ground.ports, owner=ground.owner)


def _resources(
    service: Service, known: Known, shelves: Shelves, deliverer: Deliverer, scopes: Mapping[str, Reconciliation]
) -> Resources:
    return Resources(
        service=service.name,
        catalog=known.catalog,
        versions=known.versions,
        shelves=shelves,
        payloads={name: function.decoder() for name, function in service.functions.items()},
        on_intend=deliverer.wake,
        expects=pushings(scopes, service),
    )


def _carried(services: Sequence[Service], settings: Settings) -> Sequence[Service]:
    if settings.carried is None:
        return services
    there = {service.name: service for service in services}
    unknown = [name for name in settings.carried if name not in there]
    if unknown:
        raise SettingError(absent("service", unknown[0], there))
    return [there[name] for name in dict.fromkeys(settings.carried)]
