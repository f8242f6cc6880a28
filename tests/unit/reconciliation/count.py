"""Counts what the model finds. `python -m tests.unit.reconciliation.count --seeds 20000`: all rules, honest providers.

`--off NAME`: with a rule taken out that begins so; `--off ''`: each, one after the other. `--from N`: the first seed.
Of each it says what came of the usual runs and of the stressed ones.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence

from tests.unit.reconciliation.model_provider import Kind
from tests.unit.reconciliation.model_two import Outcome, one
from tests.unit.reconciliation.rules import COMPARED, HONEST, OFF, Off, scaled
from tests.unit.reconciliation.virtual import run_virtually
from tidings.errors import ConflictError

COUNTED = ("checks", "violations", "wrong_deletes", "is_wrong", "differs", "differs_now", "back")


def outcome_of(kind: Kind, seed: int, patch: object = None) -> Outcome:
    """Run one seed; `patch`: what takes a rule out."""
    with scaled() as patching:
        if callable(patch):
            patch(patching)
        return run_virtually(one(kind, seed))


def shown(off: Off, seed: int) -> int:
    """Return in how much of one seed it shows that a rule is taken out."""
    try:
        found = outcome_of(off.kinds[seed % len(off.kinds)], seed, off.patch)
    except ConflictError:
        if off.shows != "refused":
            raise
        return 1
    return int(getattr(found, off.shows, 0))


def count(name: str, kinds: Sequence[Kind], seeds: range, patch: object = None) -> None:
    """Print what so many seeds come to, and the first one in which anything is wrong."""
    totals, first, began = {False: Counter[str](), True: Counter[str]()}, "", time.process_time()
    for seed in seeds:
        kind = kinds[seed % len(kinds)]
        total = totals[kind.is_stressed]
        total["seeds"] += 1
        try:
            found = outcome_of(kind, seed, patch)
        except Exception as error:
            total["raised"] += 1
            first = first or f"seed {seed} {kind}: {error!r}"
            continue
        total.update({each: int(getattr(found, each)) for each in COUNTED})
        total["runs wrong"] += bool(found.violations or found.wrong_deletes or found.is_wrong or found.differs)
        if found.first and not first:
            first = f"seed {seed} {kind}: {found.first}"
        if patch is None and seed % 100 == 99:
            print(f"  {seed + 1 - seeds.start}: {_told(totals)}", flush=True)
    took = time.process_time() - began
    print(f"{name}: {took:.0f} s, {_told(totals)}\n   {first[:700]}", flush=True)


def _told(totals: dict[bool, Counter[str]]) -> str:
    return "; ".join(
        f"{'stressed' if is_stressed else 'usual'} {dict(+total)}" for is_stressed, total in totals.items() if total
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--off")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    if given.off is None:
        count("all rules", HONEST, seeds)
        return
    for name, off in {**OFF, **COMPARED}.items():
        if name.startswith(given.off):
            count(f"{name} ({off.shows})", off.kinds, seeds, off.patch)


if __name__ == "__main__":
    main()
