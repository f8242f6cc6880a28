from __future__ import annotations

import json

import pytest

from tidings import errors
from tidings.api.problems import TYPE_BASE, Problem, Refusal, answer_to, problem_of
from tidings.errors import Conflict
from tidings.log.conflicts import refused


def conflict(kind: str) -> errors.ConflictError:
    return errors.ConflictError("taken", conflict=Conflict(kind=kind, position=7))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (errors.MalformedError("x"), 400, "malformed-request"),
        (Refusal(Problem.PATH_MISMATCH, "x"), 400, "path-mismatch"),
        (errors.NotFoundError("view", "x"), 404, "not-found"),
        (conflict("id"), 409, "event-conflict"),
        (conflict("subject"), 409, "subject-moved"),
        (errors.PositionExpiredError("x", floor=3), 410, "position-expired"),
        (errors.PositionNotReachedError("x"), 412, "position-not-reached"),
        (errors.EnvelopeTooLargeError("x"), 413, "envelope-too-large"),
        (errors.EnvelopeError("x"), 422, "invalid-envelope"),
        (errors.InvalidDataError("x"), 422, "invalid-data"),
        (errors.UnknownTypeError("x"), 422, "version-unknown"),
        (errors.FoldError("x"), 500, "internal"),
        (RuntimeError("x"), 500, "internal"),
        (errors.LogBusyError("x"), 503, "overloaded"),
        (errors.LogUnavailableError("x"), 503, "log-unavailable"),
        (errors.SequenceRewoundError("x"), 503, "log-unavailable"),
        (errors.LogRewoundError("x"), 400, "invalid-position"),
        (errors.StoreUnavailableError("x"), 503, "store-unavailable"),
    ],
)
def test_every_error_has_its_status_and_slug(error: Exception, status: int, slug: str) -> None:
    answer = answer_to(error, instance="/events")
    document = json.loads(answer.body)
    assert answer.status == document["status"] == status
    assert document["type"] == TYPE_BASE + slug
    assert document["instance"] == "/events"
    assert dict(answer.headers)[b"content-type"] == b"application/problem+json"


def test_what_may_help_later_says_when_to_ask_again() -> None:
    for problem in Problem:
        answer = answer_to(Refusal(problem, "x"), instance="/")
        assert (b"retry-after" in dict(answer.headers)) == (
            problem.status in (429, 503) or problem is Problem.POSITION_NOT_REACHED
        )


def test_the_parts_at_fault_are_named_by_pointer() -> None:
    error = errors.InvalidDataError("it does not fit", errors=[("/amount", "expected int")])
    document = json.loads(answer_to(error, instance="/events").body)
    assert document["errors"] == [{"pointer": "/amount", "detail": "expected int"}]


def test_an_unforeseen_error_says_nothing_of_itself() -> None:
    answer = answer_to(ZeroDivisionError("secret of the inside"), instance="/events")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b"ZeroDivision" not in answer.body


@pytest.mark.parametrize(
    ("conflict", "told"),
    [
        (
            Conflict(kind="id", position=7, source="web", id="1", kept_hash="a", given_hash="b"),
            "'1' of 'web' is kept with other content",
        ),
        (Conflict(kind="id", position=0, source="web", id="1"), "'1' of 'web' stands twice"),
        (Conflict(kind="subject", position=7, subject="s"), "'s' has a later event"),
        (Conflict(kind="subject", position=0, subject="s"), "'s' has no event at the expected position"),
    ],
)
def test_a_conflict_is_told_without_positions_which_callers_do_not_know(conflict: Conflict, told: str) -> None:
    answer = answer_to(refused(conflict, {"s": 77}), instance="/events")
    detail = json.loads(answer.body)["detail"]
    assert told in detail
    assert "7" not in detail


def test_what_fails_for_good_and_is_explained_says_so() -> None:
    assert b"the fold fails" in answer_to(Refusal(Problem.INTERNAL, "the fold fails"), instance="/views").body


def test_each_slug_stands_once() -> None:
    assert len({problem.slug for problem in Problem}) == len(Problem)


def test_every_error_a_caller_can_cause_is_foreseen() -> None:
    unforeseen = {
        cls.__name__ for cls in errors.CallerError.__subclasses__() if cls not in (Refusal, errors.ConflictError)
        and problem_of(cls.__new__(cls)) is Problem.INTERNAL
    }  # fmt: skip
    # No route of this face can be refused by the state of an operation; a caller who went away gets no answer.
    assert unforeseen == {"RefusedError", "DisconnectedError"}
