"""Signatures that others made: V1 Standard Webhooks, V2 GitHub, V3 the Ed25519 scheme as Svix's server signs.

The others are of the providers' own documentation or libraries.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from tests.unit.webhooks.receive.deliveries import WHPK, WHSEC, WHSK
from tidings.events.codec import encode_json
from tidings.webhooks.receive.content import Facts, content_of
from tidings.webhooks.receive.given import FORM, Given
from tidings.webhooks.receive.instants import instant_us
from tidings.webhooks.receive.keys import Key
from tidings.webhooks.receive.presets import PRESETS
from tidings.webhooks.receive.presets.code import GITHUB
from tidings.webhooks.receive.presets.standard import STANDARD, V1, V1A
from tidings.webhooks.receive.read import read
from tidings.webhooks.receive.scheme import Scheme
from tidings.webhooks.receive.sign import sign
from tidings.webhooks.receive.verdict import Accepted, Rejected, RequestFacts
from tidings.webhooks.receive.verify import verify

ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
V1_SIGNATURE = b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V3_SIGNATURE = b"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="


@pytest.mark.parametrize(
    ("scheme", "secret", "public", "signature"), [(V1, WHSEC, WHSEC, V1_SIGNATURE), (V1A, WHSK, WHPK, V3_SIGNATURE)]
)
def test_the_published_signatures_are_made_and_accepted(
    scheme: Scheme, secret: str, public: str, signature: bytes
) -> None:
    made = sign(scheme, BODY, RequestFacts(), [Key(secret)], id=ID, at=AT)
    assert dict(made.headers)[b"webhook-signature"] == signature
    headers = [
        (b"Webhook-Id", ID.encode()),
        (b"Webhook-Timestamp", b"1614265330"),
        (b"Webhook-Signature", signature),
    ]
    verdict = verify(STANDARD.schemes, headers, BODY, RequestFacts(), [Key(public)], AT)
    assert isinstance(verdict, Accepted)
    assert verdict.time_us == 1614265330_000_000
    assert STANDARD.schemes[verdict.scheme] == scheme


def test_github_s_published_signature_is_made_and_accepted() -> None:
    keys, signature = (
        [Key("It's a Secret to Everybody")],
        b"sha256=" + (b"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
    )
    made = sign(GITHUB.schemes[0], b"Hello, World!", RequestFacts(), keys, at=AT)
    assert made.headers == ((b"x-hub-signature-256", signature),)
    assert isinstance(verify(GITHUB.schemes, made.headers, b"Hello, World!", RequestFacts(), keys, AT), Accepted)


SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SENDGRID_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)
ADYEN_BODY = (
    b'{"live":"false","notificationItems":[{"NotificationRequestItem":{"pspReference":"7914073381342284",'
    b'"merchantAccountCode":"TestMerchant","merchantReference":"TestPayment-1407325143704",'
    b'"amount":{"value":1130,"currency":"EUR"},"eventCode":"AUTHORISATION","success":"true",'
    b'"additionalData":{"hmacSignature":"coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="}}}]}'
)
SQUARE_BODY = (
    b'{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification",'
    b'"event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z",'
    b'"data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
)
HUBSPOT_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
HUBSPOT_URL = "https://www.example.com/webhook_uri"
TWILIO_BODY = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
TWILIO_REQUEST = RequestFacts(query=b"foo=1&bar=2", public_url="https://mycompany.com/myapp.php")
OF_PROVIDERS = [
    (
        "slack",
        [
            (b"x-slack-signature", b"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
            (b"x-slack-request-timestamp", b"1531420618"),
        ],
        SLACK_BODY,
        RequestFacts(),
        "8f742231b10e8888abcd99yyyzzz85a5",
        1531420618,
    ),
    (
        "twilio",
        [(b"x-twilio-signature", b"RSOYDt4T1cUTdK1PDd93/VVr8B8="), (b"content-type", FORM.encode())],
        TWILIO_BODY,
        TWILIO_REQUEST,
        "12345",
        0,
    ),
    (
        "adyen",
        [],
        ADYEN_BODY,
        RequestFacts(),
        "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        0,
    ),
    (
        "sendgrid",
        [
            (
                b"x-twilio-email-event-webhook-signature",
                b"MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
            ),
            (b"x-twilio-email-event-webhook-timestamp", b"1600112502"),
        ],
        SENDGRID_BODY,
        RequestFacts(),
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8"
        "eNEc6wEA3F+g==",
        1600112502,
    ),
    (
        "hubspot",
        [
            (b"X-HubSpot-Signature-v3", b"K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
            (b"X-HubSpot-Request-Timestamp", b"1693657560000"),
        ],
        b"{'example_field':'example_value'}",
        RequestFacts(public_url=HUBSPOT_URL),
        HUBSPOT_SECRET,
        1693657560,
    ),
    (
        "square",
        [(b"x-square-hmacsha256-signature", b"GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=")],
        SQUARE_BODY,
        RequestFacts(public_url="https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9"),
        "Ibxx_5AKakO-3qeNVR61Dw",
        0,
    ),
]


@pytest.mark.parametrize(
    ("name", "headers", "body", "request_facts", "key", "at"), OF_PROVIDERS, ids=[each[0] for each in OF_PROVIDERS]
)
def test_a_provider_s_own_example_is_accepted_and_any_other_body_refused(
    name: str, headers: list[tuple[bytes, bytes]], body: bytes, request_facts: RequestFacts, key: str, at: int
) -> None:
    schemes, now = PRESETS[name].schemes, datetime.fromtimestamp(at, UTC)
    assert isinstance(verify(schemes, headers, body, request_facts, [Key(key)], now), Accepted)
    other = body.replace(b"e", b"f")
    assert isinstance(verify(schemes, headers, other, request_facts, [Key(key)], now), Rejected)


def test_hubspot_s_table_of_what_is_decoded_in_the_url() -> None:
    """Its page lists twelve escapes; the `?` before the query, and all other escapes, stay as they are."""
    query = b"a=%3A%2f%3F%40%21%24%27%28%29%2A%2C%3B&b=%20%26%3D%25%2B"
    signed = f"POST{HUBSPOT_URL}?a=:/?@!$'()*,;&b=%20%26%3D%25%2B[]1693657560000"
    made = b64encode(hmac.digest(HUBSPOT_SECRET.encode(), signed.encode(), "sha256"))
    headers = [(b"x-hubspot-signature-v3", made), (b"x-hubspot-request-timestamp", b"1693657560000")]
    at, keys = datetime.fromtimestamp(1693657560, UTC), [Key(HUBSPOT_SECRET)]
    facts = RequestFacts(public_url=HUBSPOT_URL, query=query)
    assert isinstance(verify(PRESETS["hubspot"].schemes, headers, b"[]", facts, keys, at), Accepted)


def test_what_paypal_signs_is_what_its_libraries_make() -> None:
    """The CRC-32 of the body, without a sign and in decimal digits: of this body, the check value of that code."""
    given = Given((), b"123456789", RequestFacts(settings={"webhook_id": "9XL90610J3647323C"}))
    facts = Facts(given, b"d938e770-8046-11e6-8103-6b62a8a99ac4", b"2016-09-21T22:00:46Z")
    assert content_of(PRESETS["paypal"].schemes[0])(facts) == (
        b"d938e770-8046-11e6-8103-6b62a8a99ac4|2016-09-21T22:00:46Z|9XL90610J3647323C|3421780262"
    )


def test_what_changes_between_the_attempts_of_chargebee_is_no_content() -> None:
    """`Event` of its libraries has what became of the webhook before."""
    event = {"id": "ev_1", "event_type": "subscription_created", "occurred_at": 1_700_000_000, "content": {}}
    first = event | {"webhook_status": "scheduled", "webhooks": [{"id": "whv2_1", "webhook_status": "scheduled"}]}
    again = event | {
        "webhook_status": "re_scheduled",
        "webhook_failure_reason": "Read timed out",
        "webhooks": [{"id": "whv2_1", "webhook_status": "re_scheduled"}],
    }
    other = again | {"content": {"subscription": {}}}
    [one], [two], [three] = [read(PRESETS["chargebee"], [], encode_json(each)) for each in (first, again, other)]
    assert (one.id, one.content_hash) == (two.id, two.content_hash)
    assert (one.id == three.id, one.content_hash == three.content_hash) == (True, False)


@pytest.mark.parametrize("name", ["meta", "paypal", "postmark", "slack", "zoom", "x"])
def test_who_takes_a_200_alone_for_success_gets_it(name: str) -> None:
    """Postmark's and Meta's pages ask for 200, and Postmark sends again what was answered otherwise."""
    assert (PRESETS[name].answers.new, PRESETS[name].answers.duplicate) == (200, 200)


@pytest.mark.parametrize(
    ("name", "written", "time"),
    [
        ("square", b'{"event_id":"1","type":"t","created_at":"2022-07-13T20:30:59.037339943Z"}', 1657744259037339),
        ("postmark", b'{"RecordType":"Bounce","BouncedAt":"2014-08-01T13:28:10.2735393-04:00"}', 1406914090273539),
    ],
)
def test_a_time_with_more_digits_than_microseconds_is_read(name: str, written: bytes, time: int) -> None:
    [item] = read(PRESETS[name], [], written)
    assert item.time is not None
    assert instant_us(item.time, "rfc3339") == time
