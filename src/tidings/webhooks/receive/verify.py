"""Whether a request is what its sender signed: a total function over bytes, without I/O.

Whatever the bytes are, the answer is Accepted or Rejected, never an exception: an exception would be a 5xx, which the
sender repeats, or a hole.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from tidings.webhooks import crypto
from tidings.webhooks.receive.content import Facts, signed_content
from tidings.webhooks.receive.given import Given, Refusal, items_of
from tidings.webhooks.receive.instants import instant_us, us_of
from tidings.webhooks.receive.keys import KEYS_MAX, Key, from_base64, kind_of, verifying
from tidings.webhooks.receive.layouts import decoded, read_layout
from tidings.webhooks.receive.places import Member, Unit
from tidings.webhooks.receive.scheme import MADE_WITH_A_HASH, SIGNING, Scheme
from tidings.webhooks.receive.verdict import Accepted, Rejected, RequestFacts

_MICROSECONDS = 1_000_000
_SAY_LITTLE = ("missing-header", "no-active-key", "body-field-missing")  # the later, the more; any other says most
Material = tuple[Key, bytes]


def verify(
    schemes: Scheme | Sequence[Scheme],
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    request: RequestFacts,
    keys: Sequence[Key],
    now: datetime,
) -> Accepted | Rejected:
    """Judge a request by schemes that are tried in order, with all keys that hold at `now` (a time with an offset).

    Where a scheme's header is there, a scheme that reads another one is not asked any more: a weaker signature beside
    a stronger one never helps. Bytes of any kind give a verdict, never an exception.
    """
    given = Given(headers, body, request)
    asked = (schemes,) if isinstance(schemes, Scheme) else tuple(schemes)
    best: Rejected | None = None
    decisive: Scheme | None = None
    for index, scheme in enumerate(asked):
        if decisive is not None and scheme.signature != decisive.signature:
            continue
        verdict = _verdict(scheme, index, given, keys, now)
        if isinstance(verdict, Accepted):
            return verdict
        if verdict.reason != "missing-header":
            decisive = decisive or scheme
        if best is None or _says(verdict) > _says(best):
            best = verdict
    return best or Rejected("unsupported-scheme")


def _says(verdict: Rejected) -> int:
    """Return how much a reason says beside those of other schemes."""
    return _SAY_LITTLE.index(verdict.reason) if verdict.reason in _SAY_LITTLE else len(_SAY_LITTLE)


def _verdict(scheme: Scheme, index: int, given: Given, keys: Sequence[Key], now: datetime) -> Accepted | Rejected:
    try:
        if scheme.algorithm == "unsigned":
            return Accepted(scheme=index, key=None, time_us=None)
        if scheme.algorithm not in SIGNING and scheme.algorithm not in ("token", "basic"):
            return Rejected("unsupported-scheme")
        key, time = _judged(scheme, given, keys, now)
    except Refusal as refusal:
        return Rejected(refusal.reason)
    return Accepted(scheme=index, key=key, time_us=time)


def _judged(scheme: Scheme, given: Given, keys: Sequence[Key], now: datetime) -> tuple[Key, int | None]:
    """Return the key that signed, and the time; Refusal if none did, or at no time that can be believed."""
    in_body = isinstance(scheme.signature, Member)
    value = b"" if in_body or scheme.signature is None else given.value(scheme.signature)
    texts, stamp = read_layout(scheme.layout, value) if value else ([], None)
    time_in_body = isinstance(scheme.timestamp, Member)
    if scheme.timestamp is not None and not time_in_body:
        stamp = given.value(scheme.timestamp)
    time = None if stamp is None else _checked_time(scheme, stamp, now)
    identity = b"" if scheme.id is None else given.value(scheme.id)
    materials = _materials(scheme, given, keys, now)
    _check_body_sha256(scheme, given)
    facts = Facts(given=given, id=identity, timestamp=stamp or b"")
    key = _signer_of_items(scheme, facts, materials) if in_body else _signer(scheme, facts, texts, materials)
    if time_in_body and scheme.timestamp is not None:  # the body is parsed only now that it is believed
        time = _checked_time(scheme, given.value(scheme.timestamp), now)
    return key, time


def _checked_time(scheme: Scheme, stamp: bytes, now: datetime) -> int:
    unit: Unit = (scheme.timestamp.unit if scheme.timestamp is not None else None) or "s"
    time = instant_us(stamp.decode(), unit)
    if time is None:
        raise Refusal("malformed-timestamp")
    if scheme.tolerance is not None:
        tolerance = round(scheme.tolerance.total_seconds() * _MICROSECONDS)
        if time < us_of(now) - tolerance:
            raise Refusal("too-old")
        if time > us_of(now) + tolerance:
            raise Refusal("too-new")
    return time


def _materials(scheme: Scheme, given: Given, keys: Sequence[Key], now: datetime) -> list[Material]:
    name = None if scheme.key_name is None else given.value(scheme.key_name).decode()
    active = [key for key in keys if key.is_active(now) and (scheme.key_name is None or key.name == name)]
    found = [(key, material) for key in active if (material := verifying(scheme, key)) is not None]
    if not found:
        raise Refusal("no-active-key")
    if len(found) > KEYS_MAX:
        raise Refusal("malformed-header")
    return found


def _check_body_sha256(scheme: Scheme, given: Given) -> None:
    if scheme.body_sha256 is None:
        return
    said = given.value(scheme.body_sha256)
    if not hmac.compare_digest(said, sha256(given.body).hexdigest().encode()):
        raise Refusal("no-matching-signature")


def _signer_of_items(scheme: Scheme, facts: Facts, materials: Sequence[Material]) -> Key:
    """Return the key of the last item, once every item is signed: one that is not refuses them all."""
    if scheme.signature is None:
        raise Refusal("unsupported-scheme")
    items = items_of(facts.given.document, scheme.each)
    if not items:
        raise Refusal("body-field-missing")
    for item in items:
        texts, _ = read_layout(scheme.layout, facts.given.value(scheme.signature, item))
        of_item = Facts(given=facts.given, id=facts.id, timestamp=facts.timestamp, item=item)
        key = _signer(scheme, of_item, texts, materials)
    return key


def _signer(scheme: Scheme, facts: Facts, texts: Sequence[bytes], materials: Sequence[Material]) -> Key:
    """Return the key that made one of the signatures; Refusal if none did."""
    if scheme.algorithm not in SIGNING:
        return _knower(scheme, texts, materials)
    signatures = [signature for text in texts if (signature := decoded(scheme.encoding, text)) is not None]
    if texts and not signatures:
        raise Refusal("malformed-header")
    content = signed_content(scheme, facts)
    for key, material in materials:
        if _is_signed(scheme, material, signatures, content):
            return key
    raise Refusal("no-matching-signature")


def _is_signed(scheme: Scheme, material: bytes, signatures: Sequence[bytes], content: bytes) -> bool:
    kind = kind_of(scheme)
    if kind is not None:
        return any(crypto.verifies(kind, material, each, content) for each in signatures)
    expected = mac(scheme, material, content)
    return any(hmac.compare_digest(expected, each) for each in signatures)


def mac(scheme: Scheme, secret: bytes, content: bytes) -> bytes:
    """Return the HMAC (RFC 2104) of the content by the scheme's hash."""
    assert scheme.algorithm in MADE_WITH_A_HASH
    return hmac.digest(secret, content, scheme.algorithm.removeprefix("hmac-"))


def _knower(scheme: Scheme, texts: Sequence[bytes], materials: Sequence[Material]) -> Key:
    shown: list[Any] = [_credentials(each) if scheme.algorithm == "basic" else each for each in texts]
    if None in shown:
        raise Refusal("malformed-header")
    for key, material in materials:
        if any(hmac.compare_digest(material, each) for each in shown):
            return key
    raise Refusal("no-matching-signature")


def _credentials(value: bytes) -> bytes | None:
    """Return `name:password` of a Basic Authorization header (RFC 7617)."""
    scheme, _, coded = value.partition(b" ")
    return from_base64(coded.strip(b" ")) if scheme.lower() == b"basic" else None
