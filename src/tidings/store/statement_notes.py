"""The part of a store that keeps notes of scopes, as scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from tidings.errors import RefusedError
from tidings.store.note_store import Note, NoteUnit, Span
from tidings.store.scripts import noting
from tidings.store.statement_versions import StatementVersions

ConnectionT = TypeVar("ConnectionT")
NowT = TypeVar("NowT")


class StatementNotes(StatementVersions[ConnectionT, NowT]):
    """See `tidings.store.note_store.NoteStore`."""

    async def scopes(self) -> Sequence[str]:
        return await self._look(noting.scopes())

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
        look = self._glance if limit == 1 else self._look
        return await look(noting.between(scope, Span(kind, after, upto, limit, falling)))

    async def count_notes(self, scope: str) -> Mapping[str, int]:
        return await self._look(noting.counted(scope))

    async def forget_scope(self, scope: str) -> None:
        await self._change(noting.forget(scope))

    @property
    def noting(self) -> NoteUnit:
        if self._joined is None:
            raise RefusedError("nothing is noted outside of a transaction: open one for the change, or a unit")
        return self._joined
