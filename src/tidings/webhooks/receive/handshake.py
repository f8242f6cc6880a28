"""How providers ask whether a receiver is there, answered without an event: pure functions of a request.

`before_body` answers what comes without a body, `after_verify` what comes in a verified one. What is echoed is short,
of a narrow alphabet, and never HTML.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from tidings.errors import MalformedError
from tidings.events.codec import encode_json
from tidings.events.strict import decode_json
from tidings.webhooks.receive.given import Given, Refusal, member
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.places import Header, Query
from tidings.webhooks.receive.preset import Handshake
from tidings.webhooks.receive.verdict import RequestFacts

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"
_ECHOED_MAX = 2_048
_ECHOED = re.compile(rf"[A-Za-z0-9 .,:;=+/_~|@$*!?()%-]{{1,{_ECHOED_MAX}}}")
_ORIGIN = Header("webhook-request-origin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to answer: a status, a body with its media type (None: no body), and further headers."""

    status: int = 200
    body: bytes = b""
    media_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def before_body(
    handshake: Handshake | None,
    request: RequestFacts,
    headers: Sequence[tuple[bytes, bytes]],
    keys: Sequence[Key],
    now: datetime,
) -> Answer | None:
    """Answer a handshake that has no body; None if this is none, so that it is a delivery or nothing at all.

    Meta: GET with the token that the setting `verify_token` holds; 403 for another one. Graph: any request with a
    `validationToken`. X: GET with a `crc_token`. CloudEvents: OPTIONS (its webhook specification, section 4).
    """
    given = Given(headers, b"", request)
    match handshake.kind if handshake is not None else None:
        case "meta" if request.method == "GET":
            return _meta(given)
        case "graph":
            return _echo(_asked(given, "validationToken"))
        case "x" if request.method == "GET":
            return _crc(_asked(given, "crc_token"), keys, now)
        case "cloudevents" if request.method == "OPTIONS" and handshake is not None:
            return _allow(handshake, given)
        case _:
            return None


def after_verify(handshake: Handshake | None, body: bytes, keys: Sequence[Key], now: datetime) -> Answer | None:
    """Answer a handshake whose body was verified; None if this is none, so that it is a delivery.

    Slack `url_verification`, Zoom `endpoint.url_validation` (again every 72 hours), Discord's PING.
    """
    if handshake is None or handshake.kind not in ("slack", "zoom", "discord"):
        return None
    try:
        document = decode_json(body)
    except MalformedError:
        return None
    match handshake.kind:
        case "slack" if member(document, ("type",)) == "url_verification":
            return _echo(member(document, ("challenge",)))
        case "zoom" if member(document, ("event",)) == "endpoint.url_validation":
            return _encrypted(member(document, ("payload", "plainToken")), keys, now)
        case "discord" if _is_zero(member(document, ("type",))):
            return Answer(status=204)
        case _:
            return None


def is_signed_for_anybody(handshake: Handshake, body: bytes) -> bool:
    """Say whether `before_body` gives anybody the signature of these bytes, so that it proves nothing of a delivery.

    X signs its deliveries as it has its `crc_token` signed, with one key. A JSON object is nothing that is echoed.
    """
    return handshake.kind == "x" and _ECHOED.fullmatch(body.decode("latin-1")) is not None


def _is_zero(value: Any) -> bool:
    return value == 0 and value.__class__ is int


def _asked(given: Given, name: str) -> str | None:
    try:
        return given.value(Query(name)).decode()
    except Refusal:
        return None


def _echo(text: Any) -> Answer | None:
    if not isinstance(text, str) or not _ECHOED.fullmatch(text):
        return None
    return Answer(body=text.encode(), media_type=_TEXT, headers=(("X-Content-Type-Options", "nosniff"),))


def _meta(given: Given) -> Answer | None:
    token, challenge = _asked(given, "hub.verify_token"), _asked(given, "hub.challenge")
    if _asked(given, "hub.mode") != "subscribe" or token is None:
        return None
    expected = given.request.settings.get("verify_token")
    if not expected or not hmac.compare_digest(expected.encode(), token.encode()):
        return Answer(status=403)
    return _echo(challenge)


def _newest(keys: Sequence[Key], now: datetime) -> bytes | None:
    return next((key.text.encode() for key in keys if key.is_active(now)), None)


def _crc(token: str | None, keys: Sequence[Key], now: datetime) -> Answer | None:
    secret = _newest(keys, now)
    if token is None or secret is None or not _ECHOED.fullmatch(token):
        return None
    answer = "sha256=" + b64encode(hmac.digest(secret, token.encode(), "sha256")).decode()
    return Answer(body=encode_json({"response_token": answer}), media_type=_JSON)


def _encrypted(token: Any, keys: Sequence[Key], now: datetime) -> Answer | None:
    secret = _newest(keys, now)
    if not isinstance(token, str) or secret is None or not _ECHOED.fullmatch(token):
        return None
    body = {"plainToken": token, "encryptedToken": hmac.new(secret, token.encode(), sha256).hexdigest()}
    return Answer(body=encode_json(body), media_type=_JSON)


def _allow(handshake: Handshake, given: Given) -> Answer:
    """Say who may send and how much; an origin that may not gets no such header."""
    headers = [("Allow", "POST")]
    try:
        origin = given.value(_ORIGIN).decode()
    except Refusal:
        origin = ""
    if origin and (origin in handshake.origins or "*" in handshake.origins):
        rate = "*" if handshake.rate is None else str(handshake.rate)
        headers += [("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", rate)]
    return Answer(headers=tuple(headers))
