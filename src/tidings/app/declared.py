"""What an application consists of, and what is known of its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tidings.events.catalog import Catalog
from tidings.ports import Clock
from tidings.reconciliation.listing import CopyScope, Scope
from tidings.services.service import Service
from tidings.settings import Settings
from tidings.versions.gatekeeper import Gatekeeper
from tidings.versions.known import Versions, versions_of
from tidings.versions.lineage import lineages_of
from tidings.versions.lockfile import told_by
from tidings.versions.policy import Policies
from tidings.webhooks.intake.receiver import Receiver

_JUDGED: ContextVar[bool] = ContextVar("judged elsewhere", default=False)
"""An application is made where it is imported, so whoever imports it can say this in no argument."""


@contextmanager
def judged_elsewhere() -> Iterator[None]:
    """Within, an application is made whatever is wrong with its versions: for who reports just that."""
    token = _JUDGED.set(True)
    try:
        yield
    finally:
        _JUDGED.reset(token)


@dataclass(frozen=True, slots=True)
class Declared:
    """What an application consists of. `lock`: the path of its lock file."""

    services: Sequence[Service]
    receivers: Sequence[Receiver] = ()
    lock: Path | None = None
    scopes: Sequence[Scope] = ()

    @property
    def events(self) -> tuple[type, ...]:
        """Every event class that is named, each once."""
        named = [event for service in self.services for event in service.events]
        told = [event for each in self.receivers for event in each.emits]
        told += [event for each in self.scopes if isinstance(each, CopyScope) for event in each.events]
        return tuple(dict.fromkeys([*named, *told]))

    def versions(self) -> Versions:
        """Return what is known of their versions. TransformerChainError; SchemaChangedError."""
        if _JUDGED.get():
            return Versions(MappingProxyType(lineages_of(self.events)))
        return versions_of(self.events, None if self.lock is None else told_by(self.lock, self.events))


@dataclass(frozen=True, slots=True)
class Known:
    """Its event classes, their versions, which of these may be appended, and where its lock file is."""

    catalog: Catalog
    versions: Versions
    keeper: Gatekeeper
    lock: Path | None = None


def known_of(declared: Declared, settings: Settings, clock: Clock) -> Known:
    """Return what is known of the events that are declared. TransformerChainError; SchemaChangedError."""
    versions = declared.versions()
    policies = Policies(inside=settings.version_policy, outside=settings.version_policy_outside)
    keeper = Gatekeeper(versions.lineages, clock, policies=policies, public_url=settings.public_url)
    catalog = Catalog(
        declared.events,
        older=versions.older(),
        gates=keeper,
        data_bytes_max=settings.data_bytes_max,
        time_ahead_max=settings.time_ahead_max,
    )
    return Known(catalog, versions, keeper, declared.lock)
