"""How long work is watched, and how what stands in its way is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]
"""Is told what is going on, how much of it is done, and how much there is."""


def unwatched(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def _untold(what: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who waits for the work. `tell`: is told a sentence, once, when it waits for something itself."""

    progress: Progress = unwatched
    tell: Callable[[str], None] = _untold


NOBODY = Watch()
