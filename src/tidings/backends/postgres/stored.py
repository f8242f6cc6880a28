"""How envelopes, subjects and texts are kept in rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidings.events.codec import stored_of
from tidings.events.envelope import Envelope

_STORED = ("text", "text", "text", "int", "text", "bytea", "bytea")
STORED = "source, id, type, dataversion, {}, attrs, data"


def stored_columns(envelopes: Sequence[Envelope]) -> list[tuple[Any, ...]]:
    """Return the columns of a row for each of these, an array for each column."""
    return list(zip(*map(stored_of, envelopes), strict=True))


def stored_arrays(first: int) -> str:
    """Return the parameters that `stored_columns` fills, from this one on."""
    return ", ".join(f"${first + n}::{type}[]" for n, type in enumerate(_STORED))


def subject_bytes(subject: str) -> bytes:
    """Return the subject as it is kept."""
    return subject.encode()
