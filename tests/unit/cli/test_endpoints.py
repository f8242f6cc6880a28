"""Endpoints are made and changed on the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tidings.cli.program import run_with

URL = "https://example.com/hooks"
GITHUB = 'legacy={"preset": "github", "header": "X-Shop-Signature"}'


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run_with(["endpoints", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_an_old_secret_is_read_from_standard_input_and_never_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {"preset": "github", "header": "X-Shop-Signature", "prefix": None}
    monkeypatch.setattr("sys.stdin", io.StringIO("hush-hush\n"))
    made = printed(capsys, "add", URL, "--id", "crm", "--set", GITHUB, "--legacy-secret", "-")
    assert made["legacy"] == shown
    assert run_with(["endpoints", "show", "crm"]) == 0
    told = capsys.readouterr().out
    assert ("X-Shop-Signature" in told, "hush" in told) == (True, False)
    stripe = 'legacy={"preset": "stripe"}'
    changed = printed(capsys, "change", "crm", "--set", stripe)
    assert changed["legacy"] == {"preset": "stripe", "header": "stripe-signature", "prefix": None}
    assert printed(capsys, "change", "crm", "--set", "legacy=null")["legacy"] is None


@pytest.mark.parametrize(
    ("given", "stdin", "told"),
    [
        (("--set", GITHUB), "", "/legacy/secret: it is missing"),
        (("--set", "legacy=github", "--legacy-secret", "x"), "", "--legacy-secret: say whose scheme"),
        (("--legacy-secret", "x"), "", "--legacy-secret: say whose scheme it is for"),
        (("--set", GITHUB, "--legacy-secret", "-"), "", "standard input has no line; write a secret there\n"),
        (("--set", GITHUB, "--legacy-secret", "-"), "a\nb\n", "--legacy-secret -: standard input has 2 lines"),
        (("--set", 'legacy={"preset": "githup"}', "--legacy-secret", "x"), "", "there is no preset 'githup'"),
        (
            ("--set", 'legacy={"preset": "github", "header": "Host"}', "--legacy-secret", "x"),
            "",
            "/legacy/header: this",
        ),
    ],
)
def test_what_is_no_legacy_signature_ends_in_one_line(
    given: tuple[str, ...],
    stdin: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    assert run_with(["endpoints", "add", URL, *given]) == 2
    ended = capsys.readouterr()
    assert (ended.out, ended.err.count("\n")) == ("", 1)
    assert told in ended.err
