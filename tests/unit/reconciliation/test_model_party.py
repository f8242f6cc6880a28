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
from tidings.reconciliation.outbound.party import answering, deciding, knowing, policy, pushing, taking
from tidings.reconciliation.outbound.party.deciding import Deciding
from tidings.reconciliation.outbound.party.policy import Shown

SEEDS = 8 * SCALE
MOST = 12
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


def no_pending(found: Shown, given: dict[str, Any]) -> Shown:
    is_known = given["held"] is not None
    return policy.shown(**{**given, "is_pending": False, "as_of": 2**62}) if is_known else found


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


def keys_live_for_ever(patch: Patch) -> None:
    for module in (deciding, pushing):
        patch.setattr(module, "is_past_life", lambda *_: False)


OFF: dict[str, tuple[Callable[[Patch], None], str]] = {
    "2: pending": (told(no_pending), "unlike"),
    "2: equal is recorded": (lambda patch: patch.setattr(taking.TakingHeld, "_equal", lambda *_: None), "unlike"),
    "3: never acknowledged and missing": (
        told(lambda found, given: Shown.PENDING if found is Shown.LOST and given["hash"] == 0 else found),
        "unlike",
    ),
    "3: the same key": (same_key_never, "doubled"),
    "4: another key": (
        lambda patch: patch.setattr(Deciding, "_key", lambda _, held, read: held.idempotency_key),
        "unlike",
    ),
    "4: ask": (ask_nobody, "overwritten"),
    "5: once acknowledged and gone": (
        told(lambda found, _: Shown.PENDING if found is Shown.ABSENT else found),
        "unlike",
    ),
    "6: key life": (keys_live_for_ever, "doubled"),
    "6: If-Match": (lambda patch: patch.setattr(deciding.Read, "etag", None), "overwritten"),
}


FIRST = {"2: pending": 6, "3: the same key": 3, "4: another key": 3, "6: key life": 4, "6: If-Match": 57}
"""The first run in which it shows, where that is none of the first two."""


@pytest.mark.parametrize("rule", OFF)
def test_each_rule_taken_out_shows(rule: str, monkeypatch: Patch) -> None:
    off, shows = OFF[rule]
    off(monkeypatch)
    first = FIRST.get(rule, 0)
    assert any(getattr(outcome_of(seed), shows) for seed in range(first, first + MOST))
