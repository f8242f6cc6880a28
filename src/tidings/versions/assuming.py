"""Consumers of which nothing runs, and whose last release counts as if it did: pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from tidings.store.versions import VersionLease
from tidings.versions.said import said_of


def assuming(
    leases: Sequence[VersionLease], names: Collection[str], *, now: int
) -> tuple[tuple[VersionLease, ...], frozenset[str]]:
    """Return the leases as they count, and whose last rows are among them.

    Those of consumers with these names, and of all that stand: of what runs now and then the rows belong to the
    release, and stay until the next one takes their place. Of a consumer that runs, only what runs counts.
    """
    accepting = [each for each in leases if each.role == "accept"]
    running = {each.consumer for each in accepting if each.is_live(now)}
    last: dict[str, VersionLease] = {}
    for each in accepting:
        before = last.get(each.consumer)
        if before is None or each.renewed_at >= before.renewed_at:
            last[each.consumer] = each
    assumed = frozenset(
        name for name, each in last.items() if name not in running and (name in names or said_of(each.details).standing)
    )
    return tuple(_counting(each, last, assumed, now) for each in leases), assumed


def _counting(each: VersionLease, last: dict[str, VersionLease], assumed: Collection[str], now: int) -> VersionLease:
    if each.role != "accept" or each.consumer not in assumed or each.revision != last[each.consumer].revision:
        return each
    return replace(each, admission="admitted", expires_at=now + 1)
