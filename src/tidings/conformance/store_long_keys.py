"""Chapter "long keys": what anything is found by may have 2,000 bytes, and none of them need repeat another."""

from __future__ import annotations

from hashlib import shake_256

import pytest

from tidings.conformance.endpoint_samples import DEAD, deliver, endpoint, keep, sent, settle, states, take
from tidings.conformance.store_delivering import claim, intend
from tidings.conformance.store_keyed import request
from tidings.conformance.store_notes import KIND, SCOPE
from tidings.conformance.store_receiving import came, verdicts
from tidings.conformance.store_samples import (
    CONSUMER,
    claimed_one,
    delivery,
    entry,
    made,
    reason,
    replace_rows,
    row,
    rows_in,
    table,
)
from tidings.events.identity import lane_subject
from tidings.events.rules import INDEXED_BYTES_MAX
from tidings.store.driver import StoreDriver
from tidings.store.rows import Column


def drawn(size: int) -> bytes:
    """Return so many bytes, always the same ones, that no index compresses."""
    return shake_256(b"long keys").digest(size)


def text(size: int = INDEXED_BYTES_MAX) -> str:
    """Return a text of so many bytes, most of them of characters of four."""
    bytes = drawn(size)
    places = (int.from_bytes(bytes[at : at + 4]) for at in range(0, size - size % 4, 4))
    return "".join(chr(0x10000 + place % 0xF0000) for place in places) + "x" * (size % 4)


class FindingByLongKeys:
    """A mixin of `StoreSuite`."""

    @pytest.mark.parametrize("spans", [False, True])
    async def test_a_row_is_found_by_a_key_of_2000_bytes(self, store: StoreDriver, spans: bool) -> None:
        numbers = [Column(name, "integer") for name in "abcdef"]
        columns = (Column("one", "text"), Column("two", "blob"), *numbers)
        view = await made(store, table(*columns, key=[each.name for each in columns], spans=spans))
        key = (text(1_200), drawn(INDEXED_BYTES_MAX - 1_200), *(2**63 - 1 - n for n in range(6)))
        await replace_rows(store, view, row(*key))
        assert await rows_in(store, view) == [row(*key)]
        async with store.unit() as unit:
            assert await unit.rows(view, [key]) == {key: row(*key)}
            if spans:
                assert await unit.join(view, [(key, 1)]) == {(key, 1)}
                assert await unit.members(view, [key]) == {key: [1]}

    async def test_a_subject_of_2000_bytes_is_parked_and_found(self, store: StoreDriver) -> None:
        await claimed_one(store)
        longest = lane_subject("/" + "s" * 1_023, text(1_024), None)
        for subject in (text(), longest):
            async with store.unit() as unit:
                await unit.park(CONSUMER, subject, [entry(3, subject=None)], reason(None))
                assert await unit.parked(CONSUMER, [subject]) == {subject}

    async def test_a_command_is_remembered_under_a_key_of_2000_bytes(self, store: StoreDriver) -> None:
        async with store.unit() as unit:
            await unit.remember("shop", text(), 3)
            assert await unit.command("shop", text()) == 3

    async def test_deliveries_are_made_in_an_order_of_2000_bytes(self, store: StoreDriver) -> None:
        await intend(store, delivery("a", order=text()), delivery("b", order=text()))
        assert [each.delivery.key for each in await claim(store)] == ["a"]

    async def test_deliveries_to_an_endpoint_are_in_order_by_a_subject_of_2000_bytes(self, store: StoreDriver) -> None:
        await keep(store, endpoint(ordering="key"))
        await deliver(store, sent(2, subject=text()), sent(3, subject=text()))
        [claimed] = await take(store)
        await settle(store, claimed, DEAD)
        assert (await states(store))[2] == "dead"

    async def test_a_request_is_known_again_by_a_key_of_1024_bytes(self, store: StoreDriver) -> None:
        longest = came(text(1_024), source="/" + "s" * 1_023)
        assert await verdicts(store, longest, longest) == ["new", "duplicate"]

    async def test_an_answer_is_kept_under_the_longest_names(self, store: StoreDriver) -> None:
        longest = request("k" * 255, owner=text(1_024), route="POST /" + "x" * 250)
        async with store.keyed(longest) as keyed:
            await keyed.keep(b"done")
        async with store.keyed(longest) as keyed:
            assert keyed.kept is not None

    async def test_a_note_is_found_by_a_key_of_2200_bytes(self, store: StoreDriver) -> None:
        key = drawn(2_200)
        async with store.unit() as unit:
            await unit.hold(SCOPE)
            await unit.note(SCOPE, KIND, {key: b"1"})
            assert await unit.noted(SCOPE, KIND, [key]) == {key: b"1"}
