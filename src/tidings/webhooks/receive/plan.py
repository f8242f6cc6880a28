"""A scheme with its keys, worked out once: where to look, how to read it, with which bytes to compare.

Nothing on the way to a verdict of Accepted raises or builds what another request would build again.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from itertools import repeat
from math import inf
from typing import NamedTuple

import msgspec

from tidings.webhooks import crypto
from tidings.webhooks.macs import Mac, mac_of
from tidings.webhooks.receive.content import Facts, content_of
from tidings.webhooks.receive.given import Given, Refusal, items_of, look_up
from tidings.webhooks.receive.instants import instant_us, us_of
from tidings.webhooks.receive.keys import KEYS_MAX, Key, from_base64, kind_of, verifying
from tidings.webhooks.receive.layouts import decoder_of, reader_of
from tidings.webhooks.receive.places import Member, Unit
from tidings.webhooks.receive.scheme import MADE_WITH_A_HASH, SIGNING, Scheme
from tidings.webhooks.receive.verdict import Accepted, Rejected

_MICROSECONDS = 1_000_000


class _Held(NamedTuple):
    """A key, the bytes that verify with it, and from when until before when it holds, in microseconds since 1970.

    `mac`: where the scheme is made with a hash, what signs with it.
    """

    key: Key
    material: bytes
    mac: Mac | None
    not_before: float
    not_after: float


class Plan:
    """Judges requests by one scheme. `index`: which of several it is; `place`: where its signature stands."""

    def __init__(self, scheme: Scheme, index: int, keys: Sequence[Key]) -> None:
        self.place = scheme.signature
        self._scheme = scheme
        self._index = index
        self._is_known = scheme.algorithm in SIGNING or scheme.algorithm in ("token", "basic")
        self._kind = kind_of(scheme)
        self._hash = scheme.algorithm.removeprefix("hmac-") if scheme.algorithm in MADE_WITH_A_HASH else None
        self._read = reader_of(scheme.layout)
        self._content = content_of(scheme)
        self._in_body = isinstance(scheme.signature, Member)
        self._time_in_body = isinstance(scheme.timestamp, Member)
        self._signature = None if self._in_body or scheme.signature is None else look_up(scheme.signature)
        self._timestamp = None if self._time_in_body or scheme.timestamp is None else look_up(scheme.timestamp)
        self._identity = None if scheme.id is None else look_up(scheme.id)
        self._unit: Unit = (scheme.timestamp.unit if scheme.timestamp is not None else None) or "s"
        tolerance = scheme.tolerance
        self._tolerance = None if tolerance is None else round(tolerance.total_seconds() * _MICROSECONDS)
        self._held = _held(scheme, self._hash, keys) if self._is_known else ()
        is_for_ever = all(each.not_before == -inf and each.not_after == inf for each in self._held)
        self._always = self._held if is_for_ever and scheme.key_name is None and len(self._held) <= KEYS_MAX else ()
        self._decode = decoder_of(scheme.encoding)

    def verdict(self, given: Given, now_us: int) -> Accepted | Rejected:
        """Judge a request at this time, in microseconds since 1970."""
        if self._scheme.algorithm == "unsigned":
            return Accepted(scheme=self._index, key=None, time_us=None)
        if not self._is_known:
            return Rejected("unsupported-scheme")
        try:
            key, time = self._judged(given, now_us)
        except Refusal as refusal:
            return Rejected(refusal.reason)
        return Accepted(scheme=self._index, key=key, time_us=time)

    def _judged(self, given: Given, now_us: int) -> tuple[Key, int | None]:
        """Return the key that signed, and the time; Refusal if none did, or at no time that can be believed."""
        scheme = self._scheme
        value = b"" if self._signature is None else self._signature(given)
        texts, stamp = self._read(value) if value else ([], None)
        if self._timestamp is not None:
            stamp = self._timestamp(given)
        time = None if stamp is None else self._checked_time(stamp, now_us)
        identity = b"" if self._identity is None else self._identity(given)
        held = self._always or self._active(given, now_us)
        if scheme.body_sha256 is not None:
            _check_body_sha256(given.value(scheme.body_sha256), given.body)
        facts = Facts(given, identity, stamp or b"")
        key = self._signer_of_items(facts, held) if self._in_body else self._signer(facts, texts, held)
        if self._time_in_body and scheme.timestamp is not None:  # the body is parsed only now that it is believed
            time = self._checked_time(given.value(scheme.timestamp), now_us)
        return key, time

    def _checked_time(self, stamp: bytes, now_us: int) -> int:
        time = instant_us(stamp.decode(), self._unit)
        if time is None:
            raise Refusal("malformed-timestamp")
        if self._tolerance is not None:
            if time < now_us - self._tolerance:
                raise Refusal("too-old")
            if time > now_us + self._tolerance:
                raise Refusal("too-new")
        return time

    def _active(self, given: Given, now_us: int) -> Sequence[_Held]:
        place = self._scheme.key_name
        name = None if place is None else given.value(place).decode()
        found = [
            held
            for held in self._held
            if held.not_before <= now_us < held.not_after and (place is None or held.key.name == name)
        ]
        if not found:
            raise Refusal("no-active-key")
        if len(found) > KEYS_MAX:
            raise Refusal("malformed-header")
        return found

    def _signer_of_items(self, facts: Facts, held: Sequence[_Held]) -> Key:
        """Return the key of the last item, once every item is signed: one that is not refuses them all."""
        if self._scheme.signature is None:
            raise Refusal("unsupported-scheme")
        items = items_of(facts.given.document, self._scheme.each)
        if not items:
            raise Refusal("body-field-missing")
        for item in items:
            texts, _ = self._read(facts.given.value(self._scheme.signature, item))
            key = self._signer(msgspec.structs.replace(facts, item=item), texts, held)
        return key

    def _signer(self, facts: Facts, texts: Sequence[bytes], held: Sequence[_Held]) -> Key:
        """Return the key that made one of the signatures; Refusal if none did."""
        if self._hash is None and self._kind is None:
            return _knower(self._scheme, texts, held)
        decode = self._decode
        signatures = [signature for text in texts if (signature := decode(text)) is not None]
        if texts and not signatures:
            raise Refusal("malformed-header")
        content = self._content(facts)
        for each in held:
            if self._is_signed(each, signatures, content):
                return each.key
        raise Refusal("no-matching-signature")

    def _is_signed(self, held: _Held, signatures: Sequence[bytes], content: bytes) -> bool:
        if held.mac is not None:
            expected = held.mac(content)
            return any(map(hmac.compare_digest, repeat(expected), signatures))
        assert self._kind is not None
        return any(crypto.verifies(self._kind, held.material, each, content) for each in signatures)


def _held(scheme: Scheme, hash: str | None, keys: Sequence[Key]) -> tuple[_Held, ...]:
    """Return the keys that are written as the scheme says."""
    return tuple(
        _Held(
            key,
            material,
            None if hash is None else mac_of(hash, material),
            -inf if key.not_before is None else us_of(key.not_before),
            inf if key.not_after is None else us_of(key.not_after),
        )
        for key in keys
        if (material := verifying(scheme, key)) is not None
    )


def _check_body_sha256(said: bytes, body: bytes) -> None:
    if not hmac.compare_digest(said, sha256(body).hexdigest().encode()):
        raise Refusal("no-matching-signature")


def _knower(scheme: Scheme, texts: Sequence[bytes], held: Sequence[_Held]) -> Key:
    shown = [_credentials(each) if scheme.algorithm == "basic" else each for each in texts]
    known = [each for each in shown if each is not None]
    if len(known) < len(shown):
        raise Refusal("malformed-header")
    for one in held:
        if any(hmac.compare_digest(one.material, each) for each in known):
            return one.key
    raise Refusal("no-matching-signature")


def _credentials(value: bytes) -> bytes | None:
    """Return `name:password` of a Basic Authorization header (RFC 7617)."""
    scheme, _, coded = value.partition(b" ")
    return from_base64(coded.strip(b" ")) if scheme.lower() == b"basic" else None
