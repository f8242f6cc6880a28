"""Receipts of which nothing has changed since they came: those of one receiver that came together are one row.

A row for each took four times as long to add. A block is read whole. Once something of one of its receipts changes,
since it came again or was replayed, that one is taken out and becomes a row of `tidings_receipt`, and what stood before
and behind it are blocks of their own: so the numbers of a block have no gap, and a receipt stands in one place.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing

import msgspec

from tidings.backends.sqlite.multirow import add_rows, add_values
from tidings.store.receipts import ADDED, Headers, Receipt, Received, Stored, headers_text

TABLE = "tidings_receipt_block"
RECEIPTS_MAX = 32
BYTES_MAX = 32 * 1024
"""A block takes no more once it holds so many receipts, or bytes of bodies: one receipt is found by reading it all."""
WIDTH = 14  # columns of a row that is added

Known = list[tuple[bytes, bytes]]
"""What a receipt is known by: what stands for each key, and its content."""


class Plain(msgspec.Struct, array_like=True, gc=False):
    """A receipt that became events, as a block keeps it. The first three are None once bodies are forgotten."""

    query: bytes | None
    headers: Headers | None
    body: bytes | None
    n: int
    receiver: str
    source: str
    received: int
    forget_at: int
    method: str
    items: bytes
    known: Known


encode_known = msgspec.msgpack.Encoder().encode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Plain]).decode


def plain_of(received: Received, n: int, known: Known) -> Plain:
    """Return a request that is new, and became events, as a receipt of this number."""
    return Plain(
        received.query,
        received.headers,
        received.body,
        n,
        received.receiver,
        received.source,
        received.received,
        received.forget_at,
        received.method,
        received.items,
        known,
    )


def receipt_of(plain: Plain) -> Receipt:
    return Receipt(
        n=plain.n,
        receiver=plain.receiver,
        source=plain.source,
        received=plain.received,
        outcome="stored",
        error=None,
        items=plain.items,
        seen=1,
        last_seen=plain.received,
        replayed=None,
        replays=0,
        bytes=None if plain.body is None else len(plain.body),
    )


def stored_of(plain: Plain) -> Stored | None:
    """Return it as it came; None if its body is forgotten."""
    if plain.query is None or plain.headers is None or plain.body is None:
        return None
    headers = headers_text(plain.headers)
    return Stored(receipt=receipt_of(plain), method=plain.method, query=plain.query, headers=headers, body=plain.body)


def add(connection: sqlite3.Connection, receipts: Sequence[Plain]) -> None:
    """Keep receipts, whose numbers rise."""
    rows = [_row(block) for block in _blocks(receipts)]
    if rows:
        into = f"{TABLE} (last, first, receiver, oldest, newest, forget_at, has_bodies, body)"
        add_rows(connection, into, tuple(zip(*rows, strict=True)))


def _row(block: Sequence[Plain]) -> tuple[object, ...]:
    first, came = block[0], [each.received for each in block]
    forget_at = min([each.forget_at for each in block])
    has_bodies = first.body is not None  # all have, or none
    return block[-1].n, first.n, first.receiver, min(came), max(came), forget_at, has_bodies, _encode(block)


def _blocks(receipts: Sequence[Plain]) -> Iterator[Sequence[Plain]]:
    start, size = 0, 0
    for place, each in enumerate(receipts):
        before = receipts[place - 1]
        if place > start and (
            each.n != before.n + 1
            or each.receiver != before.receiver
            or place - start == RECEIPTS_MAX
            or size > BYTES_MAX
        ):
            yield receipts[start:place]
            start, size = place, 0
        size += len(each.body or b"")
    if receipts:
        yield receipts[start:]


def block_of(connection: sqlite3.Connection, n: int) -> list[Plain]:
    """Return the block that this receipt stands in; empty if it stands in none."""
    row = connection.execute(f"SELECT first, body FROM {TABLE} WHERE last >= ? ORDER BY last LIMIT 1", (n,)).fetchone()
    return [] if row is None or row[0] > n else _decode(row[1])


def find(connection: sqlite3.Connection, n: int) -> Plain | None:
    """Return this receipt, if it stands in a block."""
    return next((each for each in block_of(connection, n) if each.n == n), None)


def newest_first(
    connection: sqlite3.Connection, receiver: str | None, *, since: int | None, until: int | None, before: int | None
) -> Iterator[Plain]:
    """Yield the receipts that stand in blocks. See `tidings.store.receipt_store.ReceiptStore.receipts`."""
    wanted = {"first < ": before, "receiver = ": receiver, "newest >= ": since, "oldest < ": until}
    asked = {condition: value for condition, value in wanted.items() if value is not None}
    where = " AND ".join(f"{condition}?" for condition in asked) or "1"
    rows = connection.execute(f"SELECT body FROM {TABLE} WHERE {where} ORDER BY last DESC", (*asked.values(),))
    with closing(rows):
        for (body,) in rows:
            yield from [each for each in reversed(_decode(body)) if _is_within(each, since, until, before)]


def _is_within(plain: Plain, since: int | None, until: int | None, before: int | None) -> bool:
    if before is not None and plain.n >= before:
        return False
    return (since is None or plain.received >= since) and (until is None or plain.received < until)


def take_out(connection: sqlite3.Connection, numbers: Collection[int]) -> None:
    """Make rows of those of these receipts that stand in blocks: something of them is about to change."""
    taken: list[Plain] = []
    left: list[Plain] = []
    for n in sorted({*numbers}):
        block = block_of(connection, n)
        if block:  # else it is a row, or has been taken out with one before it
            remove(connection, block)
            taken += [each for each in block if each.n in numbers]
            left += [each for each in block if each.n not in numbers]
    add(connection, left)
    _add_rows(connection, taken)


def _add_rows(connection: sqlite3.Connection, receipts: Sequence[Plain]) -> None:
    held = [value for each in receipts for value in _columns(each)]
    add_values(connection, f"tidings_receipt ({ADDED}, keys)", held, width=WIDTH)


def _columns(plain: Plain) -> tuple[object, ...]:
    return (
        *(plain.n, plain.receiver, plain.source, plain.received, plain.forget_at, plain.method),
        plain.query,
        None if plain.headers is None else headers_text(plain.headers),
        *(plain.body, plain.items, "stored", None, plain.received),
        encode_known(plain.known),
    )


def remove(connection: sqlite3.Connection, block: Sequence[Plain]) -> None:
    connection.execute(f"DELETE FROM {TABLE} WHERE last = ?", (block[-1].n,))


def first_to_forget(connection: sqlite3.Connection, *, now: int) -> list[Plain]:
    """Return the block of which a receipt is to be forgotten first; empty if none is before `now`."""
    return _one(connection, "forget_at < ? ORDER BY forget_at", now)


def first_with_bodies(connection: sqlite3.Connection, *, before: int) -> list[Plain]:
    """Return the block whose bodies are the oldest; empty if none came before this time."""
    return _one(connection, "has_bodies = 1 AND oldest < ? ORDER BY oldest", before)


def _one(connection: sqlite3.Connection, where: str, value: int) -> list[Plain]:
    row = connection.execute(f"SELECT body FROM {TABLE} WHERE {where} LIMIT 1", (value,)).fetchone()
    return [] if row is None else _decode(row[0])


def forget_bodies(connection: sqlite3.Connection, block: Sequence[Plain]) -> None:
    """Keep this block without its bodies, headers and queries."""
    for each in block:
        each.query = each.headers = each.body = None
    connection.execute(f"UPDATE {TABLE} SET body = ?, has_bodies = 0 WHERE last = ?", (_encode(block), block[-1].n))
