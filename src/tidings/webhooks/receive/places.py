"""Where something stands in a request, and how several signatures stand in one value. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from tidings.errors import DeclarationError

Unit = Literal["s", "ms", "rfc3339"]
"""How a time is written: seconds or milliseconds since 1970 in ASCII digits, or an RFC 3339 timestamp."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header by its name, in any case. `unit`: how a time in it is written."""

    name: str
    unit: Unit | None = None

    def __post_init__(self) -> None:
        if not self.name or not self.name.isascii() or not self.name.replace("-", "").replace("_", "").isalnum():
            raise DeclarationError(f'{self.name!r} is no header: write Header("webhook-id")')
        object.__setattr__(self, "name", self.name.lower())


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter of the request's query, percent-decoded once."""

    name: str
    unit: Unit | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise DeclarationError('a query parameter needs a name: write Query("token")')


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the body, by its JSON pointer (RFC 6901). A form's fields are members of one object.

    Where the body is split, it is looked for in the item; with `whole`, in the body.
    """

    pointer: str
    unit: Unit | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        if self.pointer and not self.pointer.startswith("/"):
            raise DeclarationError(f'{self.pointer!r} is no JSON pointer: write Member("/{self.pointer}")')

    @property
    def steps(self) -> tuple[str, ...]:
        """The names and indexes that lead to the member."""
        return _steps(self.pointer)


@lru_cache(maxsize=1_024)
def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


Place: TypeAlias = Header | Query | Member


@dataclass(frozen=True, slots=True)
class First:
    """The first of several places that holds what is looked for."""

    places: tuple[Place, ...]

    def __post_init__(self) -> None:
        if len(self.places) < 2 or not all(isinstance(place, Header | Query | Member) for place in self.places):
            raise DeclarationError('several places are written First((Header("webhook-id"), Member("/id")))')


def places_of(place: Place | First) -> tuple[Place, ...]:
    """Return the places, in the order in which they are looked at."""
    return place.places if isinstance(place, First) else (place,)


@dataclass(frozen=True, slots=True)
class Plain:
    """The whole value is one signature."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """One signature after a fixed text: `sha256=…`."""

    text: str

    def __post_init__(self) -> None:
        if not self.text:
            raise DeclarationError('the text before the signature is empty: write Prefix("sha256="), or Plain()')


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Named parts: `t=1700000000,v1=…,v1=…`. Names that are not asked for are skipped."""

    signature: str
    time: str | None = None
    separator: str = ","

    def __post_init__(self) -> None:
        if not self.signature or not self.separator or self.signature == self.time:
            raise DeclarationError('name the signature\'s part: write Pairs(signature="v1", time="t")')


@dataclass(frozen=True, slots=True)
class Labelled:
    """Signatures with their version, space-separated: `v1,… v1a,…`. Other labels are skipped."""

    label: str

    def __post_init__(self) -> None:
        if not self.label or not set(self.label).isdisjoint(", "):
            raise DeclarationError(f'{self.label!r} is no label: write Labelled("v1")')


Layout: TypeAlias = Plain | Prefix | Pairs | Labelled
