"""Values on their way into a statement: `sqlite3` is told that None and bytes are what they are.

It looks for an adapter of each that is none of int, float, str and bytearray: first among those that were registered,
then, by way of exceptions that it drops, for methods of the value. Without one a None or a bytes costs five times as
much as an int, and half of what is bound is that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from types import MappingProxyType, NoneType
from typing import Any

_NOTHING: Mapping[None, None] = {}
_AS_IT_IS: Mapping[type, Callable[[Any], Any]] = MappingProxyType({NoneType: _NOTHING.get, bytes: bytes.__bytes__})
"""What returns a value of the type itself, without a step of Python's."""


def spare_looks() -> None:
    """Register them for this process, which changes no value, unless somebody has registered another for the type."""
    taken = {kind for kind, _ in sqlite3.adapters}
    for kind, as_it_is in _AS_IT_IS.items():
        if kind not in taken:
            sqlite3.register_adapter(kind, as_it_is)
