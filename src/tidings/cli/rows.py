"""Rows of views as HTTP shows them, and columns as they are typed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tidings.errors import CallerError
from tidings.events.codec import encode_json
from tidings.operations.rows import read_value, row_object
from tidings.store.rows import Column, Row
from tidings.wording import absent


def row_of(columns: Sequence[Column], row: Row) -> dict[str, Any]:
    """Return a view's row as an object of JSON."""
    shown: dict[str, Any] = json.loads(encode_json(row_object(columns, row)))
    return shown


def equal_to(where: Sequence[str], columns: Sequence[Column]) -> dict[str, Any]:
    """Return the stored values that texts such as `user_id=jack` ask for, by column.

    CallerError if there is no such column; MalformedError if it cannot hold such a value.
    """
    known = {column.name: column for column in columns}
    equal = {}
    for text in where:
        name, equals, value = text.partition("=")
        if not equals:
            raise CallerError(f"{text[:80]!r} is not COLUMN=VALUE; there is {', '.join(known)}")
        if name not in known:
            raise CallerError(absent("column", name, known))
        equal[name] = read_value(known[name], value)
    return equal
