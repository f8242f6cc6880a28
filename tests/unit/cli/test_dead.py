"""What failed is given back or given up for all subjects that fit, or only counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from tidings.backends.sqlite import open_sqlite
from tidings.cli.program import run_with
from tidings.conformance.store_samples import entry
from tidings.ports import Ports
from tidings.store.driver import StoreDriver
from tidings.store.reason import Reason

T = TypeVar("T")


class Place:
    """A database in which two subjects are parked for billing: `a` with two entries, and `b`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, work: Callable[[StoreDriver], Awaitable[T]]) -> T:
        async def asked() -> T:
            opened = open_sqlite(str(self.path), Ports())
            try:
                return await work(opened.store)
            finally:
                await opened.close()

        return asyncio.run(asked())

    def waiting(self) -> dict[str, tuple[str, int]]:
        return {each.subject: (each.state, each.entries) for each in self.ask(lambda store: store.parked())}

    def audit(self) -> list[tuple[str, str, str]]:
        return [(each.who, each.what, each.reason) for each in self.ask(lambda store: store.audit())]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path / "x.db")
    monkeypatch.setenv("TIDINGS_DATABASE_URL", f"sqlite:///{made.path}")

    async def fill(store: StoreDriver) -> None:
        failed = Reason(kind="handler-failed", error="ValueError: no", next_at=None)
        async with store.unit() as unit:
            await unit.park("billing", "a", [entry(1, subject="a"), entry(2, subject="a")], failed)
            await unit.park("billing", "b", [entry(3, subject="b")], failed)

    made.ask(fill)
    return made


def test_what_failed_of_each_subject_is_dropped_once_it_was_counted(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dead", "drop-each", "--consumer", "billing", "--where-reason", "handler-failed", "--reason", "rubbish"]
    assert run_with([*words, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"subjects": 2, "left": 3, "dry_run": True}
    assert (place.waiting(), place.audit()) == ({"a": ("dead", 2), "b": ("dead", 1)}, [])
    assert run_with([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"subjects": 2, "left": 1, "dry_run": False}
    assert (place.waiting(), place.audit()) == ({"a": ("retrying", 1)}, [("cli", "drop", "rubbish")] * 2)


def test_not_everything_is_dropped_by_a_slip(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["dead", "drop-each", "--reason", "rubbish"]) == 2
    assert "give up which ones?" in capsys.readouterr().err
    assert len(place.waiting()) == 2


def test_a_redrive_that_nobody_would_do_is_one_line_and_2(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["billing", "a"], ["--all"], ["billing", "a", "--dry-run"]):
        assert run_with(["dead", "redrive", *words]) == 2
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert told.err.startswith("tidings: nobody runs billing, so it would not be redriven: start the program")
    assert (place.waiting(), place.audit()) == ({"a": ("dead", 2), "b": ("dead", 1)}, [])


def test_a_redrive_can_be_counted_first(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.ask(lambda store: store.ask("billing", owner="another process", ttl=timedelta(hours=1)))
    assert run_with(["dead", "redrive", "--all", "--dry-run"]) == 0
    assert "would be due: 2 subjects with 3 entries" in capsys.readouterr().out
    assert run_with(["dead", "redrive", "billing", "a", "--dry-run"]) == 0
    assert "would be due: 1 subject with 2 entries" in capsys.readouterr().out
    assert (place.waiting(), place.audit()) == ({"a": ("dead", 2), "b": ("dead", 1)}, [])
    assert run_with(["dead", "redrive", "--all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"subjects": 2, "entries": 3, "failed": 0, "dry_run": False}
    assert place.audit() == [("cli", "redrive", "")] * 2


def test_a_list_shows_the_first_line_of_an_error_and_what_is_shown_alone_all(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill(store: StoreDriver) -> None:
        failed = Reason(kind="handler-failed", error="ValueError: one\n  two\nthree", next_at=None)
        async with store.unit() as unit:
            await unit.park("billing", "c", [entry(4, subject="c")], failed)

    place.ask(fill)
    assert run_with(["dead", "list"]) == 0
    listed = capsys.readouterr().out
    assert "ValueError: one …" in listed
    assert "two" not in listed
    assert run_with(["dead", "show", "billing", "c"]) == 0
    assert "three" in capsys.readouterr().out
    assert run_with(["dead", "list", "--json"]) == 0
    assert [each["error"] for each in json.loads(capsys.readouterr().out)][-1] == "ValueError: one\n  two\nthree"
