"""What is sent for an event, byte for byte: a pure function of the entry, the endpoint and the attempt.

The body follows from the entry and the format alone, so that each attempt sends the same one; the bytes that are signed
are the bytes that are sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from email.utils import formatdate
from itertools import accumulate

import msgspec

from tidings.errors import EnvelopeError
from tidings.events import cloudevents
from tidings.events.codec import encode_json
from tidings.events.envelope import Entry, Envelope
from tidings.events.media import JSON
from tidings.events.payload import write_data
from tidings.events.timestamp import time_text, time_us
from tidings.webhooks.deliver.endpoint import Endpoint, Format
from tidings.webhooks.deliver.headers import is_reserved
from tidings.webhooks.deliver.legacy import legacy_headers
from tidings.webhooks.deliver.secrets import Secret
from tidings.webhooks.deliver.signing import signature_headers
from tidings.webhooks.deliver.target import as_sent

SECOND_US = 1_000_000
_URI_IN_LINK = str.maketrans({"<": "%3C", ">": "%3E", '"': "%22", " ": "%20"})

Headers = tuple[tuple[str, str], ...]


class Content(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A body and the headers that say what it is."""

    headers: Headers
    body: bytes

    @property
    def hash(self) -> bytes:
        """The SHA-256 of the body, by which a row knows that code has changed what is sent."""
        return hashlib.sha256(self.body).digest()


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One try. `id`: the `webhook-id`. `number`: from 1. `at`: now, in µs since 1970. `traceparent`: of this hop."""

    id: str
    number: int
    at: int
    traceparent: str | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is posted; the headers may hold secrets of the endpoint's, so that they are not shown."""

    url: str
    headers: Headers
    body: bytes

    def __repr__(self) -> str:
        return f"Request(url={self.url!r})"


def content_of(entry: Entry, format: Format) -> Content:
    """Return one event in the format, as the log shows it: with `sequence` and `recordedtime`."""
    envelope = cloudevents.shown(entry)
    marks = deprecation_headers(envelope)
    if format == "cloudevents-binary":
        headers, body = cloudevents.write_binary(envelope)
        named = tuple((name.decode("ascii"), value.decode("ascii")) for name, value in headers)
        return Content(headers=(*named, *marks), body=body)
    if format == "standard":
        return Content(headers=(("content-type", JSON), *marks), body=_standard(envelope, entry.recorded))
    structured = ("content-type", cloudevents.STRUCTURED_TYPE)
    return Content(headers=(structured, *marks), body=cloudevents.write_structured(envelope))


def batch_of(entries: Sequence[Entry]) -> Content:
    """Return several events as one CloudEvents batch."""
    body = cloudevents.write_batch(cloudevents.shown(entry) for entry in entries)
    return Content(headers=(("content-type", cloudevents.BATCH_TYPE),), body=body)


def fitting(entries: Sequence[Entry], most: int) -> int:
    """Return how many of the entries, from the first, go into one batch of so many bytes: one, whatever its size."""
    sizes = (len(cloudevents.write_structured(cloudevents.shown(entry))) + 1 for entry in entries)
    return max(1, sum(1 for size in accumulate(sizes, initial=1) if size <= most) - 1)


def request_of(
    endpoint: Endpoint, content: Content, attempt: Attempt, secrets: Sequence[Secret], *, release: str
) -> Request:
    """Return what is sent in this attempt, signed by each of the secrets, and as receivers that have not moved verify
    it. ValueError if there is none.

    The endpoint's own headers come first and replace nothing. `release`: of tidings, such as 0.1.0.
    """
    url = as_sent(endpoint.url)
    own = [each for each in endpoint.headers.items() if not is_reserved(each[0])] if endpoint.headers else []
    signed = signature_headers(secrets, id=attempt.id, timestamp=attempt.at // SECOND_US, body=content.body)
    if endpoint.legacy is not None:
        signed += legacy_headers(endpoint.legacy, url=url, id=attempt.id, at=attempt.at, body=content.body)
    ours = [
        ("user-agent", f"tidings/{release}"),
        ("idempotency-key", f'"{attempt.id}"'),  # a string of structured fields, RFC 9651
        ("tidings-attempt", str(attempt.number)),
    ]
    if attempt.traceparent is not None:
        ours.append(("traceparent", attempt.traceparent))
    return Request(url=url, headers=(*own, *content.headers, *signed, *ours), body=content.body)


def deprecation_headers(envelope: Envelope) -> Headers:
    """Return `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link`, as far as the event's attributes say them."""
    given = envelope.attributes
    if given.get("deprecated") is not True:
        return ()
    headers = []
    begins, ends = (_seconds(given.get(name)) for name in ("deprecationfrom", "deprecationsunset"))
    if begins is not None:
        headers.append(("deprecation", f"@{begins}"))
    if ends is not None:
        headers.append(("sunset", formatdate(ends, usegmt=True)))
    page = given.get("deprecationmigration")
    if isinstance(page, str) and page.isascii():
        headers.append(("link", f'<{page.translate(_URI_IN_LINK)}>; rel="deprecation"'))
    return tuple(headers)


def _standard(envelope: Envelope, recorded: int) -> bytes:
    """Return the payload that Standard Webhooks recommends; data that is no JSON is text, or `data_base64`."""
    time = envelope.time if envelope.time is not None else time_text(recorded)
    return encode_json({"type": envelope.type, "timestamp": time, **(write_data(envelope) or {"data": None})})


def _seconds(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return time_us(text) // SECOND_US
    except EnvelopeError:
        return None
