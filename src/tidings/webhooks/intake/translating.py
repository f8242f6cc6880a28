"""A verified request with its events, worked out before its transaction begins. Pure, but for the time and the ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from tidings.consumers.retry import told
from tidings.errors import TidingsError
from tidings.events.catalog import Catalog
from tidings.events.codec import encode_json
from tidings.events.envelope import AttributeValue, Envelope
from tidings.events.media import JSON
from tidings.events.rules import TIME_ALONE_MAX
from tidings.store.receipts import Arrival, Identity, Received, headers_bytes
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.read import Item

_MASK = b"***"
_ERROR_MAX = 2_000
_JSON_ATTRIBUTES: Mapping[str, AttributeValue] = {"datacontenttype": JSON}
_PARAMETER = re.compile(rb"([^&=]*)=([^&]*)")


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """What events are made with. `now`: µs since 1970. `new_id`: for deliveries that no id tells apart.

    `nonce`: of a replay, so that its events are others than those of the first time; empty otherwise.
    """

    catalog: Catalog
    now: int
    new_id: Callable[[], str]
    nonce: str = ""


def arrival_of(receiver: Receiver, request: Given, making: Making) -> Arrival:
    """Return what is to be kept of a verified request. It fails by itself alone: the outcome is `failed` then."""
    items: Sequence[Item] = ()
    events: tuple[tuple[Envelope, ...], ...] = ()
    error = None
    try:
        items = receiver.reader.read(request)
        events = tuple([_events(receiver, item, making) for item in items])
    except Exception as failure:  # a translation is anybody's code
        error, events = _told(failure), ()
    return Arrival(received=_received(receiver, request, items, events, making, error), events=events)


def _told(failure: Exception) -> str:
    return str(failure)[:_ERROR_MAX] if isinstance(failure, TidingsError) else told(failure)


def _events(receiver: Receiver, item: Item, making: Making) -> tuple[Envelope, ...]:
    translation = receiver.translation_of(item.type)
    id = making.new_id() if item.id is None else item.id
    id += making.nonce
    if translation is None:
        return (_as_it_is(receiver, item, id, making),)
    made = translation(item)
    if made is None:
        return ()
    several = made if isinstance(made, list | tuple) else None
    attributes: dict[str, AttributeValue] = {} if item.correlation is None else {"correlationid": item.correlation}

    def envelope(event: Any, id: str) -> Envelope:
        if item.time is not None:
            making.catalog.check_time(item.time, now_us=making.now)
        return making.catalog.envelope(
            event, id=id, source=receiver.source, now_us=making.now, time=item.time, attributes=attributes
        )

    if several is None:
        return (envelope(made, id),)
    return tuple(envelope(event, f"{id}#{n}" if n else id) for n, event in enumerate(several))


def _as_it_is(receiver: Receiver, item: Item, id: str, making: Making) -> Envelope:
    said: Mapping[str, AttributeValue] = _JSON_ATTRIBUTES
    if item.correlation is not None:
        said = {"correlationid": item.correlation, **said}
    given = Envelope(
        id=id,
        source=receiver.source,
        type=item.type,
        version=making.catalog.newest(item.type),
        subject=item.subject,
        time=item.time,
        attributes=said,
        data=item.data,
    )
    is_read = id == item.id and (item.time is None or len(item.time) <= TIME_ALONE_MAX)
    admit = making.catalog.admit_read if is_read else making.catalog.admit
    return admit(given, now_us=making.now)


def _received(
    receiver: Receiver,
    request: Given,
    items: Sequence[Item],
    events: Sequence[Sequence[Envelope]],
    making: Making,
    error: str | None,
) -> Received:
    return Received(
        receiver=receiver.id,
        source=receiver.source,
        identities=_identities(receiver, request, items),
        received=making.now,
        forget_at=making.now + receiver.remembers_us,
        method=request.request.method,
        query=_masked_query(request.request.query, receiver.masked_parameters),
        headers=_masked_headers(request.headers, receiver.masked_headers),
        body=request.body,
        items=encode_json([[event.type, event.id] for of_item in events for event in of_item]),
        outcome="stored" if error is None else "failed",
        error=error,
    )


def _identities(receiver: Receiver, request: Given, items: Sequence[Item]) -> tuple[Identity, ...]:
    """Return what tells a repeat: of what could not be read, or holds no event, the bytes of all of it."""
    if not items:
        return (Identity(*receiver.reader.known_by(request)),)
    found = []
    for place, item in enumerate(items):
        if item.id is not None:
            found.append(Identity(item.id, item.content_hash, place))
            if item.guard is not None and item.guard != item.id:
                found.append(Identity(item.guard, item.content_hash, place))
    return tuple(found)


def _masked_headers(headers: Sequence[tuple[bytes, bytes]], masked: frozenset[bytes]) -> bytes:
    """Return the headers as they are kept, without what would let whoever reads them send a request of his own."""
    if not masked.isdisjoint([name for name, _ in headers]):
        headers = [(name, _MASK if name in masked else value) for name, value in headers]
    return headers_bytes(headers)


def _masked_query(query: bytes, masked: frozenset[str]) -> bytes:
    def hide(found: re.Match[bytes]) -> bytes:
        name = unquote_plus(found[1].decode("latin-1")).lower()  # as it is compared with what a scheme asks for
        return found[1] + b"=***" if name in masked else found[0]

    return _PARAMETER.sub(hide, query) if query else b""
