"""A command: state is changed now, and what that means is emitted, in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tidings.errors import Conflict, ConflictError
from tidings.events.content import content_hash
from tidings.events.envelope import Entry, Envelope
from tidings.log.conflicts import refused
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.services.act import Act
from tidings.services.context import Context, Resources
from tidings.services.origin import Command
from tidings.store.driver import StoreDriver


class _Repeated(Exception):
    """Leaves a unit so that nothing of it is kept: it was all done before. No error."""


@asynccontextmanager
async def command(
    resources: Resources, store: StoreDriver, log: Log, ports: Ports, *, key: str | None = None
) -> AsyncIterator[Context]:
    """Open a transaction for a command of the service.

    With a `key` the ids of its events follow from the key, and a repeat, which is recognised by them, changes nothing:
    whatever its block writes is rolled back, and its position is the old one. ConflictError if the block now emits
    other events under the same key.
    """
    origin = Command(service=resources.service, time_us=ports.clock.now_us(), ports=ports, key=key)
    try:
        async with store.unit() as unit:
            act = Act(unit, origin)
            yield Context(act, resources)
            before = await _found(log, act) if key is not None else ()
            if before:
                act.position = _checked(act.emitted, before)
                raise _Repeated
            if act.intended:
                await unit.intend(act.intended)
    except _Repeated:
        return
    if unit.receipts:
        act.position = max(position for receipt in unit.receipts for position in receipt.positions)
    if act.intended:
        resources.on_intend()


async def _found(log: Log, act: Act) -> Sequence[Entry]:
    """Return the entries of the events that were emitted under the act's key before, one more than it emits at most."""
    found: list[Entry] = []
    while len(found) <= len(act.emitted):
        entry = await log.find(act.origin.source, act.origin.event_id(len(found)))
        if entry is None:
            break
        found.append(entry)
    return found


def _checked(emitted: Sequence[Envelope], before: Sequence[Entry]) -> Position:
    """Return where the last of the events stands; ConflictError if they are not the same events now."""
    for envelope, entry in zip(emitted, before, strict=False):
        given, kept = content_hash(envelope).hex(), content_hash(entry.envelope).hex()
        if given != kept:
            raise refused(_conflict(entry, kept_hash=kept, given_hash=given))
    if len(emitted) != len(before):
        how_many = "fewer" if len(before) < len(emitted) else "more"
        raise ConflictError(
            f"under the same key a block emitted {how_many} events before: give another command another key",
            conflict=_conflict(before[0]),
        )
    return before[-1].position


def _conflict(entry: Entry, *, kept_hash: str | None = None, given_hash: str | None = None) -> Conflict:
    return Conflict(
        kind="id",
        position=entry.position,
        source=entry.envelope.source,
        id=entry.envelope.id,
        kept_hash=kept_hash,
        given_hash=given_hash,
    )
