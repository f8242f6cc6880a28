"""How the author says what leads from one version of an event to the next: one pure step each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from tidings.errors import DeclarationError
from tidings.events.declaration import declared_class
from tidings.events.envelope import Envelope

F = TypeVar("F", bound=Callable[..., dict[str, Any]])

_MARK = "__tidings_transformers__"
_UP = "@upcaster(TweetBookmarked, from_version=2) above `def name(data: dict) -> dict`"
_DOWN = '@downcaster(TweetBookmarked, from_version=3, loses=("owner.kind",)) above `def name(data: dict) -> dict`'


class Fixed(msgspec.Struct, frozen=True):
    """What a step may know of the envelope: what no version changes. `time`: RFC 3339, as it was sent."""

    id: str
    source: str
    subject: str | None
    time: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """One step, up or down by one version. `loses`: the members whose values do not come back."""

    type: str
    from_version: int
    to_version: int
    function: Callable[..., Any]
    takes_fixed: bool = False
    loses: tuple[str, ...] = ()

    @property
    def edge(self) -> tuple[int, int]:
        return self.from_version, self.to_version

    def __str__(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"


def upcaster(event: type, *, from_version: int) -> Callable[[F], F]:
    """Declare how the data of `from_version` is written as the next version's: a pure function, a dict in, a dict out.

    It must work for all data that is valid for its version, and follow from that alone: no clock, no chance, no I/O. A
    second parameter, if there is one, is given the envelope's id, source, subject and time. DeclarationError.
    """
    return _declaring(event, from_version, 1, (), _UP)


def downcaster(event: type, *, from_version: int, loses: Sequence[str] = ()) -> Callable[[F], F]:
    """Declare how the data of `from_version` is written as the version's before; as `upcaster`.

    `loses`: the members, with dots between them, whose values a way down and up again does not bring back.
    """
    if isinstance(loses, str):
        raise DeclarationError(f"loses={loses!r} must be a tuple, even of one: write loses=({loses!r},)")
    return _declaring(event, from_version, -1, tuple(loses), _DOWN)


def transformers_of(cls: type) -> tuple[Transformer, ...]:
    """Return the steps that were declared with this class, in the order of declaration."""
    return tuple(cls.__dict__.get(_MARK, ()))


def fixed_of(envelope: Envelope) -> Fixed:
    """Return what a step is told of the envelope."""
    return Fixed(envelope.id, envelope.source, envelope.subject, envelope.time)


def _declaring(event: type, version: int, by: int, loses: tuple[str, ...], form: str) -> Callable[[F], F]:
    known = declared_class(event)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DeclarationError(
            f"{known.type}: from_version must be a whole number from 1, not {version!r}: write {form}"
        )

    def declare(function: F) -> F:
        made = Transformer(
            type=known.type,
            from_version=version,
            to_version=version + by,
            function=function,
            takes_fixed=_parameters(function, form) == 2,
            loses=loses,
        )
        setattr(known.cls, _MARK, (*transformers_of(known.cls), made))
        return function

    return declare


def _parameters(function: object, form: str) -> int:
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise DeclarationError(f"{function!r:.80} is no plain function: write {form}")
    given = inspect.signature(function).parameters.values()
    plain = [each for each in given if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if len(plain) != len(given) or len(plain) not in (1, 2) or inspect.isgeneratorfunction(function):
        raise DeclarationError(
            f"{function.__qualname__} must take the data, and nothing else but the envelope's fixed attributes: write "
            f"{form}"
        )
    return len(plain)
