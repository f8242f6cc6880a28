"""Signatures as Standard Webhooks has them: `v1` is HMAC-SHA256, `v1a` Ed25519, over `id.timestamp.body`."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial

from tidings.webhooks import crypto
from tidings.webhooks.deliver.secrets import Secret
from tidings.webhooks.macs import mac_of

_ID_BYTES = 20
_DIGITS = 32  # of 5 bits each
_BASE32 = bytes.maketrans(bytes(range(32)), b"abcdefghijklmnopqrstuvwxyz234567")  # RFC 4648, section 6, in lower case
_hmac_by = lru_cache(maxsize=1_024)(partial(mac_of, "sha256"))  # each key signs many


def message_id(source: str, id: str, *, nonce: str = "") -> str:
    """Return the `webhook-id` of an event: the same in each attempt, for each endpoint and in each replay.

    `nonce`: for a replay whose messages are to be taken for new ones. Neither part can hold NUL, so that no two events
    have one id.
    """
    return _named([source, id, nonce] if nonce else [source, id])


def batch_id(row: str, members: Iterable[str]) -> str:
    """Return the `webhook-id` of a batch: the same in each attempt that has the same members, by their keys.

    It follows from the row that they were frozen in and from who goes: where only some of them do, a receiver that had
    these under the id of all would take the rest for a repeat.
    """
    return _named(["", "batch", row, *sorted(members)])


def signed_content(id: str, timestamp: int, body: bytes) -> bytes:
    """Return what is signed. `timestamp`: seconds since 1970, of this attempt."""
    return b"%b.%d.%b" % (id.encode(), timestamp, body)


def signature(secret: Secret, content: bytes) -> str:
    """Return the signature with its label, such as `v1,g0hM9SsE…`."""
    if secret.kind == "hmac":
        return "v1," + b2a_base64(_hmac_by(secret.key)(content), newline=False).decode()
    return "v1a," + b2a_base64(crypto.signature_of("ed25519", secret.key, content), newline=False).decode()


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
        ("webhook-signature", " ".join([signature(secret, content) for secret in secrets])),
    ]


def _named(parts: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    number = int.from_bytes(digest[:_ID_BYTES], "big")
    for upper, factor in _APART:
        number += (number & upper) * factor
    return "msg_" + number.to_bytes(_DIGITS, "big").translate(_BASE32).decode()


def _halved() -> Iterator[tuple[int, int]]:
    """Yield how digits come to stand in a byte each, all at once: the upper 16 of them move by 3 bits for each of the
    others, then the upper 8 of each 16, and so on. Each time: which bits move, and what these are added times."""
    half = _DIGITS // 2
    while half:
        moved = ((1 << 5 * half) - 1) << 5 * half
        yield sum(moved << 16 * half * part for part in range(_DIGITS // half // 2)), (1 << 3 * half) - 1
        half //= 2


_APART = tuple(_halved())
