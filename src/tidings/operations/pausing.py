"""Stopping a consumer, and letting it go on where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.errors import CallerError, RefusedError
from tidings.operations.roster import Reader, named, roster
from tidings.services.service import Service
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver

REASON_MAX = 500


async def pause(
    store: StoreDriver, services: Sequence[Service] | None, consumer: str, *, reason: str, who: str
) -> None:
    """Stop a consumer, for a reason that is shown to whoever looks; what is under way for it is rolled back.

    CallerError without a reason, or with one of more than `REASON_MAX` characters. NotFoundError; RefusedError.
    """
    told = reason.strip()
    if not told:
        raise CallerError("say why it is paused: whoever finds it paused will want to know")
    if len(told) > REASON_MAX:
        raise CallerError(f"the reason has {len(told):,} characters: say it in {REASON_MAX}")
    reader = await _that_carries(store, services, consumer)
    async with store.changing(Change(who=who, what="pause", on=reader.name, reason=told)) as changing:
        await changing.pause(reader.name, told)


async def resume(store: StoreDriver, services: Sequence[Service] | None, consumer: str, *, who: str) -> None:
    """Let a paused consumer go on where it stands; one that is not paused goes on as before.

    NotFoundError; RefusedError.
    """
    reader = await _that_carries(store, services, consumer)
    async with store.changing(Change(who=who, what="resume", on=reader.name)) as changing:
        await changing.pause(reader.name, None)


async def _that_carries(store: StoreDriver, services: Sequence[Service] | None, name: str) -> Reader:
    reader = named(await roster(store, services), name)
    if reader.is_inline:
        raise RefusedError(f"{name} is folded by appends themselves, so there is nothing to pause or resume")
    if reader.is_replaced:
        raise RefusedError(f"{name} folds a table whose place a newer one took: it stays paused until it is removed")
    if not reader.checkpoints:
        raise RefusedError(f"{name} has never run, so there is nothing to pause or resume")
    return reader
