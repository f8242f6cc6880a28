"""Tiers of keys answer as one unique index does, while runs are closed, merged and taken down between the appends."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from tests.scale import SCALE
from tests.unit.backends.sqlite.store_of import NeverQuiet, Passed
from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.backends.sqlite.seen_run import Sizes, runs_of
from tidings.backends.sqlite.seen_upkeep import Upkeep
from tidings.conformance.log_dedupe import Oracle, any_flush
from tidings.conformance.samples import SOURCE, event, everything, keep, refusal
from tidings.conformance.store_keyed import request
from tidings.conformance.store_samples import record, table, undone
from tidings.events.content import content_hash
from tidings.events.envelope import Envelope
from tidings.log.driver import Receipt, Write
from tidings.ports import Ports

SMALL = Sizes(hot=24, fan_in=3, slice=4, step=8, pace=1 << 30)
SEEDS = range(4 * SCALE)
STEPS = 80


class UniqueIndex:
    """What is compared with: a plain table with UNIQUE (source, id) that is asked for each envelope in turn."""

    def __init__(self) -> None:
        self._table = sqlite3.connect(":memory:", isolation_level=None)
        self._table.execute("CREATE TABLE kept (source, id, hash, UNIQUE (source, id))")

    def outcome(self, write: Write) -> str:
        """Keep the write whole or not at all; say which of the log's outcomes it is."""
        self._table.execute("BEGIN")
        new = 0
        for each in write.envelopes:
            added = self._table.execute(
                "INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (each.source, each.id, content_hash(each))
            )
            new += added.rowcount
            found = "SELECT hash FROM kept WHERE source = ? AND id = ?"
            if self._table.execute(found, (each.source, each.id)).fetchone()[0] != content_hash(each):
                self._table.execute("ROLLBACK")
                return "conflict"
        self._table.execute("COMMIT")
        return "appended" if new else "duplicate"

    def close(self) -> None:
        self._table.close()


class Processes:
    """Several openings of one file, upkeep steps when they are told, and restarts."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.points = Passed()
        self.upkeep = Upkeep(SMALL, self.points)
        self.opened: list[Sqlite] = []

    def open(self) -> Sqlite:
        opened = open_sqlite(self._path, Ports(clock=NeverQuiet()), sizes=SMALL)
        self.opened.append(opened)
        return opened

    async def step(self, draw: Random) -> bool:
        return await draw.choice(self.opened).store._database.job(self.upkeep.step)

    async def restart(self, draw: Random) -> None:
        """End one of the processes, and begin another."""
        await self.opened.pop(draw.randrange(len(self.opened))).close()
        self.open()

    async def close(self) -> None:
        for each in self.opened:
            await each.close()


def flush(draw: Random, before: Sequence[Envelope]) -> list[Write]:
    """Return random ids of all shapes, and enough opaque ones for runs to fill."""
    opaque = [event(f"{draw.getrandbits(128):032x}", source="s") for _ in range(draw.choice((0, 10, 30)))]
    return [*any_flush(draw, before), *(Write(envelopes=(each,)) for each in opaque)]


@pytest.mark.parametrize("seed", SEEDS)
async def test_answers_are_those_of_a_unique_index_whatever_is_closed_merged_and_restarted(
    tmp_path: Path, seed: int
) -> None:
    draw, processes, index, oracle = Random(seed), Processes(str(tmp_path / "log.db")), UniqueIndex(), Oracle()
    processes.open()
    processes.open()
    before: list[Envelope] = []
    for _ in range(STEPS):
        writes = flush(draw, before)
        receipts = await draw.choice(processes.opened).log.append(writes)
        for write, receipt in zip(writes, receipts, strict=True):
            assert receipt.outcome == index.outcome(write)
            oracle.judge(write, receipt)
            before += write.envelopes
        for _ in range(draw.randrange(10)):
            await processes.step(draw)
        if draw.random() < 0.1:
            await processes.restart(draw)
    while await processes.step(draw):
        pass
    found = await everything(processes.opened[0].log)
    assert [(entry.position, entry.envelope.source, entry.envelope.id) for entry in found] == oracle.read()
    assert {"run:closed", "run:slice", "run:merged", "run:dropped"} <= set(processes.points.names)
    await processes.close()
    index.close()


async def test_at_every_step_of_a_merge_and_after_a_restart_there_every_key_is_known(tmp_path: Path) -> None:
    draw, processes = Random(1), Processes(str(tmp_path / "log.db"))
    opened = processes.open()
    kept: dict[str, int] = {}
    for _ in range(SMALL.fan_in):
        ids = [f"{draw.getrandbits(128):032x}" for _ in range(SMALL.hot)]
        receipt = await keep(opened.log, *map(event, ids))
        kept |= zip(ids, receipt.positions, strict=True)
        assert await processes.step(draw)
    while await processes.step(draw):
        await processes.restart(draw)
        [again] = processes.opened
        receipt = await keep(again.log, *map(event, kept))
        assert receipt == Receipt(outcome="duplicate", positions=tuple(kept.values()))
        some = draw.choice(list(kept))
        assert (await refusal(again.log, event(some, data=b"2"))).position == kept[some]
        found = await again.log.find(SOURCE, some)
        assert found is not None
        assert found.position == kept[some]
    assert processes.points.names.count("run:slice") > SMALL.fan_in
    assert processes.points.names[-1] == "run:dropped"
    states = await processes.opened[0].store._database.read(runs_of)
    assert [run.state for run in states] == ["closed"]
    await processes.close()


async def test_a_version_that_was_rolled_back_is_not_taken_for_the_next_one_of_that_number(tmp_path: Path) -> None:
    draw, processes = Random(1), Processes(str(tmp_path / "log.db"))
    one, other = processes.open(), processes.open()
    ids = [f"{draw.getrandbits(128):032x}" for _ in range(SMALL.hot)]
    first = await keep(other.log, *map(event, ids))
    async with undone(one.store.keyed(request())) as keyed:
        await keyed.store.create_view(record(table(), mode="inline"))
        await keyed.append(Write(envelopes=(event("undone", type="other"),)))
    assert await other.store._database.job(processes.upkeep.step)
    assert processes.points.names == ["run:closed"]
    assert await keep(one.log, *map(event, ids)) == Receipt(outcome="duplicate", positions=first.positions)
    await processes.close()


async def test_runs_stay_few_however_many_keys_come_between_two_steps(tmp_path: Path) -> None:
    sizes = Sizes(hot=64, fan_in=2, slice=8, step=16, pace=4)
    opened = open_sqlite(str(tmp_path / "log.db"), Ports(clock=NeverQuiet()), sizes=sizes)
    for n in range(100):
        await opened.log.append([Write(envelopes=(event(f"id-{n}-{m}"),)) for m in range(40)])
    runs = await opened.store._database.job(runs_of)
    await opened.close()
    assert len([run for run in runs if run.state == "closed"]) < 20
