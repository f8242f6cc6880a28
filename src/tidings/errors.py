"""Every error tidings raises, split by who must act.

TidingsError
├── CallerError          who called must change the call
│   ├── MalformedError           the bytes cannot be parsed
│   ├── SlowBodyError            the body did not come in time
│   ├── UnsupportedMediaTypeError  the body is of a kind that is not read here
│   ├── EnvelopeError            parsed, but against the envelope's rules
│   │   └── EnvelopeTooLargeError
│   ├── BatchTooLargeError       more events than a batch can have
│   ├── PatternError             an event pattern is not one
│   ├── UnknownTypeError         no such event type or version here
│   ├── VersionNotOpenError      the version may not be published now
│   │   └── VersionSunsetError   nor ever again: it has ended
│   ├── InvalidDataError         the data does not fit the declared class
│   ├── InvalidConfigurationError  a member of a configuration breaks a rule
│   │   └── EndpointRefusedError an endpoint's URL is one that nothing may be sent to
│   ├── ConflictError            the id, the subject or the condition is taken
│   ├── InvalidPositionError     a position token that is none of this log
│   ├── PositionExpiredError     older than what the log keeps
│   ├── PositionNotReachedError  the state asked for is not there yet
│   ├── NotFoundError            nothing of that name
│   ├── MovedError               it was changed since it was read
│   └── RefusedError             the operation is not allowed in this state
│       ├── NotSubjectHeadError  an earlier dead letter of the subject comes first
│       ├── UnderWayError        it is being done already
│       ├── NotProvedError       the whole list has to be proved first
│       └── TooManySecretsError  the endpoint has as many secrets as it may have
├── OperatorError        who runs the system must act
│   ├── SettingError             a setting is unknown or wrong
│   ├── SchemaError              the database belongs to another release
│   ├── ShapeChangedError        a view changed under the same version
│   ├── SchemaChangedError       a published version of an event changed
│   ├── VersionUnreadableError   an entry's version is one that this release does not read
│   ├── InlineViewError          this process does not hold an inline view's fold
│   ├── LogUnavailableError      the log cannot be reached or written; retry later
│   │   └── LogBusyError         the log's queue is full; retry later
│   ├── StoreUnavailableError    the store cannot be reached or written; retry later
│   │   └── ContendedError       two transactions met; retry at once
│   └── LogRewoundError          a checkpoint stands beyond the log's head
│       └── SequenceRewoundError  the log stands beyond its next position; mend the database
├── AuthorError          who wrote the application must change its code
│   ├── DeclarationError         an event, view, fold or service is declared wrongly
│   │   └── TransformerChainError  the steps between versions do not join
│   ├── FoldError                a fold raised or returned the wrong type
│   │   ├── ColumnOverflowError  it returned a number that its column cannot hold
│   │   └── HistoryRemovedError  events of the row were removed, so none that comes late fits in
│   ├── TransformError           a step between versions raised or returned other data
│   ├── AppendInUnitError        the log was awaited inside a unit; emit instead
│   ├── TranslationError         a webhook delivery cannot be read as events; repair its preset, then replay it
│   └── NotRetryable             raised by a handler: park at once, do not try again
├── ProviderError        an adapter could not read from what it reconciles with; no read happened
│   ├── RateLimitedError         it wants to be left alone for a while
│   ├── CursorExpiredError       it does not know the cursor any more
│   ├── ProviderUnavailableError it did not answer, or not with what it promises
│   └── NotAuthorisedError       it does not know the credentials
└── CheckpointMovedError the lease is lost: another owner went on; nothing was written
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tidings.wording import absent


class TidingsError(Exception):
    """Base of every error of this package. The message is one sentence that says what to do."""


class CallerError(TidingsError):
    """Who called must change the call.

    `errors` names the parts at fault: pairs of a JSON pointer (RFC 6901) and what is wrong there.
    """

    def __init__(self, message: str, *, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class MalformedError(CallerError):
    """The bytes cannot be parsed: JSON, percent-coding, UTF-8, base64, a repeated header or member."""


class SlowBodyError(CallerError):
    """The body of a request did not come in time; the message says how long it was waited for."""


class UnsupportedMediaTypeError(CallerError):
    """The body is of a format or in a charset that is not read here; the message says which are."""


class EnvelopeError(CallerError):
    """The envelope parses but breaks a rule: a missing, too long or ill-typed attribute."""


class EnvelopeTooLargeError(EnvelopeError):
    """The data or the attributes are larger than the limit named in the message, in bytes."""


class BatchTooLargeError(CallerError):
    """A batch has more events than the number named in the message."""


class PatternError(CallerError):
    """An event pattern is not one. `at` is the JSON pointer of what is wrong, `why` says it.

    `code`: not-json, duplicate-key, empty-object, empty-array, leaf-not-array, unknown-key, many-keys, bad-operand,
    bad-range, bad-cidr, bad-wildcard, or too-complex.
    """

    def __init__(self, at: str, code: str, why: str) -> None:
        super().__init__(f"the event pattern is wrong at {at or 'its top'}: {why}", errors=[(at, why)])
        self.at = at
        self.code = code
        self.why = why


class UnknownTypeError(CallerError):
    """No event of this type, or no such version of it, is declared; the message lists what is."""


class VersionNotOpenError(CallerError):
    """The gate of this version is not open: `accepted` are the versions of the type that may be published now."""

    def __init__(self, message: str, *, accepted: Sequence[int] = (), errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, errors=errors)
        self.accepted = tuple(accepted)


class VersionSunsetError(VersionNotOpenError):
    """The version has ended: another one has to be published. The message says which, and where to read on."""


class InvalidDataError(CallerError):
    """The data does not fit the declared class; `errors` has the path of the field."""


class InvalidConfigurationError(CallerError):
    """A member of a configuration is missing, unknown or breaks a rule; `errors` has the pointer of each."""


class EndpointRefusedError(InvalidConfigurationError):
    """An endpoint's URL is one that nothing may be sent to: the message says which part and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Why a write was refused.

    `kind` "id": (`source`, `id`) is kept at `position` with other content (0: the write itself holds it twice);
    "subject": `subject` has an entry at `position`, after the expected one (0: the expected entry is not there);
    "condition": the entry at `position` matches.
    `kept_hash`, `given_hash`: hex content hashes, as far as the back end keeps them; "id" only.
    """

    kind: Literal["id", "subject", "condition"]
    position: int
    source: str | None = None
    id: str | None = None
    subject: str | None = None
    kept_hash: str | None = None
    given_hash: str | None = None


class ConflictError(CallerError):
    """A write was refused; `conflict` says which kind and what stands in the way."""

    def __init__(self, message: str, *, conflict: Conflict) -> None:
        super().__init__(message)
        self.conflict = conflict


class InvalidPositionError(CallerError):
    """A position token is none of this log, of another life of it, or beyond its head."""


class PositionExpiredError(CallerError):
    """Entries at or below `floor` are no longer kept."""

    def __init__(self, message: str, *, floor: int) -> None:
        super().__init__(message)
        self.floor = floor


class PositionNotReachedError(CallerError):
    """The state does not reflect the asked position yet; ask again or wait."""


class NotFoundError(CallerError):
    """There is nothing of that name; the message lists what there is, or says where to look."""

    # Of parts, as `absent` takes them, so that every face says it in the same words.
    def __init__(
        self, what: str, name: str, there: Iterable[str] | None = None, *, of: str = "", hint: str = ""
    ) -> None:
        self.what = what
        self._parts = what, name, None if there is None else tuple(there), of
        super().__init__(absent(what, name, self._parts[2], of=of, hint=hint))

    def hinted(self, hint: str) -> NotFoundError:
        """Return the same error with something else to do."""
        what, name, there, of = self._parts
        return NotFoundError(what, name, there, of=of, hint=hint)


class MovedError(CallerError):
    """What is to be changed was changed since it was read: read it again, and decide anew."""


class RefusedError(CallerError):
    """The operation is not allowed in the present state; the message says which step comes first."""


class NotSubjectHeadError(RefusedError):
    """A dead letter waits behind an earlier one of its subject, which the message names: that one comes first."""


class UnderWayError(RefusedError):
    """What is to be begun is under way already: wait for its end."""


class NotProvedError(RefusedError):
    """Less than the whole list cannot be compared: the whole has to be proved first, or nothing lists less."""


class TooManySecretsError(RefusedError):
    """An endpoint has as many secrets alive as it may have: revoke one, or wait until one ends."""


class OperatorError(TidingsError):
    """Who runs the system must act."""


class SettingError(OperatorError):
    """A setting is unknown, or its value cannot be used; the message names it and what is allowed."""


class SchemaError(OperatorError):
    """The database is of another release, or does not allow what is needed; the message has the command to run."""


class ShapeChangedError(OperatorError):
    """A view's columns, key, rank or fold version changed, but not its declared version."""


