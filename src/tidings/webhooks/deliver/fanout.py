"""The reaction that finds whom an event goes to: it adds a delivery for each endpoint that wants the event.

It runs as a consumer, never in a request. The endpoints are read in the unit that keeps its checkpoint, so that one
that is added, changed or removed meanwhile is seen either before a page or after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from tidings.errors import EnvelopeError, InvalidDataError, TransformError
from tidings.events.envelope import Entry, Envelope
from tidings.events.patterns.document import document_of
from tidings.events.patterns.grammar import compile_pattern
from tidings.events.patterns.pattern import Field, Pattern
from tidings.events.patterns.pattern_set import PatternSet
from tidings.events.timestamp import time_us
from tidings.store.endpoint_deliveries import EndpointDelivery
from tidings.store.endpoints import EndpointRecord
from tidings.store.unit import Unit
from tidings.versions.step import Unreadable, serve
from tidings.webhooks.deliver.operational import is_operational, tested
from tidings.webhooks.deliver.pinning import Lineages

NAME = "endpoints"
_TYPE = ("type",)


class Wanting:
    """Which of some endpoints want an event. Their configuration was checked before it was kept.

    A pattern that looks into data is asked of the version that its endpoint is pinned to, by the steps of `lineages`:
    else a member that is renamed would end all its matches.
    """

    def __init__(self, endpoints: Sequence[EndpointRecord], lineages: Lineages) -> None:
        configs: dict[str, Mapping[str, Any]] = {each.id: msgspec.json.decode(each.config) for each in endpoints}
        patterns = {id: compile_pattern(each["pattern"]) for id, each in configs.items() if each.get("pattern")}
        self._lineages = lineages
        self._pins = MappingProxyType({id: each.get("pin") or {} for id, each in configs.items()})
        self._bound = {id: each for id, each in patterns.items() if each.reads_data and self._pins[id]}
        self._every = tuple(id for id in configs if id not in patterns)
        self._patterns = PatternSet({id: each for id, each in patterns.items() if id not in self._bound})
        self._named = MappingProxyType({id: _types_named(each) for id, each in patterns.items()})

    def endpoints(self, entry: Entry) -> Sequence[str]:
        """Return the ids of those that want it: what tidings says itself, only those that name its type."""
        envelope = entry.envelope
        of = tested(envelope)
        if of is not None:
            return [of] if of in self._pins else []
        found = self._patterns.matching(document_of(envelope, with_data=self._patterns.reads_data))
        found = [*found, *self._as_pinned(entry)] if self._bound else found
        if is_operational(envelope):
            return [id for id in found if envelope.type in self._named[id]]
        return [*self._every, *found]

    def _as_pinned(self, entry: Entry) -> Iterator[str]:
        """Yield those whose pattern takes the event as they are told it.

        What cannot be brought there is for those whose pattern takes the rest of it: their delivery says why.
        """
        seen: dict[int, Mapping[str, Any] | None] = {}
        for id, pattern in self._bound.items():
            version = self.pin(id, entry.envelope.type) or entry.envelope.version
            if version not in seen:
                seen[version] = _document_in(version, entry, self._lineages)
            document = seen[version]
            if (
                pattern.matches(document)
                if document is not None
                else pattern.may_match(document_of(entry.envelope, with_data=False))
            ):
                yield id

    def pin(self, endpoint: str, type: str) -> int | None:
        """Return the version in which the endpoint is told of the type; None: as it was published."""
        return self._pins[endpoint].get(type)


class FanOut:
    """See `tidings.consumers.reaction.Reaction`. What was fanned out before is not again in a replay of it."""

    name = NAME
    spans = True  # it locks the endpoints that it adds deliveries to, as who writes results does
    types: frozenset[str] | None = None
    partitions = 1  # so that deliveries to an endpoint are added in the order of the whole log

    def __init__(self, lineages: Lineages) -> None:
        self._lineages = lineages
        self._has_added = False
        self._of: tuple[tuple[str, int, int], ...] = ()
        self._wanting = Wanting((), lineages)

    async def apply(self, unit: Unit, entries: Sequence[Entry], *, gated: bool = False) -> None:
        if gated:
            return
        wanting = self._current(await unit.endpoints())
        deliveries = [each for entry in entries for each in _deliveries(wanting, entry)]
        if deliveries:
            await unit.deliver(deliveries)
            self._has_added = True

    def take_added(self) -> bool:
        """Say whether deliveries were added since this was asked last; to be asked once a unit is kept."""
        added, self._has_added = self._has_added, False
        return added

    def _current(self, endpoints: Sequence[EndpointRecord]) -> Wanting:
        # One that was removed and made anew under its id has another time of creation.
        of = tuple((each.id, each.created, each.version) for each in endpoints)
        if of != self._of:
            self._wanting, self._of = Wanting(endpoints, self._lineages), of
        return self._wanting


def _deliveries(wanting: Wanting, entry: Entry) -> Iterator[EndpointDelivery]:
    for id in wanting.endpoints(entry):
        yield delivery_of(entry, id, pin=wanting.pin(id, entry.envelope.type))


def _document_in(version: int, entry: Entry, lineages: Lineages) -> Mapping[str, Any] | None:
    """Return the event in a version, as patterns see it; None if it cannot be brought there."""
    try:
        told = serve(entry, version, lineages)
    except (TransformError, InvalidDataError):
        return None
    return None if isinstance(told, Unreadable) else document_of(told)


def delivery_of(entry: Entry, endpoint: str, *, pin: int | None, run: str = "") -> EndpointDelivery:
    """Return what is added for an entry and an endpoint: it is told in its pin, or as it was published.

    Either stands in the delivery, so that it is known of each version whether something of it is still to be sent.
    """
    envelope = entry.envelope
    return EndpointDelivery(
        endpoint=endpoint,
        position=entry.position,
        type=envelope.type,
        subject=envelope.subject,
        pin=envelope.version if pin is None else pin,
        expires=_expires(envelope),
        run=run,
    )


def _expires(envelope: Envelope) -> int | None:
    text = envelope.attributes.get("expirytime")
    if not isinstance(text, str):
        return None
    try:
        return time_us(text)
    except EnvelopeError:
        return None


def types_of(config: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the types of which an endpoint of this configuration may be sent events; None: any."""
    if not config.get("pattern"):
        return None
    pattern = compile_pattern(config["pattern"])
    exact = [any(_is_exact(field) for field in clause) for clause in pattern.clauses]
    return _types_named(pattern) if all(exact) else None


def reads_data_of(config: Mapping[str, Any]) -> bool:
    """Say whether an endpoint of this configuration has a pattern that looks into data."""
    return bool(config.get("pattern")) and compile_pattern(config["pattern"]).reads_data


def _is_exact(field: Field) -> bool:
    """Say whether the field holds for some types that it names, and no others."""
    return field.path == _TYPE and bool(field.values) and not (field.matchers or field.is_absent or field.together)


def _types_named(pattern: Pattern) -> frozenset[Any]:
    return frozenset(
        value for clause in pattern.clauses for field in clause if field.path == _TYPE for value in field.values
    )
