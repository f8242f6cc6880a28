"""How a class is declared to be an event, and how a plain class becomes a frozen value."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from types import CellType
from typing import (
    Annotated,
    Any,
    NewType,
    TypeAlias,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from tidings.errors import DeclarationError

T = TypeVar("T")
Class: TypeAlias = type  # where a member or parameter `type` hides the builtin

_MARK = "__tidings_event__"
_TYPE_NAME = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")
_RIGHT_FORM = '@event("tweet-bookmarked", version=1, subject="tweet_id")'
_VERSION_MAX = 2**31 - 1
_REQUIRED = re.compile(r"Required field '(\w+)' cannot follow optional")
_CANNOT_DEFINE = re.compile(r"Struct types cannot define (\w+)")
_MUTABLE = re.compile(r"mutable collection \((.*)\) as a default", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """What `event` noted: the wire name, the version (from 1), the member that names the subject, and the class.

    `semantic_change`, `reserved`, `open_enums`: as `event` says.
    """

    type: str
    version: int
    subject: str | None
    cls: Class
    semantic_change: bool = False
    reserved: tuple[str, ...] = ()
    open_enums: tuple[str, ...] = ()


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
def event(
    type: str = "",
    *,
    version: int = 1,
    subject: str | None = None,
    semantic_change: bool = False,
    reserved: Sequence[str] = (),
    open_enums: Sequence[str] = (),
) -> Callable[[type[T]], type[T]]:
    """Declare a class as the event `type` of this version; `subject` names the member that says what it is about.

    A plain annotated class becomes a frozen msgspec.Struct; dataclasses, Structs and pydantic models stay as they are.
    The type is lower case letters and digits, joined by `-` or `.`: it is data on the wire, so it holds no version and
    does not follow the class's name. DeclarationError if something of it is wrong.

    `semantic_change`: the data means something else than the version before, though it may look alike, so that both
    steps are written by hand. `reserved`: names of members that earlier versions had. `open_enums`: members whose
    readers have a fallback for values they do not know, so that values may be added.
    """
    if callable(type):
        raise DeclarationError(f"give the event a type name: write {_RIGHT_FORM} above the class")
    _check_name(type, version)
    more = bool(semantic_change), _names("reserved", reserved), _names("open_enums", open_enums)
    return lambda cls: _declare(cls, lambda made: Declared(type, version, subject, made, *more))


def declared(event: Any) -> Declared:
    """Return what was declared for this class, or for the class of this instance; DeclarationError if nothing was."""
    cls = event if isinstance(event, type) else type(event)
    found = cls.__dict__.get(_MARK)
    if not isinstance(found, Declared):
        raise DeclarationError(f"{cls.__qualname__} is not declared as an event: write {_RIGHT_FORM} above the class")
    return found


def declaration_of(cls: type) -> Declared | None:
    """Return what was declared for this class; None if nothing was."""
    found = cls.__dict__.get(_MARK)
    return found if isinstance(found, Declared) else None


def declared_class(cls: Any) -> Declared:
    """Return what was declared for this class; DeclarationError if nothing was, or if it is no class."""
    if not isinstance(cls, type):
        raise DeclarationError(
            f"{cls!r:.100} is no class: give the event's class itself, above which {_RIGHT_FORM} is written"
        )
    return declared(cls)


def declared_instance(event: Any) -> Declared:
    """Return what was declared for the class of this event; DeclarationError if nothing was, or if it is a class."""
    if isinstance(event, type):
        raise DeclarationError(
            f"{event.__qualname__} is a class: give one event of it, written {event.__qualname__}(…)"
        )
    return declared(event)


def value_class(cls: type[T]) -> type[T]:
    """Return the frozen value type of a plain annotated class; others are returned as they are.

    DeclarationError if the class cannot be one, for instance because a member without a default follows one with.
    """
    if not isinstance(cls, type):
        raise DeclarationError(f"{cls!r} is not a class")
    if issubclass(cls, msgspec.Struct) or dataclasses.is_dataclass(cls) or is_pydantic(cls):
        return cls
    if cls.__bases__ != (object,):
        bases = ", ".join(base.__qualname__ for base in cls.__bases__)
        raise DeclarationError(
            f"{cls.__qualname__} inherits from {bases}: derive it from another declared class, or make it a dataclass"
        )
    left_out = {"__dict__", "__weakref__"}
    namespace = {name: value for name, value in cls.__dict__.items() if name not in left_out}
    for name, value in namespace.items():
        if isinstance(value, dataclasses.Field):
            raise DeclarationError(f"{cls.__qualname__}.{name}: use msgspec.field(...), or make the class a dataclass")
    try:
        made: Any = msgspec.StructMeta(cls.__name__, (msgspec.Struct,), namespace, frozen=True)
    except TypeError as error:
        raise DeclarationError(f"{cls.__qualname__} cannot be a value: {_said(cls, str(error))}") from error
    _point_super_at(made, cls)
    return cast("type[T]", made)


def is_pydantic(cls: type) -> bool:
    """Say whether this is a pydantic model, without importing pydantic."""
    return hasattr(cls, "model_validate_json") and hasattr(cls, "model_json_schema")


def hints_of(cls: type) -> dict[str, Any]:
    """Return the members of a value class with their types; NameError if a type is not there yet."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: hints[name] for name in members_of(cls) if name in hints}


