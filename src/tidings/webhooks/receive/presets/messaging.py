"""Those that carry words and calls."""

from __future__ import annotations

from dataclasses import replace

from tidings.webhooks.receive.given import FORM
from tidings.webhooks.receive.places import First, Header, Member, Prefix, Query
from tidings.webhooks.receive.preset import Answers, BodyHash, Handshake, Preset
from tidings.webhooks.receive.scheme import Body, Scheme, SortedForm, Text, Timestamp, Url

_OK = Answers(new=200, duplicate=200)
_SIGNED_V0 = (Text("v0:"), Timestamp(), Text(":"), Body())

SLACK = Preset(
    name="slack",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("x-slack-signature"),
            layout=Prefix("v0="),
            signed=_SIGNED_V0,
            timestamp=Header("x-slack-request-timestamp", "s"),
        ),
    ),
    dedupe=Member("/event_id"),
    type=(First((Member("/event/type"), Member("/type"))),),
    subject=First((Member("/event/channel"), Member("/event/channel/id"), Member("/team_id"))),
    time=Member("/event_time", "s"),
    order=Member("/event_time", "s"),
    handshake=Handshake(kind="slack"),
    answers=_OK,
    page="https://docs.slack.dev/authentication/verifying-requests-from-slack",
    notes=(
        "3 seconds; retried at once, after 1 minute and after 5 minutes, with `X-Slack-Retry-Num`.",
        "Disabled when 95 % fail within an hour; 30,000 events an hour and workspace.",
    ),
    unconfirmed=("that `X-Slack-No-Retry: 1` in an answer ends the retries; we never send it",),
)

_TWILIO = Scheme(
    algorithm="hmac-sha1",
    signature=Header("x-twilio-signature"),
    encoding="base64",
    signed=(Url(), SortedForm()),
    tolerance=None,
)
_TWILIO_JSON = replace(_TWILIO, signed=(Url(),), body_sha256=Query("bodySHA256"))
TWILIO = Preset(
    name="twilio",
    schemes=(
        _TWILIO,
        replace(_TWILIO, signed=(Url(with_port=True), SortedForm())),
        _TWILIO_JSON,
        replace(_TWILIO_JSON, signed=(Url(with_port=True),)),
    ),
    dedupe=Header("i-twilio-idempotency-token"),
    type=(First((Member("/EventType"), Member("/MessageStatus"), Member("/CallStatus"), Member("/SmsStatus"))),),
    untyped="callback",
    subject=First((Member("/MessageSid"), Member("/CallSid"), Member("/ConversationSid"))),
    media_types=(FORM, "application/json"),
    answers=Answers(new=200, duplicate=200, body=b"<Response/>", media_type="text/xml"),
    page="https://www.twilio.com/docs/usage/webhooks/webhooks-security",
    notes=(
        "The key is the account's auth token, the hash SHA-1. `public_url` is the URL as Twilio has it, up to a `?`; "
        "like its own libraries we try it with and without the port.",
        "A form's fields become one JSON object. JSON is accepted only with `bodySHA256` in the URL.",
        "Retried only if the URL's fragment says so.",
        "A form's names and values are signed sorted and with nothing between: whoever has seen a request can write "
        "others under its signature. They count as repeats of it.",
    ),
    unconfirmed=("15 seconds", "how a field is signed that holds the same value twice"),
)

META = Preset(
    name="meta",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("x-hub-signature-256"),
            layout=Prefix("sha256="),
            tolerance=None,
        ),
    ),
    dedupe=BodyHash(),
    type=(Member("/object", whole=True), Member("/field")),
    subject=First((Member("/value/metadata/phone_number_id"), Member("/value/from/id"))),
    order=First((Member("/value/messages/0/timestamp", "s"), Member("/value/statuses/0/timestamp", "s"))),
    split=("/entry", "/changes"),
    handshake=Handshake(kind="meta"),
    answers=_OK,
    page="https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
    notes=(
        "WhatsApp, Instagram and pages: one event for each of `entry[].changes[]`. A status repeats its message's id, "
        "and one change may hold several messages, so a change is known by its hash.",
        'Messenger\'s `entry[].messaging[]` needs a preset of your own: `split=("/entry", "/messaging")`.',
        "The setting `verify_token` is what the GET handshake is compared with.",
        "The answer is to be 200. Retried at once and then for 36 hours, by WhatsApp for 7 days.",
        "Signed is what is sent, in which letters outside of ASCII are escaped: what was parsed and written again "
        "differs.",
        "Compared with its page, whose handshake is a test here.",
    ),
    unconfirmed=("a median of 250 ms and under 1 % above 1 s wanted",),
)

