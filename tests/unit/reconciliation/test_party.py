"""What a party should hold against what it lists, on a clock by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace as Listing
from typing import Any

import pytest

from tests.unit.reconciliation.party import (
    SCOPE,
    Party,
    PriceGone,
    Prices,
    PriceTakenOver,
    Seller,
    seller,
    selling_service,
)
from tidings import App, DeclarationError, InvalidDataError, NotRetryable
from tidings.cli.reconcile import code_of
from tidings.reconciliation.listing import Page
from tidings.reconciliation.outbound.party.holds import Holds, Policy
from tidings.reconciliation.rules.facts import Capability, Order
from tidings.testing.clock import StandingClock


async def test_what_is_decided_is_expected_in_the_same_transaction() -> None:
    async with seller() as at:
        await at.decide("p1", 100)
        wanted = await at.expected("p1")
        assert (wanted.state, wanted.version, wanted.sent, wanted.acked) == ("wanted", 1, None, None)
        assert await at.calls() == 1
        acked = await at.expected("p1")
        assert (acked.state, acked.acked) == ("acked", at.clock.now_us())
        assert [each.key for each in at.party.asked] == [wanted.idempotency_key]


async def test_first_run_is_dry() -> None:
    async with seller(absent="recreate") as at:
        await at.pushed(6)
        del at.party.items["p02"]
        at.party.items["p03"]["cents"] = 5
        planned = await at.scope.run("run")
        assert (planned.is_dry, planned.proposed, planned.appended, code_of(planned)) == (True, 2, 0, 1)
        assert await at.kinds(planned) == [("foreign", "p02", "proposed"), ("foreign", "p03", "proposed")]
        assert await at.calls() == 0
        run = await at.scope.run("run")
        assert (run.is_dry, run.appended) == (False, 2)


async def test_lost_delivery_is_pushed_with_the_same_key() -> None:
    async with seller() as at:
        await at.pushed(6)
        at.party.does = lambda asked: "lose"
        await at.decide("p03", 500)
        await at.calls()
        at.party.does = lambda asked: "take"
        at.pass_time(60)
        run = await at.again()
        assert (run.state, run.rows, run.equal, run.appended, code_of(run)) == ("done", 6, 5, 1, 1)
        assert await at.kinds(run) == [("delivery_lost", "p03", "merged")]
        assert at.party.asked[-1].key == at.party.asked[-2].key
        assert at.party.items["p03"]["cents"] == 500
        again = await at.again()
        assert (again.equal, again.appended, code_of(again)) == (6, 0, 0)
        assert (await at.scope.asof()).deletes is not None


async def test_equal_is_recorded_as_acknowledged() -> None:
    """Rule 2: the answer was lost ten times, and the list shows that the party took it."""
    async with seller() as at:
        await at.pushed(3)
        await given_up(at, "p01", 500, "fail")
        assert (await at.expected("p01")).state == "sent"
        run = await at.again()
        assert (run.equal, run.appended, await at.kinds(run)) == (3, 0, [])
        assert (await at.expected("p01")).state == "acked"


async def test_pending_push_is_not_judged() -> None:
    """Rule 2: what is due, or was begun as the list was made, is the next pass's."""
    async with seller() as at:
        await at.pushed(3)
        await at.decide("p01", 500)
        await at.decide("p07", 700)
        at.pass_time(60)
        run = await at.run()  # nobody has made the calls yet
        assert (run.appended, await at.kinds(run)) == (0, [])
        await at.calls()
        del at.party.items["p07"]
        at.party.items["p01"] = {"cents": 101, "note": "", "stock": 0}
        run = await at.run()  # made a moment ago, by clocks that may differ, so that the list may not show it yet
        assert (run.appended, run.suspects, await at.kinds(run), at.party.read) == (0, 0, [], [])


