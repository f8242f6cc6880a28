"""How long the first hole has been open that readers of one process wait for."""

from __future__ import annotations

import asyncio

from tidings.log.driver import Position


class Hole:
    """The first position that is missing below a visible one and may yet come, from the first look that finds it so."""

    def __init__(self) -> None:
        self._behind: Position | None = None
        self._since = 0.0

    def seen(self, behind: Position | None) -> None:
        """Be told behind which position a look has found it; None if there is none."""
        if behind is not None and behind != self._behind:
            self._since = asyncio.get_running_loop().time()
        self._behind = behind

    @property
    def seconds(self) -> float:
        """How long it has been open; 0 without one."""
        return 0.0 if self._behind is None else asyncio.get_running_loop().time() - self._since
