"""Requests that came to receivers: many in one statement, because every step is one more wait for the interpreter.

What is new and became events is kept in blocks, everything else in rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from tidings.backends.sqlite import receipt_blocks as blocks
from tidings.backends.sqlite.multirow import add_values
from tidings.backends.sqlite.reading import snapshot
from tidings.backends.sqlite.receipt_blocks import Known, Plain, encode_known
from tidings.backends.sqlite.receipt_keys import ReceiptKeys, find_anywhere
from tidings.backends.sqlite.scripts import run
from tidings.backends.sqlite.statements import filled, values
from tidings.store.receipts import (
    ADDED,
    Identity,
    Judged,
    Owner,
    Receipt,
    ReceiptOutcome,
    ReceiptTally,
    Received,
    SourceKey,
    Stored,
    all_new,
    bringing,
    is_repeat,
    judge,
    keys_to_add,
    repeats_of,
    row_of,
)
from tidings.store.scripts import receiving

_decode = msgspec.msgpack.Decoder(Known).decode

_DRAW = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'tidings_receipt' RETURNING seq"
_GIVE_BACK = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'tidings_receipt'"
_TALLY = f"""
WITH newest (at, outcome, receipts, seen) AS (
  SELECT * FROM (SELECT n, outcome, 1, seen FROM tidings_receipt WHERE receiver = ?1 ORDER BY n DESC LIMIT ?2)
  UNION ALL SELECT * FROM (SELECT last, 'stored', last - first + 1, last - first + 1 FROM {blocks.TABLE}
    WHERE receiver = ?1 ORDER BY last DESC LIMIT ?2)),
counted AS (SELECT *, sum(receipts) OVER (ORDER BY at DESC ROWS UNBOUNDED PRECEDING) - ?2 AS beyond FROM newest)
SELECT outcome, sum(receipts - max(beyond, 0)), sum(seen - receipts) FROM counted WHERE receipts > beyond
GROUP BY outcome
"""
_LAST_SEEN = f"""
SELECT seen FROM (
  SELECT * FROM (SELECT n AS at, last_seen AS seen FROM tidings_receipt WHERE receiver = ?1 ORDER BY n DESC LIMIT 1)
  UNION ALL SELECT * FROM (SELECT last, newest FROM {blocks.TABLE} WHERE receiver = ?1 ORDER BY last DESC LIMIT 1))
