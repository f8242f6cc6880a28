"""The order in which services take up a version."""

from __future__ import annotations

from tidings.versions.order import rollout


def test_readers_come_before_those_who_feed_them() -> None:
    fed = {"bookmarks": ["lists", "users"], "lists": ["users"], "users": []}
    assert rollout(fed) == (("users",), ("lists",), ("bookmarks",))


def test_those_in_a_circle_come_together_and_behind_whom_they_feed() -> None:
    fed = {"a": ["b"], "b": ["c"], "c": ["a", "sink"], "source": ["b"]}
    assert rollout(fed) == (("sink",), ("a", "b", "c"), ("source",))


def test_ties_go_by_name() -> None:
    assert rollout({"b": [], "a": [], "c": []}) == (("a",), ("b",), ("c",))
