"""Calls to the outside, as operators see them: those that wait, those that are delivered, those that were given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tidings.operations.filtered import check_delivered
from tidings.ports import Clock
from tidings.services.service import Service
from tidings.store.attempts import Attempt
from tidings.store.audit import Change
from tidings.store.deliveries import EVERY, DeliveryFilter, State, no_delivery
from tidings.store.driver import StoreDriver


class _NothingToDo(Exception):
    """Leaves a change so that the audit keeps nothing of it. No error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A delivery with those of its attempts that are still kept, oldest first."""

    delivery: Mapping[str, Any]
    attempts: Sequence[Attempt]


async def deliveries(
    store: StoreDriver,
    services: Sequence[Service] | None,
    state: State | None,
    *,
    where: DeliveryFilter = EVERY,
    after: str | None = None,
    limit: int,
) -> Sequence[Mapping[str, Any]]:
    """Return deliveries, oldest first; see `StoreDriver.deliveries`. Payloads are the application's, and left out.

    `services`, and NotFoundError, as in `filtered.check_delivered`.
    """
    found = await store.deliveries(state, where=where, after=after, limit=limit)
    if not found and after is None:
        await check_delivered(store, services, where)
    return [_shown(each) for each in found]


async def show(store: StoreDriver, key: str) -> Tried:
    """Return one delivery with its attempts. NotFoundError."""
    found = await store.delivery(key)
    if found is None:
        raise no_delivery(key)
    return Tried(delivery=_shown(found), attempts=await store.attempts(key))


async def retry(store: StoreDriver, key: str, clock: Clock, *, who: str) -> None:
    """Have a delivery called now: one that waits for its next attempt, or a dead one, which has all its attempts anew.

    NotFoundError; RefusedError if it is called already, waits for something else, or is closed and not dead.
    """
    async with store.changing(Change(who=who, what="retry", on=key)) as changing:
        await changing.retry_delivery(key, at=clock.now_us())


async def cancel(store: StoreDriver, key: str, clock: Clock, *, who: str, reason: str = "") -> None:
    """Close a delivery that is open or dead: it is called no more. Twice is once. NotFoundError; RefusedError."""
    with suppress(_NothingToDo):
        async with store.changing(Change(who=who, what="cancel", on=key, reason=reason.strip())) as changing:
            if not await changing.cancel_delivery(key, at=clock.now_us()):
                raise _NothingToDo


def _shown(delivery: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in delivery.items() if name != "payload"}
