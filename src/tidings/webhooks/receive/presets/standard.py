"""Standard Webhooks, and its older headers as Svix sends them."""

from __future__ import annotations

from dataclasses import replace

from tidings.webhooks.receive.places import Header, Labelled, Member
from tidings.webhooks.receive.preset import Preset
from tidings.webhooks.receive.scheme import Body, Id, Scheme, Text, Timestamp

V1 = Scheme(
    algorithm="hmac-sha256",
    signature=Header("webhook-signature"),
    layout=Labelled("v1"),
    encoding="base64",
    signed=(Id(), Text("."), Timestamp(), Text("."), Body()),
    key_form="whsec",
    id=Header("webhook-id"),
    timestamp=Header("webhook-timestamp", "s"),
)
V1A = replace(V1, algorithm="ed25519", layout=Labelled("v1a"), key_form="whpk")

STANDARD = Preset(
    name="standard",
    schemes=(V1, V1A),
    dedupe=Header("webhook-id"),
    type=(Member("/type"),),
    subject=Member("/data/id"),
    time=Member("/timestamp", "rfc3339"),
    order=Member("/timestamp", "rfc3339"),
    page="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
    notes=(
        "The header's time is that of the attempt, the body's is that of the event.",
        "An id with a dot is refused.",
    ),
)


def _as_svix(scheme: Scheme) -> Scheme:
    return replace(
        scheme,
        signature=Header("svix-signature"),
        id=Header("svix-id"),
        timestamp=Header("svix-timestamp", "s"),
    )


SVIX = replace(
    STANDARD,
    name="svix",
    schemes=(_as_svix(V1), _as_svix(V1A)),
    dedupe=Header("svix-id"),
    page="https://docs.svix.com/receiving/verifying-payloads/how-manual",
    notes=("For senders that Svix delivers for under its own headers; many send those of `standard` as well.",),
)
