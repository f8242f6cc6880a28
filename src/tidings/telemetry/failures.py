"""What the log says of requests that failed as nobody foresaw: where and why, once in a while for each place."""

from __future__ import annotations

import logging

from tidings.ports import Clock
from tidings.telemetry.lines import place_of
from tidings.telemetry.seldom import Seldom

PLACE_SECONDS = 1


class Failures:
    """Tells of the first failure at a place with its stack, and every `PLACE_SECONDS` how many more there were."""

    def __init__(self, log: logging.Logger, clock: Clock) -> None:
        self._log = log
        self._seldom = Seldom[object](clock, PLACE_SECONDS)

    def tell(self, error: BaseException, *, instance: str) -> None:
        """Tell of an error of a request to the path `instance`."""
        more = self._seldom.untold((type(error), place_of(error)))
        if more is not None:
            before = f" (so did {more:,} others since the last line, at the same place)" if more else ""
            self._log.error("a request to %r failed%s", instance, before, exc_info=error)
