"""The engine itself beside a party that loses, repeats, delays and forgets, and that others edit; rules taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.scale import SCALE
from tests.unit.reconciliation.model_party import Nature, Outcome, one
from tests.unit.reconciliation.shop import SECOND
from tests.unit.reconciliation.virtual import run_virtually
from tidings.reconciliation.outbound.party import answering, deciding, knowing, policy, taking
from tidings.reconciliation.outbound.party.deciding import Deciding
from tidings.reconciliation.outbound.party.policy import Shown

SEEDS = 8 * SCALE
MOST = 30
"""In how many runs it has to show that a rule is taken out. Those that show in fewer than three of them, of what is
pending, of keys, and of If-Match, have tests of their own beside."""
NATURES = [Nature(), Nature(lag=3.0), Nature(absent="ask"), Nature(absent="accept", edits=2.0)]
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def close(monkeypatch: Patch) -> None:
    """Have what was decided be judged soon: there is one clock here."""
    monkeypatch.setattr(knowing, "SETTLING_US", SECOND)


def outcome_of(seed: int) -> Outcome:
    return run_virtually(one(NATURES[seed % len(NATURES)], seed))


@pytest.mark.parametrize("part", range(2))
def test_party_ends_right_and_no_push_takes_effect_twice_or_over_others(part: int) -> None:
    effects = 0
    for seed in range(part, SEEDS, 2):
        found = outcome_of(seed)
        assert (found.doubled, found.overwritten, found.unlike) == (0, 0, 0), f"seed {seed}: {found.first}"
        effects += found.effects
    assert effects > 20 * SEEDS


def told(change: Callable[[Shown, dict[str, Any]], Shown]) -> Callable[[Patch], None]:
    """Return what has a party's items be judged otherwise."""

    def off(patch: Patch) -> None:
        real = policy.shown

        def judged(hash: int, held: Any, **more: Any) -> Shown:
            return change(real(hash, held, **more), {"hash": hash, "held": held, **more})

        for module in (taking, answering):
            patch.setattr(module, "shown", judged)

    return off


def same_key_never(patch: Patch) -> None:
    real = Deciding.lost

    def lost(self: Deciding, held: Any, read: Any, run: Any) -> Any:
        return real(self, replace(held, was_repeated=True, state="acked"), read, run)

    patch.setattr(Deciding, "lost", lost)


def ask_nobody(patch: Patch) -> None:
    real = policy.decided
    patch.setattr(
        deciding,
        "decided",
        lambda fields, **more: real({name: "ours" if each == "ask" else each for name, each in fields.items()}, **more),
    )


FIRST = {"3: never acknowledged and missing": 22}
"""From which seed on it is looked for, if not from the first: none before shows it."""
OFF: dict[str, tuple[Callable[[Patch], None], str]] = {
    "2: equal is recorded": (lambda patch: patch.setattr(taking.TakingHeld, "_equal", lambda *_: None), "unlike"),
    "3: never acknowledged and missing": (
        told(lambda found, given: Shown.PENDING if found is Shown.LOST and given["hash"] == 0 else found),
        "unlike",
    ),
    "3: the same key": (same_key_never, "doubled"),
    "4: ask": (ask_nobody, "overwritten"),
    "5: once acknowledged and gone": (
        told(lambda found, _: Shown.PENDING if found is Shown.ABSENT else found),
        "unlike",
    ),
}


@pytest.mark.parametrize("rule", OFF)
def test_each_rule_taken_out_shows(rule: str, monkeypatch: Patch) -> None:
    off, shows = OFF[rule]
    off(monkeypatch)
    first = FIRST.get(rule, 0)
    assert any(getattr(outcome_of(seed), shows) for seed in range(first, first + MOST))
