"""Which reads of one key were under way at once, where nothing but the order of reads tells two states apart.

A read that another one overlaps says nothing of which is newer: whoever ends later asks again.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from tidings.reconciliation.kept.book import Book
from tidings.reconciliation.kept.coding import Reading
from tidings.reconciliation.kept.records import Record

READING_US = 60_000_000
"""After so long whoever reads a key has gone."""


async def begin(book: Book, record: Record, key: str, *, now: int) -> int | None:
    """Return the ticket of a read of one key that begins now; None while another one is under way."""
    kept = (await book.readings([key])).get(key)
    if kept is not None and kept.is_going_on(now):
        return None
    ticket = record.ticket + 1
    await book.write_readings({key: Reading(ticket, now + READING_US)})
    await book.write(replace(record, ticket=ticket))
    return ticket


async def end(book: Book, record: Record, key: str, ticket: int) -> bool:
    """End a read of one key; return whether another one overlapped it."""
    kept = (await book.readings([key])).get(key)
    if kept is None or kept.ticket != ticket:
        return True
    # Only a page may have begun before this ends and end after it, and there are pages only while somebody lists.
    await book.write_readings({key: Reading(ticket, 0, ended=record.ticket) if record.owner else None})
    return kept.is_overlapped


async def of_page(book: Book, keys: Iterable[str], ticket: int, *, now: int) -> frozenset[str]:
    """Return the keys of a page that were read meanwhile; those that are being read learn of the page."""
    found = await book.readings(keys)
    going_on = {key: replace(each, is_overlapped=True) for key, each in found.items() if each.is_going_on(now)}
    await book.write_readings({**dict.fromkeys(found), **going_on})
    return frozenset(going_on) | {key for key, each in found.items() if each.ended >= ticket}
