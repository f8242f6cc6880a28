"""Loaded servers are killed again and again, at random moments, on the same database, while clients keep sending.

`python -m tests.crash.random_kills --kills 300 --seed 7` kills one server on a file of SQLite; with `--database
postgresql` several servers and consumers, and PostgreSQL itself, one of its own that flushes as in production. It
prints what was counted, and ends with 1 if anything is wrong: an acknowledged event lost, one kept twice, an effect
missing or repeated, a view that is not a refold of the log.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.crash import shop
from tests.crash.clients import Clients, Witness
from tests.crash.fleet import Fleet, fleet
from tests.crash.processes import PATIENCE
from tests.crash.selling import is_settled, make_tables
from tests.crash.shop_oracle import check_effects, check_midway
from tests.crash.standing import stands
from tests.crash.telling import noted
from tidings.app.opened import Opened

LOAD_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Counts:
    """What a run came to."""

    killed: Counter[str]
    acknowledged: int
    answers: Counter[str]
    calls: int
    rows: int
    seconds: float

    def __str__(self) -> str:
        answers = ", ".join(f"{count:,} x {answer}" for answer, count in sorted(self.answers.items()))
        killed = ", ".join(f"{count:,} x {what}" for what, count in sorted(self.killed.items()))
        return (
            f"kills                {self.killed.total():,} ({killed})\n"
            f"events acknowledged  {self.acknowledged:,}: none lost, none kept twice\n"
            f"handler effects      {self.acknowledged:,} rows, {self.acknowledged:,} emitted events: each once\n"
            f"calls to the outside {self.calls:,} for {self.acknowledged:,} deliveries, one key each\n"
            f"rows of views        {self.rows:,}: all as a refold of the log\n"
            f"answers              {answers}\n"
            f"took                 {self.seconds:.0f} s"
        )


async def run(folder: Path, *, kills: int, seed: int, database: str = "sqlite") -> Counts:
    """Kill so many times; AssertionError if anything does not hold. `database`: as of `fleet`."""
    begun = time.monotonic()
    with fleet(folder, database) as killing:
        await make_tables(shop.make(folder), folder)
        clients = Clients([server.url for server in killing.servers], seed)
        await under_load(killing, clients, Random(seed), kills, folder)
        rows = await check(folder, clients.witness)
    calls = len(noted(folder / shop.CALLS))
    witness = clients.witness
    taken = time.monotonic() - begun
    return Counts(killing.killed, len(witness.acknowledged), witness.answers, calls, rows, taken)


async def under_load(killing: Fleet, clients: Clients, draw: Random, kills: int, folder: Path) -> None:
    """Kill while the clients send, then have everything that follows be done, and the processes end in order."""
    stopping = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(clients.run(stopping))
            await kill_on(killing, clients, draw, kills)
            stopping.set()
        await until_done(folder)
        await killing.stop()
    except Exception as error:
        error.add_note(await stands(killing))
        raise
    finally:
        killing.leave_nothing()


async def kill_on(killing: Fleet, clients: Clients, draw: Random, kills: int) -> None:
    """Kill and start again. All run in the end."""
    killing.start()
    for _ in range(kills):
        target = await killing.next_target(draw)
        if target is None or await target.is_listening():
            await clients.until_answered()
            await asyncio.sleep(draw.random() * LOAD_SECONDS)
        await killing.kill(target, draw)
        clients.disturbed = asyncio.get_running_loop().time()
    await killing.until_listening()


async def until_done(folder: Path) -> None:
    """Wait until everything is handled, folded and delivered.

    That may take long on a busy machine, so patience ends when nothing has moved for a while.
    """
    app = shop.make(folder)
    async with asyncio.timeout(PATIENCE) as patience, app.open(shop.settings(folder), consume=False) as opened:
        seen: tuple[int, ...] = ()
        while not await is_settled(opened):
            now = await done_so_far(opened, folder)
            if now != seen:
                seen = now
                patience.reschedule(asyncio.get_running_loop().time() + PATIENCE)
            await asyncio.sleep(0.1)


async def done_so_far(opened: Opened, folder: Path) -> tuple[int, ...]:
    """Return what rises as long as work is done: the checkpoints, and the size of the notes of calls."""
    consumers = [await opened.store.checkpoints(name) for name in await opened.store.consumers()]
    positions = [checkpoint.position for parts in consumers for checkpoint in parts.values()]
    return (*positions, (folder / shop.CALLS).stat().st_size)


async def check(folder: Path, witness: Witness) -> int:
    """Compare what is there with what the clients know; return the number of rows that were compared."""
    assert witness.unexpected == []
    assert witness.acknowledged == set(witness.sent), "every client asks until it is answered"
    await check_midway(folder, witness.acknowledged)
    return await check_effects(folder, witness.sent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(run(Path(folder), kills=given.kills, seed=given.seed, database=given.database)))


if __name__ == "__main__":
    main()
