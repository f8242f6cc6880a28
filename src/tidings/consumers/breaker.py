"""Stops a consumer whose entries all fail alike: a broken release must not move the log into dead letters."""

from __future__ import annotations

import logging

SUBJECTS = 20
PARKED_ENTRIES = 10_000
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
_log = logging.getLogger("tidings.consumers")


class Breaker:
    """Counts different subjects that failed in a row with errors of one class.

    The row begins anew with any entry that is handled, in a page, alone or redriven, and with an error of another
    class. While it is as long as `SUBJECTS`, each further failure pauses the consumer, from 1 s doubling to 60 s. So a
    run of bad events moves on slowly, and a broken release sets little aside before somebody looks at the alarm.
    """

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._failing: set[str] = set()
        self._error: type[BaseException] | None = None
        self._pause = FIRST_PAUSE
        self.until = float("-inf")
        self.why = ""

    def handled(self) -> None:
        """Be told that an entry was handled."""
        self._failing.clear()
        self._pause = FIRST_PAUSE

    def failed(self, subject: str, error: BaseException, *, now: float) -> None:
        """Be told that a subject failed and is set aside. `now`: seconds, monotonic."""
        if type(error) is not self._error:
            self._failing.clear()
            self._error, self._pause = type(error), FIRST_PAUSE
        self._failing.add(subject)
        if len(self._failing) >= SUBJECTS:
            self.pause(now, f"{len(self._failing)} subjects in a row failed with {type(error).__name__}")

    def is_pausing(self, now: float) -> bool:
        """Say whether nothing is to be carried now."""
        return now < self.until

    def pause(self, now: float, why: str) -> None:
        """Pause, for twice as long as the last time; a pause under way goes on."""
        if self.is_pausing(now):
            return
        self.until, self.why = now + self._pause, why
        _log.error("%s carries nothing for %.0f s: %s", self._consumer, self._pause, why)
        self._pause = min(LONGEST_PAUSE, self._pause * 2)
