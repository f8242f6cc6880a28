"""Bodies, read no further than their limit."""

from __future__ import annotations

from tidings.api.answer import Receive, Scope
from tidings.api.problems import Problem, Refusal
from tidings.errors import CallerError


class DisconnectedError(CallerError):
    """The caller went away before the body was whole; nobody waits for an answer."""


async def read_body(scope: Scope, receive: Receive, *, most: int) -> bytes:
    """Return the body, at most `most` bytes of it.

    `unsupported-media-type` if it is compressed, since tidings does not decompress what strangers send;
    `body-too-large` as soon as the limit is passed, whatever Content-Length says. DisconnectedError.
    """
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() != b"identity":
            raise Refusal(
                Problem.UNSUPPORTED_MEDIA_TYPE,
                f"the body is coded as {value.decode('latin-1')[:40]!r}: send it as it is, without Content-Encoding",
                (b"accept-encoding", b"identity"),
            )
        if name == b"content-length" and (len(value) > 18 or (value.isdigit() and int(value) > most)):
            raise _too_large(most)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        return await _rest(receive, bytearray(body), most)
    if message["type"] != "http.request":
        raise DisconnectedError("the caller went away")
    if len(body) > most:
        raise _too_large(most)
    return body


async def _rest(receive: Receive, body: bytearray, most: int) -> bytes:
    while True:
        if len(body) > most:
            raise _too_large(most)
        message = await receive()
        if message["type"] != "http.request":
            raise DisconnectedError("the caller went away")
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if len(body) > most:
        raise _too_large(most)
    return bytes(body)


def _too_large(most: int) -> Refusal:
    return Refusal(Problem.BODY_TOO_LARGE, f"the body is larger than {most:,} bytes")
