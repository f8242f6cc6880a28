"""What is worded alike wherever it is said: a number with its noun, and what there is where a name is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable

NAMES_SHOWN = 20
NAMES_LENGTH = 100


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, as `1 subject` and `2 subjects`. `many`: None for `one` with an s."""
    return f"{number:,} {one if number == 1 else f'{one}s' if many is None else many}"


def absent(what: str, name: str, there: Iterable[str]) -> str:
    """Return the sentence that there is nothing of a name: with what there is, and with the nearest of it.

    `what`: such as "consumer". Of many that there are, those are left out that stand farthest from the name.
    """
    from difflib import get_close_matches

    known = sorted(there)
    near = get_close_matches(name[:NAMES_LENGTH], known, n=1)
    shown = known if len(known) <= NAMES_SHOWN else near or known[:NAMES_SHOWN]
    more = f" and {len(known) - len(shown):,} more" if len(shown) < len(known) else ""
    asked = f": did you mean {near[0]}?" if near else ""
    return f"there is no {what} {name[:NAMES_LENGTH]!r}; there is {', '.join(shown) or 'none'}{more}{asked}"
