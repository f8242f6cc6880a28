"""The versions of an application's events beside its lock file: told, locked, checked. No database is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tidings.errors import DeclarationError, NotFoundError
from tidings.events.declaration import declared
from tidings.services.service import Service
from tidings.versions.checking import NO_DATABASE, Finding, Living, Mode, Scope, check
from tidings.versions.fixtures import FOLDER, Fixture, first_fixture, read_fixtures
from tidings.versions.lineage import Lineage, Written, lineages_of
from tidings.versions.lockfile import Lock, read_lock, text_of
from tidings.versions.locking import locked

NOWHERE: Mapping[str, Living] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Told:
    """One version. `state`: native, read (steps lead to a class), stored only. `step`: what leads to the next one."""

    type: str
    version: int
    state: str
    published: bool
    reads: tuple[int, ...]
    step: str


class Workshop:
    """An application's types, its lock file and its fixtures, as they lie in a repository."""

    def __init__(self, events: Sequence[type], services: Sequence[Service], lock: Path) -> None:
        self._path = lock
        self._folder = lock.parent / FOLDER
        self._lock = read_lock(lock) if lock.exists() else Lock()
        self.is_locked = lock.exists()
        self.lineages: Mapping[str, Lineage] = lineages_of(events, self._lock.schemas())
        self._owners = {type: service.name for service in services for type in _emitted(service)}

    def told(self, type: str | None = None) -> list[Told]:
        """Return every version, or those of one type; NotFoundError."""
        if type is not None:
            self.lineage(type)
        return [
            self._told(lineage, version)
            for name, lineage in sorted(self.lineages.items())
            for version in lineage.versions
            if type in (None, name)
        ]

    def lineage(self, type: str) -> Lineage:
        """Return one type's versions; NotFoundError, with what there is."""
        if type not in self.lineages:
            raise NotFoundError("event type", type, self.lineages)
        return self.lineages[type]

    def lock(self, *, day: str, publish: bool) -> list[str]:
        """Write the lock file, and a first fixture for each version that has none; return what was written."""
        written = [str(path) for lineage in self.lineages.values() for path in self._first(lineage)]
        made = locked(self.lineages, self._lock, self._fixtures(), self._owners, day=day, publish=publish)
        text = text_of(made)
        if not self._path.exists() or self._path.read_text("utf-8") != text:
            self._path.write_text(text, "utf-8")
            written.append(str(self._path))
        return written

    def check(
        self,
        *,
        mode: Mode,
        scope: Scope,
        living: Mapping[str, Living] = NOWHERE,
    ) -> list[Finding]:
        """Return what is wrong, or may be; DeclarationError if there is no lock file.

        `living`: what a database says, by type."""
        if not self.is_locked:
            raise DeclarationError(f"there is no {self._path}: write it with `tidings versions lock`, and keep it")
        fixtures = self._fixtures()
        found: list[Finding] = []
        for type, lineage in sorted(self.lineages.items()):
            known = living.get(type, NO_DATABASE)
            found += check(lineage, self._lock, fixtures[type], mode=mode, scope=scope, living=known)
        return found

    def checked(self, lineage: Lineage, *, mode: Mode, living: Living) -> list[Finding]:
        """Return the same of one type, as far as these of its earlier versions; without a lock file, too."""
        kept = read_fixtures(self._folder, lineage.type)
        return check(lineage, self._lock, kept, mode=mode, scope="LIVE", living=living)

    def _fixtures(self) -> dict[str, tuple[Fixture, ...]]:
        return {type: read_fixtures(self._folder, type) for type in self.lineages}

    def _first(self, lineage: Lineage) -> list[Path]:
        made = []
        kept = {each.version for each in read_fixtures(self._folder, lineage.type)}
        for version in (each for each in lineage.versions if each not in kept):
            text = first_fixture(lineage, version)
            if text is not None:
                path = self._folder / lineage.type / str(version) / "first.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text)
                made.append(path)
        return made

    def _told(self, lineage: Lineage, version: int) -> Told:
        locked = self._lock.types[lineage.type].versions if lineage.type in self._lock.types else {}
        kept = locked.get(str(version))
        higher = [
            native for native in lineage.natives if native > version and lineage.path(version, native) is not None
        ]
        state = "native" if version in lineage.natives else "read" if higher else "stored only"
        step = None if version == lineage.newest else lineage.step(version, version + 1)
        named = str(step.transformer) if isinstance(step, Written) else "follows from the schemas"
        reads = tuple(
            other for other in lineage.versions if other != version and lineage.reads(version, other) == "yes"
        )
        return Told(lineage.type, version, state, bool(kept and kept.published), reads, "" if step is None else named)


def _emitted(service: Service) -> list[str]:
    return [declared(cls).type for cls in service.emits]
