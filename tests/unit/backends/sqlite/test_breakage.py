"""An error at any point of a flush or a unit: it is there whole or not at all, and once after a retry."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.conformance.samples import event, ids_in
from tidings.conformance.store_samples import CONSUMER, OWNER, TTL, claimed_one, position_of
from tidings.errors import LogUnavailableError, StoreUnavailableError
from tidings.log.driver import Write
from tidings.log.log import Log
from tidings.ports import Ports

APPEND = ["before-begin", "after-probe", "after-draw", "after-insert", "commit-sent", "committed"]
UNIT = ["after-emit", "after-advance", "commit-sent", "committed"]


class Failing:
    """Fails as a disk does, once, at a point."""

    def __init__(self, name: str) -> None:
        self.name: str | None = name

    def at(self, name: str) -> None:
        if name == self.name:
            self.name = None
            raise LogUnavailableError("input or output failed") if name.startswith("append") else OSError(name)


def open_failing(tmp_path: Path, point: str) -> Sqlite:
    return open_sqlite(str(tmp_path / "log.db"), Ports(points=Failing(point)))


@pytest.mark.parametrize("point", APPEND)
async def test_an_append_that_fails_somewhere_is_kept_once_by_its_retry(tmp_path: Path, point: str) -> None:
    opened = open_failing(tmp_path, f"append:{point}")
    writes = [Write(envelopes=(event(f"{n}"), event(f"{n}-b"))) for n in range(5)]
    with pytest.raises(LogUnavailableError):
        await opened.log.append(writes)
    wanted = [envelope.id for write in writes for envelope in write.envelopes]
    assert await ids_in(opened.log) == (wanted if point == "committed" else [])
    receipts = await opened.log.append(writes)
    assert {receipt.outcome for receipt in receipts} == {"duplicate" if point == "committed" else "appended"}
    assert await ids_in(opened.log) == wanted
    await opened.close()


@pytest.mark.parametrize("point", APPEND)
async def test_the_log_repeats_what_fails_for_a_passing_reason(tmp_path: Path, point: str) -> None:
    opened = open_failing(tmp_path, f"append:{point}")
    log = Log(opened.log, Ports())
    receipt = await log.append([event("a"), event("b")])
    assert await ids_in(log) == ["a", "b"]
    assert len(receipt.positions) == 2
    await log.close()
    await opened.close()


@pytest.mark.parametrize("point", UNIT)
async def test_a_unit_that_fails_somewhere_is_there_whole_or_not_at_all(tmp_path: Path, point: str) -> None:
    opened = open_failing(tmp_path, f"unit:{point}")
    claim = await claimed_one(opened.store)
    with pytest.raises(OSError, match=point):
        await react(opened, claim)
    if point == "committed":
        assert (await ids_in(opened.log), await position_of(opened.store)) == (["emitted"], 1)
        return await opened.close()
    assert (await ids_in(opened.log), await position_of(opened.store)) == ([], 0)
    await react(opened, claim)
    assert (await ids_in(opened.log), await position_of(opened.store)) == (["emitted"], 1)
    return await opened.close()


async def react(opened: Sqlite, claim: object) -> None:
    async with opened.store.unit(claim) as unit:  # type: ignore[arg-type]
        unit.emit([event("emitted")])
        unit.advance(to=1)


async def test_a_file_that_is_locked_is_unavailable_and_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_sqlite(str(tmp_path / "log.db"), Ports())
    await opened.store._database.hop(lambda connection: connection.execute("PRAGMA busy_timeout=1"))
    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailableError, match="locked"):
        await opened.log.append([Write(envelopes=(event("a"),))])
    with pytest.raises(StoreUnavailableError, match="locked"):
        await opened.store.claim(CONSUMER, owner=OWNER, want=1, ttl=TTL)
    other.execute("ROLLBACK")
    other.close()
    [receipt] = await opened.log.append([Write(envelopes=(event("a"),))])
    assert receipt.outcome == "appended"
    await opened.close()
