"""Events brought to the versions that endpoints are pinned to, for every attempt anew: steps may be corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tidings.errors import InvalidDataError, TransformError
from tidings.events.envelope import Entry
from tidings.events.patterns.document import wants
from tidings.events.patterns.pattern import Pattern
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


def brought(sending: Sending, lineages: Lineages, marks: Marks, pattern: Pattern | None) -> Brought:
    """Return the sending with each entry as its endpoint is told it, and marked so.

    Of a batch that was sent before all fail with the first one: its members are the same in each attempt. `pattern`: of
    the endpoint, if it looks into data. It is asked of what was brought and never sent: whoever added the delivery may
    have had no step to the pin, and so could not ask.
    """
    found = _brought(sending, lineages, pattern)
    if found.sending is None or not marks:
        return found
    entries = [marks.on(each) for each in found.sending.entries]
    return Brought(replace(found.sending, entries=entries), found.failed)


def _brought(sending: Sending, lineages: Lineages, pattern: Pattern | None) -> Brought:
    if len(sending.entries) < len(sending.claimed):
        return Brought(None, [(sending, _FORGOTTEN)])
    for each, entry in zip(sending.claimed, sending.entries, strict=True):
        if each.delivery.pin is not None and each.delivery.pin != entry.envelope.version:
            break
    else:
        return Brought(sending)
    told = [_told(*pair, lineages, pattern) for pair in zip(sending.claimed, sending.entries, strict=True)]
    failures = [each for each in told if isinstance(each, Failure)]
    if not failures:
        return Brought(replace(sending, entries=[each for each in told if isinstance(each, Entry)]))
    if sending.first.attempt > 1:
        return Brought(None, [(sending, failures[0])])
    alone = [
        (replace(sending, claimed=[claimed], entries=[entry]), so)
        for claimed, entry, so in zip(sending.claimed, sending.entries, told, strict=True)
    ]
    ready = [(one.claimed[0], so) for one, so in alone if isinstance(so, Entry)]
    rest = replace(sending, claimed=[c for c, _ in ready], entries=[e for _, e in ready]) if ready else None
    return Brought(rest, [(one, so) for one, so in alone if isinstance(so, Failure)])


def _told(
    claimed: ClaimedEndpointDelivery, entry: Entry, lineages: Lineages, pattern: Pattern | None
) -> Entry | Failure:
    pin = claimed.delivery.pin
    if pin is None or pin == entry.envelope.version:
        return entry
    try:
        envelope = serve(entry, pin, lineages)
    except (TransformError, InvalidDataError) as error:
        return Failure(kind="transform-error", error=str(error))
    if isinstance(envelope, Unreadable):
        return Failure(kind="version-unreadable", error=envelope.why)
    if pattern is not None and not _was_sent(claimed) and not wants(pattern, envelope):
        return Failure(kind="not-wanted", error=f"the endpoint's pattern does not take it in version {pin}")
    return Entry(entry.position, entry.recorded, envelope)


def _was_sent(claimed: ClaimedEndpointDelivery) -> bool:
    """Say whether it may have been: a batch whose attempt was lost leaves no body."""
    return claimed.body_hash is not None or (claimed.attempt > 1 and claimed.batch is not None)


def is_told(delivery: EndpointDelivery, entry: Entry, lineages: Lineages) -> bool:
    """Say whether steps lead from the entry to the delivery's pin, whatever they make of it."""
    version = entry.envelope.version
    if delivery.pin is None or delivery.pin == version:
        return True
    lineage = lineages.get(entry.envelope.type)
    return lineage is not None and lineage.path(version, delivery.pin) is not None
