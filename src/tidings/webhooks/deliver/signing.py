"""Signatures as Standard Webhooks has them: `v1` is HMAC-SHA256, `v1a` Ed25519, over `id.timestamp.body`."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode, b64encode
from collections.abc import Sequence

from tidings.webhooks import crypto
from tidings.webhooks.deliver.secrets import Secret

_ID_BYTES = 20


def message_id(source: str, id: str, *, nonce: str = "") -> str:
    """Return the `webhook-id` of an event: the same in each attempt, for each endpoint and in each replay.

    `nonce`: for a replay whose messages are to be taken for new ones. Neither part can hold NUL, so that no two events
    have one id.
    """
    return _named([source, id, nonce] if nonce else [source, id])


def batch_id(row: str) -> str:
    """Return the `webhook-id` of a batch, which follows from the row that its members were frozen in."""
    return _named(["", "batch", row])


def signed_content(id: str, timestamp: int, body: bytes) -> bytes:
    """Return what is signed. `timestamp`: seconds since 1970, of this attempt."""
    return b"%b.%d.%b" % (id.encode(), timestamp, body)


def signature(secret: Secret, content: bytes) -> str:
    """Return the signature with its label, such as `v1,g0hM9SsE…`."""
    if secret.kind == "hmac":
        return "v1," + b64encode(hmac.digest(secret.key, content, "sha256")).decode()
    return "v1a," + b64encode(crypto.signature_of("ed25519", secret.key, content)).decode()


def signature_headers(secrets: Sequence[Secret], *, id: str, timestamp: int, body: bytes) -> list[tuple[str, str]]:
    """Return `webhook-id`, `webhook-timestamp` and `webhook-signature`, by each of the secrets in their order.

    ValueError if there is none: nothing is ever sent unsigned.
    """
    if not secrets:
        raise ValueError("there is no secret to sign with")
    content = signed_content(id, timestamp, body)
    return [
        ("webhook-id", id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(signature(secret, content) for secret in secrets)),
    ]


def _named(parts: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return "msg_" + b32encode(digest[:_ID_BYTES]).decode().lower()
