"""Who may move a consumer's checkpoints, and where these stand. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from tidings.errors import CheckpointMovedError, NotFoundError, RefusedError
from tidings.log.driver import Position

NowT = TypeVar("NowT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to move one partition's checkpoint. `expired`: its last owner died rather than let go.

    `partitions` is how many the consumer has; `gate` is as it was when the claim was made. `position` is where its
    owner knows the checkpoint to stand: after a unit that moved it, the owner goes on with `at` the new position.
    """

    consumer: str
    part: int
    partitions: int
    position: Position
    epoch: int
    gate: Position
    expired: bool

    @property
    def slots(self) -> tuple[int, int]:
        """The half-open range of subject slots of this partition: slot * partitions >> 10 == part."""
        return self.part * 1024 // self.partitions, (self.part + 1) * 1024 // self.partitions

    def at(self, position: Position) -> Claim:
        """Return the claim as it is once the checkpoint stands here."""
        return replace(self, position=position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One partition's state as anyone may see it. `until`: when its lease ends; `paused`: why, or None."""

    part: int
    position: Position
    epoch: int
    gate: Position
    owner: str | None
    until: int | None
    paused: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(Generic[NowT]):
    """Who holds a claim from `now` on, and for how many µs. `now`: None where the database says what time it is."""

    owner: str
    now: NowT
    ttl: int


def lease_lost(consumer: str) -> CheckpointMovedError:
    return CheckpointMovedError(f"a lease on {consumer} is lost: another owner goes on, and nothing of this was kept")


def no_consumer(consumer: str) -> NotFoundError:
    return NotFoundError("consumer", consumer)


def other_partitions(consumer: str, there: int, wanted: int) -> RefusedError:
    return RefusedError(
        f"{consumer} has {there} partitions, not {wanted}: keep the number, or forget the consumer first"
    )
