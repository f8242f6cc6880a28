"""Every verb of the command line, run as a stranger would, on a database that a server has filled."""

from __future__ import annotations

import json
import signal
import sqlite3
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.place import Place
from tests.asyncapi import faults


def settled(consumers: list[dict[str, Any]]) -> bool:
    return all(each["lag"]["entries"] == 0 for each in consumers)


def number(entry: dict[str, Any]) -> str:
    """Return the number in an entry's position token."""
    return str(entry["position"].rpartition("-")[2])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Orders 1 to 3 were placed and handled; -1 and -2 wait as dead letters of the service's handler."""
    place = Place(tmp_path_factory.mktemp("shop"))
    with place.serving():
        for order, total in (("1", 10), ("2", 20), ("-1", -1), ("3", 30), ("-2", -2)):
            assert place.emit(order, total, id=f"order-{order}").code == 0
        place.eventually("consumers", "--app", "shop:app", until=settled)
    return place


def test_the_version_is_said(place: Place) -> None:
    assert place.tidings("version").out.startswith("tidings 0.")
    assert set(place.tidings("version", "--json").json) == {"tidings", "python"}


def test_settings_are_shown_with_who_set_them(place: Place) -> None:
    (place.folder / "tidings.toml").write_text('host = "localhost"\n', "utf-8")
    try:
        ended = place.tidings("config", "show", "--json", TIDINGS_PORT="9000")
    finally:
        (place.folder / "tidings.toml").unlink()
    found = {each["setting"]: (each["value"], each["set_by"]) for each in ended.json}
    assert found["port"] == (9000, "TIDINGS_PORT")
    assert found["host"] == ("localhost", "tidings.toml")
    assert found["database_url"] == ("sqlite:///tidings.db", "default")


def test_the_doctor_finds_all_well_but_what_waits_for_somebody(place: Place) -> None:
    ended = place.tidings("doctor", "--app", "shop:app")
    assert (ended.code, ended.out.splitlines()[-1]) == (1, "Not well: dead letters")
    assert "2 dead letters of 2 subjects (2 dead): look with `tidings dead list`" in ended.out
    assert place.tidings("dead", "list").out.splitlines()[-1] == "2 dead letters of 2 subjects (2 dead)"
    found = place.tidings("doctor", "--app", "shop:app", "--json").json
    names = [
        "settings",
        "log",
        "store",
        "schema",
        "leases",
        "checkpoints",
        "dead letters",
        "rebuilds",
        "versions",
        "disk",
        "clock",
    ]
    assert [check["name"] for check in found["checks"]] == names
    assert [check["name"] for check in found["checks"] if not check["ok"]] == ["dead letters"]
    assert found["engine"] == f"SQLite {sqlite3.sqlite_version}"


def test_the_doctor_names_what_is_not_well_and_what_to_do(place: Place) -> None:
    source = (place.folder / "shop.py").read_text("utf-8")
    more = "\n@orders.view(key=('name',))\nclass Late:\n    name: str\n"
    (place.folder / "newer.py").write_text(source + more, "utf-8")
    ended = place.tidings("doctor", "--app", "newer:app")
    assert (ended.code, ended.out.splitlines()[-1]) == (1, "Not well: schema, dead letters")
    assert "orders.late has no table yet: `tidings run` makes it" in ended.out


def test_the_doctor_cannot_look_at_what_is_not_there(place: Place) -> None:
    ended = place.tidings("doctor", TIDINGS_DATABASE_URL="sqlite:///nowhere.db")
    assert (ended.code, ended.out) == (2, "")
    assert "there is no database nowhere.db" in ended.err


def test_an_event_is_emitted_once_under_its_id(place: Place) -> None:
    first = place.emit("1", 10, id="order-1")
    assert (first.code, first.json["outcome"], first.json["position"][-2:]) == (0, "duplicate", "-1")
    other = place.emit("1", 11, id="order-1")
    assert (other.code, other.out) == (1, "")
    assert "is kept at position 1 with other content" in other.err


def test_the_data_may_come_from_standard_input(place: Place) -> None:
    arguments = ("emit", "order-placed", "-", "--source", "/shop", "--id", "order-1", "--app", "shop:app")
    ended = place.tidings(*arguments, given='{"order_id": "1", "total": 10}')
    assert (ended.code, ended.out) == (0, "duplicate at position 1: /shop order-1\n")


