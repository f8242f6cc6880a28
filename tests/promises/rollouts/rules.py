"""The planner's decisions as a town takes them, and each of them once taken wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidings.operations import gates
from tidings.store.versions import EventVersion, VersionLease
from tidings.versions import predicates
from tidings.versions.admission import lacking
from tidings.versions.answer import Reason
from tidings.versions.census import Census

Judge = Callable[..., Sequence[Reason]]


def unchanged(census: Census) -> Census:
    return census


@dataclass(frozen=True)
class Rules:
    """`seen`: what is made of the census before it is judged. The others: what is asked before each act."""

    seen: Callable[[Census], Census] = unchanged
    switch: Judge = predicates.may_switch
    support: Judge = predicates.may_retire_support
    step: Judge = predicates.may_retire_step
    rollback: Judge = predicates.may_rollback
    replay: Judge = predicates.may_replay
    retire: Judge = predicates.may_retire
    close: Judge = gates._may_close
    is_known: Callable[[Census, EventVersion], bool] = gates._is_known
    lacks: Callable[[Census, Sequence[VersionLease]], str] = lacking
    asks_at_join: bool = True
    asks_on_waking: bool = True
    waits_for_appends: bool = True
    counts_repairs: bool = True


def _always(*_: Any) -> list[Reason]:
    return []


def _newest(census: Census) -> Census:
    """Have the newest instance of each consumer stand for all of them."""
    newest: dict[tuple[str, ...], VersionLease] = {}
    for each in sorted(census.leases, key=lambda lease: int(lease.instance)):
        newest[each.role, each.service, each.consumer, each.type] = each
    return replace(census, leases=tuple(newest.values()))


def _without(place: str) -> Callable[[Census], Census]:
    return lambda census: replace(census, waiting=tuple(each for each in census.waiting if each.place != place))


def _without_patterns(census: Census) -> Census:
    return replace(census, endpoints=tuple(replace(each, reads_data=False) for each in census.endpoints))


def _closing_closed(census: Census) -> Census:
    return replace(census, versions=tuple(_shut(each) for each in census.versions))


def _shut(row: EventVersion) -> EventVersion:
    return replace(row, gate="closed") if row.gate == "closing" else row


FAULTS: Mapping[str, Rules] = {
    # each predicate, weakened to yes
    "a producer may always switch": Rules(switch=_always),
    "support may always go": Rules(support=_always),
    "a step may always go": Rules(step=_always),
    "a release may always come back": Rules(rollback=_always),
    "entries may always be read again": Rules(replay=_always),
    "a version may always be retired": Rules(retire=_always),
    "a version may always be closed": Rules(close=_always),
    "closing is taken for closed": Rules(is_known=lambda census, row: True),
    "every instance is admitted": Rules(lacks=lambda census, leases: ""),
    "admission is skipped at join": Rules(asks_at_join=False),
    "admission is skipped on waking": Rules(asks_on_waking=False),
    "what is under way counts as appended": Rules(waits_for_appends=False),
    "repairs of copies are no emission": Rules(counts_repairs=False),
    # each fact, left out of what they are asked of
    "only the newest instance is judged": Rules(seen=_newest),
    "dead letters are left out": Rules(seen=_without("dead")),
    "the outbox is left out": Rules(seen=_without("outbox")),
    "deliveries are left out": Rules(seen=_without("delivery")),
    "dead deliveries are left out": Rules(seen=_without("given-up")),
    "the version of a pattern is ignored": Rules(seen=_without_patterns),
    "pins are left out": Rules(seen=lambda census: replace(census, endpoints=())),
    "what a view reads again is left out": Rules(seen=lambda census: replace(census, stored={})),
    "what stands before a checkpoint is left out": Rules(seen=lambda census: replace(census, transit={})),
    "what is closing is not produced": Rules(seen=_closing_closed),
}
