"""Deliveries to an endpoint that cannot be posted to: it fetches them, and says when it has them.

A page is read and nothing is taken: who reads again, or dies between the page and its commit, reads the same once more.
What is committed are the deliveries of a page, each by its number, so that none is that was not read.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import msgspec
from msgspec.structs import replace

from tidings.errors import MalformedError, RefusedError
from tidings.events.codec import encode_json
from tidings.events.envelope import Entry
from tidings.log.driver import Position
from tidings.log.log import Log
from tidings.operations.fitting import PAGE_BYTES, entry_size, fits
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import ClaimedEndpointDelivery, EndpointClaim, Result
from tidings.store.endpoints import EndpointRecord, no_endpoint
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.attempting import Manner
from tidings.webhooks.deliver.outcome import decide
from tidings.webhooks.deliver.pinning import brought
from tidings.webhooks.deliver.prepared import Prepared, Preparing
from tidings.webhooks.deliver.rendering import Attempt, Content, Request, request_of
from tidings.webhooks.deliver.sendings import Sending, rendered, sendings_of
from tidings.webhooks.deliver.settling import DELIVERED, result_of

LIMIT_MAX = 1_000
_numbers = msgspec.json.Decoder(tuple[int, ...]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """One delivery of a page. `message`: its `webhook-id`; `entry`: the event in the version that it is told in.

    `request`: what would be posted, signed now.
    """

    claimed: ClaimedEndpointDelivery
    message: str
    entry: Entry
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledPage:
    """`iterator`: what commits the page, None if it is empty. `done`: whether nothing more was due behind it."""

    deliveries: Sequence[Polled]
    iterator: str | None
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """Reads and settles. Whatever cannot be told leaves the queue as it would were it posted."""

    store: StoreDriver
    log: Log
    ports: Ports
    manner: Manner

    async def check(self, id: str) -> None:
        """See that the endpoint is one to poll. NotFoundError; RefusedError if it is posted to, or is paused."""
        await self._ready(id, self.ports.clock.now_us())

    async def page(self, id: str, *, limit: int) -> PolledPage:
        """Return what is due to the endpoint, oldest first. Errors as of `check`, and for an unreadable secret."""
        now = self.ports.clock.now_us()
        record, prepared = await self._ready(id, now)
        while True:
            due = await self.store.polled(id, limit=limit)
            claimed, entries = await self._with_entries(due)
            sendings = sendings_of(EndpointClaim(endpoint=record, deliveries=claimed), entries)
            made = [self._made(each, prepared, now) for each in sendings]
            ready = [each for each in made if isinstance(each, Polled)]
            failed = [each for each in made if not isinstance(each, Polled)]
            if failed:
                await self.store.settle_polled(id, failed)
            if ready or not failed:
                iterator = _written([each.claimed.n for each in ready]) if ready else None
                return PolledPage(deliveries=ready, iterator=iterator, done=len(claimed) == len(due) < limit)

    async def _with_entries(
        self, due: Sequence[ClaimedEndpointDelivery]
    ) -> tuple[Sequence[ClaimedEndpointDelivery], Mapping[Position, Entry]]:
        """Return the first deliveries, of some `PAGE_BYTES`, and the entries that they are of."""
        entries, seen, used = dict[Position, Entry](), 0, 0
        while seen < len(due) and used < PAGE_BYTES:
            some = due[seen : seen + fits(PAGE_BYTES, seen=seen, used=used)]
            for entry in await self.log.at(sorted({each.delivery.position for each in some})):
                entries[entry.position] = entry
                used += entry_size(entry)
            seen += len(some)
        return due[:seen], entries

    async def commit(self, id: str, iterator: str) -> int:
        """Note that the deliveries of a page are with the receiver; say how many were still open. Twice is once.

        MalformedError for what is no iterator; NotFoundError; RefusedError if the endpoint is posted to.
        """
        numbers = _read(iterator)
        record = await self._record(id)
        if _via(record) != "poll":
            raise _pushed(id)
        taken = Result(state="delivered", outcome=DELIVERED)
        return await self.store.settle_polled(id, [(n, taken) for n in numbers])

    async def answered(self, id: str, polled: Polled, seen: Answer | Failure) -> Result:
        """Settle one delivery by what a receiver answered, as if it had been posted, but for the endpoint's health."""
        now, draw = self.ports.clock.now_us(), self.ports.random.random()
        decision = decide(seen, attempt=polled.claimed.attempt, now=now, draw=draw, delays=self.manner.delays)
        record = await self._record(id)
        result = replace(result_of(record, seen, decision, position=polled.entry.position, now=now), condition=None)
        await self.store.settle_polled(id, [(polled.claimed.n, result)])
        return result

    async def _ready(self, id: str, now: int) -> tuple[EndpointRecord, Prepared]:
        record = await self._record(id)
        prepared = Preparing(self.manner.keyring).of(record, now=now)
        _check(record, prepared)
        return record, prepared

    async def _record(self, id: str) -> EndpointRecord:
        found = await self.store.endpoint(id)
        if found is None:
            raise no_endpoint(id)
        return found

    def _made(self, sending: Sending, prepared: Prepared, now: int) -> Polled | tuple[int, Result]:
        found = brought(sending, self.manner.lineages, self.manner.marks(), prepared.pattern)
        told = found.sending
        content = found.failed[0][1] if told is None else rendered(told, prepared.endpoint)
        if isinstance(content, Failure) or told is None:
            assert isinstance(content, Failure)
            return sending.first.n, self._failed(sending, content, now)
        request = self._request(told, prepared, content, now)
        return Polled(claimed=sending.first, message=told.message, entry=told.entries[0], request=request)

    def _request(self, sending: Sending, prepared: Prepared, content: Content, now: int) -> Request:
        secrets = prepared.signers(now=now)
        if isinstance(secrets, Failure):
            raise RefusedError(f"the secret of {sending.record.id!r} cannot be read: set TIDINGS_MASTER_KEY to its key")
        attempt = Attempt(id=sending.message, number=sending.first.attempt, at=now, traceparent=sending.traceparent)
        return request_of(prepared.endpoint, content, attempt, secrets, release=self.manner.release)

    def _failed(self, sending: Sending, failure: Failure, now: int) -> Result:
        decision = decide(failure, attempt=sending.first.attempt, now=now, draw=0.5, delays=self.manner.delays)
        position = sending.first.delivery.position
        return replace(result_of(sending.record, failure, decision, position=position, now=now), condition=None)


