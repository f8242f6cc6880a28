"""Tries of deliveries, one by one. Times are µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a delivery. `number`: from 1, and again from 1 after a retry.

    `outcome`: `delivered`, or the kind of the failure, whose text is `error`, or `lost` if its lease ended.
    `answer`: JSON, of an endpoint's.
    `ended`, `outcome`: None while it is under way, and for ever if the delivery was cancelled meanwhile.
    """

    number: int
    began: int
    ended: int | None = None
    outcome: str | None = None
    error: str | None = None
    answer: bytes | None = None

    @property
    def milliseconds(self) -> float | None:
        """How long it took; None if that is not known."""
        return None if self.ended is None else (self.ended - self.began) / 1_000


class AttemptStore(Protocol):
    """The part of a store that keeps the tries of deliveries."""

    async def attempts(self, key: str) -> Sequence[Attempt]:
        """Return the tries of a delivery that are still kept, oldest first; none if there is no such delivery.

        Each is there from the moment in which it is counted."""

    async def forget_attempts(self, *, closed: int, keep: int, limit: int) -> int:
        """Remove the oldest tries, `limit` at most; return how many there were.

        Those of deliveries that closed before the time `closed`, and those that more than about `keep` newer ones
        follow."""
