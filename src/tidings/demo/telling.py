"""How Till tells of what happened: signed webhooks, twice, late, out of order, some never, some not its own. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from tidings.demo.history import Happening
from tidings.demo.traffic import disorder

TILL = "/till"
LOST = 0.03
FORGED = 0.03
OLD = 0.25
"""The share of payments that Till's older machines tell, in their own version."""
NEVER_TOLD = "order-deleted"

Kind = Literal["true", "forged", "altered", "stale"]
"""Till's own; signed with another secret; changed after it was signed; sent again after an hour, as it was."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One webhook. `is_old`: told in the older version."""

    kind: Kind
    happening: Happening
    is_old: bool = False

    @property
    def id(self) -> str:
        """What it is known by, the same whenever it is sent."""
        return self.happening.id

    def body(self, order: Mapping[str, Any]) -> bytes:
        """Return what is sent. `order`: as it was when that had happened."""
        data = {name: value for name, value in order.items() if name != "state"}
        payload: dict[str, Any] = {"type": self.happening.type.replace("-", ".", 1), "timestamp": self.happening.time}
        if self.is_old:
            payload["version"] = 1
            data["amount"] = data.pop("paid") / 100
            del data["refunded"]
        if self.kind == "altered":
            data["paid"] = 1
        return json.dumps({**payload, "data": data}).encode()


def tell(
    random: Random, happenings: Sequence[Happening], *, lost: float = LOST
) -> tuple[list[Telling], list[Happening]]:
    """Return what is sent, in its order, and what should be and never is. `lost`: the share of that."""
    due = [happening for happening in happenings if happening.type != NEVER_TOLD]
    missing = [happening for happening in due if random.random() < lost]
    ids = {happening.id for happening in missing}
    kept = [happening for happening in due if happening.id not in ids]
    old = {each.id for each in kept if each.type == "order-paid" and random.random() < OLD}
    tellings = [Telling("true", each, is_old=each.id in old) for each in disorder(random, kept)]
    return _with_false(random, kept, tellings), missing


def _with_false(random: Random, kept: Sequence[Happening], tellings: Sequence[Telling]) -> list[Telling]:
    """Return them with what is not Till's own, each behind the true one: by a forged telling nothing happens at Till,
    and what it sends drives what happens there."""
    placed: list[tuple[float, Telling]] = list(enumerate(tellings))
    first = {each.id: place for place, each in reversed(placed)}
    for happening in kept:
        if random.random() < FORGED:
            kind: Kind = random.choice(("forged", "altered", "stale"))
            placed.append((random.uniform(first[happening.id], len(tellings)), Telling(kind, happening)))
    return [each for _, each in sorted(placed, key=lambda place: place[0])]
