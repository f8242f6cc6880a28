"""Rows of the log: how envelopes are kept, and how entries are read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

from tidings.backends.sqlite.multirow import add_rows
from tidings.errors import EnvelopeError
from tidings.events.codec import attributes_to_bytes, envelope_of
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import SLOTS, identity_key, subject_keys
from tidings.events.timestamp import time_us
from tidings.log.driver import Position

READ = "pos, recorded, source, id, type, dataversion, subject, attrs, data"
"""The columns of an entry, in the order that `entry_of` takes."""

Columns = tuple[Sequence[Any], ...]
"""Envelopes as the log's columns hold them, all but `pos` and `recorded`."""

_INTO = "tidings_log (pos, recorded, slot, skey, source, id, type, dataversion, subject, time, attrs, data)"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def entry_of(row: Sequence[Any]) -> Entry:
    """Return the entry that was read as `READ`."""
    position, recorded, source, id, type, version, subject, attributes, data = row
    return Entry(position, recorded, envelope_of((source, id, type, version, subject, attributes, data)))


def entries_of(rows: Iterable[Sequence[Any]]) -> tuple[Entry, ...]:
    """Return the entries that were read as `READ`."""
    return tuple([entry_of(row) for row in rows])


def columns_of(envelopes: Sequence[Envelope]) -> Columns:
    """Return the columns that keep these envelopes."""
    subjects = [envelope.subject for envelope in envelopes]
    keys = iter(subject_keys([subject for subject in subjects if subject is not None]))
    skeys = [None if subject is None else next(keys) for subject in subjects]
    return (
        [_slot(skey, envelope) for skey, envelope in zip(skeys, envelopes, strict=True)],
        skeys,
        [envelope.source for envelope in envelopes],
        [envelope.id for envelope in envelopes],
        [envelope.type for envelope in envelopes],
        [envelope.version for envelope in envelopes],
        subjects,
        [None if envelope.time is None else _order_of(envelope.time) for envelope in envelopes],
        [attributes_to_bytes(envelope) for envelope in envelopes],
        [envelope.data for envelope in envelopes],
    )


def _slot(skey: int | None, envelope: Envelope) -> int:
    return (identity_key(envelope.source, envelope.id) if skey is None else skey) % SLOTS


def _order_of(time: str) -> int | None:
    try:
        return (datetime.fromisoformat(time) - _EPOCH) // _MICROSECOND  # a tenth of the strict way's cost
    except (ValueError, TypeError):
        return _strict_order_of(time)


def _strict_order_of(time: str) -> int | None:
    try:
        return time_us(time)
    except EnvelopeError:
        return None  # kept as it is: who appends unchecked envelopes cannot find them by time


def add_entries(
    connection: sqlite3.Connection, columns: Columns, *, positions: Sequence[Position], recorded: int
) -> None:
    """Keep envelopes in the log. `recorded`: now, in µs since 1970."""
    add_rows(connection, _INTO, (positions, repeat(recorded, len(positions)), *columns))


def some_of(columns: Columns, places: Sequence[int]) -> Columns:
    """Return the columns with only these rows."""
    return tuple([column[n] for n in places] for column in columns)
