"""What the exit code says: 0 ok, 1 a clear no, 2 wrong use or failure, 3 unknown, which counts as no.

And 141, as shells say of whatever SIGPIPE ended (POSIX, Shell Command Language, 2.8.2): nobody reads on.
"""

from __future__ import annotations

from tidings.errors import ConflictError, NotProvedError, OperatorError, RefusedError, UnderWayError

OK = 0
NO = 1
FAILED = 2
UNKNOWN = 3
UNREAD = 128 + 13


class UnknownOutcomeError(OperatorError):
    """Nobody knows whether it was done; the message says how to find out."""


def code_of(error: Exception) -> int:
    """Return the exit code of an error: a refusal is an answer, everything else a failure; so is a name of nothing, and
    what could not be begun, since it is under way or the whole was not proved: nothing was compared."""
    if isinstance(error, UnknownOutcomeError):
        return UNKNOWN
    if isinstance(error, UnderWayError | NotProvedError):
        return FAILED
    return NO if isinstance(error, ConflictError | RefusedError) else FAILED
