"""Help comes at once: nothing is imported for it that a command needs only when it works."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from tests.house import reference
from tidings.cli.program import build

SLOW = [
    "aiohttp", "asyncio", "jinja2", "msgspec", "prometheus_client", "pycurl", "pydantic", "sqlite3", "starlette",
    "uvicorn",
]  # fmt: skip
ASKED = """
import sys
from tidings.cli.program import run_with
for words in {asked!r}:
    assert run_with(words) == 0, words
print([name for name in ["tidings.app", *{slow!r}] if name in sys.modules], file=sys.stderr)
"""


def told(program: str) -> str:
    """Return what a Python process says on standard error."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=250)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr.strip()


def slow_imports(*asked: list[str]) -> str:
    """Return which of what is slow to import has been imported after a process was asked all of this."""
    return told(ASKED.format(asked=asked, slow=SLOW))


def test_no_help_imports_what_only_work_needs() -> None:
    paths = {path[1:n] for path, _ in reference.commands(command()) for n in range(1, len(path) + 1)}
    below = {path for path in paths if path[:1] == ("consumers",) and len(path) > 1}  # Typer reads that group's --app
    assert (len(paths), len(below)) > (30, 1)
    assert slow_imports([], ["-h"], *([*path, "--help"] for path in sorted(paths - below))) == "[]"
    assert slow_imports(*([*path, "--help"] for path in sorted(below))) == "['pydantic']"


def test_the_release_is_said_without_importing_the_application() -> None:
    assert slow_imports(["version"], ["--version"]) == "['pydantic']"  # Typer reads with it


def test_every_command_and_every_group_says_what_it_is() -> None:
    """The list of the commands has a line for each, and none is empty."""
    nameless = [each.name for each in described(command()) if not each.get_short_help_str()]
    assert nameless == []


def described(group: Any) -> Iterator[Any]:
    for each in group.commands.values():
        yield each
        if hasattr(each, "commands"):
            yield from described(each)


def command(**how: Any) -> Any:
    return typer.main.get_command(build(**how))


def test_the_options_for_completion_are_there_unless_a_command_was_named() -> None:
    assert {each.name for each in command().params} == {"install_completion", "show_completion"}
    assert command(own_options=False).params == []
