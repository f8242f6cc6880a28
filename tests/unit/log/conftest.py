from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.log.clock import StepClock
from tests.unit.log.scripted import Scripted
from tidings.backends.sqlite import Sqlite, open_sqlite
from tidings.log.log import Log
from tidings.ports import Ports


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
async def sqlite(clock: StepClock) -> AsyncIterator[Sqlite]:
    opened = open_sqlite(":memory:", Ports())
    yield opened
    await opened.close()


@pytest.fixture
def driver(sqlite: Sqlite) -> Scripted:
    return Scripted(sqlite.log)


@pytest.fixture
async def log(driver: Scripted, clock: StepClock) -> AsyncIterator[Log]:
    log = Log(driver, Ports(clock=clock))
    yield log
    driver.gate.set()
    await log.close()
