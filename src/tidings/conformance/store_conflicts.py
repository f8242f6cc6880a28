"""Chapter "conflicts": an id that comes with other content is kept once beside the first, and hides nothing."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from tidings.conformance.samples import event
from tidings.conformance.store_receiving import HOUR, came, of, receive, verdicts
from tidings.store.driver import StoreDriver
from tidings.store.receipts import Arrival, Identity, ReceiptOutcome, Received


class Conflicts:
    """A mixin of `StoreSuite`."""

    async def test_the_same_key_with_other_content_is_a_conflict_that_is_kept(self, store: StoreDriver) -> None:
        [first] = await receive(store, came("a"))
        [second] = await receive(store, came("a", content=b"other"))
        assert (second.verdict, second.fresh) == ("conflict", frozenset())
        assert second.n != first.n
        assert [receipt.outcome for receipt in await store.receipts()] == ["conflict", "stored"]
        third = came("a", content=b"third", body=b"third")
        assert await verdicts(store, came("a"), third) == ["duplicate", "conflict"]

    async def test_a_conflict_that_comes_again_is_counted_and_not_kept_again(self, store: StoreDriver) -> None:
        other = came("a", content=b"other", body=b"other")
        await receive(store, came("a"))
        judged = await receive(store, other, other)
        assert [each.verdict for each in judged] == ["conflict", "duplicate"]
        judged += await receive(store, replace(other, receiver="new"), replace(other, source="/other"))
        assert [each.verdict for each in judged[2:]] == ["duplicate", "new"]
        assert {each.n for each in judged[:3]} == {judged[0].n}
        found = await store.receipt(judged[0].n)
        assert found is not None
        assert (found.outcome, found.seen) == ("conflict", 3)
        assert await verdicts(store, replace(came("f", body=b"other"), refused=frozenset({0}))) == ["duplicate"]
        assert await store.forget_receipts(now=9 * HOUR, limit=9) == 3
        assert await verdicts(store, came("a"), other, other) == ["new", "conflict", "duplicate"]

    async def test_of_many_that_bring_the_same_conflict_at_once_one_is_kept(self, store: StoreDriver) -> None:
        await receive(store, came("a"))
        other = came("a", content=b"other", body=b"other")
        found = await asyncio.gather(*(verdicts(store, other) for _ in range(12)))
        assert sorted(verdict for [verdict] in found) == ["conflict", *["duplicate"] * 11]

    async def test_what_is_known_by_one_key_is_a_repeat_whatever_another_key_says(self, store: StoreDriver) -> None:
        """Where a provider signs the body alone, a stranger may send it again under the id of another webhook."""

        def guarded(id: str, guard: str, outcome: ReceiptOutcome = "stored") -> Received:
            content = guard.encode()
            identities = (Identity(id, content), Identity(guard, content))
            return replace(came(body=content, outcome=outcome), identities=identities)

        [first, _] = await receive(store, guarded("id-1", "g-1"), guarded("id-2", "g-2"))
        [judged] = await receive(store, guarded("id-2", "g-1"))
        assert (judged.n, judged.verdict) == (first.n, "duplicate")
        assert await verdicts(store, guarded("id-2", "g-3"), guarded("id-1", "g-3")) == ["conflict", "duplicate"]
        assert await verdicts(store, guarded("id-3", "g-3")) == ["new"]
        await receive(store, guarded("id-4", "g-4", "failed"))
        assert await verdicts(store, guarded("id-2", "g-4"), guarded("id-4", "g-4")) == ["conflict", "unfinished"]

    async def test_a_conflict_takes_no_key(self, store: StoreDriver) -> None:
        await receive(store, came("a"))
        refused = replace(came("c", body=b"c"), refused=frozenset({0}))
        assert await verdicts(store, came("a"), refused, came("c")) == ["duplicate", "conflict", "new"]
        assert await verdicts(store, replace(came("d", body=b"d"), refused=frozenset({0}))) == ["conflict"]
        assert await verdicts(store, came("d")) == ["new"]
        failed = came("a", "e", content=b"other", outcome="failed")
        assert await verdicts(store, failed, came("e")) == ["conflict", "new"]

    async def test_of_a_batch_in_conflict_the_rest_is_fresh(self, store: StoreDriver) -> None:
        await receive(store, came("a"), came("b", outcome="failed"))
        batch = of(("a", b"other"), ("b", b"h"), ("c", b"h"), ("d", b"h"), ("c", b"h"), ("d", b"other"))
        async with store.unit() as unit:
            events = tuple((event(id=f"{place}"),) for place in range(6))
            unit.receive([Arrival(received=batch, events=events)])
        [judged] = unit.judged
        assert (judged.verdict, sorted(judged.fresh)) == ("conflict", [1, 2, 3])
        assert [[event.id for event in events] for events in unit.emitted] == [["1", "2", "3"]]
        assert await verdicts(store, came("c"), came("d")) == ["duplicate", "duplicate"]
        other = came("d", content=b"other", body=b"d")
        assert await verdicts(store, other, came("a")) == ["conflict", "duplicate"]
        refused = replace(came("f", "g"), refused=frozenset({0}))
        [judged] = await receive(store, refused)
        assert (judged.verdict, sorted(judged.fresh)) == ("conflict", [1])
        assert await verdicts(store, came("f"), came("g")) == ["new", "duplicate"]
