"""`tidings reconcile` and `tidings asof` beside a server that runs, and a till whose items lie in a file."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.place import Place

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "reconciliation.md"
ITEMS = """

import json, pathlib
from dataclasses import replace


class OfAFile(Till):
    facts = replace(Till.facts, filters_by_change=True)

    async def list_changed(self, *, since, cursor, limit):
        changed = sorted((at, key) for key, (_, at) in self.items.items() if at >= since)
        found = [(f"{at.isoformat()} {key}", key) for at, key in changed]
        found = [each for each in found if cursor is None or each[0] > cursor]
        more = found[limit - 1][0] if len(found) > limit else None
        rows = [self.row(key) for _, key in found[:limit]]
        return Page(rows=rows, next_cursor=more, server_date=datetime.now(UTC))

    @property
    def items(self):
        read = json.loads(pathlib.Path("items.json").read_text())
        return {key: (amount, datetime.fromisoformat(at)) for key, (amount, at) in read.items()}

    @items.setter
    def items(self, given):
        pass


app = App(orders)
app.reconcile("till-orders", PaidOrder, OfAFile(), events=[OrderSeen, OrderGone])
"""
HOUR_AGO, NOW = "2026-01-01T12:00:00+00:00", "2026-01-02T12:00:00+00:00"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    [program] = re.findall(r"```python\n(# orders.py\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (found.folder / "shop.py").write_text(program + ITEMS, "utf-8")
    has(found, {f"o-{n}": (n, HOUR_AGO) for n in range(30)})
    return found


def has(place: Place, items: dict[str, tuple[int, str]]) -> None:
    (place.folder / "items.json").write_text(json.dumps(items), "utf-8")


def test_a_copy_is_planned_repaired_told_and_approved(place: Place) -> None:
    app = ("--app", "shop:app")
    with place.serving():
        never = place.tidings("asof", *app, "--json")
        assert (never.code, never.json[0]["delete"]["as_of"]) == (3, None)
        told = place.tidings("asof", *app).out.split("\n")[1].split()
        assert told == ["till-orders", "never", "never", "none", "never", "run"]
        dry = place.tidings("reconcile", "run", "till-orders", *app, "--json")
        assert (dry.code, dry.json["dry"], dry.json["proposed"], dry.json["appended"]) == (1, True, 30, 0)
        run = place.tidings("reconcile", "run", "till-orders", *app, "--json")
        assert (run.code, run.json["state"], run.json["appended"]) == (1, "done", 30)
        proved = place.eventually("asof", "till-orders", *app, until=lambda found: found[0]["delete"]["as_of"])
        assert proved[0]["exceptions"] == []
        again = place.tidings("reconcile", "run", "till-orders", *app, "--json")
        assert (again.code, again.json["equal"]) == (0, 30)
        assert place.tidings("asof", "--max-age", "600", *app).code == 0
        time.sleep(1)
        assert place.tidings("asof", "--max-age", "10m", *app).code == 0
        assert place.tidings("asof", "--max-age", "0.5", *app).code == 1
        refused = place.tidings("asof", "--max-age", "ten", *app)
        assert (refused.code, "write seconds, or a number with s, m, h or d, as 10m" in refused.err) == (2, True)

        has(place, {"o-1": (99, NOW), **{f"o-{n}": (n, HOUR_AGO) for n in range(2, 15)}})
        held = place.tidings("reconcile", "run", "till-orders", *app, "--json")
        assert (held.code, held.json["state"], len(held.json["held"]), held.json["appended"]) == (1, "held", 16, 1)
        named = place.tidings("reconcile", "report", "till-orders", held.json["id"], *app)
        assert ("no difference" in named.out, "o-0, o-15, " in named.out) == (False, True)
        assert "mode " in named.out
        excepted = place.tidings("asof", "till-orders", *app)
        assert (excepted.code, "exceptions" in excepted.out, "o-0 (suspect), " in excepted.out) == (1, True, True)
        few = place.tidings("reconcile", "approve", "till-orders", held.json["id"], "--at-most", "3", *app)
        assert (few.code, "16 deletes, more than 3" in few.err) == (1, True)
        done = place.tidings("reconcile", "approve", "till-orders", held.json["id"], "--at-most", "16", *app, "--json")
        assert (done.json["state"], done.json["deletes"]) == ("done", 16)

        shown = place.tidings("reconcile", "report", "till-orders", done.json["id"], *app)
        assert (shown.code, shown.out.count("extra")) == (0, 16)
        assert shown.out.count("in flight") > 16
        line = place.tidings("reconcile", "report", "till-orders", "--line", *app)
        assert (line.code, line.out.count("\n")) == (0, 1)
        assert line.out.startswith("till-orders: done: 14 rows; 16 appended (16 extra); 16 in flight; ")
        table = place.tidings("reconcile", "report", "till-orders", *app)
        assert (table.code, "done, dry" in table.out, "proposed" in table.out.splitlines()[0]) == (0, True, True)
        listed = place.tidings("reconcile", "report", "till-orders", *app, "--json").json
        assert [each["state"] for each in listed] == ["done", "done", "done", "done", "done"]
        rows = place.eventually("views", "show", "orders.paid_order", *app, until=lambda rows: len(rows) == 14)
        assert {row["order_id"]: row["amount"] for row in rows}["o-1"] == 99


def test_a_run_beside_which_nothing_runs_says_that_its_events_are_still_to_be_merged(place: Place) -> None:
    with place.serving():
        pass  # which makes the database
    ended = place.tidings("reconcile", "run", "till-orders", "--apply", "--app", "shop:app")
    assert (ended.code, "30, which `tidings run` does" in ended.out) == (1, True)


def test_names_that_are_not_there_are_told_in_one_line(place: Place) -> None:
    with place.serving():
        for words in (("asof", "x"), ("reconcile", "run", "x"), ("reconcile", "report", "till-orders", "x")):
            said = place.tidings(*words, "--app", "shop:app")
            assert (said.code, said.err.count("\n")) == (2, 1)
            assert "there is no" in said.err


def test_what_has_changed_and_one_item_are_compared_alone_once_all_was(place: Place) -> None:
    run = ("reconcile", "run", "till-orders", "--app", "shop:app")
    with place.serving():
        for less in (("--changed",), ("--key", "o-1")):
            early = place.tidings(*run, *less)
            assert (early.code, early.err.count("\n"), "run it whole first" in early.err) == (2, 1, True)
        place.tidings(*run, "--apply")
        place.eventually("asof", "till-orders", "--app", "shop:app", until=lambda found: found[0]["delete"]["as_of"])

        items = {f"o-{n}": (n, HOUR_AGO) for n in range(2, 30)}
        has(place, {**items, "o-1": (99, datetime.now(UTC).isoformat())})
        changed = place.tidings(*run, "--changed", "--json")
        assert (changed.code, changed.json["mode"], changed.json["appended"]) == (0, "changed", 1)
        assert changed.json["causes"] == {"in_flight": 1}  # its event may still come
        assert changed.json["after"]["delete"] == changed.json["before"]["delete"]
        asked = [place.tidings(*run, "--key", key, "--json") for key in ("o-0", "o-2")]
        assert [(each.code, each.json["mode"], each.json["deletes"]) for each in asked] == [
            (1, "key", 1),
            (0, "key", 0),
        ]
        rows = place.eventually(
            "views", "show", "orders.paid_order", "--app", "shop:app", until=lambda rows: len(rows) == 29
        )
        assert {row["order_id"]: row["amount"] for row in rows}["o-1"] == 99

        wrong = place.tidings(*run, "--changed", "--key", "o-1")
        assert (wrong.code, "say one of" in wrong.err) == (2, True)


def test_whoever_waits_is_told_of_each_difference_whether_its_event_came_after_all(place: Place) -> None:
    app = ("--app", "shop:app")
    run = ("reconcile", "run", "till-orders", "--apply", "--wait", "--json", *app)
    with place.serving():
        items = {f"o-{n}": (n, HOUR_AGO) for n in range(30)}
        almost_a_minute = datetime.now(UTC) - timedelta(seconds=57)  # of which it is known in a moment
        items["o-1"] = (99, almost_a_minute.isoformat())
        has(place, items)
        missed = place.tidings(*run)
        assert (missed.code, missed.json["causes"]) == (1, {"unknown": 30})
        assert datetime.now(UTC) > almost_a_minute + timedelta(seconds=60)
        place.eventually("asof", "till-orders", *app, until=lambda found: found[0]["delete"]["as_of"])

        at = datetime.now(UTC).replace(microsecond=0).isoformat()
        has(place, {**items, "o-2": (77, at)})
        waiting = place.begin(*run)
        place.eventually("reconcile", "report", "till-orders", *app, until=lambda runs: runs[0]["appended"] == 1)
        told = json.dumps({"order_id": "o-2", "amount": 77, "updated_at": at})
        assert place.tidings("emit", "order-seen", told, "--id", "w-2", "--source", "/till", *app).code == 0
        out, errors = waiting.communicate(timeout=60)
        assert (waiting.returncode, json.loads(out)["causes"]) == (0, {"in_flight": 1}), errors
