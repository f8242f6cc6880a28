"""One life of an application: opened on a database in memory, told things, and looked at. All async."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from tidings.app import App
from tidings.errors import DeclarationError, LogUnavailableError, NotFoundError, TidingsError
from tidings.events.envelope import Entry, Envelope
from tidings.events.strict import decode_json
from tidings.log.driver import Position
from tidings.ports import Ports
from tidings.settings import Settings
from tidings.store.parking import Parked
from tidings.testing.clock import StandingClock
from tidings.testing.deaths import Deaths, Died
from tidings.testing.process import Process
from tidings.testing.shown import End, Intended, Letter
from tidings.views.columns import forms_of
from tidings.views.declaration import ViewSpec
from tidings.views.values import RowCodec
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.verdict import Headers

T = TypeVar("T")
R = TypeVar("R")
PAGE = 500
ALL = 1_000_000
RETRY_US = 1_000_000
_NOT_THEIRS = re.compile(r"tidings_|sqlite_|.*__v\d+(_|$)")


class World:
    """An open application and the process in it. `close` it; a database in memory is then gone."""

    def __init__(self, app: App, seed: int) -> None:
        self.app = app
        self.clock = StandingClock()
        self.deaths = Deaths()
        self._ports = Ports(clock=self.clock, random=random.Random(seed), points=self.deaths)  # noqa: S311 - a replay
        self._stack = AsyncExitStack()
        self._handed: set[tuple[str, str]] = set()
        self._processes = 0

    async def open(self) -> None:
        """Open the application. SettingError and the like as `App.open`; RefusedError if it is open elsewhere."""
        settings = Settings(database_url="sqlite:///:memory:")
        opening = self.app.open(settings, ports=self._ports, consume=False)
        self.opened = await self._stack.enter_async_context(opening)
        self._restart()

    async def close(self) -> None:
        await self._stack.aclose()

    def _restart(self) -> None:
        self._processes += 1
        self._process = Process(self.opened, self._processes)

    async def surely(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do something; if the process dies of it, do it again in the next process, as whoever asked for it would."""
        try:
            return await act()
        except (Died, LogUnavailableError):
            if not self.deaths.has_died:
                raise
            self.deaths.has_died = False
            self._restart()
            return await act()

    # what is told
    async def hand_in(self, envelope: Envelope) -> None:
        """Append an event, and have all that follows from it done."""
        self._handed.add((envelope.source, envelope.id))
        await self.surely(lambda: self.opened.log.append((envelope,)))
        await self.settle()

    async def receive(self, receiver: str, body: bytes, headers: Headers) -> str:
        """Take a verified webhook in, and have all that follows from it done; return what became of it."""
        found = await self.opened.roster.find(receiver)
        if found is None:
            raise NotFoundError("receiver", receiver, self.app.receivers)
        arrival = arrival_of(found, Given(headers, body, found.facts("POST", b"")), self.opened.making())
        self._handed |= {(event.source, event.id) for events in arrival.events for event in events}
        kept = await self.surely(lambda: self.opened.intake.keep(arrival))
        await self.settle()
        return kept.outcome

    async def command(self, command: Callable[[App], Any]) -> Any:
        """Run a command of the author's, and have all that follows from it done; return what it returns."""

        async def run() -> Any:
            result = command(self.app)
            return await result if inspect.isawaitable(result) else result

        result = await self.surely(run)
        await self.settle()
        return result

    async def settle(self) -> None:
        await self.surely(lambda: self._process.settle())

    async def move(self, to_us: int) -> None:
        """Let time pass until then, with every retry at its own time."""
        while (due := await self._next_retry()) is not None and due <= to_us:
            self.clock.move(max(due, self.clock.now_us() + RETRY_US // 2))
            await self.settle()
        self.clock.move(to_us)
        await self.settle()

    async def _next_retry(self) -> int | None:
        times = [each.next_at for each in await self.opened.store.parked() if each.next_at is not None]
        return min(times, default=None)

    async def until_nothing_is_retried(self) -> None:
        while (due := await self._next_retry()) is not None:
            await self.move(due)

    async def deliver(self) -> int:
        """Make all calls that are due, and those that these lead to; return how many."""
        made = 0
        while count := await self.surely(lambda: self._process.call()):
            made += count
            await self.settle()
        return made

    async def handle_again(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            await self._process.handle_again(entry)
        await self.settle()

    # what is looked at
    async def head(self) -> Position:
        return (await self.opened.log.head()).position

    async def entries(self, after: Position) -> list[Entry]:
        found: list[Entry] = []
        while True:
            page = await self.opened.log.read(after=after, limit=PAGE)
            found += page.entries
            if not page.entries:
                return found
            after = page.upto

    async def emitted(self, after: Position) -> list[Any]:
        """Return the events after this position that nobody handed in."""
        entries = await self.entries(after)
        return [
            self._event(entry.envelope)
            for entry in entries
            if (entry.envelope.source, entry.envelope.id) not in self._handed
        ]

    def _event(self, envelope: Envelope) -> Any:
        try:
            return self.opened.catalog.decode(envelope)
        except TidingsError:
            return envelope

    async def rows(self, cls: type[R], equal: dict[str, Any]) -> list[R]:
        """Return rows of a view, by key; of a live view the one whose key is given."""
        view = self._view(cls)
        if view.mode == "live":
            async with self.opened.unit(view.service) as ctx:
                row = await ctx.get(cls, **equal)
            return [] if row is None else [row]
        rows = await self._stored(view)
        return [row for row in rows if all(getattr(row, name) == value for name, value in equal.items())]

    def _view(self, cls: type) -> ViewSpec:
        for view in self.opened.views:
            if view.row is cls:
                return view
        there = ", ".join(view.row.__qualname__ for view in self.opened.views) or "none"
        raise DeclarationError(f"{getattr(cls, '__qualname__', cls)} is no view of this app, which has {there}")

    async def _stored(self, view: ViewSpec) -> list[Any]:
        current = await self.opened.tables.of(view)
        if current is None:
            return []
        codec = RowCodec(view.row, view.columns, tuple(forms_of(view.row).values()), view.key)
        found = await self.opened.store.select(current.table, equal={}, after=None, limit=ALL)
        return [codec.load(row.values) for row in found]

    async def letters(self) -> list[Letter]:
        """Return all that was set aside, the oldest subject first."""
        return [letter for parked in await self.opened.store.parked() for letter in await self._letters(parked)]

    async def _letters(self, parked: Parked) -> list[Letter]:
        letters = await self.opened.store.dead_letters(parked.consumer, parked.subject, limit=parked.entries)
        return [
            Letter(
                consumer=parked.consumer,
                subject=parked.subject,
                event=self._event(letter.entry.envelope),
                state=parked.state,
                attempts=parked.attempts,
                reason=parked.reason,
                error=parked.error,
            )
            for letter in letters
        ]

    async def intended(self) -> list[Intended]:
        """Return every delivery there ever was, oldest first."""
        names = ("service", "function", "state", "attempts", "error", "key")
        found = await self.opened.store.deliveries(None, limit=ALL)
        return [
            Intended(payload=decode_json(each["payload"]), **{name: each[name] for name in names}) for each in found
        ]

    async def sql(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        service = next(iter(self.opened.resources), None)
        if service is None:
            raise DeclarationError("the app has no service, so nobody has tables")
        async with self.opened.unit(service) as ctx:
            return await ctx.sql.fetch(statement, parameters)

    async def end(self, since: Position) -> End:
        """Return all that is remembered, and what was emitted after this position."""
        views = [view for view in self.opened.views if view.mode != "live"]
        parts = {f"{view.service}.{view.name}": _lines(await self._stored(view)) for view in views}
        for table in await self._own_tables():
            parts[f"table {table}"] = sorted(_lines(await self.sql(f'SELECT * FROM "{table}"', ())))  # noqa: S608
        parts["events"] = sorted(_lines(await self.emitted(since)))
        parts["dead letters"] = sorted(f"{each.consumer}: {each.event!r}" for each in await self.letters())
        parts["deliveries"] = sorted(f"{each.function}({each.payload!r})" for each in await self.intended())
        return End(parts=parts)

    async def _own_tables(self) -> list[str]:
        if not self.opened.resources:
            return []
        found = await self.sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", ())
        return [name for (name,) in found if not _NOT_THEIRS.match(name)]


def _lines(values: Sequence[Any]) -> list[str]:
    return [repr(value) for value in values]
