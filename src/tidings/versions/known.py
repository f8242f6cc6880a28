"""What a program knows of its events' versions, put together once, for all of its readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from tidings.errors import InvalidDataError, TransformError
from tidings.events.declaration import Declared
from tidings.events.envelope import Envelope
from tidings.events.whole import with_limits
from tidings.store.versions import EventVersion
from tidings.versions.chains import check_chains
from tidings.versions.engine import Schema
from tidings.versions.lineage import Lineage, lineages_of
from tidings.versions.step import Adapted, Reader, Unreadable, adapted


@dataclass(frozen=True, slots=True)
class Versions:
    """The lineage of each type that a program declares."""

    lineages: Mapping[str, Lineage]

    def reader(self, events: Iterable[Declared]) -> Reader:
        """Return what a reader accepts that has handlers or folds of these."""
        natives: dict[str, set[int]] = {}
        for each in events:
            natives.setdefault(each.type, set()).add(each.version)
        return Reader(self.lineages, natives)

    def learn(self, registered: Iterable[EventVersion]) -> bool:
        """Be told of the versions that are registered; say whether one of a type that is declared here is new."""
        new: dict[str, list[EventVersion]] = {}
        for each in registered:
            lineage = self.lineages.get(each.type)
            if lineage is not None and each.version not in lineage.natives and each.version not in lineage.told:
                new.setdefault(each.type, []).append(each)
        for type, rows in new.items():
            schemas = {each.version: msgspec.json.decode(each.schema) for each in rows}
            self.lineages[type].learn(schemas, semantic=[each.version for each in rows if each.semantic_change])
        return bool(new)

    def older(self) -> Mapping[tuple[str, int], OlderVersion]:
        """Return the versions without a class that one of the classes can read, for the door."""
        everything = self.reader(each for lineage in self.lineages.values() for each in lineage.natives.values())
        found: dict[tuple[str, int], OlderVersion] = {}
        for type, lineage in self.lineages.items():
            for version in everything.accepts(type):
                way = everything.way(type, version)
                if version not in lineage.natives and not isinstance(way, Unreadable):
                    native = lineage.natives[way.version]
                    found[type, version] = OlderVersion(native, everything, with_limits(lineage.schema(version)))
        return MappingProxyType(found)


def versions_of(classes: Iterable[type], told: Mapping[str, Mapping[int, Schema]] | None = None) -> Versions:
    """Return what these classes, and a lock file's schemas, say; TransformerChainError if steps do not join."""
    found = Versions(MappingProxyType(lineages_of(classes, told)))
    check_chains(found.lineages.values())
    return found


@dataclass(frozen=True, slots=True)
class OlderVersion:
    """A version that has no class any more, as `tidings.events.catalog.Older`. `schema`: None if nothing tells it."""

    declared: Declared
    reader: Reader
    schema: Schema | None

    def read(self, envelope: Envelope) -> Any:
        found = adapted(envelope, self.reader)
        assert isinstance(found, Adapted)  # only those that are read are made
        return found.event

    def admit(self, envelope: Envelope) -> Any | None:
        """Valid data is let in though a step fails on it: the step is corrected, and the subject redriven."""
        if self.schema is not None:
            self._check(self.schema, envelope)
        try:
            return self.read(envelope)
        except TransformError as error:
            if self.schema is not None:
                return None
            told = f"the data of {envelope.type} version {envelope.version} cannot be read here: {error}"
            raise InvalidDataError(told, errors=error.errors) from error

    def _check(self, schema: Schema, envelope: Envelope) -> None:
        from tidings.versions.engine import problems  # the engine takes time to import

        found = problems(schema, b"{}" if envelope.data is None else envelope.data)
        if found:
            told = "; ".join(f"{at}: {why}" if at else why for at, why in found[:5])
            raise InvalidDataError(
                f"the data does not fit {envelope.type} version {envelope.version}: {told}", errors=found
            )
