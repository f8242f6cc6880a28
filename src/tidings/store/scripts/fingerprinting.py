"""Scripts about tables that keep the hash of each row beside it, in four columns: what a range of them comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidings.errors import DeclarationError
from tidings.fingerprints.rows import Fingerprint, recombined
from tidings.store.scripts.script import Script, ask

AT_ONCE = 480
TableKey = str | int
KeyRange = tuple[TableKey | None, TableKey | None]
"""From the first key up to the second, without it; None: from the first row, to the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimbTable:
    """A table whose rows have their hash beside them. `limbs`: its columns, the lowest 32 bits first, BIGINT.

    `key`: a column of numbers, or of texts, which are then compared as bytes (`is_text`), whatever the table's
    collation is.
    """

    name: str
    key: str
    limbs: tuple[str, str, str, str] = ("h0", "h1", "h2", "h3")
    is_text: bool = False

    def __post_init__(self) -> None:
        for name in (self.name, self.key, *self.limbs):
            if not name.replace("_", "a").replace(".", "a").isalnum() or not name.isascii():
                raise DeclarationError(f"{name!r:.80} is no name of a table or a column: letters, digits and _")

    @property
    def ordered(self) -> str:
        """The key as it is compared."""
        return f'{self.key} COLLATE "C"' if self.is_text else self.key


def fingerprints(table: LimbTable, ranges: Sequence[KeyRange]) -> Script[list[Fingerprint]]:
    """Return the fingerprint of each range, in one query where there are not more than SQLite joins in one."""
    sums = ", ".join(f"coalesce(sum({limb}), 0)" for limb in table.limbs)
    found: list[Fingerprint] = []
    for start in range(0, len(ranges), AT_ONCE):
        held: list[TableKey] = []
        parts = [
            f"SELECT {place}, count(*), {sums} FROM {table.name}{_where(table, each, held)}"
            for place, each in enumerate(ranges[start : start + AT_ONCE])
        ]
        rows = yield from ask(" UNION ALL ".join(parts), *held)
        found += [recombined(int(count), map(int, each)) for _, count, *each in sorted(rows)]
    return found


def cuts(table: LimbTable, within: KeyRange, *, count: int, ways: int) -> Script[list[TableKey]]:
    """Return the keys that cut a range of so many rows into so many parts of as many rows each."""
    held: list[TableKey] = []
    where, step = _where(table, within, held), max(count // ways, 1)
    numbered = f"SELECT {table.key} AS k, row_number() OVER (ORDER BY {table.ordered}) AS n FROM {table.name}{where}"
    rows = yield from ask(f"SELECT k FROM ({numbered}) AS r WHERE n > 1 AND n % {step} = 1 % {step} ORDER BY n", *held)
    return [key for (key,) in rows[: ways - 1]]


def hashes(table: LimbTable, within: KeyRange) -> Script[dict[TableKey, tuple[int, ...]]]:
    """Return the limbs of each row of a range, by key."""
    held: list[TableKey] = []
    columns = ", ".join((table.key, *table.limbs))
    rows = yield from ask(f"SELECT {columns} FROM {table.name}{_where(table, within, held)}", *held)
    return {row[0]: row[1:] for row in rows}


def _where(table: LimbTable, within: KeyRange, held: list[TableKey]) -> str:
    said = []
    for bound, sign in zip(within, (">=", "<"), strict=True):
        if bound is not None:
            held.append(bound)
            said.append(f"{table.ordered} {sign} ${len(held)}")
    return f" WHERE {' AND '.join(said)}" if said else ""
