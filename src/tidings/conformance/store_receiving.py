"""Chapter "receiving": a request that came in is kept once, whoever takes it in at the same time."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from tidings.conformance.samples import event
from tidings.conformance.store_samples import undone
from tidings.errors import NotFoundError, RefusedError
from tidings.store.driver import StoreDriver
from tidings.store.receipts import Arrival, Identity, Judged, Owner, ReceiptOutcome, Received, headers_bytes

HOUR = 3_600_000_000
HEADERS = [(b"x", b"y"), (b"x-bytes", bytes(range(1, 256)))]


def came(
    *keys: str,
    content: bytes = b"h",
    source: str = "/till",
    receiver: str = "till",
    at: int = 1,
    outcome: ReceiptOutcome = "stored",
    body: bytes = b"\x00{}\xff",
) -> Received:
    """Return a request with an event for each key."""
    return Received(
        receiver=receiver,
        source=source,
        identities=tuple(Identity(key, content, place) for place, key in enumerate(keys)),
        received=at,
        forget_at=at + HOUR,
        method="POST",
        query=b"a=%00",
        headers=headers_bytes(HEADERS),
        body=body,
        items=b"[]",
        outcome=outcome,
        error="why" if outcome == "failed" else None,
    )


def of(*items: tuple[str, bytes]) -> Received:
    """Return a request with an event for each key, and its content."""
    return replace(came(), identities=tuple(Identity(*item, place) for place, item in enumerate(items)))


async def receive(store: StoreDriver, *received: Received) -> list[Judged]:
    async with store.unit() as unit:
        unit.receive([Arrival(received=each) for each in received])
    return list(unit.judged)


async def verdicts(store: StoreDriver, *received: Received) -> list[str]:
    return [each.verdict for each in await receive(store, *received)]


class Receiving:
    """A mixin of `StoreSuite`."""

    async def test_a_request_is_kept_as_it_came(self, store: StoreDriver) -> None:
        [judged] = await receive(store, came("a", at=7))
        stored = await store.stored_receipt(judged.n)
        assert stored is not None
        assert (stored.method, stored.query, stored.pairs, stored.body) == ("POST", b"a=%00", HEADERS, b"\x00{}\xff")
        receipt = stored.receipt
        assert (receipt.n, receipt.receiver, receipt.source, receipt.received) == (judged.n, "till", "/till", 7)
        assert (receipt.outcome, receipt.error, receipt.seen, receipt.last_seen) == ("stored", None, 1, 7)
        assert (receipt.bytes, receipt.replayed, receipt.replays) == (4, None, 0)
        assert await store.receipt(judged.n) == receipt

    async def test_requests_to_several_receivers_are_kept_together(self, store: StoreDriver) -> None:
        sent = (came("a", at=1), came("b", at=2, receiver="desk"), came("c", at=3, outcome="failed"), came("d", at=4))
        kept = [await store.receipt(judged.n) for judged in await receive(store, *sent)]
        assert [each and (each.receiver, each.received, each.outcome, each.error) for each in kept] == [
            ("till", 1, "stored", None),
            ("desk", 2, "stored", None),
            ("till", 3, "failed", "why"),
            ("till", 4, "stored", None),
        ]

    async def test_a_repeat_is_counted_and_not_kept_again(self, store: StoreDriver) -> None:
        [first] = await receive(store, came("a", at=1))
        [second] = await receive(store, came("a", at=9))
        assert (second.n, second.verdict, second.fresh) == (first.n, "duplicate", frozenset())
        [receipt] = await store.receipts()
        assert (receipt.seen, receipt.received, receipt.last_seen) == (2, 1, 9)

    async def test_what_repeats_in_one_call_is_a_repeat_too(self, store: StoreDriver) -> None:
        judged = await receive(store, came("a"), came("b"), came("a"), came("a"))
        assert [each.verdict for each in judged] == ["new", "new", "duplicate", "duplicate"]
        assert judged[2].n == judged[3].n == judged[0].n
        assert [receipt.seen for receipt in await store.receipts()] == [1, 3]

    async def test_two_receivers_of_one_source_share_their_keys(self, store: StoreDriver) -> None:
        await receive(store, came("a", receiver="old"))
        assert await verdicts(store, came("a", receiver="new")) == ["duplicate"]
        assert await verdicts(store, came("a", source="/other"), came("A"), came("a ")) == ["new"] * 3

    async def test_an_id_that_stands_in_a_batch_twice_is_taken_once(self, store: StoreDriver) -> None:
        [judged] = await receive(store, came("a", "b", "a"))
        assert (judged.verdict, sorted(judged.fresh)) == ("new", [0, 1])
        [judged] = await receive(store, of(("c", b"h"), ("c", b"other")))
        assert (judged.verdict, sorted(judged.fresh)) == ("conflict", [0])
        assert await verdicts(store, came("a"), came("b"), came("c")) == ["duplicate"] * 3
        assert await verdicts(store, came("d", "d", outcome="failed"), came("d")) == ["new", "unfinished"]

    async def test_of_a_batch_those_are_fresh_that_were_not_there(self, store: StoreDriver) -> None:
        await receive(store, came("a", "c"))
        [judged] = await receive(store, came("a", "b", "c", "d"))
        assert (judged.verdict, sorted(judged.fresh)) == ("new", [1, 3])
        assert await verdicts(store, came("d"), came("b", "c")) == ["duplicate", "duplicate"]

    async def test_an_event_is_known_by_each_of_its_keys(self, store: StoreDriver) -> None:
        one = came("id-1")
        guarded = [
            Received(**{name: getattr(one, name) for name in one.__struct_fields__} | {"identities": identities})
            for identities in (
                (Identity("id-1", b"h"), Identity("guard", b"h")),
                (Identity("id-2", b"h"), Identity("guard", b"h")),
            )
        ]
        assert await verdicts(store, guarded[0]) == ["new"]
        assert await verdicts(store, guarded[1]) == ["duplicate"]

    async def test_a_request_without_events_is_kept_each_time(self, store: StoreDriver) -> None:
        assert await verdicts(store, came(), came()) == ["new", "new"]

    async def test_a_repeat_of_what_failed_is_unfinished_until_it_is_done(self, store: StoreDriver) -> None:
        [failed] = await receive(store, came("a", outcome="failed"))
        assert await store.count_receipts("failed") == 1
        [still] = await receive(store, came("a", outcome="failed"))
        assert (still.n, still.verdict, list(still.fresh)) == (failed.n, "unfinished", [0])
        again = came("a", "b")
        async with store.unit() as unit:
            unit.receive([Arrival(received=again, events=((event(id="a"),), (event(id="b"),)))])
        assert [(each.n, each.verdict, sorted(each.fresh)) for each in unit.judged] == [
            (failed.n, "unfinished", [0, 1])
        ]
        assert [[event.id for event in events] for events in unit.emitted] == [["a", "b"]]
        [receipt] = await store.receipts()
        assert (receipt.outcome, receipt.error, receipt.items, receipt.seen) == ("stored", None, b"[]", 3)
        async with store.unit() as unit:
            assert not await unit.finish_receipt(failed.n, [], b"[2]", at=None)
        assert await verdicts(store, came("a"), came("b")) == ["duplicate", "duplicate"]
        assert await store.count_receipts("failed") == 0

    async def test_a_unit_that_is_undone_received_nothing(self, store: StoreDriver) -> None:
        async with undone(store.unit()) as unit:
            unit.receive([Arrival(received=came("a"))])
        assert await store.receipts() == []
        async with store.unit() as unit:
            async with undone(unit.savepoint()):
                unit.receive([Arrival(received=came("a"))])
            unit.receive([Arrival(received=came("b"))])
        assert [each.verdict for each in unit.judged] == ["new"]
        assert await verdicts(store, came("a")) == ["new"]

    async def test_of_many_that_take_the_same_in_at_once_one_is_the_first(self, store: StoreDriver) -> None:
        async def take(place: int) -> list[str]:
            keys = ["a", "b", "c"]
            return await verdicts(store, *(came(key, at=place) for key in (keys if place % 2 else reversed(keys))))

        found = await asyncio.gather(*(take(place) for place in range(12)))
        assert sum(each.count("new") for each in found) == 3
        assert sum(each.count("duplicate") for each in found) == 33
        assert sorted(receipt.seen for receipt in await store.receipts()) == [12, 12, 12]

    async def test_receipts_are_listed_newest_first_and_by_what_became_of_them(self, store: StoreDriver) -> None:
        numbers = [each.n for each in await receive(store, came("a"), came("b", receiver="bank"), came("c"))]
        await receive(store, came("d", outcome="failed"))
        assert [each.n for each in await store.receipts("till", outcome="stored")] == [numbers[2], numbers[0]]
        assert [each.n for each in await store.receipts(before=numbers[2], limit=1)] == [numbers[1]]
        assert [each.error for each in await store.receipts(outcome="failed")] == ["why"]
        assert await store.receipt(10**9) is None
        assert await store.stored_receipt(10**9) is None

    async def test_only_what_failed_can_be_given_up(self, store: StoreDriver) -> None:
        fine, failed = await receive(store, came("a"), came("b", outcome="failed"))
        await store.drop_receipt(failed.n)
        assert await store.count_receipts("failed") == 0
        with pytest.raises(RefusedError):
            await store.drop_receipt(failed.n)
        with pytest.raises(RefusedError):
            await store.drop_receipt(fine.n)
        with pytest.raises(NotFoundError):
            await store.drop_receipt(10**9)
        assert await verdicts(store, came("b")) == ["duplicate"]

    async def test_why_a_request_failed_may_say_anything(self, store: StoreDriver) -> None:
        [failed] = await receive(store, replace(came("a", outcome="failed"), error="\x00\ud800"))
        found = await store.receipt(failed.n)
        assert found is not None
        assert found.error == "\\x00\\ud800"
        await store.note_replay(failed.n, "still \x00\ud800", at=5)
        again = await store.receipt(failed.n)
        assert again is not None
        assert again.error == "still \\x00\\ud800"

    async def test_a_replay_is_noted(self, store: StoreDriver) -> None:
        fine, failed = await receive(store, came("a"), came("b", outcome="failed"))
        await store.note_replay(fine.n, None, at=5)
        await store.note_replay(failed.n, "still", at=6)
        async with store.unit() as unit:
            assert await unit.finish_receipt(failed.n, [], b"[]", at=7)
        found = [await store.receipt(each.n) for each in (fine, failed)]
        assert [(each.replayed, each.replays) for each in found if each is not None] == [(5, 1), (7, 2)]
        with pytest.raises(NotFoundError):
            await store.note_replay(10**9, None, at=5)

    async def test_a_replay_that_is_part_of_a_request_finishes_what_failed(self, store: StoreDriver) -> None:
        [failed] = await receive(store, came("a", outcome="failed"))
        assert await store.finish_receipt(failed.n, came("a").identities, b"[]", at=7)
        assert not await store.finish_receipt(failed.n, came("a").identities, b"[]", at=8)
        found = await store.receipt(failed.n)
        assert found is not None
        assert (found.outcome, found.replayed, found.replays) == ("stored", 7, 1)
        assert await verdicts(store, came("a")) == ["duplicate"]

    async def test_receipts_are_counted_of_the_newest(self, store: StoreDriver) -> None:
        await receive(store, came("a"), came("b", outcome="failed"), came("c", receiver="bank"), came("d"), came("d"))
        counted = await store.tally_receipts("till", newest=9)
        assert (dict(counted.outcomes), counted.repeats) == ({"stored": 2, "failed": 1}, 1)
        newest = await store.tally_receipts("till", newest=1)
        assert (dict(newest.outcomes), newest.repeats) == ({"stored": 1}, 1)
        none = await store.tally_receipts("nobody", newest=9)
        assert (dict(none.outcomes), none.repeats) == ({}, 0)

    async def test_receipts_of_a_time_are_found(self, store: StoreDriver) -> None:
        numbers = [each.n for each in await receive(store, came("a", at=1), came("b", at=2), came("c", at=3))]
        assert [each.n for each in await store.receipts(since=2)] == [numbers[2], numbers[1]]
        assert [each.n for each in await store.receipts(since=2, until=3)] == [numbers[1]]
        assert await store.receipts("bank", since=2) == []

    async def test_when_something_came_last_is_known_of_each_receiver(self, store: StoreDriver) -> None:
        await receive(store, came("a", at=3), came("b", at=5, receiver="bank"))
        await receive(store, came("a", at=9))
        assert await store.last_received(["till", "none", "bank"]) == {"bank": 5, "till": 9}

    async def test_bodies_are_forgotten_before_the_keys_are_and_not_those_that_failed(self, store: StoreDriver) -> None:
        numbers = [each.n for each in await receive(store, came("a", at=1), came("b", at=2), came("c", at=3))]
        [failed] = await receive(store, came("d", at=1, outcome="failed"))
        assert await store.forget_bodies(before=3, limit=1) == 1
        assert await store.forget_bodies(before=3, limit=9) == 1
        assert [await store.stored_receipt(n) is None for n in numbers] == [True, True, False]
        assert await store.stored_receipt(failed.n) is not None
        assert await verdicts(store, came("a")) == ["duplicate"]
        assert await store.forget_receipts(now=3 + HOUR, limit=9) == 2
        assert [each.n for each in await store.receipts()] == [failed.n, numbers[2]]
        assert await verdicts(store, came("a"), came("c"), came("d")) == ["new", "duplicate", "unfinished"]

    async def test_a_number_is_never_given_twice(self, store: StoreDriver) -> None:
        [first] = await receive(store, came("a"))
        assert await store.forget_receipts(now=10 * HOUR, limit=9) == 1
        [second] = await receive(store, came("a"))
        assert second.n > first.n

    async def test_who_has_a_key_is_told_without_a_trace(self, store: StoreDriver) -> None:
        [first, second] = await receive(store, came("a"), came("b", "c", outcome="failed"))
        owners = await store.owners("/till", ["a", "c", "d"])
        assert owners == {
            ("/till", "a"): Owner(b"h", first.n, False),
            ("/till", "c"): Owner(b"h", second.n, True),
        }
        assert await store.owners("/bank", ["a"]) == {}
