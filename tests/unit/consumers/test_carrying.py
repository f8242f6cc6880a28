from __future__ import annotations

import asyncio

import pytest

from tests.unit.consumers.room import Trail, room, until_idle
from tidings.consumers.carrier import ISOLATED_ENTRIES
from tidings.errors import LogRewoundError
from tidings.events.envelope import Entry, Envelope
from tidings.events.identity import lane_subject


def failing_at(*positions: int, error: type[Exception] = ValueError):
    return lambda entry: error(f"no {entry.position}") if entry.position in positions else None


async def test_a_consumer_begins_before_the_first_entry_and_carries_all_of_its_types_in_order() -> None:
    async with room() as at:
        said = await at.say("a", "b", None, "a")
        await at.say("a", type="other")
        trail = Trail()
        await until_idle(at.consumer(trail))
        assert await at.trail() == said
        assert all("other" not in str(call) for call in trail.calls)


async def test_the_checkpoint_stands_at_the_head_once_a_consumer_is_idle() -> None:
    async with room() as at:
        await at.say("a", "b")
        consumer = at.consumer(Trail())
        await until_idle(consumer)
        [last] = await at.say("a", type="other")
        await until_idle(consumer)
        assert await at.at() == last


async def test_entries_of_no_interest_do_not_write_at_each_of_them() -> None:
    async with room() as at:
        consumer, stopping = at.consumer(Trail()), asyncio.Event()
        await at.say("a")
        await until_idle(consumer)
        before = at.points.passed.count("unit:committed")
        for _ in range(20):
            await at.say("a", type="other")
            rest = await consumer.step(stopping)
            assert rest is not None
            assert rest.seconds < 0.1
        assert at.points.passed.count("unit:committed") == before
        at.clock.move(0.6)
        [last] = await at.say("a", type="other")
        await consumer.step(stopping)
        assert await at.at() == last
        assert at.points.passed.count("unit:committed") == before + 1


async def test_a_failing_entry_is_set_aside_and_all_others_are_kept_with_it() -> None:
    async with room() as at:
        one, two, three, four = await at.say("a", "b", "c", "d")
        trail = Trail()
        trail.fault = failing_at(two)
        await until_idle(at.consumer(trail))
        assert await at.trail() == [one, three, four]
        assert await at.at() == four
        parked = (await at.parked())["b"]
        assert (parked.state, parked.attempts, parked.reason, parked.error) == (
            "retrying",
            1,
            "handler-failed",
            f"ValueError: no {two}",
        )


async def test_what_a_failing_handler_wrote_is_rolled_back_whole() -> None:
    async with room() as at:
        [one] = await at.say("a")
        trail = Trail()
        trail.fault = failing_at(one)
        await until_idle(at.consumer(trail))
        assert await at.trail() == []
        assert await at.waiting("a") == [one]


async def test_a_page_with_more_failures_than_an_isolated_unit_holds_is_carried_whole() -> None:
    async with room() as at:
        said = await at.say(*[f"s{n}" for n in range(3 * ISOLATED_ENTRIES + 5)])
        trail = Trail()
        bad = said[::11]
        trail.fault = failing_at(*bad)
        await until_idle(at.consumer(trail))
        assert sorted(await at.trail()) == [position for position in said if position not in bad]
        assert sorted(each.first_position for each in (await at.parked()).values()) == bad


async def test_an_emitted_event_whose_id_is_taken_sets_its_cause_aside_and_nobody_else() -> None:
    async with room() as at:
        said = await at.say("a", "b", "c")
        taken = Envelope(id="taken", source="/test", type="echo", data=b"1")
        await at.log.append([taken])
        trail = Trail()

        def emits(entry: Entry) -> Envelope:
            if entry.position == said[1]:
                return Envelope(id="taken", source="/test", type="echo", data=b"2")
            return Envelope(id=f"echo-{entry.position}", source="/test", type="echo", data=b"3")

        trail.emits = emits
        await until_idle(at.consumer(trail))
        assert await at.trail() == [said[0], said[2]]
        assert (await at.parked())["b"].error.startswith("ConflictError")
        found = [await at.log.find("/test", f"echo-{position}") is not None for position in said]
        assert found == [True, False, True]


