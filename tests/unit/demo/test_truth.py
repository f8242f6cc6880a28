from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

from tidings.demo.history import write_history
from tidings.demo.mail import compare_mail, due_greetings, read_calls
from tidings.demo.report import compare_log, compare_view
from tidings.demo.run import Plan, late_share
from tidings.demo.truth import tell

NOW = 1_790_000_000_000_000


def test_the_same_seed_draws_the_same_plan() -> None:
    assert Plan.draw(7, events=300) == Plan.draw(7, events=300)
    assert Plan.draw(7, events=300) != Plan.draw(8, events=300)


def test_no_two_happenings_share_a_time_or_an_id() -> None:
    history = write_history(Random(1), events=2_000, now=NOW)
    assert len({happening.at for happening in history}) == 2_000
    assert len({(happening.source, happening.id) for happening in history}) == 2_000


def test_arrivals_hold_everything_and_come_twice_late_and_out_of_order() -> None:
    plan = Plan.draw(3, events=2_000)
    assert {happening.id for happening in plan.arrivals} == {happening.id for happening in plan.history}
    assert len(plan.arrivals) > 2_200
    late, worst = late_share(plan.arrivals)
    assert late > 500
    assert worst > 86_400_000_000
    assert plan.forged


def test_every_arrival_is_carried_by_one_request() -> None:
    plan = Plan.draw(3, events=500)
    carried = [identity for request in plan.requests() for identity in request.carries]
    assert sorted(carried) == sorted((happening.source, happening.id) for happening in plan.arrivals)


def test_the_truth_has_rows_in_every_view() -> None:
    truth = tell(write_history(Random(5), events=2_000, now=NOW))
    assert all(truth.values())


def test_a_missing_a_wrong_and_a_surplus_row_are_each_seen() -> None:
    truth = {("a",): {"k": "a", "n": 1}, ("b",): {"k": "b", "n": 2}}
    assert compare_view(("s", "v"), truth, dict(truth)).right
    assert not compare_view(("s", "v"), truth, {("a",): truth["a",]}).right
    assert not compare_view(("s", "v"), truth, truth | {("b",): {"k": "b", "n": 3}}).right
    assert not compare_view(("s", "v"), truth, truth | {("c",): {"k": "c", "n": 3}}).right


def test_a_lost_and_a_repeated_event_are_each_seen() -> None:
    assert compare_log({("s", "1")}, Counter([("s", "1"), ("s", "2")])).right
    assert not compare_log({("s", "1")}, Counter([("s", "2")])).right
    assert not compare_log({("s", "1")}, Counter([("s", "1"), ("s", "1")])).right


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


def test_greetings_are_due_for_registrations_alone() -> None:
    history = write_history(Random(1), events=500, now=NOW)
    registered = [happening.data["user_id"] for happening in history if happening.type == "user-registered"]
    assert due_greetings(history) == Counter(registered)
    assert registered
