"""Keys of closed runs are found, and a new key seldom costs a look at them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from random import Random

import pytest

from tidings.backends.sqlite.schema import prepare
from tidings.backends.sqlite.seen_closed import WORTH, Closed, find_in_runs
from tidings.backends.sqlite.seen_hot import Hot
from tidings.backends.sqlite.seen_run import Sizes, runs_of
from tidings.backends.sqlite.seen_upkeep import Upkeep
from tidings.ports import NoPoints

SIZES = Sizes(hot=600, fan_in=4, slice=16, step=64, pace=1)
KEYS = 40 * SIZES.hot


class Writer:
    """Takes random keys, and does the upkeep to its end after each `hot` of them."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        prepare(self.connection, ":memory:")
        self.upkeep = Upkeep(SIZES, NoPoints())
        self.draw = Random(1)
        self.keys: list[bytes] = []

    def close_run(self) -> None:
        hot = Hot(lambda: 1)
        keys = [self.draw.randbytes(16) for _ in range(SIZES.hot)]
        first = len(self.keys) + 1
        hot.take(self.connection, keys, range(first, first + len(keys)))
        self.keys += keys
        assert self.upkeep.step(self.connection)

    def work(self) -> None:
        while self.upkeep.step(self.connection):
            pass

    def expected(self, keys: list[bytes]) -> dict[bytes, int]:
        positions = {key: n for n, key in enumerate(self.keys, 1)}
        return {key: positions[key] for key in keys}


@pytest.fixture
def writer() -> Iterator[Writer]:
    each = Writer()
    yield each
    each.connection.close()


def test_each_key_is_found_while_runs_come_and_are_merged(writer: Writer) -> None:
    closed = Closed()
    for n in range(KEYS // SIZES.hot):
        writer.close_run()
        for _ in range(20 * (n % 7)):
            writer.upkeep.step(writer.connection)
        closed.changed()
        some = writer.draw.sample(writer.keys, 200)
        strangers = [writer.draw.randbytes(16) for _ in range(200)]
        assert closed.find(writer.connection, [*some, *strangers]) == writer.expected(some)
    assert max(run.level for run in runs_of(writer.connection)) >= 2


def test_whoever_reads_or_asks_for_a_few_finds_the_same_without_filters(writer: Writer) -> None:
    for _ in range(KEYS // SIZES.hot):
        writer.close_run()
        writer.upkeep.step(writer.connection)
    some = writer.draw.sample(writer.keys, WORTH // 2)
    asked: list[str] = []
    writer.connection.set_trace_callback(asked.append)
    assert Closed().find(writer.connection, some) == writer.expected(some)
    assert find_in_runs(writer.connection, [*some, b"x" * 16]) == writer.expected(some)
    assert not any("tidings_seen_filter" in statement for statement in asked)


def test_of_a_thousand_new_keys_few_cost_a_look_at_a_slice(writer: Writer) -> None:
    for _ in range(KEYS // SIZES.hot):
        writer.close_run()
        writer.work()
    closed = Closed()
    closed.find(writer.connection, writer.keys[:WORTH])
    strangers = [writer.draw.randbytes(16) for _ in range(1_000)]
    asked: list[str] = []
    writer.connection.set_trace_callback(asked.append)
    assert closed.find(writer.connection, strangers) == {}
    places = {place for statement in asked for place in statement.partition("VALUES")[2].strip("() ").split("),(")}
    assert len(runs_of(writer.connection)) > 3
    assert len(places) < 50
