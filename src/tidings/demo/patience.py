"""How long is waited for something that others have to do: as long as it goes on."""

from __future__ import annotations

from tidings.ports import Clock

STANDS_STILL = 90.0
"""A process that was killed holds what it was about to send for 60 s, and then somebody else has to find it."""


class Patience:
    """Ends once nothing has changed for so long."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: object = None
        self._until = clock.monotonic() + STANDS_STILL

    def ends(self, seen: object) -> bool:
        """Say whether it is spent. `seen`: how it stands now; whatever differs from the time before renews it."""
        now = self._clock.monotonic()
        if seen != self._seen:
            self._seen, self._until = seen, now + STANDS_STILL
        return now > self._until
