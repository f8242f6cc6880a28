"""The only place where an event of one version becomes one of another. What was written stays as it is.

Whoever reads says once which versions it has classes for (`Reader`); the way from each other version is composed then.
Reading what is current costs nothing: whoever reads has a decoder for that already, and asks here for what it has not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from tidings.errors import InvalidDataError, TransformError
from tidings.events.codec import Decoder, encode_json, to_bytes
from tidings.events.envelope import AdaptedEnvelope, AttributeValue, Entry, Envelope
from tidings.versions.lineage import Data, Lineage, Step, Written
from tidings.versions.schemas import names_in

_members = msgspec.json.Decoder().decode


class Adapted(msgspec.Struct, frozen=True, gc=False):
    """The event as the reader's class of `version`. `stored`: what was written; `data`: what became of its data, None
    if that stayed as it is."""

    event: Any
    version: int
    stored: Envelope
    data: bytes | None = None

    @property
    def envelope(self) -> Envelope:
        """The envelope as the reader sees it. Made when it is asked for: no fold does."""
        return self.stored if self.data is None else _seen(self.stored, self.version, self.data)


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """No way leads from the version to one that the reader has: that is no failure, and nothing may be set aside.

    `accepts`: the versions that it reads. `why`: one sentence that says what to do.
    """

    type: str
    version: int
    accepts: tuple[int, ...]
    why: str


class Way(msgspec.Struct, frozen=True):
    """The steps to one of a reader's versions. `read`: these and its decoder as one function, made once, which returns
    the event, and what became of its data, None if that stayed as it is."""

    type: str
    version: int
    steps: tuple[Step, ...]
    read: Callable[[Envelope], tuple[Any, bytes | None]]


def _reading(
    steps: tuple[Step, ...], version: int, decoder: Decoder[Any], names: frozenset[str] | None
) -> Callable[[Envelope], tuple[Any, bytes | None]]:
    """Return what reads an envelope by these steps. `names`: the members that the version has, None if not told.

    Whatever fails is done again, slowly, to say what failed.
    """
    functions = [function for function in map(_bare, steps) if function is not None]
    parse, write = decoder.bare, to_bytes

    def as_it_is(envelope: Envelope) -> tuple[Any, None]:
        return decoder.decode(b"{}" if envelope.data is None else envelope.data), None

    def slowly(envelope: Envelope) -> tuple[Any, bytes]:
        data = encode_json(_brought(envelope, steps, names, version))
        try:
            event = decoder.decode(data)
        except InvalidDataError as error:
            raise _other_data(envelope, steps, version, str(error), error.errors) from error
        return event, data

    def quickly(envelope: Envelope) -> tuple[Any, bytes]:
        try:
            made = _members(envelope.data)  # type: ignore[arg-type]  # None fails, too
            for function in functions:
                if type(made) is not dict:
                    return slowly(envelope)
                made = function(made)
            if type(made) is dict and (names is None or names >= made.keys()):
                data = write(made)
                return parse(data), data
        except BaseException:  # noqa: S110 - steps are an author's, and pure: they fail again where it is said how
            pass
        return slowly(envelope)

    if not steps:
        return as_it_is
    return quickly if len(functions) == len(steps) else slowly


def _bare(step: Step) -> Callable[[Data], Data] | None:
    """Return a step as a function of the data alone; None if it is one of the envelope, too."""
    if isinstance(step, Written):
        return None if step.transformer.takes_fixed else step.transformer.function
    keeps = step.keeps
    if len(keeps) == 1:
        return keeps[0]

    def kept(data: Data) -> Data:
        for keep in keeps:
            data = keep(data)
        return data

    return kept


class Reader:
    """What one reader accepts: `natives` are the versions that it has a class for, by type."""

    def __init__(self, lineages: Mapping[str, Lineage], natives: Mapping[str, Collection[int]]) -> None:
        self._lineages = lineages
        self._natives = {type: tuple(sorted(versions)) for type, versions in natives.items()}
        self._ways: dict[tuple[str, int], Way | Unreadable] = {}
        self._missing: dict[tuple[str, int], int] = {}

    def adapted(self, envelope: Envelope) -> Adapted | Unreadable:
        """Return the event as this reader has a class for it; see `adapt`."""
        way = self._ways.get((envelope.type, envelope.version))
        if way is None or type(way) is Unreadable:
            way = self.way(envelope.type, envelope.version)
        if isinstance(way, Unreadable):
            return way
        event, data = way.read(envelope)
        return Adapted(event, way.version, envelope, data)

    def way(self, type: str, version: int) -> Way | Unreadable:
        """Return the way that is composed for a version, once."""
        found = self._ways.get((type, version))
        if found is None or ((type, version) in self._missing and self._has_learned(type, version)):
            found = self._ways[type, version] = self._composed(type, version)
        return found

    def _has_learned(self, type: str, version: int) -> bool:
        """Say whether the version became known since no way was found to it."""
        lineage = self._lineages.get(type)
        return lineage is not None and self._missing[type, version] != len(lineage.told)

    def accepts(self, type: str) -> tuple[int, ...]:
        """Return the versions of a type that are read."""
        lineage, natives = self._lineages.get(type), self._natives.get(type, ())
        if lineage is None:
            return ()
        return tuple(version for version in lineage.versions if _target(lineage, natives, version) is not None)

    def _composed(self, type: str, version: int) -> Way | Unreadable:
        lineage, natives = self._lineages.get(type), self._natives.get(type, ())
        found = None if lineage is None else _target(lineage, natives, version)
        if lineage is not None and found is not None:
            self._missing.pop((type, version), None)
            return _way(lineage, *found)
        self._missing[type, version] = 0 if lineage is None else len(lineage.told)
        accepts = self.accepts(type)
        there = ", ".join(map(str, accepts)) or "none"
        why = (
            f"{type} version {version} cannot be read here, where {there} can: run a release that has a class for it, "
            "or steps that lead to one"
        )
        return Unreadable(type, version, accepts, why)


def adapt(entry: Entry, accepts: Reader) -> Adapted | Unreadable:
    """Return the event as its reader has a class for it.

    The version itself if the reader has it; else the nearest higher one that upcasters lead to; else the highest that
    reads it as it is. TransformError if a step fails or returns other data; InvalidDataError if the stored data does
    not fit its own version.
    """
    return accepts.adapted(entry.envelope)


def adapted(envelope: Envelope, accepts: Reader) -> Adapted | Unreadable:
    """As `adapt`, for an envelope that has no place in the log yet."""
    return accepts.adapted(envelope)


def serve(entry: Entry, version: int, lineages: Mapping[str, Lineage]) -> Envelope | Unreadable:
    """Return the envelope of an entry as a reader outside is told it in `version`: as it was stored if it is of that.

    TransformError if a step fails, or its data does not fit the version; InvalidDataError if the stored data does not.
    """
    envelope = entry.envelope
    if envelope.version == version:
        return envelope
    lineage = lineages.get(envelope.type)
    steps = None if lineage is None else lineage.path(envelope.version, version)
    if lineage is None or steps is None:
        why = (
            f"no steps lead from {envelope.type} version {envelope.version} to {version}: declare the steps between "
            f"them, each with @{'up' if version > envelope.version else 'down'}caster"
        )
        return Unreadable(envelope.type, envelope.version, (version,), why)
    schema = lineage.schema(version)
    names = None if schema is None else names_in(schema)
    data = encode_json(_brought(envelope, steps, names, version))
    found = lineage.problems(version, data)
    if found:
        why = "; ".join(f"{at}: {why}" if at else why for at, why in found[:5])
        raise _other_data(envelope, steps, version, why, found)
    return _seen(envelope, version, data)


def _target(lineage: Lineage, natives: Sequence[int], version: int) -> tuple[int, tuple[Step, ...]] | None:
    """Return the version that a reader of these reads another one as, and the steps that lead to it."""
    if version in natives:
        return version, ()
    for native in (each for each in natives if each > version):
        steps = lineage.path(version, native)
        if steps is not None:
            return native, steps
    for native in reversed(natives):
        step = lineage.tolerance(version, native)
        if step is not None:
            return native, (step,)
    return None


def _brought(envelope: Envelope, steps: tuple[Step, ...], names: frozenset[str] | None, version: int) -> Data:
    data = _data_of(envelope)
    for step in steps:
        data = step(data, envelope)
    if names is not None and not data.keys() <= names:
        strange = ", ".join(sorted(str(name) for name in data.keys() - names)[:5])
        raise _other_data(envelope, steps, version, f"it does not declare {strange}")
    return data


def _data_of(envelope: Envelope) -> Data:
    try:
        data = {} if envelope.data is None else _members(envelope.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = f"the data of {envelope.type} version {envelope.version} is no JSON: {error}"
        raise InvalidDataError(why, errors=[("", str(error))]) from error
    if type(data) is not dict:
        why = f"the data of {envelope.type} version {envelope.version} is no object"
        raise InvalidDataError(why, errors=[("", "expected an object")])
    return data


def _other_data(
    envelope: Envelope, steps: Sequence[Step], version: int, why: str, errors: Sequence[tuple[str, str]] = ()
) -> InvalidDataError | TransformError:
    """Return the error for what does not fit. Where all steps follow from the schemas, the data itself is at fault."""
    told = f"{envelope.type} version {envelope.version}, brought to version {version}, is not what that is"
    place = f"event {envelope.source!r} {envelope.id!r}"
    written = [step for step in steps if isinstance(step, Written)]
    if not written:
        return InvalidDataError(f"{place}: {told}: {why}", errors=errors)
    text = f"{place}: {told}: {why}; correct {written[-1].transformer}, then redrive the subject"
    return TransformError(text, errors=errors)


def _seen(envelope: Envelope, version: int, data: bytes) -> Envelope:
    return AdaptedEnvelope(
        id=envelope.id,
        source=envelope.source,
        type=envelope.type,
        version=version,
        subject=envelope.subject,
        time=envelope.time,
        time_stamped=envelope.time_stamped,
        attributes=_attributes_in(envelope, version),
        data=data,
        written=envelope.version,
    )


def _attributes_in(envelope: Envelope, version: int) -> Mapping[str, AttributeValue]:
    """Return the attributes with the schema of this version, as far as its address follows from that of the stored one.

    Addresses of schemas end in `/TYPE/VERSION`; one that does not says nothing of another version, and is left out.
    """
    schema = envelope.attributes.get("dataschema")
    if schema is None:
        return envelope.attributes
    others = {name: value for name, value in envelope.attributes.items() if name != "dataschema"}
    end = f"/{envelope.type}/{envelope.version}"
    if not isinstance(schema, str) or not schema.endswith(end):
        return others
    return {**others, "dataschema": f"{schema.removesuffix(end)}/{envelope.type}/{version}"}


def _way(lineage: Lineage, version: int, steps: tuple[Step, ...]) -> Way:
    names = None
    if steps:
        schema = lineage.schema(version)
        names = None if schema is None else names_in(schema)
    decoder: Decoder[Any] = Decoder(lineage.natives[version].cls)
    return Way(lineage.type, version, steps, _reading(steps, version, decoder, names))
