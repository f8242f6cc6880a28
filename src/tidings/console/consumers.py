"""Consumers: how far each is behind, and the changes an operator makes to one."""

from __future__ import annotations

from starlette.responses import Response

from tidings.console.texts import number
from tidings.console.visit import Visit
from tidings.errors import CallerError, NotFoundError
from tidings.events.timestamp import time_us
from tidings.operations import pausing
from tidings.operations import replay as replaying
from tidings.operations.lag import ConsumerLag, lag
from tidings.operations.roster import named, roster
from tidings.wording import counted


async def every(visit: Visit) -> Response:
    visit.query(())
    return await visit.show("consumers.html", consumers=await _lags(visit))


async def one(visit: Visit) -> Response:
    visit.query(())
    name, opened = visit.segment("name"), visit.opened
    reader = named(await roster(opened.store, opened.services), name)
    consumer = next((each for each in await _lags(visit) if each.name == name), None)
    if consumer is None:
        raise NotFoundError("consumer", name)
    return await visit.show(
        "consumer.html",
        consumer=consumer,
        is_view=reader.is_view,
        is_copy=reader.is_copy,
        view=None if reader.record is None else f"{reader.record.table.service}.{reader.record.table.view}",
        parked=await opened.store.parked(name),
        reason_max=pausing.REASON_MAX,
    )


async def _lags(visit: Visit) -> tuple[ConsumerLag, ...]:
    opened = visit.opened
    return await lag(opened.log, opened.store, opened.ports.clock, opened.services)


async def pause(visit: Visit) -> Response:
    form, name, opened = await visit.form(), visit.segment("name"), visit.opened
    await pausing.pause(opened.store, opened.services, name, reason=form.get("reason", ""), who=visit.who)
    return visit.done(f"{name} is paused.", f"/consumers/{name}")


async def resume(visit: Visit) -> Response:
    await visit.form()
    name, opened = visit.segment("name"), visit.opened
    await pausing.resume(opened.store, opened.services, name, who=visit.who)
    return visit.done(f"{name} goes on where it stood.", f"/consumers/{name}")


async def replay(visit: Visit) -> Response:
    form, name, opened = await visit.form(), visit.segment("name"), visit.opened
    position, time = form.get("position", "").strip(), form.get("time", "").strip()
    if bool(position) == bool(time):
        raise CallerError("replay from where? Give a position or a time, one of them")
    if position:
        if not (position.isascii() and position.isdigit() and len(position) < 19 and int(position)):
            raise CallerError(f"{position[:40]!r} is no position: give the number that the log shows, 1 or above")
        done = await replaying.replay_from_position(
            opened.log, opened.store, opened.services, name, int(position), who=visit.who
        )
    else:
        done = await replaying.replay_from_time(
            opened.log, opened.store, opened.services, name, time_us(time), who=visit.who
        )
    before = "over " * done.at_least + counted(done.entries, "entry is", "entries are")
    return visit.done(
        f"{name} went back to position {number(done.after)}: {before} before it now.", f"/consumers/{name}"
    )
