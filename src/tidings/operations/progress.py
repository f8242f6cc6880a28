"""How long work is watched."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Is told what is going on, how much of it is done, and how much there is."""


def unwatched(what: str, done: int, total: int) -> None:
    """Tell nobody."""
