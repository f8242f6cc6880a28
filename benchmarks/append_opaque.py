"""Appending in batches of 1,000 with random ids, onto an empty log and onto millions: the cost must not grow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import ours
from benchmarks.bare import BareLog
from benchmarks.events import envelopes
from benchmarks.figures import Check, Figure, Result, ratio
from benchmarks.machine import Disk
from benchmarks.rounds import Stopwatch, alternate
from benchmarks.sizes import Sizes
from tidings.log.log import Log

NAME = "append-opaque"
BATCH = 1_000
TARGET = 3
PIECE = 50_000
BARE, UNIQUE, OURS = "bare executemany, no index", "bare, UNIQUE (source, id)", "Log.append"


async def measure(folder: Path, sizes: Sizes) -> Result:
    figures: list[Figure] = []
    checks: list[Check] = []
    bare, unique = BareLog(folder / "bare.db"), BareLog(folder / "unique.db", unique=True)
    async with ours.open_log(ours.in_file(folder / "ours.db")) as log:
        sides = _Sides(log, bare, unique, sizes)
        for kept in sizes.kept:
            await sides.fill(kept)
            found, pauses = await sides.run(Disk(folder))
            figures += [_at(kept, figure) for figure in (*found.values(), *pauses)]
            if kept:
                name = f"Log.append / UNIQUE, {kept:,} kept"
                checks.append(ratio(name, found[OURS], found[UNIQUE], limit=TARGET))
    bare.close()
    unique.close()
    return Result(
        measure="append in batches of 1,000, random ids",
        figures=figures,
        checks=checks,
        notes=[
            "the unique index is filled in the order of arrival, so that its tree is the one it would have grown to, "
            "but in memory and without a journal, because that is quick; ours is filled by its own appends",
            "what a round of ours leaves to be merged waits for the next round: nothing is done while others are timed",
        ],
    )


def _at(kept: int, figure: Figure) -> Figure:
    return Figure(name=f"{figure.name}, {kept:,} kept", unit=figure.unit, rounds=figure.rounds, flushes=figure.flushes)


class _Sides:
    """The three logs, and how many events the ones that grow hold."""

    def __init__(self, log: Log, bare: BareLog, unique: BareLog, sizes: Sizes) -> None:
        self._log = log
        self._bare = bare
        self._unique = unique
        self._sizes = sizes
        self._seeds = count(1)
        self._kept = 0
        self._pauses: dict[str, list[float]] = {}

    async def fill(self, kept: int) -> None:
        """Bring both logs to so many events."""
        missing = max(0, kept - self._kept)
        seeds = [next(self._seeds) for _ in range(missing // PIECE)]
        for seed in seeds:
            given = envelopes(PIECE, seed=seed, opaque=True)
            await ours.append(self._log, given, batch=BATCH, watch=Stopwatch())
        if seeds:
            self._unique.fill(self._rows(seeds))
        self._kept += len(seeds) * PIECE

    def _rows(self, seeds: list[int]) -> Iterator[tuple[Any, ...]]:
        for seed in seeds:
            yield from self._unique.rows(envelopes(PIECE, seed=seed, opaque=True))

    async def run(self, disk: Disk) -> tuple[dict[str, Figure], list[Figure]]:
        """Return the rates, and the longest batch of each round in milliseconds."""
        self._pauses = {OURS: [], UNIQUE: []}
        found = await alternate(
            {BARE: self._run_bare, UNIQUE: self._run_unique, OURS: self._run_ours},
            disk,
            events=dict.fromkeys((BARE, UNIQUE, OURS), self._sizes.opaque),
            rounds=self._sizes.rounds,
        )
        self._kept += self._sizes.opaque * self._sizes.rounds
        pauses = [
            Figure(name=f"longest batch, {name}", unit="ms", rounds=rounds) for name, rounds in self._pauses.items()
        ]
        return found, pauses

    async def _run_bare(self) -> float:
        return self._timed(self._bare).total

    async def _run_unique(self) -> float:
        watch = self._timed(self._unique)
        self._pauses[UNIQUE].append(watch.longest * 1_000)
        return watch.total

    def _timed(self, log: BareLog) -> Stopwatch:
        rows, watch = log.rows(envelopes(self._sizes.opaque, seed=next(self._seeds), opaque=True)), Stopwatch()
        log.append(rows, batch=BATCH, watch=watch)
        return watch

    async def _run_ours(self) -> float:
        given, watch = envelopes(self._sizes.opaque, seed=next(self._seeds), opaque=True), Stopwatch()
        await ours.append(self._log, given, batch=BATCH, watch=watch)
        self._pauses[OURS].append(watch.longest * 1_000)
        return watch.total
