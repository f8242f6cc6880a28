"""A log that was restored from an older copy begins another life, so that nobody takes its positions for those lost."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.log.driver import Position

APART = 1 << 20
"""So many positions are left out, for whoever keeps bare numbers. Tokens are told apart however many were lost."""


@dataclass(frozen=True, slots=True)
class Life:
    """`incarnation`: what marks position tokens from now on; `after`: every new entry stands behind this position."""

    incarnation: str
    after: Position
