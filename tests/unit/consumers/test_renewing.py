"""A lease is counted from before it was asked for: what the answer took on its way is not time to read in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.unit.consumers.room import Room, room
from tidings.consumers.leases import Leases
from tidings.store.claims import Claim


def slow(at: Room, name: str, seconds: float) -> None:
    """Have answers to this question be so many seconds on their way."""
    ask = getattr(at.store, name)

    async def asked(*given: Any, **named: Any) -> Sequence[Claim]:
        answer: Sequence[Claim] = await ask(*given, **named)
        at.clock.move(seconds)
        return answer

    setattr(at.store, name, asked)


async def held(at: Room) -> Leases:
    leases = Leases("trail", store=at.store, ports=at.ports, owner="me")
    await leases.register()
    assert await leases.look()
    return leases


async def test_a_lease_counts_from_before_its_renewal_was_sent() -> None:
    async with room() as at:
        leases = await held(at)
        at.clock.move(2)
        slow(at, "renew", 5)
        assert await leases.renew()
        at.clock.move(2.9)
        assert len(leases.parts) == 1
        at.clock.move(0.1)
        assert leases.parts == ()


async def test_a_lease_counts_from_before_its_claim_was_sent() -> None:
    async with room() as at:
        slow(at, "claim", 5)
        leases = await held(at)
        at.clock.move(2.9)
        assert len(leases.parts) == 1
        at.clock.move(0.1)
        assert leases.parts == ()


async def test_an_answer_that_comes_after_the_lease_gives_nothing_to_read() -> None:
    async with room() as at:
        leases = await held(at)
        slow(at, "renew", 8)
        await leases.renew()
        assert leases.parts == ()


async def test_we_stop_before_the_store_gives_our_lease_to_another() -> None:
    async with room() as at:
        leases = await held(at)
        at.clock.move(2)
        slow(at, "renew", 5)
        await leases.renew()
        while leases.parts:
            assert await at.store.claim("trail", owner="you", want=1, ttl=timedelta(seconds=8)) == []
            at.clock.move(0.1)
