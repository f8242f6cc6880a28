"""What is kept of the answer of a receiver, who may be anybody: the beginning, as text that any store can hold."""

from __future__ import annotations

import codecs
import re
from base64 import b64encode
from collections.abc import Sequence

from tidings.webhooks.deliver.answer import NOTHING, Excerpt

KEPT_BYTES = 16_384
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNWANTED = re.compile(r"[\x00-\x1f\x7f]")
_NOT_KEPT = frozenset({"set-cookie", "set-cookie2"})


def excerpt_of(body: bytes, *, is_all: bool) -> Excerpt:
    """Return the beginning of a body: UTF-8 without control characters as text, anything else as base64.

    The text has at most `KEPT_BYTES` bytes either way. `is_all`: nothing came after these bytes.
    """
    if not body and is_all:
        return NOTHING
    kept = body[:KEPT_BYTES]
    try:
        # A character that the cut goes through is left out.
        text = codecs.getincrementaldecoder("utf-8")().decode(kept, final=is_all and len(kept) == len(body))
    except UnicodeDecodeError:
        text = None
    if text is not None and not _NO_TEXT.search(text):
        is_cut = not is_all or len(kept) < len(body)
        return Excerpt(text=text, truncated=is_cut, size=len(body))
    kept = body[: KEPT_BYTES // 4 * 3]
    is_cut = not is_all or len(kept) < len(body)
    return Excerpt(text=b64encode(kept).decode("ascii"), encoding="base64", truncated=is_cut, size=len(body))


def headers_of(head: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    """Return headers with names in lower case and values as text, bytes that are no text escaped; cookies left out.

    `head`: its lines, of which the first is the status.
    """
    found = []
    for line in head[1:]:
        name, _, value = line.partition(b":")
        lowered = _text(name).lower()
        if lowered not in _NOT_KEPT:
            found.append((lowered, _text(value.strip())))
    return tuple(found)


def _text(value: bytes) -> str:
    text = value.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return _UNWANTED.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
