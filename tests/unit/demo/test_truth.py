from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

from tidings.cli.demo import EVENTS
from tidings.demo.history import write_history
from tidings.demo.mail import compare_mail, due_greetings, greeted_again, read_calls
from tidings.demo.plan import Plan, back_dated, late_share
from tidings.demo.report import compare_log, compare_view
from tidings.demo.server import chirp_folder
from tidings.demo.telling import NEVER_TOLD
from tidings.demo.truth import Rows, Truth
from tidings.demo.visitors import SLOTS, decide, draw_wishes

NOW = 1_790_000_000_000_000


def test_the_same_seed_draws_the_same_plan() -> None:
    assert Plan.draw(7, events=300) == Plan.draw(7, events=300)
    assert Plan.draw(7, events=300) != Plan.draw(8, events=300)


def test_more_than_20_000_requests_are_sent_if_nothing_else_is_said() -> None:
    plan = Plan.draw(7, events=EVENTS)
    sent = [*plan.requests(), *plan.wish_requests(), *plan.forged_requests()]
    assert len(sent) + len(plan.tellings) > 20_000
    assert {request.form for request in sent} == {"PUT", "POST", "batch"}


def test_no_two_happenings_share_a_time_or_an_id() -> None:
    history = write_history(Random(1), events=2_000, now=NOW)
    assert len({happening.at for happening in history}) == 2_000
    assert len({(happening.source, happening.id) for happening in history}) == 2_000


def test_arrivals_hold_everything_and_come_twice_late_and_out_of_order() -> None:
    plan = Plan.draw(3, events=2_000)
    assert {happening.id for happening in plan.came} == {happening.id for happening in plan.told}
    assert len(plan.came) > 2_200
    late, worst = late_share(plan.came)
    assert late > 500
    assert worst > 86_400_000_000
    assert plan.forged


def test_every_arrival_is_carried_by_one_request() -> None:
    plan = Plan.draw(3, events=500)
    carried = [identity for request in plan.requests() for identity in request.carries]
    assert sorted(carried) == sorted((happening.source, happening.id) for happening in plan.arrivals)


def test_the_truth_has_rows_in_every_view() -> None:
    plan = Plan.draw(5, events=2_000)
    assert all(plan.rows(plan.history).values())


def test_what_is_taken_as_it_came_ends_wrong() -> None:
    plan = Plan.draw(5, events=2_000)
    truth, taken = plan.rows(plan.history), plan.rows(plan.came)
    line = compare_view(("orders", "order"), truth["orders", "order"], {}, taken=taken["orders", "order"])
    assert line.otherwise.endswith("rows wrong")


def test_an_order_is_told_by_its_revisions_under_a_clock_that_is_wrong() -> None:
    history = write_history(Random(5), events=2_000, now=NOW)
    orders: dict[str, list[int]] = {}
    for happening in history:
        if happening.type.startswith("order-") and happening.type != NEVER_TOLD:
            orders.setdefault(happening.data["order_id"], []).append(happening.data["revision"])
    assert len(orders) == 240
    assert all(revisions == list(range(1, len(revisions) + 1)) for revisions in orders.values())
    assert back_dated(history) > 50


def test_the_truth_of_an_order_adds_up() -> None:
    history = write_history(Random(5), events=2_000, now=NOW)
    rows = Truth().tell(history).rows
    orders, accounts = rows["orders", "order"].values(), rows["orders", "account"].values()
    assert sum(order["paid"] for order in orders) == sum(account["paid"] for account in accounts)
    assert sum(order["refunded"] for order in orders) == sum(account["refunded"] for account in accounts)
    assert {order["state"] for order in orders} == {"placed", "paid", "shipped", "refunded", "cancelled"}


def test_no_visitor_is_given_more_than_there_are_slots() -> None:
    decisions, held = decide(draw_wishes(Random(1), visitors=20))
    assert max(map(len, held.values())) == SLOTS
    assert {decision.type for decision in decisions} == {"tweet-bookmarked", "tweet-unbookmarked", "bookmark-refused"}


def test_the_limit_of_bookmarks_is_that_of_the_application() -> None:
    text = (chirp_folder() / "chirp" / "bookmarks.py").read_text("utf-8")
    assert f"\nSLOTS = {SLOTS}\n" in text


def test_wishes_are_sent_in_their_order_and_some_twice() -> None:
    plan = Plan.draw(3, events=2_000)
    sent = [identity[1] for request in plan.wish_requests() for identity in request.carries]
    assert list(dict.fromkeys(sent)) == [wish.id for wish in plan.wishes]
    assert len(sent) > len(plan.wishes)


def test_a_missing_a_wrong_and_a_surplus_row_are_each_seen() -> None:
    truth: Rows = {("a",): {"k": "a", "n": 1}, ("b",): {"k": "b", "n": 2}}
    assert compare_view(("s", "v"), truth, dict(truth), taken={}).right
    assert not compare_view(("s", "v"), truth, {("a",): truth["a",]}, taken={}).right
    assert not compare_view(("s", "v"), truth, truth | {("b",): {"k": "b", "n": 3}}, taken={}).right
    assert not compare_view(("s", "v"), truth, truth | {("c",): {"k": "c", "n": 3}}, taken={}).right


def test_a_lost_and_a_repeated_event_are_each_seen() -> None:
    assert compare_log({("s", "1")}, Counter([("s", "1"), ("s", "2")]), duplicates=0).right
    assert not compare_log({("s", "1")}, Counter([("s", "2")]), duplicates=0).right
    assert not compare_log({("s", "1")}, Counter([("s", "1"), ("s", "1")]), duplicates=0).right


def test_every_registration_must_be_greeted_under_one_key_of_its_own() -> None:
    due = Counter({"ann": 1, "bob": 1})
    assert compare_mail(due, [("ann", "k1"), ("bob", "k2"), ("bob", "k2")]).right
    assert not compare_mail(due, [("ann", "k1")]).right
    assert not compare_mail(due, [("ann", "k1"), ("bob", "k2"), ("bob", "k3")]).right
    assert not compare_mail(due, [("ann", "k1"), ("bob", "k1")]).right
    assert not compare_mail(due, [("ann", "k1"), ("bob", "k2"), ("eve", "k3")]).right


def test_calls_are_read_from_the_mailbox(tmp_path: Path) -> None:
    mailbox = tmp_path / "mailbox.jsonl"
    assert read_calls(mailbox) == []
    mailbox.write_text('{"to": "ann", "key": "k1"}\n{"to": "ann", "key": "k1"}\n', "utf-8")
    assert read_calls(mailbox) == [("ann", "k1"), ("ann", "k1")]


def test_registrations_that_came_twice_would_be_greeted_again() -> None:
    plan = Plan.draw(3, events=2_000)
    assert greeted_again(plan.history) == 0
    assert greeted_again(plan.arrivals) > 5


def test_greetings_are_due_for_registrations_alone() -> None:
    history = write_history(Random(1), events=500, now=NOW)
    registered = [happening.data["user_id"] for happening in history if happening.type == "user-registered"]
    assert due_greetings(history) == Counter(registered)
    assert registered
