"""What a verified request says: its events, each with an id, a type, and what orders it. Pure.

What cannot be read is a TranslationError: its receipt is kept as failed, and the provider is answered 2xx, because its
retries cannot repair it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidings.errors import MalformedError, TranslationError
from tidings.events.media import JSON
from tidings.events.rules import SUBJECT_MAX, is_text
from tidings.events.strict import decode_json
from tidings.events.timestamp import LAST_US, time_text
from tidings.webhooks.receive.given import Given, Refusal, member, text_of
from tidings.webhooks.receive.instants import instant_us
from tidings.webhooks.receive.places import First, Header, Member, Place, Query, Unit, places_of
from tidings.webhooks.receive.preset import BodyHash, Fields, Preset
from tidings.webhooks.receive.splitting import content_hash, hash_text, json_of, split, untranslatable
from tidings.webhooks.receive.verdict import RequestFacts

ID_MAX = 256
TYPE_MAX = 255
_NOT_IN_TYPES = re.compile(r"[^a-z0-9.]+")
_BETWEEN = re.compile(r"-*\.[-.]*")
_ORDER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One event of a delivery.

    `id`: None where the preset says `dedupe="none"`: the caller makes one. `time`: RFC 3339. `order`: what newer is
    told by: microseconds since 1970 where the place has a unit, else the provider's whole number. `correlation`: what
    deliveries of one cause share. `data`: the item's own bytes; a form as one JSON object. `content_hash`: SHA-256 of
    the data without what is volatile: the same id with another one is a conflict. `guard`: where anybody can give the
    same body another id, what makes it the same event all the same, as `sha256:` and hex; None where nobody can.
    """

    id: str | None
    type: str
    subject: str | None
    time: str | None
    order: int | None
    correlation: str | None
    data: bytes
    content_type: str
    content_hash: bytes
    guard: str | None

    @property
    def payload(self) -> Any:
        """The data, read as JSON: a new value each time."""
        return decode_json(self.data)


def read(
    preset: Preset, headers: Sequence[tuple[bytes, bytes]], body: bytes, request: RequestFacts | None = None
) -> tuple[Item, ...]:
    """Return the events of a verified delivery, in its order; a batch may hold none.

    TranslationError for a body that is no JSON or form, a split that leads to no array, a missing type, an id, type,
    subject or time that no event may have, and a header that says something else than the body.
    """
    given = Given(headers, body, request or RequestFacts())
    text = json_of(preset, given)
    try:
        whole = decode_json(text)
    except MalformedError as error:
        raise TranslationError(str(error), errors=error.errors) from None
    slices = split(preset, text)
    reader = _Reader(preset, given, whole)
    if not preset.split:
        return (reader.item(0, text, whole),)
    return tuple(reader.item(index, each, decode_json(each)) for index, each in enumerate(slices))


