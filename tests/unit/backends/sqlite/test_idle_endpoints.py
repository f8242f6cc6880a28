"""What endpoints cost that wait for nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conformance.sqlite_store_harness import SqliteStoreHarness
from tidings.backends.sqlite.database import MEMORY
from tidings.backends.sqlite.store import SqliteStore
from tidings.conformance.endpoint_samples import deliver, endpoint, keep, sent
from tidings.conformance.store_harness import START_US
from tidings.store.scripts.claiming import next_claim
from tidings.store.scripts.script import Rows, Script, T


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    harness = SqliteStoreHarness(MEMORY)
    store = await harness.open()
    assert isinstance(store, SqliteStore)
    yield store
    await harness.close()


def counted(script: Script[T], counts: list[int]) -> Script[T]:
    """Run the script and note how many rows each statement gave."""
    rows: Rows | None = None
    try:
        while True:
            rows = yield (next(script) if rows is None else script.send(rows))
            counts.append(len(rows))
    except StopIteration as end:
        result: T = end.value
        return result


async def test_when_something_is_due_is_asked_of_those_that_wait_alone(store: SqliteStore) -> None:
    await keep(store, *(endpoint(f"e{n}") for n in range(50)))
    await deliver(store, sent(1, "e7"))
    counts: list[int] = []
    assert await store._look(counted(next_claim(now=START_US), counts)) is not None
    assert counts == [1, 1, 1]
