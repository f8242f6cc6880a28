from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.operations.stage import SERVICES, OrderPaid, OrderPlaced, Stage
from tidings.consumers.retry import KINDS, UNREADABLE, died_reason, kind_of
from tidings.errors import (
    CallerError,
    FoldError,
    InvalidDataError,
    NotFoundError,
    NotRetryable,
    NotSubjectHeadError,
    TransformError,
)
from tidings.operations import dead
from tidings.operations.carried import taken_up
from tidings.operations.dead import Which
from tidings.store.reason import Reason


@pytest.fixture
async def parked(stage: Stage) -> Stage:
    """`a` with two entries and `b` with one are parked for billing, `a` is retried; `a` is dead for rates too."""
    await stage.say(OrderPlaced("a", 1), OrderPaid("a"), OrderPlaced("b", 1))
    later = stage.clock.now_us() + 60_000_000
    await stage.park("billing", "a", [1, 2], Reason(kind="handler-failed", error="ValueError: no", next_at=later))
    await stage.park("billing", "b", [3], Reason(kind="process-died", error="it died", next_at=None))
    await stage.park("rates", "a", [1])
    return stage


async def names(stage: Stage, which: Which) -> list[tuple[str, str]]:
    return sorted((each.consumer, each.subject) for each in await dead.parked(stage.store, None, which))


async def test_parked_subjects_are_listed_by_what_is_asked_for(parked: Stage) -> None:
    assert await names(parked, Which()) == [("billing", "a"), ("billing", "b"), ("rates", "a")]
    assert await names(parked, Which(consumer="billing", state="dead")) == [("billing", "b")]
    assert await names(parked, Which(reason="process-died")) == [("billing", "b")]
    assert await names(parked, Which(state="retrying")) == [("billing", "a")]


async def test_a_misspelt_consumer_or_reason_is_told_with_those_there_are(parked: Stage) -> None:
    for which, told in (
        (Which(consumer="biling"), r"no consumer 'biling'; there is billing, .*, rates: did you mean billing"),
        (
            Which(reason="handler-fails"),
            r"no reason 'handler-fails'; there is address-refused, .*fold-failed, follows-dead, ",
        ),
    ):
        with pytest.raises(NotFoundError, match=told):
            await dead.parked(parked.store, None, which)
        with pytest.raises(NotFoundError, match=told):
            await dead.redrive_all(parked.store, parked.clock, None, which, who="cli")


async def test_where_nothing_is_parked_a_right_name_finds_nothing(stage: Stage) -> None:
    for which in (Which(consumer="orders.order@1"), Which(reason="process-died"), Which(state="dead")):
        assert await dead.parked(stage.store, None, which) == []
    assert await dead.parked(stage.store, SERVICES, Which(consumer="billing")) == []
    with pytest.raises(NotFoundError, match="no consumer 'billing'"):
        await dead.parked(stage.store, None, Which(consumer="billing"))


def test_every_word_for_what_failed_can_be_asked_for() -> None:
    errors = [InvalidDataError("x"), NotRetryable("x"), FoldError("x"), TransformError("x"), ValueError("x")]
    of_the_relay = "id-taken"
    assert {*map(kind_of, errors), died_reason(3).kind, of_the_relay, UNREADABLE} == KINDS


async def test_a_subject_is_shown_with_its_entries_in_order(parked: Stage) -> None:
    shown = await dead.show(parked.store, SERVICES, "billing", "a")
    assert [letter.entry.position for letter in shown.letters] == [1, 2]
    assert shown.parked.entries == 2


async def test_what_is_not_parked_is_refused(parked: Stage) -> None:
    with pytest.raises(NotFoundError, match="there is no parked subject 'c' of billing; look for it among"):
        await dead.show(parked.store, SERVICES, "billing", "c")
    with pytest.raises(NotFoundError, match="no parked subject"):
        await dead.redrive(parked.store, parked.clock, SERVICES, "billing", "c", who="cli")
    with pytest.raises(NotFoundError, match="no parked subject"):
        await dead.drop(parked.store, "billing", "c", reason="why not", who="cli")


async def test_a_subject_that_is_parked_for_another_consumer_is_told_with_it(parked: Stage) -> None:
    with pytest.raises(NotFoundError, match=r"no parked subject 'a' of orders\.order; there is one of billing, rates$"):
        await dead.show(parked.store, SERVICES, "orders.order", "a")


async def test_a_consumer_that_is_not_there_is_named_before_its_subject(parked: Stage) -> None:
    acts = (
        lambda name: dead.show(parked.store, SERVICES, name, "jack"),
        lambda name: dead.redrive(parked.store, parked.clock, SERVICES, name, "jack", who="cli"),
        lambda name: dead.find(parked.store, SERVICES, name, "jack"),
    )
    for act in acts:
        with pytest.raises(NotFoundError, match="there is no consumer 'bookmarks'"):
            await act("bookmarks")
        with pytest.raises(NotFoundError, match=r"no parked subject 'jack' of orders\.order@1"):
            await act("orders.order@1")


async def test_a_redrive_is_due_at_once_with_a_full_budget(parked: Stage) -> None:
    await dead.redrive(parked.store, parked.clock, SERVICES, "billing", "b", who="cli")
    [found] = [each for each in await parked.store.parked("billing") if each.subject == "b"]
    assert (found.state, found.next_at, found.attempts) == ("retrying", parked.clock.now_us(), 0)


