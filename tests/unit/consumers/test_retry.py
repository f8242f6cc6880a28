from __future__ import annotations

import pytest

from tidings.consumers.retry import (
    ATTEMPTS,
    Park,
    RetryAfter,
    call_reason,
    decide,
    died_reason,
    kind_of,
    reason_of,
    told,
)
from tidings.errors import (
    ColumnOverflowError,
    EnvelopeError,
    FoldError,
    InvalidDataError,
    NotRetryable,
    TransformError,
    UnknownTypeError,
)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 4), (3, 16), (4, 64), (5, 256)])
def test_delays_grow_fourfold_from_a_second(attempt: int, seconds: float) -> None:
    assert decide(ValueError(), attempt, 0.5) == RetryAfter(seconds)
    assert decide(ValueError(), attempt, 0.0) == RetryAfter(seconds * 0.5)
    assert decide(ValueError(), attempt, 1.0) == RetryAfter(seconds * 1.5)


def test_after_six_attempts_it_is_left_to_an_operator() -> None:
    assert ATTEMPTS == 6
    assert decide(ValueError(), 6, 0.5) == Park("handler-failed")
    assert decide(ValueError(), 7, 0.5) == Park("handler-failed")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotRetryable("no"), "not-retryable"),
        (ColumnOverflowError("no"), "fold-failed"),
        (UnknownTypeError("no"), "undecodable"),
        (InvalidDataError("no"), "undecodable"),
        (TransformError("no"), "transform-failed"),
        (EnvelopeError("no"), "undecodable"),
    ],
)
def test_what_cannot_come_right_by_itself_is_not_tried_again(error: Exception, kind: str) -> None:
    assert decide(error, 1, 0.5) == Park(kind)


def test_a_fold_that_fails_is_tried_again() -> None:
    assert decide(FoldError("no"), 1, 0.5) == RetryAfter(1.0)
    assert kind_of(FoldError("no")) == "fold-failed"


def test_the_decision_is_written_down_with_its_time() -> None:
    reason = reason_of(ValueError("no"), attempt=2, now=1_000, draw=0.5)
    assert (reason.kind, reason.error, reason.next_at) == ("handler-failed", "ValueError: no", 4_001_000)
    assert reason_of(ValueError("no"), attempt=6, now=1_000, draw=0.5).next_at is None


def test_a_process_that_died_leaves_it_to_an_operator() -> None:
    reason = died_reason(6)
    assert (reason.kind, reason.next_at) == ("process-died", None)
    assert "6 attempts" in reason.error


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("\ud800 and \x00"), "ValueError: \\ud800 and \\x00"),
        (Mute(), "Mute: its message cannot be read (RuntimeError)"),
    ],
)
def test_every_error_can_be_told_in_text_that_can_be_kept(error: Exception, text: str) -> None:
    assert told(error) == text


def test_a_long_message_is_cut() -> None:
    assert len(told(ValueError("x" * 100_000))) == 2_000


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 300), (9, 86_400), (10, None)])
def test_a_call_that_failed_is_made_again_by_the_ladder_of_deliveries(attempt: int, seconds: int | None) -> None:
    reason = call_reason(OSError("no"), attempt=attempt, now=7, draw=0.5)
    assert reason.next_at == (None if seconds is None else 7 + seconds * 1_000_000)


@pytest.mark.parametrize("error", [NotRetryable("no"), InvalidDataError("no")])
def test_a_call_that_no_repeat_can_help_is_dead_at_once(error: Exception) -> None:
    assert call_reason(error, attempt=1, now=7, draw=0.5).next_at is None
