"""One attempt from its claim to its result: rendered, signed, sent, decided on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from tidings.ports import Ports
from tidings.store.endpoint_deliveries import Decide, Result
from tidings.store.endpoints import EndpointRecord
from tidings.store.ladder import SECONDS
from tidings.versions.marks import Marks
from tidings.webhooks.deliver.answer import Answer, Failure
from tidings.webhooks.deliver.outcome import decide
from tidings.webhooks.deliver.pinning import Lineages, brought
from tidings.webhooks.deliver.posting import Posting
from tidings.webhooks.deliver.prepared import Prepared, Preparing
from tidings.webhooks.deliver.rendering import Attempt, Content, Request, request_of
from tidings.webhooks.deliver.results import Results
from tidings.webhooks.deliver.sendings import EXPIRED, Sending, parted, rendered
from tidings.webhooks.deliver.settling import result_of
from tidings.webhooks.deliver.telling import tell_of_another_body
from tidings.webhooks.sealing import Keyring


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How this process sends. `delays`: seconds before each attempt. `release`: of tidings.

    `lineages`: of the types that this process declares, for what endpoints are told in another version. `marks`:
    what is said with events now. `in_flight`: requests at once, half of them retries at most. `total_s`: what one
    request may take.
    """

    keyring: Keyring
    lineages: Lineages
    marks: Callable[[], Marks] = Marks
    delays: Sequence[float] = SECONDS
    release: str
    in_flight: int = 200
    total_s: float = 20.0


class Attempting:
    """Makes attempts that are counted already.

    `on_our_fault`: called with the time before which nothing is sent. `on_end`: with what was to be sent, once its
    result waits to be written, or with what was raised instead.
    """

    def __init__(
        self,
        manner: Manner,
        posting: Posting,
        results: Results,
        ports: Ports,
        *,
        on_our_fault: Callable[[int], None],
        on_end: Callable[[Sending, Exception | None], None],
    ) -> None:
        self._manner = manner
        self._preparing = Preparing(manner.keyring)
        self._posting = posting
        self._results = results
        self._ports = ports
        self._on_our_fault = on_our_fault
        self._on_end = on_end

    def make(self, sending: Sending) -> None:
        """Send it and have the result written."""
        try:
            is_begun = self._make(sending)
        except Exception as error:
            self._on_end(sending, error)
        else:
            if not is_begun:
                self._on_end(sending, None)

    def _make(self, whole: Sending) -> bool:
        """Say whether something is on its way."""
        now = self._ports.clock.now_us()
        if whole.is_expired(now):
            self._results.put(whole, lambda _: EXPIRED)
            return False
        prepared = self._preparing.of(whole.record, now=now)
        found = brought(whole, self._manner.lineages, self._manner.marks(), prepared.pattern)
        for failed, why in found.failed:
            self._results.put(failed, self._decide(failed, why, None))
        if found.sending is None:
            return False
        sending, rest = parted(found.sending, prepared.endpoint)
        if rest:
            back = Result(state="due", outcome="too-large", next_at=now, is_spent=False, leaves=True)
            self._results.put(sending, lambda _: back, claimed=rest)
        return self._begin(whole, sending, prepared, now=now)

    def _begin(self, whole: Sending, sending: Sending, prepared: Prepared, *, now: int) -> bool:
        content = rendered(sending, prepared.endpoint)
        if isinstance(content, Failure):
            self._results.put(sending, self._decide(sending, content, None))
            return False
        request = self._request(sending, prepared, content, now=now)
        body_hash, before = content.hash, sending.first.body_hash
        if isinstance(request, Failure):
            self._results.put(sending, self._decide(sending, request, body_hash))
            return False
        if before is not None and before != body_hash:
            tell_of_another_body(sending)
        self._ports.points.at("delivery:calling")
        then = partial(self._answered, whole, sending, body_hash)
        self._posting.begin(request.url, request.headers, request.body, then)
        return True

    def _answered(self, whole: Sending, sending: Sending, body_hash: bytes, seen: Answer | Failure) -> None:
        try:
            self._ports.points.at("delivery:answered")
            self._results.put(sending, self._decide(sending, seen, body_hash))
        except Exception as error:
            self._on_end(whole, error)
        else:
            self._on_end(whole, None)

    def _request(self, sending: Sending, prepared: Prepared, content: Content, *, now: int) -> Request | Failure:
        secrets = prepared.signers(now=now)
        if isinstance(secrets, Failure):
            return secrets
        attempt = Attempt(id=sending.message, number=sending.first.attempt, at=now, traceparent=sending.traceparent)
        return request_of(prepared.endpoint, content, attempt, secrets, release=self._manner.release)

    def _decide(self, sending: Sending, seen: Answer | Failure, body_hash: bytes | None) -> Decide:
        """Return the decision, as a pure function of the endpoint as it is when the result is written."""
        now, first = self._ports.clock.now_us(), sending.first
        is_taken = isinstance(seen, Answer) and 200 <= seen.status < 300
        draw = 0.0 if is_taken else self._ports.random.random()
        decision = decide(seen, attempt=first.attempt, now=now, draw=draw, delays=self._manner.delays)
        if decision.effects.all_not_before:
            self._on_our_fault(decision.effects.all_not_before)

        was_never_sent = first.attempt == 1 and isinstance(seen, Failure) and seen.kind == "transform-error"

        def on(record: EndpointRecord) -> Result:
            position = first.delivery.position
            result = result_of(record, seen, decision, position=position, now=now, body_hash=body_hash)
            return replace(result, leaves=True) if was_never_sent else result

        return on
