"""The engine itself beside providers that change, fail, lag and lie, on a clock that jumps; and each rule taken out."""

from __future__ import annotations

import pytest

from tests.scale import SCALE
from tests.unit.reconciliation.count import outcome_of, shown
from tests.unit.reconciliation.model_provider import Kind
from tests.unit.reconciliation.model_two import Outcome
from tests.unit.reconciliation.rules import HONEST, LIES, OFF
from tidings.reconciliation.rules.facts import Capability

SEEDS = 200 * SCALE
"""Each of one to two seconds, so that each kind of provider has its turn more than once."""
PARTS = 20
"""Each a test of some 20 seconds: those that run at the same time take some of them."""
FOUND = (1287, 15784)
"""Of tens of thousands of seeds, those in which something was wrong once: see `docs/decisions/0035`."""
MOST = 12
"""In how many runs, from one on in which it does, it has to show once that a rule is taken out."""


def has_nothing_wrong(kind: Kind, found: Outcome) -> bool:
    """Reads of items that carry neither version nor time take the copy no step back, unless they themselves lag."""
    steps_back = found.back if kind.capability is Capability.BARE and not kind.lag else 0
    wrong = (found.violations, found.wrong_deletes, found.is_wrong, found.differs, steps_back)
    return wrong == (0, 0, False, 0, 0)


@pytest.mark.parametrize("part", range(PARTS))
def test_level_two_zeros(part: int) -> None:
    checks = 0
    for seed in range(part, SEEDS, PARTS):
        kind = HONEST[seed % len(HONEST)]
        found = outcome_of(kind, seed)
        assert has_nothing_wrong(kind, found), f"seed {seed}, {kind}: {found}"
        checks += found.checks
    assert checks > 1_000 * SEEDS / PARTS


@pytest.mark.parametrize("seed", FOUND)
def test_what_a_seed_has_found_stays_mended(seed: int) -> None:
    kind = HONEST[seed % len(HONEST)]
    found = outcome_of(kind, seed)
    assert has_nothing_wrong(kind, found), f"seed {seed}, {kind}: {found}"


def test_lists_that_lie_lead_to_no_wrong_end() -> None:
    for seed in range(4 * SCALE):
        found = outcome_of(Kind(denies=0.02, **LIES), seed)
        assert (found.wrong_deletes, found.is_wrong, found.differs) == (0, False, 0), f"seed {seed}: {found.first}"


@pytest.mark.parametrize("rule", OFF)
def test_each_rule_switched_off_is_caught(rule: str) -> None:
    off = OFF[rule]
    assert any(shown(off, seed) for seed in range(off.first, off.first + MOST))
