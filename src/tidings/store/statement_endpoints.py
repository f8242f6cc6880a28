"""The part of a store that keeps endpoints and what is sent to them, as scripts and a back end's statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar, cast

from tidings.log.driver import Position
from tidings.ports import is_gone
from tidings.store.claims import Lease
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
    Untold,
)
from tidings.store.endpoints import EndpointRecord, EndpointState, no_endpoint
from tidings.store.scripts import claiming, holding, keeping, polling, reopening, settling, standing, sweeping
from tidings.store.scripts.script import Script
from tidings.store.statement_runs import StatementRuns

T = TypeVar("T")
ConnectionT = TypeVar("ConnectionT")
NowT = TypeVar("NowT")
LOSE = 1_000
"""Leases that are closed before a claim, at most."""


class StatementEndpoints(StatementRuns[ConnectionT, NowT]):
    """See `tidings.store.endpoint_store.EndpointStore`."""

    def _now(self) -> int | None:
        now: Any = self._around.now()
        return cast("int | None", now)

    async def _change(self, script: Script[T]) -> T:
        return await self._write(lambda to: self._around.statements.endpoints.run(to, script))

    async def _look(self, script: Script[T]) -> T:
        return await self._read(lambda of: self._around.statements.endpoints.run(of, script))

    async def _glance(self, script: Script[T]) -> T:
        """Look at what is a row or two: where that is there at once, a store need not go far for it."""
        return await self._look(script)

    # endpoints
    async def add_endpoint(self, endpoint: EndpointRecord) -> bool:
        return await self._change(keeping.add(endpoint))

    async def change_endpoint(self, endpoint: EndpointRecord) -> EndpointRecord | None:
        return await self._change(keeping.change(endpoint, now=self._now()))

    async def remove_endpoint(self, id: str, *, at: int) -> int:
        return await self._change(keeping.remove(id, at=at))

    async def endpoint(self, id: str) -> EndpointRecord | None:
        return await self._look(keeping.find(id))

    async def endpoints(self, *, after: str | None = None, limit: int = 100) -> Sequence[EndpointRecord]:
        return await self._look(keeping.listed(after=after, limit=limit))

    async def backlogs(self, first: str, last: str) -> Mapping[str, Backlog]:
        return await self._look(standing.backlogs(first, last))

    async def last_deliveries(self, id: str, *, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._look(standing.last_deliveries(id, limit=limit))

    async def deliveries_of(self, position: Position, *, limit: int) -> Sequence[Mapping[str, Any]]:
        return await self._look(standing.deliveries_of(position, limit=limit))

    async def pause_endpoint(
        self, id: str, *, at: int, why: str, state: EndpointState = "paused", health: bytes | None = None
    ) -> EndpointRecord:
        return await self._change(keeping.pause(id, at=at, why=why, state=state, health=health))

    async def resume_endpoint(self, id: str, *, at: int, health: bytes = b"") -> EndpointRecord:
        return await self._change(keeping.resume(id, at=at, health=health))

    # deliveries
    async def claim_endpoint_deliveries(self, claiming: Claiming, *, ttl: timedelta) -> Sequence[EndpointClaim]:
        if claiming.loses:
            await self._lose(LOSE)
        lease = self._lease(claiming.owner, ttl)
        return await self._write(lambda to: self._around.statements.endpoints.claim(to, lease, claiming))

    async def turn_endpoint_deliveries(
        self, ending: Ending, claiming: Claiming | None, *, ttl: timedelta
    ) -> Turned | None:
        if claiming is not None and claiming.loses:
            await self._lose(LOSE)
        lease = self._lease("" if claiming is None else claiming.owner, ttl)
        try:
            return await self._write(lambda to: self._around.statements.endpoints.turn(to, lease, ending, claiming))
        except Untold:
            return None

    def _lease(self, owner: str, ttl: timedelta) -> Lease[NowT]:
        return Lease(owner=owner, now=self._around.now(), ttl=ttl // timedelta(microseconds=1))

    async def _lose(self, limit: int) -> int:
        late, others = await self._look(settling.holders(now=self._now()))
        gone = [owner for owner in others if is_gone(owner)]
        if not late and not gone:
            return 0
        return await self._change(settling.lose(gone, now=self._now(), limit=limit))

    async def settle_endpoint_deliveries(self, claimed: Sequence[ClaimedEndpointDelivery], decide: Decide) -> Settled:
        return await self._change(settling.settle(claimed, decide, now=self._now()))

    async def next_endpoint_delivery(self) -> int | None:
        return await self._look(claiming.next_claim(now=self._now()))

    async def unreadable(self, *, after: int = 0, limit: int = 1_000) -> Sequence[UnreadableDelivery]:
        return await self._look(holding.unreadable(after=after, limit=limit))

    async def release_unreadable(self, numbers: Sequence[int], *, at: int) -> int:
        return await self._change(holding.release_unreadable(numbers, at=at))

    async def sweep_endpoint_deliveries(self, *, stale: timedelta, after: int = 0, limit: int = 1_000) -> Swept:
        now = self._now()
        lost = await self._lose(limit)
        expired = await self._change(sweeping.expire(now=now, limit=limit))
        old = await self._change(sweeping.go_stale(stale=stale // timedelta(microseconds=1), now=now, limit=limit))
        promoted, last = await self._change(sweeping.promote(after=after, now=now, limit=limit))
        return Swept(lost=lost, expired=expired, stale=old, promoted=promoted, last=last)

    async def arrange_endpoint_deliveries(self, *, limit: int = 1_000) -> int:
        ids = await self._look(sweeping.unarranged())
        return await self._change(sweeping.arrange(ids, now=self._now(), limit=limit)) if ids else 0

    # polled
    async def polled(self, id: str, *, limit: int) -> Sequence[ClaimedEndpointDelivery]:
        return await self._look(polling.page(id, now=self._now(), limit=limit))

    async def settle_polled(self, id: str, ended: Sequence[tuple[int, Result]]) -> int:
        return await self._change(polling.settle(id, ended, now=self._now()))

    # again
    async def recover_endpoint(self, id: str, within: Range, *, at: int, limit: int = 100) -> Page:
        return await self._change(reopening.recover(id, within, at=at, limit=limit))

    async def count_dead(self, id: str, within: Range) -> int:
        return await self._look(reopening.count_dead(id, within))

    async def add_replayed(self, deliveries: Sequence[EndpointDelivery], *, missing_only: bool) -> int:
        for id in {each.endpoint for each in deliveries}:
            if await self.endpoint(id) is None:
                raise no_endpoint(id)
        wanted = deliveries
        for id in {each.endpoint for each in deliveries} if missing_only else ():
            there = await self.delivered(id, [each.position for each in deliveries])
            wanted = [each for each in wanted if each.position not in there]
        now = self._around.now()
        return await self._write(lambda to: self._around.statements.endpoints.deliver(to, wanted, now=now))

    async def closed_deliveries(self, id: str, *, since: int, after: int = 0, limit: int = 1_000) -> ClosedPage:
        return await self._look(standing.closed(id, since=since, after=after, now=self._now(), limit=limit))

    async def delivered(self, id: str, positions: Sequence[Position]) -> frozenset[Position]:
        return await self._look(reopening.delivered(id, positions))
