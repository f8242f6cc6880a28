"""The rules against a provider that loses, doubles and delays webhooks: what is told is so, and each rule is needed."""

from __future__ import annotations

import pytest

from tests.scale import SCALE
from tests.unit.reconciliation.model_one import MS, SECOND, Model, Variant
from tidings.reconciliation.rules.facts import Capability

SEEDS = 12 * SCALE
MOST = 400
"""In how many runs a fault must show at least once."""

KEPT = {
    "V": Variant(),
    "V, milliseconds": Variant(tick=MS),
    "V, replica lag": Variant(lag=3 * SECOND, margin=3 * SECOND),
    "C": Variant(capability=Capability.EVENT_TIMED),
    "C, milliseconds": Variant(capability=Capability.EVENT_TIMED, tick=MS),
    "X": Variant(capability=Capability.BARE),
    "X, replica lag": Variant(capability=Capability.BARE, lag=3 * SECOND, margin=3 * SECOND),
}
BROKEN = {
    "C, stamped when written": Variant(capability=Capability.EVENT_TIMED, stamps_at_write=True),
    "X, stamped when written": Variant(capability=Capability.BARE, stamps_at_write=True, sees_overlap=False),
    "V, no floor": Variant(has_floor=False),
    "C, no floor": Variant(capability=Capability.EVENT_TIMED, has_floor=False),
    "V, replica lag that is not declared": Variant(lag=3 * SECOND),
}


@pytest.mark.parametrize("variant", KEPT.values(), ids=KEPT)
def test_level_one_table(variant: Variant) -> None:
    outcomes = [Model(variant, seed).run() for seed in range(SEEDS)]
    assert [seed for seed, each in enumerate(outcomes) if each.violations or each.is_wrong] == []
    assert sum(each.checks for each in outcomes) > 3_000 * SEEDS


@pytest.mark.parametrize("variant", BROKEN.values(), ids=BROKEN)
def test_without_one_of_its_rules_something_is_told_that_is_not_so(variant: Variant) -> None:
    assert any(Model(variant, seed).run().violations for seed in range(MOST))


def test_reads_that_overlap_take_a_bare_provider_no_step_back() -> None:
    bare = Variant(capability=Capability.BARE)
    assert sum(Model(bare, seed).run().back for seed in range(SEEDS)) == 0