def test_consumers_are_shown_with_their_lag(place: Place) -> None:
    found = {each["consumer"]: each for each in place.tidings("consumers", "--app", "shop:app", "--json").json}
    assert set(found) == {"orders", "orders.order@1", "stock"}
    orders = found["orders"]
    assert (orders["declared"], orders["lag"]["entries"], orders["parked"], orders["dead_letters"]) == (True, 0, 2, 2)
    assert orders["types"] == ["order-placed"]
    assert orders["partitions"][0].keys() == {"partition", "checkpoint", "lag", "owner", "until", "epoch"}
    table = place.tidings("consumers", TIDINGS_APP="shop:app").out
    assert table.splitlines()[0].startswith("consumer        state    checkpoint  head  lag")
    assert "orders.order@1" in table


def test_consumers_are_shown_without_the_application(place: Place) -> None:
    found = {each["consumer"]: each for each in place.tidings("consumers", "--json").json}
    assert found["orders"]["declared"] is None
    assert found["orders.order@1"]["types"] == ["order-placed"]


def test_the_tail_of_the_log_is_shown(place: Place) -> None:
    entries = place.tidings("log", "tail", "--type", "order-placed", "--limit", "2", "--json").json
    assert [entry["event"]["id"] for entry in entries] == ["order-3", "order--2"]
    assert entries[0]["event"]["data"] == {"order_id": "3", "total": 30}
    lines = place.tidings("log", "tail", "--source", "/shop", "--subject", "2").out.splitlines()
    assert len(lines) == 1
    assert "order-placed  /shop order-2  " in lines[0]
    assert place.tidings("log", "tail", "--subject", "none").out == "no entry matches\n"


