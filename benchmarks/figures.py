"""What a measure finds: figures over several rounds, and what they must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Sense = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing, measured once a round. `flushes`: disk flushes per event; None where nobody can tell."""

    name: str
    unit: str
    rounds: Sequence[float]
    flushes: float | None = None

    @property
    def median(self) -> float:
        return median(self.rounds)

    def __str__(self) -> str:
        told = f"{spell(self.median)} [{spell(min(self.rounds))}-{spell(max(self.rounds))}] {self.unit}"
        return told if self.flushes is None else f"{told}, {spell(self.flushes)} flushes an event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is promised of one number, measured once a round: what its median must be, at least or at most.

    `ours`, `beside`: the two figures whose ratio it is, if it is one.
    """

    name: str
    rounds: Sequence[float]
    limit: float
    sense: Sense = "at least"
    unit: str = ""
    ours: Figure | None = None
    beside: Figure | None = None

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def passes(self) -> bool:
        return self.median >= self.limit if self.sense == "at least" else self.median <= self.limit

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        span = f"[{spell(min(self.rounds))}-{spell(max(self.rounds))}]"
        verdict = "PASS" if self.passes else "FAIL"
        return f"{verdict}  {spell(self.median)}{unit} {span}, {self.sense} {spell(self.limit)}{unit}: {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything one measure found. `notes`: what a reader has to know about how."""

    measure: str
    figures: Sequence[Figure]
    checks: Sequence[Check]
    notes: Sequence[str] = ()


def ratio(name: str, over: Figure, under: Figure, *, limit: float, sense: Sense = "at least") -> Check:
    """Return the check of one figure against another, round by round, because machines drift from one to the next."""
    rounds = [a / b for a, b in zip(over.rounds, under.rounds, strict=True)]
    return Check(name=name, rounds=rounds, limit=limit, sense=sense, ours=over, beside=under)


def spell(value: float) -> str:
    """Return a number with about three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"
