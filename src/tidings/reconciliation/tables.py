"""Two SQL tables that keep hashes beside their rows, compared by what the databases sum: only what differs is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tidings.errors import DeclarationError
from tidings.fingerprints.frames import LEVELS_MAX
from tidings.fingerprints.rows import Fingerprint, recombined
from tidings.ports import Clock
from tidings.store.scripts.fingerprinting import KeyRange, LimbTable, TableKey, cuts, fingerprints, hashes

WAYS = 32
LEAF = 16_384
GRACE_SECONDS = 30.0

Run = Callable[[Any], Awaitable[Any]]
"""Runs a script of `tidings.store.scripts`. All scripts of one comparison have to see one snapshot."""


@dataclass(frozen=True, slots=True)
class TableSide:
    """One of two tables, and what runs its queries."""

    table: LimbTable
    run: Run


@dataclass(frozen=True, slots=True)
class RowPair:
    """A key whose rows differ: the hash on each side, None for no row."""

    ours: int | None
    theirs: int | None


async def differing(ours: TableSide, theirs: TableSide) -> dict[TableKey, RowPair]:
    """Return the keys whose rows differ, in the two snapshots.

    One query a level on each side, and one more where a range is cut, by the quantiles of the side with more rows.
    DeclarationError if there is no end after as many levels as two peers may have: where both sides order keys alike,
    each level has ranges of a part of the rows.
    """
    found: dict[TableKey, RowPair] = {}
    level: list[KeyRange] = [(None, None)]
    for _ in range(LEVELS_MAX):
        below: list[KeyRange] = []
        for within, here, there in await _compared(ours, theirs, level):
            if max(here.rows, there.rows) < LEAF:
                found |= await _rows(ours, theirs, within)
            else:
                below += await _cut(ours if here.rows >= there.rows else theirs, within, max(here.rows, there.rows))
        if not below:
            return found
        level = below
    names = f"{ours.table.name} and {theirs.table.name}"
    raise DeclarationError(
        f"{names}: no end after {LEVELS_MAX} levels, so the two order their keys differently: compare keys that are "
        "texts as bytes (a binary collation) on both sides, by LimbTable(…, is_text=True)"
    )


async def lasting(look: Callable[[], Awaitable[dict[TableKey, RowPair]]], clock: Clock) -> dict[TableKey, RowPair]:
    """Return the differences that are still there after a while: what was on its way meanwhile is none.

    `look`: compares, in two new snapshots each time.
    """
    first = await look()
    if not first:
        return first
    await clock.sleep(GRACE_SECONDS)
    again = await look()
    return {key: pair for key, pair in again.items() if first.get(key) == pair}


async def _compared(
    ours: TableSide, theirs: TableSide, level: Sequence[KeyRange]
) -> list[tuple[KeyRange, Fingerprint, Fingerprint]]:
    """Return the ranges that differ, with both fingerprints."""
    here, there = await asyncio.gather(
        ours.run(fingerprints(ours.table, level)), theirs.run(fingerprints(theirs.table, level))
    )
    return [each for each in zip(level, here, there, strict=True) if each[1] != each[2]]


async def _cut(side: TableSide, range: KeyRange, count: int) -> Iterable[KeyRange]:
    return pairwise([range[0], *await side.run(cuts(side.table, range, count=count, ways=WAYS)), range[1]])


async def _rows(ours: TableSide, theirs: TableSide, range: KeyRange) -> dict[TableKey, RowPair]:
    here, there = await asyncio.gather(ours.run(hashes(ours.table, range)), theirs.run(hashes(theirs.table, range)))
    differing = {key for key, _ in here.items() ^ there.items()}
    return {key: RowPair(_hash(here.get(key)), _hash(there.get(key))) for key in differing}


def _hash(limbs: tuple[int, ...] | None) -> int | None:
    """Return the hash that these are the limbs of: only of rows that differ, which are few of those that are read."""
    return None if limbs is None else recombined(1, map(int, limbs)).sum
