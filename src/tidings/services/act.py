"""What one event or command does in its transaction, as far as it is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidings.events.envelope import Envelope
from tidings.log.driver import Position
from tidings.services.origin import Origin
from tidings.store.driver import Delivery, Unit
from tidings.store.rows import Key, ViewTable

Written = set[tuple[ViewTable, Key]]
"""Rows that were written. All handlers of one event share them: among these the last write wins, their rank is one."""


@dataclass(slots=True, eq=False)
class Act:
    """One handler's reaction, or one command. `gated`: nothing is emitted or delivered.

    `position`: where its event stands; of a command, where the last event it emitted stands, once that is kept.
    """

    unit: Unit
    origin: Origin
    gated: bool = False
    written: Written = field(default_factory=set)
    emitted: list[Envelope] = field(default_factory=list)
    intended: list[Delivery] = field(default_factory=list)
    position: Position = field(init=False)

    def __post_init__(self) -> None:
        self.position = 0 if self.origin.entry is None else self.origin.entry.position
