"""A loaded server is killed again and again, at random moments, on the same file, while its clients keep sending.

`python -m tests.crash.random_kills --kills 300 --seed 7` prints what was counted, and ends with 1 if anything is wrong:
an acknowledged event lost, one kept twice, an effect missing or repeated, a view that is not a refold of the log.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.crash import shop
from tests.crash.clients import Clients, Witness
from tests.crash.processes import PATIENCE
from tests.crash.selling import is_settled, make_tables
from tests.crash.server import Server
from tests.crash.shop_oracle import check_effects, check_midway
from tests.crash.telling import noted
from tidings.app.opened import Opened

AT_START = 0.15
"""Share of kills that hit the server while it starts: in the recovery from the kill before."""
LOAD_SECONDS = 0.15
START_SECONDS = 1.0
CHECKED_EVERY = 50


@dataclass(frozen=True, slots=True)
class Counts:
    """What a run came to."""

    kills: int
    kills_at_start: int
    acknowledged: int
    answers: Counter[str]
    calls: int
    rows: int
    seconds: float

    def __str__(self) -> str:
        answers = ", ".join(f"{count:,} x {answer}" for answer, count in sorted(self.answers.items()))
        return (
            f"kills                {self.kills:,} ({self.kills_at_start:,} of them while the server started)\n"
            f"events acknowledged  {self.acknowledged:,}: none lost, none kept twice\n"
            f"handler effects      {self.acknowledged:,} rows, {self.acknowledged:,} emitted events: each once\n"
            f"calls to the outside {self.calls:,} for {self.acknowledged:,} deliveries, one key each\n"
            f"rows of views        {self.rows:,}: all as a refold of the log\n"
            f"answers              {answers}\n"
            f"took                 {self.seconds:.0f} s"
        )


async def run(folder: Path, *, kills: int, seed: int) -> Counts:
    """Kill so many times; AssertionError if anything does not hold."""
    begun = time.monotonic()
    await make_tables(shop.make(folder), folder)
    server = Server(folder)
    clients = Clients(server.url, seed)
    stopping = asyncio.Event()
    sending = asyncio.create_task(clients.run(stopping))
    try:
        at_start = await kill_on(server, clients, Random(seed), kills, folder)
        stopping.set()
        await sending
        await end(server, folder)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        server.leave_nothing()
    rows = await check(folder, clients.witness)
    calls = len(noted(folder / shop.CALLS))
    witness = clients.witness
    return Counts(kills, at_start, len(witness.acknowledged), witness.answers, calls, rows, time.monotonic() - begun)


async def kill_on(server: Server, clients: Clients, draw: Random, kills: int, folder: Path) -> int:
    """Kill and start again; return how often it was killed before it answered. It runs in the end."""
    at_start = 0
    server.start()
    for n in range(1, kills + 1):
        if draw.random() < AT_START:
            await asyncio.sleep(draw.random() * START_SECONDS)
            at_start += 1
        else:
            await server.until_listening()
            clients.first_answer.clear()
            await asyncio.wait_for(clients.first_answer.wait(), PATIENCE)
            await asyncio.sleep(draw.random() * LOAD_SECONDS)
        await server.kill()
        if n % CHECKED_EVERY == 0:
            check_file(folder)
        server.start()
    await server.until_listening()
    return at_start


def check_file(folder: Path) -> None:
    """SQLite finds nothing wrong with the file that was left."""
    connection = sqlite3.connect(shop.file(folder))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


async def end(server: Server, folder: Path) -> None:
    """Wait until everything is handled, folded and delivered, and have the server end in order.

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
    assert await server.stop() == 0, server.last_words()


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
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(run(Path(folder), kills=given.kills, seed=given.seed)))


if __name__ == "__main__":
    main()
