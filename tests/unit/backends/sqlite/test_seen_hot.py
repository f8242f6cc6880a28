"""A key that was taken in a transaction that failed must not be known, and one of another process must be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidings.backends.sqlite.schema import prepare
from tidings.backends.sqlite.seen_hot import TABLE, Hot, entries_in
from tidings.log.seen_key import KEY_BYTES

A, B, C = b"a" * KEY_BYTES, b"b" * KEY_BYTES, b"c" * KEY_BYTES


class Process:
    """One process's connection, whose transactions are counted."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        prepare(self.connection, str(path))
        self.transactions = 0
        self.hot = Hot(lambda: self.transactions)

    def begin(self) -> None:
        self.transactions += 1
        self.connection.execute("BEGIN IMMEDIATE")
        self.hot.catch_up(self.connection)

    def commit(self, *, tell: bool = True) -> None:
        self.connection.execute("COMMIT")
        if tell:
            self.hot.committed()

    def roll_back(self) -> None:
        self.connection.execute("ROLLBACK")

    def take(self, *keys: bytes, first: int) -> None:
        positions = range(first, first + len(keys))
        self.hot.take(self.connection, keys, positions)

    def known(self, *keys: bytes) -> set[bytes]:
        return set(self.hot.find(self.connection, keys))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "x.db")
    yield process
    process.connection.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "x.db")
    yield process
    process.connection.close()


def test_a_key_is_known_once_its_transaction_is_committed(one: Process) -> None:
    one.begin()
    one.take(A, B, first=1)
    one.commit()
    one.begin()
    assert one.hot.find(one.connection, [B, C]) == {B: 2}


def test_a_key_whose_transaction_was_rolled_back_is_not_known(one: Process) -> None:
    one.begin()
    one.take(A, first=1)
    one.commit()
    one.begin()
    one.take(B, first=2)
    one.roll_back()
    one.begin()
    assert one.known(A, B) == {A}
    assert len(one.hot) == 1
    one.take(C, first=2)  # the position was never given out
    one.commit()
    one.begin()
    assert one.known(A, B, C) == {A, C}
    assert len(one.hot) == entries_in(one.connection) == 2


def test_a_key_taken_before_is_known_within_the_transaction_and_gone_with_it(one: Process) -> None:
    one.begin()
    one.take(A, first=1)
    one.hot.catch_up(one.connection)
    assert one.known(A) == {A}
    one.take(B, first=2)
    one.roll_back()
    one.begin()
    assert one.known(A, B) == set()


def test_a_commit_that_nobody_told_of_is_read_from_the_table(one: Process) -> None:
    one.begin()
    one.take(A, first=1)
    one.commit(tell=False)
    one.begin()
    assert one.known(A) == {A}


def test_what_another_process_committed_is_known(one: Process, other: Process) -> None:
    one.begin()
    one.take(A, first=1)
    one.commit()
    other.begin()
    assert other.known(A) == {A}
    other.take(B, first=2)
    other.commit()
    one.begin()
    one.take(C, first=3)
    one.commit()
    one.begin()
    assert one.known(A, B, C) == {A, B, C}


def test_a_key_that_is_taken_back_is_not_known(one: Process, other: Process) -> None:
    one.begin()
    one.take(A, B, first=1)
    one.hot.forget(one.connection, [A])
    one.commit()
    for process in (one, other):
        process.begin()
        assert process.hot.find(process.connection, [A, B]) == {B: 2}
        assert entries_in(process.connection) == 1
        process.commit()


def test_the_positions_of_keys_that_are_all_taken_back_may_be_given_out_again(one: Process, other: Process) -> None:
    one.begin()
    one.take(A, first=1)
    one.commit()
    one.begin()
    one.take(B, first=2)
    one.hot.forget(one.connection, [B])
    one.commit()
    for process in (one, other):
        process.begin()
        assert process.known(A, B) == {A}
        process.commit()
    one.begin()
    one.take(C, first=2)
    one.commit()
    for process in (one, other):
        process.begin()
        assert process.known(A, B, C) == {A, C}
        process.commit()


def test_keys_that_have_left_the_table_are_forgotten(one: Process) -> None:
    one.begin()
    one.take(A, first=1)
    one.commit()
    one.begin()
    one.connection.execute(f"DELETE FROM {TABLE}")
    one.commit()
    one.begin()
    assert one.known(A) == set()
    assert len(one.hot) == 0


def test_when_others_came_after_keys_that_have_left_only_these_are_known(one: Process, other: Process) -> None:
    one.begin()
    one.take(A, first=1)
    one.commit()
    one.begin()
    one.commit()
    other.begin()
    other.connection.execute(f"DELETE FROM {TABLE}")
    other.commit()
    other.begin()
    other.take(B, first=2)
    other.commit()
    one.begin()
    assert one.known(A, B) == {B}
    assert len(one.hot) == entries_in(one.connection) == 1


def test_keys_that_a_savepoint_took_back_are_not_known_and_all_others_are(one: Process, other: Process) -> None:
    one.begin()
    one.take(A, first=1)
    one.commit()
    one.begin()
    one.connection.execute("SAVEPOINT undone")
    one.take(B, first=2)
    one.connection.execute("ROLLBACK TO undone")
    one.hot.undone(one.connection)
    assert one.known(A, B) == {A}
    one.commit()
    other.begin()
    other.take(C, first=2)
    other.commit()
    one.begin()
    assert one.known(A, B, C) == {A, C}
    assert len(one.hot) == entries_in(one.connection) == 2


def test_keys_that_a_savepoint_took_back_may_be_taken_again_and_rolled_back(one: Process) -> None:
    one.begin()
    one.take(A, first=1)
    for _ in range(2):
        one.connection.execute("SAVEPOINT undone")
        one.take(B, first=2)
        one.connection.execute("ROLLBACK TO undone")
        one.hot.undone(one.connection)
    one.take(B, first=2)
    assert one.known(A, B) == {A, B}
    one.roll_back()
    one.begin()
    assert one.known(A, B) == set()
