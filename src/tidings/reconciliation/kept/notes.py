"""Notes of one scope, by what they are of, in a unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tidings.reconciliation.kept.coding import place_key
from tidings.reconciliation.rules.places import Range
from tidings.store.note_store import Note, NoteUnit, Span

THERE = b""
"""The key of a note that is the only one of its kind."""


class Notes:
    """The notes of a scope, in a unit that holds it."""

    def __init__(self, unit: NoteUnit, scope: str) -> None:
        self.unit = unit
        self._scope = scope
        self._ahead: dict[Span, Sequence[Note] | None] = {}

    async def look_ahead(self, spans: Sequence[Span]) -> None:
        """Read at once what will be read in this unit: each once, and nothing of a kind that was changed meanwhile."""
        self._ahead = dict(zip(spans, await self.unit.notes_within(self._scope, spans), strict=True))

    async def _noted(self, kind: str, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        wanted = list(keys)
        return await self.unit.noted(self._scope, kind, wanted) if wanted else {}

    async def _note(self, kind: str, notes: Mapping[bytes, bytes | None]) -> None:
        if notes:
            for span in [each for each in self._ahead if each.kind == kind]:
                del self._ahead[span]
            await self.unit.note(self._scope, kind, notes)

    async def _between(
        self,
        kind: str,
        *,
        after: bytes | None = None,
        upto: bytes | None = None,
        limit: int | None = None,
        falling: bool = False,
    ) -> Sequence[Note]:
        return await self._of(Span(kind, after, upto, limit, falling))

    async def _of(self, span: Span) -> Sequence[Note]:
        known = self._ahead.pop(span, None)
        if known is not None:
            return known
        return await self.unit.notes_between(
            self._scope, span.kind, after=span.after, upto=span.upto, limit=span.limit, falling=span.falling
        )

    def _is_alike(self, span: Span) -> bool:
        """Say whether these notes were found alike to what they were compared with."""
        return self._ahead.get(span, ()) is None

    async def _over(self, kind: str, range: Range) -> Sequence[Note]:
        if range.is_empty:
            return []
        return await self._between(kind, after=place_key(range.after), upto=end_of(range))


def end_of(range: Range) -> bytes | None:
    """Return the bytes of where a range ends; None: it does not."""
    return None if range.end is None else place_key(range.end)


def pair(one: str, other: str) -> bytes:
    """Return the key of a note that joins two ids, in the order of the first."""
    return one.encode() + b"\x00" + other.encode()
