"""Every change that an operator makes is kept with who made it, in the transaction of the change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.operations.stage import FAILED, SERVICES, TTL, OrderPaid, OrderPlaced, Stage
from tidings.app.receiving import receivers_of
from tidings.errors import CallerError, NotFoundError, RefusedError
from tidings.operations import dead, deliveries, keys, pausing, replay, views
from tidings.operations.dead import Which
from tidings.operations.endpoint_again import Wanted
from tidings.operations.endpoints import Endpoints
from tidings.operations.gates import Gatekeeping, forget
from tidings.ports import Ports
from tidings.store.audit import WHATS
from tidings.store.deliveries import Delivery
from tidings.store.driver import StoreDriver
from tidings.store.endpoint_deliveries import Range
from tidings.store.versions import EventVersion, VersionLease
from tidings.webhooks.intake.translating import arrival_of
from tidings.webhooks.receive.given import Given

ASKED = keys.Asked(owner="till", scopes=["events:read"])


async def prepared(stage: Stage) -> None:
    """Two subjects wait for billing, everything else is settled, and three calls are intended."""
    await stage.say(OrderPlaced("a", 1), OrderPaid("a"), OrderPlaced("b", 1))
    await stage.settle("rates", to=3)
    await stage.settle("billing", to=3)
    await stage.fold("order")
    await stage.park("billing", "a", [1, 2])
    await stage.park("billing", "b", [3])
    async with stage.store.unit() as unit:
        await unit.intend([Delivery(key=key, service="shop", function="mail", payload=b"1") for key in "xyz"])


async def changed(stage: Stage) -> list[tuple[str, str, str, str]]:
    return [(each.who, each.what, each.on, each.reason) for each in reversed(await stage.store.audit())]


async def test_every_change_is_kept_with_who_made_it(stage: Stage) -> None:
    await prepared(stage)
    store, clock, who = stage.store, stage.clock, "key 3f9a"
    await pausing.pause(store, SERVICES, "rates", reason=" the bank ", who=who)
    await pausing.resume(store, SERVICES, "rates", who=who)
    await replay.replay_from_position(stage.log, store, SERVICES, "rates", 1, who=who)
    await dead.redrive(store, clock, SERVICES, "billing", "a", who=who)
    await dead.drop(store, "billing", "b", reason=" erased ", who=who)
    await deliveries.cancel(store, "x", clock, who=who, reason=" cancelled by phone ")
    [claimed] = await store.claim_deliveries(owner="o", services=["shop"], limit=1, ttl=TTL)
    await store.settle_delivery(claimed, FAILED)
    await deliveries.retry(store, "y", clock, who=who)
    made = await keys.add(store, Ports(), ASKED, who=who)
    await keys.revoke(store, Ports(), made.key.id, who=who)
    await to_an_endpoint(stage.opened.endpoints, who)
    await to_a_version(store, who)
    await to_a_receiver(stage, who)
    await stage.park("orders.order@1", "a", [1])
    await views.rebuild(stage.opened.carrying, store, stage.view("order"), who=who)
    found = await changed(stage)
    went = "1 parked subject with 1 entry: orders_order__v2 took its table's place, and has read the same log"
    assert found == [
        (who, "pause", "rates", "the bank"),
        (who, "resume", "rates", ""),
        (who, "replay", "rates", ""),
        (who, "redrive", "billing", ""),
        (who, "drop", "billing", "erased"),
        (who, "cancel", "x", "cancelled by phone"),
        (who, "retry", "y", ""),
        (who, "key-created", made.key.id, ""),
        (who, "key-revoked", made.key.id, ""),
        (who, "endpoint-added", "e", ""),
        (who, "endpoint-changed", "e", ""),
        (who, "endpoint-tested", "e", ""),
        (who, "secret-rotated", "e", ""),
        (who, "secret-revoked", "e", "s1"),
        (who, "endpoint-paused", "e", "their release"),
        (who, "endpoint-resumed", "e", ""),
        (who, "endpoint-recovered", "e", "after 0 to 9"),
        (who, "endpoint-replayed", "e", "after 0 to 9, run r-0"),
        (who, "endpoint-removed", "e", ""),
        (who, "version-opened", "moved 2", "forced: their release"),
        (who, "version-closed", "moved 1", "forced: their release"),
        (who, "version-deprecated", "moved 1", "forced: their release"),
        (who, "version-kept", "moved 1", "forced: their release"),
        (who, "version-retired", "moved 1", "forced: their release"),
        (who, "consumer-forgotten", "c", "gone"),
        (who, "receiver-added", "receiver bank", ""),
        (who, "receiver-changed", "receiver bank", ""),
        (who, "redrive", "receiver bank", ""),
        (who, "receiver-retired", "receiver bank", ""),
        (who, "rebuild", "orders.order", ""),
        (who, "replace", "orders.order@1", went),
    ]
    done_at_rest = {"restored"}  # while no store is open: see tests/acceptance/test_restored.py
    done_by_itself = {"version-ended", "version-forced"}  # see tests/unit/app/test_sunset.py
    done_once_expired = {"begin"}  # see test_beginning.py
    done_to_scopes = {each for each in WHATS if each.startswith("reconcile-")}  # see reconciliation/test_begun.py
    elsewhere = done_at_rest | done_by_itself | done_to_scopes | done_once_expired
    assert {what for _, what, _, _ in found} == set(WHATS) - elsewhere


async def to_an_endpoint(endpoints: Endpoints, who: str) -> None:
    await endpoints.add({"url": "https://example.com/"}, id="e", who=who)
    await endpoints.change("e", {"slots": 2}, who=who)
    await endpoints.test("e", who=who)
    await endpoints.rotate("e", who=who)
    await endpoints.revoke("e", "s1", who=who)
    await endpoints.pause("e", reason=" their release ", who=who)
    await endpoints.resume("e", who=who)
    await endpoints.recover("e", Range(after=0, to=9), who=who)
    await endpoints.replay("e", Wanted(within=Range(after=0, to=9), run="r-0"), who=who)
    await endpoints.remove("e", who=who)


async def to_a_version(store: StoreDriver, who: str) -> None:
    rows = [EventVersion(type="moved", version=version, sha256="", schema=b"{}") for version in (1, 2)]
    await store.register_versions(rows, replaces=True)
    gates = Gatekeeping(store, who=who, reason="their release", forced=True)
    await gates.open("moved", 2)
    await gates.close("moved", 1)
    await gates.deprecate("moved", 1, sunset=None, migration="")
    await gates.keep("moved", 1)
    await gates.retire("moved", 1)
    said = VersionLease(instance="i", service="s", consumer="c", type="moved", role="accept", versions=(1,))
    await store.join_versions([said], ttl=TTL)
    await store.leave_versions("i")
    await forget(store, "c", who=who, reason="gone")


async def to_a_receiver(stage: Stage, who: str) -> None:
    opened = stage.opened
    receivers = receivers_of(opened)
    bank = {"preset": "stripe", "source": "/bank", "secrets": ["whsec_2b7e151628aed2a6abf7158809cf4f3c"]}
    made = await receivers.put("bank", bank, who=who)
    await receivers.put("bank", bank, version=made.version, who=who)
    receiver = await opened.roster.find("bank")
    assert receiver is not None
    kept = await opened.intake.keep(arrival_of(receiver, Given((), b"{}"), opened.making()))
    await receivers.replay("bank", kept.n, who=who)
    await receivers.retire("bank", who=who)


REFUSED: dict[str, Callable[[Stage], Awaitable[object]]] = {
    "pause": lambda at: pausing.pause(at.store, SERVICES, "nobody", reason="x", who="cli"),
    "resume": lambda at: pausing.resume(at.store, SERVICES, "nobody", who="cli"),
    "replay": lambda at: replay.replay_from_position(at.log, at.store, SERVICES, "rates", 99, who="cli"),
    "redrive": lambda at: dead.redrive(at.store, at.clock, SERVICES, "billing", "z", who="cli"),
    "drop": lambda at: dead.drop(at.store, "billing", "a", position=3, reason="x", who="cli"),
    "cancel": lambda at: deliveries.cancel(at.store, "w", at.clock, who="cli"),
    "retry": lambda at: deliveries.retry(at.store, "w", at.clock, who="cli"),
    "key-revoked": lambda at: keys.revoke(at.store, Ports(), "nix", who="cli"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_was_refused_leaves_no_trace(stage: Stage, what: str) -> None:
    await prepared(stage)
    with pytest.raises((NotFoundError, RefusedError)):
        await REFUSED[what](stage)
    assert await changed(stage) == []


async def test_many_at_once_leave_one_trace_each(stage: Stage) -> None:
    await prepared(stage)
    await dead.redrive_all(stage.store, stage.clock, SERVICES, Which(consumer="billing"), who="cli")
    assert await changed(stage) == [("cli", "redrive", "billing", "")] * 2
    assert [each.subject for each in await stage.store.audit()] == ["b", "a"]


async def test_what_failed_of_each_subject_that_fits_is_dropped_and_the_rest_goes_on(stage: Stage) -> None:
    await prepared(stage)
    done = await dead.drop_each(stage.store, None, Which(consumer="billing"), reason=" rubbish ", who="cli")
    assert [(each.subject, each.positions, each.left) for each in done] == [("a", (1,), 1), ("b", (3,), 0)]
    [left] = await stage.store.parked("billing")
    assert (left.subject, left.first_position, left.state, left.next_at) == ("a", 2, "retrying", stage.clock.now_us())
    assert await changed(stage) == [("cli", "drop", "billing", "rubbish")] * 2


async def test_not_everything_is_dropped_by_a_slip(stage: Stage) -> None:
    await prepared(stage)
    with pytest.raises(CallerError, match="which ones"):
        await dead.drop_each(stage.store, None, Which(), reason="rubbish", who="cli")
    with pytest.raises(CallerError, match="say why"):
        await dead.drop_each(stage.store, None, Which(consumer="billing"), reason=" ", who="cli")
    with pytest.raises(NotFoundError, match="no consumer 'biling'"):
        await dead.drop_each(stage.store, None, Which(consumer="biling"), reason="rubbish", who="cli")
    assert len(await stage.store.parked()) == 2


async def test_cancelling_twice_leaves_one_trace(stage: Stage) -> None:
    await prepared(stage)
    at_once = (deliveries.cancel(stage.store, "x", stage.clock, who="cli") for _ in range(2))
    await asyncio.gather(*at_once)
    await deliveries.cancel(stage.store, "x", stage.clock, who="cli")
    assert await changed(stage) == [("cli", "cancel", "x", "")]
