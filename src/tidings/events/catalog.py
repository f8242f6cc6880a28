"""Every event type and version an application knows: the door for events that come in or are made here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from tidings.errors import DeclarationError, InvalidDataError, UnknownTypeError
from tidings.events.agreeing import check_content, from_nothing, read_back, subject_in, subject_of
from tidings.events.codec import Decoder, encode_json
from tidings.events.declaration import Declared, check_subject_type, declared, declared_instance, is_pydantic
from tidings.events.envelope import NO_ATTRIBUTES, AttributeValue, Envelope
from tidings.events.gates import ALL_OPEN, Gates
from tidings.events.media import JSON
from tidings.events.rules import DATA_BYTES_MAX, TIME_AHEAD_MAX, check_ahead, check_size, checked
from tidings.events.timestamp import time_text
from tidings.events.whole import PLACES_MAX, TOO_LONG, declares_any, may_be_too_long, too_long, with_limits
from tidings.wording import absent

_JSON_ATTRIBUTES: Mapping[str, AttributeValue] = {"datacontenttype": JSON}


class Older(Protocol):
    """A version that has no class here, only steps that lead to the class of another."""

    @property
    def declared(self) -> Declared:
        """What is declared of the version that it is read as."""

    def read(self, envelope: Envelope) -> Any:
        """Return the event as that class; InvalidDataError, TransformError."""

    def admit(self, envelope: Envelope) -> Any | None:
        """Return the same for one from outside; None for data that is valid, and that a step fails on."""


NONE_OLDER: Mapping[tuple[str, int], Older] = MappingProxyType({})


class _Door:
    """How the events of one version of a type come in: as its class, or by `older` as the class of another."""

    __slots__ = ("decode", "found", "has_whole", "older")

    def __init__(self, found: Declared, older: Older | None = None) -> None:
        self.found = found
        self.older = older
        self.decode: Callable[[bytes], Any] = Decoder(found.cls).decode
        self.has_whole: bool | None = None  # whether the class declares whole numbers; None: nobody has looked yet


class Catalog:
    """The declared event classes, by (type, version); `older`: the versions that are read as one of these.

    `gates`: which versions may be appended.
    `data_bytes_max` limits an event's data, `time_ahead_max` how many seconds ahead the time of one from outside may
    lie. DeclarationError if two classes claim one (type, version), or if one of them cannot be read from JSON.
    """

    def __init__(
        self,
        classes: Iterable[type],
        *,
        older: Mapping[tuple[str, int], Older] = NONE_OLDER,
        gates: Gates = ALL_OPEN,
        data_bytes_max: int = DATA_BYTES_MAX,
        time_ahead_max: float = TIME_AHEAD_MAX,
    ) -> None:
        self._older = older
        self._gates = gates
        self._time_ahead_max = time_ahead_max
        self._data_bytes_max = data_bytes_max
        self._stamped = 0
        self._known: dict[tuple[str, int], Declared] = {}
        for cls in classes:
            found = declared(cls)
            other = self._known.setdefault((found.type, found.version), found)
            if other.cls is not found.cls:
                raise DeclarationError(
                    f"{_place(other.cls)} and {_place(found.cls)} are both declared as {found.type} version "
                    f"{found.version}: give one of them another type or version"
                )
            check_subject_type(found)
        self._newest = dict(sorted(self._known))
        self._doors = {key: _Door(found) for key, found in self._known.items()}
        self._doors |= {key: _Door(each.declared, each) for key, each in older.items()}

    def types(self) -> tuple[tuple[str, int], ...]:
        """Return every (type, version) that has a class, sorted."""
        return tuple(sorted(self._known))

    def newest(self, type: str) -> int:
        """Return the type's highest declared version; 1 if the type is unknown, for `admit` to say so."""
        return self._newest.get(type, 1)

    def older(self) -> tuple[tuple[str, int], ...]:
        """Return every (type, version) that has none and is read all the same, sorted."""
        return tuple(sorted(self._older))

    def known(self, type: str, version: int) -> Declared:
        """Return what is declared for this version of the type, or for the one that it is read as.

        UnknownTypeError, with what there is, if nothing is."""
        return self._door(type, version).found

    def decode(self, envelope: Envelope) -> Any:
        """Return the event in the envelope, an instance of its declared class, or of the one that it is read as.

        UnknownTypeError; TransformError if a step to that fails; InvalidDataError, with the JSON pointer of the
        member, if the data does not fit the class.
        """
        door = self._doors.get((envelope.type, envelope.version)) or self._door(envelope.type, envelope.version)
        if door.older is not None:
            return door.older.read(envelope)
        data = envelope.data
        return from_nothing(door.decode) if data is None else door.decode(data)

    def admit(self, envelope: Envelope, *, now_us: int) -> Envelope:
        """Return an envelope from outside as it may be kept: every rule holds, and its data fits the declared class.

        A missing subject is taken from the member that names it, a missing time is stamped with `now_us` (microseconds
        since 1970). EnvelopeError, MalformedError (data that is no JSON), UnknownTypeError, InvalidDataError;
        VersionNotOpenError.
        """
        checked(envelope, data_bytes_max=self._data_bytes_max)
        return self._admitted(envelope, now_us=now_us)

    def admit_read(self, envelope: Envelope, *, now_us: int) -> Envelope:
        """Return what `admit` does, of one whose attributes were held to the rules while each was read."""
        check_size(envelope.data, self._data_bytes_max)
        return self._admitted(envelope, now_us=now_us)

    def _admitted(self, envelope: Envelope, *, now_us: int) -> Envelope:
        if envelope.time is not None:
            check_ahead(envelope.time, now_us=now_us, seconds=self._time_ahead_max)
        self._gates.check(envelope)
        door = self._doors.get((envelope.type, envelope.version)) or self._door(envelope.type, envelope.version)
        if envelope.data is not None:
            check_content(envelope)
        if door.older is not None:
            event = door.older.admit(envelope)
        else:
            event = self.decode(envelope) if envelope.data is None else door.decode(envelope.data)
        if event is not None and envelope.data is not None:
            self._check_whole(door, event, envelope.data)
        subject = envelope.subject if event is None else subject_in(door.found, envelope, event)
        if subject == envelope.subject and envelope.time is not None:
            return envelope
        return Envelope(
            id=envelope.id,
            source=envelope.source,
            type=envelope.type,
            version=envelope.version,
            subject=subject,
            time=self._stamp(now_us) if envelope.time is None else envelope.time,
            time_stamped=envelope.time_stamped or envelope.time is None,
            attributes=envelope.attributes,
            data=envelope.data,
        )

    def check_time(self, time: str, *, now_us: int) -> None:
        """Refuse, as EnvelopeError, a time that lies further ahead of `now_us` than an event from outside may."""
        check_ahead(time, now_us=now_us, seconds=self._time_ahead_max)

    def envelope(
        self,
        event: Any,
        *,
        id: str,
        source: str,
        now_us: int,
        time: str | None = None,
        attributes: Mapping[str, AttributeValue] = NO_ATTRIBUTES,
    ) -> Envelope:
        """Return the envelope of an event made here; its data is compact JSON, its time `now_us` unless one is given.

        DeclarationError if its class is not declared, UnknownTypeError if it is not of this catalog; EnvelopeError and
        InvalidDataError as in `admit`. It is of an older version if that of its class is not open; VersionNotOpenError
        if none of those is.
        """
        found = declared_instance(event)
        door = self._door(found.type, found.version)
        if door.older is not None or door.found.cls is not found.cls:
            raise DeclarationError(f"{_place(found.cls)} is not the class that this application knows as {found.type}")
        data = encode_json(event)
        read = read_back(event, data, door.decode)
        self._check_whole(door, read, data)
        made = Envelope(
            id=id,
            source=source,
            type=found.type,
            version=found.version,
            subject=None if found.subject is None else subject_of(found, read),
            time=self._stamp(now_us) if time is None else time,
            time_stamped=time is None,
            attributes={**attributes, "datacontenttype": JSON} if attributes else _JSON_ATTRIBUTES,
            data=data,
        )
        return self._gates.admit(checked(made, data_bytes_max=self._data_bytes_max))

    def json_schema(self, type: str, version: int) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of the data of this version of the type; references stay inside of it.

        It says what is read; a member whose class says nothing about its form may be any value.
        """
        cls: Any = self.known(type, version).cls
        try:
            made = cls.model_json_schema() if is_pydantic(cls) else msgspec.json.schema(cls, schema_hook=_any_value)
        except TypeError as error:
            raise DeclarationError(f"{_place(cls)} has no JSON Schema: {error}") from error
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **with_limits(made)}

    def _door(self, type: str, version: int) -> _Door:
        door = self._doors.get((type, version))
        if door is None:
            raise self._unknown(type, version)
        return door

    def _check_whole(self, door: _Door, event: Any, data: bytes) -> None:
        """Refuse a declared whole number that no column holds; `data`: what the event was read from."""
        found = door.found
        if door.has_whole is None:
            door.has_whole = declares_any(self.json_schema(found.type, found.version))
        if not door.has_whole or not may_be_too_long(data):
            return
        places = too_long(self.json_schema(found.type, found.version), msgspec.json.decode(encode_json(event)))
        if places:
            raise InvalidDataError(f"{places[0]}: {TOO_LONG}", errors=[(at, TOO_LONG) for at in places[:PLACES_MAX]])

    def _stamp(self, now_us: int) -> str:
        """Return the text of a time for an event that says none: now, but later than those stamped before.

        Views fold by time, so of two events that came one after the other the second must win, though the clock was set
        back between them, or did not move.
        """
        self._stamped = max(now_us, self._stamped + 1)
        return time_text(self._stamped)

    def _unknown(self, type: str, version: int) -> UnknownTypeError:
        versions = [str(known) for name, known in sorted({*self._known, *self._older}) if name == type]
        if versions:
            why = absent("version", str(version), versions, of=type)
            return UnknownTypeError(why, errors=[("/dataversion", why)])
        why = absent("event type", type, {name for name, _ in self._known})
        return UnknownTypeError(why, errors=[("/type", why)])


def _any_value(_: type) -> dict[str, Any]:
    return {"description": "any value"}


def _place(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
