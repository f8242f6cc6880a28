"""Chapter "expectations": what the writer saw must still hold, whoever else writes at that moment."""

from __future__ import annotations

import asyncio

from tidings.conformance.samples import attempted, event, events, everything, ids_in, keep, refusal
from tidings.errors import Conflict
from tidings.events.filter import Filter
from tidings.events.identity import SLOTS, slot_of
from tidings.log.driver import Condition, LogDriver, Position, Receipt, Write
from tidings.log.log import Log

FAR = 1 << 40


def no_other(subject: str, after: Position, *types: str) -> Condition:
    """Return the condition that no entry of the subject, of these types or of any, stands after `after`."""
    return Condition(where=Filter(subject=subject, types=frozenset(types) or None), after=after)


class Expecting:
    """A mixin of `LogSuite`."""

    async def test_an_expectation_that_holds_lets_the_write_in(self, driver: LogDriver) -> None:
        first = await keep(driver, event("1", subject="a"), expected={"a": 0})
        await keep(driver, event("2", subject="b"))
        second = await keep(driver, event("3", subject="a"), expected={"a": first.positions[0]})
        assert (first.outcome, second.outcome) == ("appended", "appended")

    async def test_a_subject_that_moved_refuses_the_write(self, driver: LogDriver) -> None:
        first = await keep(driver, event("1", subject="a"))
        second = await keep(driver, event("2", subject="a"))
        for expected in (0, first.positions[0]):
            conflict = await refusal(driver, event("3", subject="a"), expected={"a": expected})
            assert (conflict.kind, conflict.subject) == ("subject", "a")
            assert conflict.position == second.positions[0]
        assert await ids_in(driver) == ["1", "2"]

    async def test_an_expected_entry_that_is_not_there_refuses_the_write(self, driver: LogDriver) -> None:
        other = await keep(driver, event("1", subject="b"))
        for expected in (other.positions[0], FAR):
            conflict = await refusal(driver, event("2", subject="a"), expected={"a": expected})
            assert (conflict.kind, conflict.subject, conflict.position) == ("subject", "a", 0)

    async def test_a_subject_may_be_expected_without_being_written(self, driver: LogDriver) -> None:
        seen = await keep(driver, event("1", subject="a"))
        expected = {"a": seen.positions[0], "nobody": 0}
        assert (await keep(driver, event("2", subject="b"), expected=expected)).outcome == "appended"
        await keep(driver, event("3", subject="a"))
        assert (await refusal(driver, event("4", subject="b"), expected=expected)).subject == "a"

    async def test_subjects_that_look_alike_are_different(self, driver: LogDriver) -> None:
        for subject in ("a", "A", "a ", "á", "a\u0301"):
            assert (await keep(driver, event(f"of {subject}", subject=subject), expected={subject: 0})).positions

    async def test_a_retry_stays_a_success_after_its_subject_moved(self, driver: LogDriver) -> None:
        first = await keep(driver, event("1", subject="a"), expected={"a": 0})
        await keep(driver, event("2", subject="a"))
        retry = await keep(driver, event("1", subject="a"), expected={"a": 0})
        assert retry == Receipt(outcome="duplicate", positions=first.positions)
        retry = await keep(driver, event("1", subject="a"), condition=no_other("a", 0))
        assert retry == Receipt(outcome="duplicate", positions=first.positions)

    async def test_identity_is_judged_before_expectations(self, driver: LogDriver) -> None:
        await keep(driver, event("1", subject="a"))
        assert (await refusal(driver, event("1", subject="a", data=b"2"), expected={"a": 0})).kind == "id"

    async def test_a_refused_expectation_spoils_no_neighbour(self, driver: LogDriver) -> None:
        await keep(driver, event("1", subject="a"))
        writes = [
            Write(envelopes=(event("2", subject="a"),), expected={"a": 0}),
            Write(envelopes=(event("3", subject="b"),), expected={"b": 0}),
            Write(envelopes=(event("4", subject="c"),)),
        ]
        receipts = await driver.append(writes)
        assert [receipt.outcome for receipt in receipts] == ["conflict", "appended", "appended"]
        assert await ids_in(driver) == ["1", "3", "4"]

    async def test_a_condition_that_holds_lets_the_write_in(self, driver: LogDriver) -> None:
        first = await keep(driver, event("1", subject="a", type="taken"), event("2", subject="b", type="taken"))
        for id, condition in (
            ("3", no_other("c", 0)),
            ("4", no_other("a", first.positions[0])),
            ("5", no_other("a", 0, "freed")),
            ("6", Condition(where=Filter(types=frozenset({"freed"})), after=0)),
            ("7", Condition(where=Filter(slots=()), after=0)),
        ):
            assert (await keep(driver, event(id, subject="d"), condition=condition)).outcome == "appended"

    async def test_a_condition_names_the_entry_in_the_way(self, driver: LogDriver) -> None:
        first = await keep(driver, event("1", subject="a", type="taken"))
        await keep(driver, event("2", subject="b", type="other"))
        for condition in (no_other("a", 0), no_other("a", 0, "taken", "freed"), no_other("a", first.positions[0] - 1)):
            conflict = await refusal(driver, event("3", subject="c"), condition=condition)
            assert (conflict.kind, conflict.position) == ("condition", first.positions[0])
        assert await ids_in(driver) == ["1", "2"]

    async def test_a_condition_looks_at_the_slots_it_names(self, driver: LogDriver) -> None:
        first = await keep(driver, event("1", subject="a"))
        slot = slot_of("", "", "a")
        beside = Condition(where=Filter(slots=((0, slot), (slot + 1, SLOTS))), after=0)
        assert (await keep(driver, event("2", subject="a"), condition=beside)).outcome == "appended"
        among = Condition(where=Filter(slots=((0, slot), (slot, slot + 1))), after=0)
        conflict = await refusal(driver, event("3", subject="a"), condition=among)
        assert (conflict.kind, conflict.position) == ("condition", first.positions[0])

    async def test_of_two_racers_one_wins(self, log: Log) -> None:
        for n in range(10):
            subject = f"seat/{n}"
            answers = await asyncio.gather(
                attempted(log, event(f"{n} one", subject=subject), expected={subject: 0}),
                attempted(log, event(f"{n} two", subject=subject), expected={subject: 0}),
            )
            winners = [answer for answer in answers if isinstance(answer, Receipt)]
            losers = [answer for answer in answers if isinstance(answer, Conflict)]
            assert [loser.position for loser in losers] == [winner.positions[0] for winner in winners]
            assert len(winners) == 1

    async def test_racers_who_decide_again_lose_nothing(self, log: Log) -> None:
        async def count_up(racer: int) -> None:
            for n in range(10):
                mine = event(f"{racer}-{n}", subject="counter")
                answer: Receipt | Conflict | None = None
                while not isinstance(answer, Receipt):
                    answer = await attempted(log, mine, expected={"counter": await log.last_of("counter")})

        await asyncio.gather(*map(count_up, range(5)))
        assert sorted(await ids_in(log)) == sorted(f"{racer}-{n}" for racer in range(5) for n in range(10))

    async def test_a_plain_append_that_races_is_seen_or_stands_behind(self, log: Log) -> None:
        for n in range(10):
            subject = f"seat/{n}"
            plain, careful = await asyncio.gather(
                attempted(log, event(f"{n} plain", subject=subject)),
                attempted(log, event(f"{n} careful", subject=subject), expected={subject: 0}),
            )
            assert isinstance(plain, Receipt)
            if isinstance(careful, Receipt):
                assert careful.positions < plain.positions
            else:
                assert careful.position == plain.positions[0]

    async def test_conditions_that_cross_let_one_through(self, log: Log) -> None:
        for n in range(10):
            left, right = f"left/{n}", f"right/{n}"
            answers = await asyncio.gather(
                attempted(log, event(f"{n} left", subject=left), condition=no_other(right, 0)),
                attempted(log, event(f"{n} right", subject=right), condition=no_other(left, 0)),
            )
            assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Receipt"]

    async def test_writes_keep_their_order_around_an_expectation(self, log: Log) -> None:
        """Within a subject the order of the calls is the order of the log, whatever is expected of it."""
        calls = [attempted(log, *events(n, n + 1, subject=f"s/{n % 3}")) for n in range(12)]
        calls.insert(6, attempted(log, event("careful", subject="s/0"), expected={"s/0": FAR}))
        await asyncio.gather(*calls)
        for subject in range(3):
            own = [entry.envelope.id for entry in await everything(log) if entry.envelope.subject == f"s/{subject}"]
            assert own == [str(n) for n in range(12) if n % 3 == subject]
