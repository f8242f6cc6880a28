"""States of items as the copy keeps them: read into the view's class, hashed, made rows of its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from struct import Struct
from typing import Any, Protocol

import msgspec

from tidings.reconciliation.kept.coding import Mirrored, key_place, place_key
from tidings.reconciliation.listing import Row, Snapshot
from tidings.reconciliation.rules.facts import Capability, ProviderFacts
from tidings.reconciliation.rules.places import OrderKey, Place, place
from tidings.store.rows import Key
from tidings.views.columns import forms_of
from tidings.views.declaration import ViewSpec
from tidings.views.values import RowCodec, Values

_signed: Callable[[bytes], tuple[int]] = Struct(">q").unpack
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_convert = msgspec.convert
_encoder = msgspec.json.Encoder(order="sorted")
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines
_PUT = Mirrored.content(0)[:1]


class _Begun(dict[int, Callable[[], blake2b]]):
    """Begins the hash of a key of so many bytes, and of its state: with the secret's block hashed already, once."""

    def __init__(self, secret: bytes) -> None:
        super().__init__()
        self._secret = secret

    def __missing__(self, length: int) -> Callable[[], blake2b]:
        begun = blake2b(key=self._secret, digest_size=8)
        begun.update(length.to_bytes(4))
        self[length] = begun.copy
        return begun.copy


class UnreadableError(ValueError):
    """A state that the copy cannot hold."""


class Copied(msgspec.Struct, frozen=True, gc=False):
    """One state. `hash`: of it and its key, keyed, so that nobody can make two states look alike. `version`: the start
    of its tick, µs since 1970; None if it has none, or one that cannot be yet."""

    key: str
    place: Place
    at: bytes
    hash: int
    version: int | None
    row: Row


class Copies(Protocol):
    """Reads rows as they are compared."""

    def listed(self, row: Row, *, latest: int) -> Copied:
        """Return a row of a list as it would be held here. `latest`: see `ReadOf`. UnreadableError."""

    def contents(self, rows: Sequence[Row]) -> list[bytes]:
        """Return what is kept of these rows if they are as they would be held, see `Mirrored.content`.
        UnreadableError."""