class _Reader:
    """Reads the items of one delivery."""

    def __init__(self, preset: Preset, given: Given, whole: Any) -> None:
        self._preset = preset
        self._given = given
        self._whole = whole

    def item(self, index: int, data: bytes, value: Any) -> Item:
        preset = self._preset
        kind = self._type(value)
        self._check_agreement(kind, value)
        return Item(
            id=self._id(data, value, index=index if preset.split else None),
            type=_limited("type", _declarable(f"{preset.name}.{'.'.join(kind)}"), TYPE_MAX),
            subject=self._optional("subject", preset.subject, value, SUBJECT_MAX),
            time=self._time(value),
            order=self._order(value),
            correlation=self._optional("correlation id", preset.correlation, value, ID_MAX),
            data=data,
            content_type=JSON,
            guard=None if preset.id_is_signed else hash_text(data),
            content_hash=content_hash(preset, data, value),  # last: it takes out what is volatile
        )

    def _find(self, place: Place | First, value: Any) -> str | None:
        """Return the text at the first place that has one; None if none has. TranslationError if it is not sure."""
        for each in places_of(place):
            try:
                found = self._text(each, value)
            except Refusal as refusal:
                raise untranslatable(_name(each), f"what is there cannot be read: {refusal.reason}") from None
            if found is not None:
                return found
        return None

    def _text(self, place: Place, value: Any) -> str | None:
        if isinstance(place, Member):
            return text_of(member(self._whole if place.whole else value, place.steps)) or None
        try:
            return self._given.value(place).decode()
        except Refusal as refusal:
            if refusal.reason == "missing-header":
                return None
            raise

    def _optional(self, what: str, place: Place | First | None, value: Any, most: int) -> str | None:
        found = None if place is None else self._find(place, value)
        return None if found is None else _limited(what, found, most)

    def _id(self, data: bytes, value: Any, *, index: int | None) -> str | None:
        dedupe = self._preset.dedupe
        if dedupe == "none":
            return None
        if isinstance(dedupe, BodyHash):
            return hash_text(data)
        if isinstance(dedupe, Fields):
            parts = [text for each in dedupe.places if (text := self._find(each, value)) is not None]
            if len(parts) < len(dedupe.places):
                raise untranslatable("", f"the id needs {', '.join(_name(each) for each in dedupe.places)}")
            return _limited("id", ":".join(parts), ID_MAX)
        found = self._find(dedupe, value)
        if found is None:
            return hash_text(data)
        of_item = all(isinstance(each, Member) and not each.whole for each in places_of(dedupe))
        of_delivery = index is not None and not of_item
        return _limited("id", f"{found}#{index}" if of_delivery else found, ID_MAX)

    def _type(self, value: Any) -> list[str]:
        first, *more = self._preset.type
        found = self._find(first, value)
        if found is None:
            found = self._preset.untyped
        if found is None:
            raise untranslatable(_name(places_of(first)[0]), "the delivery says no type")
        return [found, *(text for place in more if (text := self._find(place, value)) is not None)]

    def _check_agreement(self, kind: Sequence[str], value: Any) -> None:
        """A header is not signed where the body alone is: what it says must fit the body."""
        for one, other in self._preset.agree:
            said = self._find(one, value), self._find(other, value)
            if None not in said and said[0] != said[1]:
                raise untranslatable(_name(other), f"{_name(one)} says {said[0]!r:.64}, the body {said[1]!r:.64}")
        for pointer in self._preset.required.get(kind[0], ()):
            *path, last = Member(pointer).steps
            within = member(value, path)
            if not isinstance(within, dict) or last not in within:
                raise untranslatable(
                    pointer, f"a delivery of the type {kind[0]!r:.64} has this member, this one has not"
                )

    def _time(self, value: Any) -> str | None:
        found = self._instant(self._preset.time, value)
        if found is None:
            return None
        text, unit, us = found
        return text if unit == "rfc3339" else time_text(us)

    def _order(self, value: Any) -> int | None:
        place = self._preset.order
        if isinstance(place, Header | Query | Member) and place.unit is None:
            found = self._find(place, value)
            if found is not None and not _ORDER.fullmatch(found):
                raise untranslatable(_name(place), f"{found[:64]!r} is no whole number that orders")
            return None if found is None else int(found)
        instant = self._instant(place, value)
        return None if instant is None else instant[2]

    def _instant(self, place: Place | First | None, value: Any) -> tuple[str, Unit, int] | None:
        """Return the text, unit and microseconds of the first place that has a time in its unit; None if none has one.

        TranslationError if there is something, but no time.
        """
        wrong: tuple[Place, str] | None = None
        for each in () if place is None else places_of(place):
            found, unit = self._find(each, value), each.unit
            us = None if found is None or unit is None else instant_us(found, unit)
            if found is not None and unit is not None and us is not None and us <= LAST_US:
                return found, unit, us
            wrong = wrong or (None if found is None else (each, found))
        if wrong is not None:
            raise untranslatable(_name(wrong[0]), f"{wrong[1][:64]!r} is no time in the form {wrong[0].unit!r}")
        return None


def _declarable(text: str) -> str:
    """Return a type as events are declared: lower case, and `-` for what no declared type may hold."""
    joined = _BETWEEN.sub(".", _NOT_IN_TYPES.sub("-", text.lower()))
    return joined.strip("-.")


def _limited(what: str, text: str, most: int) -> str:
    if not 0 < len(text) <= most or not is_text(text):
        raise untranslatable(
            "", f"the {what} {text[:64]!r} has more than {most} characters, or some that none may have"
        )
    return text


def _name(place: Place) -> str:
    if isinstance(place, Header):
        return f"the header {place.name}"
    return f"the parameter {place.name}" if isinstance(place, Query) else place.pointer or "the body"
