"""The partitions that this process may read, for as long as it may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tidings.consumers.faults import PASSING
from tidings.consumers.lane import Lane, Part
from tidings.ports import Ports, is_gone
from tidings.store.claims import Checkpoint, Claim
from tidings.store.driver import StoreDriver

TTL = timedelta(seconds=8)
RENEW_SECONDS = 2.0
LOOK_SECONDS = 0.5
STOPPED_SECONDS = 10.0
LEFT_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Share:
    """What one process should hold. `most`: its fair share; `is_more_free`: whether some partition can be claimed."""

    most: int
    is_more_free: bool


def share_of(
    checkpoints: Mapping[int, Checkpoint],
    owner: str,
    *,
    now: int,
    asking: frozenset[str] = frozenset(),
    gone: Callable[[str], bool] = is_gone,
) -> Share:
    """Return the share of `owner` among the owners that hold something and are alive, and those who are `asking`.

    Where it does not come out even, the first by name have one more: rounded up for everybody, the last one would have
    nothing of 16 for 5. `now`: µs since 1970.
    """
    alive: dict[str, bool] = {}
    owners, is_more_free = {owner, *asking}, False
    for checkpoint in checkpoints.values():
        holder = checkpoint.owner
        is_held = holder is not None and checkpoint.until is not None and checkpoint.until > now
        if holder is not None and is_held and holder not in alive:
            alive[holder] = holder == owner or not gone(holder)
        if holder is not None and is_held and alive[holder]:
            owners.add(holder)
        elif checkpoint.paused is None:
            is_more_free = True
    each, over = divmod(len(checkpoints), len(owners))
    return Share(each + (sorted(owners).index(owner) < over), is_more_free)


@dataclass(frozen=True, slots=True)
class _Stopped:
    """A partition that this process cannot read on in, at `position`. It is left to others until `until`."""

    position: int
    why: str
    until: float


@dataclass(frozen=True, slots=True)
class _Held:
    part: Part
    good_until: float


class Leases:
    """Claims a consumer's partitions, renews them beside the work, and forgets those it can no longer be sure of.

    A lease counts from before its last good renewal was sent, by this process's own clock. That only stops reading in
    time: what is kept is decided by the epoch, in the store.
    """

    def __init__(
        self, consumer: str, *, store: StoreDriver, ports: Ports, owner: str, partitions: int | None = None
    ) -> None:
        self._consumer = consumer
        self._store = store
        self._ports = ports
        self._owner = owner
        self._wanted = partitions if partitions is not None else store.facts.partitions
        self._held: dict[int, _Held] = {}
        self._partitions = 0
        self._next_look = 0.0
        self._next_ask = float("-inf")
        self._stopped: dict[int, _Stopped] = {}
        self._left_since: float | None = None
        self._beyond = 0
        self._most = 0

    @property
    def stopped(self) -> str | None:
        """Why a partition stands still that this process cannot read on in; None if there is none."""
        return next((each.why for each in self._stopped.values()), None)

    async def stop(self, claim: Claim, *, position: int, why: str) -> None:
        """Give a partition back that cannot be read on in here, and leave it to others for a while."""
        until = self._ports.clock.monotonic() + STOPPED_SECONDS
        self._stopped[claim.part] = _Stopped(position, why, until)
        await self.let_go([claim])

    @property
    def parts(self) -> tuple[Part, ...]:
        """The partitions that may be read now."""
        now = self._ports.clock.monotonic()
        if any(held.good_until <= now for held in self._held.values()):
            self._held = {number: held for number, held in self._held.items() if held.good_until > now}
            self._next_look = now
        return tuple(held.part for held in self._held.values())

    async def register(self) -> None:
        """Make the consumer known, before the log's first entry, unless it is."""
        if not await self._store.checkpoints(self._consumer):
            await self._store.register(self._consumer, partitions=self._wanted, start=0)

    async def look(self) -> bool:
        """Claim what is free and due to this process, let go of a surplus; say whether something was claimed."""
        now = self._ports.clock.monotonic()
        if now < self._next_look or (self._held and len(self.parts) == self._partitions == 1):
            return False
        checkpoints = await self._store.checkpoints(self._consumer)
        self._partitions = len(checkpoints)
        asking = await self._store.asking(self._consumer) if self._partitions > 1 else frozenset[str]()
        share = share_of(checkpoints, self._owner, now=self._ports.clock.now_us(), asking=asking)
        self._forget_stopped(checkpoints)
        wanted = share.most + self._taken_beyond(share, now) - len(self._held) - len(self._shunned(now))
        self._next_look = now + (LOOK_SECONDS if wanted > 0 else RENEW_SECONDS)
        if wanted < 0:
            await self.let_go([part.claim for part in self.parts[wanted:]])
        if wanted > 0 and share.is_more_free and await self._claim(wanted):
            return True
        if self._partitions > 1 or any(each.paused is not None for each in checkpoints.values()):
            await self._ask(now)
        return False

    def _shunned(self, now: float) -> set[int]:
        return {part for part, each in self._stopped.items() if each.until > now}

    def _forget_stopped(self, checkpoints: Mapping[int, Checkpoint]) -> None:
        """Forget those that somebody has carried past what could not be read here."""
        for part, each in list(self._stopped.items()):
            checkpoint = checkpoints.get(part)
            if checkpoint is None or checkpoint.position >= each.position:
                del self._stopped[part]

    def _taken_beyond(self, share: Share, now: float) -> int:
        """Return how many to hold beyond the share: those that their owners leave, since they cannot read on there."""
        if share.most != self._most:
            self._most, self._beyond = share.most, 0
        is_left = share.is_more_free and len(self._held) >= share.most + self._beyond and not self._shunned(now)
        if not is_left:
            self._left_since = None
        elif self._left_since is None:
            self._left_since = now
        elif now - self._left_since >= LEFT_SECONDS:
            self._left_since = None
            self._beyond += 1
        return self._beyond

    async def _ask(self, now: float) -> None:
        """Have the others know of a process that holds nothing: its leases, by which it would be seen, are none."""
        if not self._held and now >= self._next_ask and not self._shunned(now):
            self._next_ask = now + RENEW_SECONDS
            await self._store.ask(self._consumer, owner=self._owner, ttl=TTL)

    async def _claim(self, wanted: int) -> bool:
        sent = self._ports.clock.monotonic()
        claims = await self._store.claim(self._consumer, owner=self._owner, want=wanted, ttl=TTL)
        shunned = self._shunned(sent)
        back = [claim for claim in claims if claim.part in shunned]
        claims = [claim for claim in claims if claim.part not in shunned]
        if back:
            await self._store.release(back)
        for claim in claims:
            part = Part(claim, claim.position, is_careful=claim.expired)
            self._held[claim.part] = _Held(part, sent + TTL.total_seconds())
        if claims:
            self._ports.points.at("unit:claimed")
        return bool(claims)

    async def renew(self) -> bool:
        """Renew what is held; what is not ours any more is forgotten. Say whether all of it still is.

        If the store is out of reach, time decides.
        """
        sent = self._ports.clock.monotonic()
        before = [held.part.claim for held in self._held.values()]
        try:
            ours = _fences(await self._store.renew(before, ttl=TTL))
        except PASSING:
            return True
        for claim in before:  # meanwhile the checkpoint may have moved on, or the partition been claimed anew
            held = self._held.get(claim.part)
            if held is None or held.part.claim.epoch != claim.epoch:
                continue
            if (claim.part, claim.epoch) in ours:
                self._held[claim.part] = replace(held, good_until=sent + TTL.total_seconds())
            else:
                del self._held[claim.part]
                self._next_look = sent
        return len(ours) == len(before)

    def moved(self, lane: Lane) -> None:
        """Be told how far the lane's partitions are read, and where their checkpoints stand."""
        for part in lane.parts:
            held = self._held.get(part.claim.part)
            if held is not None and held.part.claim.epoch == part.claim.epoch:
                self._held[part.claim.part] = replace(held, part=part)
            stopped = self._stopped.get(part.claim.part)
            if stopped is not None and part.at >= stopped.position:
                del self._stopped[part.claim.part]

    async def let_go(self, claims: Sequence[Claim] | None = None) -> None:
        """Give partitions back, all if none are named; those that are not ours any more are forgotten."""
        given = [held.part.claim for held in self._held.values()] if claims is None else claims
        for claim in given:
            self._held.pop(claim.part, None)
        self._next_look = 0.0
        await self._store.release(given)

    def abandon(self) -> None:
        """Forget what is held without giving it back: its leases run out, and whoever claims it knows that they did."""
        self._held.clear()
        self._next_look = 0.0


def _fences(claims: Iterable[Claim]) -> set[tuple[int, int]]:
    return {(claim.part, claim.epoch) for claim in claims}
