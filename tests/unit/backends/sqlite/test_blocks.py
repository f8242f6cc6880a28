"""Entries are kept in blocks, and read as if they were not: whatever a block holds, and wherever a range cuts it."""

from __future__ import annotations

import pytest

from tests.unit.backends.sqlite.store_of import Opened, opened
from tidings.backends.sqlite.entries import BLOCK_BYTES, BLOCK_ENTRIES, BUCKET_BITS, body_of, encode, entries_of
from tidings.conformance.samples import event, events, keep
from tidings.events.envelope import Entry, Envelope
from tidings.events.filter import Filter
from tidings.log.driver import History, Write

COUNT = 2 * BLOCK_ENTRIES + 5


async def blocks(at: Opened) -> list[tuple[int, int]]:
    """Return the first and the last position of each block."""
    rows = await at.rows("SELECT first, pos FROM tidings_log ORDER BY pos")
    return [(first, last) for first, last in rows]


async def test_a_block_holds_so_many_entries_and_no_more() -> None:
    async with opened() as at:
        await keep(at.log, *events(0, COUNT))
        assert await blocks(at) == [(1, 32), (33, 64), (65, 69)]
        await keep(at.log, event("alone"))
        assert (await blocks(at))[-1] == (70, 70)


async def test_a_block_is_closed_before_it_grows_long() -> None:
    async with opened() as at:
        await keep(at.log, *(event(str(n), data=bytes(BLOCK_BYTES // 3)) for n in range(4)))
        assert await blocks(at) == [(1, 2), (3, 4)]
        await keep(at.log, event("large", data=bytes(3 * BLOCK_BYTES)), event("small"))
        assert (await blocks(at))[2:] == [(5, 5), (6, 6)]
        assert [entry.envelope.id for entry in (await at.log.read(after=0, limit=10)).entries][4:] == ["large", "small"]


@pytest.mark.parametrize("after", [0, 1, 31, 32, 33, 68, 69])
@pytest.mark.parametrize("limit", [1, 31, 32, 33, 100])
async def test_a_range_may_cut_a_block_anywhere(after: int, limit: int) -> None:
    async with opened() as at:
        await keep(at.log, *events(0, COUNT))
        page = await at.log.read(after=after, limit=limit)
        assert [entry.position for entry in page.entries] == list(range(after + 1, COUNT + 1))[:limit]
        subject = await at.log.read(after=after, limit=limit, where=Filter(subject="subject/1"))
        assert subject.entries == page.entries
        assert await at.log.count(after=after, where=Filter(), most=1_000) == COUNT - after


@pytest.mark.parametrize("upto", [1, 32, 40, COUNT])
async def test_a_history_ends_within_a_block(upto: int) -> None:
    async with opened() as at:
        await keep(at.log, *events(0, COUNT))
        wanted = History(subjects=["subject/1", "other"], types=frozenset({event("x").type}), upto=upto)
        assert [entry.position for entry in await at.log.history(wanted)] == list(range(1, upto + 1))


async def test_positions_of_refused_writes_are_missing_within_a_block() -> None:
    async with opened() as at:
        await keep(at.log, event("kept"))
        writes = [Write(envelopes=(event(id), event(f"{id} too"))) for id in ("a", "b", "c")]
        writes[1] = Write(envelopes=(event("kept", data=b"other"), event("refused")))
        await at.log.append(writes)
        assert [entry.position for entry in (await at.log.read(after=0, limit=10)).entries] == [1, 2, 3, 6, 7]
        assert [entry.envelope.id for entry in await at.log.at([3, 4, 6])] == ["a too", "c"]


async def test_a_subject_is_found_among_others_of_its_block_and_across_buckets() -> None:
    async with opened() as at:
        step = (1 << BUCKET_BITS) // 4
        for start in range(0, 6 * step, step):
            others = events(start, start + step - 1, subject="other")
            await keep(at.log, *others[: step // 2], event(f"wanted {start}", subject="wanted"), *others[step // 2 :])
        expected = [start + step // 2 + 1 for start in range(0, 6 * step, step)]
        page = await at.log.read(after=0, limit=100, where=Filter(subject="wanted"))
        assert [entry.position for entry in page.entries] == expected
        assert await at.log.last_of("wanted") == expected[-1]
        assert await at.log.last_of("nobody") == 0


async def test_a_block_spans_no_more_than_a_bucket_however_many_ids_between_were_known() -> None:
    async with opened() as at:
        known = events(0, 3 << BUCKET_BITS, subject="other")
        await keep(at.log, *known)
        async with at.store.unit() as unit:
            unit.emit([event("first"), *known, event("last")])
        [first, *_, last] = unit.receipts[0].positions
        assert last - first == len(known) + 1
        assert (await blocks(at))[-2:] == [(first, first), (last, last)]
        wanted = History(subjects=["subject/1"], types=frozenset({event("x").type}), upto=first)
        assert [entry.position for entry in await at.log.history(wanted)] == [first]


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(id="1", source="s", type="t"),
        Envelope(id="1", source="s", type="t", data=b""),
        Envelope(id="é\U0001f600", source="s", type="t", version=2_147_483_647, subject="", data=b"\x00\xff"),
        Envelope(id="1", source="s", type="t", time="2026-01-01T00:00:00Z", time_stamped=True),
        Envelope(id="1", source="s", type="t", attributes={"a": 1, "b": True, "c": "1", "d": -2_147_483_648}),
    ],
)
def test_an_envelope_comes_back_as_it_was(envelope: Envelope) -> None:
    [entry] = entries_of(5, body_of([1], [encode(envelope)]))
    assert entry == Entry(1, 5, envelope)
    assert [type(value) for value in entry.envelope.attributes.values()] == [
        type(value) for value in envelope.attributes.values()
    ]


def test_what_a_block_holds_is_fixed_for_ever() -> None:
    envelope = Envelope(id="1", source="s", type="t", subject="x", attributes={"a": 1}, data=b"{}")
    assert encode(envelope).hex() == "99a131a173a17401a178c0c281a16101c4027b7d"