class Copying:
    """Makes copies of states for one view. `secret`: of the scope."""

    def __init__(self, view: ViewSpec, facts: ProviderFacts, secret: bytes) -> None:
        forms = forms_of(view.row)
        self._row = view.row
        self._rows: Any = list[view.row]  # type: ignore[name-defined]
        self._codec = RowCodec(view.row, view.columns, tuple(forms.values()), view.key)
        self._values, self._stored = self._codec.values, self._codec.stored
        self._names = [column.name for column in view.columns]
        self._key_place = self._names.index(view.key[0])
        self._is_int = len(view.key) == 1 and forms[view.key[0]].kind == "integer"
        self._tick = facts.tick_us
        self._is_versioned = facts.capability is Capability.VERSIONED
        self._begun = _Begun(secret)

    def listed(self, row: Row, *, latest: int) -> Copied:
        """Return a row of a list as the copy would hold it. `latest`: see `ReadOf`. UnreadableError."""
        _, hash = self._state(row.key, row.state)
        version = None if row.version is None else self._moment(row.key, row.version)
        if self._is_versioned and version is None:
            raise UnreadableError(f"{row.key!r:.80} has no version")
        if version is not None and version > latest:  # it would win until then, whatever happens meanwhile
            version = None
        at: Place = (row.key,) if row.order is None else place(row.order)
        return Copied(row.key, at, place_key(at), hash, version, row)

    def contents(self, rows: Sequence[Row]) -> list[bytes]:
        """Return what the mirror keeps of these states if it holds them, see `Mirrored.content`: all at once, which
        costs a fifth of one by one.

        Whether the copy can hold a state is asked only as far as it could be equal to one that it holds.
        UnreadableError if one of them has no version, or is of another form.
        """
        versions: list[Any] = [row.version for row in rows]
        dated = versions if self._is_versioned else [each for each in versions if each is not None]
        hashed = []
        try:
            max([_EPOCH, *dated])  # raises of one that cannot be compared: it is no time with an offset
            made = _convert([row.state for row in rows], self._rows, strict=False)
            lines = _encode_lines(made).split(b"\n")
            names = [row.key.encode() for row in rows]
            begins = map(self._begun.__getitem__, map(len, names))
            for begin, name, line in zip(begins, names, lines[:-1], strict=True):
                digest = begin()
                digest.update(name + line)
                hashed.append(_PUT + digest.digest())
        except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as error:
            raise UnreadableError(f"one of {len(rows)} rows: {error}") from error
        return hashed

    def told(self, snapshot: Snapshot, *, at: int) -> tuple[Values, int, int]:
        """Return the values, the hash and the tick of what an event says. `at`: when it happened. UnreadableError."""
        when = at // self._tick * self._tick if snapshot.at is None else self._moment(snapshot.key, snapshot.at)
        if snapshot.state is None:
            return self.tombstone(snapshot.key), 0, when
        values, hash = self._state(snapshot.key, snapshot.state)
        return values, hash, when

    def tombstone(self, key: str) -> Values:
        """Return the values of an item that is gone."""
        return self._codec.tombstone(self._key(key))

    def key_of(self, key: str) -> Key:
        """Return the key of an item's row."""
        return self._key(key)

    def differing(self, here: Values, copy: Copied) -> list[tuple[str, Any, Any]]:
        """Return the members in which a row differs from an item that was listed: name, value here, value there."""
        there = self._values(_convert(copy.row.state, self._row, strict=False))
        stored, loaded = self._stored(there), self._values(self._codec.load(here))
        places = [place for place, value in enumerate(stored) if value != here[place]]
        return [(self._names[place], loaded[place], there[place]) for place in places]

    def _moment(self, key: str, version: datetime) -> int:
        """Return the start of the tick of a time, µs since 1970."""
        try:
            since = version - _EPOCH
        except TypeError as error:  # without an offset nobody knows which moment it is, nor of a number
            raise UnreadableError(f"{key!r:.80}: its version is no time with an offset: {error}") from error
        micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return micros // self._tick * self._tick

    def _key(self, key: str) -> Key:
        return (int(key) if self._is_int else key,)

    def _state(self, key: str, state: Mapping[str, Any]) -> tuple[Values, int]:
        try:
            made: Any = _convert(state, self._row, strict=False)
            values = self._stored(self._values(made))
            said = int(key) if self._is_int else key
        except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as error:
            raise UnreadableError(f"{key!r:.80}: {error}") from error
        if values[self._key_place] != said:
            raise UnreadableError(f"{key!r:.80}: its state has the key {values[self._key_place]!r:.80}")
        name = key.encode()
        digest = self._begun[len(name)]()
        digest.update(name + _encode(made))
        return values, _signed(digest.digest())[0]


@dataclass(frozen=True, slots=True)
class Told:
    """The rows of a page. `unreadable`: those that the copy cannot hold, by place, and `why` the first one; `gone`:
    those listed as deleted."""

    copies: Sequence[Copied]
    unreadable: Mapping[bytes, str]
    gone: Sequence[str]
    why: str = ""


def listed(copies: Copies, row: Row, *, latest: int) -> Copied:
    """Return a row as it is compared. `latest`: see `ReadOf`. UnreadableError, also if its adapter could make none."""
    if row.unreadable:
        raise UnreadableError(f"{row.key!r:.80}: {row.unreadable}")
    return copies.listed(row, latest=latest)


def copied(copies_of: Copies, rows: Sequence[Row], *, latest: int) -> Told:
    """Return rows as the copy would hold them. `latest`: see `ReadOf`."""
    copies: list[Copied] = []
    unreadable: dict[bytes, str] = {}
    why = ""
    for row in rows:
        if row.gone:
            continue
        try:
            copies.append(listed(copies_of, row, latest=latest))
        except UnreadableError as error:
            why = why or str(error)
            unreadable[place_key(place(row.key if row.order is None else row.order))] = row.key
    return Told(copies, unreadable, [row.key for row in rows if row.gone], why)


def stood(rows: Sequence[Row], known: Mapping[str, bytes]) -> Sequence[Row]:
    """Return rows with their items where those are known to stand: one that has moved is the one that it was."""
    return [replace(row, order=key_place(known[row.key])) if row.key in known else row for row in rows]


def placed(rows: Sequence[Row], known: Mapping[str, bytes]) -> Sequence[Row]:
    """Return rows with those where they are known to stand of which no more is to be said than their keys."""
    lost = {row.key for row in rows if row.unreadable and row.order is None}
    return stood(rows, {key: at for key, at in known.items() if key in lost}) if lost else rows


def order_of(snapshot: Snapshot, *, by_key: bool) -> OrderKey | None:
    """Return where an event's item stands; None if that is not known of it."""
    return snapshot.key if by_key and snapshot.order is None else snapshot.order
