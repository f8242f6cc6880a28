"""Requests with an `Idempotency-Key`: done once, and answered a second time as the first.

After draft-ietf-httpapi-idempotency-key-header-07. Key, effect and answer are kept in one transaction, so there is no
lock that could run out while a slow request is under way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from tidings.api.answer import Answer, Scope
from tidings.api.headers import header, values
from tidings.api.paths import whole_path
from tidings.api.problems import Problem, Refusal, answer_to, problem_of
from tidings.api.routing import principal_of
from tidings.errors import CallerError
from tidings.events.codec import encode_json
from tidings.ports import Clock
from tidings.store.driver import StoreDriver
from tidings.store.keyed import KeptAnswer, Keyed, Request

_HEADER = b"idempotency-key"
_BARE = re.compile(r"[!#-\[\]-~]{1,255}")
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\]){1,510})"')
_ESCAPED = re.compile(r"\\(.)")
_REPLAYED = (b"idempotency-replayed", b"true")
_DOMAIN = frozenset({404, 409, 410, 412})
"""What an operation itself answers; whatever else was refused was refused before anything began."""

_decode = msgspec.json.Decoder(tuple[int, list[tuple[str, str]], bytes]).decode
Act = Callable[[Keyed[StoreDriver]], Awaitable[Answer]]


def read_key(scope: Scope) -> str | None:
    """Return the key of a request; None without one. `idempotency-key-malformed`, also if it was sent twice."""
    sent = values(scope, _HEADER)
    if not sent:
        return None
    text = sent[0].decode("latin-1").strip(" \t")
    quoted = _QUOTED.fullmatch(text)
    key = text if quoted is None else _ESCAPED.sub(r"\1", quoted[1])
    if len(sent) > 1 or len(key) > 255 or (quoted is None and not _BARE.fullmatch(text)):
        why = 'send it once, as 1 to 255 visible ASCII characters in quotes: `Idempotency-Key: "8e03978e-40d5"`'
        raise Refusal(Problem.IDEMPOTENCY_KEY_MALFORMED, why)
    return key


def need_key(scope: Scope) -> str:
    """Return the key of a request that has to have one. `idempotency-key-missing`, `idempotency-key-malformed`."""
    key = read_key(scope)
    if key is None:
        why = "send an Idempotency-Key of your own, and the same one again if you repeat this because no answer came"
        raise Refusal(Problem.IDEMPOTENCY_KEY_MISSING, why)
    return key


class Veil(Protocol):
    """Hides answers where they are kept."""

    def hide(self, answer: bytes) -> bytes: ...

    def show(self, kept: bytes) -> bytes:
        """Return what was hidden. Refusal, with what to do, if that cannot be read any more."""


class _NoVeil:
    def hide(self, answer: bytes) -> bytes:
        return answer

    def show(self, kept: bytes) -> bytes:
        return kept


NO_VEIL: Veil = _NoVeil()


class Repeats:
    """Does what requests under keys ask for, each once."""

    def __init__(self, store: StoreDriver, clock: Clock, veil: Veil | None = None) -> None:
        self._store = store
        self._clock = clock
        self._veil = NO_VEIL if veil is None else veil

    def veiled(self, veil: Veil) -> Repeats:
        """Return the same, but for answers in which a secret stands."""
        return Repeats(self._store, self._clock, veil)

    async def once(self, scope: Scope, route: str, key: str, body: bytes, act: Act) -> Answer:
        """Return what `act` answers, or what it answered when this request came first.

        `route`: the method and the path's template. A refusal of the operation itself is kept, too, with nothing of
        what was done before it; any other error leaves nothing, so that the request may be repeated.
        `idempotency-key-reused` if the key came first with another request.
        """
        request = self._request(scope, route, key, body)
        async with self._store.keyed(request) as keyed:
            if keyed.kept is None:
                answer = await _done(scope, keyed, act)
                await keyed.keep(self._veil.hide(encode_json((answer.status, _texts(answer), answer.body))))
                return answer
        return self._again(keyed.kept, request)

    async def resumed(
        self, scope: Scope, route: str, key: str, body: bytes, act: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """As `once`, for what takes many transactions, each of which is done once however often it is asked for.

        The answer is kept behind the last of them, so that whoever repeats what was cut short goes on with it.
        """
        request = self._request(scope, route, key, body)
        async with self._store.keyed(request) as keyed:
            kept = keyed.kept
        if kept is not None:
            return self._again(kept, request)
        answer = await act()

        async def acted(_: Keyed[StoreDriver]) -> Answer:
            return answer

        return await self.once(scope, route, key, body, acted)

    def _request(self, scope: Scope, route: str, key: str, body: bytes) -> Request:
        return Request(
            owner=principal_of(scope).owner,
            route=route,
            key=key,
            fingerprint=fingerprint(scope, body),
            at=self._clock.now_us(),
        )

    def _again(self, kept: KeptAnswer, request: Request) -> Answer:
        if kept.fingerprint != request.fingerprint:
            why = "this key came with another request before: send that one unchanged, or take a new key"
            raise Refusal(Problem.IDEMPOTENCY_KEY_REUSED, why)
        status, headers, kept_body = _decode(self._veil.show(kept.answer))
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return Answer(status, (*pairs, _REPLAYED), kept_body)


async def _done(scope: Scope, keyed: Keyed[StoreDriver], act: Act) -> Answer:
    try:
        async with keyed.savepoint():
            return await act(keyed)
    except CallerError as error:
        if problem_of(error).status not in _DOMAIN:
            raise
        return answer_to(error, instance=whole_path(scope))


def _texts(answer: Answer) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers]


def fingerprint(scope: Scope, body: bytes) -> bytes:
    """Return what tells two requests apart: SHA-256 over method, path, sorted query, media type and raw body."""
    media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    query = sorted(scope["query_string"].decode("latin-1").split("&"))
    digest = hashlib.sha256(encode_json([scope["method"], whole_path(scope), query, media_type]))
    digest.update(body)
    return digest.digest()
