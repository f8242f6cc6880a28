"""The scalars of JSON as values that are equal exactly if a pattern takes them for the same."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any


class Constant(Enum):
    """`True` is 1 and equal to it in Python; in a pattern it is not."""

    NULL = "null"
    TRUE = "true"
    FALSE = "false"


Scalar = str | int | Decimal | Constant
"""Numbers are exact decimals: 300 is 3.0e2, and 0.3 is not 0.30000000000000004."""


def scalar_of(value: Any) -> Scalar | None:
    """Return the value as a pattern compares it; None if it is no scalar. A float is the decimal it is written as."""
    kind = value.__class__
    if kind is str or kind is int or kind is Decimal:
        return value  # type: ignore[no-any-return]
    if value is None:
        return Constant.NULL
    if kind is bool:
        return Constant.TRUE if value else Constant.FALSE
    if kind is float:
        return Decimal(repr(value))
    return None


def is_number(value: Any) -> bool:
    return value.__class__ in (int, Decimal, float)
