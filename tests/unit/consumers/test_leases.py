from __future__ import annotations

from tests.unit.consumers.room import Room, room
from tidings.consumers.leases import TTL, Leases, Share, share_of
from tidings.store.claims import Checkpoint


def checkpoints(*owners: str | None, until: int = 100) -> dict[int, Checkpoint]:
    return {
        part: Checkpoint(
            part=part, position=0, epoch=1, gate=0, owner=owner, until=until if owner else None, paused=None
        )
        for part, owner in enumerate(owners)
    }


def share(*owners: str | None, now: int = 0, gone: str = "") -> Share:
    return share_of(checkpoints(*owners), "me", now=now, gone=lambda owner: owner == gone)


def test_who_is_alone_may_have_all() -> None:
    assert share(None, None, None, None) == Share(4, is_more_free=True)
    assert share("me", "me", "me", "me") == Share(4, is_more_free=False)


def test_owners_share_evenly_and_the_first_by_name_have_one_more() -> None:
    assert share("me", "me", "me", "you") == Share(2, is_more_free=False)
    assert share("me", "you", "she", None) == Share(2, is_more_free=True)
    assert share("me", "you", "he", None) == Share(1, is_more_free=True)


def test_an_owner_that_is_dead_or_out_of_time_has_no_share() -> None:
    assert share("you", "you", "me", "me", gone="you") == Share(4, is_more_free=True)
    assert share("you", "you", "me", "me", now=100) == Share(4, is_more_free=True)


def test_who_asks_has_a_share_too() -> None:
    held = checkpoints("me", "me", "you", "you")
    assert share_of(held, "me", now=0, asking=frozenset({"she", "he"})) == Share(1, is_more_free=False)
    assert share_of(held, "me", now=0, asking=frozenset({"you", "me"})) == Share(2, is_more_free=False)


def test_what_is_paused_is_not_free() -> None:
    paused = {
        part: Checkpoint(part=part, position=0, epoch=1, gate=0, owner=None, until=None, paused="why")
        for part in range(2)
    }
    assert share_of(paused, "me", now=0) == Share(2, is_more_free=False)


def leases(at: Room, owner: str = "me") -> Leases:
    return Leases("trail", store=at.store, ports=at.ports, owner=owner)


async def test_a_lease_ends_by_our_own_clock_from_before_its_last_renewal() -> None:
    async with room() as at:
        held = leases(at)
        await held.register()
        assert await held.look()
        at.clock.move(7.9)
        await held.renew()
        at.clock.move(7.9)
        assert len(held.parts) == 1
        at.clock.move(0.1)
        assert held.parts == ()


async def test_a_lease_that_is_not_renewed_is_claimed_anew_and_walked_with_care() -> None:
    async with room() as at:
        held = leases(at)
        await held.register()
        await held.look()
        at.clock.move(8)
        assert held.parts == ()
        assert await held.look()
        assert held.parts[0].is_careful


async def test_what_is_lost_is_noticed_at_the_next_renewal() -> None:
    async with room() as at:
        held = leases(at)
        await held.register()
        await held.look()
        await at.store.pause("trail", "an operator said so")
        await held.renew()
        assert held.parts == ()
        at.clock.move(1)
        assert not await held.look()


async def test_who_waits_for_the_end_of_a_pause_says_so_all_the_while() -> None:
    async with room() as at:
        held = leases(at)
        await held.register()
        await held.look()
        await at.store.pause("trail", "an operator said so")
        await held.renew()
        for _ in range(30):
            at.clock.move(0.5)
            await held.look()
            assert await at.store.asking("trail") == {"me"}
        await at.store.pause("trail", None)
        at.clock.move(0.5)
        assert await held.look()
        assert await at.store.asking("trail") == frozenset()


async def test_who_waits_for_the_only_partition_of_another_does_not_write() -> None:
    async with room() as at:
        await leases(at).register()
        await leases(at, "you").look()
        held = leases(at)
        for _ in range(6):
            at.clock.move(0.5)
            assert not await held.look()
        assert await at.store.asking("trail") == frozenset()


async def test_renewing_goes_on_beside_the_work() -> None:
    async with room() as at:
        held = leases(at)
        await held.register()
        await held.look()
        for _ in range(6):
            at.clock.move(2)
            await held.renew()
        assert not await leases(at, "you").look()


async def test_who_comes_second_takes_no_more_than_its_share() -> None:
    async with room() as at:
        at.partitions(4)
        held = leases(at)
        await held.register()
        await at.store.claim("trail", owner="you", want=1, ttl=TTL)
        assert await held.look()
        assert [part.claim.part for part in held.parts] == [1, 2]


async def test_a_surplus_is_let_go() -> None:
    async with room() as at:
        at.partitions(4)
        held = leases(at)
        await held.register()
        await held.look()
        await held.let_go([held.parts[0].claim])
        await at.store.claim("trail", owner="you", want=1, ttl=TTL)
        assert len(held.parts) == 3
        await held.look()
        assert [part.claim.part for part in held.parts] == [1, 2]
        assert (await at.store.checkpoints("trail"))[3].owner is None


async def test_the_partitions_of_the_dead_are_taken_over() -> None:
    async with room() as at:
        at.partitions(4)
        held = leases(at)
        await held.register()
        await at.store.claim("trail", owner="you", want=2, ttl=TTL)
        await held.look()
        assert len(held.parts) == 2
        at.clock.move(7)
        await held.renew()
        at.clock.move(2)
        await held.look()
        assert [part.is_careful for part in held.parts] == [False, False, True, True]


async def test_partitions_spread_evenly_over_those_who_come_and_go() -> None:
    async with room() as at:
        at.partitions(16)
        crew = [leases(at, f"owner {n}") for n in range(5)]

        async def settle(*those: Leases) -> list[int]:
            for _ in range(12):
                at.clock.move(1)
                for each in those:
                    await each.renew()
                    await each.look()
            held = [each.owner for each in (await at.store.checkpoints("trail")).values()]
            assert None not in held
            return sorted((len(each.parts) for each in those), reverse=True)

        await crew[0].register()
        assert await settle(*crew[:1]) == [16]
        assert await settle(*crew[:2]) == [8, 8]
        assert await settle(*crew) == [4, 3, 3, 3, 3]
        for each in crew[1:]:
            await each.let_go()
        assert await settle(*crew[:1]) == [16]


async def test_who_holds_nothing_asks_and_is_given_its_share() -> None:
    async with room() as at:
        at.partitions(4)
        first, second = leases(at, "one"), leases(at, "two")
        await first.register()
        await first.look()
        assert len(first.parts) == 4
        assert not await second.look()
        at.clock.move(2)
        await first.look()
        assert len(first.parts) == 2
        at.clock.move(0.5)
        assert await second.look()
        assert len(second.parts) == 2
