"""Places in the order of a list, and ranges of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

OrderKey: TypeAlias = str | int | tuple[str | int, ...]
"""What a provider orders its list by, as a row of it says."""

Place: TypeAlias = tuple[str | int, ...]
"""A place in the order: compared with others of the same shape. The empty one comes before all."""

START: Place = ()


def place(order: OrderKey) -> Place:
    """Return where in the order this is."""
    return order if isinstance(order, tuple) else (order,)


@dataclass(frozen=True, slots=True)
class Range:
    """The places after `after` up to `end`, which is in it. `end` None: to the end of the list."""

    after: Place
    end: Place | None

    def __contains__(self, at: Place) -> bool:
        return self.after < at and (self.end is None or at <= self.end)

    @property
    def is_empty(self) -> bool:
        """Whether no place is in it, as of a page without rows that is not the last one."""
        return self.end is not None and self.end <= self.after


WHOLE = Range(START, None)
