"""What goes in one request: a delivery, or those of a batch; what it is called, and what stands in the way of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import msgspec

from tidings.events.envelope import Entry
from tidings.events.trace import parent_of
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, EndpointClaim, Result
from tidings.store.endpoints import EndpointRecord
from tidings.webhooks.deliver.answer import Failure
from tidings.webhooks.deliver.endpoint import Endpoint
from tidings.webhooks.deliver.operational import is_operational
from tidings.webhooks.deliver.rendering import Content, batch_of, content_of, fitting
from tidings.webhooks.deliver.signing import batch_id, message_id

NEW_IDS = "n-"
"""What the name of a run begins with whose messages are to be taken for new ones."""
EXPIRED = Result(state="expired", outcome="expired", reason="expired", is_spent=False)


class Sending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Deliveries that go in one request to an endpoint, with their entries, as far as the log still has them."""

    record: EndpointRecord
    claimed: Sequence[ClaimedEndpointDelivery]
    entries: Sequence[Entry]

    @property
    def first(self) -> ClaimedEndpointDelivery:
        return self.claimed[0]

    @property
    def key(self) -> str:
        """The key of the first delivery."""
        return self.first.delivery.key

    @property
    def message(self) -> str:
        """The `webhook-id`: the same in each attempt, of a batch in each that has the same members."""
        first = self.first
        if first.batch is not None:
            return batch_id(first.batch, (each.delivery.key for each in self.claimed))
        envelope, run = self.entries[0].envelope, first.delivery.run
        return message_id(envelope.source, envelope.id, nonce=run if run.startswith(NEW_IDS) else "")

    @property
    def is_operational(self) -> bool:
        """Whether it tells what tidings itself says: then nothing is told of its own fate."""
        return all(is_operational(entry.envelope) for entry in self.entries)

    @property
    def traceparent(self) -> str | None:
        """Of its event; None if that has none that is valid, or there are several."""
        found = parent_of(self.entries[0].envelope) if len(self.entries) == 1 else None
        return found and found[0]

    def is_expired(self, now: int) -> bool:
        """Say whether it is too late for all of it."""
        if self.first.delivery.expires is None:
            return False
        return all(each.delivery.expires is not None and each.delivery.expires <= now for each in self.claimed)


def sendings_of(claim: EndpointClaim, entries: Mapping[int, Entry]) -> list[Sending]:
    """Return what was claimed as the requests that it goes in. `entries`: by position."""
    found = []
    for claimed in _requests(claim.deliveries):
        known = [entries[each.delivery.position] for each in claimed if each.delivery.position in entries]
        found.append(Sending(record=claim.endpoint, claimed=claimed, entries=known))
    return found


def _requests(deliveries: Sequence[ClaimedEndpointDelivery]) -> Iterable[Sequence[ClaimedEndpointDelivery]]:
    if all(each.batch is None for each in deliveries):
        return [(each,) for each in deliveries]
    return [list(group) for _, group in groupby(deliveries, key=lambda each: each.batch or each.n)]


def parted(sending: Sending, endpoint: Endpoint) -> tuple[Sending, Sequence[ClaimedEndpointDelivery]]:
    """Return what goes in one request of a batch, and what is given back since it would be too large.

    Of one whose first attempt was lost nobody knows whether something was given back: the cut follows from the events,
    so that it goes as it went, under the same id. What is known to have gone together always does.
    """
    if endpoint.batch is None or all(each.body_hash is not None for each in sending.claimed):
        return sending, ()
    count = fitting(sending.entries, endpoint.batch.bytes)
    return (
        Sending(record=sending.record, claimed=sending.claimed[:count], entries=sending.entries[:count]),
        sending.claimed[count:],
    )


def rendered(sending: Sending, endpoint: Endpoint) -> Content | Failure:
    """Return the body of the request, or why there is none."""
    try:
        if sending.first.batch is not None:
            return batch_of(sending.entries)
        return content_of(sending.entries[0], endpoint.format)
    except Exception as error:  # whatever a step to another form raises: the same would be raised again
        return Failure(kind="transform-error", error=f"it cannot be written: {type(error).__name__}")
