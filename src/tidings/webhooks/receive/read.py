"""What a verified request says: its events, each with an id, a type, and what orders it. Pure.

What cannot be read is a TranslationError: its receipt is kept as failed, and the provider is answered 2xx, because its
retries cannot repair it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec

from tidings.errors import MalformedError, TidingsError, TranslationError
from tidings.events.media import JSON
from tidings.events.rules import SUBJECT_MAX, TOO_LONG, is_indexed, is_text
from tidings.events.strict import decode_json, read_json
from tidings.events.timestamp import time_text
from tidings.webhooks.receive.content import Content, Facts, content_of, form_text
from tidings.webhooks.receive.finding import Delivery, Find, Instant, finder_of, instants_of, name_of
from tidings.webhooks.receive.given import Given, Refusal, member
from tidings.webhooks.receive.places import First, Header, Member, Place, Query, places_of
from tidings.webhooks.receive.preset import BodyHash, Dedupe, Fields, Preset
from tidings.webhooks.receive.scheme import SIGNING, Scheme, SortedForm
from tidings.webhooks.receive.splitting import hash_text, hasher_of, json_of, split, untranslatable
from tidings.webhooks.receive.verdict import RequestFacts

ID_MAX = 256
TYPE_MAX = 255
_REMEMBERED_MAX = 128  # characters; strangers choose what is remembered
_NOT_IN_TYPES = re.compile(r"[^a-z0-9.]+")
_BETWEEN = re.compile(r"-*\.[-.]*")
_ORDER = re.compile(r"-?[0-9]{1,18}")


class Item(msgspec.Struct, frozen=True, kw_only=True):
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
    """Return the events of one delivery as a `Reader` does."""
    return Reader(preset).read(Given(headers, body, request or RequestFacts()))


class Reader:
    """Reads deliveries of one preset. Where everything stands is worked out here, once."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._kind, *self._more = [finder_of(each) for each in preset.type]
        self._agree = [(one, finder_of(one), other, finder_of(other)) for one, other in preset.agree]
        self._subject = _optional(preset.subject)
        self._correlation = _optional(preset.correlation)
        self._time = instants_of(preset.time)
        self._order = instants_of(preset.order)
        self._number = _optional(preset.order)
        self._is_number = isinstance(preset.order, Header | Query | Member) and preset.order.unit is None
        self._ids = _Ids(preset.dedupe, is_split=bool(preset.split))
        self._is_guarded = not preset.id_is_signed
        self._is_form_signed = any(isinstance(part, SortedForm) for each in preset.schemes for part in each.signed)
        self._signed = _signed_apart(preset)
        self._is_ordered_by_time = preset.order == preset.time
        self._required = preset.required
        self._hash = hasher_of(preset.volatile)

    def read(self, given: Given) -> tuple[Item, ...]:
        """Return the events of a verified delivery, in its order; a batch may hold none.

        TranslationError for a body that is no JSON or form, a split that leads to no array, a missing type, an id,
        type, subject or time that no event may have, and a header that says something else than the body.
        """
        text = json_of(self._preset, given)
        try:
            whole = read_json(text)
        except MalformedError as error:
            raise TranslationError(str(error), errors=error.errors) from None
        if not self._preset.split:
            return (self._item(Delivery(given, whole, whole), 0, text),)
        slices = split(self._preset, text)
        return tuple(self._item(Delivery(given, whole, decode_json(each)), n, each) for n, each in enumerate(slices))

    def known_by(self, given: Given) -> tuple[str, bytes]:
        """Return what a delivery is known by that cannot be read: of a single event its `guard` and `content_hash`.

        What keeps it from being read may stand in a header that is not signed: the same body may be read next time.
        """
        try:
            text = json_of(self._preset, given)
            value = read_json(text)
            return self._guard(Delivery(given, value, value), text), self._content_hash(given, text, value)
        except TidingsError:
            return hash_text(given.body), sha256(given.body).digest()

    def _item(self, of: Delivery, index: int, data: bytes) -> Item:
        preset = self._preset
        kind = self._kind_of(of)
        if self._agree or self._required:
            self._check_agreement(kind, of)
        id, type = self._ids.id(of, index, data), _type_of(preset.name, kind)
        subject = _found("subject", self._subject, of, SUBJECT_MAX)
        if subject is not None and not is_indexed(subject):
            raise untranslatable("", f"the subject {subject[:64]!r} has {TOO_LONG}")
        time = self._time(of)
        return Item(
            id=id,
            type=type,
            subject=subject,
            time=None if time is None else _text_of(time),
            order=self._order_of(of, time),
            correlation=_found("correlation id", self._correlation, of, ID_MAX),
            data=data,
            content_type=JSON,
            guard=self._guard(of, data) if self._is_guarded else None,
            content_hash=self._content_hash(of.given, data, of.value),  # last: it takes out what is volatile
        )

    def _guard(self, of: Delivery, data: bytes) -> str:
        """Of what is not signed whole, whoever has seen one can write others under the same signature: in another
        order, or with another border between two parts. What is signed tells that all of them are one event."""
        return hash_text((self._signed and self._signed(of)) or data)

    def _content_hash(self, given: Given, data: bytes, value: Any) -> bytes:
        """Of a form all is signed, so that its hash is that of what is signed; of an item, members may not be."""
        is_form_signed = self._is_form_signed and given.is_form
        return sha256(form_text(given).encode()).digest() if is_form_signed else self._hash(data, value)

    def _kind_of(self, of: Delivery) -> tuple[str, ...]:
        found = self._kind(of)
        if found is None:
            found = self._preset.untyped
        if found is None:
            raise untranslatable(name_of(places_of(self._preset.type[0])[0]), "the webhook says no type")
        if not self._more:
            return (found,)
        return (found, *(text for find in self._more if (text := find(of)) is not None))

    def _check_agreement(self, kind: Sequence[str], of: Delivery) -> None:
        """A header is not signed where the body alone is: what it says must fit the body."""
        for one, find_one, other, find_other in self._agree:
            said = find_one(of), find_other(of)
            if None not in said and said[0] != said[1]:
                raise untranslatable(name_of(other), f"{name_of(one)} says {said[0]!r:.64}, the body {said[1]!r:.64}")
        for pointer in self._preset.required.get(kind[0], ()):
            *path, last = Member(pointer).steps
            within = member(of.value, path)
            if not isinstance(within, dict) or last not in within:
                raise untranslatable(
                    pointer, f"a webhook of the type {kind[0]!r:.64} has this member, this one has not"
                )

    def _order_of(self, of: Delivery, time: Instant | None) -> int | None:
        place = self._preset.order
        if place is None or self._number is None:
            return None
        if not self._is_number:
            instant = time if self._is_ordered_by_time else self._order(of)
            return None if instant is None else instant.us
        found = self._number(of)
        if found is not None and not _ORDER.fullmatch(found):
            raise untranslatable(name_of(places_of(place)[0]), f"{found[:64]!r} is no whole number that orders")
        return None if found is None else int(found)


