"""What is known of API keys while the store does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.consumers.clock import HandClock
from tests.unit.operations.stage import Stage
from tidings.errors import StoreUnavailableError
from tidings.operations import keys
from tidings.operations.admission import OUTAGE_SECONDS, Admission
from tidings.operations.keys import Asked
from tidings.ports import Ports
from tidings.store.keys import ApiKey


class Keys:
    """The part of a store that is asked, away when it is told so."""

    def __init__(self, *found: ApiKey) -> None:
        self.is_away = False
        self.asked = 0
        self.found = found
        self.used: list[str] = []

    async def api_keys(self) -> Sequence[ApiKey]:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailableError("gone")
        return self.found

    async def api_key_used(self, id: str, *, at: int) -> None:
        self.used.append(id)


async def made(stage: Stage, **more: Any) -> tuple[ApiKey, str]:
    """Return a key that a store would keep, and its token."""
    ports = Ports(clock=HandClock())
    shown = await keys.add(stage.store, ports, Asked(owner="us", scopes=["metrics:read"], **more), who="cli")
    return shown.key, shown.token


async def test_where_the_store_is_away_only_what_outlasts_that_goes_on_and_for_an_hour(stage: Stage) -> None:
    key, token = await made(stage)
    store, clock = Keys(key), HandClock()
    admission = Admission(store, clock)  # type: ignore[arg-type]
    assert await admission.of_token(token) is not None
    store.is_away = True
    clock.move(OUTAGE_SECONDS - 1)
    assert not await admission.is_keyless(outlasts=True)
    assert await admission.of_token(token, outlasts=True) is not None
    assert await admission.of_token(token + "x", outlasts=True) is None
    with pytest.raises(StoreUnavailableError):
        await admission.of_token(token)
    clock.move(2)
    for asks in (admission.is_keyless(outlasts=True), admission.of_token(token, outlasts=True)):
        with pytest.raises(StoreUnavailableError):
            await asks


async def test_a_store_that_is_away_is_asked_once_a_second_and_no_use_is_noted(stage: Stage) -> None:
    key, token = await made(stage)
    store, clock = Keys(key), HandClock()
    admission = Admission(store, clock)  # type: ignore[arg-type]
    assert not await admission.is_keyless()
    store.is_away = True
    clock.move(100)
    for _ in range(3):
        assert await admission.of_token(token, outlasts=True) is not None
    assert (store.asked, store.used) == (2, [])
    store.is_away = False
    clock.move(1.5)
    assert await admission.of_token(token, outlasts=True) is not None
    assert (store.asked, store.used) == (3, [key.id])


async def test_keys_that_were_never_read_admit_nobody() -> None:
    store = Keys()
    store.is_away = True
    admission = Admission(store, HandClock())  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailableError):
        await admission.is_keyless(outlasts=True)


async def test_a_key_expires_also_while_the_store_is_away(stage: Stage) -> None:
    clock = HandClock()
    key, token = await made(stage, expires=clock.now_us() + 10_000_000)
    store = Keys(key)
    admission = Admission(store, clock)  # type: ignore[arg-type]
    assert await admission.of_token(token) is not None
    store.is_away = True
    clock.move(11)
    assert await admission.of_token(token, outlasts=True) is None
