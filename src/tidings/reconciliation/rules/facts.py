"""What a provider's lists and events can be relied on for, as its adapter declares it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tidings.errors import DeclarationError


class Capability(StrEnum):
    """What orders two states of an item."""

    VERSIONED = "V"
    """Items carry a version or the time of their last change, the same as in the events of them."""
    EVENT_TIMED = "C"
    """Events carry the whole state and a time, items carry no version."""
    BARE = "X"
    """Neither does: an event only says that something changed, and the item has to be read."""


class Order(StrEnum):
    """What the whole list is ordered by."""

    KEY = "key"
    CREATED = "created"
    UPDATED = "updated"
    NONE = "none"


class Paging(StrEnum):
    """What a cursor stands for: a place in the order, a list as it was when the first page was made, or a count."""

    KEYSET = "keyset"
    SNAPSHOT = "snapshot"
    OFFSET = "offset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often the provider may be asked. `bulk_share`: of it, what whole lists may take."""

    per_second: float
    burst: int
    bulk_share: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """What is declared of a provider. What is declared too well makes a bound false, so declare the worst case.

    `tick`: the resolution of its stamps. `replica_lag`: a read may show a state this much older than its start.
    `clock_skew`: between the clock behind `Date` and the one that stamps items. `redelivery_horizon`: after it no
    webhook arrives any more. `seekable`: a cursor can be made of a place in the order. `cursor_life`: None if cursors
    do not expire. `filters_by_change`: its list takes "changed since", ascending, by keyset. `index_lag`: how far that
    filtered list may trail. `version_is_time`: counters are not supported yet.
    """

    capability: Capability
    order: Order
    paging: Paging
    page_limit: int
    replica_lag: timedelta
    redelivery_horizon: timedelta
    rate: Rate
    tick: timedelta = timedelta(seconds=1)
    seekable: bool = False
    cursor_life: timedelta | None = None
    clock_skew: timedelta = timedelta(0)
    filters_by_change: bool = False
    index_lag: timedelta = timedelta(0)
    version_is_time: bool = True

    def __post_init__(self) -> None:
        if self.tick <= timedelta(0):
            raise DeclarationError(f"tick: {self.tick} is no resolution of a clock; one second is the usual one")
        if self.page_limit < 1:
            raise DeclarationError(f"page_limit: {self.page_limit}; a page has at least one row")
        if not self.version_is_time:
            raise DeclarationError(
                "version_is_time=False is not supported yet: list no version, and declare Capability.EVENT_TIMED if "
                "webhooks carry whole items, else BARE"
            )
        for name in ("replica_lag", "clock_skew", "index_lag", "redelivery_horizon"):
            if getattr(self, name) < timedelta(0):
                raise DeclarationError(f"{name}: {getattr(self, name)} is below zero")
        if self.filters_by_change and self.capability is Capability.BARE:
            raise DeclarationError(
                "filters_by_change: an item that carries neither version nor time has none to filter by"
            )

    @property
    def tick_us(self) -> int:
        """The length of a tick in µs."""
        return micros(self.tick)

    @property
    def proves_absence(self) -> bool:
        """Whether what a page does not show is known to be absent: never where rows move between pages."""
        return self.paging is not Paging.OFFSET and self.order in (Order.KEY, Order.CREATED)

    @property
    def index_ticks(self) -> int:
        """How far the list that is filtered by change may trail, in whole ticks, as µs."""
        return -(-micros(self.index_lag) // self.tick_us) * self.tick_us

    @property
    def settles(self) -> int:
        """How long it may take until every read shows what one has shown; µs."""
        return micros(self.replica_lag) + micros(self.index_lag)


def micros(span: timedelta) -> int:
    """Return a span in whole microseconds."""
    return span // timedelta(microseconds=1)
