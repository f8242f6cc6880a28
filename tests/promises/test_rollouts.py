"""Nobody ever stands before an event that it cannot read, whatever is deployed, crashes, freezes, wakes or goes back.

`TIDINGS_ROLLOUTS=10000` for more of them; `TIDINGS_ROLLOUTS_FROM` for others.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.promises.rollouts.acts import act, calm_down
from tests.promises.rollouts.parts import Stuck
from tests.promises.rollouts.releases import draw_release
from tests.promises.rollouts.rules import FAULTS, Rules
from tests.promises.rollouts.town import Town

ROLLOUTS = int(os.environ.get("TIDINGS_ROLLOUTS", "200"))
FIRST = int(os.environ.get("TIDINGS_ROLLOUTS_FROM", "0"))
ACTIONS = 300
TRIED = 2_000


def lives(seed: int, rules: Rules | None = None) -> Town:
    """Let a town live, and then come to rest. Stuck, with the seed and what happened last."""
    town = Town(random.Random(seed), rules)
    for service in town.services:
        town.deploy(service, draw_release(town.draw, town.shapes.values()))
    done = []
    try:
        done.extend(act(town) for _ in range(ACTIONS))
        calm_down(town)
    except Stuck as stuck:
        raise Stuck(f"seed {seed}, action {len(done)}: {stuck}; {' '.join(done[-30:])}") from None
    return town


@pytest.mark.timeout(max(300, ROLLOUTS))
def test_no_rollout_leaves_a_reader_before_what_it_cannot_read() -> None:
    seen: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + ROLLOUTS):
        town = lives(seed)
        seen["read"] += town.reads
        seen["appended"] += len(town.log)
        seen["versions"] += len({(each.type, each.version) for each in town.log})
        seen["retired"] += sum(each.life == "retired" for each in town.rows.values())
        seen["processes"] += len(town.gone) + len(town.processes)
    print(f"{ROLLOUTS:,} rollouts from seed {FIRST}: {dict(seen)}")
    assert seen["read"] > 40 * ROLLOUTS
    assert seen["versions"] > 2.5 * ROLLOUTS
    assert seen["retired"] > ROLLOUTS / 10


@pytest.mark.parametrize("fault", FAULTS)
def test_one_wrong_decision_is_found(fault: str) -> None:
    def is_found(seed: int) -> bool:
        try:
            lives(seed, FAULTS[fault])
        except Stuck:
            return True
        return False

    assert any(is_found(seed) for seed in range(TRIED))
