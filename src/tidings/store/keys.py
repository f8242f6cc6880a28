"""API keys as a store keeps them: of the secret no more than its digest. Times are µs since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


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

    def is_live(self, now: int) -> bool:
        """Say whether it opens anything at this time."""
        return self.revoked is None and (self.expires is None or now < self.expires)


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
