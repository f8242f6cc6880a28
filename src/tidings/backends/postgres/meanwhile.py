"""Working while the server does, instead of waiting for it first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
W = TypeVar("W")


async def meanwhile(answer: Coroutine[Any, Any, T], work: Callable[[], W]) -> tuple[T, W]:
    """Send a statement, work while the server does, and return what both came to.

    What the work raises is raised once the statement is given up, also to who is cancelled meanwhile.
    """
    asked = asyncio.create_task(answer)
    try:
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the event loop, no time: the statement begins
        await asyncio.sleep(0)  # noqa: TID251 - and is sent: uvloop writes at the end of a turn
        worked = work()
    except BaseException:
        asked.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await asked
        raise
    return await asked, worked
