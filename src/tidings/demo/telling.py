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

Kind = Literal["true", "forged", "altered", "stale"]
"""Till's own; signed with another secret; changed after it was signed; sent again after an hour, as it was."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One webhook. `id`: what it is known by, the same whenever it is sent."""

    kind: Kind
    id: str
    body: bytes


def tell(random: Random, happenings: Sequence[Happening]) -> tuple[list[Telling], list[Happening]]:
    """Return what is sent, in its order, and what is never sent."""
    lost = [happening for happening in happenings if random.random() < LOST]
    missing = {happening.id for happening in lost}
    kept = [happening for happening in happenings if happening.id not in missing]
    tellings = [_telling("true", happening) for happening in disorder(random, kept)]
    for happening in kept:
        if random.random() < FORGED:
            kind: Kind = random.choice(("forged", "altered", "stale"))
            tellings.insert(random.randint(0, len(tellings)), _telling(kind, happening))
    return tellings, lost


def _telling(kind: Kind, happening: Happening) -> Telling:
    data = happening.data | ({"cents": 1} if kind == "altered" else {})
    payload = {"type": happening.type.replace("-", ".", 1), "timestamp": happening.time, "data": data}
    return Telling(kind, happening.id, json.dumps(payload).encode())
