"""Those that know customers and orders."""

from __future__ import annotations

from tidings.webhooks.receive.places import Header, Member
from tidings.webhooks.receive.preset import Fields, Preset
from tidings.webhooks.receive.scheme import Body, Method, Scheme, Timestamp, Url

SHOPIFY = Preset(
    name="shopify",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("x-shopify-hmac-sha256"),
            encoding="base64",
            tolerance=None,
        ),
    ),
    dedupe=Header("x-shopify-webhook-id"),
    type=(Header("x-shopify-topic"),),
    subject=Member("/admin_graphql_api_id"),
    time=Header("x-shopify-triggered-at", "rfc3339"),
    order=Header("x-shopify-triggered-at", "rfc3339"),
    correlation=Header("x-shopify-event-id"),
    page="https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
    notes=(
        "The key is the app's client secret; a new one is used up to an hour late.",
        "Only the body is signed: a body under another id is no second event, but type and time are headers.",
        "8 retries in 4 hours, each with the first payload. No answer in time counts as a failure.",
    ),
    unconfirmed=("1 second to connect, 5 in all", "that a subscription is removed after 8 failures"),
)

HUBSPOT = Preset(
    name="hubspot",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("x-hubspot-signature-v3"),
            encoding="base64",
            signed=(Method(), Url(decoded=True), Body(), Timestamp()),
            timestamp=Header("x-hubspot-request-timestamp", "ms"),
        ),
    ),
    dedupe=Fields((Member("/eventId"), Member("/subscriptionId"), Member("/occurredAt"))),
    type=(Member("/subscriptionType"),),
    subject=Member("/objectId"),
    time=Member("/occurredAt", "ms"),
    order=Member("/occurredAt", "ms"),
    split=("",),
    volatile=("/attemptNumber",),
    page="https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation",
    notes=(
        "The key is the app's client secret. Up to 100 events in an array.",
        "An event's id is its `eventId`, which HubSpot does not promise to be unique, with the subscription and the "
        "time.",
        "Twelve escapes of the URL are decoded before it is signed: those of `:/?@!$'()*,;`. Its libraries leave that "
        "to whoever calls them.",
        "Compared with its page and its Python library, whose example is a test here.",
    ),
    unconfirmed=("10 retries in 24 hours, for any status of 400 or more", "5 seconds"),
)
