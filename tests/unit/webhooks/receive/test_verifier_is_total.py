"""Arbitrary headers and bodies to every preset: nothing raises, and nothing is accepted.

`TIDINGS_FUZZ_CASES` is how many the plain loop tries: 3,000 if it is not set, a million before a release.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.webhooks.receive.deliveries import AT, AT_S, DELIVERIES, PUBLIC_URL, keys_of, signed
from tidings.errors import TranslationError
from tidings.webhooks.receive.given import FORM, Given
from tidings.webhooks.receive.handshake import after_verify, before_body
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.places import Header
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.read import read
from tidings.webhooks.receive.verdict import Accepted, Reason, Rejected, RequestFacts
from tidings.webhooks.receive.verify import Verifier, verify

CASES = int(os.environ.get("TIDINGS_FUZZ_CASES", "3000"))
REASONS = set(get_args(Reason))
Raw = list[tuple[bytes, bytes]]

_NAMES = sorted(
    {
        place.name.encode()
        for preset in PRESETS.values()
        for scheme in preset.schemes
        for place in (scheme.signature, scheme.timestamp, scheme.id, scheme.key_name)
        if isinstance(place, Header)
    }
    | {b"content-type", b"x", b""}
)
_PIECES = [
    b"v1,",
    b"v1a,",
    b"t=",
    b"ts=",
    b"h1=",
    b"v1=",
    b"v0=",
    b"sha256=",
    b"sha1=",
    b",",
    b";",
    b" ",
    b"=",
    b".",
    b"-",
    b"Basic ",
    b"\x00",
    b"\xff",
    "\u0661".encode(),
    b"AAAA",
    b"0" * 64,
    b"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    b"%",
    b"%zz",
    str(AT_S).encode(),
    str(AT_S * 1000).encode(),
    b"2026-05-04T10:11:12Z",
    b"99999999999999999999",
    FORM.encode(),
]
_BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"{",
    b"[" * 200,
    b'{"a":' * 100,
    b"\xff\xfe",
    b"a=b&a=c",
    b"payload=%7B%7D",
    b'"\\ud800"',
    b'{"value":[{"clientState":null}]}',
    b'{"value":[{"clientState":"x"}],"value":1}',
    b'{"value":{}}',
    b'{"notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":"AAAA"}}}]}',
    b'{"webhookTimestamp":1e400}',
    b"-0",
    b"1" * 5000,
    *(delivery.body for name, delivery in DELIVERIES.items() if name != "graph"),
]


def held_by(preset: Preset) -> list[Key]:
    return [key for scheme in preset.schemes for key in keys_of(scheme)[1]]


KEYS = {name: held_by(preset) for name, preset in PRESETS.items()}


VERIFIERS = {name: Verifier(preset.schemes, KEYS[name]) for name, preset in PRESETS.items()}


def refuses(preset: Preset, headers: Raw, body: bytes, query: bytes) -> None:
    request = RequestFacts(query=query, public_url=PUBLIC_URL, settings={"webhook_id": "w"})
    verdict = VERIFIERS[preset.name].judge(Given(headers, body, request), AT_S * 1_000_000)
    assert isinstance(verdict, Rejected), (preset.name, headers, body, query)
    assert verdict.reason in REASONS


def random_case(source: random.Random) -> tuple[Raw, bytes, bytes]:
    def some(pieces: Iterable[bytes], most: int) -> bytes:
        known = list(pieces)
        return b"".join(
            source.choice(known) if source.random() < 0.8 else source.randbytes(source.randrange(6))
            for _ in range(source.randrange(most + 1))
        )

    headers = [(source.choice(_NAMES), some(_PIECES, 5)) for _ in range(source.randrange(7))]
    if source.random() < 0.02:
        headers += [(source.choice(_NAMES), source.choice(_PIECES) * source.randrange(5_000))]
    body = source.choice(_BODIES) if source.random() < 0.7 else some([*_BODIES, *_PIECES], 3)
    return headers, body, some([b"token=", b"bodySHA256=", b"&", b"%", b"x", b"\xff"], 4)


def test_verifier_is_total() -> None:
    source = random.Random(20260504)
    presets = list(PRESETS.values())
    for case in range(CASES):
        headers, body, query = random_case(source)
        if case % 4 == 0:  # a request that a provider made, with something of it broken
            preset = source.choice(presets)
            headers = [*DELIVERIES[preset.name].headers, *headers]
        refuses(presets[case % len(presets)], headers, body, query)


@pytest.mark.parametrize("name", list(PRESETS))
def test_one_verifier_judges_all_requests_as_a_new_one_does(name: str) -> None:
    """Whatever came before: nothing of one request is left for the next."""
    preset, source = PRESETS[name], random.Random(name)
    for scheme in preset.schemes:
        signing, verifying = keys_of(scheme)
        verifier = Verifier(preset.schemes, verifying)
        made = signed(scheme, DELIVERIES[name], signing)
        request = replace(DELIVERIES[name].request, query=made.query)
        for _ in range(20):
            headers, body, _ = random_case(source)
            mixed = source.sample([*made.headers, *headers], k=len(made.headers) + len(headers))
            for sent in ((made.headers, made.body), (mixed, made.body), (made.headers, body), (headers, body)):
                fresh = verify(preset.schemes, *sent, request, verifying, AT)
                assert verifier.judge(Given(*sent, request), AT_S * 1_000_000) == fresh
        assert isinstance(verifier.judge(Given(made.headers, made.body, request), AT_S * 1_000_000), Accepted)


@pytest.mark.parametrize("name", list(PRESETS))
@settings(max_examples=30, deadline=None)
@given(
    headers=st.lists(st.tuples(st.sampled_from(_NAMES), st.binary(max_size=80) | st.sampled_from(_PIECES)), max_size=6),
    body=st.binary(max_size=200) | st.sampled_from(_BODIES),
    query=st.binary(max_size=60),
)
def test_arbitrary_bytes_raise_nothing_and_are_accepted_by_nothing(
    name: str, headers: Raw, body: bytes, query: bytes
) -> None:
    refuses(PRESETS[name], headers, body, query)


@pytest.mark.parametrize("name", list(PRESETS))
@settings(max_examples=30, deadline=None)
@given(
    headers=st.lists(st.tuples(st.sampled_from(_NAMES), st.binary(max_size=80) | st.sampled_from(_PIECES)), max_size=6),
    body=st.binary(max_size=200) | st.sampled_from(_BODIES),
    query=st.binary(max_size=60),
)
def test_arbitrary_bytes_are_read_or_are_a_translation_error(
    name: str, headers: Raw, body: bytes, query: bytes
) -> None:
    preset, request = PRESETS[name], RequestFacts(query=query)
    before_body(preset.handshake, request, headers, KEYS[name], AT)
    after_verify(preset.handshake, body, KEYS[name], AT)
    try:
        items = read(preset, headers, body, request)
    except TranslationError:
        return
    assert all(item.type.startswith(f"{name}.") and item.id for item in items)
