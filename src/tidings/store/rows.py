"""Views as a store sees them: tables with typed columns, rows with ranks. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

Key = tuple[Any, ...]
"""A row's key: the values of its key columns, in their order, as stored."""

ColumnKind = Literal["text", "integer", "real", "boolean", "blob", "time", "decimal", "json"]
"""What a column holds. Stored values: str, int, float, bool, bytes, int (µs since 1970), str, str (JSON)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column; `nullable` columns may hold None."""

    name: str
    kind: ColumnKind
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTable:
    """One physical table of a view. `version` counts the tables of the view: rebuilding makes the next one.

    `spans`: rows may hold events of several subjects, so their entries are noted in a members table beside it.
    """

    service: str
    view: str
    version: int
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    spans: bool = False

    @property
    def name(self) -> str:
        """The table's name; readers use `public_name`."""
        return f"{self.service}_{self.view}__v{self.version}"

    @property
    def consumer(self) -> str:
        """The name of the consumer that folds the table, under which its subjects are parked."""
        return f"{self.service}.{self.view}@{self.version}"

    @property
    def public_name(self) -> str:
        """The name of the SQL view over the current table, without tombstones."""
        return f"{self.service}_{self.view}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRecord:
    """A table and its state: one `current` per view; `building` beside it; `replaced` after a swap.

    `shape` fingerprints columns, key, rank and the declared version; `mode` is how it is kept.
    """

    table: ViewTable
    state: Literal["current", "building", "replaced"]
    shape: str
    mode: Literal["async", "inline"]
    declared: int = 1
    types: tuple[str, ...] = ()


class Rank(NamedTuple):
    """What orders two states of one row: compared as a tuple.

    `at`: the item's version, or the event's time in µs; `settled`: 1 once proved final; `kind`: 0 put, 1 delete;
    `hash`: the identity hash of the event, for equal times.
    """

    at: int
    settled: int
    kind: int
    hash: int


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: `values` parallel to the columns, `rank` of the last event in it, `position` the highest folded in.

    A row of kind 1 is a tombstone; its columns but the key hold None or anything: nobody reads them.
    """

    values: tuple[Any, ...]
    rank: Rank
    position: int

    @property
    def is_tombstone(self) -> bool:
        return self.rank.kind == 1
