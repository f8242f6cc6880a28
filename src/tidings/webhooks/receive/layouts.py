"""How signatures stand in one value: read, and written."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence

from tidings.webhooks.receive.given import Refusal
from tidings.webhooks.receive.keys import from_base64
from tidings.webhooks.receive.places import Labelled, Layout, Pairs, Prefix
from tidings.webhooks.receive.scheme import Encoding

SIGNATURES_MAX = 16
_HEX = re.compile(rb"(?:[0-9a-f]{2})+")


def read_layout(layout: Layout, value: bytes) -> tuple[list[bytes], bytes | None]:
    """Return the texts of the signatures, and of the time if the layout has one. Unknown labels are skipped.

    Refusal if the value is not written so, or has more than `SIGNATURES_MAX` signatures.
    """
    time: bytes | None = None
    match layout:
        case Pairs():
            found, time = _read_pairs(layout, value)
        case Prefix():
            prefix = layout.text.encode()
            if not value.startswith(prefix):
                raise Refusal("malformed-header")
            found = [value[len(prefix) :]]
        case Labelled():
            parts = [each.partition(b",") for each in value.split(b" ") if each]
            found = [text for label, _, text in parts if label == layout.label.encode()]
        case _:
            found = [value]
    if len(found) > SIGNATURES_MAX:
        raise Refusal("malformed-header")
    return found, time


def _read_pairs(layout: Pairs, value: bytes) -> tuple[list[bytes], bytes | None]:
    parts = [each.strip(b" ").partition(b"=") for each in value.split(layout.separator.encode())]
    if not all(equals for _, equals, _ in parts):
        raise Refusal("malformed-header")
    found = [text for name, _, text in parts if name == layout.signature.encode()]
    if layout.time is None:
        return found, None
    times = [text for name, _, text in parts if name == layout.time.encode()]
    if len(times) != 1:
        raise Refusal("malformed-header")
    return found, times[0]


def decoded(encoding: Encoding, text: bytes) -> bytes | None:
    """Return the bytes of a signature; None if they are not written in the one way that the encoding has."""
    if encoding == "hex":
        return bytes.fromhex(text.decode()) if _HEX.fullmatch(text) else None
    return from_base64(text) if encoding == "base64" else text


def encoded(encoding: Encoding, signature: bytes) -> str:
    """Return the text of a signature."""
    return signature.hex() if encoding == "hex" else b64encode(signature).decode()


def write_layout(layout: Layout, signatures: Sequence[str], time: str) -> str:
    """Return the value that holds these signatures; of several only the first where there is room for one."""
    match layout:
        case Pairs():
            first = [f"{layout.time}={time}"] if layout.time else []
            return layout.separator.join([*first, *(f"{layout.signature}={each}" for each in signatures)])
        case Prefix():
            return layout.text + signatures[0]
        case Labelled():
            return " ".join(f"{layout.label},{each}" for each in signatures)
        case _:
            return signatures[0]
