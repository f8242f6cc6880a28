"""One row of a view over HTTP: how a path names it, and what tells two states of it apart."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.errors import NotFoundError
from tidings.operations.rows import read_value
from tidings.store.rows import Column, Key, Row


def read_key(columns: Sequence[Column], key: Sequence[str], segments: Sequence[str]) -> Key:
    """Return the key that these path segments name, one for each column of the key."""
    if len(segments) != len(key):
        hint = f"a row is named by one path segment for each of {', '.join(key)}, so by {len(key)}, not {len(segments)}"
        raise NotFoundError("row", "/".join(segments), hint=hint)
    named = {column.name: column for column in columns}
    return tuple(read_value(named[name], text) for name, text in zip(key, segments, strict=True))


def etag(version: int, row: Row) -> str:
    """Return a row's strong ETag: its table, its rank, and its position, which alone a late event raises."""
    rank = row.rank
    return f'"{version}.{rank.at}.{rank.settled}.{rank.hash & (1 << 64) - 1:x}.{row.position}"'
