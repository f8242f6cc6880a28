"""Where an act comes from: an event, or a command. Ids, time and randomness follow from it.

What follows from an event is the same on every retry, redrive and replay, so a repeat is a duplicate, never a second
event. What follows from a command is new each time, unless the command is given a key.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tidings.events.envelope import NO_ATTRIBUTES, AttributeValue, Entry
from tidings.events.identity import derived_id, identity_key, uuid7
from tidings.events.timestamp import LAST_US, time_us
from tidings.ports import Ports

_TRACE = ("traceparent", "tracestate")
_ID_BITS = 74
_OWN = "tidings"


def is_own_source(source: str) -> bool:
    """Say whether this is a source of the program's own, such as that of `tidings emit`."""
    return source in (_OWN, f"/{_OWN}") or source.startswith(f"/{_OWN}/")


def source_of(service: str) -> str:
    """Return the source of what a service emits."""
    return f"/{service}"


class Origin(Protocol):
    """What an act follows from. Each kind of id has a count of its own, from 0."""

    @property
    def entry(self) -> Entry | None:
        """The event that is reacted to; None for a command."""

    @property
    def time_us(self) -> int:
        """When it happened, in microseconds since 1970: the event's own time, or now."""

    @property
    def source(self) -> str:
        """Who says what is emitted: the service."""

    @property
    def tie(self) -> int:
        """What orders two writes of the same time: a hash of the identity."""

    @property
    def attributes(self) -> Mapping[str, AttributeValue]:
        """What emitted envelopes carry of it: correlation, causation and trace."""

    def event_id(self, n: int) -> str:
        """Return the id of the nth event emitted."""

    def event_time(self, n: int) -> int:
        """Return the time of the nth event emitted, in microseconds since 1970: after its cause and those before it.

        Rows are folded in the order of the events' times, and there an effect must not come before its cause.
        """

    def made_id(self, kind: str, n: int) -> str:
        """Return the nth id of another kind."""

    def random(self) -> random.Random:
        """Return randomness that follows from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """An event that a handler reacts to."""

    service: str
    handler: str
    entry: Entry

    @property
    def time_us(self) -> int:
        time = self.entry.envelope.time
        return self.entry.recorded if time is None else time_us(time)

    @property
    def source(self) -> str:
        return source_of(self.service)

    @property
    def tie(self) -> int:
        return identity_key(self.entry.envelope.source, self.entry.envelope.id)

    @property
    def attributes(self) -> Mapping[str, AttributeValue]:
        cause = self.entry.envelope
        carried = {name: cause.attributes[name] for name in _TRACE if name in cause.attributes}
        return {"correlationid": cause.correlation_id or cause.id, "causationid": cause.id, **carried}

    def event_id(self, n: int) -> str:
        return self._derived(str(n))

    def event_time(self, n: int) -> int:
        return min(self.time_us + n + 1, LAST_US)

    def made_id(self, kind: str, n: int) -> str:
        return self._derived(kind, str(n))

    def random(self) -> random.Random:
        return random.Random(self._derived("random"))  # noqa: S311 - it must be the same on every retry

    def _derived(self, *parts: str) -> str:
        cause = self.entry.envelope
        return derived_id(self.entry.recorded, self.service, self.handler, cause.source, cause.id, *parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A wish of somebody outside, at `time_us`. With a `key` its ids follow from the key."""

    service: str
    time_us: int
    ports: Ports
    key: str | None = None

    @property
    def entry(self) -> None:
        return None

    @property
    def source(self) -> str:
        return source_of(self.service)

    @property
    def tie(self) -> int:
        return 0

    @property
    def attributes(self) -> Mapping[str, AttributeValue]:
        return NO_ATTRIBUTES

    def event_id(self, n: int) -> str:
        return self.made_id("event", n)

    def event_time(self, n: int) -> int:
        return min(self.time_us + n, LAST_US)

    def made_id(self, kind: str, n: int) -> str:
        if self.key is None:
            return uuid7(self.time_us, self.ports.random.getrandbits(_ID_BITS))
        return derived_id(0, self.service, "command", self.key, kind, str(n))

    def random(self) -> random.Random:
        return random.Random(self.made_id("random", 0))  # noqa: S311 - with a key it must be the same each time
