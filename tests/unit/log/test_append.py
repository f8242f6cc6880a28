"""Group commit: who shares a flush, who gets which receipt."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from datetime import timedelta

import pytest

from tests.unit.log.scripted import Scripted
from tests.unit.log.writes import event
from tidings.backends.sqlite import Sqlite
from tidings.errors import AppendInUnitError, ConflictError, EnvelopeError, EnvelopeTooLargeError, RefusedError
from tidings.events.filter import Filter
from tidings.log.driver import Condition, Facts, Receipt
from tidings.log.log import Log
from tidings.ports import Ports


async def test_appends_of_one_turn_share_a_flush(log: Log, driver: Scripted) -> None:
    receipts = await asyncio.gather(*(log.append([event(str(n))]) for n in range(64)))
    assert driver.flushes == [[str(n) for n in range(64)]]
    positions = [receipt.positions[0] for receipt in receipts]
    assert positions == sorted(set(positions))


async def test_writes_gather_while_a_flush_is_on_its_way(log: Log, driver: Scripted) -> None:
    await driver.stall()
    first = asyncio.create_task(log.append([event("first")]))
    await driver.arrived.wait()
    others = [asyncio.create_task(log.append([event(str(n))])) for n in range(5)]
    await asyncio.sleep(0)
    driver.gate.set()
    await asyncio.gather(first, *others)
    assert driver.flushes == [["first"], ["0", "1", "2", "3", "4"]]


async def test_who_was_just_answered_joins_the_next_flush(log: Log, driver: Scripted) -> None:
    """Otherwise 64 callers fall apart into one and 63, for ever."""

    async def caller(name: str) -> None:
        for n in range(5):
            await log.append([event(f"{name}{n}")])

    await driver.stall()
    first = asyncio.create_task(caller("a"))
    await driver.arrived.wait()
    others = [asyncio.create_task(caller(name)) for name in "bcd"]
    await asyncio.sleep(0)
    driver.gate.set()
    await asyncio.gather(first, *others)
    assert [sorted(flush) for flush in driver.flushes] == [
        ["a0"],
        ["a1", "b0", "c0", "d0"],
        ["a2", "b1", "c1", "d1"],
        ["a3", "b2", "c2", "d2"],
        ["a4", "b3", "c3", "d3"],
        ["b4", "c4", "d4"],
    ]


async def test_each_caller_gets_its_own_receipt(log: Log) -> None:
    known = await log.append([event("known")])
    results = await asyncio.gather(
        log.append([event("known")]),
        log.append([event("known", data=b"other")]),
        log.append([event("new"), event("newer")]),
        return_exceptions=True,
    )
    assert results[0] == Receipt(outcome="duplicate", positions=known.positions)
    assert isinstance(results[1], ConflictError)
    assert isinstance(results[2], Receipt)
    assert results[2].outcome == "appended"
    assert len(results[2].positions) == 2


async def test_an_append_of_nothing_asks_nobody(log: Log, driver: Scripted) -> None:
    assert await log.append([]) == Receipt(outcome="duplicate")
    assert driver.flushes == []


async def test_a_repeat_within_one_call_has_one_position(log: Log, driver: Scripted) -> None:
    receipt = await log.append([event("a"), event("b"), event("a"), event("a", data=None)])
    assert driver.flushes == [["a", "b"]]
    assert receipt.outcome == "appended"
    first, second = receipt.positions[:2]
    assert receipt.positions == (first, second, first, first)
    assert receipt.known == {2, 3}


async def test_two_contents_under_one_id_in_one_call_conflict(log: Log, driver: Scripted) -> None:
    with pytest.raises(ConflictError, match="'a' of 'test' stands twice in this call") as caught:
        await log.append([event("a"), event("b"), event("a", data=b"other")])
    assert (caught.value.conflict.kind, caught.value.conflict.position) == ("id", 0)
    assert driver.flushes == []


async def test_a_conflict_says_what_is_in_the_way_and_what_to_do(log: Log) -> None:
    [first] = (await log.append([event("a", subject="s")])).positions
    with pytest.raises(ConflictError, match=f"'a' of 'test' is kept at position {first} with other content.*unchanged"):
        await log.append([event("a", subject="s", data=b"other")])
    with pytest.raises(ConflictError, match=f"'s' has an entry at position {first}, where none was expected: read up"):
        await log.append([event("b", subject="s")], expected={"s": 0})
    with pytest.raises(ConflictError, match=f"'s' has no entry at position {first + 7}"):
        await log.append([event("b", subject="s")], expected={"s": first + 7})
    condition = Condition(where=Filter(subject="s"), after=0)
    with pytest.raises(ConflictError, match=f"entry at position {first} matches the condition"):
        await log.append([event("b")], condition=condition)
    [second] = (await log.append([event("c", subject="s")], expected={"s": first})).positions
    with pytest.raises(ConflictError, match=f"at position {second}, after the expected {first}: read up"):
        await log.append([event("d", subject="s")], expected={"s": first})


async def test_what_cannot_be_kept_is_refused_before_it_is_queued(log: Log, driver: Scripted) -> None:
    for bad in ({"id": "\x00"}, {"source": "\ud800"}, {"type": "t\x00"}, {"subject": "\udfff"}):
        with pytest.raises(EnvelopeError, match=f"^{next(iter(bad))}: ") as caught:
            await log.append([event("fine"), event(**({"id": "a"} | bad))])
        assert caught.value.errors[0][0] == f"/{next(iter(bad))}"
    with pytest.raises(EnvelopeError, match=r"^expected: a subject: ") as caught:
        await log.append([event("fine")], expected={"s": 0, "\ud800": 0})
    assert caught.value.errors[0][0] == "/expected"
    with pytest.raises(EnvelopeTooLargeError, match="bytes of data"):
        await log.append([event("a", data=bytes(log.facts.envelope_bytes_max + 1))])
    with pytest.raises(EnvelopeTooLargeError, match="in parts"):
        await log.append([event("a")] * (log.facts.write_envelopes_max + 1))
    assert driver.flushes == []


async def test_text_of_any_language_is_kept(log: Log) -> None:
    envelope = event("ünï 🜁", subject="\u05d0\u202e")
    await log.append([envelope])
    assert [entry.envelope for entry in (await log.read(after=0, limit=10)).entries] == [envelope]


async def test_cancelling_takes_back_a_write_that_no_flush_has_taken(log: Log, driver: Scripted) -> None:
    await driver.stall()
    first = asyncio.create_task(log.append([event("first")]))
    await driver.arrived.wait()
    second = asyncio.create_task(log.append([event("second")]))
    await asyncio.sleep(0)
    second.cancel()
    driver.gate.set()
    await first
    await log.append([event("third")])
    assert second.cancelled()
    assert driver.flushes == [["first"], ["third"]]


async def test_a_write_that_was_taken_goes_on_after_its_caller_left(log: Log, driver: Scripted) -> None:
    await driver.stall()
    first = asyncio.create_task(log.append([event("first")]))
    await driver.arrived.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    driver.gate.set()
    assert (await log.append([event("first")])).outcome == "duplicate"


async def test_an_append_inside_a_unit_is_refused_at_once(sqlite: Sqlite, log: Log, driver: Scripted) -> None:
    async with sqlite.store.unit():
        with pytest.raises(AppendInUnitError, match="emit"):
            await log.append([event("a")])
    assert driver.flushes == []
    assert (await log.append([event("a")])).outcome == "appended"


async def test_a_flush_runs_in_no_callers_context(log: Log, driver: Scripted) -> None:
    trace: ContextVar[str] = ContextVar("trace", default="nobody's")
    seen: list[str] = []
    inner = driver.append

    async def append(writes: object) -> object:
        seen.append(trace.get())
        return await inner(writes)  # type: ignore[arg-type]

    driver.append = append  # type: ignore[assignment, method-assign]
    trace.set("the first caller's")
    await log.append([event("a")])
    assert seen == ["nobody's"]


@pytest.mark.parametrize(
    "asked",
    [{"expected": {"s": 0}}, {"condition": Condition(where=Filter(subject="s"), after=0)}],
    ids=["subject", "condition"],
)
async def test_what_a_back_end_cannot_check_is_refused(sqlite: Sqlite, asked: dict[str, object]) -> None:
    driver = Scripted(sqlite.log)
    driver.facts = Facts(**{name: getattr(driver.facts, name) for name in Facts.__slots__} | {"expects": frozenset()})
    with pytest.raises(RefusedError, match="cannot check"):
        await Log(driver, Ports()).append([event("a")], **asked)  # type: ignore[arg-type]
    assert driver.flushes == []


async def test_everything_else_is_the_drivers_answer(log: Log, sqlite: Sqlite) -> None:
    await log.append([event("a", subject="s"), event("b", subject="t")])
    entries = (await log.read(after=0, limit=10)).entries
    assert log.facts is sqlite.log.facts
    assert await log.find("test", "b") == entries[1]
    assert list(await log.at([entries[0].position])) == [entries[0]]
    assert await log.last_of("t") == entries[1].position
    assert await log.count(after=0, where=Filter(subject="s"), most=10) == 1
    assert await log.head() == await sqlite.log.head()
    assert await log.recorded_from(0) == 0
    await log.wait(after=0, timeout=timedelta(hours=1))
