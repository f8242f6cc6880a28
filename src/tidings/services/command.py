"""A command: state is changed now, and what that means is emitted, in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tidings.events.content import content_hash
from tidings.events.envelope import Entry, Envelope
from tidings.log.conflicts import refused
from tidings.log.driver import Conflict, Position
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
            before = await _found(log, act.emitted) if key is not None else ()
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


async def _found(log: Log, emitted: Sequence[Envelope]) -> Sequence[Entry]:
    """Return the entries of these events; none if the first of them is not kept."""
    found = []
    for envelope in emitted:
        entry = await log.find(envelope.source, envelope.id)
        if entry is None:
            break
        found.append(entry)
    return found


def _checked(emitted: Sequence[Envelope], before: Sequence[Entry]) -> Position:
    """Return where the last of the events stands; ConflictError if one of them says something else now."""
    for envelope, entry in zip(emitted, before, strict=False):
        given, kept = content_hash(envelope).hex(), content_hash(entry.envelope).hex()
        if given != kept:
            conflict = Conflict(
                kind="id",
                position=entry.position,
                source=envelope.source,
                id=envelope.id,
                kept_hash=kept,
                given_hash=given,
            )
            raise refused(conflict)
    return before[-1].position
