"""The user's functions that a service calls, checked when they are declared."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_type_hints

from tidings.errors import DeclarationError
from tidings.events.codec import Decoder
from tidings.events.declaration import Declared
from tidings.events.patterns.pattern import Pattern
from tidings.events.strict import decode_json
from tidings.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A function (event, ctx) of one event class. Its name is part of the ids of what it emits.

    `pattern`: it is called for what this matches, looked at in the version of the class; None: for every event.
    """

    event: Declared
    name: str
    call: Callable[[Any, Any], Awaitable[None] | None]
    replayable: bool = False
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """An async function (payload, delivery) that calls the outside."""

    name: str
    call: Callable[[Any, Any], Awaitable[None]]

    def payload(self) -> Any:
        """Return the type that the function's first parameter is annotated with. DeclarationError."""
        try:
            hints = get_type_hints(self.call)
        except NameError as error:
            raise DeclarationError(f"the delivery {self.name}: {error}; import it in that module") from error
        return hints.get(next(iter(inspect.signature(self.call).parameters)), Any)

    def decoder(self) -> Callable[[bytes], Any]:
        """Return what reads a payload. DeclarationError if values of its type cannot be read from JSON."""
        found = self.payload()
        return decode_json if found is Any else Decoder(found).decode


def check_call(
    function: object,
    *,
    form: str,
    must_be: Literal["plain", "async", "either"] = "either",
    arguments: int = 2,
    keywords: Sequence[str] = (),
) -> None:
    """DeclarationError, which shows `form`, unless the function can be called with so many positional arguments, and
    with these keywords."""
    if not callable(function):
        raise DeclarationError(f"{function!r:.80} is no function: write {form}")
    name = getattr(function, "__qualname__", repr(function))
    if isinstance(function, type):
        raise DeclarationError(f"{name} is a class, not a function: write {form}")
    try:
        inspect.signature(function).bind(*[None] * arguments, **dict.fromkeys(keywords))
    except (TypeError, ValueError) as error:
        given = [counted(arguments, "argument")] if arguments else []
        given += [f"{', '.join(keywords)} by keyword"] if keywords else []
        raise DeclarationError(f"{name} cannot be called with {' and '.join(given)} ({error}): write {form}") from None
    # An object is called by its class's method, and that is what is plain or async.
    called = function if inspect.isroutine(function) or isinstance(function, partial) else type(function).__call__
    is_async = inspect.iscoroutinefunction(called)
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise DeclarationError(f"{name} is a generator: write {form}")
    if must_be == "plain" and is_async:
        raise DeclarationError(f"{name} must not be async: write {form}")
    if must_be == "async" and not is_async:
        raise DeclarationError(f"{name} must be async: write {form}")


def named(function: object, *, form: str) -> str:
    """Return the function's own name; DeclarationError if it has none, such as a lambda."""
    name = getattr(function, "__name__", "")
    if not name.isidentifier():
        raise DeclarationError(f"{function!r:.80} has no name, and ids follow from it: write {form}")
    return str(name)
