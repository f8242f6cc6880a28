"""What a party should hold, noted as it is decided, begun and acknowledged: around each call of its deliveries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from dataclasses import replace as replaced
from functools import wraps
from typing import Any

import msgspec
from msgspec.structs import replace

from tidings.errors import InvalidDataError
from tidings.events.codec import encode_json
from tidings.events.rules import TOO_LONG, is_indexed
from tidings.ports import Ports
from tidings.reconciliation.copy.copying import UnreadableError
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Dirty
from tidings.reconciliation.outbound.listed import Listed
from tidings.reconciliation.outbound.party.expected import NOTHING, Expectations, Expected, made_key, original_key
from tidings.reconciliation.outbound.party.holds import PartyScope
from tidings.reconciliation.outbound.party.states import States
from tidings.reconciliation.rules.facts import micros
from tidings.services.delivery import Delivery as Told
from tidings.services.functions import Function
from tidings.store.deliveries import Delivery
from tidings.store.driver import StoreDriver
from tidings.store.unit import Unit

KEY_LIFE = "key_life"
"""Why an item is to be read: its idempotency key is older than the party remembers one."""


def is_past_life(held: Expected, scope: PartyScope, now: int) -> bool:
    """Say whether the party may have forgotten the key, so that a push of it would not be known as a repeat."""
    return held.first is not None and now - held.first > micros(scope.holds.key_life)


@dataclass(frozen=True, slots=True)
class _Held:
    """An item in a unit that holds the scope. `expected`: None if nothing was decided of it yet."""

    book: Book
    expectations: Expectations
    at: bytes
    expected: Expected | None
    secret: bytes


class Pushing:
    """Notes it for one scope. See `tidings.services.context.Expects`. `states`: given the scope's secret."""

    def __init__(
        self, scope: PartyScope, *, store: StoreDriver, ports: Ports, states: Callable[[bytes], States]
    ) -> None:
        self.scope = scope.name
        self._declared = scope
        self._store = store
        self._ports = ports
        self._states = states
        removes = scope.holds.removed_by
        self._removes = None if removes is None else removes.__name__
        self.functions = frozenset({scope.holds.by.__name__, *([self._removes] if self._removes else [])})

    async def expect(self, unit: Unit, delivery: Delivery) -> Delivery:
        """Note what the delivery says, as decided. InvalidDataError if its payload does not say which item, or what."""
        item = self._item(delivery.payload, delivery.function)
        key, now = self._key(item), self._ports.clock.now_us()
        held = await self._hold(unit, key)
        is_removed, was = delivery.function == self._removes, held.expected
        hash = NOTHING if is_removed else self._states(held.secret).hash(self._fields(held.secret, item, delivery))
        version = 1 if was is None else was.version + 1
        made = Expected(
            key=key,
            version=version,
            idempotency_key=made_key(held.secret, delivery.function, key, version),
            function=delivery.function,
            payload=delivery.payload,
            order=delivery.order or f"{self.scope}/{key}",
            hash=hash,
            decided=now,
            is_removed=is_removed,
        )
        if was is not None:
            made = replace(made, base=was.base, older=was.anew("", now=now, hash=hash).older)
        await held.expectations.write({held.at: made})
        return replaced(delivery, key=made.delivery_key, order=made.order)

    def around(self, function: Function) -> Function:
        """Return a delivery of the scope with what is noted of each call of it. One that a later decision about its
        item has overtaken is not made, nor one whose key may be forgotten: then the item is read first."""

        @wraps(function.call)
        async def push(payload: Any, told: Told) -> None:
            item = self._item(encode_json(payload), function.name)
            begun = await self._begun(self._key(item), original_key(told.idempotency_key))
            if begun is None:
                return
            key, tag = begun.idempotency_key, begun.etag
            await function.call(payload, replaced(told, idempotency_key=key, if_match=tag))
            await self._ended(begun)

        return Function(function.name, push)

    async def _begun(self, key: str, idempotency_key: str) -> Expected | None:
        now = self._ports.clock.now_us()
        async with self._holding(key) as held:
            was = held.expected
            if was is None or was.idempotency_key != idempotency_key or was.is_settled:
                return None
            if is_past_life(was, self._declared, now):
                await held.book.write_dirty({key: Dirty(key=key, reason=KEY_LIFE, since=now, due=now)})
                return None
            begun = replace(was, state="sent", sent=now, first=now if was.first is None else was.first)
            await held.expectations.write({held.at: begun})
        return begun

    async def _ended(self, begun: Expected) -> None:
        now = self._ports.clock.now_us()
        async with self._holding(begun.key) as held:
            was = held.expected
            if was is None or was.idempotency_key != begun.idempotency_key:
                return  # something else was decided meanwhile, and is pushed next
            fields = None if was.is_removed else self._states(held.secret).of(msgspec.json.decode(was.payload))
            await held.expectations.write({held.at: was.acknowledged(fields, now=now)})
            await acknowledged(held.book, held.at, begun.key)

    @asynccontextmanager
    async def _holding(self, key: str) -> AsyncIterator[_Held]:
        async with self._store.unit() as unit:
            yield await self._hold(unit, key)

    async def _hold(self, unit: Unit, key: str) -> _Held:
        await unit.hold(self.scope)
        book, expectations, at = Book(unit, self.scope), Expectations(unit, self.scope), Listed.at(key)
        record = await book.opened(self._ports.random)
        return _Held(book, expectations, at, (await expectations.at([at])).get(at), record.secret)

    def _item(self, payload: bytes, function: str) -> Mapping[str, Any]:
        found = msgspec.json.decode(payload)
        if not isinstance(found, dict) or not isinstance(found.get(self._declared.holds.key), str | int):
            raise InvalidDataError(
                f"{function}: {self.scope} needs a payload with the member {self._declared.holds.key}"
            )
        if not is_indexed(self._key(found)):
            raise InvalidDataError(f"{function}: the payload's {self._declared.holds.key} has {TOO_LONG}")
        return found

    def _key(self, item: Mapping[str, Any]) -> str:
        return str(item[self._declared.holds.key])

    def _fields(self, secret: bytes, item: Mapping[str, Any], delivery: Delivery) -> bytes:
        try:
            return self._states(secret).of(item)
        except UnreadableError as error:
            raise InvalidDataError(f"{delivery.function}: its payload is an item of {self.scope}: {error}") from error


async def acknowledged(book: Book, at: bytes, key: str) -> None:
    """Close what was found of an item that the party holds now, and what it was excepted for."""
    open = (await book.open_at([at])).get(at)
    if open is not None:
        await book.write_findings([replace(open, state="merged")])
        await book.answer(f"f:{open.id}")
    kept = (await book.dirty_of([key])).get(key)
    if kept is not None and kept.is_given_up:
        await book.write_dirty({key: None})
        await book.answer(f"d:{key}")
