"""Chapter "keyed": what is done for a request under a key, and its answer, are kept together or not at all."""

from __future__ import annotations

import asyncio
from contextvars import Context

import pytest

from tidings.conformance.samples import event, ids_in
from tidings.conformance.store_harness import StoreHarness
from tidings.conformance.store_samples import CONSUMER, claimed_one, refused, undone
from tidings.errors import NotFoundError, RefusedError
from tidings.log.driver import LogDriver, Write
from tidings.store.driver import StoreDriver
from tidings.store.keyed import KeptAnswer, Request


def request(key: str = "k", *, owner: str = "us", route: str = "POST /x", at: int = 1) -> Request:
    return Request(owner=owner, route=route, key=key, fingerprint=b"f", at=at)


class Answering:
    """A mixin of `StoreSuite`."""

    async def test_an_answer_is_kept_for_its_owner_route_and_key_alone(self, store: StoreDriver) -> None:
        async with store.keyed(request()) as keyed:
            assert keyed.kept is None
            await keyed.keep(b"done")
        async with store.keyed(request()) as keyed:
            assert keyed.kept == KeptAnswer(b"f", b"done")
        for other in (request("l"), request(owner="them"), request(route="POST /y")):
            async with store.keyed(other) as keyed:
                assert keyed.kept is None

    async def test_what_the_store_does_under_a_key_goes_back_with_it(self, store: StoreDriver) -> None:
        claim = await claimed_one(store)
        async with undone(store.keyed(request())) as keyed:
            await keyed.store.pause(claim.consumer, "for a reason")
            await keyed.keep(b"paused")
        async with store.keyed(request()) as keyed:
            assert keyed.kept is None
        assert [each.paused for each in (await store.checkpoints(CONSUMER)).values()] == [None]
        async with store.keyed(request()) as keyed:
            await keyed.store.pause(claim.consumer, "for a reason")
            await keyed.keep(b"paused")
        assert [each.paused for each in (await store.checkpoints(CONSUMER)).values()] == ["for a reason"]

    async def test_a_savepoint_undoes_what_failed_and_the_answer_is_kept(self, store: StoreDriver) -> None:
        await claimed_one(store)
        async with store.keyed(request()) as keyed:
            async with refused(NotFoundError, keyed.savepoint()):
                await keyed.store.pause(CONSUMER, "for a reason")
                await keyed.store.pause("nobody", "for a reason")
            await keyed.keep(b"there is none")
        async with store.keyed(request()) as keyed:
            assert keyed.kept == KeptAnswer(b"f", b"there is none")
        assert [each.paused for each in (await store.checkpoints(CONSUMER)).values()] == [None]

    async def test_of_many_at_once_under_one_key_one_does_it(self, store: StoreDriver) -> None:
        async def once() -> bool:
            async with store.keyed(request()) as keyed:
                if keyed.kept is None:
                    await keyed.keep(b"done")
                    return True
                return False

        assert sum(await asyncio.gather(*(once() for _ in range(10)))) == 1

    async def test_slow_request_with_a_key_runs_once(self, store: StoreDriver, harness: StoreHarness) -> None:
        async def repeated() -> KeptAnswer | None:
            async with store.keyed(request()) as keyed:
                return keyed.kept

        async with store.keyed(request()) as keyed:
            assert keyed.kept is None
            repeat = asyncio.create_task(repeated(), context=Context())
            harness.clock.move(3_600)  # no lock of the key has a lifetime that a slow request could outlast
            await asyncio.wait([repeat], timeout=0.05)
            assert not repeat.done()
            await keyed.keep(b"done")
        assert await repeat == KeptAnswer(b"f", b"done")

    async def test_a_key_inside_a_unit_is_refused(self, store: StoreDriver) -> None:
        async with store.unit():
            with pytest.raises(RefusedError):
                await store.keyed(request()).__aenter__()

    async def test_answers_are_forgotten_oldest_first_and_no_more_than_asked(self, store: StoreDriver) -> None:
        for at in (3, 1, 2, 9):
            async with store.keyed(request(str(at), at=at)) as keyed:
                await keyed.keep(b"done")
        assert await store.forget_answers(before=9, limit=2) == 2
        for key, is_kept in (("1", False), ("2", False), ("3", True), ("9", True)):
            async with store.keyed(request(key)) as keyed:
                assert (keyed.kept is not None) is is_kept
        assert await store.forget_answers(before=9, limit=2) == 1
        assert await store.forget_answers(before=9, limit=2) == 0


class AppendingKeyed:
    """A mixin of the suite for stores that share their transactions with the log."""

    async def test_events_and_their_answer_are_kept_together(self, store: StoreDriver, log: LogDriver) -> None:
        async with undone(store.keyed(request())) as keyed:
            await keyed.append(Write(envelopes=(event("a"),)))
        assert await ids_in(log) == []
        async with store.keyed(request()) as keyed:
            receipt = await keyed.append(Write(envelopes=(event("a"), event("b"))))
            await keyed.keep(b"appended")
        assert receipt.outcome == "appended"
        assert await ids_in(log) == ["a", "b"]
        assert [each for _, each in keyed.appended] == [receipt]

    @pytest.mark.parametrize("id", ["b", "2"])
    async def test_what_a_savepoint_undid_was_not_appended_and_all_else_is_known(
        self, store: StoreDriver, log: LogDriver, id: str
    ) -> None:
        first = await log.append([Write(envelopes=(event("a"), event("1")))])
        async with store.keyed(request()) as keyed:
            for _ in range(2):
                async with undone(keyed.savepoint()):
                    await keyed.append(Write(envelopes=(event(id),)))
            await keyed.keep(b"refused")
        assert keyed.appended == []
        [again] = await log.append([Write(envelopes=(event("a"), event("1")))])
        assert (again.outcome, again.positions) == ("duplicate", first[0].positions)
        async with undone(store.keyed(request("l"))) as keyed:
            async with undone(keyed.savepoint()):
                await keyed.append(Write(envelopes=(event(id),)))
            await keyed.append(Write(envelopes=(event(id),)))
        [kept] = await log.append([Write(envelopes=(event(id),))])
        assert kept.outcome == "appended"
        assert await ids_in(log) == ["a", "1", id]

    async def test_a_refused_append_leaves_nothing_but_its_answer(self, store: StoreDriver, log: LogDriver) -> None:
        await log.append([Write(envelopes=(event("a"),))])
        async with store.keyed(request()) as keyed:
            receipt = await keyed.append(Write(envelopes=(event("b"), event("a", data=b'{"other":1}'))))
            await keyed.keep(b"refused")
        assert receipt.conflict is not None
        assert await ids_in(log) == ["a"]
        async with store.keyed(request()) as keyed:
            assert keyed.kept == KeptAnswer(b"f", b"refused")
