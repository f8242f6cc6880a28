"""The `reladiff` library, with its own defaults: tables in two databases, of which it compares hashes of ranges."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from reladiff import connect_to_table, diff_tables


def differing(one: str, other: str, *, table: str, key: str, columns: tuple[str, ...]) -> Mapping[int, set[str]]:
    """Return the keys of rows that differ, with the sides that have such a row."""
    logging.getLogger("hashdiff_tables").setLevel(logging.ERROR)
    ours, theirs = (connect_to_table(url, table, key, extra_columns=columns) for url in (one, other))
    found: dict[int, set[str]] = {}
    try:
        for sign, (row_key, *_) in diff_tables(ours, theirs):
            found.setdefault(int(row_key), set()).add(sign)
    finally:
        ours.database.close()
        theirs.database.close()
    return found
