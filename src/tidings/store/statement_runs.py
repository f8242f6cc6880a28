"""In which transaction a store's statements run: one of their own, or the one that the store has joined."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from copy import copy
from typing import Any, Generic, Protocol, TypeVar

from tidings.errors import RefusedError, StoreUnavailableError
from tidings.store.claims import Claim
from tidings.store.statement_unit import StatementUnit, Surroundings
from tidings.store.statements import Job

T = TypeVar("T")
ConnectionT = TypeVar("ConnectionT")
NowT = TypeVar("NowT")
RunsT = TypeVar("RunsT", bound="StatementRuns[Any, Any]")


class Database(Protocol):
    """What a store lies in. `inside_unit`: whether the running task stands inside one of its transactions."""

    closed: bool

    @property
    def inside_unit(self) -> bool: ...

    async def close(self) -> None: ...


class StatementRuns(ABC, Generic[ConnectionT, NowT]):
    """The back end says how a transaction of their own is made for statements."""

    def __init__(self, database: Database, around: Surroundings[ConnectionT, NowT]) -> None:
        self._database = database
        self._around = around
        self._joined: StatementUnit[ConnectionT, NowT] | None = None

    @abstractmethod
    async def _transacted(self, job: Job[ConnectionT, T]) -> T:
        """Run it in a transaction of its own."""

    @abstractmethod
    async def _single(self, job: Job[ConnectionT, T]) -> T:
        """Run one statement that changes something."""

    @abstractmethod
    async def _seen(self, job: Job[ConnectionT, T]) -> T:
        """Run what changes nothing."""

    @abstractmethod
    def _open(self, claims: Sequence[Claim]) -> AbstractAsyncContextManager[StatementUnit[ConnectionT, NowT]]:
        """Open a transaction for a unit."""

    async def _write(self, job: Job[ConnectionT, T]) -> T:
        if self._joined is not None:
            return await self._joined.run(job)
        self._check()
        return await self._transacted(job)

    async def _do(self, job: Job[ConnectionT, T]) -> T:
        if self._joined is not None:
            return await self._joined.run(job)
        self._check()
        return await self._single(job)

    async def _read(self, job: Job[ConnectionT, T]) -> T:
        if self._joined is not None:
            return await self._joined.run(job)
        self._check_open()
        return await self._seen(job)

    def _check_open(self) -> None:
        if self._database.closed:
            raise StoreUnavailableError("the store is closed; open it again")

    def _check(self) -> None:
        self._check_open()
        if self._database.inside_unit:
            raise RefusedError("a unit is open here, and it would be waited for by itself: use it, or leave it first")

    def _joining(self: RunsT, unit: StatementUnit[Any, Any]) -> RunsT:
        """Return this store, but with each operation done in the unit's transaction instead of one of its own."""
        joined = copy(self)
        joined._joined = unit
        return joined
