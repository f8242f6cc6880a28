"""An entry as a row of a table: the same texts for the page and for the rows that come while it is followed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tidings.console.texts import line_of, machine_time, moment, number
from tidings.console.visit import Visit
from tidings.events.envelope import Entry
from tidings.faces.visible import visible

Cells = dict[str, str]
BLANK: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("position", "time", "recorded", "type", "subject", "source", "id", "data", "href"), "")
)
"""The row that the script fills."""


def cells(visit: Visit, entry: Entry) -> Cells:
    """Return the texts of an entry's row."""
    envelope = entry.envelope
    version = f" v{envelope.version}" if envelope.version != 1 else ""
    return {
        "position": number(entry.position),
        "time": moment(entry.recorded),
        "recorded": machine_time(entry.recorded),
        "type": visible(envelope.type) + version,
        "subject": "—" if envelope.subject is None else visible(envelope.subject),
        "source": visible(envelope.source),
        "id": visible(envelope.id),
        "data": line_of(envelope.data) if visit.may("events:read") else "—",
        "href": visit.link("/event", source=envelope.source, id=envelope.id),
    }
