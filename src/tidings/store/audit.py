"""What operators changed, as a store keeps it: with who did it, when, and why."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, get_args

from tidings.events.envelope import Envelope
from tidings.log.driver import Position, Receipt

StoreT = TypeVar("StoreT", covariant=True)

What = Literal[
    "pause",
    "resume",
    "replay",
    "begin",
    "redrive",
    "drop",
    "retry",
    "cancel",
    "rebuild",
    "replace",
    "key-created",
    "key-revoked",
    "restored",
    "endpoint-added",
    "endpoint-changed",
    "endpoint-removed",
    "endpoint-paused",
    "endpoint-resumed",
    "endpoint-tested",
    "endpoint-recovered",
    "endpoint-replayed",
    "secret-rotated",
    "secret-revoked",
    "version-opened",
    "version-closed",
    "version-deprecated",
    "version-kept",
    "version-ended",
    "version-forced",
    "version-retired",
    "consumer-forgotten",
    "receiver-added",
    "receiver-changed",
    "receiver-retired",
    "reconcile-begun",
    "reconcile-approved",
    "reconcile-cancelled",
]
WHATS: tuple[What, ...] = get_args(What)
"""Every change that is written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an operator does.

    `who`: `cli`, `console`, `local` (over HTTP, where there are no keys) or `key <id>`. `on`: the consumer, the
    delivery, the endpoint, the receiver, the view, the scope or the API key that it is done to, or the log's new
    incarnation.
    `subject`, `position`: which part of it; None: all.
    """

    who: str
    what: What
    on: str
    subject: str | None = None
    position: Position | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited(Change):
    """A change that was made. `n` orders them; `at`: µs since 1970."""

    n: int
    at: int


class AuditStore(Protocol[StoreT]):
    """The part of a store that keeps them."""

    def changing(self, change: Change) -> AbstractAsyncContextManager[StoreT]:
        """Open one transaction for a change and for what the audit keeps of it, and give the store that works in it.

        An exception that leaves the block undoes both. In the store of a request under a key it is a part of that
        request's transaction. RefusedError inside a unit.
        """

    def emit(self, envelopes: Sequence[Envelope]) -> None:
        """As `Unit.emit`, in the store of a transaction that is open. RefusedError in any other."""

    @property
    def appended(self) -> Sequence[tuple[Sequence[Envelope], Receipt]]:
        """What became of what `emit` was given, once its transaction has ended; nothing of what was staged."""

    async def audit(self, *, before: int | None = None, limit: int = 100) -> Sequence[Audited]:
        """Return what operators did, newest first. `before`: only what came before the one of this number."""
