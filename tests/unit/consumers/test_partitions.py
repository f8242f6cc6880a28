from __future__ import annotations

from tests.unit.consumers.room import Room, Trail, room, until_idle
from tidings.consumers.leases import TTL
from tidings.events.identity import slot_of

SUBJECTS = [f"s{n}" for n in range(40)]


def part_of(subject: str) -> int:
    return slot_of("", "", subject) * 4 >> 10


async def subject_order(at: Room, said: dict[str, list[int]]) -> None:
    """Check that every subject's entries were handled once, in their order."""
    place = {position: n for n, position in enumerate(await at.trail())}
    assert sorted(place) == sorted(position for positions in said.values() for position in positions)
    for positions in said.values():
        assert sorted(positions, key=place.__getitem__) == positions


async def speak(at: Room, said: dict[str, list[int]]) -> None:
    for subject, position in zip(SUBJECTS, await at.say(*SUBJECTS), strict=True):
        said.setdefault(subject, []).append(position)


async def test_one_process_carries_all_partitions_in_one_unit() -> None:
    async with room() as at:
        at.partitions(4)
        said: dict[str, list[int]] = {}
        trail = Trail()
        consumer = at.consumer(trail)
        await speak(at, said)
        await until_idle(consumer)
        await speak(at, said)
        before = len(trail.calls)
        await until_idle(consumer)
        assert len(trail.calls) - before == 1
        await subject_order(at, said)
        assert len({each.position for each in (await at.store.checkpoints("trail")).values()}) == 1


async def test_two_owners_share_the_partitions_and_handle_each_entry_once() -> None:
    async with room() as at:
        at.partitions(4)
        said: dict[str, list[int]] = {}
        await at.store.register("trail", partitions=4, start=0)
        held = await at.store.claim("trail", owner="two", want=1, ttl=TTL)
        one, two = at.consumer(Trail(), owner="one"), at.consumer(Trail(), owner="two")
        await speak(at, said)
        await until_idle(one)
        await at.store.release(held)
        await until_idle(two)
        await speak(at, said)
        await until_idle(two)
        await until_idle(one)
        owners = sorted(str(each.owner) for each in (await at.store.checkpoints("trail")).values())
        assert owners == ["one", "one", "two", "two"]
        await subject_order(at, said)


async def test_partitions_taken_over_are_levelled_first() -> None:
    async with room() as at:
        at.partitions(4)
        said: dict[str, list[int]] = {}
        await at.store.register("trail", partitions=4, start=0)
        await at.store.claim("trail", owner="two", want=2, ttl=TTL)
        trail = Trail()
        one = at.consumer(trail, owner="one")
        await speak(at, said)
        await until_idle(one)
        assert {part_of(subject) for subject in SUBJECTS} == {0, 1, 2, 3}
        assert len(await at.trail()) < len(SUBJECTS)
        at.clock.move(7)
        await one._leases.renew()
        at.clock.move(2)
        await speak(at, said)
        await until_idle(one)
        await subject_order(at, said)
        assert len({each.position for each in (await at.store.checkpoints("trail")).values()}) == 1


async def test_a_failing_subject_holds_nobody_in_any_partition() -> None:
    async with room() as at:
        at.partitions(4)
        said: dict[str, list[int]] = {}
        trail = Trail()
        trail.fault = lambda entry: ValueError("no") if entry.envelope.subject == "s3" else None
        consumer = at.consumer(trail)
        for _ in range(3):
            await speak(at, said)
            await until_idle(consumer)
        assert await at.waiting("s3") == said["s3"]
        trail.fault = lambda entry: None
        at.clock.move(3)
        await until_idle(consumer)
        await subject_order(at, said)
        assert (await at.parked()) == {}
