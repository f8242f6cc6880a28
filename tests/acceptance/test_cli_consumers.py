"""Pausing a consumer and letting it go on, as an operator would while the server runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.place import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An application whose server has run, and has one order."""
    place = Place(tmp_path_factory.mktemp("shop"))
    with place.serving():
        assert place.emit("1", 10).code == 0
        place.eventually("consumers", "--app", "shop:app", until=settled)
    return place


def settled(consumers: list[dict[str, Any]]) -> bool:
    return all(each["lag"]["entries"] == 0 for each in consumers)


def state(place: Place, consumer: str) -> tuple[str, int]:
    found = place.tidings("consumers", "--app", "shop:app", "--json").json
    [(said, lag)] = [(each["state"], each["lag"]["entries"]) for each in found if each["consumer"] == consumer]
    return said, lag


def test_a_paused_consumer_stands_still_in_a_server_that_runs_until_it_is_resumed(place: Place) -> None:
    with place.serving():
        paused = place.tidings("consumers", "pause", "stock", "--reason", "we count", "--json")
        assert (paused.code, paused.json["consumer"], paused.json["paused"]) == (0, "stock", "we count")
        assert place.emit("2", 20).code == 0
        place.eventually(
            "consumers", "--app", "shop:app", until=lambda all: settled([x for x in all if x["consumer"] != "stock"])
        )
        assert state(place, "stock") == ("paused", 1)
        assert "paused: we count" in place.tidings("consumers").out
        resumed = place.tidings("consumers", "resume", "stock")
        assert (resumed.code, resumed.out) == (0, "stock goes on\n")
        place.eventually("consumers", "--app", "shop:app", until=settled)


def test_pausing_twice_keeps_the_last_reason_and_resuming_twice_does_no_harm(place: Place) -> None:
    for reason in ("first", "second"):
        assert place.tidings("consumers", "pause", "stock", "--reason", reason).out == f"stock is paused: {reason}\n"
    assert "paused: second" in place.tidings("consumers").out
    for _ in range(2):
        assert place.tidings("consumers", "resume", "stock", "--json").json["paused"] is None
    assert state(place, "stock")[0] != "paused"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (
            ("pause", "stock"),
            2,
            "--reason REASON is missing: type `tidings consumers pause CONSUMER --reason REASON`",
        ),
        (("pause", "stock", "--reason", " "), 2, "say why it is paused"),
        (("pause", "nobody", "--reason", "why"), 2, "nobody"),
        (("resume", "nobody"), 2, "nobody"),
        (("--json", "resume", "stock"), 2, "write --app and --json behind resume"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    place: Place, arguments: tuple[str, ...], code: int, told: str
) -> None:
    ended = place.tidings("consumers", *arguments)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert told in ended.err


def test_nothing_is_paused_where_there_is_no_database(tmp_path: Path) -> None:
    ended = Place(tmp_path).tidings("consumers", "pause", "stock", "--reason", "why")
    assert (ended.code, ended.out) == (2, "")
    assert "there is no database" in ended.err
