"""One attempt from its claim to its result: rendered, signed, sent, decided on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidings.ports import Ports
from tidings.store.endpoint_deliveries import Decide, Result
from tidings.store.endpoints import EndpointRecord
from tidings.store.ladder import SECONDS
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.endpoint import Endpoint
from tidings.webhooks.deliver.outcome import decide
from tidings.webhooks.deliver.posting import Posting
from tidings.webhooks.deliver.records import endpoint_of_record, secrets_of
from tidings.webhooks.deliver.rendering import Attempt, Content, Request, request_of
from tidings.webhooks.deliver.results import Results
from tidings.webhooks.deliver.sealing import Keyring, signers
from tidings.webhooks.deliver.sendings import EXPIRED, Sending, parted, rendered
from tidings.webhooks.deliver.settling import result_of
from tidings.webhooks.deliver.telling import tell_of_another_body


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How this process sends. `delays`: seconds before each attempt. `release`: of tidings.

    `in_flight`: requests at once, half of them retries at most. `total_s`: what one request may take.
    """

    keyring: Keyring
    delays: Sequence[float] = SECONDS
    release: str
    in_flight: int = 200
    total_s: float = 20.0


class Attempting:
    """Makes attempts that are counted already. `on_our_fault`: called with the time before which nothing is sent."""

    def __init__(
        self, manner: Manner, posting: Posting, results: Results, ports: Ports, *, on_our_fault: Callable[[int], None]
    ) -> None:
        self._manner = manner
        self._posting = posting
        self._results = results
        self._ports = ports
        self._on_our_fault = on_our_fault

    async def make(self, sending: Sending) -> None:
        """Send it and write the result."""
        now = self._ports.clock.now_us()
        if sending.is_expired(now):
            await self._results.write(sending, lambda _: EXPIRED)
            return
        endpoint = endpoint_of_record(sending.record, now=now)
        sending, rest = parted(sending, endpoint)
        if rest:
            back = Result(state="due", outcome="too-large", next_at=now, is_spent=False)
            await self._results.write(sending, lambda _: back, claimed=rest)
        content = rendered(sending, endpoint)
        seen = content if isinstance(content, Failure) else await self._send(sending, endpoint, content)
        body_hash = None if isinstance(content, Failure) else content.hash
        await self._results.write(sending, self._decide(sending, seen, body_hash))

    async def _send(self, sending: Sending, endpoint: Endpoint, content: Content) -> Answer | Failure:
        request = self._request(sending, endpoint, content)
        if isinstance(request, Failure):
            return request
        if sending.first.body_hash not in (None, content.hash):
            tell_of_another_body(sending.key)
        self._ports.points.at("delivery:calling")
        seen = await self._posting.send(request.url, request.headers, request.body)
        self._ports.points.at("delivery:answered")
        return seen

    def _request(self, sending: Sending, endpoint: Endpoint, content: Content) -> Request | Failure:
        at, held = self._ports.clock.now_us(), secrets_of(sending.record.secrets)
        secrets = signers(held, self._manner.keyring, about=endpoint.id, now=at)
        if isinstance(secrets, Failure):
            return secrets
        attempt = Attempt(id=sending.message, number=sending.first.attempt, at=at, traceparent=sending.traceparent)
        return request_of(endpoint, content, attempt, secrets, release=self._manner.release)

    def _decide(self, sending: Sending, seen: Answer | Failure, body_hash: bytes | None) -> Decide:
        """Return the decision, as a pure function of the endpoint as it is when the result is written."""
        now, draw, first = self._ports.clock.now_us(), self._ports.random.random(), sending.first
        decision = decide(seen, attempt=first.attempt, now=now, draw=draw, delays=self._manner.delays)
        if decision.effects.all_not_before:
            self._on_our_fault(decision.effects.all_not_before)

        def on(record: EndpointRecord) -> Result:
            return result_of(record, seen, decision, position=first.delivery.position, now=now, body_hash=body_hash)

        return on
