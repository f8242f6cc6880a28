"""The one door to JSON: values and events to bytes and back, and an envelope's stored attributes."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from tidings.errors import DeclarationError, InvalidDataError
from tidings.events.declaration import is_pydantic
from tidings.events.envelope import NO_ATTRIBUTES, AttributeValue, Envelope

T = TypeVar("T")

Stored = tuple[str, str, str, int, str | None, bytes, bytes | None]
"""An envelope as a row keeps it: source, id, type, version, subject, attributes (`attributes_to_bytes`), data."""

_WHY_MAX = 500  # what is wrong may quote what was sent
_TIME = "time"
_TIME_STAMPED = "time-stamped"  # with a hyphen no attribute can have this name
_AT = re.compile(r"^(.*) - at (`key` in )?`\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[([0-9]+|\.\.\.)\]")
_MISSING = re.compile(r"^Object missing required field `(.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)
_QUOTED = re.compile("`([^`]*)`")
_JSON_TYPES = MappingProxyType({"str": "string", "int": "integer", "float": "number", "bool": "boolean"})
_NAME_MAX = 80


def _foreign(value: Any) -> Any:
    if is_pydantic(type(value)):
        return msgspec.Raw(value.model_dump_json(by_alias=True, warnings=False).encode())
    raise TypeError(f"a value of type {type(value).__qualname__} has no form in JSON")


def _foreign_parts(value: Any) -> Any:
    return value.model_dump(warnings=False) if is_pydantic(type(value)) else None


_encode = msgspec.json.Encoder(enc_hook=_foreign).encode
to_bytes = _encode
"""As `encode_json`, for whoever catches whatever it raises itself: a call less for each event."""
_encode_attributes = msgspec.json.Encoder().encode
_decode_attributes = msgspec.json.Decoder(dict[str, str | int | bool]).decode


def encode_json(value: Any) -> bytes:
    """Return the compact JSON (UTF-8) of a value: of builtins, times, UUIDs, Decimals, or a class of any accepted kind.

    InvalidDataError if some part of it has no form in JSON.
    """
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidDataError(f"this {type(value).__qualname__} cannot be written as JSON: {error}") from error


def has_non_finite(value: Any) -> bool:
    """Say whether a value that `encode_json` takes holds a NaN or an infinite number, which is written as null."""
    left = [msgspec.to_builtins(value, enc_hook=_foreign_parts)]
    while left:
        part = left.pop()
        if isinstance(part, float) and not isfinite(part):
            return True
        if isinstance(part, dict):
            left += part.values()
        elif isinstance(part, list | tuple):
            left += part
    return False


class Decoder(Generic[T]):
    """Reads JSON as one class: members it does not know are ignored, ones that are left out take their default."""

    def __init__(self, cls: type[T]) -> None:
        self._name = getattr(cls, "__qualname__", str(cls))
        try:
            self._decode = _pydantic_decode(cls) if is_pydantic(cls) else msgspec.json.Decoder(cls).decode
            self.bare: Callable[[bytes], T] = self._decode  # for whoever catches whatever it raises itself
        except (TypeError, NameError) as error:
            raise DeclarationError(f"{self._name} cannot be read from JSON: {error}") from error

    def decode(self, data: bytes) -> T:
        """Return the data as an instance; InvalidDataError, with the JSON pointer of the member, if it does not fit."""
        try:
            return self._decode(data)
        except UnicodeDecodeError:
            raise self._refused([("", "it is not valid UTF-8")]) from None
        except msgspec.MsgspecError as error:
            raise self._refused([misfit(str(error))]) from None
        except Exception as error:  # whatever the class's own validation raises
            raise self._refused(_found_by(error)) from error

    def _refused(self, found: list[tuple[str, str]]) -> InvalidDataError:
        errors = [(at, why if len(why) <= _WHY_MAX else why[:_WHY_MAX] + "…") for at, why in found]
        told = "; ".join(f"{at}: {why}" if at else why for at, why in errors[:5])
        return InvalidDataError(f"the data does not fit {self._name}: {told}", errors=errors)


def _pydantic_decode(cls: Any) -> Callable[[bytes], Any]:
    cls.model_rebuild()  # NameError if it names a class that is nowhere
    decode: Callable[[bytes], Any] = cls.model_validate_json
    return decode


def _found_by(error: Exception) -> list[tuple[str, str]]:
    """Return what pydantic says about each member, or just the error of a class's own code."""
    told = getattr(error, "errors", None)
    if callable(told):
        return [(pointer(*each["loc"]), each["msg"][:1].lower() + each["msg"][1:]) for each in told()]
    return [("", f"{type(error).__name__}: {error}")]


def pointer(*steps: str | int) -> str:
    """Return the JSON pointer (RFC 6901) that takes these steps."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def attributes_to_bytes(envelope: Envelope) -> bytes:
    """Return what a row keeps beside its columns, as one compact JSON object: the attributes, and the text of the time.

    The time stands under `time`, or under `time-stamped` if tidings gave it.
    """
    kept: dict[str, AttributeValue] = {**envelope.attributes} if envelope.attributes else {}
    if envelope.time is not None:
        kept[_TIME_STAMPED if envelope.time_stamped else _TIME] = envelope.time
    return _encode_attributes(kept)


def stored_of(envelope: Envelope) -> Stored:
    """Return the envelope as the columns of a row."""
    return (
        envelope.source,
        envelope.id,
        envelope.type,
        envelope.version,
        envelope.subject,
        attributes_to_bytes(envelope),
        envelope.data,
    )


def envelope_of(stored: Stored) -> Envelope:
    """Return the envelope that was kept as these columns."""
    source, id, type, version, subject, attributes, data = stored
    kept = _decode_attributes(attributes)
    stamped = kept.pop(_TIME_STAMPED, None)
    time = kept.pop(_TIME, stamped)
    return Envelope(
        id=id,
        source=source,
        type=type,
        version=version,
        subject=subject,
        time=time,  # type: ignore[arg-type]  # written by attributes_to_bytes, so a str
        time_stamped=stamped is not None,
        attributes=kept or NO_ATTRIBUTES,
        data=data,
    )


def misfit(message: str) -> tuple[str, str]:
    """Turn msgspec's message into the pointer of the member and what is wrong with it, in the words of JSON Schema.

    Which value of a mapping is at fault msgspec does not say: then the pointer stops at the mapping.
    """
    found = _AT.match(message)
    text, of_key, path = (found[1], found[2], found[3]) if found else (message, None, "")
    missing, unknown = _MISSING.match(text), _UNKNOWN.match(text)
    why = "it is missing" if missing else "it is not known here" if unknown else _in_words(text)
    steps: list[str | int] = []
    for name, index in _STEP.findall(path):
        if index == "...":
            return pointer(*steps), f"in one of its values: {why}"
        steps.append(name or index)
    named = missing or unknown
    if named:
        return pointer(*steps, named[1][:_NAME_MAX]), why
    return pointer(*steps), f"one of its names: {why}" if of_key else why


def _in_words(text: str) -> str:
    told = _QUOTED.sub(lambda found: " or ".join(_JSON_TYPES.get(each, each) for each in found[1].split(" | ")), text)
    return told[:1].lower() + told[1:]
