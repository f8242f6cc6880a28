"""The rules an envelope keeps: which attributes there are, how long they may be, what they may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from tidings.errors import EnvelopeError, EnvelopeTooLargeError
from tidings.events.codec import pointer
from tidings.events.envelope import AttributeValue, Envelope
from tidings.events.media import JSON, MEDIA_TYPE_MAX, charset_of, is_json, is_media_type
from tidings.events.timestamp import time_text, time_us
from tidings.events.uri import is_absolute_uri, is_uri_reference

DATA_BYTES_MAX = 256 * 1024
TIME_AHEAD_MAX = 86_400.0  # seconds
ATTRIBUTES_BYTES_MAX = 16 * 1024
EXTENSIONS_MAX = 32
SUBJECT_MAX = 1024
TIME_ALONE_MAX = 64
"""Characters of a time that need not be counted with all attributes: a fraction may have any number of digits."""
INDEXED_BYTES_MAX = 2_000
"""Bytes of UTF-8 of what anything is found by. PostgreSQL indexes no more than 2,704 with all that stands beside it."""
TOO_LONG = f"more than {INDEXED_BYTES_MAX:,} bytes of UTF-8, by which not every store can find it"

_INT32 = 2**31
_NAME = re.compile(r"[a-z0-9]+")
_NOT_IN_STRINGS = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17))
    + "]"
)
_NOT_KEPT = re.compile("[\x00\ud800-\udfff]")
_OWN_FIELDS = frozenset({"id", "source", "type", "dataversion", "subject", "time", "specversion", "data"})
_TEXTS = {"correlationid": 256, "causationid": 256, "partitionkey": 1024, "sequence": 256}
_TEXTS |= {"traceparent": 1024, "tracestate": 8192}
_TIMES = frozenset({"recordedtime", "expirytime", "deprecationfrom", "deprecationsunset"})
_URIS = frozenset({"dataschema", "deprecationmigration"})
_KNOWN = frozenset({*_TEXTS, *_TIMES, *_URIS, "datacontenttype", "dataref", "deprecated"})


def checked(envelope: Envelope, *, data_bytes_max: int = DATA_BYTES_MAX) -> Envelope:
    """Return the envelope itself if it keeps every rule; nothing is repaired.

    EnvelopeError, with a pointer to the attribute by its name on the wire, for one that is missing, too long or holds
    what it may not; EnvelopeTooLargeError for more than `data_bytes_max` of data or 16 KiB of attributes.
    """
    _check_text("id", envelope.id, 256)
    if envelope.source.__class__ is not str or envelope.type.__class__ is not str:  # such may have no hash
        _check_text("source", envelope.source, 1024)
        _check_text("type", envelope.type, 255)
    _check_source(envelope.source)
    _check_type(envelope.type)
    version = envelope.version
    if version.__class__ is not int or not 1 <= version < _INT32:
        raise wrong("dataversion", f"expected a whole number from 1 to {_INT32 - 1}")
    if envelope.subject is not None:
        _check_text("subject", envelope.subject, SUBJECT_MAX)
        if not is_indexed(envelope.subject):
            raise wrong("subject", TOO_LONG)
    if envelope.time is not None:
        _check_time("time", envelope.time)
    more = _check_attributes(envelope.attributes) if envelope.attributes else 0
    if more or len(envelope.time or "") > TIME_ALONE_MAX:  # else each one's limit keeps the sum below its own
        _check_total(envelope)
    check_size(envelope.data, data_bytes_max)
    return envelope


def check_size(data: bytes | None, most: int) -> None:
    """Refuse, as EnvelopeTooLargeError, more bytes of data than these."""
    if data is not None and len(data) > most:
        why = f"{len(data):,} bytes of data are more than the limit of {most:,}"
        raise EnvelopeTooLargeError(why, errors=[("/data", why)])


def wrong(name: str, why: str) -> EnvelopeError:
    """Return the error for an attribute, by its name on the wire."""
    return EnvelopeError(f"{name[:64]}: {why}", errors=[(pointer(name[:64]), why)])


def is_text(text: str) -> bool:
    """Say whether this is a String of CloudEvents: no control characters, noncharacters or lone surrogates."""
    return (text.isascii() and text.isprintable()) or _NOT_IN_STRINGS.search(text) is None


def is_kept(text: str) -> bool:
    """Say whether every log and store keeps this text: it has no U+0000 and no half of a surrogate pair."""
    return _NOT_KEPT.search(text) is None


def is_indexed(text: str) -> bool:
    """Say whether every store can find something by this text, which has no half of a surrogate pair."""
    return len(text) <= INDEXED_BYTES_MAX // 4 or len(text.encode()) <= INDEXED_BYTES_MAX


def _check_text(name: str, text: str, most: int) -> None:
    if text.__class__ is not str:
        raise wrong(name, f"expected a string, got {_kind(text)}")
    if not 0 < len(text) <= most:
        raise wrong(name, f"expected 1 to {most:,} characters, got {len(text):,}")
    if not (text.isascii() and text.isprintable()) and not is_text(text):
        raise wrong(name, "it holds a control character, a noncharacter or half of a surrogate pair")


@lru_cache(maxsize=4096)
def _check_source(source: str) -> None:
    _check_text("source", source, 1024)
    if not is_uri_reference(source):
        raise wrong("source", f"{source[:64]!r} is no URI-reference (RFC 3986): percent-encode what it may not hold")


@lru_cache(maxsize=4096)
def _check_type(type: str) -> None:
    _check_text("type", type, 255)


def _check_attributes(attributes: Mapping[str, AttributeValue]) -> int:
    """Check each attribute; return how many there are beside the content type."""
    extensions = 0
    for name, value in attributes.items():
        if name == "datacontenttype":
            _check_content_type(value)
        elif name in _KNOWN:
            _check_known(name, value)
        else:
            extensions += 1
            _check_extension(name, value)
    if extensions > EXTENSIONS_MAX:
        raise EnvelopeError(f"{extensions} extension attributes are more than the limit of {EXTENSIONS_MAX}")
    return len(attributes) - ("datacontenttype" in attributes)


def _check_content_type(value: AttributeValue) -> None:
    if value == JSON:
        return
    if not isinstance(value, str) or len(value) > MEDIA_TYPE_MAX or not is_media_type(value):
        why = f"expected a media type of at most {MEDIA_TYPE_MAX} characters, such as {JSON}"
        raise wrong("datacontenttype", why)
    if is_json(value) and charset_of(value) != "utf-8":
        raise wrong("datacontenttype", f"JSON is always UTF-8, not {charset_of(value)}: send {JSON}")


def _check_known(name: str, value: AttributeValue) -> None:
    if name == "deprecated":
        if not isinstance(value, bool):
            raise wrong(name, f"expected true or false, got {_kind(value)}")
        return
    if not isinstance(value, str):
        raise wrong(name, f"expected a string, got {_kind(value)}")
    _check_text(name, value, _TEXTS.get(name, 1024))
    if name in _TIMES:
        _check_time(name, value)
    elif name in _URIS and not is_absolute_uri(value):
        raise wrong(name, "expected an absolute URI (RFC 3986)")
    elif name == "dataref" and not is_uri_reference(value):
        raise wrong(name, "expected a URI-reference (RFC 3986)")


def check_ahead(time: str, *, now_us: int, seconds: float) -> None:
    """Refuse, as EnvelopeError, a time of occurrence that lies further ahead of now than this.

    Views rank by it, so an event of a far future would win over everything that comes.
    """
    if time_us(time) > now_us + seconds * 1_000_000:
        raise wrong(
            "time",
            f"{time[:64]} lies more than {seconds:,.15g} seconds ahead of this clock, which says {time_text(now_us)}: "
            "send when it occurred, for what is to come belongs in the data; the setting time_ahead_max is the limit",
        )


def _check_time(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise wrong(name, f"expected a string, got {_kind(text)}")
    try:
        time_us(text)
    except EnvelopeError as error:
        raise wrong(name, error.errors[0][1]) from None


def _check_extension(name: str, value: AttributeValue) -> None:
    if name in _OWN_FIELDS or not _NAME.fullmatch(name):
        raise wrong(name, "no attribute may have this name: lower case letters and digits only, and never `data`")
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if not -_INT32 <= value < _INT32:
            raise wrong(name, f"a number must be whole and from {-_INT32} to {_INT32 - 1}")
        return
    if not isinstance(value, str):
        raise wrong(name, f"expected a string, a whole number, true or false, got {_kind(value)}")
    if not is_text(value):
        raise wrong(name, "it holds a control character, a noncharacter or half of a surrogate pair")


def _check_total(envelope: Envelope) -> None:
    texts = [envelope.id, envelope.source, envelope.type, envelope.subject or "", envelope.time or ""]
    for name, value in envelope.attributes.items():
        texts += (name, value if isinstance(value, str) else str(value))
    total = sum(len(text) if text.isascii() else len(text.encode()) for text in texts)
    if total > ATTRIBUTES_BYTES_MAX:
        raise EnvelopeTooLargeError(
            f"{total:,} bytes of attributes are more than the limit of {ATTRIBUTES_BYTES_MAX:,}: put them into the data"
        )


def _kind(value: object) -> str:
    return {float: "a float", int: "a number", bool: "a Boolean", type(None): "null"}.get(
        type(value), f"a {type(value).__name__}"
    )
