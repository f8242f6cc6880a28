"""Notes of one scope, by what they are of, in a unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tidings.reconciliation.kept.coding import place_key
from tidings.reconciliation.rules.places import Range
from tidings.store.note_store import NoteUnit

THERE = b""
"""The key of a note that is the only one of its kind."""


class Notes:
    """The notes of a scope, in a unit that holds it."""

    def __init__(self, unit: NoteUnit, scope: str) -> None:
        self.unit = unit
        self._scope = scope

    async def _noted(self, kind: str, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        wanted = list(keys)
        return await self.unit.noted(self._scope, kind, wanted) if wanted else {}

    async def _note(self, kind: str, notes: Mapping[bytes, bytes | None]) -> None:
        if notes:
            await self.unit.note(self._scope, kind, notes)

    async def _between(
        self,
        kind: str,
        *,
        after: bytes | None = None,
        upto: bytes | None = None,
        limit: int | None = None,
        falling: bool = False,
    ) -> Sequence[tuple[bytes, bytes]]:
        return await self.unit.notes_between(self._scope, kind, after=after, upto=upto, limit=limit, falling=falling)

    async def _over(self, kind: str, range: Range) -> Sequence[tuple[bytes, bytes]]:
        if range.is_empty:
            return []
        return await self._between(kind, after=place_key(range.after), upto=end_of(range))


def end_of(range: Range) -> bytes | None:
    """Return the bytes of where a range ends; None: it does not."""
    return None if range.end is None else place_key(range.end)


def pair(one: str, other: str) -> bytes:
    """Return the key of a note that joins two ids, in the order of the first."""
    return one.encode() + b"\x00" + other.encode()
