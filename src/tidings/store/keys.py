"""API keys as a store keeps them: of the secret no more than its digest. Times are µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tidings.errors import NotFoundError
from tidings.events.codec import encode_json
from tidings.events.strict import decode_json


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key.

    `owner`: whom it stands for. `scopes`: what it may do. `sources`: whose events it may read and write; None: all.
    `digest`: SHA-256 of the secret. `expires`, `revoked`: None: never. `used`: about when it last was; None: never.
    """

    id: str
    owner: str
    scopes: frozenset[str]
    sources: frozenset[str] | None
    digest: bytes = field(repr=False)
    created: int
    expires: int | None = None
    revoked: int | None = None
    used: int | None = None

    def is_valid(self, now: int) -> bool:
        """Say whether it opens anything at this time."""
        return self.revoked is None and (self.expires is None or now < self.expires)


def columns_of(key: ApiKey) -> tuple[Any, ...]:
    """Return what a row keeps of a new key: id, owner, scopes, sources, digest, created, expires."""
    sources = None if key.sources is None else encode_json(sorted(key.sources))
    return key.id, key.owner, encode_json(sorted(key.scopes)), sources, key.digest, key.created, key.expires


def key_of(id: str, owner: str, scopes: bytes, sources: bytes | None, *rest: Any) -> ApiKey:
    """Return the key that a row keeps: the columns of `columns_of`, then revoked and used."""
    digest, created, expires, revoked, used = rest
    return ApiKey(
        id=id,
        owner=owner,
        scopes=frozenset(decode_json(scopes)),
        sources=None if sources is None else frozenset(decode_json(sources)),
        digest=digest,
        created=created,
        expires=expires,
        revoked=revoked,
        used=used,
    )


def no_key(id: str) -> NotFoundError:
    return NotFoundError("key", id)


class KeyStore(Protocol):
    """The part of a store that keeps them."""

    async def api_keys(self) -> Sequence[ApiKey]:
        """Return every key, the oldest first, those that are revoked or expired included."""

    async def add_api_key(self, key: ApiKey) -> None:
        """Keep a key. Its id is new."""

    async def revoke_api_key(self, id: str, *, at: int) -> None:
        """Have the key open nothing from `at` on; it stays in the list. Twice is once. NotFoundError."""

    async def api_key_used(self, id: str, *, at: int) -> None:
        """Note when the key was last used; never back."""
