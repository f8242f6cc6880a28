"""The suite for adapters: two real ones pass it over HTTP, and each untrue fact is found by the test that names it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from chirp.reconciled import TillOrders

from tests.conformance.linked import FACTS, Linked
from tests.conformance.listing_harness import LikeForge, LikeTill, Served
from tidings.conformance.listing_provider import Behaviour
from tidings.conformance.listing_suite import ListingSuite
from tidings.errors import NotAuthorisedError, ProviderError, ProviderUnavailableError
from tidings.reconciliation import Answer, Capability, Listing, Order, Page, Paging, ProviderFacts, Rate, Row


class TestTill(ListingSuite):
    # Of what Till does not declare nothing is asked.
    test_what_has_changed_is_listed_by_its_time = None  # type: ignore[assignment]
    test_a_snapshot_shows_one_moment = None  # type: ignore[assignment]
    test_an_expired_cursor_is_told_as_that = None  # type: ignore[assignment]
    test_a_list_can_be_begun_anywhere = None  # type: ignore[assignment]

    @pytest.fixture
    async def harness(self) -> AsyncIterator[LikeTill]:
        harness = LikeTill(TillOrders, Behaviour.worst(TillOrders.facts))
        yield harness
        await harness.close()


class TestForge(ListingSuite):
    test_a_list_can_be_begun_anywhere = None  # type: ignore[assignment]

    @pytest.fixture
    async def harness(self) -> AsyncIterator[LikeForge]:
        harness = LikeForge()
        yield harness
        await harness.close()


TRUE = Behaviour.worst(FACTS)
UNVERSIONED = replace(FACTS, capability=Capability.BARE, filters_by_change=False)
KEYSET = replace(FACTS, paging=Paging.KEYSET, cursor_life=None)

LIES: dict[str, tuple[str, ProviderFacts, Behaviour]] = {
    "capability": ("versions_are_what_is_declared", UNVERSIONED, TRUE),
    "capability: versions that stand": ("a_change_moves_the_version", FACTS, replace(TRUE, bumps=False)),
    "order": ("places_rise_and_stay", replace(FACTS, order=Order.KEY), TRUE),
    "order: of changes": ("places_rise_and_stay", KEYSET, replace(Behaviour.worst(KEYSET), order=Order.UPDATED)),
    "paging: keyset": ("what_goes_between_two_pages_hides_no_other", KEYSET, replace(TRUE, paging=Paging.OFFSET)),
    "paging: snapshot": ("a_snapshot_shows_one_moment", FACTS, Behaviour.worst(KEYSET)),
    "page_limit": ("a_page_is_as_long_as_is_declared", replace(FACTS, page_limit=50), TRUE),
    "tick": ("versions_rise_from_tick_to_tick", replace(FACTS, tick=timedelta(milliseconds=1)), TRUE),
    "replica_lag": ("a_read_is_as_old_as_is_declared_at_most", replace(FACTS, replica_lag=timedelta(0)), TRUE),
    "clock_skew": ("stamps_are_no_further_off_than_is_declared", replace(FACTS, clock_skew=timedelta(0)), TRUE),
    "seekable": ("a_list_can_be_begun_anywhere", replace(FACTS, seekable=True), TRUE),
    "cursor_life": ("a_cursor_lives_as_long_as_is_declared", replace(FACTS, cursor_life=None), TRUE),
    "rate": ("as_often_as_is_declared_may_be_asked", replace(FACTS, rate=Rate(per_second=10, burst=40)), TRUE),
    "filters_by_change": ("what_has_changed_is_listed_by_its_time", FACTS, replace(TRUE, order=Order.KEY)),
    "index_lag": ("what_has_changed_is_listed_by_its_time", replace(FACTS, index_lag=timedelta(0)), TRUE),
}
BELIEVED = {"redelivery_horizon"}
"""Of it nothing can be seen in a list."""
SINGLE = {"version_is_time"}
"""Only one value of it can be declared: see `Counting` for who lists what is none."""


class Unfiltered(Linked):
    async def list_changed(self, *, since: datetime, cursor: str | None, limit: int) -> Page:
        return await self.list_page(cursor=cursor, limit=limit)


def test_there_is_a_liar_for_each_fact() -> None:
    assert {name.partition(":")[0] for name in LIES} | BELIEVED | SINGLE == set(ProviderFacts.__dataclass_fields__)


@pytest.mark.parametrize("lie", LIES)
async def test_an_untrue_fact_is_found(lie: str) -> None:
    name, facts, behaviour = LIES[lie]
    made = Unfiltered if lie == "filters_by_change" else Linked
    await fails(name, lambda url: made(url, facts), behaviour)


class OfOurClock(Linked):
    def date(self, headers: Any) -> datetime:
        return datetime.now(UTC)


class Careless(Linked):
    async def get_one(self, key: str) -> Answer:
        try:
            return await super().get_one(key)
        except NotAuthorisedError:
            return Answer(row=None, server_date=None)


class Counting(Linked):
    def row(self, issue: dict[str, Any]) -> Row:
        return replace(super().row(issue), version=7)


class Forgetful(Linked):
    async def list_page(self, *, cursor: str | None, limit: int) -> Page:
        return replace(await super().list_page(cursor=cursor, limit=limit), next_cursor=None)


@pytest.mark.parametrize(
    ("adapter", "name", "more"),
    [
        (OfOurClock, "a_read_is_dated_by_the_provider", ()),
        (Counting, "versions_are_what_is_declared", ()),
        (Careless, "what_is_no_read_is_no_answer", ("a 401",)),
        (Forgetful, "every_item_is_listed_once", ()),
    ],
)
async def test_an_adapter_that_is_careless_is_found(adapter: type[Linked], name: str, more: tuple[str, ...]) -> None:
    await fails(name, adapter, TRUE, *more)


async def fails(name: str, adapter: Callable[[str], Linked], behaviour: Behaviour, *more: str) -> None:
    """See one test of the suite fail for this adapter, as it passes for the one that tells the truth."""
    harness = LikeForge(adapter, behaviour)
    try:
        wanted = {"harness": harness, "listing": await harness.open()}
        test = getattr(ListingSuite(), f"test_{name}")
        taken = {key: wanted[key] for key in test.__func__.__annotations__ if key in wanted}
        with pytest.raises((AssertionError, ProviderError, pytest.fail.Exception)):
            await test(**taken, **({"fault": more[0]} if more else {}))
    finally:
        await harness.close()


class Elsewhere(LikeForge):
    """Links to the next page, which another origin has. `asked`: whoever asks that one."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.other = Served(TRUE)

    async def open(self) -> Listing:
        async def steal(request: web.Request) -> web.Response:
            self.asked.append(request.path)
            return web.json_response([])

        self.elsewhere = await self.other.serve(web.get("/{path:.*}", steal))
        return await super().open()

    async def _list(self, request: web.Request) -> web.Response:
        found = await super()._list(request)
        found.headers["Link"] = f'<{self.elsewhere}/issues?page=2>; rel="next"'
        return found


async def test_next_link_origin() -> None:
    """A link to another origin is refused before it is asked, which would be told our credentials; one of ours leads
    on, see `TestForge`."""
    harness = Elsewhere()
    listing = await harness.open()
    try:
        for n in range(50):
            harness.provider.put(f"item-{n:05}", n)
        harness.provider.pass_time(timedelta(minutes=1))
        with pytest.raises(ProviderUnavailableError, match="elsewhere"):
            await listing.list_page(cursor=None, limit=20)
        assert harness.asked == []
    finally:
        await harness.close()
        await harness.other.close()