async def test_missing_and_never_acknowledged_is_pushed_with_the_same_key() -> None:
    """Rule 3."""
    async with seller() as at:
        await at.pushed(3)
        await given_up(at, "p07", 700, "down")
        tried = {each.key for each in at.party.asked if each.sku == "p07"}
        run = await at.again()
        assert await at.kinds(run) == [("delivery_lost", "p07", "merged")]
        assert {each.key for each in at.party.effects if each.sku == "p07"} == tried
        assert (at.party.items["p07"]["cents"], at.party.read) == (700, [])  # nobody had to be asked for it


async def test_late_first_copy_of_what_is_pushed_again_is_harmless() -> None:
    """Rule 3: with another key both would take effect, the first one last."""
    async with seller() as at:
        await at.pushed(3)
        await given_up(at, "p01", 500, "down")
        late = next(each for each in reversed(at.party.asked) if each.sku == "p01")
        await at.again()
        assert at.party.items["p01"]["cents"] == 500
        at.party.items["p01"]["cents"] = 999  # by others, once it was there
        at.party.push(late, {"cents": 500, "note": ""})
        assert at.party.items["p01"]["cents"] == 999


async def test_what_was_lost_twice_has_another_key_since_the_party_answers_the_old_one_from_memory() -> None:
    async with seller() as at:
        await at.pushed(3)
        await at.decide("p01", 500)
        await at.calls()
        for _ in range(2):
            at.party.items["p01"]["cents"] = 101  # a copy of an earlier push comes late, say
            at.pass_time(60)
            await at.again()
        keys = [each.key for each in at.party.asked if each.sku == "p01"]
        assert (keys[1] == keys[2], keys[2] == keys[3], at.party.items["p01"]["cents"]) == (True, False, 500)


FIXTURES = ("foreign",)
"""Kinds of findings that are found here alone."""


@pytest.mark.parametrize("policy", ["ours", "theirs", "ask", lambda base, ours, theirs: max(base, ours, theirs)])
async def test_foreign_edit_policies(policy: Policy) -> None:
    """Rule 4."""
    async with seller(fields={"cents": policy, "note": "ask"}) as at:
        await at.pushed(3)
        first = (await at.expected("p01")).idempotency_key
        at.party.items["p01"]["cents"] = 777
        run = await at.again()
        held, pushes = await at.expected("p01"), [each for each in at.party.effects if each.sku == "p01"][1:]
        events = await at.told()
        if policy == "ours":
            assert (at.party.items["p01"]["cents"], held.state, events) == (101, "acked", [])
            [push] = pushes
            assert push.key == held.idempotency_key != first  # the old one would be answered from memory
            assert push.if_match is not None
            assert await at.kinds(run) == [("foreign", "p01", "merged")]
        elif policy == "ask":
            assert (at.party.items["p01"]["cents"], held.state, events, pushes) == (777, "foreign", [], [])
            assert (await at.kinds(run), run.asked) == ([("foreign", "p01", "asked")], 1)
            assert [(each.key, each.reason) for each in (await at.scope.asof()).exceptions] == [("p01", "foreign")]
        else:
            assert (at.party.items["p01"]["cents"], held.state, pushes) == (777, "acked", [])
            assert events == [PriceTakenOver("p01", 777, "")]
            assert await at.kinds(run) == [("foreign", "p01", "merged")]
        assert {each.cause for each in await at.scope.findings(run=run.id)} == {"foreign"}
        [found] = [each.fields for each in await at.scope.findings(run=run.id)]
        assert [(each.name, each.here, each.there) for each in found] == [("cents", "101", "777")]


async def test_same_foreign_edit_made_twice_is_undone_twice() -> None:
    """Rule 4: what is pushed for it has a key of its own each time."""
    async with seller() as at:
        await at.pushed(3)
        for _ in range(3):
            at.party.items["p01"]["cents"] = 777
            await at.again()
            assert at.party.items["p01"]["cents"] == 101
        assert len({each.key for each in at.party.effects}) == len(at.party.effects)


