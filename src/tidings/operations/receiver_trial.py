"""What a request to a receiver would become, and why: judged and translated as its door does, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from tidings.errors import CallerError
from tidings.events.envelope import Envelope
from tidings.events.media import bare
from tidings.operations.receiver_reasons import why_rejected
from tidings.ports import utc
from tidings.store.driver import StoreDriver
from tidings.store.judging import judge
from tidings.store.receipts import Arrival, fresh_events, items_of
from tidings.versions.retelling import Retelling
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.intake.translating import Making, arrival_of
from tidings.webhooks.receive import handshake
from tidings.webhooks.receive.given import Given, Refusal, member
from tidings.webhooks.receive.places import First, Header, Member, places_of
from tidings.webhooks.receive.preset import BODY_LIMIT_MAX, Dedupe
from tidings.webhooks.receive.sign import sign
from tidings.webhooks.receive.verdict import Accepted, Headers

Outcome = Literal["stored", "duplicate", "conflict", "failed", "handshake", "refused"]
TAKEN: tuple[Outcome, ...] = ("stored", "duplicate", "handshake")
"""What a sender and an operator want."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it would come. `query`: after the `?`."""

    method: str = "POST"
    query: bytes = b""
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What it would become. `status`: of the answer. `reason`: of a refusal, as metrics name it; `error`: a sentence.

    `scheme`, `key`: which of the receiver's it is signed by, from 1, the key by its name if it has one. `signed`: when,
    µs since 1970. `repeats`: the receipt that has its id. `events`: what it says; `new`: how many of them are added.
    """

    receiver: str
    outcome: Outcome
    status: int
    reason: str | None = None
    error: str | None = None
    scheme: int | None = None
    key: str | None = None
    signed: int | None = None
    repeats: int | None = None
    events: tuple[Envelope, ...] = ()
    new: int = 0


class _Refused(Exception):
    """The door does not take it. Raised and caught within this module."""

    def __init__(self, status: int, reason: str, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """Tries requests. `making`: as `tidings.operations.receivers.Receivers` has it."""

    store: StoreDriver
    retelling: Retelling
    making: Callable[[], Making]

    async def look(self, receiver: Receiver, request: Request, *, at: int) -> Trial:
        """Return what a request would become that comes at this time, µs since 1970."""
        try:
            shaken = _judged(receiver, request, at)
        except _Refused as refused:
            return Trial(
                receiver=receiver.id,
                outcome="refused",
                status=refused.status,
                reason=refused.reason,
                error=str(refused),
            )
        if shaken.outcome == "handshake":
            return shaken
        arrival = arrival_of(receiver, _given(receiver, request), self.making())
        return await self._kept(receiver, arrival, shaken)

    async def _kept(self, receiver: Receiver, arrival: Arrival, accepted: Trial) -> Trial:
        received, answers = arrival.received, receiver.preset.answers
        owners = await self.store.owners(receiver.source, [each.key for each in received.identities])
        [judged] = judge([received], owners, [0])
        differing = await self.retelling.differing(fresh_events(arrival, judged))
        outcome: Outcome = "stored"
        error = received.error
        if judged.verdict == "conflict":
            outcome, error = "conflict", "its id came before, with other content: the first one stays"
        elif judged.verdict == "duplicate":
            outcome = "duplicate"
        elif received.outcome == "failed":
            outcome = "failed"
        elif differing:
            id = differing[0].id
            outcome, error = "conflict", f"the event {id!r} is in the log with other content: that one stays"
        refusing = replace(received, refused=items_of(arrival.events, differing))
        [rest] = judge([refusing], owners, [0])
        return Trial(
            receiver=receiver.id,
            outcome=outcome,
            status=answers.new if outcome in ("stored", "failed") else answers.duplicate,
            error=error,
            scheme=accepted.scheme,
            key=accepted.key,
            signed=accepted.signed,
            repeats=min((owner.n for owner in owners.values()), default=None),
            events=tuple(event for events in arrival.events for event in events),
            new=len(fresh_events(replace(arrival, received=refusing), rest)),
        )


def signed(receiver: Receiver, request: Request, *, id: str, at: int) -> Request:
    """Return a request as its sender would sign it at this time, by the receiver's first scheme and its own keys.

    `id`: where the scheme signs one, or it stands in a header. What is signed anew replaces a header that is given.
    DeclarationError if none of the keys can sign; CallerError for `unsigned`, for an id that is no header's, and if its
    type stands in a header that is not given and does not follow from the body.
    """
    scheme = receiver.preset.schemes[0]
    if scheme.algorithm == "unsigned":
        raise CallerError(f"what comes to {receiver.id} is not signed: try it as it is")
    if not (id and all("!" <= each <= "~" for each in id)):
        raise CallerError(f"the id of a webhook is visible ASCII, since it stands in a header: {id[:64]!r} is not")
    facts = receiver.facts(request.method, request.query)
    done = sign(scheme, request.body, facts, receiver.keys, id=id, at=utc(at))
    made = {name.lower() for name, _ in done.headers}
    headers = (*(each for each in request.headers if each[0].lower() not in made), *done.headers)
    beside = _beside(receiver, Request(headers=headers, body=request.body), id)
    return Request(method=request.method, query=done.query, headers=(*headers, *beside), body=done.body)


def _beside(receiver: Receiver, request: Request, id: str) -> Headers:
    """Return what its sender says in headers beside the signature, and this request does not: the id, and the type."""
    preset, there = receiver.preset, {name.lower().decode("latin-1") for name, _ in request.headers}
    wanted: list[tuple[str, str]] = []
    for_id = _headers_of(preset.dedupe)
    if for_id and not there.intersection(for_id):
        wanted.append((for_id[0], id))
    for_type = _headers_of(preset.type[0])
    if for_type and not there.intersection(for_type):
        type = _type_of_body(receiver, request)
        if type is None:
            raise CallerError(f"{preset.name} says the type in a header: give it, -H '{for_type[0]}: …'")
        wanted.append((for_type[0], type))
    return tuple((name.encode(), value.encode()) for name, value in wanted)


def _headers_of(places: Dedupe) -> list[str]:
    """Return the headers that it is looked for in, in lower case; none if it may stand elsewhere."""
    if not isinstance(places, Header | First):
        return []
    headers = [each.name for each in places_of(places) if isinstance(each, Header)]
    return headers if len(headers) == len(places_of(places)) else []


def _type_of_body(receiver: Receiver, request: Request) -> str | None:
    """Return the type of which the body has most of the members that one has; None if that is not one."""
    try:
        document = _given(receiver, request).document
    except Refusal:
        return None
    fitting = [
        (len(pointers), type)
        for type, pointers in receiver.preset.required.items()
        if all(member(document, Member(each).steps) is not None for each in pointers)
    ]
    best = [type for count, type in fitting if count == max(fitting)[0]]
    return best[0] if len(best) == 1 else None


def _judged(receiver: Receiver, request: Request, at: int) -> Trial:
    """Return what is known of a request that the door takes, or answers as a handshake. _Refused."""
    preset, given = receiver.preset, _given(receiver, request)
    if receiver.is_retired:
        raise _Refused(410, "receiver-retired", "the receiver is retired: it takes nothing any more")
    asked = handshake.before_body(preset.handshake, given.request, request.headers, receiver.keys, utc(at))
    if asked is None:
        _check_form(receiver, request)
        verdict = receiver.judge(given, at)
        if not isinstance(verdict, Accepted):
            raise _Refused(401, verdict.reason, why_rejected(receiver, given, verdict.reason, at))
        asked = handshake.after_verify(preset.handshake, request.body, receiver.keys, utc(at))
        if asked is None:
            key = None if verdict.key is None else verdict.key.name or str(1 + receiver.keys.index(verdict.key))
            return Trial(
                receiver=receiver.id,
                outcome="stored",
                status=preset.answers.new,
                scheme=1 + verdict.scheme,
                key=key,
                signed=verdict.time_us,
            )
    if asked.status >= 400:
        raise _Refused(401, "handshake-token", "its token is not the receiver's setting `verify_token`")
    return Trial(receiver=receiver.id, outcome="handshake", status=asked.status)


def _given(receiver: Receiver, request: Request) -> Given:
    return Given(request.headers, request.body, receiver.facts(request.method, request.query))


def _check_form(receiver: Receiver, request: Request) -> None:
    """Check what is looked at before the signature."""
    if request.method != "POST":
        raise _Refused(405, "method-not-allowed", f"webhooks come as POST, and this is {request.method}")
    types = [value.decode("latin-1") for name, value in request.headers if name.lower() == b"content-type"]
    known = receiver.preset.media_types
    if len(types) != 1 or bare(types[0]) not in known:
        said = types[0][:100] if types else "nothing"
        raise _Refused(
            415, "unsupported-media-type", f"its Content-Type says {said}; {receiver.id} takes {' and '.join(known)}"
        )
    encodings = [value.lower() for name, value in request.headers if name.lower() == b"content-encoding"]
    if any(each.strip() != b"identity" for each in encodings):
        raise _Refused(415, "unsupported-media-type", "it is compressed, and nothing is decompressed here")
    most = min(receiver.preset.body_limit, BODY_LIMIT_MAX)
    if len(request.body) > most:
        raise _Refused(413, "body-too-large", f"its body has {len(request.body):,} bytes, and {most:,} are taken")
