"""Bodies: read no further than their limit, waited for no longer than theirs, and taken only whole."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

from tidings.api.answer import EXCHANGE, Exchange, Message, Receive, Scope
from tidings.api.headers import by_name, values
from tidings.api.problems import Problem, Refusal
from tidings.errors import CallerError, MalformedError, SlowBodyError
from tidings.ports import Clock

SILENCE_SECONDS = 10
BODY_SECONDS = 60
SMALL_BYTES = 64 * 1024
LARGE_BYTES_MAX = 128 * 1024 * 1024
"""What all bodies on their way may hold together of what each has beyond `SMALL_BYTES`."""
_DIGITS_MAX = 18
_CODINGS = {b"content-encoding": b"identity", b"transfer-encoding": b"chunked"}
"""What may be said of how a body is coded."""


class DisconnectedError(CallerError):
    """The caller went away before the body was whole; nobody waits for an answer."""


class _Arrival:
    """A body on its way: for how many seconds, and for how many of them without a byte."""

    age = silence = 0
    is_late = False


class Bodies:
    """Reads the bodies of requests. Its length: how many are on their way.

    `silence`: after how many seconds without a byte one is given up; `whole`: after how many in all. One pause of the
    clock serves them all, so either may last a second longer.
    """

    def __init__(self, clock: Clock, *, silence: int = SILENCE_SECONDS, whole: int = BODY_SECONDS) -> None:
        self._clock = clock
        self._silence = silence
        self._whole = whole
        self._arriving: dict[asyncio.Task[Any], _Arrival] = {}
        self._large = 0
        self._watch: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._arriving)

    async def read(self, scope: Scope, receive: Receive, *, most: int) -> bytes:
        """Return the body, at most `most` bytes of it.

        `unsupported-media-type` if it is compressed, since tidings does not decompress what strangers send;
        `body-too-large` as soon as the limit is passed, whatever Content-Length says; `overloaded` if it is a large one
        and all that are on their way hold too much; `body-timeout`. MalformedError if it has another length than
        Content-Length says. DisconnectedError.
        """
        length = _length(scope, most)
        exchange: Exchange | None = scope.get(EXCHANGE)
        body = None if exchange is None else exchange.whole_body()
        if body is None:
            body = await self._arrive(receive, most)
        if len(body) > most:
            raise _too_large(most)
        if len(body) != length:
            _check_length(scope, body, length)
        return body

    def watched(self, receive: Receive) -> Receive:
        """Return `receive` for who reads a body piece by piece: until that is whole, it raises as `read` does."""
        arrival, is_whole = _Arrival(), False

        async def piece() -> Message:
            nonlocal is_whole
            if is_whole:
                return await receive()  # waits for the caller to leave
            with self._waited_for(arrival):
                message = await receive()
            if message.get("body"):
                arrival.silence = 0
            is_whole = not message.get("more_body")
            return message

        return piece

    async def _arrive(self, receive: Receive, most: int) -> bytes:
        arrival = _Arrival()
        with self._waited_for(arrival):
            message = await receive()
            body: bytes = message.get("body", b"")
            if message.get("more_body"):
                body = await self._rest(receive, arrival, bytearray(body), most)
            elif message["type"] != "http.request":
                raise _gone()
        return body

    async def _rest(self, receive: Receive, arrival: _Arrival, body: bytearray, most: int) -> bytes:
        held = 0
        try:
            while True:
                if len(body) > most:
                    raise _too_large(most)
                beyond = max(0, len(body) - SMALL_BYTES)
                self._large, held = self._large + beyond - held, beyond
                if held and self._large > LARGE_BYTES_MAX:
                    raise Refusal(Problem.OVERLOADED, "many large bodies are on their way at once: send it again later")
                message = await receive()
                if message["type"] != "http.request":
                    raise _gone()
                more = message.get("body", b"")
                if more:
                    arrival.silence = 0
                    body += more
                if not message.get("more_body"):
                    return bytes(body)
        finally:
            self._large -= held

    @contextmanager
    def _waited_for(self, arrival: _Arrival) -> Iterator[None]:
        """Count a body as on its way while the block runs, and end that as `body-timeout` if it takes too long."""
        task = asyncio.current_task()
        assert task is not None
        self._arriving[task] = arrival
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._give_up_the_slow(), context=Context())
        try:
            yield
        except asyncio.CancelledError:
            if not arrival.is_late or task.uncancel():
                raise
            raise self._too_slow() from None
        finally:
            del self._arriving[task]

    async def _give_up_the_slow(self) -> None:
        is_needed = True
        while is_needed:
            await self._clock.sleep(1)  # first, for most bodies are whole before this begins
            for task, arrival in tuple(self._arriving.items()):
                arrival.age += 1
                arrival.silence += 1
                if not arrival.is_late and (arrival.silence > self._silence or arrival.age > self._whole):
                    arrival.is_late = True
                    task.cancel()
            is_needed = bool(self._arriving)
        self._watch = None

    def _too_slow(self) -> SlowBodyError:
        why = f"the body was not whole after {self._whole} s, or for {self._silence} s no byte of it came"
        return SlowBodyError(f"{why}: send it again")


def _length(scope: Scope, most: int) -> int | None:
    """Return what Content-Length says, None without it."""
    length = None
    for value in values(scope, b"content-length"):
        number = int(value) if value.isdigit() and len(value) < _DIGITS_MAX else _odd_length(value)
        if number > most:
            raise _too_large(most)
        if length is not None and number != length:
            raise MalformedError("Content-Length stands twice, with different lengths: send it once")
        length = number
    if not _CODINGS.keys().isdisjoint(by_name(scope)):
        _check_coding(scope)
    return length


def _check_coding(scope: Scope) -> None:
    for name, known in _CODINGS.items():
        for value in values(scope, name):
            if value.strip().lower() != known:
                why = f"the body is coded as {value.decode('latin-1')[:40]!r}"
                raise Refusal(
                    Problem.UNSUPPORTED_MEDIA_TYPE,
                    f"{why}: send it as it is, with no coding but chunked",
                    (b"accept-encoding", b"identity"),
                )


def _odd_length(value: bytes) -> int:
    if value.isdigit():
        return sys.maxsize
    raise MalformedError("Content-Length is no number: send the length of the body in bytes")


def _check_length(scope: Scope, body: bytes, length: int | None) -> None:
    """Refuse a body that lost some of itself on its way, as under servers that stop reading at an Upgrade header."""
    if length is not None:
        raise MalformedError(
            f"the body has {len(body):,} bytes here, but Content-Length says {length:,}: "
            "send it again, and without an Upgrade header if there is one"
        )
    if not body and {b"upgrade", b"transfer-encoding"} <= by_name(scope).keys():
        raise MalformedError(
            "the server in front of this application drops bodies behind an Upgrade header: leave it out"
        )


def _gone() -> DisconnectedError:
    return DisconnectedError("the caller went away")


def _too_large(most: int) -> Refusal:
    return Refusal(Problem.BODY_TOO_LARGE, f"the body is larger than {most:,} bytes")
