"""How long work is watched, and how what stands in its way is told."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Is told what is going on, how much of it is done, and how much there is."""

Tell = Callable[[str], None]
"""Is told a sentence for whoever waits: that the work waits, and for what."""


def unwatched(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def untold(what: str) -> None:
    """Tell nobody."""
