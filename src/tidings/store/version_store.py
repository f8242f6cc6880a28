"""The part of a store that keeps versions of events, who runs with which, and how many entries there are of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol, TypeVar

from tidings.log.driver import Position
from tidings.store.versions import Counted, EventVersion, Miscount, VersionLease, Waiting

StoreT = TypeVar("StoreT", covariant=True)


class VersionStore(Protocol[StoreT]):
    """Each is one transaction, or a part of the one that `deciding` opens."""

    def deciding(self, *types: str) -> AbstractAsyncContextManager[StoreT]:
        """Open one transaction in which nobody else changes versions of these types, and give the store in it.

        An exception that leaves the block undoes what was done. In the store of `changing` it is a part of that one's
        transaction. RefusedError inside a unit.
        """

    # versions and gates
    async def register_versions(self, versions: Sequence[EventVersion], *, replaces: bool) -> None:
        """Make versions known. The first one of a type that was not known is open.

        `replaces`: whether another schema takes the place of one that is not published and was never appended, and what
        is published now stays so. SchemaChangedError, and nothing is kept, if one is published with another schema."""

    async def event_versions(self, type: str | None = None) -> Sequence[EventVersion]:
        """Return every version, or those of one type, by type and number."""

    async def write_version(self, version: EventVersion) -> EventVersion:
        """Keep its life, dates and gate; another gate raises the epoch of the type. NotFoundError."""

    # who runs
    async def join_versions(self, leases: Sequence[VersionLease], *, ttl: timedelta) -> None:
        """Keep what an instance says, in place of all that it said before, and of what others said that left or lapsed
        with the same service, consumer, revision, type and role."""

    async def renew_versions(self, instance: str, epochs: Mapping[str, int], *, ttl: timedelta) -> bool:
        """Lengthen the leases of an instance, with the epochs of the gates that it knows, by type.

        False, and nothing done, if one has lapsed or is gone: it has to join, and be admitted, again."""

    async def admit_consumer(self, instance: str, consumer: str) -> None:
        """Let the instance read for a consumer, until it leaves or lapses."""

    async def leave_versions(self, instance: str) -> None:
        """End all leases of an instance: they do not count any more, and are kept as what its release said last."""

    async def version_leases(self) -> Sequence[VersionLease]:
        """Return everything that was said, by service, consumer, revision and instance."""

    async def forget_leases(self, consumer: str) -> None:
        """Forget what instances said that are gone, for a consumer that will not come back."""

    # how many
    async def fold_census(self, *, most: int = 16_384) -> int:
        """Add up to so many positions to the counts of the segments; return how many were added."""

    async def tallies(
        self, *, after: Position = 0, known: Counted | None = None, marks: Collection[Position] = ()
    ) -> Counted:
        """Count the entries after a position by type and version.

        Exact for `after=0`. Else whole segments may be counted that begin before: what is 0 then is none. `known`: what
        was just counted from 0, so that what lies in no segment is not read again if `after` was one of its `marks`;
        what came since is left out then."""

    async def tallies_of(self, consumer: str) -> Counted:
        """Count, exactly, the entries after each checkpoint of a consumer. Reads every one of them."""

    async def recount_census(self, *, repairs: bool) -> Sequence[Miscount]:
        """Read the whole log and return where the census says otherwise; `Counted.differs` then, until it does not.

        `repairs`: whether it is counted anew from the log's beginning."""

    async def waiting_versions(self) -> Sequence[Waiting]:
        """Count what waits outside of the log: parked, in the outbox, to be delivered to endpoints."""