async def test_a_handler_that_breaks_the_transaction_takes_nobody_along() -> None:
    async with room() as at:
        said = await at.say("a", "b", "c")

        class Breaking(Trail):
            async def apply(self, unit, entries, *, gated=False):
                for entry in entries:
                    await super().apply(unit, [entry], gated=gated)
                    if entry.envelope.subject == "b":
                        await unit.sql.execute("INSERT OR ROLLBACK INTO trail (n) SELECT n FROM trail LIMIT 1")

        await until_idle(at.consumer(Breaking()))
        assert await at.trail() == [said[0], said[2]]
        assert (await at.parked())["b"].error.startswith("IntegrityError")


async def test_a_handler_that_hides_how_it_broke_the_transaction_is_found_too() -> None:
    async with room() as at:
        said = await at.say("a", "b", "c")

        class Hiding(Trail):
            async def apply(self, unit, entries, *, gated=False):
                for entry in entries:
                    await super().apply(unit, [entry], gated=gated)
                    if entry.envelope.subject == "b":
                        try:
                            await unit.sql.execute("INSERT OR ROLLBACK INTO trail (n) SELECT n FROM trail LIMIT 1")
                        except Exception:
                            continue

        consumer, stopping = at.consumer(Hiding()), asyncio.Event()
        for _ in range(30):
            await consumer.step(stopping)
        assert await at.trail() == [said[0], said[2]]
        assert list(await at.parked()) == ["b"]


async def test_stopping_finishes_the_page_and_begins_no_other() -> None:
    async with room() as at:
        said = await at.say(*["a"] * 400)
        trail, stopping = Trail(), asyncio.Event()
        trail.fault = lambda entry: stopping.set() if entry.position == said[0] else None
        await at.consumer(trail).run(stopping)
        done = await at.trail()
        assert 0 < len(done) < len(said)
        assert done == said[: len(done)]
        assert await at.at() == done[-1]


async def test_a_stopped_consumer_leaves_its_partitions_to_the_next_at_once() -> None:
    async with room() as at:
        await at.say("a")
        stopping = asyncio.Event()
        trail = Trail()
        trail.fault = lambda entry: stopping.set()
        await at.consumer(trail).run(stopping)
        [checkpoint] = (await at.store.checkpoints("trail")).values()
        assert checkpoint.owner is None


async def test_cancelling_rolls_back_and_settles_nothing() -> None:
    async with room() as at:
        await at.say("a", "b")
        reached = asyncio.Event()

        class Waiting(Trail):
            async def apply(self, unit, entries, *, gated=False):
                await super().apply(unit, entries, gated=gated)
                reached.set()
                await asyncio.Event().wait()

        running = asyncio.create_task(at.consumer(Waiting()).run(asyncio.Event()))
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await at.trail() == []
        assert await at.at() == 0
        assert await at.parked() == {}


async def test_a_cancellation_inside_a_handler_is_the_handlers_failure() -> None:
    async with room() as at:
        one, two = await at.say("a", "b")
        trail = Trail()
        trail.fault = lambda entry: asyncio.CancelledError() if entry.position == one else None
        await until_idle(at.consumer(trail))
        assert await at.trail() == [two]
        assert (await at.parked())["a"].error.startswith("StrayCancelError")


async def test_a_lost_lease_keeps_nothing_and_counts_nothing() -> None:
    async with room() as at:
        [one] = await at.say("a")

        class Losing(Trail):
            async def apply(self, unit, entries, *, gated=False):
                await super().apply(unit, entries, gated=gated)
                lost = "UPDATE tidings_checkpoint SET epoch = epoch + 1, owner = 'other'"
                await unit._run(lambda connection: connection.execute(lost))

        await at.consumer(Losing(), owner="late").step(asyncio.Event())
        assert await at.trail() == []
        assert await at.parked() == {}
        at.clock.move(9)
        await until_idle(at.consumer(Trail(), owner="next"))
        assert await at.trail() == [one]


