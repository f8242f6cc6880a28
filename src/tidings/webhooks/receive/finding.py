"""Finding the text at a place of a delivery: for each place a function that was made for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from tidings.events.timestamp import LAST_US
from tidings.webhooks.receive.given import Given, Refusal, member, text_of
from tidings.webhooks.receive.instants import instant_us
from tidings.webhooks.receive.places import First, Header, Member, Place, Query, Unit, places_of
from tidings.webhooks.receive.splitting import untranslatable


class Delivery(msgspec.Struct, frozen=True):
    """What is looked in: the request, the JSON of all of it, and that of the item."""

    given: Given
    whole: Any
    value: Any


class Instant(msgspec.Struct, frozen=True, gc=False):
    """A time as it is written, in which unit, and in microseconds since 1970."""

    text: str
    unit: Unit
    us: int


Find: TypeAlias = Callable[[Delivery], str | None]
"""Returns a text; None if there is none. TranslationError if it is not sure which it is."""


def finder_of(place: Place | First) -> Find:
    """Return what finds the text at the first place that has one."""
    if isinstance(place, First):
        return _first([finder_of(each) for each in place.places])
    if isinstance(place, Member):
        return _of_member(place)
    return _of_header(place) if isinstance(place, Header) else _of_parameter(place)


def _first(finders: list[Find]) -> Find:
    def find(of: Delivery) -> str | None:
        for each in finders:
            found = each(of)
            if found is not None:
                return found
        return None

    return find


def _of_member(place: Member) -> Find:
    steps = place.steps
    if place.whole:
        return lambda of: text_of(member(of.whole, steps)) or None
    if len(steps) == 1:
        return _of_own_member(steps[0])
    return _of_inner_member(steps)


def _of_own_member(name: str) -> Find:
    """Most places are members of the item itself."""

    def find(of: Delivery) -> str | None:
        value = of.value
        found = value.get(name) if value.__class__ is dict else member(value, (name,))
        return (found if found.__class__ is str else text_of(found)) or None

    return find


def _of_inner_member(steps: Sequence[str]) -> Find:
    def find(of: Delivery) -> str | None:
        found = of.value
        for step in steps:
            if found.__class__ is not dict:
                found = member(of.value, steps)
                break
            found = found.get(step)
        return (found if found.__class__ is str else text_of(found)) or None

    return find


def _of_header(place: Header) -> Find:
    name = place.name.encode()

    def find(of: Delivery) -> str | None:
        try:
            found = of.given.header(name)
        except Refusal as refusal:
            raise _unreadable(place, refusal) from None
        return None if found is None else found.decode()

    return find


def _of_parameter(place: Query) -> Find:
    def find(of: Delivery) -> str | None:
        try:
            return of.given.value(place).decode()
        except Refusal as refusal:
            if refusal.reason == "missing-header":
                return None
            raise _unreadable(place, refusal) from None

    return find


def _unreadable(place: Place, refusal: Refusal) -> Exception:
    return untranslatable(name_of(place), f"what is there cannot be read: {refusal.reason}")


def instants_of(place: Place | First | None) -> Callable[[Delivery], Instant | None]:
    """Return what finds the first place that has a time in its unit; None if none has one.

    TranslationError if there is something, but no time.
    """
    asked = [(each, finder_of(each), each.unit) for each in (() if place is None else places_of(place))]

    def find(of: Delivery) -> Instant | None:
        wrong: tuple[Place, str] | None = None
        for each, look, unit in asked:
            found = look(of)
            if found is None:
                continue
            us = None if unit is None else instant_us(found, unit)
            if unit is not None and us is not None and us <= LAST_US:
                return Instant(found, unit, us)
            wrong = wrong or (each, found)
        if wrong is not None:
            raise untranslatable(name_of(wrong[0]), f"{wrong[1][:64]!r} is no time in the form {wrong[0].unit!r}")
        return None

    return find


def name_of(place: Place) -> str:
    """Return what a place is called in a message."""
    if isinstance(place, Header):
        return f"the header {place.name}"
    return f"the parameter {place.name}" if isinstance(place, Query) else place.pointer or "the body"
