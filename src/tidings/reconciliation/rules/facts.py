"""What a provider's lists and events can be relied on for, as its adapter declares it. Pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, NoReturn

from tidings.errors import DeclarationError

SPAN_MAX = timedelta(days=3_653)
RATE_LEAST = 1 / 86_400
"""Once a day: what may be asked less often is not reconciled."""


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
    """How often the provider may be asked. `bulk_share`: of it, what whole lists may take. DeclarationError."""

    per_second: float
    burst: int
    bulk_share: float = 0.2

    def __post_init__(self) -> None:
        if not _is_number(self.per_second, least=RATE_LEAST, most=sys.float_info.max):
            _refuse("per_second", self.per_second, "no rate: write per_second=25; once a day is the least")
        if not isinstance(self.burst, int) or self.burst < 1:
            _refuse("burst", self.burst, "no number of reads at once: write burst=1 or more")
        if not _is_number(self.bulk_share, least=0, most=1) or self.bulk_share == 0:
            _refuse("bulk_share", self.bulk_share, "no share: write bulk_share=0.2, or another above 0 and up to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """What is declared of a provider. What is declared too well makes a bound false, so declare the worst case.

    `tick`: the resolution of its stamps. `replica_lag`: a read may show a state this much older than its start.
    `clock_skew`: between the clock behind `Date` and the one that stamps items. `redelivery_horizon`: after it no
    webhook arrives any more. `seekable`: a cursor can be made of a place in the order. `cursor_life`: None if cursors
    do not expire. `filters_by_change`: its list takes "changed since", ascending, by keyset. `index_lag`: how far that
    filtered list may trail. `version_is_time`: counters are not supported yet. DeclarationError.
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
        for name, words in (("capability", Capability), ("order", Order), ("paging", Paging)):
            _check_word(name, getattr(self, name), words)
        for name in ("tick", "replica_lag", "clock_skew", "index_lag", "redelivery_horizon"):
            check_span(name, getattr(self, name), is_zero_one=name != "tick")
        if self.cursor_life is not None:
            check_span("cursor_life", self.cursor_life)
        if not isinstance(self.page_limit, int) or self.page_limit < 1:
            _refuse("page_limit", self.page_limit, "no number of rows: write page_limit=100, or another")
        for name in ("seekable", "filters_by_change"):
            if not isinstance(getattr(self, name), bool):
                _refuse(name, getattr(self, name), "neither yes nor no: write True or False")
        if not isinstance(self.rate, Rate):
            _refuse("rate", self.rate, "no rate: write Rate(per_second=25, burst=50)")
        if not self.version_is_time:
            raise DeclarationError(
                "version_is_time=False is not supported yet: list no version, and declare Capability.EVENT_TIMED if "
                "webhooks carry whole items, else BARE"
            )
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


def check_span(name: str, span: Any, *, is_zero_one: bool = False) -> None:
    """DeclarationError unless it is a span of time, up to ten years. `is_zero_one`: whether none at all is one too."""
    is_span = isinstance(span, timedelta) and timedelta(0) <= span <= SPAN_MAX and (is_zero_one or bool(span))
    if not is_span:
        above = "timedelta(0) or more" if is_zero_one else "more than timedelta(0)"
        _refuse(name, span, f"no span of time here: write timedelta(seconds=…), {above}, and up to ten years")


def _check_word(name: str, word: Any, words: type[StrEnum]) -> None:
    if isinstance(word, words):
        return
    one = next((each for each in words if each == word), None)
    *most, last = (f"{words.__name__}.{each.name}" for each in words)
    named = f"{', '.join(most)} or {last}" if one is None else f"{words.__name__}.{one.name}"
    _refuse(name, word, f"no {words.__name__}: write {named}")


def _is_number(given: Any, *, least: float, most: float) -> bool:
    return isinstance(given, int | float) and least <= given <= most


def _refuse(name: str, given: Any, why: str) -> NoReturn:
    raise DeclarationError(f"{name}={_shown(given)} is {why}")


def _shown(given: Any) -> str:
    return f"{str(given) if isinstance(given, timedelta) else repr(given):.80}"
