"""Reading your own writes: an answer says which position it reflects, and a request may ask for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from tidings.api.answer import Header, Scope
from tidings.api.headers import header
from tidings.api.problems import Problem, Refusal
from tidings.api.waiting import Patience
from tidings.faces.tokens import Tokens
from tidings.log.driver import Position
from tidings.log.log import Log


class Reading:
    """Compares positions of the log, and of what follows it, with the one that a request wants."""

    def __init__(self, log: Log, tokens: Tokens) -> None:
        self._log = log
        self._tokens = tokens

    def wanted(self, scope: Scope) -> Position | None:
        """Return the position in `Tidings-Min-Position`; None without the header."""
        token = header(scope, b"tidings-min-position")
        return None if token is None else self._tokens.read(token, name="Tidings-Min-Position")

    def reflects(self, position: Position) -> Header:
        """Return the header that says which position an answer reflects."""
        return b"tidings-position", self._tokens.write(position).encode()

    async def reach_head(self, wanted: Position | None, patience: Patience) -> Position:
        """Return where the log's head stands, as soon as it has the wanted position. `position-not-reached`."""

        async def head() -> Position:
            return (await self._log.head()).position

        def pause(left: float) -> Awaitable[object]:
            return self._log.wait(after=(wanted or 0) - 1, timeout=timedelta(seconds=left))

        return await self.reach(wanted, patience, now=head, pause=pause)

    async def reach(
        self,
        wanted: Position | None,
        patience: Patience,
        *,
        now: Callable[[], Awaitable[Position]],
        pause: Callable[[float], Awaitable[object]],
    ) -> Position:
        """Return what `now` says, as soon as it is at or above the wanted position.

        `position-not-reached`, with where it stands.
        """
        position = 0

        async def reached() -> bool:
            nonlocal position
            position = await now()
            return wanted is None or position >= wanted

        if await patience.until(reached, pause=pause):
            return position
        assert wanted is not None
        advice = "ask again" if patience.seconds is not None else "ask again, or send Prefer: wait=N"
        why = f"this reflects {self._tokens.write(position)} now, not yet {self._tokens.write(wanted)}: {advice}"
        raise Refusal(Problem.POSITION_NOT_REACHED, why, self.reflects(position), *patience.headers)
