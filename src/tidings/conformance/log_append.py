"""Chapter "append": order, all or nothing, one bad write among good ones, repeats, limits."""

from __future__ import annotations

import asyncio

import pytest

from tidings.conformance.samples import JSON, attempted, event, events, everything, ids_in, keep, refusal
from tidings.errors import Conflict, EnvelopeError, EnvelopeTooLargeError
from tidings.events.envelope import Envelope
from tidings.log.driver import LogDriver, Receipt, Write
from tidings.log.log import Log

ALIKE = ["a", "A", "a ", " a", "á", "a\u0301", "ａ", "1", "01", "1.0", "%61", "a'\"`;--", "\u202ea", "🜁"]
WHOLE = Envelope(
    id="whole",
    source="urn:suite:ünï?a=b#c",
    type="suite.whole",
    version=7,
    subject="subject/'\"%;\\ \u05d0🜁",
    time="2024-02-29T23:59:60+02:00",
    time_stamped=True,
    attributes={"datacontenttype": "text/plain", "flag": True, "count": -5, "text": "true", "traceparent": "00-1"},
    data=b"\x00\xff not JSON \r\n",
)


class Appending:
    """A mixin of `LogSuite`."""

    async def test_entries_stand_in_the_order_in_which_they_were_given(self, driver: LogDriver) -> None:
        writes = [Write(envelopes=events(n, n + 3)) for n in range(0, 30, 3)]
        receipts = [*await driver.append(writes[:9]), *await driver.append(writes[9:])]
        positions = [position for receipt in receipts for position in receipt.positions]
        assert {receipt.outcome for receipt in receipts} == {"appended"}
        assert positions == sorted(set(positions))
        assert positions[0] > 0
        entries = await everything(driver)
        assert [entry.position for entry in entries] == positions
        assert [entry.envelope for entry in entries] == list(events(0, 30))

    async def test_an_envelope_comes_out_as_it_went_in(self, driver: LogDriver) -> None:
        bare = Envelope(id="bare", source="s", type="t")
        await keep(driver, WHOLE, bare)
        assert [entry.envelope for entry in await everything(driver)] == [WHOLE, bare]

    async def test_no_data_empty_data_and_null_are_three_things(self, driver: LogDriver) -> None:
        given = [event("none", data=None), event("empty", data=b"", attributes={}), event("null", data=b"null")]
        await keep(driver, *given)
        assert [entry.envelope.data for entry in await everything(driver)] == [None, b"", b"null"]
        for envelope in given:
            other = b"" if envelope.data is None else None
            conflict = await refusal(driver, event(envelope.id, data=other, attributes=envelope.attributes))
            assert conflict.kind == "id"

    async def test_one_alone_is_kept_as_any_other_and_whatever_else_it_may_come_to_is_left_to_append(
        self, driver: LogDriver
    ) -> None:
        await keep(driver, event("first"))
        for envelope in (WHOLE, event("01912d68-7830-7000-8000-000000000001", subject=None)):
            receipt = await driver.append_one(envelope, seconds=10)
            if not driver.facts.appends_one:
                assert receipt is None
                receipt = await keep(driver, envelope)
            [last] = (await everything(driver))[-1:]
            assert (receipt, last.envelope) == (Receipt(outcome="appended", positions=(last.position,)), envelope)
            assert (await driver.head()).position == last.position
            assert await driver.append_one(envelope, seconds=10) is None
            assert await driver.append_one(event(envelope.id, source=envelope.source, data=b"2"), seconds=10) is None
            assert await keep(driver, envelope) == Receipt(outcome="duplicate", positions=(last.position,))
        assert len(await everything(driver)) == 3

    async def test_an_empty_flush_does_nothing(self, driver: LogDriver) -> None:
        before = await driver.head()
        assert list(await driver.append([])) == []
        assert await driver.head() == before

    async def test_a_write_is_kept_whole_or_not_at_all(self, driver: LogDriver) -> None:
        await keep(driver, event("taken"))
        await refusal(driver, event("before"), event("taken", data=b"2"), event("after"))
        assert await ids_in(driver) == ["taken"]
        assert await driver.find(event("before").source, "before") is None
        await keep(driver, *events(0, 9))
        assert (await keep(driver, event("before"), event("after"))).outcome == "appended"
        assert await ids_in(driver) == ["taken", *map(str, range(9)), "before", "after"]

    async def test_a_refused_write_spoils_no_neighbour(self, driver: LogDriver) -> None:
        await keep(driver, event("taken"))
        flush = [(event("1"),), (event("taken", data=b"2"),), (event("2"), event("3")), (event("taken"),)]
        receipts = await driver.append([Write(envelopes=envelopes) for envelopes in flush[:3]])
        assert [receipt.outcome for receipt in receipts] == ["appended", "conflict", "appended"]
        assert (await keep(driver, *flush[3])).outcome == "duplicate"
        assert await ids_in(driver) == ["taken", "1", "2", "3"]

    async def test_a_repeat_is_answered_with_its_first_position(self, driver: LogDriver) -> None:
        first = await keep(driver, event("a"), event("b"))
        assert await keep(driver, event("a"), event("b")) == Receipt(outcome="duplicate", positions=first.positions)
        assert (await keep(driver, event("b"))).positions == first.positions[1:]
        assert await ids_in(driver) == ["a", "b"]

    async def test_known_and_new_envelopes_mix_in_one_write(self, driver: LogDriver) -> None:
        first = await keep(driver, event("b"))
        receipt = await keep(driver, event("a"), event("b"), event("c"))
        assert receipt.outcome == "appended"
        assert [receipt.outcome_of(place) for place in range(3)] == ["appended", "duplicate", "appended"]
        assert receipt.positions[1] == first.positions[0] < receipt.positions[0] < receipt.positions[2]
        assert await ids_in(driver) == ["b", "a", "c"]

    async def test_other_content_under_a_known_id_is_refused_each_time(self, driver: LogDriver) -> None:
        first = await keep(driver, event("a"))
        for _ in range(2):
            conflict = await refusal(driver, event("a", data=b'{"n": 2}'))
            assert (conflict.kind, conflict.source, conflict.id) == ("id", event("a").source, "a")
            assert conflict.position == first.positions[0]
            assert conflict.given_hash != conflict.kept_hash
        assert (await everything(driver))[0].envelope == event("a")

    async def test_what_changes_on_the_way_is_no_part_of_the_content(self, driver: LogDriver) -> None:
        given = event("a", time="2024-01-01T00:00:00Z", time_stamped=True)
        await keep(driver, given)
        again = event("a", time="2024-01-01T00:00:09Z", time_stamped=True, data=b'{ "n" :1 }')
        assert (await keep(driver, again)).outcome == "duplicate"
        traced = event("a", attributes={**JSON, "traceparent": "00-2"}, data=b'{"n":1}')
        assert (await keep(driver, traced)).outcome == "duplicate"
        assert [entry.envelope for entry in await everything(driver)] == [given]

    async def test_ids_that_look_alike_are_different(self, driver: LogDriver) -> None:
        first = await keep(driver, *map(event, ALIKE))
        assert first.outcome == "appended"
        for id, position in zip(ALIKE, first.positions, strict=True):
            assert await keep(driver, event(id)) == Receipt(outcome="duplicate", positions=(position,))
        assert await ids_in(driver) == ALIKE

    async def test_an_id_belongs_to_its_source(self, driver: LogDriver) -> None:
        pairs = [("a", "bc"), ("ab", "c"), ("A", "bc"), ("abc", "1"), ("1:a", "bc"), ("a", "1:bc")]
        receipt = await keep(driver, *(event(id, source=source) for source, id in pairs))
        assert receipt.outcome == "appended"
        assert len(set(receipt.positions)) == len(pairs)

    async def test_a_repeat_is_known_after_a_hundred_thousand_others(self, driver: LogDriver) -> None:
        first = await keep(driver, event("x1"), event("2"))
        for start in range(0, 100_000, 2_000):
            await driver.append([Write(envelopes=events(n, n + 1_000, subject=None)) for n in (start, start + 1_000)])
        assert await keep(driver, event("x1")) == Receipt(outcome="duplicate", positions=first.positions[:1])
        assert (await refusal(driver, event("x1", data=b"2"))).position == first.positions[0]

    async def test_a_repeat_in_the_same_flush_is_one_entry(self, log: Log) -> None:
        answers = await asyncio.gather(*(attempted(log, event("a")) for _ in range(5)), attempted(log, event("b")))
        positions = [answer.positions for answer in answers if isinstance(answer, Receipt)]
        assert len(positions) == 6
        assert len(set(positions[:5])) == 1
        assert [entry.position for entry in await everything(log)] == sorted({*positions[0], *positions[5]})

    async def test_of_two_contents_under_one_id_the_first_is_kept(self, log: Log) -> None:
        first, second = await asyncio.gather(attempted(log, event("a")), attempted(log, event("a", data=b"2")))
        assert isinstance(first, Receipt)
        assert isinstance(second, Conflict)
        assert second.position == first.positions[0]

    async def test_data_may_be_as_large_as_the_back_end_says(self, log: Log) -> None:
        most = log.facts.envelope_bytes_max
        await log.append([event("fits", data=b"x" * most)])
        with pytest.raises(EnvelopeTooLargeError):
            await log.append([event("fine"), event("too large", data=b"x" * (most + 1))])
        assert await ids_in(log) == ["fits"]

    async def test_a_write_may_be_as_long_as_the_back_end_says(self, log: Log) -> None:
        most = log.facts.write_envelopes_max
        assert len((await log.append(events(0, most))).positions) == most
        with pytest.raises(EnvelopeTooLargeError):
            await log.append(events(most, 2 * most + 1))
        assert (await log.head()).position == (await log.append(events(0, most))).positions[-1]

    @pytest.mark.parametrize("text", ["nul\x00", "\ud800"])
    @pytest.mark.parametrize("name", ["id", "source", "type", "subject"])
    async def test_text_that_cannot_be_kept_is_refused(self, log: Log, name: str, text: str) -> None:
        fields = {"id": "a", name: text}
        with pytest.raises(EnvelopeError, match=name):
            await log.append([event(**fields)])
        assert await ids_in(log) == []