@pytest.mark.parametrize("is_gone", [True, False])
async def test_what_was_decided_and_lost_is_pushed_with_its_own_key(is_gone: bool) -> None:
    """Rules 3 to 5: the second push of one decision is a repeat, whatever it was decided over."""
    async with seller(absent="recreate") as at:
        await at.pushed(3)
        if is_gone:
            del at.party.items["p01"]
        else:
            at.party.items["p01"]["cents"] = 777
        await at.run()
        at.party.does, at.party.error = lambda asked: "down", NotRetryable
        await at.calls()
        at.party.does = lambda asked: "take"
        at.pass_time(60)
        run = await at.again()
        assert await at.kinds(run) == [("delivery_lost", "p01", "merged")]
        first, decided, again = [each.key for each in at.party.asked if each.sku == "p01"]
        assert (first == decided, decided == again, at.party.items["p01"]["cents"]) == (False, True, 101)


async def test_field_that_nobody_changed_there_is_ours_whatever_its_policy() -> None:
    """Rule 4: it lacks what we sent, and another field of the item is somebody else's."""
    async with seller(fields={"cents": "theirs", "note": "theirs"}) as at:
        await at.pushed(3)
        await given_up(at, "p01", 500, "down")
        at.party.items["p01"]["note"] = "sale"
        await at.again()
        assert at.party.items["p01"] == {"cents": 500, "note": "sale", "stock": 0}
        assert await at.told() == [PriceTakenOver("p01", 500, "sale")]


async def test_merged_values_are_pushed_and_told() -> None:
    """Rule 4."""
    async with seller(fields={"cents": lambda base, ours, theirs: ours + theirs, "note": "ours"}) as at:
        await at.pushed(3)
        at.party.items["p01"]["cents"] = 700
        await at.again()
        assert at.party.items["p01"]["cents"] == 801
        assert await at.told() == [PriceTakenOver("p01", 801, "")]
        assert (await at.run()).equal == 3


async def test_fields_of_theirs_are_not_compared() -> None:
    async with seller() as at:
        await at.pushed(3)
        at.party.items["p01"]["stock"] = 12
        run = await at.again()
        assert (run.equal, at.party.items["p01"]["stock"]) == (3, 12)


@pytest.mark.parametrize("policy", ["recreate", "accept", "ask"])
async def test_what_was_there_and_is_not_is_asked_for_and_then_decided(policy: str) -> None:
    """Rule 5."""
    async with seller(absent=policy) as at:
        await at.pushed(5)
        first = (await at.expected("p01")).idempotency_key
        del at.party.items["p01"]
        run = await at.again()
        held, events = await at.expected("p01"), await at.told()
        assert (run.suspects, at.party.read) == (1, ["p01", "p04"])  # with one that is there, as a control
        if policy == "recreate":
            assert (at.party.items["p01"]["cents"], held.state, events) == (101, "acked", [])
            assert held.idempotency_key != first
            assert await at.kinds(run) == [("foreign", "p01", "merged")]
        elif policy == "accept":
            assert ("p01" in at.party.items, held.state, events, run.deleted) == (False, "gone", [PriceGone("p01")], 1)
        else:
            assert ("p01" in at.party.items, held.state, events) == (False, "foreign", [])
            assert await at.kinds(run) == [("foreign", "p01", "asked")]
            assert [(each.key, each.reason) for each in (await at.scope.asof()).exceptions] == [("p01", "absent")]
        again = await at.again()
        assert (again.appended, again.asked) == (0, int(policy == "ask"))


async def test_item_that_a_list_leaves_out_is_not_pushed_again() -> None:
    """Rule 5: the answer about the very item decides, and the list proves nothing."""
    async with seller(absent="recreate") as at:
        await at.pushed(5)
        at.party.bend = lambda page: Page(
            rows=[row for row in page.rows if row.key != "p01"],
            next_cursor=page.next_cursor,
            server_date=page.server_date,
        )
        run = await at.again()
        assert (run.appended, run.omitted, len(at.party.asked)) == (0, 1, 5)


