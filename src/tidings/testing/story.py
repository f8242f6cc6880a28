"""What was done in a scenario so far, and the world it was done in: done again, it leads to the same world."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar

from tidings.app import App
from tidings.errors import EnvelopeError, RefusedError
from tidings.events.envelope import Envelope
from tidings.events.timestamp import time_text
from tidings.testing.deaths import Died
from tidings.testing.deeds import Deed, Doing, Order, handing
from tidings.testing.shown import End
from tidings.testing.world import World
from tidings.views.columns import microseconds

T = TypeVar("T")
TICK_US = 1_000


class Story:
    """The deeds of one application from its first day. Opened when it is made; `close` it.

    `seed`: what randomness follows from. `began`: the log's head before what happened last. What waits does so by
    itself: RefusedError inside an event loop.
    """

    def __init__(self, app: App, seed: int) -> None:
        self._app = app
        self._seed = seed
        self._runner = asyncio.Runner()
        self._runner.get_loop().set_exception_handler(_unless_died)
        self._deeds: list[Deed] = []
        self._made = 0
        self.began = 0
        self.world = World(app, seed)
        try:
            self.run(self.world.open())
        except BaseException:
            self._runner.close()
            raise

    def close(self) -> None:
        """Close the world."""
        with self._runner:
            self.run(self.world.close())

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        """Wait for what is asked of the world."""
        __tracebackhide__ = True
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._runner.run(asked)
        asked.close()
        raise RefusedError("a scenario waits by itself: write `def test_…(scenario)`, not `async def`")

    def begin(self) -> None:
        """Have what happens from now on be what happened last."""
        __tracebackhide__ = True
        self.began = self.run(self.world.head())

    def do(self, doing: Doing) -> Any:
        """Do it now, and remember it, so that it can be done again in another world."""
        __tracebackhide__ = True
        deed = Deed(self.world.clock.now_us(), doing)
        self._deeds.append(deed)
        try:
            return self.run(deed.done(self.world))
        except BaseException:
            self.world.deaths.armed = None  # the test has another error to look at
            raise

    def envelope(self, event: Any, *, source: str, at: datetime | None = None, id: str | None = None) -> Envelope:
        """Return the envelope of an event that happens a moment after all before, or at `at`; another id for each."""
        self._made += 1
        self.world.clock.move(self.world.clock.now_us() + TICK_US)
        now = self.world.clock.now_us()
        try:
            time = time_text(now if at is None else microseconds(at))
        except (TypeError, ValueError, OverflowError) as error:
            raise EnvelopeError(f"at: {error}") from error
        made = f"event-{self._made}" if id is None else id
        return self.world.opened.catalog.envelope(event, id=made, source=source, now_us=now, time=time)

    async def ends(self, envelopes: Sequence[Envelope], orders: Sequence[Order]) -> list[tuple[Order, End]]:
        """Return the end for each order, that of the order written first, whose world is the story's from now on."""
        now, history = self.world.clock.now_us(), list(self._deeds)
        found = []
        for order in reversed(orders):
            await self.world.close()
            self.world = World(self._app, self._seed)
            await self.world.open()
            for deed in history:
                await deed.done_again(self.world)
            self.began = await self.world.head()
            for n in order:
                await Deed(now, handing(envelopes[n])).done(self.world)
            await self.world.until_nothing_is_retried()
            found.append((order, await self.world.end(0)))
        self._deeds += [Deed(now, handing(envelope)) for envelope in envelopes]
        return found[::-1]


def _unless_died(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell what nobody awaits, as every loop does, but for tasks of a process that died on purpose."""
    if not isinstance(context.get("exception"), Died):
        loop.default_exception_handler(context)
