from __future__ import annotations

import hashlib
import json
from base64 import b32encode, b64encode
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from tidings.webhooks import crypto
from tidings.webhooks.deliver.secrets import Secret, secret_of
from tidings.webhooks.deliver.signing import batch_id, message_id, signature, signature_headers, signed_content

ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1_614_265_330
BODY = b'{"test": 2432232314}'
HMAC = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
HMAC_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
ED25519 = secret_of("whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==")
ED25519_PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
ED25519_SIGNATURE = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

keys = st.binary(min_size=24, max_size=64)
bodies = st.text(max_size=200).map(lambda text: json.dumps({"text": text}).encode())


def headers(*secrets: Secret, body: bytes = BODY, timestamp: int = TIMESTAMP) -> dict[str, str]:
    return dict(signature_headers(secrets, id=ID, timestamp=timestamp, body=body))


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def test_v1_is_the_vector_of_standard_webhooks() -> None:
    assert signature(HMAC, signed_content(ID, TIMESTAMP, BODY)) == HMAC_SIGNATURE


def test_v1a_is_the_vector_of_svix() -> None:
    assert ED25519.public == ED25519_PUBLIC
    assert signature(ED25519, signed_content(ID, TIMESTAMP, BODY)) == ED25519_SIGNATURE


def test_all_secrets_sign_in_their_order() -> None:
    assert headers(ED25519, HMAC) == {
        "webhook-id": ID,
        "webhook-timestamp": str(TIMESTAMP),
        "webhook-signature": f"{ED25519_SIGNATURE} {HMAC_SIGNATURE}",
    }


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="no secret"):
        headers()


def test_the_id_of_a_message_follows_from_its_event() -> None:
    digest = hashlib.sha256(b"/orders\x00order-7").digest()[:20]
    assert message_id("/orders", "order-7") == "msg_" + b32encode(digest).decode().lower()
    assert message_id("/orders", "order-7") == "msg_okqk5oocrnm7b4im5pirzelw7vjpdw4m"
    digest = hashlib.sha256(b"\0batch\x00e:1#1\x00e:1\x00e:2").digest()[:20]
    assert batch_id("e:1#1", ["e:2", "e:1"]) == "msg_" + b32encode(digest).decode().lower()
    assert message_id("/orders", "order-7", nonce="replay-1") != message_id("/orders", "order-7")
    assert message_id("/orders", "order-7", nonce="replay-1") == message_id("/orders", "order-7", nonce="replay-1")


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


events = st.lists(st.tuples(texts, texts, texts | st.just("")), min_size=2, max_size=6, unique=True)


@given(events, texts, st.sets(texts))
def test_no_two_messages_have_one_id(events: list[tuple[str, str, str]], row: str, members: set[str]) -> None:
    ids = {message_id(source, id, nonce=nonce) for source, id, nonce in events}
    ids |= {batch_id(row, members), batch_id(row, {*members, "\N{SNOWMAN}" * 13})}
    assert len(ids) == len(events) + 2
    assert all("." not in each and each.isascii() and each == each.lower() for each in ids)


@given(keys, bodies)
def test_standardwebhooks_accepts_ours(key: bytes, body: bytes) -> None:
    signed = headers(Secret("hmac", key), body=body, timestamp=now())
    verifier = standardwebhooks.Webhook(b64encode(key).decode())
    accepted(verifier, body, signed)
    refused(verifier, body + b" ", signed)
    refused(verifier, body, {**signed, "webhook-id": ID + "x"})
    refused(verifier, body, {**signed, "webhook-timestamp": str(int(signed["webhook-timestamp"]) - 1)})


@given(keys, bodies)
def test_svix_accepts_ours(key: bytes, body: bytes) -> None:
    signed = headers(Secret("hmac", key), body=body, timestamp=now())
    verifier = svix.webhooks.Webhook("whsec_" + b64encode(key).decode())
    accepted(verifier, body, signed)
    accepted(verifier, body, {name.replace("webhook-", "svix-"): value for name, value in signed.items()})
    refused(verifier, body + b" ", signed)


@given(keys, keys, bodies)
def test_a_receiver_with_either_secret_accepts_while_both_live(new: bytes, old: bytes, body: bytes) -> None:
    signed = headers(ED25519, Secret("hmac", new), Secret("hmac", old), body=body, timestamp=now())
    for key in (new, old):
        accepted(standardwebhooks.Webhook(b64encode(key).decode()), body, signed)


@given(keys, bodies)
def test_what_standardwebhooks_signs_we_sign_alike(key: bytes, body: bytes) -> None:
    theirs = standardwebhooks.Webhook(b64encode(key).decode())
    at = datetime.fromtimestamp(TIMESTAMP, tz=UTC)
    assert signature(Secret("hmac", key), signed_content(ID, TIMESTAMP, body)) == theirs.sign(ID, at, body.decode())


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 63))
def test_a_flipped_bit_is_refused_by_the_public_half(seed: bytes, body: bytes, place: int) -> None:
    content = signed_content(ID, TIMESTAMP, body)
    good = crypto.signature_of("ed25519", seed, content)
    public = crypto.ed25519_public(seed)
    assert crypto.verifies("ed25519", public, good, content)
    bad = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
    assert not crypto.verifies("ed25519", public, bad, content)


def accepted(verifier: standardwebhooks.Webhook | svix.webhooks.Webhook, body: bytes, signed: dict[str, str]) -> None:
    verifier.verify(body, signed)  # raises if it refuses; what it returns differs from one release to the next


def refused(verifier: standardwebhooks.Webhook | svix.webhooks.Webhook, body: bytes, signed: dict[str, str]) -> None:
    with pytest.raises((standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError)):
        verifier.verify(body, signed)
