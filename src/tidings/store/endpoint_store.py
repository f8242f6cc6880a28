"""The part of a store that keeps endpoints and what is sent to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from tidings.log.driver import Position
from tidings.store.endpoint_deliveries import (
    Backlog,
    ClaimedEndpointDelivery,
    Claiming,
    ClosedPage,
    Decide,
    Ending,
    EndpointClaim,
    EndpointDelivery,
    Page,
    Range,
    Result,
    Settled,
    Swept,
    Turned,
    UnreadableDelivery,
)
from tidings.store.endpoints import EndpointRecord, EndpointState


class EndpointStore(Protocol):
    """Endpoints, and their deliveries, which lie beside those to functions and are listed, cancelled, retried and
    forgotten by the same operations of `StoreDriver`."""

    # endpoints
    async def add_endpoint(self, endpoint: EndpointRecord) -> bool:
        """Keep a new endpoint, at version 1; False if its id is taken. Waits for the units that read `endpoints`."""

    async def change_endpoint(self, endpoint: EndpointRecord) -> EndpointRecord | None:
        """Keep its `config`, `pacing` and `secrets` if the version kept is `endpoint.version`; None if it is not.

        The condition stays. Returns what is kept now, at the next version. Another ordering arranges its open
        deliveries anew. NotFoundError."""

    async def remove_endpoint(self, id: str, *, at: int) -> int:
        """Remove an endpoint and cancel its open deliveries in one transaction; say how many. NotFoundError."""

    async def endpoint(self, id: str) -> EndpointRecord | None:
        """Return one endpoint."""

    async def endpoints(self, *, after: str | None = None, limit: int = 100) -> Sequence[EndpointRecord]:
        """Return endpoints by their id, behind the one of this id."""

    async def backlogs(self, first: str, last: str) -> Mapping[str, Backlog]:
        """Return what waits for each endpoint whose id is one of these two or between them."""

    async def last_deliveries(self, id: str, *, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return deliveries to the endpoint as `StoreDriver.deliveries` does, those of the last positions first."""

    async def deliveries_of(self, position: Position, *, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return deliveries of this entry as `StoreDriver.deliveries` does, to the endpoints that there are, by id."""

    async def pause_endpoint(
        self, id: str, *, at: int, why: str, state: EndpointState = "paused", health: bytes | None = None
    ) -> EndpointRecord:
        """Hold what is open and what comes; `state`: `paused` or `disabled`. Twice is once. NotFoundError.

        `health`: of the condition that it has from now on; None: as it was.

        The first thousand at once, the others by `arrange_endpoint_deliveries`; none of them is claimed from now on."""

    async def resume_endpoint(self, id: str, *, at: int, health: bytes = b"") -> EndpointRecord:
        """Let a paused or disabled endpoint go on, with this health; what is held is due, in order.

        As `pause_endpoint`. RefusedError if it is neither; NotFoundError."""

    # deliveries
    async def claim_endpoint_deliveries(self, claiming: Claiming, *, ttl: timedelta) -> Sequence[EndpointClaim]:
        """Take deliveries that are due, the endpoints in turn; their attempts are counted durably.

        Never more than an endpoint's slots at once, counted over all owners, nor more than its rate. If it `loses`, the
        leases that ran out, or whose owner is certainly dead, are closed before as attempts that are `lost`."""

    async def settle_endpoint_deliveries(self, claimed: Sequence[ClaimedEndpointDelivery], decide: Decide) -> Settled:
        """Write what became of an attempt, whole for all of one batch, and of its endpoint, in one transaction.

        An ordered one that closes makes the next one due. One that dies under `key` takes those behind it with it, as
        dead ones that follow; under `fifo` the endpoint is paused. Those of a batch that are no longer ours, such as
        one that was cancelled, are left out; CheckpointMovedError if none is ours, and nothing is written."""

    async def turn_endpoint_deliveries(
        self, ending: Ending, claiming: Claiming | None, *, ttl: timedelta
    ) -> Turned | None:
        """Settle these attempts as by `Unit.settle_each`, then claim what is due, in one transaction.

        None, and nothing is written, if something is told of them, which belongs in the same transaction: that takes a
        unit. `claiming`: None to claim nothing. CheckpointMovedError as in `settle_endpoint_deliveries`, for any."""

    async def next_endpoint_delivery(self) -> int | None:
        """Return when a claim may find something; None until something is added, settled or changed.

        An endpoint without a free slot says nothing, one that waits says when it does no longer."""

    async def unreadable(self, *, after: int = 0, limit: int = 1_000) -> Sequence[UnreadableDelivery]:
        """Return what is held as `version-unreadable`, by its `n`, behind the one of this `n`."""

    async def release_unreadable(self, numbers: Sequence[int], *, at: int) -> int:
        """Let these go on, in their order, where their endpoint is sent to and they are held so; say how many."""

    async def sweep_endpoint_deliveries(self, *, stale: timedelta, after: int = 0, limit: int = 1_000) -> Swept:
        """Put right what time or a crash left, `limit` of each at most: leases that ran out, what is past its
        `expires`, what is `behind` nothing. What was held for longer than `stale` is dead then. To be called again with
        `Swept.last`."""

    async def arrange_endpoint_deliveries(self, *, limit: int = 1_000) -> int:
        """Hold, or let go of, what a pause or its end has not reached yet: `limit` of an endpoint; say how many."""

    # polled
    async def polled(self, id: str, *, limit: int) -> Sequence[ClaimedEndpointDelivery]:
        """Return what is due to an endpoint, in the order in which it was added, and take none of it.

        Whoever reads again before it is settled reads the same. `attempt`: the one that would be counted."""

    async def settle_polled(self, id: str, ended: Sequence[tuple[int, Result]]) -> int:
        """Write what became of deliveries that were read, by their `n`, each as an attempt; say how many were open.

        Those that are closed already, or of another endpoint, stay as they are. NotFoundError."""

    # again
    async def recover_endpoint(self, id: str, within: Range, *, at: int, limit: int = 100) -> Page:
        """Make dead deliveries of these positions due again, oldest position first, with a full budget.

        Under `key` those stay dead of which an earlier one is dead outside of the range. To be called again with
        `Page.last`. NotFoundError."""

    async def count_dead(self, id: str, within: Range) -> int:
        """Return how many deliveries of these positions are dead."""

    async def add_replayed(self, deliveries: Sequence[EndpointDelivery], *, missing_only: bool) -> int:
        """Add deliveries of one run to one endpoint; say how many are new. Those that are there stay as they are.

        `missing_only`: not those whose entry was delivered to it before. NotFoundError."""

    async def closed_deliveries(self, id: str, *, since: int, after: int = 0, limit: int = 1_000) -> ClosedPage:
        """Return deliveries to the endpoint that have closed since then, in that order; of those that closed at that
        very moment, those behind this `n`."""

    async def delivered(self, id: str, positions: Sequence[Position]) -> frozenset[Position]:
        """Return which of these entries were delivered to the endpoint, by any run, as far as that is kept.

        Not what was delivered to an endpoint that had the id before: it may have been somebody else's."""