class SchemaChangedError(OperatorError):
    """A published version of an event has another schema than it was published with; the message names both."""


class VersionUnreadableError(OperatorError):
    """An entry is of a version that this release cannot read: its reader stops there, and nothing is set aside.

    `position`: where the entry stands, 0 if that is not known. `errors` as of `CallerError`.
    """

    def __init__(self, message: str, *, position: int = 0, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.position = position
        self.errors = tuple(errors)


class InlineViewError(OperatorError):
    """An inline view is fed by this type, and this process does not hold its fold: its append would leave it behind."""


class LogUnavailableError(OperatorError):
    """The log cannot be written or read now. Nothing is known of the call: repeat it with the same ids."""


class LogBusyError(LogUnavailableError):
    """The log's queue stayed full until the timeout. Nothing was kept: repeat the call later."""


class StoreUnavailableError(OperatorError):
    """The store cannot be written or read now; nothing of the unit was kept."""


class ContendedError(StoreUnavailableError):
    """Two transactions met, for each other's rows or for one that both made, and this one ended: nothing was kept;
    repeat it at once."""


class LogRewoundError(OperatorError):
    """A checkpoint stands beyond the log's head: the log was restored from an older copy."""


class SequenceRewoundError(LogRewoundError):
    """The log stands beyond its next position: PostgreSQL's sequence is from an older copy. Nothing more is kept."""


class AuthorError(TidingsError):
    """Who wrote the application must change its code."""


class DeclarationError(AuthorError):
    """An event, view, fold, handler or service is declared wrongly; the message shows the right form."""


class TransformerChainError(DeclarationError):
    """The steps between an event's versions do not join. `faults`: all there are, one sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class TransformError(AuthorError):
    """A step between versions raised, or returned what the version it leads to is not. `errors` as of `CallerError`."""

    def __init__(self, message: str, *, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class FoldError(AuthorError):
    """A fold raised, or returned something that is neither its row class nor None."""


class ColumnOverflowError(FoldError):
    """A fold returned a number that its column cannot hold: the entry is parked at once, for the same comes again."""


class HistoryRemovedError(FoldError):
    """Events that a row was made from were removed from the log, so one that comes late cannot be folded in.

    It is parked at once. What was removed has to be put back before it is redriven.
    """


class AppendInUnitError(AuthorError):
    """The log was appended to from inside a unit, where it would wait for itself; use `ctx.emit`."""


class TranslationError(AuthorError):
    """A verified webhook delivery cannot be read as events: its preset does not fit it. `errors` has what is at fault.

    Pairs of a JSON pointer into the body, empty for a header, and what is wrong there.
    """

    def __init__(self, message: str, *, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class NotRetryable(AuthorError):
    """Raise this in a handler when trying again cannot help: the entry is parked at once."""


class ProviderError(TidingsError):
    """An adapter could not read from what it reconciles with: no read happened, and nothing follows from that."""


class RateLimitedError(ProviderError):
    """The provider wants to be left alone. `retry_after`: for so long; None: it did not say."""

    def __init__(self, retry_after: timedelta | None = None) -> None:
        super().__init__("the provider's rate is used up")
        self.retry_after = retry_after


class CursorExpiredError(ProviderError):
    """The cursor is not known to the provider any more."""


class ProviderUnavailableError(ProviderError):
    """The provider did not answer, or not with what it promises."""


class NotAuthorisedError(ProviderError):
    """The provider does not know the credentials, which says nothing about any item."""


class CheckpointMovedError(TidingsError):
    """The lease is lost or the checkpoint was moved: everything in the unit was rolled back, nothing is counted."""
