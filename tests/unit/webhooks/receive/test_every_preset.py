"""Every preset: what is signed in each of its schemes is accepted, and nothing that differs in one bit is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.webhooks.receive.deliveries import AT, DELIVERIES, Delivery, keys_of, signed
from tidings.webhooks.receive.keys import Key, check_keys
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.scheme import SIGNING, Scheme
from tidings.webhooks.receive.sign import Signed
from tidings.webhooks.receive.verdict import Accepted, Rejected
from tidings.webhooks.receive.verify import verify

SCHEMES = [
    pytest.param(name, index, id=f"{name}-{index}-{scheme.algorithm}")
    for name, preset in PRESETS.items()
    for index, scheme in enumerate(preset.schemes)
]


def delivery_of(name: str, scheme: Scheme) -> Delivery:
    """Twilio's JSON is another delivery than its form."""
    if scheme.body_sha256 is None:
        return DELIVERIES[name]
    return Delivery(b'{"EventType":"onMessageAdded"}', ((b"content-type", b"application/json"),), query=b"a=1")


def judged(name: str, made: Signed, keys: list[Key], *, delivery: Delivery, late: float = 0) -> Accepted | Rejected:
    request = replace(delivery.request, query=made.query)
    return verify(PRESETS[name].schemes, made.headers, made.body, request, keys, AT + timedelta(seconds=late))


@pytest.mark.parametrize(("name", "index"), SCHEMES)
def test_what_is_signed_is_accepted_by_the_same_scheme_and_key(name: str, index: int) -> None:
    scheme = PRESETS[name].schemes[index]
    signing, verifying = keys_of(scheme)
    check_keys(PRESETS[name].schemes, verifying)
    delivery = delivery_of(name, scheme)
    verdict = judged(name, signed(scheme, delivery, signing), verifying, delivery=delivery)
    assert isinstance(verdict, Accepted)
    assert verdict.key == verifying[0]
    assert verdict.scheme == index


@pytest.mark.parametrize(("name", "index"), SCHEMES)
def test_a_flipped_bit_of_the_signature_is_refused(name: str, index: int) -> None:
    scheme = PRESETS[name].schemes[index]
    signing, verifying = keys_of(scheme)
    delivery = delivery_of(name, scheme)
    made = signed(scheme, delivery, signing)
    whole = [(at, each) for at, each in enumerate(made.headers) if at >= len(delivery.headers)]
    for at, (header, value) in whole:
        for position in range(len(value)):
            for bit in range(8):
                other = bytes([*value[:position], value[position] ^ 1 << bit, *value[position + 1 :]])
                if header == b"authorization" and value[:6].lower() == other[:6].lower():
                    continue  # the word Basic, in any case
                if other.strip(b" \t") == value or (scheme.id is None and header not in _signed_headers(scheme)):
                    continue
                headers = (*made.headers[:at], (header, other), *made.headers[at + 1 :])
                verdict = judged(name, replace(made, headers=headers), verifying, delivery=delivery)
                assert isinstance(verdict, Rejected), (header, other)


def _signed_headers(scheme: Scheme) -> set[bytes]:
    places = (scheme.signature, scheme.timestamp, scheme.id, scheme.key_name)
    return {place.name.encode() for place in places if place is not None and hasattr(place, "name")}


@pytest.mark.parametrize(("name", "index"), SCHEMES)
def test_a_flipped_bit_of_the_body_is_refused(name: str, index: int) -> None:
    scheme = PRESETS[name].schemes[index]
    if scheme.algorithm not in SIGNING or scheme.each:
        assert name in {"gitlab", "graph", "postmark", "chargebee", "adyen"}  # these do not cover the whole body
        return
    signing, verifying = keys_of(scheme)
    delivery = delivery_of(name, scheme)
    made = signed(scheme, delivery, signing)
    for position in range(len(made.body)):
        body = bytes([*made.body[:position], made.body[position] ^ 1, *made.body[position + 1 :]])
        verdict = judged(name, replace(made, body=body), verifying, delivery=delivery)
        assert isinstance(verdict, Rejected), body


@pytest.mark.parametrize(("name", "index"), SCHEMES)
def test_another_key_is_refused(name: str, index: int) -> None:
    scheme = PRESETS[name].schemes[index]
    signing, _ = keys_of(scheme)
    delivery = delivery_of(name, scheme)
    made = signed(scheme, delivery, signing)
    other = {"whsec": "whsec_" + "QUFB" * 8, "hex": "00" * 32}.get(scheme.key_form, "another secret")
    verdict = judged(name, made, [Key(other, name=signing[0].name)], delivery=delivery)
    assert isinstance(verdict, Rejected)
    assert verdict.reason in ("no-matching-signature", "no-active-key")


@pytest.mark.parametrize(("name", "index"), SCHEMES)
def test_a_stale_or_future_time_is_refused_where_there_is_one(name: str, index: int) -> None:
    scheme = PRESETS[name].schemes[index]
    signing, verifying = keys_of(scheme)
    delivery = delivery_of(name, scheme)
    made = signed(scheme, delivery, signing)
    early, late = (judged(name, made, verifying, delivery=delivery, late=each) for each in (-301, 301))
    if scheme.tolerance is None:
        assert isinstance(early, Accepted)
        assert isinstance(late, Accepted)
    else:
        assert early == Rejected("too-new")
        assert late == Rejected("too-old")
        assert isinstance(judged(name, made, verifying, delivery=delivery, late=300), Accepted)
