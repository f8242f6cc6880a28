"""A delivery's body as the texts of its events, and what tells two of them apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from tidings.errors import TranslationError
from tidings.events.codec import encode_json
from tidings.webhooks.receive.given import Given, Refusal, form_fields, member
from tidings.webhooks.receive.places import Member
from tidings.webhooks.receive.preset import Preset

_compact = msgspec.json.format


def json_of(preset: Preset, given: Given) -> bytes:
    """Return the JSON of the body: of a form, its member that holds it, or the form itself as one object."""
    if not given.is_form:
        return given.body
    try:
        fields = form_fields(given.body)
    except Refusal:
        raise untranslatable("", "the form cannot be read: it is no percent-encoded UTF-8") from None
    if preset.form_member is not None:
        found = [value for name, value in fields if name == preset.form_member]
        if len(found) != 1:
            raise untranslatable(f"/{preset.form_member}", f"the form has no one field {preset.form_member}")
        return found[0].encode()
    several: dict[str, list[str]] = {}
    for name, value in fields:
        several.setdefault(name, []).append(value)
    return encode_json({name: values[0] if len(values) == 1 else values for name, values in several.items()})


def split(preset: Preset, text: bytes) -> list[bytes]:
    """Return the items' own bytes."""
    found = [text]
    for pointer in preset.split:
        steps = Member(pointer).steps
        try:
            arrays = [_slice(each, steps) for each in found]
            found = [bytes(item) for each in arrays for item in msgspec.json.decode(each, type=list[msgspec.Raw])]
        except (msgspec.MsgspecError, KeyError):
            raise untranslatable(pointer, "it is no array of events") from None
    return found


def _slice(text: bytes, steps: Sequence[str]) -> bytes:
    for step in steps:
        text = bytes(msgspec.json.decode(text, type=dict[str, msgspec.Raw])[step])
    return text


def hasher_of(volatile: Sequence[str]) -> Callable[[bytes, Any], bytes]:
    """Return what hashes the JSON without insignificant whitespace; where members are volatile, without these."""
    if not volatile:
        return lambda data, _: sha256(_compact(data, indent=-1)).digest()
    places = [(steps[:-1], steps[-1]) for steps in (Member(pointer).steps for pointer in volatile)]

    def content_hash(_: bytes, value: Any) -> bytes:
        for path, last in places:
            within = member(value, path) if path else value
            if isinstance(within, dict):
                within.pop(last, None)
        return sha256(encode_json(value)).digest()

    return content_hash


def hash_text(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def untranslatable(at: str, why: str) -> TranslationError:
    return TranslationError(f"{at}: {why}" if at else why, errors=[(at if at.startswith("/") else "", why)])
