"""The part of a store that keeps what is noted of a scope: a kind of entity that is reconciled with another system.

A note is bytes under a kind and a key of bytes, by which notes of a kind are in order. What they say is not the store's
to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Note = tuple[bytes, bytes]
"""A key and what is noted under it."""


@dataclass(frozen=True, slots=True)
class Alike:
    """What notes are compared with: the key of each, and of its body what is at `part`, all joined; `count`: of notes.

    Where one ends and the next begins is for whoever compares to know, and that none of their bodies is empty: of such
    a one SQLite has no part, while PostgreSQL has an empty one."""

    part: slice
    joined: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Span:
    """Notes of one kind: see `NoteStore.notes_between`. `unless`: if they are alike to this, they need not be told."""

    kind: str
    after: bytes | None = None
    upto: bytes | None = None
    limit: int | None = None
    falling: bool = False
    unless: Alike | None = field(default=None, compare=False)


class NoteStore(Protocol):
    """Reading, outside of units: each call is as of one moment."""

    async def scopes(self) -> Sequence[str]:
        """Return the names of all scopes that anything was noted of, sorted."""

    async def notes_between(
        self,
        scope: str,
        kind: str,
        *,
        after: bytes | None = None,
        upto: bytes | None = None,
        limit: int | None = None,
        falling: bool = False,
    ) -> Sequence[Note]:
        """Return notes by key, after `after`, up to `upto` and with it; `falling`: the last first."""

    async def count_notes(self, scope: str) -> Mapping[str, int]:
        """Return how many notes of each kind there are."""

    async def forget_scope(self, scope: str) -> None:
        """Remove a scope and all that is noted of it."""

    @property
    def noting(self) -> NoteUnit:
        """What notes as units do, in the store of a transaction that is open. RefusedError in any other."""


class NoteUnit(Protocol):
    """In a unit."""

    async def hold(self, scope: str) -> None:
        """Wait until nobody holds the scope, and hold it until the unit ends: what is noted of it is ours to change.

        A back end may wait with what the unit does next."""

    async def noted(self, scope: str, kind: str, keys: Iterable[bytes]) -> Mapping[bytes, bytes]:
        """Return what is noted under these keys."""

    async def notes_between(
        self,
        scope: str,
        kind: str,
        *,
        after: bytes | None = None,
        upto: bytes | None = None,
        limit: int | None = None,
        falling: bool = False,
    ) -> Sequence[Note]:
        """As `NoteStore.notes_between`, with what this unit has noted."""

    async def notes_within(self, scope: str, spans: Sequence[Span]) -> Sequence[Sequence[Note] | None]:
        """Return what `notes_between` does of each of these, at once; None of notes that are alike to `unless`."""

    async def note(self, scope: str, kind: str, notes: Mapping[bytes, bytes | None]) -> None:
        """Keep these notes, each in place of what its key had; remove those that are None."""
