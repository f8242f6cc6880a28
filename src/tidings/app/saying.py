"""What this process says of versions: those it makes known, accepts, emits, and serves to endpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from tidings.errors import DeclarationError
from tidings.events.codec import encode_json
from tidings.events.declaration import declared, declared_class
from tidings.services.service import Service
from tidings.store.versions import EventVersion, VersionLease
from tidings.versions.canonical import sha256_of
from tidings.versions.engine import Schema
from tidings.versions.known import Versions
from tidings.versions.lockfile import Lock, LockedType
from tidings.versions.said import Said, details_of, said_by_reader, steps_of
from tidings.versions.schemas import check_whole
from tidings.versions.step import Reader
from tidings.webhooks.deliver.fanout import NAME as ENDPOINTS

Natives = Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One consumer: the versions that it has handlers or folds of, and what leads there from others."""

    service: str
    consumer: str
    reader: Reader
    natives: Natives
    reads_all: bool
    standing: bool = False
    horizon: timedelta | None = None


class Saying:
    """`services`: all of the application; `readings`: of those that are carried here."""

    def __init__(
        self,
        versions: Versions,
        services: Sequence[Service],
        readings: Sequence[Reading],
        *,
        instance: str,
        revision: str,
        lock: Lock | None,
    ) -> None:
        self.instance = instance
        self.is_locked = lock is not None
        self._versions = versions
        self._readings = {each.consumer: each for each in readings}
        self._revision = revision
        self._lock = lock
        self._owners = {declared(cls).type: service.name for service in services for cls in service.emits}
        self._types = {type: frozenset(lineage.natives) for type, lineage in versions.lineages.items()}
        self._written = {service.name: _written_by(service) for service in services}
        self._taken = frozenset(versions.older())
        self._again_after: dict[str, int] = {}

    @property
    def consumers(self) -> Sequence[str]:
        """Those that read here."""
        return tuple(self._readings)

    @property
    def emitted(self) -> Mapping[str, Natives]:
        """By service, what it emits: what it says so of, not what it has a handler of, and the repairs of its copies;
        "": what comes from outside, since no service does."""
        found = {service: types for service, types in self._written.items() if types}
        written = {type for types in found.values() for type in types}
        outside = {type: versions for type, versions in self._types.items() if type not in written}
        return {**found, "": outside} if outside else found

    @property
    def registered(self) -> Sequence[EventVersion]:
        """Every version that is declared here, with its schema. DeclarationError for one that is not whole."""
        return [
            made
            for type, lineage in sorted(self._versions.lineages.items())
            for version in lineage.versions
            if (made := self._registered(type, version)) is not None
        ]

    def _registered(self, type: str, version: int) -> EventVersion | None:
        lineage = self._versions.lineages[type]
        schema = lineage.schema(version)
        if schema is None:
            return None
        check_whole(type, version, schema)
        locked = LockedType() if self._lock is None else self._lock.types.get(type, LockedType())
        kept = locked.versions.get(str(version))
        return EventVersion(
            type=type,
            version=version,
            sha256=_hash_of(schema) if kept is None else kept.sha256,
            schema=encode_json(schema),
            published=kept is not None and kept.published,
            owner=self._owners.get(type, locked.owner),
            semantic_change=version in lineage.semantic,
        )

    @property
    def leases(self) -> Sequence[VersionLease]:
        """Everything that is said, as of what is known of versions now."""
        accepting = [lease for name in self._readings for lease in self.accepting(name)]
        return [*accepting, *self._emitting(), *self._serving()]

    @property
    def horizons(self) -> Mapping[str, timedelta]:
        """By consumer, how far back it may be made to read again."""
        return {name: each.horizon for name, each in self._readings.items() if each.horizon is not None}

    def look_back(self, after: Mapping[str, int]) -> None:
        """Be told behind which positions that is now."""
        self._again_after.update(after)

    def accepting(self, consumer: str) -> Sequence[VersionLease]:
        """Return what one consumer accepts, a lease for each type."""
        reading = self._readings[consumer]
        found = []
        for type, natives in sorted(reading.natives.items()):
            lineage = self._versions.lineages[type]
            said = msgspec.structs.replace(
                said_by_reader(lineage, reading.reader, natives, reads_all=reading.reads_all),
                standing=reading.standing,
                again_after=self._again_after.get(consumer),
            )
            accepts = reading.reader.accepts(type)
            found.append(self._lease(reading.service, consumer, type, "accept", accepts, said))
        return found

    def _emitting(self) -> Sequence[VersionLease]:
        return [
            self._lease(service, "", type, "emit", tuple(sorted(versions)), self._emits(type, versions))
            for service, types in self.emitted.items()
            for type, versions in types.items()
        ]

    def _serving(self) -> Sequence[VersionLease]:
        return [
            self._lease("", ENDPOINTS, type, "serve", tuple(sorted(versions)), self._steps(type))
            for type, versions in self._types.items()
            if len(self._versions.lineages[type].versions) > 1
        ]

    def _emits(self, type: str, versions: Collection[int]) -> Said:
        older = {version for name, version in self._taken if name == type}
        takes = sorted((self._types[type] | older) - {*versions})
        return msgspec.structs.replace(self._steps(type), takes=tuple(takes))

    def _steps(self, type: str) -> Said:
        return Said(steps=steps_of(self._versions.lineages[type]))

    def _lease(
        self, service: str, consumer: str, type: str, role: str, versions: tuple[int, ...], said: Said
    ) -> VersionLease:
        return VersionLease(
            instance=self.instance,
            service=service,
            consumer=consumer,
            type=type,
            role=role,  # type: ignore[arg-type]
            versions=versions,
            revision=self._revision,
            admission="held" if role == "accept" else "admitted",
            details=details_of(said),
        )


def _written_by(service: Service) -> Natives:
    """Return what a service emits, by type. A repair is of the newest class that its copy reads, unless `emits` says of
    which it is: an older one is there to be read."""
    found: dict[str, frozenset[int]] = {}
    for each in map(declared, service.emits):
        found[each.type] = found.get(each.type, frozenset()) | {each.version}
    newest: dict[str, int] = {}
    for each in (declared_class(cls) for events in service.copies.values() for cls in events):
        newest[each.type] = max(each.version, newest.get(each.type, 0))
    return {**{type: frozenset([version]) for type, version in newest.items()}, **found}


def _hash_of(schema: Schema) -> str:
    try:
        return sha256_of(schema)
    except DeclarationError:
        return ""
