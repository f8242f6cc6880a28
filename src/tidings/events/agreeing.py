"""What an event's data and its envelope must say of one another, and how data is read that was made here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidings.errors import InvalidDataError
from tidings.events.codec import has_non_finite, pointer
from tidings.events.declaration import Declared, is_pydantic
from tidings.events.envelope import Envelope
from tidings.events.media import JSON, is_json
from tidings.events.rules import INDEXED_BYTES_MAX, SUBJECT_MAX, is_indexed, is_text, wrong
from tidings.events.strict import check_json


def subject_in(found: Declared, envelope: Envelope, event: Any) -> str | None:
    """Return the subject the envelope must have: what the declared member says, or as it is if none is declared."""
    if found.subject is None:
        return envelope.subject
    if getattr(event, found.subject) == envelope.subject:
        return envelope.subject  # which was looked at with the rest of the envelope
    subject = subject_of(found, event)
    if envelope.subject is not None and envelope.subject != subject:
        why = f"it is {envelope.subject[:64]!r}, but the data's {found.subject} is {subject[:64]!r}"
        raise wrong("subject", why)
    return subject


def subject_of(found: Declared, event: Any) -> str:
    """Return the subject that the declared member of the event says; InvalidDataError if it can be none."""
    assert found.subject is not None
    subject = str(getattr(event, found.subject))
    if not 0 < len(subject) <= SUBJECT_MAX or not is_text(subject) or not is_indexed(subject):
        why = (
            f"it names the subject, so it needs 1 to {SUBJECT_MAX:,} characters, none of them control characters, "
            f"and at most {INDEXED_BYTES_MAX:,} bytes of UTF-8"
        )
        raise InvalidDataError(f"/{found.subject}: {why}", errors=[(pointer(found.subject), why)])
    return subject


def check_content(envelope: Envelope) -> None:
    """Refuse data of another content type than JSON, as InvalidDataError, or that is no JSON, as MalformedError."""
    content_type = envelope.attributes.get("datacontenttype", JSON)
    if content_type != JSON and not is_json(str(content_type)):
        why = f"{envelope.type} is read as JSON, not as {content_type}: send application/json"
        raise InvalidDataError(why, errors=[("", why)])
    check_json(envelope.data or b"")


def read_back(event: Any, data: bytes, decode: Callable[[bytes], Any]) -> Any:
    """Return the event as its readers will see it; InvalidDataError if that is not what it says here."""
    name = type(event).__qualname__
    extra = event.model_extra if is_pydantic(type(event)) else None
    if extra:
        errors = [(pointer(each), "it is not declared") for each in extra]
        raise InvalidDataError(f"{name} does not declare {', '.join(extra)}", errors=errors)
    try:
        read = decode(data)
    except InvalidDataError:
        if has_non_finite(event):
            raise _not_finite(name) from None
        raise
    if read != event and has_non_finite(event):
        raise _not_finite(name)
    return read


def _not_finite(name: str) -> InvalidDataError:
    return InvalidDataError(f"{name} holds NaN or Infinity, which JSON cannot say: leave the member out, or use None")


def from_nothing(decode: Any) -> Any:
    """Return the event that has no data: one whose members can all be left out."""
    try:
        return decode(b"{}")
    except InvalidDataError as error:
        raise InvalidDataError(f"there is no data; {error}", errors=error.errors) from None
