"""What the log says of failures that nobody foresaw: where and why, once in a while for each place."""

from __future__ import annotations

import logging

from tidings.ports import Clock
from tidings.telemetry.lines import place_of
from tidings.telemetry.seldom import Seldom

PLACE_SECONDS = 1
_Kind = tuple[type[BaseException], tuple[str, int] | None]


class Failures:
    """Tells of the first failure at a place with its stack, and every `PLACE_SECONDS` how many more there were."""

    def __init__(self, log: logging.Logger, clock: Clock) -> None:
        self._log = log
        self._seldom = Seldom[_Kind](clock, PLACE_SECONDS, self._tell_rest)

    def tell(self, error: BaseException, what: str) -> None:
        """Tell of an error. `what`: failed, in words."""
        if self._seldom.is_due((type(error), place_of(error))):
            self._log.error("%s", what, exc_info=error)

    def _tell_rest(self, kind: _Kind, more: int) -> None:
        error, place = kind
        where = "" if place is None else f" ({place[0]}, line {place[1]})"
        self._log.error("%s more failed at the same place: %s%s", f"{more:,}", error.__name__, where)
