"""Events in: `PUT /events/{source}/{id}` and `POST /events`. The one hot path: bytes in, one append, bytes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import repeat

from tidings.api.answer import JSON_TYPE, Answer, Header, Receive, Scope
from tidings.api.bodies import Bodies
from tidings.api.headers import pick
from tidings.api.naming import UNNAMED, named, refuse_unnamed
from tidings.api.paths import segment, whole_path
from tidings.api.problems import Problem, Refusal
from tidings.api.queries import one, read_query
from tidings.api.rates import Rates
from tidings.api.repeats import Repeats, read_key
from tidings.api.routing import check_source, principal_of
from tidings.api.tracing import trace_of, traced
from tidings.api.version_headers import ended, version_headers
from tidings.app.opened import Opened
from tidings.errors import (
    CallerError,
    ConflictError,
    EnvelopeError,
    MalformedError,
    UnsupportedMediaTypeError,
    VersionSunsetError,
)
from tidings.events.cloudevents import (
    BATCH_BYTES_MAX,
    Mode,
    Route,
    mode_of,
    placed,
    read_batch,
    read_binary,
    read_structured,
)
from tidings.events.codec import encode_json
from tidings.events.envelope import Envelope
from tidings.events.media import is_json
from tidings.faces.entries import result_object
from tidings.faces.tokens import Tokens
from tidings.log.driver import NOTHING_EXPECTED, Position, Receipt
from tidings.services.origin import source_of
from tidings.store.driver import StoreDriver
from tidings.store.keyed import Keyed

EVENT_BYTES_MAX = 1024 * 1024

_EXPECTED = b"tidings-expected-position"
_HEADERS = frozenset({b"content-type", b"if-match", b"if-none-match", _EXPECTED})
_DEDUPE = frozenset({"dedupe"})


class Ingest:
    """Appends what is sent, and answers when it is kept."""

    def __init__(self, opened: Opened, tokens: Tokens, bodies: Bodies, repeats: Repeats, rates: Rates) -> None:
        self._log = opened.log
        self._retelling = opened.retelling
        self._catalog = opened.catalog
        self._keeper = opened.keeper
        self._clock = opened.ports.clock
        self._on_refused = opened.telemetry.refused
        self._tokens = tokens
        self._bodies = bodies
        self._repeats = repeats
        self._rates = rates
        self._own = frozenset(source_of(service.name) for service in opened.services)

    async def put(self, scope: Scope, receive: Receive, raw_source: str, raw_id: str) -> Answer:
        """Append one event under the identity in the path, each of its two segments still percent-encoded."""
        route = Route(segment(raw_source), segment(raw_id))
        read_query(scope, known=())
        headers = pick(scope, _HEADERS)
        _check_conditions(headers, known=("*",))
        mode = _mode(headers)
        if mode == "batch":
            raise UnsupportedMediaTypeError("a path names one event: send a batch as POST to /events")
        body = await self._bodies.read(scope, receive, most=EVENT_BYTES_MAX)
        read = (
            read_binary(scope["headers"], body, route=route) if mode == "binary" else read_structured(body, route=route)
        )
        if read.id != route.id or read.source != route.source:
            raise _other_event(read, route)
        check_source(scope, read.source, self._own)
        self._rates.check_sources((read,))
        with self._keeper.passing():
            envelope = traced(self._admit(scope, read, mode), trace_of(scope))
            receipt = await self._append_if_new(envelope, headers)
        body_out = self._result(envelope, receipt.positions[0], receipt.outcome)
        notes = version_headers(self._keeper, (envelope,), scope)
        if receipt.outcome == "duplicate":
            return self._answer(200, receipt.positions, body_out, *notes)
        location = (b"location", whole_path(scope).encode("ascii"))
        return self._answer(201, receipt.positions, body_out, location, *notes)

    async def post(self, scope: Scope, receive: Receive) -> Answer:
        """Append one event or a batch, whole or not at all."""
        by_content, key = _is_by_content(scope), read_key(scope)
        headers = pick(scope, _HEADERS)
        _check_conditions(headers, known=())
        mode = _mode(headers)
        body = await self._bodies.read(scope, receive, most=BATCH_BYTES_MAX if mode == "batch" else EVENT_BYTES_MAX)
        read = _read(scope, body, mode)
        for envelope in read:
            check_source(scope, envelope.source, self._own)
        self._rates.check_sources(read)
        if not by_content and key is None:
            refuse_unnamed(read, mode)
        generation = self._keeper.begin()  # what `passing` does, in a third of the time
        try:
            envelopes = self._admitted(scope, read, mode, None if by_content else key)
            if not envelopes:
                return self._answer(200, (), {"results": []})
            expected = await self._expected(headers, envelopes) if _EXPECTED in headers else NOTHING_EXPECTED
            if key is None:
                append = partial(self._log.append, expected=expected)
                return self._appended(scope, envelopes, await self._retelling.append(append, envelopes))

            async def keep(keyed: Keyed[StoreDriver]) -> Answer:
                append = partial(self._log.append_by, keyed.append, expected=expected)
                return self._appended(scope, envelopes, await self._retelling.append(append, envelopes))

            return await self._repeats.once(scope, "POST /events", key, body, keep)
        finally:
            self._keeper.end(generation)

    def _admitted(self, scope: Scope, read: Sequence[Envelope], mode: Mode, naming: str | None) -> list[Envelope]:
        """Return the events as they are appended. `naming`: the key by which those without an id are named."""
        admitted = [
            self._admit(scope, envelope, mode, index if mode == "batch" else None)
            for index, envelope in enumerate(read)
        ]
        trace = trace_of(scope)
        owner = None if naming is None else (principal_of(scope).owner, naming)
        for index, envelope in enumerate(admitted):
            if envelope.id is UNNAMED:
                admitted[index] = named(envelope, owner, index)
        return [traced(envelope, trace) for envelope in admitted] if trace else admitted

    def _appended(self, scope: Scope, envelopes: Sequence[Envelope], receipt: Receipt) -> Answer:
        outcomes = map(receipt.outcome_of, range(len(envelopes))) if receipt.known else repeat(receipt.outcome)
        results = list(map(self._result, envelopes, receipt.positions, outcomes))
        status = 201 if receipt.outcome == "appended" else 200
        notes = version_headers(self._keeper, envelopes, scope)
        return self._answer(status, receipt.positions, {"results": results}, *notes)

    async def _append_if_new(self, envelope: Envelope, headers: Mapping[bytes, str]) -> Receipt:
        """Append; with `If-None-Match: *` only an event whose id is not known yet, whatever its content."""
        only_new = headers.get(b"if-none-match") == "*"
        try:
            append = partial(self._log.append, expected=await self._expected(headers, (envelope,)))
            receipt = await self._retelling.append(append, (envelope,))
        except ConflictError as error:
            if only_new and error.conflict.kind == "id":
                raise _known(envelope) from None
            raise
        if only_new and receipt.outcome == "duplicate":
            raise _known(envelope)
        return receipt

    def _admit(self, scope: Scope, envelope: Envelope, mode: Mode, index: int | None = None) -> Envelope:
        try:
            return self._catalog.admit(envelope, now_us=self._clock.now_us())
        except CallerError as error:
            self._on_refused(envelope.type)
            told = placed(error, mode, index=index)
            if isinstance(told, VersionSunsetError):
                ending = self._keeper.gates.ending(envelope.type, envelope.version)
                told = ended(told, ending, scope, base=self._keeper.public_url)
            raise told from None

    async def _expected(self, headers: Mapping[bytes, str], envelopes: Sequence[Envelope]) -> Mapping[str, Position]:
        """Return what the append must find, so that it is refused if the subject has an entry after the token."""
        token = headers.get(_EXPECTED)
        if token is None:
            return NOTHING_EXPECTED
        seen = self._tokens.read(token, name="Tidings-Expected-Position")
        if len(envelopes) != 1 or envelopes[0].subject is None:
            raise EnvelopeError("Tidings-Expected-Position needs one event, and that event a subject")
        subject = envelopes[0].subject
        # The token may come from any read, while the log wants the subject's own last position. A later one the log
        # refuses itself, after it has looked whether the event is a repeat.
        last = await self._log.last_of(subject)
        if seen > last:
            self._tokens.check(seen, head=(await self._log.head()).position, name="Tidings-Expected-Position")
        return {subject: min(last, seen)}

    def _result(self, envelope: Envelope, position: Position, outcome: str) -> dict[str, object]:
        return result_object(self._tokens, (envelope.source, envelope.id), position, outcome)

    def _answer(self, status: int, positions: Sequence[Position], body: object, *headers: Header) -> Answer:
        if positions:
            headers = ((b"tidings-position", self._tokens.write(max(positions)).encode()), *headers)
        return Answer(status, (JSON_TYPE, *headers), encode_json(body))


def _check_conditions(headers: Mapping[bytes, str], *, known: Sequence[str]) -> None:
    """Refuse a precondition (RFC 9110 section 13.1) that is not kept here, rather than append in spite of it."""
    if b"if-match" in headers:
        raise MalformedError("If-Match: an event never changes, so it has no ETag; leave the header out")
    given = headers.get(b"if-none-match")
    if given is not None and given not in known:
        raise MalformedError("If-None-Match: only `*` is kept, on PUT /events/{source}/{id}; leave it out elsewhere")


def _mode(headers: Mapping[bytes, str]) -> Mode:
    content_type = headers.get(b"content-type")
    mode = mode_of(content_type)
    if mode == "binary" and content_type is not None and not is_json(content_type):
        raise UnsupportedMediaTypeError(
            f"an event's data is read as JSON, not as {content_type[:64]}: send `content-type: application/json`"
        )
    return mode


def _read(scope: Scope, body: bytes, mode: Mode) -> Sequence[Envelope]:
    if mode == "batch":
        return read_batch(body, unnamed=UNNAMED)
    if mode == "structured":
        return (read_structured(body, unnamed=UNNAMED),)
    return (read_binary(scope["headers"], body, unnamed=UNNAMED),)


def _is_by_content(scope: Scope) -> bool:
    if not scope["query_string"]:
        return False
    dedupe = one(read_query(scope, known=_DEDUPE), "dedupe")
    if dedupe not in (None, "content"):
        raise MalformedError(f"dedupe: {dedupe[:40]!r} is no way to tell repeats; there is `content`")
    return dedupe is not None


def _other_event(read: Envelope, route: Route) -> Refusal:
    name = "source" if read.source != route.source else "id"
    why = f"it says {getattr(read, name)[:100]!r}, but the path says {getattr(route, name)[:100]!r}"
    return Refusal(Problem.PATH_MISMATCH, f"{name}: {why}", errors=[(f"/{name}", why)])


def _known(envelope: Envelope) -> Refusal:
    why = f"If-None-Match: *, but the event {envelope.id!r} of {envelope.source!r} is kept already"
    return Refusal(Problem.PRECONDITION_FAILED, why)