def members_of(cls: type) -> tuple[str, ...]:
    """Return the names of a value class's members, in their order."""
    if is_pydantic(cls):
        return tuple(cast(Any, cls).model_fields)
    if issubclass(cls, msgspec.Struct):
        return cls.__struct_fields__
    return tuple(field.name for field in dataclasses.fields(cast(Any, cls)))


def check_subject_type(declared: Declared) -> None:
    """Raise DeclarationError unless the member that names the subject is a `str` or an `int`."""
    if declared.subject is None:
        return
    try:
        found = hints_of(declared.cls)[declared.subject]
    except NameError as error:
        raise DeclarationError(f"{declared.cls.__qualname__}: {error}; import it in that module") from error
    if _plain(found) not in (str, int):
        raise DeclarationError(
            f"{declared.cls.__qualname__}.{declared.subject} names the subject, so it must be a str or an int: "
            f"write `{declared.subject}: str`"
        )


def _check_name(type: object, version: object) -> None:
    if not isinstance(type, str) or not _TYPE_NAME.fullmatch(type) or len(type) > 255 or type == "may":
        raise DeclarationError(
            f"{type!r} is no event type: use at most 255 lower case letters and digits, joined by '-' or '.', "
            f"as in {_RIGHT_FORM}"
        )
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= _VERSION_MAX:
        raise DeclarationError(f"{type}: version must be a whole number from 1 to {_VERSION_MAX}, not {version!r}")


def _check_subject(declared: Declared) -> None:
    if declared.subject is None:
        return
    cls = declared.cls
    names = members_of(cls)
    if declared.subject not in names:
        raise DeclarationError(
            f"{cls.__qualname__} has no member {declared.subject!r} to name the subject; it has "
            f"{', '.join(names) or 'none'}: write {_RIGHT_FORM} with one of its members"
        )
    try:
        hints_of(cls)
    except NameError:
        return  # a type that is defined further down; the catalog checks again, when all modules are imported
    check_subject_type(declared)


def _declare(cls: type[T], noted: Callable[[type], Declared]) -> Any:
    made = value_class(cls)
    found = noted(made)
    _check_subject(found)
    unknown = [name for name in found.open_enums if name not in members_of(made)]
    if unknown:
        raise DeclarationError(f"{cls.__qualname__} has no member {unknown[0]!r} to be in open_enums")
    setattr(made, _MARK, found)
    return made


def _names(what: str, names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise DeclarationError(f'{what}={names!r:.80} must be a tuple of members\' names: write {what}=("user_id",)')
    return tuple(names)


def _said(cls: type, why: str) -> str:
    """Return why a plain class cannot be a value, in words that can be followed in it."""
    if follower := _REQUIRED.search(why):
        return f"{follower[1]!r} has no default and stands behind a member that has one: give it one, or move it up"
    if method := _CANNOT_DEFINE.search(why):
        return f"it defines {method[1]}, which is made for it: leave that out, or make the class a frozen dataclass"
    if default := _MUTABLE.search(why):
        member = next((name for name, value in cls.__dict__.items() if repr(value) == default[1]), "member")
        return (
            f"the default {default[1]} of {member!r} could be changed: write "
            f"`{member}: … = msgspec.field(default_factory=lambda: {default[1]})`"
        )
    return why


def _plain(hint: Any) -> Any:
    while get_origin(hint) is Annotated or isinstance(hint, NewType):
        hint = get_args(hint)[0] if get_origin(hint) is Annotated else hint.__supertype__
    return hint


def _point_super_at(made: type, cls: type) -> None:
    """Let methods that use `super()` or `__class__` find the class that was made instead of the one it replaces."""
    for value in cls.__dict__.values():
        function = getattr(value, "__func__", value)
        function = getattr(function, "fget", function)
        for cell in getattr(function, "__closure__", None) or ():
            if isinstance(cell, CellType) and cell.cell_contents is cls:
                cell.cell_contents = made
