"""A process may carry some of an application's services, and leave the others to other processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidings import App, Context, Delivery, Service, Settings, event
from tidings.app import Opened
from tidings.errors import SettingError


@event("seat-taken", subject="seat")
class SeatTaken:
    seat: str


@event("seat-billed", subject="seat")
class SeatBilled:
    seat: str


def theatre(mails: list[str]) -> App:
    """Two services that know each other by an event: one shows seats, the other one bills them."""
    shows, bills = Service("shows"), Service("bills", emits=[SeatBilled])

    @shows.view(key=("seat",))
    class Seat:
        seat: str

    @shows.fold(Seat, SeatTaken)
    def taken(row: Any, event: SeatTaken) -> Any:
        return Seat(event.seat)

    @shows.view(key=("seat",), mode="inline")
    class Now:
        seat: str

    @shows.fold(Now, SeatTaken)
    def now(row: Any, event: SeatTaken) -> Any:
        return Now(event.seat)

    @bills.on(SeatTaken)
    async def bill(event: SeatTaken, ctx: Context) -> None:
        await ctx.emit(SeatBilled(event.seat))
        await ctx.deliver(mail, {"seat": event.seat})

    @bills.delivery
    async def mail(payload: dict[str, str], delivery: Delivery) -> None:
        mails.append(payload["seat"])

    return App(shows, bills)


def settings(folder: Path, services: str | None) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'theatre.db'}", services=services)


async def rows(opened: Opened, name: str) -> int:
    [view] = [view for view in opened.views if view.name == name]
    record = await opened.tables.of(view)
    assert record is not None
    return len(await opened.store.select(record.table, equal={}, after=None, limit=10))


async def until(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await is_so():
            await asyncio.sleep(0.01)


async def test_what_is_not_carried_waits_in_the_log_for_the_process_that_does(tmp_path: Path) -> None:
    mails: list[str] = []
    app = theatre(mails)
    async with app.open(settings(tmp_path, "bills")) as opened:
        await app.publish(SeatTaken("A1"), source="/box", id="1")
        await until(lambda: _equals(mails, ["A1"]))
        assert (await opened.log.head()).position == 2
        assert await rows(opened, "seat") == 0
        assert await rows(opened, "now") == 1  # whoever appends folds what is inline
    async with app.open(settings(tmp_path, "shows")) as opened:
        await until(lambda: _has(opened, "seat"))
        assert (await opened.log.head()).position == 2
    assert mails == ["A1"]


async def test_two_processes_carry_an_application_between_them(tmp_path: Path) -> None:
    mails: list[str] = []
    one, other = theatre(mails), theatre(mails)
    async with one.open(settings(tmp_path, "bills")), other.open(settings(tmp_path, "shows")) as opened:
        await one.publish(SeatTaken("A1"), source="/box", id="1")
        await until(lambda: _has(opened, "seat"))
        await until(lambda: _equals(mails, ["A1"]))


async def test_all_services_are_carried_if_none_is_named(tmp_path: Path) -> None:
    mails: list[str] = []
    app = theatre(mails)
    async with app.open(settings(tmp_path, None)) as opened:
        await app.publish(SeatTaken("A1"), source="/box", id="1")
        await until(lambda: _has(opened, "seat"))
        await until(lambda: _equals(mails, ["A1"]))


async def test_a_service_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="there is no service 'bill'; there is bills, shows: did you mean bills"):
        async with theatre([]).open(settings(tmp_path, "bill")):
            pass


async def _equals(found: list[str], wanted: list[str]) -> bool:
    return found == wanted


async def _has(opened: Opened, name: str) -> bool:
    return await rows(opened, name) == 1
