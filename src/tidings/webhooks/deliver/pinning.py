"""Events brought to the versions that endpoints are pinned to, for every attempt anew: steps may be corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tidings.errors import InvalidDataError, TransformError
from tidings.events.envelope import Entry
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, EndpointDelivery
from tidings.versions.lineage import Lineage
from tidings.versions.marks import Marks
from tidings.versions.step import Unreadable, serve
from tidings.webhooks.deliver.answer import Failure
from tidings.webhooks.deliver.sendings import Sending

Lineages = Mapping[str, Lineage]
_FORGOTTEN = Failure(kind="transform-error", error="the log does not have the event any more")


class Brought(msgspec.Struct, frozen=True, gc=False):
    """`sending`: what can be sent, None if nothing of it can; `failed`: the rest of it, and why."""

    sending: Sending | None
    failed: Sequence[tuple[Sending, Failure]] = ()


def brought(sending: Sending, lineages: Lineages, marks: Marks) -> Brought:
    """Return the sending with each entry as its endpoint is told it, and marked so.

    Of a batch that was sent before all fail with the first one: its members are the same in each attempt.
    """
    found = _brought(sending, lineages)
    if found.sending is None or not marks:
        return found
    entries = [marks.on(each) for each in found.sending.entries]
    return Brought(replace(found.sending, entries=entries), found.failed)


def _brought(sending: Sending, lineages: Lineages) -> Brought:
    if len(sending.entries) < len(sending.claimed):
        return Brought(None, [(sending, _FORGOTTEN)])
    pairs = zip(sending.claimed, sending.entries, strict=True)
    if all(each.delivery.pin in (None, entry.envelope.version) for each, entry in pairs):
        return Brought(sending)
    told = [_told(*pair, lineages) for pair in zip(sending.claimed, sending.entries, strict=True)]
    failures = [each for each in told if isinstance(each, Failure)]
    if not failures:
        return Brought(replace(sending, entries=[each for each in told if isinstance(each, Entry)]))
    if sending.first.attempt > 1:
        return Brought(None, [(sending, failures[0])])
    each = [
        (replace(sending, claimed=[claimed], entries=[entry]), so)
        for claimed, entry, so in zip(sending.claimed, sending.entries, told, strict=True)
    ]
    ready = [(one.claimed[0], so) for one, so in each if isinstance(so, Entry)]
    rest = replace(sending, claimed=[c for c, _ in ready], entries=[e for _, e in ready]) if ready else None
    return Brought(rest, [(one, so) for one, so in each if isinstance(so, Failure)])


def _told(claimed: ClaimedEndpointDelivery, entry: Entry, lineages: Lineages) -> Entry | Failure:
    pin = claimed.delivery.pin
    if pin is None or pin == entry.envelope.version:
        return entry
    try:
        envelope = serve(entry, pin, lineages)
    except (TransformError, InvalidDataError) as error:
        return Failure(kind="transform-error", error=str(error))
    if isinstance(envelope, Unreadable):
        return Failure(kind="version-unreadable", error=envelope.why)
    return Entry(entry.position, entry.recorded, envelope)


def is_told(delivery: EndpointDelivery, entry: Entry, lineages: Lineages) -> bool:
    """Say whether steps lead from the entry to the delivery's pin, whatever they make of it."""
    version = entry.envelope.version
    if delivery.pin is None or delivery.pin == version:
        return True
    lineage = lineages.get(entry.envelope.type)
    return lineage is not None and lineage.path(version, delivery.pin) is not None
