"""Those that host code and its plans."""

from __future__ import annotations

from tidings.webhooks.receive.given import FORM
from tidings.webhooks.receive.places import First, Header, Member, Prefix
from tidings.webhooks.receive.preset import BODY_LIMIT_MAX, Preset
from tidings.webhooks.receive.presets.standard import V1
from tidings.webhooks.receive.scheme import Scheme

GITHUB = Preset(
    name="github",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("x-hub-signature-256"),
            layout=Prefix("sha256="),
            tolerance=None,
        ),
    ),
    dedupe=Header("x-github-delivery"),
    type=(Header("x-github-event"), Member("/action")),
    subject=Member("/repository/full_name"),
    order=First(
        (
            Member("/comment/updated_at", "rfc3339"),
            Member("/pull_request/updated_at", "rfc3339"),
            Member("/issue/updated_at", "rfc3339"),
            Member("/workflow_run/updated_at", "rfc3339"),
            Member("/repository/updated_at", "rfc3339"),
        )
    ),
    required={
        "check_run": ("/check_run",),
        "deployment": ("/deployment",),
        "issue_comment": ("/issue", "/comment"),
        "issues": ("/issue",),
        "ping": ("/zen",),
        "pull_request": ("/pull_request", "/number"),
        "pull_request_review": ("/pull_request", "/review"),
        "push": ("/ref", "/before", "/after"),
        "release": ("/release",),
        "star": ("/starred_at",),
        "workflow_run": ("/workflow_run",),
    },
    form_member="payload",
    media_types=("application/json", FORM),
    body_limit=BODY_LIMIT_MAX,
    page="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
    notes=(
        "Only the body is signed: the type's header must fit the body, and a body under another id is no second event.",
        "10 seconds; nothing is retried, but deliveries of the last 3 days can be sent again, under the same id. What "
        "is above 25 MB is not sent at all.",
        "The SHA-1 header beside it is never looked at.",
    ),
    unconfirmed=("which members a type that is not listed always has",),
)

GITLAB = Preset(
    name="gitlab",
    schemes=(V1, Scheme(algorithm="token", signature=Header("x-gitlab-token"), encoding="none", tolerance=None)),
    dedupe=First((Header("webhook-id"), Header("idempotency-key"))),
    type=(First((Member("/object_kind"), Member("/event_name"))), Member("/object_attributes/action")),
    subject=Member("/project/path_with_namespace"),
    page="https://docs.gitlab.com/user/project/integrations/webhooks",
    notes=(
        "With a signing token it is a Standard Webhook, whose id is the `Idempotency-Key`; then the token's header is "
        "not looked at. With the secret token alone the body has no integrity.",
        "`X-Gitlab-Webhook-UUID` names the hook, not the delivery.",
        "It switches hooks off that fail, so watch for silence.",
    ),
    unconfirmed=("that a signing token is written `whsec_` and base64", "10 seconds", "that every body has a type"),
)

LINEAR = Preset(
    name="linear",
    schemes=(
        Scheme(
            algorithm="hmac-sha256",
            signature=Header("linear-signature"),
            timestamp=Member("/webhookTimestamp", "ms"),
        ),
    ),
    dedupe=Header("linear-delivery"),
    type=(Member("/type"), Member("/action")),
    subject=Member("/data/id"),
    time=Member("/createdAt", "rfc3339"),
    order=Member("/webhookTimestamp", "ms"),
    volatile=("/webhookTimestamp",),
    agree=((Header("linear-event"), Member("/type")),),
    page="https://linear.app/developers/webhooks",
    notes=(
        "The time is within the body, so the body is parsed once it is believed, and only then is its age judged.",
        "Bursts of thousands within minutes.",
    ),
    unconfirmed=(
        "5 seconds; retried after 1 minute, 1 hour and 6 hours, then perhaps disabled",
        "whether a retry has a new `webhookTimestamp`: if not, it is too old, and the tolerance must be longer",
    ),
)
