"""`tidings migrate`: how far the tables are, what would be done, and doing it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tidings.cli import program

Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Run a command in an empty folder; return its exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        code = program.run_with(["migrate", *arguments])
        out, errors = capsys.readouterr()
        return code, out + errors

    return run


def test_without_tables_status_is_a_clear_no_and_makes_none(said: Said, tmp_path: Path) -> None:
    code, out = said("status")
    assert code == 1
    assert "there are no tables of tidings yet" in out
    assert list(tmp_path.iterdir()) == []


def test_the_plan_is_what_apply_does_and_then_there_is_nothing_to_do(said: Said) -> None:
    _, planned = said("plan", "--json")
    [step] = json.loads(planned)
    assert step["step"] == 1
    assert "CREATE TABLE tidings_log" in step["sql"]
    assert said("plan", "--sql")[1].startswith("CREATE TABLE tidings_head")
    assert json.loads(said("apply", "--json")[1]) == {"database": "tidings.db", "done": [1]}
    assert said("apply") == (0, "tidings.db: the tables are those of this release\n")
    assert json.loads(said("plan", "--json")[1]) == []
    assert "there is nothing to do" in said("plan")[1]
    code, found = said("status", "--json")
    assert code == 0
    assert json.loads(found) == {
        "database": "tidings.db",
        "state": "current",
        "schema": 1,
        "this_release": 1,
        "pending": 0,
    }


def test_tables_of_a_newer_release_are_told_and_left_alone(said: Said) -> None:
    assert said("apply")[0] == 0
    with closing(sqlite3.connect("tidings.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    code, out = said("status")
    assert code == 1
    assert "`pip install --upgrade tidings`" in out
    for how in ((), ("--sql",), ("--json",)):
        assert said("plan", *how)[0] == 1
    assert "`pip install --upgrade tidings`" in said("plan")[1]
    assert "nothing to do" not in said("plan")[1]
    code, out = said("apply")
    assert code == 2
    assert "made by a newer release" in out


def test_a_database_in_memory_has_no_tables_that_anybody_else_could_see(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_DATABASE_URL", "sqlite:///:memory:")
    for command in ("status", "plan", "apply"):
        code, out = said(command)
        assert code == 2
        assert "only its own process can see" in out


def test_a_file_that_is_no_database_is_told(said: Said, tmp_path: Path) -> None:
    (tmp_path / "tidings.db").write_text("this is no database, though it is long enough to be looked at" * 20)
    code, out = said("status")
    assert code == 2
    assert "cannot be used as a database" in out
