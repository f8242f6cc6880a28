"""How an application's instance is made: what its services read, and what of it is carried here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tidings.app.declared import Declared, Known
from tidings.app.instance import Instance, Kept
from tidings.app.saying import Natives, Reading, Saying
from tidings.app.sunsets import Sunsets
from tidings.events.declaration import Declared as DeclaredEvent
from tidings.events.declaration import declared_class
from tidings.ports import this_process
from tidings.services.service import Service
from tidings.settings import Settings
from tidings.telemetry.telemetry import Telemetry
from tidings.versions.known import Versions
from tidings.versions.lockfile import read_lock
from tidings.views.declaration import ViewSpec


def instance_of(
    known: Known,
    declared: Declared,
    reading: Sequence[Reading],
    kept: Kept,
    telemetry: Telemetry,
    settings: Settings,
) -> Instance:
    """Return this process's part among those that run. `reading`: what is carried here."""
    ports = telemetry.ports
    known.keeper.told = telemetry.version_notes
    saying = Saying(
        known.versions,
        declared.services,
        reading,
        instance=f"{this_process()}:{ports.random.getrandbits(32):08x}",
        revision=settings.revision,
        lock=None if declared.lock is None else read_lock(declared.lock),
    )
    opens = settings.gates == "auto"
    strict = settings.strict_sunset == "on"
    sunsets = Sunsets(kept.store, ports.clock, known.keeper, telemetry.version_notes.seconds, strict=strict)
    return Instance(saying, known, sunsets, kept, clock=ports.clock, opens=opens)


def readings(services: Sequence[Service], views: Mapping[str, Sequence[ViewSpec]], versions: Versions) -> list[Reading]:
    """Return what each service reads: by its handlers, each of its views, and each copy that is kept of it."""
    found = []
    for service in services:
        if service.handlers:
            events = [each.event for each in service.handlers]
            handling = _of_events(service, service.name, events, versions)
            found.append(replace(handling, horizon=service.replay_horizon))
        found += [_of_view(view, service) for view in views[service.name] if view.reader is not None and view.folds]
        for consumer, classes in service.copies.items():
            found.append(_of_events(service, consumer, [declared_class(each) for each in classes], versions))
    return found


def _of_events(service: Service, consumer: str, events: Sequence[DeclaredEvent], versions: Versions) -> Reading:
    return Reading(
        service=service.name,
        consumer=consumer,
        reader=versions.reader(events),
        natives=_natives(events),
        reads_all=False,
        standing=service.standing,
    )


def _of_view(view: ViewSpec, service: Service) -> Reading:
    assert view.reader is not None
    return Reading(
        service=view.service,
        consumer=f"{view.service}.{view.name}",
        reader=view.reader,
        natives=_natives(fold.declared for fold in view.folds),
        reads_all=True,
        standing=service.standing,
    )


def _natives(events: Iterable[DeclaredEvent]) -> Natives:
    found: dict[str, frozenset[int]] = {}
    for each in events:
        found[each.type] = found.get(each.type, frozenset()) | {each.version}
    return found
