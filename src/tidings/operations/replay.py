"""The log to a consumer again, from a position or a time, with emits and deliveries gated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.errors import CallerError, RefusedError
from tidings.events.filter import Filter
from tidings.events.timestamp import time_text
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.census import census
from tidings.operations.lag import EXACT_UPTO
from tidings.operations.planner import replayed
from tidings.operations.roster import Reader, named, roster
from tidings.services.service import Service
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.versions.predicates import may_replay
from tidings.webhooks.deliver.fanout import NAME as ENDPOINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What was set back. Entries after `after` come again; up to `gate` nothing is emitted or delivered a second time.

    `entries`: how many the consumer now has before it, exact up to `EXACT_UPTO`, else `at_least`.
    """

    consumer: str
    after: Position
    gate: Position
    entries: int
    at_least: bool


async def replay_from_position(
    log: Log, store: StoreDriver, services: Sequence[Service], consumer: str, position: Position, *, who: str
) -> Replay:
    """Have the entry at this position and all later ones handled again. NotFoundError; RefusedError; CallerError."""
    if position < 1:
        raise CallerError("the first entry of a log stands at 1 or above: give --from-position 1 for all of them")
    return await _replay(log, store, named(await roster(store, services), consumer), _Begin(position - 1), who=who)


async def replay_from_time(
    log: Log, store: StoreDriver, services: Sequence[Service], consumer: str, recorded: int, *, who: str
) -> Replay:
    """Have everything recorded from this time on (µs since 1970) handled again, and up to a minute from before it.

    NotFoundError; RefusedError; CallerError.
    """
    begin = _Begin(await log.recorded_from(recorded), time_text(recorded))
    return await _replay(log, store, named(await roster(store, services), consumer), begin, who=who)


@dataclass(frozen=True, slots=True)
class _Begin:
    """Behind which position a replay begins. `time`: the one that was asked for, if one was."""

    after: Position
    time: str | None = None


async def _replay(log: Log, store: StoreDriver, reader: Reader, begin: _Begin, *, who: str) -> Replay:
    consumer, after = reader.name, begin.after
    _check_may_replay(reader)
    gate = max(max(each.position, each.gate) for each in reader.checkpoints.values())
    reached = max(each.position for each in reader.checkpoints.values())
    if after >= reached:
        wanted = f"after {begin.time}" if begin.time is not None else f"at or after position {after + 1}"
        raise RefusedError(
            f"{consumer} has settled nothing {wanted}: it stands at {reached}, so nothing can come again"
        )
    floor = (await log.head()).floor
    if after < floor:
        raise RefusedError(f"entries up to {floor} are no longer kept: {consumer} may be replayed from {floor + 1} on")
    async with store.changing(Change(who=who, what="replay", on=consumer, position=after + 1)) as changing:
        await _check_versions(changing, consumer, after)
        await changing.rewind(consumer, to=after)
    counted = await log.count(after=after, where=Filter(types=reader.types), most=EXACT_UPTO + 1)
    return Replay(
        consumer=consumer,
        after=after,
        gate=gate,
        entries=min(counted, EXACT_UPTO),
        at_least=counted > EXACT_UPTO,
    )


async def _check_versions(store: StoreDriver, consumer: str, after: Position) -> None:
    """RefusedError if an instance that runs cannot read a version that would come again."""
    found = may_replay(await census(store), consumer, await replayed(store, after))
    refusing = [each for each in found if each.answer == "no"]
    if refusing:
        raise RefusedError(f"{consumer} may not be replayed: {refusing[0].text}; {refusing[0].told}")


def _check_may_replay(reader: Reader) -> None:
    """RefusedError unless running the consumer's reaction again does no harm."""
    if reader.is_view:
        raise RefusedError(
            f"{reader.name} folds a view, whose readers would be set back: build it anew beside its current table with "
            f"`tidings views rebuild {reader.name.partition('@')[0]}`"
        )
    if reader.is_copy:
        raise RefusedError(
            f"{reader.name} keeps a copy, which its list proves right: `tidings reconcile run "
            f"{reader.name.partition('.')[2]}`"
        )
    if reader.name == ENDPOINTS:
        raise RefusedError("endpoints are replayed one by one, as deliveries of a run: `tidings endpoints replay`")
    if reader.service is None:
        raise RefusedError(
            f"the application at hand does not declare {reader.name}, so nobody here knows whether it may be replayed"
        )
    if not reader.checkpoints:
        raise RefusedError(f"{reader.name} has never run, so there is nothing to replay")
    harmful = [handler.name for handler in reader.service.handlers if not handler.replayable]
    if harmful:
        raise RefusedError(
            f"{reader.name} may not be replayed: {', '.join(harmful)} might change its own tables twice. If it does no "
            f"harm, declare @{reader.service.name}.on(…, replayable=True)"
        )
