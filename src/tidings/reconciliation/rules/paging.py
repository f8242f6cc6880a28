"""Whether a page can be believed, and what it covers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import lt

from tidings.reconciliation.rules.places import Place, Range

EMPTY_MAX = 100
CURSORS_MAX = 100_000
"""After so many pages a list is no list any more."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a page is. `doubt`: why it proves nothing."""

    range: Range
    doubt: str = ""


def look_at(
    places: Sequence[Place],
    *,
    after: Place,
    next_cursor: str | None,
    moved: Collection[Place] = (),
    nameless: int = 0,
) -> Looked:
    """Look at the places of a page's rows. `after`: where the one before ended; `moved`: the places of rows that
    stood somewhere else before; `nameless`: how many more rows there were of which nobody knows what they are of."""
    end = None if next_cursor is None else (places[-1] if places else after)
    try:
        rises = all(map(lt, (after, *places), places))
    except TypeError:  # numbers and texts have no order
        rises = False
    doubt = "" if rises and not moved else "order"
    if doubt and end is not None:
        end = after
    return Looked(Range(after, end), doubt or ("key" if nameless else ""))


def marked(mark: str | None, cursor: str | None, pages: int) -> str | None:
    """Return the cursor that later ones are compared with, once so many pages are read: the one that the last power of
    two of them led to. Whatever goes round comes back to it before three times as many are read, and one is kept."""
    return cursor if pages & (pages - 1) == 0 else mark


def hold_limit(live: int) -> int:
    """Return how many items of so many may be found deleted before somebody has to look."""
    return max(10, min(live // 10, 1_000))
