"""What this process does about versions that end: it ends them when their date has come, and warns before."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tidings.operations.census import census
from tidings.operations.sunset import end_what_is_over, note_forced
from tidings.ports import Clock
from tidings.store.driver import StoreDriver
from tidings.versions.gatekeeper import Gatekeeper
from tidings.versions.sunset import TOLD_DAYS, Nearing, ended_early, nearing

LOOK_SECONDS = 3_600.0
_log = logging.getLogger("tidings.versions")


class Sunsets:
    """`strict`: a version ends on its date though a service still writes it, which is refused then.

    `seconds`: is kept up to date, by type and version: how long each goes on.
    """

    def __init__(
        self,
        store: StoreDriver,
        clock: Clock,
        keeper: Gatekeeper,
        seconds: dict[tuple[str, str], float],
        *,
        strict: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keeper = keeper
        self._seconds = seconds
        self._strict = strict
        self._told: dict[tuple[str, int], int] = {}
        self._early: set[tuple[str, int]] = set()
        self._next_look = float("-inf")

    async def look(self) -> int:
        """Write down what was forced, end what is over, and return how many versions ended."""
        forced = self._keeper.forced
        if forced:
            await note_forced(self._store, forced)
            self._keeper.noted(forced)
        self._note_seconds()
        await self._look_for_early_ends()
        if not self._seconds:
            return 0
        ended = await end_what_is_over(self._store, strict=self._strict)
        if ended or self._clock.monotonic() >= self._next_look:
            self._next_look = self._clock.monotonic() + LOOK_SECONDS
            for each in nearing(await census(self._store)):
                self._tell(each)
        return ended

    async def _look_for_early_ends(self) -> None:
        """Warn, once, of versions that a clock which was ahead has ended; nothing is asked unless there may be one."""
        now, endings = self._clock.now_us(), self._keeper.gates.endings.items()
        early = {kind for kind, each in endings if each.is_over and each.sunset is not None and each.sunset > now}
        if early - self._early:
            for text in ended_early(await census(self._store)):
                _log.warning("%s", text)
        self._early = early

    def _note_seconds(self) -> None:
        now = self._clock.now_us()
        dated: Mapping[tuple[str, str], float] = {
            (type, str(version)): (each.sunset - now) / 1_000_000
            for (type, version), each in self._keeper.gates.endings.items()
            if each.sunset is not None and not each.is_over
        }
        self._seconds.clear()
        self._seconds.update(dated)

    def _tell(self, each: Nearing) -> None:
        """Warn 30, 7 and 1 days before, and once a day when it is overdue."""
        stage = each.days if each.is_overdue else min(days for days in TOLD_DAYS if each.days < days)
        if self._told.get((each.type, each.version)) != stage:
            self._told[each.type, each.version] = stage
            _log.warning("%s", each.text)
