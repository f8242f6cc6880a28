"""All versions of one event type that a program knows, and which step leads from each to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tidings.errors import DeclarationError, InvalidDataError, TransformError
from tidings.events.codec import Decoder, encode_json
from tidings.events.declaration import Declared, declared
from tidings.events.envelope import Envelope
from tidings.events.transformers import Transformer, fixed_of, transformers_of
from tidings.versions.engine import Answer, Schema, problems
from tidings.versions.keeping import Keep, keeping
from tidings.versions.schemas import schema_of

Data = dict[str, Any]

_members = msgspec.json.Decoder().decode
_sorted = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Written:
    """A step that its author wrote."""

    transformer: Transformer

    def __call__(self, data: Data, envelope: Envelope) -> Data:
        """Return the next version's data. TransformError for whatever the author's function does but return a dict."""
        step = self.transformer
        try:
            made = step.function(data, fixed_of(envelope)) if step.takes_fixed else step.function(data)
        except BaseException as error:  # an exit, too: a step has nothing to end but itself
            raise TransformError(
                f"{step}, which leads {step.type} from version {step.from_version} to {step.to_version}, failed on "
                f"event {envelope.source!r} {envelope.id!r} with {type(error).__name__}: {error}; correct it, then "
                "redrive the subject"
            ) from error
        if type(made) is not dict:
            raise TransformError(
                f"{step} returned {made!r:.100} for event {envelope.source!r} {envelope.id!r}: have it return the data "
                f"of {step.type} version {step.to_version} as a dict, then redrive the subject"
            )
        return made


@dataclass(frozen=True, slots=True)
class Derived:
    """A step that follows from the schemas: members that they do not declare are left out."""

    from_version: int
    to_version: int
    keeps: tuple[Keep, ...]

    def __call__(self, data: Data, envelope: Envelope) -> Data:
        for keep in self.keeps:
            data = keep(data)
        return data


Step = Written | Derived


class Lineage:
    """One type's versions. `natives`: those with a class here; `schemas`: those that the lock file tells of."""

    def __init__(self, type: str, natives: Iterable[Declared], schemas: Mapping[int, Schema] | None = None) -> None:
        self.type = type
        self.natives: dict[int, Declared] = {each.version: each for each in natives}
        self.told: dict[int, Schema] = dict(schemas or {})
        made = [step for each in self.natives.values() for step in transformers_of(each.cls)]
        self.transformers: tuple[Transformer, ...] = tuple(made)
        self.semantic = frozenset(each.version for each in self.natives.values() if each.semantic_change)
        self._schemas: dict[int, Schema | None] = {}
        self._verdicts: dict[tuple[int, int], Answer] = {}
        self._steps: dict[tuple[int, int], Step | None] = {}
        self._decoders: dict[int, Decoder[Any]] = {}

    @property
    def newest(self) -> int:
        """The highest version that is declared."""
        return max((*self.natives, *self.told))

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version that there is: a class, a schema, or a step that begins or ends there."""
        ends = (end for each in self.transformers for end in each.edge)
        return tuple(sorted({*self.natives, *self.told, *(end for end in ends if 1 <= end <= self.newest)}))

    def learn(self, schemas: Mapping[int, Schema], *, semantic: Iterable[int] = ()) -> bool:
        """Be told of versions that others registered meanwhile; say whether one of them is new here.

        `semantic`: those at which the meaning changed.
        """
        new = {version: schema for version, schema in schemas.items() if version not in {*self.natives, *self.told}}
        self.told |= new
        self.semantic |= {version for version in semantic if version in new}
        for version in new:
            self._schemas.pop(version, None)
        if new:
            self._verdicts = {edge: answer for edge, answer in self._verdicts.items() if not {*edge} & {*new}}
            self._steps = {edge: step for edge, step in self._steps.items() if not {*edge} & {*new}}
        return bool(new)

    def schema(self, version: int) -> Schema | None:
        """Return the schema of a version; None if nothing tells it."""
        if version not in self._schemas:
            native = self.natives.get(version)
            self._schemas[version] = self.told.get(version) if native is None else _schema_or_none(native)
        return self._schemas[version]

    def problems(self, version: int, data: bytes) -> Sequence[tuple[str, str]]:
        """Return what is wrong with data of a version: a JSON pointer and a sentence each. Its class says that, else
        its schema; where nothing tells of the version, nothing is."""
        native = self.natives.get(version)
        if native is not None:
            return self._refused_by(native, data)
        schema = self.schema(version)
        return [] if schema is None else problems(schema, data)

    def whole(self, version: int, data: bytes) -> bytes:
        """Return data with what its class fills in where it is not told, and all members sorted. InvalidDataError.

        Of a version without a class its schema says that of the outermost members alone."""
        members = _members(data)
        if type(members) is dict:
            members = self._filled(version, data) | members
        return _sorted(members)

    def _filled(self, version: int, data: bytes) -> Data:
        native = self.natives.get(version)
        if native is not None:
            filled: Data = _members(encode_json(self._decoder(native).decode(data)))
            return filled
        properties = (self.schema(version) or {}).get("properties", {})
        return {name: each["default"] for name, each in properties.items() if "default" in each}

    def _refused_by(self, native: Declared, data: bytes) -> Sequence[tuple[str, str]]:
        try:
            self._decoder(native).decode(data)
        except InvalidDataError as error:
            return error.errors
        return ()

    def _decoder(self, native: Declared) -> Decoder[Any]:
        if native.version not in self._decoders:
            self._decoders[native.version] = Decoder(native.cls)
        return self._decoders[native.version]

    def reads(self, reader: int, writer: int) -> Answer:
        """Say whether the one version's class reads what the other one's writes, as the codec does; `unknown` is no."""
        if (reader, writer) not in self._verdicts:
            self._verdicts[reader, writer] = self._judged(reader, writer)
        return self._verdicts[reader, writer]

    def step(self, of: int, to: int) -> Step | None:
        """Return the step between two neighbours, the author's or one that follows; None if there is none."""
        if (of, to) not in self._steps:
            found = next((each for each in self.transformers if each.edge == (of, to)), None)
            self._steps[of, to] = self._derived(of, to) if found is None else Written(found)
        return self._steps[of, to]

    def path(self, of: int, to: int) -> tuple[Step, ...] | None:
        """Return the steps from one version to another, one after the other; None if one of them is missing."""
        by = 1 if to > of else -1
        found = []
        for version in range(of, to, by):
            step = self.step(version, version + by)
            if step is None:
                return None
            found.append(step)
        return tuple(found)

    def tolerance(self, of: int, native: int) -> Step | None:
        """Return the step after which a version's data is read by the class of another, not neighbouring one."""
        if self.is_redefined(of, native) or self.reads(native, of) != "yes":
            return None
        own, target = self.schema(of), self.schema(native)
        assert own is not None
        assert target is not None
        return Derived(of, native, (keeping(own), keeping(target)))

    def is_redefined(self, of: int, to: int) -> bool:
        """Say whether the meaning changed somewhere between two versions, so that nothing follows from the shape."""
        low, high = sorted((of, to))
        return any(low < version <= high for version in self.semantic)

    def _derived(self, of: int, to: int) -> Step | None:
        if self.is_redefined(of, to) or self.reads(to, of) != "yes":
            return None
        own, target = self.schema(of), self.schema(to)
        assert own is not None
        assert target is not None
        return Derived(of, to, (keeping(own), keeping(target)))

    def _judged(self, reader: int, writer: int) -> Answer:
        taken, written = self.schema(reader), self.schema(writer)
        if taken is None or written is None:
            return "unknown"
        from tidings.versions.verdict import judge  # only where versions meet: the engine takes time to import

        try:
            return judge(taken, written).answer
        except DeclarationError:
            return "unknown"


def lineages_of(classes: Iterable[type], told: Mapping[str, Mapping[int, Schema]] | None = None) -> dict[str, Lineage]:
    """Return the lineage of each type that the classes declare. `told`: by type and version, what a lock file has."""
    found: dict[str, list[Declared]] = {}
    for cls in classes:
        each = declared(cls)
        found.setdefault(each.type, []).append(each)
    return {type: Lineage(type, natives, (told or {}).get(type)) for type, natives in found.items()}


def _schema_or_none(native: Declared) -> Schema | None:
    try:
        return schema_of(native.cls)
    except DeclarationError:
        return None
