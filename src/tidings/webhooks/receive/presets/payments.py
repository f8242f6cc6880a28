"""Those that move money."""

from __future__ import annotations

from datetime import timedelta

from tidings.webhooks.receive.places import First, Header, Member, Pairs, Query
from tidings.webhooks.receive.preset import Answers, Fields, Preset
from tidings.webhooks.receive.scheme import (
    Body,
    BodyCrc32,
    Id,
    Members,
    Scheme,
    Setting,
    Text,
    Timestamp,
    Url,
)

_OK = Answers(new=200, duplicate=200)

STRIPE = Preset(
    name="stripe",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("stripe-signature"),
            layout=Pairs(time="t", signature="v1"),
            signed=(Timestamp(), Text("."), Body()),
        ),
    ),
    dedupe=Member("/id"),
    type=(Member("/type"),),
    subject=First((Member("/data/object/id"), Member("/related_object/id"))),
    time=First((Member("/created", "s"), Member("/created", "rfc3339"))),
    order=First((Member("/created", "s"), Member("/created", "rfc3339"))),
    volatile=("/pending_webhooks",),
    page="https://docs.stripe.com/webhooks",
    notes=(
        "The `whsec_` text is the key as it stands.",
        "No order is promised and `created` has whole seconds: where it matters, fetch the object again.",
        "Thin events (v2) hold no object.",
    ),
    unconfirmed=("that `pending_webhooks` differs between attempts", "3 days of retries"),
)

PAYPAL = Preset(
    name="paypal",
    schemes=(
        Scheme(
            algorithm="rsa-sha256",
            signature=Header("paypal-transmission-sig"),
            encoding="base64",
            signed=(Id(), Text("|"), Timestamp(), Text("|"), Setting("webhook_id"), Text("|"), BodyCrc32()),
            key_form="cert-url",
            id=Header("paypal-transmission-id"),
            timestamp=Header("paypal-transmission-time", "rfc3339"),
            tolerance=None,
            key_name=Header("paypal-cert-url"),
        ),
    ),
    dedupe=Member("/id"),
    type=(Member("/event_type"),),
    subject=Member("/resource/id"),
    time=Member("/create_time", "rfc3339"),
    order=Member("/create_time", "rfc3339"),
    answers=_OK,
    page="https://developer.paypal.com/api/rest/webhooks/rest",
    notes=(
        "The certificate is a key whose name is its URL: fetch it from PayPal's own host beforehand, never from the "
        "URL that a request names.",
        "The setting `webhook_id` is the id that PayPal gave the webhook.",
        "Only a CRC-32 of the body is signed: whoever has seen one delivery can make another body for it. Fetch what "
        "matters again.",
        "`SHA256withRSA` alone; the header that names the algorithm is not looked at. Whoever fetches the certificate "
        "checks its chain, that it is not over, and that its name ends in `.paypal.com`, as PayPal's libraries do.",
        "25 retries in 3 days, until the answer is 2xx.",
        "Compared with its page and its Python library, which make the signed text.",
    ),
    unconfirmed=("whether a retry has a new time",),
)

SQUARE = Preset(
    name="square",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("x-square-hmacsha256-signature"),
            encoding="base64",
            signed=(Url(), Body()),
            tolerance=None,
        ),
    ),
    dedupe=Member("/event_id"),
    type=(Member("/type"),),
    subject=Member("/data/id"),
    time=Member("/created_at", "rfc3339"),
    order=Member("/created_at", "rfc3339"),
    page="https://developer.squareup.com/docs/webhooks/step3validate",
    notes=(
        "The key is the subscription's signature key; `public_url` is the URL as Square has it, up to a `?`.",
        "Three weeks without a 2xx, and it switches the webhook off; it writes a mail after each.",
        "Compared with its pages and its Python library, whose example is a test here.",
    ),
    unconfirmed=("how long it retries: its page says 24 hours, an earlier version of it 72",),
)

_ADYEN = "/NotificationRequestItem"
ADYEN = Preset(
    name="adyen",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Member(f"{_ADYEN}/additionalData/hmacSignature"),
            encoding="base64",
            signed=(
                Members(
                    tuple(
                        f"{_ADYEN}/{name}"
                        for name in (
                            "pspReference",
                            "originalReference",
                            "merchantAccountCode",
                            "merchantReference",
                            "amount/value",
                            "amount/currency",
                            "eventCode",
                            "success",
                        )
                    )
                ),
            ),
            key_form="hex",
            tolerance=None,
            each=("/notificationItems",),
        ),
    ),
    dedupe=Fields(tuple(Member(f"{_ADYEN}/{name}") for name in ("eventCode", "pspReference", "success"))),
    type=(Member(f"{_ADYEN}/eventCode"),),
    subject=First((Member(f"{_ADYEN}/originalReference"), Member(f"{_ADYEN}/pspReference"))),
    time=Member(f"{_ADYEN}/eventDate", "rfc3339"),
    order=Member(f"{_ADYEN}/eventDate", "rfc3339"),
    split=("/notificationItems",),
    answers=Answers(new=200, duplicate=200, body=b"[accepted]", media_type="text/plain"),
    remembers=timedelta(days=30),
    page="https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
    notes=(
        "Every item has its own signature; one that is wrong refuses all of them. What an item has beside the signed "
        "members is not covered.",
        "The signed members are joined by `:`, which a reference may hold, too: whoever has seen an item can move the "
        "borders under its signature. What comes of that is a conflict with it, and no event.",
        "10 seconds; retried after 9, 18 and 27 seconds, then from 2 minutes to 8 hours for up to 30 days, in one "
        "queue for each endpoint.",
        "Older accounts want the text `[accepted]`, so that is answered.",
    ),
    unconfirmed=("that an event's code, reference and success are its identity",),
)

PADDLE = Preset(
    name="paddle",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("paddle-signature"),
            layout=Pairs(time="ts", signature="h1", separator=";"),
            signed=(Timestamp(), Text(":"), Body()),
        ),
    ),
    dedupe=Member("/event_id"),
    type=(Member("/event_type"),),
    subject=Member("/data/id"),
    time=Member("/occurred_at", "rfc3339"),
    order=Member("/occurred_at", "rfc3339"),
    answers=_OK,
    page="https://developer.paddle.com/webhooks/signature-verification",
    notes=(
        "Several `h1` while a secret is exchanged. Paddle's own libraries allow 5 seconds; we allow 300.",
        "5 seconds, and the status must be 200; 60 retries in 3 days.",
    ),
    unconfirmed=("that `notification_id` is another one at each attempt",),
)

CHARGEBEE = Preset(
    name="chargebee",
    schemes=(
        Scheme(algorithm="basic", signature=Header("authorization"), encoding="none", tolerance=None),
        Scheme(algorithm="token", signature=Query("token"), encoding="none", tolerance=None),
    ),
    dedupe=Member("/id"),
    type=(Member("/event_type"),),
    time=Member("/occurred_at", "s"),
    order=Member("/occurred_at", "s"),
    volatile=("/webhook_status", "/webhook_failure_reason", "/webhooks"),
    page="https://apidocs.chargebee.com/docs/api/events",
    notes=(
        "The body has no integrity. A key is `name:password`, or the URL's `token`, which is masked in receipts.",
        "7 retries, the last 3 days and 7 hours after the event, until the answer is 2xx. No order is promised.",
        "Compared with its pages, and with the event of its Node.js library.",
    ),
)
