"""The providers' own packages and we: what they sign we accept, what we sign they accept, and one bit refuses both."""

from __future__ import annotations

import binascii
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
import standardwebhooks
import stripe
import svix.webhooks
from gidgethub import sansio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.webhooks.receive.deliveries import WHSEC
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.presets.code import GITHUB
from tidings.webhooks.receive.read import read
from tidings.webhooks.receive.sign import sign
from tidings.webhooks.receive.verdict import Accepted, RequestFacts
from tidings.webhooks.receive.verify import verify

SECRET = "It's a Secret to Everybody"
OTHER = "whsec_" + "T0xE" * 8
ID = "msg_2f8a"
Headers = dict[str, str]


@dataclass(frozen=True)
class Party:
    """A package that judges (`accepts` raises unless it accepts), and one that signs if it can."""

    name: str
    preset: str
    key: str
    accepts: Callable[[bytes, Headers, str], object]
    signs: Callable[[bytes, datetime, str], Headers] | None


def _standard_signs(body: bytes, at: datetime, key: str) -> Headers:
    signature = standardwebhooks.Webhook(key).sign(msg_id=ID, timestamp=at, data=body.decode())
    return _headers("webhook", at, signature)


def _svix_signs(prefix: str) -> Callable[[bytes, datetime, str], Headers]:
    def signs(body: bytes, at: datetime, key: str) -> Headers:
        return _headers(prefix, at, svix.webhooks.Webhook(key).sign(ID, at, body.decode()))

    return signs


def _headers(prefix: str, at: datetime, signature: str) -> Headers:
    return {
        f"{prefix}-id": ID,
        f"{prefix}-timestamp": str(int(at.timestamp())),
        f"{prefix}-signature": signature,
    }


def _stripe_signs(body: bytes, at: datetime, key: str) -> Headers:
    stamp = int(at.timestamp())
    signature = stripe.WebhookSignature._compute_signature(f"{stamp}.{body.decode()}", key)
    return {"stripe-signature": f"t={stamp},v1={signature}"}


PARTIES = [
    Party(
        "standardwebhooks",
        "standard",
        WHSEC,
        lambda body, headers, key: standardwebhooks.Webhook(key).verify(body, headers, json_parse=False),
        _standard_signs,
    ),
    Party(
        "svix",
        "svix",
        WHSEC,
        lambda body, headers, key: svix.webhooks.Webhook(key).verify(body, headers),
        _svix_signs("svix"),
    ),
    Party(
        "svix with standard headers",
        "standard",
        WHSEC,
        lambda body, headers, key: svix.webhooks.Webhook(key).verify(body, headers),
        _svix_signs("webhook"),
    ),
    Party(
        "stripe",
        "stripe",
        "whsec_a-text-as-it-stands",
        lambda body, headers, key: stripe.Webhook.construct_event(body, headers["stripe-signature"], key),
        _stripe_signs,
    ),
    Party(
        "gidgethub",
        "github",
        SECRET,
        lambda body, headers, key: sansio.validate_event(body, signature=headers["x-hub-signature-256"], secret=key),
        None,
    ),
]
EACH = pytest.mark.parametrize("party", PARTIES, ids=[party.name for party in PARTIES])
BODIES = st.text(max_size=200).map(
    lambda text: b'{"object":"event","id":"evt_1","type":"a","text":' + json.dumps(text).encode() + b"}"
)


def ours(party: Party, body: bytes, keys: list[str], at: datetime) -> Headers:
    scheme = PRESETS[party.preset].schemes[0]
    made = sign(scheme, body, RequestFacts(), [Key(key) for key in keys], id=ID, at=at)
    return {name.decode(): value.decode() for name, value in made.headers}


def we_accept(party: Party, body: bytes, headers: Headers, at: datetime) -> bool:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    verdict = verify(PRESETS[party.preset].schemes, raw, body, RequestFacts(), [Key(party.key)], at)
    return isinstance(verdict, Accepted)


def they_accept(party: Party, body: bytes, headers: Headers) -> bool:
    """On malformed input they raise more than their own errors: any exception is a refusal here."""
    try:
        party.accepts(body, headers, party.key)
    except Exception:
        return False
    return True


def now() -> datetime:
    return datetime.fromtimestamp(int(time.time()), UTC)


