"""Which consumers there are: those that the database knows, and those that the application at hand declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tidings.errors import NotFoundError
from tidings.events.declaration import declared_class
from tidings.events.envelope import Envelope
from tidings.events.identity import SLOTS, slot_of
from tidings.log.driver import Position
from tidings.services.service import Service
from tidings.store.claims import Checkpoint
from tidings.store.driver import StoreDriver
from tidings.store.rows import ViewRecord
from tidings.views.declaration import ViewSpec, consumer_name
from tidings.webhooks.deliver.fanout import NAME as ENDPOINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A consumer by name.

    `types`: what it reads; None: everything, or nobody knows, since its service is not at hand. `declared`: whether the
    application at hand has it; None: there is none at hand. `service`: whose handlers it calls. `record`: the view's
    table it folds. `is_copy`: whether it keeps a copy that is reconciled. `checkpoints`: by partition; empty if it has
    never run.
    """

    name: str
    types: frozenset[str] | None
    declared: bool | None
    checkpoints: Mapping[int, Checkpoint]
    service: Service | None = None
    record: ViewRecord | None = None
    is_copy: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it is known here what it reads. What is sent to endpoints is chosen among all types."""
        return self.types is not None or self.name == ENDPOINTS

    @property
    def is_view(self) -> bool:
        """Whether it folds a view, rather than calling a service's handlers or keeping a copy."""
        is_other = self.is_copy or self.service is not None or self.name == ENDPOINTS
        return self.record is not None or (self.declared is True and not is_other)

    @property
    def is_inline(self) -> bool:
        """Whether appends fold for it, so that it carries nothing but what is parked."""
        return self.record is not None and self.record.mode == "inline" and self.record.state == "current"

    @property
    def is_replaced(self) -> bool:
        """Whether the table it folded gave its place to a newer one."""
        return self.record is not None and self.record.state == "replaced"

    def checkpoint_of(self, envelope: Envelope) -> Position:
        """Return the checkpoint of the partition that the event belongs to; 0 if the consumer has never run."""
        slot = slot_of(envelope.source, envelope.id, envelope.subject)
        found = self.checkpoints.get(slot * max(1, len(self.checkpoints)) // SLOTS)
        return 0 if found is None else found.position


async def roster(store: StoreDriver, services: Sequence[Service] | None) -> tuple[Reader, ...]:
    """Return all consumers, by name. `services`: those of the application at hand, None if there is none."""
    records = await store.views()
    tables = {consumer_name(record.table): record for record in records if record.types}
    declared = dict(_declared(services or (), records))
    copies = {name for service in services or () for name in service.copies}
    readers = []
    for name in sorted({*declared, *tables, *await store.consumers()}):
        record = tables.get(name)
        service, types = declared.get(name, (None, frozenset(record.types) if record else None))
        readers.append(
            Reader(
                name=name,
                types=types,
                declared=None if services is None else name in declared or name == ENDPOINTS,
                checkpoints=await store.checkpoints(name),
                service=service,
                record=record,
                is_copy=name in copies,
            )
        )
    return tuple(readers)


def named(readers: Sequence[Reader], name: str) -> Reader:
    """Return the consumer of this name; NotFoundError, with those there are, if there is none."""
    for reader in readers:
        if reader.name == name:
            return reader
    raise NotFoundError("consumer", name, (reader.name for reader in readers))


def _declared(
    services: Sequence[Service], records: Sequence[ViewRecord]
) -> Iterator[tuple[str, tuple[Service | None, frozenset[str]]]]:
    for service in services:
        if service.handlers:
            yield service.name, (service, frozenset(handler.event.type for handler in service.handlers))
        for name, events in service.copies.items():
            yield name, (None, frozenset(declared_class(event).type for event in events))
    for view in (view for service in services for view in service.views if view.folds and view.mode != "live"):
        for name in _consumers_of(view, records):
            yield name, (None, view.types)


def _consumers_of(view: ViewSpec, records: Sequence[ViewRecord]) -> list[str]:
    own = [record for record in records if (record.table.service, record.table.view) == (view.service, view.name)]
    return [consumer_name(record.table) for record in own] or [consumer_name(view.table(1))]
