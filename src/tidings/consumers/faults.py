"""Whose fault an error is: the entry's and its handler's, or nobody's who is here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from tidings.consumers.retry import told
from tidings.errors import (
    CheckpointMovedError,
    ContendedError,
    InlineViewError,
    LogUnavailableError,
    PositionNotReachedError,
    SequenceRewoundError,
    StoreUnavailableError,
    VersionUnreadableError,
)
from tidings.log.driver import Position

PASSING = (StoreUnavailableError, LogUnavailableError, InlineViewError, PositionNotReachedError)
"""No fault of a handler: the same is done again later, and nothing is counted."""

NOBODYS = (*PASSING, CheckpointMovedError, SequenceRewoundError, VersionUnreadableError)
TIMES_UNAVAILABLE = 3


class StrayCancelError(Exception):
    """A handler was ended by a cancellation that nobody asked of us: of a task of its own, say."""


class EscapedError(Exception):
    """A handler raised what is no Exception, such as what `sys.exit()` raises: it would end whoever calls it."""


async def called(call: Awaitable[None]) -> None:
    """Await a handler. Whatever it raises is an Exception, a failure of its own, and not the end of who calls it.

    Only a cancellation that was asked of the running task passes as it is.
    """
    task = asyncio.current_task()
    try:
        await call
    except Exception:
        raise
    except asyncio.CancelledError as error:
        if task is None or task.cancelling():
            raise
        raise StrayCancelError("it was cancelled from inside; catch CancelledError where you await a task") from error
    except BaseException as error:
        if _is_thrown_away(task):
            raise
        raise EscapedError(f"{told(error)} (that is no Exception and would end more than this: raise one)") from error


def _is_thrown_away(task: asyncio.Task[Any] | None) -> bool:
    """Say whether nobody runs the call any more: its loop was ended, and it is collected as garbage."""
    try:
        return asyncio.current_task() is not task
    except RuntimeError:
        return True


class Suspicion:
    """Tells a store that is out of reach from a handler that breaks its transaction, when both look alike.

    `INSERT OR ROLLBACK`, say, ends the transaction, and what follows in the handler finds no store. So an entry that
    fails so several times, each time alone in a unit that could be opened, is taken to be at fault. Setting it aside
    proves it: that succeeds only if the store is there.
    """

    def __init__(self) -> None:
        self._position: Position = 0
        self._times = 0

    def is_fault(self, error: Exception, position: Position, *, has_begun: bool) -> bool:
        """Say whether the entry at `position`, alone in its unit, is at fault. `has_begun`: the unit was open."""
        if not isinstance(error, NOBODYS):
            return True
        if not has_begun or isinstance(error, ContendedError) or not isinstance(error, StoreUnavailableError):
            return False
        self._times = self._times + 1 if position == self._position else 1
        self._position = position
        return self._times >= TIMES_UNAVAILABLE
