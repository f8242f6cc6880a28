"""Signing in any scheme that is verified here: for what tidings sends, for trying a receiver out, and for tests."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import msgspec

from tidings.errors import DeclarationError
from tidings.events.codec import encode_json
from tidings.webhooks import crypto
from tidings.webhooks.receive.content import Facts, content_of
from tidings.webhooks.receive.given import FORM, Given, Refusal, items_of, member
from tidings.webhooks.receive.instants import instant_text
from tidings.webhooks.receive.keys import Key, kind_of, signing
from tidings.webhooks.receive.layouts import encoded, write_layout
from tidings.webhooks.receive.places import Header, Member, Pairs, Place, Query
from tidings.webhooks.receive.scheme import SIGNING, Scheme
from tidings.webhooks.receive.verdict import RequestFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What to send: headers beside the sender's own, the query and the body, which the signature may stand in."""

    headers: tuple[tuple[bytes, bytes], ...]
    query: bytes
    body: bytes


def sign(
    scheme: Scheme, body: bytes, request: RequestFacts, keys: Sequence[Key], *, id: str = "", at: datetime
) -> Signed:
    """Return a request that `verify` accepts with any of these keys while `at` is within the tolerance.

    `keys`: newest first; all of them sign where the layout has room for several. Of two keys they are the private
    ones. DeclarationError if the scheme needs something that is not given, or a key cannot sign.
    """
    if scheme.algorithm != "unsigned" and not keys:
        raise DeclarationError("a request is signed with a key: give one")
    sent = _Sent(body, request)
    try:
        stamp = _put_facts(scheme, sent, keys, id=id, at=at)
        _put_signatures(scheme, sent, keys, Facts(given=sent.given(), id=id.encode(), timestamp=stamp.encode()))
    except Refusal as refusal:
        raise DeclarationError(f"this cannot be signed: {_WHY.get(refusal.reason, refusal.reason)}") from None
    return Signed(headers=tuple(sent.headers), query=sent.request.query, body=sent.body)


_WHY = {
    "unsupported-scheme": "the scheme needs the receiver's `public_url`, or one of its settings",
    "body-field-missing": "the body lacks a member that is signed, or is not of the kind that is",
    "malformed-header": "the id holds a text that separates the parts, such as a dot",
}


class _Sent:
    """A request while it is being put together."""

    def __init__(self, body: bytes, request: RequestFacts) -> None:
        self.body = body
        self.request = request
        self.headers: list[tuple[bytes, bytes]] = []

    def given(self) -> Given:
        """Return it as a receiver will see it; a form has its media type, which its sender gives it."""
        return Given([*self.headers, (b"content-type", FORM.encode())], self.body, self.request)

    def put(self, place: Place, text: str) -> None:
        if isinstance(place, Header):
            self.headers.append((place.name.encode(), text.encode()))
        elif isinstance(place, Query):
            joined = b"&" if self.request.query else b""
            query = self.request.query + joined + f"{quote(place.name)}={quote(text, safe='')}".encode()
            self.request = replace(self.request, query=query)
        else:
            document = self.given().document
            _set(document, place, int(text) if place.unit in ("s", "ms") else text)
            self.body = encode_json(document)


def _put_facts(scheme: Scheme, sent: _Sent, keys: Sequence[Key], *, id: str, at: datetime) -> str:
    """Put in everything beside the signature; return the text of the time."""
    stamp = instant_text(at, (scheme.timestamp.unit if scheme.timestamp is not None else None) or "s")
    if scheme.timestamp is not None:
        sent.put(scheme.timestamp, stamp)
    if scheme.id is not None:
        sent.put(scheme.id, id)
    if scheme.key_name is not None:
        sent.put(scheme.key_name, keys[0].name or "")
    if scheme.body_sha256 is not None:
        sent.put(scheme.body_sha256, sha256(sent.body).hexdigest())
    return stamp if scheme.timestamp is not None or isinstance(scheme.layout, Pairs) else ""


def _put_signatures(scheme: Scheme, sent: _Sent, keys: Sequence[Key], facts: Facts) -> None:
    place = scheme.signature
    if place is None:
        return
    if not isinstance(place, Member):
        sent.put(place, _value(scheme, keys, facts))
        return
    document = facts.given.document
    for item in items_of(document, scheme.each):
        _set(item, place, _value(scheme, keys, msgspec.structs.replace(facts, item=item)))
    sent.body = encode_json(document)


def _value(scheme: Scheme, keys: Sequence[Key], facts: Facts) -> str:
    """Return the text that stands where the signature is looked for."""
    if scheme.algorithm not in SIGNING:
        texts = [_shown(scheme, key) for key in keys]
    else:
        content = content_of(scheme)(facts)
        texts = [encoded(scheme.encoding, _signature(scheme, signing(scheme, key), content)) for key in keys]
    return write_layout(scheme.layout, texts, facts.timestamp.decode())


def _shown(scheme: Scheme, key: Key) -> str:
    secret = signing(scheme, key)
    return "Basic " + encoded("base64", secret) if scheme.algorithm == "basic" else secret.decode()


def _signature(scheme: Scheme, secret: bytes, content: bytes) -> bytes:
    kind = kind_of(scheme)
    if kind is not None:
        return crypto.signature_of(kind, secret, content)
    return hmac.digest(secret, content, scheme.algorithm.removeprefix("hmac-"))


def _set(document: Any, place: Member, value: Any) -> None:
    """Set the member, with the objects that lead to it."""
    *path, last = place.steps
    for step in path:
        if member(document, (step,)) is None and isinstance(document, dict):
            document[step] = {}
        document = member(document, (step,))
    if not isinstance(document, dict):
        raise Refusal("body-field-missing")
    document[last] = value