async def test_empty_list_recreates_nothing_until_somebody_approves() -> None:
    """Rule 5: under the breaker."""
    async with seller(absent="recreate") as at:
        await at.pushed(30)
        kept, at.party.items = at.party.items, {}
        held = await at.run()
        assert (held.state, len(held.held), held.appended, code_of(held)) == ("held", 30, 0, 1)
        assert held.why == "30 items are not listed, and 0 were pushed again today: more than 10"
        at.party.items = {sku: item for sku, item in kept.items() if sku < "p12"}
        approved = await at.scope.approve(held.id, at_most=30)
        assert (approved.state, approved.appended) == ("done", 18)
        while await at.calls():
            pass
        assert len(at.party.items) == 30


async def test_extra_is_never_removed_by_default() -> None:
    """Rule 5."""
    async with seller() as at:
        await at.pushed(3)
        at.party.items["x1"] = {"cents": 1, "note": "by us", "stock": 0}
        for run in (await at.scope.run("plan"), await at.again(), await at.scope.run_key("x1")):
            assert (await at.kinds(run), run.appended) == ([("unexpected", "x1", "waived")], 0)
            assert (run.state, run.proposed, run.asked, code_of(run)) == ("done", 0, 0, 0)  # it is theirs
        assert "x1" in at.party.items
        assert (await at.scope.record()).corrections == {}


async def test_extra_is_removed_only_with_our_mark_and_if_it_is_still_there() -> None:
    """Rule 5."""
    async with seller(removes=lambda row: row.state["note"] == "by us") as at:
        await at.pushed(3)
        at.party.items["x1"] = {"cents": 1, "note": "by us", "stock": 0}
        at.party.items["x2"] = {"cents": 1, "note": "by them", "stock": 0}
        run = await at.again()
        found = await at.kinds(run)
        assert sorted(found) == [("unexpected", "x1", "merged"), ("unexpected", "x2", "waived")]
        assert ("x1" in at.party.items, "x2" in at.party.items, run.omitted) == (False, True, 0)
        assert (await at.again()).appended == 0
        assert ((await at.scope.run_key("x2")).appended, await at.calls()) == (0, 0)


async def test_marked_extras_are_under_the_breaker() -> None:
    """Rule 5: all that is there is unknown here, as when our own database was lost."""
    async with seller(removes=lambda row: True) as at:
        await at.pushed(3)
        at.party.items |= {f"x{n:02}": {"cents": 1, "note": "", "stock": 0} for n in range(20)}
        run = await at.again()
        assert (run.state, len(run.held), run.appended, len(at.party.items)) == ("held", 20, 0, 23)


async def test_past_its_life_a_key_is_not_pushed_before_the_item_was_read() -> None:
    """Rule 6: the party has forgotten it, and would take a repeat for another push."""
    async with seller(key_life=timedelta(hours=24)) as at:
        await at.pushed(3)
        at.party.does = lambda asked: "fail"
        await at.decide("p01", 500)
        await at.calls()
        at.pass_time(25 * 3_600)
        at.party.remembers.clear()
        at.party.does = lambda asked: "take"
        count = len(at.party.asked)
        await at.calls()  # the second attempt, of ten
        assert (len(at.party.asked), at.party.read) == (count, [])
        at.pass_time(60)
        assert await at.scope.read_dirty() == 1
        assert (at.party.read[0], len(at.party.asked), (await at.expected("p01")).state) == ("p01", count, "acked")


async def test_past_its_life_a_lost_push_is_made_again_as_what_was_read_is_still_there() -> None:
    """Rule 6: with If-Match, where there is one."""
    async with seller(key_life=timedelta(hours=24)) as at:
        await at.pushed(3)
        await given_up(at, "p01", 500, "down")
        at.pass_time(25 * 3_600)
        run = await at.run()
        assert (run.appended, await at.kinds(run)) == (0, [])
        assert (await at.scope.read_dirty(), await at.calls()) == (1, 1)
        assert (at.party.items["p01"]["cents"], at.party.read[0]) == (500, "p01")
        assert at.party.asked[-1].if_match is not None


