"""What the planner answers: ok, no or unknown, with reasons, evidence and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Word = Literal["ok", "no", "unknown"]
Code = Literal[
    "consumer-does-not-accept",
    "consumer-unseen",
    "instance-held",
    "pattern-version",
    "endpoint-pinned",
    "still-produced",
    "in-transit",
    "dead-letters",
    "outbox",
    "deliveries-pending",
    "stored",
    "incompatible",
    "undecided",
    "missing-step",
    "fixture-failed",
    "name-reserved",
    "number-burnt",
    "not-active",
    "sunset-not-reached",
    "census-differs",
    "no-consumers",
    "forced",
]
CODES: tuple[Code, ...] = get_args(Code)
"""Every reason there is. What to do about each stands in docs/reference/versions.md."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of an answer, and what it alone makes of it: `no`, `unknown`, or `ok` if it is only said.

    `text`: for people, without its code. `members`: what it is about, for programs. `step`: the next legal step, as an
    object with `do`, and `told`: the same for people.
    """

    code: Code
    text: str
    members: Mapping[str, Any] = field(default_factory=dict)
    answer: Word = "no"
    step: Mapping[str, Any] | None = None
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """When an answer was true. `census`: exact or behind."""

    time: int
    position: int
    census: str = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`question`: its `kind` and what it is about. A false line makes it `no`, else an undecided one `unknown`."""

    question: Mapping[str, Any]
    reasons: tuple[Reason, ...]
    evidence: tuple[Mapping[str, Any], ...]
    as_of: AsOf
    notes: tuple[str, ...] = ()

    @property
    def answer(self) -> Word:
        return verdict_of(self.reasons)

    @property
    def next_steps(self) -> tuple[Mapping[str, Any], ...]:
        """What to do, each once, in the order in which it is done."""
        found: list[Mapping[str, Any]] = []
        for each in in_order(self.reasons):
            if each.step is not None and each.step not in found:
                found.append(each.step)
        return tuple(found)


def in_order(reasons: Sequence[Reason]) -> Sequence[Reason]:
    """Return reasons in the order in which their steps are done: what is under way is settled before a pin moves."""
    return sorted(reasons, key=lambda each: each.code == "endpoint-pinned" or 2 * (each.code == "sunset-not-reached"))


def verdict_of(reasons: Sequence[Reason]) -> Word:
    """Return `no` if one of them is, else `unknown` if one is, else `ok`."""
    said = {each.answer for each in reasons}
    return "no" if "no" in said else "unknown" if "unknown" in said else "ok"