async def test_all_of_a_filter_are_redriven_and_no_other(parked: Stage) -> None:
    scheduled = await dead.redrive_all(parked.store, parked.clock, SERVICES, Which(state="dead"), who="cli")
    assert sorted((each.consumer, each.subject) for each in scheduled) == [("billing", "b"), ("rates", "a")]
    assert await names(parked, Which(state="dead")) == []
    [waiting] = [each for each in await parked.store.parked("billing") if each.subject == "a"]
    assert waiting.next_at != parked.clock.now_us()


async def test_a_redrive_that_nobody_would_do_is_refused_and_not_promised(parked: Stage) -> None:
    before = await parked.store.parked()
    for services in (None, ()):
        with pytest.raises(CallerError, match=r"^nobody runs billing, so it would not be redriven: start the program"):
            await dead.redrive(parked.store, parked.clock, services, "billing", "b", who="cli")
        with pytest.raises(CallerError, match=r"nobody runs billing, .*; nobody runs rates, "):
            await dead.redrive_all(parked.store, parked.clock, services, Which(), who="cli")
    assert (await parked.store.parked(), await parked.store.audit()) == (before, [])


async def test_what_another_process_runs_is_redriven_and_the_rest_is_left_alone(parked: Stage) -> None:
    await parked.claim("billing")
    scheduled = await dead.redrive_all(parked.store, parked.clock, None, Which(), who="cli")
    assert {each.consumer for each in scheduled} == {"billing"}
    await dead.redrive(parked.store, parked.clock, None, "billing", "b", who="cli")


async def test_the_consumer_of_a_table_that_is_being_built_is_redriven_and_that_of_a_replaced_one_is_not(
    stage: Stage,
) -> None:
    await stage.fold("order")
    record = stage.view("order").record(2, "building")
    await stage.store.create_view(record)
    await stage.settle("orders.order@2", to=0)
    await stage.say(OrderPlaced("a", 1))
    await stage.park("orders.order@2", "a", [1])
    assert (await dead.redrive(stage.store, stage.clock, None, "orders.order@2", "a", who="cli")).subject == "a"
    await stage.store.drop("orders.order@2", "a", 1, reason="not wanted")
    assert await stage.store.swap_view(record, consumer="orders.order@2", replaced_consumer="orders.order@1")
    await stage.park("orders.order@1", "a", [1])  # no release of today leaves one
    with pytest.raises(CallerError, match=r"nobody runs orders\.order@1: a newer table took the place"):
        await dead.redrive(stage.store, stage.clock, SERVICES, "orders.order@1", "a", who="cli")


async def test_who_takes_up_what_is_redriven_is_the_rebuild_where_no_server_goes_on_with_the_table(
    stage: Stage,
) -> None:
    await stage.fold("order")
    record, name = stage.view("order").record(2, "building"), "orders.order@2"
    await stage.store.create_view(record)
    step = f"`tidings views rebuild orders.order` takes up those of {name}"
    assert await taken_up(stage.store, {name}) == step
    assert await taken_up(stage.store, {name, "billing"}) == f"a running server takes them up; {step}"
    await stage.store.drop_view(record)
    await stage.store.create_view(replace(record, shape="another"))
    assert await taken_up(stage.store, {name}) == "a running server takes them up"


async def test_the_first_entry_is_dropped_for_a_reason_that_is_kept(parked: Stage) -> None:
    dropped = await dead.drop(parked.store, "billing", "a", reason=" a test order ", who="cli")
    assert (dropped.positions, dropped.left) == ((1,), 1)
    [audited] = await parked.store.audit()
    assert (audited.what, audited.on, audited.subject, audited.position) == ("drop", "billing", "a", 1)
    assert audited.reason == "a test order"


async def test_only_the_first_is_dropped_whichever_is_named(parked: Stage) -> None:
    with pytest.raises(NotSubjectHeadError, match="billing:2 waits behind billing:1: redrive or drop that one first"):
        await dead.drop(parked.store, "billing", "a", position=2, reason="twice", who="cli")
    dropped = await dead.drop(parked.store, "billing", "a", position=1, reason="twice", who="cli")
    assert (dropped.positions, dropped.left) == ((1,), 1)
    with pytest.raises(NotFoundError, match="no dead letter '1' of 'a' for billing"):
        await dead.drop(parked.store, "billing", "a", position=1, reason="twice", who="cli")


async def test_a_whole_subject_is_dropped_and_free(parked: Stage) -> None:
    dropped = await dead.drop_subject(parked.store, "billing", "a", reason="a test order", who="cli")
    assert (dropped.positions, dropped.left) == ((1, 2), 0)
    assert await names(parked, Which(consumer="billing")) == [("billing", "b")]
    assert {audited.position for audited in await parked.store.audit()} == {1, 2}


@pytest.mark.parametrize("reason", ["", "  "])
async def test_nothing_is_dropped_without_a_reason(parked: Stage, reason: str) -> None:
    with pytest.raises(CallerError, match="say why"):
        await dead.drop(parked.store, "billing", "a", reason=reason, who="cli")
    with pytest.raises(CallerError, match="say why"):
        await dead.drop_subject(parked.store, "billing", "a", reason=reason, who="cli")
    assert len(await dead.parked(parked.store, None, Which())) == 3


@pytest.mark.parametrize("subject", ["a", "\x00/shop\x00id-1", "with space"])
def test_a_parked_subject_can_be_typed_as_it_is_written(subject: str) -> None:
    assert dead.typed(dead.written(subject)) == subject
    assert "\x00" not in dead.written(subject)
