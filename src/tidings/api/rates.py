"""How often somebody may ask: a token bucket for each address, API key and source, in memory that is bounded.

A bucket is one number, the time at which it is full again, as in the generic cell rate algorithm (ITU-T I.371).
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Literal

from tidings.api.answer import Scope
from tidings.api.problems import Problem, Refusal
from tidings.events.envelope import Envelope
from tidings.operations.admission import Principal
from tidings.ports import Clock
from tidings.settings import Settings

BURST_SECONDS = 5
NAMES_MAX = 10_000
By = Literal["address", "key", "source"]
_DIFFERENCE = 1e-9  # seconds that sums of floats may be off


def take(full_at: float, now: float, count: int, *, per_second: float) -> tuple[float, float]:
    """Take from a bucket of `BURST_SECONDS` worth of tokens, one at least; return when it is full again, and the wait.

    The wait is 0 if they were taken, else the seconds until there is a token. Whoever finds one gets all that it asks
    for, so that what is larger than the bucket comes through, too; those after it wait for longer.
    """
    room = max(BURST_SECONDS, 1 / per_second)
    full_at = max(full_at, now)
    wait = full_at + 1 / per_second - room - now
    if wait > _DIFFERENCE:
        return full_at, wait
    return full_at + count / per_second, 0.0


class Rate:
    """A bucket for each name, for `names_max` of them; those that find no room share one more.

    A name whose bucket is full again is forgotten for another: it would get the same bucket anew.
    """

    def __init__(self, per_second: float, *, names_max: int = NAMES_MAX) -> None:
        self.per_second = per_second
        self._names_max = names_max
        self._full_at: OrderedDict[str, float] = OrderedDict()  # whoever was here last stands last
        self._shared = -math.inf

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, name: str, now: float, count: int = 1) -> float:
        """Take as many tokens of a name's bucket; return 0, or the seconds until there will be one."""
        if name not in self._full_at and not self._has_room(now):
            self._shared, wait = take(self._shared, now, count, per_second=self.per_second)
            return wait
        full_at, wait = take(self._full_at.pop(name, -math.inf), now, count, per_second=self.per_second)
        self._full_at[name] = full_at
        return wait

    def _has_room(self, now: float) -> bool:
        if len(self._full_at) < self._names_max:
            return True
        name, full_at = next(iter(self._full_at.items()))
        if full_at > now:
            return False
        del self._full_at[name]
        return True


class Rates:
    """Refuses, as `rate-limited`, whoever asks more often than the settings allow.

    `on_limited` is told by what. Each process counts for itself.
    """

    def __init__(self, settings: Settings, clock: Clock, on_limited: Callable[[By], None]) -> None:
        self._clock = clock
        self._on_limited = on_limited
        self._address = _rate(settings.address_rate)
        self._key = _rate(settings.key_rate)
        self._source = _rate(settings.source_rate)

    def check_address(self, scope: Scope) -> None:
        """Count a request for the address that it comes from, which behind a proxy is the proxy's."""
        client = scope.get("client")
        if self._address is not None and client:
            self._take(self._address, "address", network_of(client[0]), "requests from one address")

    def check_key(self, principal: Principal) -> None:
        """Count a request for the API key that was shown."""
        if self._key is not None and principal.key is not None:
            self._take(self._key, "key", principal.key, "requests with one API key")

    def check_sources(self, envelopes: Iterable[Envelope]) -> None:
        """Count events for the sources that they say; refuse all of them for any."""
        if self._source is not None:
            for source, count in Counter(envelope.source for envelope in envelopes).items():
                self._take(self._source, "source", source, f"events of the source {source[:100]!r}", count)

    def _take(self, rate: Rate, by: By, name: str, what: str, count: int = 1) -> None:
        wait = rate.take(name, self._clock.monotonic(), count)
        if wait:
            self._on_limited(by)
            seconds = math.ceil(wait)
            raise Refusal(
                Problem.RATE_LIMITED,
                f"more than {rate.per_second:,g} {what} came in a second: send the same again in {seconds} s",
                (b"retry-after", b"%d" % seconds),
            )


def _rate(per_second: float) -> Rate | None:
    return Rate(per_second) if per_second else None


@lru_cache(maxsize=1_024)
def network_of(host: str) -> str:
    """Return what counts as one address: of IPv6 the first 64 bits, for a subscriber has all that begin with them."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
