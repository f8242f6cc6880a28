"""What becomes of an entry, or of a call to the outside, that failed: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass

from tidings.errors import (
    ColumnOverflowError,
    EnvelopeError,
    FoldError,
    HistoryRemovedError,
    InvalidDataError,
    NotRetryable,
    TransformError,
    UnknownTypeError,
)
from tidings.store.ladder import seconds_after
from tidings.store.reason import Reason

ATTEMPTS = 6
FIRST_SECONDS = 1.0
GROWTH = 4.0
LONGEST_SECONDS = 600.0
ERROR_CHARACTERS = 2_000
UNREADABLE = "version-unreadable"
KINDS = frozenset(
    {
        *("fold-failed", "handler-failed", "id-taken", "not-retryable", "process-died", "transform-failed"),
        *("undecodable", UNREADABLE),
    }
)
"""Every word why something is parked."""
_UNREADABLE = (UnknownTypeError, InvalidDataError, EnvelopeError)
_FINAL = (NotRetryable, ColumnOverflowError, HistoryRemovedError, TransformError, *_UNREADABLE)
"""The same comes of trying again."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Try it again after this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Park:
    """Trying again by itself cannot help, or has been done often enough. `reason`: a kebab-case word."""

    reason: str


def decide(error: BaseException, attempt: int, draw: float) -> RetryAfter | Park:
    """Say what follows after the failed attempt of this number, from 1. `draw`: evenly from 0 to 1.

    1, 4, 16, 64, 256 s, each times a factor of 0.5 to 1.5, so that what failed together does not come back together.
    """
    if isinstance(error, _FINAL) or attempt >= ATTEMPTS:
        return Park(kind_of(error))
    seconds = min(LONGEST_SECONDS, FIRST_SECONDS * GROWTH ** (max(1, attempt) - 1))
    return RetryAfter(seconds * (0.5 + draw))


def reason_of(error: BaseException, *, attempt: int, now: int, draw: float) -> Reason:
    """Return the decision as it is written down. `now`: µs since 1970."""
    decision = decide(error, attempt, draw)
    next_at = now + round(decision.seconds * 1_000_000) if isinstance(decision, RetryAfter) else None
    return Reason(kind=kind_of(error), error=told(error), next_at=next_at)


def call_reason(error: BaseException, *, attempt: int, now: int, draw: float) -> Reason:
    """Return what becomes of a call to the outside after the failed attempt of this number, from 1.

    As `reason_of`, but by `tidings.store.ladder`: who is called may be away for days.
    """
    seconds = None if isinstance(error, (NotRetryable, *_UNREADABLE)) else seconds_after(attempt, draw=draw)
    next_at = None if seconds is None else now + round(seconds * 1_000_000)
    return Reason(kind=kind_of(error), error=told(error), next_at=next_at)


def died_reason(attempts: int, then: str = "correct the handler, then redrive the subject") -> Reason:
    """Return the reason of an entry, or of a call, in each of whose attempts the process ended."""
    error = f"the process ended in each of {attempts} attempts: {then}"
    return Reason(kind="process-died", error=error, next_at=None, attempts=attempts)


def kind_of(error: BaseException) -> str:
    """Return the kebab-case word for what failed."""
    if isinstance(error, _UNREADABLE):
        return "undecodable"
    if isinstance(error, TransformError):
        return "transform-failed"
    if isinstance(error, NotRetryable):
        return "not-retryable"
    return "fold-failed" if isinstance(error, FoldError) else "handler-failed"


def told(error: BaseException) -> str:
    """Return the error's class and message as text that any store can keep, whatever its author made of `__str__`."""
    try:
        message = str(error)
    except BaseException as worse:  # an author's `__str__` may raise whatever it likes
        message = f"its message cannot be read ({type(worse).__name__})"
    name = type(error).__name__
    text = f"{name}: {message}"[:ERROR_CHARACTERS] if message else name
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
