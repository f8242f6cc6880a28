"""What is said of an endpoint that is polled is true of one: nobody sends what is due to it, it is fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidings.cli.program import run_with

LISTEN = ("listen", "dev", "--to", "http://127.0.0.1:9/")


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two endpoints, `dev` that is polled, and `crm` that is posted to."""
    monkeypatch.setenv("TIDINGS_DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
    assert run_with(["endpoints", "add", "--poll", "--id", "dev"]) == 0
    assert run_with(["endpoints", "add", "https://example.com/hook", "--id", "crm"]) == 0


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run_with(arguments) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("act", ["test", "recover", "replay"])
def test_what_is_due_is_sent_or_waits_until_it_is_polled(capsys: pytest.CaptureFixture[str], act: str) -> None:
    posted, polled = said(capsys, "endpoints", act, "crm"), said(capsys, "endpoints", act, "dev")
    assert ("a running server sends" in posted, "poll" in posted) == (True, False)
    assert ("send" in polled, "who polls dev" in polled) == (False, True)
    assert json.loads(said(capsys, "endpoints", act, "dev", "--json")).get("endpoint") == "dev"


def test_what_was_held_is_sent_or_waits_until_it_is_polled(capsys: pytest.CaptureFixture[str]) -> None:
    for id, told in (
        ("crm", "what was held is sent in order\n"),
        ("dev", "what was held is there for who polls dev\n"),
    ):
        said(capsys, "endpoints", "pause", id)
        assert said(capsys, "endpoints", "resume", id).endswith(told)


def test_a_listener_that_is_refused_is_told_no_and_one_of_nothing_is_wrong_use(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_with(["listen", "crm", *LISTEN[2:]]) == 1
    said(capsys, "endpoints", "pause", "dev")
    assert run_with(LISTEN) == 1
    assert run_with(["listen", "nope", *LISTEN[2:]]) == 2
    assert "1 if the endpoint is paused, or is one that is posted to" in " ".join(
        said(capsys, "listen", "--help").split()
    )
