"""What is signed: the bytes that a scheme's parts make. Whoever verifies and whoever signs ask here."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from hashlib import sha256
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from tidings.webhooks.receive.given import Given, Refusal, form_fields, member, text_of
from tidings.webhooks.receive.scheme import (
    Body,
    BodyCrc32,
    BodySha256,
    Id,
    Members,
    Method,
    Part,
    Scheme,
    Setting,
    SortedForm,
    Text,
    Timestamp,
    Url,
)

# What HubSpot decodes in the URL before it signs it; every other escape stays.
_DECODED = {f"%{ord(character):02X}": character for character in ":/?@!$'()*,;"}
_ESCAPE = re.compile("|".join(_DECODED), re.IGNORECASE)


class Facts(msgspec.Struct, frozen=True):
    """What the parts are taken from: the request, and the texts of its id and time as they stand there."""

    given: Given
    id: bytes = b""
    timestamp: bytes = b""
    item: Any = None


Content: TypeAlias = Callable[[Facts], bytes]


def content_of(scheme: Scheme) -> Content:
    """Return what makes the signed bytes; Refusal if the request lacks a part of them, or would make them ambiguous."""
    made = [_bytes_of(part) for part in scheme.signed]
    between = [part.text.encode() for part in scheme.signed if isinstance(part, Text) and part.text]

    def content(facts: Facts) -> bytes:
        if facts.id and any(text in facts.id for text in between):
            raise Refusal("malformed-header")  # else the same bytes could be another id with another time
        return b"".join([make(facts) for make in made])

    return content


def _bytes_of(part: Part) -> Content:
    match part:
        case Text():
            text = part.text.encode()
            return lambda _: text
        case Id():
            return attrgetter("id")
        case Timestamp():
            return attrgetter("timestamp")
        case Body():
            return attrgetter("given.body")
        case BodyCrc32():
            return lambda facts: str(zlib.crc32(facts.given.body)).encode()
        case BodySha256():
            return lambda facts: sha256(facts.given.body).hexdigest().encode()
        case _:
            return lambda facts: _text_of(part, facts).encode()


def _text_of(part: Url | Method | Setting | Members | SortedForm, facts: Facts) -> str:
    request = facts.given.request
    match part:
        case Url():
            return _url(facts.given, part)
        case Method():
            return request.method.upper()
        case Setting():
            if part.name not in request.settings:
                raise Refusal("unsupported-scheme")
            return request.settings[part.name]
        case Members():
            return part.joined_by.join(_member_text(facts, pointer) for pointer in part.pointers)
        case SortedForm():
            return _sorted_form(facts.given)


def _url(given: Given, part: Url) -> str:
    url = given.request.public_url
    if url is None:
        raise Refusal("unsupported-scheme")
    if part.with_port:
        url = _with_port(url)
    query = given.request.query.decode("latin-1")
    url += f"?{query}" if query else ""
    return _ESCAPE.sub(lambda found: _DECODED[found[0].upper()], url) if part.decoded else url


def _with_port(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return url if ":" in host else f"{scheme}://{host}:{443 if scheme == 'https' else 80}{slash}{path}"


def _member_text(facts: Facts, pointer: str) -> str:
    steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    value = member(facts.given.document if facts.item is None else facts.item, steps)
    text = "" if value is None else text_of(value)
    if text is None:
        raise Refusal("body-field-missing")
    return text


def _sorted_form(given: Given) -> str:
    if not given.is_form:
        raise Refusal("body-field-missing")  # of another body nothing would be signed
    text = form_text(given)
    if not text:
        raise Refusal("body-field-missing")  # nor of this one, so that any signature of the URL would do
    return text


def form_text(given: Given) -> str:
    """Return what is signed of a form. A field that is there several times gives each of its values once, sorted, as
    Twilio's own libraries do."""
    return "".join(name + value for name, value in sorted(set(form_fields(given.body))))
