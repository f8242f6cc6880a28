"""How Till tells of what happened: signed webhooks, twice, late, out of order, some never, some not its own. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from tidings.demo.history import Happening
from tidings.demo.traffic import disorder

TILL = "/till"
LOST = 0.03
FORGED = 0.03
OLD = 0.25
"""The share of payments that Till's older machines tell, in their own version."""

Kind = Literal["true", "forged", "altered", "stale"]
"""Till's own; signed with another secret; changed after it was signed; sent again after an hour, as it was."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One webhook. `id`: what it is known by, the same whenever it is sent. `is_old`: told in the older version."""

    kind: Kind
    id: str
    body: bytes
    is_old: bool = False


def tell(random: Random, happenings: Sequence[Happening]) -> tuple[list[Telling], list[Happening]]:
    """Return what is sent, in its order, and what is never sent."""
    lost = [happening for happening in happenings if random.random() < LOST]
    missing = {happening.id for happening in lost}
    kept = [happening for happening in happenings if happening.id not in missing]
    old = {each.id for each in kept if each.type == "order-paid" and random.random() < OLD}
    tellings = [_told_by_old(each) if each.id in old else _telling("true", each) for each in disorder(random, kept)]
    for happening in kept:
        if random.random() < FORGED:
            kind: Kind = random.choice(("forged", "altered", "stale"))
            tellings.insert(random.randint(0, len(tellings)), _telling(kind, happening))
    return tellings, lost


def _telling(kind: Kind, happening: Happening) -> Telling:
    data = happening.data | ({"cents": 1} if kind == "altered" else {})
    payload = {"type": happening.type.replace("-", ".", 1), "timestamp": happening.time, "data": data}
    return Telling(kind, happening.id, json.dumps(payload).encode())


def _told_by_old(happening: Happening) -> Telling:
    data = {name: value for name, value in happening.data.items() if name != "cents"}
    data["amount"] = happening.data["cents"] / 100
    payload = {"type": happening.type.replace("-", ".", 1), "version": 1, "timestamp": happening.time, "data": data}
    return Telling("true", happening.id, json.dumps(payload).encode(), is_old=True)
