"""What a bound is told but for: what is suspected, what cannot be read, what is parked. With too many of them it stands
still where it stood before, as that is what was told last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from tidings.reconciliation.kept.coding import Dirty, Finding, Reading, Suspect, known_of, stood_bytes, stood_of
from tidings.reconciliation.kept.findings import Findings, waiting_of
from tidings.reconciliation.kept.notes import THERE
from tidings.reconciliation.rules.floors import NEVER, NOTHING
from tidings.reconciliation.rules.places import Range
from tidings.store.note_store import Note, NoteUnit

S = TypeVar("S", Suspect, Dirty, Reading)
EXCEPTIONS_MAX = 100
"""With more of them no bound moves: "right but for so many" says little."""
STOOD = "stood"
"""The kind of the note that says where the bounds stood when there came to be too many."""


class Exceptions(Findings):
    """The exceptions of a scope, and its bounds, in a unit that holds it."""

    def __init__(self, unit: NoteUnit, scope: str) -> None:
        super().__init__(unit, scope)
        self._removed = 0
        self._had_too_many: bool | None = None

    async def suspects(self, range: Range) -> dict[bytes, Suspect]:
        return suspects_of(await self._over("suspect", range))

    async def suspect(self, at: bytes) -> Suspect | None:
        body = (await self._noted("suspect", [at])).get(at)
        return None if body is None else msgspec.msgpack.decode(body, type=Suspect)

    async def suspects_at(self, places: Iterable[bytes]) -> dict[bytes, Suspect]:
        return suspects_of((await self._noted("suspect", places)).items())

    async def write_suspects(self, suspects: Mapping[bytes, Suspect | None]) -> None:
        is_more = any(each is not None for each in suspects.values())
        await self._note_excepted("suspect", {at: packed(each) for at, each in suspects.items()}, is_more=is_more)
        self._removed += sum(each is None for each in suspects.values())

    async def dirty(self, limit: int | None = None) -> Sequence[Dirty]:
        return [msgspec.msgpack.decode(body, type=Dirty) for _, body in await self._between("dirty", limit=limit)]

    async def dirty_of(self, keys: Iterable[str]) -> Mapping[str, Dirty]:
        found = await self._noted("dirty", [key.encode() for key in keys])
        return {key.decode(): msgspec.msgpack.decode(body, type=Dirty) for key, body in found.items()}

    async def write_dirty(self, keys: Mapping[str, Dirty | None]) -> None:
        is_more = any(each is not None and each.is_given_up for each in keys.values())
        await self._note_excepted("dirty", {key.encode(): packed(each) for key, each in keys.items()}, is_more=is_more)

    async def write_parked(self, findings: Iterable[Finding]) -> None:
        parked = waiting_of(findings)
        await self._note_excepted("parked", parked, is_more=bool(parked))

    async def bounds(self) -> tuple[int, int]:
        """Return up to when all states, and what is absent, may be told to be known; NEVER where that is not proved."""
        if not await self._are_too_many():
            return bounds_told(await self._between("floor"))
        stood = (await self._noted(STOOD, [THERE])).get(THERE)
        return (NEVER, NEVER) if stood is None else stood_of(stood)

    async def _note_excepted(self, kind: str, notes: Mapping[bytes, bytes | None], *, is_more: bool) -> None:
        if is_more and self._had_too_many is None:
            self._had_too_many = await self._are_too_many(self._removed)
        await self._note(kind, notes)
        if is_more and not self._had_too_many and await self._are_too_many():
            self._had_too_many = True
            await self._note(STOOD, {THERE: stood_bytes(bounds_told(await self._between("floor")))})

    async def _are_too_many(self, more: int = 0) -> bool:
        most = EXCEPTIONS_MAX - more
        for kind in ("suspect", "parked"):
            most -= len(await self._between(kind, limit=EXCEPTIONS_MAX + 1))
        return most < 0 or most < sum(each.is_given_up for each in await self.dirty())


def bounds_told(floors: Sequence[Note]) -> tuple[int, int]:
    """Return the bounds that follow from all floors that are kept of a scope, by place."""
    known = [known_of(body) for _, body in floors]
    if not floors or floors[0][0]:  # the first one begins where the order does
        known.append(NOTHING)
    upserts = min(each.shown_put for each in known)
    return upserts, min(upserts, *(each.shown_delete for each in known))


def suspects_of(notes: Iterable[Note]) -> dict[bytes, Suspect]:
    """Return what is suspected, by place."""
    return {at: msgspec.msgpack.decode(body, type=Suspect) for at, body in notes}


def packed(each: S | None) -> bytes | None:
    """Return what is kept of it."""
    return None if each is None else msgspec.msgpack.encode(each)
