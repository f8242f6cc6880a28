"""How much of a list is read at once, since what a page holds in memory is bytes, and its limit is a number of items.

How large an item is shows only once it is read. So few are read at first, and then as many as fit if they are as large.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidings.events.envelope import Entry

PAGE_BYTES = 4 * 1024 * 1024
FIRST = 32
_ITEM = 256
"""What an item takes beside its data, or so."""


def fits(size: int, *, seen: int, used: int) -> int:
    """Return how many items to read next so that they have some `size` bytes, if those `seen` so far had `used`."""
    return max(1, size * seen // max(1, used)) if seen else FIRST


def entry_size(entry: Entry) -> int:
    """Return the bytes of an entry, or so."""
    return _ITEM + len(entry.envelope.data or b"")


def row_size(values: Iterable[object]) -> int:
    """Return the bytes of a row, or so."""
    return _ITEM + sum(len(value) for value in values if isinstance(value, (str, bytes)))
