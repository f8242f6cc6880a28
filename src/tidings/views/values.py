"""Rows of a view as its folds see them, and as a store keeps them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from tidings.errors import DeclarationError
from tidings.events.declaration import is_pydantic
from tidings.events.rules import INDEXED_BYTES_MAX
from tidings.events.whole import INT64_MAX, INT64_MIN
from tidings.store.rows import Column, ColumnKind, Key
from tidings.views.columns import TEXT, Convert, Form

Values = tuple[Any, ...]
"""The values of a row, or of its key, as stored, parallel to the columns."""

_EMPTY: dict[ColumnKind, Any] = {
    "text": "",
    "integer": 0,
    "real": 0.0,
    "boolean": False,
    "blob": b"",
    "time": 0,
    "decimal": "0",
    "json": "null",
}
_SHORT = frozenset({"integer", "real", "boolean", "time"})


def reader_of(cls: type, members: Sequence[str]) -> Callable[[Any], Values]:
    """Return the function that reads these members of an instance, as a tuple also if it is only one."""
    if issubclass(cls, msgspec.Struct) and tuple(members) == cls.__struct_fields__:
        return msgspec.structs.astuple
    if len(members) == 1:
        read_one = attrgetter(members[0])
        return lambda instance: (read_one(instance),)
    return attrgetter(*members)


class TooLargeError(ValueError):
    """A number that its column cannot hold."""


class LongKeyError(ValueError):
    """A key that not every back end can index."""


class Stored:
    """Turns raw values into stored ones. Values that are kept as they are cost one look at their types.

    Raises TypeError, ValueError or OverflowError for values that cannot be kept.
    """

    def __init__(self, names: Sequence[str], forms: Sequence[Form]) -> None:
        self._names = tuple(names)
        self._stores = tuple(form.store for form in forms)
        self.is_plain = all(form.load is None for form in forms)
        # Types that were found right, with the places of the ints and strs among them: those have limits beside a type.
        self._usual: dict[tuple[type, ...], tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def __call__(self, values: Values) -> Values:
        if not self.is_plain:
            return self._thoroughly(values)
        usual = self._usual.get(tuple(map(type, values)))
        if usual is None:
            return self._learn(values)
        integers, texts = usual
        for place in integers:
            if not INT64_MIN <= values[place] <= INT64_MAX:
                return self._thoroughly(values)
        for place in texts:
            text = values[place]
            if not text.isascii() or "\0" in text:
                return self._thoroughly(values)
        return values

    def _learn(self, values: Values) -> Values:
        stored = self._thoroughly(values)
        types = tuple(map(type, stored))
        self._usual[types] = (
            tuple(place for place, found in enumerate(types) if found is int),
            tuple(place for place, found in enumerate(types) if found is str),
        )
        return stored

    def _thoroughly(self, values: Values) -> Values:
        return tuple(map(self._one, self._names, self._stores, values))

    @staticmethod
    def _one(name: str, store: Convert, value: Any) -> Any:
        try:
            return store(value)
        except OverflowError as error:
            raise TooLargeError(f"{name}: {error}") from error
        except Exception as error:
            raise ValueError(f"{name}: {error}") from error


def key_of(cls: type, members: Sequence[str], forms: Sequence[Form], key: Sequence[str]) -> Callable[[Any], Values]:
    """Return the function that reads a key from an instance that was decoded by its types; it raises as `Stored`, and
    `LongKeyError`. `key`: the view's columns that the members stand for."""
    read = reader_of(cls, members)
    stored = Stored(members, forms)
    if stored.is_plain and all(form.kind == "boolean" for form in forms) and not is_pydantic(cls):
        return read  # the decoder saw to the types, and these have no limits beside them
    if all(form is TEXT for form in forms):
        return _texts_first(read, lambda values: indexed(key, stored(values)), INDEXED_BYTES_MAX // len(members))
    if all(form.kind in _SHORT for form in forms):
        return lambda instance: stored(read(instance))
    return lambda instance: indexed(key, stored(read(instance)))


def indexed(names: Sequence[str], key: Values) -> Values:
    """Return a key as it is stored if every back end can index it; LongKeyError."""
    sizes = [
        len(each.encode()) if isinstance(each, str) else len(each) if isinstance(each, bytes) else 0 for each in key
    ]
    if sum(sizes) <= INDEXED_BYTES_MAX:
        return key
    each = ", ".join(f"{name} {size:,}" for name, size in zip(names, sizes, strict=True) if size)
    raise LongKeyError(
        f"its key has {sum(sizes):,} bytes ({each}), and every back end finds rows by at most {INDEXED_BYTES_MAX:,}"
    )


def _texts_first(
    read: Callable[[Any], Values], judged: Callable[[Values], Values], share: int
) -> Callable[[Any], Values]:
    """Return what reads keys of texts: most are short and ASCII, and every event has one, so these are not looked at
    for long. `share`: so many bytes may each of them have, whatever the others have."""

    def key(instance: Any) -> Values:
        values = read(instance)
        for value in values:
            if type(value) is not str or len(value) > share or not value.isascii() or "\0" in value:
                return judged(values)
        return values

    return key


class RowCodec:
    """A view's row class: instances to stored values and back."""

    def __init__(self, row: type, columns: Sequence[Column], forms: Sequence[Form], key: Sequence[str]) -> None:
        names = tuple(column.name for column in columns)
        self._row = row
        self._names = names
        self._loads = tuple(form.load for form in forms)
        self._make = _maker(row, names)
        self._places = tuple(names.index(name) for name in key)
        self.values = reader_of(row, names)
        self.key = _key_reader(self._places)
        self.stored = Stored(names, forms)
        self._tombstone = tuple(None if column.nullable else _EMPTY[column.kind] for column in columns)

    def load(self, values: Values) -> Any:
        """Return the row object of stored values."""
        if self.stored.is_plain:
            return self._make(values)
        loaded = [value if load is None else load(value) for load, value in zip(self._loads, values, strict=True)]
        return self._make(loaded)

    def tombstone(self, key: Key) -> Values:
        """Return the values of a row that is not there: its key, and values nobody reads."""
        values = list(self._tombstone)
        for place, value in zip(self._places, key, strict=True):
            values[place] = value
        return tuple(values)


def _key_reader(places: Sequence[int]) -> Callable[[Values], Key]:
    """Return the function that reads the key, whose columns stand at these places, from stored values."""
    if len(places) == 1:
        [place] = places
        return lambda values: (values[place],)
    return itemgetter(*places)


def _maker(row: type, names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    if is_pydantic(row):
        # What is in the table was checked on its way there; members may have another name towards JSON.
        return lambda values: row.model_construct(**dict(zip(names, values, strict=True)))  # type: ignore[attr-defined]
    if dataclasses.is_dataclass(row):
        left_out = [field.name for field in dataclasses.fields(row) if not field.init]
        if left_out:
            raise DeclarationError(f"{row.__qualname__}.{left_out[0]}: a column must be a parameter of the constructor")
    if getattr(row, "__match_args__", ())[: len(names)] == tuple(names):
        return lambda values: row(*values)
    return lambda values: row(**dict(zip(names, values, strict=True)))
