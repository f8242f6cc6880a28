"""The text of an attribute in an HTTP header: rules B3 and B4, after CloudEvents' HTTP binding 3.1.3.2."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from tidings.errors import MalformedError

_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def header_value(text: str) -> bytes:
    """Return the text as a header value, with space, `"`, `%` and all but U+0021-007E as percent-coded UTF-8."""
    return quote(text, safe=_PLAIN).encode("ascii")


def header_text(value: bytes) -> str:
    """Return the text of a header value: a quoted string is unquoted, then percent-coding is undone exactly once.

    Needless escapes, lower-case hex, raw spaces and raw quotes are read as they are meant. MalformedError for a `%`
    without two hex digits, and for bytes that are not UTF-8.
    """
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        value = _ESCAPED.sub(rb"\1", quoted[1])
    if b"%" in value:
        if _BROKEN.search(value):
            raise MalformedError("a `%` in a header value is not followed by two hex digits: write `%25` for the sign")
        value = unquote_to_bytes(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise MalformedError("a header value is not UTF-8: percent-encode the UTF-8 bytes of its text") from None
