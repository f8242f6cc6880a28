"""Chapter "read": pages, filters, and the ways to find an entry again."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from tidings.conformance.samples import event, events, everything, keep
from tidings.errors import LogRewoundError
from tidings.events.envelope import Entry
from tidings.events.filter import EVERYTHING, Filter
from tidings.events.identity import SLOTS, slot_of
from tidings.log.driver import History, LogDriver, Position, Write

FAR = 1 << 40
FILTERS = [
    EVERYTHING,
    Filter(types=frozenset({"even"})),
    Filter(types=frozenset({"even", "odd", "absent"})),
    Filter(types=frozenset({"absent"})),
    Filter(types=frozenset()),
    Filter(source="s/0"),
    Filter(subject="subject/1"),
    Filter(subject="absent"),
    Filter(slots=((0, SLOTS),)),
    Filter(slots=((0, 512),)),
    Filter(slots=((512, SLOTS),)),
    Filter(slots=((100, 100),)),
    Filter(slots=()),
    Filter(slots=((0, 256), (512, 768))),
    Filter(types=frozenset({"odd"}), source="s/1", subject="subject/2"),
    Filter(types=frozenset({"odd"}), slots=((256, 768),)),
    Filter(subject="subject/0", slots=((0, 512),)),
]


async def fill(driver: LogDriver, *, seed: int = 1, count: int = 120) -> list[Entry]:
    """Append events of a few types, sources and subjects at random; return all entries."""
    draw = Random(seed)  # noqa: S311 - a seed makes the same log again
    made = [
        event(
            str(n),
            type="even" if n % 2 == 0 else "odd",
            source=f"s/{draw.randrange(3)}",
            subject=None if n % 7 == 0 else f"subject/{draw.randrange(5)}",
        )
        for n in range(count)
    ]
    await driver.append([Write(envelopes=tuple(made[n : n + 5])) for n in range(0, count, 5)])
    return await everything(driver)


def matching(entries: Sequence[Entry], where: Filter, *, after: Position = 0) -> list[Entry]:
    """Return what a filter lets through, by its own words."""
    return [entry for entry in entries if entry.position > after and where.matches(entry.envelope, slot(entry))]


def slot(entry: Entry) -> int:
    return slot_of(entry.envelope.source, entry.envelope.id, entry.envelope.subject)


class Reading:
    """A mixin of `LogSuite`."""

    async def test_an_empty_log_has_nothing_to_read(self, driver: LogDriver) -> None:
        head = await driver.head()
        assert (head.position, head.floor) == (0, 0)
        page = await driver.read(after=0, limit=10)
        assert (page.entries, page.upto) == ((), 0)

    @pytest.mark.parametrize("limit", [1, 3, 7, 1_000])
    async def test_pages_put_together_are_the_log(self, driver: LogDriver, limit: int) -> None:
        receipt = await keep(driver, *events(0, 50))
        assert [entry.position for entry in await everything(driver, page=limit)] == list(receipt.positions)

    async def test_the_head_is_the_last_entry(self, driver: LogDriver) -> None:
        before = await driver.head()
        receipt = await keep(driver, *events(0, 5))
        head = await driver.head()
        assert head.position == receipt.positions[-1]
        assert (head.floor, head.incarnation) == (before.floor, before.incarnation)
        assert head.incarnation

    async def test_at_the_end_there_is_an_empty_page(self, driver: LogDriver) -> None:
        await keep(driver, *events(0, 5))
        head = (await driver.head()).position
        page = await driver.read(after=head, limit=10)
        assert (page.entries, page.upto) == ((), head)

    async def test_beyond_the_end_the_log_was_rewound(self, driver: LogDriver) -> None:
        await keep(driver, *events(0, 5))
        with pytest.raises(LogRewoundError):
            await driver.read(after=FAR, limit=10)
        with pytest.raises(LogRewoundError):
            await driver.read(after=FAR, limit=10, where=Filter(subject="subject/1"))

    @pytest.mark.parametrize("where", FILTERS)
    async def test_a_filter_lets_through_what_matches_and_nothing_else(self, driver: LogDriver, where: Filter) -> None:
        entries = await fill(driver)
        head = (await driver.head()).position
        for limit in (1, 4, 1_000):
            found: list[Entry] = []
            after = 0
            while True:
                page = await driver.read(after=after, limit=limit, where=where)
                found += page.entries
                assert after <= page.upto <= head
                assert len(page.entries) <= limit
                assert matching(entries, where, after=page.upto) == matching(entries, where)[len(found) :]
                if page.upto == head:
                    break
                assert page.upto > after
                after = page.upto
            assert found == matching(entries, where)

    async def test_a_page_moves_past_what_does_not_match(self, driver: LogDriver) -> None:
        await keep(driver, *events(0, 5, type="wanted"), *events(5, 50, type="other"))
        page = await driver.read(after=0, limit=100, where=Filter(types=frozenset({"wanted"})))
        assert page.upto == (await driver.head()).position

    async def test_entries_are_found_by_position(self, driver: LogDriver) -> None:
        entries = await fill(driver, count=20)
        wanted = [entries[7], entries[3], entries[15]]
        found = await driver.at([*(entry.position for entry in wanted), FAR])
        assert list(found) == sorted(wanted, key=lambda entry: entry.position)
        assert list(await driver.at([])) == []
        assert list(await driver.at([entry.position for entry in entries])) == entries

    async def test_an_entry_is_found_by_its_identity(self, driver: LogDriver) -> None:
        entries = await fill(driver, count=20)
        for entry in entries:
            assert await driver.find(entry.envelope.source, entry.envelope.id) == entry
        assert await driver.find(entries[0].envelope.source, "absent") is None
        assert await driver.find("absent", entries[0].envelope.id) is None

    async def test_the_last_entry_of_a_subject_is_found(self, driver: LogDriver) -> None:
        entries = await fill(driver)
        for subject in {entry.envelope.subject for entry in entries} - {None}:
            assert subject is not None
            assert await driver.last_of(subject) == matching(entries, Filter(subject=subject))[-1].position
        assert await driver.last_of("absent") == 0

    async def test_a_history_holds_the_wanted_types_of_the_wanted_subjects(self, driver: LogDriver) -> None:
        entries = await fill(driver)
        for subjects in (["subject/1"], ["subject/1", "absent", "subject/3"], []):
            for upto in (0, entries[60].position, entries[-1].position, FAR):
                wanted = History(subjects=subjects, types=frozenset({"odd", "absent"}), upto=upto)
                assert list(await driver.history(wanted)) == [
                    entry
                    for entry in entries
                    if entry.envelope.subject in subjects and entry.envelope.type == "odd" and entry.position <= upto
                ]

    @pytest.mark.parametrize("where", FILTERS)
    async def test_entries_are_counted_no_further_than_asked(self, driver: LogDriver, where: Filter) -> None:
        entries = await fill(driver)
        for after in (0, entries[50].position, entries[-1].position):
            for most in (1, 10, 10_000):
                expected = min(most, len(matching(entries, where, after=after)))
                assert await driver.count(after=after, where=where, most=most) == expected

    async def test_what_was_recorded_from_a_time_on_stands_after_the_position(self, driver: LogDriver) -> None:
        entries = [entry for n in range(4) for entry in await fill(driver, count=20 * (n + 1))]
        for time in {entry.recorded + step for entry in entries for step in (-1, 0, 1)}:
            start = await driver.recorded_from(time)
            assert [entry for entry in entries if entry.recorded >= time and entry.position <= start] == []
        assert await driver.recorded_from(0) == 0
        assert await driver.recorded_from(1 << 60) <= (await driver.head()).position
