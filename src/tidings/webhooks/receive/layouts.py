"""How signatures stand in one value: read, and written."""

from __future__ import annotations

from base64 import b64encode
from binascii import unhexlify
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from tidings.webhooks.receive.given import Refusal
from tidings.webhooks.receive.keys import from_base64
from tidings.webhooks.receive.places import Labelled, Layout, Pairs, Prefix
from tidings.webhooks.receive.scheme import Encoding

SIGNATURES_MAX = 16
Read: TypeAlias = tuple[list[bytes], bytes | None]
Reader: TypeAlias = Callable[[bytes], Read]


def reader_of(layout: Layout) -> Reader:
    """Return what reads a value: the texts of the signatures, and of the time if the layout has one.

    Unknown labels are skipped. Refusal if the value is not written so, or has more than `SIGNATURES_MAX` signatures.
    """
    match layout:
        case Pairs():
            return _reader_of_pairs(layout)
        case Prefix():
            return partial(_read_prefixed, layout.text.encode())
        case Labelled():
            return partial(_read_labelled, layout.label.encode())
        case _:
            return _read_plain


def _read_plain(value: bytes) -> Read:
    return [value], None


def _read_prefixed(prefix: bytes, value: bytes) -> Read:
    if not value.startswith(prefix):
        raise Refusal("malformed-header")
    return [value[len(prefix) :]], None


def _read_labelled(label: bytes, value: bytes) -> Read:
    parts = [each.partition(b",") for each in value.split(b" ") if each]
    return _limited([text for found, _, text in parts if found == label]), None


def _reader_of_pairs(layout: Pairs) -> Reader:
    separator, signature = layout.separator.encode(), layout.signature.encode()
    time = None if layout.time is None else layout.time.encode()

    def read(value: bytes) -> Read:
        found: list[bytes] = []
        times: list[bytes] = []
        parts = value.split(separator)
        if value.find(b" ") >= 0:  # `in` makes an exception first, and drops it
            parts = [each.strip(b" ") for each in parts]
        for each in parts:
            name, equals, text = each.partition(b"=")
            if not equals:
                raise Refusal("malformed-header")
            if name == signature:
                found.append(text)
            elif name == time:
                times.append(text)
        if time is None:
            return _limited(found), None
        if len(times) != 1:
            raise Refusal("malformed-header")
        return _limited(found), times[0]

    return read


def _limited(found: list[bytes]) -> list[bytes]:
    if len(found) > SIGNATURES_MAX:
        raise Refusal("malformed-header")
    return found


def decoder_of(encoding: Encoding) -> Callable[[bytes], bytes | None]:
    """Return what returns the bytes of a signature; None if they are not written in the one way that there is."""
    if encoding == "hex":
        return _from_hex
    return from_base64 if encoding == "base64" else _as_it_is


def _as_it_is(text: bytes) -> bytes:
    return text


def _from_hex(text: bytes) -> bytes | None:
    try:
        found = unhexlify(text)
    except ValueError:
        return None
    return found if found and text == text.lower() else None


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
