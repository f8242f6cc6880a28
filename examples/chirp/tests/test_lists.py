from __future__ import annotations

from chirp.events import (
    ListCreated,
    ListDeleted,
    ListMemberAdded,
    ListMemberRemoved,
    ListRenamed,
    UserRegistered,
    UserRenamed,
)
from chirp.lists import List, Member, Name
from tidings.testing import Scenario


def test_a_list_ends_the_same_in_every_order(scenario: Scenario) -> None:
    scenario.shuffle(ListCreated("l", "1", "birds"), ListRenamed("l", "owls"), ListRenamed("l", "larks"))
    assert scenario.rows(List) == [List("l", "1", "larks")]


def test_a_list_that_was_deleted_is_gone(scenario: Scenario) -> None:
    scenario.given(ListCreated("l", "1", "birds"))
    scenario.when(ListDeleted("l"))
    assert scenario.rows(List) == []


def test_members_come_and_go(scenario: Scenario) -> None:
    scenario.shuffle(ListMemberAdded("l", "1"), ListMemberAdded("l", "2"), ListMemberRemoved("l", "1"))
    assert scenario.rows(Member, list_id="l") == [Member("l", "2")]


def test_a_name_is_read_from_the_users_events(scenario: Scenario) -> None:
    scenario.when(UserRegistered("1", "jack"), UserRenamed("1", "jill"))
    assert scenario.rows(Name, user_id="1") == [Name("1", "jill", 1)]
    assert scenario.rows(Name, user_id="2") == []