async def test_a_late_commit_of_a_paused_owner_is_refused() -> None:
    async with room() as at:
        [one] = await at.say("a")
        reached, go_on = asyncio.Event(), asyncio.Event()
        slow = at.consumer(Trail(), owner="slow")
        stopping = asyncio.Event()
        original = at.log.read

        async def held_read(**wanted):
            page = await original(**wanted)
            reached.set()
            await go_on.wait()
            return page

        at.log.read = held_read  # type: ignore[method-assign]
        stepping = asyncio.create_task(slow.step(stopping))
        await reached.wait()
        at.log.read = original  # type: ignore[method-assign]
        at.clock.move(9)
        await until_idle(at.consumer(Trail(), owner="quick"))
        go_on.set()
        assert await stepping is not None
        assert await at.trail() == [one]
        assert await at.parked() == {}


async def test_a_checkpoint_beyond_the_head_stops_the_consumer() -> None:
    async with room() as at:
        await at.store.register("trail", partitions=1, start=99)
        with pytest.raises(LogRewoundError):
            await at.consumer(Trail()).run(asyncio.Event())
        [checkpoint] = (await at.store.checkpoints("trail")).values()
        assert checkpoint.owner is None


async def test_entries_without_a_subject_fail_alone() -> None:
    async with room() as at:
        one, two = await at.say(None, None)
        trail = Trail()
        trail.fault = failing_at(one)
        await until_idle(at.consumer(trail))
        assert await at.trail() == [two]
        [parked] = (await at.parked()).values()
        assert parked.subject == lane_subject("/test", "said-0-0", None)


async def test_running_it_carries_what_is_appended_later_and_ends_when_it_is_told_to() -> None:
    async with room() as at:
        stopping, seen = asyncio.Event(), asyncio.Event()
        trail = Trail()
        trail.fault = lambda entry: seen.set()
        running = asyncio.create_task(at.consumer(trail).run(stopping))
        [one] = await at.say("a")
        await seen.wait()
        seen.clear()
        [two] = await at.say("a")
        await seen.wait()
        stopping.set()
        await running
        assert await at.trail() == [one, two]


async def test_a_unit_ends_when_its_handlers_have_taken_their_time() -> None:
    async with room() as at:
        said = await at.say(*["a"] * 100)
        trail = Trail()
        trail.fault = lambda entry: at.clock.move(0.004)
        await at.consumer(trail).step(asyncio.Event())
        assert await at.trail() == said[:5]
        assert await at.at() == said[4]


async def test_an_isolated_unit_ends_when_its_handlers_have_taken_their_time() -> None:
    async with room() as at:
        said = await at.say(*[f"s{n}" for n in range(40)])
        trail = Trail()

        def slow(entry: Entry) -> Exception | None:
            at.clock.move(0.004)
            return ValueError("no") if entry.position == said[0] else None

        trail.fault = slow
        await at.consumer(trail).step(asyncio.Event())
        assert at.points.passed.count("unit:committed") > 5
        assert await at.trail() == said[1:]


async def test_pages_of_quick_handlers_grow() -> None:
    async with room() as at:
        await at.say(*["a"] * 3_000)
        trail = Trail()
        await until_idle(at.consumer(trail))
        before = {call[0] for call in trail.calls}
        assert max(len(call) for call in trail.calls) > 500
        assert len(before) < 12


async def test_a_consumer_that_rests_goes_on_once_its_lease_is_lost_to_a_replay() -> None:
    async with room() as at:
        [one] = await at.say("a")
        stopping, handled = asyncio.Event(), asyncio.Event()
        trail = Trail()
        trail.fault = lambda entry: handled.set()
        running = asyncio.create_task(at.consumer(trail).run(stopping))
        await handled.wait()
        handled.clear()
        async with at.store.unit() as unit:
            await unit.sql.execute("DELETE FROM trail")
        await at.store.rewind("trail", to=0)
        async with asyncio.timeout(5):  # it is a bound for a test that fails: resting ends by itself much later
            while not handled.is_set():
                at.clock.move(0.5)
                for _ in range(5):
                    await at.log.head()
        stopping.set()
        await running
        assert await at.trail() == [one]


async def test_a_failure_of_the_renewals_is_not_hidden() -> None:
    async with room() as at:
        consumer = at.consumer(Trail())

        async def broken(claims, *, ttl):
            raise RuntimeError("a defect")

        at.store.renew = broken
        running = asyncio.create_task(consumer.run(asyncio.Event()))
        for _ in range(100):
            at.clock.move(2)
            await at.say("a")
        assert running.done()
        with pytest.raises(RuntimeError, match="a defect"):
            await running
