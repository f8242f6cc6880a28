"""What one alternative of a leaf says of one scalar. Each is compiled once; `matches` never raises.

`key` is what a set of patterns finds the matcher by: every value that matches is found under it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, Protocol

from tidings.events.patterns.scalars import Scalar

KeyKind = Literal["exact", "folded", "prefix", "suffix", "range", "any"]


@dataclass(frozen=True, slots=True)
class Key:
    """`kind` "any": every value may match. "range": `low` and `high`, both included; None: no bound."""

    kind: KeyKind
    value: Scalar = ""
    low: int | Decimal | None = None
    high: int | Decimal | None = None


ANY = Key("any")


class Matcher(Protocol):
    @property
    def key(self) -> Key: ...

    def matches(self, value: Scalar) -> bool: ...


@dataclass(frozen=True, slots=True)
class Prefix:
    text: str

    @property
    def key(self) -> Key:
        return Key("prefix", self.text)

    def matches(self, value: Scalar) -> bool:
        return isinstance(value, str) and value.startswith(self.text)


@dataclass(frozen=True, slots=True)
class Suffix:
    text: str

    @property
    def key(self) -> Key:
        return Key("suffix", self.text)

    def matches(self, value: Scalar) -> bool:
        return isinstance(value, str) and value.endswith(self.text)


Place = Literal["whole", "prefix", "suffix"]


class IgnoringCase:
    """Each character of the text stands for its lower-case or its upper-case form, full mappings included.

    This is no case folding: `straße` matches `STRASSE`, and `strasse` does not match it. `forms`: as a regular
    expression. `longest`: how many characters it may match.
    """

    __slots__ = ("_found", "_text", "forms", "longest", "place")

    def __init__(self, text: str, place: Place = "whole") -> None:
        self._text = text
        self.place = place
        self.forms = "".join(f"(?:{re.escape(each.lower())}|{re.escape(each.upper())})" for each in text)
        self.longest = sum(max(map(len, _forms(each))) for each in text)
        compiled = re.compile(f"{self.forms}\\Z" if place == "suffix" else self.forms)
        self._found = {"whole": compiled.fullmatch, "prefix": compiled.match, "suffix": compiled.search}[place]

    @property
    def key(self) -> Key:
        is_found = self.place == "whole" and all(folded(form) == folded(c) for c in self._text for form in _forms(c))
        return Key("folded", folded(self._text)) if is_found else ANY

    def matches(self, value: Scalar) -> bool:
        return isinstance(value, str) and self._found(value) is not None


def _forms(character: str) -> tuple[str, str]:
    return character.lower(), character.upper()


def folded(text: str) -> str:
    """Return what is equal for all forms of a text in which no character has a form of another kind."""
    return text.lower().upper()


class Wildcard:
    """`pieces`: the texts between the stars, in order; they follow one another anywhere, the outer ones at the ends."""

    __slots__ = ("_first", "_last", "_middle", "_shortest")

    def __init__(self, pieces: tuple[str, ...]) -> None:
        self._first, *middle, self._last = pieces
        self._middle = tuple(middle)
        self._shortest = sum(len(piece) for piece in pieces)

    @property
    def key(self) -> Key:
        if self._first:
            return Key("prefix", self._first)
        return Key("suffix", self._last) if self._last else ANY

    def matches(self, value: Scalar) -> bool:
        if not isinstance(value, str) or len(value) < self._shortest:
            return False
        if not (value.startswith(self._first) and value.endswith(self._last)):
            return False
        at, end = len(self._first), len(value) - len(self._last)
        for piece in self._middle:  # the leftmost place is never worse than a later one
            at = value.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """A number within bounds; None: no bound. `low_counts`, `high_counts`: whether the bound itself matches."""

    low: int | Decimal | None = None
    high: int | Decimal | None = None
    low_counts: bool = True
    high_counts: bool = True

    @property
    def key(self) -> Key:
        return Key("range", low=self.low, high=self.high)

    def matches(self, value: Scalar) -> bool:
        if not isinstance(value, int | Decimal):
            return False
        if self.low is not None and (value < self.low or (value == self.low and not self.low_counts)):
            return False
        return self.high is None or value < self.high or (value == self.high and self.high_counts)


@dataclass(frozen=True, slots=True)
class Cidr:
    network: IPv4Network | IPv6Network
    key: Key = ANY

    def matches(self, value: Scalar) -> bool:
        if not isinstance(value, str) or "%" in value:
            return False
        address = IPv4Address if self.network.version == 4 else IPv6Address
        try:
            return address(value) in self.network
        except AddressValueError:
            return False


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """Every scalar but these, and but those that one of the matchers takes."""

    values: frozenset[Scalar]
    matchers: tuple[Matcher, ...] = ()
    key: Key = ANY

    def matches(self, value: Scalar) -> bool:
        return value not in self.values and not any(each.matches(value) for each in self.matchers)


@dataclass(frozen=True, slots=True)
class Present:
    """Any scalar at all, null included."""

    key: Key = ANY

    def matches(self, value: Scalar) -> bool:
        return True
