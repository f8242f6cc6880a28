"""One event: all that is known of it, what led to it and what it led to, and how every consumer stands to it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response

from tidings.console.entries import cells
from tidings.console.texts import lines_of
from tidings.console.visit import Visit
from tidings.errors import MalformedError
from tidings.events.envelope import Envelope
from tidings.operations import inspect
from tidings.operations.chain import chain
from tidings.operations.dead import written
from tidings.store.receipts import Receipt

STANDINGS: Mapping[str, str] = MappingProxyType(
    {
        "settled": "handled or folded",
        "ahead": "not read yet: the consumer is behind it",
        "parked": "set aside with its subject",
        "dropped": "not handled: an operator gave it up",
        "unknown": "nobody here knows whether the consumer reads it",
    }
)


async def show(visit: Visit) -> Response:
    query = visit.query(("source", "id"))
    if len(query) < 2:
        raise MalformedError("an event is named by its source and its id: open it from the log")
    opened = visit.opened
    shown = await inspect.show(opened.log, opened.store, opened.services, source=query["source"], id=query["id"])
    entry = shown.entry
    data, is_cut = lines_of(entry.envelope.data or b"")
    return await visit.show(
        "event.html",
        entry=entry,
        title=cells(visit, entry)["type"],
        attributes=_attributes(entry.envelope),
        data=data,
        is_cut=is_cut,
        standings=[each for each in shown.standings if each.state != "unread"],
        others=[each.consumer for each in shown.standings if each.state == "unread"],
        meanings=STANDINGS,
        deliveries=shown.deliveries,
        most=inspect.DELIVERIES,
        chain=await chain(opened.log, entry),
        receipt=await _receipt(visit, entry.envelope),
        cells=lambda each: cells(visit, each),
        written=written,
    )


async def _receipt(visit: Visit, envelope: Envelope) -> Receipt | None:
    """Return the webhook that the event was in; None if it was in none that is known. Its id begins with the item's."""
    if not visit.may("receivers:read"):
        return None
    store, id = visit.opened.store, envelope.id
    ids = [id, id.rpartition("~")[0], id.rpartition("#")[0]]
    owners = await store.owners(envelope.source, [each for each in ids if each])
    return await store.receipt(next(iter(owners.values())).n) if owners else None


def _attributes(envelope: Envelope) -> list[tuple[str, str]]:
    """Return the attributes by their names on the wire, those that every event has first."""
    time = "none given" if envelope.time is None else envelope.time
    first = [
        ("type", envelope.type),
        ("dataversion", str(envelope.version)),
        ("source", envelope.source),
        ("id", envelope.id),
        ("subject", "none: it is a subject of its own" if envelope.subject is None else envelope.subject),
        ("time", f"{time} (stamped on arrival)" if envelope.time_stamped else time),
    ]
    return first + [(name, _text(value)) for name, value in sorted(envelope.attributes.items())]


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
