"""How far a database is in the steps, and whether a release may run on it."""

from __future__ import annotations

import pytest

from tidings.store.schema import Schema, Step

ONE, TWO, THREE = Step(1, 1, ("1.sql",), ""), Step(2, 1, ("2.sql",), ""), Step(3, 3, ("3.sql",), "")


@pytest.mark.parametrize(
    ("schema", "state", "told"),
    [
        (Schema(0, 0, (ONE, TWO)), "none", "run `tidings migrate apply`"),
        (Schema(1, 1, (ONE, TWO)), "behind", "it has schema 1, and this release needs 2: run `tidings migrate apply`"),
        (Schema(2, 1, (ONE, TWO)), "current", None),
        (Schema(2, 1, (ONE,)), "ahead", None),
        (Schema(3, 3, (ONE, TWO)), "newer", "run `pip install --upgrade tidings`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_release_runs_on_what_it_knows_and_on_what_spares_it(schema: Schema, state: str, told: str | None) -> None:
    assert schema.state == state
    assert (schema.refusal is None) == (told is None)
    assert (told or "") in (schema.refusal or "")


def test_what_is_pending_comes_in_order() -> None:
    assert list(Schema(1, 1, (ONE, TWO, THREE)).pending) == [TWO, THREE]
    assert [step.spares for step in (ONE, TWO, THREE)] == [False, True, False]
