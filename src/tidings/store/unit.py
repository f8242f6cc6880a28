"""One transaction of a store, as every back end opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import Position, Receipt
from tidings.store.deliveries import Delivery
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, Decide, EndpointDelivery, Settled
from tidings.store.endpoints import EndpointRecord
from tidings.store.note_store import NoteUnit
from tidings.store.reason import Reason
from tidings.store.receipts import Arrival, Identity, Judged
from tidings.store.rows import Key, Rank, Row, ViewTable
from tidings.store.staging import Staged


class Sql(Protocol):
    """The handler's own statements, in the unit's transaction. Placeholders are `$1`, `$2`, …; on SQLite `?`, too."""

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; return the number of rows it changed. Transaction control is refused."""

    async def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one query; return all its rows."""


class Unit(NoteUnit, Protocol):
    """One transaction: leaving the block commits, an exception rolls all of it back.

    On leaving, in this order: requests are received, the emitted envelopes are appended (or staged, where the log is
    elsewhere), inline views are folded, the claims' checkpoints are advanced under their epochs, and the transaction is
    committed.
    RefusedError for whatever is asked from the first moment of leaving, also by a task that was begun inside.
    """

    sql: Sql

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """An exception that leaves the block undoes what was done in it, `emit` included; the unit goes on."""

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

    async def purge(self, view: ViewTable, tombstones: Mapping[Key, Rank]) -> None:
        """Remove these tombstones, each only while it has this rank. It may be put off as in `replace`."""

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

    async def open_deliveries(self, keys: Sequence[str]) -> frozenset[str]:
        """Return which of these deliveries are not closed yet: they are made, or made again."""

    async def endpoints(self) -> Sequence[EndpointRecord]:
        """Return every endpoint. Until the unit ends none is added, changed or removed; their states may change."""

    async def deliver(self, deliveries: Sequence[EndpointDelivery]) -> int:
        """Add deliveries to endpoints, in log order; say how many are new.

        Each endpoint is kept as it is until the unit ends: one that is paused meanwhile holds them, one that is removed
        has none. Those stay as they are that are there already; entries from before an endpoint's time are left out,
        but for a replay."""

    async def acknowledge(self, delivery: EndpointDelivery) -> bool:
        """Close a delivery that is dead as delivered, since its receiver is known to have it: those of its subject that
        were dead with it go on. False, and nothing is changed, if it is not dead."""

    async def settle(self, claimed: Sequence[ClaimedEndpointDelivery], decide: Decide) -> Settled:
        """As `EndpointStore.settle_endpoint_deliveries`, in one transaction with what is emitted about it."""

    def receive(self, arrivals: Sequence[Arrival]) -> None:
        """Have requests kept, on leaving, that are new or in conflict, and those counted that are repeats.

        The events of what is fresh are emitted then, and a receipt that failed is finished by a repeat that is events.
        Each key is kept once for all sources of that name: who receives the same in another unit waits for this one."""

    @property
    def judged(self) -> Sequence[Judged]:
        """After the unit: what each request is that was received."""

    async def finish_receipt(self, n: int, identities: Sequence[Identity], items: bytes, *, at: int | None) -> bool:
        """Note that a receipt that failed became events; `at`: when it was replayed, None if it came again.

        False if it has not failed, or was finished by somebody else meanwhile."""

    async def settle_each(self, ended: Sequence[tuple[Sequence[ClaimedEndpointDelivery], Decide]]) -> Sequence[Settled]:
        """As `settle`, of several attempts, in their order: quicker than one by one."""

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
