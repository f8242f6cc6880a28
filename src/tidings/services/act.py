"""What one event or command does in its transaction, as far as it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidings.errors import RefusedError
from tidings.events.envelope import Envelope
from tidings.log.driver import Position
from tidings.services.origin import Origin
from tidings.store.deliveries import Delivery
from tidings.store.rows import Key, Row
from tidings.store.unit import Unit

Written = dict[tuple[type, Key], Row | None]
"""Rows that were written, by their class, each with what somebody else had written there; None if that is known to have
a lower rank than all that is written now. All handlers of one event share them: among these the last write wins."""


@dataclass(slots=True, eq=False)
class Act:
    """One handler's reaction, or one command. `gated`: nothing is emitted or delivered.

    It ends with its handler or block, before others go on in the same transaction. `is_repeat`: it was done before, so
    nothing of it is kept. `position`: where its event stands; of a command, where the last event it emitted stands,
    once that is kept.
    """

    transaction: Unit
    origin: Origin
    gated: bool = False
    written: Written = field(default_factory=dict)
    emitted: list[Envelope] = field(default_factory=list)
    intended: list[Delivery] = field(default_factory=list)
    is_repeat: bool = False
    has_ended: bool = False
    position: Position = field(init=False)

    def __post_init__(self) -> None:
        self.position = 0 if self.origin.entry is None else self.origin.entry.position

    def check(self) -> None:
        """RefusedError once the act has ended: a task of its own must do nothing in what comes after it."""
        if self.has_ended:
            raise RefusedError(
                "the handler or command has ended, and with it what it may do: await its tasks before it returns"
            )

    @property
    def unit(self) -> Unit:
        """The transaction, for as long as the act may use it; RefusedError as in `check`."""
        self.check()
        return self.transaction


class ActSql:
    """The statements of one act, in its transaction. See `tidings.store.unit.Sql`."""

    __slots__ = ("_act",)

    def __init__(self, act: Act) -> None:
        self._act = act

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        return await self._act.unit.sql.execute(statement, parameters)

    async def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return await self._act.unit.sql.fetch(statement, parameters)
