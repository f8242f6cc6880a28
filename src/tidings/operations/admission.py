"""Who calls, and what they may: told by the token of an API key, for every face of the program."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass

from tidings.errors import StoreUnavailableError
from tidings.operations.keys import SCOPES, digest_of
from tidings.ports import Clock
from tidings.store.driver import StoreDriver
from tidings.store.keys import ApiKey

FRESH_SECONDS = 1.0
USED_US = 60_000_000
"""When a key was last used is kept to the minute."""
_NO_DIGEST = digest_of("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a request. `sources`: whose events they may read and write; None: anyone's. `key`: the key's id."""

    owner: str
    scopes: frozenset[str]
    sources: frozenset[str] | None = None
    key: str | None = None

    @property
    def who(self) -> str:
        """What the audit calls whoever makes the request."""
        return self.owner if self.key is None else f"key {self.key}"

    @property
    def said(self) -> str:
        """Who it is, in words."""
        if self.key is None:
            return "someone on this machine, without a key"
        return f"{self.owner} (key {self.key})"

    def may_speak_for(self, source: str) -> bool:
        """Say whether events of this source may be read and written."""
        return self.sources is None or source in self.sources


LOCAL = Principal(owner="local", scopes=frozenset(SCOPES))
"""Whoever is admitted where there are no keys: a program on this machine."""


class Admission:
    """Tells principals by their tokens. What it knows of the keys is a second old at most."""

    def __init__(self, store: StoreDriver, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._keys: Mapping[str, ApiKey] = {}
        self._fresh_until = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def is_keyless(self) -> bool:
        """Say whether there has never been a key, so that nobody has to have one. StoreUnavailableError."""
        if self._clock.monotonic() >= self._fresh_until:
            await self._look()
        return not self._keys

    async def has_live_key(self) -> bool:
        """Say whether any key opens anything now."""
        await self.is_keyless()
        return any(key.is_valid(self._clock.now_us()) for key in self._keys.values())

    async def of_token(self, token: str) -> Principal | None:
        """Return whose token `td_<key id>_<secret>` this is; None if it is nobody's, or is revoked or expired."""
        await self.is_keyless()
        mark, _, rest = token.partition("_")
        id, _, secret = rest.partition("_")
        key = self._keys.get(id)
        # Compared also where there is nothing to compare with, so that the time tells nobody which ids there are.
        is_right = hmac.compare_digest(_NO_DIGEST if key is None else key.digest, digest_of(secret))
        now = self._clock.now_us()
        if mark != "td" or key is None or not is_right or not key.is_valid(now):
            return None
        if key.used is None or now - key.used >= USED_US:
            await self._note_use(key, now)
        return Principal(owner=key.owner, scopes=key.scopes, sources=key.sources, key=key.id)

    async def _note_use(self, key: ApiKey, now: int) -> None:
        with suppress(StoreUnavailableError):  # a full disk keeps nobody out who wants to read
            await self._store.api_key_used(key.id, at=now)
        self._fresh_until = float("-inf")

    async def _look(self) -> None:
        """Join the look that is under way, if one is: what it does not see yet, the next second's does."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._read(), context=Context())
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)

    def _looked(self, _: asyncio.Task[None]) -> None:
        self._looking = None

    async def _read(self) -> None:
        begun = self._clock.monotonic()
        self._keys = {key.id: key for key in await self._store.api_keys()}
        self._fresh_until = begun + FRESH_SECONDS
