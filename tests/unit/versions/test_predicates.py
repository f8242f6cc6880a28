"""What the planner answers, line by line, over a census written down by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tidings.operations.gates import _may_close
from tidings.operations.planner import counts
from tidings.store.versions import EventVersion, VersionLease, Waiting
from tidings.versions.answer import AsOf, Reason, verdict_of
from tidings.versions.census import Census, Pinned, Transit
from tidings.versions.plan import plan
from tidings.versions.predicates import (
    may_replay,
    may_retire,
    may_retire_step,
    may_retire_support,
    may_rollback,
    may_switch,
    stored_notes,
)
from tidings.versions.said import Said, details_of

TYPE = "moved"
NOW = 1_000_000_000
DOWN = Said(steps=((3, 2, ("kind",)), (2, 1, ()), (1, 2, ()), (2, 3, ())))


def row(version: int, gate: str = "closed", **more: Any) -> EventVersion:
    return EventVersion(type=TYPE, version=version, sha256="", schema=b"{}", gate=gate, **more)  # type: ignore[arg-type]


def lease(service: str, *versions: int, role: str = "accept", said: Said = DOWN, **more: Any) -> VersionLease:
    chosen = {"revision": "r1", "admission": "admitted", "expires_at": NOW + 1, "instance": f"{service}/{versions}"}
    return VersionLease(
        service=service,
        consumer=service if role == "accept" else "",
        type=TYPE,
        role=role,  # type: ignore[arg-type]
        versions=versions,
        details=details_of(said),
        **{**chosen, **more},
    )


def census(*leases: VersionLease, **more: Any) -> Census:
    chosen: dict[str, Any] = {
        "versions": (row(1, "open"), row(2), row(3)),
        "stored": {(TYPE, 1): 5},
        "segments": {},
        "transit": {},
    }
    return Census(as_of=AsOf(time=NOW, position=5), leases=leases, **{**chosen, **more})


EMITS = lease("shop", 3, 2, role="emit")


def told(reasons: list[Reason]) -> tuple[str, list[str]]:
    return verdict_of(reasons), [each.code for each in reasons]


def test_what_is_under_way_is_counted_before_those_who_read_its_type() -> None:
    before = Transit(entries={(TYPE, 1): 5})
    other = replace(lease("b", 1), type="other")
    known = census(lease("a", 1), other, transit={"a": before, "b": before, "of an older release": before})
    assert counts(known, TYPE)[0]["in_transit"] == 10


def test_a_producer_may_switch_when_all_instances_of_all_readers_accept() -> None:
    assert told(may_switch(census(EMITS, lease("a", 1, 2)), "shop", TYPE, 2)) == ("ok", [])


def test_each_instance_counts_on_its_own_and_who_lapsed_does_not() -> None:
    both = census(EMITS, lease("a", 1), lease("a", 1, 2))
    assert told(may_switch(both, "shop", TYPE, 2)) == ("no", ["consumer-does-not-accept"])
    lapsed = census(EMITS, lease("a", 1, expires_at=NOW), lease("a", 1, 2))
    assert told(may_switch(lapsed, "shop", TYPE, 2)) == ("ok", [])


def test_a_reader_of_which_nothing_runs_makes_it_unknown_until_it_reads_the_type_no_more() -> None:
    gone = lease("a", 1, admission="left", expires_at=NOW)
    assert told(may_switch(census(EMITS, gone), "shop", TYPE, 2)) == ("unknown", ["consumer-unseen"])
    other = replace(lease("a", 1), type="other")
    assert told(may_switch(census(EMITS, gone, other), "shop", TYPE, 2)) == ("ok", ["no-consumers"])


def test_who_is_held_says_nothing_yet() -> None:
    held = lease("a", 1, 2, admission="held")
    found = may_switch(census(EMITS, held), "shop", TYPE, 2)
    assert told(found) == ("unknown", ["instance-held"])
    assert found[0].told == "see why a is held: its log says what it lacks"


def test_who_has_no_class_may_not_switch_nor_to_what_is_not_registered_or_not_active() -> None:
    reads = lease("a", 1, 2, 3, 4)
    assert told(may_switch(census(reads), "shop", TYPE, 2)) == ("no", ["missing-step"])
    assert told(may_switch(census(EMITS, reads), "shop", TYPE, 4)) == ("no", ["not-active"])
    burnt = census(EMITS, reads, versions=(row(1, "open"), row(2, life="retired")))
    assert told(may_switch(burnt, "shop", TYPE, 2)) == ("no", ["number-burnt"])


def test_whoever_is_outside_may_send_what_is_taken_by_its_schema_and_a_service_only_what_it_has_a_class_of() -> None:
    takes = lease("shop", 3, role="emit", said=Said(takes=(1,)))
    reads = lease("a", 1, 2, 3)
    assert told(may_switch(census(takes, reads), "", TYPE, 1)) == ("ok", [])
    assert told(may_switch(census(takes, reads), "shop", TYPE, 1)) == ("no", ["missing-step"])
    assert told(may_switch(census(takes, reads), "", TYPE, 2)) == ("no", ["missing-step"])
    gone = lease("shop", 3, role="emit", said=Said(takes=(1,)), expires_at=NOW)
    assert told(may_switch(census(gone, reads), "", TYPE, 1)) == ("no", ["missing-step"])


def test_a_pin_has_to_be_reached_by_every_dispatcher() -> None:
    pinned = (Pinned(endpoint="partner", pins={TYPE: 1}),)
    serves = lease("", 3, role="serve")
    assert told(may_switch(census(EMITS, serves, endpoints=pinned), "shop", TYPE, 3)) == ("ok", [])
    without = lease("", 3, role="serve", said=Said(), instance="old")
    found = may_switch(census(EMITS, serves, without, endpoints=pinned), "shop", TYPE, 3)
    assert told(found) == ("no", ["missing-step"])
    reads, old = lease("a", 1, instance="old"), lease("", 1, role="serve", said=Said(), instance="old")
    found = may_switch(census(EMITS, serves, old, endpoints=pinned), "shop", TYPE, 3)
    assert told(found) == ("no", ["missing-step"])
    found = may_switch(census(EMITS, serves, reads, old, endpoints=pinned), "shop", TYPE, 3)
    assert told(found) == ("no", ["consumer-does-not-accept"])  # with its deploy the dispatcher is another one, too
    elsewhere = (Pinned(endpoint="partner", pins={TYPE: 1}, types=frozenset({"other"})),)
    assert verdict_of(may_switch(census(EMITS, without, endpoints=elsewhere), "shop", TYPE, 3)) == "ok"


def test_where_nothing_serves_endpoints_nobody_knows_whether_a_pin_is_reached() -> None:
    pinned = (Pinned(endpoint="partner", pins={TYPE: 1}),)
    assert told(may_switch(census(EMITS, endpoints=pinned), "shop", TYPE, 3)) == ("unknown", ["consumer-unseen"])
    gone = lease("", 3, role="serve", expires_at=NOW)
    assert told(may_switch(census(EMITS, gone, endpoints=pinned), "shop", TYPE, 3))[0] == "unknown"
    there = (Pinned(endpoint="partner", pins={TYPE: 3}),)
    assert verdict_of(may_switch(census(EMITS, endpoints=there), "shop", TYPE, 3)) == "ok"


def test_support_may_go_where_upcasters_lead_on_or_nothing_of_it_can_come() -> None:
    led = lease("a", 1, 2, 3, said=replace_said(natives=(1, 3)))
    assert told(may_retire_support(census(led), "a", TYPE, 1)) == ("ok", [])
    alone = lease("a", 1, said=Said(natives=(1,)))
    assert told(may_retire_support(census(alone), "a", TYPE, 1)) == ("no", ["still-produced"])
    closed = (row(1), row(2, "open"))
    assert told(may_retire_support(census(alone, versions=closed), "a", TYPE, 1)) == ("ok", [])
    view = lease("a", 1, said=Said(natives=(1,), reads_all=True))
    assert told(may_retire_support(census(view, versions=closed), "a", TYPE, 1)) == ("no", ["stored"])
    behind = {"a": Transit(entries={(TYPE, 1): 9})}
    assert told(may_retire_support(census(alone, versions=closed, transit=behind), "a", TYPE, 1)) == (
        "no",
        ["in-transit"],
    )
    bound = {"a": Transit(entries={(TYPE, 1): 9}, is_exact=False)}
    assert verdict_of(may_retire_support(census(alone, versions=closed, transit=bound), "a", TYPE, 1)) == "unknown"


def test_an_upcaster_may_go_once_nothing_at_or_below_it_is_left_anywhere() -> None:
    closed = (row(1), row(2), row(3, "open"))
    assert told(may_retire_step(census(versions=closed), TYPE, 2, 3)) == ("no", ["stored"])
    assert told(may_retire_step(census(versions=closed, stored={}), TYPE, 2, 3)) == ("ok", [])
    letter = Waiting(place="dead", of="a", type=TYPE, version=1, entries=3, oldest=NOW, subjects=1, subject="20")
    with_letter = census(lease("a", 1, 2, 3), versions=closed, stored={}, waiting=(letter,))
    found = may_retire_step(with_letter, TYPE, 2, 3)
    assert told(found) == ("no", ["dead-letters"])
    assert found[0].text == "a: 3 of subject 20, oldest 1970-01-01T00:16:40Z"


def test_a_downcaster_may_go_once_nobody_is_served_or_falls_back_by_it() -> None:
    open_ = (row(1), row(2, "open"))
    assert told(may_retire_step(census(versions=open_), TYPE, 2, 1)) == ("ok", [])
    pinned = (Pinned(endpoint="partner", pins={TYPE: 1}),)
    pending = (Waiting(place="delivery", of="partner", type=TYPE, version=1, entries=4, oldest=0),)
    found = may_retire_step(census(lease("a", 1), versions=open_, endpoints=pinned, waiting=pending), TYPE, 2, 1)
    assert told(found) == ("no", ["endpoint-pinned", "deliveries-pending", "consumer-does-not-accept"])
    assert told(may_retire_step(census(), TYPE, 2, 1)) == ("no", ["still-produced"])


def test_a_dead_delivery_may_be_made_again_and_so_keeps_its_version_and_the_way_down_to_it() -> None:
    dead = Waiting(place="given-up", of="partner", type=TYPE, version=1, entries=2, oldest=NOW, subjects=1)
    known = census(versions=(row(1, life="sunset"), row(2, "open")), waiting=(dead,))
    assert told(may_retire(known, TYPE, 1)) == ("no", ["dead-letters"])
    found = may_retire_step(known, TYPE, 2, 1)
    assert told(found) == ("no", ["dead-letters"])
    assert found[0].text == "partner: 2 dead deliveries, oldest 1970-01-01T00:16:40Z"
    assert told(may_retire_step(known, TYPE, 3, 2)) == ("no", ["dead-letters", "still-produced"])
    assert [each["dead"] for each in counts(known, TYPE)] == [2, 0]


def test_a_pattern_that_reads_data_and_is_bound_to_no_version_would_match_no_more() -> None:
    unbound = Pinned(endpoint="partner", pins={}, reads_data=True)
    found = may_switch(census(EMITS, endpoints=(unbound,)), "shop", TYPE, 3)
    assert told(found) == ("no", ["pattern-version"])
    assert found[0].told == f"pin partner to the version of {TYPE} that its pattern was written for"
    for bound in (
        replace(unbound, pins={TYPE: 3}),
        replace(unbound, reads_data=False),
        replace(unbound, types=frozenset({"other"})),
    ):
        assert verdict_of(may_switch(census(EMITS, endpoints=(bound,)), "shop", TYPE, 3)) == "ok"


def test_a_release_may_come_back_if_it_accepts_what_is_produced_and_what_waits() -> None:
    before = lease("a", 1, 2, admission="left", revision="r0")
    assert told(may_rollback(census(before), "a", "r0")) == ("ok", [])
    third = census(before, lease("shop", 3, role="emit"), versions=(row(2, "open"), row(3, "open")))
    found = may_rollback(third, "a", "r0")
    assert told(found) == ("no", ["still-produced"])
    assert found[0].told == (
        "tidings versions close moved 3 (shop falls back to 2); when closed, let a settle its entries of 3; ask again"
    )
    closing = replace(third, versions=(row(2, "open"), row(3, "closing")))
    [waits] = may_rollback(closing, "a", "r0")
    assert (waits.code, waits.told) == ("still-produced", "let every process that emits it renew its lease")
    assert told(may_rollback(census(before), "a", "r9")) == ("unknown", ["consumer-unseen"])
    under_way = census(before, transit={"a": Transit(entries={(TYPE, 3): 1})})
    assert told(may_rollback(under_way, "a", "r0")) == ("no", ["in-transit"])


@pytest.mark.parametrize("life", ["sunset", "retired"])
def test_a_release_that_writes_nothing_but_what_has_ended_may_not_come_back(life: str) -> None:
    wrote = lease("shop", 1, role="emit", admission="left", revision="r0")
    rows = (row(1, life=life), row(2, "open"))
    found = may_rollback(census(wrote, lease("a", 1, 2), versions=rows), "shop", "r0")
    assert told(found) == ("no", ["not-active"])
    assert found[0].text == f"shop r0 writes moved 1, which is {life}"
    writes_both = replace(wrote, versions=(1, 2))
    assert told(may_rollback(census(writes_both, lease("a", 1, 2), versions=rows), "shop", "r0")) == ("ok", [])


def test_a_release_that_finds_no_gate_open_that_it_can_write_to_may_not_come_back() -> None:
    wrote = lease("shop", 1, role="emit", admission="left", revision="r0", said=Said())
    reads = lease("a", 1, 2)
    for gate in ("closing", "closed"):
        rows = (row(1, gate, by_hand=True), row(2, "open"))
        [found] = may_rollback(census(wrote, reads, versions=rows), "shop", "r0")
        assert (found.code, found.answer) == ("missing-step", "no")
        assert found.text == "shop r0 writes moved 1, which is closed, with no steps from it to an open one"
        assert found.told == (
            "tidings versions open moved 1, or name a release of shop that writes a version which goes on"
        )
    by_steps = replace(wrote, versions=(2,), details=details_of(DOWN))
    rows = (row(1, "open"), row(2, by_hand=True))
    assert told(may_rollback(census(by_steps, reads, versions=rows), "shop", "r0")) == ("ok", [])
    opens_itself = (row(1), row(2, "open"))
    assert told(may_rollback(census(wrote, reads, versions=opens_itself), "shop", "r0")) == ("ok", [])
    refused = census(wrote, lease("a", 2), versions=opens_itself)
    assert told(may_rollback(refused, "shop", "r0")) == ("no", ["consumer-does-not-accept"])


def test_a_replay_needs_every_version_in_its_range() -> None:
    known = census(lease("a", 1, 2))
    assert told(may_replay(known, "a", {(TYPE, 1): 5, ("other", 9): 1})) == ("ok", [])
    assert told(may_replay(known, "a", {(TYPE, 3): 5})) == ("no", ["consumer-does-not-accept"])
    assert told(may_replay(known, "a@1", {(TYPE, 3): 5})) == ("no", ["consumer-does-not-accept"])


@pytest.mark.parametrize(
    ("sunset", "code"), [(NOW + 1, ["sunset-not-reached"]), (NOW, []), (None, [])], ids=["early", "reached", "none"]
)
def test_a_version_is_retired_on_its_day_at_the_earliest(sunset: int | None, code: list[str]) -> None:
    rows = (row(1, life="sunset", sunset=sunset), row(2, "open"))
    assert [each.code for each in may_retire(census(versions=rows), TYPE, 1)] == code


def test_a_version_is_not_retired_while_it_is_pinned_set_aside_or_to_be_appended() -> None:
    letter = Waiting(place="dead", of="a", type=TYPE, version=1, entries=3, oldest=NOW, subjects=1, subject="20")
    outbox = Waiting(place="outbox", of="", type=TYPE, version=1, entries=1, oldest=NOW)
    delivery = Waiting(place="delivery", of="partner", type=TYPE, version=1, entries=4, oldest=0)
    known = census(
        lease("a", 1, 2, said=replace_said(natives=(2,))),
        versions=(row(1, life="sunset"), row(2, "open")),
        waiting=(letter, outbox, delivery),
        endpoints=(Pinned(endpoint="partner", pins={TYPE: 1}),),
    )
    found = may_retire(known, TYPE, 1)
    assert told(found) == ("no", ["endpoint-pinned", "dead-letters", "outbox"])
    assert found[0].text == "partner, 4 deliveries pending"


def test_what_is_set_aside_for_a_consumer_that_no_release_has_is_still_there() -> None:
    letter = Waiting(place="dead", of="gone.old@1", type=TYPE, version=1, entries=3, oldest=NOW, subjects=1)
    rows = (row(1, life="sunset"), row(2, "open"))
    reads = lease("a", 1, 2, said=replace_said(natives=(2,)))
    known = census(reads, versions=rows, stored={}, waiting=(letter,))
    assert told(may_retire(known, TYPE, 1)) == ("no", ["dead-letters"])
    assert told(may_retire_step(known, TYPE, 1, 2)) == ("no", ["dead-letters"])


def test_what_stays_in_the_log_is_told_with_the_way_to_read_it() -> None:
    reads = lease("a", 1, 2, 3, said=replace_said(natives=(3,)))
    known = census(reads, stored={(TYPE, 1): 38_907}, segments={(TYPE, 1): 3})
    assert stored_notes(known, TYPE, 1) == (
        "stored: 38,907 entries in 3 segments, readable through 1 -> 2 -> 3; keep both steps",
    )
    assert stored_notes(census(stored={}), TYPE, 1) == ()
    [one] = stored_notes(census(reads, stored={(TYPE, 3): 1}, segments={(TYPE, 3): 1}), TYPE, 3)
    assert one == "stored: 1 entry in 1 segment, which nobody who runs reads by upcasters"


def replace_said(**more: Any) -> Said:
    return Said(steps=DOWN.steps, **more)


def closing(gates: tuple[str, str, str], emits: VersionLease) -> str:
    """Return what is said of closing version 1."""
    rows = tuple(row(version, gate) for version, gate in enumerate(gates, 1))
    return told(_may_close(census(emits, versions=rows), rows[0]))[0]


def test_a_version_is_not_closed_that_a_release_without_a_class_for_it_is_brought_down_to() -> None:
    assert closing(("open", "closed", "closed"), lease("shop", 3, role="emit")) == "no"
    assert closing(("open", "open", "closed"), lease("shop", 3, role="emit")) == "ok"


def test_a_version_that_is_closing_itself_is_none_to_fall_back_to() -> None:
    assert closing(("open", "closing", "closed"), EMITS) == "no"


def test_a_version_that_a_release_does_not_come_down_to_may_close() -> None:
    assert closing(("open", "closed", "closed"), lease("shop", 3, role="emit", said=Said())) == "ok"


def test_an_endpoint_that_is_never_sent_a_type_keeps_no_version_of_it() -> None:
    over = row(1, life="sunset", sunset=NOW - 1)
    for types, code in ((frozenset({TYPE}), ["endpoint-pinned"]), (frozenset({"other"}), [])):
        pinned = Pinned(endpoint="e", pins={TYPE: 1}, types=types)
        known = census(versions=(over, row(2, "open")), stored={}, endpoints=(pinned,))
        assert [each.code for each in may_retire(known, TYPE, 1)] == code


def test_a_plan_asks_those_who_have_the_version_and_where_none_runs_whose_it_is() -> None:
    rows = (row(1, "open", owner="shop"), row(2, owner="shop"))
    [none_runs] = plan(census(versions=rows), TYPE, 2, opens_itself=True).reasons
    assert none_runs.text == f"shop has no class for {TYPE} 2, or does not run"
    other = lease("other", 1, role="emit")
    assert plan(census(lease("shop", 2, role="emit"), other, versions=rows), TYPE, 2, opens_itself=True).answer == "ok"
    [behind] = plan(census(other, versions=rows), TYPE, 2, opens_itself=True).reasons
    assert behind.text == f"other has no class for {TYPE} 2, or does not run"


@pytest.mark.parametrize(
    ("third", "is_told"), [(row(3), True), (row(3, by_hand=True), False), (row(3, "open"), False), (None, True)]
)
def test_a_plan_says_that_a_gate_opens_by_itself_only_if_it_does(third: EventVersion | None, is_told: bool) -> None:
    rows = (row(2, "open"), *([] if third is None else [third]))
    made = plan(census(lease("shop", 3, role="emit"), lease("a", 1, 2), versions=rows), TYPE, 3, opens_itself=True)
    assert made.answer == "no"
    assert ("the gate then opens by itself" in made.next_steps) is is_told