async def test_foreign_edit_between_the_read_and_the_push_is_not_overwritten() -> None:
    """Rule 6: If-Match."""
    async with seller() as at:
        await at.pushed(3)
        await given_up(at, "p01", 500, "down")
        run = await at.run()
        assert run.appended == 1
        at.party.items["p01"]["note"] = "sale"
        await at.calls()
        assert at.party.items["p01"]["note"] == "sale"
        at.pass_time(60)
        assert await at.kinds(await at.again()) == [("foreign", "p01", "asked")]


async def test_push_that_a_later_one_has_overtaken_is_not_made() -> None:
    async with seller() as at:
        await given_up(at, "p01", 100, "down")
        [dead] = [each["key"] for each in await at.opened.store.deliveries(limit=10)]
        await at.decide("p01", 200)
        await at.calls()
        at.party.remembers.clear()
        await at.opened.store.retry_delivery(dead, at=at.clock.now_us())
        assert await at.calls() == 1
        assert [each.sku for each in at.party.effects] == ["p01"]
        assert at.party.items["p01"]["cents"] == 200


async def test_removal_that_was_lost_is_made_again() -> None:
    async with seller() as at:
        await at.pushed(3)
        at.party.does = lambda asked: "lose"
        await at.decide("p01", None)
        await at.calls()
        at.party.does = lambda asked: "take"
        assert (await at.expected("p01")).state == "gone"
        at.pass_time(60)
        run = await at.again()
        assert await at.kinds(run) == [("unexpected", "p01", "waived")]
        await at.decide("p01", None)
        await at.calls()
        assert "p01" not in at.party.items


async def test_list_by_time_finds_the_same() -> None:
    async with seller(order=Order.CREATED, absent="recreate") as at:
        await at.pushed(6)
        del at.party.items["p02"]
        at.party.items["p03"]["cents"] = 5
        await given_up(at, "p07", 700, "down")
        run = await at.again()
        assert sorted(await at.kinds(run)) == [("foreign", "p02", "merged"), ("foreign", "p03", "merged")]
        assert await at.scope.read_dirty() == 1
        await at.calls()
        at.pass_time(60)
        assert (await at.run()).equal == 7
        assert sorted(item["cents"] for item in at.party.items.values()) == [100, 101, 102, 103, 104, 105, 700]


async def given_up(at: Seller, sku: str, cents: int, what: str) -> None:
    """Decide what the party should hold, and have that be pushed in vain."""
    at.party.does, at.party.error = lambda asked: what, NotRetryable
    await at.decide(sku, cents)
    await at.calls()
    delivery = await at.opened.store.delivery((await at.expected(sku)).delivery_key)
    assert delivery is not None
    assert delivery["state"] == "dead"
    at.party.does, at.party.error = lambda asked: "take", ConnectionError
    at.pass_time(60)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    found: str = (
        request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/s.db"
    )
    return found


async def test_in_a_file_and_on_postgresql_it_is_repaired_and_proved(url: str) -> None:
    async with seller(url=url, absent="recreate") as at:
        await at.pushed(6)
        at.party.items["p01"]["cents"] = 777
        del at.party.items["p02"]
        await given_up(at, "p03", 500, "down")
        run = await at.again()
        found = [("delivery_lost", "p03", "merged"), ("foreign", "p01", "merged"), ("foreign", "p02", "merged")]
        assert (sorted(await at.kinds(run)), run.state) == (found, "done")
        assert (await at.again()).equal == 6
        assert (await at.scope.asof()).deletes is not None


