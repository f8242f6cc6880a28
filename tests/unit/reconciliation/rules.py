"""Each rule taken out, by patching what keeps it, and the kinds of providers in which that is to show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.reconciliation.model_provider import Kind
from tidings.reconciliation.copy import mirror
from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.rules.facts import Capability, Paging
from tidings.reconciliation.rules.floors import NEVER, NOTHING, Known
from tidings.reconciliation.rules.judging import Judgement, Read, Verdict, judge, rank_of
from tidings.reconciliation.rules.judging import Kind as Found
from tidings.reconciliation.rules.merging import Merge, merged
from tidings.reconciliation.rules.proofs import Proof
from tidings.reconciliation.rules.stamps import Stamp, Stamps
from tidings.reconciliation.runs import answering, changing, pages, purging, running, taking, verifying
from tidings.reconciliation.runs.answering import Answered
from tidings.store.rows import Rank

V, C, X = Capability.VERSIONED, Capability.EVENT_TIMED, Capability.BARE
Patch = pytest.MonkeyPatch
FAULTS: dict[str, Any] = {"errors": 0.08, "short": 0.2}
BUSY: dict[str, Any] = {"is_busy": True}
CLOSE: dict[str, Any] = {"is_close": True, "page": 16, "every": 2.0}
SELDOM: dict[str, Any] = {"changes": True, "page": 16, "every": 60.0}
LIES: dict[str, Any] = {"drops": 0.1, "empties": 0.04}

HONEST = [
    Kind(capability=capability, **{**given, **more})
    for capability in (V, C, X)
    for given in (
        {},
        FAULTS,
        {"lag": 3.0, **FAULTS},
        {"paging": Paging.SNAPSHOT, **FAULTS},
        {"paging": Paging.OFFSET, **FAULTS},
        {"cursor_life": 0.9, **FAULTS},
        {"cursor_life": 0.9, "seekable": False, **FAULTS},
        {"tick": 0.001, **FAULTS},
    )
    for more in ({}, {"is_stressed": True})
] + [
    Kind(capability=capability, changes=True, **given, **FAULTS)
    for capability in (V, C)
    for given in (
        {},
        {"is_busy": True},
        {"lag": 3.0},
        {"index_lag": 5.0},
        {"lag": 3.0, "index_lag": 5.0},
        {"is_stressed": True},
        {"is_busy": True, "lag": 3.0},
        {"is_busy": True, "is_stressed": True, "index_lag": 5.0},
    )
]
HONEST += [Kind(capability=capability, **CLOSE, **FAULTS) for capability in (V, C, X)]
HONEST += [
    Kind(capability=capability, **given, **FAULTS)
    for capability in (V, C)
    for given in (
        {"changes": True, "index_lag": 5.0, **CLOSE},
        {"tick": 0.001, **BUSY, **CLOSE},
        {"lag": 3.0, **SELDOM},
        {"index_lag": 5.0, **SELDOM},
        {"lag": 3.0, "index_lag": 5.0, **SELDOM},
    )
]


@contextmanager
def scaled() -> Iterator[Patch]:
    """Have limits that were made for thousands of items be of use for sixteen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taking, "hold_limit", lambda live: max(2, live // 4))
        for module in (running, verifying):
            patch.setattr(module, "hold_limit", lambda live: max(3, live // 3))
            patch.setattr(module, "DAY_US", 10_000_000)
        patch.setattr(
            "tidings.reconciliation.runs.beginning.LIES", 10**9
        )  # else lies end in presence only, and prove nothing
        yield patch


@dataclass(frozen=True, slots=True)
class Off:
    """A rule taken out. `shows`: in what of the outcome; "refused": the log refuses to keep what is appended. `first`:
    a seed in which it does."""

    kinds: tuple[Kind, ...]
    patch: Callable[[Patch], None] = lambda patch: None
    shows: str = "violations"
    first: int = 0


def _stamped_when_written(patch: Patch) -> None:
    def stamp(self: Any, asked: Any, *, least: int, kept: Any) -> Stamp:
        return Stamp(asked.date // self._tick * self._tick)

    patch.setattr(Stamps, "stamp", stamp)


def _may_fall(patch: Patch) -> None:
    stamp = Stamps.stamp
    patch.setattr(Stamps, "stamp", lambda self, asked, *, least, kept: stamp(self, asked, kept=kept))
    patch.setattr(Stamps, "_before", lambda self, began: NEVER)


def _no_floor(patch: Patch) -> None:
    patch.setattr(mirror, "merged", lambda *given, **named: Merge.BY_RANK)


def _floor_later(patch: Patch) -> None:
    prove = taking.Taking._prove

    async def later(self: Any, book: Book, there: Any, run: Any, taken: Any, page: Any) -> None:
        from tests.unit.reconciliation import model_two

        async def act() -> None:
            await asyncio.sleep(2.0)
            async with model_two.WORLD[-1].scope._verifying._holding.open() as (_, held, _record):
                floors = await held.floors(taken.looked.range)
                to = Known(put=taken.as_of, delete=taken.as_of)
                await held.write_floors(floors, floors.raised(taken.looked.range, to))

        await prove(self, book, there, run, taken, page)
        model_two.WORLD[-1].telling.add(asyncio.ensure_future(act()))

    patch.setattr(taking, "Known", lambda **given: NOTHING)
    patch.setattr(taking.Taking, "_prove", later)


def _no_base(patch: Patch) -> None:
    for module in (pages, answering):
        patch.setattr(module, "newer", lambda held, finding: None if held is None else held.rank)


def _old_reads(patch: Patch) -> None:
    for module in (taking, answering):
        patch.setattr(module, "floor_of", lambda *given: NEVER)


def _ours_is_newer(*, by_version: bool = False) -> Callable[[Patch], None]:
    """Leave what went back. `by_version`: rank by its version also what is back once its tombstone was purged."""

    def apply(patch: Patch) -> None:
        def lenient(read: Read, base: Rank | None, floor: int, capability: Capability) -> Judgement:
            found = judge(read, base, floor, capability)
            if by_version and found.kind is Found.MISSING:
                return replace(found, rank=rank_of(read, capability))
            return Judgement(Verdict.NEWER_HERE) if found.kind in (Found.WENT_BACK, Found.DIFFERS) else found

        for module in (taking, answering):
            patch.setattr(module, "judge", lenient)

    return apply


async def _nothing(*given: Any) -> None:
    return None


def _from_the_last_pass(patch: Patch) -> None:
    """Read what has changed since the last pass began, whatever its list trailed by then, and see no gap in that."""
    patch.setattr(changing, "since_of", lambda upserts, facts: upserts + facts.index_ticks + facts.tick_us)


def _but_gaps_are_seen(patch: Patch) -> None:
    seen = changing.since_of
    patch.setattr(changing, "has_gap", lambda since, upserts, facts: upserts == NEVER or since > seen(upserts, facts))


def _no_closing(patch: Patch) -> None:
    following = changing.Changing._next

    async def without(self: Any, run: Any, stopping: Any) -> Any:
        is_listed = run.is_listed and not run.presence_only
        return await (self._prove(run) if is_listed else following(self, run, stopping))

    patch.setattr(changing.Changing, "_next", without)


def _by_absence(patch: Patch) -> None:
    async def delete(self: Any, run: Any, group: Any) -> Any:
        for each in group:
            async with self._holding.held() as (unit, book, record):
                if await book.suspect(each.at) != each:
                    continue
                said = Answered(key=each.key, at=each.at, copy=None, as_of=each.as_of, ticket=each.ticket)
                followed = await self._answering.suspect(book, run, each, said, now=self._holding.now, is_only=False)
                record, run = await self._followed(unit, record, run, followed)
                await book.write(record)
                await book.write_run(run)
        return run

    patch.setattr(verifying.Verifying, "suspects", delete)


def _no_control(patch: Patch) -> None:
    async def believed(self: Any, control: str) -> bool:
        return True

    patch.setattr(verifying.Verifying, "_is_believed", believed)


def _no_breaker(patch: Patch) -> None:
    for module in (taking, running, verifying):
        patch.setattr(module, "hold_limit", lambda live: 10**9)


def _not_waiting(which: str) -> Callable[[Patch], None]:
    def apply(patch: Patch) -> None:
        prove = Book.prove

        async def hasty(self: Book, id: str, proof: Proof, floors: Any) -> Any:
            puts = frozenset(each for each in proof.puts if not each.startswith(which))
            deletes = frozenset(each for each in proof.deletes if not each.startswith(which))
            return await prove(self, id, replace(proof, puts=puts, deletes=deletes), floors)

        patch.setattr(Book, "prove", hasty)

    return apply


def _overlaps(patch: Patch) -> None:
    async def of_page(book: Book, keys: Any, ticket: int, *, now: int) -> frozenset[str]:
        return frozenset()

    async def end(book: Book, record: Any, key: str, ticket: int) -> bool:
        await book.write_readings({key: None})
        return False

    patch.setattr(taking, "of_page", of_page)
    patch.setattr(verifying, "end", end)


def _late_is_late(patch: Patch) -> None:
    def hasty(*given: Any, **named: Any) -> Merge:
        found = merged(*given, **named)
        return Merge.LATE if found is Merge.LATE_UNKNOWN else found

    patch.setattr(mirror, "merged", hasty)


def _both(*patches: Callable[[Patch], None]) -> Callable[[Patch], None]:
    def apply(patch: Patch) -> None:
        for each in patches:
            each(patch)

    return apply


def _stressed(*kinds: Kind) -> tuple[Kind, ...]:
    return tuple(each for kind in kinds for each in (kind, replace(kind, is_stressed=True)))


def _set(target: Any, name: str, value: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(target, name, value)


LAGGING = tuple(Kind(capability=each, index_lag=5.0, **SELDOM) for each in (V, C))
OFF: Mapping[str, Off] = {
    "R1 reads are dated by their end: C": Off(_stressed(Kind(capability=C)), _stamped_when_written),
    "R1 reads are dated by their end: X": Off(_stressed(Kind(capability=X)), _stamped_when_written),
    "R2 a replica lag of 3 s is not declared": Off(_stressed(Kind(lag=3.0, claims=(("replica_lag", timedelta(0)),)))),
    "R3 pages of a snapshot are dated each by itself": Off(
        _stressed(*(Kind(capability=each, paging=Paging.SNAPSHOT, tick=0.001, **BUSY, **FAULTS) for each in (V, C))),
        _set(running.Running, "_as_of", lambda self, run, read: read.as_of),
    ),
    "R4 what a later read proves may be less": Off((Kind(capability=C, tick=0.001, **BUSY, **CLOSE),), _may_fall),
    "no floor": Off(_stressed(Kind(), Kind(capability=C)), _no_floor),
    "R5 the floor is raised 2 s later": Off(_stressed(Kind(**BUSY), Kind(capability=C, **BUSY)), _floor_later, first=2),
    "R6 open findings are not looked at": Off(
        (Kind(is_stressed=True, **BUSY), Kind(capability=C, is_stressed=True, **BUSY)), _no_base, "refused"
    ),
    "R7 old reads are taken": Off(
        tuple(Kind(capability=each, changes=True, index_lag=5.0, **CLOSE) for each in (V, C)), _old_reads, first=2
    ),
    "R8 what went back is left, or ranked by its version, deletes by absence": Off(
        _stressed(Kind(drops=0.1)), _both(_by_absence, _no_breaker, _ours_is_newer(by_version=True)), "differs"
    ),
    "R10 no floors of keys": Off(
        _stressed(*(Kind(capability=each, changes=True, **BUSY) for each in (V, C))),
        _set(Book, "write_key_floors", _nothing),
        first=1,
    ),
    "R11 no overlap, no closing page, index lag 5 s": Off(LAGGING, _both(_from_the_last_pass, _no_closing)),
    "no closing page, replica lag": Off(
        _stressed(Kind(changes=True, lag=3.0, every=60.0, **BUSY)), _no_closing, first=1
    ),
    "no closing page, index lag": Off((Kind(changes=True, index_lag=5.0, every=60.0),), _no_closing, first=2),
    "R12 absence is a delete": Off(_stressed(Kind(drops=0.1)), _both(_by_absence, _no_breaker), "wrong_deletes"),
    "R12-R14 no control, no breaker": Off(
        _stressed(Kind(denies=0.02, **LIES)), _both(_no_control, _no_breaker), "wrong_deletes"
    ),
    "R12 no control": Off(_stressed(Kind(denies=0.02, **LIES)), _no_control, "wrong_deletes"),
    "R15 a proof waits for no finding": Off(_stressed(Kind()), _not_waiting("f:")),
    "R15 a proof waits for nothing": Off(_stressed(Kind()), _not_waiting("")),
    "R16 a refold decides by the present floor": Off((Kind(),), shows="differs_now"),
    "R18 reads that overlap are taken": Off((Kind(capability=X, **BUSY, **CLOSE),), _overlaps, "back", first=3),
    "offset paging is declared keyset": Off(_stressed(Kind(paging=Paging.OFFSET, claims=(("paging", Paging.KEYSET),)))),
}
RETURNING: tuple[dict[str, Any], ...] = ({}, BUSY, CLOSE)
COMPARED: Mapping[str, Off] = {
    "R11 no overlap, index lag 5 s": Off(LAGGING, _from_the_last_pass),
    "R11 no overlap and no closing page, and the gap is seen": Off(
        LAGGING, _both(_but_gaps_are_seen, _from_the_last_pass, _no_closing)
    ),
    "R17 a tombstone goes with the next pass": Off(
        _stressed(*(Kind(capability=each, **BUSY) for each in (V, C, X))),
        _set(purging, "is_needed", lambda *given, **named: False),
    ),
    "R17 the same, where items come back as they were": Off(
        tuple(Kind(capability=each, returns=True, is_stressed=True, **given) for each in (V, C) for given in RETURNING),
        _set(purging, "is_needed", lambda *given, **named: False),
        "differs",
    ),
    "R18 all rules": Off((Kind(capability=X, **BUSY, **CLOSE),), shows="back"),
    "lies, all rules": Off(_stressed(Kind(denies=0.02, **LIES))),
    "lies, R14 off": Off(_stressed(Kind(denies=0.02, **LIES)), _set(taking, "hold_limit", lambda live: 10**9)),
    "lies, R19 off": Off(_stressed(Kind(denies=0.02, **LIES)), _late_is_late),
    "R8 what went back is left, deletes by absence": Off(
        _stressed(Kind(drops=0.1)), _both(_by_absence, _no_breaker, _ours_is_newer()), "differs"
    ),
    "absence is a delete, R8 on": Off(_stressed(Kind(drops=0.1)), _both(_by_absence, _no_breaker), "differs"),
}
