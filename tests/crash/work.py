"""What children do. Each can be begun again at any time, and says on its output what it knows to be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from tests.crash import shop
from tests.crash.receiving import receive
from tests.crash.reconciling import copy_whole, read_changes, reconcile
from tests.crash.relaying import relay
from tests.crash.selling import sell
from tests.crash.sending import send
from tests.crash.telling import tell
from tidings.app.engines import open_back_end
from tidings.backends.sqlite import open_sqlite
from tidings.backends.sqlite.seen_pace import QUIET
from tidings.backends.sqlite.seen_run import Sizes
from tidings.conformance.samples import event, keep
from tidings.log.log import Log
from tidings.ports import Ports

Work = Callable[[Path, Ports, str], Awaitable[None]]

CALLERS = 8
WRITES = 12
OPAQUE = 600
SMALL = Sizes(hot=32, fan_in=2, slice=4, step=8, pace=2)


def pair(caller: int, write: int) -> tuple[str, str]:
    """Return the ids of one write, which is kept whole or not at all."""
    return f"{caller}-{write}-a", f"{caller}-{write}-b"


async def append(folder: Path, ports: Ports, options: str) -> None:
    """Append pairs of events from several callers at once."""
    opened = await open_back_end(shop.settings(folder), ports)
    log = Log(opened.log, ports)

    async def call(caller: int) -> None:
        for write in range(WRITES):
            ids = pair(caller, write)
            receipt = await log.append([event(id, subject=f"caller/{caller}") for id in ids])
            for id, position in zip(ids, receipt.positions, strict=True):
                tell(f"{id} {position}")

    await asyncio.gather(*map(call, range(CALLERS)))
    await log.close()
    await opened.close()


def opaque(n: int) -> str:
    return sha256(str(n).encode()).hexdigest()


async def fill_runs(folder: Path, ports: Ports, options: str) -> None:
    """Append ids that fill, close, merge and drop runs of keys meanwhile."""
    opened = open_sqlite(str(folder / "log.db"), ports, sizes=SMALL)
    for n in range(OPAQUE):
        receipt = await keep(opened.log, event(opaque(n)))
        tell(f"{opaque(n)} {receipt.positions[0]}")
        await ports.clock.sleep(0 if n % 32 else 2 * QUIET)  # a fast machine appends all before the upkeep looks once
    await opened.close()


WORKS: Mapping[str, Work] = MappingProxyType(
    {
        "append": append,
        "fill-runs": fill_runs,
        "receive": receive,
        "reconcile": reconcile,
        "copy-whole": copy_whole,
        "read-changes": read_changes,
        "relay": relay,
        "sell": sell,
        "send": send,
    }
)
