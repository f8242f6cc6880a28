"""What is said with each event that is shown: where its schema is, and whether its version ends. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from tidings.events.envelope import AttributeValue, Entry, Envelope
from tidings.versions.ending import Endings
from tidings.versions.gates import Gates

DATASCHEMA = "dataschema"
_SAID = ("deprecated", "deprecationfrom", "deprecationsunset", "deprecationmigration")


def schema_uri(base: str, type: str, version: int) -> str:
    """Return where the schema of a version is. `base`: where the API is served, without a slash at its end.

    An absolute base makes an absolute URI; a path, or nothing, a reference that is resolved by who reads it.
    """
    return f"{base}/schemas/{type}/{version}"


@dataclass(frozen=True, slots=True)
class Marks:
    """`schemas`: URIs of those that are registered; none where nobody says where the API is."""

    endings: Endings = field(default_factory=dict)
    schemas: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.endings or self.schemas)

    def on(self, entry: Entry) -> Entry:
        """Return an entry as it is shown: with what its publisher left out; what it says stays. Nothing of it is kept.

        Its version is that in which it is shown, so that an event which was brought to another one has that one's."""
        said = self._said(entry.envelope)
        if not said:
            return entry
        attributes = {**entry.envelope.attributes, **said}
        return Entry(entry.position, entry.recorded, msgspec.structs.replace(entry.envelope, attributes=attributes))

    def _said(self, envelope: Envelope) -> Mapping[str, AttributeValue]:
        kind, given = (envelope.type, envelope.version), envelope.attributes
        uri, ending = self.schemas.get(kind), self.endings.get(kind)
        found: dict[str, AttributeValue] = {}
        if uri is not None and DATASCHEMA not in given:
            found[DATASCHEMA] = uri
        if ending is not None and not any(name in given for name in _SAID):
            found |= ending.attributes
        return found


def marks_of(gates: Gates, base: str | None) -> Marks:
    """Return what is said as of these gates. `base`: the absolute URL of the API, None if nobody says it."""
    known = [(type, version) for type, each in gates.types.items() for version in each.known]
    return Marks(gates.endings, {} if base is None else {each: schema_uri(base, *each) for each in known})
