"""How providers ask whether a receiver is there, and what it answers."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from hashlib import sha256
from urllib.parse import quote

import pytest

from tests.unit.webhooks.receive.deliveries import AT
from tidings.events.codec import encode_json
from tidings.webhooks.intake.receiver import Receiver
from tidings.webhooks.receive.given import Given
from tidings.webhooks.receive.handshake import Answer, after_verify, before_body
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.preset import Handshake, HandshakeKind
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.sign import sign
from tidings.webhooks.receive.verdict import Accepted, Rejected, RequestFacts

KEYS = [Key("a-secret")]
NO_HTML = ["<script>", "a<b", 'a"b', "a&b", "a'b", "a\nb", "", "x" * 2049, "ä"]


def asked(
    kind: HandshakeKind, method: str, query: str = "", *headers: tuple[bytes, bytes], **settings: str
) -> Answer | None:
    request = RequestFacts(method=method, query=query.encode(), settings=settings)
    handshake = Handshake(kind=kind, origins=("eventemitter.example.com",), rate=120)
    return before_body(handshake, request, headers, KEYS, AT)


def told(name: str, value: object, keys: list[Key] | None = None) -> Answer | None:
    return after_verify(PRESETS[name].handshake, encode_json(value), KEYS if keys is None else keys, AT)


def test_slack_is_echoed_its_challenge_as_text() -> None:
    answer = told(
        "slack", {"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}
    )
    assert answer is not None
    assert (answer.status, answer.media_type) == (200, "text/plain; charset=utf-8")
    assert answer.body == b"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    assert ("X-Content-Type-Options", "nosniff") in answer.headers


def test_meta_is_echoed_its_challenge_if_it_knows_the_token() -> None:
    query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    answer = asked("meta", "GET", query + "meatyhamhock", verify_token="meatyhamhock")
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"1158201444")
    for settings in ({"verify_token": "other"}, {"verify_token": ""}, {}):
        assert asked("meta", "GET", query + "meatyhamhock", **settings) == Answer(status=403)
    assert asked("meta", "GET", "hub.mode=unsubscribe&hub.verify_token=a", verify_token="a") is None
    assert asked("meta", "POST", query + "meatyhamhock", verify_token="meatyhamhock") is None


def test_zoom_is_given_its_token_with_the_hmac() -> None:
    body = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}, "event_ts": 1}
    answer = told("zoom", body)
    assert answer is not None
    assert answer.media_type == "application/json"
    assert json.loads(answer.body) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hmac.new(b"a-secret", b"qgg8vlvZRS6UYooatFL8Aw", sha256).hexdigest(),
    }
    assert told("zoom", body, []) is None


def test_graph_is_echoed_its_validation_token() -> None:
    token = "Validation: Testing client application reachability for subscription Request-Id: 7a-1"
    answer = asked("graph", "POST", f"validationToken={quote(token)}")
    assert answer is not None
    assert (answer.status, answer.body, answer.media_type) == (200, token.encode(), "text/plain; charset=utf-8")
    assert asked("graph", "POST", "a=b") is None


def test_discord_s_ping_is_answered_204() -> None:
    assert told("discord", {"version": 1, "type": 0}) == Answer(status=204)
    assert told("discord", {"version": 1, "type": 1}) is None
    assert told("discord", {"version": 1, "type": False}) is None


def test_x_is_given_the_hmac_of_its_token() -> None:
    answer = asked("x", "GET", "crc_token=abc")
    assert answer is not None
    expected = "sha256=" + b64encode(hmac.digest(b"a-secret", b"abc", "sha256")).decode()
    assert json.loads(answer.body) == {"response_token": expected}


@pytest.mark.parametrize("text", ["null", "1", "9b4507b3-9040-4669-9ca3-6b94edb50553", " 7 "])
def test_what_anybody_is_given_the_hmac_of_is_no_delivery_of_x(text: str) -> None:
    """X signs its deliveries with the key and the form of its check: a stranger would have us sign one for him."""
    answer = asked("x", "GET", f"crc_token={quote(text)}")
    assert answer is not None
    signature = (b"x-twitter-webhooks-signature", json.loads(answer.body)["response_token"].encode())
    receiver = Receiver("x", PRESETS["x"], secrets=(KEYS[0],), source="/x")
    assert receiver.judge(Given([signature], text.encode()), 0) == Rejected("no-matching-signature")


def test_a_delivery_of_x_is_taken() -> None:
    receiver = Receiver("x", PRESETS["x"], secrets=(KEYS[0],), source="/x")
    made = sign(PRESETS["x"].schemes[0], b'{"for_user_id":"1"}', RequestFacts(), KEYS, at=AT)
    assert isinstance(receiver.judge(Given(made.headers, made.body), 0), Accepted)


def test_cloudevents_senders_are_told_whether_and_how_much_they_may_send() -> None:
    answer = asked("cloudevents", "OPTIONS", "", (b"WebHook-Request-Origin", b"eventemitter.example.com"))
    assert answer is not None
    assert dict(answer.headers) == {
        "Allow": "POST",
        "WebHook-Allowed-Origin": "eventemitter.example.com",
        "WebHook-Allowed-Rate": "120",
    }
    for headers in ([], [(b"WebHook-Request-Origin", b"evil.example.com")], [(b"webhook-request-origin", b"\xff")]):
        other = asked("cloudevents", "OPTIONS", "", *headers)
        assert other is not None
        assert dict(other.headers) == {"Allow": "POST"}
    anyone = before_body(
        Handshake(kind="cloudevents", origins=("*",)),
        RequestFacts(method="OPTIONS"),
        [(b"webhook-request-origin", b"who.example")],
        [],
        AT,
    )
    assert anyone is not None
    assert dict(anyone.headers)["WebHook-Allowed-Rate"] == "*"


@pytest.mark.parametrize("text", NO_HTML)
def test_what_could_be_html_or_is_long_is_never_echoed(text: str) -> None:
    assert told("slack", {"type": "url_verification", "challenge": text}) is None
    assert told("zoom", {"event": "endpoint.url_validation", "payload": {"plainToken": text}}) is None
    assert asked("graph", "POST", f"validationToken={quote(text)}") is None
    assert asked("x", "GET", f"crc_token={quote(text)}") is None
    query = f"hub.mode=subscribe&hub.verify_token=a&hub.challenge={quote(text)}"
    assert asked("meta", "GET", query, verify_token="a") is None


def test_a_delivery_is_no_handshake() -> None:
    for name, preset in PRESETS.items():
        assert (
            after_verify(preset.handshake, b'{"type":"event_callback","event":"meeting.started"}', KEYS, AT) is None
        ), name
        assert before_body(preset.handshake, RequestFacts(), [], KEYS, AT) is None, name
    assert after_verify(PRESETS["slack"].handshake, b"{", KEYS, AT) is None
