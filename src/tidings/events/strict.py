"""JSON from outside, judged before it is believed: what two readers could understand differently is refused."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from tidings.errors import MalformedError

DEPTH_MAX = 64
NODES_MAX = 50_000
DIGITS_MAX = 1_000
ATTRIBUTES_MAX = 100  # more than an event may have

_decode = msgspec.json.Decoder().decode
_exact = msgspec.json.Decoder(float_hook=Decimal).decode
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_STRING = re.compile(_TEXT, re.DOTALL)
_COLON_AFTER_QUOTE = re.compile(rb'"[ \t\n\r]*+:')
_DIGITS_AS_ZEROS = bytes(ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256))
_TOO_MANY_ZEROS = b"0" * (DIGITS_MAX + 1)

# msgspec says of a half of a surrogate pair near the end of a text that the text is cut off.
_HALF = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?!u[dD][89abAB]).)*+"
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}[^\\]",
    re.DOTALL,
)

# Both match once, from the start, and step over each string whole: linear in the text, whatever it holds.
_VALUES = rb'(?:(?:[^",\[{]++|%b)*+[,\[{]){%d}'
_TOO_MANY_VALUES = re.compile(_VALUES % (_TEXT, NODES_MAX), re.DOTALL)
_TOO_MANY_VALUES_AND_ATTRIBUTES = re.compile(_VALUES % (_TEXT, NODES_MAX + ATTRIBUTES_MAX), re.DOTALL)
_LONG_NUMBER = re.compile(rb'(?:[^"0-9]++|%b|[0-9]{1,%d}+(?![0-9]))*+[0-9]' % (_TEXT, DIGITS_MAX), re.DOTALL)


def decode_json(data: bytes, *, is_event: bool = False, is_exact: bool = False) -> Any:
    """Return the value of a JSON text (RFC 8259) that every reader understands alike.

    MalformedError for anything else: invalid UTF-8, a byte order mark, NaN, a member name twice in one object, a lone
    surrogate, more than `DEPTH_MAX` levels, `NODES_MAX` values or `DIGITS_MAX` digits in a number, a number that no
    float holds. Values and digits are counted before any is built, so that refusing a long text costs little.
    `is_event`: the text is a whole event, and what is allowed is allowed to its data, so that data which is read alone
    is read within an event too. `is_exact`: numbers that are not whole are decimals, whatever a float holds.
    """
    if len(data) > DIGITS_MAX:
        _check_size(data, _TOO_MANY_VALUES_AND_ATTRIBUTES if is_event else _TOO_MANY_VALUES)
    try:
        value = _exact(data) if is_exact else _decode(data)
    except InvalidOperation:
        raise _malformed("a number is out of range") from None
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        raise unreadable(data, error) from None
    if value.__class__ is dict or value.__class__ is list:
        kept = _count_members(value, DEPTH_MAX + is_event)
        if kept != data.count(b":") and kept < _count_written(data, at_least=kept):
            raise _malformed("a member name stands twice in one object")
    return value


_checked = b""


def read_json(data: bytes) -> Any:
    """Return the value as `decode_json` does, of a text that `check_json` is asked about next."""
    global _checked
    value = decode_json(data)
    _checked = data
    return value


def check_json(data: bytes) -> None:
    """Judge a JSON text as `decode_json` does. The same bytes twice in a row, as of an event that is read and then
    admitted, are judged once."""
    if data is not _checked:
        read_json(data)


def _check_size(data: bytes, too_many_values: re.Pattern[bytes]) -> None:
    """Refuse too many values or digits. The cheap counts also see what strings hold, so they only ever clear a text."""
    opening = data.count(b"{") + data.count(b"[")
    if opening + data.count(b",") >= NODES_MAX and too_many_values.match(data):
        raise _malformed(f"it has more than {NODES_MAX:,} values")
    if data.translate(_DIGITS_AS_ZEROS).find(_TOO_MANY_ZEROS) >= 0 and _LONG_NUMBER.match(data):
        raise _malformed(f"a number has more than {DIGITS_MAX:,} digits")


def _count_members(value: Any, depth_max: int) -> int:
    """Return how many members all objects of the value have; MalformedError if it is nested too deep."""
    members, depth = 0, 0
    level = [value]
    while level:
        depth += 1
        if depth > depth_max:
            raise _too_deep()
        inside: list[Any] = []
        for container in level:
            if container.__class__ is dict:
                members += len(container)
                inside += container.values()
            else:
                inside += container
        level = [item for item in inside if item.__class__ is dict or item.__class__ is list]
    return members


def _count_written(data: bytes, *, at_least: int) -> int:
    """Return how many members the text has: its colons outside of strings.

    Each of them follows a closing quote. Counting those is cheaper than leaving the strings out, and settles it unless
    a string holds a quote and a colon, as JSON within JSON does.
    """
    most = len(_COLON_AFTER_QUOTE.findall(data))
    return most if most == at_least else _STRING.sub(b"", data).count(b":")


def unreadable(data: bytes, error: Exception) -> MalformedError:
    """Return our error for what msgspec said about this text."""
    if data.startswith(b"\xef\xbb\xbf"):
        return _malformed("it starts with a byte order mark")
    if isinstance(error, UnicodeDecodeError):
        return _malformed("it is not valid UTF-8")
    if isinstance(error, RecursionError):
        return _too_deep()
    if "surrogate" in str(error) or ("truncated" in str(error) and _HALF.match(data)):
        return _malformed("an escape is half of a surrogate pair, which is no character")
    said = str(error).removeprefix("JSON is malformed: ").partition(" - at ")[0]
    return _malformed("it ends too early" if said == "Input data was truncated" else said[:1].lower() + said[1:])


def _too_deep() -> MalformedError:
    return _malformed(f"it is nested deeper than {DEPTH_MAX} levels")


def _malformed(why: str) -> MalformedError:
    return MalformedError(f"the JSON cannot be read: {why}", errors=[("", why)])