def _check(record: EndpointRecord, prepared: Prepared) -> None:
    if prepared.endpoint.via != "poll":
        raise _pushed(record.id)
    if not record.condition.is_sending:
        raise RefusedError(f"the endpoint {record.id!r} is {record.condition.state}: resume it before it is polled")


def _via(record: EndpointRecord) -> str:
    members: dict[str, object] = msgspec.json.decode(record.config)
    return str(members.get("via", "push"))


def _pushed(id: str) -> RefusedError:
    return RefusedError(f'the endpoint {id!r} is posted to: make one with `"via": "poll"` to fetch its deliveries')


def _written(numbers: Sequence[int]) -> str:
    """Return the numbers as a token: the first, and how far each is from the one before."""
    steps = [numbers[0], *(later - earlier for earlier, later in pairwise(numbers))]
    return base64.urlsafe_b64encode(encode_json(steps)).decode().rstrip("=")


def _read(iterator: str) -> Sequence[int]:
    try:
        padded = iterator.encode("ascii") + b"=" * (-len(iterator) % 4)
        numbers = list(accumulate(_numbers(base64.b64decode(padded, altchars=b"-_", validate=True))))
        if numbers and len(numbers) <= LIMIT_MAX and all(0 < n < 1 << 62 for n in numbers):
            return numbers
    except (ValueError, msgspec.MsgspecError):
        pass
    raise MalformedError(f"iterator: {iterator[:80]!r} is none: send the one of the page that is to be committed")
