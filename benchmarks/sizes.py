"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """`kept`: at how many kept events appends of opaque ids are measured; `waiting`, `calling`: seconds, of the whole
    measure and of one side's turn; `readers`: samples of each kind in a round; the others: events of one round, or of
    the whole measure where it has no rounds."""

    rounds: int
    batches: int
    opaque: int
    kept: tuple[int, ...]
    one_caller: int
    callers: int
    fold: int
    consumers: int
    peer: int
    readers: int
    processed: int
    workflows: int
    replay: int
    waiting: float
    calling: float
    posting: int


FULL = Sizes(
    rounds=5,
    batches=50_000,
    opaque=40_000,
    kept=(0, 1_000_000, 5_000_000),
    one_caller=1_000,
    callers=16_000,
    fold=100_000,
    consumers=200_000,
    peer=5_000,
    readers=60,
    processed=20_000,
    workflows=300,
    replay=1_000_000,
    waiting=6.0,
    calling=4.0,
    posting=8_000,
)
QUICK = Sizes(
    rounds=3,
    batches=10_000,
    opaque=10_000,
    kept=(0, 50_000),
    one_caller=200,
    callers=3_200,
    fold=10_000,
    consumers=40_000,
    peer=1_000,
    readers=15,
    processed=2_000,
    workflows=40,
    replay=20_000,
    waiting=2.0,
    calling=1.0,
    posting=600,
)