@EACH
@settings(max_examples=40, deadline=None)
@given(body=BODIES)
def test_what_we_sign_they_accept_and_what_they_sign_we_accept(party: Party, body: bytes) -> None:
    at = now()
    headers = ours(party, body, [party.key], at)
    assert they_accept(party, body, headers)
    assert we_accept(party, body, headers, at)
    if party.signs is not None:
        theirs = party.signs(body, at, party.key)
        assert we_accept(party, body, theirs, at)
        assert theirs == headers


def flipped(text: str) -> Iterator[str]:
    for position, character in enumerate(text):
        for bit in range(7):
            yield text[:position] + chr(ord(character) ^ 1 << bit) + text[position + 1 :]


@EACH
def test_one_flipped_bit_in_any_header_is_refused_by_both(party: Party) -> None:
    body, at = b'{"object":"event","id":"evt_1","type":"a"}', now()
    headers = ours(party, body, [party.key], at)
    for name, value in headers.items():
        for other in flipped(value):
            if other.strip() == value:
                continue
            changed = headers | {name: other}
            assert not we_accept(party, body, changed, at), changed
            assert same_bytes(other, value) or not they_accept(party, body, changed), changed


def same_bytes(one: str, other: str) -> bool:
    """Whether two texts of a signature differ only in bits of base64 that say nothing: some read those alike."""
    try:
        return binascii.a2b_base64(one.partition(",")[2]) == binascii.a2b_base64(other.partition(",")[2]) != b""
    except ValueError:
        return False


@EACH
def test_one_flipped_bit_in_the_body_is_refused_by_both(party: Party) -> None:
    body, at = b'{"object":"event","id":"evt_1","type":"a"}', now()
    headers = ours(party, body, [party.key], at)
    for position in range(len(body)):
        changed = bytes([*body[:position], body[position] ^ 1, *body[position + 1 :]])
        assert not we_accept(party, changed, headers, at)
        assert not they_accept(party, changed, headers)


@pytest.mark.parametrize("party", PARTIES[:4], ids=[party.name for party in PARTIES[:4]])
def test_with_two_live_secrets_and_an_unknown_label_first_both_accept(party: Party) -> None:
    body, at = b'{"object":"event","id":"evt_1","type":"a"}', now()
    headers = ours(party, body, [OTHER, party.key], at)
    name = next(name for name in headers if "signature" in name)
    unknown = f"v0=aa,{headers[name]}" if party.preset == "stripe" else f"v9,AAAA {headers[name]}"
    for changed in (headers, headers | {name: unknown}):
        assert they_accept(party, body, changed)
        assert we_accept(party, body, changed, at)


def test_of_several_stripe_signatures_only_the_last_need_be_right() -> None:
    party, body, at = PARTIES[3], b'{"object":"event","id":"evt_1","type":"a"}', now()
    [(name, value)] = ours(party, body, [party.key], at).items()
    stamp, right = value.split(",")
    several = {name: f"{stamp},v1={'0' * 64},v1={'1' * 64},{right}"}
    assert they_accept(party, body, several)
    assert we_accept(party, body, several, at)


def test_github_s_json_and_form_bodies_are_read_alike_by_both() -> None:
    payload = '{"action":"opened","issue":{},"repository":{"full_name":"a/b"}}'
    for content_type, body in (
        ("application/json", payload.encode()),
        ("application/x-www-form-urlencoded", b"payload=" + quote(payload).encode()),
    ):
        made = sign(GITHUB.schemes[0], body, RequestFacts(), [Key(SECRET)], at=now())
        own = {"content-type": content_type, "x-github-event": "issues", "x-github-delivery": "d1"}
        headers = own | {name.decode(): value.decode() for name, value in made.headers}
        event = sansio.Event.from_http(headers, body, secret=SECRET)
        [item] = read(GITHUB, [(name.encode(), value.encode()) for name, value in headers.items()], body)
        assert item.data == payload.encode()
        assert item.id == event.delivery_id == "d1"
        assert item.type == "github.issues.opened"
        assert event.data["action"] == "opened"


def test_gidgethub_accepts_sha1_alone_and_we_do_not() -> None:
    """Why no package of a provider stands in the request's path."""
    body = b"{}"
    headers = {
        "content-type": "application/json",
        "x-github-event": "ping",
        "x-github-delivery": "d1",
        "x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), body, "sha1").hexdigest(),
    }
    assert sansio.Event.from_http(headers, body, secret=SECRET).event == "ping"
    assert not we_accept(PARTIES[4], body, headers, now())
