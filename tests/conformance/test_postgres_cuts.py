"""Connections cut at every statement, and a server that is restarted: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from tests.conformance.postgres_harness import open_log
from tests.postgres.binaries import NEWEST
from tests.postgres.proxy import Door
from tests.postgres.server import own
from tests.scale import SCALE
from tidings.conformance.samples import event, everything, ids_in
from tidings.errors import LogUnavailableError
from tidings.events.envelope import Entry, Envelope
from tidings.log.driver import LogDriver, Receipt, Write
from tidings.log.log import Log
from tidings.ports import Ports

MANY = 400
"""So many envelopes that they are copied, in a transaction of several statements."""
TRIES = 100
CALLERS = 16
RESTARTS = 2 * SCALE


@pytest.fixture
async def door(postgres_url: str) -> AsyncIterator[Door]:
    async with Door(postgres_url) as door:
        yield door


class Cutting:
    """Cuts a connection at the piece of bytes of this number, on its way to the server or back."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.has_cut = False

    def may_pass(self, to_server: bool) -> bool:
        self.left -= 1
        if self.left == 0:
            self.has_cut = True
        return self.left != 0


def flush(name: str, count: int) -> list[Write]:
    """Return writes that have been kept in part: `1` of each name was appended before."""
    return [Write(envelopes=events_of(name, n, n + count // 2)) for n in (0, count // 2)]


def events_of(name: str, first: int, end: int) -> tuple[Envelope, ...]:
    return tuple(event(f"{name}/{n}", data=b" {}" if n == 1 else b"{}") for n in range(first, end))


async def attempt(driver: LogDriver, writes: list[Write]) -> list[Receipt] | None:
    try:
        return [*await driver.append(writes)]
    except LogUnavailableError:
        return None


@pytest.mark.parametrize("count", [4, MANY])
async def test_an_append_that_is_cut_anywhere_is_kept_whole_or_not_at_all_and_once_after_the_retry(
    door: Door, count: int
) -> None:
    lost = kept = 0
    piece, is_through = 0, False
    driver = await open_log(door.url)
    for name in map(str, range(TRIES)):
        if is_through and kept:
            break
        # How many pieces the answers come in is chance: if none was cut after it was kept, the last few are cut anew.
        piece = max(1, piece - 3) if is_through else piece + 1
        await driver.append([Write(envelopes=(event(f"{name}/1", data=b"{}"),))])  # written otherwise than its repeat
        cutting = Cutting(piece)
        door.may_pass = cutting.may_pass
        receipts = await attempt(driver, flush(name, count))
        is_through = not cutting.has_cut
        door.may_pass = lambda to_server: True
        before = [id for id in await ids_in(driver) if id.startswith(f"{name}/")]
        assert len(before) in (1, count)
        if receipts is None:
            lost, kept = lost + (len(before) == 1), kept + (len(before) == count)
        receipts = await attempt(driver, flush(name, count))
        assert receipts is not None
        entries = {entry.envelope.id: entry for entry in await everything(driver)}
        mine = [entry for id, entry in entries.items() if id.startswith(f"{name}/")]
        assert sorted(entry.position for entry in mine) == sorted(at for each in receipts for at in each.positions)
        assert len(mine) == count
    assert is_through, "no append came through uncut"
    assert lost > 0, "nothing was cut before it was kept"
    assert kept > 0, "nothing was cut after it was kept"
    await driver.close()


async def test_what_was_acknowledged_is_there_once_after_restarts_in_the_middle_of_load() -> None:
    with own(NEWEST) as server:
        driver = await open_log(server.url("postgres"))
        log, quiet = Log(driver, Ports()), Log(await open_log(server.url("postgres")), Ports())
        acknowledged: dict[str, int] = {}
        is_over = False

        async def call(caller: int, log: Log, *, most: int) -> None:
            n = 0
            while not is_over:
                name = f"{caller}-{n}"
                envelopes = [event(f"{name}-{i}", subject=str(caller)) for i in range(1 + n % most)]
                receipt = await log.append(envelopes)
                acknowledged.update(zip([of.id for of in envelopes], receipt.positions, strict=True))
                n += 1

        async def follow() -> list[Entry]:
            found: list[Entry] = []
            after = 0
            while not is_over:
                try:
                    page = await driver.read(after=after, limit=50)
                except LogUnavailableError:
                    await asyncio.sleep(0.01)
                    continue
                found += page.entries
                after = page.upto
                await asyncio.sleep(0)
            return found

        callers = [asyncio.create_task(call(n, log, most=3)) for n in range(CALLERS)]
        callers.append(asyncio.create_task(call(CALLERS, quiet, most=1)))  # whose writes meet no others
        reader = asyncio.create_task(follow())
        draw = Random(1)
        for n in range(RESTARTS):
            enough = len(acknowledged) + draw.randrange(100, 300)
            while len(acknowledged) < enough:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.kill if n % 2 else server.stop)
            await asyncio.to_thread(server.start)
        enough = len(acknowledged) + 100
        while len(acknowledged) < enough:
            await asyncio.sleep(0.01)
        is_over = True
        await asyncio.gather(*callers)
        entries = await everything(driver)
        positions = {entry.envelope.id: entry.position for entry in entries}
        assert len(positions) == len(entries)
        assert positions == acknowledged
        found = await reader
        assert found == entries[: len(found)]
        assert found
        await log.close()
        await quiet.close()
