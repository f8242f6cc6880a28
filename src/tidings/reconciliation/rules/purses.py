"""What an account of a provider may still be asked, for all processes that ask it: a token bucket. Pure.

Times are µs since 1970, by the clocks of those who ask; the latest one counts.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec
from msgspec.structs import replace

from tidings.reconciliation.rules.facts import Rate

SECOND = 1_000_000
REST_MAX = 3_600 * SECOND
SKEW_MAX = 60 * SECOND
"""How far clocks may be apart: what was noted further ahead was so by one that was wrong."""
MINUTE = 60 * SECOND
SHARE_LEAST = 0.01
PORTION_SECONDS = 0.25
"""How much of what a second allows is drawn at once at most."""


class Priority(IntEnum):
    """Who reads. `VERIFY`: what is suspected; `BULK`: whole lists."""

    LIVE = 0
    VERIFY = 1
    BULK = 2


KEPT = {Priority.LIVE: 0.0, Priority.VERIFY: 0.2, Priority.BULK: 0.5}
"""Above which share of the burst each may draw."""


class Purse(msgspec.Struct, frozen=True, kw_only=True):
    """`tokens`: how many reads may be made at once; `at`: when that was so. `rest_until`: nothing is asked until then,
    whoever wants to. `share`: what whole lists may take; `bulk_next`: when; `quiet_since`: it was not lowered since."""

    tokens: float
    at: int
    share: float
    quiet_since: int
    rest_until: int = 0
    bulk_next: int = 0


def full(rate: Rate, now: int) -> Purse:
    """Return the one of an account that was never asked."""
    return Purse(tokens=float(rate.burst), at=now, share=rate.bulk_share, quiet_since=now)


def refilled(purse: Purse, rate: Rate, now: int) -> Purse:
    """Return it as it is now."""
    now = purse.at if 0 < purse.at - now <= SKEW_MAX else now
    passed = max(0, now - purse.at)
    share, quiet = min(purse.share, rate.bulk_share), min(purse.quiet_since, now)
    while now - quiet >= MINUTE and share < rate.bulk_share:
        share, quiet = min(rate.bulk_share, share * 1.1), quiet + MINUTE
    purse = replace(
        purse,
        tokens=min(float(rate.burst), purse.tokens + passed * rate.per_second / SECOND),
        at=now,
        share=share,
        quiet_since=quiet,
        rest_until=min(purse.rest_until, now + REST_MAX),
    )
    return replace(purse, bulk_next=min(purse.bulk_next, now + _bulk(purse, rate, portion(purse, rate, Priority.BULK))))


def wait_of(purse: Purse, rate: Rate, priority: Priority) -> int:
    """Return how many µs a read has to wait."""
    if purse.rest_until > purse.at:
        return purse.rest_until - purse.at
    missing = _least(rate, priority) - purse.tokens
    wait = 0 if missing <= 0 else max(1, int(missing * SECOND / rate.per_second))
    return max(wait, purse.bulk_next - purse.at) if priority is Priority.BULK else wait


def portion(purse: Purse, rate: Rate, priority: Priority) -> int:
    """Return how many reads are drawn at once, if there are so many."""
    share = purse.share if priority is Priority.BULK else 1.0
    return max(1, int(rate.per_second * share * PORTION_SECONDS))


def drawn(purse: Purse, rate: Rate, priority: Priority, *, most: int) -> tuple[Purse, int]:
    """Return it with a portion taken out, for a read that has not to wait, and how many reads those are."""
    count = min(most, portion(purse, rate, priority), 1 + int(purse.tokens - _least(rate, priority)))
    purse = replace(purse, tokens=purse.tokens - count)
    if priority is Priority.BULK:
        purse = replace(purse, bulk_next=purse.at + _bulk(purse, rate, count))
    return purse, count


def limited(purse: Purse, seconds: float) -> Purse:
    """Return it once the provider has said that it is asked too often. Of those who are told so while it rests, each
    has asked before: they are told the same."""
    is_resting = purse.rest_until > purse.at
    rest = min(int(max(seconds, 0.0) * SECOND), REST_MAX)
    return replace(
        purse,
        rest_until=max(purse.rest_until, purse.at + rest),
        share=purse.share if is_resting else max(purse.share / 2, SHARE_LEAST),
        quiet_since=purse.at,
    )


def above(purse: Purse, rate: Rate, priority: Priority) -> float:
    """Return how many reads of this priority may be made at once."""
    return max(0.0, purse.tokens - KEPT[priority] * rate.burst)


def _least(rate: Rate, priority: Priority) -> float:
    return 1.0 if priority is Priority.LIVE else max(1.0, KEPT[priority] * rate.burst)


def _bulk(purse: Purse, rate: Rate, count: int) -> int:
    return int(count * SECOND / (rate.per_second * purse.share))
