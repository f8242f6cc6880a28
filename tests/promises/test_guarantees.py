"""`docs/guarantees.md` names real tests, says what back ends say, and has a rule to take out for each promise."""

from __future__ import annotations

import pytest

from tests.promises.facts import table
from tests.promises.guarantees import PAGE, Promise, on_postgres, promises
from tests.promises.mutations import times_found
from tests.promises.postgres_rules import POSTGRES_RULES
from tests.promises.rules import RULES, Rule


@pytest.mark.parametrize("promise", [*promises().values(), *on_postgres().values()], ids=lambda promise: promise.name)
def test_every_promise_names_a_test_that_there_is(promise: Promise) -> None:
    assert callable(promise.proof())


def test_every_line_of_the_page_is_a_promise_that_was_read() -> None:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if "::" in line]
    assert len(lines) == len(promises()) + len(on_postgres())
    assert len(promises()) > 25


def test_what_the_page_says_to_hold_on_postgresql_is_proven_there() -> None:
    its_own = {name for name, promise in on_postgres().items() if promise.text}
    assert its_own.isdisjoint(promises())
    said = {name for name, promise in promises().items() if promise.there not in ("same code", "-")}
    assert on_postgres().keys() == said | its_own


def test_every_promise_has_a_rule_that_can_be_taken_out() -> None:
    assert {rule.promise for rule in RULES} == set(promises())
    assert {rule.promise for rule in POSTGRES_RULES} == set(on_postgres())


@pytest.mark.parametrize("rule", [*RULES, *POSTGRES_RULES], ids=lambda rule: rule.promise)
def test_the_rule_is_where_it_is_said_to_be(rule: Rule) -> None:
    assert times_found(rule) == 1
    assert rule.new != rule.old


async def test_the_page_says_what_back_ends_say_of_themselves() -> None:
    assert await table() in PAGE.read_text("utf-8")
