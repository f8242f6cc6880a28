"""API keys: made, listed, revoked. The secret is shown once, when it is made, and kept by nobody."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from tidings.errors import CallerError
from tidings.events.uri import is_uri_reference
from tidings.ports import Ports
from tidings.store.audit import Change
from tidings.store.driver import StoreDriver
from tidings.store.keys import ApiKey
from tidings.wording import absent

SCOPES = (
    "events:write",
    "events:read",
    "views:read",
    "receivers:read",
    "receivers:write",
    "endpoints:read",
    "endpoints:write",
    "deliveries:read",
    "deliveries:write",
    "dead-letters:read",
    "dead-letters:write",
    "consumers:read",
    "consumers:write",
    "versions:read",
    "versions:write",
    "reconciliations:read",
    "reconciliations:write",
    "reconciliations:approve",
    "metrics:read",
)
"""What a key may be allowed."""

OF_SOURCES = frozenset({"events:write", "events:read"})
"""What can be narrowed to some sources: whatever else a key may see is made of the events of all."""

SECRET_BYTES = 32
_ID_BYTES = 6
_OWNER = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A key that is asked for. `sources`: None for anyone's events. `expires`: µs since 1970; None: never."""

    owner: str
    scopes: Collection[str]
    sources: Collection[str] | None = None
    expires: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new key, and the token that callers send as `Authorization: Bearer …`."""

    key: ApiKey
    token: str = field(repr=False)


async def add(store: StoreDriver, ports: Ports, asked: Asked, *, who: str) -> Made:
    """Make a key. CallerError for an owner, a scope, a source or an expiry that cannot be."""
    now = ports.clock.now_us()
    _check(asked, now)
    id = ports.random.getrandbits(8 * _ID_BYTES).to_bytes(_ID_BYTES, "big").hex()
    secret = ports.random.getrandbits(8 * SECRET_BYTES).to_bytes(SECRET_BYTES, "big")
    text = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    key = ApiKey(
        id=id,
        owner=asked.owner,
        scopes=frozenset(asked.scopes),
        sources=None if asked.sources is None else frozenset(asked.sources),
        digest=digest_of(text),
        created=now,
        expires=asked.expires,
    )
    async with store.changing(Change(who=who, what="key-created", on=id)) as changing:
        await changing.add_api_key(key)
    return Made(key=key, token=f"td_{id}_{text}")


async def listed(store: StoreDriver) -> Sequence[ApiKey]:
    """Return all keys, the oldest first."""
    return await store.api_keys()


async def revoke(store: StoreDriver, ports: Ports, id: str, *, who: str) -> None:
    """Have a key open nothing any more; servers know within a second. NotFoundError."""
    async with store.changing(Change(who=who, what="key-revoked", on=id)) as changing:
        await changing.revoke_api_key(id, at=ports.clock.now_us())


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret. It has 256 random bits, so that nothing slower than SHA-256 is needed."""
    return hashlib.sha256(secret.encode()).digest()


def _check(asked: Asked, now: int) -> None:
    if not _OWNER.fullmatch(asked.owner):
        raise CallerError(f"the owner {asked.owner[:100]!r} must be 1 to 100 characters without controls")
    unknown = sorted(set(asked.scopes) - set(SCOPES))
    if unknown or not asked.scopes:
        none = f"a key without a scope opens nothing; there is {', '.join(SCOPES)}"
        raise CallerError(absent("scope", unknown[0], SCOPES) if unknown else none)
    if asked.expires is not None and asked.expires <= now:
        raise CallerError("the key would have expired already: give a time to come")
    if asked.sources is None:
        return
    wide = sorted(set(asked.scopes) - OF_SOURCES)
    if wide:
        raise CallerError(
            f"a key for some sources can have {' and '.join(sorted(OF_SOURCES))} only: what {wide[0]} shows or changes "
            "is made of the events of all sources"
        )
    for source in asked.sources:
        if not is_uri_reference(source):
            raise CallerError(f"the source {source[:100]!r} is no URI-reference, so no event can have it")
