from __future__ import annotations

from tidings.faces.deliveries import attempt_objects
from tidings.store.attempts import Attempt


def test_attempts_of_a_delivery_that_was_retried_are_told_apart_by_their_round() -> None:
    shown = attempt_objects([Attempt(number=number, began=0) for number in (1, 2, 1, 1, 2)])
    assert [(each["round"], each["attempt"]) for each in shown] == [(1, 1), (1, 2), (2, 1), (3, 1), (3, 2)]