async def test_decisions_about_one_item_are_told_apart_whoever_makes_them(url: str) -> None:
    async with seller(url=url) as at:
        await asyncio.gather(*(at.decide("p1", cents) for cents in range(8)))
        deliveries = await at.opened.store.deliveries(limit=20)
        assert (len({each["key"] for each in deliveries}), (await at.expected("p1")).version) == (8, 8)
        while await at.calls():
            pass
        assert len(at.party.effects) == 1  # those that the last one has overtaken are not made


async def test_what_is_rolled_back_is_not_expected(url: str) -> None:
    async with seller(url=url) as at:
        with pytest.raises(ZeroDivisionError):
            async with at.opened.unit("shop") as ctx:
                await ctx.deliver(at.deliveries["push_price"], {"sku": "p1", "cents": 1, "note": ""})
                raise ZeroDivisionError
        assert await at.opened.store.notes_between(SCOPE, "expected") == []


async def test_item_that_is_gone_for_long_is_forgotten() -> None:
    async with seller() as at:
        await at.pushed(3)
        await at.decide("p01", None)
        await at.calls()
        at.pass_time(60)
        await at.again()
        assert (await at.expected("p01")).state == "gone"
        at.pass_time(31 * 86_400)
        await at.again()
        kept = await at.opened.store.notes_between(SCOPE, "expected")
        assert len(kept) == len(await at.opened.store.notes_between(SCOPE, "mirror")) == 2


async def test_declaration_says_what_cannot_be() -> None:
    party = Party(StandingClock())
    shop, deliveries = selling_service(party)
    app, push = App(shop), deliveries["push_price"]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"fields": {}}, "name the fields that are ours"),
        ({"fields": {"cents": "mine"}}, "cents='mine' is none of"),
        ({"absent": "keep"}, "absent='keep' is none of"),
        ({"key_life": timedelta(0)}, "is no span of time"),
        ({"removes": lambda row: True}, "needs a delivery that does it"),
        ({"by": party.push}, "is no delivery of the service"),
    ]
    for changed, why in wrong:
        holds = Holds(**{"by": push, "key": "sku", "fields": {"cents": "ours"}, **changed})
        with pytest.raises(DeclarationError, match=why):
            app.reconcile_party("prices", Prices(party), holds)
    whole = Prices(party)
    silent: Any = Listing(facts=whole.facts, list_page=whole.list_page, get_one=whole.get_one)
    for changed, why in [({"fields": {"cents": "theirs"}}, "observed"), ({"absent": "accept"}, "deleted")]:
        holds = Holds(**{"by": push, "key": "sku", "fields": {"cents": "ours"}, **changed})
        with pytest.raises(DeclarationError, match=why):
            app.reconcile_party("prices", silent, holds)
    holds = Holds(by=push, key="sku", fields={"cents": "ours"})
    with pytest.raises(DeclarationError, match="declare capability"):
        app.reconcile_party("prices", Prices(party, capability=Capability.VERSIONED), holds)
    app.reconcile_party("prices", Prices(party), holds)
    with pytest.raises(DeclarationError, match="give each party its own"):
        app.reconcile_party("others", Prices(party), holds)


async def test_payload_that_says_no_item_is_refused_in_its_transaction() -> None:
    async with seller() as at:
        longer = {"sku": "\U0001f600" * 500 + "x", "cents": 1, "note": ""}
        for payload in ({"cents": 1, "note": ""}, {"sku": "p1", "cents": 1}, longer):
            with pytest.raises(InvalidDataError):
                async with at.opened.unit("shop") as ctx:
                    await ctx.deliver(at.deliveries["push_price"], payload)
        assert await at.opened.store.deliveries(limit=10) == []


async def test_changed_policy_begins_with_a_dry_run() -> None:
    async with seller() as at:
        first = at.scope._definition
    async with seller(fields={"cents": "theirs", "note": "ask"}) as at:
        assert at.scope._definition != first
    async with seller() as at:
        assert at.scope._definition == first
