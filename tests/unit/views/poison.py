"""A view whose fold refuses some events, kept by real consumers; and an operator who gives events up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.unit.views.events import envelope
from tidings import App, Service, Settings
from tidings.app.opened import Opened
from tidings.events.declaration import event
from tidings.events.envelope import Envelope
from tidings.store.parking import Parked
from tidings.store.rows import Key, ViewRecord
from tidings.views.declaration import Mode, ViewSpec, consumer_name
from tidings.views.fold import Folding
from tidings.views.verify import Verification, Verifier

PATIENCE = 60.0
IN_MEMORY = Settings(database_url="sqlite:///:memory:")


@event("account-opened", subject="account")
class Begun:
    account: str
    owner: str


@event("money-moved", subject="account")
class Moved:
    account: str
    owner: str
    amount: int


@event("money-moved", subject="account")
class MovedStrictly:
    """The same event after a release that did not raise its version."""

    account: str
    owner: str
    amount: int
    currency: str


@event("money-moved", version=2, subject="account")
class MovedAnew:
    account: str
    owner: str
    cents: int


@dataclass
class Account:
    account: str
    moves: list[int]


@dataclass
class Owner:
    owner: str
    moves: list[int]


def app(
    *,
    mode: Mode = "async",
    spans: bool = False,
    version: int = 1,
    strict: bool = False,
    refuses: Callable[[int], bool] = lambda amount: amount < 0,
    name: str = "bank",
) -> App:
    """Return an application whose view keeps the moves of an account, or of its owner, since it was opened.

    `refuses`: amounts that the fold fails on.
    """
    row: Any = Owner if spans else Account
    key = "owner" if spans else "account"
    made = Service(name)
    made.view(key=(key,), mode=mode, version=version)(row)

    def begin(before: Any, event: Begun) -> Any:
        return row(getattr(event, key), [])

    def move(before: Any, event: Any) -> Any:
        if refuses(event.amount):
            raise ValueError(f"{event.amount} is refused")
        return row(getattr(event, key), [*before.moves, event.amount])

    made.fold(row, Begun)(begin)
    made.fold(row, MovedStrictly if strict else Moved)(move)
    return App(made)


def begun(at: int = 0, *, account: str = "a", id: str = "begun") -> Envelope:
    return envelope(Begun(account, "jack"), f"{account}-{id}", at)


def moved(amount: int, at: int, *, account: str = "a") -> Envelope:
    return envelope(Moved(account, "jack", amount), f"{account}-{amount}", at)


def unknown(at: int, *, account: str = "a") -> Envelope:
    """An event whose data does not fit its version."""
    return msgspec.structs.replace(envelope(MovedAnew(account, "jack", 1), f"{account}-anew", at), version=1)


class Bank:
    """The application, opened, and what its one view shows."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.store = opened.store
        self.view: ViewSpec = opened.views[0]

    async def record(self) -> ViewRecord:
        found = await self.opened.tables.of(self.view)
        assert found is not None
        return found

    async def take(self, *envelopes: Envelope) -> None:
        """Append, each by itself, and come back when the current table has settled them."""
        for each in envelopes:
            await self.opened.log.append([each])
        await self.settled()

    async def settled(self) -> None:
        head, record = (await self.opened.log.head()).position, await self.record()

        async def is_there() -> bool:
            checkpoints = (await self.store.checkpoints(consumer_name(record.table))).values()
            return record.mode == "inline" or (bool(checkpoints) and all(each.position >= head for each in checkpoints))

        await eventually(is_there)

    async def rows(self) -> dict[Key, list[int]]:
        codec = Folding(self.view).codec
        found = await self.store.select((await self.record()).table, equal={}, after=None, limit=100)
        return {codec.key(row.values): codec.load(row.values).moves for row in found}

    async def parked(self) -> list[Parked]:
        """Return what is parked for the current table."""
        return list(await self.store.parked(consumer_name((await self.record()).table)))

    async def drop_first(self, consumer: str | None = None) -> None:
        """Give up the entry that holds the one parked subject, and come back when nothing waits for it any more."""
        consumer = consumer or consumer_name((await self.record()).table)
        [parked] = await self.store.parked(consumer)
        await self.store.drop(consumer, parked.subject, parked.first_position, reason="not wanted")

        async def is_free() -> bool:
            return parked.first_position not in [each.first_position for each in await self.store.parked(consumer)]

        await eventually(is_free)

    async def flows(self) -> None:
        """Come back when no subject is parked for the current table."""

        async def is_empty() -> bool:
            return not await self.parked()

        await eventually(is_empty)

    async def verified(self) -> Verification:
        return await Verifier(self.view, await self.record(), self.store, self.opened.log).run()


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.005)
