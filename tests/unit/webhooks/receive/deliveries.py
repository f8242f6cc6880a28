"""One delivery of every provider as it would send it, with keys to sign it and keys to verify it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from tidings.events.codec import encode_json
from tidings.webhooks.receive.given import FORM
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.scheme import Scheme
from tidings.webhooks.receive.sign import Signed, sign
from tidings.webhooks.receive.verdict import RequestFacts

AT = datetime(2026, 5, 4, 10, 11, 12, tzinfo=UTC)
AT_S = int(AT.timestamp())
ID = "msg_2f8a"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WHSK = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
WHPK = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
CERT_URL = "https://api.paypal.com/v1/notifications/certs/CERT-1"
PUBLIC_URL = "https://example.com/hooks/it"


@dataclass(frozen=True)
class Delivery:
    """What a provider sends: the body, its own headers, the query that its URL has."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
    query: bytes = b""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def request(self) -> RequestFacts:
        return RequestFacts(query=self.query, public_url=PUBLIC_URL, settings=self.settings)


def signed(scheme: Scheme, delivery: Delivery, keys: list[Key], *, at: datetime = AT, id: str = ID) -> Signed:
    """Sign it, and give it the provider's own headers too."""
    made = sign(scheme, delivery.body, delivery.request, keys, id=id, at=at)
    return Signed(headers=(*delivery.headers, *made.headers), query=made.query, body=made.body)


def keys_of(scheme: Scheme) -> tuple[list[Key], list[Key]]:
    """Return keys that sign, and the keys that verify them."""
    match scheme.algorithm, scheme.key_form:
        case "ed25519", "whpk":
            return [Key(WHSK)], [Key(WHPK)]
        case "ed25519", _:
            private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
            return [Key(bytes(range(32)).hex())], [Key(private.public_key().public_bytes_raw().hex())]
        case "ecdsa-p256-sha256", _:
            return ecdsa_pair()
        case "rsa-sha256", _:
            return certificate_pair()
        case _, "whsec":
            keys = [Key(WHSEC)]
        case _, "hex":
            keys = [Key("44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056")]
        case "basic", _:
            keys = [Key("hooks:a-long-password")]
        case _:
            keys = [Key("It's a Secret to Everybody")]
    return keys, keys


@cache
def ecdsa_pair() -> tuple[list[Key], list[Key]]:
    from base64 import b64encode

    private = ec.generate_private_key(ec.SECP256R1())
    der = serialization.Encoding.DER
    secret = private.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = private.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    return [Key(b64encode(secret).decode())], [Key(b64encode(public).decode())]


@cache
def certificate_pair() -> tuple[list[Key], list[Key]]:
    private = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "messageverificationcerts.paypal.com")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(1).not_valid_before(AT).not_valid_after(AT + timedelta(days=365))
    pem = serialization.Encoding.PEM
    certificate = builder.sign(private, hashes.SHA256()).public_bytes(pem).decode()
    secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    return [Key(secret, name=CERT_URL)], [Key(certificate, name=CERT_URL)]


def _json(value: object, *headers: tuple[bytes, bytes], query: bytes = b"", **settings: str) -> Delivery:
    return Delivery(
        encode_json(value), ((b"content-type", b"application/json"), *headers), query=query, settings=settings
    )


_STANDARD = {"type": "contact.created", "timestamp": "2026-05-04T10:11:12.5Z", "data": {"id": "c1"}}
_ADYEN = {
    "pspReference": "7914073381342284",
    "merchantAccountCode": "TestMerchant",
    "merchantReference": "TestPayment-1407325143704",
    "amount": {"value": 1130, "currency": "EUR"},
    "eventCode": "AUTHORISATION",
    "success": "true",
    "eventDate": "2026-05-04T12:11:12+02:00",
}