def _signed_apart(preset: Preset) -> Callable[[Delivery], bytes] | None:
    """Return what returns what is signed of an item by the first scheme that does not sign the body whole.

    Nothing of an item that this scheme cannot have signed. Without id and time: they are not in the body.
    """
    apart = (each for each in preset.schemes if each.algorithm in SIGNING and not each.signs_body)
    scheme = next(apart, None)
    return None if scheme is None else _signed_by(scheme, content_of(scheme))


def _signed_by(scheme: Scheme, content: Content) -> Callable[[Delivery], bytes]:
    def signed(of: Delivery) -> bytes:
        try:
            if isinstance(scheme.signature, Member):
                of.given.value(scheme.signature, of.value)
            return content(Facts(of.given, item=of.value))
        except Refusal:
            return b""

    return signed


class _Ids:
    """Says by which id an item is known."""

    def __init__(self, dedupe: Dedupe, *, is_split: bool) -> None:
        self._places = () if isinstance(dedupe, str | BodyHash) else _places_of(dedupe)
        self._finders = [finder_of(each) for each in self._places]
        self._is_none = dedupe == "none"
        self._is_joined = isinstance(dedupe, Fields)
        of_item = all(isinstance(each, Member) and not each.whole for each in self._places)
        self._is_of_delivery = is_split and not of_item

    def id(self, of: Delivery, index: int, data: bytes) -> str | None:
        """Return the id of an item, by its place in the delivery and its bytes; None where any may come again."""
        if self._is_none:
            return None
        if self._is_joined:
            parts = [text for find in self._finders if (text := find(of)) is not None]
            if len(parts) < len(self._places):
                raise untranslatable("", f"the id needs {', '.join(name_of(each) for each in self._places)}")
            return _limited("id", ":".join(parts), ID_MAX)
        for find in self._finders:
            found = find(of)
            if found is not None:
                return _limited("id", f"{found}#{index}" if self._is_of_delivery else found, ID_MAX)
        return hash_text(data)


def _places_of(dedupe: Place | First | Fields) -> tuple[Place, ...]:
    return dedupe.places if isinstance(dedupe, Fields) else places_of(dedupe)


def _optional(place: Place | First | None) -> Find | None:
    return None if place is None else finder_of(place)


def _found(what: str, find: Find | None, of: Delivery, most: int) -> str | None:
    found = None if find is None else find(of)
    return None if found is None else _limited(what, found, most)


def _text_of(time: Instant) -> str:
    return time.text if time.unit == "rfc3339" else time_text(time.us)


def _type_of(name: str, kind: tuple[str, ...]) -> str:
    said = ".".join(kind)
    return _type_remembered(name, said) if len(said) <= _REMEMBERED_MAX else _type(name, said)


def _type(name: str, said: str) -> str:
    """Return a type as events are declared: lower case, and `-` for what no declared type may hold."""
    joined = _BETWEEN.sub(".", _NOT_IN_TYPES.sub("-", f"{name}.{said}".lower()))
    return _limited("type", joined.strip("-."), TYPE_MAX)


_type_remembered = lru_cache(maxsize=1_024)(_type)


def _limited(what: str, text: str, most: int) -> str:
    if 0 < len(text) <= most and text.isascii() and text.isprintable():
        return text
    if not 0 < len(text) <= most or not is_text(text):
        raise untranslatable(
            "", f"the {what} {text[:64]!r} has more than {most} characters, or some that none may have"
        )
    return text
