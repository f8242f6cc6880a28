"""Many alternatives of a leaf asked at once: a value is read once and looked up, however many there are."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any

from tidings.events.patterns.matchers import (
    AnythingBut,
    Cidr,
    IgnoringCase,
    Matcher,
    Numeric,
    Prefix,
    Present,
    Suffix,
    Wildcard,
    folded,
)
from tidings.events.patterns.scalars import Scalar

Address = IPv4Address | IPv6Address
Addresses = dict[str, Address | None]
"""The texts of one event that were read as addresses; None: it is none."""

_Edge = tuple[Any, int]
"""A number and whether it lies itself beyond the edge: 0, it does; 2, it does not. A value is at 1."""
_LOWEST, _HIGHEST = Decimal("-Infinity"), Decimal("Infinity")
_LONGEST = len("0000:0000:0000:0000:0000:0000:255.255.255.255")


class Ranges:
    """Ranges of numbers, joined where they meet: those before a value are found by halving."""

    __slots__ = ("_highs", "_lows")

    def __init__(self, ranges: Iterable[tuple[_Edge, _Edge]]) -> None:
        self._lows: list[_Edge] = []
        self._highs: list[_Edge] = []
        for low, high in sorted(ranges):
            if self._highs and low <= self._highs[-1]:
                self._highs[-1] = max(self._highs[-1], high)
            else:
                self._lows.append(low)
                self._highs.append(high)

    def __contains__(self, value: int | Decimal) -> bool:
        at = bisect_right(self._lows, (value, 1)) - 1
        return at >= 0 and (value, 1) < self._highs[at]


class Networks:
    """Networks of addresses. An event's text is read as an address once, whichever fields ask."""

    __slots__ = ("_by_version",)

    def __init__(self, alternatives: Iterable[Cidr]) -> None:
        of: dict[int, list[tuple[_Edge, _Edge]]] = {}
        for each in alternatives:
            first, last = int(each.network.network_address), int(each.network.broadcast_address)
            of.setdefault(each.network.version, []).append(((first, 0), (last, 2)))
        self._by_version = {version: Ranges(ranges) for version, ranges in of.items()}

    def take(self, value: Scalar, addresses: Addresses) -> bool:
        if not self._by_version or not isinstance(value, str):
            return False
        try:
            address = addresses[value]
        except KeyError:
            address = addresses[value] = _address(value)
        if address is None or address.version not in self._by_version:
            return False
        return int(address) in self._by_version[address.version]


class Texts:
    """Prefixes, suffixes and texts in any case: each kind is one call, not one for each text."""

    __slots__ = ("_begins", "_ends", "_folded", "_longest_end", "_prefixes", "_suffixes")

    def __init__(self, matchers: Sequence[Matcher]) -> None:
        self._prefixes = tuple({each.text for each in matchers if isinstance(each, Prefix)})
        self._suffixes = tuple({each.text for each in matchers if isinstance(each, Suffix)})
        any_case = [each for each in matchers if isinstance(each, IgnoringCase)]
        self._folded: dict[Scalar, list[IgnoringCase]] = {}
        for each in any_case:
            if each.key.kind == "folded":
                self._folded.setdefault(each.key.value, []).append(each)
        begins = [each.forms for each in any_case if each.place == "prefix"]
        begins += [f"(?:{each.forms})\\Z" for each in any_case if each.place == "whole" and each.key.kind != "folded"]
        ends = [each for each in any_case if each.place == "suffix"]
        self._begins = re.compile("|".join(begins)).match if begins else None
        self._ends = re.compile(f"(?:{'|'.join(each.forms for each in ends)})\\Z").search if ends else None
        self._longest_end = max((each.longest for each in ends), default=0)

    def take(self, value: str) -> bool:
        return (
            value.startswith(self._prefixes)
            or value.endswith(self._suffixes)
            or (self._folded != {} and any(each.matches(value) for each in self._folded.get(folded(value), ())))
            or (self._begins is not None and self._begins(value) is not None)
            or (self._ends is not None and self._ends(value[-self._longest_end :]) is not None)
        )


class Look:
    """Says of one scalar whether one of these alternatives takes it. What it says is what `Matcher.matches` means."""

    __slots__ = ("_but", "_is_any", "_networks", "_one_by_one", "_ranges", "_texts")

    def __init__(self, matchers: Sequence[Matcher] = ()) -> None:
        self._is_any = any(isinstance(each, Present) for each in matchers)
        self._networks = Networks(each for each in matchers if isinstance(each, Cidr))
        self._ranges = Ranges(_edges(each) for each in matchers if isinstance(each, Numeric))
        self._texts = Texts(matchers)
        self._one_by_one = tuple(each for each in matchers if isinstance(each, Wildcard))  # few: `STARS_MAX`
        excluding = [each for each in matchers if isinstance(each, AnythingBut)]
        plain = [each.values for each in excluding if not each.matchers]
        self._but = [(each.values, Look(each.matchers)) for each in excluding if each.matchers]
        if plain:  # what one of them excludes, another takes
            self._but.append((frozenset.intersection(*plain), NOTHING))

    def takes(self, value: Scalar, addresses: Addresses) -> bool:
        if self._is_any:
            return True
        for values, look in self._but:
            if value not in values and not (look is not NOTHING and look.takes(value, addresses)):
                return True
        if isinstance(value, str):
            return (
                self._texts.take(value)
                or any(each.matches(value) for each in self._one_by_one)
                or self._networks.take(value, addresses)
            )
        return isinstance(value, int | Decimal) and value in self._ranges


NOTHING = Look()


def _edges(each: Numeric) -> tuple[_Edge, _Edge]:
    low = (_LOWEST, 0) if each.low is None else (each.low, 0 if each.low_counts else 2)
    high = (_HIGHEST, 2) if each.high is None else (each.high, 2 if each.high_counts else 0)
    return low, high


def _address(text: str) -> Address | None:
    if len(text) > _LONGEST or "%" in text:
        return None
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return None
