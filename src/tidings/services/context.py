"""What a handler or a command is given: the event, its time, its service's rows, and ways to say more."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from tidings.errors import DeclarationError, InvalidDataError, RefusedError, UnknownTypeError
from tidings.events.catalog import Catalog
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.events.rules import INDEXED_BYTES_MAX, is_indexed, is_kept
from tidings.events.timestamp import time_text
from tidings.log.driver import Position
from tidings.ports import utc
from tidings.services.act import Act, ActSql
from tidings.services.delivery import Delivery
from tidings.services.rows import Given, Shelves
from tidings.store import deliveries as store
from tidings.store.unit import Sql, Unit
from tidings.versions.known import Versions

R = TypeVar("R")
P = TypeVar("P")


class Expects(Protocol):
    """Notes, of each call of a function, what whoever is called should hold from then on. `scope`: what is locked."""

    @property
    def scope(self) -> str: ...

    async def expect(self, unit: Unit, delivery: store.Delivery) -> store.Delivery:
        """Note it in the transaction that intends the delivery, and return that with a key which follows from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a service's acts share.

    `payloads`: by the name of each declared delivery, what reads its payload. `on_intend` is called when deliveries
    were intended, which are there once the transaction commits. `expects`: by the name of a delivery, see `Expects`.
    """

    service: str
    catalog: Catalog
    versions: Versions
    shelves: Shelves
    payloads: Mapping[str, Callable[[bytes], Any]]
    on_intend: Callable[[], None]
    expects: Mapping[str, Expects] = field(default_factory=dict)

    async def intend(self, unit: Unit, deliveries: Sequence[store.Delivery]) -> None:
        """Add what acts have intended to the transaction, as its last act but for what it emits."""
        made = list(deliveries)
        expected = [n for n, each in enumerate(made) if each.function in self.expects]
        for n in sorted(expected, key=lambda n: self.expects[made[n].function].scope):  # locked in one order by all
            made[n] = await self.expects[made[n].function].expect(unit, made[n])
        await unit.intend(made)


class Context:
    """One act: a handler's reaction to one event, or a command. All it does is kept together, or not at all.

    Once the handler or the block is left it can tell what it told before, and a command's `position`; whatever reads or
    writes is refused with RefusedError, also to a task that was begun inside.
    """

    __slots__ = ("_act", "_random", "_resources")

    def __init__(self, act: Act, resources: Resources) -> None:
        self._act = act
        self._resources = resources
        self._random: random.Random | None = None

    @property
    def envelope(self) -> Envelope:
        """The envelope of the event that is reacted to; RefusedError in a command, which reacts to none.

        Its `dataversion` is that of the handler's class, its `stored_version` the one that was written.
        """
        entry = self._act.origin.entry
        if entry is None:
            raise RefusedError("a command reacts to no event, so it has no envelope")
        return entry.envelope

    @property
    def position(self) -> Position:
        """Where the event stands. Of a command, after its block: where the last event it emitted stands; 0 for none.

        Of a repeat: where that of the first run stands, from the start.
        """
        return self._act.position

    @property
    def is_repeat(self) -> bool:
        """Whether the command of this key was done before, so that nothing of this block is kept.

        RefusedError in a handler: it may run again at any time, and must do the same as the first time.
        """
        if self._act.origin.entry is not None:
            raise RefusedError("a handler is not told whether it runs again: have it do the same each time")
        return self._act.is_repeat

    @property
    def time(self) -> datetime:
        """The event's own time, in UTC; in a command, now. Use it instead of a clock, so that a retry sees the same."""
        return utc(self._act.origin.time_us)

    @property
    def random(self) -> random.Random:
        """Randomness that is the same on every retry."""
        if self._random is None:
            self._random = self._act.origin.random()
        return self._random

    def uuid(self, n: int = 0) -> UUID:
        """Return the nth id that follows from the event, the same on every retry; new in a command without a key."""
        return UUID(self._act.origin.made_id("uuid", n))

    @property
    def sql(self) -> Sql:
        """The transaction, for the service's own tables: `await ctx.sql.execute(…)`, `await ctx.sql.fetch(…)`."""
        return ActSql(self._act)

    async def get(self, view: type[R], key: Any = None, /, **named: Any) -> R | None:
        """Return the row of a view of this service, None if there is none.

        `get(Bookmark, user_id="jack", tweet_id="20")`, or the key in one piece: `get(Bookmark, ("jack", "20"))`.
        A view that is folded from the log is a moment behind it, unless it is inline or live.
        """
        return await self._resources.shelves.get(self._act.unit, view, Given(key, named))

    async def put(self, row: Any) -> None:
        """Keep a row of a view that has no folds. The newest wins, by the event's time or the view's rank."""
        await self._resources.shelves.put(self._act, row)

    async def delete(self, view: type, key: Any = None, /, **named: Any) -> None:
        """Remove a row of a view that has no folds; the key as in `get`. What was written later stays."""
        await self._resources.shelves.delete(self._act, view, Given(key, named))

    async def emit(self, event: Any) -> str:
        """Append an event when the transaction commits; return its id, which follows from this event or command.

        Its source is this service. Its time follows from that of the event which is reacted to, a microsecond later for
        each one emitted, so that views see causes before effects. DeclarationError if its class is not known to the
        app; EnvelopeError or InvalidDataError if it cannot be kept.
        """
        self._act.check()
        origin, service, n = self._act.origin, self._resources.service, len(self._act.emitted)
        try:
            envelope = self._resources.catalog.envelope(
                event,
                id=origin.event_id(n),
                source=origin.source,
                now_us=origin.event_time(n),
                # A command's time is stamped, not said: a repeat under the same key is another moment.
                time=None if origin.entry is None else time_text(origin.event_time(n)),
                attributes=origin.attributes,
            )
        except UnknownTypeError as error:
            name = type(event).__qualname__
            raise DeclarationError(f"{error}: write Service({service!r}, emits=[{name}])") from error
        self._act.emitted.append(envelope)
        if not self._act.gated:
            self._act.unit.emit((envelope,))
        return envelope.id

    async def deliver(
        self, function: Callable[[P, Delivery], Awaitable[None]], payload: P, *, order: str | None = None
    ) -> None:
        """Have a declared delivery called after the transaction, at least once, always with the same key.

        `payload` travels as JSON. `order`: deliveries of one value are made one after the other. DeclarationError if
        the function is no delivery of this service; InvalidDataError if the payload is not what its annotation says,
        or `order` has more than 2,000 bytes of UTF-8.
        """
        self._act.check()
        name = getattr(function, "__name__", repr(function))
        service = self._resources.service
        read = self._resources.payloads.get(name)
        if read is None:
            raise DeclarationError(f"{name} is no delivery of {service}: write @{service}.delivery above it")
        if order is not None and not (isinstance(order, str) and is_kept(order) and is_indexed(order)):
            why = f"must be a text without U+0000 of at most {INDEXED_BYTES_MAX:,} bytes of UTF-8, or None"
            raise InvalidDataError(f"order={order!r:.200} {why}")
        data = encode_json(payload)
        read(data)
        key = self._act.origin.made_id("delivery", len(self._act.intended))
        self._act.intended.append(store.Delivery(key=key, service=service, function=name, payload=data, order=order))
