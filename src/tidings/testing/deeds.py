"""What is done in a scenario, so that it can be done again in another world, and in which orders."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.app import App
from tidings.events.envelope import Envelope
from tidings.testing.world import World
from tidings.webhooks.receive.verdict import Headers

Doing = Callable[[World], Awaitable[Any]]
Order = tuple[int, ...]
"""Which of some events comes first, which next: their places."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done. `now`: when, by the world's clock, in µs since 1970."""

    now: int
    doing: Doing

    async def done(self, world: World) -> Any:
        """Do it, and return what comes of it."""
        world.clock.move(self.now)
        return await self.doing(world)

    async def done_again(self, world: World) -> None:
        """Do it once more in a new world. What it raises it raised the first time, too, and the test has seen it."""
        try:
            await self.done(world)
        except Exception:
            return


def is_command(deed: object) -> bool:
    """Say whether this is a command, `lambda app: …`, and no event."""
    return callable(deed) and not isinstance(deed, type)


def handing(envelope: Envelope) -> Doing:
    """Return the doing of handing an event in."""
    return lambda world: world.hand_in(envelope)


def commanding(command: Callable[[App], Any]) -> Doing:
    """Return the doing of a command."""
    return lambda world: world.command(command)


def receiving(receiver: str, body: bytes, headers: Headers) -> Doing:
    """Return the doing of a verified webhook that comes."""
    return lambda world: world.receive(receiver, body, headers)


def orders(count: int, *, most: int, seed: int) -> Sequence[Order]:
    """Return the orders of so many events, the one written first: all if there are no more than `most`, else some."""
    written = tuple(range(count))
    if math.factorial(count) <= most:
        return list(itertools.permutations(written))
    draw, found = random.Random(seed), {written: None}  # noqa: S311 - it must come again
    while len(found) < most:
        found[tuple(draw.sample(written, count))] = None
    return list(found)
