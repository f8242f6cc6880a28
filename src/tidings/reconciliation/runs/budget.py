"""How often a provider's account may be asked, and by whom: reads that somebody waits for come before whole lists."""

from __future__ import annotations

from enum import IntEnum

from tidings.ports import Ports
from tidings.reconciliation.rules.facts import Rate

REST_MAX = 3_600.0
BACKOFF_FIRST, BACKOFF_MAX = 1.0, 60.0
SHARE_LEAST = 0.01


class Priority(IntEnum):
    """Who reads. `VERIFY`: what is suspected; `BULK`: whole lists."""

    LIVE = 0
    VERIFY = 1
    BULK = 2


KEPT = {Priority.LIVE: 0.0, Priority.VERIFY: 0.2, Priority.BULK: 0.5}
"""Above which share of the burst each may draw."""


class Budget:
    """A token bucket of one account, in this process."""

    def __init__(self, rate: Rate, ports: Ports) -> None:
        self._rate = rate
        self._ports = ports
        self._tokens = float(rate.burst)
        self._at = ports.clock.monotonic()
        self._rest_until = 0.0
        self._share = rate.bulk_share
        self._bulk_next = 0.0
        self._quiet_since = self._at

    async def take(self, priority: Priority) -> None:
        """Wait until a read may be made, and count it."""
        while (wait := self.wait(priority)) > 0:
            await self._ports.clock.sleep(wait)
        self._tokens -= 1
        if priority is Priority.BULK:
            self._bulk_next = self._ports.clock.monotonic() + 1 / (self._rate.per_second * self._share)

    def wait(self, priority: Priority) -> float:
        """Return how many seconds a read of this priority has to wait."""
        now = self._refilled()
        if now < self._rest_until:
            return self._rest_until - now
        least = 1 if priority is Priority.LIVE else max(1.0, KEPT[priority] * self._rate.burst)
        wait = max(0.0, (least - self._tokens) / self._rate.per_second)
        return max(wait, self._bulk_next - now) if priority is Priority.BULK else wait

    def rest(self, seconds: float | None, tries: int) -> float:
        """Ask nothing for so long, whoever wants to; None: the provider did not say. Return for how long."""
        now = self._refilled()
        if seconds is None:
            seconds = self._ports.random.random() * min(BACKOFF_FIRST * 2 ** min(tries, 10), BACKOFF_MAX)
        wait = min(max(seconds, 0.0), REST_MAX)
        self._rest_until = max(self._rest_until, now + wait)
        self._share = max(self._share / 2, SHARE_LEAST)
        self._quiet_since = now
        return wait

    def tokens(self, priority: Priority) -> float:
        """Return how many reads of this priority may be made at once."""
        self._refilled()
        return max(0.0, self._tokens - KEPT[priority] * self._rate.burst)

    @property
    def paused(self) -> float:
        """For how many seconds nothing is asked any more, whoever wants to."""
        return max(0.0, self._rest_until - self._ports.clock.monotonic())

    def _refilled(self) -> float:
        now = self._ports.clock.monotonic()
        self._tokens = min(float(self._rate.burst), self._tokens + (now - self._at) * self._rate.per_second)
        self._at = now
        while now - self._quiet_since >= 60 and self._share < self._rate.bulk_share:
            self._share = min(self._rate.bulk_share, self._share * 1.1)
            self._quiet_since += 60
        return now
