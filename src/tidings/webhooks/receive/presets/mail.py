"""Those that send mail."""

from __future__ import annotations

from tidings.webhooks.receive.places import First, Header, Member, Query
from tidings.webhooks.receive.preset import Answers, BodyHash, Preset
from tidings.webhooks.receive.scheme import Body, Scheme, Timestamp

SENDGRID = Preset(
    name="sendgrid",
    schemes=(
        Scheme(
            algorithm="ecdsa-p256-sha256",
            signature=Header("x-twilio-email-event-webhook-signature"),
            encoding="base64",
            signed=(Timestamp(), Body()),
            key_form="base64",
            timestamp=Header("x-twilio-email-event-webhook-timestamp", "s"),
        ),
    ),
    dedupe=Member("/sg_event_id"),
    type=(Member("/event"),),
    subject=Member("/sg_message_id"),
    time=Member("/timestamp", "s"),
    order=Member("/timestamp", "s"),
    split=("",),
    page="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/"
    "getting-started-event-webhook-security-features",
    notes=(
        "The key is the verification key as SendGrid shows it: base64 of DER. It names no tolerance; ours is 300 s.",
    ),
    unconfirmed=("whether a retry is signed anew: if not, it is too old, and the tolerance must be longer",),
)

POSTMARK = Preset(
    name="postmark",
    schemes=(
        Scheme(algorithm="basic", signature=Header("authorization"), encoding="none", tolerance=None),
        Scheme(algorithm="token", signature=Query("token"), encoding="none", tolerance=None),
    ),
    dedupe=BodyHash(),
    type=(Member("/RecordType"),),
    untyped="inbound",
    subject=Member("/MessageID"),
    time=First(
        (
            Member("/DeliveredAt", "rfc3339"),
            Member("/BouncedAt", "rfc3339"),
            Member("/ReceivedAt", "rfc3339"),
            Member("/ChangedAt", "rfc3339"),
        )
    ),
    answers=Answers(new=200, duplicate=200),
    page="https://postmarkapp.com/developer/webhooks/webhooks-overview",
    notes=(
        "Nothing is signed. A key is `name:password`, which stands in the URL that Postmark is given, or the URL's "
        "`token`, which is masked in receipts.",
        "The answer is to be 200. Inbound mail is retried 10 times in 10.5 hours; 403 ends that, and a refused request "
        "is answered 401.",
        "Inbound mail with attachments may be larger than what is taken: give the preset a `body_limit`.",
        "Compared with its pages on webhooks, inbound retries and the examples of bounces and deliveries.",
    ),
    unconfirmed=("that retries have the same bytes", "the times of opens and subscription changes"),
)
