"""Arbitrary headers and bodies to every preset: nothing raises, and nothing is accepted."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.webhooks.receive.deliveries import AT, AT_S, DELIVERIES, keys_of, signed
from tests.unit.webhooks.receive.fuzz import BODIES, KEYS, NAMES, PIECES, Raw, feed, random_case, refuses
from tidings.errors import TranslationError
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.handshake import after_verify, before_body
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.read import read
from tidings.webhooks.receive.verdict import Accepted, RequestFacts
from tidings.webhooks.receive.verify import Verifier, verify

CASES = 3_000


def test_verifier_is_total() -> None:
    assert feed(CASES, seed=20260504).total() == CASES


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
    headers=st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=80) | st.sampled_from(PIECES)), max_size=6),
    body=st.binary(max_size=200) | st.sampled_from(BODIES),
    query=st.binary(max_size=60),
)
def test_arbitrary_bytes_raise_nothing_and_are_accepted_by_nothing(
    name: str, headers: Raw, body: bytes, query: bytes
) -> None:
    refuses(PRESETS[name], headers, body, query)


@pytest.mark.parametrize("name", list(PRESETS))
@settings(max_examples=30, deadline=None)
@given(
    headers=st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=80) | st.sampled_from(PIECES)), max_size=6),
    body=st.binary(max_size=200) | st.sampled_from(BODIES),
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
