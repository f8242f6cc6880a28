"""What is worded alike wherever it is said: a number with its noun, and what there is where a name is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NAMES_SHOWN = 20
NAMES_LENGTH = 100
LOOK = "look for it among those that are listed"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, as `1 subject` and `2 subjects`. `many`: None for `one` with an s."""
    return f"{number:,} {one if number == 1 else f'{one}s' if many is None else many}"


def absent(what: str, name: str, there: Iterable[str] | None = None, *, of: str = "", hint: str = "") -> str:
    """Return the sentence that there is nothing of a name, and what to do: the same over every face.

    `what`: such as "consumer". `of`: what it would belong to. `there`: the names there are, of which the nearest is
    asked for; of many, those are left out that stand farthest from the name. None where they are too many to be read,
    or not for everybody. `hint`: what else to do, and without `there` what to do instead of looking among what is
    listed.
    """
    owner = of[:NAMES_LENGTH] if of.isprintable() else repr(of[:NAMES_LENGTH])
    asked = f"there is no {what} {name[:NAMES_LENGTH]!r}{f' of {owner}' if of else ''}"
    if there is None:
        return f"{asked}; {hint or LOOK}"
    return f"{asked}; {_listed(name, sorted(there))}{f'; {hint}' if hint else ''}"


def _listed(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name[:NAMES_LENGTH], known, n=1)
    shown = known if len(known) <= NAMES_SHOWN else near or known[:NAMES_SHOWN]
    more = f" and {len(known) - len(shown):,} more" if len(shown) < len(known) else ""
    asked = f": did you mean {near[0]}?" if near else ""
    return f"there is {', '.join(shown) or 'none'}{more}{asked}"
