"""Webhooks in: `/hooks/{receiver}`. The order of what is looked at is fixed, and nothing is written before the verdict.

Who may send is judged by the receiver's verifier alone, so no API key is asked for, and no loopback address suffices.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from tidings.api.answer import Answer, Receive, Scope, Send
from tidings.api.bodies import Bodies
from tidings.api.headers import by_name, values
from tidings.api.problems import Problem, Refusal
from tidings.api.rates import Rates
from tidings.api.tracing import trace_of, traced
from tidings.app.opened import Opened
from tidings.errors import NotFoundError
from tidings.events.media import JSON, bare
from tidings.ports import utc
from tidings.store.receipts import Arrival
from tidings.webhooks.intake.intake import Kept
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive import handshake
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.preset import BODY_LIMIT_MAX
from tidings.webhooks.receive.verdict import Accepted, Rejected

HOOKS = "/hooks/"
BODY_SECONDS = 10
_JSON_BYTES = JSON.encode()


class Hooks:
    """Takes requests in for receivers. Handlers run later, elsewhere."""

    def __init__(self, opened: Opened, rates: Rates) -> None:
        self._roster = opened.roster
        self._intake = opened.intake
        self._alarms = opened.alarms
        self._making = opened.making
        self._count = opened.telemetry.received
        self._reject = opened.telemetry.rejected
        self._receiving = opened.telemetry.receiving
        self._makes_spans = opened.telemetry.makes_spans
        self._clock = opened.ports.clock
        self._points = opened.ports.points
        self._bodies = Bodies(opened.ports.clock, silence=BODY_SECONDS, whole=BODY_SECONDS)
        self._rates = rates

    async def serve(self, id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of a provider. `id`: what stands behind `HOOKS` in the path, as it was sent."""
        _check_length(scope)
        receiver = _taking(id, self._roster.declared.get(id) or await self._roster.find(id))
        answer = await self._answer(receiver, scope, receive)
        await answer(scope, receive, send)
        self._points.at("receiver:answered")

    async def _answer(self, receiver: Receiver, scope: Scope, receive: Receive) -> Answer:
        headers, preset = scope["headers"], receiver.preset
        facts = receiver.facts(scope["method"], scope["query_string"])
        if preset.handshake is not None:
            asked = handshake.before_body(preset.handshake, facts, headers, receiver.keys, utc(self._clock.now_us()))
            if asked is not None:
                return _shaken(asked)
        if scope["method"] != "POST":
            raise Refusal(Problem.METHOD_NOT_ALLOWED, "webhooks come as POST", (b"allow", b"POST"))
        _check_media_type(scope, receiver)
        body, named = await self._body(receiver, scope, receive), by_name(scope)
        request = Given(headers, body, facts, named if len(named) == len(headers) else None)
        trace = trace_of(scope)
        if not self._makes_spans:
            return await self._receive(receiver, request, trace)
        with self._receiving(receiver.id, trace) as within:
            return await self._receive(receiver, request, within)

    async def _receive(self, receiver: Receiver, request: Given, trace: Mapping[str, str]) -> Answer:
        preset, making = receiver.preset, self._making()
        self._verify(receiver, request, making.now)
        if preset.handshake is not None:
            asked = handshake.after_verify(preset.handshake, request.body, receiver.keys, utc(making.now))
            if asked is not None:
                return _shaken(asked)
        arrival = arrival_of(receiver, request, making)
        if trace:
            arrival = _in_trace(arrival, trace)
        self._check_rate(receiver, arrival)
        return self._answer_to(receiver, await self._intake.keep(arrival))

    def _verify(self, receiver: Receiver, request: Given, now: int) -> None:
        verdict = receiver.judge(request, now)
        is_accepted = isinstance(verdict, Accepted)
        self._alarms.verified(receiver.id, accepted=is_accepted, now=now)
        if not is_accepted:
            assert isinstance(verdict, Rejected)
            self._reject(receiver.id, verdict.reason)
            raise Refusal(Problem.SIGNATURE_REJECTED, "this is not what the sender of this receiver signed")
        self._points.at("receiver:verified")

    async def _body(self, receiver: Receiver, scope: Scope, receive: Receive) -> bytes:
        try:
            return await self._bodies.read(scope, receive, most=receiver.preset.body_limit)
        except Refusal as refusal:
            if refusal.problem is Problem.BODY_TOO_LARGE:
                self._count(receiver.id, "too_large")
            raise

    def _check_rate(self, receiver: Receiver, arrival: Arrival) -> None:
        try:
            self._rates.check_sources(chain.from_iterable(arrival.events))
        except Refusal:
            self._count(receiver.id, "limited")
            raise

    def _answer_to(self, receiver: Receiver, kept: Kept) -> Answer:
        self._count(receiver.id, kept.outcome)
        if kept.outcome == "conflict":
            self._alarms.conflicted(receiver.id, kept.n)
        answers = receiver.preset.answers
        status = answers.new if kept.outcome in ("stored", "failed") else answers.duplicate
        headers = () if answers.media_type is None else ((b"content-type", answers.media_type.encode()),)
        return Answer(status, headers, answers.body)


def _in_trace(arrival: Arrival, trace: Mapping[str, str]) -> Arrival:
    events = tuple(tuple(traced(event, trace) for event in events) for events in arrival.events)
    return Arrival(received=arrival.received, events=events)


def _check_length(scope: Scope) -> None:
    for value in values(scope, b"content-length"):
        if value.isdigit() and (len(value) > 12 or int(value) > BODY_LIMIT_MAX):
            raise Refusal(Problem.BODY_TOO_LARGE, f"the body is larger than {BODY_LIMIT_MAX:,} bytes")


def _taking(id: str, receiver: Receiver | None) -> Receiver:
    if receiver is None:
        raise NotFoundError("receiver", id, hint="look at the last part of the URL")
    if receiver.is_retired:
        raise Refusal(Problem.RECEIVER_RETIRED, "this receiver is retired: switch the webhook off")
    return receiver


def _check_media_type(scope: Scope, receiver: Receiver) -> None:
    given = values(scope, b"content-type")
    if len(given) != 1 or _media_type_of(given[0]) not in receiver.preset.media_types:
        raise Refusal(
            Problem.UNSUPPORTED_MEDIA_TYPE,
            f"this receiver takes {' or '.join(receiver.preset.media_types)}: say so in Content-Type",
        )


def _media_type_of(value: bytes) -> str:
    return JSON if value == _JSON_BYTES else bare(value.decode("latin-1"))


def _shaken(asked: handshake.Answer) -> Answer:
    if asked.status >= 400:
        raise Refusal(Problem.SIGNATURE_REJECTED, "this is not the token that the receiver is configured with")
    headers = tuple((name.lower().encode(), value.encode()) for name, value in asked.headers)
    if asked.media_type is not None:
        headers += ((b"content-type", asked.media_type.encode()),)
    return Answer(asked.status, headers, asked.body)
