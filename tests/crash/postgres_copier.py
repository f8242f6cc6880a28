"""A process that is stopped in the middle of a COPY on PostgreSQL: `python -m tests.crash.postgres_copier WORK URL`.

It stops itself (SIGSTOP) once the server has taken in some of the rows, and can be continued. WORK is `append`, of
`APPENDED` events, or `view`: a unit with all partitions of the view's consumer, whose leases last `LEASE`, makes
`MADE` rows. It prints `KEPT`, or the name of the error that it came to.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

from tests.crash.postgres_owner import KEPT, Opened, opened
from tests.crash.telling import tell
from tests.unit.views.events import bookmarks
from tidings.backends.postgres import copying, table_copying
from tidings.conformance.samples import event
from tidings.conformance.store_samples import row
from tidings.errors import TidingsError
from tidings.ports import Ports
from tidings.store.rows import Row

APPENDED = [event(f"stopped-{n}", subject=None) for n in range(300)]
VIEW = bookmarks()
TABLE = VIEW.table(1)
MADE: list[Row] = [row("jack", f"t{n:04}") for n in range(700)]
"""More than one statement copies: the rows of the first one are in the table, and locked, when the second begins."""
LEASE = timedelta(seconds=2)
SENT_SECONDS = 0.2

Copied = Callable[..., AsyncIterator[Any]]


def stopping(copied: Copied, *, nth: int) -> Copied:
    """Return what is copied, and stop in the middle of the `nth` time, once."""
    left = [nth]

    async def stopped(*given: Any) -> AsyncIterator[Any]:
        left[0] -= 1
        async for n, piece in _counted(copied(*given)):
            if n == 2 and left[0] == 0:
                await asyncio.sleep(SENT_SECONDS)  # so that what came before is sent
                os.kill(os.getpid(), signal.SIGSTOP)
            yield piece

    return stopped


async def _counted(pieces: AsyncIterator[Any]) -> AsyncIterator[tuple[int, Any]]:
    n = 0
    async for piece in pieces:
        yield n, piece
        n += 1


async def append(at: Opened) -> None:
    copying._copied = stopping(copying._copied, nth=1)  # type: ignore[assignment]
    await at.log.append(APPENDED)


async def make_rows(at: Opened) -> None:
    table_copying._copied = stopping(table_copying._copied, nth=2)  # type: ignore[assignment]
    claims = await at.store.claim(TABLE.consumer, owner="stopped", want=16, ttl=LEASE)
    async with at.store.unit(*claims) as unit:
        await unit.rows(TABLE, [each.values for each in MADE])
        await unit.replace(TABLE, MADE)


WORKS = {"append": append, "view": make_rows}


async def main(work: str, url: str) -> None:
    async with opened(url, Ports()) as at:
        try:
            await WORKS[work](at)
        except TidingsError as error:
            tell(type(error).__name__)
        else:
            tell(KEPT)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