ZOOM = Preset(
    name="zoom",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("x-zm-signature"),
            layout=Prefix("v0="),
            signed=_SIGNED_V0,
            timestamp=Header("x-zm-request-timestamp", "s"),
        ),
    ),
    dedupe=BodyHash(),
    type=(Member("/event"),),
    subject=First((Member("/payload/object/uuid"), Member("/payload/object/id"))),
    time=Member("/event_ts", "ms"),
    order=Member("/event_ts", "ms"),
    handshake=Handshake(kind="zoom"),
    answers=_OK,
    page="https://developers.zoom.us/docs/api/webhooks/",
    notes=("The key is the app's secret token. Asked for again every 72 hours. The tolerance is our choice.",),
    unconfirmed=(
        "3 seconds",
        "whether a retry is signed anew: if not, it is too old, and the tolerance must be longer",
    ),
)

DISCORD = Preset(
    name="discord",
    schemes=(
        Scheme(
            algorithm="ed25519",
            signature=Header("x-signature-ed25519"),
            signed=(Timestamp(), Body()),
            key_form="hex",
            timestamp=Header("x-signature-timestamp", "s"),
        ),
    ),
    dedupe=BodyHash(),
    type=(Member("/event/type"),),
    time=Member("/event/timestamp", "rfc3339"),
    handshake=Handshake(kind="discord"),
    answers=Answers(new=204, duplicate=204),
    page="https://docs.discord.com/developers/events/webhook-events",
    notes=(
        "The key is the application's public key. No order is promised. The tolerance is our choice.",
        "It sends bad signatures on purpose, to see them refused.",
        "3 seconds; retried for up to 10 minutes.",
    ),
    unconfirmed=("whether a retry is signed anew: if not, it is too old, and the tolerance must be longer",),
)

GRAPH = Preset(
    name="graph",
    schemes=(
        Scheme(
            algorithm="token",
            signature=Member("/clientState"),
            encoding="none",
            tolerance=None,
            each=("/value",),
        ),
    ),
    dedupe=BodyHash(),
    type=(First((Member("/changeType"), Member("/lifecycleEvent"))),),
    subject=First((Member("/resourceData/id"), Member("/resource"), Member("/subscriptionId"))),
    split=("/value",),
    handshake=Handshake(kind="graph"),
    page="https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
    notes=(
        "Nothing is signed: the key is the subscription's `clientState`, which every item must have. The tokens of "
        "rich notifications are not judged.",
        "`graph.missed` means that events were lost: reconcile.",
        "An item is known by its hash: one resource may change in two ways under one etag.",
        "10 seconds; retried for up to 4 hours. Where too many answers take longer, it drops what comes for minutes.",
    ),
)

X = Preset(
    name="x",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("x-twitter-webhooks-signature"),
            layout=Prefix("sha256="),
            encoding="base64",
            tolerance=None,
        ),
    ),
    dedupe=BodyHash(),
    type=(Member("/event_type"),),
    untyped="activity",
    subject=Member("/for_user_id"),
    handshake=Handshake(kind="x"),
    answers=_OK,
    page="https://docs.x.com/x-api/webhooks/quickstart",
    notes=(
        "The key is the app's consumer secret. Retried 3 times in 5 minutes by the enterprise API.",
        "Its check has any text signed, with that key, for whoever asks: such a text is no webhook of X's.",
    ),
    unconfirmed=("its type",),
)
