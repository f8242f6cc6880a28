"""Keys are made, seen and revoked on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tidings.cli.program import run_with
from tidings.operations.keys import SCOPES


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run_with(["keys", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_key_is_made_before_there_is_a_database_and_its_token_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    made = printed(capsys, "add", "till", "--scope", "events:write", "--source", "/till")
    assert made["token"].startswith(f"td_{made['key']}_")
    [listed] = printed(capsys, "list")
    assert (listed["owner"], listed["scopes"], listed["sources"]) == ("till", ["events:write"], ["/till"])
    assert (listed["state"], listed["last_used"]) == ("valid", None)
    assert "token" not in listed
    assert run_with(["keys", "list"]) == 0
    assert made["token"] not in capsys.readouterr().out


def test_people_are_shown_so_many_scopes_as_a_line_has_room_for_and_programs_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for owner, scopes in (("all", SCOPES), ("some", sorted(SCOPES)[:5]), ("few", sorted(SCOPES)[:2])):
        printed(capsys, "add", owner, *(part for scope in scopes for part in ("--scope", scope)))
    assert run_with(["keys", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 200
    assert f"all {len(SCOPES)}" in lines[1]
    assert f"{' '.join(sorted(SCOPES)[:3])} and 2 more" in lines[2]
    assert f"{' '.join(sorted(SCOPES)[:2])} " in lines[3]
    assert [len(each["scopes"]) for each in printed(capsys, "list")] == [len(SCOPES), 5, 2]


def test_a_revoked_key_stays_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    made = printed(capsys, "add", "till", "--scope", "events:write")
    printed(capsys, "revoke", made["key"])
    printed(capsys, "revoke", made["key"])
    assert [each["state"] for each in printed(capsys, "list")] == ["revoked"]
    assert run_with(["keys", "revoke", "nix"]) == 2
    assert "there is no key 'nix'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["till", "--scope", "events:all"], "there is no scope 'events:all'; there is consumers:read"),
        (["till", "--scope", "views:read", "--source", "/till"], "a key for some sources can have"),
        (["till", "--scope", "events:read", "--source", "not a uri"], "is no URI-reference"),
        (["till", "--scope", "events:read", "--expires", "2020-01-01T00:00:00Z"], "would have expired already"),
        (["till", "--scope", "events:read", "--expires", "tomorrow"], "--expires: expected an RFC 3339 timestamp"),
        (["", "--scope", "events:read"], "must be 1 to 100 characters"),
        (["till"], "--scope SCOPE is missing: type `tidings keys add OWNER --scope SCOPE`"),
    ],
)
def test_a_key_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], why: str) -> None:
    assert run_with(["keys", "add", *arguments]) in (1, 2)
    assert why in capsys.readouterr().err
