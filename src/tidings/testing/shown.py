"""What a scenario shows of an application, as values that a test compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tidings.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter: an event set aside, for its own failure or because it waits behind another of its subject.

    `event`: its envelope if it cannot be read. `state` "retrying": it is tried again when time passes; "dead": only
    when an operator says so. `reason`: a kebab-case word, such as `handler-failed`; `error`: its class and message.
    """

    consumer: str
    subject: str
    event: Any
    state: Literal["retrying", "dead"]
    attempts: int
    reason: str
    error: str

    def __str__(self) -> str:
        tried = counted(self.attempts, "attempt")
        return f"{self.consumer} set aside {self.event!r}, {self.state} after {tried}: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """A delivery: a call to the outside that a handler or command asked for with `ctx.deliver`.

    `state` "due": it waits for `Scenario.deliver`, or for a retry; "delivered"; "dead".
    `attempts`: how many were begun.
    """

    service: str
    function: str
    payload: Any
    state: Literal["due", "delivered", "dead"]
    attempts: int
    error: str | None
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The state that an application ended in, by the names of what it is in; each part in an order of its own.

    `parts`: "bookmarks.bookmark" -> rows of a view, "table ledger_line" -> rows of the author's own, "events", "dead
    letters", "deliveries".
    """

    parts: dict[str, list[str]]
