"""Chapter "receivers": those that are made while the application runs, each with a version for who changes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidings.errors import NotFoundError
from tidings.store.driver import StoreDriver
from tidings.store.receipts import ReceiverRecord

TILL = ReceiverRecord(id="till", config=b'{"preset":"stripe"}', created=7, secrets=b"\x00sealed")


class KeepingReceivers:
    """A mixin of `StoreSuite`."""

    async def test_a_receiver_comes_back_as_it_was_given(self, store: StoreDriver) -> None:
        assert await store.receiver("till") is None
        assert await store.add_receiver(TILL)
        assert await store.receiver("till") == TILL
        assert await store.receiver("Till") is None

    async def test_an_id_is_taken_once(self, store: StoreDriver) -> None:
        assert await store.add_receiver(TILL)
        assert not await store.add_receiver(replace(TILL, config=b"{}"))
        assert await store.receivers() == [TILL]

    async def test_a_change_needs_the_version_that_was_seen(self, store: StoreDriver) -> None:
        await store.add_receiver(TILL)
        changed = await store.change_receiver(replace(TILL, config=b"{}", secrets=b"new"))
        assert changed == replace(TILL, config=b"{}", secrets=b"new", version=2)
        assert await store.change_receiver(replace(TILL, config=b"[]")) is None
        assert await store.receiver("till") == changed
        with pytest.raises(NotFoundError):
            await store.change_receiver(replace(TILL, id="bank"))

    async def test_a_retired_receiver_stays_known(self, store: StoreDriver) -> None:
        await store.add_receiver(TILL)
        await store.add_receiver(replace(TILL, id="bank"))
        await store.change_receiver(replace(TILL, state="retired"))
        assert [(each.id, each.state) for each in await store.receivers()] == [("bank", "active"), ("till", "retired")]
