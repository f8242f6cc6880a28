"""A receipt's key is found wherever it stands: among the newest, half moved, moved; and never one that was undone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidings.backends.sqlite.receipt_keys import NEWEST, TABLE, ReceiptKeys
from tidings.backends.sqlite.schema import prepare
from tidings.log.seen_key import Keys

MOST = 8


class Process:
    """One process's connection, whose transactions are counted. A receipt stands for nothing but its number."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        prepare(self.connection, str(path))
        self.transactions = 0
        self.keys = ReceiptKeys(Keys(b"s" * 32), lambda: self.transactions, newest_max=MOST)

    def begin(self) -> None:
        self.transactions += 1
        self.connection.execute("BEGIN IMMEDIATE")

    def take(self, *numbers: int) -> None:
        """Take a key of its own for each of these receipts, without a commit."""
        self.begin()
        keys = [self.key(n) for n in numbers]
        assert not self.keys.find(self.connection, keys)
        self.keys.take(self.connection, keys, numbers)
        for n in numbers:
            self.keep(n)

    def keep(self, n: int) -> None:
        self.connection.execute(
            "INSERT INTO tidings_receipt (n, receiver, source, received, forget_at, keys, method, items, outcome, "
            "last_seen) VALUES (?, '', '', 0, 0, x'90', '', x'', 'stored', 0)",
            (n,),
        )

    def commit(self) -> None:
        self.connection.execute("COMMIT")
        self.keys.committed()

    def keep_all(self, *numbers: int) -> None:
        """Take each in a transaction of its own."""
        for n in numbers:
            self.take(n)
            self.commit()

    def key(self, n: int) -> bytes:
        return self.keys.of("/till", f"evt_{n}")

    def found(self, *numbers: int) -> dict[int, list[int]]:
        self.begin()
        found = self.keys.find(self.connection, [self.key(n) for n in numbers])
        self.connection.execute("ROLLBACK")
        return {n: sorted({*found[self.key(n)]}) for n in numbers if self.key(n) in found}

    def count(self, table: str) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


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


def each_its_own(numbers: range) -> dict[int, list[int]]:
    return {n: [n] for n in numbers}


def test_every_key_is_found_before_while_and_after_they_are_moved(one: Process) -> None:
    for n in range(1, 60):
        one.keep_all(n)
        assert one.found(*range(1, 61)) == each_its_own(range(1, n + 1))
    assert one.count(TABLE) > 3 * MOST
    assert one.count(NEWEST) < 2 * MOST


def test_another_process_finds_them_wherever_they_stand(one: Process, other: Process) -> None:
    for n in range(1, 60, 2):
        one.keep_all(n)
        other.keep_all(n + 1)
        assert one.found(*range(1, 62)) == other.found(*range(1, 62)) == each_its_own(range(1, n + 2))
    assert one.count(NEWEST) < 4 * MOST


def test_a_key_of_a_transaction_that_was_rolled_back_is_never_moved(one: Process) -> None:
    for n in range(1, 3 * MOST):
        one.take(100 + n)
        one.connection.execute("ROLLBACK")
        one.keep_all(n)
    assert one.found(*range(1, 200)) == each_its_own(range(1, 3 * MOST))


def test_what_a_rolled_back_transaction_moved_is_moved_again(one: Process) -> None:
    one.keep_all(*range(1, MOST + 1))
    for n in range(MOST + 1, 3 * MOST):
        one.take(n)
        one.connection.execute("ROLLBACK")
        assert one.found(*range(1, 3 * MOST)) == each_its_own(range(1, n))
        one.keep_all(n)
    assert one.count(TABLE) >= MOST


def test_what_one_process_began_to_move_another_finishes(one: Process, other: Process) -> None:
    one.keep_all(*range(1, MOST + 2))
    assert 0 < one.count(TABLE) < MOST
    other.keep_all(*range(MOST + 2, 3 * MOST))
    assert other.count(TABLE) >= MOST
    assert one.found(*range(1, 3 * MOST)) == each_its_own(range(1, 3 * MOST))


def test_a_key_whose_receipt_is_gone_is_taken_by_another(one: Process) -> None:
    one.keep_all(*range(1, MOST))
    one.connection.execute("DELETE FROM tidings_receipt WHERE n = 3")
    one.begin()
    assert list(one.keys.find(one.connection, [one.key(3)])[one.key(3)]) == [3]
    one.keys.take(one.connection, [one.key(3)], [50])
    one.keep(50)
    one.commit()
    one.keep_all(*range(51, 51 + 2 * MOST))
    assert one.found(3) == {3: [50]}


def test_a_key_that_a_receipt_got_later_stays_its_own_though_an_older_one_is_moved(one: Process) -> None:
    one.keep_all(*range(1, MOST))
    one.connection.execute("DELETE FROM tidings_receipt WHERE n = 5")
    one.begin()
    one.keys.put(one.connection, [one.key(5)], 2)
    one.commit()
    one.keep_all(*range(51, 51 + 2 * MOST))
    assert one.found(5) == {5: [2]}


def test_keys_that_were_moved_go_with_their_receipt(one: Process) -> None:
    one.keep_all(*range(1, 3 * MOST))
    one.begin()
    one.keys.remove(one.connection, [(one.key(1), 1), (one.key(2), 7)])
    one.commit()
    assert one.found(1, 2) == {2: [2]}
