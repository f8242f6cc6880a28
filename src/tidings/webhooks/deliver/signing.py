"""Signatures as Standard Webhooks has them: `v1` is HMAC-SHA256, `v1a` Ed25519, over `id.timestamp.body`."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache, partial

from tidings.webhooks import crypto
from tidings.webhooks.deliver.secrets import Secret
from tidings.webhooks.macs import mac_of

_ID_BYTES = 20
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648, section 6, in lower case
_TWO_DIGITS = [first + second for first in _BASE32 for second in _BASE32]
_PLACES = range(_ID_BYTES * 8 - 10, -1, -10)
_hmac_by = lru_cache(maxsize=1_024)(partial(mac_of, "sha256"))  # each key signs many


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
        return "v1," + b64encode(_hmac_by(secret.key)(content)).decode()
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
    number = int.from_bytes(digest[:_ID_BYTES], "big")
    return "msg_" + "".join([_TWO_DIGITS[number >> place & 1_023] for place in _PLACES])
