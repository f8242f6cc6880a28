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
ANSWER_SECONDS = 2.0
OUTAGE_SECONDS = 3_600.0
"""So long keys are believed, for what outlasts the store, after they were read last."""
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
    """Tells principals by their tokens. What it knows of the keys is a second old at most.

    `outlasts`, of its methods: a store that does not answer within 2 s is no reason to refuse, and what was read
    within the hour before is believed; so a key that is revoked where this process cannot see it opens that for an
    hour longer at most. Where nothing was read, it is refused as the rest is.
    """

    def __init__(self, store: StoreDriver, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._keys: Mapping[str, ApiKey] = {}
        self._read_at = float("-inf")
        self._fresh_until = float("-inf")
        self._away_until = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def is_keyless(self, *, outlasts: bool = False) -> bool:
        """Say whether there has never been a key, so that nobody has to have one. StoreUnavailableError."""
        if self._clock.monotonic() >= self._fresh_until:
            await (self._look_or_remember() if outlasts else self._look())
        return not self._keys

    async def has_live_key(self) -> bool:
        """Say whether any key opens anything now."""
        await self.is_keyless()
        return any(key.is_valid(self._clock.now_us()) for key in self._keys.values())

    async def of_token(self, token: str, *, outlasts: bool = False) -> Principal | None:
        """Return whose token `td_<key id>_<secret>` this is; None if it is nobody's, or is revoked or expired."""
        await self.is_keyless(outlasts=outlasts)
        mark, _, rest = token.partition("_")
        id, _, secret = rest.partition("_")
        key = self._keys.get(id)
        # Compared also where there is nothing to compare with, so that the time tells nobody which ids there are.
        is_right = hmac.compare_digest(_NO_DIGEST if key is None else key.digest, digest_of(secret))
        now = self._clock.now_us()
        if mark != "td" or key is None or not is_right or not key.is_valid(now):
            return None
        if (key.used is None or now - key.used >= USED_US) and self._clock.monotonic() >= self._away_until:
            await self._note_use(key, now)
        return Principal(owner=key.owner, scopes=key.scopes, sources=key.sources, key=key.id)

    async def _note_use(self, key: ApiKey, now: int) -> None:
        with suppress(StoreUnavailableError):  # a full disk keeps nobody out who wants to read
            await self._store.api_key_used(key.id, at=now)
        self._fresh_until = float("-inf")

    async def _look_or_remember(self) -> None:
        """Look, once a second at most; go on with what was read before if the store does not answer."""
        if self._clock.monotonic() < self._away_until:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._look()
        except (StoreUnavailableError, TimeoutError) as error:
            now = self._clock.monotonic()
            if now >= self._read_at + OUTAGE_SECONDS:
                raise StoreUnavailableError("the store does not answer, and its API keys are not known") from error
            self._away_until = now + FRESH_SECONDS

    async def _look(self) -> None:
        """Join the look that is under way, if one is: what it does not see yet, the next second's does."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._read(), context=Context())
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)

    def _looked(self, looking: asyncio.Task[None]) -> None:
        self._looking = None
        if not looking.cancelled():
            looking.exception()  # whoever waited was told; maybe nobody waits any more

    async def _read(self) -> None:
        begun = self._clock.monotonic()
        self._keys = {key.id: key for key in await self._store.api_keys()}
        self._read_at, self._fresh_until, self._away_until = begun, begun + FRESH_SECONDS, float("-inf")
