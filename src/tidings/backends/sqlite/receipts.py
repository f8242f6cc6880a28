"""Requests that came to receivers: many in one statement, because every step is one more wait for the interpreter."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from tidings.backends.sqlite.multirow import add_values
from tidings.backends.sqlite.reading import snapshot
from tidings.backends.sqlite.receipt_keys import ReceiptKeys, find_anywhere
from tidings.backends.sqlite.scripts import run
from tidings.backends.sqlite.statements import filled, values
from tidings.store.judging import all_new, bringing, in_conflict, is_repeat, judge, keys_to_add, repeats_of
from tidings.store.receipts import ADDED, SHARED, Identity, Judged, Owner, Received, SourceKey, row_of
from tidings.store.scripts import receiving

_Known = list[tuple[bytes, bytes]]
"""What a receipt is known by: what stands for each key, and its content."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Known).decode


_OWN = f"{ADDED}, keys".count(",") + 1 - SHARED  # columns of a row that is added, beside those that all share


class Receipts:
    """See `tidings.store.statements.ReceiptStatements`. Used by whoever holds the writer, in its transactions."""

    def __init__(self, keys: ReceiptKeys) -> None:
        self._keys = keys

    def receive(self, connection: sqlite3.Connection, received: Sequence[Received]) -> list[Judged]:
        last = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'tidings_receipt'")
        first = last.fetchone()[0] + 1
        numbers = range(first, first + len(received))
        places = [(each.source, identity.key) for each in received for identity in each.identities]
        keys = self._keys.of_all(places)
        following = iter(keys)
        known = [[(next(following), identity.content) for identity in each.identities] for each in received]
        found = self._keys.find(connection, keys) if keys else {}
        if not found and len(set(keys)) == len(keys) and not any(each.refused for each in received):
            judged = all_new(received, numbers)
            taken = [n for n, pairs in zip(numbers, known, strict=True) for _ in pairs]
        else:
            kept = _owners(_held(connection, found), found, zip(places, keys, strict=True))
            judged = judge(received, kept, numbers)
            conflicts = self._conflicts(connection, in_conflict(received, judged))
            if conflicts:
                kept |= conflicts
                judged = judge(received, kept, numbers)
            added = sorted(keys_to_add(received, judged, kept), key=lambda row: row[3])
            keys, taken = [self._keys.of(row[0], row[1]) for row in added], [row[3] for row in added]
        if keys:
            self._keys.take(connection, keys, taken)
        self._add(connection, received, judged, known)
        _count(connection, received, judged)
        return judged

    def _conflicts(
        self, connection: sqlite3.Connection, conflicts: Sequence[tuple[Received, int]]
    ) -> dict[SourceKey, Owner]:
        """Return those that are kept of these that came before."""
        places = {(each.source, each.conflict.key): None for each, _ in conflicts}
        keys = [self._keys.of(source, key) for source, key in places]
        found = self._keys.find(connection, keys) if keys else {}
        return _owners(_held(connection, found), found, zip(places, keys, strict=True))

    def _add(
        self,
        connection: sqlite3.Connection,
        received: Sequence[Received],
        judged: Sequence[Judged],
        known: Sequence[_Known],
    ) -> None:
        held: defaultdict[tuple[object, ...], list[object]] = defaultdict(list)
        for each, verdict, pairs in zip(received, judged, known, strict=True):
            if not is_repeat(verdict):
                row = row_of(each, verdict)
                kept = pairs if verdict.verdict == "new" else self._known_by(each.source, bringing(each, verdict))
                held[row[:SHARED]] += (*row[SHARED:], _encode(kept))
        for shared, own in held.items():
            add_values(connection, f"tidings_receipt ({ADDED}, keys)", own, width=_OWN, shared=shared)

    def finish(
        self, connection: sqlite3.Connection, n: int, identities: Sequence[Identity], items: bytes, *, at: int | None
    ) -> bool:
        source = run(connection, receiving.finish(n, items, at=at))
        if source is None:
            return False
        known = dict(self._known_by(source, identities))
        found = self._keys.find(connection, [*known])
        held = _held(connection, found)
        owned = {key for key, numbers in found.items() for of in numbers if of in held}
        new = [(key, content) for key, content in known.items() if key not in owned]
        if new:
            self._keys.put(connection, [key for key, _ in new], n)
            had = [*_held(connection, {b"": [n]})[n].contents.items()]
            connection.execute("UPDATE tidings_receipt SET keys = ? WHERE n = ?", (_encode([*had, *new]), n))
        return True

    def owners(self, connection: sqlite3.Connection, source: str, keys: Sequence[str]) -> dict[SourceKey, Owner]:
        places = {(source, key): self._keys.of(source, key) for key in keys}
        with snapshot(connection):
            found = find_anywhere(connection, [*places.values()])
            return _owners(_held(connection, found), found, places.items())

    def forget(self, connection: sqlite3.Connection, *, now: int, limit: int) -> int:
        gone = connection.execute(
            "DELETE FROM tidings_receipt WHERE n IN (SELECT n FROM tidings_receipt WHERE outcome <> 'failed' "
            "AND forget_at < ? ORDER BY forget_at LIMIT ?) RETURNING n, keys",
            (now, limit),
        ).fetchall()
        self._keys.remove(connection, [(key, n) for n, keys in gone for key, _ in _decode(keys)])
        return len(gone)

    def _known_by(self, source: str, identities: Iterable[Identity]) -> _Known:
        return [(self._keys.of(source, each.key), each.content) for each in identities]


class _Held(NamedTuple):
    """What is there of a receipt. `contents`: by what stands for its keys."""

    contents: dict[bytes, bytes]
    failed: bool


def _held(connection: sqlite3.Connection, found: Mapping[bytes, Sequence[int]]) -> dict[int, _Held]:
    """Return those of the receipts that may have keys which are there."""
    held: dict[int, _Held] = {}
    for piece in filled(list({n for numbers in found.values() for n in numbers}), 1):
        rows = connection.execute(
            f"SELECT n, keys, outcome = 'failed' FROM tidings_receipt WHERE n IN (VALUES {values(1, len(piece))})",
            piece,
        ).fetchall()
        held.update({n: _Held(dict(_decode(keys)), bool(failed)) for n, keys, failed in rows})
    return held


def _owners(
    held: Mapping[int, _Held], found: Mapping[bytes, Sequence[int]], places: Iterable[tuple[SourceKey, bytes]]
) -> dict[SourceKey, Owner]:
    """Return who has each key, of the receipts that are there. `places`: keys, each with what stands for it."""
    return {
        place: Owner(held[n].contents[key], n, held[n].failed)
        for place, key in places
        for n in found.get(key, ())
        if n in held and key in held[n].contents
    }


def _count(connection: sqlite3.Connection, received: Sequence[Received], judged: Sequence[Judged]) -> None:
    for n, at, forget_at in repeats_of(received, judged):
        connection.execute(
            "UPDATE tidings_receipt SET seen = seen + 1, last_seen = max(last_seen, ?), forget_at = max(forget_at, ?) "
            "WHERE n = ?",
            (at, forget_at, n),
        )
