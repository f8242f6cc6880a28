"""Nobody ever stands before an event that it cannot read, whatever is deployed, frozen, woken, opened or closed.

`TIDINGS_ROLLOUTS=10000` for more of them.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.promises.rollouts import FAULTS, Stuck, Town, check_rollback

ROLLOUTS = int(os.environ.get("TIDINGS_ROLLOUTS", "200"))
ACTIONS = 300


def lives(seed: int, fault: str = "") -> Town:
    town = Town(random.Random(seed), fault)
    done = []
    for n in range(ACTIONS):
        try:
            done.append(town.act())
            if n % 50 == 0 and not fault:
                check_rollback(town)
        except Stuck as stuck:
            raise Stuck(f"seed {seed}, action {n}: {stuck}; {' '.join(done[-30:])}") from None
    return town


def test_no_rollout_leaves_a_reader_before_what_it_cannot_read() -> None:
    read = opened = 0
    for seed in range(ROLLOUTS):
        town = lives(seed)
        read += sum(each.at for each in town.consumers)
        opened += sum(each.gate != "closed" for each in town.gates.values())
    assert read > ROLLOUTS * 10
    assert opened > ROLLOUTS * 1.5


@pytest.mark.parametrize("fault", FAULTS)
def test_one_wrong_decision_is_found(fault: str) -> None:
    def is_found(seed: int) -> bool:
        try:
            lives(seed, fault)
        except Stuck:
            return True
        return False

    assert any(is_found(seed) for seed in range(2_000))
