"""How a member of a class becomes a column: its kind in SQL, and the way of its values there and back.

A value that comes back from its column must be the very value a fold would have been given without the way there, or
the outcome would depend on where pages begin. So every form either keeps values as they are, of exactly one type, or
converts them both ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin
from uuid import UUID

import msgspec

from tidings.errors import DeclarationError
from tidings.events.codec import Decoder, encode_json
from tidings.events.declaration import hints_of, is_pydantic
from tidings.events.rules import is_kept
from tidings.events.whole import is_long
from tidings.ports import utc
from tidings.store.rows import ColumnKind

Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AS_TEXT = (UUID, date, time, timedelta)
# Sets have no order of their own, and that of Python's changes from process to process.
_ENCODE_SORTED = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Form:
    """How values of one member are stored: `store` checks and converts, `load` converts back (None: as it is).

    `store` raises TypeError, ValueError or OverflowError for a value that does not fit.
    """

    kind: ColumnKind
    store: Convert
    load: Convert | None = None
    nullable: bool = False


def form_of(hint: Any) -> Form:
    """Return the form of a member of this type; DeclarationError if values of it cannot be kept."""
    inner, nullable = _without_none(_plain(hint))
    form = _form(inner)
    return _nullable(form) if nullable else form


def forms_of(row: type) -> Mapping[str, Form]:
    """Return how each member of the class is stored, by name, in their order."""
    forms = {}
    try:
        hints = hints_of(row)
    except NameError as error:
        raise DeclarationError(f"{row.__qualname__}: {error}; import it in the module of the class") from error
    for name, hint in hints.items():
        try:
            forms[name] = form_of(hint)
        except DeclarationError as error:
            raise DeclarationError(f"{row.__qualname__}.{name}: {error}") from error
    return forms


def forms_of_members(event: type, members: tuple[str, ...], *, where: str) -> Mapping[str, Form]:
    """Return the forms of these members of an event class; DeclarationError, naming the place, if one is not there."""
    try:
        hints = hints_of(event)
    except NameError as error:
        raise DeclarationError(f"{where}: {error}; import it in the module of {event.__qualname__}") from error
    for member in members:
        if member not in hints:
            raise DeclarationError(
                f"{where}: {event.__qualname__} has no member {member!r}; there is {', '.join(hints)}. "
                'Name the members that make the key: key=("…",)'
            )
    return {member: form_of(hints[member]) for member in members}


def integer(value: Any) -> int:
    """Return the value if it is an int of 64 bits, which is what every engine keeps."""
    if type(value) is not int:
        raise TypeError(f"expected int, got {type(value).__qualname__}")
    if is_long(value):
        raise OverflowError("the number needs more than 64 bits")
    return value


def microseconds(value: Any) -> int:
    """Return the microseconds since 1970 (UTC) of a datetime that says its offset."""
    if not isinstance(value, datetime):
        raise TypeError(f"expected datetime, got {type(value).__qualname__}")
    if value.utcoffset() is None:
        raise ValueError("the datetime has no offset; say which, for instance tzinfo=UTC")
    past = value - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def _form(inner: Any) -> Form:
    if get_origin(inner) is Literal:
        return _literal(inner)
    simple = _SIMPLE.get(inner) if isinstance(inner, type) else None
    if simple is not None:
        return simple
    if isinstance(inner, type) and issubclass(inner, Enum):
        return _enumeration(inner)
    if isinstance(inner, type) and issubclass(inner, _AS_TEXT):
        return Form("text", _through(inner, msgspec.to_builtins), partial(msgspec.convert, type=inner))
    return _json(inner)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"expected str, got {type(value).__qualname__}")
    if not is_kept(value):
        raise ValueError("it holds U+0000 or half of a surrogate pair, which not every engine keeps: keep it as bytes")
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(f"expected bool, got {type(value).__qualname__}")
    return value


def _blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise TypeError(f"expected bytes, got {type(value).__qualname__}")
    return value


def _real(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise TypeError(f"expected float, got {type(value).__qualname__}")
    if math.isnan(value):
        raise ValueError("NaN cannot be kept: it is not equal to itself")
    return float(value) + 0.0  # engines do not keep the sign of -0.0


def _decimal(value: Any) -> str:
    if not isinstance(value, Decimal) or value.is_nan():
        raise TypeError(f"expected a Decimal that is a number, got {value!r:.64}")
    return str(value)


TEXT = Form("text", _text)
_SIMPLE: dict[type, Form] = {
    str: TEXT,
    int: Form("integer", integer),
    bool: Form("boolean", _boolean),
    bytes: Form("blob", _blob),
    float: Form("real", _real, float),
    datetime: Form("time", microseconds, utc),
    Decimal: Form("decimal", _decimal, Decimal),
}


def _literal(inner: Any) -> Form:
    values = get_args(inner)
    types = {type(value) for value in values}
    if types not in ({str}, {int}):
        raise DeclarationError(f"{inner!r} mixes types: give it strings only, or whole numbers only")
    allowed = frozenset(values)
    plain = _SIMPLE[types.pop()]

    def store(value: Any) -> Any:
        if plain.store(value) not in allowed:
            raise ValueError(f"{value!r} is none of {', '.join(map(repr, values))}")
        return value

    return Form(plain.kind, store, lambda value: value)


def _enumeration(inner: type[Enum]) -> Form:
    types = {type(member.value) for member in inner}
    if types not in ({str}, {int}):
        raise DeclarationError(f"{inner.__qualname__}: give its members strings only, or whole numbers only")
    plain = _SIMPLE[types.pop()]
    return Form(plain.kind, _through(inner, lambda member: plain.store(member.value)), inner)


def _json(inner: Any) -> Form:
    if not is_pydantic(inner):
        try:
            msgspec.json.schema(
                inner
            )  # a Decoder would take a class that msgspec cannot make, and fail on the first value
        except (TypeError, NameError) as error:
            raise DeclarationError(f"a column cannot hold {inner!r}: {_said(error)}") from error
    load = Decoder(inner).decode
    encode = encode_json if is_pydantic(inner) else _ENCODE_SORTED
    return Form("json", lambda value: encode(value).decode(), lambda text: load(text.encode()))


def _said(error: Exception) -> str:
    """Return what a user of msgspec would be told, without what only its caller can do."""
    return str(error).rpartition("\n\n")[2]


def _through(cls: type, store: Convert) -> Convert:
    def checked(value: Any) -> Any:
        if not isinstance(value, cls):
            raise TypeError(f"expected {cls.__qualname__}, got {type(value).__qualname__}")
        return store(value)

    return checked


def _nullable(form: Form) -> Form:
    load = form.load

    def store(value: Any) -> Any:
        return None if value is None else form.store(value)

    def load_or_none(value: Any) -> Any:
        return None if value is None or load is None else load(value)

    return Form(form.kind, store, None if load is None else load_or_none, nullable=True)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, UnionType):
        return hint, False
    others = [_plain(part) for part in get_args(hint) if part is not NoneType]
    if len(others) == len(get_args(hint)):
        return hint, False
    return (others[0] if len(others) == 1 else Union[tuple(others)]), True  # noqa: UP007  # built from parts


def _plain(hint: Any) -> Any:
    while get_origin(hint) is Annotated or isinstance(hint, NewType):
        hint = get_args(hint)[0] if get_origin(hint) is Annotated else hint.__supertype__
    return hint
