"""Dead letters of every kind are one list, and are given back or given up where each of them lies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.acceptance.webhooks import JSON, OrderPaid, Till, delivery
from tests.unit.webhooks.deliver.desk import Desk, Got, Sink, always, desk, eventually, sink
from tidings import Settings
from tidings.app import Opened
from tidings.errors import CallerError, NotFoundError, NotSubjectHeadError
from tidings.operations.dead import Which
from tidings.operations.letter_acts import GivenUp, LetterActs, Redriven
from tidings.operations.letters import Letter, find, heads, place_of
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given

BOTH = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
EVERY = Which()


@pytest.fixture
async def to() -> AsyncIterator[Sink]:
    async with sink() as made:
        yield made


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """The URL of a database: in memory, or on a server."""
    is_here = getattr(request, "param", "sqlite") == "sqlite"
    return "sqlite:///:memory:" if is_here else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def at(place: str) -> AsyncIterator[Desk]:
    async with desk(place) as made:
        yield made


def acts(opened: Opened) -> LetterActs:
    return opened.letters(opened.services)


async def listed(opened: Opened, which: Which = EVERY, *, limit: int = 100) -> list[Letter]:
    return list(await heads(opened.log, opened.store, opened.services, which, after=None, limit=limit))


async def names(opened: Opened, which: Which = EVERY) -> list[str]:
    return [each.name for each in await listed(opened, which)]


async def _has(to: Sink, count: int) -> bool:
    return len(to.got) >= count


@BOTH
async def test_redrive_starts_with_a_full_budget(at: Desk, to: Sink) -> None:
    to.answer = always(500)
    await at.add(to.url())
    await at.say("1")
    await at.until("dead", endpoint="e")
    [name] = await names(at.opened)
    assert name == "delivery:e:1"
    assert await acts(at.opened).redrive(name, who="cli", dry_run=True) == Redriven(subjects=1, entries=1)
    assert await names(at.opened) == [name]
    assert await acts(at.opened).redrive(name, who="cli") == Redriven(subjects=1, entries=1)
    await eventually(lambda: _has(to, 8))
    await at.until("dead", endpoint="e")
    assert [got.attempt for got in to.got] == [1, 2, 3, 4] * 2
    [noted] = [each for each in await at.store.audit() if each.what == "redrive"]
    assert (noted.on, noted.who) == ("delivery e:1", "cli")


@BOTH
async def test_a_subject_of_an_ordered_endpoint_is_given_back_from_its_first(at: Desk, to: Sink) -> None:
    failing = True

    async def answer(got: Got) -> web.StreamResponse:
        return web.Response(status=500 if failing and b'"s"' in got.body else 200)

    to.answer = answer
    await at.add(to.url(), ordering="key")
    await at.say("1", "2", "3", subject="s")
    await at.until("dead", "dead", "dead", endpoint="e")
    assert await names(at.opened) == ["delivery:e:1"]
    follower = await find(at.opened.log, at.store, "delivery:e:2")
    assert not follower.is_head
    for act in (acts(at.opened).redrive, acts(at.opened).drop):
        with pytest.raises(NotSubjectHeadError, match="redrive or drop that one first"):
            await act("delivery:e:2", who="cli", **({"reason": "no"} if act.__name__ == "drop" else {}))
    failing = False
    begun = len(to.got)
    assert await acts(at.opened).redrive("delivery:e:1", who="cli") == Redriven(subjects=1, entries=3)
    await at.until("delivered", "delivered", "delivered", endpoint="e")
    assert [json.loads(got.body)["id"] for got in to.got[begun:]] == ["1", "2", "3"]


@BOTH
async def test_what_waits_behind_a_delivery_that_is_given_up_goes_on(at: Desk, to: Sink) -> None:
    async def answer(got: Got) -> web.StreamResponse:
        return web.Response(status=500 if json.loads(got.body)["id"] == "1" else 200)

    to.answer = answer
    await at.add(to.url(), ordering="key")
    await at.say("1", "2", subject="s")
    await at.until("dead", "dead", endpoint="e")
    with pytest.raises(CallerError, match="say why"):
        await acts(at.opened).drop("delivery:e:1", reason=" ", who="cli")
    done = await acts(at.opened).drop("delivery:e:1", reason="nobody needs it", who="cli")
    assert done == GivenUp(subjects=1, left=1)
    await at.until("cancelled", "delivered", endpoint="e")
    assert await names(at.opened) == []
    [noted] = [each for each in await at.store.audit() if each.what == "drop"]
    assert (noted.on, noted.subject, noted.reason) == ("delivery e:1", "s", "nobody needs it")
    with pytest.raises(NotFoundError):
        await acts(at.opened).drop("delivery:e:1", reason="again", who="cli")


@BOTH
async def test_many_are_given_back_or_given_up_and_those_of_others_are_left_alone(at: Desk, to: Sink) -> None:
    to.answer = always(410)
    await at.add(to.url("/a"), "a")
    await at.add(to.url("/b"), "b")
    await at.say("1")
    await at.until("dead", "dead")
    assert sorted(await names(at.opened)) == ["delivery:a:1", "delivery:b:1"]
    assert await names(at.opened, Which(endpoint="b")) == ["delivery:b:1"]
    assert await names(at.opened, Which(kind="receipt")) == []
    assert await names(at.opened, Which(state="retrying")) == []
    with pytest.raises(CallerError, match="which ones"):
        await acts(at.opened).drop_each(EVERY, reason="x", who="cli")
    b = Which(endpoint="b")
    assert await acts(at.opened).drop_each(b, reason="x", who="cli", dry_run=True) == GivenUp(subjects=1, left=1)
    assert await acts(at.opened).drop_each(b, reason="x", who="cli") == GivenUp(subjects=1, left=0)
    assert await acts(at.opened).redrive_all(Which(reason="gone"), who="cli", dry_run=True) == Redriven(
        subjects=1, entries=1
    )
    await at.endpoints.remove("a")
    assert await acts(at.opened).redrive_all(EVERY, who="cli") == Redriven(failed=1)
    assert await names(at.opened) == ["delivery:a:1"]


@BOTH
async def test_a_list_of_every_kind_is_paged_by_a_place_that_stays(at: Desk, to: Sink) -> None:
    to.answer = always(410)
    for n in range(5):
        await at.add(to.url(), f"e{n}")
    await at.say("1")
    await at.until(*["dead"] * 5)
    whole, seen = await names(at.opened), list[str]()
    after = None
    while page := await heads(at.opened.log, at.store, at.opened.services, EVERY, after=after, limit=2):
        seen += [each.name for each in page]
        after = place_of(page[-1])
        await acts(at.opened).drop(page[0].name, reason="meanwhile", who="cli")
    assert seen == whole


async def take_in(till: Till, opened: Opened, id: str) -> int:
    request = Given((JSON,), delivery(id))
    return (await opened.intake.keep(arrival_of(till.receiver, request, opened.making()))).n


@BOTH
async def test_a_receipt_is_translated_again_with_what_the_audit_keeps(place: str) -> None:
    till = Till()
    async with till.app.open(Settings(database_url=place), consume=False) as opened:
        till.broken = True
        n = await take_in(till, opened, "evt_1")
        [letter] = await listed(opened)
        assert (letter.name, letter.is_head) == (f"receipt:till:{n}", True)
        with pytest.raises(NotFoundError):
            await find(opened.log, opened.store, f"receipt:other:{n}")
        with pytest.raises(CallerError, match="still cannot be translated: Broken: a mistake of ours"):
            await acts(opened).redrive(letter.name, who="cli")
        assert await acts(opened).redrive_all(EVERY, who="cli") == Redriven(failed=1)
        assert await names(opened) == [letter.name]
        till.broken = False
        assert await acts(opened).redrive(letter.name, who="console") == Redriven(subjects=1, entries=1)
        assert await names(opened) == []
        page = await opened.log.read(after=0, limit=9)
        assert [(each.envelope.type, each.envelope.id) for each in page.entries] == [("order-paid", "evt_1")]
        assert (await opened.store.audit())[0].who == "console"


async def test_a_receipt_whose_event_is_there_with_other_content_stays_what_it_is(place: str) -> None:
    till = Till()
    async with till.app.open(Settings(database_url=place), consume=False) as opened:
        till.broken = True
        await take_in(till, opened, "evt_1")
        till.broken = False
        await opened.publish(OrderPaid(order="o-1", amount=999), source="/till", id="evt_1", time=None)
        assert await acts(opened).redrive_all(EVERY, who="cli") == Redriven(failed=1)
        assert len(await names(opened)) == 1
        assert await acts(opened).drop_each(Which(receiver="till"), reason="it is there", who="cli") == GivenUp(
            subjects=1
        )
        assert await names(opened) == []
