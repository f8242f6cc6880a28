"""The reference says what the code does: commands and settings."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import typer.main

from tests.house import reference
from tidings.cli.program import build
from tidings.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_command_line_is_described_as_it_is() -> None:
    assert reference.PAGE.read_text("utf-8") == reference.page()


def test_what_is_hidden_is_not_described() -> None:
    hidden = [
        name
        for _, command in reference.commands(typer.main.get_command(build()))
        for parameter in command.params
        if parameter.hidden
        for name in parameter.opts
    ]
    assert "--worker" in hidden
    assert [name for name in hidden if f"`{name}`" in reference.page()] == []


def test_every_command_shows_an_example_of_itself() -> None:
    for path, command in reference.commands(typer.main.get_command(build())):
        assert re.search(rf"Example: .*{' '.join(path)}", command.help or ""), path


def test_every_command_can_answer_programs() -> None:
    without = [
        path
        for path, command in reference.commands(typer.main.get_command(build()))
        if "as_json" not in {parameter.name for parameter in command.params}
    ]
    assert without == []


def test_every_setting_is_described_with_its_default() -> None:
    text = (DOCS / "reference" / "settings.md").read_text("utf-8")
    described = dict(re.findall(r"^\| `([a-z_]+)` \| `([^`]*)` \|", text, re.MULTILINE))
    assert described == {field.name: "" if field.default is None else str(field.default) for field in fields(Settings)}
    assert all(f"`{PREFIX}{name.upper()}`" in text for name in described)
