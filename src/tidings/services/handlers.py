"""The reaction of a service: its handlers, called in log order in the transaction that keeps the checkpoint."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

from tidings.errors import UnknownTypeError, VersionUnreadableError
from tidings.events.envelope import Entry
from tidings.events.patterns.document import wants_as
from tidings.services.act import Act, Written
from tidings.services.context import Context, Resources
from tidings.services.functions import Handler
from tidings.services.origin import Cause
from tidings.store import deliveries as store
from tidings.store.unit import Unit
from tidings.versions.step import Unreadable, adapt


class Handlers:
    """What a consumer carries a service's events to. `name` is the service's, and that of its consumer."""

    spans = False  # what handlers lock comes in the order in which they ask, and nobody here knows it

    def __init__(self, resources: Resources, handlers: Iterable[Handler]) -> None:
        self.name = resources.service
        self._resources = resources
        found: dict[tuple[str, int], list[Handler]] = {}
        for handler in handlers:
            found.setdefault((handler.event.type, handler.event.version), []).append(handler)
        self._handlers = MappingProxyType({event: tuple(each) for event, each in found.items()})
        self.types = frozenset(type for type, _ in found)
        self._reader = resources.versions.reader(each[0].event for each in found.values())

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        """Call the handlers of each entry, in the order of their declaration.

        `gated`: nothing is emitted and nothing is delivered, as in a replay of what was handled before. Raises what a
        handler raises; UnknownTypeError, InvalidDataError, TransformError and VersionUnreadableError for an entry
        that cannot be read.
        """
        intended: list[store.Delivery] = []
        for entry in entries:
            handlers, event, entry = self._read(entry)
            written: Written = {}
            for handler in handlers:
                if handler.pattern is not None and not wants_as(handler.pattern, entry.envelope, event):
                    continue
                act = Act(unit, Cause(service=self.name, handler=handler.name, entry=entry), gated, written)
                await self._call(handler, event, act)
                intended += act.intended
        if intended and not gated:
            await self._resources.intend(unit, intended)
            self._resources.on_intend()

    async def _call(self, handler: Handler, event: Any, act: Act) -> None:
        try:
            result = handler.call(event, Context(act, self._resources))
            if inspect.isawaitable(result):
                await result
        finally:
            act.has_ended = True

    def _read(self, entry: Entry) -> tuple[tuple[Handler, ...], Any, Entry]:
        """Return who handles the entry, the event as they have a class for it, and the entry as they see it."""
        envelope = entry.envelope
        found = self._handlers.get((envelope.type, envelope.version))
        if found is not None:
            return found, self._resources.catalog.decode(envelope), entry
        if envelope.type not in self.types:
            why = f"{self.name} has no handler of {envelope.type}; it handles {', '.join(sorted(self.types))}"
            raise UnknownTypeError(why, errors=[("/type", why)])
        adapted = adapt(entry, self._reader)
        if isinstance(adapted, Unreadable):
            why = f"event {envelope.source!r} {envelope.id!r} at position {entry.position}: {adapted.why}"
            raise VersionUnreadableError(why, position=entry.position, errors=[("/dataversion", why)])
        seen = Entry(entry.position, entry.recorded, adapted.envelope)
        return self._handlers[envelope.type, adapted.version], adapted.event, seen