ORDER BY at DESC LIMIT 1
"""


class Receipts:
    """See `tidings.store.statements.ReceiptStatements`. Used on the writer's thread, in its transactions."""

    def __init__(self, keys: ReceiptKeys) -> None:
        self._keys = keys

    def receive(self, connection: sqlite3.Connection, received: Sequence[Received]) -> list[Judged]:
        last = connection.execute(_DRAW, (len(received),)).fetchone()[0]
        numbers = range(last - len(received) + 1, last + 1)
        sources = [each.source for each in received for _ in each.identities]
        identities = [of for each in received for of in each.identities]
        keys = self._keys.each_of(sources, [of.key for of in identities])
        pairs = zip(keys, [of.content for of in identities], strict=True)
        known = [list(islice(pairs, len(each.identities))) for each in received]
        found = self._keys.find(connection, keys) if keys else {}
        if not found and len(set(keys)) == len(keys) and not any(each.refused for each in received):
            judged = all_new(received, numbers)
            taken = [n for n, each in zip(numbers, received, strict=True) for _ in each.identities]
        else:
            places = [(source, of.key) for source, of in zip(sources, identities, strict=True)]
            kept = _owners(_held(connection, found), found, zip(places, keys, strict=True))
            judged = judge(received, kept, numbers)
            used = [verdict.n for verdict in judged if not is_repeat(verdict)]
            connection.execute(_GIVE_BACK, (max(used, default=numbers[0] - 1),))  # what repeats have drawn
            added = sorted(keys_to_add(received, judged, kept), key=lambda row: row[3])
            keys, taken = [self._keys.of(row[0], row[1]) for row in added], [row[3] for row in added]
        if keys:
            self._keys.take(connection, keys, taken)
        _add(connection, received, judged, known)
        _count(connection, received, judged)
        return judged

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
            connection.execute("UPDATE tidings_receipt SET keys = ? WHERE n = ?", (encode_known([*had, *new]), n))
        return True

    def owners(self, connection: sqlite3.Connection, source: str, keys: Sequence[str]) -> dict[SourceKey, Owner]:
        places = {(source, key): self._keys.of(source, key) for key in keys}
        with snapshot(connection):
            found = find_anywhere(connection, [*places.values()])
            return _owners(_held(connection, found), found, places.items())

    def note_replay(self, connection: sqlite3.Connection, n: int, error: str | None, *, at: int) -> None:
        blocks.take_out(connection, [n])
        run(connection, receiving.note_replay(n, error, at=at))

    def drop(self, connection: sqlite3.Connection, n: int) -> None:
        blocks.take_out(connection, [n])
        run(connection, receiving.drop(n))

    def forget_bodies(self, connection: sqlite3.Connection, *, before: int, limit: int) -> int:
        gone = run(connection, receiving.forget_bodies(before=before, limit=limit))
        while gone < limit and (block := blocks.first_with_bodies(connection, before=before)):
            old = [each.n for each in block if each.received < before]
            if len(old) == len(block) <= limit - gone:
                blocks.forget_bodies(connection, block)
                gone += len(block)
            else:
                blocks.take_out(connection, old)
                gone += run(connection, receiving.forget_bodies(before=before, limit=limit - gone))
        return gone

    def forget(self, connection: sqlite3.Connection, *, now: int, limit: int) -> int:
        gone = self._forget_rows(connection, now=now, limit=limit)
        while gone < limit and (block := blocks.first_to_forget(connection, now=now)):
            old = [each.n for each in block if each.forget_at < now]
            if len(old) == len(block) <= limit - gone:
                blocks.remove(connection, block)
                self._keys.remove(connection, [(key, each.n) for each in block for key, _ in each.known])
                gone += len(block)
            else:
                blocks.take_out(connection, old)
                gone += self._forget_rows(connection, now=now, limit=limit - gone)
        return gone

    def _forget_rows(self, connection: sqlite3.Connection, *, now: int, limit: int) -> int:
        gone = connection.execute(
            "DELETE FROM tidings_receipt WHERE n IN (SELECT n FROM tidings_receipt WHERE outcome <> 'failed' "
            "AND forget_at < ? ORDER BY forget_at LIMIT ?) RETURNING n, keys",
            (now, limit),
        ).fetchall()
        self._keys.remove(connection, [(key, n) for n, keys in gone for key, _ in _decode(keys)])
        return len(gone)

    # what is shown
    def listed(
        self, connection: sqlite3.Connection, wanted: Mapping[str, Any], *, before: int | None, limit: int
    ) -> list[Receipt]:
        with snapshot(connection):
            found = run(connection, receiving.listed(wanted, before=before, limit=limit))
            if wanted["outcome = "] in (None, "stored"):
                plain = blocks.newest_first(
                    connection,
                    wanted["receiver = "],
                    since=wanted["received >= "],
                    until=wanted["received < "],
                    before=before,
                )
                found += [blocks.receipt_of(each) for each in islice(plain, limit)]
        return sorted(found, key=lambda receipt: -receipt.n)[:limit]

    def found(self, connection: sqlite3.Connection, n: int) -> Receipt | None:
        with snapshot(connection):
            plain = blocks.find(connection, n)
            return run(connection, receiving.found(n)) if plain is None else blocks.receipt_of(plain)

    def stored(self, connection: sqlite3.Connection, n: int) -> Stored | None:
        with snapshot(connection):
            plain = blocks.find(connection, n)
            return run(connection, receiving.stored(n)) if plain is None else blocks.stored_of(plain)

    def counted(self, connection: sqlite3.Connection, outcome: ReceiptOutcome) -> int:
        with snapshot(connection):
            in_rows = run(connection, receiving.counted(outcome))
            if outcome != "stored":
                return in_rows
            [(plain,)] = connection.execute(f"SELECT ifnull(sum(last - first + 1), 0) FROM {blocks.TABLE}").fetchall()
            return in_rows + int(plain)

    def tally(self, connection: sqlite3.Connection, receiver: str, *, newest: int) -> ReceiptTally:
        rows = connection.execute(_TALLY, (receiver, newest)).fetchall()
        return ReceiptTally(
            outcomes={outcome: count for outcome, count, _ in rows}, repeats=sum(repeats for _, _, repeats in rows)
        )

    def last_received(self, connection: sqlite3.Connection, receivers: Sequence[str]) -> dict[str, int]:
        with snapshot(connection):
            found = {each: connection.execute(_LAST_SEEN, (each,)).fetchone() for each in receivers}
        return {each: row[0] for each, row in found.items() if row is not None}

    def _known_by(self, source: str, identities: Sequence[Identity]) -> Known:
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
    for n in {n for numbers in found.values() for n in numbers}:
        if n not in held:
            held.update({each.n: _Held(dict(each.known), failed=False) for each in blocks.block_of(connection, n)})
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


def _add(
    connection: sqlite3.Connection, received: Sequence[Received], judged: Sequence[Judged], known: Sequence[Known]
) -> None:
    held: list[object] = []
    plain: list[Plain] = []
    for each, verdict, pairs in zip(received, judged, known, strict=True):
        if verdict.verdict == "new" and each.outcome == "stored":
            plain.append(blocks.plain_of(each, verdict.n, pairs))
        elif not is_repeat(verdict):
            held += row_of(each, verdict)
            kept = {*bringing(each, verdict)}
            held.append(encode_known([pair for of, pair in zip(each.identities, pairs, strict=True) if of in kept]))
    blocks.add(connection, plain)
    add_values(connection, f"tidings_receipt ({ADDED}, keys)", held, width=blocks.WIDTH)


def _count(connection: sqlite3.Connection, received: Sequence[Received], judged: Sequence[Judged]) -> None:
    repeats = repeats_of(received, judged)
    blocks.take_out(connection, frozenset([n for n, _, _ in repeats]))
    for n, at, forget_at in repeats:
        connection.execute(
            "UPDATE tidings_receipt SET seen = seen + 1, last_seen = max(last_seen, ?), forget_at = max(forget_at, ?) "
            "WHERE n = ?",
            (at, forget_at, n),
        )
