"""The seam for what is remembered: checkpoints, leases, parked subjects, deliveries, views, beside the user's writes.

Everything a consumer does to one page happens in one `Unit`, one transaction. What a driver promises is tested by
`tidings.conformance.store_suite`. Times are microseconds since 1970 (UTC) by the store's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Position, Receipt
from tidings.store.attempts import EVERY, AttemptStore, Sought, State
from tidings.store.audit import AuditStore
from tidings.store.claims import Checkpoint, Claim
from tidings.store.keyed import Keyed, Request
from tidings.store.keys import KeyStore
from tidings.store.rows import Key, Row, ViewRecord, ViewTable


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What a store back end says about itself. `partitions`: how many a consumer has unless told otherwise.

    `takes_staged`: others than units, in transactions of their own, may put envelopes into its outbox. `engine`: the
    database's product and version; `caution`: what an operator must heed with this version of it.
    """

    name: str
    partitions: int
    shares_transaction_with_log: bool
    takes_staged: bool = False
    engine: str = ""
    caution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a subject is parked: `kind` is a kebab-case word (`handler-failed`, `process-died`, `undecodable`, …),
    `error` the last error's class and message, `next_at` when to try again (None: dead, waits for an operator)."""

    kind: str
    error: str
    next_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A subject that waits with all its later entries.

    `state` "retrying": it is tried again at `next_at`; "dead": only when an operator says so.
    """

    consumer: str
    subject: str
    part: int
    state: Literal["retrying", "dead"]
    attempts: int
    next_at: int | None
    reason: str
    error: str
    first_position: Position
    parked_at: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An entry set aside, with its stored bytes, so that retention or a changed class lose nothing."""

    consumer: str
    subject: str
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One call to the outside, to be made after the unit commits, at least once, always with the same `key`.

    `payload` is JSON. `order`: deliveries of one service and order value are made one after the other, in the order
    they were intended; a dead one lets the next one go on. None: no order.
    """

    key: str
    service: str
    function: str
    payload: bytes
    order: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery whose `attempt` (from 1) was counted and committed before the call; `epoch` fences the result.

    `failed`: of how many attempts before this one the result was written.
    """

    delivery: Delivery
    attempt: int
    epoch: int
    failed: int = 0

    @property
    def died(self) -> int:
        """How many attempts before this one have no result: the process ended, or its lease did."""
        return self.attempt - 1 - self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """An envelope that waits in the outbox; `n` orders them."""

    n: int
    envelope: Envelope


class Sql(Protocol):
    """The handler's own statements, in the unit's transaction. Placeholders are `$1`, `$2`, …; on SQLite `?`, too."""

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows it changed. Transaction control is refused."""

    async def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one query; return all its rows."""


class Unit(Protocol):
    """One transaction: leaving the block commits, an exception rolls all of it back.

    On leaving, in this order: the emitted envelopes are appended (or staged, where the log is elsewhere), inline
    views are folded, the claims' checkpoints are advanced under their epochs, and the transaction is committed.
    RefusedError for whatever is asked from the first moment of leaving, also by a task that was begun inside.
    """

    sql: Sql

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """An exception that leaves the block undoes what was done in it, `emit` included; the unit goes on."""

    async def first_deliveries(self, consumer: str, entries: Sequence[Entry]) -> frozenset[Position]:
        """Take the entries into the inbox; return the positions of those that were not in it yet.

        Needed only where the log forgets ids. ConflictError for an id that is in it with other content."""

    async def rows(self, view: ViewTable, keys: Sequence[Key]) -> Mapping[Key, Row]:
        """Return the rows of these keys, tombstones included, locked until the unit ends."""

    async def put(self, view: ViewTable, rows: Sequence[Row]) -> None:
        """Keep each row unless the kept one has a higher or equal rank; a delete is a row of kind 1.

        It may be put off as in `replace`.
        """

    async def replace(self, view: ViewTable, rows: Sequence[Row]) -> None:
        """Keep each row whatever is there: the outcome of a fold that held the row's lock.

        It may be put off until the unit's next statement or its end, so that is where an error may be raised.
        """

    async def join(self, view: ViewTable, members: Sequence[tuple[Key, Position]]) -> frozenset[tuple[Key, Position]]:
        """Note that the entries at these positions belong to these rows; return those that were not noted yet."""

    async def members(self, view: ViewTable, keys: Sequence[Key]) -> Mapping[Key, Sequence[Position]]:
        """Return the positions of all entries noted for these rows."""

    async def parked(self, consumer: str, subjects: Sequence[str]) -> frozenset[str]:
        """Return which of these subjects are parked."""

    async def park(self, consumer: str, subject: str, entries: Sequence[Entry], reason: Reason | None) -> None:
        """Set the entries aside behind those of the subject that are there. `reason`: of the first failure, or of a new
        one; None for followers, which change nothing of it: RefusedError if the subject is not parked then."""

    async def unpark(self, consumer: str, subject: str, position: Position) -> None:
        """Take one dead letter away; with the last one the subject is free. NotFoundError if somebody was first.

        The entry behind it begins with attempts of its own."""

    async def dropped(self, view: ViewTable) -> frozenset[Position]:
        """Return the positions of the entries that are given up for this table: its folds leave them out for ever.

        Those dropped for the table's own consumer, and those that were dropped for other tables of the view before
        this one was made. One that is dropped for another table later is that table's alone: here it may be in its row.
        """

    async def command(self, service: str, key: str) -> int | None:
        """Return how many events the service's command of this key emitted; None if it was not done yet.

        Who asks for the same key in another unit waits until this one ends."""

    async def remember(self, service: str, key: str, emitted: int) -> None:
        """Note, for ever, that the command of this key is done. RefusedError if that is noted already."""

    async def intend(self, deliveries: Sequence[Delivery]) -> None:
        """Add deliveries; one whose key is there already is left as it is."""

    async def take_outbox(self, *, limit: int) -> Sequence[Staged]:
        """Remove and return the oldest staged envelopes, in order; they come back if the unit rolls back."""

    def emit(self, envelopes: Sequence[Envelope]) -> None:
        """Have these appended as the unit's last act, so that no position is held for as long as a handler takes.

        ConflictError on leaving if one of the ids is kept with other content; nothing of the unit is kept then."""

    @property
    def emitted(self) -> Sequence[Sequence[Envelope]]:
        """What is to be appended: one item per `emit` call, in order, without those that were undone."""

    @property
    def receipts(self) -> Sequence[Receipt]:
        """After the unit: one receipt per item of `emitted`, in order. Empty where they were staged."""

    @property
    def to(self) -> Position | None:
        """Where `advance` moves the claims' checkpoints on leaving; None if they stay."""

    def advance(self, *, to: Position) -> None:
        """Move the claims' checkpoints there on leaving; never back. Without it the claims are still checked.

        CheckpointMovedError on leaving if one of the claims is no longer ours, or its checkpoint does not stand where
        the claim says: somebody with the same claim was here before."""


