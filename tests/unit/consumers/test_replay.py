from __future__ import annotations

from tests.unit.consumers.room import Trail, room, until_idle


async def test_a_replay_brings_old_entries_gated_and_new_ones_not() -> None:
    async with room() as at:
        old = await at.say("a", "b", "c")
        trail = Trail()
        consumer = at.consumer(trail)
        await until_idle(consumer)
        new = await at.say("a", "b")
        await at.store.rewind("trail", to=old[0])
        async with at.store.unit() as unit:
            await unit.sql.execute("DELETE FROM trail")
        trail.calls.clear()
        at.clock.move(1)
        await until_idle(consumer)
        at.clock.move(1)
        await until_idle(consumer)
        assert await at.trail() == [*old[1:], *new]
        assert trail.gated == old[1:]
        assert all(not (set(call) & set(old) and set(call) & set(new)) for call in trail.calls)


async def test_an_entry_that_was_never_handled_is_redriven_for_the_first_time_also_behind_the_gate() -> None:
    async with room() as at:
        one, two = await at.say("a", "b")
        trail = Trail()
        trail.fault = lambda entry: ValueError("no") if entry.position == one else None
        consumer = at.consumer(trail)
        await until_idle(consumer)
        await at.store.rewind("trail", to=0)
        async with at.store.unit() as unit:
            await unit.sql.execute("DELETE FROM trail")
        trail.fault = lambda entry: None
        at.clock.move(3)
        await until_idle(consumer)
        at.clock.move(3)
        await until_idle(consumer)
        assert sorted(await at.trail()) == [one, two]
        assert trail.gated == [two]
