"""Standard Webhooks as the demonstration's third parties have it, without any of tidings' own code."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode, b64decode, b64encode
from collections.abc import Mapping


def secret_of(random: bytes) -> str:
    return f"whsec_{b64encode(random).decode()}"


def message_id(source: str, id: str) -> str:
    """Return the id under which Chirp must send an event, however often."""
    return "msg_" + b32encode(hashlib.sha256(f"{source}\0{id}".encode()).digest()[:20]).decode().lower()


def signed(secret: str, id: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers of a webhook that is sent at this second."""
    return {"webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{_mac(secret, id, at, body)}"}


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether one of the signatures is right."""
    expected = _mac(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    given = [each.removeprefix("v1,") for each in headers["webhook-signature"].split() if each.startswith("v1,")]
    return any(hmac.compare_digest(each, expected) for each in given)


def _mac(secret: str, id: str, at: int, body: bytes) -> str:
    key = b64decode(secret.removeprefix("whsec_"))
    return b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, hashlib.sha256)).decode()
