"""Advisory locks are told apart by their numbers alone."""

from __future__ import annotations

from tidings.backends.postgres import hearing, locks


def test_no_two_locks_have_one_number() -> None:
    numbers = {name: value for name, value in vars(locks).items() if name.isupper() and isinstance(value, int)}
    numbers.pop("_ONE", None)
    every = [*numbers.values(), hearing.LISTENERS]
    assert len(every) > 6
    assert len(set(every)) == len(every)
