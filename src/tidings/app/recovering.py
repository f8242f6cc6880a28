"""A webhook that never came, from its provider's own log of deliveries: taken in as if it had come."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from tidings.app.opened import Opened
from tidings.events.media import JSON
from tidings.store.receipts import no_receiver
from tidings.webhooks.intake.intake import Outcome
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given

_log = logging.getLogger("tidings.webhooks")


async def recover(opened: Opened, receiver: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """See `App.recover`."""
    found = await opened.roster.find(receiver)
    if found is None:
        raise no_receiver(receiver, [each.id for each in await opened.roster.all()])
    sent = {"content-type": JSON, **headers}
    pairs = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items())
    arrival = arrival_of(found, Given(pairs, body, found.facts("POST", b"")), opened.making())
    events = [event for of_item in arrival.events for event in of_item]
    known = [await opened.log.find(event.source, event.id) for event in events]
    if events and all(known):
        return "duplicate"  # whatever else a log says of it than its webhook did
    kept = await opened.intake.keep(arrival)
    opened.telemetry.received(found.id, kept.outcome)
    if kept.outcome == "conflict":
        opened.alarms.conflicted(found.id, kept.n)
    if kept.outcome == "stored":
        ids = ", ".join(event.id for event in events) or "nothing here"
        _log.warning("a webhook of the receiver %s never came, and was recovered: %s", found.id, ids)
    return kept.outcome
