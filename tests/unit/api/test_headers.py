from __future__ import annotations

import pytest
from tests.unit.api.scopes import scope

from tidings.api.headers import accepts, header, preference_applied, wait_seconds
from tidings.errors import MalformedError


def test_a_header_sent_twice_is_refused() -> None:
    with pytest.raises(MalformedError):
        header(scope(headers=[("if-none-match", "*"), ("if-none-match", '"1"')]), b"if-none-match")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("wait=5", 5),
        ("WAIT = 5", 5),
        ('respond-async, wait="7"; x=1', 7),
        ("wait=3600", 30),
        ("wait=0", 0),
        ("wait=soon", None),
        ("return=minimal", None),
    ],
)
def test_a_preference_to_wait_is_read_and_bounded(value: str, seconds: int | None) -> None:
    assert wait_seconds(scope(headers={"prefer": value})) == seconds


def test_a_preference_that_was_heeded_is_said() -> None:
    assert preference_applied(3) == ((b"preference-applied", b"wait=3"),)
    assert preference_applied(None) == ()


def test_the_most_precise_range_decides_whether_a_type_is_wanted() -> None:
    accepted = accepts(scope(headers={"accept": "application/json;q=0, application/*;q=0.5, */*;q=0.1"}))
    assert accepted.weight("application/json") == 0
    assert accepted.weight("application/cloudevents+json") == 0.5
    assert accepted.weight("text/plain") == 0.1


def test_the_type_wanted_most_is_chosen_and_the_first_of_equals() -> None:
    accepted = accepts(scope(headers={"accept": "a/x;q=0.5, a/y;q=0.9, a/z;q=0.9"}))
    assert accepted.best("a/x", "a/z", "a/y") == "a/z"
    assert accepted.best("b/b") is None
    assert accepts(scope()).best("b/b") == "b/b"


def test_a_weight_that_is_no_number_wants_nothing() -> None:
    assert accepts(scope(headers={"accept": "a/x;q=much"})).best("a/x") is None