class StoreDriver(KeyStore, AttemptStore, AuditStore["StoreDriver"], Protocol):
    """A back end's store."""

    facts: StoreFacts

    # leases and checkpoints
    async def register(self, consumer: str, *, partitions: int, start: Position) -> None:
        """Make the consumer's partitions at `start` if it has none. RefusedError if it has another number of them."""

    async def claim(self, consumer: str, *, owner: str, want: int, ttl: timedelta) -> Sequence[Claim]:
        """Take up to `want` partitions that are free, or whose lease ended, or whose owner is certainly dead.

        Each epoch rises by one. Those of a paused consumer are not given away."""

    async def ask(self, consumer: str, *, owner: str, ttl: timedelta) -> None:
        """Note that this owner holds no partition of the consumer and wants some: for so long, or until it has one."""

    async def asking(self, consumer: str) -> frozenset[str]:
        """Return who asks for partitions now, those left out who are certainly dead."""

    async def renew(self, claims: Sequence[Claim], *, ttl: timedelta) -> Sequence[Claim]:
        """Lengthen the leases; return the claims that are still ours."""

    async def release(self, claims: Sequence[Claim]) -> None:
        """Let go: the partitions are free at once, and not "expired" for the next owner."""

    async def begin_attempt(self, claim: Claim, position: Position) -> int:
        """Write down, durably, that this entry is about to be tried; return the attempt's number, from 1.

        CheckpointMovedError if the claim is no longer ours."""

    async def checkpoints(self, consumer: str) -> Mapping[int, Checkpoint]:
        """Return the partitions of a consumer; empty if it is unknown."""

    async def consumers(self) -> Sequence[str]:
        """Return the names of all registered consumers, sorted."""

    async def forget(self, consumer: str) -> None:
        """Remove a consumer with its checkpoints, parked subjects and dead letters."""

    async def pause(self, consumer: str, reason: str | None) -> None:
        """Stop a consumer's partitions for this reason, or let them go on (None). NotFoundError if it is unknown.

        Stopping ends their leases: what is under way under them is refused, and nobody can claim them meanwhile."""

    async def rewind(self, consumer: str, *, to: Position) -> None:
        """Set every checkpoint back to `to`, end the leases, and set each gate to where its checkpoint stood at most.

        One that stands before `to` stays. Parked subjects stay parked. NotFoundError if the consumer is unknown."""

    # parked subjects and dead letters
    async def due(self, claims: Sequence[Claim], *, now: int) -> Sequence[Parked]:
        """Return the parked subjects of these partitions whose `next_at` has come."""

    async def begin_redrive(self, claim: Claim, subject: str) -> Parked | None:
        """Raise the subject's attempts by one, durably, before its first entry is handed over; None if it is free.

        CheckpointMovedError if the claim is no longer ours."""

    async def parked(self, consumer: str | None = None) -> Sequence[Parked]:
        """Return all parked subjects, of one consumer or of all, oldest first."""

    async def dead_letters(self, consumer: str, subject: str, *, limit: int) -> Sequence[DeadLetter]:
        """Return the subject's entries that were set aside, in log order."""

    async def schedule_redrive(self, consumer: str, subject: str, *, at: int) -> None:
        """Let the subject be tried again at `at`, with a full budget of attempts. NotFoundError if it is not parked."""

    async def reschedule(self, claim: Claim, subject: str, reason: Reason) -> None:
        """Write down how a redrive failed and when the next one comes; nothing if another was scheduled meanwhile."""

    async def drop(self, consumer: str, subject: str, position: Position, *, reason: str, who: str = "") -> None:
        """Give up one dead letter; its followers flow on. The audit keeps who did it, and why. NotFoundError."""

    # deliveries to functions
    async def claim_deliveries(
        self, *, owner: str, services: Sequence[str], limit: int, ttl: timedelta
    ) -> Sequence[ClaimedDelivery]:
        """Take deliveries that are due, oldest first, one per order value; their attempts are counted durably."""

    async def settle_delivery(self, claimed: ClaimedDelivery, reason: Reason | None) -> None:
        """Write the result: None: done; else tried again at `reason.next_at`, or dead.

        CheckpointMovedError if another owner took it, or it is settled."""

    async def deliveries(
        self, state: State | None = None, *, where: Sought = EVERY, after: str | None = None, limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        """Return deliveries, oldest first: key, service, function, payload, state, attempts, next_at, reason, error,
        intended, closed.

        `payload` is JSON, in bytes; `reason` and `error` are the kind and the text of the last failure; `intended` and
        `closed` are times. `after`: only those behind the one of this key; none if there is no such delivery."""

    async def delivery(self, key: str) -> Mapping[str, Any] | None:
        """Return one delivery as `deliveries` does; None if there is none of this key."""

    async def retry_delivery(self, key: str, *, at: int) -> None:
        """Have a dead delivery called again at `at`, as if it had never been tried.

        NotFoundError if there is none of this key; RefusedError if it is not dead."""

    async def cancel_delivery(self, key: str, *, at: int) -> bool:
        """Close a delivery that is not done, at this time: it is called no more. False if it was cancelled already.

        The result of a call that is under way is refused. NotFoundError; RefusedError if it is done."""

    async def next_due(self) -> int | None:
        """Return when the next retry of a parked subject or a delivery comes; None if none is waiting."""

    # views
    async def views(self) -> Sequence[ViewRecord]:
        """Return every view table there is, of all services and in every state."""

    async def create_view(self, record: ViewRecord) -> None:
        """Make the view's table and note it in the state the record says. Twice is once.

        RefusedError if there is a table of this name with another shape, or one that is somebody else's."""

    async def swap_view(self, record: ViewRecord, *, consumer: str, old_consumer: str | None) -> bool:
        """In one transaction make this version the live one and the live one `old`.

        False, and nothing done, while a read would go back by it: while the checkpoints of `consumer` stand before
        those of `old_consumer`, or a subject is parked for `consumer` by an entry that the live table has passed and
        `old_consumer` has not parked. That one is paused, so that its owner is refused from then on. NotFoundError if
        the table is not there."""

    async def drop_view(self, record: ViewRecord) -> None:
        """Remove the table and the note of a view that is not live: RefusedError if it is. Twice is once."""

    async def select(
        self, view: ViewTable, *, equal: Mapping[str, Any], after: Key | None, limit: int
    ) -> Sequence[Row]:
        """Return rows that are not tombstones, by key, whose columns have these values, after this key."""

    async def every(self, view: ViewTable, *, after: Key | None, limit: int) -> Sequence[Row]:
        """Return rows by key, tombstones included: what verification compares."""

    # requests under a key
    def keyed(self, request: Request) -> AbstractAsyncContextManager[Keyed[StoreDriver]]:
        """Open the transaction of a request under a key. Who comes with the same key waits for its end.

        RefusedError inside a unit.
        """

    async def forget_answers(self, *, before: int, limit: int) -> int:
        """Remove the oldest answers that were kept before this time, `limit` at most; return how many there were."""

    def hold_inline(self, folds: InlineFolds) -> None:
        """Have every append of this process, by the log or by a unit, fold these before it commits."""

    def unit(self, *claims: Claim) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction that is fenced by these claims. RefusedError inside another one."""

    async def close(self) -> None:
        """Let go of everything; twice is once."""


class InlineFolds(Protocol):
    """Folds that run in the append's own transaction, where log and store share it.

    `stamps`: event type -> shapes of the inline views of this process that fold it. An append whose types are fed to an
    inline table, live or building, of a shape that this process does not hold is refused with InlineViewError: it would
    leave that table behind.
    """

    stamps: Mapping[str, frozenset[str]]

    async def apply(self, unit: Unit, entries: Sequence[Entry], tables: Sequence[ViewRecord]) -> None:
        """Fold entries whose positions are drawn and which commit with this unit. A failing fold parks its subject.

        `tables`: the inline tables, live and building, as this transaction sees them, of the entries' types. From the
        commit of a building one on, every appender of every process thus writes it too.
        """
