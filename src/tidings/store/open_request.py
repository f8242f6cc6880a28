"""A request under a key whose transaction is open: see `tidings.store.keyed.Keyed`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from tidings.errors import RefusedError
from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write
from tidings.store.keyed import KeptAnswer, Request
from tidings.store.statement_unit import StatementUnit
from tidings.store.statements import AnswerStatements

StoreT = TypeVar("StoreT")
ConnectionT = TypeVar("ConnectionT")


class OpenRequest(Generic[StoreT, ConnectionT]):
    """`appends`: whether the log lies in the same database."""

    def __init__(
        self,
        request: Request,
        unit: StatementUnit[ConnectionT, Any],
        store: StoreT,
        *,
        answers: AnswerStatements[ConnectionT],
        appends: bool,
    ) -> None:
        self.store = store
        self.kept: KeptAnswer | None = None
        self.appended: list[tuple[Sequence[Envelope], Receipt]] = []
        self._request = request
        self._unit = unit
        self._answers = answers
        self._appends = appends

    async def begin(self) -> None:
        """Look for the key, once nobody else is at it."""
        self.kept = await self._unit.run(lambda connection: self._answers.find(connection, self._request))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        before = len(self.appended)
        try:
            async with self._unit.savepoint():
                yield
        except BaseException:
            del self.appended[before:]
            raise

    async def append(self, write: Write) -> Receipt:
        if not self._appends:
            raise RefusedError("the log is not kept in this database, so nothing can be appended with an answer")
        [receipt] = await self._unit.flush([write])
        self.appended.append((write.envelopes, receipt))
        return receipt

    async def keep(self, answer: bytes) -> None:
        await self._unit.run(lambda connection: self._answers.keep(connection, self._request, answer))
