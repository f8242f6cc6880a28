from __future__ import annotations

import pytest
from tests.unit.api.scopes import scope

from tidings.api.headers import Accepted, choose, header, is_current, wait_seconds
from tidings.api.problems import Problem, Refusal
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
        ("wait=-1", None),
        ("wait=1e3", None),
        ("return=minimal", None),
    ],
)
def test_a_preference_to_wait_is_read_and_bounded(value: str, seconds: int | None) -> None:
    assert wait_seconds(scope(headers={"prefer": value})) == seconds


@pytest.mark.parametrize(
    ("given", "current"),
    [('"1.2"', True), ('W/"1.2"', True), ('"9", "1.2"', True), ("*", True), ('"1"', False), ("", False)],
)
def test_an_etag_is_found_among_those_the_caller_has(given: str, current: bool) -> None:
    assert is_current(scope(headers={"if-none-match": given}), '"1.2"') is current


def test_a_caller_without_an_etag_has_nothing() -> None:
    assert not is_current(scope(), '"1.2"')


def test_the_most_precise_range_decides_whether_a_type_is_wanted() -> None:
    accepted = Accepted("application/json;q=0, application/*;q=0.5, */*;q=0.1")
    assert accepted.weight("application/json") == 0
    assert accepted.weight("application/cloudevents+json") == 0.5
    assert accepted.weight("text/plain") == 0.1


def test_the_type_wanted_most_is_chosen_and_the_first_of_equals() -> None:
    wanting = scope(headers={"accept": "a/x;q=0.5, a/y;q=0.9, a/z;q=0.9"})
    assert choose(wanting, "a/x", "a/z", "a/y") == "a/z"
    assert choose(scope(), "b/b", "b/c") == "b/b"


@pytest.mark.parametrize("accept", ["a/x", "b/b;q=0", "b/b;q=much"])
def test_a_type_nobody_wants_is_not_acceptable(accept: str) -> None:
    with pytest.raises(Refusal) as caught:
        choose(scope(headers={"accept": accept}), "b/b")
    assert caught.value.problem is Problem.NOT_ACCEPTABLE
