"""Problem details (RFC 9457): every way in which a request can fail, in one table, and which error means which.

The slugs are contract: clients branch on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any

from tidings import errors
from tidings.api.answer import Answer, Header
from tidings.events.codec import encode_json

TYPE_BASE = "urn:tidings:problem:"
MEDIA_TYPE = "application/problem+json"
_CONTENT_TYPE: Header = (b"content-type", MEDIA_TYPE.encode())
_AT_POSITION = re.compile(r" at position \d+(?= with other content)")


class Problem(Enum):
    """What can be wrong: slug, status, title, and after how many seconds to ask again, if that may help."""

    MALFORMED_REQUEST = "malformed-request", 400, "The request cannot be parsed"
    PATH_MISMATCH = "path-mismatch", 400, "The event and its path name different events"
    INVALID_POSITION = "invalid-position", 400, "The position token is not one of this log"
    IDEMPOTENCY_KEY_MISSING = "idempotency-key-missing", 400, "Nothing tells a repeat from a new request"
    IDEMPOTENCY_KEY_MALFORMED = "idempotency-key-malformed", 400, "The Idempotency-Key cannot be read"
    UNAUTHENTICATED = "unauthenticated", 401, "The caller is not known"
    SIGNATURE_REJECTED = "signature-rejected", 401, "The request is not what its sender signed"
    SCOPE_MISSING = "scope-missing", 403, "The key does not allow this"
    NOT_FOUND = "not-found", 404, "There is nothing of that name"
    METHOD_NOT_ALLOWED = "method-not-allowed", 405, "The method is not allowed here"
    NOT_ACCEPTABLE = "not-acceptable", 406, "No representation fits the Accept header"
    BODY_TIMEOUT = "body-timeout", 408, "The body did not come in time"
    EVENT_CONFLICT = "event-conflict", 409, "The id is taken by an event with other content"
    SUBJECT_MOVED = "subject-moved", 409, "The subject has a later event than expected"
    VERSION_NOT_OPEN = "version-not-open", 409, "The version may not be published now"
    NOT_SUBJECT_HEAD = "not-subject-head", 409, "An earlier dead letter of the subject comes first"
    ENDPOINT_STATE = "endpoint-state", 409, "The present state does not allow this"
    TOO_MANY_SECRETS = "too-many-secrets", 409, "The endpoint has as many secrets as it may have"
    ALREADY_RUNNING = "already-running", 409, "It is under way already"
    CANNOT_REPLAY = "cannot-replay", 409, "This cannot be replayed"
    VERSION_SUNSET = "version-sunset", 410, "The version has ended"
    POSITION_EXPIRED = "position-expired", 410, "The log no longer keeps these entries"
    RECEIVER_RETIRED = "receiver-retired", 410, "The receiver takes nothing any more"
    RECEIPT_PRUNED = "receipt-pruned", 410, "The body of the request is not kept any more"
    PRECONDITION_FAILED = "precondition-failed", 412, "A precondition does not hold"
    POSITION_NOT_REACHED = "position-not-reached", 412, "The position is not reached yet", 1
    BODY_TOO_LARGE = "body-too-large", 413, "The body is too large, or its batch has too many events"
    ENVELOPE_TOO_LARGE = "envelope-too-large", 413, "The event is too large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", 415, "The body's type or coding is not supported"
    INVALID_ENVELOPE = "invalid-envelope", 422, "An attribute of the event breaks a rule"
    INVALID_DATA = "invalid-data", 422, "The data does not fit the declared event"
    INVALID_CONFIGURATION = "invalid-configuration", 422, "A member of the body breaks a rule"
    INVALID_PATTERN = "invalid-pattern", 422, "The event pattern is none"
    ENDPOINT_REFUSED = "endpoint-refused", 422, "Nothing may be sent to the URL"
    VERSION_UNKNOWN = "version-unknown", 422, "The event type or version is not declared here"
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused", 422, "The Idempotency-Key came with another request before"
    PRECONDITION_REQUIRED = "precondition-required", 428, "The change does not say which version it is of"
    RATE_LIMITED = "rate-limited", 429, "More was sent than is taken in the time", 1
    INTERNAL = "internal", 500, "The server made a mistake"
    LOG_UNAVAILABLE = "log-unavailable", 503, "The log cannot be reached now", 1
    STORE_UNAVAILABLE = "store-unavailable", 503, "The store cannot be reached now", 1
    OVERLOADED = "overloaded", 503, "The server has more to do than it can take", 1
    NOT_RUNNING = "not-running", 503, "The application cannot run as it is", 1

    def __init__(self, slug: str, status: int, title: str, retry_after: int | None = None) -> None:
        self.slug = slug
        self.status = status
        self.title = title
        self.retry_after = retry_after

    @property
    def type(self) -> str:
        """The URI that names the problem."""
        return TYPE_BASE + self.slug


class Refusal(errors.CallerError):
    """A request that the HTTP face itself refuses; `members` join the problem's own, `headers` the answer's."""

    def __init__(
        self,
        problem: Problem,
        message: str,
        *headers: Header,
        errors: Sequence[tuple[str, str]] = (),
        members: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(message, errors=errors)
        self.problem = problem
        self.headers = headers
        self.members = members


_PROBLEMS: Mapping[type[Exception], Problem] = MappingProxyType(
    {
        errors.MalformedError: Problem.MALFORMED_REQUEST,
        errors.SlowBodyError: Problem.BODY_TIMEOUT,
        errors.UnsupportedMediaTypeError: Problem.UNSUPPORTED_MEDIA_TYPE,
        errors.BatchTooLargeError: Problem.BODY_TOO_LARGE,
        errors.EnvelopeTooLargeError: Problem.ENVELOPE_TOO_LARGE,
        errors.EnvelopeError: Problem.INVALID_ENVELOPE,
        errors.UnknownTypeError: Problem.VERSION_UNKNOWN,
        errors.VersionSunsetError: Problem.VERSION_SUNSET,
        errors.VersionNotOpenError: Problem.VERSION_NOT_OPEN,
        errors.InvalidDataError: Problem.INVALID_DATA,
        errors.PatternError: Problem.INVALID_PATTERN,
        errors.EndpointRefusedError: Problem.ENDPOINT_REFUSED,
        errors.InvalidConfigurationError: Problem.INVALID_CONFIGURATION,
        errors.InvalidPositionError: Problem.INVALID_POSITION,
        errors.PositionExpiredError: Problem.POSITION_EXPIRED,
        errors.PositionNotReachedError: Problem.POSITION_NOT_REACHED,
        errors.LogRewoundError: Problem.INVALID_POSITION,
        errors.SequenceRewoundError: Problem.LOG_UNAVAILABLE,
        errors.NotFoundError: Problem.NOT_FOUND,
        errors.MovedError: Problem.PRECONDITION_FAILED,
        errors.TooManySecretsError: Problem.TOO_MANY_SECRETS,
        errors.UnderWayError: Problem.ALREADY_RUNNING,
        errors.NotSubjectHeadError: Problem.NOT_SUBJECT_HEAD,
        errors.LogBusyError: Problem.OVERLOADED,
        errors.LogUnavailableError: Problem.LOG_UNAVAILABLE,
        errors.InlineViewError: Problem.LOG_UNAVAILABLE,
        errors.StoreUnavailableError: Problem.STORE_UNAVAILABLE,
    }
)


def problem_of(error: BaseException) -> Problem:
    """Return which problem this error is to the caller; anything that is not foreseen is ours to repair."""
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, errors.ConflictError):
        return Problem.EVENT_CONFLICT if error.conflict.kind == "id" else Problem.SUBJECT_MOVED
    for cls in type(error).__mro__:
        if cls in _PROBLEMS:
            return _PROBLEMS[cls]
    return Problem.INTERNAL


def _conflict(error: errors.ConflictError) -> str:
    """Return what stands in the way, without positions: callers know tokens only."""
    conflict = error.conflict
    if conflict.kind != "subject":
        return _AT_POSITION.sub("", str(error))
    subject = repr((conflict.subject or "")[:100])
    if conflict.position:
        return f"the subject {subject} has a later event than the expected one: read it and decide again"
    return f"the subject {subject} has no event at the expected position: expect one that you read"


def answer_to(error: BaseException, *, instance: str) -> Answer:
    """Return the problem document for an error of a request to the path `instance`."""
    problem = problem_of(error)
    detail = str(error)
    if isinstance(error, errors.ConflictError):
        detail = _conflict(error)
    elif problem is Problem.INTERNAL and not isinstance(error, Refusal):
        detail = "the server's log has the reason; the same request may be repeated"
    document: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": instance,
    }
    at_fault = getattr(error, "errors", ())
    if at_fault:
        document["errors"] = [{"pointer": pointer, "detail": why} for pointer, why in at_fault]
    headers: tuple[Header, ...] = (_CONTENT_TYPE,)
    if problem is Problem.BODY_TIMEOUT:
        headers += ((b"connection", b"close"),)
    if isinstance(error, errors.VersionNotOpenError):
        document["accepted"] = list(error.accepted)
    if isinstance(error, errors.PatternError):
        document["code"] = error.code
    if isinstance(error, Refusal):
        headers += error.headers
        document |= error.members
    if problem.retry_after is not None and b"retry-after" not in dict(headers):
        headers += ((b"retry-after", b"%d" % problem.retry_after),)
    return Answer(problem.status, headers, encode_json(document))
