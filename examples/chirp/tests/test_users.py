from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from chirp.events import UserClosed, UserRegistered, UserRenamed, UserWelcomed
from chirp.users import User, Welcome
from tidings.testing import Scenario


def test_a_registration_is_welcomed_once_whatever_comes_twice(scenario: Scenario) -> None:
    scenario.when(UserRegistered("1", "jack"))
    scenario.duplicate()
    scenario.redeliver()
    scenario.then(UserWelcomed("1", "jack"))
    assert scenario.rows(Welcome) == [Welcome("1", 1)]


@pytest.mark.parametrize("point", ["unit:after-handlers", "unit:commit-sent", "unit:committed"])
def test_a_registration_is_welcomed_once_though_the_process_dies(scenario: Scenario, point: str) -> None:
    scenario.crash_at(point)
    scenario.when(UserRegistered("1", "jack"))
    scenario.then(UserWelcomed("1", "jack"))
    assert [each.payload for each in scenario.deliveries] == [{"user_id": "1"}]


def test_a_greeting_whose_result_is_lost_is_sent_again_with_its_key(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = tmp_path / "mailbox"
    monkeypatch.setenv("CHIRP_MAILBOX", str(mailbox))
    scenario.when(UserRegistered("1", "jack"))
    scenario.crash_at("delivery:answered")
    scenario.deliver()
    first, second = (json.loads(line) for line in mailbox.read_text("utf-8").splitlines())
    assert first == second == {"to": "1", "key": scenario.deliveries[0].key}


def test_a_name_is_the_latest_by_the_events_own_times(scenario: Scenario) -> None:
    scenario.given(UserRegistered("1", "jack"))
    scenario.advance(days=2)
    scenario.when(UserRenamed("1", "new"))
    scenario.when(UserRenamed("1", "late"), at=scenario.now - timedelta(days=1))
    assert scenario.rows(User) == [User("1", "new", True)]


def test_a_user_ends_the_same_in_every_order(scenario: Scenario) -> None:
    scenario.shuffle(
        UserRegistered("1", "jack"), UserRenamed("1", "jill"), UserClosed("1"), UserRenamed("1", "joe"), orders=12
    )
    assert scenario.rows(User) == [User("1", "joe", False)]
