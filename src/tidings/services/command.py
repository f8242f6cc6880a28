"""A command: state is changed now, and what that means is emitted, in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from tidings.errors import InvalidDataError
from tidings.events.rules import TOO_LONG, is_indexed, is_kept
from tidings.log.log import Log
from tidings.ports import Ports
from tidings.services.act import Act
from tidings.services.context import Context, Resources
from tidings.services.origin import Command
from tidings.store.driver import StoreDriver
from tidings.store.unit import Unit


class _Repeated(Exception):
    """Leaves a unit so that nothing of it is kept: it was all done before. No error."""


def command(
    resources: Resources, store: StoreDriver, log: Log, ports: Ports, *, key: str | None = None
) -> AbstractAsyncContextManager[Context]:
    """Open a transaction for a command of the service.

    A `key` names one command for ever. The unit remembers it with what it does, so a repeat keeps nothing, whatever its
    block does, raises or would emit by now; its position is that of the first run. InvalidDataError for a key that is
    no text.
    """
    _check_key(key)
    origin = Command(service=resources.service, time_us=ports.clock.now_us(), ports=ports, key=key)
    return _command(resources, store, log, origin)


@asynccontextmanager
async def _command(resources: Resources, store: StoreDriver, log: Log, origin: Command) -> AsyncIterator[Context]:
    try:
        async with store.unit() as unit:
            act = await _begun(unit, origin, log)
            with _acting(act):
                yield Context(act, resources)
            if origin.key is not None:
                await unit.remember(origin.service, origin.key, len(act.emitted))
            if act.intended:
                await resources.intend(unit, act.intended)
    except _Repeated:
        return
    if unit.receipts:
        act.position = max(position for receipt in unit.receipts for position in receipt.positions)
    if act.intended:
        resources.on_intend()


def _check_key(key: object) -> None:
    if key is None:
        return
    if not (isinstance(key, str) and key and is_kept(key)):
        raise InvalidDataError(f"key={key!r:.200} must be a text that names the command, such as a UUID, or None")
    if not is_indexed(key):
        raise InvalidDataError(f"key={key!r:.200} has {TOO_LONG}: name the command by a UUID or a hash")


async def _begun(unit: Unit, origin: Command, log: Log) -> Act:
    """Return the act; of a repeat with the position of the first run, 0 if that emitted nothing."""
    act = Act(unit, origin)
    emitted = None if origin.key is None else await unit.command(origin.service, origin.key)
    act.is_repeat = emitted is not None
    if emitted:
        last = await log.find(origin.source, origin.event_id(emitted - 1))
        act.position = 0 if last is None else last.position
    return act


@contextmanager
def _acting(act: Act) -> Iterator[None]:
    """End the act with its block. A repeat's is left with `_Repeated`, also if it raises: it may well refuse by now."""
    try:
        yield
    except Exception as error:
        if act.is_repeat:
            raise _Repeated from error
        raise
    finally:
        act.has_ended = True
    if act.is_repeat:
        raise _Repeated
