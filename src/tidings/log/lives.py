"""A log that was restored from an older copy begins another life, so that nobody takes its positions for those lost."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.log.driver import Position

APART = 1 << 20
"""So many positions are left out, for whoever keeps bare numbers. Tokens are told apart however many were lost."""

STOP_FIRST = (
    "stop all servers and commands on it first: one that runs on would give out positions under the old incarnation"
)


@dataclass(frozen=True, slots=True)
class Life:
    """`incarnation`: what marks its position tokens; `after`: every new entry stands behind this position."""

    incarnation: str
    after: Position
