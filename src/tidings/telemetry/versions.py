"""Events published in versions that end, or that are not open: counted, and told once for each source and day."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tidings.events.envelope import Envelope
from tidings.ports import Clock, utc
from tidings.telemetry import table
from tidings.telemetry.series import Counter

TOLD_MAX = 1_000
_log = logging.getLogger("tidings.versions")


class VersionNotes:
    """As `tidings.versions.policy.Told`. It is asked of versions that are registered alone, so labels are few."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._day = ""
        self._told: set[tuple[str, str, int, str]] = set()
        self.seconds: dict[tuple[str, str], float] = {}
        self._deprecated = Counter(table.DEPRECATED)
        self._forced = Counter(table.FORCED)

    def deprecated(self, envelope: Envelope) -> None:
        self._deprecated.add(envelope.type, str(envelope.version))
        if self._is_first(envelope, "deprecated"):
            _log.warning("%s publishes %s, which is deprecated", envelope.source[:100], _name(envelope))

    def forced(self, envelope: Envelope, accepted: Sequence[int]) -> None:
        self._forced.add(envelope.type, str(envelope.version))
        if self._is_first(envelope, "forced"):
            open_ = ", ".join(map(str, accepted)) or "none"
            _log.warning("%s publishes %s, which is not open; %s may be", envelope.source[:100], _name(envelope), open_)

    @property
    def counters(self) -> Sequence[Counter]:
        return self._deprecated, self._forced

    def _is_first(self, envelope: Envelope, what: str) -> bool:
        """Say whether it is the first of its source today; of more than `TOLD_MAX` sources some are told again."""
        day = utc(self._clock.now_us()).date().isoformat()
        if day != self._day or len(self._told) >= TOLD_MAX:
            self._day = day
            self._told.clear()
        key = envelope.source, envelope.type, envelope.version, what
        if key in self._told:
            return False
        self._told.add(key)
        return True


def _name(envelope: Envelope) -> str:
    return f"{envelope.type} version {envelope.version}"
