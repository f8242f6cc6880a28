"""A story about an application: what had happened, what happens, what must follow.

Everything waits by itself, so that tests are plain functions and need no other plugin: each method comes back when
all that follows from it is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

from tidings.app import App
from tidings.errors import RefusedError
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.ports import utc
from tidings.testing import differing
from tidings.testing.deeds import Doing, Order, commanding, handing, is_command, receiving
from tidings.testing.deeds import orders as orders_of
from tidings.testing.shown import End, Intended, Letter
from tidings.testing.story import Story
from tidings.testing.world import World

R = TypeVar("R")
SOURCE = "/test"
ORDERS = 24


class Scenario:
    """One application from its first day, in memory, by a clock of its own. Close it, or use it as a context manager.

    `seed`: what randomness follows from, such as the delay of a retry and the orders of `shuffle`.
    """

    def __init__(self, app: App, *, seed: int = 0) -> None:
        if not isinstance(app, App):
            raise RefusedError(f"{app!r:.80} is no App: write Scenario(app)")
        self._seed = seed
        self._last: list[Envelope] = []
        self._since = 0
        self._history: frozenset[str] = frozenset()
        self._seen: frozenset[tuple[str, str]] = frozenset()
        self._is_closed = False
        self._story = Story(app, seed)

    def __enter__(self) -> Scenario:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(look=kind is None)

    def close(self, *, look: bool = True) -> None:
        """End it; twice is once. `look`: AssertionError if something failed and the test has not looked at it."""
        __tracebackhide__ = True
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if look:
                self._check_failures()
        finally:
            self._story.close()

    # what happens
    def given(self, *events: Any, at: datetime | None = None) -> None:
        """What had happened before: events that are kept, with all that follows from them."""
        __tracebackhide__ = True
        self.when(*events, at=at)
        self._check_failures()
        self._since = self._story.run(self._story.world.head())
        self._history = frozenset(each.key for each in self._story.run(self._story.world.intended()))

    def when(self, *deeds: Any, at: datetime | None = None, id: str | None = None, source: str = SOURCE) -> Any:
        """What happens now, one after the other: events, or a command, `lambda app: …`, whose result is returned.

        `at`: when the events happened, if not now: earlier for those that come late. `id`: for an event that is handed
        in under a name; else each is another event. Raises what the command raises; DeclarationError and the like for
        an event that cannot be kept.
        """
        __tracebackhide__ = True
        self._story.begin()
        self._last = []
        result = None
        for deed in deeds:
            if is_command(deed):
                result = self._story.do(commanding(deed))
            else:
                envelope = self._story.envelope(deed, at=at, id=id, source=source)
                self._last.append(envelope)
                self._story.do(handing(envelope))
        self._check_crash()
        return result

    def receive(self, receiver: str, payload: Any, *, headers: Mapping[str, str] = MappingProxyType({})) -> str:
        """A verified webhook comes to a receiver; return what becomes of it: stored, duplicate, conflict or failed.

        `payload`: its JSON, or the body's bytes. `headers`: those that the preset reads, such as a delivery's id.
        """
        __tracebackhide__ = True
        self._story.begin()
        self._last = []
        body = payload if isinstance(payload, bytes) else encode_json(payload)
        sent = {"content-type": "application/json", **headers}
        pairs = tuple((name.lower().encode(), value.encode()) for name, value in sent.items())
        outcome: str = self._story.do(receiving(receiver, body, pairs))
        self._check_crash()
        return outcome

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass, with each retry of an event at its own time; calls are made by `deliver` alone."""
        __tracebackhide__ = True
        passed = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        to = self._story.world.clock.now_us() + passed // timedelta(microseconds=1)
        self._story.do(lambda world: world.move(to))
        self._check_crash()

    def deliver(self) -> int:
        """Call the functions of all deliveries that are due, as they are declared; return how many calls were made."""
        __tracebackhide__ = True
        made: int = self._story.do(lambda world: world.deliver())
        self._check_crash()
        return made

    def crash_at(self, point: str) -> None:
        """Have the process die when it comes to this point in what happens next, and the next process go on.

        What was not committed is rolled back. Whoever handed in the event or called the command does so again, since it
        had no answer. AssertionError if the point is not come to; CallerError, which lists them, for one there is not.
        """
        self._story.world.deaths.arm(point)

    # the same again, and in other orders: each must change nothing
    def redeliver(self) -> None:
        """Call the handlers again for all that happened since `when` began; AssertionError if that changes anything.

        They are called after their own work is kept, as by a replay: what they emit and deliver has its old ids.
        """
        __tracebackhide__ = True
        entries = self._story.run(self._story.world.entries(self._story.began))
        why = "a handler that ran again for the same event changed something"
        self._must_change_nothing(lambda world: world.handle_again(entries), why)

    def duplicate(self) -> None:
        """Hand in the events of the last `when` again, under their ids; AssertionError if that changes anything."""
        __tracebackhide__ = True
        if not self._last:
            raise RefusedError("there is no event to hand in again: say scenario.when(event) first")
        last = list(self._last)

        async def again(world: World) -> None:
            for envelope in last:
                await world.hand_in(envelope)

        self._must_change_nothing(again, "events that came twice changed something")

    def shuffle(self, *events: Any, orders: int = ORDERS) -> None:
        """Hand in events that happened in this order, and see that they end the same in whatever order they arrive.

        All orders are tried if there are no more than `orders`, else so many by the seed, each with the same history in
        a database of its own. AssertionError if two ends differ. Afterwards they have arrived in the order given.
        """
        __tracebackhide__ = True
        envelopes = [self._story.envelope(event, source=SOURCE) for event in events]
        found = self._story.run(self._story.ends(envelopes, orders_of(len(events), most=orders, seed=self._seed)))
        self._last = envelopes
        written = found[0][1]
        others = [(order, end) for order, end in found[1:] if end != written]
        if others:
            raise AssertionError(self._other_end(events, len(found), written, others))

    # what must follow
    def then(self, *events: Any) -> None:
        """Exactly these events were emitted since `given` or the last `then`, in this order; AssertionError if not."""
        __tracebackhide__ = True
        came = self.emitted
        if list(events) != came:
            said = [differing.wrong_events(events, came)]
            letters = self._failures()
            raise AssertionError("\n".join(said + [differing.set_aside(letters)] * bool(letters)) + self._repeat)
        self._check_failures()
        self._since = self._story.run(self._story.world.head())

    def then_nothing(self) -> None:
        """No event was emitted since `given` or the last `then`; AssertionError if one was."""
        __tracebackhide__ = True
        self.then()

    @property
    def emitted(self) -> list[Any]:
        """The events that were emitted since `given` or the last `then`, oldest first."""
        return self._story.run(self._story.world.emitted(self._since))

    def rows(self, view: type[R], /, **equal: Any) -> list[R]:
        """The rows of a view, by key, whose members have these values. A live view shows one row, so give its key."""
        __tracebackhide__ = True
        self._check_failures()
        return self._story.run(self._story.world.rows(view, equal))

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query on tables of your own."""
        return self._story.run(self._story.world.sql(statement, parameters))

    @property
    def dead_letters(self) -> list[Letter]:
        """All that is set aside now. What a test has not looked at here it must not have: `then`, `rows` and the end
        of the test fail."""
        letters = self._story.run(self._story.world.letters())
        self._seen = frozenset((each.consumer, each.subject) for each in letters)
        return letters

    @property
    def deliveries(self) -> list[Intended]:
        """The calls to the outside that were asked for since `given`, oldest first."""
        return [each for each in self._story.run(self._story.world.intended()) if each.key not in self._history]

    @property
    def now(self) -> datetime:
        """What the clock says: from 2026-01-01T12:00:00Z on, a millisecond later for each event handed in."""
        return utc(self._story.world.clock.now_us())

    # how
    def _failures(self) -> list[Letter]:
        letters = self._story.run(self._story.world.letters())
        return [each for each in letters if (each.consumer, each.subject) not in self._seen]

    def _check_failures(self) -> None:
        __tracebackhide__ = True
        letters = self._failures()
        if letters:
            raise AssertionError(differing.set_aside(letters))

    def _check_crash(self) -> None:
        __tracebackhide__ = True
        point, self._story.world.deaths.armed = self._story.world.deaths.armed, None
        if point is not None:
            raise AssertionError(f"the process was to die at {point}, and never came to it")

    def _must_change_nothing(self, deed: Doing, why: str) -> None:
        __tracebackhide__ = True
        before = self._story.run(self._story.world.end(0))
        try:
            self._story.do(deed)
        except Exception as error:
            raise AssertionError(f"{why}: it raised {type(error).__name__}: {error}\n{_ADVICE}") from error
        after = self._story.run(self._story.world.end(0))
        if after != before:
            said = differing.parts_that_differ(before, after)
            raise AssertionError(f"{why}:   - the first time, + the second time\n{said}\n{_ADVICE}{self._repeat}")

    def _other_end(self, events: Sequence[Any], tried: int, written: End, others: Sequence[tuple[Order, End]]) -> str:
        order, end = others[0]
        return (
            f"{len(others)} of {tried} orders of arrival end otherwise than the order written. One of them:\n"
            f"{differing.numbered(order, events)}\nIt ends with:   - arrived as written, + arrived so\n"
            f"{differing.parts_that_differ(written, end)}\n{_ORDER_ADVICE}{self._repeat}"
        )

    @property
    def _repeat(self) -> str:
        return f"\n(seed {self._seed})"


_ADVICE = (
    "A handler may run again for an event at any time: take times and ids from ctx, key your own rows by the event's "
    "source and id, count when you read, and call the outside by ctx.deliver."
)
_ORDER_ADVICE = (
    "A handler sees events as they arrive. A fold sees those of its row by their own times, whatever order they arrive "
    "in: let a fold decide, or write such that the order does not matter."
)
