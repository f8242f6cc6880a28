"""The seam for what is remembered: checkpoints, leases, parked subjects, deliveries, views, beside the user's writes.

Everything a consumer does to one page happens in one `Unit`, one transaction. What a driver promises is tested by
`tidings.conformance.store_suite`. Times are microseconds since 1970 (UTC) by the store's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Protocol

from tidings.log.driver import Position
from tidings.store.attempts import AttemptStore
from tidings.store.audit import AuditStore
from tidings.store.claims import Checkpoint, Claim
from tidings.store.deliveries import EVERY, ClaimedDelivery, DeliveryFilter, State
from tidings.store.endpoint_store import EndpointStore
from tidings.store.facts import StoreFacts
from tidings.store.inline import InlineFolds
from tidings.store.keyed import Keyed, Request
from tidings.store.keys import KeyStore
from tidings.store.letter_store import LetterStore
from tidings.store.note_store import NoteStore
from tidings.store.parking import DeadLetter, Parked
from tidings.store.reason import Reason
from tidings.store.receipt_store import ReceiptStore
from tidings.store.rows import Key, Row, ViewRecord, ViewTable
from tidings.store.staging import Waiting
from tidings.store.unit import Unit
from tidings.store.version_store import VersionStore


class StoreDriver(
    KeyStore,
    AttemptStore,
    EndpointStore,
    ReceiptStore,
    LetterStore,
    AuditStore["StoreDriver"],
    VersionStore["StoreDriver"],
    NoteStore,
    Protocol,
):
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

        Stopping ends their leases, whose owners `ask` then: what is under way is refused, and none can be claimed."""

    async def rewind(self, consumer: str, *, to: Position) -> None:
        """Set every checkpoint back to `to`, end the leases, and set each gate to where its checkpoint stood at most.

        Their owners `ask` then. One before `to` stays. Parked subjects stay parked. NotFoundError if it is unknown."""

    async def skip(self, consumer: str, *, to: Position) -> None:
        """Set every checkpoint that stands before `to` to it, and end the leases of these, whose owners `ask` then.

        What lies between is not read. NotFoundError if it is unknown."""

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
        """Write the result: None: delivered; else tried again at `reason.next_at`, or dead.

        CheckpointMovedError if another owner took it, or it is settled."""

    async def deliveries(
        self, state: State | None = None, *, where: DeliveryFilter = EVERY, after: str | None = None, limit: int = 100
    ) -> Sequence[Mapping[str, Any]]:
        """Return deliveries, oldest first: the columns `tidings.store.deliveries.SHOWN`.

        `payload` is JSON, in bytes; `reason` and `error` are the kind and the text of the last failure; `intended` and
        `closed` are times. `after`: only those behind the one of this key; none if there is no such delivery."""

    async def delivery(self, key: str) -> Mapping[str, Any] | None:
        """Return one delivery as `deliveries` does; None if there is none of this key."""

    async def retry_delivery(self, key: str, *, at: int) -> None:
        """Have a dead delivery made again at `at`, as if it had never been tried; one that is due, then or before.

        To an endpoint that keeps order, those follow that were dead because of it. NotFoundError if there is none of
        this key; RefusedError if it is neither, or behind a dead one, or its endpoint is removed."""

    async def cancel_delivery(self, key: str, *, at: int) -> bool:
        """Close a delivery that is open or dead, at this time: it is called no more. False if it was cancelled already.

        The result of a call that is under way is refused. NotFoundError; RefusedError if it is delivered
        or expired."""

    async def forget_deliveries(self, *, closed: int, limit: int) -> int:
        """Remove the oldest `limit` deliveries that closed before the time `closed`; say how many.

        Those stay that are dead, and those of which an attempt is still kept."""

    async def next_due(self) -> int | None:
        """Return when the next retry of a parked subject or a delivery comes; None if none is waiting."""

    # the outbox
    async def waiting(self, *, most: int) -> Waiting:
        """Return what waits in the outbox to be appended, counting `most` envelopes at most."""

    # views
    async def views(self) -> Sequence[ViewRecord]:
        """Return every view table there is, of all services and in every state."""

    async def create_view(self, record: ViewRecord) -> None:
        """Make the view's table and note it in the state the record says. Twice is once.

        RefusedError if there is a table of this name with another shape, or one that is somebody else's."""

    async def swap_view(
        self,
        record: ViewRecord,
        *,
        consumer: str,
        replaced_consumer: str | None,
        who: str = "",
        accepts_parked: bool = False,
    ) -> bool:
        """In one transaction make this version the current one and the one that was current `replaced`.

        False, and nothing done, while the checkpoints of `consumer` stand before those of `replaced_consumer`, or a
        subject is parked for `consumer`, unless `accepts_parked`: the table would be known to lack it.
        `replaced_consumer` is paused, so that its owner is refused from then on, and nothing is parked for it any more,
        which nobody could redrive: the new table has read the same entries. The audit keeps how much that was, and
        `who` did it. NotFoundError if the table is not there."""

    async def drop_view(self, record: ViewRecord) -> None:
        """Remove the table and the note of a view that is not current: RefusedError if it is. Twice is once.

        One that somebody has built something on may stay, `replaced`, with a warning that says so."""

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
