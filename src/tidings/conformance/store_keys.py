"""Chapter "keys": API keys are kept with their digest alone, and one that was revoked stays known."""

from __future__ import annotations

import pytest

from tidings.errors import NotFoundError
from tidings.store.driver import StoreDriver
from tidings.store.keys import ApiKey


def key(id: str, *, created: int = 1, sources: frozenset[str] | None = None, expires: int | None = None) -> ApiKey:
    return ApiKey(
        id=id,
        owner="the till's “Ω”",
        scopes=frozenset({"events:read", "events:write"}),
        sources=sources,
        digest=bytes(range(32)),
        created=created,
        expires=expires,
    )


class Admitting:
    """A mixin of `StoreSuite`."""

    async def test_keys_come_back_as_they_were_given_oldest_first(self, store: StoreDriver) -> None:
        given = [key("b", created=1, sources=frozenset({"/a", "/b"})), key("a", created=2, expires=9)]
        for each in reversed(given):
            await store.add_api_key(each)
        assert list(await store.api_keys()) == given

    async def test_a_revoked_key_stays_with_the_time_of_its_first_end(self, store: StoreDriver) -> None:
        await store.add_api_key(key("a"))
        await store.revoke_api_key("a", at=5)
        await store.revoke_api_key("a", at=9)
        [found] = await store.api_keys()
        assert (found.revoked, found.is_valid(3)) == (5, False)

    async def test_revoking_what_is_not_there_is_told(self, store: StoreDriver) -> None:
        with pytest.raises(NotFoundError):
            await store.revoke_api_key("a", at=5)

    async def test_the_last_use_never_goes_back(self, store: StoreDriver) -> None:
        await store.add_api_key(key("a"))
        for at in (5, 9, 7):
            await store.api_key_used("a", at=at)
        [found] = await store.api_keys()
        assert found.used == 9