def test_the_log_is_followed_until_ctrl_c(place: Place) -> None:
    process = place.begin("log", "tail", "--follow", "--limit", "1", "--type", "order-placed", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"]["id"] == "order--2"
    assert place.emit("3", 30, id="order-3-again").code == 0
    assert json.loads(process.stdout.readline())["event"]["id"] == "order-3-again"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")


def test_one_event_is_shown_with_what_consumers_made_of_it(place: Place) -> None:
    shown = place.tidings("log", "show", "/shop", "order--1", "--app", "shop:app", "--json").json
    assert shown["event"]["data"] == {"order_id": "-1", "total": -1}
    states = {each["consumer"]: each["state"] for each in shown["consumers"]}
    assert states == {"orders": "parked", "orders.order@1": "settled", "stock": "settled"}
    assert "no order has a total below 0" in place.tidings("log", "show", "/shop", "order--1").out


def test_an_event_is_shown_with_what_led_to_it_and_what_it_led_to(place: Place) -> None:
    cause = place.tidings("log", "show", "/shop", "order-1", "--json").json["chain"]
    assert (cause["correlation"], cause["is_whole"]) == ("order-1", True)
    [root] = cause["events"]
    [effect] = root["effects"]
    assert (root["id"], effect["type"], effect["effects"]) == ("order-1", "order-noted", [])
    assert place.tidings("log", "show", effect["source"], effect["id"], "--json").json["chain"] == cause
    lines = place.tidings("log", "show", effect["source"], effect["id"]).out.splitlines()
    assert lines[-3:] == [
        "causes and effects",
        f"└── {number(root)}  order-placed  /shop order-1",
        f"    └── {number(effect)}  order-noted  {effect['source']} {effect['id']}  <- this one",
    ]


def test_views_are_listed_and_shown(place: Place) -> None:
    listed = {each["view"]: each for each in place.tidings("views", "list", "--app", "shop:app", "--json").json}
    assert (listed["order"]["table"], listed["last"]["mode"]) == ("orders_order__v1", "live")
    assert "orders.order" in place.tidings("views", "list").out
    rows = place.tidings("views", "show", "orders.order", "total=20", "--json").json
    assert rows == [{"order_id": "2", "total": 20}]
    live = place.tidings("views", "show", "orders.last", "order_id=2", "--app", "shop:app", "--json").json
    assert live == [{"order_id": "2", "total": 20}]
    limited = place.tidings("views", "show", "orders.order", "--limit", "1").out
    assert "perhaps more" in limited


def test_a_replay_needs_handlers_that_allow_it(place: Place) -> None:
    refused = place.tidings("log", "replay", "orders", "--from-position", "1", "--app", "shop:app")
    assert (refused.code, refused.out) == (1, "")
    assert "orders may not be replayed: note might change its own tables twice" in refused.err
    done = place.tidings("log", "replay", "stock", "--from-time", "2000-01-01T00:00:00Z", "--app", "shop:app", "--json")
    assert (done.code, done.json["after"][-2:]) == (0, "-0")
    assert done.json["entries"] >= 5


def test_a_dead_letter_is_shown_and_dropped_for_a_reason(place: Place) -> None:
    listed = place.tidings("dead", "list", "--json").json
    assert {(each["consumer"], each["subject"], each["state"]) for each in listed} >= {("orders", "-1", "dead")}
    assert "NotRetryable: no order has a total below 0" in place.tidings("dead", "list", "--consumer", "orders").out
    shown = place.tidings("dead", "show", "orders", "--json", "--", "-1").json
    assert [entry["event"]["id"] for entry in shown["entries"]] == ["order--1"]
    assert "order-placed  /shop order--1" in place.tidings("dead", "show", "orders", "--", "-1").out
    dropped = place.tidings("dead", "drop", "orders", "--reason", "a test", "--json", "--", "-1")
    assert (dropped.code, dropped.json["left"]) == (0, 0)
    assert dropped.json["dead_letter"] == shown["dead_letter"]
    assert place.tidings("dead", "show", "orders", "--", "-1").code == 2


def test_dead_letters_are_redriven_by_the_server_that_runs(place: Place) -> None:
    with place.serving():
        dead = len(place.tidings("dead", "list", "--consumer", "orders", "--state", "dead", "--json").json)
        ended = place.tidings("dead", "redrive", "orders", "--all", "--state", "dead", "--json")
        assert (ended.json["subjects"], ended.json["dry_run"]) == (dead, False)
        tried = place.eventually(
            "dead",
            "list",
            until=lambda parked: [each for each in parked if each["subject"] == "-2" and each["attempts"]],
        )
    assert all(each["attempts"] == 1 for each in tried if each["subject"] == "-2")


def test_what_is_registered_is_written_as_files_for_other_programs(place: Place) -> None:
    for form, file in (("asyncapi", "asyncapi.json"), ("jsonschema", "order-placed/1.json")):
        written = place.tidings("versions", "export", form, f"out/{form}", "--json").json
        assert {"written": f"out/{form}/{file}"} in written
    document = json.loads((place.folder / "out/asyncapi/asyncapi.json").read_text("utf-8"))
    assert faults(document) == []
    assert "order-placed" in document["channels"]
    refused = place.tidings("versions", "export", "avro", "out")
    assert (refused.code, refused.out) == (2, "")


def test_a_view_is_rebuilt_while_the_server_runs(place: Place) -> None:
    with place.serving() as url:
        before = place.tidings("views", "show", "orders.order", "--json").json
        ended = place.tidings("views", "rebuild", "orders.order", "--app", "shop:app", "--json")
        assert (ended.code, ended.json["service"], ended.json["view"]) == (0, "orders", "order")
        with urllib.request.urlopen(f"{url}/views/orders/order") as answer:
            assert json.load(answer)["rows"] == before
    listed = place.tidings("views", "list", "--json").json
    assert [each["state"] for each in listed if each["table"] == ended.json["table"]] == ["current"]


def test_a_wrong_row_is_a_clear_no(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with place.serving():
        place.emit("1", 10)
        place.eventually("consumers", "--app", "shop:app", until=settled)
        right = place.tidings("views", "verify", "--app", "shop:app", "--json")
        assert (right.code, [each["equal"] for each in right.json]) == (0, [True])
        assert [(each["rows"], each["tombstones"]) for each in right.json] == [(1, 0)]
    with sqlite3.connect(tmp_path / "tidings.db") as connection:
        connection.execute("UPDATE orders_order__v1 SET total = 11")
    connection.close()
    wrong = place.tidings("views", "verify", "orders.order", "--app", "shop:app", "--json")
    assert (wrong.code, wrong.json[0]["equal"], wrong.json[0]["differing"]) == (1, False, 1)
    assert wrong.json[0]["differences"][0]["expected"] == ["1", 10]
    told = place.tidings("views", "verify", "--app", "shop:app")
    assert told.code == 1
    assert "orders.order ['1'] differs: found ['1', 11], the log says ['1', 10]" in told.out