DELIVERIES: dict[str, Delivery] = {
    "standard": _json(_STANDARD),
    "svix": _json(_STANDARD),
    "stripe": _json(
        {
            "id": "evt_1",
            "object": "event",
            "type": "customer.subscription.trial_will_end",
            "created": AT_S,
            "pending_webhooks": 2,
            "data": {"object": {"id": "sub_1", "object": "subscription"}},
        }
    ),
    "github": _json(
        {"action": "opened", "issue": {"updated_at": "2026-05-04T10:11:12Z"}, "repository": {"full_name": "a/b"}},
        (b"X-GitHub-Event", b"issues"),
        (b"X-GitHub-Delivery", b"72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        (b"X-Hub-Signature", b"sha1=" + b"0" * 40),
    ),
    "shopify": _json(
        {"admin_graphql_api_id": "gid://shopify/Order/1"},
        (b"X-Shopify-Topic", b"orders/create"),
        (b"X-Shopify-Webhook-Id", b"b54557e4"),
        (b"X-Shopify-Event-Id", b"98880550"),
        (b"X-Shopify-Triggered-At", b"2026-05-04T10:11:12.123456789Z"),
    ),
    "slack": _json(
        {
            "type": "event_callback",
            "event_id": "Ev1",
            "event_time": AT_S,
            "event": {"type": "app_mention", "channel": "C1"},
        }
    ),
    "twilio": Delivery(
        b"MessageSid=SM1&MessageStatus=delivered&Body=%C3%A4+%26+b&To=%2B1",
        ((b"content-type", FORM.encode()), (b"I-Twilio-Idempotency-Token", b"t-1")),
        query=b"foo=1&bar=%20",
    ),
    "meta": _json(
        {
            "object": "whatsapp_business_account",
            "entry": [
                {
                    "id": "e1",
                    "changes": [
                        {
                            "field": "messages",
                            "value": {
                                "metadata": {"phone_number_id": "p1"},
                                "messages": [{"id": "wamid.1", "timestamp": str(AT_S)}],
                            },
                        },
                        {"field": "account_update", "value": {}},
                    ],
                },
                {"id": "e2", "changes": [{"field": "messages", "value": {}}]},
            ],
        }
    ),
    "paypal": _json(
        {
            "id": "WH-1",
            "event_type": "PAYMENT.SALE.COMPLETED",
            "create_time": "2026-05-04T10:11:12Z",
            "resource": {"id": "80F8"},
        },
        webhook_id="9XL90610J3647323C",
    ),
    "square": _json(
        {"event_id": "6a8f", "type": "payment.updated", "created_at": "2026-05-04T10:11:12Z", "data": {"id": "p"}}
    ),
    "adyen": _json(
        {
            "live": "false",
            "notificationItems": [
                {"NotificationRequestItem": _ADYEN},
                {"NotificationRequestItem": _ADYEN | {"eventCode": "CAPTURE", "originalReference": "791"}},
            ],
        }
    ),
    "zoom": _json(
        {"event": "meeting.started", "event_ts": AT_S * 1000, "payload": {"object": {"uuid": "u1", "id": 7}}}
    ),
    "discord": _json(
        {"type": 1, "event": {"type": "APPLICATION_AUTHORIZED", "timestamp": "2026-05-04T10:11:12.123000+00:00"}}
    ),
    "hubspot": _json(
        [
            {
                "eventId": 1,
                "subscriptionId": 12345,
                "occurredAt": AT_S * 1000,
                "subscriptionType": "contact.propertyChange",
                "attemptNumber": 0,
                "objectId": 123,
            },
            {
                "eventId": 2,
                "subscriptionId": 12345,
                "occurredAt": AT_S * 1000,
                "subscriptionType": "contact.creation",
                "attemptNumber": 0,
                "objectId": 124,
            },
        ],
        query=b"portal%3A=1%20",
    ),
    "gitlab": _json(
        {
            "object_kind": "merge_request",
            "object_attributes": {"action": "open"},
            "project": {"path_with_namespace": "g/p"},
        },
        (b"Idempotency-Key", ID.encode()),
    ),
    "linear": _json(
        {
            "type": "Issue",
            "action": "update",
            "createdAt": "2026-05-04T10:11:12.000Z",
            "data": {"id": "i1"},
            "webhookTimestamp": AT_S * 1000,
        },
        (b"Linear-Delivery", b"234d1a4e"),
        (b"Linear-Event", b"Issue"),
    ),
    "sendgrid": _json(
        [
            {"event": "processed", "sg_event_id": "se1", "sg_message_id": "m1", "timestamp": AT_S},
            {"event": "delivered", "sg_event_id": "se2", "sg_message_id": "m1", "timestamp": AT_S},
        ]
    ),
    "paddle": _json(
        {
            "event_id": "evt_01",
            "event_type": "subscription.created",
            "occurred_at": "2026-05-04T10:11:12.1Z",
            "data": {"id": "sub"},
        }
    ),
    "graph": _json(
        {
            "value": [
                {
                    "subscriptionId": "s1",
                    "clientState": "It's a Secret to Everybody",
                    "changeType": "updated",
                    "resource": "users/1/messages/2",
                },
                {"subscriptionId": "s1", "clientState": "It's a Secret to Everybody", "lifecycleEvent": "missed"},
            ]
        }
    ),
    "postmark": _json({"RecordType": "Delivery", "MessageID": "m1", "DeliveredAt": "2026-05-04T10:11:12Z"}),
    "chargebee": _json({"id": "ev_1", "event_type": "subscription_created", "occurred_at": AT_S}),
    "x": _json({"for_user_id": "1", "tweet_create_events": []}),
}
assert DELIVERIES.keys() == PRESETS.keys()
