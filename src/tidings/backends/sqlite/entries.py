"""Rows of the log: how envelopes are kept, and how entries are read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from tidings.backends.sqlite.multirow import add_rows
from tidings.events.codec import envelope_of
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import identity_key, subject_keys
from tidings.log.driver import Position

READ = "pos, recorded, source, id, type, dataversion, subject, attrs, data"
"""The columns of an entry, in the order that `entry_of` takes."""

Columns = tuple[Sequence[Any], ...]
"""Envelopes as the log's columns hold them, all but `pos` and `recorded`."""

_INTO = "tidings_log (pos, recorded, skey, source, id, type, dataversion, subject, attrs, data)"


def entry_of(row: Sequence[Any]) -> Entry:
    """Return the entry that was read as `READ`."""
    position, recorded, source, id, type, version, subject, attributes, data = row
    return Entry(position, recorded, envelope_of((source, id, type, version, subject, attributes, data)))


def entries_of(rows: Iterable[Sequence[Any]]) -> tuple[Entry, ...]:
    """Return the entries that were read as `READ`."""
    return tuple([entry_of(row) for row in rows])


def columns_of(envelopes: Sequence[Envelope], attributes: Sequence[bytes]) -> Columns:
    """Return the columns that keep these envelopes. `attributes`: of each, as `attributes_to_bytes` gives them.

    `skey` is what decides the partition: a hash of the subject, or of the identity of an event that has none.
    """
    subjects = [envelope.subject for envelope in envelopes]
    return (
        _skeys(envelopes, subjects),
        [envelope.source for envelope in envelopes],
        [envelope.id for envelope in envelopes],
        [envelope.type for envelope in envelopes],
        [envelope.version for envelope in envelopes],
        subjects,
        attributes,
        [envelope.data for envelope in envelopes],
    )


def _skeys(envelopes: Sequence[Envelope], subjects: Sequence[str | None]) -> Sequence[int]:
    named = [subject for subject in subjects if subject is not None]
    keys = subject_keys(named)
    if len(named) == len(subjects):
        return keys
    following = iter(keys)
    return [
        identity_key(envelope.source, envelope.id) if envelope.subject is None else next(following)
        for envelope in envelopes
    ]


def add_entries(
    connection: sqlite3.Connection, columns: Columns, *, positions: Sequence[Position], recorded: int
) -> None:
    """Keep envelopes in the log. `recorded`: now, in µs since 1970."""
    add_rows(connection, _INTO, (positions, repeat(recorded, len(positions)), *columns))


def some_of(columns: Columns, places: Sequence[int]) -> Columns:
    """Return the columns with only these rows."""
    return tuple([column[n] for n in places] for column in columns)
